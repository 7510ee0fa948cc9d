"""The proof of an export: read back, it plays as the scenarios do from which it was made.

Of each tool: its examples and refusals. Of each task: its solution is complete, doing nothing and each near miss are
not, and on the way every answer is that of the native tool, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from awm_gym.episode import written
from awm_gym.errors import shown
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.export.judge_runtime import read_answer
from awm_gym.formats.awm.export.tasks import exported, final_answer, gives_up, tool_calls
from awm_gym.formats.awm.host import Answer, App, Episode, Judge, VerifierFault
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Source
from awm_gym.scenario import Scenario, Task, ToolCall
from awm_gym.verify import verify
from awm_gym.world import ToolResult, World

_STATUSES = {
    None: (200,),
    "invalid_arguments": (422,),
    "refused": (404, 409),
    "constraint": (409,),
    "limit": (413,),
}
_UNKNOWN = {"what_no_tool_takes": True}


class Proved(NamedTuple):
    """A part of an export that was looked at.

    Attributes:
        scenario: its scenario.
        part: name of the task, "tools", or "all" if the export is not whole.
        problems: what is not as it is in the scenario; none if all is.
    """

    scenario: str
    part: str
    problems: tuple[str, ...]


def prove(scenarios: Iterable[Scenario], directory: Path) -> Iterator[Proved]:
    """Play what was exported beside what it was made from, part by part.

    Args:
        scenarios: those that were exported, or some of them.
        directory: where they were exported to.

    Raises:
        UsageError: the folder is no export of these scenarios, or FastAPI or SQLAlchemy is not installed.
        ScenarioError: it holds what cannot be read or does not start.
        SandboxUnavailable: this machine cannot lock up the applications.
        EnvironmentFault: a worker broke.
    """
    source = Source(Index.of(directory))
    with Judge() as judge:
        for scenario in scenarios:
            data = source.scenario(scenario.name)
            base = build(data)
            with App(data.code, base, name=data.name) as app:
                yield from _Prover(scenario, data, base, app, judge).all()


class _Prover:
    """One scenario, native and exported."""

    def __init__(self, scenario: Scenario, data: AwmScenario, base: Base, app: App, judge: Judge) -> None:
        self._scenario, self._data, self._base = scenario, data, base
        self._world, self._app, self._judge = World(scenario), app, judge

    def all(self) -> Iterator[Proved]:
        name = self._scenario.name
        try:
            if problem := self._lack():
                yield Proved(name, "all", (problem,))
                return
            yield Proved(name, "tools", tuple(self._tools()))
            for number, task in enumerate(exported(self._scenario)):
                yield Proved(name, task.name, tuple(self._task(number, task)))
        finally:
            self._world.close()

    def _lack(self) -> str:
        """What is not there at all; "" if everything is."""
        tools = {tool.name for tool in self._app.tools if tool.exposed}
        if missing := sorted(set(self._scenario.tools) - tools):
            return f"there is no tool {', '.join(missing)}"
        numbers = set(range(len(exported(self._scenario))))
        found = (range(len(self._data.tasks)), self._data.solutions, *map(self._judged_by, ("code", "sql")))
        for what, there in zip(("task", "solution", "verifier", "verifier for a judge"), found, strict=True):
            if lacking := sorted(numbers - set(there)):
                return f"there is no {what} of number {lacking[0]}"
        return ""

    def _judged_by(self, kind: str) -> set[int]:
        return {number for number, kinds in self._data.verifiers.items() if kind in kinds}

    def _tools(self) -> Iterator[str]:
        """Examples, refusals and a call that no tool understands, each on the data as they are."""
        for tool in self._scenario.tools.values():
            known = [entry.arguments for entry in tool.entries if entry.given is None]
            for arguments in [*known, _UNKNOWN]:
                self._world.reset()
                with self._app.reset() as episode:
                    yield from self._play(episode, [ToolCall(tool.name, arguments)])

    def _task(self, number: int, task: Task) -> Iterator[str]:
        solution = self._data.solutions[number]
        yield from self._case(number, task, "the solution", solution.calls, solution.answer)
        yield from self._case(number, task, "doing nothing", (), None)
        for name, calls in task.near_misses.items():
            if not gives_up(calls):  # a verifier there sees no difference between giving up and saying nothing
                yield from self._case(number, task, f"near miss {name}", tool_calls(calls), final_answer(calls))

    def _case(self, number: int, task: Task, what: str, calls: Sequence[ToolCall], answer: str | None) -> Iterator[str]:
        """Play calls on both sides, and compare the verdicts with each other and with what they must be."""
        self._world.reset(task.name)
        with self._app.reset() as episode:
            for problem in self._play(episode, calls):
                yield f"{what}: {problem}"
            final = episode.image()
        right = 1.0 if what == "the solution" else 0.0
        native = verify(self._world, task, read_answer(task.answer, answer) if task.answer else None).reward
        try:
            told = self._verdicts(number, final, answer)
        except VerifierFault as fault:
            yield f"{what}: {fault}"
            return
        if not native == told == right:
            yield f"{what}: pays {told:g} as exported and {native:g} natively; it must be {right:g}"

    def _verdicts(self, number: int, final: bytes, answer: str | None) -> float:
        verifiers, now, initial = self._data.verifiers[number], self._base.now, self._app.initial
        self._judge.evidence(verifiers["sql"], initial, final, now=now)
        return self._judge.reward(verifiers["code"], initial, final, answer, now=now)

    def _play(self, episode: Episode, calls: Sequence[ToolCall]) -> Iterator[str]:
        """What exported tools answer otherwise than native ones."""
        for call in calls:
            native, other = self._world.call(call), episode.call(call.name, call.arguments)
            if problem := _difference(native, other):
                yield f"{written(call)}: {problem}"


def _difference(native: ToolResult, other: Answer) -> str:
    """How an exported tool answered otherwise; "" if it did not. Malformed arguments are told in other words there."""
    statuses = _STATUSES[native.kind]
    if other.status not in statuses:
        return f"answered {other.status} {shown(other.error or other.text)}, not {statuses[0]} {shown(native.text)}"
    text = other.text if native.kind is None else json.loads(other.text)["detail"]
    if native.kind != "invalid_arguments" and text != native.text:
        return f"answered {shown(text, 300)}, not {shown(native.text, 300)}"
    return ""
