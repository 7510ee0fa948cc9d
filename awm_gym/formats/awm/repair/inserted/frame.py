"""A verifier that also asks that nothing else has changed."""

# Inserted by awm-gym: changes that the task has no need of are not accepted.
import functools as _awm_functools
import sqlite3 as _awm_sqlite3
import typing as _awm_typing

_AwmRow = tuple[_awm_typing.Any, ...]
_AwmRows = dict[_AwmRow, _AwmRow]


def _awm_tables(path: str) -> "dict[str, _AwmRows]":
    """The rows of all tables, by key."""
    db = _awm_sqlite3.connect(path)
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    found: dict[str, _AwmRows] = {}
    for (name,) in db.execute(tables).fetchall():
        quoted = '"' + name.replace('"', '""') + '"'
        columns = db.execute(f"PRAGMA table_info({quoted})").fetchall()
        key = [column[0] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
        if key:
            rows = db.execute(f"SELECT * FROM {quoted}").fetchall()
            found[name] = {tuple(row[place] for place in key): row for row in rows}
        else:
            rows = db.execute(f"SELECT rowid, * FROM {quoted}").fetchall()
            found[name] = {row[:1]: row[1:] for row in rows}
    db.close()
    return found


def _awm_kept(initial: str, final: str, read: "tuple[str, ...]", changed: "dict[str, set[_AwmRow]]") -> bool:
    """Whether nothing has changed but what may.

    Rows of `changed` tables may come, and those of the keys given there may change or go. Rows of tables that are only
    `read` may come and change. All other tables stay as they are.
    """
    before, after = _awm_tables(initial), _awm_tables(final)
    for name, rows in before.items():
        now = after.get(name, {})
        if name in changed:
            kept = all(key in changed[name] or now.get(key) == row for key, row in rows.items())
        elif name in read:
            kept = all(key in now for key in rows)
        else:
            kept = rows == now
        if not kept:
            return False
    return set(before) == set(after)


def _awm_framed(
    verify: "_awm_typing.Callable[..., _awm_typing.Any]", read: "tuple[str, ...]", changed: "dict[str, set[_AwmRow]]"
) -> "_awm_typing.Callable[..., _awm_typing.Any]":
    """A verifier that pays only if nothing has changed but what may."""

    @_awm_functools.wraps(verify)
    def framed(
        initial_db_path: str, final_db_path: str, *rest: _awm_typing.Any, **named: _awm_typing.Any
    ) -> _awm_typing.Any:
        verdict = verify(initial_db_path, final_db_path, *rest, **named)
        return verdict if _awm_kept(initial_db_path, final_db_path, read, changed) else {"result": "others"}

    return framed
