"""What a run will cost, before anything is asked: a rehearsal with a scenario of the library in the model's place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from awm_gym import places
from awm_gym.files import load
from awm_gym.gates.certificate import Certificate
from awm_gym.llm import Price, Prices, Request, Settings, Usage
from awm_gym.scenario import Scenario
from awm_gym.synth import filled
from awm_gym.synth.briefs import seeds
from awm_gym.synth.chat import ChatAuthor, Wants
from awm_gym.synth.draft import STAGES, Draft, Stage
from awm_gym.synth.pipeline import synthesize
from awm_gym.synth.report import PAPER

CHARACTERS = 3.6  # of a token, in prompts of English, SQL and JSON: an assumption, as tokenizers differ
CALLS = 9  # of an episode that a solver plays: an assumption, a little over the solutions of the library
_STAND_IN = "vet_clinic"  # a scenario of the size that is asked for by default
_BY_TASK = ("goals", "verifiers")


class Rehearsed(NamedTuple):
    """What one stage asks.

    Attributes:
        stage: its name.
        requests: at the first attempt.
        usage: tokens of these.
    """

    stage: str
    requests: int
    usage: Usage


@dataclass(frozen=True)
class Estimate:
    """What a run is likely to take.

    Attributes:
        scenarios: to be made.
        stages: by stage, for one scenario at its first attempt.
        factor: writings of a stage that are reckoned with.
        dollars: in all; None if a model has no price.
    """

    scenarios: int
    stages: tuple[Rehearsed, ...]
    factor: float
    dollars: float | None

    @property
    def requests(self) -> int:
        """In all."""
        return math.ceil(self.scenarios * self.factor * sum(stage.requests for stage in self.stages))

    @property
    def usage(self) -> Usage:
        """Tokens in all."""
        share = self.scenarios * self.factor
        return Usage(
            math.ceil(share * sum(stage.usage.prompt for stage in self.stages)),
            math.ceil(share * sum(stage.usage.completion for stage in self.stages)),
        )


def estimate(count: int, wants: Wants, settings: Settings, prices: Prices, solve: int = 0) -> Estimate:
    """Rehearse one scenario, and reckon with as many writings of a stage as the paper reports.

    Args:
        count: scenarios.
        wants: their size.
        settings: with the model of each stage.
        prices: of the models.
        solve: episodes of each task.
    """
    stand_in = load(places.root() / "scenarios" / _STAND_IN)
    stages = [*_rehearsed(stand_in, wants)]
    if solve:
        stages.append(_solving(stand_in, wants.tasks * solve))
    factor = PAPER["attempts"]
    dollars: float | None = 0.0
    for stage in stages:
        price: Price | None = prices.of(settings.model_of(stage.stage))
        dollars = None if price is None or dollars is None else dollars + price.of(stage.usage)
    return Estimate(count, tuple(stages), factor, None if dollars is None else dollars * count * factor)


def _rehearsed(stand_in: Scenario, wants: Wants) -> list[Rehearsed]:
    """What a scenario takes that is as large as wanted, by what the stand-in takes."""
    asker = _Rehearsal(stand_in)
    own = replace(wants, tasks=len(stand_in.tasks), least_tools=1)
    author = ChatAuthor(asker, seeds()[0].model_copy(update={"name": stand_in.name}), own)
    synthesize(author, stand_in.name, judge=_Lenient())
    found = []
    for stage in STAGES:
        asked = [usage for name, usage in asker.asked if name == stage.name]
        share = 1.0
        if stage.name in _BY_TASK:
            share = wants.tasks / len(stand_in.tasks)
        elif stage.name in ("interface", "tools"):
            share = wants.tools / len(stand_in.tools)
        prompt, completion = (sum(getattr(usage, field) for usage in asked) for field in Usage._fields)
        requests = len(asked) if stage.name == "interface" else math.ceil(share * len(asked))
        prompts = prompt if stage.name == "interface" else share * prompt
        found.append(Rehearsed(stage.name, requests, Usage(round(prompts), round(share * completion))))
    return found


def _solving(stand_in: Scenario, episodes: int) -> Rehearsed:
    """What episodes take: each call sends the tools, and all that was said before."""
    tools = sum(len(str(tool.document)) for tool in stand_in.tools.values()) / CHARACTERS
    prompt = CALLS * (tools + 400 * (CALLS + 1) / 2)
    return Rehearsed("solve", episodes * CALLS, Usage(round(episodes * prompt), round(episodes * CALLS * 60)))


class _Lenient:
    """Finds nothing: a rehearsal is not judged."""

    def stage(self, draft: Draft, stage: Stage, *, early: bool) -> tuple[str, ...]:
        return ()

    def whole(self, scenario: Scenario) -> Certificate:
        return Certificate(scenario.name, "", "", 0, {}, {})


class _Rehearsal:
    """Answers from a scenario, and counts."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.asked: list[tuple[str, Usage]] = []

    def ask_all(self, requests: Sequence[Request[Any]], /) -> list[Any]:
        answers = []
        for request in requests:
            form = filled.answer(self.scenario, request)
            sizes = (sum(len(str(message["content"])) for message in request.messages), len(form.model_dump_json()))
            self.asked.append((request.stage, Usage(*(round(size / CHARACTERS) for size in sizes))))
            answers.append(form)
        return answers
