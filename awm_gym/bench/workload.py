"""What is measured: the solutions of all tasks of a scenario, with the answer to every call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from awm_gym.agents.scripted import whole_solution
from awm_gym.errors import EnvironmentFault
from awm_gym.scenario import GIVE_UP, JsonValue, Scenario, Task, ToolCall
from awm_gym.server import ToolAnswer
from awm_gym.tools import CompiledTool
from awm_gym.verify import verify
from awm_gym.world import World, compiled


class Step(NamedTuple):
    """A tool call of a solution.

    Attributes:
        call: the call.
        answer: what it answers. Whoever is measured must answer the same.
        writes: whether the tool writes.
    """

    call: ToolCall
    answer: ToolAnswer
    writes: bool


class Run(NamedTuple):
    """An episode that solves a task: its tool calls, and the action that ends it."""

    task: Task
    steps: tuple[Step, ...]
    end: ToolCall

    @property
    def answer(self) -> JsonValue:
        """What is submitted, None if nothing is."""
        answer: JsonValue = self.end.arguments.get("answer")
        return answer

    @property
    def gave_up(self) -> bool:
        """Whether the episode ends in `give_up`."""
        return self.end.name == GIVE_UP


class Size(NamedTuple):
    """How often what is measured.

    Attributes:
        passes: episodes of each task, here.
        worlds: environments whose memory is weighed.
        many: environments that are made, and reset, one after another.
        starts: processes that the baseline starts, each for one episode.
        rounds: episodes of each task that one more process of the baseline plays, over HTTP and over MCP.
    """

    passes: int
    worlds: int
    many: int
    starts: int
    rounds: int


FULL = Size(passes=100, worlds=64, many=1024, starts=24, rounds=8)
QUICK = Size(passes=10, worlds=64, many=1024, starts=3, rounds=1)


def solutions(scenario: Scenario) -> tuple[Run, ...]:
    """The solutions of all tasks, played once for their answers.

    Raises:
        EnvironmentFault: a solution does not verify, or doing nothing does.
    """
    world, tools = World(scenario), compiled(scenario).tools
    try:
        return tuple(_played(world, task, tools) for task in scenario.tasks.values())
    finally:
        world.close()


def _played(world: World, task: Task, tools: Mapping[str, CompiledTool]) -> Run:
    world.reset(task.name)
    must(not verify(world, task).passed, f"{task.name} is solved by doing nothing")
    *calls, end = whole_solution(task)
    steps = []
    for call in calls:
        result = world.call(call)
        steps.append(Step(call, ToolAnswer(result.text, result.kind), tools[call.name].writes))
    run = Run(task, tuple(steps), end)
    must(verify(world, task, run.answer, gave_up=run.gave_up).passed, f"the solution of {task.name} does not verify")
    return run


def must(holds: bool, otherwise: str) -> None:
    """Stop the bench if a control fails: figures of something that does not work mean nothing.

    Raises:
        EnvironmentFault: it does not hold.
    """
    if not holds:
        raise EnvironmentFault(f"the control failed: {otherwise}")


def must_answer(who: str, step: Step, text: str) -> None:
    """Stop the bench if a call was answered otherwise than here.

    Raises:
        EnvironmentFault: the rows differ, or the message of a refusal.
    """
    same = text == step.answer.text or (not step.answer.kind and _read(text) == _read(step.answer.text))
    must(same, f"{who} answers {step.call.name} with {text[:200]!r}, not {step.answer.text[:200]!r}")


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
