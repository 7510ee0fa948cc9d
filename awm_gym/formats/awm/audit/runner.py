"""Audits run: one scenario from its lines to what was found, or all of a folder on all cores, resumable."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from awm_gym import places, processes
from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError, printable
from awm_gym.formats.awm.audit.findings import DatabaseAudit, ScenarioAudit
from awm_gym.formats.awm.audit.tasks import audit_tasks
from awm_gym.formats.awm.audit.tools import audit_tools
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.images import Images
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Source

_CANARY = """
import sqlite3

def rows(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    same = rows(initial_db_path) and rows(initial_db_path) == rows(final_db_path)
    return {"result": "complete" if same else "others"}
"""
_PACKAGES = ("fastapi", "pydantic", "sqlalchemy", "apsw")  # what is found depends on them, too


def chosen(index: Index, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Ids of the scenarios that names mean, each once; of all of the folder for none.

    Raises:
        UsageError: there is no such scenario.
        ScenarioError: there are two.
    """
    return tuple(dict.fromkeys(index.entry(name).name for name in names)) or tuple(index.entries)


def problems(index: Index, solutions: Path | None = None) -> tuple[str, ...]:
    """What is wrong with the files as a whole: lines that were left out, files that are not there, strange solutions.

    Raises:
        UsageError: the file of solutions cannot be read.
    """
    told = [*map(str, index.problems), *(f"there is no {name}: {loss}" for name, loss in index.missing.items())]
    if solutions is not None:
        known = Index.of_solutions(solutions)
        told += map(str, known.problems)
        strange = [name for name in known.entries if name not in index.entries]
        told += [f"{solutions.name}: solves {name}, which is not in {index.directory.name}" for name in strange]
    return tuple(told)


def audit_all(
    directory: str | Path,
    names: Sequence[str] = (),
    *,
    jobs: int = 1,
    solutions: Path | None = None,
    mend: bool = False,
    fresh: bool = False,
) -> Iterator[ScenarioAudit]:
    """Audit scenarios on several cores; each comes as it is done. Whoever stops asking stops the work.

    Args:
        directory: the folder.
        names: of scenarios; all for none.
        jobs: processes.
        solutions: see `audit_scenario`.
        mend: see `audit_scenario`.
        fresh: see `audit_scenario`.

    Raises:
        UsageError, ScenarioError: as `Index.of`, `chosen` and `audit_scenario`.
    """
    wanted = chosen(Index.of(directory), names)
    audit = partial(audit_scenario, directory, solutions=solutions, mend=mend, fresh=fresh)
    yield from processes.each(audit, wanted, jobs)


def audit_scenario(
    directory: str | Path,
    name: str,
    *,
    solutions: Path | None = None,
    mend: bool = False,
    fresh: bool = False,
) -> ScenarioAudit:
    """Find out what is wrong with a scenario; what was found before by the same code in the same data is believed.

    Malformed data, a database that cannot be built, and an application that does not start or breaks its worker for
    good are what the audit tells as `error`, beside what it found until then.

    Args:
        directory: the folder.
        name: of the scenario, or its id.
        solutions: a file of known solutions; they go before those of the folder.
        mend: build the database with quotes mended, see `build`.
        fresh: believe nothing, find out again.

    Raises:
        UsageError: there is no such scenario; a file is not there, or has changed; FastAPI is not installed.
        ScenarioError: two scenarios have that name.
        SandboxUnavailable: this machine cannot lock generated code up.
    """
    index = Index.of(directory)
    entry = index.entry(name)
    try:
        scenario = _read(index, entry.name, solutions)
    except ScenarioError as error:
        problem = printable(str(error))
        return ScenarioAudit(name=entry.name, title=entry.title, fingerprint="", error=problem, lacks=entry.lacks)
    kept = places.cache() / "awm" / "audits" / f"{scenario.fingerprint}-{_rest(scenario, mend=mend)}.json"
    if not fresh and (found := _kept(kept)):
        return found
    found = _audit(scenario, mend=mend)
    if not found.error:  # which may have been this machine's
        _keep(kept, found)
    return found


def _read(index: Index, name: str, solutions: Path | None) -> AwmScenario:
    scenario = Source(index).scenario(name)
    known, told = dict(scenario.solutions), list(scenario.problems)
    if solutions is not None:
        others, bad = Source(Index.of_solutions(solutions)).solutions(name)
        known |= others
        told += [f"{solutions.name}: {problem}" for problem in bad]
    told += [f"task {task} has a solution, but there is no such task" for task in known if task >= len(scenario.tasks)]
    return replace(scenario, solutions=dict(sorted(known.items())), problems=tuple(told))


def _audit(scenario: AwmScenario, *, mend: bool) -> ScenarioAudit:
    found = ScenarioAudit(
        name=scenario.name,
        title=scenario.title,
        fingerprint=scenario.fingerprint,
        problems=scenario.problems,
        lacks=scenario.lacks,
        specified=len(scenario.endpoints),
    )
    try:
        base = build(scenario, mend=mend)
        found = found.model_copy(update={"database": _database(base)})
        if not scenario.code:
            raise ScenarioError("has no application; gen_envs.jsonl must tell one", scenario=scenario.name)
        with Images() as images:
            with App(scenario.code, base, name=scenario.name, reset="inplace") as app:  # ten times as fast
                collisions = tuple(f"{each.first} / {each.second} ({each.kind})" for each in app.collisions)
                found = found.model_copy(update={"collisions": collisions})
                found = found.model_copy(update={"tools": audit_tools(scenario, base, app, images)})
            with App(scenario.code, base, name=scenario.name) as app, Judge() as judge:  # that remembers no call
                _see_that_it_judges(judge, app, base)
                tasks = audit_tasks(scenario, base, app, judge, images, found.tools)
        return found.model_copy(update={"tasks": tasks})
    except (ScenarioError, EnvironmentFault) as error:
        return found.model_copy(update={"error": printable(str(error))})


def _see_that_it_judges(judge: Judge, app: App, base: Base) -> None:
    """Verifiers that catch whatever happens would say "others" also where nothing works, and seem strict."""
    if judge.reward(_CANARY, app.initial, app.initial, None, now=base.now) != 1.0:
        raise EnvironmentFault("verifiers cannot read their databases here, so nothing they say can be trusted")


def _database(base: Base) -> DatabaseAudit:
    lost = (*base.lost_tables, *base.lost_inserts)
    return DatabaseAudit(
        tables=len(base.tables),
        rows=sum(base.tables.values()),
        schema_lost=len(base.lost_tables),
        inserts=base.inserts,
        inserts_lost=len(base.lost_inserts),
        first_loss="{0.table}: {0.error}, in: {0.statement}".format(lost[0]) if lost else "",
        clock_calls=base.clock_calls,
        reads_clock=base.reads_clock,
        fk_violations=base.fk_violations,
        now=base.now.isoformat(),
        sha256=base.sha256,
    )


# What was found before ------------------------------------------------------------------------------------------------


def _rest(scenario: AwmScenario, *, mend: bool) -> str:
    """A digest of what decides the findings beside the content of the scenario: the rest of its lines, and our code."""
    endpoints = [endpoint.model_dump() for endpoint in scenario.endpoints]
    told = (scenario.title, scenario.lacks, scenario.problems, endpoints, list(scenario.solutions.items()), mend)
    return hashlib.sha256(f"{json.dumps(told)} {places.code_digest(*_PACKAGES)}".encode()).hexdigest()[:16]


def _kept(path: Path) -> ScenarioAudit | None:
    with contextlib.suppress(OSError, UsageError, UnicodeDecodeError):  # damaged: found out again
        return ScenarioAudit.from_json(path.read_text("utf-8"))
    return None


def _keep(path: Path, found: ScenarioAudit) -> None:
    """Write it whole or not at all. A disk that is full or closed costs only time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as part:
            part.write(found.to_json())
        os.replace(part.name, path)
