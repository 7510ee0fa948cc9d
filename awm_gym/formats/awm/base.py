"""The database an application starts with: built once from its SQL, the same bytes on every machine.

Statements run one by one as AgentWorldModel's loader runs them: what fails is left out, and here it is counted. All
that they can ask for is answered alike everywhere: the time, the time zone, random numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple

import apsw

from awm_gym.database import FUNCTIONS, MAX_JUDGE_STEPS, Guard, Phase, connect, set_clock
from awm_gym.errors import ScenarioError
from awm_gym.formats.awm.mend import requoted
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.sql import Statement, code_only, quote, statements

FALLBACK = datetime(2026, 2, 16, 12)  # a Monday in the month in which the first data of this kind were published
MAX_TICKS = 100_000  # thousands of VM steps that building one database may take: some seconds
MAX_STATEMENT = 100_000  # characters; the database takes no more
MAX_INSERTS = 10_000  # statements that fill one database; the published data have at most 429

_ALSO = frozenset("changes last_insert_rowid quote random randomblob unhex".split())  # functions beside the usual ones
_EPOCH = datetime(1970, 1, 1)
_PAST = re.compile(r"(created|updated|modified|inserted|recorded|logged|placed|posted|sent|submitted|uploaded)_(at|on)")
_DATE_FUNCTION = r"\b(?:date|time|datetime|julianday|unixepoch|strftime)\s*\("
_NOW = re.compile(rf"{_DATE_FUNCTION}\s*(?:'[^']*'\s*,\s*)?(?:'now'|\))", re.I)
_CURRENT = re.compile(r"\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b", re.I)
_OPENS_DATE = re.compile(_DATE_FUNCTION, re.I)
_PART = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?(?:\*/|\Z)|\b\w+\s*\(|[()]""", re.S)
_UNDOING = re.compile(r"\b(?:OR|CONFLICT)\s+ROLLBACK\b|\bRAISE\s*\(\s*ROLLBACK\b", re.I)
_BOMBS = ("reaches too far", "too many references", "too many FROM clause terms")  # views of views
STAMPS = ((24, 1), (92, 1), (96, 3_040_000))  # bytes of the header that tell which SQLite wrote how often

Kind = Literal["sql", "constraint", "refused", "limit"]


class Lost(NamedTuple):
    """A statement that failed.

    Attributes:
        table: the table it was written for.
        statement: its first line, shortened.
        error: why.
        kind: "sql" if it is no SQL of this database, "constraint" if a row breaks one, "refused" if statements of this
            kind are not run, "limit" if it asks too much.
    """

    table: str
    statement: str
    error: str
    kind: Kind


@dataclass(frozen=True)
class Base:
    """The initial database of a scenario.

    Attributes:
        image: the database, as SQLite serializes it.
        sha256: of the image, 64 hexadecimal digits.
        now: the time the data were loaded at; the scenario's clock.
        tables: name -> number of rows, in the order of the names.
        indexes: how many there are beside those of keys.
        inserts: how many statements there were to fill it.
        lost_tables: statements of the schema that failed; what comes after one for the same table was not tried.
        lost_inserts: statements that fill tables and failed.
        mended: (table, statement as it ran) of those that ran only after their quotes had been mended.
        clock_calls: how often the statements that fill it ask for the time.
        reads_clock: whether the database differs when it is built at another time.
        fk_violations: rows that refer to rows that are not there.
    """

    image: bytes
    sha256: str
    now: datetime
    tables: Mapping[str, int]
    indexes: int
    inserts: int
    lost_tables: tuple[Lost, ...]
    lost_inserts: tuple[Lost, ...]
    mended: tuple[tuple[str, str], ...]
    clock_calls: int
    reads_clock: bool
    fk_violations: int

    def losses(self) -> dict[Kind, tuple[int, Lost]]:
        """How many statements failed of each kind, and the first of them."""
        found: dict[Kind, tuple[int, Lost]] = {}
        for lost in (*self.lost_tables, *self.lost_inserts):
            count, first = found.get(lost.kind, (0, lost))
            found[lost.kind] = (count + 1, first)
        return found


def build(scenario: AwmScenario, *, now: datetime | None = None, mend: bool = False) -> Base:
    """Build the initial database of a scenario.

    Args:
        scenario: whose database.
        now: the time that its SQL sees. By default that of the scenario, where the data tell it; else noon after the
            day of the newest row, as columns such as `created_at` tell it; `FALLBACK` where no such column holds a date
            that is written out. So the data lie in the past, and what they plan in the future.
        mend: try statements whose quotes are wrong again, with quotes as they must have been meant.

    Raises:
        ScenarioError: there is no schema, or not one table of it can be made; or a statement asks for more work or
            room than all the data may take.
    """
    if not scenario.ddl:
        raise ScenarioError("has no database schema; gen_db.jsonl must tell one", scenario=scenario.name)
    inserts = sum(len(table.insert_statements) for table in scenario.inserts)
    if inserts > MAX_INSERTS:
        raise ScenarioError(f"has {inserts} INSERT statements; {MAX_INSERTS} are allowed", scenario=scenario.name)
    probe = _Build(scenario, _EPOCH, mend)
    now = now or scenario.now
    if now is None:
        newest = probe.newest()
        now = datetime.combine(newest + timedelta(days=1), time(12)) if newest else FALLBACK
    built = _Build(scenario, now, mend)
    if not (tables := built.tables()):
        reason = "; the first: {0.error}, in: {0.statement}".format(*built.lost_tables[:1]) if built.lost_tables else ""
        raise ScenarioError(f"no table can be made{reason}", scenario=scenario.name)
    image = built.image()
    return Base(
        image=image,
        sha256=hashlib.sha256(image).hexdigest(),
        now=now,
        tables=tables,
        indexes=built.count("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"),
        inserts=inserts,
        lost_tables=tuple(built.lost_tables),
        lost_inserts=tuple(built.lost_inserts),
        mended=tuple(built.mended),
        clock_calls=sum(clock_calls(sql) for table in scenario.inserts for sql in table.insert_statements),
        reads_clock=image != probe.image(),
        fk_violations=built.fk_violations(),
    )


def unmarked(image: bytes) -> bytes:
    """An image but for the marks of the SQLite that wrote it."""
    found = bytearray(image)
    for offset, value in STAMPS:
        found[offset : offset + 4] = value.to_bytes(4, "big")
    return bytes(found)


def clock_calls(sql: str) -> int:
    """How often a statement asks for the time."""
    return len(_NOW.findall(sql)) + len(_CURRENT.findall(code_only(sql)))


def in_utc(sql: str) -> str:
    """A statement whose times stay in UTC: 'localtime' and 'utc' would ask the machine for its time zone."""
    dated: list[bool] = []  # for each open bracket, whether it belongs to a function of dates

    def told(match: re.Match[str]) -> str:
        part = match[0]
        if part.endswith("("):
            dated.append(_OPENS_DATE.fullmatch(part) is not None)
        elif part == ")":
            del dated[-1:]
        elif True in dated[-1:] and part.lower() in ("'localtime'", "'utc'"):
            return "'+0 days'"
        return part

    return _PART.sub(told, sql)


class _LoadGuard(Guard):
    """One budget for the whole load, and a few more functions."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0

    def tick(self) -> bool:
        self.ticks += self.phase is not Phase.RUNTIME
        return super().tick() or self.ticks > MAX_TICKS

    def _allows(self, action: int, first: str, second: str, database: str | None) -> bool:
        return (action == apsw.SQLITE_FUNCTION and second in _ALSO) or super()._allows(action, first, second, database)


class _Dice:
    """Random numbers that are the same whenever a scenario is loaded."""

    def __init__(self, seed: str) -> None:
        self.seed, self.throws = seed, 0

    def blob(self, *arguments: Any) -> bytes:
        self.throws += 1
        length = arguments[0] if isinstance(arguments[0], int) else 1
        return hashlib.shake_256(f"{self.seed} {self.throws}".encode()).digest(min(max(length, 1), 1_000))

    def integer(self, *_: Any) -> int:
        return int.from_bytes(self.blob(8), "big", signed=True)


class _Build:
    """One database, and what was lost on the way to it."""

    def __init__(self, scenario: AwmScenario, now: datetime, mend: bool) -> None:
        self.lost_tables: list[Lost] = []
        self.lost_inserts: list[Lost] = []
        self.mended: list[tuple[str, str]] = []
        self._guard = _LoadGuard()
        self._db = connect(self._guard)
        self._mend = mend
        self._name = scenario.name
        self._open_for_strangers(_Dice(scenario.name))
        set_clock(now)
        for table in scenario.ddl:
            self._create(table.name, (table.ddl, *table.indexes))
        self._fill([(table.table_name, sql) for table in scenario.inserts for sql in table.insert_statements])

    def _open_for_strangers(self, dice: _Dice) -> None:
        """Take text in double quotes as their SQLite does, and nothing that the authorizer cannot see."""
        self._db.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
        self._db.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 1)
        for name, arguments in self._rows("SELECT DISTINCT name, narg FROM pragma_function_list"):
            if name not in FUNCTIONS | _ALSO:  # in defaults and checks functions run unasked
                self._db.create_scalar_function(name, None, arguments)
        self._db.create_scalar_function("random", dice.integer, 0, flags=apsw.SQLITE_INNOCUOUS)
        self._db.create_scalar_function("randomblob", dice.blob, 1, flags=apsw.SQLITE_INNOCUOUS)

    def _create(self, table: str, script: tuple[str, ...]) -> None:
        for sql in script:
            if lost := self._run(Phase.SCHEMA, table, sql):
                self.lost_tables.append(lost)
                return

    def _fill(self, inserts: list[tuple[str, str]]) -> None:
        self._db.execute("BEGIN")
        for table, sql in inserts:
            lost = self._run(Phase.TOOL, table, sql)
            if lost and lost.kind == "sql" and self._mend and (other := requoted(sql)) != sql:
                lost = self._run(Phase.TOOL, table, other)
                if not lost:
                    self.mended.append((table, other))
            if lost:
                self.lost_inserts.append(lost)
        try:
            self._db.execute("COMMIT")
        except apsw.ConstraintError as error:  # a deferred key: AgentWorldModel's loader is left with empty tables too
            self._db.execute("ROLLBACK")
            self.mended.clear()
            self.lost_inserts = [
                Lost(table, _head(sql), f"{error}, in the end", "constraint") for table, sql in inserts
            ]

    def _run(self, phase: Phase, table: str, sql: str) -> Lost | None:
        """Run one statement whole or not at all; how it was lost."""
        if reason := _refusal(sql):
            return Lost(table, _head(sql), reason, "refused")
        self._db.execute("SAVEPOINT statement")
        self._guard.start(MAX_JUDGE_STEPS)
        self._guard.phase = phase
        lost = None
        try:
            self._db.execute(in_utc(sql)).close(True)
        except apsw.Error as error:
            kind = _kind(error)
            lost = Lost(table, _head(sql), self._guard.denied if kind == "refused" else str(error), kind)
        finally:
            self._guard.phase = Phase.RUNTIME
        # An interrupt undoes all that came before, and what SQLite does to unfold a bomb is not in the budget.
        if lost and (not self._db.in_transaction or any(bomb in lost.error for bomb in _BOMBS)):
            raise ScenarioError(f"cannot be loaded: {lost.error}, in: {lost.statement}", scenario=self._name)
        self._db.execute("ROLLBACK TO statement; RELEASE statement" if lost else "RELEASE statement")
        return lost

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What our own SQL asks for."""
        return self._db.execute(sql).fetchall()

    def count(self, sql: str) -> int:
        """The number that our own SQL asks for."""
        return int(self._rows(sql)[0][0])

    def tables(self) -> dict[str, int]:
        return {name: self.count(f"SELECT count(*) FROM {quote(name)}") for name in self._names()}

    def _names(self) -> list[str]:
        own = r"name NOT LIKE 'sqlite\_%' ESCAPE '\'"
        return [
            row[0] for row in self._rows(f"SELECT name FROM sqlite_schema WHERE type = 'table' AND {own} ORDER BY 1")
        ]

    def fk_violations(self) -> int:
        violations = 0
        for name in self._names():
            # A key that refers to what is no key is an error here; such a table has no rows, for the same reason.
            with contextlib.suppress(apsw.SQLError):
                violations += len(self._rows(f"PRAGMA foreign_key_check({quote(name)})"))
        return violations

    def newest(self) -> date | None:
        """The newest day that rows were made on, where the day is written out and not reckoned from the clock."""
        days = [day for table, column in self._dated() if (day := self._newest(table, column))]
        return max(days, default=None)

    def _dated(self) -> Iterator[tuple[str, str]]:
        for table in self._names():
            for row in self._rows(f"PRAGMA table_info({quote(table)})"):
                if _PAST.fullmatch(row[1].lower()):
                    yield table, row[1]

    def _newest(self, table: str, column: str) -> date | None:
        """What is reckoned from the clock of the probe lies before the year 2000."""
        day = f"date(substr({quote(column)}, 1, 10))"
        sql = f"SELECT max({day}) FROM {quote(table)} WHERE {day} BETWEEN '2000-01-01' AND '2099-12-31'"
        found = self._rows(sql)[0][0]
        return date.fromisoformat(found) if found else None

    def image(self) -> bytes:
        """The database, but for the marks of the SQLite that wrote it."""
        return unmarked(self._db.serialize("main"))


def _refusal(sql: str) -> str:
    """Why a statement is not even tried."""
    if len(sql) > MAX_STATEMENT:
        return f"has {len(sql)} characters; {MAX_STATEMENT} are allowed"
    if "\0" in sql:
        return "holds a NUL character"
    if _UNDOING.search(code_only(sql)):
        return "ROLLBACK would undo the rows before it"
    try:
        many = len(statements(f"{sql}\n;")) > 1
    except ScenarioError:  # SQLite says better than we what is wrong with it
        many = False
    return "is more than one statement" if many else ""


def _kind(error: apsw.Error) -> Kind:
    if isinstance(error, apsw.ConstraintError | apsw.MismatchError):
        return "constraint"
    if isinstance(error, apsw.AuthError):
        return "refused"
    return "sql" if isinstance(error, apsw.SQLError) else "limit"


def _head(sql: str) -> str:
    return Statement(sql.strip(), 1).head
