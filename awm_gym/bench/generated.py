"""Generated applications here: in locked workers, forked for each episode or restored in place."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from awm_gym.bench.machine import MB, median_us
from awm_gym.bench.workload import must
from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.base import Base, build
from awm_gym.formats.awm.host import Answer, App, Episode, Judge, VerifierFault, likely_calls
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.sandbox.protection import UNSANDBOXED, unsandboxed_allowed
from awm_gym.scenario import ToolCall

_WEIGHED = 10  # environments whose memory is weighed
LIVE_STEPS = 5  # calls of each of the environments that live at once, and before memory is weighed
LEGEND = (
    "awm_gym: applications and verifiers in locked workers, calls in process through ASGI, the database in memory; an "
    "episode is forked, or restored in place. {ours}.\n"
    "baseline: what the original does: a process for each environment, the application under uvicorn on a file of "
    "{baseline}, calls over HTTP, a process for each verdict on copies of the files; nothing of it is locked up. Its "
    "reset is the start of the process until it answers, its memory what the process holds; ours is what an episode's "
    "process does not share.\n"
    "Both answered every call with the same status, and with the same body but for what the clock and random numbers "
    "make of it, and judged alike. Python {python}."
)

Place = tuple[str | int, ...]


class Size(NamedTuple):
    """How often what is measured.

    Attributes:
        episodes: played here, of each kind of reset.
        starts: processes that the baseline starts, each for one episode.
        many: environments that live at once here.
        many_servers: the same of the baseline; 0 for none.
    """

    episodes: int
    starts: int
    many: int
    many_servers: int


FULL = Size(episodes=60, starts=8, many=64, many_servers=64)
QUICK = Size(episodes=10, starts=2, many=64, many_servers=0)


class Step(NamedTuple):
    """A call, its answer, and the places in the answer that are a matter of the clock or of chance."""

    call: ToolCall
    answer: Answer
    loose: frozenset[Place]


class Judged(NamedTuple):
    """A verifier, the answer that it is shown, and the reward that it gives."""

    code: str
    answer: str
    reward: float


class Play(NamedTuple):
    """An episode: its steps, the database that they leave, and who judges that."""

    steps: tuple[Step, ...]
    final: bytes
    judged: tuple[Judged, ...]


class Subject(NamedTuple):
    """What is measured.

    Attributes:
        scenario: the data.
        base: its initial database.
        allow_unsandboxed: see `Worker`.
    """

    scenario: AwmScenario
    base: Base
    allow_unsandboxed: bool

    def app(self, reset: str = "fork", **changed: Any) -> App:
        """The application, loaded."""
        return App(
            self.scenario.code,
            replace(self.base, **changed),
            name=self.scenario.name,
            reset="inplace" if reset == "inplace" else "fork",
            rehearsal=likely_calls(self.scenario),
            allow_unsandboxed=self.allow_unsandboxed,
        )


def insist_on_consent(allow_unsandboxed: bool) -> None:
    """The baseline runs generated code as the original does.

    Raises:
        UsageError: the user has not said that this may be.
    """
    if not unsandboxed_allowed(allow_unsandboxed):
        raise UsageError(
            "the baseline runs generated code as the original does, without a sandbox: it may do whatever you may. "
            f"For data that you trust say --allow-unsandboxed, or set {UNSANDBOXED}=1"
        )


def subject(scenario: AwmScenario, *, allow_unsandboxed: bool = False) -> Subject:
    """Prepare a scenario.

    Raises:
        ScenarioError: its database cannot be built.
    """
    return Subject(scenario, build(scenario), allow_unsandboxed)


def plays(what: Subject) -> tuple[Play, ...]:
    """The episodes to measure: known solutions; without any, the examples of the specification that succeed.

    Raises:
        UsageError: there is nothing that succeeds, or nobody who judges.
    """
    scenario = what.scenario
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with what.app() as app, what.app(now=now, sha256="other dice") as later, Judge() as judge:
        collided = {name for each in app.collisions for name in (each.first, each.second)}
        found = [
            played
            for calls, judged in _candidates(scenario)
            if (played := _played((app, later, judge), what.base, [c for c in calls if c.name not in collided], judged))
        ]
    if not found:
        raise UsageError(f"{scenario.name} cannot be measured: no call succeeds, or it has no verifier of kind code")
    return tuple(found)


def _candidates(scenario: AwmScenario) -> Iterator[tuple[Sequence[ToolCall], list[tuple[str, str]]]]:
    """Calls, and verifiers with the answers that they are shown."""
    codes = {task: kinds["code"] for task, kinds in scenario.verifiers.items() if "code" in kinds}
    solved = [(solution, codes[task]) for task, solution in scenario.solutions.items() if task in codes]
    for solution, code in solved:
        yield solution.calls, [(code, solution.answer or "")]
    if not solved:
        yield likely_calls(scenario), [(code, "") for code in codes.values()]


def _played(
    workers: tuple[App, App, Judge], base: Base, calls: Sequence[ToolCall], judged: list[tuple[str, str]]
) -> Play | None:
    """Play calls at two times with other dice, and keep those that succeed at both."""
    app, later, judge = workers
    known = {tool.name for tool in app.tools}
    good = [call for call, *answers in _pairs(app, later, [c for c in calls if c.name in known]) if _succeed(answers)]
    steps = tuple(Step(call, here, _loose(here, then)) for call, here, then in _pairs(app, later, good))
    if not steps:
        return None
    with app.reset() as episode:
        for step in steps:
            episode.call(*step.call)
        final = episode.image()
    verdicts = tuple(_verdicts(judge, app.initial, final, base, judged))
    return Play(steps, final, verdicts) if verdicts else None


def _verdicts(
    judge: Judge, initial: bytes, final: bytes, base: Base, judged: list[tuple[str, str]]
) -> Iterator[Judged]:
    """The verdicts of those verifiers that come to one."""
    for code, answer in judged:
        with contextlib.suppress(VerifierFault):
            yield Judged(code, answer, judge.reward(code, initial, final, answer, now=base.now))


def _pairs(app: App, later: App, calls: Sequence[ToolCall]) -> list[tuple[ToolCall, Answer, Answer]]:
    with app.reset() as first, later.reset() as second:
        return [(call, first.call(*call), second.call(*call)) for call in calls]


def _succeed(answers: Sequence[Answer]) -> bool:
    return all(answer.status // 100 == 2 for answer in answers)


def _loose(here: Answer, then: Answer) -> frozenset[Place]:
    return frozenset(_differing(_read(here.text), _read(then.text)))


def _differing(first: Any, second: Any, at: Place = ()) -> Iterator[Place]:
    """The places where two JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key, value in first.items():
            yield from _differing(value, second[key], (*at, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for place, value in enumerate(first):
            yield from _differing(value, second[place], (*at, place))
    elif first != second:
        yield at


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def must_agree(who: str, step: Step, status: int, text: str) -> None:
    """Stop the bench if a call was answered otherwise than here.

    Raises:
        EnvironmentFault: the status differs; or the body, where it is no matter of the clock or of chance.
    """
    here = step.answer
    strict = [at for at in _differing(_read(here.text), _read(text)) if not any(at[: len(p)] == p for p in step.loose)]
    told = f"with {status} {text[:200]!r}, not {here.status} {here.text[:200]!r}"
    must(status == here.status and not strict, f"{who} answers {step.call.name} {told}, at {strict[:3]}")


def measure(what: Subject, episodes: Sequence[Play], size: Size, tell: Callable[[str], None]) -> dict[str, float]:
    """Figures of an application by their names.

    Raises:
        EnvironmentFault: an episode does not go as it must.
    """
    with (
        what.app() as forked,
        what.app("inplace") as restored,
        Judge(allow_unsandboxed=what.allow_unsandboxed) as judge,
    ):
        tell("forked episodes")
        fork = _Timed(forked, judge, what.base)
        fork.play(episodes, size.episodes)
        tell("episodes in place")
        place = _Timed(restored, judge, what.base)
        place.play(episodes, size.episodes)
        tell("memory")
        memory = _memory(forked, episodes)
        tell(f"{size.many} environments at once")
        live = _live(forked, judge, what.base, episodes, size.many)
    return {
        "reset_us": median_us(fork.resets),
        "reset_inplace_us": median_us(place.resets),
        "step_us": median_us(fork.steps),
        "step_inplace_us": median_us(place.steps),
        "verify_us": median_us(fork.verdicts + place.verdicts),
        "memory_mb": memory,
        "episodes_per_second": len(fork.episodes) / sum(fork.episodes),
    } | live


def live_figures(count: int, seconds: float, failures: int) -> dict[str, float]:
    """Figures of environments that lived at once; nothing if there were none."""
    return {f"live_{count}_s": seconds, f"live_{count}_failures": float(failures)} if count else {}


class _Timed:
    """Durations of the parts of episodes, in seconds."""

    def __init__(self, app: App, judge: Judge, base: Base) -> None:
        self._app, self._judge, self._base = app, judge, base
        self.resets: list[float] = []
        self.steps: list[float] = []
        self.verdicts: list[float] = []
        self.episodes: list[float] = []

    def play(self, plays: Sequence[Play], count: int) -> None:
        """Play episodes one after another; first one of each kind that is not counted, as verifiers are compiled."""
        for play in plays:
            self._episode(play)
        self.resets, self.steps, self.verdicts, self.episodes = [], [], [], []
        for index in range(count):
            self._episode(plays[index % len(plays)])

    def _episode(self, play: Play) -> None:
        clock = time.perf_counter
        began = clock()
        with self._app.reset() as episode:
            self.resets.append(clock() - began)
            for step in play.steps:
                start = clock()
                answer = episode.call(*step.call)
                self.steps.append(clock() - start)
                must(answer == step.answer, f"{step.call.name} is answered otherwise the second time")
            final = episode.image()
            start = clock()
            reward = _judged(self._judge, self._app, play.judged[0], final, self._base)
            self.verdicts.append(clock() - start)
        self.episodes.append(clock() - began)
        must(reward == play.judged[0].reward, "a verifier judges otherwise the second time")


def _judged(judge: Judge, app: App, judged: Judged, final: bytes, base: Base) -> float:
    return judge.reward(judged.code, app.initial, final, judged.answer, now=base.now)


def _memory(app: App, plays: Sequence[Play]) -> float:
    """What the process of an environment among others does not share, after five calls, in MB; the median."""
    with contextlib.ExitStack() as stack:
        live = [stack.enter_context(app.reset()) for _ in range(_WEIGHED)]
        for index, episode in enumerate(live):
            _step(episode, plays[index % len(plays)])
        return statistics.median(_private_mb(episode.process) for episode in live)


def _private_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024 / MB


def _step(episode: Episode, play: Play) -> None:
    for step in play.steps[:LIVE_STEPS]:
        answer = episode.call(*step.call)
        must_agree("an environment among others", step, answer.status, answer.text)


def _live(app: App, judge: Judge, base: Base, plays: Sequence[Play], count: int) -> dict[str, float]:
    """So many environments at once: made, each stepped, and judged."""
    failures, start = 0, time.perf_counter()
    with contextlib.ExitStack() as stack:
        live = [stack.enter_context(app.reset()) for _ in range(count)]
        for index, episode in enumerate(live):
            play = plays[index % len(plays)]
            try:
                _step(episode, play)
                _judged(judge, app, play.judged[0], episode.image(), base)
            except EnvironmentFault:
                failures += 1
    return live_figures(count, time.perf_counter() - start, failures)
