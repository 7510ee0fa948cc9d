"""Trying a blueprint on many seeds: what its author must mend, and how rich and how hard what it yields is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from statistics import mean, median
from typing import Any

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.engine import Made, branches, generate
from awm_gym.blueprints.folder import Blueprint
from awm_gym.difficulty import Difficulty
from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.scenario import Scenario, Task, ToolCall
from awm_gym.soundness import check
from awm_gym.speech import problems
from awm_gym.verify import passes
from awm_gym.world import World

_SHOWN = 12  # faults, findings and rejections of one kind that are told
_BLIND = 6  # tries of a blind agent at one task
OCCURS_WITHIN = 50  # seeds within which every goal, branch and trap must have been seen


class Trial:
    """What came of a blueprint's seeds.

    Args:
        blueprint: the blueprint.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.seeds = 0
        self.milliseconds: list[float] = []
        self.faults: Counter[str] = Counter()
        self.findings: dict[str, list[str]] = {}
        self.language: dict[str, str] = {}
        self.shapes: Counter[str] = Counter()
        self.goals: Counter[str] = Counter()
        self.traps: Counter[str] = Counter()
        self.branches: Counter[str] = Counter()
        self.trapped = 0
        self.rejected: Counter[str] = Counter()
        self.difficulty: list[Difficulty] = []
        self.flavours: Counter[str] = Counter()
        self.instructions: list[str] = []
        self.sizes: list[tuple[int, int, int]] = []
        self.blind: list[float] = []
        self.mutants: list[tuple[int, int]] = []

    def add(self, seed: int, *, gates: bool = False) -> None:
        """Try one more seed."""
        self.seeds += 1
        start = time.perf_counter()
        try:
            made = generate(self.blueprint, seed)
            self.milliseconds.append(1000 * (time.perf_counter() - start))
            self._count(made)
            self._play(made.scenario)
            check(made.scenario)
        except ScenarioError as error:
            self.faults[str(error)] += 1
            return
        if gates:
            certificate = certify(made.scenario)
            for score in certificate.figures.get("mutation", {}).values():
                self.mutants += [tuple(score["inside"]), tuple(score["outside"])]
            for gate, found in certificate.findings.items():
                self.findings.setdefault(gate, []).extend(f"seed {seed}: {finding}" for finding in found)

    def _count(self, made: Made) -> None:
        self.flavours[made.flavour] += 1
        self.faults.update(made.faults)
        self.rejected += made.rejected
        self.difficulty += made.difficulty.values()
        for name, task in made.scenario.tasks.items():
            self.shapes[made.shapes[name]] += 1
            self.goals.update(made.goals[name])
            self.branches.update(made.branches[name])
            self.trapped += bool(made.authored[name])
            self.traps.update(f"{goal}: {trap}" for goal, trap in made.authored[name])
            self.instructions.append(f"{made.scenario.name}.{name} ({len(task.solution)}): {task.instruction}")
            for problem in problems(task.instruction):
                self.language.setdefault(problem, f"{made.scenario.name}.{name}: {task.instruction}")

    def _play(self, scenario: Scenario) -> None:
        """Count what is there, and let a blind agent play: the right tools in the right order, with random keys."""
        world = World(scenario)
        rows = sum(int(world.query(f'SELECT count(*) FROM main."{name}"')[0][0]) for name in world.tables)
        self.sizes.append((len(world.tables), rows, len(scenario.tools)))
        stream = Stream("blind", scenario.name)
        for task in scenario.tasks.values():
            self.blind.append(_blind(world, task, stream))
        world.close()

    @property
    def unseen(self) -> list[str]:
        """Goals, branches and traps that no seed has shown. After 50 seeds there should be none."""
        found = []
        for goal in self.blueprint.whole().goals.values():
            if not self.goals[goal.name]:
                found.append(f"the goal {goal.name}")
                continue
            found += [f"the branch {branch}" for branch in branches(goal) if not self.branches[branch]]
            found += [
                f"the trap {trap} of {goal.name}" for trap in goal.near_misses if not self.traps[f"{goal.name}: {trap}"]
            ]
        return found

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend."""
        late = self.seeds >= OCCURS_WITHIN and bool(self.unseen)
        return not (self.faults or any(self.findings.values()) or self.language or late)

    def _span(self, name: str) -> str:
        column = sorted(sizes[("tables", "rows", "tools").index(name)] for sizes in self.sizes)
        return f"{column[0]}-{column[-1]}" if column[0] < column[-1] else str(column[0])

    def document(self) -> dict[str, Any]:
        """What programs read."""
        calls = sorted(one.calls for one in self.difficulty)
        return {
            "blueprint": self.blueprint.name,
            "seeds": self.seeds,
            "passed": self.passed,
            "milliseconds": round(median(self.milliseconds)) if self.milliseconds else None,
            "flavours": dict(self.flavours),
            **{
                name: {"least": min(column), "median": median(column), "most": max(column)}
                for name, column in zip(("tables", "rows", "tools"), zip(*self.sizes, strict=True), strict=False)
            },
            "goals": len(self.blueprint.whole().goals),
            "tasks": len(calls),
            "shapes": len(self.shapes),
            "calls": {
                "mean": round(mean(calls), 2),
                "median": median(calls),
                "p90": calls[len(calls) * 9 // 10],
                "max": calls[-1],
            }
            if calls
            else {},
            "blind_passes": round(mean(self.blind), 4) if self.blind else None,
            "mutants_noticed": [sum(column) for column in zip(*self.mutants, strict=True)],
            "with_traps_of_the_author": round(self.trapped / len(calls), 2) if calls else 0,
            "faults": dict(self.faults),
            "findings": {gate: found for gate, found in self.findings.items() if found},
            "language": self.language,
            "unseen": self.unseen,
            "rejected": dict(self.rejected.most_common()),
        }

    def told(self) -> Iterator[str]:
        """The trial in lines for people."""
        found = self.document()
        yield f"{self.blueprint.name}: {self.seeds} seeds, {found['tasks']} tasks of {found['shapes']} shapes"
        if found["calls"]:
            calls = found["calls"]
            yield (
                f"  {found['milliseconds']} ms a scenario; calls of a solution: mean {calls['mean']}, median "
                f"{calls['median']}, p90 {calls['p90']}, max {calls['max']}; "
                f"{found['with_traps_of_the_author']:.0%} of the tasks with a trap of the author's"
            )
            yield (
                f"  {self._span('tables')} tables, {self._span('rows')} rows, {self._span('tools')} tools, "
                f"{found['goals']} goals; a blind agent passes {found['blind_passes']:.1%} of the time"
            )
        for title, entries in (
            ("faults", [f"{count} times: {fault}" for fault, count in self.faults.most_common()]),
            ("language", [f"{problem}: {words}" for problem, words in self.language.items()]),
            ("not seen yet", self.unseen),
            ("bound, but not made tasks", [f"{count} times: {why}" for why, count in self.rejected.most_common()]),
        ):
            if entries:
                yield f"  {title}:"
                yield from (f"    {entry}" for entry in entries[:_SHOWN])
        for gate, entries in self.findings.items():
            if entries:
                yield f"  {gate}: {len(entries)}"
                yield from (f"    {entry}" for entry in entries[:_SHOWN])
        yield "  nothing to mend" if self.passed else "  to be mended"


def _blind(world: World, task: Task, stream: Stream) -> float:
    """How often a task is passed by its own writing calls with random keys in them; 0 if it asks for an answer."""
    if task.answer is not None:
        return 0.0
    judged = task.model_copy(update={"infeasible": None})
    given = (task.given or "") + (task.infeasible.lifted_by if task.infeasible else "")
    passed = 0
    for _ in range(_BLIND):
        world.start_from(given or None)
        for call in task.solution[:-1]:
            if world.writes(call.name):
                world.call(ToolCall(call.name, _redrawn(world, call, stream)))
        passed += passes(world, judged)
    return passed / _BLIND


def _redrawn(world: World, call: ToolCall, stream: Stream) -> dict[str, Any]:
    """The arguments of a call, with other keys of the same tables."""
    drawn = dict(call.arguments)
    for name, param in world.scenario.tools[call.name].params.items():
        if param.of is not None and name in drawn:
            table, _, column = param.of.partition(".")
            keys = [
                row[0] for row in world.query(f'SELECT "{column or world.tables[table].key[0]}" FROM main."{table}"')
            ]
            value = drawn[name]
            drawn[name] = [stream.pick(keys) for _ in value] if isinstance(value, list) else stream.pick(keys)
    return drawn
