"""Native scenarios as AgentWorldModel data: each part of the export. The proof of the whole has a file of its own."""

import ast
import json
import random
import sqlite3
import types
from contextlib import closing

import apsw
import pytest
from worlds import stall

from awm_gym import answers
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.export import application, judge_runtime, plain, verifiers
from awm_gym.formats.awm.export.clock import Clock
from awm_gym.formats.awm.export.concat import OrderedConcat
from awm_gym.formats.awm.export.linking import Place, linked
from awm_gym.formats.awm.export.older import translated
from awm_gym.formats.awm.export.portability import check
from awm_gym.formats.awm.export.sources import plain_text, quoted, spelled_out, without_before, written
from awm_gym.formats.awm.export.tables import Database, Filled, database
from awm_gym.formats.awm.export.tasks import exported, final_answer, gives_up, instruction, left_out, tool_calls
from awm_gym.formats.awm.export.writer import LeftOut, export
from awm_gym.formats.awm.index import FILES, PROGRAMS, SOLUTIONS, Index
from awm_gym.formats.awm.records import AwmScenario, Source, TableRows, TableSchema
from awm_gym.scenario import Answer, Task, ToolCall
from awm_gym.verify import verify
from awm_gym.world import World


def executed(code):
    """Our own generated code as a module."""
    module = types.ModuleType("generated")
    exec(compile(code, "<generated>", "exec"), module.__dict__)
    return module


def task(**fields):
    return Task.model_validate({"name": "t", "instruction": "Do it.", "solution": []} | fields)


# Linking


def test_what_is_linked_stands_alone():
    text = linked([Place("awm_gym.answers", "folded")], {}, [Place("os", ""), Place("typing", "Any")])
    assert text.startswith(
        "from __future__ import annotations\n\nimport os\nimport unicodedata\nfrom typing import Any\n"
    )
    assert "awm_gym" not in text
    assert "def equal" not in text
    assert executed(text).folded("  Zoë\tﬁ ") == "zoë fi"


def test_what_is_linked_brings_what_it_uses_from_other_modules_in_an_order_that_runs():
    instead = {Place("awm_gym.scenario", "Answer"): Place(plain.__name__, "Answer")}
    module = executed(linked([Place("awm_gym.answers", "equal"), Place(plain.__name__, "Answer")], instead))
    kind = module.Answer("list", items=module.Answer("date"), ordered=False)
    assert module.equal(kind, ["2025-01-02", "2025-01-01"], ["2025-01-01", "2025-01-02"])
    assert plain.problem_with(Answer(type="integer"), 3) is None
    assert plain.problem_with(Answer(type="integer"), "3") == "is of another type"
    assert not module.equal(kind, ["2025-01-02"], ["2025-01-01"])


def test_two_definitions_of_one_name_are_refused():
    places = [Place("awm_gym.answers", "_SCALARS"), Place("awm_gym.arguments", "_SCALARS")]
    with pytest.raises(UsageError, match="two definitions of _SCALARS cannot stand in one text"):
        linked(places, {Place("awm_gym.scenario", "Answer"): Place(plain.__name__, "Answer")})


# SQL and Python as text


@pytest.mark.parametrize(
    ("sql", "expected", "tables"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT before.t.n FROM before.t, t", 'SELECT temp."before.t".n FROM temp."before.t", t', ("t",)),
        ('SELECT * FROM Before . "two ""words"', 'SELECT * FROM temp."before.two "words"', ('two "words',)),
        ("SELECT 'before.t' -- before.t\n, a_before.t", "SELECT 'before.t' -- before.t\n, a_before.t", ()),
        ("SELECT * FROM before.b, before.a", 'SELECT * FROM temp."before.b", temp."before.a"', ("b", "a")),
    ],
)
def test_tables_as_they_were_are_temporary_ones(sql, expected, tables):
    assert without_before(sql) == (expected, tables)


def test_the_clock_and_the_user_are_spelled_out_where_they_are_asked_for():
    sql = "INSERT INTO t VALUES (now(), me ( ), 'now()', date(NOW())) -- me()"
    assert spelled_out(sql, {"now": "2025-01-01T10:00:00", "me": None}) == (
        "INSERT INTO t VALUES ('2025-01-01T10:00:00', NULL, 'now()', date('2025-01-01T10:00:00')) -- me()"
    )


TEXTS = [
    "plain",
    "it's",
    'a "b"',
    "both ' and \"",
    "two\nlines",
    '"""',
    "back\\slash",
    'ends "\nwith "',
    "bell\x07\nzoë",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_python_literals(text):
    assert ast.literal_eval(quoted(text)) == text
    assert ast.literal_eval(f'"""{plain_text(text)} """').replace("'''", '"""') == text.replace("'''", '"""') + " "


def test_values_are_python_expressions():
    kind = Answer(type="record", fields={"a": Answer(type="number", tolerance=0.5), "b": Answer(type="string")})
    value = judge_runtime.Task((judge_runtime.EndState({"a": "1"}, {}, ("t",)),), {}, kind, "", {"t": ("x", 'y "z"')})
    names = vars(judge_runtime) | {"Answer": Answer}
    assert eval(written(value), names) == value
    assert written((1, None)) == "(\n    1,\n    None,\n)"
    assert written({}) == "{}"


# SQL for an older SQLite

ROOMS = """
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT, size INTEGER);
CREATE TABLE visit (id INTEGER PRIMARY KEY, room_id INTEGER, day TEXT);
INSERT INTO room VALUES (1, 'b, or not', 2), (2, 'a', 2), (3, NULL, 1), (4, 'd', NULL);
INSERT INTO visit VALUES (1, 2, 'x'), (2, 3, 'y'), (3, NULL, 'z');
"""


def rows_of_both(sql):
    """What a statement answers here, and what its translation answers on Python's SQLite."""
    new = apsw.Connection(":memory:")
    new.execute(ROOMS)
    with closing(sqlite3.connect(":memory:")) as old:
        old.create_aggregate("ordered_concat", -1, OrderedConcat)
        old.executescript(ROOMS)
        return new.execute(sql).fetchall(), old.execute(translated(sql)).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT group_concat(name ORDER BY size DESC, name ASC) FROM room",
        "SELECT group_concat(coalesce(name, '(none, )'), '; ' ORDER BY size, id desc) FROM room",
        "SELECT size, string_agg(id, '-' ORDER BY name) FROM room GROUP BY size ORDER BY size",
        "SELECT group_concat(name ORDER BY id) FROM room WHERE id > 99",
        "SELECT group_concat(id, ',') FROM (SELECT id FROM room ORDER BY id)",
        "SELECT v.id, (SELECT r.id FROM room AS r WHERE r.id ORDER BY r.id <> v.room_id, r.id LIMIT 1) FROM visit v",
        "SELECT id, (SELECT r.id FROM room AS r, visit ORDER BY abs(r.id - v.room_id) DESC, r.id LIMIT 1) FROM visit v",
        "SELECT id, (SELECT name FROM room ORDER BY room.size DESC, id LIMIT 1) FROM visit",
        "SELECT id, (SELECT day FROM visit ORDER BY id) FROM room",
        "SELECT (SELECT count(*) FROM room), ('(' || (1 + 2) || ')')",
    ],
)
def test_a_translated_statement_answers_the_same_on_an_older_sqlite(sql):
    new, old = rows_of_both(sql)
    assert new == old
    assert new


def test_an_update_may_order_by_its_own_row():
    sql = "UPDATE visit SET room_id = (SELECT id FROM room ORDER BY id = visit.room_id DESC, id) RETURNING id, room_id"
    new, old = rows_of_both(sql)
    assert sorted(new) == sorted(old) == [(1, 2), (2, 3), (3, 1)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT group_concat(DISTINCT name ORDER BY name) FROM room",
        "SELECT group_concat(name ORDER BY name DESC NULLS LAST) FROM room",
        "SELECT a.id FROM a WHERE x IN (SELECT b, c FROM b ORDER BY a.x)",
        "SELECT 'group_concat(x ORDER BY y)', \"(\" FROM room",
        "INSERT INTO room (id) VALUES (1)",
    ],
)
def test_what_has_no_older_words_stays(sql):
    assert translated(sql) == sql


def test_texts_are_joined_in_the_order_of_several_terms():
    joined = OrderedConcat()
    for text, *terms in [
        ("b", 1, "x"),
        ("a", 1, "y"),
        ("n", None, "z"),
        ("t", "1", "z"),
        (None, 0, "z"),
        ("c", 0.5, "z"),
    ]:
        joined.step("ad", text, "|", *terms)
    assert joined.finalize() == "n|c|a|b|t"
    assert OrderedConcat().finalize() is None


# The clock


def test_the_clock_moves_with_the_calls_that_the_database_counts():
    clock = Clock("2025-03-01T23:59:30", tick=45, user="ada")
    with closing(sqlite3.connect(":memory:")) as db:
        clock.serve(db)
        clock.look(db)
        sql = "SELECT now(), me(), date('now'), time(), strftime('%H'), CURRENT_TIMESTAMP, date('2024-02-28', '+1 day')"
        assert db.execute(sql).fetchone() == (
            *("2025-03-01T23:59:30", "ada", "2025-03-01", "23:59:30", "23"),
            *("2025-03-01 23:59:30", "2024-02-29"),
        )
        clock.move_on(db)
        clock.look(db)
        assert db.execute(
            "SELECT now(), CURRENT_DATE, CURRENT_TIME, unixepoch('NOW') - unixepoch(now())"
        ).fetchone() == (
            *("2025-03-02T00:00:15", "2025-03-02", "00:00:15"),
            0,
        )
        still = Clock("2025-03-01T00:00:00", tick=0, user=None)
        still.move_on(db)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


# The database


def loaded(scenario, found, now=None):
    """The image that a loader makes of a database."""
    rows = tuple(TableRows(table_name=table, insert_statements=script) for table, script in found.rows)
    base = build(AwmScenario(scenario.name, "", "", (), found.schema, rows, (), "", {}), now=now)
    assert not base.losses()
    return base.image


def contents(db, tables):
    return {table: sorted(db.execute(f'SELECT * FROM main."{table}"').fetchall(), key=str) for table in tables}


def native_contents(world):
    return {table: sorted(world.query(f'SELECT * FROM main."{table}"'), key=str) for table in world.tables}


@pytest.fixture
def world(room):
    made = World(room)
    yield made
    made.close()


def test_a_loader_gets_the_same_rows_at_any_time_though_triggers_and_the_clock_fill_some_in(room, world):
    found = database(room)
    for now in (None, room.now, room.now.replace(year=1999)):
        db = apsw.Connection(":memory:")
        db.deserialize("main", loaded(room, found, now))
        assert contents(db, world.tables) == native_contents(world)
    assert [table for table, _ in found.rows] == ["reader", "book", "mark", "loan", "audit", "reader"]
    assert found.rows[-1].statements[0] == (
        """UPDATE "reader" SET "name" = 'Ilse Okonjo', "joined_on" = '2024-02-28' WHERE "id" = 1;"""
    )


def test_indexes_views_and_triggers_come_with_the_table_before_them(room):
    schema = database(room).schema
    assert [(table.name, len(table.indexes)) for table in schema] == [
        *(("reader", 0), ("book", 0), ("mark", 0), ("loan", 0)),
        ("audit", 2),
    ]
    assert schema[-1].indexes[0].startswith("CREATE VIEW open_loan")
    assert schema[-1].indexes[1].startswith("CREATE TRIGGER lending_takes_a_copy")


def test_names_in_quotes_are_names(small):
    scenario = small(
        schema='CREATE TABLE IF NOT EXISTS "a ""b" (id INTEGER PRIMARY KEY) STRICT;',
        data='INSERT INTO "a ""b" VALUES (1); INSERT INTO "a ""b" VALUES (2);',
        tools={"look": 'SELECT id FROM "a ""b" ORDER BY id;'},
    )
    found = database(scenario)
    assert found.schema[0].name == 'a "b'
    assert [(table, len(script)) for table, script in found.rows] == [('a "b', 2)]


def test_data_that_ask_for_the_clock_while_they_are_loaded_are_refused(small):
    trigger = "CREATE TRIGGER told AFTER INSERT ON t BEGIN UPDATE t SET n = length(now()) WHERE id = NEW.id; END;"
    scenario = small(
        schema=f"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT; {trigger}", data=DATA, tools=LOOK
    )
    with pytest.raises(ScenarioError, match="without our clock and user: no such function: now, in: INSERT INTO t"):
        database(scenario)


LOOK = {"look": "SELECT id, n FROM t ORDER BY id;"}
DATA = "INSERT INTO t (id) VALUES (1);"


def test_rows_that_the_clock_decides_are_refused(small):
    schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT;"
    keyed = small(schema=schema, data="INSERT INTO t VALUES (unixepoch(), 1);", tools=LOOK)
    with pytest.raises(ScenarioError, match="the rows of t become others when they are loaded at another time"):
        database(keyed)
    trigger = "CREATE TRIGGER again AFTER UPDATE ON t BEGIN UPDATE t SET n = n + 1 WHERE id = NEW.id; END;"
    counted = small(schema=schema + trigger, data="INSERT INTO t VALUES (1, unixepoch());", tools=LOOK)
    with pytest.raises(ScenarioError, match="the rows of t become others"):
        database(counted)


def test_sql_that_no_older_sqlite_knows_is_refused_with_its_place(room):
    ddl = "CREATE TABLE t (id INTEGER PRIMARY KEY) STRICTER;"
    with pytest.raises(
        ScenarioError, match=r"reading_room/schema.sql: t: does not run on SQLite 3\.\d+\.\d+, which comes"
    ):
        check(room, Database((TableSchema(name="t", ddl=ddl),), ()), {})
    with pytest.raises(ScenarioError, match=r"data.sql: t: does not run on SQLite .*: no such table: t"):
        check(room, Database((), (Filled("t", ("INSERT INTO t VALUES (1);",)),)), {})
    with pytest.raises(
        ScenarioError, match=r"tools.toml: find_books.sql: does not run on SQLite .*: no such table: book"
    ):
        check(room, Database((), ()), {})
    broken = judge_runtime.Task((), {"one": "SELECT missing FROM mark"}, None, "", {"mark": ('"words" TEXT',)})
    with pytest.raises(ScenarioError, match=r"tasks.toml: t: does not run on SQLite .*: no such column: missing"):
        check(room, database(room), {"t": broken})


# Tasks


def test_an_instruction_says_the_date_the_person_and_the_form_of_the_answer(room):
    assert instruction(room, room.tasks["lend_ropes"]) == (
        "It is Wednesday 28 February 2024, 23:59. You act for Ilse Okonjo, librarian (reader 1).\n\n"
        "Tomas Brandt, the one with capital letters, takes 'Ropes' home."
    )
    asked = instruction(room, room.tasks["unmark_tides"])
    assert asked.endswith(
        "\n\nYour final answer must be a list (in any order), each item an object with title: a string, "
        "price: a number, as JSON and nothing else."
    )
    assert instruction(room, task(answer="date")).endswith("must be a date (YYYY-MM-DD), and nothing else.")


def test_tasks_without_a_form_are_left_out_and_say_why(room):
    reasons = {name: left_out(room, one) for name, one in room.tasks.items()}
    assert reasons == {
        "lend_ropes": "",
        "renew_bees": "it starts from data of its own, and there all tasks start from the same",
        "unmark_tides": "",
        "lend_bees": "right is to give up, which no verifier there can tell",
    }
    assert [one.name for one in exported(room)] == ["lend_ropes", "unmark_tides"]
    seen = task(checks={"one": "(SELECT count(*) FROM before.open_loan) = 2"})
    assert left_out(room, seen) == "it reads before.open_loan: of the start there are only tables"


def test_a_final_answer_is_text():
    calls = [ToolCall("look", {}), ToolCall("submit", {"answer": {"ü": [1, 2.5]}})]
    assert (tool_calls(calls), final_answer(calls), gives_up(calls)) == (calls[:1], '{"ü": [1, 2.5]}', False)
    assert final_answer([ToolCall("submit", {"answer": "as it is"})]) == "as it is"
    assert final_answer([ToolCall("submit", {})]) is None
    assert gives_up([ToolCall("give_up", {"reason": "no"})])


# Verifiers


def case(world, folder):
    """Files that hold the start of an episode and the state that a world is in."""
    image = loaded(world.scenario, database(world.scenario))
    paths = [folder / name for name in ("initial.db", "final.db")]
    for path in paths:
        with closing(sqlite3.connect(":memory:")) as db, closing(sqlite3.connect(path)) as file:
            db.deserialize(image)
            db.backup(file)
    with closing(sqlite3.connect(paths[1], isolation_level=None)) as db:
        for name in [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()]:
            db.execute(f'DROP TRIGGER "{name}"')
        for table, rows in native_contents(world).items():
            db.execute(f'DELETE FROM "{table}"')
            for row in rows:
                db.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)
    return [str(path) for path in paths]


def verdict(world, one, answer, folder):
    """The verdict of an exported verifier, run here from its own parts."""
    judged = verifiers.judged(world.scenario, one)
    clock = Clock(world.scenario.now.isoformat(), world.scenario.tick, world.scenario.user.id)
    with judge_runtime.opened(*case(world, folder), clock, judged) as seen:
        own = judge_runtime.answered(seen, judged, answer) if one.answer else judge_runtime.checked(seen, judged)
        told = {"right_answer": judge_runtime.right_answer(seen, judged), **judge_runtime.evidence(seen, judged)}
        return judge_runtime.reached(seen, judged) and own, told


TASKS = [
    task(
        changes={
            "book": [{"code": "C3", "copies": 2}],
            "loan": [{"new": "l", "reader_id": 2, "book_code": "C3"}],
            "any": ["audit"],
        }
    ),
    task(changes=[{"reader": [{"id": 3, "gone": True}]}, {"reader": [{"id": 3, "name": "T. Brandt"}]}]),
    task(
        changes={
            "book": [{"new": "b", "code": "D4", "title": {"sql": "upper('eels')"}}],
            "mark": [{"new": "m", "book_code": "@b", "place": 1}],
            "any": ["mark.words"],
        }
    ),
    task(
        may_change={"mark": {"rows": "book_code = 'A1'", "columns": ["words"]}, "audit": "at = now()"},
        checks={"one": "(SELECT count(words) FROM mark) < (SELECT count(words) FROM before.mark)"},
    ),
    task(changes={"loan": [{"id": 2, "returned_at": {"sql": "now()"}}]}),
    task(
        checks={
            "who": "(SELECT reader_id FROM loan WHERE id = 1) = me()",
            "big": "(SELECT sum(price * 1e308) FROM book) > 1",
        }
    ),
]
EDITS = [
    "UPDATE book SET copies = 2 WHERE code = 'C3'",
    "UPDATE book SET copies = copies + 0",
    "INSERT INTO loan (reader_id, book_code) VALUES (2, 'C3')",
    "DELETE FROM reader WHERE id = 3 AND 0",
    "DELETE FROM loan WHERE id = 2",
    "DELETE FROM reader WHERE id = 3 AND id NOT IN (SELECT reader_id FROM loan)",
    "UPDATE reader SET name = 'T. Brandt' WHERE id = 3",
    "UPDATE reader SET name = 'TOMAS BRANDT' WHERE id = 3",
    "INSERT INTO book (code, title) VALUES ('D4', 'EELS')",
    "UPDATE mark SET words = NULL WHERE place = 10",
    "INSERT INTO mark (book_code, place) SELECT code, 1 FROM book WHERE code = 'D4'",
    "UPDATE mark SET words = 'x' WHERE book_code = 'B2'",
    "UPDATE loan SET reader_id = 1 WHERE id = 1",
    "UPDATE loan SET returned_at = now() WHERE id = 2",
    "DELETE FROM audit WHERE id = 1",
    "UPDATE book SET price = 12.25 WHERE code = 'A1'",
    "INSERT INTO audit (words) VALUES ('noted')",
]


SOLVED = [
    (0, ["INSERT INTO loan (reader_id, book_code) VALUES (2, 'C3')"]),
    (1, ["UPDATE reader SET name = 'T. Brandt' WHERE id = 3"]),
    (
        2,
        [
            "INSERT INTO book (code, title) VALUES ('D4', 'EELS')",
            "INSERT INTO mark (book_code, place, words) VALUES ('D4', 1, 'any')",
        ],
    ),
    (3, ["UPDATE mark SET words = NULL WHERE place = 10"]),
    (4, ["UPDATE loan SET returned_at = now() WHERE id = 2"]),
    (5, ["UPDATE loan SET reader_id = 1 WHERE id = 1"]),
]


def test_an_exported_verifier_judges_as_the_native_one_whatever_was_done(world, tmp_path):
    dice, seen = random.Random(7), set()
    for number, one in enumerate(TASKS):
        for turn in range(9):
            world.reset()
            right = SOLVED[number][1] if turn % 3 else []
            for edit in right + dice.sample(EDITS, turn // 3):
                world.execute(edit + ";")
            found, _ = verdict(world, one, None, tmp_path)
            assert found is verify(world, one).passed, (number, turn)
            seen.add(found)
            [path.unlink() for path in tmp_path.iterdir()]
    assert seen == {True, False}


@pytest.mark.parametrize(("number", "edits"), SOLVED)
def test_an_exported_verifier_pays_for_what_was_asked_and_not_for_more(world, tmp_path, number, edits):
    world.reset()
    for edit in edits:
        world.execute(edit + ";")
    native = verify(world, TASKS[number]).passed
    paid, seen = verdict(world, TASKS[number], None, tmp_path)
    assert paid is native is (number != 5)
    assert any(all(state["wanted"].values()) and not state["not_wanted"] for state in seen["acceptable_end_states"])
    world.execute("UPDATE book SET title = 'Wasps' WHERE code = 'B2';")
    [path.unlink() for path in tmp_path.iterdir()]
    paid, seen = verdict(world, TASKS[number], None, tmp_path)
    assert not paid
    assert "Wasps" in json.dumps(seen) or "book changed" in json.dumps(seen)


def test_a_verifier_takes_the_answer_by_its_type(world, tmp_path):
    one = task(answer="integer", expect="SELECT count(*) FROM loan;", checks={"asked": ":answer > 1", "also": "1"})
    for answer, right in {"2": True, " 2.0 ": True, "two": False, "3": False, None: False}.items():
        paid, seen = verdict(world, one, answer, tmp_path)
        assert paid is right, answer
        [path.unlink() for path in tmp_path.iterdir()]
    assert seen["right_answer"] == 2
    assert seen["checks"] == {"asked": "depends on the answer: SELECT (:answer > 1) IS TRUE", "also": True}
    free = task(answer="string", checks={"known": "EXISTS (SELECT 1 FROM reader WHERE name = :answer)"})
    paid, seen = verdict(world, free, "ilse OKONJO", tmp_path)
    assert (paid, seen["right_answer"]) == (True, None)


def test_a_verifier_tells_of_sql_that_is_broken(world, tmp_path):
    one = task(checks={"torn": "json_extract(iif((SELECT count(*) FROM loan) > 0, '{', '{}'), '$.a')"})
    with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
        verdict(world, one, None, tmp_path)
    large = task(checks={"large": "abs((SELECT count(*) FROM loan) - 9223372036854775807 - 3) > 0"})
    assert verify_or_none(world, large) is None
    [path.unlink() for path in tmp_path.iterdir()]
    assert not verdict(world, large, None, tmp_path)[0]


def verify_or_none(world, one):
    try:
        return verify(world, one)
    except ScenarioError:
        return None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "Ilse", "Ilse"),
        ("string", '"Ilse"', "Ilse"),
        ("string", " 12 ", "12"),
        ("integer", "12", 12),
        ("integer", "12.0", 12.0),
        ("integer", "twelve", None),
        ("number", "1e3", 1000.0),
        ("number", "NaN", None),
        ("boolean", "true", True),
        ("boolean", " True", True),
        ("boolean", "yes", None),
        ("date", "2025-03-01", "2025-03-01"),
        ("date", '"2025-03-01"', "2025-03-01"),
        ("date", "1 March", None),
        ("datetime", "2025-03-01T10:00:00 ", "2025-03-01T10:00:00"),
        ({"type": "list", "items": "integer"}, "[1, 2]", [1, 2]),
        ({"type": "list", "items": "integer"}, "1, 2", None),
        ({"type": "record", "fields": {"a": "string"}}, '{"a": "b"}', {"a": "b"}),
        ("integer", "[" * 100_000, None),
        ("integer", "", None),
    ],
)
def test_an_answer_is_read_as_json_and_else_as_what_it_is(kind, text, value):
    answer = Answer.model_validate(kind)
    assert judge_runtime.read_answer(answer, text) == value
    assert judge_runtime.read_answer(answer, None) is None
    assert value is None or answers.problem_with(answer, value) is None


@pytest.mark.parametrize("kind", ["code", "sql"])
def test_a_verifier_is_python_that_needs_nothing_else(room, world, tmp_path, kind):
    for one in exported(room):
        assert "awm_gym" not in verifiers.code(room, one, kind)
    module = executed(verifiers.code(room, room.tasks["lend_ropes"], kind))
    world.call(ToolCall("lend", {"reader_id": 2, "book_code": "C3"}))
    paths = case(world, tmp_path)
    if kind == "code":
        assert module.verify_task_completion(*paths, "whatever") == {"result": "complete"}
        assert module.verify_task_completion(paths[0], paths[0]) == {"result": "others"}
    else:
        assert "right_answer" not in module.verify_task(*paths)
        (state,) = module.verify_task(*paths)["acceptable_end_states"]
        assert set(state["wanted"].values()) == {True}
        assert state["not_wanted"] == state["changed_elsewhere"] == {}


def test_a_verifier_brings_what_its_kind_of_task_needs(room, world, tmp_path):
    counted = task(answer="integer", expect="SELECT count(*) FROM loan")
    paths = case(world, tmp_path)
    module = executed(verifiers.code(room, counted, "code"))
    assert module.verify_task_completion(*paths, "2") == {"result": "complete"}
    assert module.verify_task_completion(*paths, "3") == module.verify_task_completion(*paths) == {"result": "others"}
    assert executed(verifiers.code(room, counted, "sql")).verify_task(*paths)["right_answer"] == 2
    short, long = (verifiers.code(room, one, "code") for one in (room.tasks["lend_ropes"], counted))
    assert "def read_answer" in long
    assert "def read_answer" not in short


# Applications


def test_a_specification_lists_every_tool_with_an_example(tmp_path):
    reading, writing = application.specification(stall(tmp_path))
    assert [point["operation_id"] for point in reading["endpoints"]] == ["list_fruit", "count_to", "read_note", "plan"]
    assert [point["operation_id"] for point in writing["endpoints"]] == ["add_fruit", "sell", "shelve"]
    sell = writing["endpoints"][1]
    assert (sell["path"], sell["method"]) == ("/tools/sell", "POST")
    assert sell["request_params"]["amount"] == {
        "type": "integer", "param_type": "body", "required": False, "description": "How many.", "example": 1,
    }  # fmt: skip


def test_an_example_of_a_specification_has_all_that_is_required(room):
    points = [point for group in application.specification(room) for point in group["endpoints"]]
    examples = {
        point["operation_id"]: {n: p["example"] for n, p in point["request_params"].items()} for point in points
    }
    assert examples["find_books"] == {"title": None, "max_price": 9, "codes": None}
    assert examples["lend"] == {"reader_id": 2, "book_code": "A1"}


def test_an_application_without_writing_tools_has_one_group(small):
    groups = application.specification(small(tools={"look": "SELECT id FROM t ORDER BY id;"}))
    assert [group["group_name"] for group in groups] == ["Reading"]


# Files


def test_an_export_is_a_folder_that_reads_back_whole(room, tmp_path):
    stalls = stall(tmp_path)
    made = export([room, stalls], tmp_path / "out")
    assert made.tasks == {"reading_room": ("lend_ropes", "unmark_tides"), "stall": ("sell_two", "stocked_names")}
    assert made.left_out[-1] == LeftOut("stall", "sell_figs", "right is to give up, which no verifier there can tell")
    assert sorted(path.name for path in made.directory.iterdir()) == sorted(file.name for file in FILES)
    index = Index.of(made.directory)
    assert (index.problems, index.missing) == ((), {})
    data = Source(index).scenario("stall")
    assert (data.title, data.lacks, data.problems) == ("stall", (), ())
    assert [set(kinds) for kinds in data.verifiers.values()] == [{"sql", "code"}] * 2
    assert data.solutions[1].answer == '["pear", "apple"]'
    assert [call.name for call in data.solutions[0].calls] == ["sell", "sell"]
    assert len(data.endpoints) == 7
    for line in (made.directory / PROGRAMS).read_text("utf-8").splitlines():
        code = json.loads(line)["full_code"]
        assert sum("create_engine(" in row for row in code.split("\n")) == 1
        assert code.rstrip().endswith(
            'uvicorn.run(app, host=os.getenv("HOST", "127.0.0.1"), port=int(os.getenv("PORT", "8000")))'
        )
        assert "awm_gym" not in code


def test_the_same_scenarios_make_the_same_bytes(room, tmp_path):
    for name in ("one", "two"):
        export([room], tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file.name).read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_what_is_there_is_not_overwritten(room, tmp_path):
    (tmp_path / "mine").mkdir()
    export([room], tmp_path / "mine")  # it was empty
    before = (tmp_path / "mine" / SOLUTIONS).read_bytes()
    (tmp_path / "a_file").write_text("mine", "utf-8")
    for place in ("mine", "a_file"):
        with pytest.raises(UsageError, match=f"{place} is there already, and is not overwritten; name a new folder"):
            export([room], tmp_path / place)
    assert (tmp_path / "mine" / SOLUTIONS).read_bytes() == before
    with pytest.raises(UsageError, match="cannot be written: "):
        export([room], tmp_path / "a_file" / "within")


def test_an_export_that_fails_leaves_nothing(room, tmp_path):
    with pytest.raises(UsageError, match="two scenarios are called reading_room; leave one of them out"):
        export([room, room], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
