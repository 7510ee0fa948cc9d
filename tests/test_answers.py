"""Answers: compared by type, never by text patterns."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from awm_gym.answers import described, equal, expected_from, folded, for_sql, problem_with
from awm_gym.scenario import Answer


def answer(document):
    return Answer.model_validate(document)


NUMBERS = {"type": "list", "items": "integer"}
ROUGH = {"type": "number", "tolerance": 1}
BAG = NUMBERS | {"ordered": False}
PRICE = {"type": "record", "fields": {"name": "string", "price": {"type": "number", "tolerance": 0.01}}}
PRICES = {"type": "list", "items": PRICE, "ordered": False}


@pytest.mark.parametrize(
    ("document", "given", "right"),
    [
        ("integer", 3, 3),
        ("integer", 3.0, 3),
        ("number", 3, 3.0),
        ("number", 0.1 + 0.2, 0.3),
        ({"type": "number", "tolerance": 0.1}, 0.3, 0.2),
        ({"type": "number", "tolerance": 0}, 2.5, 2.5),
        ("string", "  Ångström\n Street ", "Ångström STREET"),
        ("string", "ﬁne", "fine"),
        ("boolean", True, True),
        ("date", "2025-01-31", "2025-01-31"),
        ("datetime", "2025-01-31T10:00:00", "2025-01-31T10:00:00"),
        (NUMBERS, [], []),
        (NUMBERS, [1, 2], [1, 2]),
        (BAG, [2, 1, 2], [1, 2, 2]),
        ({"type": "list", "items": "string", "ordered": False}, ["B", "a"], ["A", "b"]),
        (PRICE, {"price": 2.505, "name": "TEA"}, {"name": "tea", "price": 2.5}),
        (PRICES, [{"name": "a", "price": 1.0}, {"name": "a", "price": 1.01}], [{"name": "A", "price": 1.005}] * 2),
        # Each given value must find its own partner, though the first could take either.
        (
            {"type": "list", "items": ROUGH, "ordered": False},
            [1.0, 0.0, 3.0],
            [2.0, 1.0, 0.0],
        ),
        (
            {"type": "list", "items": {"type": "record", "fields": {"a": ROUGH, "b": "string"}}, "ordered": False},
            [{"a": 1.0, "b": "x"}, {"a": 1.5, "b": "y"}],
            [{"a": 1.2, "b": "y"}, {"a": 1.6, "b": "x"}],
        ),
    ],
)
def test_what_people_call_the_same_answer_is_the_same(document, given, right):
    assert equal(answer(document), given, right)
    assert equal(answer(document), right, given)


@pytest.mark.parametrize(
    ("document", "given", "right"),
    [
        ("integer", 3, 4),
        ("integer", "3", 3),
        ("integer", True, 1),
        ("integer", None, None),
        ("number", 3.00001, 3),
        ({"type": "number", "tolerance": 0.1}, 0.31, 0.2),
        ({"type": "number", "tolerance": 0}, 2.5, 2.6),
        ("string", "tea", "coffee"),
        ("string", "the answer is tea", "tea"),
        ("string", "x" * 4001, "x" * 4001),
        ("boolean", 1, True),
        ("boolean", True, False),
        ("date", "2025-1-31", "2025-01-31"),
        (NUMBERS, [2, 1], [1, 2]),
        (NUMBERS, [1], [1, 1]),
        (NUMBERS, (1,), [1]),
        (NUMBERS, [1, "2"], [1, 2]),
        (NUMBERS, [0] * 201, [0] * 201),
        (BAG, [1, 1, 2], [1, 2, 2]),
        (BAG, [1, 2, 3], [1, 2]),
        (PRICE, {"name": "tea"}, {"name": "tea", "price": 1}),
        (PRICE, {"name": "tea", "price": 1, "note": ""}, {"name": "tea", "price": 1}),
        (PRICE, {"name": "tea", "price": "1"}, {"name": "tea", "price": 1}),
        (PRICE, ["tea", 1], {"name": "tea", "price": 1}),
        (PRICES, [{"name": "a", "price": 1.0}, {"name": "a", "price": 1.5}], [{"name": "a", "price": 1.0}] * 2),
    ],
)
def test_another_value_or_another_type_is_never_right(document, given, right):
    assert not equal(answer(document), given, right)
    assert not equal(answer(document), right, given)


SCALARS = ["integer", "number", "string", "boolean", "date", "datetime", {"type": "number", "tolerance": 0.5}]
TYPES = st.sampled_from(
    [*SCALARS, NUMBERS, BAG, PRICE, PRICES, {"type": "list", "items": SCALARS[-1], "ordered": False}]
).map(answer)


def values(kind):
    if kind.items is not None:
        return st.lists(values(kind.items), max_size=5)
    if kind.fields:
        return st.fixed_dictionaries({name: values(field) for name, field in kind.fields.items()})
    return {
        "integer": st.integers(-3, 3),
        "number": st.floats(-2, 2) | st.floats(allow_nan=False, allow_infinity=False),
        "string": st.text("aA ß\n", max_size=3) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3),
        "boolean": st.booleans(),
        "date": st.dates().map(str),
        "datetime": st.datetimes(timezones=st.none()).map(lambda moment: moment.replace(microsecond=0).isoformat()),
    }[kind.type]


JUNK = (
    st.none()
    | st.binary(max_size=1)
    | st.lists(st.none(), max_size=2)
    | st.dictionaries(st.text(), st.none(), max_size=2)
)
exact = settings(derandomize=True, deadline=None)


@exact
@given(TYPES.flatmap(lambda kind: st.tuples(st.just(kind), values(kind))))
def test_every_answer_of_a_type_equals_itself(pair):
    kind, value = pair
    assume(problem_with(kind, value) is None)
    assert equal(kind, value, value)


@exact
@given(TYPES.flatmap(lambda kind: st.tuples(st.just(kind), values(kind) | JUNK, values(kind) | JUNK)))
def test_equality_has_no_direction(triple):
    kind, one, other = triple
    assert equal(kind, one, other) == equal(kind, other, one)


@exact
@given(values(answer(PRICES)), st.randoms(use_true_random=False))
def test_a_free_list_may_be_shuffled(value, random):
    shuffled = random.sample(value, len(value))
    assert equal(answer(PRICES), shuffled, value)


@pytest.mark.parametrize(
    ("document", "value", "problem"),
    [
        ("integer", 3, None),
        ("integer", "3", "must be an integer, got '3'"),
        ("date", 3, "must be a date (YYYY-MM-DD), got 3"),
        ("datetime", "now", "must be a datetime (YYYY-MM-DDTHH:MM:SS), got 'now'"),
        (NUMBERS, 3, "must be a list (in order), each item an integer, got 3"),
        (
            {"type": "list", "items": "string"},
            ["é" * 4_000] * 8,
            "is too long: 64032 bytes as JSON, at most 60000",
        ),
        (PRICES, {}, "must be a list (in any order), each item an object with name: a string, price: a number, got {}"),
    ],
)
def test_an_answer_of_the_wrong_type_is_told_the_right_one(document, value, problem):
    assert problem_with(answer(document), value) == problem
    assert problem is None or "too long" in problem or described(answer(document)) in problem


@pytest.mark.parametrize(
    ("document", "value", "bound"),
    [
        ("integer", 3.0, 3),
        ("boolean", True, 1),
        ("string", " Tea ", " Tea "),
        ("integer", "x", None),
        (NUMBERS, [2, 1], "[2,1]"),
        (BAG, [10, 2, 1], "[1,2,10]"),
        ({"type": "list", "items": "string", "ordered": False}, ["b", "É", "A"], '["A","b","É"]'),
        (PRICE, {"price": 1, "name": "é"}, '{"name":"é","price":1.0}'),
        (
            PRICES,
            [{"name": "B", "price": 1}, {"name": "a", "price": 2}, {"price": 1, "name": "a"}],
            '[{"name":"a","price":1.0},{"name":"a","price":2.0},{"name":"B","price":1.0}]',
        ),
    ],
)
def test_a_check_sees_one_form_of_an_answer(document, value, bound):
    found = for_sql(answer(document), value)
    assert found == bound
    assert type(found) is type(bound)


@pytest.mark.parametrize(
    ("document", "columns", "rows", "right"),
    [
        ("integer", ["n"], [(3,)], 3),
        ("integer", ["n"], [], None),
        ("integer", ["n"], [(3,), (4,)], None),
        ("integer", ["n", "m"], [(3, 4)], None),
        ("integer", ["n"], [("three",)], None),
        ("integer", ["n"], [(None,)], None),
        ("boolean", ["n"], [(1,)], True),
        ("boolean", ["n"], [(2,)], None),
        ("date", ["n"], [("2025-01-31",)], "2025-01-31"),
        (NUMBERS, ["n"], [], []),
        (NUMBERS, ["n"], [(2,), (1,)], [2, 1]),
        (BAG, ["n"], [(2,), (None,)], None),
        (PRICE, ["price", "name"], [(1.5, "tea")], {"name": "tea", "price": 1.5}),
        (PRICE, ["price", "title"], [(1.5, "tea")], None),
        (PRICE, ["price", "name"], [], None),
        (PRICES, ["name", "price"], [("tea", 1)], [{"name": "tea", "price": 1.0}]),
        (PRICES, ["name", "price"], [("tea", None)], None),
    ],
)
def test_the_right_answer_comes_from_the_rows_of_a_query(document, columns, rows, right):
    assert expected_from(answer(document), rows, columns) == right


def test_folding_is_done_once_and_for_all():
    assert folded(" ẞ \t Ｅ ") == folded(folded(" ẞ \t Ｅ ")) == "ss e"
