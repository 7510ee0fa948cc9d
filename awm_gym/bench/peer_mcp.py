"""The baseline's server once more, with its tools also behind MCP over streamable HTTP."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI

from awm_gym.bench.peer import Desk, Refused, arguments_model, opened, serve, web_application
from awm_gym.mcp_sdk import serve as as_mcp_server
from awm_gym.server import ToolAnswer, ToolInfo, ToolServer


class DeskTools:
    """A desk as the MCP SDK wants it: in place of a `ToolServer`."""

    def __init__(self, desk: Desk) -> None:
        self.name, self.version = desk.application["name"], desk.application["version"]
        self._desk = desk
        self._tools = {tool["name"]: (tool, arguments_model(tool)) for tool in desk.application["tools"]}

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The tools."""
        return tuple(
            ToolInfo(name, tool["description"], tool["input_schema"]) for name, (tool, _) in self._tools.items()
        )

    def call_tool(self, name: str, arguments: Any) -> ToolAnswer:
        """Call a tool."""
        tool, model = self._tools[name]
        try:
            rows = self._desk.call(tool, model.model_validate(arguments).model_dump())
        except Refused as refusal:
            return ToolAnswer(str(refusal), "refused")
        return ToolAnswer(json.dumps(rows, ensure_ascii=False))


def mcp_application(desk: Desk) -> FastAPI:
    """The web application with MCP at `/mcp`."""
    module = importlib.import_module("mcp.server.streamable_http_manager")
    server = as_mcp_server(cast(ToolServer, DeskTools(desk)))
    manager = module.StreamableHTTPSessionManager(server, json_response=True)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = web_application(desk, lifespan=lifespan)
    app.mount("/mcp", manager.handle_request)
    return app


if __name__ == "__main__":
    a_desk, a_socket = opened(sys.argv[1:])
    serve(mcp_application(a_desk), a_socket)
