"""Trying a blueprint on many seeds: what its author must mend, and how rich and how hard what it yields is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from statistics import mean, median
from typing import Any

from awm_gym.blueprints.engine import Made, generate
from awm_gym.blueprints.format import Blueprint
from awm_gym.difficulty import Difficulty
from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.soundness import check
from awm_gym.speech import problems

_SHOWN = 12  # faults, findings and rejections of one kind that are told
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
        self.trapped = 0
        self.rejected: Counter[str] = Counter()
        self.difficulty: list[Difficulty] = []
        self.flavours: Counter[str] = Counter()
        self.instructions: list[str] = []
        self.figures: list[dict[str, Any]] = []

    def add(self, seed: int, *, gates: bool = False) -> None:
        """Try one more seed."""
        self.seeds += 1
        start = time.perf_counter()
        try:
            made = generate(self.blueprint, seed)
            self.milliseconds.append(1000 * (time.perf_counter() - start))
            self._count(made)
            check(made.scenario)
        except ScenarioError as error:
            self.faults[str(error)] += 1
            return
        if gates:
            certificate = certify(made.scenario)
            self.figures.append(dict(certificate.figures))
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
            self.trapped += bool(made.authored[name])
            self.traps.update(f"{goal}: {trap}" for goal, trap in made.authored[name])
            self.instructions.append(f"{made.scenario.name}.{name} ({len(task.solution)}): {task.instruction}")
            for problem in problems(task.instruction):
                self.language.setdefault(problem, f"{made.scenario.name}.{name}: {task.instruction}")

    @property
    def unseen(self) -> list[str]:
        """Goals and traps that no seed has shown. After 50 seeds there should be none."""
        found = []
        for goal in self.blueprint.whole().goals.values():
            if not self.goals[goal.name]:
                found.append(f"the goal {goal.name}")
                continue
            found += [
                f"the trap {trap} of {goal.name}" for trap in goal.near_misses if not self.traps[f"{goal.name}: {trap}"]
            ]
        return found

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend."""
        late = self.seeds >= OCCURS_WITHIN and bool(self.unseen)
        return not (self.faults or any(self.findings.values()) or self.language or late)

    def document(self) -> dict[str, Any]:
        """What programs read."""
        calls = sorted(one.calls for one in self.difficulty)
        return {
            "blueprint": self.blueprint.name,
            "seeds": self.seeds,
            "passed": self.passed,
            "milliseconds": round(median(self.milliseconds)) if self.milliseconds else None,
            "flavours": dict(self.flavours),
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
