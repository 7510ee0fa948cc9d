"""Inside a worker: reading, comparing and editing databases that generated code has made.

A database arrives as bytes and is opened in memory, hardened; its triggers, views and virtual tables stay shut. No
generated Python is ever run here.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import apsw

from awm_gym.database import Guard, connect
from awm_gym.sql import quote

MAX_VALUE = 2**24  # bytes of one value or one row
_JOURNAL = slice(18, 20)  # where an image says that it keeps a write-ahead log, which it cannot have here
_ROLLBACK_JOURNAL = b"\x01\x01"
_OPTIONS = (
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
)
_KINDS = ("added", "removed", "changed")
_ROW_NAMES = ("rowid", "_rowid_", "oid")  # a column of such a name hides it

Row = tuple[Any, ...]
_T = TypeVar("_T")


class _Table(NamedTuple):
    """A table: its columns with their declared types, and the columns that tell a row."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def row_name(self) -> str:
        """What SQLite's own number of a row is called here."""
        taken = {column.lower() for column in self.columns}
        for name in _ROW_NAMES:
            if name not in taken:
                return name
        raise LookupError(f"table {self.name} has columns named {', '.join(_ROW_NAMES)}, so its rows cannot be told")


class _Kept(NamedTuple):
    """The rows of a table by their keys, and the columns of both."""

    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: dict[Row, Row] = {}

    def row(self, key: Row) -> dict[str, Any] | None:
        """A row as JSON can say it; None if there is none."""
        if key not in self.rows:
            return None
        return {name: told(value) for name, value in zip(self.columns, self.rows[key], strict=True)}


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """Answers the methods of `Images`."""
    return _answer


def _answer(method: str, params: dict[str, Any], blob: bytes) -> tuple[Any, bytes]:
    match method:
        case "rows":
            return _with(blob, lambda db: {table.name: _count(db, table) for table in _tables(db)}), b""
        case "schema":
            return _with(blob, lambda db: {table.name: _schema(db, table) for table in _tables(db)}), b""
        case "dangling":
            return _with(blob, _dangling), b""
        case "values":
            return _with(blob, lambda db: _values(db, params["table"], params["column"], params["limit"])), b""
        case "edited":
            return _with(blob, lambda db: _edited(db, params["statements"]))
    before, after = blob[: params["size"]], blob[params["size"] :]
    compare = {"changed": _changed, "differing": _differing}[method]
    return _with(before, lambda old: _with(after, lambda new: compare(old, new, params))), b""


def _with(image: bytes, act: Callable[[apsw.Connection], _T]) -> _T:
    """Open a database, do something with it, and close it again."""
    with contextlib.closing(_open(image)) as db:
        return act(db)


def _open(image: bytes) -> apsw.Connection:
    found = bytearray(image)
    found[_JOURNAL] = _ROLLBACK_JOURNAL
    db = connect(Guard())
    db.deserialize("main", bytes(found))
    db.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    for option, value in _OPTIONS:
        db.config(option, value)
    db.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    if problems := [found for (found,) in _all(db, "PRAGMA quick_check(1)") if found != "ok"]:
        raise ValueError(f"it is damaged: {problems[0]}")
    return db


def _all(db: apsw.Connection, sql: str) -> list[Row]:
    return db.execute(sql).fetchall()


def _tables(db: apsw.Connection) -> list[_Table]:
    own = r"name NOT LIKE 'sqlite\_%' ESCAPE '\' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    found = _all(db, f"SELECT name FROM sqlite_schema WHERE type = 'table' AND {own} ORDER BY name")
    return [_table(db, name) for (name,) in found]


def _table(db: apsw.Connection, name: str) -> _Table:
    columns, key = {}, []
    for _, column, kind, _, _, place, hidden in _all(db, f"PRAGMA table_xinfo({quote(name)})"):
        if not hidden:  # what is generated follows from the others
            columns[column] = kind.upper()
        if place:
            key.append((place, column))
    return _Table(name, columns, tuple(column for _, column in sorted(key)))


def _count(db: apsw.Connection, table: _Table) -> int:
    return int(_all(db, f"SELECT count(*) FROM {quote(table.name)}")[0][0])


def _schema(db: apsw.Connection, table: _Table) -> dict[str, Any]:
    keys: dict[int, dict[str, Any]] = {}
    for number, _, parent, child, other, *_ in _all(db, f"PRAGMA foreign_key_list({quote(table.name)})"):
        key = keys.setdefault(number, {"table": parent, "columns": [], "parent_columns": []})
        key["columns"].append(child)
        key["parent_columns"].append(other)
    for key in keys.values():
        if None in key["parent_columns"]:  # the key of the other table is meant
            key["parent_columns"] = list(_table(db, key["table"]).key)
    return {
        "columns": table.columns,
        "key": table.key,
        "row_name": "" if table.key else table.row_name,
        "foreign_keys": sorted(keys.values(), key=lambda key: (key["columns"], key["table"])),
        "unique": sorted(_unique(db, table)),
    }


def _unique(db: apsw.Connection, table: _Table) -> list[list[str]]:
    """Columns that no two rows share, beside those of the key."""
    found = []
    for _, index, unique, origin, partial in _all(db, f"PRAGMA index_list({quote(table.name)})"):
        if unique and origin != "pk" and not partial:
            columns = [name for _, _, name in _all(db, f"PRAGMA index_info({quote(index)})")]
            if None not in columns:  # which stands for an expression
                found.append(columns)
    return found


def _dangling(db: apsw.Connection) -> int:
    broken = 0
    for table in _tables(db):
        with contextlib.suppress(apsw.SQLError):  # a key that refers to what is no key
            broken += len(_all(db, f"PRAGMA foreign_key_check({quote(table.name)})"))
    return broken


def _values(db: apsw.Connection, name: str, column: str, limit: int) -> list[Any]:
    found = _kept(db, _table(db, name), (column,)).rows.values()
    return [told(value) for value in dict.fromkeys(row[0] for row in found) if value is not None][:limit]


def _kept(db: apsw.Connection, table: _Table, columns: Sequence[str], key: tuple[str, ...] = ()) -> _Kept:
    """Rows by their key, or by SQLite's own numbers where there is no key or it lets a value be missing."""
    key = key or table.key or (table.row_name,)
    names = ", ".join(quote(name) for name in (*key, *columns))
    order = ", ".join(quote(name) for name in key)
    rows = _all(db, f"SELECT {names} FROM {quote(table.name)} ORDER BY {order}")
    if any(None in row[: len(key)] for row in rows):
        return _kept(db, table, columns, (table.row_name,))
    return _Kept(key, tuple(columns), {row[: len(key)]: row[len(key) :] for row in rows})


class _Compared(NamedTuple):
    """A table in two databases, by the same key."""

    name: str
    old: _Kept
    new: _Kept

    def keys(self, kind: str) -> list[Row]:
        """Of the rows that were added, removed or changed."""
        old, new = self.old.rows, self.new.rows
        match kind:
            case "added":
                return [key for key in new if key not in old]
            case "removed":
                return [key for key in old if key not in new]
        other = self.old.columns != self.new.columns
        return [key for key in old if key in new and (other or old[key] != new[key])]


def _compared(before: apsw.Connection, after: apsw.Connection) -> Iterator[_Compared]:
    """The tables that hold other rows in the two, or are in one only, by name."""
    old = {table.name: table for table in _tables(before)}
    new = {table.name: table for table in _tables(after)}
    for name in sorted(old | new):
        was = _kept(before, old[name], tuple(old[name].columns)) if name in old else _Kept()
        now = _kept(after, new[name], tuple(new[name].columns)) if name in new else _Kept()
        if name in old and name in new and was.key != now.key:  # one of them lacks a value in its key
            was = _kept(before, old[name], was.columns, (old[name].row_name,))
            now = _kept(after, new[name], now.columns, (new[name].row_name,))
        if was != now:
            yield _Compared(name, was, now)


def _changed(before: apsw.Connection, after: apsw.Connection, _: dict[str, Any]) -> dict[str, list[int]]:
    return {table.name: [len(table.keys(kind)) for kind in _KINDS] for table in _compared(before, after)}


def _differing(before: apsw.Connection, after: apsw.Connection, params: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        {
            "table": table.name,
            "kind": kind,
            "key": {name: told(value) for name, value in zip(table.old.key or table.new.key, key, strict=True)},
            "old": table.old.row(key),
            "new": table.new.row(key),
        }
        for table in _compared(before, after)
        for kind in _KINDS
        for key in table.keys(kind)
    ]
    return found[: params["limit"]]


def _edited(db: apsw.Connection, edits: list[tuple[str, list[Any]]]) -> tuple[Any, bytes]:
    try:
        for sql, bindings in edits:
            db.execute(sql, tuple(meant(value) for value in bindings)).close(True)
    except (apsw.ConstraintError, apsw.SQLError) as error:
        return {"failed": f"{error}, in: {sql}"[:1_000]}, b""
    return {"failed": ""}, db.serialize("main")


def told(value: Any) -> Any:
    """A value of SQLite as JSON can say it."""
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, float) and math.isinf(value):
        return {"real": str(value)}
    return value


def meant(value: Any) -> Any:
    """The value of SQLite that `told` has told.

    Raises:
        ValueError: it has told none.
    """
    match value:
        case {"blob": str(digits)}:
            return bytes.fromhex(digits)
        case {"real": "inf" | "-inf" as infinite}:
            return float(infinite)
        case None | int() | float() | str() if not isinstance(value, bool):
            return value
    raise ValueError("no value of SQLite")
