"""Mutants of a solved state: databases that differ from it in one respect, none of which solves the task.

What may be mutated is told by the difference between the initial database and the solved one.

    omit_effect          one row that the solution added, removed or changed is as it was
    wrong_cell           one value that the solution wrote is another of its type
    delete_others        all rows of a table that it touched are gone, but for those that it wrote
    corrupt_others       all of them hold other values
    wipe_one_unrelated   a table that it did not touch is empty
    wipe_all_unrelated   all of these are empty
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from awm_gym.formats.awm.images import Difference, Edit, EditRefused, Images, Schema, Value, where
from awm_gym.sql import joined, quote

MAX_MUTANTS = 100  # of one kind, of one state

_STAMP = re.compile(r".*_(at|on|timestamp)|timestamp", re.I | re.S)  # columns that tell when a row was written


class Mutant(NamedTuple):
    """A state that is not solved.

    Attributes:
        mutation: one of `MUTATIONS`.
        place: what was mutated, in words.
        image: the database.
    """

    mutation: str
    place: str
    image: bytes


class _Plan(NamedTuple):
    """How to make a mutant: the first of these edits that the database takes."""

    mutation: str
    place: str
    edits: tuple[tuple[Edit, ...], ...]


def mutants(images: Images, initial: bytes, solved: bytes) -> Iterator[Mutant]:
    """All mutants of a state, at most `MAX_MUTANTS` of a kind; the same for the same databases.

    Raises:
        EnvironmentFault: a database cannot be read.
    """
    made: dict[str, int] = {}
    for plan in _Plans(images, initial, solved).all():
        if made.get(plan.mutation, 0) < MAX_MUTANTS and (image := _made(images, solved, plan)) is not None:
            made[plan.mutation] = made.get(plan.mutation, 0) + 1
            yield Mutant(plan.mutation, plan.place, image)


def _made(images: Images, solved: bytes, plan: _Plan) -> bytes | None:
    for edits in plan.edits:
        try:
            image = images.edited(solved, edits)
        except EditRefused:  # what is UNIQUE forbids it
            continue
        if images.changed(solved, image):
            return image
    return None


def is_stamp(column: str) -> bool:
    """Whether a column tells when something was done, as far as its name says."""
    return _STAMP.fullmatch(column) is not None


class _Plans:
    """What can be mutated, in one solved state."""

    def __init__(self, images: Images, initial: bytes, solved: bytes) -> None:
        self._images, self._solved = images, solved
        self._schema = images.schema(solved)
        self._rows = images.rows(solved)
        self._differences = [found for found in images.differing(initial, solved) if found.table in self._schema]
        self._touched = sorted({found.table for found in self._differences})

    def all(self) -> Iterator[_Plan]:
        for found in self._differences:
            yield _Plan("omit_effect", _place(found), ((_undone(found),),))
        for found in self._differences:
            yield from self._wrong_cells(found)
        for table in self._touched:
            yield from self._others(table)
        unrelated = [table for table, rows in self._rows.items() if rows and table not in self._touched]
        for table in unrelated:
            yield _Plan("wipe_one_unrelated", table, ((_wiped(table),),))
        if unrelated:
            edits = tuple(map(_wiped, unrelated))
            yield _Plan("wipe_all_unrelated", ", ".join(unrelated), (edits,))

    def _wrong_cells(self, found: Difference) -> Iterator[_Plan]:
        if found.new is None:
            return
        names = found.columns if found.old else tuple(found.new)
        condition, key = where(found.key)
        for column in names:
            value = found.new[column]
            if value is None or column in self._schema[found.table].key or is_stamp(column):
                continue
            sql = f"UPDATE {quote(found.table)} SET {quote(column)} = ? WHERE {condition}"
            others = self._other_values(found.table, column, value)
            yield _Plan("wrong_cell", f"{_place(found)}.{column}", tuple(((sql, [other, *key]),) for other in others))

    def _other_values(self, table: str, column: str, value: Value) -> list[Value]:
        """Another value that the column holds, if there is one, and one that is made up."""
        held = self._images.values(self._solved, table, column)
        others = [other for other in held if type(other) is type(value) and other != value]
        return [*others[:1], _made_up(value)]

    def _others(self, table: str) -> Iterator[_Plan]:
        """What may happen to the rows of a touched table that are not the solution's."""
        own = [found.key for found in self._differences if found.table == table and found.new is not None]
        if self._rows[table] <= len(own):
            return
        conditions = [where(key) for key in own]
        other = f" WHERE NOT {joined([condition for condition, _ in conditions], 'OR')}" if own else ""
        values = [value for _, key in conditions for value in key]
        yield _Plan("delete_others", table, (((f"DELETE FROM {quote(table)}{other}", values),),))
        if columns := _corruptible(self._schema[table]):
            changes = ", ".join(f"{quote(column)} = {_corrupted(quote(column))}" for column in columns)
            yield _Plan("corrupt_others", table, (((f"UPDATE {quote(table)} SET {changes}{other}", values),),))


def _place(found: Difference) -> str:
    return f"{found.kind} {found.table} {', '.join(str(value) for value in found.key.values())}"


def _undone(found: Difference) -> Edit:
    condition, key = where(found.key)
    table = quote(found.table)
    if found.old is None:
        return f"DELETE FROM {table} WHERE {condition}", key
    if found.new is None:
        row: Mapping[str, Value] = {**found.key, **found.old}
        marks = ", ".join("?" * len(row))
        return f"INSERT INTO {table} ({', '.join(map(quote, row))}) VALUES ({marks})", list(row.values())
    changes = ", ".join(f"{quote(column)} = ?" for column in found.columns)
    return f"UPDATE {table} SET {changes} WHERE {condition}", [*map(found.old.get, found.columns), *key]


def _wiped(table: str) -> Edit:
    return f"DELETE FROM {quote(table)}", []


def _made_up(value: Value) -> Value:
    match value:
        case int():
            return 1 - value if value in (0, 1) else value + 1  # which may stand for no and yes
        case float():
            return value + 1.0
        case bytes():
            return value + b"~"
    return f"{value}~"


def _corruptible(schema: Schema) -> list[str]:
    """Columns that may take any value."""
    bound = {*schema.key, *(column for key in schema.unique for column in key)}
    return [column for column in schema.columns if column not in bound]


def _corrupted(column: str) -> str:
    text = f"WHEN 'text' THEN {column} || '~' WHEN 'blob' THEN CAST({column} || '~' AS BLOB)"
    return f"CASE typeof({column}) {text} WHEN 'null' THEN NULL ELSE {column} + 1 END"
