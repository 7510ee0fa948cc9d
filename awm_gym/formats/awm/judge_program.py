"""Inside a worker that never sees an application: one verifier, two databases, one result."""

from __future__ import annotations

import sqlite3
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


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """Answers `judge`, once: what it runs may change anything here."""
    return _answer


def _answer(method: str, params: dict[str, Any], blob: bytes) -> tuple[Any, bytes]:
    frozen = Frozen(datetime.fromisoformat(params["now"]), params["seed"])
    frozen.install()
    size, images = params["initial_size"], memoryview(blob)
    connect = _connecting({INITIAL: images[:size], FINAL: images[size:]}, frozen)
    vars(sqlite3)["connect"] = vars(sqlite3.dbapi2)["connect"] = connect
    names = vars(generated.execute("awm_verifier", params["code"]))
    answer = [params["answer"]] if params["kind"] == "code" else []
    return generated.plain(names[FUNCTIONS[params["kind"]]](INITIAL, FINAL, *answer)), b""


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
