"""Rows of the initial data: which belong together, which a text is about, and the statements that made them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.images import Difference, Edit, Images, Schema, Value, where
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.sql import quote

Row = tuple[str, tuple[Value, ...]]  # its table, and the values of its key

MIN_TEXT = 4  # characters of a text that may tell a row
_TIMED = re.compile(r"_(?:at|on|time|date|datetime)$")
_STATE = re.compile(r"[a-z_]+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Rows:
    """The rows of a database.

    Attributes:
        all: table and key -> row.
        image: the database.
    """

    def __init__(self, image: bytes, tables: Mapping[str, Schema], images: Images) -> None:
        """Read them all; of very many, the first ones."""
        emptied = images.edited(image, [(f"DELETE FROM {quote(name)}", []) for name in tables])
        self._tables, self._images, self.image = tables, images, image
        self.all = {_of(row): row for row in images.differing(emptied, image)}

    def about(self, text: str) -> list[Row]:
        """Rows with a text that stands in this one, the longest first."""
        lowered = text.lower()
        scores = {row: max((len(t) for t in self._texts(row) if t in lowered), default=0) for row in self.all}
        found = [row for row, score in scores.items() if score]
        return sorted(found, key=lambda row: (-scores[row], row[0], repr(row[1])))

    def _texts(self, row: Row) -> set[str]:
        """Texts of a row, in small letters; of times the day."""
        texts = [value for value in self.values(row).values() if isinstance(value, str) and len(value) >= MIN_TEXT]
        return {match[0] if (match := _DAY.match(text)) else text.lower() for text in texts}

    def only_in(self, rows: Iterable[Row]) -> set[str]:
        """Texts that these rows hold and no other one, but for kinds and states such as "in_progress"."""
        some = set(rows)
        others = {text for row in self.all if row not in some for text in self._texts(row)}
        states = {value for row in some for value in self.values(row).values() if _STATE.fullmatch(str(value))}
        return {text for row in some for text in self._texts(row)} - others - states

    def like(self, made: Difference) -> list[Row]:
        """Rows of the same table that say the same as a new one, but for keys and times; the most alike first."""
        values = made.new or {}
        telling = [name for name in values if name not in made.key and not _TIMED.search(name)]
        scores = {
            row: sum(self.values(row).get(name) == values[name] for name in telling)
            for row in self.all
            if row[0] == made.table
        }
        found = [row for row, score in scores.items() if 2 * score > len(telling)]
        return sorted(found, key=lambda row: (-scores[row], repr(row[1])))

    def having(self, table: str, values: Mapping[str, Value]) -> list[Row]:
        """Rows of a table with these values."""
        return [row for row in self.all if row[0] == table and values.items() <= self.values(row).items()]

    def values(self, row: Row) -> Mapping[str, Value]:
        """What a row holds, by column."""
        return self.all[row].new or {}

    def with_dependents(self, roots: Iterable[Row]) -> list[Row]:
        """Rows, and all that refer to them, step by step."""
        found = list(roots)
        for parent in found:  # which grows on the way
            found.extend(child for child in self.all if child not in found and self._refers(child, parent))
        return found

    def without(self, rows: Iterable[Row], image: bytes = b"") -> bytes:
        """The database without them, or another one that has them, too."""
        return self._images.edited(image or self.image, [self._removal(row) for row in rows])

    def _removal(self, row: Row) -> Edit:
        condition, values = where(self.all[row].key)
        return f"DELETE FROM {quote(row[0])} WHERE {condition}", values

    def _refers(self, child: Row, parent: Row) -> bool:
        ours, theirs = self.values(child), self.values(parent)
        for key in self._tables[child[0]].foreign_keys:
            columns = key.parent_columns or self._tables[parent[0]].key
            if key.table.lower() == parent[0].lower() and len(columns) == len(key.columns):
                pairs = [(ours.get(one), theirs.get(other)) for one, other in zip(key.columns, columns, strict=True)]
                if all(one is not None and one == other for one, other in pairs):
                    return True
        return False


def _of(row: Difference) -> Row:
    return row.table, tuple(row.key.values())


def without_rows(
    scenario: AwmScenario, base: Base, rows: Rows, gone: Sequence[Row], images: Images
) -> AwmScenario | None:
    """The scenario without the statements that made these rows; None if they made others, too.

    Args:
        scenario: whose statements.
        base: its database.
        rows: of that database.
        gone: those that shall not be made.
        images: who compares databases.
    """
    left: list[list[str]] = [list(table.insert_statements) for table in scenario.inserts]
    for row in gone:
        found = [
            (_telling(sql, rows.values(row)), table, place)
            for table, statements in enumerate(left)
            for place, sql in enumerate(statements)
            if scenario.inserts[table].table_name == row[0]
        ]
        if not found:
            return None
        _, table, place = max(found, key=lambda one: one[0])
        del left[table][place]
    inserts = tuple(
        table.model_copy(update={"insert_statements": tuple(statements)})
        for table, statements in zip(scenario.inserts, left, strict=True)
    )
    shorter = replace(scenario, inserts=inserts)
    differences = images.differing(base.image, build(shorter, now=base.now).image)
    same = sorted(map(repr, gone)) == sorted(repr(_of(row)) for row in differences)
    return shorter if same and all(row.kind == "removed" for row in differences) else None


def _telling(sql: str, values: Mapping[str, Value]) -> int:
    """How many of a row's values stand in a statement."""
    words = set(re.findall(r"[\w.+-]+", sql))
    return sum(
        value.replace("'", "''") in sql if isinstance(value, str) else str(value) in words
        for value in values.values()
        if value is not None
    )
