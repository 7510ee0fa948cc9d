"""What repairs did, in figures and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from awm_gym.formats.awm.repair.values import Repair, TaskRepair

_WORDS = {
    "quotes": "tables whose INSERT statements were mended",
    "route": "operations with a path or a name of their own now",
    "moments": "applications and columns whose times have one form now",
    "case": "columns whose values are written as the code writes them now",
    "goal": "tasks whose goal was in the data, and is no more",
    "keys": "applications that enforce foreign keys now",
    "ghosts": "operations that refuse ids which no row has now",
    "conflicts": "applications that answer errors of the request now",
    "atomic": "applications whose refused requests leave nothing behind now",
    "frame": "verifiers that refuse changes elsewhere now",
    "left": "things that were found and left as they are",
}


class Figure(NamedTuple):
    """What is counted, and the count."""

    words: str
    value: str


def figures(repairs: Sequence[Repair]) -> Iterator[Figure]:
    """What was done to all of them, and what became of their tasks."""
    yield Figure("scenarios", str(len(repairs)))
    yield Figure("of them, scenarios that cannot be repaired", str(sum(bool(repair.error) for repair in repairs)))
    for kind, words in _WORDS.items():
        yield Figure(words, str(sum(action.kind == kind for repair in repairs for action in repair.actions)))
    tasks = [task for repair in repairs for task in repair.tasks]

    def count(met: Callable[[TaskRepair], bool]) -> str:
        return str(sum(map(met, tasks)))

    yield Figure("tasks", str(len(tasks)))
    before, after = count(lambda task: bool(task.untouched_before)), count(lambda task: bool(task.untouched_after))
    yield Figure("tasks that pay for doing nothing, before and after", f"{before}, {after}")
    before = count(lambda task: task.solution_before == "paid")
    after = count(lambda task: task.solution_after == "paid")
    yield Figure("known solutions that are paid, before and after", f"{before}, {after}")
    yield Figure("tasks that still cannot be trusted", count(lambda task: bool(task.doubt)))


def words(repairs: Sequence[Repair]) -> Iterator[str]:
    """Why scenarios could not be repaired, what was left, and which tasks cannot be trusted; a line for each."""
    for repair in repairs:
        if repair.error:
            yield f"{repair.name}: {repair.error}"
        for action in repair.actions:
            if action.kind == "left":
                yield f"{repair.name}, {action.place}: {action.words}"
        for task in repair.tasks:
            if task.doubt:
                yield f"{repair.name}, task {task.number}: {task.doubt}"
