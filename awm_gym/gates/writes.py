"""Gates on writing: a call does what its arguments say, in the form of the data, in the user's name, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from awm_gym.answers import folded
from awm_gym.gates.data import FORMS
from awm_gym.gates.prover import Prover, told
from awm_gym.gates.walks import Cell, WalkStep, known_arguments, walked
from awm_gym.scenario import Param, Tool, ToolCall
from awm_gym.sql import quote

_ROWS = 3  # rows that a patch is tried on


def writes_are_sound(prover: Prover) -> Iterator[str]:
    """A patch changes the columns it was given and no other; what is done cannot be done again without a word.

    A row may keep what it has: a rule does not count the row itself.
    Along the random walks: days and moments are written in the form that the data has, what a call records of its
    author is the user, and every writing tool is accepted at least once.
    Remedy: write `coalesce(:phone, phone)` for what may be left out, `me()` and `now()` for who and when, and give
    a `where` to the key of what has to be in a certain state.
    """
    for tool in prover.scenario.tools.values():
        if prover.writes(tool.name):
            yield from _patches(prover, tool)
    yield from _dead_words(prover)
    forms = _forms(prover)
    found: set[str] = set()
    held: dict[tuple[Any, ...], Any] = {}  # what earlier calls of the same walk wrote
    for step in walked(prover):
        for problem in _problems(prover, step, forms, held):
            name = f"{step.call.name}{problem[:40]}"
            if name not in found:
                found.add(name)
                yield f"{told(step.call)}: {problem}"
        held |= {(step.walk, cell.table, cell.key, cell.column): cell.after for cell in step.cells}


def _problems(
    prover: Prover, step: WalkStep, forms: dict[tuple[str, str], str], held: dict[tuple[Any, ...], Any]
) -> Iterator[str]:
    for cell in step.cells:
        form = forms.get((cell.table, cell.column))
        if form and isinstance(cell.after, str) and not FORMS[form].fullmatch(cell.after):
            yield f"writes {cell.table}.{cell.column} = {cell.after!r}, which is not {form} as in the data"
        if owner := _of_another(prover, step, cell, held):
            yield f"changes {cell.table} {' '.join(map(str, cell.key))}, which is of another {owner}"
        if _another_person(prover, step, cell):
            yield f"writes {cell.table}.{cell.column} = {cell.after!r}, which is not the user, nor an argument"
    if step.idle and _acts(prover, step):
        yield "can be done again, and then changes nothing; refuse it the second time"


def _forms(prover: Prover) -> dict[tuple[str, str], str]:
    """Columns whose values all have one form of days or moments -> that form."""
    found = {}
    for table in prover.tables.values():
        for column in table.columns:
            if column.type != "TEXT":
                continue
            values = prover.keys(table.name, column.name)
            for name, form in FORMS.items():
                if values and all(form.fullmatch(value) for value in values):
                    found[table.name, column.name] = name
    return found


def _another_person(prover: Prover, step: WalkStep, cell: Cell) -> bool:
    """Whether a call writes somebody into a row as if that person had made the call."""
    user = prover.scenario.user
    if user.of is None or prover.links[cell.table].get(cell.column) != user.of or cell.after in (None, user.id):
        return False
    values = [
        item for value in step.call.arguments.values() for item in (value if isinstance(value, list) else [value])
    ]
    tool = prover.scenario.tools[step.call.name]
    return cell.after not in values and bool(re.search(r"\bme\(\)", tool.sql) or cell.new)


def _of_another(prover: Prover, step: WalkStep, cell: Cell, written: dict[tuple[Any, ...], Any]) -> str:
    """The table of the argument whose row a changed row does not belong to; "" if it does, or nothing says so."""
    if cell.new or len(cell.key) != 1:
        return ""
    tool, links = prover.scenario.tools[step.call.name], prover.links[cell.table]
    asked: dict[str, list[Any]] = {}
    for name, value in step.call.arguments.items():
        reference = prover.reference(tool, name)
        single = not isinstance(value, list)  # a list says which of many, or which not, but not whose
        if single and reference is not None and (reference[1],) == prover.tables[reference[0]].key:
            asked.setdefault(reference[0], []).append(value)
    own = {other.column for other in step.cells if (other.table, other.key) == (cell.table, cell.key)}
    for column, parent in links.items():
        if column in own:
            continue
        held = prover.pairs(cell.table, column).get(cell.key[0])
        held = written.get((step.walk, cell.table, cell.key, column), held)
        if held is not None and len(asked.get(parent, ())) == 1 and held not in asked[parent]:
            return parent
    return ""


def _dead_words(prover: Prover) -> Iterator[str]:
    """A word of an enum, or a yes or no, with which the schema stops every call of a tool."""
    kinds: dict[tuple[str, str, Any], list[str | None]] = {}
    for step in walked(prover):
        tool = prover.scenario.tools[step.call.name]
        for name, value in step.call.arguments.items():
            if not isinstance(value, list) and (tool.params[name].enum or tool.params[name].type == "boolean"):
                kinds.setdefault((tool.name, name, value), []).append(step.result.kind)
    for (tool_name, name, value), found in kinds.items():
        if "constraint" in found and set(found) <= {"constraint", "refused"}:
            yield f"{tool_name}: with {name} = {value!r} no call goes through: a constraint of the schema stops it"


def _acts(prover: Prover, step: WalkStep) -> bool:
    """Whether a call did more than set cells to its arguments: then the state it found had to be right for it."""
    values = set(map(str, step.call.arguments.values()))
    now = prover.scenario.now.isoformat()
    for cell in step.cells:
        stamp = str(cell.after).startswith(now[:10]) and cell.before is not None
        argument = str(cell.after) in values or str(bool(cell.after)) in values
        if not argument and not stamp and cell.after != prover.scenario.user.id:
            return True
    return bool(step.removed)


def _patches(prover: Prover, tool: Tool) -> Iterator[str]:
    """A tool whose optional arguments are columns of the row it changes: each sets its own column only."""
    table, key = _patched(prover, tool)
    if table is None:
        return
    names = [
        name
        for name, param in tool.params.items()
        if param.optional and name in prover.tables[table].column_names and param.type != "array"
    ]
    if len(names) < 2:
        return
    column = quote(prover.tables[table].key[0])
    full = " + ".join(f"({quote(name)} IS NOT NULL AND {quote(name)} IS NOT 0)" for name in names)
    null = " + ".join(f"({quote(name)} IS 0)" for name in names)
    condition = tool.params[key].where or ""
    where = f"WHERE {condition}" if condition and ":" not in condition else ""
    prover.start(None)
    rows = [
        row
        for order in (full, null)
        for row in prover.world.query(
            f"SELECT {column} FROM {quote(table)} {where} ORDER BY {order} DESC, {column} LIMIT {_ROWS}"
        )
    ]
    for name in names:
        for value in _values(prover, tool, table, name):
            for (row,) in rows:
                if problem := _patch(prover, tool, {key: row, name: value}, table, names):
                    yield problem
                    break
        if tool.params[name].type == "string":
            yield from _counts_itself(prover, tool, table, key, name)


def _counts_itself(prover: Prover, tool: Tool, table: str, key: str, name: str) -> Iterator[str]:
    """A row may keep the text it has: a rule that it be unique must not count the row itself."""
    for row, text in list(prover.pairs(table, name).items())[:_ROWS] if len(prover.tables[table].key) == 1 else ():
        if text is None:
            continue
        kinds = []
        for value in (text, f"{text[:-1]}{'1' if text.endswith('0') else '0'}"):
            prover.start(None)
            kinds.append(prover.world.call(ToolCall(tool.name, {key: row, name: value})).kind)
        if kinds == ["refused", None]:
            yield f"{tool.name}: refuses {name} = {text!r} for {table} {row}, which has it; it counts the row itself"
            return


def _patched(prover: Prover, tool: Tool) -> tuple[str | None, str]:
    """The table whose row a tool changes, and the parameter with the row's key."""
    required = [name for name, param in tool.params.items() if param.required]
    if len(required) != 1 or tool.params[required[0]].type == "array":
        return None, ""
    reference = prover.reference(tool, required[0])
    if reference is None or (reference[1],) != prover.tables[reference[0]].key:
        return None, ""
    return reference[0], required[0]


def _values(prover: Prover, tool: Tool, table: str, name: str) -> list[Any]:
    """Values to patch a column with."""
    param: Param = tool.params[name]
    if param.enum:
        return list(param.enum[:3])
    if param.item_type == "boolean":
        return [True, False]
    reference = prover.reference(tool, name)
    values = list(prover.keys(*reference) if reference else prover.keys(table, name))
    return [*known_arguments(prover).get((tool.name, name), [])[:2], *values[:1], *values[-1:]]


def _patch(prover: Prover, tool: Tool, found: dict[str, Any], table: str, names: list[str]) -> str:
    """What is wrong with a patch of one column; "" if nothing is."""
    prover.start(None)
    call = ToolCall(tool.name, found)
    if prover.world.call(call).kind is not None:
        return ""
    given = next(name for name in found if name in names)
    row_key = next(value for name, value in found.items() if name != given)
    for row in prover.changes():
        if row.table != table or row_key not in row.key.values() or row.kind != "changed":
            continue
        for name in names:
            if name != given and name in row.after:
                return f"{told(call)}: changes {name} to {row.after[name]!r} as well, which was left out"
    column = quote(prover.tables[table].key[0])
    sql = f"SELECT {quote(given)} FROM {quote(table)} WHERE {column} = :key"
    shown = prover.world.query(sql, {"key": row_key})
    value = found[given]
    if shown and folded(str(shown[0][0])) != folded(str(int(value) if isinstance(value, bool) else value)):
        return f"{told(call)}: {given} is {shown[0][0]!r} after it"
    return ""
