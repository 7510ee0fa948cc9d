"""The hardened database under every world: its clock, its limits, and the state a scenario starts in.

Content SQL (schema, data, tools, checks) is hostile until proved otherwise. What each kind may do is a
`Phase`; an authorizer enforces it whenever SQLite prepares a statement, limits and budgets while it runs.
"""

from __future__ import annotations

import enum
import itertools
import os
import re
import threading
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import apsw

from awm_gym.errors import ScenarioError
from awm_gym.scenario import Scenario
from awm_gym.sql import DATA_VERBS, SCHEMA_VERBS, Statement, code_only, quote, refuse_forbidden_words, statements

PAGE_SIZE = 1024  # bytes; small pages keep a thousand small databases small
MAX_PAGES = 65_536  # 64 MB a world
MAX_STEPS = 2_000_000  # SQLite VM steps of one tool call: 10 to 110 ms
MAX_JUDGE_STEPS = 20_000_000  # the same for one verification
STATEMENT_CACHE = 512  # a connection keeps the statements of its last 512 executions prepared; apsw allows no more
MAX_ASKED = 5_000  # tables and columns that one statement may reach, through all its views: see Guard.authorize
MAX_GROWTH = 256 * 2**20  # bytes that one statement may make SQLite's heap grow by
_STRIDE = 1_000  # VM steps between two looks at the budget
_OPEN = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
_JULIAN_EPOCH_MS = 210_866_760_000_000  # Unix time 0 as SQLite counts it: ms since the Julian epoch
_LIMITS = {
    # LENGTH bounds what one opcode (instr, replace, LIKE) can burn: they are quadratic and uninterruptible
    apsw.SQLITE_LIMIT_LENGTH: 65_536,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    apsw.SQLITE_LIMIT_COLUMN: 200,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 1,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 1_000,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 8,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_CONFIG = {
    apsw.SQLITE_DBCONFIG_DEFENSIVE: 1,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA: 0,
    apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA: 0,
    apsw.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER: 0,
    apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION: 0,
    # without it a plan may depend on bound values, and each new value compiles the statement again
    apsw.SQLITE_DBCONFIG_ENABLE_QPSG: 1,
    apsw.SQLITE_DBCONFIG_DQS_DML: 0,
    apsw.SQLITE_DBCONFIG_DQS_DDL: 0,
}
FUNCTIONS = frozenset(
    """
    abs avg ceil ceiling coalesce concat concat_ws count cume_dist current_date current_time
    current_timestamp date datetime dense_rank exp first_value floor format glob group_concat hex if ifnull iif
    instr json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert
    json_object json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid julianday
    lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max me min mod now nth_value
    ntile nullif octet_length percent_rank pow power printf rank replace round row_number rtrim sign sqrt
    strftime string_agg substr substring sum time timediff total trim trunc typeof unicode unixepoch unlikely
    upper char -> ->>
    """.split()
)
_DEFAULT = re.compile(
    r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|'(?:[^']|'')*'|NULL|TRUE|FALSE|CURRENT_(TIMESTAMP|DATE|TIME)", re.I
)


class Phase(enum.Enum):
    """Whose SQL is being prepared."""

    RUNTIME = enum.auto()  # our own
    SCHEMA = enum.auto()
    DATA = enum.auto()
    TOOL = enum.auto()  # tools, and `given`
    JUDGE = enum.auto()  # checks, invariants: may read `before`, may write nothing


_SILENT = {apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE}
_ROWS = {apsw.SQLITE_READ, apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
_DDL = {
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_CREATE_VIEW,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_REINDEX,
}
_WRITES = {
    Phase.DATA: {apsw.SQLITE_INSERT},
    Phase.TOOL: {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE},
}


class Guard:
    """What a connection's SQL may do now, and how much of its budget it has used."""

    def __init__(self) -> None:
        self.phase = Phase.RUNTIME
        self.denied = ""
        self._ticks = self._most = self._heap = self._asked = 0

    def start(self, steps: int) -> None:
        """Give the statements that follow a fresh budget of VM steps."""
        self._ticks, self._most, self._heap = 0, steps // _STRIDE, apsw.memory_used() + MAX_GROWTH
        self._asked = 0

    def tick(self) -> bool:
        """SQLite's progress handler: True interrupts the statement. Our own SQL has no budget."""
        if self.phase is Phase.RUNTIME:
            return False
        self._ticks += 1
        return self._ticks > self._most or apsw.memory_used() > self._heap

    def authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        """SQLite's authorizer."""
        if self.phase is Phase.RUNTIME:
            return apsw.SQLITE_OK
        self._asked += 1
        if self._asked > MAX_ASKED:  # fifteen views, each the last one twice, keep SQLite's planner busy for a minute
            self.denied = "the statement reaches too far: join fewer views of views"
            return apsw.SQLITE_DENY
        if action in _SILENT:
            return apsw.SQLITE_OK
        if trigger and self.phase is Phase.DATA and action in _WRITES[Phase.TOOL] and database == "main":
            return apsw.SQLITE_OK  # triggers keep rows in step while the data come in, as they do under tools
        if self._allows(action, first or "", (second or "").lower(), database):
            return apsw.SQLITE_OK
        self.denied = _told(action, first or "", database)
        return apsw.SQLITE_DENY

    def _allows(self, action: int, first: str, second: str, database: str | None) -> bool:
        if action in _ROWS:
            if first.lower().startswith(("sqlite_", "pragma_", "dbstat")) or database == "temp":
                return self.phase is Phase.SCHEMA and first == "sqlite_master"
            if database == "before":
                return action == apsw.SQLITE_READ and self.phase is Phase.JUDGE
            return action == apsw.SQLITE_READ or action in _WRITES.get(self.phase, ())
        if action == apsw.SQLITE_FUNCTION:
            return second in FUNCTIONS or (second == "refuse" and self.phase is Phase.TOOL)
        if action == apsw.SQLITE_PRAGMA:  # SQLite's session extension asks for the columns of a table
            return first == "table_xinfo"
        return self.phase is Phase.SCHEMA and action in _DDL


def _told(action: int, first: str, database: str | None) -> str:
    name = str(apsw.mapping_authorizer_function[action]).removeprefix("SQLITE_").replace("_", " ")
    return f"{name} {'.'.join(part for part in (database, first) if part)} is not allowed here"


class _ClockVFS(apsw.VFS):
    """The operating system as in-memory databases see it, but for the time: they get the scenario's."""

    def xCurrentTimeInt64(self) -> int:
        return _clock.ms


class _Clock(threading.local):
    """The time that SQLite sees on this thread, in ms since the Julian epoch."""

    ms = _JULIAN_EPOCH_MS


_clock = _Clock()
_VFS = "awm_gym"
_vfs = _ClockVFS(_VFS, "")
_numbers = itertools.count()


def set_clock(now: datetime) -> None:
    """Set the time that every statement run on this thread sees from now on."""
    _clock.ms = _julian_ms(now)


@lru_cache(maxsize=1024)
def _julian_ms(now: datetime) -> int:
    return _JULIAN_EPOCH_MS + int(now.replace(tzinfo=UTC).timestamp()) * 1000


def connect(guard: Guard, where: str = ":memory:", statement_cache: int = STATEMENT_CACHE) -> apsw.Connection:
    """Open an in-memory database with every protection in force."""
    # The VFS that shares memory between connections has a clock of its own: those are only ever read.
    vfs = _VFS if where == ":memory:" else "memdb"
    db = apsw.Connection(where, flags=_OPEN, vfs=vfs, statementcachesize=statement_cache)
    db.execute(
        f"PRAGMA page_size={PAGE_SIZE}; PRAGMA max_page_count={MAX_PAGES}; PRAGMA temp_store=MEMORY;"
        "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0"
    ).fetchall()  # some of these answer a row, and what follows a row runs when it is fetched
    for option, value in _CONFIG.items():
        db.config(option, value)
    for limit, most in _LIMITS.items():
        db.limit(limit, most)
    for function in ("trim", "ltrim", "rtrim"):
        db.create_scalar_function(function, None, 2)  # quadratic within one opcode
    db.set_progress_handler(guard.tick, _STRIDE)
    db.authorizer = guard.authorize
    return db


def add_clock_and_user(db: apsw.Connection, now: apsw.ScalarProtocol, user: int | str | None) -> None:
    """Register `now()` and `me()`."""
    flags = apsw.SQLITE_INNOCUOUS
    db.create_scalar_function("now", now, 0, deterministic=True, flags=flags)
    db.create_scalar_function("me", lambda *_: user, 0, deterministic=True, flags=flags)


class Column(NamedTuple):
    """A column: `default` is the SQL text of its DEFAULT, "NULL" without one."""

    name: str
    type: str
    required: bool
    default: str


class Table(NamedTuple):
    """A table of a scenario, with the names of its columns and of its primary key's."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def numbers_itself(self) -> bool:
        """Whether SQLite gives a new row its key."""
        return len(self.key) == 1 and any(c.name == self.key[0] and c.type == "INTEGER" for c in self.columns)


class Template:
    """The initial database of a scenario, built once; worlds are copied from it.

    Raises:
        ScenarioError: schema or data do not load whole, or break a rule of the format.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.guard = Guard()
        self.db = connect(self.guard)
        self.lock = threading.RLock()  # whoever uses `db` holds it: worlds of many threads share a template
        self.verifiers: dict[int, tuple[Any, Any]] = {}  # id of a task -> the task, its compiled end states
        self._states: dict[str, tuple[str, apsw.Connection]] = {}
        now = scenario.now.isoformat()
        add_clock_and_user(self.db, lambda *_: now, scenario.user.id)
        set_clock(scenario.now)
        for statement in checked_statements(scenario.db_schema, "schema.sql", SCHEMA_VERBS):
            self.run(Phase.SCHEMA, statement, "schema.sql")
        self.tables = self._read_tables()
        self._check_references()
        self.db.execute("BEGIN")
        for statement in checked_statements(scenario.data, "data.sql", DATA_VERBS):
            self.run(Phase.DATA, statement, "data.sql")
        self.db.execute("COMMIT")

    def _check_references(self) -> None:
        try:
            self.db.execute("PRAGMA foreign_key_check").fetchall()
        except apsw.SQLError as error:  # SQLite takes such a schema, and fails when the tables are used
            remedy = "REFERENCES names a table and its key, or columns that are UNIQUE together"
            raise ScenarioError(f"{error}; {remedy}", file="schema.sql") from error

    def run(self, phase: Phase, statement: Statement, file: str, db: apsw.Connection | None = None) -> None:
        """Run one statement of the author's.

        Raises:
            ScenarioError: it fails; the error has the statement, the line and the position.
        """
        self.guard.start(MAX_JUDGE_STEPS)
        self.guard.phase = phase
        try:
            (db or self.db).execute(statement.text)
        except apsw.Error as error:
            raise sql_error(error, statement, self.guard, file=file) from error
        finally:
            self.guard.phase = Phase.RUNTIME

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of our own SQL over the initial state."""
        with self.lock:
            return self.db.execute(sql).fetchall()

    def copy_to(self, db: apsw.Connection) -> None:
        """Fill an empty database with the initial state."""
        with self.lock, db.backup("main", self.db, "main") as backup:
            backup.step()

    def state(self, given: str | None) -> str:
        """URI of a read-only copy of the initial state, after `given`, shared by all worlds of this process.

        Raises:
            ScenarioError: the SQL of `given` fails.
        """
        key = given or ""
        with self.lock:
            if key not in self._states:
                self._states[key] = self._build_state(key)
            return self._states[key][0]

    def _build_state(self, given: str) -> tuple[str, apsw.Connection]:
        # A "/" makes the name shared within the process; the connection kept beside it keeps it alive.
        uri = f"file:/awm_gym-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        scratch = connect(self.guard)
        set_clock(self.scenario.now)
        add_clock_and_user(scratch, lambda *_: self.scenario.now.isoformat(), self.scenario.user.id)
        with scratch.backup("main", self.db, "main") as backup:
            backup.step()
        for statement in statements(given):
            self.run(Phase.TOOL, statement, "tasks.toml", scratch)
        kept = connect(self.guard, uri)
        with kept.backup("main", scratch, "main") as backup:
            backup.step()
        return uri + "&mode=ro", kept

    def _read_tables(self) -> dict[str, Table]:
        tables = {}
        # No pragma_table_list: it would expand every view, with no bound on the work
        rows: list[tuple[Any, ...]] = self.db.execute(
            "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY type, name"
        ).fetchall()
        for name, kind, sql in rows:
            if kind == "view":
                self._try_view(name)
            else:
                options = code_only(sql).rpartition(")")[2].upper().replace(",", " ").split()
                tables[name] = self._read_table(name, "STRICT" in options)
        if not tables:
            raise ScenarioError("there is no table; a scenario needs a database", file="schema.sql")
        return tables

    def _try_view(self, name: str) -> None:
        try:
            self.run(Phase.JUDGE, Statement(f"SELECT * FROM {quote(name)} LIMIT 0;", 1), "schema.sql")
        except ScenarioError as error:
            raise ScenarioError(f"does not work as a view: {error.problem}", file="schema.sql", key=name) from error

    def _read_table(self, name: str, strict: bool) -> Table:
        columns, key = [], []
        rows: list[tuple[Any, ...]] = self.db.execute(f"PRAGMA table_xinfo({quote(name)})").fetchall()
        for _, column, kind, required, default, place, hidden in rows:
            where = f"{name}.{column}"
            if hidden:
                raise ScenarioError("is a generated column; use a view", file="schema.sql", key=where)
            if default is not None and not _DEFAULT.fullmatch(default):
                raise ScenarioError(
                    f"DEFAULT {default} is neither a literal nor CURRENT_*", file="schema.sql", key=where
                )
            if kind.upper() not in ("INTEGER", "REAL", "TEXT"):
                raise ScenarioError(f"has the type {kind!r}; use INTEGER, REAL or TEXT", file="schema.sql", key=where)
            columns.append(Column(column, kind.upper(), bool(required), default or "NULL"))
            if place and self.db.column_metadata("main", name, column)[1] != "BINARY":
                raise ScenarioError(
                    "a key may not have a COLLATE: 'a' and 'A' are two rows; give it to an index or a query",
                    file="schema.sql",
                    key=where,
                )
            if place:
                key.append((place, column))
        problem = None
        if not key:
            problem = "has no PRIMARY KEY; without one, equal rows cannot be told apart"
        elif not strict:
            problem = "is not STRICT; write `) STRICT;` so that columns hold what they declare"
        elif name == "any" or {c.name for c in columns} & {"new", "gone"}:
            problem = "may not be named any, nor a column new or gone: `changes` uses these words"
        if problem:
            raise ScenarioError(problem, file="schema.sql", key=name)
        return Table(name, tuple(columns), tuple(column for _, column in sorted(key)))

    def __del__(self) -> None:
        for _, kept in getattr(self, "_states", {}).values():
            kept.close()


def checked_statements(script: str, file: str, verbs: tuple[str, ...], key: str = "") -> tuple[Statement, ...]:
    """Split a script of the author's; each statement must begin with one of `verbs`.

    Raises:
        ScenarioError: it cannot be split, or a statement is of another kind.
    """
    try:
        refuse_forbidden_words(script)
        found = statements(script)
    except ScenarioError as error:
        raise ScenarioError(error.problem, file=file, key=key) from None
    for statement in found:
        verb = re.match(r"\W*(\w*)", statement.text)
        if verb is None or verb.group(1).upper() not in verbs:
            raise ScenarioError(
                f"line {statement.line}: only {', '.join(verbs)} may stand here: {statement.head!r}",
                file=file,
                key=key,
            )
    return found


def sql_error(error: apsw.Error, statement: Statement, guard: Guard, *, file: str, key: str = "") -> ScenarioError:
    """A ScenarioError that shows where in the author's SQL the engine gave up, and why."""
    reason = guard.denied if isinstance(error, apsw.AuthError) else str(error)
    offset = getattr(error, "error_offset", -1)
    line, place = statement.line, ""
    if offset > 0:
        before = statement.text.encode()[:offset].decode(errors="replace")
        line += before.count("\n")
        place = f", column {len(before) - before.rfind(chr(10))}"
    return ScenarioError(f"line {line}{place}: {reason}, in: {statement.head}", file=file, key=key)
