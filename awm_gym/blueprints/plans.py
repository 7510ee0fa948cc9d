"""Plans: which goals, under which operators, may become tasks; and the ways to bind them, with words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.format import Conditional, Entity, Goal, Pair
from awm_gym.blueprints.goals import Binder, Bound, operators
from awm_gym.blueprints.play import Player, Rejected
from awm_gym.blueprints.things import Scene
from awm_gym.blueprints.words import Writer

FAMILIES = (
    "own",
    "most",
    "set",
    "join",
    "every",
    "the",
    "infeasible",
    "own",
    "ask",
    "second",
    "chain",
    "conditional",
)  # of the tasks of a scenario, in turn
_CHAINED = 40  # chains of three goals that are considered
_LINKS = 4  # first things tried for a chain or a pair


class Plan(NamedTuple):
    """A goal and what is to pick its things; or two goals; or a condition."""

    family: str
    goals: tuple[str, ...]
    operator: str = ""
    rule: Conditional | Pair | None = None

    @property
    def shape(self) -> str:
        """What kind of task this makes."""
        return " + ".join(self.goals) + f" {self.operator or self.family}"


class Candidate(NamedTuple):
    """Words for a task, its bound goals, and goals that would be wrong in their place."""

    instruction: str
    bounds: tuple[Bound, ...]
    wrong: tuple[Bound, ...] = ()


class Planner:
    """All plans of one scenario, and the ways to bind them.

    Args:
        scene: the world at the start.
        stream: chance.
        rejected: where to count why something that was bound could not be played.
    """

    def __init__(self, scene: Scene, stream: Stream, rejected: Counter[str]) -> None:
        self.scene, self.grammar, self.world = scene, scene.grammar, scene.world
        self._stream, self._rejected = stream, rejected
        self._player = Player(scene)

    def plans(self) -> dict[str, list[Plan]]:
        """All plans, by family."""
        plans: dict[str, list[Plan]] = {family: [] for family in FAMILIES}
        for goal in self.grammar.goals.values():
            things = self.scene.things(goal.on) if goal.on is not None else None
            for operator in operators(goal, things):
                kind = operator.partition(" ")[0]
                family = "own" if kind == "plain" else kind
                if goal.ask and family in ("the", "own"):
                    family = "ask"
                elif family == "the" and (goal.draw or goal.choose or len(goal.calls) > 1):
                    plans["own"].append(Plan("own", (goal.name,), operator))
                plans[family].append(Plan(family, (goal.name,), operator))
        plans["join"] = [Plan("join", (pair.first, pair.then), rule=pair) for pair in self.grammar.pairs]
        joins = self._joins()
        plans["join"] += joins
        plans["chain"] = self._chains(joins)
        plans["conditional"] = [
            Plan("conditional", (rule.then, rule.otherwise), f"if {rule.test}", rule)
            for rule in self.grammar.conditionals
        ]
        return plans

    def _joins(self) -> list[Plan]:
        """Goals about things of one owner. Those about one thing need a pair of the author's: not all make sense."""
        goals = [goal for goal in self.grammar.goals.values() if goal.joins and goal.on is not None]
        found = []
        for first in goals:
            for second in goals:
                if not first.do or first is second or not (second.do or (second.ask and second.over == "thing")):
                    continue
                shared = set(self._entity(first).owners) & set(self._entity(second).owners)
                if shared:
                    found.append(Plan("join", (first.name, second.name)))
        return found

    def _chains(self, joins: Sequence[Plan]) -> list[Plan]:
        """Three goals about things of one owner: a sample, for there are many."""
        follows: dict[str, list[str]] = {}
        for first, second in (plan.goals for plan in joins):
            follows.setdefault(first, []).append(second)
        stream, found = self._stream.fork("chains"), []
        for first, second in stream.shuffled([plan.goals for plan in joins])[:_CHAINED]:
            ends = [third for third in follows.get(first, ()) if third not in (first, second)]
            if ends and not self.grammar.goals[second].ask:
                found.append(Plan("chain", (first, second, stream.pick(ends))))
        return found

    def _entity(self, goal: Goal) -> Entity:
        return self.grammar.entities[goal.on or ""]

    def candidates(self, plan: Plan, stream: Stream) -> Iterator[Candidate]:
        """Ways to bind a plan, in a random order. The world is played in between."""
        self.world.start_from(None)
        if plan.family == "join":
            yield from self._joined(plan, stream)
        elif plan.family == "chain":
            yield from self._chained(plan, stream)
        elif plan.family == "conditional":
            yield from self._conditional(plan, stream)
        else:
            goal = self.grammar.goals[plan.goals[0]]
            writer = Writer(self.scene, stream)
            for bound in Binder(self.scene, stream).bound(goal, plan.operator):
                text = writer.instruction(bound)
                if text is not None:
                    yield Candidate(text, (bound,))
                self.world.start_from(None)

    def _joined(self, plan: Plan, stream: Stream) -> Iterator[Candidate]:
        first, second = (self.grammar.goals[name] for name in plan.goals)
        pair = plan.rule if isinstance(plan.rule, Pair) else None
        writer = Writer(self.scene, stream)
        binder = Binder(self.scene, stream)
        links = binder.bound(first, "the" if first.on else "plain", owned=pair is None)
        for bound in itertools.islice(links, 3 * _LINKS):
            if pair is None and not self._owned(bound, second):
                continue
            if not self._played(plan, [bound]):
                continue
            later = self.scene.moment()
            for shared, other in self._seconds(bound, second, later, stream, pair):
                text = writer.joined(bound, other, shared, pair.join if pair else ())
                if text is not None:
                    yield Candidate(text, (bound, other))
                    break
            self.world.start_from(None)

    def _played(self, plan: Plan, bounds: Sequence[Bound]) -> bool:
        """Play goals from the start, without lookups; the world is left as they leave it."""
        self._player.start(None)
        try:
            for bound in bounds:
                self._player.perform(bound, lookups=False)
        except Rejected:
            return False
        if error := self._player.played.error:
            self._rejected[f"{plan.shape}: {error}"] += 1
        return not error

    def _owned(self, bound: Bound, goal: Goal) -> bool:
        """Whether the owner of a goal's thing has something that another goal could be about, as things stand."""
        assert bound.it is not None
        things = self.scene.things(goal.on or "")
        if bound.it.column not in things.entity.owners:
            return False
        own = things.of_owner(bound.it.column, bound.it.owner) & things.where(goal.where)
        return bool(own & ~things.only(bound.it.ids) if goal.on == bound.it.entity.name else own)

    def _chained(self, plan: Plan, stream: Stream) -> Iterator[Candidate]:
        first, *rest = (self.grammar.goals[name] for name in plan.goals)
        writer = Writer(self.scene, stream)
        for bound in itertools.islice(Binder(self.scene, stream).bound(first, "the", owned=True), _LINKS):
            bounds = [bound]
            if not all(self._owned(bound, goal) for goal in rest):
                continue
            for goal in rest:
                if not self._played(plan, bounds):
                    break
                known = {one.it.ids for one in bounds if one.it is not None}
                others = (other for _, other in self._seconds(bound, goal, self.scene.moment(), stream, None))
                other = next((other for other in others if other.it is not None and other.it.ids not in known), None)
                if other is None:
                    break
                bounds.append(other)
            text = writer.chained(bounds) if len(bounds) == len(plan.goals) else None
            if text is not None:
                yield Candidate(text, tuple(bounds))
            self.world.start_from(None)

    def _seconds(
        self, first: Bound, goal: Goal, later: Scene, stream: Stream, pair: Pair | None
    ) -> Iterator[tuple[str, Bound]]:
        """Ways to bind a second goal, in the state that the first one leaves."""
        binder = Binder(later, stream)
        if first.it is None or goal.on is None:
            for bound in binder.bound(goal, "the" if goal.on else "plain"):
                yield "", bound
            return
        things = later.things(goal.on)
        where = things.where(goal.where)
        if goal.on == first.it.entity.name:
            place = things.place.get(first.it.ids[0])
            if pair is not None and place is not None and where >> place & 1 and not goal.ask:
                fresh = replace(first.it, rows=(things.rows[place],))
                for bound in binder.about(goal, fresh):
                    yield "thing", bound
        column = first.it.column
        if column and column in things.entity.owners and first.it.owner is not None:
            same = things.of_owner(column, first.it.owner)
            for bound in itertools.islice(binder.bound(goal, "the", same, owned=True), 4):
                if bound.it is not None and bound.it.column == column and bound.it.ids != first.it.ids:
                    yield "owner", bound
        elif pair is not None:
            for bound in binder.bound(goal, "the"):
                yield "", bound

    def _conditional(self, plan: Plan, stream: Stream) -> Iterator[Candidate]:
        rule = plan.rule
        assert isinstance(rule, Conditional)
        then, otherwise = (self.grammar.goals[name] for name in plan.goals)
        things = self.scene.things(rule.on)
        test = things.where(things.entity.adjectives[rule.test].where)
        yes, no = test & things.where(then.where), ~test & things.where(otherwise.where)
        if stream.chance(0.5):
            places = [*stream.shuffled(things.members(yes)), *stream.shuffled(things.members(no))]
        else:
            places = [*stream.shuffled(things.members(no)), *stream.shuffled(things.members(yes))]
        writer, binder = Writer(self.scene, stream), Binder(self.scene, stream)
        for place in places:
            it = things.described(things.rows[place]["id"], stream)
            if it is None or things.told_by(it, test):
                continue
            one, other = next(binder.about(then, it), None), next(binder.about(otherwise, it), None)
            if one is None or other is None:
                continue
            text = writer.conditional(one, other, rule.test)
            if text is not None:
                right, wrong = (one, other) if test >> place & 1 else (other, one)
                yield Candidate(text, (right,), (wrong,))
            self.world.start_from(None)
