"""Goals that the data hold already: which rows they are, proved by what verifiers pay without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.audit.naming import Names
from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.conflicts import conflict
from awm_gym.formats.awm.host import App, Judge, VerifierFault
from awm_gym.formats.awm.images import Images
from awm_gym.formats.awm.records import AwmScenario, Solution
from awm_gym.formats.awm.repair.rows import Row, Rows
from awm_gym.formats.awm.repair.standing import Standing, paid_untouched, verdict
from awm_gym.formats.awm.repair.telling import Run, played, retold

MAX_TRIED = 20  # sets of rows that are taken away for one task, each from the databases before and after
MAX_ROUNDS = 3  # of taking rows away that stand in the way of new ones
MAX_GONE = 40  # rows that are taken away together


class Goal(NamedTuple):
    """A goal that the data hold.

    Attributes:
        rows: that must go.
        solution: the known solution as it is without them, where new rows may have other ids; None if none is known.
    """

    rows: tuple[Row, ...]
    solution: Solution | None


@dataclass(frozen=True)
class Search:
    """A search for goals in the data of one scenario.

    Attributes:
        scenario: whose data.
        base: its database.
        app: its application.
        now: how it stands.
        rows: of its database.
        names: what arguments name.
        judge: who pays.
        images: who reads databases.
    """

    scenario: AwmScenario
    base: Base
    app: App
    now: Standing
    rows: Rows
    names: Names
    judge: Judge
    images: Images

    def goal(self, task: int) -> Goal | None:
        """Rows that the data hold and that a task is to make; None if there are none of which that is proved.

        Without them doing nothing is not paid, and the known solution is paid, unless nothing makes it so.
        """
        if "code" not in self.scenario.verifiers.get(task, {}) or self.now.solved(task) == "paid":
            return None
        solution = self.scenario.solutions.get(task)
        try:
            found = self._in_the_way(task, solution) if solution else None
            return found or (self._untouched(task) if self.now.untouched.get(task) else None)
        except (EnvironmentFault, UsageError):  # an experiment failed, so nothing is proved
            return None

    def _untouched(self, task: int) -> Goal | None:
        """Rows without which doing nothing is not paid.

        Of all that would do, the one goes that most of the others hang on: it is what the task is to make. Where even
        the known solution would not be paid, as little goes as can.
        """
        found: dict[Row, list[Row]] = {}
        for row in self.rows.about(self._told(task))[:MAX_TRIED]:
            gone = self.rows.with_dependents([row])
            if self._may_go(gone, task) and self._unpaid(task, self.rows.without(gone)):
                found[row] = gone
        if task in self.scenario.solutions:
            gone = min(found.values(), key=len, default=[])
        else:
            gone = max(found.values(), key=lambda gone: len(found.keys() & set(gone)), default=[])
        return Goal(tuple(gone), None) if gone else None

    def _in_the_way(self, task: int, solution: Solution) -> Goal | None:
        first = run = played(solution.calls, self.app, self.images)
        roots: list[Row] = []
        for _ in range(MAX_ROUNDS):
            more = [row for row in self._conflicting(run) if row not in roots]
            if not more:
                return self._insisting(task, solution, first, run, roots)
            roots += more
            if not self._may_go(gone := self.rows.with_dependents(roots), task):
                return None
            run, initial = self._elsewhere(gone, solution, first)
            if found := self._proved(task, solution, gone, run, initial):
                return found
        return None

    def _insisting(self, task: int, solution: Solution, first: Run, run: Run, roots: list[Row]) -> Goal | None:
        """A verifier that insists on new rows pays where the old ones are in neither database."""
        for more in [*self._candidates(task, run)][:MAX_TRIED]:
            gone = self.rows.with_dependents(dict.fromkeys([*roots, *more]))
            if not self._may_go(gone, task):
                continue
            initial, final = self.rows.without(gone), self.rows.without(gone, run.image)
            paid = verdict(self.scenario, task, solution.answer, initial, final, self.base, self.judge)
            if paid == "paid":
                other, initial = self._elsewhere(gone, solution, first)
                if found := self._proved(task, solution, gone, other, initial):
                    return found
        return None

    def _candidates(self, task: int, run: Run) -> Iterator[list[Row]]:
        alike = [found for made in run.made for row in made if (found := self.rows.like(row))]
        about = self.rows.about(self._told(task))
        for row in dict.fromkeys([found[0] for found in alike] + about[: MAX_TRIED // 2]):
            yield [row]
        yield [found[0] for found in alike]

    def _proved(self, task: int, solution: Solution, gone: Sequence[Row], run: Run, initial: bytes) -> Goal | None:
        """The goal, if a run without its rows is paid, and doing nothing is not."""
        paid = verdict(self.scenario, task, solution.answer, initial, run.image, self.base, self.judge)
        if paid == "paid" and self._unpaid(task, initial):
            return Goal(tuple(gone), solution._replace(calls=run.calls))
        return None

    def _elsewhere(self, gone: Sequence[Row], solution: Solution, first: Run) -> tuple[Run, bytes]:
        """What becomes of a solution in data without rows."""
        base = replace(self.base, image=self.rows.without(gone))
        away = [self.rows.all[row] for row in gone]
        with App(self.scenario.code, base, name=self.scenario.name) as other:
            return retold(solution.calls, first.made, away, other, self.names, self.images), other.initial

    def _unpaid(self, task: int, image: bytes) -> bool:
        try:
            return not paid_untouched(self.scenario.verifiers[task]["code"], self.base, image, self.judge)
        except VerifierFault:
            return False

    def _may_go(self, gone: Sequence[Row], task: int) -> bool:
        """Whether no other task speaks of what only these rows say, but those of which a solution is paid anyhow."""
        if len(gone) > MAX_GONE:
            return False
        others = " ".join(
            text.lower()
            for number, text in enumerate(self.scenario.tasks)
            if number != task and self.now.solved(number) != "paid"
        )
        return not any(text in others for text in self.rows.only_in(gone))

    def _told(self, task: int) -> str:
        return self.scenario.tasks[task] if task < len(self.scenario.tasks) else ""

    def _conflicting(self, run: Run) -> list[Row]:
        """Rows that stood in the way of new ones."""
        found = [told for error in run.errors if (told := conflict(error))]
        return list(dict.fromkeys(row for told in found for row in self.rows.having(told.table, told.values)))
