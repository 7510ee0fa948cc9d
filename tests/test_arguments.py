"""Actions and arguments: read strictly, never coerced, and every mistake told in words."""

import json
import math
import re
from collections import UserDict
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym.arguments import MAX_ARRAY, MAX_JSON, Mistake, bind, default_problem, describe, read_call
from awm_gym.scenario import Param, Tool, ToolCall


class Sub(str):
    __slots__ = ()


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "action",
    [
        ToolCall("a", {"x": 1}),
        {"name": "a", "arguments": {"x": 1}},
        {"name": "a", "arguments": '{"x": 1}'},
        MappingProxyType({"name": "a", "arguments": UserDict(x=1)}),
        '{"name": "a", "arguments": {"x": 1}}',
        ' {"arguments": {"x": 1},\n"name": "a"} ',
        {"id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}},
        '{"function": {"name": "a", "arguments": {"x": 1}}}',
    ],
)
def test_a_call_is_read_in_every_form_that_models_emit(action):
    assert read_call(action) == ToolCall("a", {"x": 1})
    assert type(read_call(action).arguments) is dict


@pytest.mark.parametrize("arguments", [None, {}, "", "  ", "{}"])
def test_arguments_may_be_left_out(arguments):
    assert read_call({"name": "a", "arguments": arguments}) == read_call({"name": "a"}) == ToolCall("a", {})


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("", "not valid JSON (Expecting value at character 0)"),
        ("{'name': 'a'}", "at character 1"),
        ('{"name": "a", "arguments": {"x"', "not valid JSON"),
        ('{"name": "a",}', "not valid JSON"),
        ('{"name": "a"} x', "Extra data at character 14"),
        ('\ufeff{"name": "a"}', "BOM"),
        ('{"name": "a", "name": "b"}', "the key 'name' stands there twice"),
        ('{"name": "a", "arguments": {"x": 1, "x": 1}}', "the key 'x' stands there twice"),
        ('{"name": "a", "arguments": {"x": NaN}}', "NaN is not JSON"),
        ('{"name": "a", "arguments": {"x": -Infinity}}', "-Infinity is not JSON"),
        ('{"name": "a", "arguments": {"x": ' + "1" * 4301 + "}}", "4300 digits"),
        ("[" * 100_000, "nested deeper than 32 levels"),
        ('"' + "x" * MAX_JSON + '"', f"too long: {MAX_JSON + 2} characters, at most {MAX_JSON}"),
        ("[]", "no tool call but a list"),
        ('"a"', "no tool call but a str"),
        ("null", "no tool call but a NoneType"),
        ("7", "no tool call but a int"),
        (None, "no tool call but a NoneType"),
        (object(), "no tool call but a object"),
        (("a", {}), "no tool call but a tuple"),
        ({}, "no tool call: expected a JSON object such as"),
        ({"tool": "a"}, "no tool call"),
        ({"function": "a"}, "no tool call"),
        ({"name": "a", "args": {}}, "A tool call has no 'args'"),
        ({"name": "a", 7: {}}, "A tool call has no 7"),
        ({"name": 7}, "The tool's name must be a string, got 7."),
        (ToolCall(None, {}), "The tool's name must be a string, got None."),
        ({"name": "a", "arguments": []}, "The arguments must be a JSON object, got []."),
        ({"name": "a", "arguments": "[]"}, "The arguments must be a JSON object, got []."),
        ({"name": "a", "arguments": "{x"}, "not valid JSON"),
        (ToolCall("a", 3), "The arguments must be a JSON object, got 3."),
    ],
)
def test_what_is_no_tool_call_is_malformed(action, told):
    mistake = read_call(action)
    assert isinstance(mistake, Mistake)
    assert mistake.kind == "malformed"
    assert told in mistake.text
    assert len(mistake.text) < 400


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"x": 2**63}, "an integer does not fit into 64 bits"),
        ({"x": -(2**63) - 1}, "an integer does not fit into 64 bits"),
        ({"x": math.inf}, "inf is not a JSON number"),
        ({"x": math.nan}, "nan is not a JSON number"),
        ({"x": "\ud800"}, "surrogate character '\\ud800'"),
        ({"x": "a\0b"}, "character '\\x00'"),
        ({"\x1b": 1}, "character '\\x1b'"),
        ({"x": "y" * MAX_JSON}, f"larger than {MAX_JSON} characters"),
        ({"x": ["y" * 1000] * 300}, f"larger than {MAX_JSON} characters"),
        ({"x": list(range(MAX_JSON))}, f"larger than {MAX_JSON} characters"),
        ({"x": nested(32)}, "nested deeper than 32 levels"),
        ({7: 1}, "the key 7 is not a string"),
        ({Sub("x"): 1}, "is not a string"),
        ({"x": (1,)}, "a value is of the Python type tuple"),
        ({"x": Sub("y")}, "a value is of the Python type Sub"),
        ({"x": b"y"}, "a value is of the Python type bytes"),
        ({"x": object}, "a value is of the Python type type"),
    ],
)
def test_arguments_that_cannot_travel_as_json_are_refused(arguments, told):
    mistake = read_call(ToolCall("a", arguments))
    assert isinstance(mistake, Mistake)
    assert (mistake.kind, told in mistake.text) == ("invalid_arguments", True)


def test_json_text_that_overflows_to_infinity_is_refused():
    assert read_call('{"name": "a", "arguments": {"x": 1e999}}').kind == "invalid_arguments"


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)
    assert "nested deeper" in read_call(ToolCall("a", {"x": value})).text
    doubling = []
    for _ in range(30):
        doubling = [doubling, doubling]
    assert "larger than" in read_call(ToolCall("a", {"x": doubling})).text


@pytest.mark.parametrize(
    "value", ["line\nbreak\ttab", "аdmin \u202e\u200b", "é", "x'; DROP TABLE t; --", nested(31), -(2**63), 1e-320, None]
)
def test_strange_but_honest_values_pass(value):
    assert read_call(ToolCall("a", {"x": value})).arguments["x"] == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None)
@given(st.text() | JSON | st.fixed_dictionaries({"name": JSON | st.text(), "arguments": JSON}))
def test_every_action_is_a_call_that_travels_or_a_mistake(action):
    read = read_call(action)
    if isinstance(read, Mistake):
        assert read.text.endswith((".", "}."))
    else:
        assert read_call(json.dumps(read._asdict())) == read


def tool(**params):
    described = {name: {"description": "It."} | fields for name, fields in params.items()}
    return Tool(name="act", description="d", sql="SELECT 1;", params=described)


def bound(value, **fields):
    return bind(tool(x=fields), {"x": value})


@pytest.mark.parametrize(
    ("fields", "value", "sql"),
    [
        ({"type": "integer"}, 5, 5),
        ({"type": "integer"}, 5.0, 5),
        ({"type": "integer"}, -(2**63), -(2**63)),
        ({"type": "integer", "enum": [1, 2]}, 2, 2),
        ({"type": "number"}, 5, 5.0),
        ({"type": "number"}, -0.0, 0.0),
        ({"type": "number", "minimum": 0.5, "maximum": 1}, 1, 1.0),
        ({"type": "number", "enum": [1, 2.5]}, 1, 1.0),
        ({"type": "string"}, "", ""),
        ({"type": "string", "min_length": 1, "max_length": 2}, "éé", "éé"),
        ({"type": "string"}, "x' OR '1'='1", "x' OR '1'='1"),
        ({"type": "boolean"}, True, 1),
        ({"type": "boolean"}, False, 0),
        ({"type": "date"}, "2024-02-29", "2024-02-29"),
        ({"type": "datetime"}, "2024-02-29T23:59:59", "2024-02-29T23:59:59"),
        ({"type": "array", "items": "integer"}, [], "[]"),
        ({"type": "array", "items": "integer", "unique": True}, [2, 1.0], "[2, 1]"),
        ({"type": "array", "items": "string"}, ['"é\\'], '["\\"é\\\\"]'),
        ({"type": "array", "items": "boolean"}, [True], "[1]"),
    ],
)
def test_a_fitting_value_is_bound(fields, value, sql):
    found = bound(value, **fields)
    assert found == {"x": sql}
    assert type(found["x"]) is type(sql)
    assert math.copysign(1, found["x"]) == 1 if sql == 0.0 else True


@pytest.mark.parametrize(
    ("fields", "value", "told"),
    [
        ({"type": "integer"}, 5.5, "must be a 64-bit integer, got 5.5"),
        ({"type": "integer"}, "5", "must be a 64-bit integer, got '5'"),
        ({"type": "integer"}, True, "must be a 64-bit integer, got True"),
        ({"type": "integer"}, 2**63, "must be a 64-bit integer"),
        ({"type": "integer"}, 2.0**63, "must be a 64-bit integer"),
        ({"type": "integer"}, math.inf, "must be a 64-bit integer"),
        ({"type": "integer", "minimum": 1}, 0, "must be at least 1, got 0"),
        ({"type": "integer", "maximum": 1}, 2, "must be at most 1, got 2"),
        ({"type": "integer", "enum": [1, 2]}, 3, "must be one of 1, 2, got 3"),
        ({"type": "number"}, math.nan, "must be a finite number"),
        ({"type": "number"}, 2**63, "must be a finite number"),
        ({"type": "number"}, "1", "must be a finite number"),
        ({"type": "number"}, False, "must be a finite number"),
        ({"type": "string"}, 1, "must be a string, got 1"),
        ({"type": "string"}, Sub("a"), "must be a string"),
        ({"type": "string"}, "a\0", "holds a control or surrogate character"),
        ({"type": "string"}, "x" * 4001, "must have 0 to 4000 characters, got 4001"),
        ({"type": "string", "min_length": 2, "max_length": 3}, "a", "must have 2 to 3 characters, got 1"),
        ({"type": "string", "enum": ["a", "b"]}, "A", "must be one of a, b, got 'A'"),
        ({"type": "boolean"}, 1, "must be true or false, got 1"),
        ({"type": "boolean"}, "true", "must be true or false"),
        ({"type": "date"}, "2026-02-30", "must be a date written YYYY-MM-DD"),
        ({"type": "date"}, "2026-2-3", "must be a date"),
        ({"type": "date"}, "20260203", "must be a date"),
        ({"type": "date"}, "2026-02-03T00:00:00", "must be a date"),
        ({"type": "date"}, "٢٠٢٦-02-03", "must be a date"),
        ({"type": "date"}, "2026-02-03\n", "must be a date"),
        ({"type": "date"}, 20260203, "must be a date"),
        ({"type": "datetime"}, "2026-02-03", "must be a moment written YYYY-MM-DDTHH:MM:SS"),
        ({"type": "datetime"}, "2026-02-03 00:00:00", "must be a moment"),
        ({"type": "datetime"}, "2026-02-03T24:00:00", "must be a moment"),
        ({"type": "datetime"}, "2026-02-03T10:00:00+01:00", "must be a moment"),
        ({"type": "datetime"}, "2026-02-03T10:60:00", "must be a moment"),
        ({"type": "datetime"}, "----------T10:10:00", "must be a moment"),
        ({"type": "array", "items": "integer"}, "[1]", "must be an array, each item a 64-bit integer, got '[1]'"),
        ({"type": "array", "items": "integer"}, {"0": 1}, "must be an array"),
        ({"type": "array", "items": "integer"}, [1, "2"], "item 1 must be a 64-bit integer, got '2'"),
        ({"type": "array", "items": "integer", "enum": [1, 2]}, [3], "item 0 must be one of 1, 2, got 3"),
        ({"type": "array", "items": "integer"}, [1] * 201, "must have 0 to 200 items, got 201"),
        ({"type": "array", "items": "integer", "min_items": 1, "max_items": 2}, [], "must have 1 to 2 items, got 0"),
        ({"type": "array", "items": "number", "unique": True}, [1, 1.0], "must not hold an item twice"),
        ({"type": "array", "items": "string"}, ["é" * 4000] * 8, "is too long: 64032 bytes as JSON, at most 60000"),
        ({"type": "integer"}, None, "cannot be null; it must be a 64-bit integer"),
        ({"type": "integer", "optional": True}, None, "cannot be null; leave it out instead"),
        ({"type": "integer", "default": 1}, None, "cannot be null; leave it out instead"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_the_remedy(fields, value, told):
    mistake = bound(value, **fields)
    assert isinstance(mistake, Mistake)
    assert mistake.kind == "invalid_arguments"
    assert mistake.text.startswith(f"act: x {told}")


def test_an_array_as_large_as_allowed_fits_into_sqlite():
    text = bound(["x" * 3990] * 15, type="array", items="string")["x"]
    assert len(text) <= MAX_ARRAY < 65_536


def test_left_out_arguments_bind_their_default_or_null():
    made = tool(
        a={"type": "integer", "optional": True},
        b={"type": "boolean", "default": False},
        c={"type": "array", "items": "integer", "default": [1, 2]},
        d={"type": "number", "default": 3},
    )
    assert bind(made, {}) == {"a": None, "b": 0, "c": "[1, 2]", "d": 3.0}


def test_a_missing_argument_is_described():
    made = tool(size={"type": "string", "enum": ["s", "m"], "description": "How large."})
    assert bind(made, {}).text == "act needs the argument 'size' (one of s, m: How large.)."


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sise", "act has no argument 'sise'; it takes size, at. Did you mean size?"),
        ("__proto__", "act has no argument '__proto__'; it takes size, at."),
    ],
)
def test_an_unknown_argument_is_refused_not_ignored(name, told):
    made = tool(size={"type": "integer"}, at={"type": "integer"})
    assert bind(made, {"size": 1, "at": 2, name: 3}).text == told
    assert bind(tool(), {"x": 1}).text == "act has no argument 'x'; it takes no arguments."


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"type": "integer"}, None),
        ({"type": "integer", "default": 3}, None),
        ({"type": "integer", "default": "3"}, "must be a 64-bit integer, got '3'"),
        ({"type": "array", "items": "date", "default": ["x"]}, "item 0 must be a date written YYYY-MM-DD, got 'x'"),
    ],
)
def test_a_default_must_fit_its_own_parameter(fields, problem):
    assert default_problem(Param(description="d", **fields)) == problem


def test_a_type_is_described_in_words():
    assert describe(Param(type="array", items="string", enum=["a", "b"], description="d")) == (
        "an array, each item one of a, b"
    )


PARAMS = st.sampled_from(
    [
        {"type": "integer", "minimum": -5},
        {"type": "number"},
        {"type": "string", "max_length": 3},
        {"type": "boolean"},
        {"type": "date"},
        {"type": "datetime"},
        {"type": "array", "items": "integer"},
    ]
)


@settings(derandomize=True, deadline=None)
@given(PARAMS, JSON)
def test_what_is_bound_is_what_was_said(fields, value):
    found = bound(value, **fields)
    if isinstance(found, Mistake):
        assert re.match(r"act: x (must|cannot|item|holds) ?", found.text)
    else:
        again = json.loads(found["x"]) if fields["type"] == "array" else found["x"]
        assert again == value
