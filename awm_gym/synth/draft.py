"""A scenario in the making: its stages, what each writes and what must hold after it, and who writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.gates.certificate import Certificate
from awm_gym.gates.data import database_builds, invariants_hold
from awm_gym.gates.tools import examples_hold, refusals_bear_load, tools_survive
from awm_gym.scenario import Scenario, Task, Tool, User
from awm_gym.soundness import check


@dataclass(frozen=True)
class Draft:
    """A scenario of which some stages are written. What is not yet written is empty.

    Attributes:
        name: the scenario's name, which it has from the start.
        title, description, now, user: of the stage `scenario`.
        wishes: of the stage `tasks`: what will be asked, in words, by the name of the task.
        db_schema, invariants: of the stage `schema`.
        data: of the stage `data`.
        tools: of the stage `tools`.
        tasks: of the stage `verifiers`: the wishes with their proofs.
    """

    name: str
    title: str = ""
    description: str = ""
    now: datetime | None = None
    user: User | None = None
    wishes: tuple[tuple[str, str], ...] = ()
    db_schema: str = ""
    invariants: str = ""
    data: str = ""
    tools: tuple[Tool, ...] = ()
    tasks: tuple[Task, ...] = ()

    def scenario(self) -> Scenario:
        """The scenario as far as it is written.

        Raises:
            ScenarioError: the stage `scenario` is not written.
        """
        if self.now is None or self.user is None:
            raise ScenarioError("has no clock and no user yet", file="scenario.toml", scenario=self.name)
        # me() is not known to the database before there are rows to be one of.
        user = self.user if self.data else self.user.model_copy(update={"id": None, "of": None})
        return Scenario(
            name=self.name,
            title=self.title,
            description=self.description,
            now=self.now,
            user=user,
            db_schema=self.db_schema,
            invariants=self.invariants,
            data=self.data,
            tools={tool.name: tool for tool in self.tools},
            tasks={task.name: task for task in self.tasks},
        )


class Stage(NamedTuple):
    """One step of synthesis.

    Attributes:
        name: its name.
        writes: the fields of the draft that its author fills.
        findings: what is wrong with a draft after it; nothing if the stage holds.
    """

    name: str
    writes: tuple[str, ...]
    findings: Callable[[Draft], Iterator[str]]


class Author(Protocol):
    """Who writes the files of a scenario: a language model, or a blueprint."""

    name: str
    mends: bool  # whether another attempt can be better than the last

    def write(self, draft: Draft, stage: Stage, findings: tuple[str, ...]) -> Draft:
        """The draft with the fields of a stage filled.

        Args:
            draft: what the stages before have made.
            stage: what to write.
            findings: what was wrong with the last attempt at this stage; empty for the first.

        Raises:
            ScenarioError: there is nothing to be written that could hold.
        """


def _scenario_holds(draft: Draft) -> Iterator[str]:
    try:
        draft.scenario()
    except (ScenarioError, ValueError) as error:
        yield str(error)


def _tasks_hold(draft: Draft) -> Iterator[str]:
    if not draft.wishes:
        yield "there is no task"
    texts = [words for _, words in draft.wishes]
    yield from (f"{name}: asks what another task asks" for name, words in draft.wishes if texts.count(words) > 1)


def _schema_holds(draft: Draft) -> Iterator[str]:
    yield from _built(replace(draft, data="", tools=(), tasks=()).scenario(), database_builds)


def _data_hold(draft: Draft) -> Iterator[str]:
    yield from _built(replace(draft, tools=(), tasks=()).scenario(), database_builds, invariants_hold)


def _built(scenario: Scenario, *gates: Callable[..., Iterator[str]]) -> Iterator[str]:
    """What gates find before there are tools: a table may still be empty, tools may fill it."""
    yield from (finding for finding in _gated(scenario, *gates) if "has no row" not in finding)


def _tools_hold(draft: Draft) -> Iterator[str]:
    scenario = replace(draft, tasks=()).scenario()
    try:
        check(scenario)
    except ScenarioError as error:
        yield str(error)
        return
    yield from _gated(scenario, examples_hold, refusals_bear_load, tools_survive)


def _gated(scenario: Scenario, *gates: Callable[..., Iterator[str]]) -> Iterator[str]:
    for gate, found in certify(scenario, gates).findings.items():
        yield from (f"{gate}: {finding}" for finding in found)


def _verifiers_hold(draft: Draft) -> Iterator[str]:
    try:
        check(draft.scenario())
    except ScenarioError as error:
        yield str(error)


STAGES: tuple[Stage, ...] = (
    Stage("scenario", ("title", "description", "now", "user"), _scenario_holds),
    Stage("tasks", ("wishes",), _tasks_hold),
    Stage("schema", ("db_schema", "invariants"), _schema_holds),
    Stage("data", ("data",), _data_hold),
    Stage("tools", ("tools",), _tools_hold),
    Stage("verifiers", ("tasks",), _verifiers_hold),
)


@dataclass(frozen=True)
class Attempt:
    """One writing of one stage, and what was found."""

    stage: str
    number: int
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a synthesis: a scenario with its proof, or why there is none.

    Attributes:
        name: the scenario's name.
        scenario: the scenario; None if it was rejected.
        certificate: the proof, or what the gates found.
        attempts: all writings, in order.
        rejected: why there is no scenario; "" if there is one.
    """

    name: str
    scenario: Scenario | None
    certificate: Certificate | None
    attempts: tuple[Attempt, ...]
    rejected: str = ""
