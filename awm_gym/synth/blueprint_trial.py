"""Trying a blueprint in the making: what is wrong with the files that are written, and in which of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from pydantic import BaseModel

from awm_gym.blueprints.engine import Made, generate
from awm_gym.blueprints.folder import FILES, Blueprint
from awm_gym.blueprints.format import Conditional, Entity, Goal, Group, Head, Pair
from awm_gym.blueprints.trial import OCCURS_WITHIN, Trial
from awm_gym.errors import ScenarioError
from awm_gym.scenario import Scenario, Tool, User
from awm_gym.synth import draft as drafts
from awm_gym.synth.draft import STAGE, Draft

_MAX_REJECTED = 8  # reasons why goals were not made tasks
_REASONS = 3  # why a goal never became a task
_PLACE = re.compile(r"(?:\w+/)?(\w+\.(?:toml|sql)): ")
_MADE_FROM = {"scenario.toml": "blueprint.toml", "data.sql": "tables.toml", "tasks.toml": "goals.toml"}
_RARE = (" not bound", " not proved")  # ends of reasons that say nothing against a goal
_MISUSED = re.compile(r" was answered (?!refused:)(\w+):")
_BROKEN = "invariants.sql: the data break"  # told of the rule, but it is the rows that are drawn wrong
_OF_INVARIANTS = re.compile(r"(?:\w+: )?(invariants\.sql:|there is no invariant|the invariant|no change of a row)")
_BLAMED = {  # stage of a scenario -> file of a blueprint
    "scenario": "blueprint.toml",
    "schema": "schema.sql",
    "data": "tables.toml",
    "tools": "tools.toml",
    "verifiers": "goals.toml",
}


class Finding(NamedTuple):
    """Something to be mended, and the file that it concerns."""

    file: str
    words: str


@dataclass
class Bench:
    """Tries a blueprint as far as it is written.

    Attributes:
        folder: where it is laid out; its name is the blueprint's.
        seeds: on how many seeds.
        gates_seeds: by the gates on how many.
        figures: of the last trial of the whole.
    """

    folder: Path
    seeds: int
    gates_seeds: int
    figures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], tuple[Finding, ...]] = {}

    def findings(self, check: str, files: Mapping[str, str]) -> tuple[Finding, ...]:
        """What a check finds in the files up to its own. The same files are tried once."""
        key = (check, tuple(files.values()))
        if key not in self._known:
            lay(self.folder, files)
            try:
                found = tuple(dict.fromkeys(self._tried(check)))
            except (ScenarioError, apsw.Error) as error:  # a schema may be sound to SQLite until it is used
                found = (placed(str(error), check if check in FILES else ORDER[-1]),)
            self._known[key] = found
        return self._known[key]

    def _tried(self, check: str) -> Iterator[Finding]:
        blueprint = Blueprint(self.folder)
        parts = blueprint.head.parts
        for flavour in blueprint.head.flavours:
            for some in (frozenset(parts), frozenset(name for name, chance in parts.items() if chance == 1)):
                blueprint.grammar(flavour, some)
        step = STEPS.get(check)
        if step is not None and (count := step.count(blueprint)) < step.least:
            yield Finding(check, f"{check}: has {count} entries; write at least {step.least}")
        yield from (step.holds if step is not None else _gates_hold)(self, blueprint)

    def made(self, blueprint: Blueprint, check: str) -> Iterator[Made | Finding]:
        """The scenarios of all seeds, with what is at fault in the files that are written."""
        for seed in range(self.seeds):
            yield from _made(blueprint, seed, check)


def _made(blueprint: Blueprint, seed: int, check: str) -> Iterator[Made | Finding]:
    """The scenario of a seed, with what is at fault in the files that are written."""
    try:
        made = generate(blueprint, seed)
    except ScenarioError as error:
        yield placed(str(error), check)
        return
    written = ORDER[: ORDER.index(check) + 1]
    yield from (fault for fault in (placed(fault, check) for fault in made.faults) if fault.file in written)
    yield made


def placed(problem: str, check: str) -> Finding:
    """A problem with the file that it names; with that of the check if it names none."""
    if problem.startswith(_BROKEN):
        return Finding("tables.toml", problem)
    match = _PLACE.match(problem)
    named = _MADE_FROM.get(match[1], match[1]) if match else ""
    return Finding(named if named in FILES else check, problem)


def _drafted(scenario: Scenario, **parts: Any) -> Draft:
    """A scenario as the stages of synthesis know it, with some of its parts left out."""
    fields = {name: getattr(scenario, name) for name in ("title", "description", "now", "user", "db_schema", "data")}
    whole = {"tools": tuple(scenario.tools.values()), "tasks": tuple(scenario.tasks.values())}
    return Draft(scenario.name, **{**fields, **whole, "invariants": scenario.invariants, **parts})


def _judged(draft: Draft, stage: str, check: str) -> Iterator[Finding]:
    """What the gates of a stage find, told of a file that is written."""
    for words in drafts.findings(draft, STAGE[stage], early=True):
        file = _blamed(draft, words)
        yield Finding(file if ORDER.index(file) <= ORDER.index(check) else check, words)


def _blamed(draft: Draft, words: str) -> str:
    """The file that a finding of a gate concerns."""
    return "invariants.sql" if _OF_INVARIANTS.match(words) else _BLAMED[drafts.blame(draft, words).stage]


def _head_holds(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    """That it loads, in every flavour, is all."""
    return iter(())


def _schema_holds(bench: Bench, blueprint: Blueprint, check: str = "schema.sql") -> Iterator[Finding]:
    clock = blueprint.head.clock
    now = datetime.combine(clock.start, time())
    for flavour in blueprint.head.flavours:
        grammar = blueprint.grammar(flavour, frozenset(blueprint.head.parts))
        draft = Draft(
            name=blueprint.name,
            title=grammar.flavour.title,
            description=grammar.flavour.description,
            now=now,
            user=User(name="nobody", role="nobody"),
            db_schema=grammar.schema,
            invariants=grammar.invariants,
        )
        yield from _judged(draft, "schema", check)


def _invariants_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    return _schema_holds(bench, blueprint, "invariants.sql")


def _tables_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    for made in bench.made(blueprint, "tables.toml"):
        if isinstance(made, Finding):
            yield made
        else:
            yield from _judged(_drafted(made.scenario, tools=(), tasks=()), "data", "tables.toml")


def _tools_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    found, sound = list[Finding](), list[Made]()
    for made in bench.made(blueprint, "tools.toml"):
        if isinstance(made, Finding):
            found.append(made)
        else:
            sound.append(made)
    yield from found
    for made in sound[: 0 if found else bench.gates_seeds]:
        yield from _judged(_drafted(made.scenario, tasks=()), "tools", "tools.toml")


def _entities_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    """A question about every entity must become a task: its things are told apart in words, and found by tools."""
    flavours = [blueprint.grammar(name, frozenset(blueprint.head.parts)) for name in blueprint.head.flavours]
    entities = [one for one in flavours[0].entities.values() if all(one.name in other.entities for other in flavours)]
    (bench.folder / "goals.toml").write_text("\n".join(map(_question, entities)), "utf-8")
    asked = _Asked(bench.seeds, "entities.toml", [f"about_{one.name}" for one in entities])
    why = "nothing of it could be told in words, found by tools and asked about"
    yield from asked.of(Blueprint(bench.folder), why)


def _goals_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    yield from _trial_holds(bench, blueprint, 0)
    asked = _Asked(bench.seeds, "goals.toml", list(blueprint.whole().goals))
    yield from asked.of(blueprint, "never became a task that can be done")


@dataclass
class _Asked:
    """Looks for goals among the tasks of many seeds.

    Attributes:
        seeds: on how many seeds at least; goals that are not yet seen are looked for in more.
        check: the file that is tried.
        goals: their names.
        seen: how often each became a task.
        done: how often each became a task that can be done.
        rejected: why others were bound, but not made tasks.
    """

    seeds: int
    check: str
    goals: Sequence[str]
    seen: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def of(self, blueprint: Blueprint, missing: str) -> Iterator[Finding]:
        """What is at fault: of a seed, in the calls of tools, or that a goal is `missing`."""
        sound, tried = True, 0
        while tried < self.seeds or (sound and tried < OCCURS_WITHIN and self.left):
            for made in _made(blueprint, tried, self.check):
                if isinstance(made, Finding):
                    sound = False
                    yield made
                else:
                    self._count(made)
            tried += 1
        yield from self._misused()
        for name in self.left if sound else ():
            if not self.seen[name] or self._refuted(name):
                why = f"{missing}, in {tried} seeds{_why(self.rejected, name)}"
                yield Finding(self.check, f"{self.check}: {name.removeprefix('about_')}: {why}")

    @property
    def left(self) -> list[str]:
        """The goals that never became a task that can be done."""
        return [name for name in self.goals if not self.done[name]]

    def _refuted(self, name: str) -> bool:
        """Whether a goal was tried in vain, and not only rare."""
        return any(reason.startswith(f"{name} ") and not reason.endswith(_RARE) for reason in self.rejected)

    def _count(self, made: Made) -> None:
        for name, goals in made.goals.items():
            self.seen.update(goals)
            if made.scenario.tasks[name].infeasible is None:
                self.done.update(goals)
        self.rejected.update(made.rejected)

    def _misused(self) -> Iterator[Finding]:
        """Calls that no agent would make: a rule may refuse by chance, but nobody calls a tool wrongly by chance."""
        for reason in self.rejected:
            if match := _MISUSED.search(reason):
                file = "tools.toml" if match[1] in ("constraint", "limit") else self.check
                yield Finding(file, f"{self.check}: {reason}")


def _why(rejected: Counter[str], goal: str) -> str:
    """Why a goal was bound but never made a task, as far as was counted."""
    reasons = [reason for reason, _ in rejected.most_common() if reason.startswith(f"{goal} ")]
    return f" ({'; '.join(reasons[:_REASONS])})" if reasons else ""


def _question(entity: Entity) -> str:
    """A goal that asks something of an entity that nobody can guess."""
    part = f"part = {json.dumps(entity.part)}\n" if entity.part else ""
    asks = json.dumps([f"What is {way} {{it}}?" for way in ("the mark of", "the sign of", "written on", "kept for")])
    return f"""[about_{entity.name}]
{part}on = "{entity.name}"
ask = {asks}
answer = "string"
expect = "'kept under ' || id"
"""


def _gates_hold(bench: Bench, blueprint: Blueprint) -> Iterator[Finding]:
    return _trial_holds(bench, blueprint, bench.gates_seeds)


def _trial_holds(bench: Bench, blueprint: Blueprint, gates_seeds: int) -> Iterator[Finding]:
    trial = Trial(blueprint)
    for seed in range(max(bench.seeds, gates_seeds)):
        trial.add(seed, gates=seed < gates_seeds)
    bench.figures = trial.document()
    yield from (placed(fault, "goals.toml") for fault in trial.faults)
    if trial.faults and trial.rejected:
        often = "; ".join(f"{reason} ({count} times)" for reason, count in trial.rejected.most_common(_MAX_REJECTED))
        yield Finding("goals.toml", f"goals.toml: bound, but not made tasks: {often}")
    for problem, words in trial.language.items():
        yield Finding("goals.toml", f"language: {problem}, in the instruction {words}")
    for one in trial.unseen if trial.seeds >= OCCURS_WITHIN else ():
        yield Finding("goals.toml", f"goals.toml: {one} was never seen in {trial.seeds} seeds")
    for gate, found in trial.findings.items():
        for finding in found:
            yield _gated(blueprint, gate, finding)


def _gated(blueprint: Blueprint, gate: str, finding: str) -> Finding:
    """A finding of a gate, with the instruction of the task that it concerns."""
    seed, _, words = finding.removeprefix("seed ").partition(": ")
    draft = _drafted(generate(blueprint, int(seed)).scenario)
    words = f"{gate}: {words}"
    task = next((task for task in draft.tasks if task.name == drafts.blame(draft, words).item), None)
    return Finding(_blamed(draft, words), f"{words} (its instruction: {task.instruction})" if task else words)


def lay(folder: Path, files: Mapping[str, str]) -> None:
    """A folder with all files of a blueprint; those that are not given are empty."""
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_text(files.get(name, ""), "utf-8")


class Step(NamedTuple):
    """How a file is asked for, and what must hold of it.

    Attributes:
        prompt: the name of its rules.
        holds: what is wrong with the blueprint up to it.
        models: the types of its entries.
        entries: of the whole grammar, those that are counted; "" for none.
        least: how many there must be.
    """

    prompt: str
    holds: Callable[[Bench, Blueprint], Iterator[Finding]]
    models: tuple[type[BaseModel], ...] = ()
    entries: str = ""
    least: int = 0

    def count(self, blueprint: Blueprint) -> int:
        """How many entries the file has."""
        return len(getattr(blueprint.whole(), self.entries)) if self.entries else 0


STEPS = {  # entities come after tools: `find` calls them
    "blueprint.toml": Step("blueprint_head", _head_holds, (Head,)),
    "schema.sql": Step("blueprint_schema", _schema_holds),
    "invariants.sql": Step("blueprint_invariants", _invariants_hold),
    "tables.toml": Step("blueprint_tables", _tables_hold, (Group,)),
    "tools.toml": Step("blueprint_tools", _tools_hold, (Tool,), "tools", 5),
    "entities.toml": Step("blueprint_entities", _entities_hold, (Entity,), "entities", 2),
    "goals.toml": Step("blueprint_goals", _goals_hold, (Goal, Conditional, Pair), "goals", 5),
}
ORDER = tuple(STEPS)  # in which the files are written
