"""Outside: zygotes, one for each set of modules, kept for as long as this process lives."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from awm_gym.errors import EnvironmentFault
from awm_gym.sandbox.line import Line
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.process import Invited, Process

_BOOT = Path(__file__).with_name("boot.py")
_FLAGS = ("-P", "-s", "-S", "-B", "-u")  # no path, no site, no files written, nothing printed held back
_LIBRARIES = "LD_LIBRARY_PATH"  # without it some interpreters cannot start
_ENVIRONMENT = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC0"}


class Zygote(Process):
    """A fresh interpreter that has imported modules and forks workers. It knows nothing of this process's memory.

    Attributes:
        preload: the modules.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        """Start the interpreter and have it import modules, found where this process finds them.

        Raises:
            EnvironmentFault: it does not start, or a module cannot be imported.
        """
        self.preload = tuple(preload)
        limits = Limits()
        near, far = socket.socketpair()
        output, printing = os.pipe()
        with far, os.fdopen(printing, "wb") as out:
            self._interpreter = subprocess.Popen(
                [sys.executable, *_FLAGS, str(_BOOT), str(far.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[far.fileno()],
                cwd="/",
                env=_ENVIRONMENT | {name: os.environ[name] for name in [_LIBRARIES] if name in os.environ},
                start_new_session=True,
            )
        super().__init__(Line(near, output, frame=limits.frame, kept=limits.output), limits)
        folders = [os.path.abspath(folder) for folder in sys.path]
        try:
            self._ask({"preload": self.preload, "path": folders}, limits.start_seconds)
        except EnvironmentFault:
            self.close()
            raise

    @property
    def process(self) -> int:
        """Its process id."""
        return self._interpreter.pid

    @property
    def alive(self) -> bool:
        """Whether it can fork workers."""
        return super().alive and self._interpreter.poll() is None

    def fork(self, order: dict[str, Any], limits: Limits) -> Invited:
        """Fork a worker."""
        with self._turn:
            return self._invite(order, limits)

    def reap(self, process: int) -> int | None:
        """Wait for a worker that was killed. Returns its exit status; None if the zygote does not live to tell."""
        with self._turn, contextlib.suppress(EnvironmentFault):
            return int(self._ask({"reap": process}, self._limits.call_seconds))
        return None

    def _end(self, reason: str) -> int | None:
        if self._ended or os.getpid() != self._owner:
            return None
        self._ended = reason
        self._interpreter.kill()
        status = self._interpreter.wait()
        self._line.close()
        return status


_zygotes: dict[tuple[int, tuple[str, ...]], Zygote] = {}
_turn = threading.Lock()


def zygote(preload: Sequence[str]) -> Zygote:
    """The zygote of this process that has imported these modules; started at the first call, and again if it died."""
    key = (os.getpid(), tuple(preload))
    with _turn:
        found = _zygotes.get(key)
        if found is None or not found.alive:
            if found is not None:
                found.close()
            found = _zygotes[key] = Zygote(preload)
        return found


@atexit.register
def close_all() -> None:
    """End all zygotes of this process, and with them their workers."""
    for key in [key for key in _zygotes if key[0] == os.getpid()]:
        _zygotes.pop(key).close()
