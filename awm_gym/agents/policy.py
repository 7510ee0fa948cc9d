"""The seam between an environment and what acts in it, and the loop that joins them."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym

from awm_gym.episode import Episode, Step, as_action
from awm_gym.errors import EnvironmentFault
from awm_gym.scenario import ToolCall


class Policy(Protocol):
    """Chooses actions. `name` is what tables call it."""

    name: str

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Begin an episode: the first observation, and the info that `reset` gave."""

    def act(self, observation: str) -> ToolCall:
        """Choose the next action, given the latest observation."""


def play(env: gym.Env[str, ToolCall], policy: Policy, *, task: str | None = None, seed: int | None = None) -> Episode:
    """Play one episode to its end.

    Args:
        env: an environment as `gym.make` gives it, with a limit of steps.
        policy: who acts.
        task: the task to play; by default the environment draws one.
        seed: the seed of `reset`.
    """
    observation, info = env.reset(seed=seed, options=None if task is None else {"task": task})
    first, steps, reward = observation, list[Step](), 0.0
    road = str(getattr(env.unwrapped, "road", ""))
    policy.start(observation, info)
    ended = False
    while not ended:
        action = policy.act(observation)
        try:
            observation, paid, terminated, truncated, info = env.step(action)
        except EnvironmentFault as fault:
            info = info | {"outcome": "void", "explanation": str(fault)}
            break
        steps.append(Step(as_action(action), observation, info["error_kind"], float(paid)))
        reward += float(paid)
        ended = terminated or truncated
    return Episode(
        info["scenario"],
        info["task"],
        policy.name,
        road,
        first,
        tuple(steps),
        reward,
        info["outcome"],
        info.get("explanation", ""),
    )
