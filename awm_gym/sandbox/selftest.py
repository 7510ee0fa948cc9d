"""A program that tries, inside a worker, what must fail there; so that a layer which is silently void is found out."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from collections.abc import Callable
from typing import Any

PROGRAM = f"{__name__}:program"
FORK = "fork"
_STOPPED = (PermissionError, FileNotFoundError)  # a filter answers with these; any other error comes from beyond it
_MISSING = "/there is no such program"


def program() -> Callable[[str, dict[str, Any], bytes], tuple[Any, bytes]]:
    """Answers any call with the names of the attempts that nothing stopped."""
    return lambda method, params, blob: ([name for name, attempt in ATTEMPTS.items() if reached(attempt)], b"")


def reached(attempt: Callable[[], object]) -> bool:
    """Whether nothing stopped an attempt."""
    try:
        attempt()
    except _STOPPED:
        return False
    except OSError:
        return True
    return True


def must_fail(level: int, *, forked: bool) -> set[str]:
    """What must fail at a level of protection: in a worker with children; or `forked`, in a child."""
    if level >= 2:
        return set(ATTEMPTS) if forked else set(ATTEMPTS) - {FORK}
    return {"reading a file", "writing a file"} if level == 1 else set()


def _read() -> None:
    os.close(os.open(__file__, os.O_RDONLY))


def _write() -> None:
    os.close(os.open(os.devnull, os.O_WRONLY))


def _look() -> None:
    os.stat("/")


def _execute() -> None:
    with contextlib.suppress(FileNotFoundError):  # the kernel has looked for it
        os.execv(_MISSING, [_MISSING])


def _socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _signal() -> None:
    os.kill(os.getpid(), 0)


def _executable() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "reading a file": _read,
    "writing a file": _write,
    "looking at a folder": _look,
    "running a program": _execute,
    "opening a socket": _socket,
    "sending a signal": _signal,
    "mapping executable memory": _executable,
    FORK: _fork,
}
