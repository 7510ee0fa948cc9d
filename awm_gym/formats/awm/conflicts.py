"""What SQLAlchemy tells of a row that would have doubled another."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import NamedTuple

from awm_gym.formats.awm.images import Value

_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
_INSERT = re.compile(r"\[SQL: INSERT INTO \"?(?P<table>\w+)\"? \((?P<columns>[^)]*)\)")
_PARAMETERS = re.compile(r"^\[parameters: (?P<values>\(.*\))\]$", re.M)


class Conflict(NamedTuple):
    """Values that a row of a table has already, and no two may have: column -> value."""

    table: str
    values: Mapping[str, Value]


def conflict(error: str) -> Conflict | None:
    """The conflict that an error tells of; None if it tells of none, or not of all its values.

    Args:
        error: `Answer.error` of a call.
    """
    failed, insert, parameters = _UNIQUE.search(error), _INSERT.search(error), _PARAMETERS.search(error)
    if not (failed and insert and parameters):
        return None
    values = _values(insert["columns"].split(", "), parameters["values"])
    columns = [column.partition(".")[2] for column in failed["columns"].split(", ")]
    if not set(columns) <= set(values):
        return None
    return Conflict(insert["table"], {column: values[column] for column in columns})


def _values(columns: list[str], spelled: str) -> Mapping[str, Value]:
    """The values of columns as Python spells them; none if that is cut off, or no plain values."""
    try:
        values = ast.literal_eval(spelled)
    except (ValueError, SyntaxError):
        return {}
    plain = isinstance(values, tuple) and all(isinstance(value, None | int | float | str | bytes) for value in values)
    return dict(zip(columns, values, strict=True)) if plain and len(values) == len(columns) else {}
