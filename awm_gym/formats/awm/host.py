"""Outside: generated applications and their verifiers, each in a locked worker, never in the same.

>>> with App(scenario.code, base, name=scenario.name) as app, Judge() as judge:
...     with app.reset() as episode:
...         episode.call("list_walks", {"city": "Lund"})
...         judge.reward(scenario.verifiers[0]["code"], app.initial, episode.image(), "two", now=base.now)

What an application answers is for agents, whatever it is. What a worker does, beyond that, is checked: it may break,
hang or lie, and then a call raises `EnvironmentFault`, and the next episode has a fresh one.
"""

from __future__ import annotations

import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError, printable, shown, unknown
from awm_gym.formats.awm.base import STAMPS, Base
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.protection import Protection
from awm_gym.sandbox.worker import Child, Worker

MAX_ANSWER = 2**20  # bytes of one answer of an application
LOAD_SECONDS = 60.0  # until an application has started
CALL_SECONDS = 10.0  # until one of its operations has answered
JUDGE_SECONDS = 10.0  # until a verifier has come to its result

_APP = "awm_gym.formats.awm.app_program"
_JUDGE = "awm_gym.formats.awm.judge_program"
_PACKAGES = ("fastapi", "sqlalchemy")
_LIMITS = Limits(frame=64 * 2**20)  # two databases in one request
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


class Episode(_Closing):
    """An application from its first state on. Not for two threads at once."""

    def __init__(self, process: Worker | Child, tools: Mapping[str, ToolInfo], *, own: bool) -> None:
        """Not to be made by hand; see `App.reset`."""
        self._process, self._tools, self._own, self._over = process, tools, own, False

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
        reply = self._running().call("call", params, seconds=seconds)
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
        return _unmarked(self._running().call("image", seconds=CALL_SECONDS).blob)

    def close(self) -> None:
        """End the episode."""
        self._over = True
        if self._own:
            self._process.close()

    def _running(self) -> Worker | Child:
        if self._over:
            raise UsageError("this episode is over; reset the application for another")
        return self._process


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
        self._partial, self._allow_unsandboxed = partial, allow_unsandboxed
        self._last: Episode | None = None
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
            return self._warm.use(lambda worker: Episode(worker.child(), self._by_name, own=True))
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
            told = _checked(_Loaded, reply.result)
            if told.failed:
                problem = f"the application does not start: {printable(told.failed)}"
                raise ScenarioError(problem, scenario=self._name)
        except BaseException:
            worker.close()
            raise
        self.tools, self.collisions, self.initial = told.tools, told.collisions, _unmarked(reply.blob)
        self._by_name = {tool.name: tool for tool in told.tools}
        return worker

    def _restored(self, worker: Worker) -> Episode:
        worker.call("restore", seconds=CALL_SECONDS)
        return Episode(worker, self._by_name, own=False)


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
        with self._warm.use(Worker.child) as child:
            try:
                return child.call("judge", params, initial + final, seconds=seconds).result
            except EnvironmentFault as fault:
                raise VerifierFault(f"the verifier came to no verdict: {fault}") from fault


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


def _unmarked(image: bytes) -> bytes:
    """An image but for the marks of the SQLite that wrote it."""
    found = bytearray(image)
    for offset, value in STAMPS:
        found[offset : offset + 4] = value.to_bytes(4, "big")
    return bytes(found)
