"""A small application that is run once, before all others and before the fork.

Python, FastAPI and SQLAlchemy put together at the first use what they need, and write it into memory that forks share.
What is put together here, no episode has to pay for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Body, FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

from awm_gym.formats.awm.asgi import Response, respond
from awm_gym.formats.awm.openapi import Request

_ADDRESS = "file:/rehearsal?vfs=memdb"
_ROUNDS = 12  # Python settles on the faster form of its code after eight
_THEN = datetime(2026, 2, 16, 12)


class _Table(DeclarativeBase):
    pass


class _Shelf(_Table):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)
    jars: Mapped[list[_Jar]] = relationship(back_populates="shelf")


class _Jar(_Table):
    __tablename__ = "jar"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    content: Mapped[str | None]
    filled_at: Mapped[datetime]
    grams: Mapped[float] = mapped_column(default=0.0)
    open: Mapped[bool] = mapped_column(default=False)
    shelf: Mapped[_Shelf] = relationship(back_populates="jars")


class _JarIn(BaseModel):
    shelf: str = Field(description="Label.")
    content: str | None = None
    grams: float = Field(0.0, ge=0)


class _JarOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    content: str | None
    filled_at: datetime
    grams: float


def _connect() -> sqlite3.Connection:
    return sqlite3.connect(_ADDRESS, uri=True, check_same_thread=False)


def _application() -> FastAPI:
    engine = create_engine("sqlite://", creator=_connect, poolclass=NullPool)
    _Table.metadata.create_all(engine)
    app = FastAPI()

    @app.post("/jars", operation_id="fill", response_model=_JarOut)
    async def fill(body: Annotated[_JarIn, Body()]) -> _Jar:
        with Session(engine, expire_on_commit=False) as session:
            shelf = session.query(_Shelf).filter(_Shelf.label == body.shelf).first() or _Shelf(label=body.shelf)
            jar = _Jar(shelf=shelf, content=body.content, filled_at=_THEN, grams=body.grams)
            session.add(jar)
            session.commit()
            session.refresh(jar)
            return jar

    @app.get("/shelves/{shelf_id}/jars", operation_id="list", response_model=list[_JarOut])
    async def jars(shelf_id: Annotated[int, Path()], least: Annotated[float, Query()] = 0.0) -> list[_Jar]:
        with Session(engine) as session:
            found = session.query(_Jar).join(_Shelf).filter(_Shelf.id == shelf_id, _Jar.grams >= least)
            return found.order_by(_Jar.filled_at.desc(), _Jar.id).limit(5).all()

    @app.put("/jars/{jar_id}", operation_id="open")
    async def open_jar(jar_id: int) -> dict[str, bool]:
        with Session(engine) as session:
            jar = session.get_one(_Jar, jar_id)
            jar.open = not jar.open
            session.commit()
            return {"open": jar.open}

    app.openapi()
    return app


def _requests() -> Iterator[Request]:
    """Some that are right, one that is malformed, and one that makes its handler raise."""
    headers = [(b"host", b"app"), (b"content-type", b"application/json")]
    for count in range(_ROUNDS):
        jar = json.dumps({"shelf": "top", "content": "plums", "grams": count}).encode()
        yield Request("POST", "/jars", {}, b"", headers, jar)
        yield Request("POST", "/jars", {}, b"", headers, b"{}")
        yield Request("GET", "/shelves/1/jars", {}, b"least=0", headers, b"")
        yield Request("PUT", "/jars/1", {}, b"", headers, b"")
        yield Request("PUT", "/jars/0", {}, b"", headers, b"")


def rehearse() -> list[int]:
    """Run it. Returns the statuses of its answers."""
    statuses = []
    with contextlib.closing(_connect()), contextlib.closing(asyncio.new_event_loop()) as loop:
        app = _application()
        for request in _requests():
            response = Response()
            with contextlib.suppress(Exception):  # what a handler raises comes after its 500
                loop.run_until_complete(respond(app, request, response))
            statuses.append(response.status)
    return statuses
