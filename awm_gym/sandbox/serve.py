"""Inside: the zygote that imports, the workers that lock themselves up and serve a program, and their children.

A program is a function of a trusted module, named `module:function`. It is called once, in the locked worker, without
arguments, and returns what answers calls: `answer(method, params, blob) -> (result, blob)`, where `result` is anything
that JSON can say. It may then run text that nobody trusts. All it will import must be imported with its module: after
the lock there are no files. What it raises reaches the caller as an `EnvironmentFault`, and ends the worker.

What answers may have a method `begin(idle)`, which a child calls once, before it is asked anything: `idle` waits so
many milliseconds for a request, and tells whether there was none.

A forked child goes on with the program's state as it was; but threads do not survive, and `random` seeds itself anew.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from awm_gym.sandbox import frames
from awm_gym.sandbox.frames import HEADER_BYTES, MAX_BYTES, FrameError
from awm_gym.sandbox.lockdown import Limits, Report, child_lock, die_with, lock
from awm_gym.sandbox.syscalls import PR_SET_CHILD_SUBREAPER, prctl

Answer = Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]
_HEARTBEAT = 2_000  # ms between two looks of an idle zygote at whether the trainer lives


class Request(NamedTuple):
    """What came in: a frame, and the descriptors that came with it."""

    message: dict[str, Any]
    blob: bytes
    descriptors: list[int]


class Ended(Exception):
    """The other side has closed the channel."""


class Channel:
    """This side's end of a conversation.

    Attributes:
        passes: requests may bring descriptors.
    """

    def __init__(self, descriptor: int, limit: int, *, passes: bool) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor)
        self._limit = limit
        self.passes = passes

    def receive(self) -> Request:
        """Wait for the next request.

        Raises:
            Ended: there will be none.
        """
        descriptors: list[int] = []
        header = b""
        if self.passes:
            header, descriptors, _, _ = socket.recv_fds(self._socket, HEADER_BYTES, 2)
        header = self._exactly(HEADER_BYTES, header)
        sizes = frames.lengths(header, limit=self._limit)
        message = frames.decode(self._exactly(sizes.message))
        return Request(message, self._exactly(sizes.blob), descriptors)

    def answer(self, to: dict[str, Any], result: Any, blob: bytes = b"") -> None:
        """Answer a request; if the answer is no frame, say so instead."""
        try:
            data = frames.encode({"id": to["id"], "result": result}, blob, limit=self._limit)
        except FrameError as error:
            data = frames.encode({"id": to["id"], "error": f"the answer is {error}"[:2_000]})
        self._socket.sendall(data)

    def fail(self, to: dict[str, Any], error: BaseException) -> None:
        """Answer a request with what went wrong."""
        said = f"{type(error).__name__}: {error}".encode(errors="replace").decode()
        self._socket.sendall(frames.encode({"id": to["id"], "error": said[:2_000]}))

    def ready(self, report: Report) -> None:
        """Say that requests may come, and what protects this process."""
        self._socket.sendall(frames.encode({"ready": report}))

    def close(self) -> None:
        """Close this side's end."""
        self._socket.close()

    def idle(self, milliseconds: int) -> bool:
        """Wait so long for a request, or for the end; True if neither came."""
        return not select.select([self._socket], [], [], milliseconds / 1_000)[0]

    def _exactly(self, size: int, start: bytes = b"") -> bytes:
        """So many bytes, the first of which are there. In one piece: they may be a database, twice."""
        data = start
        while len(data) < size:
            part = self._socket.recv(size - len(data), socket.MSG_WAITALL)
            if not part:
                raise Ended
            data = data + part if data else part
        return data


def zygote(descriptor: int) -> None:
    """Import what is asked for and fork workers, until the trainer ends."""
    channel = Channel(descriptor, MAX_BYTES, passes=True)
    trainer = os.getppid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # what workers leave behind falls to us
    while True:
        while channel.idle(_HEARTBEAT):
            if os.getppid() != trainer:
                return
        try:
            request = channel.receive()
        except Ended:
            return
        try:
            channel.answer(request.message, _obey(request, channel))
        except (ImportError, AttributeError, OSError) as error:
            channel.fail(request.message, error)


def _obey(request: Request, channel: Channel) -> Any:
    match request.message:
        case {"preload": modules, "path": path}:
            sys.path[:] = path
            for module in modules:
                importlib.import_module(module)
            gc.collect()
            gc.freeze()  # so that collections in workers do not touch, and thereby copy, what all share
        case {"fork": order}:
            program = _function(order["program"])
            zygote_id = os.getpid()
            if _fork(request.descriptors) == 0:
                _become(lambda: _work(program, order, request.descriptors, zygote_id), channel)
        case {"reap": process}:
            return _reaped(process)
    return None


def _reaped(group: int) -> int:
    """Wait for a worker that was killed, and for what it left behind. Returns the worker's exit status."""
    status = os.waitstatus_to_exitcode(os.waitpid(group, 0)[1])
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)
    return status


def _function(name: str) -> Callable[[], Answer]:
    module, _, function = name.partition(":")
    found: Callable[[], Answer] = getattr(importlib.import_module(module), function)
    return found


def _become(life: Callable[[], None], inherited: Channel) -> NoReturn:
    """Live a forked process's life, and end with it: it never returns into the code that forked it."""
    code = 1
    try:
        inherited.close()
        life()
        code = 0
    except BaseException:  # whatever ends this process, it is told on its stderr and goes no further
        traceback.print_exc()
    finally:
        os._exit(code)


def _work(program: Callable[[], Answer], order: dict[str, Any], descriptors: list[int], parent: int) -> None:
    """The life of a worker: lock, load, serve."""
    limits = Limits(**order["limits"])
    os.setpgid(0, 0)
    channel = _settle(descriptors, limits, passes=order["children"])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that end leave nothing behind
    report = lock(order["layers"], limits, parent, children=order["children"])
    channel.ready(report)
    _serve(channel, program(), child_lock(report), limits)


def _settle(descriptors: list[int], limits: Limits, *, passes: bool) -> Channel:
    """Take up the ends that came with the order: what is printed goes into one, the conversation is the other."""
    conversation, output = descriptors
    for standard in (1, 2):
        os.dup2(output, standard, inheritable=False)
    os.close(output)
    return Channel(conversation, limits.frame, passes=passes)


def _serve(channel: Channel, answer: Answer, lock_child: Callable[[], None], limits: Limits) -> None:
    while True:
        try:
            request = channel.receive()
        except Ended:
            return channel.close()
        message = request.message
        try:
            if "fork" in message:
                channel = _forked(channel, request, lock_child, limits)
                if not channel.passes and hasattr(answer, "begin"):
                    answer.begin(channel.idle)
            else:
                channel.answer(message, *answer(message["method"], message["params"], request.blob))
        except BaseException as error:  # text that nobody trusts may raise anything
            channel.fail(message, error)


def _forked(channel: Channel, request: Request, lock_child: Callable[[], None], limits: Limits) -> Channel:
    """Fork. Returns, in each of the two processes, the channel that it goes on with."""
    parent = os.getpid()
    if _fork(request.descriptors):
        channel.answer(request.message, None)
        return channel
    try:
        channel.close()
        own = _settle(request.descriptors, limits, passes=False)
        die_with(parent)
        lock_child()
        own.ready({})
    except BaseException:  # as in `_become`
        traceback.print_exc()
        os._exit(1)
    return own


def _fork(descriptors: list[int]) -> int:
    """Fork; the descriptors are the child's, and stay open there only."""
    process = -1
    try:
        process = os.fork()
    finally:
        if process:
            for descriptor in descriptors:
                os.close(descriptor)
    return process
