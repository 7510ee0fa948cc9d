"""Goals bound to things: what an operator makes of a goal, in values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.format import Choose, Goal, Obstacle
from awm_gym.blueprints.phrases import Description, Row
from awm_gym.blueprints.things import Scene, Things

MAX_DRAWN = 6  # drawn values tried for one thing
_OWN = 40  # drawn values tried for a goal that is about no one thing
_SET = (2, 4)  # things of "every ...", unless the goal says otherwise
_ASKED_SET = (2, 9)  # things of a question about a set


@dataclass(frozen=True)
class Bound:
    """A goal with everything decided but the words.

    Attributes:
        goal: the goal.
        operator: what picks its things: "the", "every", "set", "most oldest", "second oldest", "plain",
            "infeasible paid".
        it: the things it is about, None for a goal of its own.
        values: what its texts and queries may name: columns of the thing, drawn values, ids of slots.
        slots: other things it names -> their descriptions.
        chosen: choices by a rule -> the rows that were chosen, and those that were not.
        obstacle: why it cannot be done, if it cannot.
        spare: other values that could have been drawn.
    """

    goal: Goal
    operator: str
    it: Description | None
    values: Mapping[str, Any]
    slots: Mapping[str, Description]
    chosen: Mapping[str, tuple[tuple[Row, ...], tuple[Row, ...]]]
    obstacle: Obstacle | None = None
    spare: tuple[Row, ...] = ()

    @property
    def bindings(self) -> dict[str, Any]:
        """What SQL may bind: the scalars among the values."""
        return {name: value for name, value in self.values.items() if not isinstance(value, (Mapping, tuple))}

    @property
    def places(self) -> dict[str, Any]:
        """What texts and arguments may name: the values, and rows for things, slots and choices."""
        found = dict(self.values)
        found |= {name: rows[0][0] for name, rows in self.chosen.items() if rows[0]}
        found |= {name: slot.rows[0] for name, slot in self.slots.items()}
        if self.it is not None:
            found["it"] = next((row for row in self.it.rows if row["id"] == self.values["it"]), self.it.rows[0])
        return found

    def about(self, row: Row) -> Bound:
        """The same goal about another thing."""
        values = {**self.values, **row, **self._drawn(), "it": row["id"]}
        return replace(self, values=values)

    def _drawn(self) -> dict[str, Any]:
        return {name: self.values[name] for name in self.values.get("_drawn", ())}

    def drawing(self, values: Row) -> Bound:
        """The same goal with other drawn values."""
        return replace(self, values={**self.values, **values})

    def choosing(self, name: str, rows: tuple[Row, ...]) -> Bound:
        """The same goal with another choice."""
        values = dict(self.values) | _choice_values(name, rows)
        return replace(self, values=values, chosen={**self.chosen, name: (rows, ())})


def operators(goal: Goal, things: Things | None) -> list[str]:
    """What can pick the things of a goal."""
    infeasible = [f"infeasible {name}" for name in goal.infeasible]
    if goal.on is None or things is None:
        return ["plain", *infeasible]
    if goal.over == "set":
        return ["set"]
    ranks = things.entity.ranks if goal.ranks is None else goal.ranks
    found = ["the", *(f"most {rank}" for rank in ranks), *(f"second {rank}" for rank in ranks)]
    return [*found, *(["every"] if goal.each else []), *infeasible]


class Binder:
    """Binds goals to what is there.

    Args:
        scene: the world at one moment.
        stream: chance.
    """

    def __init__(self, scene: Scene, stream: Stream) -> None:
        self.scene, self.stream = scene, stream

    def bound(self, goal: Goal, operator: str, within: int | None = None, *, owned: bool = False) -> Iterator[Bound]:
        """Ways to bind a goal, in a random order.

        Args:
            goal: the goal.
            operator: what picks its things.
            within: the things it may be about, if not all.
            owned: whether the things must be told by their owner.
        """
        kind, _, name = operator.partition(" ")
        obstacle = goal.infeasible[name] if kind == "infeasible" else None
        if goal.on is None:
            sql = (obstacle and obstacle.draw) or goal.draw or ""
            found = self._drawn(goal, sql, {})
            for place, drawn in enumerate(found[:_OWN]):
                spare = tuple((*found[place + 1 :], *found[:place])[:MAX_DRAWN])
                for bound in self._whole(goal, operator, None, {**drawn, "_drawn": tuple(drawn)}, obstacle):
                    yield replace(bound, spare=spare)
            return
        things = self.scene.things(goal.on)
        where = things.where((obstacle.where if obstacle else None) or (None if obstacle else goal.where))
        if within is not None:
            where &= within
        for description in self._described(goal, operator, things, where, owned=owned):
            yield from self._about(goal, operator, description, obstacle)

    def _described(
        self, goal: Goal, operator: str, things: Things, where: int, *, owned: bool
    ) -> Iterator[Description]:
        kind, _, name = operator.partition(" ")
        if kind in ("most", "second"):
            nth = 1 if kind == "most" else 3 if self.stream.chance(0.25) else 2
            yield from things.superlatives(where, [name], nth, self.stream)
        elif kind in ("every", "set"):
            yield from things.sets(where, goal.size or (_SET if kind == "every" else _ASKED_SET), self.stream)
        else:
            for place in self.stream.shuffled(things.members(where)):
                description = things.described(things.rows[place]["id"], self.stream, owned=owned)
                if description is not None:
                    yield description

    def _about(self, goal: Goal, operator: str, it: Description, obstacle: Obstacle | None) -> Iterator[Bound]:
        row = {**it.rows[0], "it": it.ids[0]}
        sql = (obstacle and obstacle.draw) or goal.draw
        if sql is None:
            yield from self._whole(goal, operator, it, row, obstacle)
            return
        found = self._drawn(goal, sql, row)
        for place, drawn in enumerate(found[:MAX_DRAWN]):
            spare = [{**row, **other} for other in (*found[place + 1 :], *found[:place])]
            values = {**row, **drawn, "_drawn": tuple(drawn)}
            for bound in self._whole(goal, operator, it, values, obstacle):
                yield replace(bound, spare=tuple(spare[:MAX_DRAWN]))

    def about(self, goal: Goal, it: Description) -> Iterator[Bound]:
        """Ways to bind a goal to a thing that is described already."""
        yield from self._about(goal, "the", it, None)

    def _drawn(self, goal: Goal, sql: str, row: Row) -> list[dict[str, Any]]:
        return self.stream.shuffled(self.scene.ask(sql, row, "goals.toml", f"{goal.name}.draw"))

    def _whole(
        self, goal: Goal, operator: str, it: Description | None, values: Mapping[str, Any], obstacle: Obstacle | None
    ) -> Iterator[Bound]:
        """With the other things described and the choices made; nothing if one of them cannot be."""
        known = dict(values)
        slots: dict[str, Description] = {}
        for slot, entity in goal.refer.items():
            if slot not in known:
                raise self.scene.grammar.error(
                    f"refer names {slot!r}, which draw does not give", "goals.toml", goal.name
                )
            description = self.scene.things(entity).described(known[slot], self.stream)
            if description is None:
                return
            slots[slot] = description
        chosen: dict[str, tuple[tuple[Row, ...], tuple[Row, ...]]] = {}
        for name, choose in goal.choose.items():
            choice = self._choice(goal, name, choose, known)
            if choice is None:
                return
            chosen[name] = choice
            known |= _choice_values(name, choice[0])
        yield Bound(goal, operator, it, known, slots, chosen, obstacle)

    def _choice(
        self, goal: Goal, name: str, choose: Choose, values: Mapping[str, Any]
    ) -> tuple[tuple[Row, ...], tuple[Row, ...]] | None:
        bindings = {key: value for key, value in values.items() if not isinstance(value, (Mapping, tuple))}
        rows = self.scene.ask(choose.source, bindings, "goals.toml", f"{goal.name}.choose.{name}")
        if choose.every:
            return (tuple(rows), ()) if choose.min <= len(rows) <= choose.max else None
        by = (choose.best or "").lstrip("-")
        if rows and by not in rows[0]:
            raise self.scene.grammar.error(
                f"there is no column {by!r} in `from`", "goals.toml", f"{goal.name}.choose.{name}"
            )
        if len({isinstance(row[by], str) for row in rows if row[by] is not None}) > 1:
            raise self.scene.grammar.error(f"{by} holds texts and numbers", "goals.toml", f"{goal.name}.choose.{name}")
        rows = sorted((row for row in rows if row[by] is not None), key=lambda row: row[by], reverse=choose.best != by)
        values_in_order = [row[by] for row in rows[: choose.nth + 1]]
        if len(rows) < max(2, choose.nth) or len(set(values_in_order)) < len(values_in_order):
            return None
        winner = rows[choose.nth - 1]
        near = [rows[choose.nth]] if choose.nth < len(rows) else []
        return (winner,), tuple([*near, *(row for row in rows if row is not winner and row not in near)])


def _choice_values(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    first = rows[0]
    key = first["id"] if "id" in first else next(iter(first.values()))
    return {name: key}
