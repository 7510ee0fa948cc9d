"""Requests as one transaction each, and answers instead of crashes."""

# Inserted by awm-gym: what cannot be done is answered, and leaves nothing behind.
import contextlib as _awm_contextlib
import contextvars as _awm_contextvars
import functools as _awm_functools
import inspect as _awm_inspect
import threading as _awm_threading
import typing as _awm_typing

import sqlalchemy as _awm_sqlalchemy
from fastapi import HTTPException as _AwmHTTPException
from fastapi.responses import JSONResponse as _AwmJSONResponse
from pydantic import BaseModel as _AwmBaseModel
from pydantic import ValidationError as _AwmValidationError
from sqlalchemy.exc import IntegrityError as _AwmIntegrityError
from sqlalchemy.exc import NoResultFound as _AwmNoResultFound
from sqlalchemy.exc import StatementError as _AwmStatementError

_AwmAny = _awm_typing.Any
_AWM_MALFORMED = (TypeError, ValueError, OverflowError)


class _AwmRequest:
    """The one transaction of a request, which begins with its first session."""

    def __init__(self, engine: _AwmAny) -> None:
        self.engine, self.keep = engine, True
        self.connection: _AwmAny = None

    def joined(self) -> _AwmAny:
        """The connection that sessions join."""
        if self.connection is None:
            self.connection = self.engine.connect()
            self.connection.exec_driver_sql("BEGIN")
        return self.connection

    def end(self, *, keep: bool) -> None:
        """Commit or undo what the sessions committed; what they left open is undone. The second time does nothing."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with connection:
                while (nested := connection.get_nested_transaction()) is not None:
                    nested.rollback()
                if keep:
                    connection.commit()


@_awm_contextlib.contextmanager
def _awm_transaction(engine: _AwmAny) -> "_awm_typing.Iterator[_AwmRequest]":
    """What a handler does, whole or not at all, and alone: two that have read and want to write lock each other out."""
    request = _AwmRequest(engine)
    current = getattr(engine, "awm_current", None)
    if current is None:
        yield request
        return
    with engine.awm_turn:
        token = current.set(request)
        try:
            yield request
            request.end(keep=request.keep)
        finally:
            request.end(keep=False)
            current.reset(token)


def _awm_joining(kind: _AwmAny, current: _AwmAny) -> _AwmAny:
    """A class of sessions that join the transaction of their request."""

    def begin(session: _AwmAny, *args: _AwmAny, **kwargs: _AwmAny) -> None:
        request = current.get()
        if request is not None:
            kwargs.update(bind=request.joined(), join_transaction_mode="create_savepoint")
        kind.__init__(session, *args, **kwargs)

    return type("AwmSession", (kind,), {"__init__": begin})


def _awm_join_requests(engine: _AwmAny, *makers: _AwmAny) -> None:
    """Have a request that is refused leave nothing behind."""
    engine.awm_current = _awm_contextvars.ContextVar("awm_current", default=None)
    engine.awm_turn = _awm_threading.RLock()  # by thread: handlers that take turns on one must not wait for each other
    for maker in makers:
        maker.class_ = _awm_joining(maker.class_, engine.awm_current)


def _awm_enforce_keys(engine: _AwmAny) -> None:
    """Have every connection enforce foreign keys."""

    def enforce(connection: _AwmAny, _: _AwmAny) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    _awm_sqlalchemy.event.listen(engine, "connect", enforce)
    engine.dispose()


def _awm_answer_errors(app: _AwmAny) -> None:
    """Answer what the database refuses, and what cannot be read."""

    async def conflict(_: _AwmAny, error: _AwmAny) -> _AwmJSONResponse:
        return _AwmJSONResponse({"detail": f"That conflicts with the data: {error.orig}."}, 409)

    async def missing(_: _AwmAny, error: _AwmAny) -> _AwmJSONResponse:
        return _AwmJSONResponse({"detail": "There is no such row."}, 404)

    async def malformed(_: _AwmAny, error: _AwmAny) -> _AwmJSONResponse:
        cause = error.orig if isinstance(error, _AwmStatementError) else error
        if isinstance(cause, _AwmValidationError) or not isinstance(cause, _AWM_MALFORMED):
            raise error  # that is not what the request says, but the application's own mistake
        return _AwmJSONResponse({"detail": f"A value cannot be read: {cause}."}, 422)

    app.exception_handlers.setdefault(_AwmIntegrityError, conflict)
    app.exception_handlers.setdefault(_AwmNoResultFound, missing)
    for kind in (_AwmStatementError, *_AWM_MALFORMED[1:]):
        app.exception_handlers.setdefault(kind, malformed)


def _awm_named(name: str, value: _AwmAny) -> "_awm_typing.Iterator[tuple[str, int | str]]":
    """All plain values of an argument, each with the name that it has where it stands."""
    if isinstance(value, _AwmBaseModel):
        value = dict(value)
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _awm_named(str(key), part)
    elif isinstance(value, list):
        for part in value:
            yield from _awm_named(name, part)
    elif isinstance(value, int | str) and not isinstance(value, bool):
        yield name, value


def _awm_refuse_ghosts(engine: _AwmAny, rows: _AwmAny, arguments: _AwmAny) -> None:
    """Answer 404 where an argument names a row that is not there."""
    named = [found for argument, value in arguments.items() for found in _awm_named(argument, value)]
    sought = [(*rows[name], value) for name, value in named if name in rows]
    if not sought:
        return
    with engine.connect() as db:
        for table, column, value in sought:
            sql = f'SELECT 1 FROM "{table}" WHERE "{column}" = ?'
            too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
            if too_large or db.exec_driver_sql(sql, (value,)).first() is None:
                raise _AwmHTTPException(404, f"There is no row in {table} with {column} {value!r}.")


def _awm_explain(error: AttributeError, handler: _AwmAny, lookups: _AwmAny) -> None:
    """Answer 404 where a handler found no row and went on as if it had."""
    trace = error.__traceback__ if str(error).startswith("'NoneType' object has no attribute") else None
    while trace is not None:
        found = trace.tb_frame.f_locals if trace.tb_frame.f_code is handler.__code__ else {}
        for name, table in lookups.items():
            if name in found and found[name] is None:
                raise _AwmHTTPException(404, f"There is no such row in {table}.") from error
        trace = trace.tb_next


def _awm_checked(engine: _AwmAny, rows: _AwmAny, lookups: _AwmAny) -> _AwmAny:
    """Decorates a handler: `rows` tells argument -> (table, column), `lookups` variable -> table."""

    def decorate(handler: _AwmAny) -> _AwmAny:
        @_awm_contextlib.contextmanager
        def surrounded(arguments: _AwmAny) -> "_awm_typing.Iterator[_AwmRequest]":
            with _awm_transaction(engine) as request:
                _awm_refuse_ghosts(engine, rows, arguments)
                try:
                    yield request
                except AttributeError as error:
                    _awm_explain(error, handler, lookups)
                    raise

        @_awm_functools.wraps(handler)
        def answer(*args: _AwmAny, **kwargs: _AwmAny) -> _AwmAny:
            with surrounded(kwargs) as request:
                found = handler(*args, **kwargs)
                request.keep = getattr(found, "status_code", 200) < 400
            return found

        @_awm_functools.wraps(handler)
        async def answer_later(*args: _AwmAny, **kwargs: _AwmAny) -> _AwmAny:
            with surrounded(kwargs) as request:
                found = await handler(*args, **kwargs)
                request.keep = getattr(found, "status_code", 200) < 400
            return found

        return answer_later if _awm_inspect.iscoroutinefunction(handler) else answer

    return decorate
