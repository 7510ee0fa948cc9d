"""The demo: the three scripted policies on every task of the library, and one episode told step by step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from awm_gym.agents.human import show_result
from awm_gym.agents.policy import Policy, play
from awm_gym.agents.scripted import Idle, Oracle, Random
from awm_gym.client import ROADS
from awm_gym.episode import Episode, written
from awm_gym.errors import printable
from awm_gym.library import open_scenario
from awm_gym.scenario import ToolCall

POLICIES = ("oracle", "idle", "random")


@dataclass(frozen=True)
class Played:
    """An episode, and the seconds its steps took (which are no part of the episode)."""

    episode: Episode
    seconds: float

    def document(self) -> dict[str, str | float | int]:
        """The episode in figures."""
        episode = self.episode
        return {
            "scenario": episode.scenario,
            "task": episode.task,
            "policy": episode.policy,
            "road": episode.road,
            "reward": episode.reward,
            "calls": len(episode.steps),
            "outcome": episode.outcome,
        }


def episodes(scenarios: Sequence[str], roads: Iterable[str] = tuple(ROADS), seed: int = 0) -> Iterator[Played]:
    """Play every task of the scenarios with each policy over each road."""
    for name in scenarios:
        scenario = open_scenario(name)
        for road in roads:
            env = gym.make("awm/Task", scenario=name, road=road)
            env.reset(seed=seed)  # opens the road, which is no step
            try:
                for index, task in enumerate(scenario.tasks):
                    draw = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
                    policies: list[Policy] = [Oracle(scenario), Idle(), Random(scenario, seed=draw)]
                    for policy in policies:
                        started = time.perf_counter()
                        episode = play(env, policy, task=task, seed=seed)
                        yield Played(episode, time.perf_counter() - started)
            finally:
                env.close()


def count(scenarios: Sequence[str], roads: Iterable[str] = tuple(ROADS)) -> int:
    """How many episodes `episodes` plays."""
    return sum(len(open_scenario(name).tasks) for name in scenarios) * len(POLICIES) * len(tuple(roads))


def summary(played: Sequence[Played]) -> Table:
    """A table with a row for each policy and road."""
    table = Table(title="Every task of the library", title_justify="left")
    for heading in ("policy", "road"):
        table.add_column(heading)
    for heading in ("tasks", "mean reward", "calls", "steps per second"):
        table.add_column(heading, justify="right")
    for policy in POLICIES:
        for road in ROADS:
            rows = [one for one in played if (one.episode.policy, one.episode.road) == (policy, road)]
            if rows:
                calls = sum(len(one.episode.steps) for one in rows)
                reward = sum(one.episode.reward for one in rows) / len(rows)
                speed = calls / sum(one.seconds for one in rows)
                table.add_row(policy, road, f"{len(rows)}", f"{reward:.2f}", f"{calls}", f"{speed:,.0f}")
    return table


def tell(console: Console, episode: Episode) -> None:
    """Tell one episode step by step."""
    console.print(Rule(Text(f"{episode.scenario}: {episode.task}, played by {episode.policy}")))
    console.print(Text(printable(episode.instruction), style="bold"))
    for step in episode.steps:
        call = step.action if isinstance(step.action, str) else written(ToolCall(**step.action))
        console.print(Text(f"\n> {printable(call)}", style="bold cyan"))
        if step.observation != episode.steps[-1].observation:
            show_result(console, step.observation)
    style = "bold green" if episode.outcome == "solved" else "bold yellow"
    console.print(Text(f"{episode.outcome}, reward {episode.reward:g}. {printable(episode.explanation)}", style=style))


def best(played: Sequence[Played]) -> Episode | None:
    """The episode worth telling: the longest that was solved; none if none was."""
    solved = [one.episode for one in played if one.episode.policy == "oracle" and one.episode.outcome == "solved"]
    return max(solved, key=lambda episode: (len(episode.steps), episode.scenario), default=None)
