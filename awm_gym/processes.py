"""Processes that work for this one: they leave Ctrl-C to it, and end with it, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context, parent_process
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def pool(jobs: int) -> ProcessPoolExecutor:
    """Fresh processes, so many at most."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin)


def each(call: Callable[[_T], _R], items: Sequence[_T], jobs: int) -> Iterator[_R]:
    """Results of a call on all items, each as it comes: on so many processes, or here if there is but one to do.

    Whoever stops asking stops the work, and what raises ends it: at once, whatever the processes are at.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from map(call, items)
        return
    others, workers = set(active_children()), pool(min(jobs, len(items)))
    try:
        for done in as_completed([workers.submit(call, item) for item in items]):
            yield done.result()
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the parent: one that is killed tells its workers nothing."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
