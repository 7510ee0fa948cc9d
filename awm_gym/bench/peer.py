"""The baseline's server: one process for one environment, its tools behind HTTP, its state in a SQLite file.

It is run as a script, with the files of an application and of its database and with a listening socket. It imports
nothing of awm_gym, so that the processes of the baseline are as light as such processes can be.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, create_model


class ToolDocument(TypedDict):
    """A tool: its statements, which of them answers, and the columns of the answer."""

    name: str
    description: str
    input_schema: dict[str, Any]
    statements: list[str]
    answer: int
    columns: list[str]


class Application(TypedDict):
    """All that a server needs to know: its tools, its clock, its user, and the database engine to use."""

    name: str
    version: str
    engine: Literal["sqlite3", "apsw"]
    now: str
    tick: int
    user: int | str | None
    tools: list[ToolDocument]


class Refused(Exception):
    """A tool's refuse() was called, with words for the agent."""


class Store:
    """A SQLite file, and the functions that a scenario's SQL may call. Its transactions are the caller's."""

    def __init__(self, application: Application, path: str) -> None:
        self._engine, self._user = application["engine"], application["user"]
        self.now = datetime.fromisoformat(application["now"])
        self._refusal: str | None = None
        engine = importlib.import_module(self._engine)
        self._error: type[Exception] = engine.Error
        self.db: Any = engine.Connection(path, **({"isolation_level": None} if self._engine == "sqlite3" else {}))
        self._register("refuse", 1, self._refuse)
        self._register("now", 0, lambda: self.now.isoformat())
        self._register("me", 0, lambda: self._user)
        for pragma in ("foreign_keys = ON", "journal_mode = DELETE", "synchronous = FULL"):
            self.db.execute(f"PRAGMA {pragma}").fetchall()

    def _register(self, name: str, count: int, function: Callable[..., Any]) -> None:
        if self._engine == "sqlite3":
            self.db.create_function(name, count, function, deterministic=name != "refuse")
        else:
            self.db.create_scalar_function(name, function, count, deterministic=name != "refuse")

    def _refuse(self, message: str) -> None:
        self._refusal = message
        raise Refused(message)

    def rows(self, sql: str, bindings: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of one statement.

        Raises:
            Refused: it called refuse().
        """
        self._refusal = None
        try:
            return list(self.db.execute(sql, bindings))
        except (self._error, Refused):
            if self._refusal is None:
                raise
            raise Refused(self._refusal) from None

    def call(self, tool: ToolDocument, bindings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a tool in a transaction of its own, and commit.

        Raises:
            Refused: it called refuse(); nothing has changed.
        """
        found: list[tuple[Any, ...]] = []
        self.db.execute("BEGIN")
        try:
            for index, sql in enumerate(tool["statements"]):
                rows = self.rows(sql, bindings)
                if index == tool["answer"]:
                    found = rows
        except (self._error, Refused):
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        return [dict(zip(tool["columns"], row, strict=True)) for row in found]


class Desk:
    """The tools over one store at a time."""

    def __init__(self, application: Application, path: str) -> None:
        self.application = application
        self._tick = timedelta(seconds=application["tick"])
        self._store = Store(application, path)

    def open(self, path: str) -> None:
        """Turn to another database."""
        self._store.db.close()
        self._store = Store(self.application, path)

    def call(self, tool: ToolDocument, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a tool with arguments that are checked, and let the clock move on.

        Raises:
            Refused: the tool refuses.
        """
        try:
            return self._store.call(tool, {name: _bound(value) for name, value in arguments.items()})
        finally:
            self._store.now += self._tick


def _bound(value: Any) -> Any:
    """An argument as SQL sees it."""
    if isinstance(value, list):
        return json.dumps([_bound(item) for item in value], ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


def arguments_model(tool: ToolDocument) -> type[BaseModel]:
    """A pydantic model of a tool's arguments."""
    schema = tool["input_schema"]
    fields: dict[str, Any] = {}
    for name, property_ in schema["properties"].items():
        kind = _python_type(property_)
        if name in schema["required"]:
            fields[name] = (kind, ...)
        else:
            fields[name] = (kind | None, property_.get("default"))
    return create_model(tool["name"], __config__=ConfigDict(extra="forbid"), **fields)


def _python_type(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if schema["type"] == "array":
        return Annotated[
            list[_python_type(schema["items"])],  # type: ignore[misc]
            Field(min_length=schema.get("minItems", 0), max_length=schema["maxItems"]),
        ]
    limits = {"minLength": "min_length", "maxLength": "max_length", "minimum": "ge", "maximum": "le"}
    bounds = {limits[key]: bound for key, bound in schema.items() if key in limits}
    kind = {"string": str, "integer": int, "number": float, "boolean": bool}[schema["type"]]
    return Annotated[kind, Field(**bounds)] if bounds else kind


def web_application(desk: Desk, **options: Any) -> FastAPI:
    """The tools as `POST /tools/<name>`, with a route for each, as generated applications have it."""
    app = FastAPI(title=desk.application["name"], **options)
    for tool in desk.application["tools"]:
        app.post(f"/tools/{tool['name']}", description=tool["description"])(_endpoint(desk, tool))

    @app.get("/health")
    async def health() -> str:
        return "up"

    @app.post("/open")
    async def open_database(path: str) -> str:
        desk.open(path)  # for the bench: more episodes in one process than a peer would play
        return path

    return app


def _endpoint(desk: Desk, tool: ToolDocument) -> Callable[..., Awaitable[JSONResponse]]:
    async def call(arguments: Any) -> JSONResponse:
        try:
            return JSONResponse(desk.call(tool, arguments.model_dump()))
        except Refused as refusal:
            return JSONResponse({"detail": str(refusal)}, status_code=409)

    call.__annotations__["arguments"] = arguments_model(tool)
    return call


def serve(app: Any, descriptor: int) -> None:
    """Serve an application on a listening socket until this process is killed, or its parent ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The protocol must be named, or asyncio does not know that it may send at once (TCP_NODELAY): 40 ms a call.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


def _end_with_parent() -> None:
    os.read(0, 1)  # the parent holds the other end and never writes: this returns when it is gone
    os._exit(0)


def opened(arguments: Iterable[str]) -> tuple[Desk, int]:
    """The desk and the socket that a command line names."""
    document, database, descriptor = arguments
    return Desk(json.loads(Path(document).read_text("utf-8")), database), int(descriptor)


if __name__ == "__main__":
    a_desk, a_socket = opened(sys.argv[1:])
    serve(web_application(a_desk), a_socket)
