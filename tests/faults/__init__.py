"""Planted faults: minimal edits of clean scenarios, what is wrong with each, and the gate that must see it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A text replaced once in one file of a scenario (`also`: further replacements), and the gate that sees it."""

    scenario: str
    file: str
    old: str
    new: str
    gate: str
    why: str
    also: tuple[tuple[str, str, str], ...] = ()
