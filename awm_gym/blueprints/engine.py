"""The engine: from a blueprint and a seed to a scenario, the same bytes everywhere."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.data import Filler, dump
from awm_gym.blueprints.format import Blueprint, Conditional, Goal, Grammar, Pair
from awm_gym.blueprints.goals import Binder, Bound, Writer, operators
from awm_gym.blueprints.proof import Proof, Prover, Rejected
from awm_gym.blueprints.things import Description, Scene
from awm_gym.database import Template
from awm_gym.difficulty import Difficulty, measured
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.scenario import Example, Refusal, Scenario, Task, Tool, ToolCall, User
from awm_gym.soundness import invariants_in
from awm_gym.world import World, share_compiled

MAX_SEED = 2**31 - 1
_CANDIDATES = 10  # ways to bind a goal that are tried for one task
_TRIED = 12  # plans of one family that are tried for one task
_TIRED = 20  # how much less likely a goal is asked again
_CHAINED = 40  # chains of three goals that are considered
_SPARE = 3  # further ways tried for one that keeps all its traps
_FAMILIES = (
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
)


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


@dataclass
class Made:
    """A scenario from a blueprint, and what happened on the way.

    Attributes:
        scenario: the scenario.
        flavour: the dress it was made in.
        shapes: task -> the shape of its goal.
        goals: task -> its goals.
        branches: task -> the branches of its goals that it takes: "enrol: is_full", "enrol: not is_full".
        authored: task -> the traps of the blueprint's author that it has, each with its goal.
        difficulty: task -> its figures.
        faults: what its blueprint's author must mend; empty for a sound seed.
        rejected: why bound goals were not made tasks -> how often.
        lost: traps of the author's that could not be made -> how often.
    """

    scenario: Scenario
    flavour: str
    shapes: dict[str, str] = field(default_factory=dict)
    goals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    branches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    authored: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    difficulty: dict[str, Difficulty] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


def generate(blueprint: Blueprint, seed: int) -> Made:
    """Make the scenario of a seed.

    Raises:
        UsageError: the seed is no whole number from 0 to 2**31 - 1.
        ScenarioError: the blueprint is malformed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise UsageError(f"The seed {seed!r} is not a whole number from 0 to {MAX_SEED}.")
    stream = Stream(blueprint.name, seed)
    dress = stream.fork("dress")
    flavour = dress.pick(sorted(blueprint.head.flavours))
    parts = frozenset(name for name, chance in blueprint.head.parts.items() if dress.chance(chance))
    grammar = blueprint.grammar(flavour, parts)
    now = _clock(grammar, stream.fork("clock"))
    scenario, faults = _populated(grammar, f"{blueprint.name}_{seed}", now, stream)
    world = World(scenario)
    try:
        return _Maker(grammar, world, stream, Made(scenario, flavour, faults=faults)).make()
    except ScenarioError as error:
        raise (error if error.scenario else error.within(blueprint.name)) from error.__cause__
    finally:
        world.close()


def _clock(grammar: Grammar, stream: Stream) -> datetime:
    clock = grammar.head.clock
    while True:
        day = clock.start + timedelta(days=stream.below(clock.days))
        if day.weekday() in clock.weekdays:
            first, last = clock.hours
            minute = first + 5 * stream.below((last - first) // 5 + 1)
            return datetime.combine(day, time()) + timedelta(minutes=minute)


def _populated(grammar: Grammar, name: str, now: datetime, stream: Stream) -> tuple[Scenario, list[str]]:
    """The scenario without tasks and examples: its rows generated, its user picked."""
    head, flavour = grammar.head, grammar.flavour
    bare = Scenario(
        name=name,
        title=flavour.title,
        description=flavour.description,
        now=now,
        user=User(name="nobody", role="nobody"),
        db_schema=grammar.schema,
        invariants=grammar.invariants,
        data="",
        tools={},
        tasks={},
    )
    template = Template(bare)
    filler = Filler(grammar, template, now, stream)
    filler.fill()
    faults = [f"tables.toml: {group}: {count} rows were never accepted" for group, count in filler.dropped.items()]
    for words, sql in _invariants(grammar):
        if template.db.execute(sql).fetchall():
            faults.append(f"invariants.sql: the data break: {words}")
    people = sorted(template.db.execute(head.user.pick).fetchall())
    if not people:
        raise grammar.error("finds nobody", "blueprint.toml", "user.pick")
    id, person = stream.fork("user").pick(people)
    user = User(id=id, of=head.user.of, name=str(person), role=head.user.role)  # type: ignore[arg-type]
    order = [
        row[0] for row in template.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    ]
    tools = {tool: entry["tool"] for tool, entry in grammar.tools.items()}
    data = dump(template, [str(table) for table in order])
    return bare.model_copy(update={"user": user, "data": data, "tools": tools}), faults


def _invariants(grammar: Grammar) -> Iterator[tuple[str, str]]:
    for invariant in invariants_in(grammar.invariants):
        yield invariant.words, invariant.sql


class _Maker:
    """Makes the tasks of one scenario, and the examples and refusals of its tools."""

    def __init__(self, grammar: Grammar, world: World, stream: Stream, made: Made) -> None:
        self.grammar, self.world, self.stream, self.made = grammar, world, stream, made
        self.scene = Scene(grammar, world)
        self.prover = Prover(self.scene)
        self.used: Counter[str] = Counter()
        self.tasks: dict[str, Task] = {}

    def make(self) -> Made:
        tools = {name: self._tool(name, entry) for name, entry in self.grammar.tools.items()}
        self._make_tasks()
        scenario = self.made.scenario.model_copy(update={"tools": tools, "tasks": self.tasks})
        share_compiled(self.made.scenario, scenario)
        self.made.scenario = scenario
        return self.made

    # Tools ------------------------------------------------------------------------------------------------------------

    def _tool(self, name: str, entry: Mapping[str, Any]) -> Tool:
        tool: Tool = entry["tool"]
        examples, refuses = [], []
        for query in entry["refuses"]:
            if (arguments := self._arguments(tool, query)) is not None:
                refuses.append(Refusal(given=query.get("given"), arguments=arguments))
        for query in entry["examples"]:
            if (arguments := self._arguments(tool, query)) is None:
                continue
            if "rows" in query:
                rows = self.scene.ask(query["rows"], arguments, "tools.toml", f"{name}.examples")
            else:
                result = self.world.call(ToolCall(name, arguments))
                if result.kind:
                    self._fault(f"tools.toml: {name}: the example {arguments} is answered {result.kind}: {result.text}")
                    continue
                rows = [dict(row) for row in result.rows]
            full = [{column: cell for column, cell in row.items() if cell is not None} for row in rows]
            examples.append(Example(given=query.get("given"), arguments=arguments, rows=tuple(full)))
        return tool.model_copy(update={"examples": tuple(examples), "refuses": tuple(refuses)})

    def _arguments(self, tool: Tool, query: Mapping[str, str]) -> dict[str, Any] | None:
        """The first row of a query as arguments of the tool; the world is left in the query's state."""
        self.world.start_from(query.get("given"))
        rows = self.scene.ask(query["query"], {}, "tools.toml", tool.name)
        if not rows:
            self._fault(f"tools.toml: {tool.name}: finds no row: {' '.join(query['query'].split())[:160]}")
            return None
        return {name: self._typed(tool, name, cell) for name, cell in rows[0].items() if cell is not None}

    def _typed(self, tool: Tool, name: str, cell: Any) -> Any:
        param = tool.params.get(name)
        if param is not None and param.type == "boolean" and cell in (0, 1):
            return bool(cell)
        if param is not None and param.type == "array" and isinstance(cell, str):
            return json.loads(cell)
        return cell

    def _fault(self, problem: str) -> None:
        self.made.faults.append(problem)

    # Tasks ------------------------------------------------------------------------------------------------------------

    def _make_tasks(self) -> None:
        self.world.start_from(None)  # the examples of tools have left it elsewhere
        plans = self._plans()
        order = self.stream.fork("order")
        wanted = self.grammar.head.tasks
        families = [_FAMILIES[place % len(_FAMILIES)] for place in range(wanted)]
        for number, family in enumerate(families):
            stream = self.stream.fork("task", number)
            if not self._from_family(plans, family, stream):
                others = [other for other in dict.fromkeys(_FAMILIES) if other != family]
                if not any(self._from_family(plans, other, stream) for other in stream.shuffled(others)):
                    self._fault(f"goals.toml: only {len(self.tasks)} of {wanted} tasks could be made")
                    return
        self.tasks = {name: self.tasks[name] for name in order.shuffled(list(self.tasks))}

    def _plans(self) -> dict[str, list[Plan]]:
        plans: dict[str, list[Plan]] = {family: [] for family in _FAMILIES}
        for goal in self.grammar.goals.values():
            things = self.scene.things(goal.on) if goal.on is not None else None
            for operator in operators(goal, things):
                kind = operator.partition(" ")[0]
                family = {"plain": "own", "most": "most", "second": "second"}.get(kind, kind)
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
        stream, found = self.stream.fork("chains"), []
        for first, second in stream.shuffled([plan.goals for plan in joins])[:_CHAINED]:
            ends = [third for third in follows.get(first, ()) if third not in (first, second)]
            if ends and not self.grammar.goals[second].ask:
                found.append(Plan("chain", (first, second, stream.pick(ends))))
        return found

    def _entity(self, goal: Goal) -> Any:
        return self.grammar.entities[goal.on or ""]

    def _from_family(self, plans: Mapping[str, list[Plan]], family: str, stream: Stream) -> bool:
        left = list(plans[family])
        weights = [self._weight(plan) for plan in left]
        for _ in range(min(_TRIED, len(left))):
            place = stream.weighted(range(len(left)), weights)
            if self._try(left.pop(place), stream):
                return True
            weights.pop(place)
        return False

    def _weight(self, plan: Plan) -> float:
        """How likely a plan is drawn: by its goals' weights, and less if they were asked in this scenario already."""
        weight = 1.0
        for name in plan.goals:
            weight *= self.grammar.goals[name].weight / (1 + _TIRED * self.used[name])
        return weight

    def _try(self, plan: Plan, stream: Stream) -> bool:
        best: tuple[Proof, tuple[Bound, ...]] | None = None
        tried = 0
        for instruction, bounds, wrong in self._candidates(plan, stream):
            tried += 1
            if tried > (_CANDIDATES if best is None else _SPARE):
                break
            try:
                proof = self.prover.prove(self._name(plan), instruction, bounds, wrong)
            except Rejected as reason:
                self.made.rejected[f"{plan.shape}: {reason}"] += 1
                continue
            if self._known(proof.task):
                continue
            if best is None or len(proof.lost) < len(best[0].lost):
                best, tried = (proof, tuple(bounds)), 0
            if not proof.lost:
                break
        if best is None:
            self.made.rejected[f"{plan.shape}: not bound" if not tried else f"{plan.shape}: not proved"] += 1
            return False
        self._keep(plan, *best)
        return True

    def _keep(self, plan: Plan, proof: Proof, bounds: Sequence[Bound]) -> None:
        task = proof.task
        self.tasks[task.name] = task
        self.made.shapes[task.name] = plan.shape
        self.made.goals[task.name] = tuple(bound.goal.name for bound in bounds)
        self.made.branches[task.name] = tuple(
            branch for bound in bounds for branch in branches(bound.goal) if _takes(bound, branch)
        )
        self.made.authored[task.name] = tuple(
            (bound.goal.name, trap)
            for bound in bounds
            for trap in bound.goal.near_misses
            if any(name == trap or name.startswith(f"{trap}_") for name in task.near_misses)
        )
        self.made.lost.update(f"{plan.shape}: {trap}" for trap in proof.lost)
        self.made.difficulty[task.name] = measured(task, proof.played.results, self.world.writes)
        self.used.update(plan.goals)

    def _known(self, task: Task) -> bool:
        return any(
            task.instruction == other.instruction or task.solution == other.solution for other in self.tasks.values()
        )

    def _name(self, plan: Plan) -> str:
        operator = plan.operator.replace(" ", "_")
        words = "_then_".join(plan.goals) if plan.family in ("join", "chain") else plan.goals[0]
        if operator not in ("", "the", "plain", "set"):
            words = f"{words}_{operator}"
        words = words.lower()[:58].rstrip("_")
        name, number = words, 2
        while name in self.tasks:
            name, number = f"{words}_{number}", number + 1
        return name

    def _candidates(self, plan: Plan, stream: Stream) -> Iterator[tuple[str, list[Bound], list[Bound]]]:
        """Words, bound goals, and goals that would be wrong in their place."""
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
                    yield text, [bound], []
                self.world.start_from(None)

    def _joined(self, plan: Plan, stream: Stream) -> Iterator[tuple[str, list[Bound], list[Bound]]]:
        first, second = (self.grammar.goals[name] for name in plan.goals)
        pair = plan.rule if isinstance(plan.rule, Pair) else None
        writer = Writer(self.scene, stream)
        binder = Binder(self.scene, stream)
        for bound in binder.bound(first, "the" if first.on else "plain", owned=pair is None):
            if not self._played(plan, [bound]):
                continue
            later = self.scene.moment()
            for shared, other in self._seconds(bound, second, later, stream, pair):
                text = writer.joined(bound, other, shared, pair.join if pair else ())
                if text is not None:
                    yield text, [bound, other], []
                    break
            self.world.start_from(None)

    def _played(self, plan: Plan, bounds: Sequence[Bound]) -> bool:
        """Play goals from the start, without lookups; the world is left as they leave it."""
        self.prover.player.start(None)
        try:
            for bound in bounds:
                self.prover.player.perform(bound, lookups=False)
        except Rejected:
            return False
        if error := self.prover.player.played.error:
            self.made.rejected[f"{plan.shape}: {error}"] += 1
        return not error

    def _chained(self, plan: Plan, stream: Stream) -> Iterator[tuple[str, list[Bound], list[Bound]]]:
        first, *rest = (self.grammar.goals[name] for name in plan.goals)
        writer = Writer(self.scene, stream)
        for bound in itertools.islice(Binder(self.scene, stream).bound(first, "the", owned=True), _CANDIDATES):
            bounds = [bound]
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
                yield text, bounds, []
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
            same = next(
                (things.alike(p, [column]) for p, row in enumerate(things.rows) if row[column] == first.it.owner), 0
            )
            for bound in itertools.islice(binder.bound(goal, "the", same, owned=True), 4):
                if bound.it is not None and bound.it.column == column and bound.it.ids != first.it.ids:
                    yield "owner", bound
        elif pair is not None:
            for bound in binder.bound(goal, "the"):
                yield "", bound

    def _conditional(self, plan: Plan, stream: Stream) -> Iterator[tuple[str, list[Bound], list[Bound]]]:
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
            if it is None or _tells(it, rule.test):
                continue
            one, other = next(binder.about(then, it), None), next(binder.about(otherwise, it), None)
            if one is None or other is None:
                continue
            text = writer.conditional(one, other, rule.test)
            if text is not None:
                right, wrong = (one, other) if test >> place & 1 else (other, one)
                yield text, [right], [wrong]
            self.world.start_from(None)


def branches(goal: Goal) -> list[str]:
    """The branches of a goal: each value that calls depend on, and its contrary; each obstacle."""
    tests = dict.fromkeys(test for step in goal.calls for test in (step.when, step.unless) if test is not None)
    found = [f"{goal.name}: {way}{test}" for test in tests for way in ("", "not ")]
    return found + [f"{goal.name}: infeasible {name}" for name in goal.infeasible]


def _takes(bound: Bound, branch: str) -> bool:
    """Whether a bound goal takes a branch."""
    name = branch.partition(": ")[2]
    if name.startswith("infeasible "):
        return bound.operator == name
    return bool(bound.values.get(name.removeprefix("not "))) is not name.startswith("not ")


def _tells(it: Description, adjective: str) -> bool:
    """Whether a phrase gives away what is to be looked up."""
    return adjective.replace("_", " ") in it.before
