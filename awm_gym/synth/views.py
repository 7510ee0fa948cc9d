"""What prompts show: the draft so far, tools in words, and examples from a scenario of the library."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from awm_gym import places
from awm_gym.arguments import describe
from awm_gym.files import load
from awm_gym.scenario import Scenario, Task, Tool
from awm_gym.synth.draft import Draft
from awm_gym.synth.forms import Form

_MODEL = "parcel_lockers"  # the scenario that examples are taken from


@cache
def example() -> Scenario:
    """The scenario that examples are taken from."""
    return load(places.root() / "scenarios" / _MODEL)


def example_write() -> Tool:
    """A tool of the example that refuses, writes and answers."""
    return next(tool for tool in example().tools.values() if "refuse(" in tool.sql and tool.refuses)


def example_task(form: Callable[[Task], Form]) -> str:
    """A task of the example with a change and an answer, its instruction and the form."""
    task = next(task for task in example().tasks.values() if task.changes and task.answer)
    return f"{task.instruction}\n\n{shown(form(task))}"


def shown(form: Form) -> str:
    """A form, as JSON."""
    return json.dumps(form.model_dump(), ensure_ascii=False)


def context(draft: Draft) -> str:
    """What every stage is told first: the application, its rules, the clock and the user."""
    bare = replace(draft, data="", tools=(), tasks=()).scenario()
    return f"{draft.name}: {draft.title}\n\n{draft.description}\n\n{bare.greeting}"


def wishes(draft: Draft) -> str:
    """The tasks in words, a line each."""
    return "\n".join(f"- {name}: {instruction}" for name, instruction in draft.wishes)


def count(number: int) -> str:
    """A number in a sentence."""
    return "none" if number == 0 else str(number)


def manual(tool: Tool, note: str = "") -> str:
    """A tool in words, with its SQL if it has one."""
    lines = [f"## {tool.name}", tool.description]
    for name, param in tool.params.items():
        where = f" where {param.where}" if param.where else ""
        key = f", of {param.of}{where}" if param.of else ""
        lines.append(f"- {name}: {describe(param)}{key}{'' if param.required else ', optional'}: {param.description}")
    if note:
        lines.append(note)
    if tool.sql.strip():
        lines.append(f"```sql\n{tool.sql.strip()}\n```")
    return "\n".join(lines)
