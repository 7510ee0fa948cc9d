"""Errors name the place, the value and the way out, whatever the value is."""

import pickle
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym.errors import AwmError, EnvironmentFault, EpisodeOver, ScenarioError, UsageError, printable, shown, unknown


class Trap:
    """A value whose repr must not be asked for."""

    def __repr__(self):
        raise AssertionError("somebody asked")


class Text(str):
    """A string that lies about itself."""

    __slots__ = ()
    __repr__ = Trap.__repr__


def endless():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "is wrong"),
        ({"key": "a.b"}, "a.b: is wrong"),
        ({"file": "tools.toml"}, "tools.toml: is wrong"),
        ({"scenario": "s", "file": "tools.toml", "key": "a.b"}, "s/tools.toml: a.b: is wrong"),
    ],
)
def test_a_scenario_error_tells_its_place_and_keeps_the_parts(place, message):
    error = ScenarioError("is wrong", **place)
    assert str(error) == message
    assert (error.problem, error.file, error.key) == ("is wrong", place.get("file", ""), place.get("key", ""))


def test_a_scenario_error_crosses_a_process_border_whole():
    error = ScenarioError("is wrong", file="data.sql", key="k").within("shop")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "shop/data.sql: k: is wrong"
    assert (copy.scenario, copy.file, copy.key, copy.problem) == ("shop", "data.sql", "k", "is wrong")


def test_the_tree_is_what_callers_catch():
    assert issubclass(ScenarioError, AwmError)
    assert issubclass(EnvironmentFault, AwmError)
    assert issubclass(EpisodeOver, UsageError)
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize(
    ("kind", "name", "known", "message"),
    [
        ("tool", "lnd", ["lend", "send", "other"], "There is no tool 'lnd'. Did you mean lend or send?"),
        ("task in shop", "x", ["buy", "asell"], "There is no task 'x' in shop. There are: asell, buy."),
        ("table", "x", [], "There is no table 'x'. There are: none."),
        ("table", 7, ["7", "eight"], "There is no table 7. Did you mean 7?"),
    ],
)
def test_an_unknown_name_gets_its_neighbours_or_the_whole_list(kind, name, known, message):
    assert unknown(kind, name, known) == message


def test_a_long_list_of_names_is_cut():
    told = unknown("tool", "?", [f"tool_{number:02}" for number in range(40)])
    assert told.endswith("tool_10, tool_11, ....")
    assert "tool_12" not in told


@pytest.mark.parametrize("make", [lambda: "x" * 10**7, Trap, lambda: Text("lend"), lambda: 10**10_000, endless])
def test_any_name_is_told_in_a_line(make):
    assert len(unknown("tool", make(), ["lend"])) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", '"it\'s"'),
        ("\x1b[2J", "'\\x1b[2J'"),
        (b"\x00", "b'\\x00'"),
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (date(2025, 1, 2), "datetime.date(2025, 1, 2)"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1, 2), "(1, 2)"),
        ({"a": [1], "b": {}}, "{'a': [1], 'b': {}}"),
        (Trap(), "<class 'Trap'>"),
        (Text("x"), "<class 'Text'>"),
        ([Trap()], "[<class 'Trap'>]"),
    ],
)
def test_a_value_is_shown_as_its_repr_and_strange_ones_by_their_type(value, text):
    assert shown(value) == text


def test_an_integer_that_python_would_not_print_is_counted():
    assert shown(10**5000) == "an integer of 16610 bits"


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 10**7,
        lambda: b"x" * 10**7,
        lambda: list(range(10**6)),
        lambda: dict.fromkeys(range(10**6)),
        lambda: [endless()] * 9,
    ],
)
def test_a_large_value_is_cut(make):
    text = shown(make(), 30)
    assert len(text) == 30
    assert text.endswith("...")


def test_a_deep_value_ends_in_dots():
    deep = []
    for _ in range(100):
        deep = [deep]
    assert shown(deep, 200) == "[" * 32 + "..." + "]" * 32


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@settings(derandomize=True, deadline=None)
@given(JSON)
def test_plain_values_are_shown_as_python_writes_them(value):
    assert shown(value, 10**6) == repr(value)


def test_a_terminal_gets_no_control_characters():
    assert printable("a\tb\nc\x1b[2J\u202ed\u200b é") == "a\tb\nc\\x1b[2J\\u202ed\\u200b é"
