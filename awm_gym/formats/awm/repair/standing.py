"""How a scenario stands: what its tools answer, and what its verifiers pay. A repair must leave it no worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.audit.findings import CANNED
from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.host import App, Judge, VerifierFault
from awm_gym.formats.awm.records import AwmScenario, Solution
from awm_gym.formats.awm.repair.values import Solved

_SECONDS = 5.0  # until a call, or a verifier, must have come to its end
_GONE = 599  # the status of a call that ended its worker


class Played(NamedTuple):
    """A solution as it was played.

    Attributes:
        statuses: of its calls.
        image: the database afterwards; b"" if there is none.
        solved: what it earned; "" if the task has no verifier of the kind code.
    """

    statuses: tuple[int, ...]
    image: bytes
    solved: Solved


@dataclass(frozen=True)
class Standing:
    """How a scenario stands.

    Attributes:
        tools: names of the operations.
        hidden: of these, those that AgentWorldModel's own server does not show.
        examples: tool -> status of the answer to the examples of its specification.
        untouched: number of the task -> names of canned answers that are paid for doing nothing.
        faults: tasks whose verifier comes to no verdict on the untouched database.
        played: number of the task -> its known solution.
        initial: the database that episodes start with.
    """

    tools: tuple[str, ...]
    hidden: tuple[str, ...]
    examples: Mapping[str, int]
    untouched: Mapping[int, tuple[str, ...]]
    faults: frozenset[int]
    played: Mapping[int, Played]
    initial: bytes

    def solved(self, task: int) -> Solved:
        """What the known solution of a task earns."""
        return self.played[task].solved if task in self.played else ""


def standing(scenario: AwmScenario, base: Base, app: App, judge: Judge) -> Standing:
    """Find out how a scenario stands."""
    untouched: dict[int, tuple[str, ...]] = {}
    faults = set()
    for task, kinds in scenario.verifiers.items():
        if "code" in kinds:
            try:
                untouched[task] = paid_untouched(kinds["code"], base, app.initial, judge)
            except VerifierFault:
                faults.add(task)
    played = {task: play(scenario, task, solution, base, app, judge) for task, solution in scenario.solutions.items()}
    return Standing(
        tools=tuple(tool.name for tool in app.tools),
        hidden=tuple(tool.name for tool in app.tools if not tool.exposed),
        examples=_examples(scenario, app),
        untouched=untouched,
        faults=frozenset(faults),
        played=played,
        initial=app.initial,
    )


def paid_untouched(code: str, base: Base, image: bytes, judge: Judge) -> tuple[str, ...]:
    """Names of the canned answers that a verifier pays on a database that nobody has touched.

    Raises:
        VerifierFault: it comes to no verdict.
    """
    rewards = {
        name: judge.reward(code, image, image, answer, now=base.now, seconds=_SECONDS)
        for name, answer in CANNED.items()
    }
    return tuple(name for name, reward in rewards.items() if reward)


def play(scenario: AwmScenario, task: int, solution: Solution, base: Base, app: App, judge: Judge) -> Played:
    """Play a solution in an episode of its own, and have it judged."""
    statuses: list[int] = []
    try:
        with app.reset() as episode:
            for name, arguments in solution.calls:
                statuses.append(episode.call(name, arguments, seconds=_SECONDS).status)
            image = episode.image()
    except (EnvironmentFault, UsageError):  # it ended its worker, or calls a tool that is not there
        return Played((*statuses, _GONE), b"", "fault")
    return Played(tuple(statuses), image, verdict(scenario, task, solution.answer, app.initial, image, base, judge))


def verdict(
    scenario: AwmScenario, task: int, answer: str | None, initial: bytes, final: bytes, base: Base, judge: Judge
) -> Solved:
    """What the verifier of a task makes of a final database; "" if there is none of the kind code."""
    code = scenario.verifiers.get(task, {}).get("code")
    if code is None:
        return ""
    try:
        return "paid" if judge.reward(code, initial, final, answer, now=base.now, seconds=_SECONDS) else "unpaid"
    except VerifierFault:
        return "fault"


def worse(before: Standing, after: Standing) -> str:
    """What has become worse; "" if nothing has."""
    if gone := sorted(set(before.tools) - set(after.tools)):
        return f"the tool {gone[0]} would be gone"
    if gone := sorted(set(after.hidden) - set(before.hidden)):
        return f"the tool {gone[0]} would be hidden"
    for tool, status in after.examples.items():
        if status >= 500 > before.examples.get(tool, 500):
            return f"the tool {tool} would crash on its examples"
    for task, paid in after.untouched.items():
        if task in before.untouched and not set(paid) <= set(before.untouched[task]):
            return f"task {task} would be paid for doing nothing"
    if lost := sorted(after.faults - before.faults):
        return f"the verifier of task {lost[0]} would crash"
    for task, played in before.played.items():
        if played.solved == "paid" != after.solved(task):
            return f"the known solution of task {task} would not be paid"
    return ""


def _examples(scenario: AwmScenario, app: App) -> dict[str, int]:
    """What each tool answers to the examples of its specification, each in an episode of its own."""
    tools = {tool.name for tool in app.tools}
    found = {}
    for endpoint in scenario.endpoints:
        if endpoint.operation_id in tools:
            parameters = endpoint.request_params.items()
            arguments = {name: parameter.example for name, parameter in parameters if parameter.example is not None}
            found[endpoint.operation_id] = _status(app, endpoint.operation_id, arguments)
    return found


def _status(app: App, tool: str, arguments: Mapping[str, object]) -> int:
    try:
        with app.reset() as episode:
            return episode.call(tool, arguments, seconds=_SECONDS).status
    except EnvironmentFault:
        return _GONE
