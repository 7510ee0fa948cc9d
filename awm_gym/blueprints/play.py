"""Bound goals played in a world, the lookups that an agent needs included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from awm_gym.blueprints.format import Goal, Step
from awm_gym.blueprints.goals import Bound
from awm_gym.blueprints.phrases import Description, Row
from awm_gym.blueprints.things import Scene
from awm_gym.scenario import ToolCall
from awm_gym.world import ToolResult

MAX_PAGES = 12  # that a lookup turns
CELL = re.compile(r"\{(\w+)(?:\.(\w+))?\}")  # a value alone, which keeps its type


class Rejected(Exception):
    """What was bound cannot be proved; the message says why, and never names a value."""


class Played(NamedTuple):
    """Calls that were played, with what they answered."""

    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]

    @property
    def error(self) -> str:
        """The first error, or ""."""
        pairs = zip(self.calls, self.results, strict=True)
        return next(
            (f"{call.name} was answered {result.kind}: {result.text}" for call, result in pairs if result.kind), ""
        )


class Player:
    """Plays bound goals in a world, the lookups that an agent needs included."""

    def __init__(self, scene: Scene) -> None:
        self.world, self.scene, self.grammar = scene.world, scene, scene.grammar
        self._calls: list[ToolCall] = []
        self._results: list[ToolResult] = []
        self._since: list[ToolCall] = []  # reads since the last write: what an agent knows it need not ask again

    def start(self, given: str | None) -> None:
        """Begin an episode."""
        self.world.start_from(given)
        self._calls, self._results, self._since = [], [], []

    @property
    def played(self) -> Played:
        """What was played since the start."""
        return Played(tuple(self._calls), tuple(self._results))

    def writes(self, name: str) -> bool:
        """Whether a tool may change rows."""
        return self.world.writes(name)

    def do(self, call: ToolCall) -> ToolResult:
        """Play a call, unless its answer is known."""
        if call in self._since:
            return self._results[len(self._calls) - 1 - self._calls[::-1].index(call)]
        result = self.world.call(call)
        self._calls.append(call)
        self._results.append(result)
        if self.writes(call.name):
            self._since.clear()
        else:
            self._since.append(call)
        return result

    def perform(self, bound: Bound, rows: Sequence[Row] | None = None, *, lookups: bool = True) -> None:
        """Play a goal's calls, for each of its things or for some rows."""
        steps = bound.goal.calls
        explicit = {step.find for step in steps}
        if lookups:
            for slot, description in self.slots(bound):
                if slot not in explicit:
                    self.find(description)
        if rows is None:
            rows = bound.it.rows if bound.it is not None else ({},)
        for row in rows:
            self.steps(bound.about(row) if row else bound, steps, lookups=lookups)

    @staticmethod
    def slots(bound: Bound) -> Iterator[tuple[str, Description]]:
        """What a goal names: the thing it is about, then the others."""
        if bound.it is not None:
            yield "it", bound.it
        yield from bound.slots.items()

    def steps(self, bound: Bound, steps: Iterable[Step], *, lookups: bool = True) -> None:
        """Play the calls of a goal or of a trap."""
        for step in steps:
            if (step.when and not bound.values.get(step.when)) or (step.unless and bound.values.get(step.unless)):
                continue
            if step.find is not None:
                found = dict(self.slots(bound)).get(step.find)
                if found is None:
                    raise self.grammar.error(
                        f"find names {step.find!r}, which is no slot", "goals.toml", bound.goal.name
                    )
                if lookups:
                    self.find(found)
                continue
            if not lookups and not self.writes(step.name or ""):
                continue
            each = bound.chosen[step.each][0] if step.each else (None,)
            for row in each:
                one = bound.choosing(step.each, (row,)) if step.each and row is not None else bound
                arguments = self._arguments(step.arguments, one.places, bound.goal)
                if bound.goal.choose and not self.writes(step.name or ""):
                    self._turn(step.name or "", arguments, set(), whole=True)  # who chooses looks at all there are
                else:
                    self.do(ToolCall(step.name or "", arguments))

    def _arguments(self, arguments: Mapping[str, Any], places: Row, goal: Goal | None) -> dict[str, Any]:
        filled = {name: self.filled(value, places, goal) for name, value in arguments.items()}
        return {name: value for name, value in filled.items() if value is not None}

    def filled(self, value: Any, places: Row, goal: Goal | None) -> Any:
        """An argument with its places filled."""
        if isinstance(value, list):
            return [self.filled(item, places, goal) for item in value]
        if not isinstance(value, str):
            return value
        if match := CELL.fullmatch(value):
            return self._cell(match, places, goal)
        return self.scene.filled(value, places)

    def _cell(self, match: re.Match[str], places: Row, goal: Goal | None) -> Any:
        name, key = match[1], match[2]
        if name == "new":
            return self._newest(key or "")
        found = places.get(name)
        if name not in places or (key is not None and (not isinstance(found, Mapping) or key not in found)):
            file, owner = ("goals.toml", goal.name) if goal else ("entities.toml", "find")
            raise self.grammar.error(f"{match[0]}: there is no such value", file, owner)
        if isinstance(found, Mapping):
            return found[key] if key is not None else found.get("id", next(iter(found.values())))
        return found

    def _newest(self, table: str) -> Any:
        added = [row for row in self.world.changes() if row.kind == "added" and row.table == table]
        if not added:
            raise Rejected(f"{{new.{table}}}: no row was added yet")
        return max(next(iter(row.key.values())) for row in added)

    def find(self, description: Description) -> None:
        """Play the calls that find a thing by what is said of it."""
        things = self.scene.things(description.entity.name)
        finder = things.finder(description.said)
        places = dict(description.values)
        for index, step in enumerate(finder.calls):
            arguments = self._arguments(step.arguments, places, None)
            last = index == len(finder.calls) - 1
            if last:
                wanted = set(description.ids)
            else:
                later = finder.calls[index + 1].arguments.values()
                wanted = {self.filled(value, places, None) for value in later if isinstance(value, str)}
            self._turn(step.name or "", arguments, wanted, whole=last and description.whole)

    def _turn(self, name: str, arguments: dict[str, Any], wanted: set[Any], *, whole: bool) -> None:
        """Call a tool, page by page, until what is wanted was shown, or all."""
        result = self.do(ToolCall(name, arguments))
        if "page" not in self.world.scenario.tools[name].params or result.kind:
            return
        seen, size = len(result.rows), len(result.rows)
        cells = {cell for row in result.rows for cell in row.values()}
        for page in range(2, MAX_PAGES + 1):
            total = result.rows[0].get("found") if result.rows else 0
            more = seen < total if isinstance(total, int) else len(result.rows) == size > 0
            if not more or (not whole and not wanted - cells):
                return
            result = self.do(ToolCall(name, {**arguments, "page": page}))
            if result.kind or not result.rows:
                return
            seen += len(result.rows)
            cells |= {cell for row in result.rows for cell in row.values()}
