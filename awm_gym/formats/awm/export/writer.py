"""Writes native scenarios as a folder of AgentWorldModel data."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from awm_gym.errors import UsageError
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.export import application, verifiers
from awm_gym.formats.awm.export.portability import check
from awm_gym.formats.awm.export.tables import database
from awm_gym.formats.awm.export.tasks import exported, final_answer, instruction, left_out, tool_calls
from awm_gym.scenario import Scenario

_VERIFIERS: dict[verifiers.Kind, str] = {"sql": files.SQL_VERIFIERS, "code": files.CODE_VERIFIERS}


class LeftOut(NamedTuple):
    """A task that has no form in AgentWorldModel data, and why."""

    scenario: str
    task: str
    why: str


class Export(NamedTuple):
    """What was written.

    Attributes:
        directory: where to.
        tasks: name of the scenario -> names of its tasks, in the order of their numbers.
        left_out: the tasks that are not there.
    """

    directory: Path
    tasks: dict[str, tuple[str, ...]]
    left_out: tuple[LeftOut, ...]


class Record(NamedTuple):
    """A line of a file."""

    file: str
    content: dict[str, Any]


def export(scenarios: Iterable[Scenario], directory: Path) -> Export:
    """Write scenarios into a new folder: the same bytes for the same scenarios.

    Raises:
        UsageError: the folder is there and not empty, it cannot be written, or two scenarios have one name.
        ScenarioError: a scenario has SQL that needs what Python's SQLite lacks, or data that need our clock.
    """
    try:
        if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
            raise UsageError(f"{directory} is there already, and is not overwritten; name a new folder")
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".awm-", dir=directory.parent) as staging:
            made = Path(staging, "data")
            made.mkdir()
            tasks, left = _write(scenarios, made)
            os.replace(made, directory)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error
    return Export(directory, tasks, left)


def _write(scenarios: Iterable[Scenario], directory: Path) -> tuple[dict[str, tuple[str, ...]], tuple[LeftOut, ...]]:
    tasks: dict[str, tuple[str, ...]] = {}
    left: list[LeftOut] = []
    with ExitStack() as stack:
        opened = {
            file.name: stack.enter_context((directory / file.name).open("w", encoding="utf-8", newline="\n"))
            for file in files.FILES
        }
        for scenario in scenarios:
            if scenario.name in tasks:
                raise UsageError(f"two scenarios are called {scenario.name}; leave one of them out")
            for file, content in records(scenario):
                opened[file].write(json.dumps(content, ensure_ascii=False) + "\n")
            tasks[scenario.name] = tuple(task.name for task in exported(scenario))
            reasons = {task.name: left_out(scenario, task) for task in scenario.tasks.values()}
            left += [LeftOut(scenario.name, task, why) for task, why in reasons.items() if why]
    return tasks, tuple(left)


def records(scenario: Scenario) -> Iterator[Record]:
    """All that the files say of a scenario.

    Raises:
        ScenarioError: as `export`.
    """
    found = database(scenario)
    tasks = exported(scenario)
    check(scenario, found, {task.name: verifiers.judged(scenario, task) for task in tasks})
    owner = {"scenario": scenario.name}
    instructions = [instruction(scenario, task) for task in tasks]
    tables = [table.model_dump(mode="json") for table in found.schema]
    rows = [
        {"table_name": name, "reasoning": "", "insert_statements": list(statements)} for name, statements in found.rows
    ]
    sample = {
        "tables_count": len({name for name, _ in found.rows}),
        "inserts_count": sum(len(statements) for _, statements in found.rows),
        "sample_data": {"tables": rows},
    }
    described = {"name": scenario.name, "description": scenario.description.strip(), "now": scenario.now.isoformat()}
    yield Record(files.SCENARIOS, described)
    yield Record(files.TASKS, owner | {"tasks": instructions})
    yield Record(files.DATABASES, owner | {"db_schema": {"tables": tables}, "db_path": None})
    yield Record(files.ROWS, owner | sample)
    yield Record(files.SPECS, owner | {"api_spec": {"api_groups": application.specification(scenario)}})
    yield Record(files.PROGRAMS, owner | {"db_path": None, "full_code": application.code(scenario)})
    for number, (task, words) in enumerate(zip(tasks, instructions, strict=True)):
        about = owner | {"task_idx": number, "task": words}
        for kind, file in _VERIFIERS.items():
            code = verifiers.code(scenario, task, kind)
            yield Record(file, about | {"verification": {"code": code, "raw_response": ""}})
        calls = [call._asdict() for call in tool_calls(task.solution)]
        yield Record(
            files.SOLUTIONS,
            owner | {"task_idx": number, "name": task.name, "calls": calls, "answer": final_answer(task.solution)},
        )
