"""SQL that only a newer SQLite knows, in words that the one of an older Python knows too.

What has no such words is left as it is, and found by `portability`.
"""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from typing import NamedTuple

from awm_gym.sql import code_only

_CONCAT = re.compile(r"\b(?:group_concat|string_agg)\s*\Z", re.I)
_ORDER = re.compile(r"\bORDER\s+BY\b", re.I)
_FROM = re.compile(r"\bFROM\b", re.I)
_SCALAR = re.compile(r"\s*SELECT\b", re.I)
_OTHERWISE = re.compile(r"\b(?:DISTINCT|GROUP|UNION|EXCEPT|INTERSECT|WINDOW|AS)\b", re.I)  # not in what is rewritten
_LIMIT = re.compile(r"\bLIMIT\b", re.I)
_DIRECTION = re.compile(r"\s+(?:ASC|DESC)?(?:\s*\bNULLS\s+(?:FIRST|LAST))?\s*\Z", re.I)
_QUALIFIER = re.compile(r"\b([A-Za-z_]\w*)\s*\.")
_INNER = re.compile(r"\([^()]*\)")


def translated(sql: str) -> str:
    """A statement for SQLite 3.37.

    Two things are put in other words: `group_concat(... ORDER BY ...)`, and an ORDER BY of a subquery by what stands
    in the query around it.
    """
    code, written, position = code_only(sql), "", 0
    while (start := code.find("(", position)) >= 0:
        end = _closing(code, start)
        inner = translated(sql[start + 1 : end])
        written += sql[position:start]
        concat = _CONCAT.search(written)
        ordered = _ordered_concat(inner) if concat else ""
        if concat and ordered:
            written = written[: concat.start()] + ordered
        else:
            written += f"({_without_outer_order(inner)})"
        position = end + 1
    return written + sql[position:]


def _closing(code: str, start: int) -> int:
    """Where the bracket is closed that is opened at `start`."""
    depths = accumulate({"(": 1, ")": -1}.get(char, 0) for char in code[start:])
    return start + next(place for place, depth in enumerate(depths) if depth == 0)


def _flat(sql: str) -> str:
    """The outermost level of SQL: quoted text, comments and brackets blanked out."""
    flat, before = code_only(sql), ""
    while flat != before:
        flat, before = _INNER.sub(lambda match: "_" * len(match[0]), flat), flat
    return flat


def _parts(sql: str) -> list[str]:
    """What commas separate."""
    commas = [-1, *(match.start() for match in re.finditer(",", _flat(sql))), len(sql)]
    return [sql[a + 1 : b].strip() for a, b in pairwise(commas)]


class _Term(NamedTuple):
    """A term of ORDER BY, and what stands behind it."""

    sql: str
    direction: str


def _terms(sql: str) -> list[_Term]:
    found = []
    for part in _parts(sql):
        match = _DIRECTION.search(_flat(part) + " ")
        assert match is not None  # it may be empty
        found.append(_Term(part[: match.start()], part[match.start() :].strip()))
    return found


def _ordered_concat(arguments: str) -> str:
    """A call of our own function in the place of one that orders its rows; "" if it does not, or as we cannot."""
    flat = _flat(arguments)
    order = _ORDER.search(flat)
    if not order or _OTHERWISE.search(flat):
        return ""
    value, *rest = _parts(arguments[: order.start()])
    terms = _terms(arguments[order.end() :])
    if not {term.direction.upper() for term in terms} <= {"", "ASC", "DESC"}:
        return ""
    directions = "".join("d" if term.direction.upper() == "DESC" else "a" for term in terms)
    separator = rest[0] if rest else "','"
    return f"ordered_concat('{directions}', CAST({value} AS TEXT), {separator}, {', '.join(t.sql for t in terms)})"


def _without_outer_order(query: str) -> str:
    """A subquery of one column whose ORDER BY looks only at its own."""
    flat = _flat(query)
    select, source, order = _SCALAR.match(flat), _FROM.search(flat), _ORDER.search(flat)
    if not (select and source and order) or "," in flat[: source.start()] or _OTHERWISE.search(flat[: source.start()]):
        return query
    limit = _LIMIT.search(flat, order.end())
    end = limit.start() if limit else len(query)
    terms = _terms(query[order.end() : end])
    own = flat[source.start() : order.start()]
    qualifiers = {name for term in terms for name in _QUALIFIER.findall(code_only(term.sql))}
    if all(re.search(rf"(?:\b(?:FROM|JOIN|AS)|,)\s+{name}\b", own, re.I) for name in qualifiers):
        return query
    columns = ", ".join(f"{term.sql} AS _order{number}" for number, term in enumerate(terms))
    orders = ", ".join(f"_order{number} {term.direction}".strip() for number, term in enumerate(terms))
    value = query[select.end() : source.start()].strip()
    return (
        f"SELECT _value FROM (SELECT {value} AS _value, {columns} {query[source.start() : order.start()].rstrip()}) "
        f"ORDER BY {orders} {query[end:]}"
    )
