"""A live scenario: one in-memory database and the tools that work it. An episode is one open transaction."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import apsw

from awm_gym.arguments import Bound, Mistake, bind, read_call
from awm_gym.database import (
    MAX_JUDGE_STEPS,
    MAX_STEPS,
    STATEMENT_CACHE,
    Guard,
    Phase,
    Table,
    Template,
    add_clock_and_user,
    connect,
    set_clock,
    sql_error,
)
from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError, unknown
from awm_gym.scenario import ErrorKind, Scenario, Task, ToolCall
from awm_gym.sql import Statement, quote, statements
from awm_gym.tools import CompiledTool, Prepared, compile_tools

MAX_ROWS = 200  # rows of one result; more are counted and left out
MAX_TEXT = 32_000  # characters of one result
_KEPT_SCENARIOS = 64  # compiled scenarios that stay in memory
_ENGINE_LIMITS = ("integer overflow", "LIKE or GLOB pattern too complex", "string or blob too big")


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered: rows, or an error of a kind that the agent may act on.

    Attributes:
        text: what the agent reads: a JSON array of objects, or the error message. A result that
            was cut says so: `{"rows": [...], "truncated": true, "total_rows": 312}`.
        rows: the rows that are shown, as JSON objects.
        total: how many rows there were; more than `rows` if the result was cut.
        kind: the kind of the error, or None if the call succeeded.
    """

    text: str
    rows: tuple[Mapping[str, Any], ...] = ()
    total: int = 0
    kind: ErrorKind | None = None

    @property
    def error(self) -> str | None:
        """The error message, or None if the call succeeded."""
        return self.text if self.kind else None


class RowChange(NamedTuple):
    """A row that differs from the episode's start.

    Attributes:
        table: its table.
        key: its primary key, column -> value.
        before: the columns that differ, as they were; the whole row if it is gone, empty if it is new.
        after: the columns that differ, as they are; the whole row if it is new, empty if it is gone.
    """

    table: str
    key: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What happened to the row."""
        if not self.before:
            return "added"
        return "changed" if self.after else "removed"


class Compiled(NamedTuple):
    """What all worlds of a scenario share: the initial database and the compiled tools."""

    template: Template
    tools: Mapping[str, CompiledTool]


_compiled: OrderedDict[str, Compiled] = OrderedDict()
_compiling = threading.Lock()


def compiled(scenario: Scenario) -> Compiled:
    """The shared part of a scenario's worlds, built on first use and kept for the next.

    Raises:
        ScenarioError: schema, data or tools are not sound.
    """
    with _compiling:
        found = _compiled.get(scenario.fingerprint)
        if found is None:
            template = Template(scenario)
            found = Compiled(template, compile_tools(template))
            _compiled[scenario.fingerprint] = found
            if len(_compiled) > _KEPT_SCENARIOS:
                _compiled.popitem(last=False)
        _compiled.move_to_end(scenario.fingerprint)
        return found


def share_compiled(scenario: Scenario, other: Scenario) -> None:
    """Let another scenario with the same clock, user, schema, data and SQL of tools use what was built for this one."""
    found = compiled(scenario)
    with _compiling:
        tools = {name: tool._replace(tool=other.tools[name]) for name, tool in found.tools.items()}
        _compiled[other.fingerprint] = Compiled(found.template, tools)
        if len(_compiled) > _KEPT_SCENARIOS:
            _compiled.popitem(last=False)


class _Refused(Exception):
    """A tool's refuse() was called."""


class World:
    """One running copy of a scenario. Not for several threads at once: give every environment its own.

    Args:
        scenario: what to run.
        statement_cache: how many prepared statements to keep; each takes a few KB.

    Raises:
        ScenarioError: the scenario's SQL is not sound.
    """

    def __init__(self, scenario: Scenario, statement_cache: int = STATEMENT_CACHE) -> None:
        self.scenario = scenario
        self.task: Task | None = None
        self._shared = compiled(scenario)
        self._guard = Guard()
        self._statement_cache = statement_cache
        # DETACH expires all prepared statements of a connection: what starts with a `given` has a connection of its
        # own, opened when it is first needed.
        self._copies: dict[bool, apsw.Connection] = {}
        self._befores: dict[bool, str] = {}  # the `given` behind what is attached as `before`
        self._reversed = False
        self._db = self._take("")
        self._clock = scenario.now
        self._refusal = ""
        self._statement: Prepared
        self._played: list[tuple[CompiledTool, Bound, Any]] = []
        self._session = apsw.Session(self._db, "main")
        self._closed = False
        self.reset()

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables of the database, by name."""
        return self._shared.template.tables

    @property
    def template(self) -> Template:
        """The initial database, shared with the other worlds of the scenario."""
        return self._shared.template

    def writes(self, name: str) -> bool:
        """Whether a tool may change rows."""
        return name in self._shared.tools and self._shared.tools[name].writes

    def reset(self, task: str | None = None) -> None:
        """Go back to the initial state, and run the task's `given` if it has one.

        Raises:
            UsageError: there is no such task, or the world is closed.
        """
        self._open()
        if task is not None and task not in self.scenario.tasks:
            raise UsageError(unknown(f"task in {self.scenario.name}", task, self.scenario.tasks))
        self.task = self.scenario.tasks[task] if task is not None else None
        self._start()

    def start_from(self, given: str | None) -> None:
        """Go back to the initial state and run `given`, whatever the tasks say. Gates and examples need it."""
        self._open()
        self.task = None
        self._start(given)

    def _open(self) -> None:
        if self._closed:
            raise UsageError(f"the world of {self.scenario.name} is closed; make a new one")

    def _start(self, given: str | None = None) -> None:
        given = (self.task.given if self.task else given) or ""
        self._session.close()
        self._guard.phase = Phase.RUNTIME
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._db = self._take(given)
        self._clock = self.scenario.now
        set_clock(self._clock)
        self._played.clear()
        self._begin()

    def _take(self, given: str) -> apsw.Connection:
        """The connection for `given`, with the state after it attached as `before`."""
        key = bool(given)
        if key not in self._copies:
            self._copies[key] = self._copy()
        db = self._copies[key]
        if self._befores.get(key) != given:
            uri = self.template.state(given)
            if self._befores.pop(key, None) is not None:
                db.execute("DETACH before")
            db.execute("ATTACH ? AS before", (uri,))
            db.execute("PRAGMA before.cache_size=16")
            self._befores[key] = given
        return db

    def _copy(self) -> apsw.Connection:
        """A connection that holds the initial state."""
        db = connect(self._guard, statement_cache=self._statement_cache)
        self._shared.template.copy_to(db)
        db.limit(apsw.SQLITE_LIMIT_ATTACHED, 1)
        db.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')")  # so that no authorizer sees them made
        add_clock_and_user(db, self._now, self.scenario.user.id)
        db.create_scalar_function("refuse", self._refuse, 1)
        db.execute(f"PRAGMA reverse_unordered_selects = {int(self._reversed)}")
        return db

    def _begin(self) -> None:
        """Open the transaction of an episode, in the state that `given` makes."""
        self._db.execute("BEGIN")
        given = self._befores[self._db is not self._copies.get(False)]
        if given:
            self._guard.start(MAX_STEPS)
            for statement in statements(given):
                self._db.execute(statement.text)
        self._session = apsw.Session(self._db, "main")
        self._session.attach()

    def call(self, call: ToolCall) -> ToolResult:
        """Run one tool in one savepoint; a refused or faulty call changes nothing.

        Raises:
            ScenarioError: the tool's own SQL is wrong.
            EnvironmentFault: the engine failed.
            UsageError: the world is closed.
        """
        self._open()
        clean = read_call(call)
        if isinstance(clean, Mistake):
            return ToolResult(clean.text, kind=clean.kind)
        tool = self._shared.tools.get(clean.name)
        if tool is None:
            return ToolResult(unknown("tool", clean.name, self._shared.tools), kind="unknown_tool")
        bound = bind(tool.tool, clean.arguments)
        if isinstance(bound, Mistake):
            return ToolResult(bound.text, kind=bound.kind)
        return self._count(self._play(tool, bound))

    def call_compiled(self, tool: CompiledTool, arguments: Mapping[str, Any]) -> ToolResult:
        """Run a tool that is not the scenario's own, such as a mutant of one. For gates.

        Raises:
            ScenarioError: the tool's SQL is wrong.
        """
        bound = bind(tool.tool, arguments)
        if isinstance(bound, Mistake):
            return ToolResult(bound.text, kind=bound.kind)
        return self._count(self._play(tool, bound))

    def _count(self, result: ToolResult) -> ToolResult:
        """Let the clock move on by a call."""
        self._clock += timedelta(seconds=self.scenario.tick)
        return result

    def _play(self, tool: CompiledTool, bound: Bound) -> ToolResult:
        """Run a compiled tool, and leave the database whole whatever happens."""
        set_clock(self._clock)
        db, guard = self._db, self._guard
        guard.start(MAX_STEPS)
        if tool.writes:
            db.execute("SAVEPOINT call")
        guard.phase = Phase.TOOL
        done = False
        try:
            result = self._run(tool, bound)
            done = result.kind is None
        except _Refused:
            result = ToolResult(self._refusal, kind="refused")
        except apsw.Error as error:
            result = self._engine_said(error, tool)
        except (UnicodeDecodeError, TypeError):
            raise ScenarioError(
                "the result holds bytes, or text that is not Unicode: JSON cannot carry it",
                file="tools.toml",
                key=f"{tool.tool.name}.sql",
                scenario=self.scenario.name,
            ) from None
        finally:
            guard.phase = Phase.RUNTIME
            if tool.writes:
                self._end_savepoint(keep=done)
        if tool.writes and done:
            self._played.append((tool, bound, self._clock))
        return result

    def _run(self, tool: CompiledTool, bound: Bound) -> ToolResult:
        found: list[tuple[Any, ...]] = []
        total = 0
        for index, statement in enumerate(tool.statements):
            self._statement = statement
            cursor = self._db.execute(statement.sql, bound)
            if index == tool.answer:
                found = list(itertools.islice(cursor, MAX_ROWS))
                total = len(found)
                total += sum(1 for _ in cursor)
            else:
                for _ in cursor:
                    pass
        if tool.answer < 0:
            return ToolResult("[]")
        columns = tool.statements[tool.answer].columns
        return self._shown(tuple(dict(zip(columns, row, strict=True)) for row in found), total)

    def _shown(self, rows: tuple[Mapping[str, Any], ...], total: int) -> ToolResult:
        """Write a result down as JSON, cut at MAX_TEXT characters."""
        try:
            text = _encode(rows)
        except ValueError:
            return ToolResult("A number in the answer is too large; ask with smaller ones.", kind="limit")
        if len(text) <= MAX_TEXT and len(rows) == total:
            return ToolResult(text, rows, total)
        size = kept = 0
        for row in rows:
            size += len(json.dumps(row, ensure_ascii=False)) + 2
            if size > MAX_TEXT:
                break
            kept += 1
        cut = {"rows": rows[:kept], "truncated": True, "total_rows": total}
        return ToolResult(json.dumps(cut, ensure_ascii=False), rows[:kept], total)

    def _engine_said(self, error: apsw.Error, tool: CompiledTool) -> ToolResult:
        """Sort an engine error: the agent's mistake, a limit, or the author's fault."""
        if isinstance(error, (apsw.ConstraintError, apsw.MismatchError)):
            return ToolResult(f"The request breaks a rule of the data: {error}.", kind="constraint")
        if beyond_limits(error):
            text = f"{tool.tool.name} asks too much of the database with these arguments ({error}); ask for less."
            return ToolResult(text, kind="limit")
        key = f"{tool.tool.name}.sql"
        statement = Statement(self._statement.sql, self._statement.line)
        raise sql_error(error, statement, self._guard, file="tools.toml", key=key).within(self.scenario.name) from error

    def _end_savepoint(self, *, keep: bool) -> None:
        if not self._db.in_transaction:
            # An interrupted write ends the outer transaction. Calls are deterministic: play the others again.
            self._recover()
        elif keep:
            self._db.execute("RELEASE call")
        else:
            self._db.execute("ROLLBACK TO call")
            self._db.execute("RELEASE call")

    def _recover(self) -> None:
        played, now = tuple(self._played), self._clock
        self._session.close()
        self._played.clear()
        set_clock(self.scenario.now)
        self._begin()
        for tool, bound, clock in played:
            self._clock = clock
            if self._play(tool, bound).kind:
                raise EnvironmentFault(f"the episode's own call of {tool.tool.name} could not be played again")
        self._clock = now

    def _now(self, *_arguments: apsw.SQLiteValue) -> apsw.SQLiteValue:
        return self._clock.isoformat()

    def _refuse(self, *arguments: apsw.SQLiteValue) -> apsw.SQLiteValue:
        self._refusal = str(arguments[0])
        raise _Refused(self._refusal)

    def changeset(self) -> bytes:
        """The difference from the episode's start, in the bytes of SQLite's session extension; b"" if there is none."""
        return b"" if self._closed else self._session.changeset()

    def changes(self) -> tuple[RowChange, ...]:
        """The rows that differ from the episode's start, by table and key."""
        found = []
        for change in apsw.Changeset.iter(self.changeset()):
            names = self.tables[change.name].column_names
            old, new = change.old or (), change.new or ()
            before = {n: v for n, v in zip(names, old, strict=False) if v is not apsw.no_change}
            after = {n: v for n, v in zip(names, new, strict=False) if v is not apsw.no_change}
            key = {names[place]: (old or new)[place] for place in sorted(change.pk_columns)}
            if change.op == "UPDATE":
                before = {name: value for name, value in before.items() if name in after}
            found.append(RowChange(change.name, key, before, after))
        return tuple(sorted(found, key=lambda row: (row.table, [_sortable(v) for v in row.key.values()])))

    def state_hash(self) -> str:
        """SHA-256 over all rows of all tables, 64 hexadecimal digits; equal for equal states."""
        digest = hashlib.sha256()
        for name, table in sorted(self.tables.items()):
            key = ", ".join(quote(column) for column in table.key)
            rows = self._db.execute(f"SELECT * FROM main.{quote(name)} ORDER BY {key}").fetchall()
            digest.update(json.dumps([name, rows]).encode())
        return digest.hexdigest()

    def query(self, sql: str, bindings: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a SELECT over the final tables and `before.<table>`. For verifiers and gates, never for agents.

        Raises:
            ScenarioError: the SQL fails, writes, or takes more than its budget.
        """
        return self.query_with_names(sql, bindings or {}, ScenarioError("", scenario=self.scenario.name))[0]

    def query_with_names(
        self, sql: str, bindings: Mapping[str, Any], place: ScenarioError
    ) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
        """Rows as `query` gives them, and the names of their columns (none if there are no rows).

        Raises:
            ScenarioError: as `query`, told with the file and key of `place`.
        """
        self._guard.start(MAX_JUDGE_STEPS)
        self._guard.phase = Phase.JUDGE
        set_clock(self._clock)
        try:
            cursor = self._db.execute(sql, bindings)
            first = cursor.fetchone()
            if first is None:
                return [], ()
            names = tuple(column[0] for column in cursor.get_description())
            return [first, *cursor], names
        except (apsw.Error, KeyError) as error:
            reason = f"there is no parameter :{error.args[0]} here" if isinstance(error, KeyError) else str(error)
            if isinstance(error, apsw.AuthError):
                reason = self._guard.denied
            statement = Statement(sql, 1)
            raise ScenarioError(
                f"{reason}, in: {statement.head}", file=place.file, key=place.key, scenario=place.scenario
            ) from error
        finally:
            self._guard.phase = Phase.RUNTIME

    def execute(self, sql: str) -> None:
        """Change rows behind the tools' back. Gates use it to make states that must be rejected.

        Raises:
            apsw.Error: the SQL fails, or does more than change rows.
        """
        self._guard.start(MAX_STEPS)
        self._guard.phase = Phase.TOOL
        set_clock(self._clock)
        try:
            for statement in statements(sql):
                self._db.execute(statement.text)
        finally:
            self._guard.phase = Phase.RUNTIME
            if not self._db.in_transaction:
                self._recover()

    def reverse_unordered(self, *, on: bool) -> None:
        """Let rows without an ORDER BY come the other way round: what changes then depends on chance."""
        self._reversed = on
        for db in self._copies.values():
            db.execute(f"PRAGMA reverse_unordered_selects = {int(on)}")

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Undo whatever is done to the rows inside. Gates make states with it that must be rejected."""
        self._db.execute("SAVEPOINT trial")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK TO trial")
            self._db.execute("RELEASE trial")

    def close(self) -> None:
        """Release the database. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._session.close()
            for db in self._copies.values():
                db.close()


def beyond_limits(error: BaseException | None) -> bool:
    """Whether the engine gave up because of the size of the data, and not because the SQL is wrong."""
    spent = isinstance(error, (apsw.InterruptError, apsw.TooBigError, apsw.NoMemError, apsw.FullError))
    return spent or str(error) in _ENGINE_LIMITS


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _sortable(value: Any) -> tuple[str, Any]:
    return (type(value).__name__, value)
