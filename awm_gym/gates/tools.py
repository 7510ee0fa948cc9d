"""Gates on tools: they compile, refuse what they should, survive anything, and read soundly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from awm_gym.database import Phase
from awm_gym.errors import ScenarioError
from awm_gym.gates.prover import Prover, told
from awm_gym.gates.toolmutants import score
from awm_gym.gates.walks import arguments, known_arguments
from awm_gym.scenario import Param, Refusal, Tool, ToolCall
from awm_gym.sql import Statement
from awm_gym.tools import CompiledTool, prepare
from awm_gym.world import MAX_ROWS, MAX_TEXT, ToolResult

_FUZZ_CALLS = 2_000  # a scenario
_GHOSTS: dict[str, tuple[Any, ...]] = {"integer": (999_983, -1, 0), "string": ("no such thing",)}
_HOSTILE: dict[str, tuple[Any, ...]] = {
    "string": ("", " ", "%", "_", "'; DROP TABLE x; --", '" OR 1=1 --', "\u202e\u200b", "é" * 40, "x" * 4000, "NULL"),
    "integer": (0, -1, 1, 2**31, 2**63 - 1, -(2**63), 10**6),
    "number": (0.0, -0.01, 1e18, -1e308, 1e308, 0.1 + 0.2),
    "date": ("0001-01-01", "9999-12-31", "2024-02-29"),
    "datetime": ("0001-01-01T00:00:00", "9999-12-31T23:59:59"),
    "boolean": (True, False),
}


def tools_prepare(prover: Prover) -> Iterator[str]:
    """Every statement of tools, checks and invariants compiles under its authorizer; tools and tasks use each other.

    Remedy: mend the SQL; use a writing tool that no solution, near miss or example uses in one of them.
    """
    template = prover.world.template
    for invariant in prover.invariants:
        prepare(template, Phase.JUDGE, Statement(invariant.sql, 1), "invariants.sql", "")
    proved = {
        call.name for task in prover.tasks for calls in (task.solution, *task.near_misses.values()) for call in calls
    }
    for tool in prover.scenario.tools.values():
        if not (tool.name in proved or tool.examples):
            yield f"{tool.name}: is in no solution, no near miss and has no example; nothing shows what it does"


def examples_hold(prover: Prover) -> Iterator[str]:
    """Every example of a tool answers the rows it says.

    Remedy: correct the tool, or the rows of the example; a column left out of a row is NULL.
    """
    for tool in prover.scenario.tools.values():
        for index, example in enumerate(tool.examples):
            prover.world.start_from(example.given)
            result = prover.world.call(ToolCall(tool.name, example.arguments))
            if difference := differs(result, example.rows):
                yield f"{tool.name}.examples[{index}]: {difference}"


def differs(result: ToolResult, rows: tuple[Mapping[str, Any], ...]) -> str:
    """How a result differs from the rows that an example tells; "" if it does not."""
    if result.kind is not None:
        return f"is answered {result.kind}: {result.text}"
    if len(rows) != len(result.rows):
        return f"answers {len(result.rows)} rows, not {len(rows)}"
    for place, (told_row, row) in enumerate(zip(rows, result.rows, strict=True)):
        if unknown_columns := sorted(set(told_row) - set(row)):
            return f"row {place} has no column {unknown_columns[0]!r}"
        for column, value in row.items():
            if told_row.get(column) != value:
                return f"row {place}: {column} is {value!r}, not {told_row.get(column)!r}"
    return ""


def refusals_bear_load(prover: Prover) -> Iterator[str]:
    """Each refuse() is the only reason for some refusal among `refuses`; all of these and ghost keys are refused.

    A refusal says why, in three words at least.
    Remedy: add an entry to `refuses` (with `given`, if the data has no such state) that only this rule stops, or
    remove the rule.
    """
    for name, compiled in prover.tools.items():
        tool = compiled.tool
        for index, entry in enumerate(tool.refuses):
            result = _asked(prover, compiled, entry)
            if result.kind != "refused":
                yield f"{name}.refuses[{index}]: is not refused"
            elif len(result.text.split()) < 3:
                yield f"{name}.refuses[{index}]: is refused with {result.text!r}, which tells no reason"
        guards = len([param for param in tool.params.values() if param.of])
        for place, statement in enumerate(compiled.statements[guards:], start=guards):
            if "refuse(" not in statement.sql:
                continue
            without = compiled._replace(
                statements=compiled.statements[:place] + compiled.statements[place + 1 :],
                answer=compiled.answer - (place < compiled.answer),
            )
            if place == compiled.answer or all(
                _asked(prover, without, entry).kind == "refused" for entry in tool.refuses
            ):
                rule = " ".join(statement.sql.split())[:110]
                yield f"{name}: no entry of `refuses` depends on: {rule}; {_nearest(prover, compiled, place, without)}"
        yield from _ghosts(prover, tool)


def _nearest(prover: Prover, compiled: CompiledTool, place: int, without: CompiledTool) -> str:
    """Which entry of `refuses` comes nearest to a rule that none depends on, and what stops it instead."""
    if place == compiled.answer:
        return "the tool ends in it, so that it refuses or answers nothing"
    entries = compiled.tool.refuses
    stops = [_stop(prover, compiled, entry) for entry in entries]
    if place in stops:
        index = stops.index(place)
        words = _asked(prover, without, entries[index]).text
        return f"refuses[{index}] comes to it, but is refused without it too: {words}"
    before = [stop for stop in stops if stop < place]
    if not before:
        return "every entry gets past it" if entries else "there is no entry"
    index = stops.index(max(before))
    words = _asked(prover, compiled, entries[index]).text
    return f"refuses[{index}] comes nearest, but is refused before it: {words}"


def _stop(prover: Prover, compiled: CompiledTool, entry: Refusal) -> int:
    """The place of the statement that refuses an entry; the number of statements if none does."""
    count = len(compiled.statements)
    parts = (compiled._replace(statements=compiled.statements[: place + 1], answer=-1) for place in range(count))
    return next((place for place, part in enumerate(parts) if _asked(prover, part, entry).kind == "refused"), count)


def _asked(prover: Prover, compiled: CompiledTool, entry: Refusal) -> ToolResult:
    prover.world.start_from(entry.given)
    return prover.world.call_compiled(compiled, entry.arguments)


def _ghosts(prover: Prover, tool: Tool) -> Iterator[str]:
    """Keys of nothing are refused, not ignored."""
    known = known_arguments(prover)
    for name, param in tool.params.items():
        plain = _plain_key(prover, tool, name, param)
        if not (param.of or plain):
            continue
        base = _accepted(prover, tool, known)
        if base is None:
            continue
        for ghost in _GHOSTS[param.item_type]:
            prover.start(None)
            value = [ghost] if param.type == "array" else ghost
            result = prover.world.call(ToolCall(tool.name, {**base, name: value}))
            if result.kind is None and (prover.writes(tool.name) or param.of):
                yield f"{tool.name}: {name} = {ghost!r} names nothing, and is accepted"
                break


def _plain_key(prover: Prover, tool: Tool, name: str, param: Param) -> bool:
    """Whether a parameter without `of` is named like the key of a table."""
    table = name.removesuffix("_ids").removesuffix("_id")
    return param.item_type == "integer" and table != name and table in prover.tables and prover.writes(tool.name)


def _accepted(prover: Prover, tool: Tool, known: Any) -> dict[str, Any] | None:
    """Arguments that the tool accepts in the initial state, from examples, solutions or luck."""
    candidates = [dict(example.arguments) for example in tool.examples if example.given is None]
    candidates += [
        dict(call.arguments)
        for task in prover.tasks
        for call in task.solution
        if call.name == tool.name and not task.given
    ]
    chance = prover.chance("accepted", tool.name)
    prover.start(None)
    candidates += [arguments(prover, tool, chance, known) for _ in range(8)]
    for candidate in candidates:
        prover.start(None)
        if prover.world.call(ToolCall(tool.name, candidate)).kind is None:
            return candidate
    return None


def tools_survive(prover: Prover) -> Iterator[str]:
    """Random, boundary and hostile arguments cause no internal error; errors change nothing; results keep to limits.

    Remedy: guard the case by refuse(), by a bound of the parameter, or by a constraint.
    """
    known = known_arguments(prover)
    chance = prover.chance("fuzz")
    tools = list(prover.scenario.tools.values())
    found: set[str] = set()
    accepted = 0
    for number in range(_FUZZ_CALLS):
        if number % 40 == 0:
            prover.start(None)
        tool = tools[number % len(tools)]
        call = ToolCall(tool.name, _hostile(tool, arguments(prover, tool, chance, known), chance))
        problem, result = _survived(prover, call)
        accepted += result is not None and result.kind is None
        if problem and f"{tool.name}{problem[:30]}" not in found:
            found.add(f"{tool.name}{problem[:30]}")
            yield f"{told(call)[:300]}: {problem}"
    prover.figures["fuzz"] = {"calls": _FUZZ_CALLS, "accepted": accepted}


def _hostile(tool: Tool, base: dict[str, Any], chance: Any) -> dict[str, Any]:
    """Plausible arguments with, mostly, one of them hostile."""
    if not tool.params or chance.random() < 0.35:
        return base
    name = chance.choice(list(tool.params))
    param = tool.params[name]
    value = chance.choice(param.enum or _HOSTILE[param.item_type])
    if param.type == "array":
        value = chance.choice(([value], [], [value] * 3))
    return {**base, name: value}


def _survived(prover: Prover, call: ToolCall) -> tuple[str, ToolResult | None]:
    before = prover.world.changeset()
    try:
        result = prover.world.call(call)
    except ScenarioError as error:
        prover.start(None)
        return f"an internal error: {error.problem}", None
    if result.kind is not None:
        changed = prover.world.changeset() != before
        vague = not result.text.strip() or result.text == "None"
        return ("an error that changed the state" if changed else "an error without words" if vague else ""), result
    if prover.world.changeset() != before and not prover.writes(call.name):
        return "a reading tool changed the state", result
    if len(result.rows) > MAX_ROWS or len(result.text) > 2 * MAX_TEXT:
        return "a result beyond the limits", result
    try:
        json.loads(result.text)
    except ValueError:
        return "a result that is no JSON", result
    return "", result


def tools_are_proved(prover: Prover) -> Iterator[str]:
    """Mutants of each tool's SQL are noticed by a verdict, a refusal or an example; the score is recorded.

    Remedy: for a tool none of whose mutants is noticed, add an example, or use it in a task.
    """
    scores = score(prover)
    total = [sum(column) for column in zip(*scores.values(), strict=True)] if scores else [0, 0]
    prover.figures["tool_mutants"] = {"noticed": total[0], "counted": total[1]}
    for name, (noticed, counted) in scores.items():
        if counted >= 3 and not noticed:
            yield f"{name}: none of {counted} mutants of its SQL is noticed"
