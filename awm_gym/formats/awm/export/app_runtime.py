"""What all exported applications share: the types of arguments, and how the SQL of a tool is run.

Not imported by this package: its definitions are copied into the applications.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Engine, event

from awm_gym.arguments import MAX_ARRAY, calendar_date, integer, moment, number
from awm_gym.formats.awm.export.clock import Clock
from awm_gym.formats.awm.export.concat import OrderedConcat
from awm_gym.world import MAX_ROWS, MAX_TEXT

BUDGET = 2_000  # thousands of VM steps that one call may take
SQL_LIMITS = {  # what one value may hold, and one pattern of LIKE
    sqlite3.SQLITE_LIMIT_LENGTH: 65_536,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 8,
}
UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # line breaks and tabs are fine
TOO_MUCH = (
    "interrupted",
    "integer overflow",
    "string or blob too big",
    "database or disk is full",
    "LIKE or GLOB pattern too complex",
)


def _read_by(read: Callable[[Any], Any], what: str) -> Callable[[Any], Any]:
    def validated(value: Any) -> Any:
        found = read(value)
        if found is None:
            raise ValueError(f"must be {what}")
        return found

    return validated


def _clean(value: str) -> str:
    if UNFIT.search(value):
        raise ValueError("holds a control or surrogate character")
    return value


def fitting(items: list[Any]) -> list[Any]:
    """An array that is not too long for the database."""
    if len(_bound(items).encode()) > MAX_ARRAY:
        raise ValueError(f"is too long: at most {MAX_ARRAY} bytes as JSON")
    return items


def without_repeats(items: list[Any]) -> list[Any]:
    """An array that holds no item twice."""
    if len(set(items)) < len(items):
        raise ValueError("must not hold an item twice")
    return items


def among(*choices: Any) -> Callable[[Any], Any]:
    """Takes one of several numbers."""

    def chosen(value: Any) -> Any:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(map(str, choices))}")
        return value

    return chosen


Text = Annotated[str, AfterValidator(_clean)]
Whole = Annotated[int, BeforeValidator(_read_by(integer, "a 64-bit integer"))]
Number = Annotated[float, BeforeValidator(_read_by(number, "a finite number"))]
Day = Annotated[
    str,
    BeforeValidator(_read_by(calendar_date, "a date written YYYY-MM-DD")),
    Field(json_schema_extra={"format": "date"}),
]
Moment = Annotated[
    str,
    BeforeValidator(_read_by(moment, "a moment written YYYY-MM-DDTHH:MM:SS")),
    Field(json_schema_extra={"format": "date-time"}),
]


def absent() -> None:
    """What SQL sees of an argument that is left out: NULL."""


class Arguments(BaseModel):
    """Arguments of a tool: strictly of their types, and no others."""

    model_config = ConfigDict(strict=True, extra="forbid")

    def bound(self) -> dict[str, Any]:
        """The values that SQL sees, by the names that it has for them."""
        fields = type(self).model_fields.items()
        return {field.alias or name: _bound(getattr(self, name)) for name, field in fields}


def _bound(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps([_bound(item) for item in value], ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


async def malformed(_request: Request, error: Exception) -> Response:
    """Say what is wrong with arguments. What was given is not repeated: it may be what JSON cannot carry."""
    assert isinstance(error, RequestValidationError)  # it is registered for no other
    told = [(".".join(map(str, found["loc"][1:])), found["msg"]) for found in error.errors()]
    detail = "; ".join(f"{place or 'arguments'}: {words.removeprefix('Value error, ')}" for place, words in told)
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")


class Refused(Exception):
    """SQL has called refuse()."""


class Tools:
    """Runs the SQL of tools, each call in a transaction of its own."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Serve the connections of an engine."""
        self._engine, self._clock = engine, clock
        self._refusal: str | None = None
        self._steps = 0
        self._place = 0
        event.listen(engine, "connect", self._prepare)

    def call(self, tool: str, arguments: Arguments, guards: tuple[str, ...], script: tuple[str, ...]) -> Response:
        """Run a tool; the last rows that a statement answers are the answer.

        Args:
            tool: its name.
            arguments: what SQL sees as :parameters.
            guards: statements that refuse arguments which refer to what is not there.
            script: its statements.

        Raises:
            HTTPException: 404 if a guard refuses, 409 if the script does or a constraint fails, 413 if it is too much.
        """
        pooled = self._engine.raw_connection()
        try:
            db: Any = pooled.driver_connection
            self._clock.look(db)
            text = self._whole_or_not_at_all(db, tool, arguments.bound(), guards, script)
            return Response(text, media_type="application/json")
        finally:
            pooled.close()

    def _prepare(self, db: sqlite3.Connection, _record: object) -> None:
        db.isolation_level = None  # transactions begin and end here
        db.execute("PRAGMA foreign_keys = ON")
        for limit, most in SQL_LIMITS.items():
            db.setlimit(limit, most)
        db.set_progress_handler(self._step, 1_000)
        db.create_function("refuse", 1, self._refuse)
        db.create_aggregate("ordered_concat", -1, OrderedConcat)  # type: ignore[arg-type]
        self._clock.serve(db)

    def _step(self) -> bool:
        self._steps += 1
        return self._steps > BUDGET

    def _refuse(self, reason: object) -> None:
        self._refusal = str(reason)
        raise Refused

    def _whole_or_not_at_all(
        self, db: sqlite3.Connection, tool: str, bound: dict[str, Any], guards: tuple[str, ...], script: tuple[str, ...]
    ) -> str:
        self._steps, self._place, self._refusal, done = 0, 0, None, False
        db.execute("BEGIN")
        try:
            text = shown(*self._rows(db, (*guards, *script), bound))
            done = True
        except sqlite3.Error as error:
            if told := self._told(error, tool, guarding=self._place < len(guards)):
                raise told from error
            raise
        finally:
            if db.in_transaction:  # an interrupt ends it
                db.execute("COMMIT" if done else "ROLLBACK")
            self._steps = 0
            self._clock.move_on(db)
        return text

    def _rows(
        self, db: sqlite3.Connection, script: tuple[str, ...], bound: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        total = 0
        for self._place, statement in enumerate(script):
            cursor = db.execute(statement, bound)
            if cursor.description:
                names = [column[0] for column in cursor.description]
                rows = cursor.fetchall()
                found, total = [dict(zip(names, row, strict=True)) for row in rows[:MAX_ROWS]], len(rows)
        return found, total

    def _told(self, error: sqlite3.Error, tool: str, *, guarding: bool) -> HTTPException | None:
        """An error of the engine, as the agent may read it; None if the tool is broken."""
        if self._refusal is not None:
            return HTTPException(404 if guarding else 409, self._refusal)
        if isinstance(error, sqlite3.IntegrityError):
            return HTTPException(409, f"The request breaks a rule of the data: {error}.")
        if str(error) in TOO_MUCH:
            return HTTPException(
                413, f"{tool} asks too much of the database with these arguments ({error}); ask for less."
            )
        return None


def shown(rows: list[dict[str, Any]], total: int) -> str:
    """Rows as JSON; a result that was cut says so.

    Raises:
        HTTPException: 413 if a number is too large for JSON.
    """
    try:
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise HTTPException(413, "A number in the answer is too large; ask with smaller ones.") from None
    if len(text) <= MAX_TEXT and len(rows) == total:
        return text
    size, kept = 0, list[dict[str, Any]]()
    for row in rows:
        size += len(json.dumps(row, ensure_ascii=False)) + 2
        if size > MAX_TEXT:
            break
        kept.append(row)
    return json.dumps({"rows": kept, "truncated": True, "total_rows": total}, ensure_ascii=False)
