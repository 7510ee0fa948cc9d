"""Tasks as AgentWorldModel has them: an instruction that says everything, and a final answer that is text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from awm_gym.answers import described
from awm_gym.formats.awm.export.verifiers import tables_before
from awm_gym.scenario import GIVE_UP, RESERVED, SUBMIT, Answer, JsonValue, Scenario, Task, ToolCall
from awm_gym.world import compiled


def left_out(scenario: Scenario, task: Task) -> str:
    """Why a task has no form in AgentWorldModel data; "" if it has one."""
    if task.infeasible is not None:
        return "right is to give up, which no verifier there can tell"
    if task.given:
        return "it starts from data of its own, and there all tasks start from the same"
    views = sorted(set(tables_before(scenario, task)) - set(compiled(scenario).template.tables))
    return f"it reads before.{views[0]}: of the start there are only tables" if views else ""


def exported(scenario: Scenario) -> list[Task]:
    """The tasks that have a form there, in order."""
    return [task for task in scenario.tasks.values() if not left_out(scenario, task)]


def instruction(scenario: Scenario, task: Task) -> str:
    """What an agent is told: the date, for whom it acts, what to do, and how to put the answer."""
    form = f"\n\n{_form(task.answer)}" if task.answer else ""
    return f"{scenario.greeting}\n\n{task.instruction.strip()}{form}"


def _form(answer: Answer) -> str:
    way = "as JSON and nothing else" if answer.type in ("list", "record") else "and nothing else"
    return f"Your final answer must be {described(answer)}, {way}."


def tool_calls(calls: Iterable[ToolCall]) -> list[ToolCall]:
    """The calls of tools, without the one that ends the episode."""
    return [call for call in calls if call.name not in RESERVED]


def final_answer(calls: Iterable[ToolCall]) -> str | None:
    """What is submitted, as text; None if nothing is."""
    for call in calls:
        if call.name == SUBMIT and "answer" in call.arguments:
            return spoken(call.arguments["answer"])
    return None


def gives_up(calls: Iterable[ToolCall]) -> bool:
    """Whether the episode ends in giving up."""
    return any(call.name == GIVE_UP for call in calls)


def spoken(answer: JsonValue) -> str:
    """An answer as an agent writes it: texts as they are, all else as JSON."""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
