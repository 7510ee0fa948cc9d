"""What runs of synthesis took, read from their log: by stage, beside the figures of the paper that we follow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from awm_gym.errors import UsageError
from awm_gym.llm import Price, Prices, Usage
from awm_gym.synth.draft import STAGES

# Agent World Model, arXiv 2602.10090: first attempts that hold (schema), writings a stage, dollars an environment.
PAPER = {"first_try": 0.883, "attempts": 1.13, "dollars": 0.57}
_ORDER = ("briefs", "suitability", *(stage.name for stage in STAGES), "gates", "solve")


@dataclass
class StageReport:
    """What a stage took.

    Attributes:
        scenarios: that came to it.
        held: of these, how many held at the first attempt.
        attempts: all its writings.
        requests: different ones, kept or paid.
        usage: their tokens.
        dollars: what they cost by list prices when they were first asked; None if a model has no price.
    """

    scenarios: int = 0
    held: int = 0
    attempts: int = 0
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    dollars: float | None = 0.0


@dataclass
class Report:
    """What all runs into one folder took.

    Attributes:
        made: scenarios that were certified.
        rejected: name -> why, of those that were not.
        dropped: tasks and tools that were given up.
        stages: by name, in the order of the pipeline.
    """

    made: tuple[str, ...] = ()
    rejected: dict[str, str] = field(default_factory=dict)
    dropped: int = 0
    stages: dict[str, StageReport] = field(default_factory=dict)

    @property
    def first_try(self) -> float | None:
        """The share of stages that held at the first attempt, the final gates left out."""
        found = [stage for name, stage in self.stages.items() if name != "gates" and stage.scenarios]
        return sum(one.held for one in found) / sum(one.scenarios for one in found) if found else None

    @property
    def attempts(self) -> float | None:
        """Writings of a stage, on average."""
        found = [one.attempts / one.scenarios for name, one in self.stages.items() if name != "gates" and one.scenarios]
        return mean(found) if found else None

    @property
    def dollars(self) -> float | None:
        """What a certified scenario cost, the rejected ones included; None if that is not known."""
        costs = [one.dollars for one in self.stages.values()]
        if not self.made or any(cost is None for cost in costs):
            return None
        return sum(cost or 0.0 for cost in costs) / len(self.made)

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons of rejection by the stage and the gate that found them, the most frequent first."""
        return Counter(": ".join(why.split(": ")[:2]) for why in self.rejected.values()).most_common()

    def document(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "certified": list(self.made),
            "rejected": self.rejected,
            "dropped": self.dropped,
            "first_try": self.first_try,
            "attempts": self.attempts,
            "dollars_per_scenario": self.dollars,
            "paper": PAPER,
            "stages": {name: {**vars(stage), "usage": stage.usage._asdict()} for name, stage in self.stages.items()},
        }


def read_report(log: Path, prices: Prices) -> Report:
    """The report of a log. What was done twice, by a run that was resumed, counts once.

    Raises:
        UsageError: there is no log, or it holds what is none.
    """
    attempts: dict[tuple[str, str, int, int], bool] = {}
    requests: dict[str, Mapping[str, Any]] = {}
    outcomes: dict[str, Mapping[str, Any]] = {}
    for entry in _entries(log):
        if entry["kind"] == "attempt":
            key = (entry["scenario"], entry["stage"], entry["round"], entry["number"])
            attempts[key] = not entry["findings"]
        elif entry["kind"] == "request":
            requests.setdefault(entry["key"], entry)
        elif entry["kind"] == "outcome":
            outcomes[entry["scenario"]] = entry
    stages = {name: _stage(name, attempts, requests.values(), prices) for name in _ORDER}
    whole = {name: one for name, one in outcomes.items() if not one.get("until")}
    return Report(
        tuple(sorted(name for name, one in whole.items() if one["passed"])),
        {name: str(one["rejected"]) for name, one in sorted(outcomes.items()) if not one["passed"]},
        sum(len(one.get("dropped", ())) for one in outcomes.values()),
        {name: stage for name, stage in stages.items() if stage.attempts or stage.requests},
    )


def _entries(log: Path) -> Iterable[Mapping[str, Any]]:
    """The entries of a log. A line that was cut when a run was killed is none."""
    read = unread = 0
    try:
        with log.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    entry["kind"]
                except (ValueError, KeyError, TypeError):
                    unread += 1
                    continue
                read += 1
                yield entry
    except OSError as error:
        raise UsageError(f"There is no log {log} ({error.strerror}); give the folder that synth wrote to.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{log} is not UTF-8; it is no log of synth.") from error
    if unread > read:
        raise UsageError(f"{log} is no log of synth: {unread} of its {read + unread} lines are no entries.")


def _stage(
    name: str,
    attempts: Mapping[tuple[str, str, int, int], bool],
    requests: Iterable[Mapping[str, Any]],
    prices: Prices,
) -> StageReport:
    own = {key: held for key, held in attempts.items() if key[1] == name}
    asked = [entry for entry in requests if entry["stage"] == name]
    usage, dollars = Usage(), 0.0
    priced = True
    for entry in asked:
        one = Usage(entry["prompt_tokens"], entry["completion_tokens"])
        price: Price | None = prices.of(entry["model"])
        usage, priced = usage.plus(one), priced and price is not None
        dollars += price.of(one) if price else 0.0
    return StageReport(
        len({key[0] for key in own}),
        sum(held for key, held in own.items() if key[2:] == (1, 1)),
        len(own),
        len(asked),
        usage,
        dollars if priced else None,
    )
