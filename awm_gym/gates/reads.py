"""Gates on reading: what tools show is what is there, in an order that is certain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from awm_gym.gates.prover import Prover
from awm_gym.gates.words import order_terms
from awm_gym.scenario import Param, Tool, ToolCall
from awm_gym.sql import code_only
from awm_gym.tools import CompiledTool
from awm_gym.world import ToolResult


def reads_are_sound(prover: Prover) -> Iterator[str]:
    """A filter answers a subset and shows its value in the column of its name; pages are disjoint and add up.

    Bounds and days narrow inclusively, periods add up, rows show the cells of the row whose key they show, and
    come in a total order.
    Remedy: correct the WHERE of the filter, the LIMIT and OFFSET of the page, the JOIN of the column, or end the
    ORDER BY in a key.
    """
    for name, compiled in prover.tools.items():
        if compiled.writes:
            continue
        base = _reading_base(prover, compiled.tool)
        if base is None:
            continue
        prover.start(None)
        whole = prover.world.call(ToolCall(name, base))
        for key, param in compiled.tool.params.items():
            if key == "page":
                yield from _pages(prover, compiled.tool, base, param)
            elif not param.required and key not in base:
                yield from _filters(prover, compiled.tool, base, whole, key, param)
        yield from _ignores_case(prover, compiled.tool, base)
        every = _all_rows(prover, compiled.tool, base, whole)
        yield from _cells_are_so(prover, compiled, every)
        yield from _periods_add_up(prover, compiled, base, every)
        yield from _ordered(prover, compiled, every)


def _reading_base(prover: Prover, tool: Tool) -> dict[str, Any] | None:
    """Arguments for the widest view: nothing optional."""
    required = {name for name, param in tool.params.items() if param.required}
    sources = [entry.arguments for entry in tool.examples if entry.given is None]
    sources += [
        call.arguments for task in prover.tasks for call in task.solution if call.name == tool.name and not task.given
    ]
    for found in [{}, *sources]:
        base = {key: value for key, value in found.items() if key in required}
        if set(base) == required:
            prover.start(None)
            if prover.world.call(ToolCall(tool.name, base)).kind is None:
                return base
    return None


def _ask(prover: Prover, tool: Tool, found: dict[str, Any]) -> ToolResult:
    prover.start(None)
    return prover.world.call(ToolCall(tool.name, found))


def _all_rows(
    prover: Prover, tool: Tool, found: dict[str, Any], first: ToolResult | None = None
) -> list[Mapping[str, Any]]:
    """The rows of all pages."""
    result = first or _ask(prover, tool, found)
    rows = list(result.rows)
    if "page" not in tool.params:
        return rows
    for page in range(2, 40):
        more = _ask(prover, tool, {**found, "page": page}).rows
        if not more:
            break
        rows += more
    return rows


def _identity(row: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in row.items() if key != "found"}, sort_keys=True)


def _pages(prover: Prover, tool: Tool, base: dict[str, Any], param: Param) -> Iterator[str]:
    first = _ask(prover, tool, base)
    rows = _all_rows(prover, tool, base, first)
    if len({_identity(row) for row in rows}) < len(rows):
        yield f"{tool.name}: its pages overlap"
    if first.rows and "found" in first.rows[0] and first.rows[0]["found"] != len(rows):
        yield f"{tool.name}: says found = {first.rows[0]['found']}, but its pages hold {len(rows)} rows"
    size = re.search(r"\b(\d+) (?:\w+ )?(?:a|per) page", tool.description)
    if size and len(rows) > int(size.group(1)) != len(first.rows):
        yield f"{tool.name}: says {size.group(1)} a page, but shows {len(first.rows)}"


def _filters(
    prover: Prover, tool: Tool, base: dict[str, Any], whole: ToolResult, key: str, param: Param
) -> Iterator[str]:
    every = _all_rows(prover, tool, base, whole)
    if not every:
        return
    narrowed = False
    values = _values_for(prover, tool, key, param, every)
    for value in values:
        result = _ask(prover, tool, {**base, key: [value] if param.type == "array" else value})
        if result.kind is not None:
            continue
        rows = _all_rows(prover, tool, {**base, key: [value] if param.type == "array" else value}, result)
        narrowed |= len(rows) < len(every)
        if key in every[0] and param.type != "array" and not _bound(key):
            wrong = [row[key] for row in rows if not _found_by(row[key], value, param)]
            missed = [
                row for row in every if _equal(row[key], value) and _identity(row) not in {_identity(r) for r in rows}
            ]
            if wrong:
                yield f"{tool.name}: filtered by {key} = {value!r} it shows a row with {key} = {wrong[0]!r}"
            elif missed and key in whole.rows[0] and param.default is None and len(rows) < len(every):
                yield f"{tool.name}: filtered by {key} = {value!r} it leaves out a row with that value"
    yield from _bounds(prover, tool, base, every, key, param)
    if (
        values
        and not narrowed
        and len(values) > 1
        and param.default is None
        and len(every) > 3
        and _is_filter(key, every)
    ):
        yield f"{tool.name}: {key} narrows nothing, for any of {len(values)} values"


def _is_filter(key: str, rows: list[Mapping[str, Any]]) -> bool:
    return key in rows[0] and len({str(row[key]) for row in rows}) > 1


def _bound(key: str) -> bool:
    return key.startswith(("min_", "max_", "from_", "to_", "since", "until", "before", "after"))


def _equal(cell: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return cell is not None and bool(cell) == value
    return bool(cell == value)


def _found_by(cell: Any, value: Any, param: Param) -> bool:
    """Whether a filter may show a cell: a text without an enum may search for a part of it, in any case."""
    if isinstance(cell, str) and isinstance(value, str) and not param.enum:
        return value.lower() in cell.lower()
    return _equal(cell, value)


def _values_for(prover: Prover, tool: Tool, key: str, param: Param, rows: list[Mapping[str, Any]]) -> list[Any]:
    reference = prover.reference(tool, key)
    if param.enum:
        return list(param.enum)
    if param.item_type == "boolean":
        return [True, False]
    shown = [row[key] for row in rows if row.get(key) is not None] if key in rows[0] else []
    if reference is not None:
        shown += prover.keys(*reference)[:4]
    return list(dict.fromkeys(shown))[:6]


def _ignores_case(prover: Prover, tool: Tool, base: dict[str, Any]) -> Iterator[str]:
    """A search text finds the same in capitals."""
    for key, param in tool.params.items():
        if param.type != "string" or param.enum or param.of or key not in ("query", "name", "text", "search"):
            continue
        rows = _ask(prover, tool, {k: v for k, v in base.items() if k != key} | {key: "a"}).rows
        texts = [
            value
            for row in rows
            for value in row.values()
            if isinstance(value, str) and value.isalpha() and len(value) > 3
        ]
        for text in sorted(set(texts))[:3]:
            small, large = (_ask(prover, tool, {**base, key: form}) for form in (text.lower(), text.upper()))
            if small.text != large.text:
                yield f"{tool.name}: {key} = {text.lower()!r} and {text.upper()!r} find different rows"


def _bounds(
    prover: Prover, tool: Tool, base: dict[str, Any], every: list[Mapping[str, Any]], key: str, param: Param
) -> Iterator[str]:
    """A bound or a day keeps the rows that a simple rule keeps, the bound itself included."""
    columns = _bounded(every, key, param)
    if not columns:
        return
    values = sorted({str(row[column])[:10] for row in every for column in columns if row[column] is not None})
    numbers = sorted({row[column] for row in every for column in columns if row[column] is not None}, key=str)
    tried = _spread(numbers if param.item_type in ("integer", "number") else values)
    rules = [rule for rule in _rules(columns, every) if _says(key, rule)]
    kept = []
    for value in tried:
        result = _ask(prover, tool, {**base, key: value})
        if result.kind is None:
            kept.append((value, {_identity(row) for row in _all_rows(prover, tool, {**base, key: value}, result)}))
    if not rules or not kept:
        return
    for rule in rules:
        if all({_identity(row) for row in every if _keeps(rule, row, value)} == found for value, found in kept):
            return
    yield f"{tool.name}: {key} keeps other rows than those with {' or '.join(rule.words for rule in rules)} {key}"


class _Rule(NamedTuple):
    """How a filter may keep rows: `column`, or a pair of columns, against its value."""

    words: str
    low: str
    high: str
    sign: str


def _rules(columns: list[str], rows: list[Mapping[str, Any]]) -> list[_Rule]:
    found = [_Rule(f"{column} {sign}", column, column, sign) for column in columns for sign in ("=", "<=", ">=")]
    for low in columns:
        for high in columns:
            pairs = [(str(row[low]), str(row[high])) for row in rows if row[low] is not None and row[high] is not None]
            if low != high and pairs and all(one <= other for one, other in pairs):
                found.append(_Rule(f"{low} to {high} around", low, high, "in"))
    return found


def _says(key: str, rule: _Rule) -> bool:
    """Whether a parameter's name allows a rule."""
    if re.match(r"(min|from|since|after)_|since$", key):
        return rule.sign == ">="
    if re.match(r"(max|to|until|before)_|until$|\w+_by$", key):
        return rule.sign == "<="
    return rule.sign in ("=", "in")


def _keeps(rule: _Rule, row: Mapping[str, Any], value: Any) -> bool:
    low, high = row[rule.low], row[rule.high]
    if low is None or high is None:
        return False
    if isinstance(value, str):
        low, high = str(low)[:10], str(high)[:10]
    signs = {"=": low == value, "<=": low <= value, ">=": low >= value, "in": low <= value <= high}
    return bool(signs[rule.sign])


def _bounded(every: list[Mapping[str, Any]], key: str, param: Param) -> list[str]:
    """The columns that a bound (`min_free`) or a day (`since`) may be about."""
    if param.item_type in ("integer", "number") and re.match(r"(min|max)_", key):
        return [column for column in (key[4:],) if column in every[0]]
    if param.item_type != "date" or param.type == "array":
        return []
    day = re.compile(r"\d{4}-\d\d-\d\d")
    return [
        column
        for column in every[0]
        if (cells := [row[column] for row in every if row[column] is not None])
        and all(isinstance(cell, str) and day.match(cell) for cell in cells)
    ]


def _spread(values: list[Any]) -> list[Any]:
    """At most six of some values, from one end to the other."""
    if len(values) <= 6:
        return values
    return [values[number * (len(values) - 1) // 5] for number in range(6)]


def _cells_are_so(prover: Prover, compiled: CompiledTool, every: list[Mapping[str, Any]]) -> Iterator[str]:
    """What a row shows in a column of its table is what that table holds for the row's key."""
    name, rows = compiled.tool.name, every[:40]
    if not rows:
        return
    sql = " ".join(statement.sql for statement in compiled.statements)
    for table in prover.tables.values():
        if "id" not in rows[0] or table.key != ("id",) or not re.search(rf"\b{table.name}\b", sql):
            continue
        shared = [column for column in table.column_names if column in rows[0] and column != "id"]
        wrong = {column: bad for column in shared if (bad := _differs(prover, table.name, column, rows))}
        if shared and len(shared) > 2 * len(wrong) and len(shared) > 1:
            for column, (key, cell, right) in wrong.items():
                yield f"{name}: shows {column} = {cell!r} for {table.name} {key}, where it is {right!r}"
    for table in prover.tables.values():
        key, shown = f"{table.name}_id", table.name
        if table.key != ("id",) or key not in rows[0]:
            continue
        known = set(prover.keys(table.name, "id"))
        if strange := [row[key] for row in rows if row[key] is not None and row[key] not in known]:
            yield f"{name}: shows {key} = {strange[0]!r}, and there is no such {shown}"
        if shown in rows[0] and "name" in table.column_names:
            pairs = {(row[key], row[shown]) for row in rows if row[key] is not None}
            names = dict(prover.pairs(table.name, "name"))
            if others := [pair for pair in sorted(pairs, key=str) if names.get(pair[0]) != pair[1]]:
                yield f"{name}: shows {shown} = {others[0][1]!r} beside {key} = {others[0][0]!r}"


def _differs(prover: Prover, table: str, column: str, rows: list[Mapping[str, Any]]) -> tuple[Any, Any, Any] | None:
    held = prover.pairs(table, column)
    for row in rows:
        if row["id"] not in held:
            return row["id"], row[column], None
        if held[row["id"]] is not None and row[column] != held[row["id"]]:
            return row["id"], row[column], held[row["id"]]
    return None


def _periods_add_up(
    prover: Prover, compiled: CompiledTool, base: dict[str, Any], every: list[Mapping[str, Any]]
) -> Iterator[str]:
    """The rows, or the sums, of a period are those of its two parts: both its ends count, once."""
    tool = compiled.tool
    days = [name for name, param in tool.params.items() if param.required and param.item_type == "date"]
    if len(days) != 2 or not every:
        return
    grouped = bool(re.search(r"\bGROUP BY\b", compiled.statements[compiled.answer].sql))
    listed = any(
        all(base[days[0]] <= str(row[column])[:10] <= base[days[1]] for row in every)
        for column in every[0]
        if all(isinstance(row[column], str) for row in every)
    )
    if not (grouped or listed):
        return
    first, last = (date.fromisoformat(base[day]) for day in days)
    marks = [str(value)[:10] for row in every for value in row.values() if isinstance(value, str)]
    cuts = sorted({mark for mark in marks if _is_day(mark) and first.isoformat() <= mark < last.isoformat()})
    middle = (first + (last - first) // 2).isoformat()
    for cut in dict.fromkeys([*cuts[:1], *cuts[-1:], *([middle] if first < last else [])]):
        after = (date.fromisoformat(cut) + timedelta(days=1)).isoformat()
        parts = [
            _all_rows(prover, tool, {**base, days[1]: cut}),
            _all_rows(prover, tool, {**base, days[0]: after}),
        ]
        if _sums([*parts[0], *parts[1]], grouped) != _sums(every, grouped):
            yield f"{tool.name}: {base[days[0]]} to {cut} and {after} to {base[days[1]]} do not add up to the whole"
            return


def _sums(rows: list[Mapping[str, Any]], grouped: bool) -> Any:
    """What two parts of a period share with the whole: the rows; of a report without days, the sums by name."""
    if not grouped:
        return sorted(_identity(row) for row in rows)
    totals: dict[str, dict[str, float]] = {}
    for row in rows:
        name = json.dumps([value for value in row.values() if isinstance(value, str)])
        for column, value in row.items():
            if re.search(r"units|value|cents|amount|total|quantity|sum|revenue|minutes|nights|price", column):
                total = totals.setdefault(name, {})
                total[column] = total.get(column, 0) + (value or 0)
    return totals


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _ordered(prover: Prover, compiled: CompiledTool, every: list[Mapping[str, Any]]) -> Iterator[str]:
    """The rows come in a total order: one that ends in what tells rows apart."""
    sql = compiled.statements[compiled.answer].sql
    for match in re.finditer(r"\b(json_group_array|group_concat|string_agg)\(", code_only(sql)):
        if "ORDER BY" not in _around(sql, match.start()):
            yield f"{compiled.tool.name}: {match[1]}() gathers rows in no order"
    terms = order_terms(sql)
    if len(every) < 2 or re.search(r"\bGROUP BY\b", sql):
        return
    if not terms:
        yield f"{compiled.tool.name}: answers {len(every)} rows in no order"
        return
    last = re.sub(r"\s+(ASC|DESC)$", "", terms[-1], flags=re.I).split(".")[-1].strip('"')
    unique = {key for table in prover.tables.values() for key in (*table.key, *prover.unique(table.name))}
    if not (last in unique or last == "key" or re.search(r"id$", last)):
        yield f"{compiled.tool.name}: its order ends in {last}, which does not tell all rows apart"


def _around(sql: str, place: int) -> str:
    """The parenthesis around a place in SQL; all of it if there is none."""
    code, depth, start = code_only(sql), 0, 0
    for index in range(place - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(code[index], 0)
        if depth < 0:
            start, depth = index, 0
            break
    for end in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        if depth == 0 and start:
            return sql[start : end + 1]
    return sql
