"""Whether it is the data that keep a known solution from being paid.

That is proved by an experiment: the same solution is played in data without the rows that stand in its way, or with the
rows that were lost, and is paid there. An experiment that fails proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from awm_gym.errors import EnvironmentFault, ScenarioError
from awm_gym.formats.awm.audit.mutants import is_stamp
from awm_gym.formats.awm.audit.solving import Court, Played, short
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.conflicts import conflict
from awm_gym.formats.awm.host import App, Episode
from awm_gym.formats.awm.images import Difference, Edit, EditRefused, Images, Schema, Value, where, without_tables
from awm_gym.formats.awm.records import Solution
from awm_gym.scenario import ToolCall
from awm_gym.sql import quote

MAX_ROUNDS = 5  # of taking rows away, until a solution is paid or given up
MAX_DEPTH = 4  # of rows that refer to rows that were taken away
MOSTLY = 4  # of so many values one may differ in rows that say the same: a status, a remark
MAX_ROWS = 20_000  # of the initial database that are looked at


def blame(court: Court, task: int, solution: Solution, played: Played) -> str:
    """Why the data keep a solution from being paid, where that is proved; "" elsewhere.

    Args:
        court: who plays and judges.
        task: its number.
        solution: what is known to solve it.
        played: what became of it in the data as they are; it was not paid.
    """
    try:
        return _lost(court, task, solution) or _in_the_way(court, task, solution, played)
    except (ScenarioError, EnvironmentFault, EditRefused):
        return ""


def _lost(court: Court, task: int, solution: Solution) -> str:
    """Whether it is rows that the data lost."""
    if not any(lost.kind == "sql" for lost in court.base.lost_inserts):
        return ""
    whole = build(court.scenario, now=court.base.now, mend=True)
    with _app(court, whole) as app:
        if not whole.mended or court.play(app, task, solution).paid != "paid":
            return ""
    tables = ", ".join(sorted({table for table, _ in whole.mended}))
    return f"rows were lost because of their quotes ({tables}); with them the known solution is paid"


def _in_the_way(court: Court, task: int, solution: Solution, played: Played) -> str:
    """Whether it is rows that are there already."""
    image, gone = court.base.image, list[Difference]()
    for _ in range(MAX_ROUNDS):
        rows = court.images.differing(without_tables(), image, MAX_ROWS)
        twins = _twins(court.images, rows, image, played)
        found = [row for row in rows if row in twins or _stands_in_the_way(row, played.errors)]
        if not found:
            return ""
        orphans = [] if court.base.fk_violations else _orphans_removed(court.images.schema(image))
        image = court.images.edited(image, [*map(_removed, found), *orphans])
        gone += found
        with _app(court, replace(court.base, image=image)) as app:
            played = court.play(app, task, solution, _Renumbered(court.images, app.initial, gone))
        if played.paid == "paid":
            rows_told = "; ".join(map(_told, gone))
            return (
                f"the data hold already what the solution writes ({short(rows_told)}); without it the solution is paid"
            )
    return ""


def _app(court: Court, base: Base) -> App:
    return App(court.scenario.code, base, name=court.scenario.name)


@dataclass(frozen=True)
class _Renumbered:
    """Gives calls the ids of the rows that took the places of those that are gone."""

    images: Images
    initial: bytes
    gone: Sequence[Difference]

    def __call__(self, episode: Episode, call: ToolCall) -> Mapping[str, Any]:
        found = self.images.differing(self.initial, episode.image())
        added = {row.table: row for row in reversed(found) if row.kind == "added"}
        ids = [(row.table, _id(row), _id(added[row.table])) for row in self.gone if row.table in added]
        arguments = dict(call.arguments)
        for name, value in call.arguments.items():
            for table, old, new in ids:
                if name.endswith("_id") and name.removesuffix("_id") in table and value == old:
                    arguments[name] = new
        return arguments


def _id(row: Difference) -> Value:
    """What calls name a row by."""
    value: Value = row.key[min(row.key)]
    return value


def _stands_in_the_way(row: Difference, errors: Sequence[str]) -> bool:
    """Whether an insert would have doubled a row."""
    found = [conflict(error) for error in errors]
    return any(other and other.table == row.table and _has(row, other.values) for other in found)


def _has(row: Difference, values: Mapping[str, Value]) -> bool:
    cells = row.new or {}
    return all(column in cells and cells[column] == value for column, value in values.items())


def _twins(images: Images, rows: Sequence[Difference], image: bytes, played: Played) -> list[Difference]:
    """The rows that say mostly the same as rows which the solution added, but for keys and times."""
    found = images.differing(image, played.image) if played.image else ()
    added = [row for row in found if row.kind == "added"]
    return [row for row in rows if any(row.table == new.table and _alike(row, new) for new in added)]


def _alike(old: Difference, new: Difference) -> bool:
    had, has = old.new or {}, new.new or {}
    told = [name for name in has if has[name] is not None and name not in new.key and not is_stamp(name)]
    return sum(had.get(name) != has[name] for name in told) <= len(told) // MOSTLY and bool(told)


def _removed(row: Difference) -> Edit:
    condition, values = where(row.key)
    return f"DELETE FROM {quote(row.table)} WHERE {condition}", values


def _orphans_removed(schema: Mapping[str, Schema]) -> list[Edit]:
    """Edits that remove rows which refer to rows that are not there, and those that refer to these."""
    edits: list[Edit] = []
    for name, table in schema.items():
        for key in table.foreign_keys:
            pairs = list(zip(key.columns, key.parent_columns, strict=False))
            named = " AND ".join(f"child.{quote(own)} IS NOT NULL" for own, _ in pairs)
            equal = " AND ".join(f"parent.{quote(other)} = child.{quote(own)}" for own, other in pairs)
            there = f"EXISTS (SELECT 1 FROM {quote(key.table)} AS parent WHERE {equal})"
            edits.append((f"DELETE FROM {quote(name)} AS child WHERE {named} AND NOT {there}", []))
    return edits * MAX_DEPTH


def _told(row: Difference) -> str:
    return f"{row.table} {', '.join(str(value) for value in row.key.values())}"
