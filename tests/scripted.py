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
        self.messages = messages
        found = _LABEL.findall(messages[-1]["content"])[-1]
        self.stage, self.scenario, self.item, look, attempt = found
        self.look, self.attempt = int(look or 0), int(attempt)

    @property
    def key(self):
        return (self.stage, self.item, self.attempt)


def scenario_of(name):
    return load(SCRIPTS / name)


def document(asked, scenario):
    return json.loads(filled.answer(scenario, asked).model_dump_json())
