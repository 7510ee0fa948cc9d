"""Forms filled in from a scenario that is proved: the examples that prompts show, which so cannot go stale."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from awm_gym.llm import Request
from awm_gym.scenario import (
    Answer,
    Changes,
    Example,
    NewRow,
    Param,
    Refusal,
    Row,
    Scenario,
    Sql,
    Task,
    Tool,
    ToolCall,
)
from awm_gym.sql import code_only
from awm_gym.synth.forms import (
    AllowedForm,
    AnswerForm,
    CallForm,
    CellForm,
    CheckForm,
    DataForm,
    DerivedForm,
    EndForm,
    ExampleForm,
    FieldForm,
    Form,
    GoalForm,
    InterfaceForm,
    LimitForm,
    NearMissForm,
    ParamForm,
    ProofForm,
    RefusalForm,
    RowForm,
    SchemaForm,
    ScriptForm,
    ScriptsForm,
    SpecForm,
    WhoForm,
    WishesForm,
    WishForm,
)
from awm_gym.synth.prompts import labelled

TO_WRITE = "The tools to write:"  # stands before their specifications, in the prompt of the stage `tools`
_LIMITS = ("minimum", "maximum", "min_length", "max_length", "min_items", "max_items", "unique")


def answer(scenario: Scenario, request: Request[Any]) -> Form:
    """What a scenario's author would answer to a request of the chat author."""
    stage, item = labelled(request.messages)
    if stage == "tools":
        asked = str(request.messages[1]["content"]).partition(TO_WRITE)[2]
        return scripts([scenario.tools[name] for name in re.findall(r"^## (\w+)$", asked, re.M)])
    if stage in ("goals", "verifiers"):
        return {"goals": goal, "verifiers": proof}[stage](scenario.tasks[item])
    if stage == "interface":
        return interface(list(scenario.tools.values()))
    return {"scenario": who, "tasks": wishes, "schema": schema, "data": data}[stage](scenario)


def who(scenario: Scenario) -> WhoForm:
    """Of the stage `scenario`."""
    return WhoForm(
        title=scenario.title,
        description=scenario.description,
        now=scenario.now.isoformat(),
        user_name=scenario.user.name,
        user_role=scenario.user.role,
    )


def wishes(scenario: Scenario) -> WishesForm:
    """Of the stage `tasks`."""
    return WishesForm(tasks=[_wish(task) for task in scenario.tasks.values()])


def _wish(task: Task) -> WishForm:
    if task.infeasible:
        return WishForm(name=task.name, kind="infeasible", instruction=task.instruction)
    kind = "multi_step" if len(task.solution) > 5 else "mixed" if task.changes and task.answer else ""
    found: Any = kind or ("write" if task.changes or task.may_change else "read")
    return WishForm(name=task.name, kind=found, instruction=task.instruction)


def schema(scenario: Scenario) -> SchemaForm:
    """Of the stage `schema`."""
    return SchemaForm(schema_sql=scenario.db_schema, invariants_sql=scenario.invariants)


def data(scenario: Scenario) -> DataForm:
    """Of the stage `data`."""
    user = scenario.user
    return DataForm(user_table=user.of or "", user_id=user.id, sql=scenario.data, more=False, edits=[])


def goal(task: Task) -> GoalForm:
    """Of the stage `goals`."""
    return GoalForm(
        look=[],
        given=task.given or "",
        answer=task.answer and _answer(task.answer),
        expect=task.expect or "",
        ends=[EndForm(rows=_rows(changes), free=list(changes.any)) for changes in task.changes],
        checks=[CheckForm(name=name, sql=sql) for name, sql in task.checks.items()],
        may_change=[
            AllowedForm(table=table, rows=allowed.rows, columns=list(allowed.columns))
            for table, allowed in task.may_change.items()
        ],
        obstacle=task.infeasible.why if task.infeasible else "",
        lifted_by=task.infeasible.lifted_by if task.infeasible else "",
    )


def _rows(changes: Changes) -> list[RowForm]:
    return [_row(table, row) for table, rows in changes.rows.items() for row in rows]


def _row(table: str, row: Row) -> RowForm:
    cells = [
        CellForm(column=column, value=value.sql, is_sql=True)
        if isinstance(value, Sql)
        else CellForm(column=column, value=value, is_sql=False)
        for column, value in row.columns.items()
    ]
    if isinstance(row, NewRow):
        return RowForm(table=table, change="new", name=row.name, cells=cells)
    return RowForm(table=table, change="gone" if row.gone else "changed", name="", cells=cells)


def _answer(answer: Answer) -> AnswerForm:
    inner = answer.items or answer
    fields: list[Any] = [{"name": name, "type": field.type} for name, field in inner.fields.items()]
    kind: Any = answer.type
    if answer.items is not None and fields:
        kind = "list_of_records"
    items: Any = answer.items.type if answer.items is not None and not fields else None
    return AnswerForm(
        type=kind,
        items=items,
        fields=[FieldForm.model_validate(field) for field in fields],
        ordered=answer.ordered,
        tolerance=answer.tolerance if answer.type == "number" else None,
    )


def interface(tools: Sequence[Tool]) -> InterfaceForm:
    """Of the stage `interface`."""
    return InterfaceForm(tools=[_spec(tool) for tool in tools])


def _spec(tool: Tool) -> SpecForm:
    rows = [example.rows[0] for example in tool.examples if example.rows]
    refused = code_only(tool.sql).lower().count("refuse(")
    return SpecForm(
        name=tool.name,
        description=tool.description,
        params=[_param(name, param) for name, param in tool.params.items()],
        answers=", ".join(rows[0]) if rows else "what was written",
        refuses=[f"{refused} rule{'s' if refused > 1 else ''} of the application"] if refused else [],
    )


def _param(name: str, param: Param) -> ParamForm:
    limits = {limit: getattr(param, limit) for limit in _LIMITS}
    kind: Any = param.items
    return ParamForm(
        name=name,
        type=param.type,
        items=kind,
        description=param.description,
        optional=param.optional,
        default=param.default,
        of=param.of or "",
        where=param.where or "",
        noun=param.noun or "",
        one_of=list(param.enum),
        limits=[_limit(name, value) for name, value in limits.items() if value is not None and value is not False],
    )


def _limit(name: Any, value: float) -> LimitForm:
    return LimitForm(name=name, value=float(value))


def scripts(tools: Sequence[Tool]) -> ScriptsForm:
    """Of the stage `tools`."""
    return ScriptsForm(tools=[_script(tool) for tool in tools])


def _script(tool: Tool) -> ScriptForm:
    return ScriptForm(
        name=tool.name,
        description="",
        sql=tool.sql,
        examples=[_example(example) for example in tool.examples],
        refuses=[_refusal(refusal) for refusal in tool.refuses],
    )


def _example(example: Example) -> ExampleForm:
    return ExampleForm(given=example.given or "", arguments=_text(example.arguments), rows=len(example.rows))


def _refusal(refusal: Refusal) -> RefusalForm:
    return RefusalForm(given=refusal.given or "", arguments=_text(refusal.arguments))


def proof(task: Task) -> ProofForm:
    """Of the stage `verifiers`."""
    return ProofForm(
        look=[],
        play=[],
        solution=_calls(task.solution),
        near_misses=[NearMissForm(name=name, calls=_calls(calls)) for name, calls in task.near_misses.items()],
        shown_by=_calls(task.infeasible.shown_by) if task.infeasible else [],
        derived=[DerivedForm(value=value, how=how) for value, how in task.derived.items()],
        goal=None,
        wording="",
        tool_faults=[],
    )


def _calls(calls: Sequence[ToolCall]) -> list[CallForm]:
    return [CallForm(tool=call.name, arguments=_text(call.arguments)) for call in calls]


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)
