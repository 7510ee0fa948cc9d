"""Protection: which layers hold a worker, what that is worth, and whether it is enough."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

from awm_gym.errors import SandboxUnavailable

LAYERS = ("seccomp", "landlock", "rlimits")
UNSANDBOXED = "AWM_GYM_ALLOW_UNSANDBOXED"  # the environment variable that stands for `allow_unsandboxed`
LEVELS = ("none", "partial", "good", "strong")
_OPEN_AT_PARTIAL = "UDP, unix sockets, fork, signals to processes of this user, chmod"


_warned: set[int] = set()  # processes that have been told


class WeakSandboxWarning(UserWarning):
    """Generated Python runs with less protection than it should have, because the caller accepted that."""


class Layer(NamedTuple):
    """One layer of a worker's protection.

    Attributes:
        in_force: whether it holds.
        detail: what exactly holds, or why it does not.
    """

    in_force: bool
    detail: str


@dataclass(frozen=True)
class Protection:
    """What holds a worker.

    Attributes:
        seccomp: the filter of system calls: no files, no network, no exec, no signals, no executable memory.
        landlock: the ruleset without any path or port.
        rlimits: bounds of memory, files, processes.
        notes: what else is worth knowing, such as the user that the worker runs as.
    """

    seccomp: Layer
    landlock: Layer
    rlimits: Layer
    notes: tuple[str, ...] = ()

    @property
    def level(self) -> int:
        """3 strong (all layers), 2 good (without Landlock), 1 partial (without seccomp), 0 none. Index of `LEVELS`."""
        if not self.rlimits.in_force:
            return 0
        return 2 * self.seccomp.in_force + self.landlock.in_force

    def to_json(self) -> dict[str, Any]:
        """As it goes into the metadata of an episode and the head of a trace."""
        layers = {name: getattr(self, name).detail for name in LAYERS}
        return {"level": self.level, **layers, "notes": list(self.notes)}

    @staticmethod
    def of_report(report: dict[str, Any]) -> Protection:
        """From what a worker says of itself before it runs anything that is not ours."""
        layers = {name: Layer(*report[name]) for name in LAYERS}
        return Protection(**layers, notes=tuple(report["notes"]))


def unsandboxed_allowed(allow: bool) -> bool:
    """Whether the user takes the risk: by argument, or by `AWM_GYM_ALLOW_UNSANDBOXED=1`."""
    return allow or os.environ.get(UNSANDBOXED) == "1"


def require(protection: Protection, *, partial: bool = False, allow_unsandboxed: bool = False) -> None:
    """Refuse to go on with less protection than the caller accepts.

    Args:
        protection: what holds.
        partial: accept level 1.
        allow_unsandboxed: accept anything, as does `AWM_GYM_ALLOW_UNSANDBOXED=1`.

    Raises:
        SandboxUnavailable: it is not enough. The message says why, and what can be done.
    """
    if protection.level >= (1 if partial else 2) or unsandboxed_allowed(allow_unsandboxed):
        return
    choice = f"partial=True accepts what stays open ({_OPEN_AT_PARTIAL}); " if protection.level == 1 else ""
    raise SandboxUnavailable(
        f"generated Python is not run: the sandbox is at level {protection.level} ({LEVELS[protection.level]}). "
        f"{_missing(protection)}. Run on Linux 3.17 or newer whose container allows seccomp; {choice}"
        f"allow_unsandboxed=True or {UNSANDBOXED}=1 runs it without protection"
    )


def warn_once(protection: Protection) -> None:
    """Say that generated Python is about to run with little protection: once per process, and not from level 2 on."""
    if protection.level >= 2 or os.getpid() in _warned:
        return
    _warned.add(os.getpid())
    open_to_it = _OPEN_AT_PARTIAL if protection.level == 1 else "all that this user may do"
    warnings.warn(
        f"generated Python runs with the sandbox at level {protection.level} ({LEVELS[protection.level]}). "
        f"{_missing(protection)}. Open to it: {open_to_it}",
        WeakSandboxWarning,
        stacklevel=2,
    )


def _missing(protection: Protection) -> str:
    return "; ".join(f"{name}: {layer.detail}" for name in LAYERS if not (layer := getattr(protection, name)).in_force)
