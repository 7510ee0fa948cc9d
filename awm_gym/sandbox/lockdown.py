"""Lockdown: a process gives up, in this order and for ever, its user, its resources, all paths, and most system calls.

Every layer is tried, and the report says of each whether it holds. Whether that is enough the other side decides.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awm_gym.sandbox import landlock, seccomp
from awm_gym.sandbox.frames import MAX_BYTES
from awm_gym.sandbox.syscalls import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, machine, prctl

_FIRST_USER, _USERS = (
    61_184,
    4_336,
)  # ids that systems keep for services of a moment: nobody's files, nobody's processes


@dataclass(frozen=True)
class Limits:
    """What a worker may use up.

    Attributes:
        memory: bytes of address space of each process, with all that is preloaded, and 8 MB for each thread.
        tasks: processes and threads of a worker and its children together.
        open_files: descriptors of each process.
        frame: bytes of one request or one answer, its blob included.
        output: bytes kept, from the end, of what is printed.
        start_seconds: until a worker is ready; seconds.
        call_seconds: until a call is answered, where the call does not say; seconds.
    """

    memory: int = 2**30
    tasks: int = 1024
    open_files: int = 64
    frame: int = MAX_BYTES
    output: int = 64 * 2**10
    start_seconds: float = 60.0
    call_seconds: float = 30.0


Report = dict[str, Any]


def lock(layers: Collection[str], limits: Limits, parent: int, *, children: bool) -> Report:
    """Lock this process up.

    Args:
        layers: which layers to install: of `protection.LAYERS`.
        limits: bounds for the layer rlimits.
        parent: the process whose end is to be the end of this one.
        children: the process is to fork children later.

    Returns:
        For each layer whether it is in force, and its detail; and notes.
    """
    report: Report = {"rlimits": _tried(lambda: _limit(limits), "rlimits" in layers)}
    die_with(parent)  # a change of user undoes it, the filter forbids it
    report["landlock"] = _tried(lambda: f"version {landlock.install()}", "landlock" in layers)
    report["seccomp"] = _tried(lambda: _filter(children=children), "seccomp" in layers)
    notes = [] if os.getuid() else ["runs as root, so the number of its processes is not bounded"]
    return report | {"notes": notes}


def child_lock(report: Report) -> Callable[[], None]:
    """What locks a child of a locked process further, so that it cannot fork; made before the fork."""
    if not report["seccomp"][0]:
        return lambda: None
    packed = seccomp.pack(seccomp.filter_of_child(machine()))
    return lambda: seccomp.install(packed)


def die_with(parent: int) -> None:
    """Be killed when the process that forked this one ends; at once, if it has ended already."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _tried(install: Callable[[], str], wanted: bool) -> tuple[bool, str]:
    if not wanted:
        return False, "not asked for"
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        return True, install()
    except (OSError, ValueError) as error:
        return False, str(error)


def _filter(*, children: bool) -> str:
    program = seccomp.filter_for(machine(), children=children)
    seccomp.install(seccomp.pack(program))
    return f"no files, {len(program)} instructions"


def _limit(limits: Limits) -> str:
    """Bound this process, and with it all that it will fork."""
    with contextlib.suppress(OSError):  # if memory gets short, the kernel shall take this process first
        Path("/proc/self/oom_score_adj").write_text("1000", "utf-8")
    others = _drop_root() if os.getuid() == 0 else _tasks_of(os.getuid())
    bounds = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_NPROC: others + limits.tasks,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, bound in bounds.items():
        hard = resource.getrlimit(kind)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (bound, bound))
    return f"{limits.memory >> 20} MiB, {limits.tasks} tasks, {limits.open_files} descriptors, user {os.getuid()}"


def _drop_root() -> int:
    """Become a user that owns nothing, if we may. Returns how many tasks that user has: none."""
    user = _FIRST_USER + os.getpid() % _USERS
    with contextlib.suppress(OSError):  # a root without this right stays root; the report notes it
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    return 0


def _tasks_of(user: int) -> int:
    """Processes and threads that a user has now: the kernel counts them all against the bound."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            count += len(os.listdir(process / "task")) if process.stat().st_uid == user else 0
    return count
