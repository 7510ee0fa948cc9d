"""From bound goals to tasks: the solution is played, what it must change is read off the world, traps are tried.

A task that cannot be proved is not made; why is counted, for `awm-gym blueprint` to tell the blueprint's author.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from awm_gym.answers import equal, expected_from
from awm_gym.blueprints.format import Trap
from awm_gym.blueprints.goals import Bound
from awm_gym.blueprints.phrases import Row
from awm_gym.blueprints.play import Played, Player, Rejected
from awm_gym.blueprints.things import Scene
from awm_gym.errors import ScenarioError
from awm_gym.gates.prover import links_of
from awm_gym.gates.tasks import guesses
from awm_gym.scenario import (
    GIVE_UP,
    SUBMIT,
    Answer,
    CellValue,
    ChangedRow,
    Changes,
    Infeasible,
    JsonValue,
    NewRow,
    Sql,
    Task,
    ToolCall,
)
from awm_gym.scenario import Row as TaskRow
from awm_gym.sql import inlined, literal, quote
from awm_gym.verify import passes
from awm_gym.world import RowChange, World

MAX_TRAPS = 6  # of one task
MAX_NEIGHBOURS = 4  # other things tried for a trap


class Proof(NamedTuple):
    """A task, how its solution was played, and the author's traps that it lacks, each with its goal."""

    task: Task
    played: Played
    lost: tuple[tuple[str, str], ...]


class Prover:
    """Makes tasks of bound goals.

    Args:
        scene: the world at the start.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.world, self.grammar = scene, scene.world, scene.grammar
        self.player = Player(scene)
        self._links = {name: links_of(self.world, name) for name in self.world.tables}

    def prove(self, name: str, instruction: str, bounds: Sequence[Bound], wrong: Sequence[Bound] = ()) -> Proof:
        """The task of one goal, or of several after each other.

        Args:
            name: of the task.
            instruction: its words.
            bounds: the goals.
            wrong: goals that would be wrong in their place: traps.

        Raises:
            Rejected: the solution is refused, the goal is reached from the start, or a guess would do.
        """
        given, lifted = self._given(bounds), self._lifted(bounds)
        self.player.start(given + lifted or None)
        before = [self._reached(bound) for bound in bounds]
        for bound in bounds:
            self.player.perform(bound)
        played = self.player.played
        if played.error:
            raise Rejected(f"solution refused: {played.error}")
        for bound, reached in zip(bounds, before, strict=True):
            if reached:
                raise Rejected("reached from the start")
            if bound.goal.writes and not self._reached(bound):
                raise Rejected("holds is not true after the solution")
        changes = self._changes(_free(bounds))
        asking = next((bound for bound in bounds if bound.goal.answer is not None), None)
        expect = self._expect(asking) if asking else None
        right = self._right(asking.goal.answer, expect) if asking and asking.goal.answer and expect else None
        if asking is not None and right is None:
            raise Rejected("expect gives no value of the answer's type")
        task = Task(
            name=name,
            instruction=instruction,
            given=given or None,
            answer=asking.goal.answer if asking else None,
            expect=expect,
            infeasible=None,
            derived=self._derived(bounds) | self._reckoned(asking, right),
            solution=(*played.calls, _submit(right, asking)),
            changes=(changes,) if changes else (),
        )
        if not passes(self.world, task, right):
            raise Rejected("the solution fails its own verifier")
        self._refuse_guesses(task, right)
        traps, lost = self._traps(task, bounds, right, given + lifted)
        for other in wrong:
            calls = self._tried(task, partial(self.player.perform, other, lookups=False), given + lifted, right)
            if calls is not None:
                traps["the_other_way"] = calls
        if not traps:
            raise Rejected("nothing near it is a mistake")
        task = task.model_copy(update={"near_misses": traps})
        if lifted:
            task = task.model_copy(update={"infeasible": self._infeasible(bounds, lifted, given)})
            self._surely_blocked(task, given)
        return Proof(task, played, tuple(lost))

    def _given(self, bounds: Sequence[Bound]) -> str:
        return "".join(inlined(_ended(bound.goal.given), bound.bindings) for bound in bounds if bound.goal.given)

    def _lifted(self, bounds: Sequence[Bound]) -> str:
        return "".join(
            inlined(_ended(bound.obstacle.lifted_by), bound.bindings) for bound in bounds if bound.obstacle is not None
        )

    def _reached(self, bound: Bound) -> bool:
        if bound.goal.holds is None:
            return False
        rows = bound.it.rows if bound.it is not None else ({},)
        tests = [bound.about(row) if row else bound for row in rows]
        return all(self._holds(test) for test in tests)

    def _holds(self, bound: Bound) -> bool:
        sql = f"SELECT ({bound.goal.holds}) IS TRUE AS ok"
        return bool(self.scene.ask(sql, bound.bindings, "goals.toml", f"{bound.goal.name}.holds")[0]["ok"])

    def _changes(self, free: Sequence[str]) -> Changes | None:
        """What the world's present state differs in, as a task asks for it."""
        found = self.world.changes()
        names = _names(found, self.world)
        rows: dict[str, list[TaskRow]] = {}
        loose: list[str] = []
        for change in found:
            if change.kind == "added" and change.table in free:
                loose.append(change.table)
                continue
            table = self.world.tables[change.table]
            if change.kind == "removed":
                rows.setdefault(change.table, []).append(ChangedRow(columns=dict(change.key), gone=True))
                continue
            asked = {c: self._value(change.table, c, v, names) for c, v in change.after.items()}
            loose += [f"{change.table}.{column}" for column in asked if f"{change.table}.{column}" in free]
            asked = {c: v for c, v in asked.items() if f"{change.table}.{c}" not in free}
            if change.kind == "changed":
                rows.setdefault(change.table, []).append(ChangedRow(columns={**change.key, **asked}))
                continue
            label = names.get(
                (change.table, *change.key.values()), f"{change.table}_{len(rows.get(change.table, ())) + 1}"
            )
            if table.numbers_itself:
                asked = {column: value for column, value in asked.items() if column not in table.key}
            defaults = {column.name: column.default for column in table.columns}
            asked = {c: v for c, v in asked.items() if not _is_default(v, defaults[c])}
            rows.setdefault(change.table, []).append(NewRow(name=label, columns=asked))
        if not rows and not loose:
            return None
        return Changes(rows={table: tuple(found) for table, found in rows.items()}, any=tuple(dict.fromkeys(loose)))

    def _value(self, table: str, column: str, value: Any, names: Mapping[tuple[Any, ...], str]) -> CellValue:
        parent = self._links[table].get(column)
        if parent is not None and (parent, value) in names:
            return f"@{names[parent, value]}"
        if isinstance(value, str) and value.startswith("@"):
            return Sql(sql=literal(value))
        return Sql(sql="NULL") if value is None else value

    def _expect(self, bound: Bound) -> str:
        expect = inlined(bound.goal.expect or "", bound.bindings)
        if re.match(r"\s*(SELECT|WITH)\b", expect, re.I):
            return expect
        assert bound.it is not None
        ids = ", ".join(literal(id) for id in bound.it.ids)
        rows = bound.it.entity.rows.strip().rstrip(";")
        where = f"id = {ids}" if len(bound.it.ids) == 1 else f"id IN ({ids})"
        return f"SELECT {expect} FROM ({rows}) WHERE {where}"

    def _right(self, answer: Answer, expect: str) -> JsonValue:
        place = ScenarioError("", file="goals.toml", key="expect", scenario=self.grammar.blueprint.name)
        rows, columns = self.world.query_with_names(expect, {"answer": None}, place)
        return expected_from(answer, rows, columns)

    def _derived(self, bounds: Sequence[Bound]) -> dict[str, str]:
        found = {}
        for bound in bounds:
            for value, how in bound.goal.derived.items():
                found[str(self.player.filled(value, bound.places, bound.goal))] = how
        return found

    @staticmethod
    def _reckoned(asking: Bound | None, right: JsonValue) -> dict[str, str]:
        """How a figure over a set is worked out: from what."""
        if asking is None or asking.it is None or len(asking.it.ids) < 2 or not isinstance(right, (int, float)):
            return {}
        return {str(right): f"from the {asking.it.entity.many} {', '.join(map(str, asking.it.ids))}"}

    def _refuse_guesses(self, task: Task, right: JsonValue) -> None:
        """An answer that can be guessed proves nothing, if it is all that is asked for."""
        if task.answer is None or task.changes:
            return
        words = f"{task.instruction}\n{self.world.scenario.description}"
        if any(equal(task.answer, guess, right) for guess in guesses(self.world.scenario.tools, task.answer, words)):
            raise Rejected("the answer can be guessed")

    def _traps(
        self, task: Task, bounds: Sequence[Bound], right: JsonValue, given: str
    ) -> tuple[dict[str, tuple[ToolCall, ...]], list[tuple[str, str]]]:
        """Almost right calls that run and fail; and the author's own that could not be made, each with its goal."""
        traps: dict[str, tuple[ToolCall, ...]] = {}
        lost = []
        for index, bound in enumerate(bounds):
            for name in bound.goal.near_misses:
                label = name if len(bounds) == 1 else f"{name}_{index + 1}"
                calls = self._authored(task, bounds, index, bound.goal.near_misses[name], right, given)
                if calls is None:
                    lost.append((bound.goal.name, name))
                else:
                    traps[label] = calls
        for name, calls in self._made(task, bounds, right, given):
            if len(traps) >= MAX_TRAPS:
                break
            if name not in traps and calls not in traps.values():
                traps[name] = calls
        return traps, lost

    def _authored(
        self, task: Task, bounds: Sequence[Bound], index: int, trap: Trap, right: JsonValue, given: str
    ) -> tuple[ToolCall, ...] | None:
        bound = bounds[index]
        options: Sequence[Mapping[str, Any]] = [{}]
        if trap.draw is not None:
            self.player.start(given or None)
            options = self.scene.ask(trap.draw, bound.bindings, "goals.toml", f"{bound.goal.name}.near_misses")
        for option in options[:MAX_TRAPS]:
            answer: list[JsonValue] = []

            def play(option: Mapping[str, Any] = option, answer: list[JsonValue] = answer) -> None:
                for place, other in enumerate(bounds):
                    if place != index:
                        self.player.perform(other, lookups=False)
                        continue
                    for row in bound.it.rows if bound.it is not None else ({},):
                        one = bound.about(row) if row else bound
                        one = replace(one, values={**one.values, **option})
                        steps = [step for step in trap.calls if step.name not in (SUBMIT, GIVE_UP)]
                        self.player.steps(one, steps, lookups=False)
                        for step in trap.calls:
                            if step.name == SUBMIT:
                                answer.append(self.player.filled(step.arguments.get("answer"), one.places, one.goal))

            calls = self._tried(task, play, given, right, answer)
            if calls is not None:
                return calls
        return None

    def _tried(
        self, task: Task, play: Any, given: str, right: JsonValue, answer: Sequence[JsonValue] = ()
    ) -> tuple[ToolCall, ...] | None:
        """Calls that run without an error to an end that the task rejects; else None."""
        self.player.start(given or None)
        try:
            play()
        except Rejected:
            return None
        played = self.player.played
        said = answer[0] if answer else right
        if played.error or passes(self.world, task, said):
            return None
        if answer and not played.calls and task.answer is not None and equal(task.answer, said, right):
            return None
        submit = ToolCall(SUBMIT, {"answer": said} if task.answer is not None else {})
        return (*played.calls, submit)

    def _made(
        self, task: Task, bounds: Sequence[Bound], right: JsonValue, given: str
    ) -> Iterator[tuple[str, tuple[ToolCall, ...]]]:
        """Traps that follow from the operators."""
        for index, bound in enumerate(bounds):
            for name, changed, rows in self._variants(bound):

                def play(index: int = index, changed: Bound = changed, rows: Sequence[Row] | None = rows) -> None:
                    for place, other in enumerate(bounds):
                        if place == index:
                            self.player.perform(changed, rows, lookups=False)
                        else:
                            self.player.perform(other, lookups=False)

                if bound.goal.writes:
                    calls = self._tried(task, play, given, right)
                    if calls is not None and len(calls) > 1:
                        yield name, calls
            if bound.goal.answer is not None and task.answer is not None:
                yield from self._wrong_answers(task, bounds, bound, right, given)

    def _variants(self, bound: Bound) -> Iterator[tuple[str, Bound, Sequence[Row] | None]]:
        """The goal with another thing, one thing fewer or more, or another choice."""
        if bound.it is not None:
            others = self._others(bound)
            if len(bound.it.rows) > 1:
                yield "one_missed", bound, bound.it.rows[:-1]
                for row in others[:MAX_NEIGHBOURS]:
                    yield "one_too_many", bound, (*bound.it.rows, row)
            else:
                name = "runner_up" if bound.it.rank else "another"
                for row in others[:MAX_NEIGHBOURS]:
                    yield name, bound, (row,)
        if not bound.goal.choose:
            for values in bound.spare[:MAX_NEIGHBOURS]:
                if (other := self._drawing(bound, values)) is not None:
                    yield "other_values", other, None
        for name, (chosen, rest) in bound.chosen.items():
            for row in rest[:2]:
                yield f"second_{name}", bound.choosing(name, (row,)), None
            if len(chosen) > 1:
                yield f"missed_{name}", bound.choosing(name, chosen[:-1]), None

    def _drawing(self, bound: Bound, values: Row) -> Bound | None:
        """The goal with other drawn values, its slots redirected; None if one of them would name nothing."""
        slots = dict(bound.slots)
        for name, slot in bound.slots.items():
            things = self.scene.things(slot.entity.name)
            place = things.place.get(values.get(name))
            if place is None:
                return None
            slots[name] = replace(slot, ids=(values[name],), rows=(things.rows[place],))
        return replace(bound.drawing(values), slots=slots)

    def _others(self, bound: Bound) -> list[Row]:
        """What the things of a goal could be mistaken for; failing that, any others."""
        assert bound.it is not None
        things = self.scene.things(bound.it.entity.name)
        others = [things.rows[things.place[id]] for id in bound.it.others if id in things.place]
        return others or [row for row in things.rows if row["id"] not in bound.it.ids][: 2 * MAX_NEIGHBOURS]

    def _wrong_answers(
        self, task: Task, bounds: Sequence[Bound], bound: Bound, right: JsonValue, given: str
    ) -> Iterator[tuple[str, tuple[ToolCall, ...]]]:
        if bound.it is None or re.match(r"\s*(SELECT|WITH)\b", bound.goal.expect or "", re.I) or task.answer is None:
            return
        others = self._others(bound)
        if len(bound.it.rows) > 1:
            sets = [("one_missed", bound.it.rows[:-1])]
            sets += [("one_too_many", (*bound.it.rows, row)) for row in others[:MAX_NEIGHBOURS]]
            if others:
                sets.append(("all_of_them", (*bound.it.rows, *others)))
        else:
            sets = [("another", (row,)) for row in others[:MAX_NEIGHBOURS]]
        for name, rows in sets:
            wrong = replace(bound, it=replace(bound.it, ids=tuple(row["id"] for row in rows), rows=tuple(rows)))
            if bound.it.ids and len(rows) == 1:
                wrong = wrong.about(rows[0])

            def play() -> None:
                for other in bounds:
                    self.player.perform(other, lookups=False)

            self.player.start(given or None)
            play()
            said = self._right(task.answer, self._expect(wrong))
            if said is None or equal(task.answer, said, right):
                continue
            calls = self._tried(task, play, given, right, [said])
            if calls is not None:
                yield name, calls

    def _infeasible(self, bounds: Sequence[Bound], lifted: str, given: str) -> Infeasible:
        bound = next(bound for bound in bounds if bound.obstacle is not None)
        assert bound.obstacle is not None
        self.player.start(given or None)
        if bound.obstacle.shown_by is not None:
            self.player.steps(bound, bound.obstacle.shown_by)
        else:
            for slot, description in self.player.slots(bound):
                del slot
                self.player.find(description)
        shown = self.player.played
        if any(result.kind not in (None, "refused") for result in shown.results):
            raise Rejected(f"shown_by: {shown.error}")
        why = self.scene.filled(bound.obstacle.why, bound.places)
        return Infeasible(why=why, lifted_by=lifted, shown_by=shown.calls)

    def _surely_blocked(self, task: Task, given: str) -> None:
        """With the obstacle in place, the solution must not pass."""
        self.world.start_from(given or None)
        feasible = task.model_copy(update={"infeasible": None})
        results = [self.world.call(call) for call in task.solution[:-1]]
        if not any(result.kind for result in results) and passes(
            self.world, feasible, task.solution[-1].arguments.get("answer")
        ):
            raise Rejected("the obstacle does not stop the solution")


def _ended(sql: str | None) -> str:
    """A script that ends in a semicolon and a line break."""
    return "" if not sql else sql.strip().rstrip(";") + ";\n"


def _submit(right: JsonValue, asking: Bound | None) -> ToolCall:
    return ToolCall(SUBMIT, {"answer": right} if asking is not None else {})


def _is_default(value: CellValue, default: str) -> bool:
    if isinstance(value, Sql):
        return value.sql == "NULL" and default.upper() == "NULL"
    return literal(value) == default or (isinstance(value, str) and quote(value) == default)


def _names(changes: Sequence[RowChange], world: World) -> dict[tuple[Any, ...], str]:
    """Names for new rows that number themselves, by table and key."""
    names: dict[tuple[Any, ...], str] = {}
    for change in changes:
        if change.kind == "added" and world.tables[change.table].numbers_itself:
            count = sum(key[0] == change.table for key in names) + 1
            names[(change.table, *change.key.values())] = f"{change.table}_{count}"[:60]
    return names


def _free(bounds: Sequence[Bound]) -> list[str]:
    """Columns and tables that any of some goals leaves free."""
    return list(dict.fromkeys(itertools.chain.from_iterable(bound.goal.free for bound in bounds)))
