"""Reward schemes: what an episode pays, as values passed to the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from awm_gym.errors import UsageError, unknown
from awm_gym.verify import Verdict


@dataclass(frozen=True)
class RewardScheme:
    """What an episode pays. Rewards are sparse: they come with the step that ends the episode.

    Attributes:
        solved: for a task that is solved.
        partial: for progress without success: times the share of open checks that hold at the end if
            `graded`, else whole as soon as one does. Checks that held from the start count for nothing.
        graded: see `partial`; a graded episode with stray changes pays nothing.
        malformed: for an action that is no tool call at all, at once.
        ends_on_malformed: whether such an action ends the episode.
    """

    solved: float = 1.0
    partial: float = 0.0
    graded: bool = False
    malformed: float = 0.0
    ends_on_malformed: bool = False

    def of(self, verdict: Verdict, at_start: Mapping[str, bool]) -> float:
        """The reward of an episode, given its verdict and which checks held at its start."""
        if verdict.passed:
            return self.solved
        open_checks = [name for name in verdict.checks if not at_start.get(name, False)]
        done = sum(verdict.checks[name] for name in open_checks)
        if not done or not self.partial:
            return 0.0
        if self.graded:
            return 0.0 if verdict.stray else self.partial * done / len(open_checks)
        return self.partial


BINARY = RewardScheme()
GRADED = RewardScheme(partial=0.9, graded=True)
# Rewards of the Agent World Model recipe (arXiv 2602.10090): 1.0, 0.1, 0.0, and -1.0 with an early end
PAPER = RewardScheme(partial=0.1, malformed=-1.0, ends_on_malformed=True)
JUDGED = RewardScheme(partial=0.1)  # the same recipe, without its rule about the form of actions
SCHEMES = {"binary": BINARY, "graded": GRADED, "paper": PAPER, "judged": JUDGED}


def scheme(name: str | RewardScheme) -> RewardScheme:
    """A reward scheme by name: `binary`, `graded`, `paper` or `judged`; a scheme is its own.

    Raises:
        UsageError: there is no such scheme.
    """
    if isinstance(name, RewardScheme):
        return name
    if name not in SCHEMES:
        raise UsageError(unknown("reward scheme", name, SCHEMES))
    return SCHEMES[name]
