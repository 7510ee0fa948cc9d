"""The chat author of blueprints: a language model writes one file after the other, and mends what trials find.

One conversation buys scenarios without end: what is asked for is a grammar, and any seed makes a scenario of it.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from awm_gym.blueprints.folder import FILES
from awm_gym.database import FUNCTIONS
from awm_gym.errors import Unreadable, UsageError, unknown
from awm_gym.llm import Message, Request
from awm_gym.scenario import RESERVED
from awm_gym.speech import HOWS
from awm_gym.synth.asking import Asker, condensed
from awm_gym.synth.blueprint_trial import ORDER, STEPS, Bench, Finding, Step, lay
from awm_gym.synth.briefs import Brief
from awm_gym.synth.forms import EditForm, Form, Unfit, edited
from awm_gym.synth.prompts import label, rendered

STAGE_NAME = "blueprint"  # of all requests: a model may be set for it
MAX_ATTEMPTS = 5  # at what one check finds in one file
_GATES = "gates"  # the last check
_QUERIES = ("Example", "Refusal")  # types of a scenario's tools, which are queries in a blueprint


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
        bench = Bench(Path(part) / brief.name, seeds, gates_seeds)
        outcome = _Author(asker, brief, bench, attempts, told).run()
        if outcome.rejected:
            return outcome
        lay(bench.folder, outcome.files)
        os.replace(bench.folder, place)
    return replace(outcome, folder=place)


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
        self, asker: Asker, brief: Brief, bench: Bench, attempts: int, told: Callable[[Writing], None]
    ) -> None:
        self.asker, self.brief, self.bench, self.attempts, self.told = asker, brief, bench, attempts, told
        self.files: dict[str, str] = {}
        self.said: dict[str, str] = {}  # the last answers; shown of files that have no text yet
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
        step = STEPS[file]
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


def _rules(step: Step) -> str:
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
    """Asks for a file again, with what was found in it."""
    told, remedies = condensed(findings)
    return rendered("blueprint_repair", file=file, findings=told, remedies=remedies)
