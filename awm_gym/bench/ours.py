"""What awm_gym itself takes: environments as `gym.make` gives them, in this process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym

from awm_gym.bench.machine import median_us, own_memory_mb
from awm_gym.bench.workload import Run, Size, must, must_answer
from awm_gym.scenario import ToolCall
from awm_gym.verify import verify

Env = gym.Env[str, ToolCall]


def measure(scenario: str, runs: Sequence[Run], size: Size, tell: Callable[[str], None]) -> dict[str, float]:
    """Figures of a scenario, by their names.

    Raises:
        EnvironmentFault: an episode does not go as it must.
    """
    tell("memory")
    memory = _memory(scenario, runs, size.worlds)
    tell("direct")
    direct = _Timed(scenario, "direct", runs)
    direct.play(size.passes)
    tell("framed MCP in memory")
    framed = _Timed(scenario, "memory", runs)
    framed.play(size.passes)
    tell(f"{size.many:,} environments")
    return {
        "reset_us": median_us(direct.resets),
        "step_us": median_us(direct.reads + direct.writes),
        "step_read_us": median_us(direct.reads or [0.0]),
        "step_write_us": median_us(direct.writes or [0.0]),
        "step_memory_us": median_us(framed.reads + framed.writes),
        "verify_us": median_us(direct.verdicts),
        "memory_mb": memory,
        "steps_per_second": direct.steps_per_second,
        "episodes_per_second": _episodes_per_second(scenario, runs, size.passes),
    } | _many(scenario, runs, size.many)


@contextmanager
def _environments(scenario: str, count: int, road: str = "direct") -> Iterator[list[Env]]:
    envs: list[Env] = []
    try:
        for _ in range(count):
            envs.append(gym.make("awm/Task", scenario=scenario, road=road))
        yield envs
    finally:
        for env in envs:
            env.close()


def _memory(scenario: str, runs: Sequence[Run], count: int) -> float:
    """Resident memory of a further environment, after a reset and a few steps."""

    def use(env: Env, run: Run) -> None:
        env.reset(seed=0, options={"task": run.task.name})
        for step in run.steps[:4]:
            env.step(step.call)

    with _environments(scenario, 1) as first:  # what all share is paid once
        for run in runs:
            use(first[0], run)
        gc.collect()
        before = own_memory_mb()
        with _environments(scenario, count) as further:
            for index, env in enumerate(further):
                use(env, runs[index % len(runs)])
            gc.collect()
            return (own_memory_mb() - before) / count


class _Timed:
    """Durations of the parts of episodes over one road, in seconds."""

    def __init__(self, scenario: str, road: str, runs: Sequence[Run]) -> None:
        self.scenario, self.road, self.runs = scenario, road, {run.task.name: run for run in runs}
        self.resets: list[float] = []
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.verdicts: list[float] = []

    @property
    def steps_per_second(self) -> float:
        return (len(self.reads) + len(self.writes)) / (sum(self.reads) + sum(self.writes))

    def play(self, passes: int) -> None:
        """Play as many episodes, of tasks as `reset` draws them."""
        with _environments(self.scenario, 1, self.road) as envs:
            env = envs[0]
            for name in self.runs:  # statements are compiled once
                _, info = env.reset(seed=1, options={"task": name})
                self._episode(env, info)
            self.resets, self.reads, self.writes, self.verdicts = [], [], [], []
            for _ in range(passes * len(self.runs)):
                start = time.perf_counter()
                _, info = env.reset()
                self.resets.append(time.perf_counter() - start)
                self._episode(env, info)

    def _episode(self, env: Env, info: dict[str, Any]) -> None:
        run, clock = self.runs[info["task"]], time.perf_counter
        for step in run.steps:
            start = clock()
            text, *_ = env.step(step.call)
            (self.writes if step.writes else self.reads).append(clock() - start)
            must_answer(f"the road {self.road}", step, text)
        world = env.unwrapped.world  # type: ignore[attr-defined]
        start = clock()
        verdict = verify(world, run.task, run.answer, gave_up=run.gave_up)
        self.verdicts.append(clock() - start)
        must(verdict.passed, f"the solution of {run.task.name} does not verify over the road {self.road}")


def _episodes_per_second(scenario: str, runs: Sequence[Run], passes: int) -> float:
    """Whole episodes, from `reset` to the reward."""
    with _environments(scenario, 1) as envs:
        env, solved = envs[0], 0.0
        env.reset(seed=2)
        start = time.perf_counter()
        for _ in range(passes):
            for run in runs:
                env.reset(options={"task": run.task.name})
                for step in run.steps:
                    env.step(step.call)
                solved += float(env.step(run.end)[1])
        elapsed = time.perf_counter() - start
    must(solved == passes * len(runs), "an episode that plays a solution is not rewarded")
    return passes * len(runs) / elapsed


def _many(scenario: str, runs: Sequence[Run], count: int) -> dict[str, float]:
    """A thousand environments: made and reset for the first time, and reset again after a step."""
    start = time.perf_counter()
    with _environments(scenario, count) as envs:
        for index, env in enumerate(envs):
            env.reset(seed=index, options={"task": runs[index % len(runs)].task.name})
        made = time.perf_counter() - start
        for index, env in enumerate(envs):
            env.step(runs[index % len(runs)].steps[0].call)
        start = time.perf_counter()
        for env in envs:
            env.reset()
        again = time.perf_counter() - start
    return {f"make_{count}_s": made, f"reset_{count}_ms": again * 1e3}
