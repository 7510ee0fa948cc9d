"""Outside: a locked worker that starts when it is first needed, and again after it broke."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.worker import Worker

LIMITS = Limits(frame=64 * 2**20)  # two databases in one request

_T = TypeVar("_T")


class Standby:
    """A worker for whoever needs one, one after the other."""

    def __init__(
        self,
        program: str,
        preload: Sequence[str],
        *,
        children: bool = False,
        partial: bool = False,
        allow_unsandboxed: bool = False,
    ) -> None:
        """Prepare it; nothing is started yet. All arguments are those of `Worker`."""

        def start() -> Worker:
            return Worker(
                program, preload, LIMITS, children=children, partial=partial, allow_unsandboxed=allow_unsandboxed
            )

        self._start = start
        self._worker: Worker | None = None
        self._turn, self._closed = threading.Lock(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker. Twice is harmless."""
        with self._turn:
            self._closed = True
            self._drop()

    def use(self, act: Callable[[Worker], _T]) -> _T:
        """Do something with the worker, alone.

        Raises:
            EnvironmentFault: it went wrong; the next one gets a fresh worker.
            UsageError: it has been closed.
        """
        with self._turn:
            if self._closed:
                raise UsageError("it has been closed; make another")
            self._worker = self._worker or self._start()
            try:
                return act(self._worker)
            except EnvironmentFault:
                self._drop()
                raise

    def _drop(self) -> None:
        if self._worker:
            self._worker.close()
        self._worker = None
