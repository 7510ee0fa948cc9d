"""Inside a worker that never sees an application: one verifier, two databases, one result."""

from __future__ import annotations

import contextlib
import sqlite3
import types
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from awm_gym.formats.awm import generated
from awm_gym.formats.awm.frozen import Frozen

generated.preload()

INITIAL, FINAL = "/awm/initial.db", "/awm/final.db"
FUNCTIONS = {"code": "verify_task_completion", "sql": "verify_task"}
_OPTIONS = ("timeout", "detect_types", "isolation_level", "check_same_thread", "cached_statements")
_CONNECT = sqlite3.connect
_MOMENT = 3  # ms; who waits has asked by then
_MODULE = "awm_verifier"
_MOST = 1_000  # verifiers that are kept compiled
_REHEARSED = """
import json, re, sqlite3
from datetime import datetime

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    found = []
    for path in (initial_db_path, final_db_path):
        conn = sqlite3.connect(path)
        conn.row_factory = sqlite3.Row
        cursor = conn.cursor()
        cursor.execute(
            "SELECT j.id, s.label FROM jar AS j JOIN shelf AS s ON s.id = j.shelf_id WHERE lower(s.label) = ? "
            "AND j.filled_at <= datetime('now') ORDER BY j.filled_at DESC", ("top",),
        )
        found += [dict(row) for row in cursor.fetchall()]
        found.append(conn.execute("SELECT COUNT(*) FROM jar").fetchone()[0])
        conn.close()
    words = re.findall("[a-z]+", (final_answer or "").strip().lower())
    then = datetime.fromisoformat("2026-02-16T12:00:00")
    return {"result": "complete" if then < datetime.now() and json.dumps(found) and words else "others"}
"""

_compiled: OrderedDict[str, types.CodeType] = OrderedDict()


class _Program:
    """Answers `compile`; and `judge`, once: what it runs may change anything here."""

    def __init__(self) -> None:
        self._image = _small_database()
        _compile(_REHEARSED)

    def __call__(self, method: str, params: dict[str, Any], blob: bytes) -> tuple[Any, bytes]:
        if method == "compile":
            _compile(params["code"])
            return None, b""
        return _judge(params, blob), b""

    def begin(self, idle: Callable[[int], bool]) -> None:
        """In a child that nobody waits for yet: judge something that does not matter.

        A process that was just forked copies each page of memory that it writes to: at its first verdict, nearly all.
        """
        if not idle(_MOMENT):
            return
        told = {"kind": "code", "code": _REHEARSED, "answer": "", "now": "2026-02-16", "seed": ""}
        _judge(told | {"initial_size": len(self._image)}, self._image * 2)
        _put(_CONNECT)


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """What a worker runs."""
    return _Program()


def _small_database() -> bytes:
    with contextlib.closing(_CONNECT(":memory:")) as db:
        db.execute("CREATE TABLE shelf (id INTEGER PRIMARY KEY, label TEXT)")
        db.execute("CREATE TABLE jar (id INTEGER PRIMARY KEY, shelf_id INTEGER, filled_at TEXT)")
        db.execute("INSERT INTO shelf VALUES (1, 'Top')")
        db.executemany("INSERT INTO jar (shelf_id, filled_at) VALUES (1, ?)", [("2026-02-01",)] * 40)
        db.commit()
        return db.serialize()


def _compile(code: str) -> None:
    """Keep a verifier compiled, for the processes that will be forked. None of it is run."""
    with contextlib.suppress(Exception):  # the one who judges will meet it again
        _compiled[code] = generated.compiled(_MODULE, code)
        if len(_compiled) > _MOST:
            _compiled.popitem(last=False)


def _judge(params: dict[str, Any], blob: bytes) -> Any:
    frozen = Frozen(datetime.fromisoformat(params["now"]), params["seed"])
    frozen.install()
    size, images = params["initial_size"], memoryview(blob)
    connect = _connecting({INITIAL: images[:size], FINAL: images[size:]}, frozen)
    _put(connect)
    names = vars(generated.execute(_MODULE, _compiled.get(params["code"], params["code"])))
    answer = [params["answer"]] if params["kind"] == "code" else []
    return generated.plain(names[FUNCTIONS[params["kind"]]](INITIAL, FINAL, *answer))


def _put(connect: Callable[..., sqlite3.Connection]) -> None:
    """Have `sqlite3.connect` be this function."""
    vars(sqlite3)["connect"] = vars(sqlite3.dbapi2)["connect"] = connect


def _connecting(images: dict[str, memoryview], frozen: Frozen) -> Callable[..., sqlite3.Connection]:
    """A `sqlite3.connect` that knows two paths, and gives a copy of what lies there."""
    real = sqlite3.connect

    def connect(database: Any, *_: Any, **options: Any) -> sqlite3.Connection:
        path = unquote(str(database).removeprefix("file:").partition("?")[0])
        if path != ":memory:" and path not in images:
            raise sqlite3.OperationalError("unable to open database file")
        db = real(":memory:", **{name: options[name] for name in _OPTIONS if name in options})
        if path in images:
            db.deserialize(images[path])
            db.execute("PRAGMA query_only = ON")
        db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        return frozen.adopt(db)

    return connect
