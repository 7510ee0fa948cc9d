"""The chat author of blueprints: a language model writes one file after the other, and mends what trials find.

One conversation buys scenarios without end: what is asked for is a grammar, and any seed makes a scenario of it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from pydantic import BaseModel, Field

from awm_gym.blueprints.engine import Made, generate
from awm_gym.blueprints.folder import FILES, Blueprint
from awm_gym.blueprints.format import Conditional, Entity, Goal, Group, Head, Pair
from awm_gym.blueprints.trial import OCCURS_WITHIN, Trial
from awm_gym.database import FUNCTIONS
from awm_gym.errors import ScenarioError, Unreadable, UsageError, unknown
from awm_gym.gates import GATES
from awm_gym.llm import Message, Request
from awm_gym.scenario import RESERVED, Scenario, Tool, User
from awm_gym.speech import HOWS
from awm_gym.synth import draft as drafts
from awm_gym.synth.briefs import Brief
from awm_gym.synth.chat import Asker
from awm_gym.synth.draft import STAGE, Draft
from awm_gym.synth.forms import EditForm, Form, Unfit, edited
from awm_gym.synth.prompts import label, rendered

STAGE_NAME = "blueprint"  # of all requests: a model may be set for it
MAX_ATTEMPTS = 5  # at what one check finds in one file
_GATES = "gates"  # the last check
_MAX_FINDINGS = 15  # told at once
_MAX_FINDING = 700  # characters of one
_MAX_REJECTED = 8  # reasons why goals were not made tasks
_REASONS = 3  # why a goal never became a task
_QUERIES = ("Example", "Refusal")  # types of a scenario's tools, which are queries in a blueprint
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


class ElsewhereForm(Form):
    """Something wrong in another file."""

    file: str
    problem: str = Field(description="What is wrong there, and what it should be.")


class FileForm(Form):
    """One file of a blueprint: whole, mended, or said to be sound."""

    text: str = Field(description="The whole file; empty if `edits` or `elsewhere` are given.")
    edits: list[EditForm] = Field(description="To mend what you wrote, instead of `text`; empty the first time.")
    elsewhere: list[ElsewhereForm] = Field(description="If another file is at fault: which, and what; otherwise empty.")


class Writing(NamedTuple):
    """One writing of one file, and what was found.

    Attributes:
        file: its name.
        number: of the writing of this file, from 1.
        findings: what was wrong with the blueprint so far, each with its file; none if all that is written holds.
    """

    file: str
    number: int
    findings: tuple[str, ...]


@dataclass(frozen=True)
class BlueprintOutcome:
    """What came of writing a blueprint.

    Attributes:
        name: the blueprint's name.
        folder: its folder; None if it was rejected.
        files: the text of each file as it last stood, whole or not.
        attempts: all writings, in order.
        figures: those of the trial, as `awm-gym blueprint --json` shows them; empty if it was rejected.
        rejected: why there is no blueprint, "" if there is one.
    """

    name: str
    folder: Path | None
    files: Mapping[str, str]
    attempts: tuple[Writing, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    rejected: str = ""

    def document(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "blueprint": self.name,
            "folder": None if self.folder is None else str(self.folder),
            "attempts": [writing._asdict() for writing in self.attempts],
            "figures": dict(self.figures),
            "rejected": self.rejected,
        }


def write_blueprint(
    asker: Asker,
    brief: Brief,
    out: Path,
    *,
    attempts: int = MAX_ATTEMPTS,
    seeds: int = 10,
    gates_seeds: int = 3,
    told: Callable[[Writing], None] = lambda writing: None,
) -> BlueprintOutcome:
    """Let a language model write a blueprint; its folder stands in `out`, sound as far as was tried, or nothing does.

    File by file is asked for and tried with those before it, on several seeds; the whole is tried on all, and then by
    all gates on some. What is found goes back with the file that it concerns, `attempts` times for one check; then the
    file before is written anew, once; then the blueprint is rejected.

    Args:
        asker: who is asked.
        brief: what the application is to be; the blueprint has its name.
        out: the folder to put the blueprint's own folder into.
        attempts: how often a file is asked for because of one check.
        seeds: how many seeds must show no fault. A goal is looked for in up to 50; if so many are asked for, every
            branch and trap must be seen in them as well.
        gates_seeds: of these, for how many all gates must hold.
        told: called after each writing.

    Raises:
        UsageError: the folder is there already, or cannot be written.
        ModelError: the model cannot be asked.
        BudgetSpent: no more may be asked.
    """
    place = out / brief.name
    if place.exists():
        raise UsageError(f"{place} is there already; remove it, or name another folder with --out.")
    try:  # before anything is paid for
        out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".part-", dir=out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}); name another folder with --out.") from error
    with scratch as part:
        bench = _Bench(Path(part) / brief.name, seeds, gates_seeds)
        outcome = _Author(asker, brief, bench, attempts, told).run()
        if outcome.rejected:
            return outcome
        _lay(bench.folder, outcome.files)
        os.replace(bench.folder, place)
    return replace(outcome, folder=place)


def _lay(folder: Path, files: Mapping[str, str]) -> None:
    """A folder with all files of a blueprint; those that are not given are empty."""
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_text(files.get(name, ""), "utf-8")


# Trying -----------------------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """Something to be mended, and the file that it concerns."""

    file: str
    words: str


@dataclass
class _Bench:
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
            _lay(self.folder, files)
            try:
                found = tuple(dict.fromkeys(self._tried(check)))
            except (ScenarioError, apsw.Error) as error:  # a schema may be sound to SQLite until it is used
                found = (_placed(str(error), check if check in FILES else ORDER[-1]),)
            self._known[key] = found
        return self._known[key]

    def _tried(self, check: str) -> Iterator[Finding]:
        blueprint = Blueprint(self.folder)
        parts = blueprint.head.parts
        for flavour in blueprint.head.flavours:
            for some in (frozenset(parts), frozenset(name for name, chance in parts.items() if chance == 1)):
                blueprint.grammar(flavour, some)
        step = _STEPS.get(check)
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
        yield _placed(str(error), check)
        return
    written = ORDER[: ORDER.index(check) + 1]
    yield from (fault for fault in (_placed(fault, check) for fault in made.faults) if fault.file in written)
    yield made


def _placed(problem: str, check: str) -> Finding:
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


def _head_holds(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    """That it loads, in every flavour, is all."""
    return iter(())


def _schema_holds(bench: _Bench, blueprint: Blueprint, check: str = "schema.sql") -> Iterator[Finding]:
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


def _invariants_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    return _schema_holds(bench, blueprint, "invariants.sql")


def _tables_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    for made in bench.made(blueprint, "tables.toml"):
        if isinstance(made, Finding):
            yield made
        else:
            yield from _judged(_drafted(made.scenario, tools=(), tasks=()), "data", "tables.toml")


def _tools_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    found, sound = list[Finding](), list[Made]()
    for made in bench.made(blueprint, "tools.toml"):
        if isinstance(made, Finding):
            found.append(made)
        else:
            sound.append(made)
    yield from found
    for made in sound[: 0 if found else bench.gates_seeds]:
        yield from _judged(_drafted(made.scenario, tasks=()), "tools", "tools.toml")


def _entities_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    """A question about every entity must become a task: its things are told apart in words, and found by tools."""
    flavours = [blueprint.grammar(name, frozenset(blueprint.head.parts)) for name in blueprint.head.flavours]
    entities = [one for one in flavours[0].entities.values() if all(one.name in other.entities for other in flavours)]
    (bench.folder / "goals.toml").write_text("\n".join(map(_question, entities)), "utf-8")
    asked = _Asked(bench.seeds, "entities.toml", [f"about_{one.name}" for one in entities])
    why = "nothing of it could be told in words, found by tools and asked about"
    yield from asked.of(Blueprint(bench.folder), why)


def _goals_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
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


def _gates_hold(bench: _Bench, blueprint: Blueprint) -> Iterator[Finding]:
    return _trial_holds(bench, blueprint, bench.gates_seeds)


def _trial_holds(bench: _Bench, blueprint: Blueprint, gates_seeds: int) -> Iterator[Finding]:
    trial = Trial(blueprint)
    for seed in range(max(bench.seeds, gates_seeds)):
        trial.add(seed, gates=seed < gates_seeds)
    bench.figures = trial.document()
    yield from (_placed(fault, "goals.toml") for fault in trial.faults)
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


class _Step(NamedTuple):
    """How a file is asked for, and what must hold of it.

    Attributes:
        prompt: the name of its rules.
        holds: what is wrong with the blueprint up to it.
        models: the types of its entries.
        entries: of the whole grammar, those that are counted; "" for none.
        least: how many there must be.
    """

    prompt: str
    holds: Callable[[_Bench, Blueprint], Iterator[Finding]]
    models: tuple[type[BaseModel], ...] = ()
    entries: str = ""
    least: int = 0

    def count(self, blueprint: Blueprint) -> int:
        """How many entries the file has."""
        return len(getattr(blueprint.whole(), self.entries)) if self.entries else 0


_STEPS = {  # entities come after tools: `find` calls them
    "blueprint.toml": _Step("blueprint_head", _head_holds, (Head,)),
    "schema.sql": _Step("blueprint_schema", _schema_holds),
    "invariants.sql": _Step("blueprint_invariants", _invariants_hold),
    "tables.toml": _Step("blueprint_tables", _tables_hold, (Group,)),
    "tools.toml": _Step("blueprint_tools", _tools_hold, (Tool,), "tools", 5),
    "entities.toml": _Step("blueprint_entities", _entities_hold, (Entity,), "entities", 2),
    "goals.toml": _Step("blueprint_goals", _goals_hold, (Goal, Conditional, Pair), "goals", 5),
}
ORDER = tuple(_STEPS)  # in which the files are written


# Asking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """A file to be written, and why: it is not there, or a check found something in it."""

    check: str
    file: str
    findings: tuple[str, ...] = ()
    slip: str = ""  # what was wrong with the last answer

    @property
    def told(self) -> tuple[str, ...]:
        """What is to be mended, in words."""
        return (self.slip, *self.findings) if self.slip else self.findings


class _Stuck(Exception):
    """A file has no attempt left."""


class _Author:
    """Asks for the files of one blueprint until nothing is found in it, or attempts are spent."""

    def __init__(
        self, asker: Asker, brief: Brief, bench: _Bench, attempts: int, told: Callable[[Writing], None]
    ) -> None:
        self.asker, self.brief, self.bench, self.attempts, self.told = asker, brief, bench, attempts, told
        self.files: dict[str, str] = {}
        self.said: dict[str, str] = {}  # the last answer about a file that has no text yet
        self.history: list[Writing] = []
        self.asked: Counter[str] = Counter()
        self.tries: Counter[tuple[str, str]] = Counter()
        self.sent_back: set[str] = set()

    def run(self) -> BlueprintOutcome:
        """Write all files, and mend them."""
        problem, figures, rejected = self.problem(), dict[str, Any](), ""
        try:
            while problem is not None:
                problem = self.write(self.allowed(problem))
            figures = self.bench.figures
        except _Stuck as stuck:
            rejected = str(stuck)
        files = {name: self.files[name] for name in FILES if name in self.files}
        return BlueprintOutcome(self.brief.name, None, files, tuple(self.history), figures, rejected)

    def problem(self) -> _Problem | None:
        """The first file that is not written or must be mended; None if all holds."""
        for place, file in enumerate(ORDER):
            if file not in self.files:
                return _Problem(file, file)
            if found := self.bench.findings(file, {name: self.files[name] for name in ORDER[: place + 1]}):
                return _routed(file, found)
        found = self.bench.findings(_GATES, {name: self.files[name] for name in ORDER})
        return _routed(_GATES, found) if found else None

    def allowed(self, problem: _Problem) -> _Problem:
        """The problem, if its file may be written once more for this check; otherwise the file before it, once.

        Raises:
            _Stuck: that has been tried as well.
        """
        file = problem.file
        if self.tries[problem.check, file] < self.attempts:
            self.tries[problem.check, file] += 1
            return problem
        place = ORDER.index(file)
        if place == 0 or file in self.sent_back:
            more = f" (and {len(problem.told) - 1} more)" if len(problem.told) > 1 else ""
            raise _Stuck(f"{file} could not be mended (attempts: {self.attempts}): {problem.told[0]}{more}")
        self.sent_back.add(file)
        self.tries = Counter({key: count for key, count in self.tries.items() if key[1] != file})
        return _Problem(
            problem.check, ORDER[place - 1], tuple(f"{file} cannot be written on this: {one}" for one in problem.told)
        )

    def write(self, problem: _Problem) -> _Problem | None:
        """Ask for a file; what is to be done next."""
        file = problem.file
        self.asked[file] += 1
        request = Request(self.brief.name, STAGE_NAME, self.talk(problem), FileForm)
        answer: FileForm | Unreadable = self.asker.ask_all([request])[0]
        following = self.taken(problem, answer)
        findings = following.told if following else ()
        self.history.append(Writing(file, self.asked[file], findings))
        self.told(self.history[-1])
        return following

    def taken(self, problem: _Problem, answer: FileForm | Unreadable) -> _Problem | None:
        """Take an answer; what is to be done next."""
        file = problem.file
        if isinstance(answer, Unreadable):
            self.said[file] = answer.text
            return replace(problem, slip=f"{file}: the answer cannot be read: {answer}")
        self.said[file] = answer.model_dump_json()
        try:
            if answer.elsewhere and not answer.text and not answer.edits:
                return self.passed_on(problem, answer.elsewhere)
            self.files[file] = _text(answer, self.files.get(file, ""))
        except Unfit as error:
            return replace(problem, slip=f"{file}: {error}")
        return self.problem()

    def passed_on(self, problem: _Problem, elsewhere: Sequence[ElsewhereForm]) -> _Problem:
        """What a model says is wrong in other files than the one it was asked for: the first of these is next."""
        others = {name for name in self.files if name != problem.file}
        for one in elsewhere:
            if one.file not in others:
                raise Unfit(f"elsewhere: {unknown('other file', one.file, others)}")
        first = min((one.file for one in elsewhere), key=ORDER.index)
        return _Problem(
            problem.check, first, tuple(f"{first}: {one.problem}" for one in elsewhere if one.file == first)
        )

    def talk(self, problem: _Problem) -> tuple[Message, ...]:
        """The conversation that ends in the request for a file."""
        file = problem.file
        step = _STEPS[file]
        question = rendered(
            "blueprint_step",
            name=self.brief.name,
            title=self.brief.title,
            description=self.brief.description,
            others="\n\n".join(_fenced(name, self.files[name]) for name in ORDER if name in self.files and name != file)
            or "None yet.",
            file=file,
            rules=_rules(step),
            keys=_keys(step.models),
        )
        here = label(STAGE_NAME, scenario=self.brief.name, item=file, attempt=self.asked[file])
        system = _message("system", _system())
        if not problem.told:
            return system, _message("user", f"{question}\n\n{here}")
        repair = f"{_repair(file, problem.told)}\n\n{here}"
        said = self.said[file]
        if file in self.files:
            said = FileForm(text=self.files[file], edits=[], elsewhere=[]).model_dump_json()
        if not said:
            return system, _message("user", f"{question}\n\n{repair}")
        return system, _message("user", question), _message("assistant", said), _message("user", repair)


def _routed(check: str, findings: Sequence[Finding]) -> _Problem:
    """Findings of a check as the problem of the first file that they concern."""
    first = min((finding.file for finding in findings), key=ORDER.index)
    return _Problem(check, first, tuple(finding.words for finding in findings if finding.file == first))


def _text(answer: FileForm, standing: str) -> str:
    """The text of a file that an answer gives.

    Raises:
        Unfit: it gives none, or its edits do not fit.
    """
    if answer.text.strip():
        return answer.text.replace("\r\n", "\n").strip("\n") + "\n"
    if not answer.edits:
        raise Unfit("`text` is empty; write the whole file, or give `edits`")
    return edited(standing, answer.edits, "edits")


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _fenced(file: str, text: str) -> str:
    return f"{file}:\n\n```{file.rpartition('.')[2]}\n{text}```"


def _system() -> str:
    return rendered(
        "blueprint_system",
        files=", ".join(ORDER),
        hows=", ".join(f"`{how}`" for how in HOWS if how),
        functions=", ".join(sorted(FUNCTIONS)),
        reserved=" and ".join(RESERVED),
        example=rendered("blueprint_example"),
    )


def _rules(step: _Step) -> str:
    return rendered(step.prompt, **({"least": str(step.least)} if step.least else {}))


def _keys(models: Sequence[type[BaseModel]]) -> str:
    """The keys that entries of these types take, and those of the tables within them."""
    keys: dict[str, list[str]] = {}
    for model in models:
        schema = model.model_json_schema()
        for name, one in {model.__name__: schema, **schema.get("$defs", {})}.items():
            required = one.get("required", ())
            keys[name] = [f"{key}*" if key in required else key for key in one["properties"]]
        if "name*" in keys[model.__name__]:
            keys[model.__name__].remove("name*")  # it is the header of the entry
    lines = [f"- {name}: {', '.join(found)}" for name, found in keys.items() if name not in _QUERIES]
    return "\nAll keys that there are (* must be given):\n\n" + "\n".join(lines) + "\n" if lines else ""


def _repair(file: str, findings: Sequence[str]) -> str:
    """What was found, shortened, with the remedies that the gates know."""
    told = [f"- {one if len(one) <= _MAX_FINDING else one[:_MAX_FINDING] + ' ...'}" for one in findings[:_MAX_FINDINGS]]
    if len(findings) > _MAX_FINDINGS:
        told.append(f"- and {len(findings) - _MAX_FINDINGS} more")
    named = {finding.partition(":")[0] for finding in findings}
    meant = [f"- {gate.__name__}: {' '.join((gate.__doc__ or '').split())}" for gate in GATES if gate.__name__ in named]
    remedies = "What these tests demand:\n\n" + "\n".join(meant) + "\n\n" if meant else ""
    return rendered("blueprint_repair", file=file, findings="\n".join(told), remedies=remedies)
