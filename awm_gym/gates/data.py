"""Gates on schema and data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from awm_gym.gates.prover import Prover, told
from awm_gym.gates.walks import walk
from awm_gym.sql import quote

_WALKS, _STEPS = 12, 60  # random walks a scenario, calls a walk
_FORMS = {
    "a date": re.compile(r"\d{4}-\d\d-\d\d"),
    "a moment with T": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    "a moment with a blank": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"),
}


def database_builds(prover: Prover) -> Iterator[str]:
    """Schema and data load whole, and every foreign key holds; a column keeps to one form of dates.

    Remedy: insert the missing parent row or correct the reference; write dates as YYYY-MM-DD and moments as
    YYYY-MM-DDTHH:MM:SS, which is the form of now().
    """
    for row in prover.world.template.db.execute("PRAGMA foreign_key_check").fetchall():
        yield f"{row[0]}: row {row[1]} refers to a row of {row[2]} that is not there"
    prover.start(None)
    for table in prover.tables.values():
        if not prover.world.query(f"SELECT 1 FROM main.{quote(table.name)} LIMIT 1") and not _filled(
            prover, table.name
        ):
            yield f"{table.name}: has no row, and no tool fills it"
        for column in table.columns:
            if column.type != "TEXT":
                continue
            values = prover.keys(table.name, column.name)
            forms = [name for name, form in _FORMS.items() if any(form.fullmatch(value) for value in values)]
            if len(forms) > 1:
                yield f"{table.name}.{column.name}: holds {' and '.join(forms)}; these do not compare"


def _filled(prover: Prover, table: str) -> bool:
    pattern = re.compile(rf'\binto\s+"?{re.escape(table)}\b', re.I)
    return any(pattern.search(tool.sql) for tool in prover.scenario.tools.values())


def invariants_hold(prover: Prover) -> Iterator[str]:
    """No invariant is broken by the data, a `given`, a solution or a near miss, or along random walks of tool calls.

    Remedy: correct the data, or let the tool refuse what would break the rule.
    """
    prover.start(None)
    for words in prover.broken():
        yield f"the data: {words}"
    for task in prover.tasks:
        prover.start(task, lifted=True)
        for words in prover.broken():
            yield f"the start of {task.name}: {words}"
        for name, calls in {"solution": task.solution, **task.near_misses}.items():
            prover.replay(task, calls)
            for words in prover.broken():
                yield f"{task.name}, after {name}: {words}"
    accepted = played = 0
    found: set[str] = set()
    for number in range(_WALKS):
        for step in walk(prover, ("invariants", number), _STEPS):
            played += 1
            if step.result.kind is not None or not prover.writes(step.call.name):
                continue
            accepted += 1
            for words in prover.broken():
                if words not in found:
                    found.add(words)
                    yield f"{told(step.call)} breaks it, in walk {number}: {words}"
    prover.figures["walk_calls"], prover.figures["walk_writes"] = played, accepted
