"""The machine that is measured on: one core, memory, medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MB = 1e6  # bytes


def pin_to_one_core() -> None:
    """Keep this process, and those it starts, on one core where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def own_memory_mb() -> float:
    """Resident memory of this process; its peak where the system tells no more."""
    if sys.platform == "linux":
        return _resident_mb("self")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def memory_mb_of(pid: int) -> float:
    """Resident memory of another process."""
    if sys.platform == "linux":
        return _resident_mb(str(pid))
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(told.stdout) * 1024 / MB


def _resident_mb(process: str) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def median_us(seconds: Sequence[float]) -> float:
    """The median of some durations, in microseconds."""
    return statistics.median(seconds) * 1e6
