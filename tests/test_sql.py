"""SQL as text: where statements end, what is code, and what names and literals look like."""

import contextlib
import re

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym.errors import ScenarioError
from awm_gym.sql import Statement, code_only, joined, literal, parameters, quote, refuse_forbidden_words, statements

quick = settings(derandomize=True, deadline=None, max_examples=150)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", []),
        (" \n-- nothing\n/* at all */", []),
        ("/* never closed", []),
        (";;  ;", []),
        ("SELECT 1;", [("SELECT 1;", 1)]),
        ("\n-- why; so\nSELECT 1;\n\n/* a;\nb */ SELECT 2; -- end", [("SELECT 1;", 3), ("SELECT 2;", 6)]),
        (
            "SELECT ';', \";\", `;`, [;] -- ;\n;SELECT 2;",
            [("SELECT ';', \";\", `;`, [;] -- ;\n;", 1), ("SELECT 2;", 2)],
        ),
        ("SELECT 'it''s; fine';", [("SELECT 'it''s; fine';", 1)]),
        (
            "CREATE TRIGGER a AFTER INSERT ON t BEGIN\n SELECT 1;\n SELECT 2; END;\nSELECT 3;",
            [("CREATE TRIGGER a AFTER INSERT ON t BEGIN\n SELECT 1;\n SELECT 2; END;", 1), ("SELECT 3;", 4)],
        ),
    ],
)
def test_a_script_is_split_where_statements_end(script, found):
    assert statements(script) == tuple(Statement(text, line) for text, line in found)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("SELECT 1", "line 1: the statement has no closing semicolon: 'SELECT 1'"),
        (
            "SELECT 1;\n\nSELECT 'a; b",
            "line 3: the statement has no closing semicolon; a quote within a text is doubled: 'didn''t': "
            """"SELECT 'a; b\"""",
        ),
        ("CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1;", "line 1: the statement has no closing semicolon"),
        ("SELECT 'a\0b';", "NUL"),
    ],
)
def test_a_script_that_does_not_end_is_told_with_its_line(script, problem):
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        statements(script)


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO t VALUES ('" + ";" * 400_000 + "');",
        "SELECT 1;" * 40_000,
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN " + "SELECT 1;" * 40_000,
        "[" * 400_000,
        "'" * 400_001,
        '"' + "`[" * 200_000,
        "-- " + "x" * 400_000,
        "/*" * 200_000,
    ],
    ids=["semicolons", "statements", "trigger", "brackets", "quotes", "mixed", "line", "comments"],
)
def test_masses_of_anything_are_split_or_refused_at_once(script):
    # Quadratic work would take hours here, not a test's patience.
    assert len(code_only(script)) == len(script)
    if apsw.complete(script) and "TRIGGER" not in script:
        assert len(statements(script)) in (1, 40_000)
    else:
        with contextlib.suppress(ScenarioError):  # comments alone are no statement, and no mistake
            assert statements(script) == ()


def test_the_head_of_a_statement_is_a_short_line():
    assert Statement("SELECT 1,\n2;", 1).head == "SELECT 1,"
    assert Statement("S" * 200, 1).head == "S" * 87 + "..."


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("a 'b' c", "a     c"),
        ("a 'b''c' d", "a        d"),
        ('a "b" `c` [d] e', "a             e"),
        ("a -- b\nc /* d\ne */ f", "a     \nc     \n     f"),
        ("a 'b\nc", "a   \n "),
    ],
)
def test_strings_quoted_names_and_comments_are_blanked_out(script, code):
    assert code_only(script) == code


@quick
@given(st.text("'\"`[]-/*\n;ab: ", max_size=40))
def test_blanking_keeps_every_character_in_its_place(script):
    code = code_only(script)
    assert len(code) == len(script)
    assert all(left == right or left == " " for left, right in zip(code, script, strict=True))
    assert code.count("\n") == script.count("\n")


@quick
@given(st.lists(st.sampled_from(["'a;b'", '";"', "[;]", "`;`", "-- ;\n", "/* ; */", " x ", ";", "\n"]), max_size=12))
def test_statements_and_the_gaps_between_them_are_the_whole_script(parts):
    script = "".join(parts)
    try:
        found = statements(script)
    except ScenarioError:
        assert not apsw.complete(script)
        return
    position = 0
    for statement in found:
        start = script.index(statement.text, position)
        assert statement.line == script.count("\n", 0, start) + 1
        assert not code_only(script[position:start]).strip(" \n;")
        assert apsw.complete(statement.text)
        position = start + len(statement.text)
    assert not code_only(script[position:]).strip(" \n;")


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("SELECT 1", set()),
        ("SELECT :a, :b_2 + :a", {"a", "b_2"}),
        ("SELECT ':a', \":b\" -- :c\n, :d", {"d"}),
        ("SELECT a::b, x:c, '12:30'", set()),
    ],
)
def test_the_parameters_of_a_script_are_those_outside_of_strings(script, names):
    assert parameters(script) == names


@pytest.mark.parametrize(
    ("script", "told"), [("SELECT ?", "?"), ("SELECT ?1", "?1"), ("SELECT @a", "@a"), ("SELECT $a::b", "$a::b")]
)
def test_a_parameter_in_another_form_is_refused(script, told):
    with pytest.raises(ScenarioError, match=re.escape(f"parameter {told!r} is not written :name")):
        parameters(script)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("a\nINSERT OR rollback INTO t", "line 2: ROLLBACK is not allowed; use OR ABORT"),
        ("SELECT RAISE(ROLLBACK, 'no')", "line 1: ROLLBACK"),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT", "line 1: AUTOINCREMENT is not allowed; an INTEGER PRIMARY KEY"),
        ("REFERENCES t DEFERRABLE", "DEFERRABLE is not allowed; foreign keys are checked at once"),
        ("INITIALLY DEFERRED", "DEFERRED is not allowed"),
        (
            "SELECT datetime(now(), '+1 day',\n'LocalTime')",
            "line 2: 'localtime' and 'utc' ask the machine for its zone",
        ),
        ("SELECT strftime('%H', ltrim(at), 'utc')", "line 1: 'localtime' and 'utc' ask"),
    ],
)
def test_words_that_would_end_the_episode_are_refused(script, told):
    with pytest.raises(ScenarioError, match=re.escape(told)):
        refuse_forbidden_words(script)


@pytest.mark.parametrize(
    "script",
    [
        "SELECT 'ROLLBACK' -- rollback\n/* DEFERRED */",
        "SELECT rollbacks FROM t_rollback",
        "INSERT INTO clock (zone) VALUES ('UTC'), ('localtime')",
        "SELECT date(at), 'utc' FROM t",
    ],
)
def test_the_same_letters_elsewhere_are_fine(script):
    refuse_forbidden_words(script)


def run(sql):
    return apsw.Connection(":memory:").execute(sql).get


@pytest.mark.parametrize(("word", "count"), [("AND", 1), ("OR", 2), ("OR", 900)])
def test_many_conditions_are_joined_flat_enough_for_sqlite(word, count):
    conditions = [f"{number} = {count - 1}" for number in range(count)]
    assert run(f"SELECT {joined(conditions, word)}") == 1


@quick
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_survives_quoting(name):
    assert apsw.Connection(":memory:").execute(f"SELECT 1 AS {quote(name)}").get_description()[0][0] == name


@quick
@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
def test_any_value_survives_as_a_literal(value):
    found = run(f"SELECT {literal(value)}")
    assert found == value
    assert type(found) is (int if isinstance(value, bool) else type(value))
