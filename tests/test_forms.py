"""Forms: what is filled in from a scenario makes that scenario again, and what makes none is told."""

import pytest
import scripted
from pydantic import ValidationError

from awm_gym import library
from awm_gym.blueprints import store
from awm_gym.files import load
from awm_gym.llm.reading import strict_schema
from awm_gym.scenario import Infeasible, Param, Task, Tool, ToolCall
from awm_gym.synth import filled
from awm_gym.synth.draft import Draft
from awm_gym.synth.forms import (
    AnswerForm,
    CallForm,
    DataForm,
    EditForm,
    EndForm,
    GoalForm,
    InterfaceForm,
    LimitForm,
    NearMissForm,
    ParamForm,
    ProofForm,
    RowForm,
    SchemaForm,
    ScriptsForm,
    SpecForm,
    Unfit,
    WhoForm,
    WishesForm,
    edited,
)

FORMS = (WhoForm, WishesForm, SchemaForm, DataForm, GoalForm, InterfaceForm, ScriptsForm, ProofForm)
GENERATED = (("practice", 3), ("box_office", 1), ("rota", 2))


def every_scenario():
    """The scenarios of the library, those that the scripts know, and some that blueprints make."""
    for folder in library.folders().values():
        yield load(folder)
    for name in ("ferry_desk", "festival_crew", "seed_bank"):
        yield scripted.scenario_of(name)
    for name, seed in GENERATED:
        yield store.scenario(name, seed, keep=False)


@pytest.fixture(scope="module")
def scenarios():
    return tuple(every_scenario())


# There and back -------------------------------------------------------------------------------------------------------


def again(form):
    """A form after it was sent."""
    return type(form).model_validate_json(form.model_dump_json())


def test_the_scenario_comes_back(scenarios):
    for scenario in scenarios:
        fields = again(filled.who(scenario)).fields()
        assert fields.pop("user").name == scenario.user.name
        assert fields == {"title": scenario.title, "description": scenario.description, "now": scenario.now}
        wishes = again(filled.wishes(scenario)).tasks
        assert [(wish.name, wish.instruction) for wish in wishes] == [
            (task.name, task.instruction) for task in scenario.tasks.values()
        ]
        assert all((wish.kind == "infeasible") == bool(scenario.tasks[wish.name].infeasible) for wish in wishes)


def test_schema_and_data_come_back(scenarios):
    for scenario in scenarios:
        schema, data = again(filled.schema(scenario)), again(filled.data(scenario))
        assert (schema.schema_sql, schema.invariants_sql) == (scenario.db_schema, scenario.invariants)
        assert data.sql == scenario.data
        assert not data.more
        assert data.user(scenario.user) == scenario.user


def test_tools_come_back(scenarios):
    for scenario in scenarios:
        specs = again(filled.interface(list(scenario.tools.values()))).tools
        scripts = again(filled.scripts(list(scenario.tools.values()))).tools
        for tool, spec, script in zip(scenario.tools.values(), specs, scripts, strict=True):
            bare = spec.tool()
            assert bare == tool.model_copy(update={"sql": "", "examples": (), "refuses": ()})
            assert spec.note().startswith("answers: ")
            assert ("refuses: " in spec.note()) == ("refuse(" in tool.sql)
            examples = tuple(example.model_copy(update={"rows": ()}) for example in tool.examples)
            assert script.tool(bare) == tool.model_copy(update={"examples": examples})
            assert [example.rows for example in script.examples] == [len(example.rows) for example in tool.examples]


def test_tasks_come_back_with_their_calls_and_without(scenarios):
    for scenario in scenarios:
        for task in scenario.tasks.values():
            form = again(filled.goal(task))
            assert form.task(task.name, task.instruction, again(filled.proof(task))) == task
            bare = form.task(task.name, task.instruction)
            assert (bare.solution, bare.near_misses, bare.derived) == ((), {}, {})
            assert (bare.changes, bare.answer, bare.expect, bare.given) == (
                task.changes,
                task.answer,
                task.expect,
                task.given,
            )
            assert bool(bare.infeasible) == bool(task.infeasible)


def test_what_no_scenario_above_holds_comes_back_too():
    task = Task.model_validate(
        {
            "name": "odd",
            "instruction": "Find out.",
            "answer": {"type": "list", "items": {"type": "record", "fields": {"id": {"type": "integer"}}}},
            "checks": {"kept": "TRUE"},
            "may_change": {"thing": {"rows": "id = 1", "columns": ["name"]}, "other": {"rows": "TRUE"}},
            "changes": [{"thing": [{"id": 1, "gone": True}], "any": ["log"]}],
            "solution": [ToolCall("give_up", {})],
            "infeasible": Infeasible(why="It is not there.", lifted_by="SELECT 1;", shown_by=(ToolCall("look", {}),)),
        }
    )
    assert again(filled.goal(task)).task("odd", "Find out.", again(filled.proof(task))) == task
    kinds = [
        {"type": "number", "tolerance": 0.5},
        {"type": "record", "fields": {"a": {"type": "date"}}},
        {"type": "list", "items": {"type": "string"}, "ordered": False},
        {"type": "list", "items": {"type": "date"}},
    ]
    for kind in kinds:
        other = Task.model_validate({"name": "odd", "instruction": "?", "answer": kind, "solution": []})
        assert again(filled.goal(other)).task("odd", "?") == other


LIMITS = [
    {"type": "integer", "minimum": 0, "maximum": 10},
    {"type": "number", "minimum": 0.5, "maximum": 2.0},
    {"type": "string", "min_length": 1, "max_length": 3},
    {"type": "array", "items": "integer", "min_items": 1, "max_items": 3, "unique": True, "minimum": 0},
    {"type": "array", "items": "number", "min_items": 1, "minimum": 0.25},
    {"type": "string", "enum": ["a", "b"], "default": "a"},
    {"type": "boolean", "default": False},
    {"type": "integer", "of": "thing", "where": "id > 1", "noun": "late thing", "optional": True},
]


@pytest.mark.parametrize("values", LIMITS, ids=str)
def test_bounds_of_arguments_come_back(values):
    param = Param.model_validate({"description": "What.", **values})
    tool = Tool(name="look", description="Looks.", params={"a": param}, sql="")
    assert again(filled.interface([tool])).tools[0].tool() == tool


def test_a_better_description_takes_the_place_of_the_specified_one():
    tool = next(iter(scripted.scenario_of("ferry_desk").tools.values()))
    script = filled.scripts([tool]).tools[0].model_copy(update={"description": "Better."})
    assert script.tool(tool).description == "Better."


@pytest.mark.parametrize("form", FORMS)
def test_forms_can_be_sent_as_strict_schemas(form):
    schema = strict_schema(form)
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])


def test_a_draft_is_made_of_forms(scenarios):
    for scenario in scenarios:
        schema = filled.schema(scenario)
        proofs = {name: filled.proof(task) for name, task in scenario.tasks.items()}
        tasks = [filled.goal(task).task(name, task.instruction, proofs[name]) for name, task in scenario.tasks.items()]
        made = Draft(
            scenario.name,
            db_schema=schema.schema_sql,
            invariants=schema.invariants_sql,
            data=scenario.data,
            tools=tuple(scenario.tools.values()),
            tasks=tuple(tasks),
            **{**filled.who(scenario).fields(), "user": filled.data(scenario).user(scenario.user)},
        )
        assert made.scenario() == scenario.model_copy(update={"version": 0})


# What is unfit --------------------------------------------------------------------------------------------------------


WHO = WhoForm(title="Kiosk", description="Sells.", now="2025-06-12T09:40:00", user_name="Ann", user_role="clerk")
GOAL = filled.goal(Task(name="look", instruction="Look.", solution=()))
PARAM = filled.interface(
    [Tool(name="t", description="T.", params={"a": Param(type="integer", description="A.")}, sql="")]
).tools[0]
ROW = {"table": "thing", "change": "changed", "name": "", "cells": [{"column": "id", "value": 1, "is_sql": False}]}


def goal(**values):
    return GoalForm.model_validate({**GOAL.model_dump(), **values}).task("look", "Look.")


def answer(**values):
    return goal(answer={"type": "string", "items": None, "fields": [], "ordered": True, "tolerance": None, **values})


def param(**values):
    one = PARAM.params[0].model_dump()
    return SpecForm.model_validate({**PARAM.model_dump(), "params": [{**one, **values}]}).tool()


def script(**values):
    one = ScriptsForm.model_validate(
        {"tools": [{"name": "t", "description": "", "sql": "SELECT 1;", "examples": [], "refuses": [], **values}]}
    )
    return one.tools[0].tool(PARAM.tool())


def proof(calls, near=()):
    blank = filled.proof(Task(name="look", instruction="Look.", solution=()))
    values = {"solution": calls, "near_misses": list(near)}
    return GOAL.task("look", "Look.", blank.model_copy(update=values))


def call(arguments):
    return [CallForm(tool="look", arguments=arguments)]


def entry(arguments):
    return [{"given": "", "arguments": arguments}]


UNFIT = [
    (lambda: WHO.model_copy(update={"now": "noon"}).fields(), "now: 'noon' is not a moment; write it as 2025-06-12T09"),
    (lambda: WHO.model_copy(update={"user_name": ""}).fields(), "user.name: String should have at least 1 character"),
    (lambda: edited("a b a", [EditForm(old="a", new="c")], "edits"), "edits: 'a' stands there 2 times, not once"),
    (lambda: edited("a b a", [EditForm(old="x", new="c")], "edits"), "edits: 'x' stands there 0 times, not once"),
    (
        lambda: goal(
            ends=[{"rows": [{**ROW, "cells": [{"column": "a", "value": None, "is_sql": False}]}], "free": []}]
        ),
        "thing.a: write null as an SQL expression: value 'NULL', is_sql true",
    ),
    (lambda: goal(ends=[{"rows": [{**ROW, "change": "new"}], "free": []}]), "`new` is a snake_case name .*, not ''"),
    (lambda: answer(type="list"), "answer.items.type: .*got None"),
    (lambda: answer(type="record"), "answer.fields|answer: .*fields"),
    (lambda: goal(checks=[{"name": "Not So", "sql": "TRUE"}]), "checks"),
    (lambda: param(name="Not So"), "params"),
    (lambda: param(one_of=[1, 1]), "a: |a.enum"),
    (lambda: param(type="array"), "a: .*items|a.items"),
    (lambda: param(limits=[{"name": "min_length", "value": 2}]), "a: .*min_length|a.min_length"),
    (
        lambda: SpecForm.model_validate({**PARAM.model_dump(), "params": [PARAM.params[0], PARAM.params[0]]}).tool(),
        "t: two arguments have one name",
    ),
    (lambda: SpecForm.model_validate({**PARAM.model_dump(), "name": "List Things"}).tool(), "List Things.name"),
    (lambda: script(examples=[{**entry("{a: 1}")[0], "rows": 1}]), "t: the arguments '{a: 1}' are no JSON object: "),
    (lambda: script(refuses=entry("[1]")), r"t: the arguments '\[1\]' are no JSON object$"),
    (lambda: script(description="x" * 10_000), "t.description: String should have at most"),
    (lambda: proof(call("a=1")), "solution: look: the arguments 'a=1' are no JSON object: "),
    (
        lambda: proof([], [NearMissForm(name="late", calls=call("3"))]),
        "late: look: the arguments '3' are no JSON object",
    ),
    (lambda: proof([], [NearMissForm(name="Too Late", calls=call("{}"))]), "near_misses"),
]


@pytest.mark.parametrize(("make", "message"), UNFIT, ids=[message[:40] for _, message in UNFIT])
def test_a_form_that_makes_nothing_is_told(make, message):
    with pytest.raises(Unfit, match=message):
        make()


def test_edits_are_made_one_after_the_other():
    edits = [EditForm(old="one", new="two"), EditForm(old="two three", new="four")]
    assert edited("one three", edits, "edits") == "four"


@pytest.mark.parametrize(
    ("form", "values"),
    [
        (LimitForm, {"name": "minimum", "value": float("inf")}),
        (EditForm, {"old": "a"}),
        (RowForm, {**ROW, "gone": True}),
        (EndForm, {"rows": [{**ROW, "change": "moved"}], "free": []}),
        (AnswerForm, {"type": "text", "items": None, "fields": [], "ordered": True, "tolerance": None}),
        (ParamForm, {}),
    ],
)
def test_a_form_is_closed_and_whole(form, values):
    with pytest.raises(ValidationError):
        form.model_validate(values)


def test_an_argument_list_that_is_empty_is_an_object():
    assert proof(call("")).solution == (ToolCall("look", {}),)
