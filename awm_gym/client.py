"""The roads to a tool server: one seam, several ways through, byte-equal answers on all of them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from awm_gym.errors import EnvironmentFault, UsageError, unknown
from awm_gym.scenario import ToolCall
from awm_gym.server import ToolAnswer, ToolInfo, ToolServer

_T = TypeVar("_T")


class Road(Protocol):
    """The seam: list the tools, call one, leave."""

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The server's tools."""

    def call_tool(self, call: ToolCall) -> ToolAnswer:
        """Call a tool and wait for its answer."""

    def close(self) -> None:
        """Leave. Closing twice is harmless."""


class DirectRoad:
    """Calls the server's handlers in process: microseconds."""

    def __init__(self, server: ToolServer) -> None:
        self._server = server

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The server's tools."""
        return self._server.list_tools()

    def call_tool(self, call: ToolCall) -> ToolAnswer:
        """Call a tool."""
        return self._server.call_tool(call.name, call.arguments)

    def close(self) -> None:
        """Nothing to leave."""


class MemoryRoad:
    """Speaks framed MCP with the server, in process, over one background event loop for all such roads."""

    def __init__(self, server: ToolServer) -> None:
        sdk = importlib.import_module("awm_gym.mcp_sdk")  # the SDK takes a second to import; most never need it
        self._timeout: float = sdk.TIMEOUT
        self._loop = _background_loop()
        self._session: Any = None
        self._leave = asyncio.Event()
        ready = threading.Event()
        self._failure: BaseException | None = None

        async def live() -> None:
            # Contexts of the SDK must be left by the task that entered them, so one task lives for the session.
            try:
                async with sdk.in_memory(server) as session:
                    self._session = session
                    ready.set()
                    await self._leave.wait()
            except BaseException as error:
                self._failure = error
                raise
            finally:
                ready.set()

        self._life = asyncio.run_coroutine_threadsafe(live(), self._loop)
        if not ready.wait(self._timeout) or self._session is None:
            self._life.cancel()
            raise EnvironmentFault(f"the MCP session did not open: {self._failure}") from self._failure

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The server's tools."""
        listing: tuple[ToolInfo, ...] = self._wait(self._session.list_tools())
        return listing

    def call_tool(self, call: ToolCall) -> ToolAnswer:
        """Call a tool and wait for its answer.

        Raises:
            EnvironmentFault: no answer came in time, or one outside the protocol.
        """
        answer: ToolAnswer = self._wait(self._session.call_tool(call.name, dict(call.arguments)))
        return answer

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._life.done():
            work.close()
            raise EnvironmentFault("the MCP session has ended")
        done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        async def hand_over() -> None:
            try:
                done.put((await work, None))
            except BaseException as error:  # whatever it is, the caller waits for it and raises it
                done.put((None, error))

        self._loop.call_soon_threadsafe(self._start, hand_over())
        try:
            answer, failure = done.get(timeout=self._timeout)
        except queue.Empty:
            self._life.cancel()  # the call may yet be carried out: nothing more can be known of the episode
            raise EnvironmentFault(f"no answer within {self._timeout:g} seconds") from None
        if failure is not None:
            raise failure
        result: _T = answer
        return result

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._running = self._loop.create_task(work)  # the loop itself keeps no strong reference

    def close(self) -> None:
        """End the session. Closing twice is harmless."""
        if not self._life.done():
            self._loop.call_soon_threadsafe(self._leave.set)
            concurrent.futures.wait([self._life], self._timeout)


_loops: dict[int, asyncio.AbstractEventLoop] = {}
_starting = threading.Lock()


def _background_loop() -> asyncio.AbstractEventLoop:
    """The event loop of this process's roads. A forked child has no threads, so it gets its own."""
    with _starting:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            # A daemon: an environment that nobody closed must not keep the interpreter from ending.
            threading.Thread(target=loop.run_forever, name="awm_gym-mcp", daemon=True).start()
            _loops[os.getpid()] = loop
        return loop


ROADS: dict[str, Callable[[ToolServer], Road]] = {"direct": DirectRoad, "memory": MemoryRoad}


def connect(road: str, server: ToolServer) -> Road:
    """Take a road to a server: `direct` or `memory`.

    Raises:
        UsageError: there is no such road.
    """
    if road not in ROADS:
        raise UsageError(unknown("road", road, ROADS))
    return ROADS[road](server)
