"""One scenario mended, step by step. What makes anything worse is not done, and said.

The order matters: data that were lost come first, since all else is judged with them; goals are taken out while the
application still tells what stood in their way; frames come last, since they are those of the final data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError
from awm_gym.formats.awm.audit.naming import Names
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.images import EditRefused, Images, Schema
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.formats.awm.repair import answers, data, frames, moments, routes
from awm_gym.formats.awm.repair.answers import Answers
from awm_gym.formats.awm.repair.data import Change, Column
from awm_gym.formats.awm.repair.goals import Goal, Search
from awm_gym.formats.awm.repair.program import Program, marked
from awm_gym.formats.awm.repair.rows import Rows, without_rows
from awm_gym.formats.awm.repair.standing import Standing, standing, verdict, worse
from awm_gym.formats.awm.repair.telling import played, retold
from awm_gym.formats.awm.repair.values import Action, Kind, Repair, Repaired, TaskRepair
from awm_gym.formats.awm.tracing import Tracer

_APPLICATION = "application"
_ROUNDS = 3  # of leaving out checks that a known solution does not pass


def repair_scenario(scenario: AwmScenario) -> Repaired:
    """Mend a scenario where that is safe.

    Raises:
        SandboxUnavailable: this machine cannot lock generated code up.
        UsageError: FastAPI or SQLAlchemy is not installed.
    """
    try:
        with _Workshop(scenario) as workshop:
            return workshop.mended()
    except (ScenarioError, EnvironmentFault) as error:
        return Repaired(scenario, Repair(name=scenario.name, error=str(error)))


@dataclass(frozen=True)
class _State:
    """A scenario as it runs."""

    scenario: AwmScenario
    base: Base
    app: App
    tables: dict[str, Schema]
    standing: Standing

    @property
    def code(self) -> str:
        return self.scenario.code


class _Workshop:
    """A scenario under repair, and the workers that show what each change does."""

    def __init__(self, scenario: AwmScenario) -> None:
        self._first, self._actions = scenario, list[Action]()
        self._tried: Standing | None = None  # how what was tried last stands

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._judge = stack.enter_context(Judge())
            self._images = stack.enter_context(Images())
            self._tracer = stack.enter_context(Tracer())
            self._now = self._state(self._first)
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._now.app.close()
        self._open.close()

    def mended(self) -> Repaired:
        """Take all steps."""
        before = self._now.standing
        for step in (
            self._quotes,
            self._routes,
            self._moments,
            self._capitals,
            self._goals,
            self._answers,
            self._frames,
        ):
            try:
                step()
            except (ScenarioError, EnvironmentFault, EditRefused) as error:
                self._leave(_APPLICATION, str(error))
        scenario = self._now.scenario
        numbers = sorted({*range(len(scenario.tasks)), *scenario.verifiers})
        tasks = tuple(self._task(number, before) for number in numbers)
        repair = Repair(name=scenario.name, actions=tuple(self._actions), tasks=tasks)
        return Repaired(scenario, repair)

    def _state(self, scenario: AwmScenario) -> _State:
        base = build(scenario)
        app = App(scenario.code, base, name=scenario.name)
        try:
            found = standing(scenario, base, app, self._judge)
            return _State(scenario, base, app, self._images.schema(base.image), found)
        except BaseException:
            app.close()
            raise

    def _try(self, scenario: AwmScenario, wanted: Callable[[Standing], str] = lambda _: "") -> str:
        """Go on with a changed scenario if nothing is worse then; else why not."""
        self._tried = None
        try:
            state = self._state(scenario)
        except (ScenarioError, EnvironmentFault) as error:
            return str(error)
        old, self._tried = self._now, state.standing
        reason = worse(old.standing, state.standing) or _lost(old.base, state.base) or wanted(state.standing)
        if reason:
            state.app.close()
        else:
            old.app.close()
            self._now = state
        return reason

    def _adopt(self, scenario: AwmScenario, actions: Sequence[Action]) -> bool:
        """Go on with a changed scenario if nothing is worse then, and say what was done, or why not."""
        reason = self._try(scenario)
        if reason:
            self._leave(actions[0].place, f"{actions[0].kind}: {reason}")
        else:
            self._actions += actions
        return not reason

    def _leave(self, place: str, words: str) -> None:
        self._actions.append(Action(kind="left", place=place, words=words))

    def _leave_once(self, place: str, words: str) -> None:
        if not any(action.place == place and action.words == words for action in self._actions):
            self._leave(place, words)

    def _quotes(self) -> None:
        mended = build(self._now.scenario, mend=True)
        scenario, actions = data.unquoted(self._now.scenario, mended)
        if actions:
            self._adopt(scenario, actions)
        for kind, (count, first) in self._now.base.losses().items():
            self._leave(first.table, f"{count} statements are lost ({kind}); the first: {first.error}")

    def _routes(self) -> None:
        """Names first: an operation that has no name of its own is not found by it."""
        found = sorted(self._now.app.collisions, key=lambda collision: collision.kind != "name")
        scenario, tools = self._now.scenario, self._now.app.tools
        actions = []
        for collision in found:
            scenario, action = routes.rerouted(scenario, tools, collision)
            actions.append(action)
        self._actions += [action for action in actions if action.kind == "left"]
        if done := [action for action in actions if action.kind != "left"]:
            self._adopt(scenario, done)

    def _moments(self) -> None:
        code = moments.in_one_form(self._now.code)
        if code != self._now.code:
            words = "times are written without fractions of a second, and text in ISO 8601 is taken for them"
            self._adopt(replace(self._now.scenario, code=code), [_did("moments", _APPLICATION, words)])
        if program := Program.of(self._now.code):
            changes = data.moments(program, self._now.tables, self._now.base, self._images)
            self._change("moments", changes)

    def _capitals(self) -> None:
        if program := Program.of(self._now.code):
            now = self._now
            self._change("case", data.capitals(now.scenario, program, now.tables, now.base, self._images))

    def _change(self, kind: Kind, changes: dict[Column, list[Change]]) -> None:
        """Change values, column by column."""
        for column, some in changes.items():
            place = ".".join(column)
            if not data.filled(self._now.scenario, column.table):
                continue
            words = "; ".join(f"{change.old!r} is {change.new!r} now" for change in some)
            scenario = data.with_statements(self._now.scenario, column.table, data.updates(some))
            self._adopt(scenario, [_did(kind, place, words)])

    def _goals(self) -> None:
        """Again and again, since a task that is paid now may let others have their way."""
        while any([self._goal(task) for task in self._first.verifiers]):
            pass

    def _goal(self, task: int) -> bool:
        """Whether a goal has been taken out."""
        now = self._now
        rows, names = Rows(now.base.image, now.tables, self._images), Names(now.tables)
        search = Search(now.scenario, now.base, now.app, now.standing, rows, names, self._judge, self._images)
        goal = search.goal(task)
        return goal is not None and self._take_out(task, goal, rows, names)

    def _take_out(self, task: int, goal: Goal, rows: Rows, names: Names) -> bool:
        now, place = self._now, f"task {task}"
        told = "; ".join(f"{table} {', '.join(map(repr, key))}" for table, key in goal.rows)
        scenario = without_rows(now.scenario, now.base, rows, goal.rows, self._images)
        if scenario is None:
            self._leave_once(place, f"goal: its rows ({told}) come from statements that make others, too")
            return False
        if goal.solution:
            scenario = replace(scenario, solutions={**scenario.solutions, task: goal.solution})

        def reached(after: Standing) -> str:
            for tool, status in after.examples.items():
                if now.standing.examples[tool] < 400 <= status:
                    return f"{tool} would not answer its examples"
            unpaid = goal.solution is not None and after.solved(task) != "paid"
            return "it would be no better" if unpaid or after.untouched.get(task, ("",)) else ""

        reason = self._try(scenario, reached)
        if reason:
            reason = self._try(self._retold(scenario, task, goal, rows, names), reached)
        if reason:
            self._leave_once(place, f"goal: it is there already ({told}), but without that {reason}")
        else:
            self._actions.append(
                _did("goal", place, f"rows that are its goal already, or in its way, are gone: {told}")
            )
        return not reason

    def _retold(self, scenario: AwmScenario, task: int, goal: Goal, rows: Rows, names: Names) -> AwmScenario:
        """The scenario with all solutions as they are without the rows of a goal."""
        solutions = dict(scenario.solutions)
        gone = [rows.all[row] for row in goal.rows]
        try:
            with App(scenario.code, build(scenario), name=scenario.name) as app:
                for number, solution in scenario.solutions.items():
                    if number != task and self._now.standing.solved(number) == "paid":
                        run = played(solution.calls, self._now.app, self._images)
                        calls = retold(solution.calls, run.made, gone, app, names, self._images).calls
                        solutions[number] = solution._replace(calls=calls)
        except (EnvironmentFault, UsageError, ScenarioError):
            return scenario
        return replace(scenario, solutions=solutions)

    def _answers(self) -> None:
        if marked(self._now.code, "answers"):
            return
        if answers.answering(self._now.code, Answers()) == self._now.code:
            self._leave(_APPLICATION, "conflicts: its parts are not where they usually are")
            return
        keys = answers.enforceable(self._now.tables)
        if self._now.base.fk_violations:
            keys = f"{self._now.base.fk_violations} rows of the data refer to rows that are not there"
        rows = answers.rows_named(self._now.scenario, self._now.app, self._now.tables, self._images)
        full = Answers(rows, keys=not keys, atomic=answers.separable(self._now.code))
        reason = self._answer(full)
        for lesser in (replace(full, atomic=False), replace(full, keys=False), replace(full, rows={}), Answers()):
            if reason:
                self._leave_once(_APPLICATION, f"conflicts: {reason}")
                reason = self._answer(lesser)
        if reason:
            self._leave_once(_APPLICATION, f"conflicts: {reason}")
        if keys:
            self._leave(_APPLICATION, f"keys: {keys}")

    def _answer(self, wanted: Answers) -> str:
        """Have the application answer what cannot be done; why not, if anything is worse then."""
        reason = ""
        for _ in range(_ROUNDS):
            code = answers.answering(self._now.code, wanted)
            reason = self._try(replace(self._now.scenario, code=code))
            if not reason:
                self._actions += _answered(wanted)
                return ""
            rows = {tool: rows for tool, rows in wanted.rows.items() if tool not in self._refused()}
            if rows == wanted.rows:
                return reason
            wanted = replace(wanted, rows=rows)
        return reason

    def _refused(self) -> set[str]:
        """Tools that refuse calls of known solutions which were paid before, in what was tried last."""
        found: set[str] = set()
        for task, before in self._now.standing.played.items():
            after = self._tried.played.get(task) if self._tried else None
            if before.solved == "paid" and after:
                calls = self._now.scenario.solutions[task].calls
                statuses = zip(calls, before.statuses, after.statuses, strict=False)
                found |= {call.name for call, old, new in statuses if old < 400 <= new}
        return found

    def _frames(self) -> None:
        for task, run in self._now.standing.played.items():
            code = self._now.scenario.verifiers.get(task, {}).get("code", "")
            if run.solved == "paid" and not marked(code, "frame"):
                if framed := self._framed(task, code):
                    self._actions.append(
                        _did("frame", f"task {task}", "its verifier refuses changes that are not needed")
                    )
                    kinds = {**self._now.scenario.verifiers[task], "code": framed}
                    verifiers = {**self._now.scenario.verifiers, task: kinds}
                    self._now = replace(self._now, scenario=replace(self._now.scenario, verifiers=verifiers))
                else:
                    self._leave(f"task {task}", "frame: the known solution would not be paid")

    def _framed(self, task: int, code: str) -> str:
        """The verifier of a task with a frame around what its known solution does; "" where that does not pay it."""
        now = self._now
        solution, run = now.scenario.solutions[task], now.standing.played[task]
        trace = self._tracer.run("code", code, now.standing.initial, run.image, solution.answer, now=now.base.now)
        differences = self._images.differing(now.standing.initial, run.image)
        if len(differences) > frames.MAX_ROWS:
            return ""
        framed = frames.framed(code, (*trace.reads_initial, *trace.reads_final), differences)
        scenario = replace(now.scenario, verifiers={task: {"code": framed}})
        paid = verdict(scenario, task, solution.answer, now.standing.initial, run.image, now.base, self._judge)
        return framed if paid == "paid" else ""

    def _task(self, number: int, before: Standing) -> TaskRepair:
        """What became of a task."""
        after = self._now.standing
        found = TaskRepair(
            number=number,
            untouched_before=before.untouched.get(number, ()),
            untouched_after=after.untouched.get(number, ()),
            solution_before=before.solved(number),
            solution_after=after.solved(number),
            framed=marked(self._now.scenario.verifiers.get(number, {}).get("code", ""), "frame"),
        )
        return found.model_copy(update={"doubt": self._doubt(found)})

    def _doubt(self, task: TaskRepair) -> str:
        """Why a task cannot be trusted."""
        if "code" not in self._now.scenario.verifiers.get(task.number, {}):
            return "it has no verifier of the kind code"
        if task.number in self._now.standing.faults:
            return "its verifier comes to no verdict"
        if task.untouched_after:
            return f"doing nothing is paid, with the answers: {', '.join(task.untouched_after)}"
        return "the known solution is not paid" if task.solution_after in ("unpaid", "fault") else ""


def _did(kind: Kind, place: str, words: str) -> Action:
    return Action(kind=kind, place=place, words=words)


def _lost(before: Base, after: Base) -> str:
    """What the data would lose; "" if nothing."""
    count = len(after.lost_inserts) + len(after.lost_tables) - len(before.lost_inserts) - len(before.lost_tables)
    if count > 0:
        return f"{count} more statements would be lost"
    dangling = after.fk_violations - before.fk_violations
    return f"{dangling} more rows would refer to rows that are not there" if dangling > 0 else ""


def _answered(done: Answers) -> list[Action]:
    """What an application answers now."""
    actions = [
        _did(
            "conflicts",
            _APPLICATION,
            "what breaks a constraint is answered 409, a row that is not found 404, a malformed value 422",
        )
    ]
    if done.keys:
        actions.append(_did("keys", _APPLICATION, "foreign keys are enforced"))
    if done.atomic:
        actions.append(_did("atomic", _APPLICATION, "a request that is answered with an error leaves nothing behind"))
    for tool, rows in sorted(done.rows.items()):
        told = ", ".join(f"{name} ({place.table}.{place.column})" for name, place in sorted(rows.items()))
        actions.append(_did("ghosts", tool, f"answers 404 if there is no row for: {told}"))
    return actions
