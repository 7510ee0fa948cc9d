"""The audit of tasks: what their verifiers are worth, and whether the tasks can be solved.

Verifiers are run as they are, in locked processes: on the untouched database with answers that anybody could give, on
databases without a table, at two times; and, where a solution is known, on what it makes of the database and on
mutants of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Literal, NamedTuple

from awm_gym.errors import printable
from awm_gym.formats.awm.audit.blame import blame
from awm_gym.formats.awm.audit.findings import CANNED, MUTATIONS, OWN_TEXT, TaskAudit, ToolAudit, Tried
from awm_gym.formats.awm.audit.mutants import mutants
from awm_gym.formats.awm.audit.solving import Court, Played
from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.host import App, Judge, VerifierFault
from awm_gym.formats.awm.images import Images, without_tables
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.formats.awm.tracing import Trace, Tracer

_LATER = timedelta(days=400, hours=5)  # another year, month, weekday and hour
_SPELLED = 300  # characters of an error
_MISSING = re.compile(r"no such (?:table|column)")


def audit_tasks(
    scenario: AwmScenario,
    base: Base,
    app: App,
    judge: Judge,
    images: Images,
    tools: Sequence[ToolAudit] = (),
) -> tuple[TaskAudit, ...]:
    """Find out what the verifiers of a scenario are worth, and whether its tasks can be solved.

    Args:
        scenario: with its solutions, if some are known.
        base: its database.
        app: its application.
        judge: who runs verifiers for their verdicts.
        images: who reads the databases that the application makes.
        tools: what was found out about its tools.

    Returns:
        One for each task, in order; the same for the same arguments.

    Raises:
        EnvironmentFault: there was no process to run something in, or a database cannot be read.
        SandboxUnavailable: this machine cannot lock verifiers up.
    """
    court = Court(scenario, base, judge, images)
    with Tracer() as tracer:
        tasks = [_Task(court, app, tracer, tools, number) for number in range(len(scenario.tasks))]
        return tuple(task.audit() for task in tasks)


class _Untouched(NamedTuple):
    """What a verifier says of the untouched database.

    Attributes:
        rewards: by the name of the answer, where it came to a verdict.
        crash: what it said instead, the first time that it came to none.
    """

    rewards: dict[str, float]
    crash: str


class _Pair(NamedTuple):
    """What was seen of one verifier on the same databases at two times."""

    now: Trace
    later: Trace


class _Task:
    """One task while it is looked at."""

    def __init__(self, court: Court, app: App, tracer: Tracer, tools: Sequence[ToolAudit], number: int) -> None:
        self._court, self._app, self._tracer, self._tools, self._number = court, app, tracer, tools, number
        self._text = court.scenario.tasks[number]
        self._solution = court.scenario.solutions.get(number)
        self._verifiers = court.scenario.verifiers.get(number, {})
        self._kind: Literal["code", "sql"] = "code" if "code" in self._verifiers else "sql"

    def audit(self) -> TaskAudit:
        """All that can be found out."""
        if not self._verifiers:
            return TaskAudit(number=self._number, kinds=(), blocked="it has no verifier")
        traces = self._traces
        played = self._played
        return TaskAudit(
            number=self._number,
            kinds=tuple(self._verifiers),
            crash=self._untouched.crash,
            swallows=self._swallows(),
            broken_sql=_each(error for trace in traces for error in (*trace.errors, *trace.unprepared)),
            paid_untouched=tuple(name for name, reward in self._untouched.rewards.items() if reward),
            reads_clock=self._reads_clock(),
            uses_answer=self._uses_answer,
            tables=_each(sorted(name for trace in traces for name in trace.tables)),
            solution=played.paid if played else "",
            solution_note=self._note(),
            strength=self._strength(),
            blocked=self._blocked(),
        )

    @cached_property
    def _untouched(self) -> _Untouched:
        initial = self._app.initial
        if self._kind == "sql":
            try:
                self._court.evidence(self._app, self._number, initial)
            except VerifierFault as fault:
                return _Untouched({}, _short(fault))
            return _Untouched({}, "")
        rewards, crash = {}, ""
        for name, answer in {**CANNED, OWN_TEXT: self._text}.items():
            try:
                rewards[name] = self._court.reward(self._app, self._number, initial, answer)
            except VerifierFault as fault:
                crash = crash or f"{_short(fault)} (with the answer {name})"
        return _Untouched(rewards, crash)

    def _trace(self, initial: bytes, final: bytes, answer: str | None, *, later: bool = False) -> Trace:
        now = self._court.base.now + (_LATER if later else timedelta())
        return self._tracer.run(self._kind, self._verifiers[self._kind], initial, final, answer, now=now)

    def _at_two_times(self, final: bytes, answer: str | None) -> _Pair:
        initial = self._app.initial
        return _Pair(self._trace(initial, final, answer), self._trace(initial, final, answer, later=True))

    @cached_property
    def _idle(self) -> _Pair:
        return self._at_two_times(self._app.initial, self._text)

    @cached_property
    def _solved(self) -> tuple[_Pair, ...]:
        """In the state that the known solution leaves."""
        if self._played is None or self._played.image is None or self._solution is None:
            return ()
        return (self._at_two_times(self._played.image, self._solution.answer),)

    @property
    def _traces(self) -> list[Trace]:
        return [trace for pair in (self._idle, *self._solved) for trace in pair]

    def _reads_clock(self) -> bool:
        differs = any(pair.now.result != pair.later.result for pair in (self._idle, *self._solved))
        return differs or any(trace.asks_time or trace.clock_in_text for trace in self._traces)

    @cached_property
    def _uses_answer(self) -> bool:
        verdicts = set(self._untouched.rewards.values())
        return len(verdicts) > 1 or any(trace.uses_answer for trace in self._traces)

    def _swallows(self) -> bool:
        found = self._trace(without_tables(), without_tables(), self._text)
        return not found.raised and (self._kind == "sql" or found.result == {"result": "others"})

    @cached_property
    def _played(self) -> Played | None:
        if self._solution is None or self._kind == "sql":
            return None
        return self._court.play(self._app, self._number, self._solution)

    def _note(self) -> str:
        """Where the known solution fails, and whether that tool ever answers."""
        if self._played is None:
            return ""
        for tool in self._tools:
            if tool.name == self._played.tool and tool.crashed == tool.calls:
                return f"{self._played.note}; all {tool.calls} calls of {tool.name} that were tried crashed"
        return self._played.note

    def _strength(self) -> dict[str, Tried]:
        if not self._played or not self._played.image or self._played.paid != "paid" or not self._solution:
            return {}
        found = dict.fromkeys(MUTATIONS, Tried(0, 0))
        for mutant in mutants(self._court.images, self._app.initial, self._played.image):
            made, accepted = found[mutant.mutation]
            found[mutant.mutation] = Tried(made + 1, accepted + self._accepts(mutant.image, self._solution.answer))
        return found

    def _accepts(self, image: bytes, answer: str | None) -> bool:
        try:
            return self._court.reward(self._app, self._number, image, answer) == 1.0
        except VerifierFault:  # no verdict is no reward
            return False

    def _blocked(self) -> str:
        """Why nobody is ever paid, where that is proved."""
        if any(self._untouched.rewards.values()) or (self._played and self._played.paid == "paid"):
            return ""
        if (
            self._solution
            and self._played
            and (reason := blame(self._court, self._number, self._solution, self._played))
        ):
            return reason
        if missing := [error for error in _each(e for t in self._traces for e in t.errors) if _MISSING.match(error)]:
            return f"the verifier asks for what is not there: {missing[0]}"
        writers = [tool for tool in self._tools if tool.method != "GET"]
        if self._kind == "code" and not self._uses_answer and writers and all(t.crashed == t.calls for t in writers):
            return "the database must change, and every call crashed of every tool that could change it"
        return ""


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text once, as messages show it."""
    return tuple(dict.fromkeys(printable(text) for text in texts))


def _short(fault: VerifierFault) -> str:
    return printable(str(fault))[:_SPELLED]
