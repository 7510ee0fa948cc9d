"""What environments and tool servers run: a scenario of ours, or one of imported data. One face for both."""

from __future__ import annotations

from awm_gym.imported import AwmWorld, Imported
from awm_gym.scenario import JsonValue, Scenario, Task
from awm_gym.verify import Verdict, verify
from awm_gym.world import World

Playable = Scenario | Imported
Live = World | AwmWorld


def start(scenario: Playable) -> Live:
    """A live copy of a scenario.

    Raises:
        ScenarioError: it is not sound.
        EnvironmentFault: its application breaks its worker.
    """
    return AwmWorld(scenario) if isinstance(scenario, Imported) else World(scenario)


def judge(live: Live, task: Task, answer: JsonValue = None, *, gave_up: bool = False) -> Verdict:
    """The verdict on an episode as its live copy left it: see `awm_gym.verify.verify`.

    Raises:
        ScenarioError: the verifier is broken.
        EnvironmentFault: a generated verifier came to no verdict.
    """
    if isinstance(live, World):
        return verify(live, task, answer, gave_up=gave_up)
    return live.verdict(None if answer is None else str(answer), gave_up=gave_up)


def holds_at_start(live: Live, task: Task) -> dict[str, bool]:
    """Which checks hold before anything was done. A language model is not asked for that."""
    if isinstance(live, AwmWorld) and live.scenario.terms.verifiers == "sql":
        return {}
    return dict(judge(live, task).checks)


def abandon(live: Live) -> None:
    """Leave a live copy in which a call may still be at work. A thread cannot be ended; a process can."""
    if isinstance(live, AwmWorld):
        live.close()
