"""A scenario in the making: its stages, what each writes and what must hold after it, and who writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from awm_gym.errors import ScenarioError
from awm_gym.gates import GATES, Gate, certify
from awm_gym.gates.certificate import Certificate
from awm_gym.gates.data import database_builds, invariants_hold
from awm_gym.gates.reads import reads_are_sound
from awm_gym.gates.tasks import solutions_pass
from awm_gym.gates.tools import examples_hold, refusals_bear_load, tools_survive
from awm_gym.gates.words import other_weekdays, words_are_true
from awm_gym.gates.writes import writes_are_sound
from awm_gym.scenario import Scenario, Task, Tool, User
from awm_gym.soundness import slips
from awm_gym.synth import goals


@dataclass(frozen=True)
class Draft:
    """A scenario of which some stages are written. What is not yet written is empty.

    Attributes:
        name: the scenario's name, which it has from the start.
        title, description, now, user: of the stage `scenario`.
        wishes: of the stage `tasks`: what will be asked, in words, by the name of the task.
        db_schema, invariants: of the stage `schema`.
        data: of the stage `data`.
        notes: of the stage `interface`: what each tool answers and refuses, in words, by its name.
        tools: of the stage `interface`, without their SQL; of the stage `tools`, with it.
        tasks: of the stage `goals`: the wishes with what is expected; of the stage `verifiers`, with their calls.
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
    notes: tuple[tuple[str, str], ...] = ()
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
        items: what it is written in parts of, of which one may be given up: "tasks", "tools", or "" if it is one whole.
        early: gates that an author who can mend is told of now, and not only when all is written.
        back: whether the stage before is written anew if this one cannot be.
    """

    name: str
    writes: tuple[str, ...]
    findings: Callable[[Draft], Iterator[str]]
    items: str = ""
    early: tuple[Gate, ...] = ()
    back: bool = True


class Written(NamedTuple):
    """What an author made of a stage.

    Attributes:
        draft: the draft, with what could be made of it.
        findings: what could not: an answer that is cut, or of the wrong type. The gates are then not asked.
    """

    draft: Draft
    findings: tuple[str, ...] = ()


class Author(Protocol):
    """Who writes the files of a scenario: a language model, or a blueprint."""

    name: str
    mends: bool  # whether another attempt can be better than the last

    def write(self, draft: Draft, stage: Stage, findings: tuple[str, ...]) -> Written:
        """Fill the fields of a stage.

        Args:
            draft: what was made so far.
            stage: what to write.
            findings: what was wrong with the last attempt at this stage; empty for the first.

        Raises:
            ScenarioError: there is nothing to be written that could hold.
        """


def _scenario_holds(draft: Draft) -> Iterator[str]:
    try:
        draft.scenario()
    except ScenarioError as error:
        yield str(error)
    except ValidationError as error:
        for slip in error.errors(include_url=False):
            yield f"{'.'.join(map(str, slip['loc']))}: {slip['msg'].removeprefix('Value error, ')}"


def _tasks_hold(draft: Draft) -> Iterator[str]:
    if not draft.wishes:
        yield "there is no task"
    texts = [words for _, words in draft.wishes]
    yield from (f"{name}: asks what another task asks" for name, words in draft.wishes if texts.count(words) > 1)
    year = draft.scenario().now.year
    yield from (f"{name}: {problem}" for name, words in draft.wishes for problem in other_weekdays(words, year))


def _schema_holds(draft: Draft) -> Iterator[str]:
    yield from _built(replace(draft, data="", tools=(), tasks=()).scenario(), database_builds)


def _data_hold(draft: Draft) -> Iterator[str]:
    yield from _built(replace(draft, tools=(), tasks=()).scenario(), database_builds, invariants_hold)


def _built(scenario: Scenario, *gates: Callable[..., Iterator[str]]) -> Iterator[str]:
    """What is found before there are tools: a table may still be empty, tools may fill it."""
    found = [finding for finding in _gated(scenario, *gates) if "has no row" not in finding]
    yield from found
    if not found:
        bare = scenario.model_copy(update={"tools": {goals.LOOK.name: goals.LOOK}})
        yield from (str(slip.within("")) for slip in slips(bare))


def _goals_hold(draft: Draft) -> Iterator[str]:
    known = {task.name for task in draft.tasks}
    yield from (f"{name}: nothing says what is expected" for name, _ in draft.wishes if name not in known)
    yield from goals.findings(replace(draft, tools=()).scenario())


def _interface_holds(draft: Draft) -> Iterator[str]:
    if not draft.tools:
        yield "there is no tool"
        return
    specified = tuple(tool.model_copy(update={"sql": _echo(tool)}) for tool in draft.tools)
    yield from (str(slip.within("")) for slip in slips(replace(draft, tools=specified, tasks=()).scenario()))


def _echo(tool: Tool) -> str:
    """SQL that stands for what is yet to be written: it answers the arguments."""
    return f"SELECT {', '.join(f':{name} AS {name}' for name in tool.params) or 'now() AS now'};"


def _tools_hold(draft: Draft) -> Iterator[str]:
    scenario = replace(draft, tasks=()).scenario()
    found = [str(slip.within("")) for slip in slips(scenario)]
    yield from found
    if not found:
        yield from _gated(scenario, examples_hold, refusals_bear_load, tools_survive)


def _gated(scenario: Scenario, *gates: Gate) -> Iterator[str]:
    for gate, found in certify(scenario, gates).findings.items():
        yield from (f"{gate}: {finding}" for finding in found)


def _verifiers_hold(draft: Draft) -> Iterator[str]:
    yield from (str(slip.within("")) for slip in slips(draft.scenario()))


STAGES: tuple[Stage, ...] = (
    Stage("scenario", ("title", "description", "now", "user"), _scenario_holds),
    Stage("tasks", ("wishes",), _tasks_hold, "tasks"),
    Stage("schema", ("db_schema", "invariants"), _schema_holds),
    Stage("data", ("data", "user"), _data_hold),
    Stage("goals", ("tasks",), _goals_hold, "tasks"),
    Stage("interface", ("tools", "notes"), _interface_holds),
    Stage(
        "tools", ("tools",), _tools_hold, "tools", (reads_are_sound, writes_are_sound, words_are_true, invariants_hold)
    ),
    # Who writes solutions can mend the words, what is expected and the tools on the way.
    Stage("verifiers", ("tasks",), _verifiers_hold, "tasks", (solutions_pass,), back=False),
)
STAGE = {stage.name: stage for stage in STAGES}


def findings(draft: Draft, stage: Stage, *, early: bool = False) -> tuple[str, ...]:
    """What is wrong with a draft after a stage.

    Args:
        draft: the draft.
        stage: the stage.
        early: run the gates too that the stage could leave to the end.
    """
    found = list(stage.findings(draft))
    if early and not found and stage.early:
        tasks = draft.tasks if stage.items == "tasks" else ()
        found += _gated(replace(draft, tasks=tasks).scenario(), *stage.early)
    return tuple(dict.fromkeys(found))


_FILES = {
    "scenario.toml": "scenario",
    "schema.sql": "schema",
    "invariants.sql": "schema",
    "data.sql": "data",
    "tools.toml": "tools",
    "tasks.toml": "verifiers",
}
_PLACE = re.compile(r"(?:\w+/)?(\w+\.(?:toml|sql)): (?:(\w+))?")
_OF_THE_SCHEMA = ("no change of a row of the data breaks it", "there is no invariant", "the invariant", "the view")


class Blame(NamedTuple):
    """The stage, and the task or the tool, that must be written anew to mend a finding; "" for the stage as a whole."""

    stage: str
    item: str = ""


def blame(draft: Draft, finding: str) -> Blame:
    """Whom a finding concerns, as far as its words tell.

    Findings name a task, a tool, a table or a file first; one that names none is left to those who play the tasks.
    """
    tasks = {name for name, _ in draft.wishes} | {task.name for task in draft.tasks}
    tools = {tool.name for tool in draft.tools}
    words = re.sub(rf"^({'|'.join(gate.__name__ for gate in GATES)}): ", "", finding)
    if place := _PLACE.match(words):
        stage, item = _FILES.get(place[1], "verifiers"), place[2] or ""
        if stage == "scenario" and item == "user":
            return Blame("data")
        return Blame(stage, item if item in {"tools": tools, "verifiers": tasks}.get(stage, ()) else "")
    subject = re.match(r"(?:the start of )?(\w+)", words)
    name = subject[1] if subject else ""
    if name in tasks:
        return Blame("verifiers", name)
    if name in tools:
        return Blame("tools", name)
    if words.startswith(_OF_THE_SCHEMA):
        return Blame("schema")
    if words.startswith("the data:") or re.match(r"\w+(?:\.\w+)?: ", words):
        return Blame("data")
    return Blame("verifiers", next((word for word in re.findall(r"\w+", words) if word in tasks), ""))


def without(draft: Draft, stage: Stage, names: set[str]) -> Draft:
    """The draft without some tasks or tools. A tool that a solution needs stays."""
    if stage.items == "tools":
        needed = {call.name for task in draft.tasks for call in task.solution}
        return replace(
            draft, tools=tuple(tool for tool in draft.tools if tool.name in needed or tool.name not in names)
        )
    return replace(
        draft,
        wishes=tuple(wish for wish in draft.wishes if wish[0] not in names),
        tasks=tuple(task for task in draft.tasks if task.name not in names),
    )


@dataclass(frozen=True)
class Attempt:
    """One writing of one stage, and what was found.

    Attributes:
        stage: its name; "gates" for the judgement of the whole.
        round: how often the stage was begun: twice if the next one could not be written on it.
        number: of the attempt in its round, from 1.
        findings: what was found; none if the stage held.
    """

    stage: str
    round: int
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
        draft: what was written, whole or not.
        dropped: tasks and tools that could not be proved and were given up, with why.
        rejected: why there is no scenario; "" if there is one, or if no more was asked for.
    """

    name: str
    scenario: Scenario | None
    certificate: Certificate | None
    attempts: tuple[Attempt, ...]
    draft: Draft
    dropped: tuple[tuple[str, str], ...] = ()
    rejected: str = ""

    @property
    def proved(self) -> tuple[Scenario, Certificate]:
        """The scenario and its proof.

        Raises:
            ScenarioError: there is none.
        """
        if self.scenario is None or self.certificate is None:
            raise ScenarioError(self.rejected or "is not yet whole", scenario=self.name)
        return self.scenario, self.certificate
