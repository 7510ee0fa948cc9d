"""Outside: starting workers, calling them, and ending them, whatever they do.

>>> with Worker("package.module:program", preload=("sqlite3",), children=True) as worker:
...     worker.call("load", {"code": text})
...     with worker.child() as episode:
...         reply = episode.call("step", {"action": 3}, seconds=5)

A worker that is killed, hangs, floods or lies makes the call raise `EnvironmentFault` by its deadline, and is ended;
start another. A worker's end is the end of its children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import weakref
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from awm_gym.errors import EnvironmentFault, SandboxUnavailable, UsageError
from awm_gym.sandbox import selftest
from awm_gym.sandbox.line import Line
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.process import Invited, Process
from awm_gym.sandbox.protection import LAYERS, UNSANDBOXED, Protection, require, unsandboxed_allowed, warn_once
from awm_gym.sandbox.zygote import Zygote, zygote

_LIMITS = Limits()


class Reply(NamedTuple):
    """The answer to a call.

    Attributes:
        result: what the program said; any JSON value.
        blob: bytes that belong to it.
    """

    result: Any
    blob: bytes


class Trial(NamedTuple):
    """What a throw-away worker found out.

    Attributes:
        protection: what held it.
        holes: what should have failed and did not.
    """

    protection: Protection
    holes: tuple[str, ...]

    def insist(self) -> None:
        """Refuse to go on if a layer says it holds and does not.

        Raises:
            SandboxUnavailable: what should have failed did not.
        """
        if self.holes:
            raise SandboxUnavailable(
                f"generated Python is not run: in a trial worker nothing stopped {', '.join(self.holes)}. "
                f"allow_unsandboxed=True or {UNSANDBOXED}=1 runs it all the same"
            )


_trials: dict[tuple[str, ...], Trial] = {}  # by layers; a machine does not change while a process lives


class _Caged(Process):
    """What workers and their children have in common: a program that answers calls."""

    protection: Protection

    def call(
        self, method: str, params: dict[str, Any] | None = None, blob: bytes = b"", *, seconds: float | None = None
    ) -> Reply:
        """Have the program answer.

        Args:
            method: what to do; the program's own vocabulary.
            params: JSON values, by name.
            blob: bytes that go along.
            seconds: until there is an answer; by default the limits' `call_seconds`.

        Raises:
            EnvironmentFault: the program failed, or no proper answer came in time. The process has been ended.
            UsageError: a call is under way in another thread; or what is sent is not JSON, or too long.
        """
        with self._alone():
            return self._call(method, params or {}, blob, self._limits.call_seconds if seconds is None else seconds)

    def _call(self, method: str, params: dict[str, Any], blob: bytes, seconds: float) -> Reply:
        answer = self._exchange({"method": method, "params": params}, blob, seconds)
        if "error" in answer.message:
            raise self._fault(EnvironmentFault(f"the program failed: {answer.message['error']!s:.2000}"))
        return Reply(answer.message["result"], answer.blob)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._turn.acquire(blocking=False):
            raise UsageError("a call is under way: a worker answers one at a time; start another for another thread")
        try:
            yield
        finally:
            self._turn.release()


class Worker(_Caged):
    """A locked process that serves a program.

    Attributes:
        protection: what holds it.
        process: its process id, and that of the group which it and its children form.
    """

    def __init__(
        self,
        program: str,
        preload: Sequence[str] = (),
        limits: Limits = _LIMITS,
        *,
        children: bool = False,
        layers: Collection[str] = LAYERS,
        partial: bool = False,
        allow_unsandboxed: bool = False,
    ) -> None:
        """Start a worker: fork it from the zygote of these modules, lock it, and have it make its program.

        Args:
            program: `module:function`, ours; see `awm_gym.sandbox.serve`.
            preload: modules that the text will want, and the program's own imports if they are slow.
            limits: what the worker may use up.
            children: it may fork; needed for `child`.
            layers: which layers to install. Less than all is for trials.
            partial: accept a machine that has Landlock but no seccomp.
            allow_unsandboxed: accept a machine that has neither, as does `AWM_GYM_ALLOW_UNSANDBOXED=1`.

        Raises:
            SandboxUnavailable: this machine cannot lock it up well enough.
            EnvironmentFault: it did not start.
        """
        if sys.platform != "linux":
            raise SandboxUnavailable("generated Python runs on Linux only: use a Linux machine or a container")
        self._zygote = zygote(preload)
        self._layers = tuple(name for name in LAYERS if name in layers)
        self._allowed = unsandboxed_allowed(allow_unsandboxed)
        self._admit()
        order = {"program": program, "layers": self._layers, "limits": asdict(limits), "children": children}
        line, self.process, report = self._zygote.fork(order, limits)
        super().__init__(line, limits)
        self._children = children
        self._ahead: list[Line] = []  # to a child that was ordered before it is needed
        self._kill = weakref.finalize(self, _kill_group, os.getpid(), self.process, line, self._ahead)
        self.protection = Protection.of_report(report)
        try:
            self._accept(partial=partial)
        except BaseException:  # a warning may be an error
            self.close()
            raise

    def child(self) -> Child:
        """Fork a child that goes on with the program as it is now: an episode of its own.

        Raises:
            UsageError: the worker was started without `children`; or a call is under way.
            EnvironmentFault: it did not start.
        """
        if not self._children:
            raise UsageError("this worker may not fork; start it with children=True")
        with self._alone():
            line, process, _ = self._next()
        return Child(self, line, process, self._limits)

    def ahead(self) -> None:
        """Have the next child forked while nobody waits for it. A call of the worker, which may change it, undoes that.

        Raises:
            UsageError: a call is under way.
        """
        with self._alone():
            if not self._ahead:
                with contextlib.suppress(EnvironmentFault):  # whoever asks for the child meets it again
                    self._ahead.append(self._order({}, self._limits))

    def _next(self) -> Invited:
        return self._welcome(self._ahead.pop(), self._limits) if self._ahead else self._invite({}, self._limits)

    def _call(self, method: str, params: dict[str, Any], blob: bytes, seconds: float) -> Reply:
        if self._ahead:
            with self._ending_with_the_conversation():
                line, process, _ = self._next()
                Child(self, line, process, self._limits).close()
        return super()._call(method, params, blob, seconds)

    def _admit(self) -> None:
        """Before the first worker of its kind, see that what must fail does fail."""
        found = trial(self._layers, self._zygote)
        if not self._allowed:
            found.insist()

    def _accept(self, *, partial: bool) -> None:
        require(self.protection, partial=partial, allow_unsandboxed=self._allowed)
        warn_once(self.protection)

    def _end(self, reason: str) -> int | None:
        if self._ended:
            return None
        self._ended = reason
        self._kill()
        return self._zygote.reap(self.process) if os.getpid() == self._owner else None


class Child(_Caged):
    """A process forked from a worker: one episode. It cannot fork.

    Attributes:
        protection: what holds it.
        process: its process id.
    """

    def __init__(self, worker: Worker, line: Line, process: int, limits: Limits) -> None:
        super().__init__(line, limits)
        self.process = process
        self.protection = worker.protection
        self._worker = worker  # which must not end before it
        self._kill = weakref.finalize(self, _kill_member, os.getpid(), process, worker.process, line)
        if not _is_member(process, worker.process):
            self.close()
            raise EnvironmentFault("the child's first word came from a process outside the worker's group")

    def _end(self, reason: str) -> int | None:
        self._ended = self._ended or reason
        self._kill()
        return None


class _TrialWorker(Worker):
    def _admit(self) -> None:
        """It is there to find out."""

    def _accept(self, *, partial: bool) -> None:
        """It runs nothing that is not ours."""


def trial(layers: Sequence[str] = LAYERS, host: Zygote | None = None) -> Trial:
    """Try, in a worker that is then thrown away, what must fail; once for each set of layers.

    Raises:
        SandboxUnavailable: this is no Linux.
        EnvironmentFault: no worker can be started.
    """
    layers = tuple(layers)
    if layers not in _trials:
        preload = host.preload if host else ()
        with _TrialWorker(selftest.PROGRAM, preload, children=True, layers=layers, allow_unsandboxed=True) as worker:
            level = worker.protection.level
            open_ = set(worker.call("attempts").result) & selftest.must_fail(level, forked=False)
            with worker.child() as child:
                open_ |= set(child.call("attempts").result) & selftest.must_fail(level, forked=True)
        _trials[layers] = Trial(worker.protection, tuple(name for name in selftest.ATTEMPTS if name in open_))
    return _trials[layers]


def _is_member(process: int, group: int) -> bool:
    """Whether a process, which may have ended, belongs to a group. Nobody inside can leave theirs."""
    try:
        return os.getpgid(process) == group
    except ProcessLookupError:
        return False


def _kill_member(owner: int, process: int, group: int, line: Line) -> None:
    if os.getpid() == owner and _is_member(process, group):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    line.close()


def _kill_group(owner: int, group: int, line: Line, ahead: list[Line]) -> None:
    if os.getpid() == owner:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    line.close()
    while ahead:
        ahead.pop().close()
