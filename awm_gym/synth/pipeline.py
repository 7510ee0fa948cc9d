"""The loop of synthesis, the same for every author: write a stage, judge it, hand the findings back, or reject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.gates.certificate import Certificate
from awm_gym.scenario import Scenario
from awm_gym.synth import draft as drafts
from awm_gym.synth.draft import STAGE, STAGES, Attempt, Author, Blame, Draft, Outcome, Stage, blame, without

MAX_ATTEMPTS = 5  # writings of one stage


class Least(NamedTuple):
    """What may not be given up: a scenario keeps at least so many tasks and tools, or is rejected."""

    tasks: int = 1_000_000
    tools: int = 1_000_000


class Judge(Protocol):
    """Who runs the gates: this process, or others."""

    def stage(self, draft: Draft, stage: Stage, *, early: bool) -> tuple[str, ...]:
        """What is wrong with a draft after a stage."""

    def whole(self, scenario: Scenario) -> Certificate:
        """What all gates find."""


class Here:
    """Runs the gates in this process."""

    def stage(self, draft: Draft, stage: Stage, *, early: bool) -> tuple[str, ...]:
        """What is wrong with a draft after a stage."""
        return drafts.findings(draft, stage, early=early)

    def whole(self, scenario: Scenario) -> Certificate:
        """What all gates find."""
        return certify(scenario)


def synthesize(
    author: Author,
    name: str,
    *,
    attempts: int = MAX_ATTEMPTS,
    least: Least | None = None,
    until: str = "",
    judge: Judge | None = None,
    told: Callable[[Attempt], None] = lambda attempt: None,
) -> Outcome:
    """Let an author write a scenario, stage by stage; it is whole and certified, or rejected.

    What a stage's gates find goes back to the author, `attempts` times; then tasks or tools that cannot be proved are
    given up, if enough are left; then the stage before is written anew, once; then the scenario is rejected.

    Args:
        author: who writes.
        name: the scenario's name.
        attempts: how often a stage may be written in a row.
        least: how few tasks and tools may be left; by default none is given up.
        until: the stage after which to stop; by default all are written and the whole is certified.
        judge: who runs the gates; by default this process.
        told: called after each attempt.
    """
    return _Synthesis(author, name, attempts if author.mends else 1, least or Least(), judge or Here(), told).run(until)


class _Stuck(Exception):
    """A stage has no attempt left."""

    def __init__(self, stage: str, findings: tuple[str, ...], certificate: Certificate | None = None) -> None:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{stage}: {' '.join(findings[0].split())}{more}")
        self.findings, self.certificate = findings, certificate


class _Synthesis:
    def __init__(
        self, author: Author, name: str, attempts: int, least: Least, judge: Judge, told: Callable[[Attempt], None]
    ) -> None:
        self.author, self.attempts, self.least, self.judge, self.told = author, attempts, least, judge, told
        self.draft = Draft(name)
        self.history: list[Attempt] = []
        self.rounds: Counter[str] = Counter()
        self.dropped: dict[str, str] = {}

    def run(self, until: str) -> Outcome:
        scenario = certificate = None
        rejected = ""
        try:
            self.stages(until)
            if not until:
                scenario, certificate = self.whole()
        except _Stuck as stuck:
            rejected, certificate = str(stuck), stuck.certificate
        except ScenarioError as error:
            rejected = str(error)
        history, dropped = tuple(self.history), tuple(self.dropped.items())
        return Outcome(self.draft.name, scenario, certificate, history, self.draft, dropped, rejected)

    def stages(self, until: str) -> None:
        """Write all stages, or those up to one. What cannot be written sends the stage before back, once."""
        place, findings, sent_back = 0, tuple[str, ...](), set[int]()
        last = STAGES.index(STAGE[until]) if until else len(STAGES) - 1
        while place <= last:
            try:
                self.write(STAGES[place], findings)
                place, findings = place + 1, ()
            except _Stuck as stuck:
                if place == 0 or place in sent_back or not (self.author.mends and STAGES[place].back):
                    raise
                sent_back.add(place)
                findings = tuple(f"{STAGES[place].name} could not be written on this: {one}" for one in stuck.findings)
                place -= 1

    def write(self, stage: Stage, findings: tuple[str, ...] = ()) -> None:
        """Let the author write a stage until it holds.

        Raises:
            _Stuck: it does not hold after the last attempt, and nothing can be given up.
        """
        self.rounds[stage.name] += 1
        for number in range(1, self.attempts + 1):
            self.draft, unread = self.author.write(self.draft, stage, findings)
            findings = unread or self.judge.stage(self.draft, stage, early=self.author.mends)
            self.note(stage.name, number, findings)
            if not findings:
                return
            if number > 2 and stage.back and all(self.is_of_the_stage_before(stage, one) for one in findings):
                raise _Stuck(stage.name, findings)
        if not self.gave_up(stage, findings):
            raise _Stuck(stage.name, findings)
        left = self.judge.stage(self.draft, stage, early=True)
        self.note(stage.name, self.attempts + 1, left)
        if left:
            raise _Stuck(stage.name, left)

    def is_of_the_stage_before(self, stage: Stage, finding: str) -> bool:
        """Whether the author of the stage before can mend a finding."""
        place = STAGES.index(stage)
        return place > 0 and blame(self.draft, finding).stage == STAGES[place - 1].name

    def note(self, stage: str, number: int, findings: tuple[str, ...]) -> None:
        """Write an attempt down."""
        self.history.append(Attempt(stage, self.rounds[stage], number, findings))
        self.told(self.history[-1])

    def gave_up(self, stage: Stage, findings: tuple[str, ...]) -> bool:
        """Whether the draft now does without the tasks, or the tools, that findings concern."""
        names = {blame(self.draft, finding).item for finding in findings}
        if not stage.items or "" in names:
            return False
        left = without(self.draft, stage, names)
        before, after = (len(one.tools if stage.items == "tools" else one.wishes) for one in (self.draft, left))
        if after == before or after < getattr(self.least, stage.items):
            return False
        kept = {tool.name for tool in left.tools} | {name for name, _ in left.wishes}
        for finding in findings:
            name = blame(self.draft, finding).item
            if name not in kept:
                self.dropped.setdefault(name, finding)
        self.draft = left
        return True

    def whole(self) -> tuple[Scenario, Certificate]:
        """The scenario with its proof: what the gates find goes back to the stages concerned.

        Raises:
            _Stuck: the gates find something after the last attempt.
        """
        self.rounds["gates"] += 1
        number = 0
        while True:
            number += 1
            scenario = self.draft.scenario()
            certificate = self.judge.whole(scenario)
            findings = tuple(f"{gate}: {one}" for gate, found in certificate.findings.items() for one in found)
            self.note("gates", number, findings)
            if not findings:
                return scenario, certificate
            by_stage = self.by_stage(findings)
            if self.author.mends and number < self.attempts:
                for stage in (stage for stage in STAGES if stage.name in by_stage):
                    self.write(stage, by_stage[stage.name])
            elif not any([self.gave_up(STAGE[name], found) for name, found in by_stage.items()]):
                raise _Stuck("gates", findings, certificate)

    def by_stage(self, findings: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Findings by the stage that must be written anew."""
        found: dict[str, tuple[str, ...]] = {}
        for finding in findings:
            where: Blame = blame(self.draft, finding)
            found[where.stage] = (*found.get(where.stage, ()), finding)
        return found


def told(outcome: Outcome) -> Iterator[str]:
    """All findings of a rejected scenario, one a line."""
    for attempt in outcome.attempts:
        yield from (f"{attempt.stage}: {finding}" for finding in attempt.findings)
