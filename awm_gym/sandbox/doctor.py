"""What this machine offers to lock up generated Python: layer by layer, tried, not guessed."""

from __future__ import annotations

from typing import Any, NamedTuple

from awm_gym.errors import EnvironmentFault, SandboxUnavailable
from awm_gym.sandbox import selftest
from awm_gym.sandbox.protection import LAYERS, LEVELS, Protection, require
from awm_gym.sandbox.worker import Trial, trial


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        layer: what is looked at.
        state: `in force`, `missing`, `passed`, `failed`, or the name of a level.
        why: details, or the reason.
    """

    layer: str
    state: str
    why: str


def rows() -> tuple[Row, ...]:
    """Examine this machine: start a worker, see what is in force, and try what must fail. Takes a tenth of a second."""
    try:
        found = trial()
    except (SandboxUnavailable, EnvironmentFault) as error:
        return (Row("sandbox", LEVELS[0], str(error)),)
    layers = [_layer(name, found.protection) for name in LAYERS]
    notes = [Row("note", "", note) for note in found.protection.notes]
    tried = f"{len(selftest.must_fail(found.protection.level, forked=True))} attempts stopped"
    test = Row("self-test", "failed" if found.holes else "passed", ", ".join(found.holes) or tried)
    return (*layers, test, *notes, Row("sandbox", LEVELS[found.protection.level], _policy(found)))


def report() -> dict[str, Any]:
    """The same as JSON values."""
    return {"sandbox": [row._asdict() for row in rows()]}


def _layer(name: str, protection: Protection) -> Row:
    layer = getattr(protection, name)
    return Row(name, "in force" if layer.in_force else "missing", layer.detail)


def _policy(found: Trial) -> str:
    try:
        found.insist()
        require(found.protection)
    except SandboxUnavailable as error:
        return str(error)
    return "generated Python may run"
