"""Imported AgentWorldModel data, played like everything else: as a value, as a live copy, and as names to open by.

>>> scenario = open_data("AgentWorldModel-1K", "rover")
>>> env = gym.make("awm/Task", scenario=scenario)

Its applications are generated Python. They run in locked workers, one loaded application for all environments of a
scenario in this process; what an agent reads and what is paid comes out of there as text and as a verdict.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from awm_gym.arguments import Mistake, read_call
from awm_gym.errors import ScenarioError, UsageError, printable, unknown
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.host import Answer as HttpAnswer
from awm_gym.formats.awm.host import App, Episode, Judge, Reset, ToolInfo, likely_calls
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Source
from awm_gym.sandbox.protection import Protection
from awm_gym.scenario import (
    MAX_DESCRIPTION,
    MONTHS,
    RESERVED,
    SUBMIT,
    WEEKDAYS,
    Answer,
    ErrorKind,
    Task,
    ToolCall,
    plain,
)
from awm_gym.verify import Verdict
from awm_gym.world import MAX_TEXT, ToolResult

_IDLE = 4  # loaded applications that are kept though no environment uses them
_KEPT = 64  # databases that stay in memory
_INSTRUCTION = 20_000  # characters
_TOOL_NAME = 64  # characters; servers of language models take no more
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")  # of an object in memory: another in every process
_KINDS: dict[int, ErrorKind] = {409: "constraint", 413: "limit", 422: "invalid_arguments"}


class TaskJudge(Protocol):
    """Decides on the evidence that a verifier of the kind "sql" found; see `awm_gym.formats.awm.verdicts`."""

    def verdict(
        self, task: str, trajectory: Sequence[tuple[ToolCall, str]], answer: str | None, evidence: Mapping[str, Any]
    ) -> str:
        """One of "completed", "partially_completed", "agent_error", "environment_error".

        Raises:
            EnvironmentFault: it came to no verdict.
        """


@dataclass(frozen=True)
class Terms:
    """How generated code is run, and who judges.

    Attributes:
        reset: "fork" gives each episode a process of its own, forked from the loaded application; "inplace" restores
            the database only, which is faster, and lets the application remember what it keeps beside it.
        verifiers: "code" takes the data's own verdicts; "sql" takes the evidence that its other verifiers find, and has
            `judge` decide.
        judge: a language model as judge, for "sql".
        partial: accept a machine that has Landlock but no seccomp.
        allow_unsandboxed: accept a machine that can lock up nothing.

    Raises:
        UsageError: a value is none of those, or there is no judge for "sql".
    """

    reset: Reset = "fork"
    verifiers: Literal["code", "sql"] = "code"
    judge: TaskJudge | None = None
    partial: bool = False
    allow_unsandboxed: bool = False

    def __post_init__(self) -> None:
        if self.reset not in ("fork", "inplace"):
            raise UsageError(unknown("way to reset", self.reset, ("fork", "inplace")))
        if self.verifiers not in ("code", "sql"):
            raise UsageError(unknown("kind of verifiers", self.verifiers, ("code", "sql")))
        if self.verifiers == "sql" and self.judge is None:
            raise UsageError(
                "verifiers of the kind 'sql' only find evidence; give a judge that decides: see ModelJudge"
            )

    @classmethod
    def of(cls, given: Terms | Mapping[str, Any] | None) -> Terms:
        """Terms, or the same as a mapping.

        Raises:
            UsageError: there are no such terms.
        """
        if isinstance(given, Terms):
            return given
        known = cls.__dataclass_fields__
        for key in given or {}:
            if key not in known:
                raise UsageError(unknown("term for generated code", key, known))
        return cls(**(given or {}))


class ImportedTool(NamedTuple):
    """An operation of an application as agents see it.

    Attributes:
        name: fit for any model: 64 letters, digits, `_` and `-` at most, and none that ends an episode.
        description: without invisible characters.
        input_schema: of its arguments. Treat it as read-only.
        operation: its name in the application.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    operation: str

    @property
    def document(self) -> dict[str, Any]:
        """Name, description, input_schema."""
        return {"name": self.name, "description": self.description, "input_schema": self.input_schema}


@dataclass(frozen=True)
class Imported:
    """A scenario of AgentWorldModel data as `ToolEnv` plays it.

    Attributes:
        name: its name in the library of the user; for data that is not imported its id.
        record: what the files say.
        base: its database and its clock.
        tools: by name, in the order of the application's routes.
        terms: how its code is run.
    """

    name: str
    record: AwmScenario = field(repr=False)
    base: Base = field(repr=False)
    tools: Mapping[str, ImportedTool] = field(repr=False)
    terms: Terms
    tasks: Mapping[str, Task] = field(repr=False)
    version: int = 0

    @property
    def title(self) -> str:
        """Its name as its author wrote it."""
        return _clean(self.record.title, 200)

    @property
    def description(self) -> str:
        """What the application is."""
        return _clean(self.record.description, MAX_DESCRIPTION) or "An application with tools."

    @property
    def now(self) -> datetime:
        """The time that stands still in it."""
        return self.base.now

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the content, 64 hexadecimal digits."""
        return self.record.fingerprint

    @property
    def greeting(self) -> str:
        """What an agent is told before the instruction.

        AgentWorldModel's applications act for the user 1; instructions of exported ones say for whom.
        """
        now = self.now
        day = f"{WEEKDAYS[now.weekday()]} {now.day} {MONTHS[now.month - 1]} {now.year}"
        user = "" if self.record.now else " You act for the user who is signed in, whose id is 1."
        return f"It is {day}, {now.hour:02}:{now.minute:02}.{user}"


def open_data(directory: str | Path, name: str, terms: Terms | Mapping[str, Any] | None = None) -> Imported:
    """Open a scenario of a folder of AgentWorldModel data; it need not be imported.

    Args:
        directory: the folder with `gen_*.jsonl`.
        name: of the scenario, or its id.
        terms: how its code is run.

    Raises:
        UsageError: folder or scenario are not there, or FastAPI and SQLAlchemy are not installed.
        ScenarioError: the data are malformed, the application does not start, or no task has a verifier.
        SandboxUnavailable: this machine cannot lock up generated code.
        EnvironmentFault: the application ends its worker or takes too long to start.
    """
    found = Index.of(directory)
    return opened(found, found.entry(name).name, "", Terms.of(terms))


def opened(index: Index, scenario: str, name: str, terms: Terms) -> Imported:
    """Open a scenario of an index under a name; otherwise as `open_data`."""
    record = Source(index).scenario(scenario)
    if not record.code:
        raise ScenarioError("has no application; gen_envs.jsonl must tell one", scenario=scenario)
    hosts = _hosts()
    base, tasks = hosts.base(record), _tasks(record, terms)
    app = hosts.take(record, base, terms)
    tools = _offered(app.tools)
    hosts.give_back(record, terms, app)
    return Imported(name or record.name, record, base, tools, terms, tasks)


def _offered(found: tuple[ToolInfo, ...]) -> Mapping[str, ImportedTool]:
    offered: dict[str, ImportedTool] = {}
    for tool in found:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", tool.name)[:_TOOL_NAME] or "tool"
        count = 1
        while name in offered or name in RESERVED:
            count += 1
            name = f"{name[: _TOOL_NAME - 5]}_{count}"
        schema = {"properties": {}, "required": []} | tool.input_schema
        offered[name] = ImportedTool(name, _clean(tool.description, MAX_DESCRIPTION) or name, schema, tool.name)
    return offered


def _tasks(record: AwmScenario, terms: Terms) -> Mapping[str, Task]:
    tasks = {}
    for number, instruction in enumerate(record.tasks):
        if terms.verifiers in record.verifiers.get(number, {}):
            calls: tuple[ToolCall, ...] = ()
            if solution := record.solutions.get(number):
                calls = (*solution.calls, ToolCall(SUBMIT, {"answer": solution.answer or ""}))
            name = f"task_{number}"
            words = _clean(instruction, _INSTRUCTION) or name
            tasks[name] = Task(name=name, instruction=words, answer=Answer(type="string"), solution=calls)
    if not tasks:
        problem = f"has no task with a verifier of the kind {terms.verifiers!r}, so nothing could be paid"
        raise ScenarioError(problem, scenario=record.name)
    return tasks


def _clean(text: str, most: int) -> str:
    """Text that shows what it is: characters that nobody sees are spelled out."""
    try:
        return plain(text)[:most]
    except ValueError:
        return printable(text)[:most]


def _kind(answer: HttpAnswer) -> ErrorKind | None:
    """The kind of error that a status of HTTP stands for."""
    if answer.status < 400:
        return None
    if answer.status >= 500 and "IntegrityError" in answer.error:
        return "constraint"
    return _KINDS.get(answer.status, "refused")


class AwmWorld:
    """A live copy of imported data: the face of `World` that environments and tool servers need.

    Args:
        scenario: what to run.
    """

    def __init__(self, scenario: Imported) -> None:
        self.scenario = scenario
        self.task: Task | None = None
        self._app: App | None = _hosts().take(scenario.record, scenario.base, scenario.terms)
        self._episode: Episode | None = None
        self._calls: list[tuple[ToolCall, str]] = []

    @property
    def protection(self) -> Protection:
        """What holds the application."""
        return self._running().protection

    @property
    def initial(self) -> bytes:
        """The database that each episode starts with, as SQLite serializes it."""
        return self._running().initial

    def reset(self, task: str | None = None) -> None:
        """Begin an episode.

        Raises:
            UsageError: there is no such task, or this copy is closed.
            EnvironmentFault: no worker can be brought to it.
        """
        app = self._running()
        if task is not None and task not in self.scenario.tasks:
            raise UsageError(unknown(f"task in {self.scenario.name}", task, self.scenario.tasks))
        self._end()
        self.task = self.scenario.tasks[task] if task is not None else None
        self._episode = app.reset()

    def call(self, call: ToolCall) -> ToolResult:
        """Call a tool. What is wrong with the arguments the application says.

        Raises:
            EnvironmentFault: its worker has broken or hangs; the episode is lost.
        """
        clean = read_call(call)
        if isinstance(clean, Mistake):
            return ToolResult(clean.text, kind=clean.kind)
        if clean.name not in self.scenario.tools:
            return ToolResult(unknown("tool", clean.name, self.scenario.tools), kind="unknown_tool")
        answer = self._playing().call(self.scenario.tools[clean.name].operation, clean.arguments)
        text = _ADDRESS.sub("0x", answer.text)
        if answer.status >= 500:
            text = f"{clean.name} failed (HTTP {answer.status}): {text}"
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]} ... cut: {len(text)} characters in all"
        self._calls.append((clean, text))
        return ToolResult(text, kind=_kind(answer))

    def verdict(self, answer: str | None, *, gave_up: bool = False) -> Verdict:
        """Have the verifier of the episode's task judge what the database is now.

        Raises:
            VerifierFault: it came to no verdict. That is never a reward.
            EnvironmentFault: a worker has broken.
        """
        if gave_up:
            return Verdict({"not_given_up": False}, (), "The agent gave the task up.")
        assert self.task is not None  # whoever asks for a verdict has named a task
        number = int(self.task.name.removeprefix("task_"))
        code, now = self.scenario.record.verifiers[number][self.scenario.terms.verifiers], self.scenario.now
        final, judge = self.image(), _hosts().judge(self.scenario.terms)
        if self.scenario.terms.judge is None or self.scenario.terms.verifiers == "code":
            paid = judge.reward(code, self.initial, final, answer, now=now)
            return Verdict({"verifier": paid == 1.0}, (), f"The verifier says {'complete' if paid else 'others'}.")
        evidence = judge.evidence(code, self.initial, final, now=now)
        label = self.scenario.terms.judge.verdict(self.task.instruction, self._calls, answer, evidence)
        checks = {"completed": label == "completed", "partially": label in ("completed", "partially_completed")}
        return Verdict(checks, (), f"The judge says {label.replace('_', ' ')}.")

    def image(self) -> bytes:
        """The database as it is now. Whoever opens it must expect anything: generated code has made it.

        Raises:
            EnvironmentFault: the worker has broken.
        """
        return self._playing().image()

    def close(self) -> None:
        """End the episode, and leave the application to others. Twice is harmless."""
        self._end()
        if self._app is not None:
            _hosts().give_back(self.scenario.record, self.scenario.terms, self._app)
            self._app = None

    def _running(self) -> App:
        if self._app is None:
            raise UsageError(f"the world of {self.scenario.name} is closed; make a new one")
        return self._app

    def _playing(self) -> Episode:
        if self._episode is None:
            raise UsageError(f"no episode of {self.scenario.name} has begun; call reset() first")
        return self._episode

    def _end(self) -> None:
        self._calls.clear()
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def __del__(self) -> None:
        if getattr(self, "_app", None) is not None:
            self.close()


class _Hosts:
    """The loaded applications of this process: shared by environments where episodes are forked, else one for each."""

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._loaded: OrderedDict[tuple[str, Terms], list[App]] = OrderedDict()
        self._users: Counter[int] = Counter()
        self._judges: dict[tuple[bool, bool], Judge] = {}
        self._bases: OrderedDict[str, Base] = OrderedDict()

    def base(self, record: AwmScenario) -> Base:
        """The initial database of a scenario; it is built once."""
        with self._turn:
            if record.fingerprint not in self._bases:
                self._bases[record.fingerprint] = build(record)
            self._bases.move_to_end(record.fingerprint)
            while len(self._bases) > _KEPT:
                self._bases.popitem(last=False)
            return self._bases[record.fingerprint]

    def take(self, record: AwmScenario, base: Base, terms: Terms) -> App:
        """A loaded application; `give_back` it."""
        with self._turn:
            for app in self._loaded.get((record.fingerprint, terms), []):
                if terms.reset == "fork" or not self._users[id(app)]:
                    self._users[id(app)] += 1
                    return app
            app = App(
                record.code,
                base,
                name=record.name,
                reset=terms.reset,
                rehearsal=likely_calls(record),
                partial=terms.partial,
                allow_unsandboxed=terms.allow_unsandboxed,
            )
            self._loaded.setdefault((record.fingerprint, terms), []).append(app)
            self._users[id(app)] = 1
            return app

    def give_back(self, record: AwmScenario, terms: Terms, app: App) -> None:
        """Say that an application is not needed any more. A few are kept for whoever comes next."""
        with self._turn:
            self._users[id(app)] -= 1
            self._loaded.move_to_end((record.fingerprint, terms))
            idle = [(key, one) for key, apps in self._loaded.items() for one in apps if not self._users[id(one)]]
            for key, one in idle[: max(0, len(idle) - _IDLE)]:
                self._loaded[key].remove(one)
                del self._users[id(one)]
                one.close()
                if not self._loaded[key]:
                    del self._loaded[key]

    def judge(self, terms: Terms) -> Judge:
        """What runs verifiers."""
        key = (terms.partial, terms.allow_unsandboxed)
        with self._turn:
            if key not in self._judges:
                self._judges[key] = Judge(partial=terms.partial, allow_unsandboxed=terms.allow_unsandboxed)
            return self._judges[key]


_all_hosts: dict[int, _Hosts] = {}
_starting = threading.Lock()


def _hosts() -> _Hosts:
    """Those of this process: a forked child must not speak to the workers of its parent."""
    with _starting:
        return _all_hosts.setdefault(os.getpid(), _Hosts())
