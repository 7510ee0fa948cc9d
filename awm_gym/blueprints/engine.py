"""The engine: from a blueprint and a seed to a scenario, the same bytes everywhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

import apsw

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.data import Filler, dump
from awm_gym.blueprints.folder import Blueprint, Grammar
from awm_gym.blueprints.format import Goal
from awm_gym.blueprints.goals import Bound
from awm_gym.blueprints.plans import FAMILIES, Plan, Planner
from awm_gym.blueprints.play import Rejected
from awm_gym.blueprints.proof import Proof, Prover
from awm_gym.blueprints.things import Scene
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

_SPARE = 3  # further ways tried for one that keeps all its traps


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
    try:
        return _generated(blueprint, seed)
    except ScenarioError as error:
        raise (error if error.scenario else error.within(blueprint.name)) from error.__cause__


def _generated(blueprint: Blueprint, seed: int) -> Made:
    stream = Stream(blueprint.name, seed)
    dress = stream.fork("dress")
    flavour = dress.pick(sorted(blueprint.head.flavours))
    parts = frozenset(_parts(blueprint, dress))
    grammar = blueprint.grammar(flavour, parts)
    now = _clock(grammar, stream.fork("clock"))
    scenario, faults = _populated(grammar, f"{blueprint.name}_{seed}", now, stream)
    world = World(scenario)
    try:
        return _Maker(grammar, world, stream, seed, Made(scenario, flavour, faults=faults)).make()
    finally:
        world.close()


def _parts(blueprint: Blueprint, stream: Stream) -> list[str]:
    """The parts that are in: those that are certain, and of the others as many as there may be."""
    parts, most = blueprint.head.parts, blueprint.head.most_parts
    certain = [name for name, chance in parts.items() if chance == 1]
    drawn = [name for name, chance in parts.items() if chance < 1 and stream.chance(chance)]
    return certain + (drawn if most is None or len(drawn) <= most else stream.shuffled(drawn)[:most])


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
    for invariant in invariants_in(grammar.invariants):
        if filler.ask(invariant.sql, "invariants.sql", ""):
            faults.append(f"invariants.sql: the data break: {invariant.words}")
    people = filler.ask(head.user.pick, "blueprint.toml", "user.pick")
    if not people or len(people[0]) < 2:
        raise grammar.error("finds nobody; answer keys and names", "blueprint.toml", "user.pick")
    id, person, *_ = stream.fork("user").pick(people).values()
    user = User(id=id, of=head.user.of, name=str(person), role=head.user.role)
    order = [
        row[0] for row in template.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    ]
    tools = {tool: entry["tool"] for tool, entry in grammar.tools.items()}
    data = dump(template, [str(table) for table in order])
    return bare.model_copy(update={"user": user, "data": data, "tools": tools}), faults


class _Maker:
    """Makes the tasks of one scenario, and the examples and refusals of its tools."""

    def __init__(self, grammar: Grammar, world: World, stream: Stream, seed: int, made: Made) -> None:
        self.grammar, self.world, self.stream, self.seed, self.made = grammar, world, stream, seed, made
        self.scene = Scene(grammar, world)
        self.prover = Prover(self.scene)
        self.planner = Planner(self.scene, stream, made.rejected)
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
        self.world.start_from(None)
        if "given" in query:  # no `before` is asked for here: that would take a copy of the database for each
            try:
                self.world.execute(query["given"])
            except apsw.Error as error:
                raise self.grammar.error(
                    f"given: {error}, in: {query['given'][:120]}", "tools.toml", tool.name
                ) from error
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
        plans = self.planner.plans()
        order = self.stream.fork("order")
        wanted = self.grammar.head.tasks
        families = [FAMILIES[place % len(FAMILIES)] for place in range(wanted)]
        for number, family in enumerate(families):
            stream = self.stream.fork("task", number)
            if not self._from_family(plans, family, stream):
                others = [other for other in dict.fromkeys(FAMILIES) if other != family]
                if not any(self._from_family(plans, other, stream) for other in stream.shuffled(others)):
                    self._fault(f"goals.toml: only {len(self.tasks)} of {wanted} tasks could be made")
                    return
        self.tasks = {name: self.tasks[name] for name in order.shuffled(list(self.tasks))}

    def _from_family(self, plans: Mapping[str, list[Plan]], family: str, stream: Stream) -> bool:
        left = self._ordered(family, plans[family])
        weights = [self._weight(plan) for plan in left]
        for tried in range(min(_TRIED, len(left))):
            turn = tried == 0 and family == "infeasible"
            place = 0 if turn else stream.weighted(range(len(left)), weights)
            if self._try(left.pop(place), stream):
                return True
            weights.pop(place)
        return False

    def _ordered(self, family: str, plans: Sequence[Plan]) -> list[Plan]:
        """Plans in the order of a rotation: seed by seed, each obstacle has its turn to be tried first."""
        mixed = Stream(self.grammar.blueprint.name, "rotation", family).shuffled(plans)
        turn = self.seed % len(mixed) if mixed else 0
        return mixed[turn:] + mixed[:turn]

    def _weight(self, plan: Plan) -> float:
        """How likely a plan is drawn: by its goals' weights, and less if they were asked in this scenario already."""
        weight = 1.0
        for name in plan.goals:
            weight *= self.grammar.goals[name].weight / (1 + _TIRED * self.used[name])
        return weight

    def _try(self, plan: Plan, stream: Stream) -> bool:
        best: tuple[Proof, tuple[Bound, ...]] | None = None
        tried = 0
        for instruction, bounds, wrong in self.planner.candidates(plan, stream):
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
                best, tried = (proof, bounds), 0
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
            if (bound.goal.name, trap) not in proof.lost
        )
        self.made.lost.update(f"{plan.shape}: {trap}" for _, trap in proof.lost)
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
        words = re.sub(r"\W+", "_", words.lower())[:58].rstrip("_")
        name, number = words, 2
        while name in self.tasks:
            name, number = f"{words}_{number}", number + 1
        return name


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
