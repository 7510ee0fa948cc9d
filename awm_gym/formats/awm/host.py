"""Outside: generated applications and their verifiers, each in a locked worker, never in the same.

>>> with App(scenario.code, base, name=scenario.name) as app, Judge() as judge:
...     with app.reset() as episode:
...         episode.call("list_walks", {"city": "Lund"})
...         judge.reward(scenario.verifiers[0]["code"], app.initial, episode.image(), "two", now=base.now)

What an application answers is for agents, whatever it is. What a worker does, beyond that, is checked: it may break,
hang or lie, and then a call raises `EnvironmentFault`, and the next episode has a fresh one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError, printable, shown, unknown
from awm_gym.formats.awm.base import Base, unmarked
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.protection import Protection
from awm_gym.sandbox.worker import Child, Reply, Worker
from awm_gym.scenario import ToolCall

MAX_ANSWER = 2**20  # bytes of one answer of an application
LOAD_SECONDS = 60.0  # until an application has started
REHEARSAL_SECONDS = 20.0  # for all calls of a rehearsal together
CALL_SECONDS = 10.0  # until one of its operations has answered
JUDGE_SECONDS = 10.0  # until a verifier has come to its result

_APP = "awm_gym.formats.awm.app_program"
_JUDGE = "awm_gym.formats.awm.judge_program"
_PACKAGES = ("fastapi", "sqlalchemy")
_LIMITS = Limits(frame=64 * 2**20)  # two databases in one request
_PATIENCE = 3  # episodes that break one after another before the application is to blame
_REWARDS = {"complete": 1.0, "others": 0.0}

Reset = Literal["fork", "inplace"]
_T = TypeVar("_T")
_M = TypeVar("_M", bound="_Told")


class VerifierFault(EnvironmentFault):
    """A verifier came to no verdict: it raised, took too long, or said something else. Never a reward."""


class _Told(BaseModel):
    """What a worker says; every word of it may be false, but not of another type."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ToolInfo(_Told):
    """An operation of an application, as a tool.

    Attributes:
        name: the operation's id; with a number behind it if an earlier operation has the same.
        description: for agents.
        input_schema: of its arguments: a JSON Schema of an object, without references.
        method: of HTTP.
        path: with its parameters in braces.
        exposed: whether AgentWorldModel's own server shows it; False if a later operation has its method and path.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=20_000)]
    input_schema: dict[str, Any]
    method: str
    path: str
    exposed: bool


class Collision(_Told):
    """Two operations that AgentWorldModel's own server cannot tell apart; here both can be called.

    Attributes:
        kind: "route": they have the same method and path, so the first answers under the name of the second.
            "shadow": the path of the first also takes what is meant for the second. "name": both have the same id.
        method: of the second.
        path: of the second.
        first: tool of the first.
        second: tool of the second.
    """

    kind: Literal["route", "shadow", "name"]
    method: str
    path: str
    first: str
    second: str


class _Loaded(_Told):
    failed: str = ""
    tools: Annotated[tuple[ToolInfo, ...], Field(strict=False, max_length=1_000)] = ()
    collisions: Annotated[tuple[Collision, ...], Field(strict=False, max_length=10_000)] = ()


class _Answered(_Told):
    status: Annotated[int, Field(ge=100, le=599)]
    error: str


class Answer(NamedTuple):
    """What an operation answers.

    Attributes:
        status: of HTTP; 413 for an answer of more than `MAX_ANSWER` bytes, whose text says so.
        text: for the agent.
        error: what the application raised, for who looks after it; "" if nothing.
    """

    status: int
    text: str
    error: str = ""


class _Warm:
    """A worker that is kept ready, and started again when it turns out to be gone."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start, self._turn, self._closed = start, threading.Lock(), False
        self.worker = start()

    def use(self, act: Callable[[Worker], _T]) -> _T:
        """Do something with the worker; once more, with a fresh one, if that fails."""
        with self._turn:
            if self._closed:
                raise UsageError("it has been closed; make another")
            try:
                return act(self.worker)
            except EnvironmentFault:
                self.worker.close()
                self.worker = self._start()
                return act(self.worker)

    def ahead(self) -> None:
        """Have the worker fork the next child while nobody waits; not if somebody does."""
        if self._turn.acquire(blocking=False):
            try:
                if not self._closed:
                    self.worker.ahead()
            finally:
                self._turn.release()

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self.worker.close()


class _Closing(ABC):
    """Closes itself at the end of a `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End it. Twice is harmless."""


class _Watch:
    """What the episodes of an application tell it."""

    def __init__(self, begun: Callable[[], None]) -> None:
        self.begun = begun  # an episode has answered for the first time, and its caller thinks
        self._broken = 0  # episodes in a row that ended in a fault

    def ended_well(self) -> None:
        self._broken = 0

    def ended_in(self, fault: EnvironmentFault) -> None:
        """Count it, and say from the third on whose fault it is."""
        self._broken += 1
        if self._broken >= _PATIENCE:
            told = f"the application broke its worker in {self._broken} episodes running: leave it out, or mend it"
            raise EnvironmentFault(f"{told}; {fault}") from fault


class Episode(_Closing):
    """An application from its first state on. Not for two threads at once."""

    def __init__(self, process: Worker | Child, tools: Mapping[str, ToolInfo], watch: _Watch, *, own: bool) -> None:
        """Not to be made by hand; see `App.reset`."""
        self._process, self._tools, self._watch, self._own = process, tools, watch, own
        self._over, self._well = False, False

    @property
    def process(self) -> int:
        """The id of the process that it runs in."""
        return self._process.process

    def call(self, name: str, arguments: Mapping[str, Any], *, seconds: float = CALL_SECONDS) -> Answer:
        """Call an operation.

        Args:
            name: of its tool.
            arguments: JSON values by name. The application says what is wrong with them.
            seconds: until there must be an answer.

        Raises:
            EnvironmentFault: the worker has broken or hangs; the episode is lost.
            UsageError: there is no such tool; the episode is over; or the arguments are not JSON.
        """
        if name not in self._tools:
            raise UsageError(unknown("tool", name, self._tools))
        params = {"tool": name, "arguments": dict(arguments), "most": MAX_ANSWER}
        reply = self._ask("call", params, seconds)
        told = _checked(_Answered, reply.result)
        if told.status == 413 and told.error:
            return Answer(413, f"The answer is too long: {MAX_ANSWER} bytes are allowed.", told.error)
        return Answer(told.status, reply.blob[:MAX_ANSWER].decode("utf-8", "replace"), told.error)

    def image(self) -> bytes:
        """The database as it is now, in the form of `Base.image`. Whether it is one at all, only its reader finds out.

        Raises:
            EnvironmentFault: the worker has broken or hangs.
            UsageError: the episode is over.
        """
        return unmarked(self._ask("image", {}, CALL_SECONDS).blob)

    def close(self) -> None:
        """End the episode."""
        if self._well and not self._over:
            self._watch.ended_well()
        self._over = True
        if self._own:
            self._process.close()

    def _ask(self, method: str, params: dict[str, Any], seconds: float) -> Reply:
        if self._over:
            raise UsageError("this episode is over; reset the application for another")
        broken = not self._process.alive
        try:
            reply = self._process.call(method, params, seconds=seconds)
        except EnvironmentFault as fault:
            self._well = False
            if not broken:
                self._watch.ended_in(fault)
            raise
        if not self._well:
            self._well = True
            self._watch.begun()
        return reply


class App(_Closing):
    """A generated application, loaded once, for any number of episodes.

    Attributes:
        tools: its operations, in the order of its routes.
        collisions: operations that collide.
        initial: the database that each episode starts with: that of the scenario, and what the application adds to it
            when it starts.
    """

    def __init__(
        self,
        code: str,
        base: Base,
        *,
        name: str = "",
        reset: Reset = "fork",
        rehearsal: Sequence[ToolCall] = (),
        partial: bool = False,
        allow_unsandboxed: bool = False,
    ) -> None:
        """Load an application in a worker of its own.

        Args:
            code: the application, a Python module.
            base: its database, and the time that it shall see.
            name: of the scenario, for messages.
            reset: "fork" gives each episode a process of its own, and there may be many at once; "inplace" restores
                the database in the worker, which keeps whatever the application remembers beside it, and ends the
                episode before.
            rehearsal: calls that are likely, see `likely_calls`. Where episodes are forked and the application keeps
                nothing outside its database, they are played before the first one, whose calls then take less time
                and memory; and nothing that an episode can see is different.
            partial: see `Worker`.
            allow_unsandboxed: see `Worker`.

        Raises:
            ScenarioError: the code does not run, or makes no application.
            EnvironmentFault: it ends its worker or takes too long.
            SandboxUnavailable: this machine cannot lock it up.
            UsageError: FastAPI or SQLAlchemy is not installed.
        """
        _require_packages()
        self._code, self._base, self._name, self._reset = code, base, name, reset
        self._rehearsal = rehearsal
        self._partial, self._allow_unsandboxed = partial, allow_unsandboxed
        self._last: Episode | None = None
        self._watch = _Watch(self._ahead)
        self._warm = _Warm(self._start)

    @property
    def protection(self) -> Protection:
        """What holds the worker."""
        return self._warm.worker.protection

    def reset(self) -> Episode:
        """Begin an episode: the same bytes, the same time and the same random numbers as ever.

        Raises:
            EnvironmentFault: no worker can be brought to it.
            UsageError: the application has been closed.
        """
        if self._reset == "fork":
            return self._warm.use(lambda worker: self._episode(worker.child(), own=True))
        if self._last:
            self._last.close()
        self._last = self._warm.use(self._restored)
        return self._last

    def close(self) -> None:
        """End the application and all its episodes."""
        self._warm.close()

    def _start(self) -> Worker:
        worker = Worker(
            f"{_APP}:program",
            (_APP,),
            _LIMITS,
            children=self._reset == "fork",
            partial=self._partial,
            allow_unsandboxed=self._allow_unsandboxed,
        )
        try:
            params = {"code": self._code, "now": self._base.now.isoformat(), "seed": self._base.sha256}
            reply = worker.call("load", params, self._base.image, seconds=LOAD_SECONDS)
            told = self._told(reply.result)
            if told.failed:
                problem = f"the application does not start: {printable(told.failed)}"
                raise ScenarioError(problem, scenario=self._name)
        except BaseException:
            worker.close()
            raise
        self.tools, self.collisions, self.initial = told.tools, told.collisions, unmarked(reply.blob)
        self._by_name = {tool.name: tool for tool in told.tools}
        self._rehearse(worker)
        return worker

    def _told(self, result: Any) -> _Loaded:
        """What the worker says of the application."""
        try:
            return _checked(_Loaded, result)
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"the application {self._name} cannot be taken as it is: {fault}") from fault

    def _rehearse(self, worker: Worker) -> None:
        """Play the rehearsal in a child first, and in the worker only if that leaves nothing behind."""
        calls = [call._asdict() for call in self._rehearsal if call.name in self._by_name]
        if self._reset != "fork" or not calls:
            return
        params = {"calls": calls, "most": MAX_ANSWER}
        # It may break there, or its arguments may be no JSON: then episodes have to do without.
        with contextlib.suppress(EnvironmentFault, UsageError), worker.child() as trial:
            if trial.call("rehearse", params, seconds=REHEARSAL_SECONDS).result is True:
                worker.call("rehearse", params, seconds=REHEARSAL_SECONDS)

    def _restored(self, worker: Worker) -> Episode:
        worker.call("restore", seconds=CALL_SECONDS)
        return self._episode(worker, own=False)

    def _episode(self, process: Worker | Child, *, own: bool) -> Episode:
        return Episode(process, self._by_name, self._watch, own=own)

    def _ahead(self) -> None:
        if self._reset == "fork":
            self._warm.ahead()


class Judge(_Closing):
    """Runs verifiers, each in a process of its own that has seen neither an application nor another verifier."""

    def __init__(self, *, partial: bool = False, allow_unsandboxed: bool = False) -> None:
        """Start a worker to fork them from.

        Args:
            partial: see `Worker`.
            allow_unsandboxed: see `Worker`.

        Raises:
            SandboxUnavailable: this machine cannot lock verifiers up.
            EnvironmentFault: the worker did not start.
        """

        def start() -> Worker:
            return Worker(
                f"{_JUDGE}:program",
                (_JUDGE,),
                _LIMITS,
                children=True,
                partial=partial,
                allow_unsandboxed=allow_unsandboxed,
            )

        self._warm = _Warm(start)
        self._compiled: set[str] = set()

    def reward(
        self,
        code: str,
        initial: bytes,
        final: bytes,
        answer: str | None,
        *,
        now: datetime,
        seconds: float = JUDGE_SECONDS,
    ) -> float:
        """The verdict of a verifier of the kind "code".

        Args:
            code: the verifier.
            initial: the database before the episode.
            final: the database after it.
            answer: the agent's final answer; None if it gave none.
            now: the time that the verifier shall see.
            seconds: until there must be a verdict.

        Returns:
            1.0 for "complete", 0.0 for "others".

        Raises:
            VerifierFault: it came to no verdict.
            EnvironmentFault: there was no process to run it in.
        """
        result = self._result("code", code, initial, final, answer, now, seconds)
        verdict = result.get("result") if isinstance(result, dict) else None
        if not isinstance(verdict, str) or verdict not in _REWARDS:
            raise VerifierFault(f"the verifier said {shown(result)}, not complete or others")
        return _REWARDS[verdict]

    def evidence(
        self, code: str, initial: bytes, final: bytes, *, now: datetime, seconds: float = JUDGE_SECONDS
    ) -> dict[str, Any]:
        """What a verifier of the kind "sql" found, for a language model to judge: JSON values. As `reward`."""
        result = self._result("sql", code, initial, final, None, now, seconds)
        if not isinstance(result, dict):
            raise VerifierFault(f"the verifier said {shown(result)}, not what it found by name")
        return result

    def close(self) -> None:
        """End the worker, and with it all verifiers."""
        self._warm.close()

    def _compile(self, code: str) -> None:
        """At the first sight of a verifier, have the worker compile it for all who will run it."""
        if code in self._compiled:
            return
        self._compiled.add(code)
        with contextlib.suppress(EnvironmentFault):  # who runs it says what is wrong with it
            self._warm.use(lambda worker: worker.call("compile", {"code": code}, seconds=JUDGE_SECONDS))

    def _result(
        self, kind: str, code: str, initial: bytes, final: bytes, answer: str | None, now: datetime, seconds: float
    ) -> Any:
        params = {
            "kind": kind,
            "code": code,
            "answer": answer,
            "now": now.isoformat(),
            "seed": kind,
            "initial_size": len(initial),
        }
        self._compile(code)
        with self._warm.use(Worker.child) as child:
            try:
                return child.call("judge", params, initial + final, seconds=seconds).result
            except EnvironmentFault as fault:
                raise VerifierFault(f"the verifier came to no verdict: {fault}") from fault
            finally:
                self._warm.ahead()


def likely_calls(scenario: AwmScenario) -> tuple[ToolCall, ...]:
    """Calls that agents may make, for a rehearsal: those of known solutions, and the examples of the specification."""
    solutions = [call for solution in scenario.solutions.values() for call in solution.calls]
    examples = [
        ToolCall(endpoint.operation_id, {name: found.example for name, found in params if found.example is not None})
        for endpoint in scenario.endpoints
        for params in [endpoint.request_params.items()]
    ]
    return (*solutions, *examples)


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"generated applications need {' and '.join(missing)}: pip install 'awm-gym[awm]'")


def _checked(model: type[_M], result: Any) -> _M:
    """What a worker says, if it is of the type that it should be."""
    try:
        return model.model_validate(result)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = printable(".".join(str(part)[:40] for part in first["loc"]))
        raise EnvironmentFault(f"the worker sent {shown(first['input'])} as {key or 'its answer'}") from None
