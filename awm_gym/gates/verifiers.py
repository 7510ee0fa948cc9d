"""Gates on verifiers: strict about everything but the one right end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from awm_gym.gates.mutants import StateMutant, dropped, of_solution, of_state
from awm_gym.gates.prover import REJECTED, Prover, Run
from awm_gym.scenario import SUBMIT, Task
from awm_gym.verify import verify

_LIFTED = " (near misses of an infeasible task are played with its `lifted_by` applied)"
_CELLS_INSIDE = 0.99  # share of mutated cells inside the task's own rows that must be noticed


def dropped_calls_fail(prover: Prover) -> Iterator[str]:
    """A solution without any one of its writing calls fails.

    Remedy: let `changes` ask for what that call does, or take the call out of the solution.
    """
    for task in prover.tasks:
        end = prover.run(task, task.solution).end
        for mutant in dropped(prover, task):
            run = prover.run(task, mutant.calls)
            if run.verdict.passed and run.end != end:
                yield f"{task.name}: passes {mutant.what}"
            elif run.end == end:
                yield f"{task.name}: {mutant.what} the end is the same; the call does nothing"


def near_misses_fail(prover: Prover) -> Iterator[str]:
    """Near misses fail: the author's, which run without a tool error, and generated ones.

    Generated are solutions with a call repeated, reordered or redirected, an argument replaced by another valid
    value, or another answer. One that ends like the solution is none.
    Remedy: tighten `changes` or `checks`; if the other end is right as well, add it as an alternative.
    """
    killed = counted = others = 0
    for task in prover.tasks:
        if not task.near_misses:
            yield f"{task.name}: has no near miss; write at least one"
        solution = prover.run(task, task.solution)
        lifted = "" if task.infeasible is None else _LIFTED
        for name, calls in task.near_misses.items():
            run = prover.run(task, calls)
            if run.verdict.passed:
                yield f"{task.name}.near_misses.{name}: is accepted{lifted}"
            for error in run.errors:
                yield f"{task.name}.near_misses.{name}: is no near miss: {error}{lifted}"
        for mutant in of_solution(prover, task):
            run = prover.run(task, mutant.calls)
            if run.end == solution.end or _same_answer(task, run, solution):
                continue
            counted += 1
            if not run.verdict.passed:
                killed += 1
            elif _several_ends(task):
                others += 1
            else:
                yield f"{task.name}: {mutant.what} is accepted, with another end"
    prover.figures["near_misses"] = {"generated": counted, "rejected": killed, "other_right_ends": others}


def _same_answer(task: Task, one: Run, other: Run) -> bool:
    """Whether two runs end alike but for the order of an answer whose order is free."""
    given, right = _answer(one), _answer(other)
    free = task.answer is not None and task.answer.items is not None and not task.answer.ordered
    return free and one.calls[:-1] == other.calls[:-1] and sorted(map(repr, given or ())) == sorted(map(repr, right))


def _several_ends(task: Task) -> bool:
    """Whether the author says that several ends are right."""
    return bool(task.may_change) or len(task.changes) > 1


def stray_changes_fail(prover: Prover) -> Iterator[str]:
    """The solution's end with any other row added, removed or altered is rejected.

    Every table is mutated. All mutants of rows outside the task's own must be noticed, and 99 % of the cells inside;
    what the author frees by `any` is not counted.
    Remedy: name the column in `changes`, or narrow `may_change`.
    """
    scores = {}
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        prover.replay(task, task.solution)
        answer = _answer(run)
        totals = {True: [0, 0], False: [0, 0]}
        survivors: list[str] = []
        for mutant in of_state(prover, task, run):
            noticed = _noticed(prover, task, mutant, answer, run.end)
            if noticed is None:
                continue
            totals[mutant.inside][1] += 1
            totals[mutant.inside][0] += noticed
            if not noticed:
                survivors.append(mutant.what)
                if not mutant.inside:
                    yield f"{task.name}: {mutant.what} is accepted"
        (inside, within), (outside, without) = totals[True], totals[False]
        scores[task.name] = {
            "inside": [inside, within],
            "outside": [outside, without],
            "survivors": survivors[:20],
        }
        if within and inside < _CELLS_INSIDE * within:
            some = "; ".join(survivors[:3])
            yield f"{task.name}: {within - inside} of {within} wrong cells in its own rows are accepted: {some}"
    prover.figures["mutation"] = scores


def _answer(run: Run) -> Any:
    last = run.calls[-1]
    return last.arguments.get("answer") if last.name == SUBMIT else None


def _noticed(prover: Prover, task: Task, mutant: StateMutant, answer: Any, end: str) -> bool | None:
    """Whether the verdict rejects a mutated state; None if it is none: forbidden by the schema, freed, or equal."""
    if any(mutant.table in changes.any or mutant.table.partition(".")[0] in changes.any for changes in task.changes):
        return None
    with prover.trial():
        try:
            prover.world.execute(mutant.sql)
        except (*REJECTED, apsw.SQLError):
            return None
        if not prover.passes(task, answer):
            return True
        equal = prover.end(answer) == end
        other_right_end = _several_ends(task) and mutant.inside and not _nonsense(mutant)
        return None if equal or other_right_end else False


def _nonsense(mutant: StateMutant) -> bool:
    """Whether the mutated value is right in no end: where several ends are right, another key or flag may be."""
    return "|| ' x'" in mutant.sql or mutant.sql.startswith("DELETE")


def checks_bear_load(prover: Prover) -> Iterator[str]:
    """Each of the author's checks is the only reason for some rejection.

    Counted are near misses, dropped calls, generated mutants of the solution and of its end.
    Remedy: add the near miss that only this check notices, or remove the check.
    """
    for task in prover.tasks:
        waiting = set(task.checks)
        if not waiting:
            continue
        for run in prover.runs(task):
            waiting -= _alone(run.verdict.checks, run.verdict.stray)
        if waiting:
            run = prover.run(task, task.solution)
            prover.replay(task, task.solution)
            for mutant in of_state(prover, task, run, rows_each=3):
                with prover.trial():
                    try:
                        prover.world.execute(mutant.sql)
                    except (*REJECTED, apsw.SQLError):
                        continue
                    verdict = prover.verdict(task, _answer(run))
                    waiting -= _alone(verdict.checks, verdict.stray)
        for name in sorted(waiting):
            yield f"{task.name}.checks.{name}: nothing fails this check alone"


def _alone(checks: Any, stray: Any) -> set[str]:
    failed = [name for name, holds in checks.items() if not holds]
    return set(failed) if len(failed) == 1 and not stray else set()


def changes_are_tight(prover: Prover) -> Iterator[str]:
    """Each allowance (`any`, `may_change`) is needed by the task's own solution; each alternative end is come to.

    Remedy: remove the allowance or the alternative; or write the value into `changes`, as
    `{ sql = "now()" }` if it is the clock's.
    """
    for task in prover.tasks:
        plain = task.model_copy(update={"infeasible": None})
        answer = _answer(prover.run(task, task.solution))
        prover.replay(task, task.solution)
        for tighter, what in _tighter(plain):
            if verify(prover.world, tighter, answer).passed:
                yield f"{task.name}: {what} is not needed by the solution"
        if len(task.changes) > 1:
            yield from _unreached(prover, task)


def _unreached(prover: Prover, task: Task) -> Iterator[str]:
    """Each of several right ends is one that the solution, or a mutant of it, comes to."""
    plain = task.model_copy(update={"infeasible": None})
    alone = {index: plain.model_copy(update={"changes": (one,)}) for index, one in enumerate(task.changes)}
    for calls in (task.solution, *(mutant.calls for mutant in of_solution(prover, task))):
        run = prover.run(task, calls)
        if not run.verdict.passed or not alone:
            continue
        prover.replay(task, calls)
        reached = [index for index, one in alone.items() if verify(prover.world, one, _answer(run)).passed]
        alone = {index: one for index, one in alone.items() if index not in reached}
    for index in alone:
        yield f"{task.name}: nothing that was played comes to changes[{index}]"


def _tighter(task: Task) -> Iterator[tuple[Task, str]]:
    for name in task.may_change:
        fewer = {table: allowance for table, allowance in task.may_change.items() if table != name}
        yield task.model_copy(update={"may_change": fewer}), f"may_change.{name}"
    for index, changes in enumerate(task.changes):
        for entry in changes.any:
            kept = changes.model_copy(update={"any": tuple(other for other in changes.any if other != entry)})
            if len(task.changes) == 1 and _compiles_without(task, entry):
                yield task.model_copy(update={"changes": (kept,)}), f"changes[{index}].any {entry!r}"


def _compiles_without(task: Task, entry: str) -> bool:
    """Whether the end state makes sense without this freedom: a new row must say something of each needed column."""
    table, _, column = entry.partition(".")
    rows = task.changes[0].rows.get(table, ())
    return not column or not any(hasattr(row, "name") and column not in row.columns for row in rows)
