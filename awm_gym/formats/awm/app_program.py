"""Inside a worker: one generated FastAPI application, its database, and calls of its operations.

The application runs as it is, with three things of ours beneath it: the engine that it creates holds our database in
memory, the clock stands still, and a request goes straight to the route of its operation. There is no server.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import sqlite3
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import fastapi.openapi.utils
import sqlalchemy.orm
import sqlalchemy.pool
from fastapi import FastAPI, routing

from awm_gym.formats.awm import compact, generated, kept, openapi
from awm_gym.formats.awm.asgi import Response, respond
from awm_gym.formats.awm.frozen import Frozen
from awm_gym.formats.awm.openapi import Operation
from awm_gym.formats.awm.rehearsal import rehearse

_PACKAGES = """
pydantic starlette fastapi anyio sqlalchemy.engine sqlalchemy.event sqlalchemy.ext sqlalchemy.orm sqlalchemy.sql
sqlalchemy.dialects.sqlite sqlalchemy.dialects.postgresql
""".split()
generated.preload(*_PACKAGES)
rehearse()

_MODULE = "awm_app"
_ADDRESS = "file:/awm?vfs=memdb"  # a database in memory that connections of this process share
_LOCKED_SECONDS = 0.1  # whoever holds the lock is of this process, and will not let go while we wait
_VERSION = slice(40, 44)  # where an image says how often its schema has changed
_TOO_LONG = 413
# What a connection to SQLite remembers beside the database, and nobody but who asks for it can tell.
_ASKED_OF_CONNECTIONS = re.compile(
    r"last_insert_rowid|changes\s*\(|pragma|\btemp(orary)?\s+(table|view|trigger)", re.IGNORECASE
)
_ROUNDS = 3  # of a rehearsal, after code was moved
_LAST_SECONDS = 1.0  # for a thread that is about to end


class _Tool(NamedTuple):
    """An operation, and the route that answers it."""

    operation: Operation
    route: Any


class _Connection(sqlite3.Connection):
    """Counts among the live ones; the class of C does not."""


class _Database:
    """The database in memory."""

    def __init__(self, image: bytes, frozen: Frozen) -> None:
        self._frozen = frozen
        self._live: weakref.WeakSet[_Connection] = weakref.WeakSet()
        # It lives for as long as one connection to it does: this one.
        self._anchor = sqlite3.connect(_ADDRESS, uri=True, isolation_level=None, check_same_thread=False, timeout=0)
        self.restore(image)

    def connect(self) -> sqlite3.Connection:
        """Another connection, for the application."""
        db = sqlite3.connect(_ADDRESS, uri=True, check_same_thread=False, timeout=_LOCKED_SECONDS, factory=_Connection)
        db.execute("PRAGMA temp_store = MEMORY")
        self._live.add(db)
        return self._frozen.adopt(db)

    def restore(self, image: bytes) -> None:
        """Make the database what an image says; what is under way on other connections is undone."""
        for db in list(self._live):
            db.rollback()
        with contextlib.closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(image)
            source.backup(self._anchor, progress=_insist)
        version = int.from_bytes(image[_VERSION], "big")  # the backup counts it up
        self._anchor.execute(f"PRAGMA schema_version = {version}")

    def settled(self) -> bool:
        """Whether no connection is in the middle of something."""
        return not any(db.in_transaction for db in self._live)

    def image(self) -> bytes:
        """What is committed."""
        return self._anchor.serialize()


def _insist(status: int, remaining: int, total: int) -> None:
    """Give up a backup that something keeps waiting, which by itself would wait for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise sqlite3.OperationalError("the application holds on to its database")


class _Stage:
    """What answers calls: first `load`, then any of the others."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}
        self._engines: list[sqlalchemy.Engine] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._first: dict[str, Any] | None = None  # the call that a child makes before all others

    def __call__(self, method: str, params: dict[str, Any], blob: bytes) -> tuple[Any, bytes]:
        match method:
            case "load":
                return self._load(params, blob)
            case "call":
                return self._call(self._tools[params["tool"]], params["arguments"], params["most"])
            case "restore":
                self._restore()
            case "rehearse":
                return self._rehearse(params["calls"], params["most"]), b""
            case "image":
                return None, self._database.image()
        return None, b""

    def begin(self, _: Callable[[int], bool]) -> None:
        """In a child, before it is asked anything: make a call that only reads.

        A process that was just forked copies each page of memory that it writes to, and running code is writing. Every
        child does it, so that even the addresses of what it makes are the same.
        """
        self._running_loop()
        if self._first:
            self._play([self._first], 1, 1)
            self._frozen.reseed()

    def _load(self, params: dict[str, Any], image: bytes) -> tuple[dict[str, Any], bytes]:
        """Load an application; what it raises is told and is its author's mistake."""
        self._frozen = Frozen(datetime.fromisoformat(params["now"]), params["seed"])
        self._database = _Database(image, self._frozen)
        self._frozen.install()
        self._surround()
        try:
            self._code = params["code"]
            self._module = generated.execute(_MODULE, self._code)
            app = _application(self._module)
            self._start(app)
            with contextlib.suppress(Exception):  # what fails now fails again when it is used
                sqlalchemy.orm.configure_mappers()
            found = list(_operations(app))
            self._app, self._router = app, app.router
            app.router = self._to_route  # type: ignore[assignment]
            self._stack = app.build_middleware_stack()
        except (Exception, SystemExit) as error:
            return {"failed": _spelled(error)}, b""
        self._initial = self._database.image()
        named = openapi.distinct(tool.operation for tool in found)
        self._tools = {
            operation.name: _Tool(operation, tool.route) for operation, tool in zip(named, found, strict=True)
        }
        self._settle()
        return _told(named, [tool.operation.name for tool in found]), self._initial

    def _restore(self) -> None:
        self._frozen.reseed()
        self._database.restore(self._initial)

    def _rehearse(self, calls: list[dict[str, Any]], most: int) -> bool:
        """Make calls, and undo what they did to the database. Returns whether nothing else is left of them.

        What is compiled at its first use, statements above all, is compiled for all processes forked from here on.
        """
        try:
            before = self._kept()
            self._play(calls, most, 1)
            compact.gather(lambda: self._play(calls, most, 1))
            self._play(calls, most, _ROUNDS)
            clean = kept.same(before, self._kept()) and self._database.settled() and not _threads()
        except kept.Unclear:
            return False
        asked = _ASKED_OF_CONNECTIONS.search(self._code)
        self._first = None if asked else next((call for call in calls if self._only_reads(call, most)), None)
        self._running_loop().close()
        self._loop = None
        self._restore()
        if asked:
            self._reconnect()
        self._settle()
        return clean

    def _only_reads(self, call: dict[str, Any], most: int) -> bool:
        before = self._database.image()
        told, _ = self._call(self._tools[call["name"]], call["arguments"], most)
        return bool(told["status"] == 200) and self._database.image() == before

    def _reconnect(self) -> None:
        """Have connections that no call was made on."""
        for engine in self._engines:
            engine.dispose()
            with contextlib.suppress(Exception):  # what fails now fails again when it is used
                engine.connect().close()

    def _play(self, calls: list[dict[str, Any]], most: int, rounds: int) -> None:
        for _ in range(rounds):
            for call in calls:
                self._call(self._tools[call["name"]], call["arguments"], most)

    def _kept(self) -> list[Any]:
        return kept.snapshot(self._module, vars(self._app.state))

    def _settle(self) -> None:
        """Before episodes are forked: have what they share stay where it is."""
        gc.collect()
        gc.freeze()  # so that collections in episodes do not touch, and thereby copy, it

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this process. While there may be forks there is none, for they would share its wake-up calls."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def _surround(self) -> None:
        """Put in the way what would leave this process."""

        def create_engine(*_: Any, **__: Any) -> sqlalchemy.Engine:
            # The pool is that of a database in a file, but never makes anybody wait.
            pool = sqlalchemy.pool.QueuePool
            engine = create("sqlite://", creator=self._database.connect, poolclass=pool, max_overflow=-1)
            self._engines.append(engine)
            return engine

        create = sqlalchemy.create_engine
        vars(sqlalchemy)["create_engine"] = vars(sqlalchemy.engine)["create_engine"] = create_engine
        uvicorn = types.ModuleType("uvicorn")
        uvicorn.run = lambda *_, **__: None  # type: ignore[attr-defined]
        sys.modules["uvicorn"] = uvicorn
        os.environ["DATABASE_PATH"] = "sqlite:////awm.db"

    def _start(self, app: FastAPI) -> None:
        """Run what the application does when its server starts."""
        self._lifespan = app.router.lifespan_context(app)  # kept: its end would run what comes after
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(self._lifespan.__aenter__())

    def _call(self, tool: _Tool, arguments: dict[str, Any], most: int) -> tuple[dict[str, Any], bytes]:
        """Have the application answer. What its handler raises is a 500, as a server makes of it."""
        request, response, error = openapi.request(tool.operation, arguments), Response(), ""
        found = {"app": self._app, "router": self._router, "route": tool.route, "endpoint": tool.route.endpoint}
        answering = respond(self._stack, request, response, **found, path_params=request.path_parameters)
        try:
            self._running_loop().run_until_complete(answering)
        except Exception as raised:
            error = _spelled(raised)
        if error:
            gc.collect()  # a session that was left open in what was raised holds a lock
        body = response.body
        if len(body) > most:
            return {"status": _TOO_LONG, "error": f"an answer of {len(body)} bytes"}, b""
        return {"status": response.status, "error": error}, body

    @staticmethod
    async def _to_route(scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Stands in for the router, which would go by the path."""
        await scope["route"].app(scope, receive, send)


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """Answers `load`, and then `call`, `restore`, `image`."""
    return _Stage()


def _threads() -> bool:
    """Whether threads go on after the calls that started them."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(_LAST_SECONDS)
    return threading.active_count() > 1


def _application(module: types.ModuleType) -> FastAPI:
    found = [value for value in (vars(module).get("app"), *vars(module).values()) if isinstance(value, FastAPI)]
    if not found:
        raise LookupError("the code makes no FastAPI application")
    return found[0]


def _operations(app: FastAPI) -> Iterator[_Tool]:
    """The operations of an application in the order of its routes, which a document of all routes would merge."""
    flat: Callable[..., Any] = getattr(routing, "iter_route_contexts", iter)  # newer ones keep routers nested
    for route in flat(app.routes):
        document = fastapi.openapi.utils.get_openapi(title=app.title, version=app.version, routes=[route])
        for operation in openapi.operations(document):
            yield _Tool(operation, route)


def _told(found: list[Operation], ids: list[str]) -> dict[str, Any]:
    last = {(operation.method, operation.path): operation.name for operation in found}
    return {
        "tools": [
            {
                "name": operation.name,
                "description": operation.description,
                "input_schema": operation.schema,
                "method": operation.method,
                "path": operation.path,
                "exposed": last[operation.method, operation.path] == operation.name,
            }
            for operation in found
        ],
        "collisions": [collision._asdict() for collision in openapi.collisions(found, ids)],
    }


def _spelled(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1_000]
