"""Many scenarios, written at a time: within a budget, on all cores, and resumable. What is proved is written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from awm_gym import processes
from awm_gym.errors import AwmError, BudgetSpent, ModelError, UsageError
from awm_gym.files import render, save
from awm_gym.gates import certify
from awm_gym.gates.certificate import Certificate
from awm_gym.library import CERTIFICATE, doubt
from awm_gym.llm import Log, Model
from awm_gym.scenario import Scenario
from awm_gym.synth import draft as drafts
from awm_gym.synth import solve
from awm_gym.synth.draft import STAGE, Attempt, Author, Draft, Outcome, Stage, without
from awm_gym.synth.pipeline import MAX_ATTEMPTS, Here, Judge, Least, synthesize

HISTORY = "synthesis.json"  # beside a scenario: how it came about
LOG = "synth.jsonl"
DRAFTS = "drafts"


class Order(NamedTuple):
    """A scenario to be made.

    Attributes:
        name: its name.
        author: makes who writes it.
        about: what the author was given; an order with the same is not carried out twice.
    """

    name: str
    author: Callable[[], Author]
    about: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of name and `about`."""
        return hashlib.sha256(json.dumps([self.name, self.about], sort_keys=True).encode()).hexdigest()


class Solver(NamedTuple):
    """Measures how hard tasks are.

    Attributes:
        model: who plays.
        name: of the model.
        attempts: episodes of each task.
        low, high: tasks solved in a smaller or larger share of them are given up.
    """

    model: Model
    name: str
    attempts: int
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Terms:
    """How orders are carried out.

    Attributes:
        out: the folder for the scenarios.
        attempts: how often a stage may be written in a row.
        least: how few tasks and tools a scenario keeps.
        until: the stage to stop after; "" for whole scenarios.
        parallel: scenarios at a time.
        jobs: processes that run gates.
        solver: measures how hard the tasks are; None if nobody does.
    """

    out: Path
    attempts: int = MAX_ATTEMPTS
    least: Least = field(default_factory=Least)
    until: str = ""
    parallel: int = 8
    jobs: int = 1
    solver: Solver | None = None


@dataclass(frozen=True)
class Made:
    """What became of an order.

    Attributes:
        name: the scenario's name.
        folder: where it lies, or its draft if no more was asked for; None if it was rejected.
        rejected: why there is no scenario; "" if there is one.
        dropped: tasks and tools that were given up, with why.
        figures: those of its certificate.
        resumed: whether it stood there already.
        stopped: why the work on it was broken off, to be gone on with by another run; "" if it was not.
    """

    name: str
    folder: Path | None = None
    rejected: str = ""
    dropped: tuple[tuple[str, str], ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False
    stopped: str = ""

    def document(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "scenario": self.name,
            "passed": self.folder is not None,
            "folder": None if self.folder is None else str(self.folder),
            "rejected": self.rejected,
            "dropped": dict(self.dropped),
            "stopped": self.stopped,
            "resumed": self.resumed,
            "figures": dict(self.figures),
        }


def carry_out(
    orders: Sequence[Order], terms: Terms, log: Log, told: Callable[[str, Attempt], None] = lambda name, attempt: None
) -> Iterator[Made]:
    """Make scenarios; each comes as it is done.

    When the budget is spent, or the model cannot be asked, what is not yet done comes as stopped.

    Args:
        orders: what to make.
        terms: how.
        log: where attempts and outcomes are written down.
        told: called after each attempt, from many threads.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        terms.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{terms.out} cannot be written: {error.strerror}") from error
    judges = None
    if terms.jobs > 1:
        judges = processes.pool(terms.jobs)
    threads = ThreadPoolExecutor(max(1, min(terms.parallel, len(orders))), thread_name_prefix="awm_gym-synth")
    work = _Work(terms, log, told, Here() if judges is None else Elsewhere(judges))
    whole = False
    try:
        waiting: dict[Future[Made], Order] = {threads.submit(work.made, order): order for order in orders}
        for done in as_completed(waiting):
            yield done.result()
        whole = True
    finally:
        work.broken_off = work.broken_off or "interrupted"
        threads.shutdown(wait=False, cancel_futures=True)
        if judges is not None:
            judges.shutdown(wait=whole, cancel_futures=True)


class Elsewhere:
    """Runs the gates in other processes: threads of one would wait for each other."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def stage(self, draft: Draft, stage: Stage, *, early: bool) -> tuple[str, ...]:
        """What is wrong with a draft after a stage."""
        return self._pool.submit(_findings, draft, stage.name, early).result()

    def whole(self, scenario: Scenario) -> Certificate:
        """What all gates find."""
        return self._pool.submit(certify, scenario).result()


def _findings(draft: Draft, stage: str, early: bool) -> tuple[str, ...]:
    return drafts.findings(draft, STAGE[stage], early=early)


class _Work:
    def __init__(self, terms: Terms, log: Log, told: Callable[[str, Attempt], None], judge: Judge) -> None:
        self.terms, self.log, self.told, self.judge = terms, log, told, judge
        self.broken_off = ""

    def made(self, order: Order) -> Made:
        """Carry out one order."""
        if self.broken_off:
            return Made(order.name, stopped=self.broken_off)
        folder = self.terms.out / order.name
        try:
            if not self.terms.until and (there := _standing(folder, order)) is not None:
                return there
            return self._made(order, folder)
        except (BudgetSpent, ModelError) as error:
            self.broken_off = str(error)
            return Made(order.name, stopped=str(error))
        except AwmError as error:
            return self._rejected(order, str(error), ())

    def _made(self, order: Order, folder: Path) -> Made:
        terms = self.terms
        outcome = synthesize(
            order.author(),
            order.name,
            attempts=terms.attempts,
            least=terms.least,
            until=terms.until,
            judge=self.judge,
            told=lambda attempt: self._note(order.name, attempt),
        )
        if outcome.rejected:
            return self._rejected(order, outcome.rejected, outcome.dropped)
        if terms.until:
            return self._drafted(order, outcome)
        (scenario, certificate), dropped = outcome.proved, outcome.dropped
        if terms.solver is not None:
            scenario, certificate, others = self._solved(outcome, terms.solver)
            dropped = (*dropped, *others)
            if len(scenario.tasks) < min(terms.least.tasks, len(outcome.draft.tasks)):
                why = f"solve: only {len(scenario.tasks)} tasks are as hard as is asked for"
                return self._rejected(order, why, dropped)
            if not certificate.passed:
                found = next(f"{gate}: {one[0]}" for gate, one in certificate.findings.items() if one)
                return self._rejected(order, f"solve: without the other tasks, {found}", dropped)
        save(scenario, folder)
        (folder / HISTORY).write_text(_history(order, outcome, dropped), "utf-8")
        (folder / CERTIFICATE).write_text(certificate.to_json(), "utf-8")
        self.log.write("outcome", scenario=order.name, passed=True, dropped=dict(dropped), tasks=len(scenario.tasks))
        return Made(order.name, folder, dropped=dropped, figures=certificate.figures)

    def _solved(self, outcome: Outcome, solver: Solver) -> tuple[Scenario, Certificate, tuple[tuple[str, str], ...]]:
        """The scenario without the tasks that are too easy or too hard, and its proof, with what was measured."""
        scenario, certificate = outcome.proved
        found = solve.measure(scenario, solver.model, solver.attempts)
        names = solve.outside(found, solver.low, solver.high)
        others = tuple((name, f"solved in {found[name].solved} of {found[name].attempts} episodes") for name in names)
        if names:
            scenario = without(outcome.draft, STAGE["verifiers"], set(names)).scenario()
            certificate = self.judge.whole(scenario)
        figures = {**certificate.figures, **solve.figures(found, solver.name)}
        return scenario, replace(certificate, figures=figures), others

    def _drafted(self, order: Order, outcome: Outcome) -> Made:
        """Write down what is there of a scenario."""
        folder = self.terms.out / DRAFTS / order.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in render(outcome.draft.scenario()).items():
                if text:
                    (folder / name).write_text(text, "utf-8")
            wishes = [f"## {name}\n\n{instruction}\n" for name, instruction in outcome.draft.wishes]
            if wishes:
                (folder / "wishes.md").write_text("\n".join(wishes), "utf-8")
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
        self.log.write("outcome", scenario=order.name, passed=True, until=self.terms.until)
        return Made(order.name, folder)

    def _rejected(self, order: Order, why: str, dropped: tuple[tuple[str, str], ...]) -> Made:
        self.log.write("outcome", scenario=order.name, passed=False, rejected=why, dropped=dict(dropped))
        return Made(order.name, rejected=why, dropped=dropped)

    def _note(self, name: str, attempt: Attempt) -> None:
        self.log.write("attempt", scenario=name, **vars(attempt))
        self.told(name, attempt)


def _history(order: Order, outcome: Outcome, dropped: Sequence[tuple[str, str]]) -> str:
    """How a scenario came about: the same answers, the same bytes."""
    attempts = [
        {"stage": one.stage, "round": one.round, "number": one.number, "findings": list(one.findings)}
        for one in outcome.attempts
    ]
    document = {"order": order.digest, "about": order.about, "dropped": dict(dropped), "attempts": attempts}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _standing(folder: Path, order: Order) -> Made | None:
    """A scenario that an earlier run made by the same order; None if it made none."""
    try:
        history = json.loads((folder / HISTORY).read_text("utf-8"))
        if history["order"] != order.digest or doubt(folder):
            return None
        figures = Certificate.from_json((folder / CERTIFICATE).read_text("utf-8")).figures
        return Made(order.name, folder, dropped=tuple(history["dropped"].items()), figures=figures, resumed=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AwmError):
        return None
