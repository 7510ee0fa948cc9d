"""A live scenario as a tool server: `tools/list` and `tools/call`, and nothing else.

Verifiers, solutions and snapshots are not reachable from here: what the agent must not see has no road to it.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from awm_gym.live import Live
from awm_gym.scenario import ErrorKind, ToolCall


class ToolInfo(NamedTuple):
    """A tool as an agent sees it. The schema is shared: treat it as read-only."""

    name: str
    description: str
    input_schema: dict[str, Any]


class ToolAnswer(NamedTuple):
    """What a tool call gave: text for the agent, and the kind of error or None."""

    text: str
    kind: ErrorKind | None = None


class ToolServer:
    """The tools of one live scenario. `awm_gym.mcp_sdk.serve` puts it behind the MCP protocol."""

    def __init__(self, world: Live) -> None:
        self.name = world.scenario.name
        self.version = str(world.scenario.version)
        self._world = world
        self._lock = threading.Lock()
        self._listing = tuple(
            ToolInfo(tool.name, tool.description, tool.input_schema) for tool in world.scenario.tools.values()
        )

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The scenario's tools, in the author's order."""
        return self._listing

    def call_tool(self, name: str, arguments: Any) -> ToolAnswer:
        """Run one tool. Whatever the arguments are, the answer is text; calls never overlap.

        Raises:
            ScenarioError: the tool's own SQL is wrong.
            EnvironmentFault: the engine failed.
        """
        with self._lock:
            result = self._world.call(ToolCall(name, {} if arguments is None else arguments))
        return ToolAnswer(result.text, result.kind)
