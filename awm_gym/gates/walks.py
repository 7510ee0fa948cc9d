"""Random walks: calls with arguments that make sense now, so that many are accepted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from awm_gym.gates.prover import Prover
from awm_gym.scenario import Param, Tool, ToolCall
from awm_gym.sql import quote
from awm_gym.world import RowChange, ToolResult

_WALKS, _STEPS = 12, 60  # random walks a scenario, calls a walk


class Cell(NamedTuple):
    """A cell that a call wrote; `before` is None in a new row."""

    table: str
    key: tuple[Any, ...]
    column: str
    before: Any
    after: Any
    new: bool


class WalkStep(NamedTuple):
    """A call of a walk, its answer, and what it did.

    Attributes:
        walk: the number of the walk.
        call: the call.
        result: its answer.
        cells: the cells it wrote.
        removed: tables of which it removed rows.
        broken: words of the invariants that did not hold after it.
        idle: whether the same call again is accepted and changes nothing.
    """

    walk: int
    call: ToolCall
    result: ToolResult
    cells: tuple[Cell, ...] = ()
    removed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    idle: bool = False


def walked(prover: Prover) -> tuple[WalkStep, ...]:
    """The random walks of a scenario; walked once, for all gates that want to see them."""
    if "walks" not in prover.kept:
        prover.kept["walks"] = tuple(step for number in range(_WALKS) for step in _walk(prover, number))
    steps: tuple[WalkStep, ...] = prover.kept["walks"]
    return steps


def _walk(prover: Prover, number: int) -> Iterator[WalkStep]:
    """Call writing tools from the initial data, with keys, texts and dates drawn from the present state."""
    chance = prover.chance("walk", number)
    prover.start(None)
    tools = [tool for name, tool in prover.scenario.tools.items() if prover.writes(name)]
    known, calls = known_arguments(prover), known_calls(prover)
    before: dict[tuple[Any, ...], RowChange] = {}
    for _ in range(_STEPS if tools else 0):
        tool = chance.choice(tools)
        found = arguments(prover, tool, chance, known)
        if calls.get(tool.name) and chance.random() < 0.3:  # mostly the author's call, with one argument drawn
            kept = dict(chance.choice(calls[tool.name]))
            drawn = chance.choice([*found, ""])
            found = kept | ({drawn: found[drawn]} if drawn in found else {})
        call = ToolCall(tool.name, found)
        result = prover.world.call(call)
        if result.kind is not None:
            yield WalkStep(number, call, result)
            continue
        after = {(row.table, *row.key.values()): row for row in prover.changes()}
        cells, removed = _written(before, after)
        idle = acts(tool) and _idle(prover, call)
        yield WalkStep(number, call, result, cells, removed, tuple(prover.broken()), idle)
        before = after


def acts(tool: Tool) -> bool:
    """Whether a tool does something, and does not just set a number: done twice it should say so."""
    return not any(param.item_type in ("integer", "number") and not param.of for param in tool.params.values())


def _idle(prover: Prover, call: ToolCall) -> bool:
    """Whether a call is accepted now and changes nothing."""
    state = prover.world.changeset()
    with prover.trial():
        return prover.world.call(call).kind is None and prover.world.changeset() == state


def _written(
    before: Mapping[tuple[Any, ...], RowChange], after: Mapping[tuple[Any, ...], RowChange]
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """The cells that differ, and the tables that lost rows, between two sets of changes since the start."""
    touched = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    cells = [cell for name in touched for cell in _cells(name, before.get(name), after.get(name))]
    gone = {name[0] for name, row in after.items() if row.kind == "removed" and before.get(name) != row}
    gone |= {name[0] for name, row in before.items() if row.kind == "added" and name not in after}
    return tuple(cells), tuple(sorted(gone))


def _cells(name: tuple[Any, ...], old: RowChange | None, row: RowChange | None) -> Iterator[Cell]:
    """The cells of a row that a call wrote; its changes since the start before and after the call, None if none."""
    start = {column: value for change in (row, old) if change is not None for column, value in change.before.items()}
    was, now = _state(old, start), _state(row, start)
    for column, value in (now or {}).items():
        before = was[column] if was is not None else None
        if was is None or before != value:
            yield Cell(name[0], name[1:], column, before, value, new=was is None)


def _state(change: RowChange | None, start: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A row's cells, as far as any change speaks of them; None if it is not there. `start`: as they were at first."""
    if change is None:
        return start or None
    return None if change.kind == "removed" else {**start, **change.after}


def known_calls(prover: Prover) -> dict[str, list[Mapping[str, Any]]]:
    """Whole sets of arguments that the author used, by tool."""
    known: dict[str, list[Mapping[str, Any]]] = {}
    for tool in prover.scenario.tools.values():
        known[tool.name] = [entry.arguments for entry in tool.examples]
    for task in prover.tasks:
        for call in task.solution:
            if call.name in known:
                known[call.name].append(call.arguments)
    return known


def known_arguments(prover: Prover) -> dict[tuple[str, str], list[Any]]:
    """Arguments that the author used, by tool and name: they are of the right kind, if not for this state."""
    known: dict[tuple[str, str], list[Any]] = {}
    calls = [call for task in prover.tasks for call in task.solution if call.name in prover.scenario.tools]
    for tool in prover.scenario.tools.values():
        calls += [ToolCall(tool.name, entry.arguments) for entry in tool.entries]
    for call in calls:
        for name, value in call.arguments.items():
            known.setdefault((call.name, name), []).append(value)
    return known


def arguments(
    prover: Prover, tool: Tool, chance: random.Random, known: dict[tuple[str, str], list[Any]]
) -> dict[str, Any]:
    """Plausible arguments for a tool in the world's present state."""
    found = {}
    for name, param in tool.params.items():
        if not param.required and chance.random() < 0.5:
            continue
        if param.type == "array":
            least, most = param.min_items or 1, min(param.max_items or 3, 3)
            items = [
                _scalar(prover, tool, name, param, chance, known)
                for _ in range(chance.randint(least, max(least, most)))
            ]
            found[name] = list(dict.fromkeys(items)) if param.unique else items
        else:
            found[name] = _scalar(prover, tool, name, param, chance, known)
    return found


def _scalar(
    prover: Prover, tool: Tool, name: str, param: Param, chance: random.Random, known: dict[tuple[str, str], list[Any]]
) -> Any:
    reference = prover.reference(tool, name)
    if reference is not None:
        return _present_key(prover, *reference, param, chance)
    if param.enum:
        return chance.choice(param.enum)
    kind = param.item_type
    used = known.get((tool.name, name))
    if used and chance.random() < 0.5:
        value = chance.choice(used)
        return chance.choice(value) if param.type == "array" and value else value if param.type != "array" else ""
    if kind == "boolean":
        return chance.random() < 0.5
    if kind in ("integer", "number"):
        low = param.minimum if param.minimum is not None else 1
        high = param.maximum if param.maximum is not None else max(low, 1) * chance.choice((3, 30, 3000))
        value = chance.randint(int(low), max(int(high), int(low)))
        return value if kind == "integer" else float(value)
    now = prover.scenario.now + timedelta(days=chance.randint(-5, 30))
    if kind == "date":
        return now.date().isoformat()
    if kind == "datetime":
        return now.replace(hour=chance.randint(8, 18), minute=chance.choice((0, 15, 30, 45)), second=0).isoformat()
    return chance.choice(("Note", "A. Person", "07700 900555", "ref-1", "12 Mill Lane"))[: param.max_length or 40]


def _present_key(prover: Prover, table: str, column: str, param: Param, chance: random.Random) -> Any:
    """A key that stands there now; mostly one that the tool's own `where` allows, if that needs no other argument."""
    where = f" AND ({param.where})" if param.where and ":" not in param.where and chance.random() < 0.9 else ""
    name, source = quote(column), f"main.{quote(table)}"
    rows = prover.world.query(f"SELECT {name} FROM {source} WHERE {name} IS NOT NULL{where} ORDER BY {name}")
    if not rows:
        rows = prover.world.query(f"SELECT {name} FROM {source} WHERE {name} IS NOT NULL ORDER BY {name}")
    # The newest rows are where the walk's own doings are.
    pool = rows[-8:] if chance.random() < 0.4 else rows
    return chance.choice(pool)[0] if pool else (1 if param.item_type == "integer" else "x")
