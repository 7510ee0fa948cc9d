"""Gates on schema and data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import apsw

from awm_gym.database import Table
from awm_gym.gates.mutants import row_changes
from awm_gym.gates.prover import REJECTED, Prover, told
from awm_gym.gates.walks import walked
from awm_gym.soundness import Invariant
from awm_gym.sql import quote

_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")
FORMS = {  # of days and moments in text
    "a date": re.compile(r"\d{4}-\d\d-\d\d"),
    "a moment with T": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    "a moment with a blank": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"),
}


def database_builds(prover: Prover) -> Iterator[str]:
    """Schema and data load whole, and every foreign key holds; a column keeps to one form of dates.

    A column named after another table's key refers to it; no text has blanks that nobody sees.
    Remedy: insert the missing parent row or correct the reference; write dates as YYYY-MM-DD and moments as
    YYYY-MM-DDTHH:MM:SS, which is the form of now().
    """
    for row in prover.world.template.query("PRAGMA foreign_key_check"):
        yield f"{row[0]}: row {row[1]} refers to a row of {row[2]} that is not there"
    prover.start(None)
    for table in prover.tables.values():
        if not prover.world.query(f"SELECT 1 FROM main.{quote(table.name)} LIMIT 1") and not _filled(
            prover, table.name
        ):
            yield f"{table.name}: has no row, and no tool fills it"
        for column in table.columns:
            if column.type == "TEXT":
                yield from _texts(f"{table.name}.{column.name}", prover.keys(table.name, column.name))
            if parent := _unlinked(prover, table.name, column.name):
                yield f"{table.name}.{column.name}: is named like the key of {parent}, but does not refer to it"


def _texts(column: str, values: tuple[Any, ...]) -> Iterator[str]:
    """Days and moments in one form, of days that exist; no blanks that nobody sees."""
    forms = [name for name, form in FORMS.items() if any(form.fullmatch(value) for value in values)]
    others = [value for value in values if not any(form.fullmatch(value) for form in FORMS.values())]
    if len(forms) > 1:
        yield f"{column}: holds {' and '.join(forms)}; these do not compare"
    elif forms and others and len(others) * 2 <= len(values):
        yield f"{column}: holds {forms[0]}, but also {others[0]!r}"
    elif any(not _TIME.fullmatch(value) for value in others) and re.search(r"(_on|_at|_date|_until)$", column):
        yield f"{column}: holds {others[0]!r}; write days as YYYY-MM-DD, times as HH:MM"
    for value in values:
        if value != " ".join(value.split(" ")).strip() or "  " in value:
            yield f"{column}: {value!r} has blanks that nobody sees"
        if forms and any(form.fullmatch(value) for form in FORMS.values()) and not _exists(value):
            yield f"{column}: {value!r} is no day of the calendar"


def _exists(moment: str) -> bool:
    try:
        return bool(datetime.fromisoformat(moment))
    except ValueError:
        return False


def _unlinked(prover: Prover, table: str, column: str) -> str:
    """The table whose key a column is named after without a reference to it; "" if there is none."""
    parent = column.removesuffix("_id")
    if parent == column or parent not in prover.tables or column in prover.links[table]:
        return ""
    return parent


def _filled(prover: Prover, table: str) -> bool:
    pattern = re.compile(rf'\binto\s+"?{re.escape(table)}\b', re.I)
    return any(pattern.search(tool.sql) for tool in prover.scenario.tools.values())


def invariants_hold(prover: Prover) -> Iterator[str]:
    """No invariant is broken by the data, a `given`, a solution or a near miss, or along random walks of tool calls.

    There is one at least, and each can be broken: some change of one row of the data does.
    Remedy: correct the data, or let the tool refuse what would break the rule; mend an invariant that nothing breaks,
    add a row to the data for which it could break, or remove it if a constraint holds it.
    """
    prover.start(None)
    broken = prover.broken()
    for words in broken:
        yield f"the data: {words}"
    yield from _toothless(prover, [invariant for invariant in prover.invariants if invariant.words not in broken])
    for task in prover.tasks:
        prover.start(task, lifted=True)
        for words in prover.broken():
            yield f"the start of {task.name}: {words}"
        for name, calls in {"solution": task.solution, **task.near_misses}.items():
            prover.replay(task, calls)
            for words in prover.broken():
                yield f"{task.name}, after {name}: {words}"
    found: set[str] = set()
    steps = walked(prover)
    for step in steps:
        for words in step.broken:
            if words not in found:
                found.add(words)
                yield f"{told(step.call)} breaks it, in walk {step.walk}: {words}"
    prover.figures["walk_calls"] = len(steps)
    prover.figures["walk_writes"] = sum(step.result.kind is None for step in steps)


def _toothless(prover: Prover, waiting: list[Invariant]) -> Iterator[str]:
    """Invariants that no change of one row breaks."""
    if not prover.invariants:
        yield "there is no invariant; say in invariants.sql which rows must never be"
    about = {invariant: _tables_of(prover, invariant.sql) for invariant in waiting}
    for rows in (4, 60):  # a few rows of each table break most; the rest may need a rarer row
        for table in prover.tables.values():
            near = [invariant for invariant in waiting if table.name in about[invariant]]
            left = _unbroken(prover, table, near, rows)
            waiting = [invariant for invariant in waiting if invariant not in near or invariant in left]
    for invariant in waiting:
        yield f"no change of a row of the data breaks it: {invariant.words} (Or add a row for which it could break.)"


def _unbroken(prover: Prover, table: Table, near: list[Invariant], rows: int) -> list[Invariant]:
    """The invariants that no change of some rows of a table breaks."""
    for sql in row_changes(prover, table, rows) if near else ():
        with prover.trial():
            try:
                prover.world.execute(sql)
            except (*REJECTED, apsw.SQLError):
                continue
            near = [invariant for invariant in near if not prover.world.query(invariant.sql)]
        if not near:
            break
    return near


def _tables_of(prover: Prover, sql: str) -> set[str]:
    """The tables that a query reads, itself or through views."""
    views = dict(re.findall(r'CREATE VIEW "?(\w+)"? AS\b(.*?);', prover.scenario.db_schema, re.S))
    for _ in range(4):
        sql += " ".join(body for name, body in views.items() if re.search(rf"\b{name}\b", sql))
    return {name for name in prover.tables if re.search(rf"\b{name}\b", sql)}
