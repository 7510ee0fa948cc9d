"""How hard tasks are for a language model: the share of its attempts that solve them."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium.wrappers import TimeLimit

from awm_gym.agents.chat import Chat, Talker
from awm_gym.agents.policy import play
from awm_gym.env import ToolEnv, TruncationOutcome
from awm_gym.episode import Episode
from awm_gym.errors import AwmError, EnvironmentFault, UsageError, shown
from awm_gym.library import MAX_EPISODE_STEPS
from awm_gym.llm import Message, Said
from awm_gym.scenario import Scenario, ToolCall

AT_ONCE = 8  # attempts, unless the caller says otherwise
_BAND = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*:\s*([0-9]*\.?[0-9]+)\s*", re.ASCII)


class Solved(NamedTuple):
    """How a model did at one task.

    Attributes:
        solved: attempts that solved it.
        attempts: all of them.
        calls: of each attempt, in the order of their numbers, the one that ends it included.
        tokens: of all attempts, also of answers that were kept from earlier: measured again, they are the same.
    """

    solved: int
    attempts: int
    calls: tuple[int, ...]
    tokens: int

    @property
    def rate(self) -> float:
        """The share of the attempts that solved the task."""
        return self.solved / self.attempts


def measure(
    scenario: Scenario,
    model: Talker,
    attempts: int,
    *,
    max_steps: int = MAX_EPISODE_STEPS,
    at_once: int = AT_ONCE,
) -> dict[str, Solved]:
    """Let a model attempt every task of a scenario, in environments as agents have them.

    The first error ends it all: what is under way is asked no further.

    Args:
        scenario: whose tasks are attempted.
        model: who attempts them; asked from several threads at a time.
        attempts: at each task. Attempts differ as far as the model's answers to the same question do.
        max_steps: calls of an attempt; one that needs more has not solved the task.
        at_once: attempts at a time. More than the model's settings allow requests at a time gain nothing.

    Returns:
        Task -> how the model did, in the order of the tasks.

    Raises:
        UsageError: there is to be no attempt at all.
        EnvironmentFault: the machinery of an attempt failed, so that it says nothing about the task.
        ModelError: the server refuses, or cannot be reached.
        BudgetSpent: the budget is spent.
    """
    if attempts < 1:
        raise UsageError(f"attempts is {shown(attempts)}; a task needs at least 1.")
    orders = [_Order(task, number) for task in scenario.tasks for number in range(attempts)]
    halt = threading.Event()
    asked = _Until(halt, model)
    with ThreadPoolExecutor(at_once) as pool:
        playing = [pool.submit(_attempt, scenario, asked, order, max_steps) for order in orders]
        try:
            done, _ = wait(playing, return_when=FIRST_EXCEPTION)
        finally:
            halt.set()
            pool.shutdown(wait=False, cancel_futures=True)
    played = [attempt.result() for attempt in playing if attempt in done]
    tasks = {task: played[at * attempts : (at + 1) * attempts] for at, task in enumerate(scenario.tasks)}
    return {task: _summed(own) for task, own in tasks.items()}


def figures(found: Mapping[str, Solved], model: str) -> dict[str, Any]:
    """What was found, as a certificate has it: task -> attempts that solved it, and all; and the model's name."""
    return {"solved": {task: [one.solved, one.attempts] for task, one in found.items()}, "model": model}


def outside(found: Mapping[str, Solved], low: float, high: float) -> tuple[str, ...]:
    """The tasks that are solved by less than a share `low` of the attempts, or by more than `high`, in their order."""
    return tuple(task for task, one in found.items() if not low <= one.rate <= high)


def band(text: str) -> tuple[float, float]:
    """Read two shares: `0.1:0.9`.

    Raises:
        UsageError: the text has another form, a share is more than 1, or the lower is not the first.
    """
    shares = _BAND.fullmatch(text)
    low, high = map(float, shares.groups()) if shares else (1.0, 0.0)
    if not low <= high <= 1:
        raise UsageError(f"{shown(text)} is not of the form LOW:HIGH, shares from 0 to 1, such as 0.1:0.9.")
    return low, high


class _Order(NamedTuple):
    task: str
    number: int


class _Attempt(NamedTuple):
    episode: Episode
    tokens: int


class _Halted(AwmError):
    """Another attempt has ended it all."""


class _Until(NamedTuple):
    """A model that is asked no more once `halt` is set: nobody would look at what it says."""

    halt: threading.Event
    model: Talker

    def talk(
        self,
        scenario: str,
        stage: str,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        number: int = 0,
    ) -> Said:
        """What the model says or calls next in a conversation."""
        if self.halt.is_set():
            raise _Halted("another attempt has failed")
        return self.model.talk(scenario, stage, messages, tools, number)


def _attempt(scenario: Scenario, model: Talker, order: _Order, max_steps: int) -> _Attempt:
    env: gym.Env[str, ToolCall] = TruncationOutcome(TimeLimit(ToolEnv(scenario), max_steps))
    policy = Chat(model, number=order.number)
    try:
        episode = play(env, policy, task=order.task, seed=order.number)
    finally:
        env.close()
    if episode.outcome == "void":
        raise EnvironmentFault(f"{scenario.name}, {order.task}: {episode.explanation}")
    return _Attempt(episode, policy.usage.total)


def _summed(played: Sequence[_Attempt]) -> Solved:
    return Solved(
        solved=sum(one.episode.outcome == "solved" for one in played),
        attempts=len(played),
        calls=tuple(len(one.episode.steps) for one in played),
        tokens=sum(one.tokens for one in played),
    )
