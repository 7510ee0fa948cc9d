"""Inside a worker that never sees an application: one verifier, run as the judge runs it, and watched.

What is watched is code that is clumsy, not code that hides: a verifier may change whatever is told of it here. Its
verdict never comes from this worker.
"""

from __future__ import annotations

import ast
import functools
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

from awm_gym.formats.awm import frozen as clock
from awm_gym.formats.awm import generated, judge_program
from awm_gym.formats.awm.frozen import Frozen
from awm_gym.formats.awm.judge_program import FINAL, FUNCTIONS, INITIAL

_MANY = 100  # errors, or names, that are told at most
_SPELLED = 500  # characters of an error
_CURRENT = frozenset("current_timestamp current_date current_time".split())
_OF_DATES = frozenset("date time datetime julianday unixepoch strftime".split())
_ALWAYS = 9
# functions of the module time that ask it when they are given fewer arguments than so many
_TOLD = {"time": _ALWAYS, "time_ns": _ALWAYS, "gmtime": 1, "localtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}
_QUERY = re.compile(r"\s*(?:SELECT|WITH)\b", re.I)
_MISSING = re.compile(r"no such (?:table: (?!temp\.)|column)")
_NOW = re.compile(r"'now'|\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b")
_FROM = re.compile(r"\b(?:FROM|JOIN)\s+[\"'`\[]?(\w+)", re.I)


class _Seen:
    """What has been seen."""

    def __init__(self) -> None:
        self.reads: dict[str, set[str]] = {INITIAL: set(), FINAL: set()}
        self.errors: dict[str, None] = {}
        self.asks_time = False

    def error(self, error: sqlite3.Error) -> None:
        """Note what SQLite said."""
        if len(self.errors) < _MANY:
            self.errors[str(error)[:_SPELLED]] = None

    def table(self, path: str, name: str) -> None:
        """Note that a table was read."""
        if len(self.reads[path]) < _MANY and not name.lower().startswith("sqlite_"):
            self.reads[path].add(name)


_seen = _Seen()  # a process watches one verifier


class _Cursor(sqlite3.Cursor):
    """Notes what goes wrong, however it is caught later."""


def _noting(name: str) -> Callable[..., Any]:
    real = getattr(sqlite3.Cursor, name)

    def noting(self: sqlite3.Cursor, *arguments: Any, **options: Any) -> Any:
        try:
            return real(self, *arguments, **options)
        except sqlite3.Error as error:
            _seen.error(error)
            raise

    return noting


for _name in ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall", "__next__"):
    setattr(_Cursor, _name, _noting(_name))


class _Connection(sqlite3.Connection):
    """Gives such cursors, and notes who asks for the time."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        """By such a cursor; without this, by one of SQLite's own."""
        return self.cursor().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        """As `execute`."""
        return self.cursor().executemany(*arguments)

    def executescript(self, *arguments: Any) -> Any:
        """As `execute`."""
        return self.cursor().executescript(*arguments)

    def create_function(self, name: str, narg: int, func: Any, **options: Any) -> None:
        if name in _CURRENT or name in _OF_DATES:
            func = _asking(name, func)
        super().create_function(name, narg, func, **options)


def _asking(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    first = 1 if name == "strftime" else 0  # a format stands before the time

    def asked(*values: Any) -> Any:
        if len(values) <= first or any(isinstance(value, str) and value.lower() == "now" for value in values):
            _seen.asks_time = True
        return function(*values)

    return asked


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """Answers `trace`, once: what it runs may change anything here."""
    return _answer


def _answer(method: str, params: dict[str, Any], blob: bytes) -> tuple[Any, bytes]:
    frozen = Frozen(datetime.fromisoformat(params["now"]), params["seed"])
    frozen.install()
    _watch_clock()
    size, images = params["initial_size"], memoryview(blob)
    connect = _watched({INITIAL: images[:size], FINAL: images[size:]}, frozen)
    vars(sqlite3)["connect"] = vars(sqlite3.dbapi2)["connect"] = connect
    function = FUNCTIONS[params["kind"]]
    raised, result = "", None
    try:
        names = vars(generated.execute("awm_verifier", params["code"]))
        answer = [params["answer"]] if params["kind"] == "code" else []
        result = generated.plain(names[function](INITIAL, FINAL, *answer))
    except BaseException as error:  # it may raise anything, and what it raises is what is asked for
        raised = f"{type(error).__name__}: {error}"[:_SPELLED]
    told = {
        "raised": raised,
        "result": result,
        "errors": list(_seen.errors),
        "reads_initial": sorted(_seen.reads[INITIAL]),
        "reads_final": sorted(_seen.reads[FINAL]),
        "asks_time": _seen.asks_time,
    }
    return told | _in_text(params["code"], function, connect), b""


def _watch_clock() -> None:
    """Note who asks for the time, and not only how a time is spelled."""
    for kind, names in ((datetime, ("now", "utcnow")), (date, ("today",))):
        for name in names:
            clock._override(kind, name, _noted(kind.__dict__[name].__func__))
    for name, least in _TOLD.items():
        setattr(time, name, _noted(getattr(time, name), least))


def _noted(function: Callable[..., Any], least: int = _ALWAYS) -> Callable[..., Any]:
    """A function that asks for the time when it is given fewer arguments than so many."""

    def noted(*arguments: Any, **options: Any) -> Any:
        if len(arguments) < least:
            _seen.asks_time = True
        return function(*arguments, **options)

    return noted


def _watched(images: dict[str, memoryview], frozen: Frozen) -> Callable[..., sqlite3.Connection]:
    """What the judge puts in the place of `sqlite3.connect`, with connections that are watched."""
    real = sqlite3.connect
    vars(sqlite3)["connect"] = functools.partial(real, factory=_Connection)
    connect = judge_program._connecting(images, frozen)

    def watched(database: Any, *rest: Any, **options: Any) -> sqlite3.Connection:
        try:
            db = connect(database, *rest, **options)
        except sqlite3.Error as error:
            _seen.error(error)
            raise
        for path in images:
            if path in unquote(str(database)):
                db.set_authorizer(_reading(path))
        return db

    return watched


def _reading(path: str) -> Callable[..., int]:
    def note(action: int, table: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table:
            _seen.table(path, table)
        return sqlite3.SQLITE_OK

    return note


def _in_text(code: str, function: str, connect: Callable[..., sqlite3.Connection]) -> dict[str, Any]:
    """What the text of a verifier says, also where it has not been run."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        nodes = []
    texts = _texts(nodes)
    parts = {text for node in nodes if isinstance(node, ast.JoinedStr | ast.BinOp) for text in _texts(ast.walk(node))}
    return {
        "mentions": _mentions(texts, connect),
        "unprepared": _unprepared([text for text in texts if text not in parts], connect),
        "clock_in_text": any(map(_asks_time, nodes)) or any(_NOW.search(text) for text in texts),
        "uses_answer": any(_uses_answer(node, function) for node in nodes),
    }


def _texts(nodes: Iterable[ast.AST]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def _mentions(texts: list[str], connect: Callable[..., sqlite3.Connection]) -> list[str]:
    """Tables that queries in its strings name."""
    words = {word for text in texts for word in _FROM.findall(text)}
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = {row[0] for path in (INITIAL, FINAL) for row in connect(path).execute(sql)}
    return sorted(words & tables)[:_MANY]


def _unprepared(texts: list[str], connect: Callable[..., sqlite3.Connection]) -> list[str]:
    """What is missing from the final database that its queries want. They are compiled, not run."""
    db, found = connect(FINAL), dict[str, None]()
    for text in texts:
        if _QUERY.match(text):
            try:
                db(text)
            except (sqlite3.Error, sqlite3.Warning) as error:
                if _MISSING.match(str(error)):  # the others may be prose
                    found[str(error)[:_SPELLED]] = None
    return list(found)[:_MANY]


def _asks_time(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name("time"), attr=name), args=arguments):
            return len(arguments) < _TOLD.get(name, 0)
    return False


def _uses_answer(node: ast.AST, function: str) -> bool:
    """Whether a node is the verifier, and looks at what comes after the two databases."""
    if not isinstance(node, ast.FunctionDef) or node.name != function:
        return False
    own = node.args
    named = [*own.posonlyargs, *own.args, *own.kwonlyargs]
    rest = {argument.arg for argument in [*named[2:], own.vararg, own.kwarg] if argument}
    return any(
        isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id in rest for inner in ast.walk(node)
    )
