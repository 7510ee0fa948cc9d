"""One request to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from awm_gym.formats.awm.openapi import Request

_Message = MutableMapping[str, Any]


class Response:
    """What an application has answered by now; a 500 until it has begun."""

    def __init__(self) -> None:
        self.status, self._parts = 500, list[bytes]()

    @property
    def body(self) -> bytes:
        """What it has sent."""
        return b"".join(self._parts)

    async def take(self, message: _Message) -> None:
        """The `send` of ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self._parts.append(message.get("body", b""))


class _Client:
    """The other side of an application: it says one thing, and then waits."""

    def __init__(self, body: bytes) -> None:
        self._bodies = [body]

    async def receive(self) -> _Message:
        if self._bodies:
            return {"type": "http.request", "body": self._bodies.pop(), "more_body": False}
        silence: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()
        return await silence


async def respond(app: Any, request: Request, response: Response, /, **scope: Any) -> None:
    """Have an application answer a request. Raises whatever it raises.

    Args:
        app: an ASGI application.
        request: what is asked.
        response: takes the answer.
        scope: what the application shall find beside what every server tells.
    """
    told = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": request.query,
        "headers": request.headers,
        "client": ("127.0.0.1", 1),
        "server": ("app", 80),
    }
    await app(told | scope, _Client(request.body).receive, response.take)
