"""The blueprint author: fills a draft from a blueprint and a seed. A finding is a bug of the blueprint."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from awm_gym.blueprints.engine import Made, generate
from awm_gym.blueprints.folder import Blueprint
from awm_gym.errors import ScenarioError
from awm_gym.synth.draft import Draft, Stage, Written


class BlueprintAuthor:
    """Writes the scenario of a seed.

    Args:
        blueprint: the grammar.
        seed: the seed.

    Raises:
        ScenarioError: the blueprint is malformed.
    """

    name = "blueprint"
    mends = False

    def __init__(self, blueprint: Blueprint, seed: int) -> None:
        self.made: Made = generate(blueprint, seed)
        if self.made.faults:
            faults = "; ".join(f"{fault} ({count} times)" for fault, count in Counter(self.made.faults).items())
            raise ScenarioError(f"a bug of the blueprint, seed {seed}: {faults}", scenario=blueprint.name)

    def write(self, draft: Draft, stage: Stage, findings: tuple[str, ...]) -> Written:
        """The draft with the fields of a stage taken from what the seed yields."""
        scenario = self.made.scenario
        fields: dict[str, Any] = {
            "wishes": tuple((task.name, task.instruction) for task in scenario.tasks.values()),
            "notes": tuple((tool.name, tool.description) for tool in scenario.tools.values()),
            "tools": tuple(scenario.tools.values()),
            "tasks": tuple(scenario.tasks.values()),
        }
        return Written(replace(draft, **{name: fields.get(name) or getattr(scenario, name) for name in stage.writes}))
