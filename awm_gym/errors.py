"""The exceptions of awm_gym.

* AwmError
  + ScenarioError       what an author wrote is malformed or contradicts itself
  + EnvironmentFault    nobody's move: a transport broke, a snapshot is damaged
  + UsageError          the caller asked for something that is not there
    - EpisodeOver       `step` after the end of an episode
    - SandboxUnavailable  this machine cannot lock up generated Python well enough
  + ModelError          the server of a language model cannot be reached, or refuses for good
  + BudgetSpent         the money or the tokens that a run was given are spent
  + Unreadable          a language model's answer is not of the type that was asked for

What an agent does wrong is never an exception: it comes back as a `ToolResult`
with an error of a kind, and the episode goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

_DEPTH = 32  # levels of a nested value that a message shows


class AwmError(Exception):
    """Base class."""


class ScenarioError(AwmError):
    """A scenario is malformed. Its author must mend it; trying again cannot help.

    Attributes:
        file: the file of the scenario's folder that holds the mistake, or "".
        key: the place within that file, such as `move_parcel.sql`, or "".
        problem: what is wrong, with the value and the remedy.
        scenario: name or folder of the scenario, or "" while it is unknown.
    """

    def __init__(self, problem: str, *, file: str = "", key: str = "", scenario: str = "") -> None:
        self.problem, self.file, self.key, self.scenario = problem, file, key, scenario
        place = "/".join(part for part in (scenario, file) if part)
        super().__init__(": ".join(part for part in (place, key, problem) if part))

    def within(self, scenario: str) -> ScenarioError:
        """The same error, told with the scenario it belongs to."""
        return ScenarioError(self.problem, file=self.file, key=self.key, scenario=scenario)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by parts, so that the error crosses process borders whole."""
        return _scenario_error, (self.problem, self.file, self.key, self.scenario)


def _scenario_error(problem: str, file: str, key: str, scenario: str) -> ScenarioError:
    return ScenarioError(problem, file=file, key=key, scenario=scenario)


class EnvironmentFault(AwmError):
    """The machinery failed, not the agent and not the author. Never a reward: drop the episode."""


class UsageError(AwmError, ValueError):
    """The caller named something that is not there, or gave a value of the wrong kind."""


class EpisodeOver(UsageError):
    """`step` was called after the episode had ended; call `reset` first."""


class SandboxUnavailable(UsageError):
    """This machine cannot lock up generated Python as well as was asked for, so none is run."""


class ModelError(AwmError):
    """The server of a language model cannot be reached, or refuses the request for good."""


class BudgetSpent(AwmError):
    """The money or the tokens that a run was given are spent. What was made so far is kept."""


class Unreadable(AwmError):
    """A language model's answer is not of the type that was asked for. The message says what is wrong, for the model.

    Attributes:
        text: what the model said; "" if it said nothing.
    """

    def __init__(self, problem: str, text: str = "") -> None:
        self.text = text
        super().__init__(problem)


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is not one of `known`, with the nearest names or, if there are few, all.

    A kind may say where: `task in parcel_lockers`.
    """
    kind, _, place = kind.partition(" in ")
    place = f" in {place}" if place else ""
    names = sorted(known)
    near = difflib.get_close_matches(name[:100] if isinstance(name, str) else shown(name), names, n=3, cutoff=0.5)
    if near:
        return f"There is no {kind} {shown(name)}{place}. Did you mean {' or '.join(near)}?"
    listing = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"There is no {kind} {shown(name)}{place}. There are: {listing or 'none'}."


def shown(value: object, limit: int = 80) -> str:
    """A value as an error message shows it: its repr, shortened. Whatever it is, it is shown, and at once."""
    text = ""
    for part in _spelled(value, limit, _DEPTH):
        text += part
        if len(text) > limit:
            return text[: limit - 3] + "..."
    return text


def _spelled(value: Any, limit: int, depth: int) -> Iterator[str]:
    """The repr of a plain value, piece by piece; of all others only the type: their repr may do anything."""
    kind = type(value)
    if kind in (str, bytes):
        yield repr(value[:limit])
    elif kind is int and value.bit_length() > 2_000:  # Python refuses to print integers of many digits
        yield f"an integer of {value.bit_length()} bits"
    elif value is None or kind in (int, float, bool, date, datetime, time):
        yield repr(value)
    elif kind not in (list, tuple, dict):
        yield f"<class {kind.__name__!r}>"
    elif depth == 0:
        yield "..."
    else:
        yield "[" if kind is list else "(" if kind is tuple else "{"
        for place, item in enumerate(value.items() if kind is dict else value):
            yield ", " if place else ""
            if kind is dict:
                yield from _spelled(item[0], limit, depth - 1)
                yield ": "
            yield from _spelled(item[1] if kind is dict else item, limit, depth - 1)
        yield "]" if kind is list else ")" if kind is tuple else "}"


def printable(text: str) -> str:
    """Text that a terminal may show: control characters but line breaks and tabs are spelled out."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
