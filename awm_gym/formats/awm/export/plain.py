"""What stands in for our own types in exported programs, which need nothing but Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from awm_gym.answers import for_sql


class Answer(NamedTuple):
    """The type of an answer: a scalar, a list of items or a record of fields.

    Attributes:
        type: "string", "integer", "number", "boolean", "date", "datetime", "list" or "record".
        tolerance: of numbers, the largest difference that still counts as equal.
        items: of a list.
        ordered: of a list, whether the order counts.
        fields: of a record.
    """

    type: str
    tolerance: float = 1e-6
    items: Answer | None = None
    ordered: bool = True
    fields: Mapping[str, Answer] = {}


def problem_with(answer: Any, value: Any) -> str | None:
    """Why a value is not of the answer's type, or None if it is. For programs: nobody reads it."""
    return "is of another type" if for_sql(answer, value) is None else None
