"""Gates on tasks: solvable, not by doing nothing, with nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from awm_gym.answers import folded, problem_with
from awm_gym.gates.mutants import of_solution
from awm_gym.gates.prover import Prover, told
from awm_gym.gates.tracing import Sources, number_words
from awm_gym.scenario import GIVE_UP, SUBMIT, Answer, Param, Task, ToolCall
from awm_gym.verify import verify
from awm_gym.world import ToolResult

_SUPERLATIVE = re.compile(
    r"\b(\w+est|most|least|fewest|first|last|next|latest|only|best|worst|top|minimum|maximum|another|other|any|earlier|"
    r"later|before|after|longer|cheaper|more|less|fewer|instead|second|third|free|available|enough|both|all|each|every)\b"
)


def doing_nothing_fails(prover: Prover) -> Iterator[str]:
    """No task passes untouched: not without an answer, with a canned one, or with one read off the instruction.

    Remedy: ask for something that is not so from the start, or for an answer that has to be looked up.
    """
    for task in prover.tasks:
        prover.start(task)
        answers = [None] if task.answer is None else [None, *_guesses(task)]
        for answer in answers:
            if verify(prover.world, task, answer).passed:
                yield f"{task.name}: passes without any call" + (
                    "" if answer is None else f", with the answer {answer!r}"
                )
                break
        if task.infeasible is None and verify(prover.world, task, gave_up=True).passed:
            yield f"{task.name}: passes by giving up, though it is not marked infeasible"
        if prover.changes():
            yield f"{task.name}: the start already counts as changed"


def _guesses(task: Task) -> Iterator[Any]:
    """Answers that need no look at the data."""
    assert task.answer is not None
    yield from (guess for guess in _of_type(task.answer, task.instruction) if problem_with(task.answer, guess) is None)


def _of_type(answer: Answer, instruction: str) -> Iterator[Any]:
    if answer.items is not None:
        yield []
        single = list(_of_type(answer.items, instruction))
        yield from ([guess] for guess in single)
        yield single
    elif answer.fields:
        yield {name: next(iter(_of_type(field, instruction)), "") for name, field in answer.fields.items()}
    elif answer.type in ("integer", "number"):
        yield from (0, 1, -1, 2)
        yield from (float(n) if "." in n else int(n) for n in re.findall(r"\d+(?:\.\d+)?", instruction))
        yield from (n for word, n in number_words().items() if re.search(rf"\b{word}\b", instruction.lower()))
    elif answer.type == "boolean":
        yield from (True, False)
    elif answer.type in ("date", "datetime"):
        yield from re.findall(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?", instruction)
    else:
        yield from ("", "none", "nothing", "unknown", "yes", "no", "n/a", "0", instruction)
        yield from re.findall(r"[A-Z][\w'&.-]*(?: (?:[A-Z&][\w'&.-]*|of|and|de|van))*", instruction)
        yield from re.findall(r"['\"“‘]([^'\"”’]+)['\"”’]", instruction)


def solutions_pass(prover: Prover) -> Iterator[str]:
    """Every solution passes through the public tools, without a tool error, twice with the same end.

    Remedy: play the solution with `awm-gym play`, compare with `changes` and `expect`, and correct whichever is wrong.
    """
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        for error in run.errors:
            yield f"{task.name}: {error}"
        if not run.verdict.passed:
            yield f"{task.name}: the solution fails. {run.verdict.explanation}"
        results = prover.replay(task, task.solution)
        if [result.text for result in results] != [result.text for result in run.results]:
            yield f"{task.name}: the solution answers otherwise the second time"


def infeasible_is_so(prover: Prover) -> Iterator[str]:
    """An infeasible task passes only by giving up; its obstacle shows, and stops every variation of the solution.

    Remedy: make `given` keep the obstacle, `lifted_by` remove it and nothing else, and `shown_by` look at it.
    """
    for task in prover.tasks:
        if task.infeasible is None:
            continue
        shown = prover.replay(task, task.infeasible.shown_by, lifted=False)
        for call, result in zip(task.infeasible.shown_by, shown, strict=True):
            if result.kind not in (None, "refused"):
                yield f"{task.name}: shown_by: {told(call)} was answered {result.kind}: {result.text}"
        if not verify(prover.world, task, gave_up=True).passed:
            yield f"{task.name}: giving up after shown_by does not pass; shown_by must change nothing"
        lifted = prover.replay(task, task.infeasible.shown_by)
        if [result.text for result in shown] == [result.text for result in lifted]:
            yield f"{task.name}: shown_by answers the same with the obstacle lifted; it does not show the obstacle"
        variants = [task.solution, *(mutant.calls for mutant in of_solution(prover, task))]
        for calls in variants:
            run = prover.run(task, calls, lifted=False)
            if run.verdict.passed:
                yield f"{task.name}: can be done, by {'; '.join(map(told, calls))}"
                break
        if len(task.infeasible.why.split()) < 4:
            yield f"{task.name}: why {task.infeasible.why!r} tells nothing; name the obstacle"


def nothing_is_hidden(prover: Prover) -> Iterator[str]:
    """Every value in a solution's calls stands in the instruction, in an enum or default, or in an earlier result.

    Remedy: say it in the instruction, look it up first, or put it into `derived` with how it is worked out.
    """
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        prose = f"{prover.scenario.greeting}\n{prover.scenario.description}\n{task.instruction}"
        sources = Sources(prose, prover.scenario.now)
        for call, result in zip(_tool_calls(task), run.results, strict=True):
            for name, value in call.arguments.items():
                for item in value if isinstance(value, list) else [value]:
                    if not _known(prover, task, sources, call, name, item):
                        yield f"{task.name}: {call.name}: {name} = {item!r} comes from nowhere"
            sources.add(result.rows)
    yield from _answers_in_the_open(prover)


def _tool_calls(task: Task) -> list[ToolCall]:
    return [call for call in task.solution if call.name not in (SUBMIT, GIVE_UP)]


def _known(prover: Prover, task: Task, sources: Sources, call: ToolCall, name: str, item: Any) -> bool:
    param: Param = prover.scenario.tools[call.name].params[name]
    if item in param.enum or str(item) in task.derived or (item == param.default and param.default is not None):
        return True
    if param.of is not None and not isinstance(item, bool):
        return sources.has_key(item, name)
    return sources.has(item)


def _answers_in_the_open(prover: Prover) -> Iterator[str]:
    """A text answer must be in some result: what no call shows cannot be known."""
    for task in prover.tasks:
        last = task.solution[-1]
        answer = last.arguments.get("answer") if last.name == SUBMIT else None
        for text in _texts(answer):
            results = prover.run(task, task.solution).results
            seen = folded(" ".join(str(value) for r in results for row in r.rows for value in row.values()))
            if folded(text) not in seen and folded(text) not in folded(task.instruction) and text not in task.derived:
                yield f"{task.name}: the answer {text!r} is in no result of the solution"


def _texts(answer: Any) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, list):
        for item in answer:
            yield from _texts(item)
    elif isinstance(answer, dict):
        for item in answer.values():
            yield from _texts(item)


def choices_are_grounded(prover: Prover) -> Iterator[str]:
    """Where a solution picks one key among several rows of a result, something sets that row apart.

    What does: words, dates or numbers of the instruction that stand in the row, a superlative in the instruction, or
    another result with the same key.
    Remedy: describe the thing in the instruction so that one row fits.
    """
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        sources = Sources(task.instruction, prover.scenario.now)
        for index, call in enumerate(_tool_calls(task)):
            if not prover.writes(call.name):
                continue
            for name, value in call.arguments.items():
                if prover.reference(prover.scenario.tools[call.name], name) is None or isinstance(value, list):
                    continue
                if not _grounded(run.results[:index], value, sources, task):
                    yield f"{task.name}: {call.name}: nothing says why {name} is {value!r} and not another"


def _grounded(results: Sequence[ToolResult], value: Any, sources: Sources, task: Task) -> bool:
    shown = [result.rows for result in results if any(value in row.values() for row in result.rows)]
    if len(shown) != 1 or len(shown[0]) == 1 or str(value) in task.derived:
        return True  # never shown is for nothing_is_hidden; alone, or shown twice, is reason enough
    if _SUPERLATIVE.search(folded(task.instruction)):
        return True
    rows = shown[0]
    for row in (row for row in rows if value in row.values()):
        for column, cell in row.items():
            others = [other.get(column) for other in rows if other is not row]
            if cell is not None and others.count(cell) < len(others) and _mentioned(cell, sources, task):
                return True
    return False


def _mentioned(cell: Any, sources: Sources, task: Task) -> bool:
    """Whether the instruction speaks of a cell: as a value, or by one of its words."""
    if not isinstance(cell, str) or re.match(r"\d{4}-\d\d-\d\d", cell):
        return sources.has(cell[:10] if isinstance(cell, str) else cell)
    words = [word for word in re.findall(r"\w+", folded(cell)) if len(word) > 2 or word.isdigit()]
    return any(re.search(rf"\b{re.escape(word)}", folded(task.instruction)) for word in words)
