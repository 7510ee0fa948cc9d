"""The MCP SDK, its two majors made one: serve a `ToolServer`, and talk to it in frames.

Trainers pin mcp 1.x or 2.x. Nothing else in the package imports the SDK.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, get_args

import anyio

from awm_gym.errors import EnvironmentFault, ScenarioError
from awm_gym.scenario import ErrorKind
from awm_gym.server import ToolAnswer, ToolInfo, ToolServer

MAJOR = int(version("mcp").partition(".")[0])
KIND = "awm_gym/error_kind"  # key in a result's _meta: the kind of an error is a type, never a substring
TIMEOUT = 60.0  # seconds for one call over a road; past it the episode is void
_BROKEN = "scenario_error"  # the value of KIND that tells the author's fault, not the agent's
_types: Any = importlib.import_module("mcp.types")
_ERROR: type[Exception] = getattr(importlib.import_module("mcp"), "MCPError" if MAJOR >= 2 else "McpError")
_server: Any = importlib.import_module("mcp.server" if MAJOR >= 2 else "mcp.server.lowlevel")


def serve(tools: ToolServer) -> Any:
    """The SDK's low-level server object over a `ToolServer`."""

    def listing() -> Any:
        return _types.ListToolsResult(
            tools=[
                _types.Tool(name=info.name, description=info.description, inputSchema=info.input_schema)
                for info in tools.list_tools()
            ]
        )

    def calling(params: Any) -> Any:
        try:
            text, kind = tools.call_tool(params.name, params.arguments)
        except ScenarioError as error:
            return result(str(error), _BROKEN)
        return result(text, kind)

    def result(text: str, kind: str | None) -> Any:
        content = [_types.TextContent(type="text", text=text)]
        meta = {KIND: kind} if kind else None
        return _types.CallToolResult(content=content, isError=kind is not None, _meta=meta)

    if MAJOR >= 2:

        async def list_tools(_context: Any, _params: Any) -> Any:
            return listing()

        async def call_tool(_context: Any, params: Any) -> Any:
            return calling(params)

        server = _server.Server(tools.name, version=tools.version, on_list_tools=list_tools, on_call_tool=call_tool)
        getattr(server, "middleware", []).clear()  # the SDK's own telemetry, for which nobody asked
        return server
    server = _server.Server(tools.name, version=tools.version)

    async def handle_list(_request: Any) -> Any:
        return _types.ServerResult(listing())

    async def handle_call(request: Any) -> Any:
        return _types.ServerResult(calling(request.params))

    server.request_handlers[_types.ListToolsRequest] = handle_list
    server.request_handlers[_types.CallToolRequest] = handle_call
    return server


class Session:
    """A client's open session with a tool server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def list_tools(self) -> tuple[ToolInfo, ...]:
        """The server's tools."""
        listed = (await self._client.list_tools()).tools
        return tuple(ToolInfo(t.name, t.description or "", _either(t, "input_schema", "inputSchema")) for t in listed)

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> ToolAnswer:
        """Call a tool.

        Raises:
            ScenarioError: the tool's own SQL is wrong.
            EnvironmentFault: the peer answered outside the protocol, or not at all.
        """
        try:
            result = await self._client.call_tool(name, arguments)
        except (
            _ERROR,
            RuntimeError,
            ValueError,
            OSError,
            anyio.ClosedResourceError,
            anyio.BrokenResourceError,
        ) as error:
            raise EnvironmentFault(f"the tool server failed at {name}: {error}") from error
        content = result.content
        if len(content) != 1 or content[0].type != "text":
            raise EnvironmentFault(f"{name} answered {len(content)} blocks, expected one of text")
        if not _either(result, "is_error", "isError"):
            return ToolAnswer(content[0].text)
        kind = (result.meta or {}).get(KIND)
        if kind == _BROKEN:
            raise ScenarioError(content[0].text)
        if kind not in get_args(ErrorKind):
            raise EnvironmentFault(f"{name} failed with an error of no known kind: {content[0].text[:200]}")
        return ToolAnswer(content[0].text, kind)


def _either(holder: Any, snake: str, camel: str) -> Any:
    return getattr(holder, snake) if hasattr(holder, snake) else getattr(holder, camel)


@asynccontextmanager
async def in_memory(tools: ToolServer) -> AsyncIterator[Session]:
    """Talk framed MCP with a server in this process."""
    server = serve(tools)
    if MAJOR >= 2:
        # The default mode would skip JSON-RPC framing; "over MCP" must mean real frames.
        client = importlib.import_module("mcp").Client(server, mode="legacy", cache=None)
    else:
        memory = importlib.import_module("mcp.shared.memory")
        client = memory.create_connected_server_and_client_session(server)
    async with client as session:
        yield Session(session)
