"""The prover: plays calls in a scenario, remembers what came of them, and keeps the budget of the gates."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apsw

from awm_gym.answers import folded
from awm_gym.database import Table
from awm_gym.scenario import GIVE_UP, SUBMIT, Scenario, Task, Tool, ToolCall
from awm_gym.soundness import Invariant, invariants
from awm_gym.sql import quote
from awm_gym.tools import CompiledTool
from awm_gym.verify import Verdict, passes, verify
from awm_gym.world import RowChange, ToolResult, World, compiled


class Run(NamedTuple):
    """Calls that were played, and what came of them.

    Attributes:
        calls: the calls, the one that ended the episode included.
        results: what each tool call answered.
        verdict: how the task judges the end.
        end: the end state and the answer in one text; runs of one end are equivalent.
    """

    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    verdict: Verdict
    end: str

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors that tools answered."""
        names = [call.name for call in self.calls]
        return tuple(
            f"{name} was answered {result.kind}: {result.text}"
            for name, result in zip(names, self.results, strict=False)
            if result.kind
        )


class Prover:
    """Plays calls through the public tools of one scenario. One world serves all gates: restoring is a rollback.

    Raises:
        ScenarioError: the scenario is not sound.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.tables = self.world.tables
        self.tools: dict[str, CompiledTool] = dict(compiled(scenario).tools)
        self.invariants: tuple[Invariant, ...] = invariants(scenario)
        self.figures: dict[str, Any] = {}
        self._feasible = {name: task.model_copy(update={"infeasible": None}) for name, task in scenario.tasks.items()}
        self._runs: dict[tuple[str, str, bool], Run] = {}
        self.links = {name: links_of(self.world, name) for name in self.tables}
        self._keys: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.kept: dict[str, Any] = {}  # what gates leave for each other

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The scenario's tasks."""
        return tuple(self.scenario.tasks.values())

    def chance(self, *key: object) -> random.Random:
        """Randomness for one purpose: the same key, the same draws, on any machine."""
        return random.Random("/".join(map(str, (self.scenario.name, *key))))

    def start(self, task: Task | None, *, lifted: bool = False) -> None:
        """Bring the world to a task's start; `lifted`: with the obstacle of an infeasible task removed."""
        given = (task.given or "") if task else ""
        if lifted and task is not None and task.infeasible is not None:
            given += "\n" + task.infeasible.lifted_by
        self.world.start_from(given or None)

    def run(self, task: Task, calls: Sequence[ToolCall], *, lifted: bool = True) -> Run:
        """Play calls from the task's start, and judge the end as if the task could be done."""
        key = (task.name, json.dumps(calls), lifted)
        if key not in self._runs:
            self._runs[key] = self._play(task, tuple(calls), lifted)
        return self._runs[key]

    def runs(self, task: Task) -> list[Run]:
        """All that was played of a task so far."""
        return [run for (name, _, lifted), run in self._runs.items() if name == task.name and lifted]

    def _play(self, task: Task, calls: tuple[ToolCall, ...], lifted: bool) -> Run:
        self.start(task, lifted=lifted)
        results, answer, gave_up = [], None, False
        for call in calls:
            if call.name == SUBMIT:
                answer = call.arguments.get("answer")
            elif call.name == GIVE_UP:
                gave_up = True
            else:
                results.append(self.world.call(call))
        verdict = verify(self.world, self._feasible[task.name], answer, gave_up=gave_up)
        return Run(calls, tuple(results), verdict, self.end(answer, gave_up=gave_up))

    def verdict(self, task: Task, answer: Any) -> Verdict:
        """Judge the world as it is now."""
        return verify(self.world, self._feasible[task.name], answer)

    def passes(self, task: Task, answer: Any) -> bool:
        """Whether the task accepts the world as it is now."""
        return passes(self.world, self._feasible[task.name], answer)

    def end(self, answer: Any, *, gave_up: bool = False) -> str:
        """The world's present state and an answer, in one text. Which number a new row got does not count."""
        changes = self.world.changes()
        numbers = _labels(changes, self.links, self.tables)
        rows = []
        for row in changes:
            after = _without_numbers(row.table, row.after, numbers, self.links)
            after = {column: value for column, value in after.items() if column not in row.key}
            own = _without_numbers(row.table, row.key, numbers, self.links)
            key = numbers.get((row.table, *row.key.values())) or list(own.values())
            rows.append([row.table, key, dict(row.before), after])
        rows.sort(key=json.dumps)
        return json.dumps([rows, _canonical(answer), gave_up])

    def replay(self, task: Task, calls: Sequence[ToolCall], *, lifted: bool = True) -> tuple[ToolResult, ...]:
        """Play tool calls and leave the world as they left it."""
        self.start(task, lifted=lifted)
        return tuple(self.world.call(call) for call in calls if call.name not in (SUBMIT, GIVE_UP))

    def changes(self) -> tuple[RowChange, ...]:
        """What the world's present episode changed."""
        return self.world.changes()

    def broken(self) -> list[str]:
        """Words of the invariants that the world's present state breaks."""
        return [invariant.words for invariant in self.invariants if self.world.query(invariant.sql)]

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """Undo whatever is done to the world inside."""
        with self.world.undone():
            yield

    def keys(self, table: str, column: str) -> tuple[Any, ...]:
        """All values of a column in the initial data, in order."""
        if (table, column) not in self._keys:
            self.world.start_from(None)
            rows = self.world.query(
                f'SELECT DISTINCT "{column}" FROM main."{table}" WHERE "{column}" IS NOT NULL ORDER BY 1'
            )
            self._keys[table, column] = tuple(row[0] for row in rows)
        return self._keys[table, column]

    def pairs(self, table: str, column: str) -> dict[Any, Any]:
        """Key -> cell of a column in the initial data, of a table whose key is one column."""
        name = f"pairs {table}.{column}"
        if name not in self.kept:
            self.world.start_from(None)
            key = quote(self.tables[table].key[0])
            self.kept[name] = dict(self.world.query(f"SELECT {key}, {quote(column)} FROM main.{quote(table)}"))
        found: dict[Any, Any] = self.kept[name]
        return found

    def unique(self, table: str) -> tuple[str, ...]:
        """Columns of a table in which no value stands twice, by its own declaration."""
        template, found = self.world.template, []
        for row in template.query(f"PRAGMA index_list({quote(table)})"):
            columns = template.query(f"PRAGMA index_info({quote(str(row[1]))})")
            if row[2] and not row[4] and len(columns) == 1:
                found.append(str(columns[0][2]))
        return tuple(found)

    def reference(self, tool: Tool, name: str) -> tuple[str, str] | None:
        """The table and column that a parameter is `of`, or None."""
        of = tool.params[name].of
        if of is None:
            return None
        table, _, column = of.partition(".")
        return table, column or self.tables[table].key[0]

    def writes(self, name: str) -> bool:
        """Whether a tool may change rows."""
        return name in self.tools and self.tools[name].writes

    def forget(self) -> None:
        """Release the world."""
        self.world.close()


def links_of(world: World, table: str) -> dict[str, str]:
    """Columns of a table that refer to another table's key -> that table."""
    found = world.template.query(f'PRAGMA foreign_key_list("{table}")')
    return {str(row[3]): str(row[2]) for row in found}


def _labels(
    changes: Sequence[RowChange], links: Mapping[str, Mapping[str, str]], tables: Mapping[str, Table]
) -> dict[tuple[Any, ...], str]:
    """A name for each new row that numbers itself, made of what it holds and of what it refers to."""
    new = [row for row in changes if row.kind == "added" and tables[row.table].numbers_itself]
    labels = {(row.table, *row.key.values()): "new" for row in new}
    for _ in range(3):  # references of references of references tell rows apart
        named = {}
        for row in new:
            content = _without_numbers(row.table, row.after, labels, links)
            rest = {column: value for column, value in content.items() if column not in row.key}
            named[row.table, *row.key.values()] = "new " + json.dumps(rest, sort_keys=True)
        labels = named
    return labels


def _without_numbers(
    table: str, cells: Mapping[str, Any], labels: Mapping[tuple[Any, ...], str], links: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """The cells of a row, with the names of new rows in the place of their numbers."""
    found = {}
    for column, value in cells.items():
        parent = links[table].get(column)
        found[column] = labels.get((parent, value), value) if parent else value
    return found


def _canonical(answer: Any) -> Any:
    """An answer as equivalence sees it."""
    if isinstance(answer, str):
        return folded(answer)
    if isinstance(answer, float) and answer == int(answer):
        return int(answer)
    if isinstance(answer, list):
        return [_canonical(item) for item in answer]
    if isinstance(answer, dict):
        return {name: _canonical(item) for name, item in answer.items()}
    return answer


def told(call: ToolCall) -> str:
    """A call as findings show it."""
    return f"{call.name}({', '.join(f'{name}={value!r}' for name, value in call.arguments.items())})"


REJECTED = (apsw.ConstraintError, apsw.MismatchError)  # a mutated state that the schema itself forbids
