"""Mutants of a tool's SQL, and the evidence that notices them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from awm_gym.database import Phase
from awm_gym.errors import ScenarioError
from awm_gym.gates.prover import Prover
from awm_gym.scenario import Task, ToolCall
from awm_gym.sql import Statement, code_only
from awm_gym.tools import CompiledTool, prepare

_SWAPS = (
    (r"<=", "<"),
    (r">=", ">"),
    (r"(?<![<>=|-])<(?![=>])", "<="),
    (r"(?<![<>=|-])>(?!=)", ">="),
    (r"<>", "="),
    (r"(?<![<>!=])=(?!=)", "<>"),
    (r"\bAND\b", "OR"),
    (r"\bNOT EXISTS\b", "EXISTS"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bsum\(", "max("),
    (r"\bmin\(", "max("),
    (r"\bDESC\b", ""),
    (r"(?<=[\w)]) \+ (?=[\w:(])", " - "),
    (r"(?<=[\w)]) - (?=[\w:(])", " + "),
    (r"(?<=[\w)]) \* (?=[\w:(])", " + "),
    (r"\bnow\(\)", "'2000-01-01T00:00:00'"),
    (r"\bme\(\)", "(me() + 1)"),
)
_MOST = 14  # mutants a tool; drawn evenly over its text


def score(prover: Prover) -> dict[str, tuple[int, int]]:
    """Per tool, how many mutants of its SQL are noticed, and how many there were."""
    scores = {}
    for name, compiled in prover.tools.items():
        noticed = counted = 0
        for mutant in _mutants(prover, compiled):
            counted += 1
            noticed += _noticed(prover, compiled, mutant)
        scores[name] = (noticed, counted)
    return scores


def _mutants(prover: Prover, compiled: CompiledTool) -> Iterator[CompiledTool]:
    guards = sum(1 for param in compiled.tool.params.values() if param.of)
    places = []
    for index, statement in enumerate(compiled.statements):
        if index < guards:
            continue
        code = code_only(statement.sql)
        places += [(index, match.span(), swap) for pattern, swap in _SWAPS for match in re.finditer(pattern, code)]
    places.sort(key=lambda place: (place[0], place[1], place[2]))
    for number in range(min(_MOST, len(places))):
        index, (start, end), swap = places[number * len(places) // min(_MOST, len(places))]
        old = compiled.statements[index]
        sql = old.sql[:start] + swap + old.sql[end:]
        try:
            new = prepare(prover.world.template, Phase.TOOL, Statement(sql, old.line), "tools.toml", compiled.tool.name)
        except ScenarioError:
            continue
        if new.columns == old.columns:
            yield compiled._replace(statements=(*compiled.statements[:index], new, *compiled.statements[index + 1 :]))


def _noticed(prover: Prover, compiled: CompiledTool, mutant: CompiledTool) -> bool:
    """Whether an example, a refusal, a solution or a near miss comes out otherwise with the mutant."""
    tool = compiled.tool
    for entry in tool.entries:
        if _answer(prover, compiled, entry.given, entry.arguments) != _answer(
            prover, mutant, entry.given, entry.arguments
        ):
            return True
    for task in prover.tasks:
        for calls in (task.solution, *task.near_misses.values()):
            if any(call.name == tool.name for call in calls) and _plays_otherwise(prover, task, calls, mutant):
                return True
    return False


def _answer(prover: Prover, compiled: CompiledTool, given: str | None, arguments: Any) -> str:
    prover.world.start_from(given)
    try:
        result = prover.world.call_compiled(compiled, arguments)
    except ScenarioError as error:
        return str(error)
    return result.text + prover.end(None)


def _plays_otherwise(prover: Prover, task: Task, calls: tuple[ToolCall, ...], mutant: CompiledTool) -> bool:
    run = prover.run(task, calls)
    prover.start(task, lifted=True)
    for call, old in zip(calls, run.results, strict=False):
        try:
            if call.name == mutant.tool.name:
                new = prover.world.call_compiled(mutant, call.arguments)
            else:
                new = prover.world.call(call)
        except ScenarioError:
            return True
        if new.kind != old.kind or (prover.writes(call.name) and new.text != old.text):
            return True
    answer = calls[-1].arguments.get("answer")
    return prover.end(answer) != run.end
