"""The spaces: text of any script, and tool calls that sample themselves from JSON Schemas."""

import copy
import pickle

import jsonschema
import pytest
from worlds import stall

from awm_gym.arguments import Mistake, bind
from awm_gym.env import ToolEnv
from awm_gym.errors import UsageError
from awm_gym.library import names, open_scenario
from awm_gym.scenario import ToolCall
from awm_gym.server import ToolInfo
from awm_gym.spaces import ToolCalls, Utf8
from awm_gym.world import World

pytestmark = pytest.mark.compat
NOW = open_scenario("parcel_lockers").now


def space_of(scenario, seed=0):
    tools = [ToolInfo(tool.name, tool.description, tool.input_schema) for tool in scenario.tools.values()]
    return ToolCalls(tools, scenario.now, seed=seed)


def drawing(schema, count=300):
    """Arguments drawn for a tool whose only argument has this schema and is required."""
    whole = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    space = ToolCalls([ToolInfo("t", "", whole)], NOW, seed=0)
    drawn = [space.sample().arguments["a"] for _ in range(count)]
    for value in drawn:
        jsonschema.validate(value, schema)
    return drawn


def test_text_of_every_script_is_in_the_space_up_to_its_length():
    space = Utf8(4, seed=1)
    assert [text in space for text in ("", "añ漢🙂", "12345")] == [True, True, False]
    assert 5 not in space
    assert all(space.sample() in space for _ in range(50))
    assert {space.sample() for _ in range(50)} > {""}


def test_spaces_are_equal_by_what_they_hold():
    assert (Utf8(4), hash(Utf8(4)), repr(Utf8(4))) == (Utf8(4, seed=9), hash(Utf8(4)), "Utf8(4)")
    assert Utf8(4) != Utf8(5)
    lockers = open_scenario("parcel_lockers")
    one, other = space_of(lockers), ToolCalls(space_of(lockers).tools[:2], lockers.now.replace(year=2031))
    assert (one, hash(one)) == (other, hash(other))  # each holds every call, whatever it draws
    assert one != Utf8(4)
    assert repr(other) == "ToolCalls(find_parcels, list_lockers)"


@pytest.mark.parametrize("space", [Utf8(40), space_of(open_scenario("parcel_lockers"))])
def test_a_seed_a_copy_and_a_pickle_draw_the_same(space):
    space.seed(5)
    twins = [copy.deepcopy(space), pickle.loads(pickle.dumps(space))]
    drawn = [space.sample() for _ in range(20)]
    assert [[twin.sample() for _ in range(20)] for twin in twins] == [drawn, drawn]
    space.seed(5)
    assert [space.sample() for _ in range(20)] == drawn
    assert space.is_np_flattenable is False


@pytest.mark.parametrize("name", names())
def test_every_sample_keeps_its_tools_schema_and_every_tool_is_drawn(name):
    scenario = open_scenario(name)
    space, drawn = space_of(scenario), set()
    schemas = {tool.name: jsonschema.Draft202012Validator(tool.input_schema) for tool in scenario.tools.values()}
    for _ in range(50 * len(scenario.tools)):
        call = space.sample()
        tool = scenario.tools[call.name]
        schemas[call.name].validate(call.arguments)
        assert not isinstance(bind(tool, call.arguments), Mistake)
        drawn |= {call.name, *((call.name, argument) for argument in call.arguments)}
    assert drawn == {*scenario.tools} | {(tool.name, p) for tool in scenario.tools.values() for p in tool.params}


def test_a_sample_of_every_type_is_taken_by_the_tool(tmp_path):
    scenario = stall(tmp_path)
    world, space = World(scenario), space_of(scenario)
    for _ in range(400):
        assert world.call(space.sample(mask={"plan"})).error is None
    world.close()


@pytest.mark.parametrize(
    ("schema", "check"),
    [
        ({"type": "string", "enum": ["a", "b"]}, lambda drawn: set(drawn) == {"a", "b"}),
        ({"type": "boolean"}, lambda drawn: set(drawn) == {True, False}),
        ({"type": "integer", "minimum": 3, "maximum": 4}, lambda drawn: set(drawn) == {3, 4}),
        ({"type": "integer", "maximum": -7}, lambda drawn: len(set(drawn)) > 50),
        ({"type": "integer", "minimum": 2**62}, lambda drawn: len(set(drawn)) > 50),
        ({"type": "integer"}, lambda drawn: {type(value) for value in drawn} == {int} and min(drawn) == 1),
        ({"type": "number", "minimum": 0.004, "maximum": 1.004}, lambda drawn: min(drawn) < 0.02 and max(drawn) > 0.98),
        ({"type": "number", "minimum": 0.25, "maximum": 0.5}, lambda drawn: len(set(drawn)) > 50),
        ({"type": "string", "minLength": 30, "maxLength": 31}, lambda drawn: len(set(drawn)) > 50),
        ({"type": "string", "maxLength": 1}, lambda drawn: "" not in drawn),
        ({"type": "string", "format": "date"}, lambda drawn: "2025-01-09" <= min(drawn) < max(drawn) <= "2025-05-10"),
        ({"type": "string", "format": "date-time"}, lambda drawn: all(value.endswith(":00") for value in drawn)),
        (
            {"type": "array", "items": {"type": "integer"}},
            lambda drawn: {len(value) for value in drawn} == {0, 1, 2, 3, 4},
        ),
        (
            {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "maxItems": 3, "uniqueItems": True},
            lambda drawn: all(sorted(value) == [1, 2, 3] for value in drawn),
        ),
        (
            {"type": "array", "items": {"enum": [1, 2]}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
            lambda drawn: {len(value) for value in drawn} == {1, 2},
        ),
        (
            {"type": "object", "properties": {"n": {"type": "integer"}, "o": {"type": "integer"}}, "required": ["n"]},
            lambda drawn: {len(value) for value in drawn} == {1, 2},
        ),
    ],
)
def test_what_is_drawn_fills_its_schema(schema, check):
    assert check(drawing(schema))


def test_more_distinct_items_than_there_are_end_in_as_many_as_there_are():
    schema = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 3, "maxItems": 3, "uniqueItems": True}
    space = ToolCalls(
        [ToolInfo("t", "", {"type": "object", "properties": {"a": schema}, "required": ["a"]})], NOW, seed=0
    )
    assert sorted(space.sample().arguments["a"]) == [1, 2]


def test_a_mask_leaves_the_tools_it_names():
    space = space_of(open_scenario("parcel_lockers"))
    assert {space.sample(mask={"list_lockers", "other"}).name for _ in range(20)} == {"list_lockers"}
    for nothing in ((), ["move_parcels"]):
        with pytest.raises(UsageError, match="the mask leaves no tool"):
            space.sample(mask=nothing)


def test_submit_is_drawn_in_the_form_of_each_task():
    env = ToolEnv("parcel_lockers")
    env.action_space.seed(0)
    drawn = [env.action_space.sample(mask={"submit"}).arguments for _ in range(60)]
    assert {type(arguments.get("answer")) for arguments in drawn} == {type(None), int, dict}


@pytest.mark.parametrize(
    ("action", "inside"),
    [
        (ToolCall("x", {}), True),
        (ToolCall("x", {"a": [1, {"b": None}]}), True),
        ({"name": "x"}, True),
        ('{"name": "x"}', True),
        ("x", False),
        (ToolCall("x", {"a": float("nan")}), False),
        (("x", {}), False),
        (None, False),
    ],
)
def test_what_reads_as_a_call_is_in_the_space(action, inside):
    assert space_of(open_scenario("parcel_lockers")).contains(action) is inside


def test_calls_go_to_json_and_back():
    space = space_of(open_scenario("parcel_lockers"))
    calls = [space.sample() for _ in range(30)]
    documents = space.to_jsonable(calls)
    assert documents[0] == {"name": calls[0].name, "arguments": calls[0].arguments}
    assert space.from_jsonable(documents) == calls


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        ({"const": "only"}, lambda value: value == "only"),
        (
            {"anyOf": [{"type": "integer", "minimum": 3, "maximum": 5}, {"type": "null"}]},
            lambda v: v in (3, 4, 5, None),
        ),
        ({"oneOf": [{"enum": ["a", "b"]}]}, lambda value: value in ("a", "b")),
        ({"allOf": [{"type": "integer", "minimum": 7}, {"maximum": 8}]}, lambda value: value in (7, 8)),
        ({"type": ["integer", "null"], "minimum": 1, "maximum": 2}, lambda value: value in (1, 2, None)),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3}, lambda value: value in (1, 2)),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, lambda value: 0 < value < 0.5),
        ({"type": "array", "maxItems": 2}, lambda value: all(isinstance(item, str) for item in value)),
        ({}, lambda value: isinstance(value, str)),
    ],
)
def test_schemas_of_generated_applications_are_drawn_from(schema, allowed):
    inner = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    space = ToolCalls([ToolInfo("tool", "A tool.", inner)], NOW, seed=0)
    drawn = [space.sample().arguments["x"] for _ in range(40)]
    assert all(map(allowed, drawn)), drawn
