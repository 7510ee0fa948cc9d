"""Verification: did the final state do what the task asked, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from awm_gym.answers import equal, expected_from, for_sql
from awm_gym.errors import ScenarioError, shown
from awm_gym.expected import EndState, Expectation, Frame, compile_end_states
from awm_gym.scenario import JsonValue, Task
from awm_gym.world import World, beyond_limits

_KEPT_TASKS = 1_024  # compiled verifiers that a scenario keeps
_CUT = 4  # stray rows told in words; the verdict holds them all


class StrayRow(NamedTuple):
    """A row that differs from the start though nobody asked for it.

    Attributes:
        table: its table.
        key: its primary key, column -> value.
        columns: the columns that strayed; none if the row was added or removed.
        kind: "changed", "added" or "removed".
    """

    table: str
    key: Mapping[str, Any]
    columns: tuple[str, ...]
    kind: str

    def __str__(self) -> str:
        key = ", ".join(f"{column} {value}" for column, value in self.key.items())
        if self.kind == "changed":
            return f"{self.table} ({key}) differs in {', '.join(self.columns)}"
        return f"{self.table} ({key}) was {self.kind}"


@dataclass(frozen=True)
class Verdict:
    """Which checks hold, and which rows strayed.

    Attributes:
        checks: name -> whether it holds; the names of `changes` are made from table and key.
        stray: rows that had to stay as they were.
        explanation: one sentence or more on why the task passed or failed, for people.
    """

    checks: Mapping[str, bool]
    stray: tuple[StrayRow, ...] = ()
    explanation: str = field(default="", compare=False)

    @property
    def passed(self) -> bool:
        """Whether every check holds and no row strayed."""
        return all(self.checks.values()) and not self.stray

    @property
    def reward(self) -> float:
        """1.0 if passed, else 0.0."""
        return float(self.passed)

    @property
    def stray_tables(self) -> tuple[str, ...]:
        """Names of the tables with stray rows."""
        return tuple(sorted({row.table for row in self.stray}))


def verify(world: World, task: Task, answer: JsonValue = None, *, gave_up: bool = False) -> Verdict:
    """Judge the state a world is in: an episode of `task` that ended with `answer`, or by giving up.

    Checks are boolean SQL over the final tables; `before.<table>` is the initial state (after the
    task's `given`), `:answer` the answer. One holds iff it is TRUE: NULL, no row and 0 mean no.

    Args:
        world: the world, as the episode left it.
        task: the task to judge; the world must have been reset for it.
        answer: the submitted answer, None if there is none.
        gave_up: whether the episode ended in `give_up`.

    Raises:
        ScenarioError: an expression of the verifier is broken. That is never a low reward.
    """
    judge = _Judge(world, task)
    if task.infeasible is not None:
        return judge.infeasible(gave_up=gave_up)
    if gave_up:
        text = "The task can be done, but the agent gave it up."
        return Verdict({"not_given_up": False}, judge.stray(judge.states[0]), text)
    return judge.feasible(answer)


def passes(world: World, task: Task, answer: JsonValue = None) -> bool:
    """Whether `verify` would pass, for a task that can be done. Stops at the first thing wrong; gates ask it often.

    Raises:
        ScenarioError: as `verify`.
    """
    return _Judge(world, task).passes(answer)


def expected_answer(world: World, task: Task) -> JsonValue:
    """The right answer in the state that a world is in; None if `expect` tells none.

    Raises:
        ScenarioError: as `verify`.
    """
    return None if task.expect is None else _Judge(world, task).expected({"answer": None})


class _Judge:
    def __init__(self, world: World, task: Task) -> None:
        self.world, self.task = world, task
        kept = world.template.verifiers
        found = kept.get(id(task))
        if found is None:
            try:
                found = (task, compile_end_states(task, world.tables))
            except ScenarioError as error:
                raise error.within(world.scenario.name) from None
            if len(kept) >= _KEPT_TASKS:
                kept.clear()
            kept[id(task)] = found
        self.states: tuple[EndState, ...] = found[1]
        self.touched = sorted({change.table for change in world.changes()})

    def passes(self, answer: JsonValue) -> bool:
        for state in self.states:
            there = not self._strays(state) and all(map(self._wanted, state.expectations))
            if there and all(self._own_checks(answer)[0].values()):
                return True
        return False

    def _strays(self, state: EndState) -> bool:
        return any(next(self._stray_in(state.frames[name]), None) is not None for name in self.touched)

    def infeasible(self, *, gave_up: bool) -> Verdict:
        untouched = EndState((), {name: _strict(self.world, name) for name in self.touched})
        stray = self.stray(untouched)
        text = "Rightly given up."
        if not gave_up:
            text = "The task cannot be done; right is give_up(reason), with nothing changed."
        elif stray:
            text = "Rightly given up, but something changed: " + _told(stray)
        return Verdict({"gave_up": gave_up}, stray, text)

    def feasible(self, answer: JsonValue) -> Verdict:
        common, notes = self._own_checks(answer)
        best: Verdict | None = None
        for state in self.states:
            checks, failures = {}, list(notes)
            for wanted in state.expectations:
                checks[wanted.name] = self._wanted(wanted)
                if not checks[wanted.name]:
                    failures.append(self._explain(wanted.table, wanted.name, wanted.wanted, wanted.rows))
            stray = self.stray(state)
            if stray:
                failures.append("Not asked for: " + _told(stray))
            text = " ".join(failures) or "Solved: every check holds and nothing else changed."
            verdict = Verdict(checks | common, stray, text)
            if verdict.passed:
                return verdict
            if best is None or _closeness(verdict) > _closeness(best):
                best = verdict
        assert best is not None  # there is always one end state
        return best

    def _own_checks(self, answer: JsonValue) -> tuple[dict[str, bool], list[str]]:
        """The answer and the author's checks, which all end states share; and words on those that fail."""
        checks, notes = {}, []
        bindings: dict[str, Any] = {"answer": None}
        if self.task.answer is not None:
            bindings = {"answer": for_sql(self.task.answer, answer)}
            if self.task.expect is not None:
                right = self.expected(bindings)
                checks["answer"] = equal(self.task.answer, answer, right)
                if not checks["answer"]:
                    said = "No answer was given" if answer is None else f"The answer was {shown(answer, 200)}"
                    notes.append(f"{said}; right is {shown(right, 200)}.")
        for name, sql in self.task.checks.items():
            checks[name] = self._holds(f"SELECT ({sql}) IS TRUE", f"checks.{name}", bindings)
            if not checks[name]:
                notes.append(f"The check {name!r} does not hold.")
        return checks, notes

    def expected(self, bindings: Mapping[str, Any]) -> JsonValue:
        """The answer that `expect` tells."""
        rows, columns = self._ask(self.task.expect or "", "expect", bindings)
        return expected_from(self.task.answer, rows, columns) if self.task.answer else None

    def _wanted(self, wanted: Expectation) -> bool:
        return self._holds(wanted.sql, f"changes: {wanted.name}")

    def _holds(self, sql: str, key: str, bindings: Mapping[str, Any] | None = None) -> bool:
        rows, _ = self._ask(sql, key, bindings or {})
        return bool(rows and rows[0][0])

    def _ask(self, sql: str, key: str, bindings: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
        try:
            return self.world.query_with_names(sql, bindings, self._error(key))
        except ScenarioError as error:
            # What works at the start and then overflows or finds no end is a state that an agent made: it is not the
            # one that was asked for. (At the start it is the author's fault, and soundness looks there.)
            if self.touched and beyond_limits(error.__cause__):
                return [], ()
            raise

    def _error(self, key: str) -> ScenarioError:
        return ScenarioError("", file="tasks.toml", key=f"{self.task.name}.{key}", scenario=self.world.scenario.name)

    def _explain(self, table: str, name: str, wanted: str, rows: str) -> str:
        if not rows:
            return f"{name} does not hold{f': wanted {wanted}' if wanted else ''}."
        found, columns = self.world.query_with_names(rows, {}, self._error("changes"))
        seen = ["(" + ", ".join(f"{c} = {v}" for c, v in zip(columns, row, strict=True)) + ")" for row in found]
        there = "; ".join(seen) if seen else "none"
        return f"{name}: wanted {wanted}, found {there}."

    def stray(self, state: EndState) -> tuple[StrayRow, ...]:
        """Rows that differ though no one asked. The changeset tells the tables to look at, SQL the rows."""
        return tuple(row for name in self.touched for row in self._stray_in(state.frames[name]))

    def _stray_in(self, frame: Frame) -> Iterator[StrayRow]:
        table, width = frame.table, len(frame.table.key)
        others = [column for column in table.column_names if column not in table.key]
        for kind, sql in (("changed", frame.changed), ("added", frame.added), ("removed", frame.removed)):
            rows = self.world.query_with_names(sql, {}, self._error(f"may_change.{table.name}"))[0] if sql else []
            for row in rows:
                columns = tuple(c for c, differs in zip(others, row[width:], strict=False) if differs)
                yield StrayRow(table.name, dict(zip(table.key, row[:width], strict=True)), columns, kind)


def _strict(world: World, table: str) -> Frame:
    """The frame of a table in which nothing may differ."""
    nothing = Task(name="nothing", instruction="Change nothing.", solution=())
    return compile_end_states(nothing, {table: world.tables[table]})[0].frames[table]


def _closeness(verdict: Verdict) -> tuple[int, int]:
    return sum(verdict.checks.values()) - len(verdict.checks), -len(verdict.stray)


def _told(stray: tuple[StrayRow, ...]) -> str:
    more = f"; and {len(stray) - _CUT} rows more" if len(stray) > _CUT else ""
    return "; ".join(str(row) for row in stray[:_CUT]) + more + "."
