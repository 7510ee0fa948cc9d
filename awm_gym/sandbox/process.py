"""Outside: a process at the other end of a line. It is asked, one thing at a time; when it breaks, it is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from awm_gym.errors import EnvironmentFault, UsageError, printable, shown
from awm_gym.sandbox import frames
from awm_gym.sandbox.frames import Frame, FrameError
from awm_gym.sandbox.line import Line, LineClosed
from awm_gym.sandbox.lockdown import Limits

_QUOTED = 500  # characters of what a worker printed that a message shows


class Invited(NamedTuple):
    """A process that was forked for us: the line to it, its id, and what it reports of itself."""

    line: Line
    process: int
    report: dict[str, Any]


class Process(ABC):
    """A process at the other end of a line, with at most one request under way."""

    def __init__(self, line: Line, limits: Limits) -> None:
        self._line, self._limits = line, limits
        self._owner = os.getpid()  # a fork of the trainer has no part in it
        self._turn = threading.Lock()
        self._count = 0
        self._ended = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process. Closing twice is harmless."""
        self._end("it was closed")

    @property
    def printed(self) -> str:
        """The end of what the process has printed so far, as far as it was read."""
        return self._line.printed

    @property
    def alive(self) -> bool:
        """Whether it may be called. A process that has died unnoticed shows it at the next call."""
        return not self._ended

    def _exchange(self, message: dict[str, Any], blob: bytes, seconds: float, passed: Sequence[int] = ()) -> Frame:
        """Ask and wait for an answer or a complaint."""
        end = time.monotonic() + seconds
        self._send(message, blob, end, passed)
        return self._receive(end)

    def _send(self, message: dict[str, Any], blob: bytes, end: float, passed: Sequence[int] = ()) -> None:
        if os.getpid() != self._owner:
            raise UsageError("the worker belongs to the process that started it; start one here")
        if self._ended:
            raise EnvironmentFault(f"the worker is not there any more: {self._ended}")
        self._count += 1
        try:
            data = frames.encode({"id": self._count, **message}, blob, limit=self._limits.frame)
        except FrameError as error:
            raise UsageError(f"the request is {error}") from error
        with self._ending_with_the_conversation():
            self._line.send(data, end, passed)

    def _receive(self, end: float) -> Frame:
        with self._ending_with_the_conversation():
            return self._answer(end)

    @contextlib.contextmanager
    def _ending_with_the_conversation(self) -> Iterator[None]:
        try:
            yield
        except EnvironmentFault as fault:
            raise self._fault(fault) from fault
        except BaseException:  # an interrupt leaves an answer under way that nobody waits for
            self._end("a call was interrupted")
            raise

    def _answer(self, end: float) -> Frame:
        answer = self._line.receive(end)
        found = answer.message.get("id")
        if type(found) is not int or found != self._count:
            raise EnvironmentFault(f"the worker answered {shown(found)}, not request {self._count}")
        if len(answer.message) != 2 or not answer.message.keys() & {"result", "error"}:
            raise EnvironmentFault(f"the worker sent {shown(answer.message)}, which is no answer")
        return answer

    def _ask(self, message: dict[str, Any], seconds: float, passed: Sequence[int] = ()) -> Any:
        """Ask our own code at the other end."""
        return _granted(self._exchange(message, b"", seconds, passed))

    def _fault(self, fault: EnvironmentFault) -> EnvironmentFault:
        """End the process, and say how it ended and what it last printed."""
        status = self._end(str(fault))
        how = f" ({_spelled(status)})" if status is not None and isinstance(fault, LineClosed) else ""
        return EnvironmentFault(printable(f"{fault}{how}{_last_words(self._line)}"))

    @abstractmethod
    def _end(self, reason: str) -> int | None:
        """End the process, for a reason. Returns its exit status where that can be known."""

    def _invite(self, order: dict[str, Any], limits: Limits) -> Invited:
        """Have this process fork, and meet the one that was forked."""
        return self._welcome(self._order(order, limits), limits)

    def _order(self, order: dict[str, Any], limits: Limits) -> Line:
        """Have this process fork, and do not wait for it. Nothing else may be asked before `_welcome`."""
        near, far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        output, printing = os.pipe()
        line = Line(near, output, frame=limits.frame, kept=limits.output)
        try:
            self._send({"fork": order}, b"", time.monotonic() + limits.start_seconds, [far.fileno(), printing])
        except BaseException:
            line.close()
            raise
        finally:
            far.close()
            os.close(printing)
        return line

    def _welcome(self, line: Line, limits: Limits) -> Invited:
        """Meet a process that was ordered."""
        try:
            _granted(self._receive(time.monotonic() + limits.start_seconds))
            return self._meet(line, limits.start_seconds)
        except BaseException:
            line.close()
            raise

    def _meet(self, line: Line, seconds: float) -> Invited:
        try:
            message, process = line.receive_signed(time.monotonic() + seconds)
        except EnvironmentFault as fault:
            line.listen()
            raise EnvironmentFault(printable(f"{fault}{_last_words(line)}")) from fault
        if message.keys() != {"ready"}:
            raise EnvironmentFault(f"the worker sent {shown(message)}, not that it is ready")
        return Invited(line, process, message["ready"])


def _granted(answer: Frame) -> Any:
    """What our own code at the other end answers; its complaint is a fault but no reason to end it."""
    if "error" in answer.message:
        raise EnvironmentFault(printable(f"the worker cannot: {answer.message['error']}"))
    return answer.message["result"]


def _last_words(line: Line) -> str:
    last = line.printed[-_QUOTED:].strip()
    return f"; it printed: {last}" if last else ""


def _spelled(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
