"""What the arguments of a tool mean: the rows that they name, and the columns that hold values of theirs.

Nothing says so but names: of arguments, of paths, of tables and their columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from awm_gym.formats.awm.host import ToolInfo
from awm_gym.formats.awm.images import Schema


class Place(NamedTuple):
    """A column of a table."""

    table: str
    column: str


class Names:
    """What names mean in one database."""

    def __init__(self, tables: Mapping[str, Schema]) -> None:
        self._tables = tables
        self._by_lower = {name.lower(): name for name in tables}

    def made_by(self, tool: ToolInfo) -> str:
        """The table whose rows a tool makes, as far as its method and path tell; "" if none."""
        if tool.method != "POST" or tool.path.endswith("}"):
            return ""
        words = _words(tool.path)
        return self._about(words, len(words) - 1) if words else ""

    def near(self, path: str) -> list[str]:
        """The tables that a path is about, the last one first: of "/shops/{id}/orders" orders, and then shops."""
        words = _words(path)
        found = (self._about(words, place) for place in reversed(range(len(words))))
        return list(dict.fromkeys(table for table in found if table))

    def key(self, tool: ToolInfo, argument: str) -> Place | None:
        """The key that tells the row which an argument names: "order_id", "target_user_id", "id" after "/pets/".

        The key of a row that the tool is to make names none. Nor do codes and titles, unless they stand in the path:
        elsewhere they may be new.
        """
        near = self.near(tool.path)
        if argument == "id":
            return next((key for table in near if (key := self._single_key(table))), None)
        new = self._single_key(made) if (made := self.made_by(tool)) else None
        for name in _endings(argument):
            referred = (self._referred(table, name) or self._own(table, name) for table in near)
            found = next((key for key in referred if key), None) or self._anywhere(name)
            if found and not (found == new and found.column == name):
                return found
        if f"{{{argument}}}" in tool.path:
            return next(
                (Place(table, argument) for table in (*near, *self._tables) if self._tells(table, argument)), None
            )
        return None

    def column(self, tool: ToolInfo, argument: str) -> Place | None:
        """The column that holds values of an argument: "status" in the table of the path, "shop_name" in shops."""
        for table in self.near(tool.path):
            if argument in self._tables[table].columns:
                return Place(table, argument)
        words = argument.split("_")
        for count in range(len(words) - 1, 0, -1):
            table, column = self._named("_".join(words[:count])), "_".join(words[count:])
            if table and column in self._tables[table].columns:
                return Place(table, column)
        having = [table for table, schema in self._tables.items() if argument in schema.columns]
        return Place(having[0], argument) if len(having) == 1 else None

    def _about(self, words: list[str], place: int) -> str:
        """The table that a word of a path names: after "listings" "variations" may be listing_variations."""
        word = words[place]
        nouns = [f"{form}_{word}" for form in _singulars(words[place - 1])] if place else []
        return next((table for noun in (*nouns, word) if (table := self._named(noun))), "")

    def _named(self, noun: str) -> str:
        """The table that a noun names, whole or at its end: "users", "user", "threads" for message_threads."""
        forms = _plurals(noun)
        for form in forms:
            if form in self._by_lower:
                return self._by_lower[form]
        endings = tuple(f"_{form}" for form in forms)
        return next((self._by_lower[name] for name in sorted(self._by_lower) if name.endswith(endings)), "")

    def _single_key(self, table: str) -> Place | None:
        key = self._tables[table].key
        return Place(table, key[0]) if len(key) == 1 else None

    def _own(self, table: str, name: str) -> Place | None:
        key = self._single_key(table)
        return key if key and key.column == name else None

    def _referred(self, table: str, name: str) -> Place | None:
        """What a column of a table refers to."""
        for key in self._tables[table].foreign_keys:
            parent = self._by_lower.get(key.table.lower(), "")
            if key.columns == (name,) and len(key.parent_columns) == 1 and parent:
                return self._place(parent, key.parent_columns[0])
        return None

    def _place(self, table: str, column: str) -> Place | None:
        """A column as the table itself spells it."""
        found = (name for name in self._tables[table].columns if name.lower() == column.lower())
        return next((Place(table, name) for name in found), None)

    def _anywhere(self, name: str) -> Place | None:
        """What columns of this name refer to most often; else the key of this name, or of a table named so."""
        referred = Counter(found for table in self._tables if (found := self._referred(table, name)))
        if referred:
            return max(sorted(referred), key=lambda place: referred[place])
        own = next((key for table in self._tables if (key := self._own(table, name))), None)
        if own or not name.endswith("_id"):
            return own
        table = self._named(name.removesuffix("_id"))
        return self._single_key(table) if table else None

    def _tells(self, table: str, column: str) -> bool:
        """Whether no two rows share a value of a column."""
        return (column,) in self._tables[table].unique


def _words(path: str) -> list[str]:
    """The parts of a path that are no parameters."""
    return [part.replace("-", "_").lower() for part in path.split("/") if part and "{" not in part]


def _plurals(noun: str) -> tuple[str, ...]:
    """What may be the plural of a noun, and itself."""
    ies = (f"{noun[:-1]}ies",) if noun.endswith("y") else ()
    return (noun, f"{noun}s", f"{noun}es", *ies, *_singulars(noun))


def _singulars(noun: str) -> Iterator[str]:
    """What may be the singular of a noun."""
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        if noun.endswith(ending):
            yield noun.removesuffix(ending) + instead


def _endings(argument: str) -> Iterator[str]:
    """An argument's name, and what is left of it without its first words: "target_user_id", "user_id"."""
    words = argument.split("_")
    for start in range(max(len(words) - 1, 1)):
        yield "_".join(words[start:])
        if start == 0 and words[-1] != "id":
            return
