"""Outside: databases that generated code has made, read, compared and edited in a locked worker.

>>> with Images() as images, app.reset() as episode:
...     episode.call("book_walk", {"dog": "Cy", "day": "2025-03-12"})
...     images.changed(app.initial, episode.image())
{'walk': Changed(added=1, removed=0, changed=0)}

Such a database is hostile: it may be no database at all, or one that keeps its reader busy for ever. Whatever it is,
a call ends with a value or an `EnvironmentFault`, and the next one has a fresh worker. One `Images` for one scenario:
then what breaks its worker from within can spoil no other scenario.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import apsw
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from awm_gym.errors import EnvironmentFault, UsageError, printable, shown
from awm_gym.formats.awm.base import unmarked
from awm_gym.formats.awm.images_program import meant, told
from awm_gym.formats.awm.standby import Standby
from awm_gym.sandbox.worker import Reply
from awm_gym.sql import quote

SECONDS = 10.0  # until a database is read, compared or edited
MAX_ROWS = 1_000  # rows, or values, that one answer holds

_PROGRAM = "awm_gym.formats.awm.images_program"

Value = None | int | float | str | bytes
Edit = tuple[str, Sequence[Value]]
_Value = Annotated[Any, BeforeValidator(meant)]
_Count = Annotated[int, Field(ge=0, strict=True)]
_Names = Annotated[tuple[str, ...], Field(strict=False)]
_T = TypeVar("_T")


class EditRefused(UsageError):
    """A statement of an edit does not run on that database, or breaks a key of it."""


class Changed(NamedTuple):
    """How many rows of a table differ between two databases."""

    added: int
    removed: int
    changed: int


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ForeignKey(_Told):
    """Columns that refer to columns of another table, in order."""

    columns: _Names
    table: str
    parent_columns: _Names


class Schema(_Told):
    """A table.

    Attributes:
        columns: name -> declared type in capitals, in order; without those that are generated.
        key: columns of the primary key; () if there is none.
        row_name: what SQLite's own number of a row is called, where there is no key; "" where there is.
        foreign_keys: what it refers to.
        unique: columns that no two rows share together, beside those of the key.
    """

    columns: dict[str, str]
    key: _Names
    row_name: str
    foreign_keys: Annotated[tuple[ForeignKey, ...], Field(strict=False)]
    unique: Annotated[tuple[_Names, ...], Field(strict=False)]


class Difference(_Told):
    """A row that differs between two databases.

    Attributes:
        table: its table.
        kind: whether the second has it more, less or otherwise.
        key: what tells the row: columns of the key, or SQLite's own number under its name, with their values.
        old: the row in the first database, by column; None if it is not there.
        new: the row in the second.
    """

    table: str
    kind: Literal["added", "removed", "changed"]
    key: dict[str, _Value]
    old: dict[str, _Value] | None
    new: dict[str, _Value] | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a changed row whose values differ."""
        old, new = self.old or {}, self.new or {}
        return tuple(name for name in new if name not in old or old[name] != new[name])


class _Edited(_Told):
    failed: str


_ROWS = TypeAdapter(dict[str, _Count])
_SCHEMA = TypeAdapter(dict[str, Schema])
_CHANGED = TypeAdapter(dict[str, tuple[_Count, _Count, _Count]])
_DIFFERING = TypeAdapter(tuple[Difference, ...])
_VALUES = TypeAdapter(list[_Value])
_DANGLING = TypeAdapter(_Count)
_EDITED = TypeAdapter(_Edited)


class Images(Standby):
    """Reads databases, whatever they are. All methods raise `EnvironmentFault` for one that cannot be read.

    Rows are told by their primary key; by SQLite's own numbers where there is none.
    """

    def __init__(self, *, partial: bool = False, allow_unsandboxed: bool = False) -> None:
        """Prepare it; the worker starts with the first call.

        Args:
            partial: see `Worker`.
            allow_unsandboxed: see `Worker`.
        """
        super().__init__(f"{_PROGRAM}:program", (_PROGRAM,), partial=partial, allow_unsandboxed=allow_unsandboxed)

    def rows(self, image: bytes) -> dict[str, int]:
        """How many rows each table has."""
        return _checked(_ROWS, self._ask("rows", {}, image))

    def schema(self, image: bytes) -> dict[str, Schema]:
        """The tables by name, without SQLite's own and virtual ones."""
        return _checked(_SCHEMA, self._ask("schema", {}, image))

    def changed(self, before: bytes, after: bytes) -> dict[str, Changed]:
        """The tables whose rows differ, by name; 1 and 1.0 are equal."""
        found = _checked(_CHANGED, self._ask("changed", {"size": len(before)}, before + after))
        return {name: Changed(*counts) for name, counts in found.items()}

    def differing(self, before: bytes, after: bytes, limit: int = MAX_ROWS) -> tuple[Difference, ...]:
        """The rows that differ, at most so many: by table; added, removed, changed; and in the order of their keys."""
        params = {"size": len(before), "limit": limit}
        return _checked(_DIFFERING, self._ask("differing", params, before + after))

    def dangling(self, image: bytes) -> int:
        """How many rows refer to rows that are not there."""
        return _checked(_DANGLING, self._ask("dangling", {}, image))

    def values(self, image: bytes, table: str, column: str, limit: int = MAX_ROWS) -> list[Value]:
        """The values of a column, each once and without NULL, in the order of the rows; at most so many."""
        return _checked(_VALUES, self._ask("values", {"table": table, "column": column, "limit": limit}, image))

    def edited(self, image: bytes, statements: Sequence[Edit]) -> bytes:
        """The database after statements of ours, in the form of `Base.image`.

        Neither foreign keys nor CHECK are enforced and no trigger runs; what is UNIQUE stays so.

        Args:
            image: the database; it stays what it is.
            statements: (SQL, values for its question marks), in order.

        Raises:
            EditRefused: one of them fails.
        """
        edits = [(sql, [told(value) for value in bindings]) for sql, bindings in statements]
        result, blob = self._call("edited", {"statements": edits}, image)
        if failed := _checked(_EDITED, result).failed:
            raise EditRefused(printable(failed))
        return unmarked(blob)

    def _ask(self, method: str, params: dict[str, Any], blob: bytes) -> Any:
        return self._call(method, params, blob)[0]

    def _call(self, method: str, params: dict[str, Any], blob: bytes) -> Reply:
        try:
            return self.use(lambda worker: worker.call(method, params, blob, seconds=SECONDS))
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"the database cannot be read: {fault}") from fault


def where(key: Mapping[str, Value]) -> tuple[str, list[Value]]:
    """The condition of SQL that a row of this key meets, and the values for its question marks."""
    return " AND ".join(f"{quote(name)} IS ?" for name in key), list(key.values())


@cache
def without_tables() -> bytes:
    """A database without a table."""
    with contextlib.closing(apsw.Connection(":memory:")) as db:
        db.execute("CREATE TABLE one (a); DROP TABLE one")
        return db.serialize("main")


def _checked(expected: TypeAdapter[_T], result: Any) -> _T:
    """What the worker says, if it is of the type that it should be."""
    try:
        return expected.validate_python(result)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise EnvironmentFault(f"the reader of the database sent {shown(first['input'])}: {first['msg']}") from None
