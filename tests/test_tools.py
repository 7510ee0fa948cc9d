"""Tools, compiled: parameters and SQL agree, and `of` makes the guards."""

import re

import pytest

from awm_gym.database import Phase, Template
from awm_gym.errors import ScenarioError
from awm_gym.scenario import ToolCall
from awm_gym.sql import Statement
from awm_gym.tools import compile_tools, prepare
from awm_gym.world import World, compiled


def tool(sql, params=""):
    return f"[act]\ndescription = 'Act.'\n{params}\nsql = '''\n{sql}'''\n"


def of(rest, kind="integer", name="x"):
    return f"params.{name} = {{ type = '{kind}', {rest}, description = 'It.' }}"


@pytest.mark.parametrize(
    ("sql", "key", "told"),
    [
        ("", "act.sql", "has no statement"),
        ("-- nothing\n;", "act.sql", "has no statement"),
        ("SELECT 1", "act.sql", "line 1: the statement has no closing semicolon"),
        ("SELECT 1;\n\nSELEC 2;", "act.sql", "line 3: only SELECT, WITH, INSERT, UPDATE, DELETE, REPLACE, VALUES may"),
        ("SELECT n\nFROM t\nWHERE m = 1;", "act.sql", "line 3, column 7: no such column: m, in: SELECT n"),
        ("SELECT 'é', m\nFROM t;", "act.sql", "line 1, column 13: no such column: m"),
        ("SELECT n FROM u;", "act.sql", "no such table: u"),
        ("SELECT n FROM t WHERE n = ?;", "act.sql", "line 1: parameter '?' is not written :name"),
        ("SELECT n, words AS n FROM t;", "act.sql", "two columns named 'n'; rename one with AS"),
        ("SELECT n FROM t WHERE n = :x;", "act.sql", ":x is used but not declared; add params.x"),
        ("SELECT n FROM before.t;", "act.sql", "no such table: before.t"),
        ("SELECT random();", "act.sql", "not authorized to use function: random"),
        ("SELECT last_insert_rowid();", "act.sql", "not authorized to use function: last_insert_rowid"),
        ("SELECT trim(words, ' ') FROM t;", "act.sql", "wrong number of arguments to function trim()"),
        ("PRAGMA foreign_keys = 0;", "act.sql", "only SELECT"),
        ("EXPLAIN SELECT 1;", "act.sql", "only SELECT"),
        ("SELECT * FROM pragma_table_info('t');", "act.sql", "is not allowed here"),
        ("INSERT OR ROLLBACK INTO t (id) VALUES (1);", "act.sql", "line 1: ROLLBACK is not allowed"),
        ("SELECT refuse('a', 'b');", "act.sql", "wrong number of arguments to function refuse()"),
        ("SELECT n FROM t WHERE n IN (1, 2;", "act.sql", 'near ";": syntax error'),
        ("SELECT 1; COMMIT;", "act.sql", "only SELECT"),
    ],
)
def test_a_tool_that_does_not_compile_is_told_with_line_and_column(small, sql, key, told):
    with pytest.raises(ScenarioError) as caught:
        compiled(small(tools=tool(sql)))
    assert (caught.value.file, caught.value.key) == ("tools.toml", key)
    assert told in caught.value.problem


KEYED = """
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, words TEXT) STRICT;
CREATE TABLE seat (line TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (line, place)) STRICT;
"""
SEATS = "INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two'); INSERT INTO seat VALUES ('a', 1), ('b', 2), ('b', 3);"


@pytest.mark.parametrize(
    ("params", "key", "told"),
    [
        (of("optional = true"), "act.params.x", "is declared but :x is never used; use it or remove it"),
        (of("of = 'tt'"), "act.params.x.of", "There is no table 'tt'. Did you mean t?"),
        (of("of = 't.idd'"), "act.params.x.of", "There is no column of t 'idd'. Did you mean id?"),
        (of("of = 'seat'"), "act.params.x.of", 'the key of seat has 2 columns; name one: of = "seat.line"'),
        (of("of = 't', where = 'm = 1'"), "act.params.x", "no such column: m"),
        (of("of = 't', where = 'n = :y'"), "act.sql", ":y is used but not declared"),
        (of("of = 't', where = 'random() > 0'"), "act.params.x", "not authorized to use function: random"),
        (of("of = 't', where = 'n = ?'"), "act.params.x", "parameter '?' is not written :name"),
    ],
)
def test_a_parameter_at_odds_with_the_sql_is_told(small, params, key, told):
    with pytest.raises(ScenarioError) as caught:
        compiled(small(schema=KEYED, data="", tools=tool("SELECT 1 AS one;", params)))
    assert (caught.value.file, caught.value.key) == ("tools.toml", key)
    assert told in caught.value.problem


@pytest.mark.parametrize(
    ("params", "arguments", "told"),
    [
        (of("of = 't'"), {"x": 2}, None),
        (of("of = 't'"), {"x": 9}, "There is no t 9."),
        (of("of = 't', optional = true"), {}, None),
        (of("of = 't', default = 9"), {}, "There is no t 9."),
        (of("of = 't', noun = \"customer's number\""), {"x": 9}, "There is no customer's number 9."),
        (of("of = 't', where = 'n > 1 OR n IS NULL', noun = 'big t'"), {"x": 1}, "There is no big t 1."),
        (of("of = 't', where = 'n > 1 OR n IS NULL', noun = 'big t'"), {"x": 2}, None),
        (of("of = 't.words'", "string"), {"x": "two"}, None),
        (of("of = 't.words'", "string"), {"x": "Two"}, "There is no t Two."),
        (of("of = 'seat.place'"), {"x": 3}, None),
        (of("items = 'integer', of = 't'", "array"), {"x": []}, None),
        (of("items = 'integer', of = 't'", "array"), {"x": [1, 2, 1]}, None),
        (of("items = 'integer', of = 't'", "array"), {"x": [2, 8, 9]}, "There is no t 8."),
        (of("items = 'integer', of = 't', where = 'n > 1'", "array"), {"x": [2, 1]}, "There is no t 1."),
        (of("items = 'string', of = 't.words'", "array"), {"x": ['a"b']}, 'There is no t a"b.'),
        (
            of("of = 'seat.line'", "string") + "\n" + of("of = 'seat.place', where = 'line = :x'", name="y"),
            {"x": "b", "y": 3},
            None,
        ),
        (
            of("of = 'seat.line'", "string") + "\n" + of("of = 'seat.place', where = 'line = :x'", name="y"),
            {"x": "a", "y": 3},
            "There is no seat 3.",
        ),
        (
            of("of = 'seat.line'", "string") + "\n" + of("of = 'seat.place', where = 'line = :x'", name="y"),
            {"x": "c", "y": 9},
            "There is no seat c.",
        ),
    ],
)
def test_of_refuses_what_no_row_has(small, params, arguments, told):
    made = small(schema=KEYED, data=SEATS, tools=tool("UPDATE t SET n = n + 1;", params))
    world = World(made)
    result = world.call(ToolCall("act", arguments))
    assert (result.kind, result.error) == (("refused", told) if told else (None, None))
    assert bool(world.changes()) == (told is None)


@pytest.mark.parametrize(
    ("sql", "count", "answer", "writes", "columns"),
    [
        ("SELECT 1 AS one;", 1, 0, False, ("one",)),
        ("SELECT 1 AS one; SELECT 2 AS two;", 2, 1, False, ("two",)),
        ("SELECT refuse('no') WHERE 0;\nDELETE FROM t;", 2, 0, True, ("refuse('no')",)),
        ("INSERT INTO t (n) VALUES (1) RETURNING id; DELETE FROM t;", 2, 0, True, ("id",)),
        ("DELETE FROM t;", 1, -1, True, ()),
        ("WITH a AS (SELECT 1) INSERT INTO t (n) SELECT * FROM a;", 1, -1, True, ()),
        ("VALUES (1, 2);", 1, 0, False, ("column1", "column2")),
    ],
)
def test_a_compiled_tool_knows_what_answers_and_whether_it_writes(small, sql, count, answer, writes, columns):
    found = compiled(small(tools=tool(sql))).tools["act"]
    assert (len(found.statements), found.answer, found.writes) == (count, answer, writes)
    assert answer < 0 or found.statements[answer].columns == columns


def test_the_guards_stand_first_in_the_order_of_the_parameters(room):
    lend = compile_tools(Template(room))["lend"]
    assert [sorted(statement.parameters) for statement in lend.statements[:2]] == [["reader_id"], ["book_code"]]
    assert len(lend.statements) == 4


def test_to_compile_is_not_to_run(small):
    template = compiled(small()).template
    found = prepare(template, Phase.TOOL, Statement("DELETE FROM t RETURNING id;", 5), "tools.toml", "act.sql")
    assert found == ("DELETE FROM t RETURNING id;", 5, ("id",), True, frozenset())
    assert template.db.execute("SELECT count(*) FROM t").get == 3


@pytest.mark.parametrize(
    ("phase", "sql", "told"),
    [
        (Phase.JUDGE, "DELETE FROM t;", "DELETE main.t is not allowed here"),
        (Phase.JUDGE, "SELECT refuse('x');", "not authorized to use function: refuse"),
        (Phase.DATA, "UPDATE t SET n = 1;", "UPDATE main.t is not allowed here"),
        (Phase.SCHEMA, "DROP TABLE t;", "DROP TABLE main.t is not allowed here"),
        (Phase.TOOL, "DROP TABLE t;", "is not allowed here"),
        (Phase.TOOL, "SAVEPOINT a;", "SAVEPOINT BEGIN is not allowed here"),
    ],
)
def test_each_phase_has_its_own_rights(small, phase, sql, told):
    with pytest.raises(ScenarioError, match=re.escape(told)):
        prepare(compiled(small()).template, phase, Statement(sql, 1), "f", "k")
