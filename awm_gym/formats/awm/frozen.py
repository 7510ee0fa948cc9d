"""Inside a worker: one moment, and one sequence of random numbers, for all that generated code can ask.

Classes of C are changed in place, so that what holds them already sees it too and their types stay what they are.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sqlite3
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Any

_OF_DATES = {"date": -1, "time": -1, "datetime": -1, "julianday": -1, "unixepoch": -1, "strftime": -1, "timediff": 2}
_RECKONER = sqlite3.connect(":memory:", check_same_thread=False)  # where the functions of SQLite are its own
_FUNCTIONS = {row[0] for row in _RECKONER.execute("SELECT name FROM pragma_function_list")}
_DATES_KNOWN = {name: count for name, count in _OF_DATES.items() if name in _FUNCTIONS}


class Frozen:
    """A moment that lasts, and dice that fall the same way each time they are taken up anew."""

    def __init__(self, now: datetime, seed: str) -> None:
        """Prepare it; nothing is changed yet.

        Args:
            now: the moment, in UTC, without a time zone.
            seed: what the random numbers are made of.
        """
        self._stamp = now.replace(tzinfo=UTC).timestamp()
        self._spelled = now.isoformat(" ", "seconds")
        self._seed = seed
        self._dice = random.Random(seed)

    def install(self) -> None:
        """Stop the clock of this process and of those it will fork, and take up the dice."""
        stamp = self._stamp

        def now(kind: type[datetime], tz: tzinfo | None = None) -> datetime:
            return kind.fromtimestamp(stamp, tz)

        _override(datetime, "now", now)
        _override(datetime, "utcnow", lambda kind: kind.fromtimestamp(stamp, UTC).replace(tzinfo=None))
        _override(date, "today", lambda kind: kind.fromtimestamp(stamp))
        _replace(time, self._of_time())
        _replace(os, {"urandom": self._dice_bytes})
        _replace(random, {"_urandom": self._dice_bytes})  # what `secrets` and SystemRandom throw
        _replace(uuid, {"_generate_time_safe": None, "_node": 1})  # so that uuid1 asks the clock above, and no device
        self.reseed()
        os.register_at_fork(after_in_child=self.reseed)  # `random` has seeded itself by then

    def reseed(self) -> None:
        """Take up the dice anew."""
        self._dice.seed(self._seed)
        random.seed(self._seed)
        _replace(uuid, {"_last_timestamp": None})  # uuid1 counts up from there

    def adopt(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Have the SQL of a connection see the same moment and the same dice."""
        moment = self._spelled
        for name, spelled in {"timestamp": moment, "date": moment[:10], "time": moment[11:]}.items():
            db.create_function(f"current_{name}", 0, _constant(spelled), deterministic=True)
        for name, count in _DATES_KNOWN.items():  # deterministic, because CHECK and indexes may use them
            db.create_function(name, count, self._reckoned(name), deterministic=True)
        db.create_function("random", 0, lambda: self._dice.getrandbits(64) - 2**63)
        db.create_function("randomblob", 1, lambda length: self._dice.randbytes(max(int(length or 1), 1)))
        return db

    def _dice_bytes(self, size: int) -> bytes:
        return self._dice.randbytes(size)

    def _reckoned(self, name: str) -> Callable[..., Any]:
        """SQLite's own function, asked on a connection where it is not replaced, about this moment."""
        first = 1 if name == "strftime" else 0  # a format stands before the time

        def answer(*values: Any) -> Any:
            told = [*values, self._spelled] if len(values) <= first else list(values)
            told[first:] = [self._spelled if isinstance(v, str) and v.lower() == "now" else v for v in told[first:]]
            marks = ", ".join("?" * len(told))
            return _RECKONER.execute(f"SELECT {name}({marks})", told).fetchone()[0]

        return answer

    def _of_time(self) -> dict[str, Any]:
        stamp = self._stamp

        def told(function: Callable[[float], Any]) -> Callable[..., Any]:
            return lambda seconds=None: function(stamp if seconds is None else seconds)

        gmtime, strftime, asctime = time.gmtime, time.strftime, time.asctime
        return {
            "time": lambda: stamp,
            "time_ns": lambda: int(stamp * 1_000_000) * 1_000,
            "gmtime": told(time.gmtime),
            "localtime": told(time.localtime),
            "ctime": told(time.ctime),
            "strftime": lambda form, moment=None: strftime(form, gmtime(stamp) if moment is None else moment),
            "asctime": lambda moment=None: asctime(gmtime(stamp) if moment is None else moment),
        }


def _constant(value: str) -> Callable[[], str]:
    return lambda: value


def _replace(module: object, functions: dict[str, Any]) -> None:
    for name, function in functions.items():
        setattr(module, name, function)


def _override(kind: type, name: str, function: Callable[..., Any]) -> None:
    """Give a class another class method. One of C takes it through its dictionary only, and must be told."""
    gc.get_referents(kind.__dict__)[0][name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
