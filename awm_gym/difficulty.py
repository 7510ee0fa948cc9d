"""How difficult a task is, in figures that are counted on its reference solution."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from awm_gym.scenario import GIVE_UP, SUBMIT, Scenario, Task
from awm_gym.world import ToolResult, World

_KEPT = 256  # scenarios whose figures stay in memory
_known: OrderedDict[str, dict[str, Difficulty]] = OrderedDict()


class Difficulty(NamedTuple):
    """Figures of a task's reference solution.

    Attributes:
        calls: tool calls.
        writes: those that may change something.
        tools: distinct tools.
        lookups: calls before the first that may change something.
        rows: rows read.
        distractors: rows of the results that a later argument was picked from, beside the one picked.
        depth: the longest chain of calls, each of which needs a value that the one before showed.
    """

    calls: int
    writes: int
    tools: int
    lookups: int
    rows: int
    distractors: int
    depth: int

    @property
    def level(self) -> float:
        """One figure for all: calls + depth + what has to be read and told apart, on a scale of about 2 to 30."""
        return round(self.calls + self.depth + min(self.rows, 100) / 10 + min(self.distractors, 40) / 8, 2)


def of(scenario: Scenario) -> dict[str, Difficulty]:
    """The figures of each task of a scenario, by name.

    Raises:
        ScenarioError: the scenario is malformed.
    """
    if scenario.fingerprint not in _known:
        world, found = World(scenario), {}
        for task in scenario.tasks.values():
            lifted = task.infeasible.lifted_by if task.infeasible else ""
            world.start_from(f"{task.given or ''}\n{lifted}".strip() or None)
            calls = [call for call in task.solution if call.name not in (SUBMIT, GIVE_UP)]
            found[task.name] = measured(task, [world.call(call) for call in calls], world.writes)
        world.close()
        _known[scenario.fingerprint] = found
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return _known[scenario.fingerprint]


def measured(task: Task, results: Sequence[ToolResult], writes: Callable[[str], bool]) -> Difficulty:
    """Count the figures of a task.

    Args:
        task: the task.
        results: what the calls of its solution answered, without `submit`.
        writes: whether the tool of a name may change something.
    """
    calls = [call for call in task.solution if call.name not in (SUBMIT, GIVE_UP)]
    first = next((place for place, call in enumerate(calls) if writes(call.name)), len(calls))
    shown: dict[str, tuple[int, int]] = {}  # a value -> the depth of the first call that showed it, and its rows
    deepest = distractors = 0
    for call, result in zip(calls, results, strict=True):
        needed = [shown[key] for value in call.arguments.values() for key in _keys(value) if key in shown]
        depth = 1 + max((depth for depth, _ in needed), default=0)
        deepest = max(deepest, depth)
        distractors += sum(max(0, rows - 1) for _, rows in needed)
        for row in result.rows:
            for cell in row.values():
                if isinstance(cell, (int, str)) and str(cell) not in task.instruction:
                    shown.setdefault(str(cell), (depth, len(result.rows)))
    return Difficulty(
        calls=len(calls),
        writes=sum(writes(call.name) for call in calls),
        tools=len({call.name for call in calls}),
        lookups=first,
        rows=sum(result.total for result in results),
        distractors=distractors,
        depth=deepest,
    )


def _keys(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
