"""Scenarios as values: closed, strict, frozen, and consistent in themselves."""

import re
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from awm_gym.scenario import (
    Answer,
    Call,
    ChangedRow,
    Changes,
    Example,
    Infeasible,
    MayChange,
    NewRow,
    Param,
    Scenario,
    Sql,
    Task,
    Tool,
    ToolCall,
    User,
    snake_case,
)


def param(**fields):
    return Param.model_validate({"type": "integer", "description": "It."} | fields)


def test_a_value_cannot_be_changed_nor_take_an_unknown_field(room):
    with pytest.raises(ValidationError, match="frozen"):
        room.title = "Another"
    with pytest.raises(ValidationError, match="Extra inputs"):
        User(name="Una", role="clerk", age=3)


def test_a_copy_forgets_what_was_computed_from_the_old_fields(room):
    first = room.fingerprint
    copy = room.model_copy(update={"title": "Another"})
    assert copy.fingerprint != first
    assert room.model_copy().fingerprint == first == room.fingerprint
    tool = room.tools["lend"]
    assert list(tool.input_schema["properties"]) == ["reader_id", "book_code"]
    assert tool.model_copy(update={"params": {}}).input_schema["properties"] == {}


def test_equal_scenarios_have_equal_fingerprints_and_any_edit_another(edited, room):
    assert edited().fingerprint == room.fingerprint
    assert re.fullmatch("[0-9a-f]{64}", room.fingerprint)
    edits = [
        ("scenario.toml", "version = 2", "version = 3"),
        ("schema.sql", "-- Who", "-- who"),
        ("invariants.sql", "never", "not"),
        ("data.sql", "Bees", "Wasps"),
        ("tools.toml", "all filters narrow", "filters narrow"),
        ("tasks.toml", "takes 'Bees'", "borrows 'Bees'"),
    ]
    prints = {room.fingerprint}
    for file, old, new in edits:
        scenario = edited((file, old, new)) if file != "data.sql" else room.model_copy(update={"data": "-- none"})
        prints.add(scenario.fingerprint)
    assert len(prints) == 7


@pytest.mark.parametrize("name", ["a", "hire_2", "x" * 64])
def test_a_snake_case_name_is_accepted(name):
    assert snake_case(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "1a",
        "_a",
        "a-b",
        "a b",
        "a.b",
        "../a",
        "/a",
        "a/b",
        "a\n",
        "a\0",
        "con.txt",
        "x" * 65,
        "naïve",
        "а",
        7,
        None,
    ],
)
def test_a_name_that_could_be_a_path_or_unreadable_is_refused(name):
    with pytest.raises(ValueError, match="is not snake_case"):
        snake_case(name)
    with pytest.raises(ValidationError):
        Tool(name=name, description="d", sql="SELECT 1;")


@pytest.mark.parametrize(
    "mark", ["\x00", "\x1b", "\x7f", "\x9b", "\u200b", "\u202e", "\u2066", "\ufeff", "\ud800", "\r"]
)
def test_text_for_people_shows_all_it_holds(mark):
    for model in (
        lambda text: User(name=text, role="clerk"),
        lambda text: param(description=text),
        lambda text: param(of="t", noun=text),
        lambda text: Task(name="t", instruction=text, solution=[]),
        lambda text: Infeasible(why=text, lifted_by=""),
    ):
        model("Zoë 东京 🙂\n\ttab")
        with pytest.raises(ValidationError, match="invisible character"):
            model(f"a{mark}b")
        with pytest.raises(ValidationError):
            model("")


def test_long_descriptions_are_refused():
    param(description="x" * 4_000)
    with pytest.raises(ValidationError, match="4000"):
        param(description="x" * 4_001)


NOW = TypeAdapter(Scenario.model_fields["now"].rebuild_annotation())


@pytest.mark.parametrize("value", ["2025-06-12T09:40:00", datetime(2025, 6, 12, 9, 40), "1000-01-01T00:00:00"])
def test_a_moment_is_read(value):
    assert NOW.validate_python(value).isoformat() == str(value).replace(" ", "T")


@pytest.mark.parametrize(
    "value",
    [
        "2025-06-12",
        "2025-06-12 09:40:00",
        "2025-06-12T09:40",
        "2025-06-12T09:40:00Z",
        "2025-06-12T09:40:00.5",
        "2025-02-30T00:00:00",
        "٢٠٢٥-06-12T09:40:00",
        "9000-01-01T00:00:00",
        "0999-12-31T23:59:59",
        datetime(2025, 6, 12, tzinfo=UTC),
        datetime(2025, 6, 12, microsecond=1),
        1_700_000_000,
        None,
    ],
)
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(ValidationError):
        NOW.validate_python(value)


CALL = TypeAdapter(Call)


@pytest.mark.parametrize("value", [{"name": "a"}, {"name": "a", "arguments": {}}, ToolCall("a", {})])
def test_a_call_is_read(value):
    assert CALL.validate_python(value) == ToolCall("a", {})


@pytest.mark.parametrize(
    "value", [{}, {"name": 1}, {"name": "a", "arguments": []}, {"name": "a", "args": {}}, "a", ["a", {}], None]
)
def test_what_is_no_call_is_refused(value):
    with pytest.raises(ValidationError, match="a call "):
        CALL.validate_python(value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"type": "text"}, "type"),
        ({"type": "array"}, "`items` and type"),
        ({"items": "integer"}, "`items` and type"),
        ({"type": "array", "items": "array"}, "items"),
        ({"unique": True}, "are for arrays"),
        ({"min_items": 1}, "are for arrays"),
        ({"max_items": 1}, "are for arrays"),
        ({"type": "array", "items": "integer", "max_items": 201}, "less than or equal to 200"),
        ({"type": "string", "minimum": 1}, "are for integers and numbers"),
        ({"type": "boolean", "maximum": 1}, "are for integers and numbers"),
        ({"min_length": 1}, "are for strings"),
        ({"type": "date", "max_length": 1}, "are for strings"),
        ({"type": "string", "max_length": 4_001}, "4000"),
        ({"type": "string", "max_length": 0}, "greater than or equal to 1"),
        ({"type": "string", "min_length": -1}, "greater than or equal to 0"),
        ({"where": "id > 1"}, "go with `of`"),
        ({"noun": "unit"}, "go with `of`"),
        ({"of": "a.b.c"}, "pattern"),
        ({"of": "drop table"}, "pattern"),
        ({"type": "number", "of": "t"}, "`of` is for integers and strings"),
        ({"type": "array", "items": "date", "of": "t"}, "`of` is for integers and strings"),
        ({"minimum": 2, "maximum": 1}, "the lower bound 2 is above the upper bound 1"),
        ({"type": "string", "min_length": 2, "max_length": 1}, "above"),
        ({"type": "array", "items": "integer", "min_items": 2, "max_items": 1}, "above"),
        ({"minimum": float("inf")}, "minimum"),
        ({"minimum": True}, "minimum"),
        ({"minimum": "1"}, "minimum"),
        ({"enum": ["a"]}, "the enum member 'a' is not of type integer"),
        ({"enum": [True]}, "the enum member True"),
        ({"type": "boolean", "enum": [True]}, "the enum member True is not of type boolean"),
        ({"type": "date", "enum": ["2025-01-01"]}, "not of type date"),
        ({"enum": [1, 1]}, "stands there twice"),
        ({"type": "number", "enum": [1, 1.0]}, "stands there twice"),
        ({"optional": 1}, "optional"),
        ({"format": "email"}, "format"),
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(fields, problem):
    with pytest.raises(ValidationError, match=re.escape(problem)):
        param(**fields)


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        ({}, {"type": "integer"}),
        ({"minimum": 0, "maximum": 9, "default": 5}, {"type": "integer", "minimum": 0, "maximum": 9, "default": 5}),
        ({"type": "string"}, {"type": "string", "maxLength": 4000}),
        (
            {"type": "string", "min_length": 2, "max_length": 9, "default": ""},
            {"type": "string", "minLength": 2, "maxLength": 9, "default": ""},
        ),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": "number", "minimum": 0.5}, {"type": "number", "minimum": 0.5}),
        ({"type": "boolean", "default": False}, {"type": "boolean", "default": False}),
        ({"type": "date"}, {"type": "string", "format": "date"}),
        ({"type": "datetime", "optional": True}, {"type": "string", "format": "date-time"}),
        (
            {"type": "array", "items": "integer", "minimum": 1},
            {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 200},
        ),
        (
            {"type": "array", "items": "string", "enum": ["a"], "min_items": 1, "max_items": 3, "unique": True},
            {
                "type": "array",
                "items": {"type": "string", "enum": ["a"]},
                "minItems": 1,
                "maxItems": 3,
                "uniqueItems": True,
            },
        ),
    ],
)
def test_a_parameter_is_listed_as_json_schema(fields, schema):
    assert param(**fields).input_schema() == schema | {"description": "It."}


def test_a_tool_requires_what_cannot_be_left_out(room):
    assert room.tools["find_books"].input_schema["required"] == []
    assert room.tools["lend"].input_schema["required"] == ["reader_id", "book_code"]
    assert room.tools["lend"].input_schema["additionalProperties"] is False
    assert room.tools["lend"].document == {
        "name": "lend",
        "description": "Lend a book that is there.",
        "input_schema": room.tools["lend"].input_schema,
    }
    assert not param(default=0).required
    assert [entry.given for entry in room.tools["find_books"].entries] == [None, "DELETE FROM mark;"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [([{"a": None}], "rows"), ([{"a": [1]}], "rows"), ([{"a": float("nan")}], "rows"), ({"a": 1}, "rows")],
)
def test_the_rows_of_an_example_hold_scalars(rows, told):
    Example(arguments={}, rows=[{"a": 1, "b": 1.5, "c": "x", "d": True}])
    with pytest.raises(ValidationError, match=told):
        Example(arguments={}, rows=rows)


def answer(document):
    return Answer.model_validate(document)


@pytest.mark.parametrize(
    ("document", "schema"),
    [
        ("integer", {"type": "integer"}),
        ("date", {"type": "string", "format": "date"}),
        ({"type": "datetime"}, {"type": "string", "format": "date-time"}),
        ({"type": "number", "tolerance": 1}, {"type": "number"}),
        (
            {"type": "list", "items": "string", "ordered": False},
            {"type": "array", "items": {"type": "string"}, "maxItems": 200},
        ),
        (
            {"type": "record", "fields": {"a": "boolean"}},
            {
                "type": "object",
                "properties": {"a": {"type": "boolean"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_an_answer_is_shown_as_json_schema(document, schema):
    assert answer(document).json_schema() == schema
    task = Task(name="t", instruction="i", solution=[], answer=document)
    assert task.submit_schema["required"] == ["answer"]
    assert task.submit_schema["properties"]["answer"] == schema | {"description": "The answer to the task."}


def test_a_task_without_an_answer_submits_nothing():
    schema = Task(name="t", instruction="i", solution=[]).submit_schema
    assert (schema["properties"], schema["additionalProperties"]) == ({}, False)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("text", "type"),
        ({"type": "list"}, "`items` and type"),
        ({"type": "integer", "items": "integer"}, "`items` and type"),
        ({"type": "record"}, "`fields` and type"),
        ({"type": "record", "fields": {}}, "`fields` and type"),
        ({"type": "integer", "fields": {"a": "integer"}}, "`fields` and type"),
        ({"type": "list", "items": {"type": "list", "items": "integer"}}, "a list of lists"),
        ({"type": "record", "fields": {"a": {"type": "list", "items": "integer"}}}, "fields of a record are scalars"),
        ({"type": "integer", "tolerance": 1}, "`tolerance` is for numbers"),
        ({"type": "number", "tolerance": -1}, "tolerance"),
        ({"type": "number", "tolerance": float("inf")}, "tolerance"),
        ({"type": "string", "ordered": False}, "`ordered` is for lists"),
        ({"type": "record", "fields": {"A b": "integer"}}, "snake_case"),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(document, problem):
    with pytest.raises(ValidationError, match=re.escape(problem)):
        answer(document)


def test_changes_are_rows_changed_gone_or_new():
    changes = Changes.model_validate(
        {"a": [{"id": 1, "n": {"sql": "now()"}}, {"id": 2, "gone": True}], "b": [{"new": "x", "n": 2}], "any": ["c"]}
    )
    assert changes.rows["a"][0].columns["n"] == Sql(sql="now()")
    assert changes.rows["a"][1] == ChangedRow(columns={"id": 2}, gone=True)
    assert changes.rows["b"] == (NewRow(name="x", columns={"n": 2}),)
    assert Changes.model_validate(changes.model_dump() | {"rows": changes.rows}) == changes
    assert Changes.model_validate({"a": list(changes.rows["a"])}).rows == {"a": changes.rows["a"]}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"a": {"id": 1}}, "a must be a list of rows"),
        ({"a": []}, "a must be a list of rows"),
        ({"a": [1]}, "a: a row is a table"),
        ({"a": [{"id": None}]}, "a: id is a text, a finite number, true, false"),
        ({"a": [{"id": float("nan")}]}, "a: id is a text, a finite number"),
        ({"a": [{"id": 1, "n": {"sql": "1", "as": 2}}]}, "a: n is a text"),
        ({"a": [{"id": 1, "n": {"sql": 1}}]}, "a: n is a text"),
        ({"a": [{"id": 1, "gone": "yes"}]}, "a: `gone` is true or left out, not 'yes'"),
        ({"a": [{"new": "X y", "n": 1}]}, "a: `new` is a snake_case name"),
        ({"a": [{"new": "x", "gone": True}]}, "a: a row is `new` or `gone`, not both"),
        ({"a": [{"new": "x"}], "b": [{"new": "x"}]}, "two new rows have one name: ['x', 'x']"),
        ({"any": "audit"}, "any"),
        ("all", "Changes"),
    ],
)
def test_changes_in_another_form_are_refused(document, problem):
    with pytest.raises(ValidationError, match=re.escape(problem)):
        Changes.model_validate(document)


def test_one_end_state_need_not_be_a_list():
    def task(changes):
        return Task.model_validate({"name": "t", "instruction": "i", "solution": [], "changes": changes})

    assert task({"a": [{"id": 1}]}) == task([{"a": [{"id": 1}]}])
    assert MayChange.model_validate("id = 1") == MayChange(rows="id = 1")


def test_an_agent_is_told_the_day_and_whom_it_acts_for(room, small):
    assert room.greeting == ("It is Wednesday 28 February 2024, 23:59. You act for Ilse Okonjo, librarian (reader 1).")
    assert small().greeting.endswith("You act for Una, clerk.")


def test_every_value_is_closed_and_strict():
    import awm_gym.scenario as module

    models = [
        m for m in vars(module).values() if isinstance(m, type) and issubclass(m, BaseModel) and m is not BaseModel
    ]
    assert len(models) > 12
    for model in models:
        config = model.model_config
        assert (config["extra"], config["strict"], config["frozen"]) == ("forbid", True, True)
