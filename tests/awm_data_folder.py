"""Folders of AgentWorldModel data, written from what their lines say."""

import json
from pathlib import Path

from awm_gym.formats.awm import index as files


def write_folder(path: Path, scenarios) -> Path:
    """Write the files of a folder: a line for each scenario, verifier and solution. What is empty has no line."""
    path.mkdir(parents=True, exist_ok=True)
    lines = {file.name: [] for file in files.FILES}
    for scenario in scenarios:
        for name, row in _rows(scenario):
            lines[name].append(json.dumps(row) + "\n")
    for name, rows in lines.items():
        if rows:
            (path / name).write_text("".join(rows), "utf-8")
    return path


def solution_line(scenario, task, calls, answer=None):
    """A line of gen_solution.jsonl; calls are pairs of name and arguments."""
    told = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return json.dumps({"scenario": scenario, "task_idx": task, "calls": told, "answer": answer}) + "\n"


def _rows(scenario):
    owner = {"scenario": scenario.title}
    yield files.SCENARIOS, {"name": scenario.title, "description": scenario.description}
    yield files.TASKS, owner | {"tasks": list(scenario.tasks)}
    if scenario.ddl:
        yield files.DATABASES, owner | {"db_schema": {"tables": [table.model_dump() for table in scenario.ddl]}}
        tables = [table.model_dump() for table in scenario.inserts]
        yield files.ROWS, owner | {"sample_data": {"tables": tables}}
    endpoints = [endpoint.model_dump() for endpoint in scenario.endpoints]
    yield files.SPECS, owner | {"api_spec": {"api_groups": [{"endpoints": endpoints}]}}
    if scenario.code:
        yield files.PROGRAMS, owner | {"full_code": scenario.code}
    for task, kinds in scenario.verifiers.items():
        for kind, code in kinds.items():
            name = files.CODE_VERIFIERS if kind == "code" else files.SQL_VERIFIERS
            yield name, owner | {"task_idx": task, "verification": {"code": code}}
    for task, solution in scenario.solutions.items():
        calls = [(call.name, call.arguments) for call in solution.calls]
        yield files.SOLUTIONS, json.loads(solution_line(scenario.title, task, calls, solution.answer))
