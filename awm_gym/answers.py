"""Typed answers: what was submitted, compared with what is right, by type and never by text patterns."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from awm_gym.arguments import MAX_ARRAY, calendar_date, integer, moment, number
from awm_gym.errors import shown
from awm_gym.scenario import MAX_ITEMS, MAX_STRING, Answer, JsonValue


def problem_with(answer: Answer, value: object) -> str | None:
    """Why a value is not of the answer's type (an end of a sentence), or None if it is."""
    fitted = _fit(answer, value)
    if fitted is None:
        return f"must be {described(answer)}, got {shown(value)}"
    size = len(json.dumps(fitted, ensure_ascii=False).encode("utf-8", "replace"))
    return None if size <= MAX_ARRAY else f"is too long: {size} bytes as JSON, at most {MAX_ARRAY}"


def _fit(answer: Answer, value: object) -> Any:
    """The value in its canonical form, or None if it is of another type."""
    if answer.items is not None:
        if type(value) is not list or len(value) > MAX_ITEMS:
            return None
        items = [_fit(answer.items, item) for item in value]
        if any(item is None for item in items):
            return None
        return items if answer.ordered else sorted(items, key=_key)
    if answer.fields:
        if type(value) is not dict or set(value) != set(answer.fields):
            return None
        record = {name: _fit(field, value[name]) for name, field in sorted(answer.fields.items())}
        return None if any(item is None for item in record.values()) else record
    return _SCALARS[answer.type](value)


def _string(value: object) -> str | None:
    return value if type(value) is str and len(value) <= MAX_STRING else None


_SCALARS: dict[str, Any] = {
    "string": _string,
    "integer": integer,
    "number": number,
    "boolean": lambda value: value if type(value) is bool else None,
    "date": calendar_date,
    "datetime": moment,
}


def _key(value: Any) -> Any:
    """What free lists are sorted by; their items are of one type."""
    if isinstance(value, dict):
        return [_key(item) for item in value.values()]
    return (folded(value), value) if isinstance(value, str) else value


def folded(text: str) -> str:
    """Text as answers compare it: no case, blanks folded, compatible characters made equal."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def described(answer: Answer) -> str:
    """The type of an answer in words."""
    if answer.items is not None:
        order = "in order" if answer.ordered else "in any order"
        return f"a list ({order}), each item {described(answer.items)}"
    if answer.fields:
        fields = ", ".join(f"{name}: {described(field)}" for name, field in answer.fields.items())
        return f"an object with {fields}"
    article = "an" if answer.type == "integer" else "a"
    form = {"date": " (YYYY-MM-DD)", "datetime": " (YYYY-MM-DDTHH:MM:SS)"}.get(answer.type, "")
    return f"{article} {answer.type}{form}"


def for_sql(answer: Answer, value: JsonValue) -> str | int | float | None:
    """How an answer binds as `:answer` in a check: lists and records as JSON text, free lists sorted."""
    fitted = _fit(answer, value)
    if isinstance(fitted, (list, dict)):
        return json.dumps(fitted, ensure_ascii=False, separators=(",", ":"))
    return int(fitted) if isinstance(fitted, bool) else fitted


def expected_from(answer: Answer, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> JsonValue:
    """The right answer from the rows of an `expect` query, or None if they hold none of the type.

    One row with one column; for a record a row with a column for each field; for a list a row for each item.
    """
    found = [_from_row(answer.items or answer, row, columns) for row in rows]
    if answer.items is None:
        return found[0] if len(found) == 1 else None
    value: JsonValue = found
    return value if problem_with(answer, value) is None else None


def _from_row(answer: Answer, row: Sequence[Any], columns: Sequence[str]) -> JsonValue:
    if answer.fields:
        cells = dict(zip(columns, row, strict=True))
        if set(cells) != set(answer.fields):
            return None
        return {name: _cell(field, cells[name]) for name, field in answer.fields.items()}
    return _cell(answer, row[0]) if len(row) == 1 else None


def _cell(answer: Answer, value: Any) -> JsonValue:
    """A cell as JSON: SQLite's booleans are 0 and 1."""
    if answer.type == "boolean" and value in (0, 1):
        return bool(value)
    fitted: JsonValue = _fit(answer, value)
    return fitted


def equal(answer: Answer, given: JsonValue, right: JsonValue) -> bool:
    """Whether a submitted answer is the right one. A value of another type is never right."""
    one, other = _fit(answer, given), _fit(answer, right)
    return one is not None and other is not None and _same(answer, one, other)


def _same(answer: Answer, one: Any, other: Any) -> bool:
    if answer.items is not None:
        if len(one) != len(other):
            return False
        if answer.ordered:
            return all(_same(answer.items, a, b) for a, b in zip(one, other, strict=True))
        return _matches(answer.items, one, list(other))
    if answer.fields:
        return all(_same(field, one[name], other[name]) for name, field in answer.fields.items())
    if answer.type == "number":
        # A hair more than the tolerance, so that 0.3 is within 0.1 of 0.2 for floats as it is for people.
        return bool(abs(one - other) <= answer.tolerance * (1 + 1e-9) + 1e-12 * max(abs(one), abs(other)))
    if answer.type == "string":
        return folded(one) == folded(other)
    return bool(one == other)


def _matches(item: Answer, one: list[Any], other: list[Any]) -> bool:
    """Whether each item of `one` can be paired with its own equal in `other` (a perfect matching)."""
    partner: dict[int, int] = {}

    def place(index: int, tried: set[int]) -> bool:
        for candidate in range(len(other)):
            if candidate in tried or not _same(item, one[index], other[candidate]):
                continue
            tried.add(candidate)
            if candidate not in partner or place(partner[candidate], tried):
                partner[candidate] = index
                return True
        return False

    return all(place(index, set()) for index in range(len(one)))
