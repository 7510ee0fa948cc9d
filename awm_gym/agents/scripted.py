"""Scripted policies: the bounds between which every other policy scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from awm_gym.errors import UsageError
from awm_gym.live import Playable
from awm_gym.scenario import GIVE_UP, SUBMIT, Task, ToolCall
from awm_gym.server import ToolInfo
from awm_gym.spaces import ToolCalls


class Oracle:
    """Replays the task's solution. Scores 1.0 on every task, or the task is not what it says."""

    name = "oracle"

    def __init__(self, scenario: Playable) -> None:
        self._scenario = scenario
        self._calls: Iterator[ToolCall] = iter(())

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Take the solution of the task that was drawn."""
        self._calls = iter(whole_solution(self._scenario.tasks[info["task"]]))

    def act(self, observation: str) -> ToolCall:
        """The solution's next call."""
        return next(self._calls)


def whole_solution(task: Task) -> tuple[ToolCall, ...]:
    """The calls that solve a task, up to the one that ends the episode.

    A task that cannot be done is solved by looking at the obstacle and giving up.

    Raises:
        UsageError: none is known, as of most imported data.
    """
    if task.infeasible is not None:
        return (*task.infeasible.shown_by, ToolCall(GIVE_UP, {"reason": task.infeasible.why}))
    if not task.solution:
        raise UsageError(f"no solution of {task.name} is known; gen_solution.jsonl beside the data may tell one")
    if task.solution[-1].name in (SUBMIT, GIVE_UP):
        return task.solution
    return (*task.solution, ToolCall(SUBMIT, {}))


class Idle:
    """Submits at once; where an answer is asked for, the emptiest there is. Scores 0.0 on every task."""

    name = "idle"

    def __init__(self) -> None:
        self._call = ToolCall(SUBMIT, {})

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Look up whether `submit` needs an answer."""
        schema = next(tool["input_schema"] for tool in info["tools"] if tool["name"] == SUBMIT)
        self._call = ToolCall(SUBMIT, emptiest(schema))

    def act(self, observation: str) -> ToolCall:
        """Submit."""
        return self._call


def emptiest(schema: dict[str, Any]) -> Any:
    """The emptiest value that a JSON Schema of the kind that tools have allows."""
    if schema["type"] == "object":
        return {name: emptiest(schema["properties"][name]) for name in schema["required"]}
    if schema["type"] == "string":
        return {"date": "1970-01-01", "date-time": "1970-01-01T00:00:00"}.get(schema.get("format", ""), "")
    return {"integer": 0, "number": 0.0, "boolean": False, "array": []}[schema["type"]]


class Random:
    """Samples the tools of the task, arguments too. A policy that learns must leave it behind."""

    name = "random"

    def __init__(self, scenario: Playable, seed: int = 0) -> None:
        self._now, self._seed = scenario.now, seed
        self._space: ToolCalls | None = None

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Take the tools that the episode offers."""
        tools = [ToolInfo(tool["name"], tool["description"], tool["input_schema"]) for tool in info["tools"]]
        self._space = ToolCalls(tools, self._now, seed=self._seed)

    def act(self, observation: str) -> ToolCall:
        """A random call."""
        assert self._space is not None  # play() starts before it acts
        return self._space.sample()
