"""A model that follows a script: it knows a whole scenario, and answers each form from it. `mistakes` spoil them.

What it says is a pure function of the request, so that runs which are killed and resumed hear the same.
"""

import json
import re
from pathlib import Path

from awm_gym.files import load
from awm_gym.synth import filled

SCRIPTS = Path(__file__).parent / "scripts"
_LABEL = re.compile(r"\[awm-gym stage=(\w+) scenario=(\S+) item=(\S+)(?: look=(\d+))? attempt=(\d+)\]")


class Asked:
    """What a request asks for, read from its last message."""

    def __init__(self, messages):
        self.text = messages[-1]["content"]
        self.prompt = messages[1]["content"]
        found = _LABEL.findall(self.text)[-1]
        self.stage, self.scenario, self.item, look, attempt = found
        self.look, self.attempt = int(look or 0), int(attempt)

    @property
    def key(self):
        return (self.stage, self.item, self.attempt)


def right(asked, scenario):
    """The form that the scenario holds for a request."""
    if asked.stage == "scenario":
        return filled.who(scenario)
    if asked.stage == "tasks":
        return filled.wishes(scenario)
    if asked.stage == "schema":
        return filled.schema(scenario)
    if asked.stage == "data":
        return filled.data(scenario)
    if asked.stage == "goals":
        return filled.goal(scenario.tasks[asked.item])
    if asked.stage == "interface":
        return filled.interface(list(scenario.tools.values()))
    if asked.stage == "tools":
        wanted = re.findall(r"^## (\w+)$", asked.prompt.partition("The tools to write:")[2], re.M)
        return filled.scripts([scenario.tools[name] for name in wanted])
    if asked.stage == "verifiers":
        return filled.proof(scenario.tasks[asked.item])
    raise AssertionError(f"nothing is known of the stage {asked.stage}")


def scenario_of(name):
    return load(SCRIPTS / name)


def document(asked, scenario):
    return json.loads(right(asked, scenario).model_dump_json())
