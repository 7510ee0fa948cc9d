"""Mutants: solutions, answers and final states, each with one thing wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from awm_gym.database import Table
from awm_gym.gates.prover import Prover, Run
from awm_gym.scenario import SUBMIT, Param, Task, ToolCall
from awm_gym.sql import literal, quote
from awm_gym.world import ToolResult

_OTHERS = 4  # values tried in the place of one


class Mutant(NamedTuple):
    """Calls with one thing wrong, and what it is."""

    what: str
    calls: tuple[ToolCall, ...]


def of_solution(prover: Prover, task: Task, others: int = _OTHERS - 2) -> Iterator[Mutant]:
    """Writing calls repeated, reordered, redirected, mixed up, and with each argument replaced; answers perturbed.

    `others` is how many keys are tried for one beside its neighbours, of those that results show in its column.
    """
    calls = task.solution
    results = prover.run(task, calls).results
    writing = [index for index, call in enumerate(calls) if prover.writes(call.name)]
    for index in writing:
        call = calls[index]
        yield Mutant(f"{call.name} twice", (*calls[: index + 1], *calls[index:]))
        for tool in _siblings(prover, call):
            yield Mutant(f"{tool} for {call.name}", _with(calls, index, ToolCall(tool, call.arguments)))
        for what, arguments in _other_arguments(prover, call, _beside(results[:index], others)):
            yield Mutant(f"{call.name} with {what}", _with(calls, index, ToolCall(call.name, arguments)))
    yield from _exchanged(prover, task, writing)
    for first, second in itertools.pairwise(writing):
        swapped = list(calls)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        yield Mutant(f"{calls[second].name} before {calls[first].name}", tuple(swapped))
    if calls[-1].name == SUBMIT and "answer" in calls[-1].arguments:
        for answer in other_answers(calls[-1].arguments["answer"]):
            submit = ToolCall(SUBMIT, {"answer": answer})
            yield Mutant(f"the answer {answer!r}", _with(calls, len(calls) - 1, submit))


def _exchanged(prover: Prover, task: Task, writing: list[int]) -> Iterator[Mutant]:
    """Two keys of one table, each in the place of the other in all writing calls: the two mixed up."""
    found: dict[tuple[str, str], list[Any]] = {}
    for index in writing:
        call = task.solution[index]
        for name, value in call.arguments.items():
            reference = prover.reference(prover.scenario.tools[call.name], name)
            if reference and not isinstance(value, list):
                found.setdefault(reference, []).append(value)
    for reference, keys in found.items():
        for one, other in itertools.islice(itertools.combinations(dict.fromkeys(keys), 2), _OTHERS):
            other_way = {one: other, other: one}
            calls = list(task.solution)
            for index in writing:
                name, arguments = calls[index]
                tool = prover.scenario.tools[name]
                calls[index] = ToolCall(
                    name,
                    {
                        key: other_way.get(value, value)
                        if not isinstance(value, list) and prover.reference(tool, key) == reference
                        else value
                        for key, value in arguments.items()
                    },
                )
            yield Mutant(f"{reference[0]} {one!r} and {other!r} mixed up", tuple(calls))


def _beside(results: Sequence[ToolResult], most: int) -> dict[Any, list[Any]]:
    """Value -> some that results show in other rows of the same column."""
    found: dict[Any, list[Any]] = {}
    for result in results:
        for column in result.rows[0] if result.rows else ():
            cells = [cell for cell in dict.fromkeys(row.get(column) for row in result.rows) if cell is not None]
            for cell in cells:
                found.setdefault(cell, []).extend([other for other in cells[: most + 1] if other != cell][:most])
    return found


def dropped(prover: Prover, task: Task) -> Iterator[Mutant]:
    """The solution without one of its writing calls."""
    for index, call in enumerate(task.solution):
        if prover.writes(call.name):
            yield Mutant(f"without {call.name}", task.solution[:index] + task.solution[index + 1 :])


def _with(calls: tuple[ToolCall, ...], index: int, call: ToolCall) -> tuple[ToolCall, ...]:
    return (*calls[:index], call, *calls[index + 1 :])


def _siblings(prover: Prover, call: ToolCall) -> list[str]:
    """Writing tools that would take the same arguments."""
    names = set(call.arguments)
    return [
        name
        for name, tool in prover.scenario.tools.items()
        if name != call.name
        and prover.writes(name)
        and names <= set(tool.params)
        and all(not param.required or key in names for key, param in tool.params.items())
    ][:_OTHERS]


def _other_arguments(
    prover: Prover, call: ToolCall, seen: Mapping[Any, list[Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    tool = prover.scenario.tools[call.name]
    for name, value in call.arguments.items():
        param = tool.params[name]
        if not param.required:
            yield f"no {name}", {key: other for key, other in call.arguments.items() if key != name}
        for other in _others(prover, call.name, name, param, value, seen):
            yield f"{name} = {other!r}", {**call.arguments, name: other}


def _others(
    prover: Prover, tool: str, name: str, param: Param, value: Any, seen: Mapping[Any, list[Any]]
) -> Iterator[Any]:
    """Other valid values of an argument, near ones first."""
    if param.type != "array":
        yield from _scalars(prover, tool, name, param, value, seen)
        return
    for index, item in enumerate(value):
        if len(value) > max(param.min_items or 0, 1):
            yield value[:index] + value[index + 1 :]
        for other in list(_scalars(prover, tool, name, param, item, seen))[:2]:
            if other not in value:
                yield [*value[:index], other, *value[index + 1 :]]
    if value and len(value) < (param.max_items or len(value) + 1):
        for other in list(_scalars(prover, tool, name, param, value[-1], seen))[:1]:
            if other not in value:
                yield [*value, other]


def _scalars(
    prover: Prover, tool: str, name: str, param: Param, value: Any, seen: Mapping[Any, list[Any]]
) -> Iterator[Any]:
    reference = prover.reference(prover.scenario.tools[tool], name)
    if reference is not None:
        keys = prover.keys(*reference)
        place = sum(key < value for key in keys)
        own = {type(key) for key in keys}
        beside = [key for key in seen.get(value, ()) if type(key) in own]
        near = [key for key in (*keys[max(place - 3, 0) : place + 4], *beside) if key != value]
        yield from dict.fromkeys(near)
    elif param.enum:
        yield from [member for member in param.enum if member != value][:_OTHERS]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        bounds = [value - 1, value + 1]
        yield from [
            other
            for other in bounds
            if (param.minimum is None or other >= param.minimum) and (param.maximum is None or other <= param.maximum)
        ]
    elif param.item_type == "date":
        day = date.fromisoformat(value)
        yield from ((day + timedelta(days=days)).isoformat() for days in (-1, 1, 7))
    elif param.item_type == "datetime":
        moment = datetime.fromisoformat(value)
        yield from ((moment + timedelta(minutes=minutes)).isoformat() for minutes in (-60, 30, 24 * 60))
    elif len(value) < (param.max_length or len(value) + 3):
        yield value + " x"


def other_answers(answer: Any) -> Iterator[Any]:
    """Wrong answers of the right type, near ones first."""
    if isinstance(answer, bool):
        yield not answer
    elif isinstance(answer, int):
        yield from (answer + 1, answer - 1, -answer if answer else 7, answer * 100)
    elif isinstance(answer, float):
        near = [round(answer * factor, 6) for factor in (1.005, 0.995)] if answer else []
        yield from (answer + 1, answer - 1, answer * 100, answer / 100 if answer else 0.5, *near)
    elif isinstance(answer, str):
        yield from _other_texts(answer)
    elif isinstance(answer, list):
        yield from _other_lists(answer)
    else:
        for name, value in answer.items():
            yield from ({**answer, name: other} for other in list(other_answers(value))[:2])


def _other_texts(answer: str) -> Iterator[str]:
    try:
        moment = datetime.fromisoformat(answer)
    except ValueError:
        yield from (answer + " x", answer[: len(answer) // 2])
        return
    for days in (-1, 1):
        other = moment + timedelta(days=days)
        yield other.isoformat() if "T" in answer else other.date().isoformat()


def _other_lists(answer: list[Any]) -> Iterator[list[Any]]:
    for index in range(len(answer)):
        yield answer[:index] + answer[index + 1 :]
    if answer != answer[::-1]:
        yield answer[::-1]
    if answer:
        yield from ([*answer, other] for other in list(other_answers(answer[0]))[:1])
        yield from ([other, *answer[1:]] for other in list(other_answers(answer[0]))[:1])
        yield [*answer, answer[0]]
    else:
        yield ["x"]


class StateMutant(NamedTuple):
    """A change behind the tools' back.

    Attributes:
        what: the change in words.
        sql: the statements that make it.
        table: the table concerned.
        inside: whether the task's own `changes` or `may_change` concern that table's row or column.
    """

    what: str
    sql: str
    table: str
    inside: bool


def of_state(prover: Prover, task: Task, run: Run, rows_each: int = 1) -> Iterator[StateMutant]:
    """Mutants of the state the world is in: in every table a row added, a row removed, each column altered.

    Rows that the solution touched are all mutated, in several ways; of the others `rows_each` a table.
    """
    touched = {(row.table, tuple(row.key.values())) for row in prover.changes() if row.after}
    for table in prover.tables.values():
        key = ", ".join(quote(column) for column in table.key)
        everything = ", ".join(quote(column) for column in table.column_names)
        rows = prover.world.query(f"SELECT {key} FROM main.{quote(table.name)} ORDER BY {key}")
        chosen = [row for row in rows if (table.name, row) in touched]
        others = [row for row in rows if (table.name, row) not in touched]
        chosen += prover.chance("state", task.name, table.name).sample(others, min(rows_each, len(others)))
        for row in chosen:
            inside = (table.name, row) in touched
            where = " AND ".join(f"{quote(c)} IS {literal(v)}" for c, v in zip(table.key, row, strict=True))
            shown = f"{table.name} {' '.join(map(str, row))}"
            yield StateMutant(f"{shown} removed", f"DELETE FROM {quote(table.name)} WHERE {where};", table.name, inside)
            for column in table.columns:
                if column.name in table.key:
                    continue
                cells = list(_cells(column.type, quote(column.name), column.required))
                for new in cells if inside else cells[:1]:
                    sql = f"UPDATE {quote(table.name)} SET {quote(column.name)} = {new} WHERE {where};"
                    yield StateMutant(f"{shown}: {column.name} = {new}", sql, f"{table.name}.{column.name}", inside)
        if rows:
            source = chosen[0] if chosen else rows[0]
            where = " AND ".join(f"{quote(c)} IS {literal(v)}" for c, v in zip(table.key, source, strict=True))
            fresh = ", ".join(_fresh(table.name, c.name, c.type, c.name in table.key) for c in table.columns)
            sql = (
                f"INSERT INTO {quote(table.name)} ({everything}) SELECT {fresh} FROM {quote(table.name)} WHERE {where};"
            )
            yield StateMutant(f"{table.name}: a row added", sql, table.name, inside=False)


def row_changes(prover: Prover, table: Table, rows_each: int = 4) -> Iterator[str]:
    """SQL that changes a row of the data: removed, copied, each column altered, or as in another row."""
    key, name = ", ".join(map(quote, table.key)), quote(table.name)
    rows = prover.world.query(f"SELECT {key} FROM main.{name} ORDER BY {key}")
    fresh = ", ".join(_fresh(table.name, c.name, c.type, c.name in table.key) for c in table.columns)
    for row in _few(rows, rows_each):
        where = " AND ".join(f"{quote(c)} IS {literal(v)}" for c, v in zip(table.key, row, strict=True))
        for column in (column for column in table.columns if column.name not in table.key):
            others = [literal(value) for value in _few(prover.keys(table.name, column.name), 5)]
            cells = list(_cells(column.type, quote(column.name), column.required))
            if column.type != "TEXT":
                cells += [f"1000 * coalesce({quote(column.name)}, 1)"]  # caps on sums are far off
            for new in (*others, *cells):
                yield f"UPDATE {name} SET {quote(column.name)} = {new} WHERE {where};"
        yield f"DELETE FROM {name} WHERE {where};"
        double = f"INSERT INTO {name} SELECT {fresh} FROM {name} WHERE {where};"
        yield double
        yield double * 6  # caps on counts are further off than one row


def _few(values: Sequence[Any], most: int) -> Sequence[Any]:
    return values[:: max(1, len(values) // most)]


def _cells(kind: str, column: str, required: bool) -> Iterator[str]:
    """SQL for other values of a cell; those that break a constraint are no mutants."""
    if kind == "TEXT":
        yield f"coalesce({column}, '') || ' x'"
        later = f"strftime('%Y-%m-%dT%H:%M:%S', {column}, '+1 day')"
        yield f"CASE WHEN length({column}) = 19 THEN {later} ELSE date({column}, '+1 day') END"
    else:
        yield f"coalesce({column}, 0) + 1"
        yield f"1 - coalesce({column}, 0)"
    if not required:
        yield f"CASE WHEN {column} IS NOT NULL THEN NULL ELSE {column} END"


def _fresh(table: str, column: str, kind: str, in_key: bool) -> str:
    """SQL for a cell of an added row: keys must be new, the rest is copied."""
    if not in_key:
        return quote(column)
    if kind == "TEXT":
        return f"{quote(column)} || ' x'"
    return f"(SELECT max({quote(column)}) + 1 FROM {quote(table)})"
