"""What a repair did, as values: actions, and what became of each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from awm_gym.formats.awm.records import AwmScenario

Kind = Literal["quotes", "route", "moments", "keys", "ghosts", "conflicts", "atomic", "case", "goal", "frame", "left"]
Solved = Literal["paid", "unpaid", "fault", ""]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Value):
    """One thing that was mended, or that could not be.

    Attributes:
        kind: what was mended. "quotes": of statements that were lost; "route": an operation that another hid;
            "moments": forms of dates and times; "keys": foreign keys are enforced; "ghosts": ids that no row has are
            answered 404; "conflicts": broken constraints are answered 409; "atomic": a request that is refused leaves
            nothing behind; "case": capitals of values that the code compares with; "goal": rows that a task is to make
            are gone; "frame": a verifier refuses collateral damage; "left": nothing was done, for the reason in words.
        place: table, operation or task.
        words: what was done.
    """

    kind: Kind
    place: str
    words: str


class TaskRepair(_Value):
    """What became of one task.

    Attributes:
        number: of the task.
        untouched_before: names of canned answers that were paid for doing nothing.
        untouched_after: those that still are.
        solution_before: what the known solution earned; "" if none is known.
        solution_after: what it earns now.
        framed: its verifier refuses changes elsewhere.
        doubt: why it still cannot be trusted; "" if nothing speaks against it.
    """

    number: int
    untouched_before: tuple[str, ...] = ()
    untouched_after: tuple[str, ...] = ()
    solution_before: Solved = ""
    solution_after: Solved = ""
    framed: bool = False
    doubt: str = ""


class Repair(_Value):
    """What was done to one scenario: a line of `repairs.jsonl`.

    Attributes:
        name: its id.
        error: why nothing could be done at all; "" otherwise.
        actions: in the order in which they were taken.
        tasks: in order.
    """

    name: str
    error: str = ""
    actions: tuple[Action, ...] = ()
    tasks: tuple[TaskRepair, ...] = ()

    @property
    def done(self) -> tuple[Action, ...]:
        """The actions that changed something."""
        return tuple(action for action in self.actions if action.kind != "left")


@dataclass(frozen=True)
class Repaired:
    """A scenario after its repair, and what was done to it."""

    scenario: AwmScenario
    repair: Repair
