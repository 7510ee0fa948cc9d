"""The clock and the user that exported SQL asks for; in an application and in its verifiers it is this code.

How many calls there were is kept in the database itself, in its `user_version`: so the time goes back with the rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

DATE_FUNCTIONS = {"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1}  # where times go


class Clock:
    """What `now()`, `me()` and SQLite's own functions of dates answer."""

    def __init__(self, start: str, tick: int, user: int | str | None) -> None:
        """Set it to its start.

        Args:
            start: the time before the first call, YYYY-MM-DDTHH:MM:SS.
            tick: seconds that each call takes.
            user: the key of the user.
        """
        self._start, self._tick, self._user = datetime.fromisoformat(start), tick, user
        self._now = self._start
        self._reckoner = sqlite3.connect(":memory:", check_same_thread=False)  # its functions are SQLite's own

    def look(self, db: sqlite3.Connection) -> None:
        """Take the time from a database."""
        self._now = self._start + timedelta(seconds=self._tick * self._calls(db))

    def move_on(self, db: sqlite3.Connection) -> None:
        """Count a call."""
        if self._tick:
            db.execute(f"PRAGMA user_version = {self._calls(db) + 1}")

    def serve(self, db: sqlite3.Connection) -> None:
        """Have the SQL of a connection ask this clock."""
        db.create_function("now", 0, lambda: self._now.isoformat(), deterministic=True)
        db.create_function("me", 0, lambda: self._user, deterministic=True)
        for name, form in {"timestamp": "%Y-%m-%d %H:%M:%S", "date": "%Y-%m-%d", "time": "%H:%M:%S"}.items():
            db.create_function(f"current_{name}", 0, self._spelled(form), deterministic=True)
        for name, place in DATE_FUNCTIONS.items():
            db.create_function(name, -1, self._reckoned(name, place), deterministic=True)

    @staticmethod
    def _calls(db: sqlite3.Connection) -> int:
        return int(db.execute("PRAGMA user_version").fetchone()[0])

    def _spelled(self, form: str) -> Callable[[], str]:
        return lambda: self._now.strftime(form)

    def _reckoned(self, name: str, place: int) -> Callable[..., Any]:
        def answer(*given: Any) -> Any:
            values = list(given) if len(given) > place else [*given, "now"]
            if isinstance(values[place], str) and values[place].lower() == "now":
                values[place] = self._now.isoformat(" ")
            return self._reckoner.execute(f"SELECT {name}({', '.join('?' * len(values))})", values).fetchone()[0]

        return answer
