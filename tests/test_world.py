"""Worlds: what tools answer, what a failed call leaves behind, what a reset forgets, and what the clock says."""

import json
import os
import re
import subprocess
import sys
import threading
from datetime import timedelta

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym import world as module
from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError
from awm_gym.files import load
from awm_gym.scenario import GIVE_UP, SUBMIT, ToolCall
from awm_gym.verify import verify
from awm_gym.world import MAX_ROWS, MAX_STEPS, MAX_TEXT, World, compiled

MILLION = ToolCall("count_up", {"last": 1_000_000})  # needs more steps than a call has
LEND = ToolCall("lend", {"reader_id": 3, "book_code": "C3"})
RENEW = ToolCall("renew", {"loan_id": 1})


def call(world, name, **arguments):
    return world.call(ToolCall(name, arguments))


def counting(body, last=":last"):
    return f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) {body}"


# What tools answer


def test_rows_come_back_as_json_objects_and_as_values(room):
    result = call(World(room), "find_books", codes=["C3", "B2"])
    assert result.text == (
        '[{"code": "B2", "title": "Bees", "price": 8.0, "copies": 0}, '
        '{"code": "C3", "title": "Ropes", "price": null, "copies": 3}]'
    )
    assert [dict(row) for row in result.rows] == json.loads(result.text)
    assert (result.total, result.kind, result.error) == (2, None, None)


def test_a_tool_without_rows_answers_an_empty_list(room, small):
    made = World(small(tools={"act": "UPDATE t SET n = 0;"}))
    for result in (call(World(room), "unmark", book_code="A1", place=10), call(made, "act")):
        assert (result.text, result.rows, result.total, result.error) == ("[]", (), 0, None)


def test_the_last_statement_with_columns_answers_whatever_follows_it(small):
    world = World(small(tools={"act": "SELECT 1 AS a; SELECT n FROM t WHERE id = 1; UPDATE t SET n = 5;"}))
    assert call(world, "act").text == '[{"n": 10}]'
    assert call(world, "act").text == '[{"n": 5}]'


@pytest.mark.parametrize(
    ("action", "kind", "told"),
    [
        (ToolCall("lnd", {}), "unknown_tool", "There is no tool 'lnd'. Did you mean lend?"),
        (ToolCall("submit", {}), "unknown_tool", "There is no tool 'submit'"),
        (ToolCall("LEND", {}), "unknown_tool", "There is no tool 'LEND'"),
        (ToolCall("x" * 10_000, {}), "unknown_tool", "..."),
        (ToolCall("lend", {"reader_id": 1}), "invalid_arguments", "lend needs the argument 'book_code'"),
        (ToolCall("lend", {"reader_id": float("nan")}), "invalid_arguments", "nan is not a JSON number"),
        (ToolCall("lend", None), "invalid_arguments", "lend needs the argument 'reader_id'"),
        (ToolCall("lend", []), "malformed", "must be a JSON object"),
        (ToolCall("lend", {"reader_id": 9, "book_code": "C3"}), "refused", "There is no reader 9."),
        (ToolCall("lend", {"reader_id": 1, "book_code": "B2"}), "refused", "There is no book on the shelf B2."),
        (ToolCall("lend", {"reader_id": 2, "book_code": "A1"}), "refused", "Reader 2 has it already."),
        (ToolCall("find_books", {"codes": ["A1", "'; DROP TABLE book; --"]}), "refused", "There is no book '; DROP"),
        (MILLION, "limit", "count_up asks too much of the database with these arguments (interrupted); ask for less."),
    ],
)
def test_a_failed_call_tells_its_kind_and_leaves_the_state_as_it_was(room, action, kind, told):
    world = World(room)
    world.call(LEND)
    before = world.state_hash(), world.changes(), world.changeset()
    result = world.call(action)
    assert (result.kind, result.error, result.rows, result.total) == (kind, result.text, (), 0)
    assert told in result.text
    assert (world.state_hash(), world.changes(), world.changeset()) == before


RULES = """
CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE t (
  id INTEGER PRIMARY KEY, n INTEGER NOT NULL UNIQUE CHECK (n < 100), p_id INTEGER REFERENCES p (id), words TEXT
) STRICT;
CREATE TRIGGER never_thirteen BEFORE UPDATE ON t WHEN NEW.n = 13 BEGIN SELECT RAISE(ABORT, 'thirteen is bad luck'); END;
"""


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE t SET n = 100 WHERE id = 1;", "CHECK constraint failed: n < 100"),
        ("UPDATE t SET n = 2 WHERE id = 1;", "UNIQUE constraint failed: t.n"),
        ("UPDATE t SET n = NULL WHERE id = 1;", "NOT NULL constraint failed: t.n"),
        ("UPDATE t SET p_id = 7;", "FOREIGN KEY constraint failed"),
        ("DELETE FROM p;", "FOREIGN KEY constraint failed"),
        ("UPDATE t SET n = 'many';", "cannot store TEXT value in INTEGER column t.n"),
        ("INSERT INTO t (id, n) VALUES ('x', 5);", "datatype mismatch"),
        ("UPDATE t SET n = 13 WHERE id = 1;", "thirteen is bad luck"),
    ],
)
def test_a_rule_of_the_data_is_an_error_of_its_own_kind_and_undoes_the_call(small, sql, told):
    made = small(
        schema=RULES,
        data="INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, 1, 'a'), (2, 2, NULL, 'b');",
        tools={"act": f"INSERT INTO t (n) VALUES (50); UPDATE t SET words = 'gone' WHERE n = 50; {sql}"},
    )
    world = World(made)
    start = world.state_hash()
    result = call(world, "act")
    assert result.kind == "constraint"
    assert result.text.startswith("The request breaks a rule of the data: ")
    assert told in result.text
    assert world.state_hash() == start


def test_a_refusal_after_writes_undoes_them(small):
    world = World(small(tools={"act": "UPDATE t SET n = 0; SELECT refuse('n is ' || n) FROM t WHERE id = 1;"}))
    start = world.state_hash()
    assert (call(world, "act").text, world.state_hash()) == ("n is 0", start)


def test_many_rows_are_counted_and_cut_and_the_result_says_so(small):
    world = World(small(tools={"look": counting("SELECT i FROM n ORDER BY i;", 500)}))
    result = call(world, "look")
    document = json.loads(result.text)
    assert (document["truncated"], document["total_rows"], len(document["rows"])) == (True, 500, MAX_ROWS)
    assert (result.total, len(result.rows), result.rows[-1]) == (500, MAX_ROWS, {"i": MAX_ROWS})


@pytest.mark.parametrize(("length", "kept"), [(300, 10), (4_000, 7), (60_000, 0)])
def test_long_rows_are_cut_where_the_text_would_be_too_long(small, length, kept):
    world = World(small(tools={"look": counting(f"SELECT format('%0{length}d', i) AS text FROM n ORDER BY i;", 10)}))
    result = call(world, "look")
    assert len(result.text) <= MAX_TEXT + 100
    assert (len(result.rows), result.total) == (kept, 10)
    assert kept == 10 or json.loads(result.text)["rows"] == [dict(row) for row in result.rows]


def test_a_write_whose_answer_is_cut_is_kept(small):
    world = World(small(tools={"act": f"INSERT INTO t (n) {counting('SELECT i FROM n', 300)} RETURNING id;"}))
    assert call(world, "act").total == 300
    assert len(world.changes()) == 300


# Hostile tools: facts of a study of 63 attacks. None may hang, crash, or change what it may not.

BILLION = "WITH a (x) AS (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) SELECT count(*) FROM " + ", ".join(
    f"a AS a{number}" for number in range(9)
)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;",
        BILLION + ";",
        "WITH RECURSIVE n (s) AS (SELECT 'a' UNION ALL SELECT s || s FROM n) SELECT max(length(s)) FROM n;",
        "WITH RECURSIVE n (s) AS (SELECT 'a' UNION ALL SELECT replace(s, 'a', 'aaaa') FROM n) SELECT length(s) FROM n;",
        counting("SELECT group_concat(format('%01000d', i)) FROM n;", 10**6),
        counting("SELECT json_group_array(format('%01000d', i)) FROM n;", 10**6),
        "SELECT format('%0900000000d', 1);",
        "SELECT hex(format('%060000d', 1));",
        counting("SELECT i, hex(i) FROM n;", 27 * 10**6),
        counting("SELECT DISTINCT format('%0100d', i) AS s FROM n ORDER BY s DESC;", 10**7),
        counting("INSERT INTO t (n) SELECT i FROM n;", 10**7),
        counting("INSERT INTO t (words) SELECT format('%060000d', i) FROM n;", 2_000),  # 120 MB into 64
        "DELETE FROM t; " + BILLION + ";",
        "UPDATE t SET n = (" + BILLION + ");",
        "SELECT 'aaaa' LIKE '" + "%a" * 101 + "';",
        "SELECT abs(-9223372036854775807 - 1);",
        "SELECT sum(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1);",
        "SELECT 9e999 AS x;",
    ],
)
def test_a_tool_that_asks_too_much_ends_in_a_limit_and_undoes_its_writes(small, sql):
    world = World(small(tools={"act": sql, "note": "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n;"}))
    call(world, "note")
    start = world.state_hash()
    assert call(world, "act").kind == "limit"
    assert world.state_hash() == start
    assert call(world, "note").text == '[{"n": 12}]'


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT instr(format('%065000d', 0), format('%032000d', 0) || '1') AS place;",
        "SELECT length(replace(format('%065000d', 0), format('%032000d', 0) || '1', '')) AS size;",
        "SELECT format('%060000d', 0) LIKE '%0_0_0_0_0_0_0_0_0_0_0_0_0_0_0_0_1' AS liked;",
        "SELECT format('%060000d', 0) GLOB '*0?0?0?0?0?0?0?0?0?0?0?0?0?0?0?0?1' AS globbed;",
    ],
)
def test_what_burns_inside_one_step_is_bounded_by_the_length_of_a_text(small, sql):
    assert call(World(small(tools={"act": sql})), "act").kind is None


@pytest.mark.parametrize(
    "sql",
    """
    ATTACH 'secret.db' AS s
    DETACH before
    VACUUM
    VACUUM INTO 'copy.db'
    PRAGMA writable_schema = 1
    SELECT * FROM pragma_table_info('t')
    SELECT file FROM pragma_database_list
    SELECT sql FROM sqlite_master
    SELECT sql FROM sqlite_schema
    SELECT name FROM sqlite_temp_master
    SELECT sql FROM sqlite_stmt
    SELECT name FROM dbstat
    UPDATE sqlite_master SET sql = ''
    INSERT INTO sqlite_sequence VALUES ('t', 9)
    SELECT load_extension('x')
    SELECT readfile('/etc/hostname')
    SELECT fts3_tokenizer('simple')
    CREATE TABLE u (id INTEGER PRIMARY KEY)
    CREATE TEMP TABLE t (id INTEGER PRIMARY KEY)
    CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END
    CREATE VIRTUAL TABLE f USING fts5(x)
    ALTER TABLE t RENAME TO u
    DROP TABLE t
    REINDEX
    ANALYZE
    BEGIN
    COMMIT
    END
    ROLLBACK
    SAVEPOINT call
    RELEASE call
    ROLLBACK TO call
    INSERT OR ROLLBACK INTO t (id) VALUES (1)
    SELECT RAISE(ROLLBACK, 'x')
    SELECT random()
    SELECT hex(randomblob(4))
    SELECT zeroblob(900000000)
    SELECT last_insert_rowid()
    SELECT changes()
    SELECT total_changes()
    SELECT sqlite_version()
    SELECT sqlite_offset(n) FROM t
    SELECT trim(words, 'x') FROM t
    SELECT ltrim(words, 'x') FROM t
    SELECT n FROM before.t
    UPDATE before.t SET n = 1
    SELECT n FROM temp.t
    EXPLAIN SELECT 1
    SELECT 1 FROM t WHERE words REGEXP 'a'
    SELECT 1 FROM t WHERE words MATCH 'a'
    """.strip().split("\n"),
)
def test_a_tool_that_reaches_beyond_the_rows_does_not_load(small, sql):
    with pytest.raises(ScenarioError) as caught:
        World(small(tools={"act": sql.strip() + ";"}))
    assert (caught.value.file, caught.value.key) == ("tools.toml", "act.sql")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + ", ".join(f"1 AS c{number}" for number in range(1_900)) + ";",
        " UNION ALL ".join(["SELECT 1 AS x"] * 499) + ";",
        "SELECT " + "1 + " * 200 + "1;",
        "SELECT 1 WHERE 1 IN (" + ", ".join(map(str, range(20_000))) + ");",
        "SELECT '" + "x" * 70_000 + "';",
        "SELECT 1 FROM " + ", ".join(f"t AS t{number}" for number in range(65)) + ";",
    ],
)
def test_a_tool_too_large_to_compile_does_not_load(small, sql):
    with pytest.raises(ScenarioError, match=r"tools.toml: act.sql: line 1"):
        World(small(tools={"act": sql}))


@pytest.mark.parametrize("doublings", [8, 12, 15, 30])
def test_views_of_views_are_bounded(small, doublings):
    schema = (
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT; CREATE VIEW v{doublings} AS SELECT n FROM t;\n"
    )
    for number in range(doublings):  # the largest is the first by name
        schema += f"CREATE VIEW v{number} AS SELECT a.n FROM v{number + 1} AS a, v{number + 1} AS b;\n"
    with pytest.raises(ScenarioError, match=r"v0: does not work as a view: .*(too far|too many)"):
        World(small(schema=schema, data=""))  # a minute's work unless bounded


@pytest.mark.parametrize("doublings", [12, 15, 30])
def test_subqueries_of_subqueries_are_bounded(small, doublings):
    names = ", ".join(f"c{n + 1} AS (SELECT a.n FROM c{n} AS a, c{n} AS b)" for n in range(doublings))
    with pytest.raises(ScenarioError, match=r"act.sql: line 1: .*too deep"):
        World(small(tools={"act": f"WITH c0 AS (SELECT n FROM t), {names} SELECT count(*) FROM c{doublings};"}))


def test_triggers_that_burn_or_call_each_other_are_bounded(small):
    columns = "(id INTEGER PRIMARY KEY, n INTEGER) STRICT;"
    burning = f"CREATE TABLE t {columns} CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE t SET n = ({BILLION}); END;"
    world = World(small(schema=burning, data="", tools={"act": "INSERT INTO t (n) VALUES (1);"}))
    assert call(world, "act").kind == "limit"
    chain = "".join(f"CREATE TABLE t{number} {columns}" for number in range(10)) + "".join(
        f"CREATE TRIGGER a{number} AFTER INSERT ON t{number} BEGIN INSERT INTO t{number + 1} (n) VALUES (1); END;"
        for number in range(9)
    )
    with pytest.raises(ScenarioError, match=r"act\.sql: line 1: triggers nested too deep"):
        World(small(schema=chain, data="", tools={"act": "INSERT INTO t0 (n) VALUES (1);"}))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT json_extract(words, '$') AS x FROM t WHERE id = 1;", "line 1: malformed JSON"),
        ("UPDATE t SET n = 0;\n\nSELECT json_extract(words, '$') AS x FROM t;", "line 3: malformed JSON"),
        ("SELECT CAST(words AS BLOB) AS x FROM t;", "the result holds bytes"),
        ("SELECT char(55296) AS x;", "text that is not Unicode"),
        ("SELECT char(55296) AS x; SELECT 1 AS y;", "text that is not Unicode"),
    ],
)
def test_an_authors_fault_is_an_exception_with_its_place_and_changes_nothing(small, sql, told):
    world = World(small(tools={"act": sql}))
    start = world.state_hash()
    with pytest.raises(ScenarioError) as caught:
        call(world, "act")
    error = caught.value
    assert (error.scenario, error.file, error.key) == ("small", "tools.toml", "act.sql")
    assert told in error.problem
    assert world.state_hash() == start


# An interrupted write ends SQLite's transaction, and with it the whole episode, unless somebody plays it again


@pytest.mark.parametrize("task", [None, "renew_bees"])
def test_an_interrupted_write_keeps_the_earlier_writes_and_the_clock(edited, task):
    room = edited(("scenario.toml", "version = 2", "version = 2\ntick = 20"))
    calm, rough = World(room), World(room)
    texts = []
    for world in (calm, rough):
        world.reset(task)
        texts.append([])
        for action in (LEND, MILLION, RENEW, MILLION, ToolCall("count_up", {"last": 2})):
            if action is MILLION and world is calm:
                world._count(None)  # only time passes
            else:
                result = world.call(action)
                assert result.kind == ("limit" if action is MILLION else None)
                if action is not MILLION:
                    texts[-1].append(result.text)
    assert texts[0] == texts[1]
    assert calm.changeset() == rough.changeset()
    assert calm.state_hash() == rough.state_hash()
    assert rough.query("SELECT now(), CURRENT_TIMESTAMP") == [("2024-02-29T00:01:10", "2024-02-29 00:01:10")]
    assert verify(calm, room.tasks["renew_bees"]) == verify(rough, room.tasks["renew_bees"])
    rough.reset()
    assert rough.state_hash() == World(room).state_hash()


def test_what_is_played_again_is_this_episode(room):
    world = World(room)
    start = world.state_hash()
    world.call(LEND)
    world.reset()
    world.call(MILLION)
    assert world.state_hash() == start


def test_an_interruption_behind_the_tools_back_keeps_the_tools_writes(room):
    world = World(room)
    world.call(LEND)
    state = world.state_hash()
    world.execute("DELETE FROM mark;")
    with pytest.raises(apsw.InterruptError):
        world.execute(counting("INSERT INTO audit (words) SELECT i FROM n;", 10**6))
    assert world.state_hash() == state
    world.reset()
    assert world.state_hash() == World(room).state_hash()


def test_an_episode_that_cannot_be_played_again_is_a_fault(room):
    world = World(room)
    world.execute("INSERT INTO reader (id, name) VALUES (9, 'Nobody');")
    assert call(world, "lend", reader_id=9, book_code="C3").kind is None
    with pytest.raises(EnvironmentFault, match="own call of lend could not be played again"):
        world.call(MILLION)


def test_the_budget_belongs_to_one_call(room):
    world = World(room)
    rows = MAX_STEPS // 100
    assert [call(world, "count_up", last=rows).kind for _ in range(6)] == [None] * 6


def test_a_smaller_budget_ends_a_call_sooner(room, monkeypatch):
    monkeypatch.setattr(module, "MAX_STEPS", 2_000)
    world = World(room)
    assert call(world, "count_up", last=1_000).kind == "limit"
    assert call(world, "count_up", last=5).kind is None


# What a reset forgets


def transcript(world, task):
    """All that can be seen of a task's solution, played from a reset."""
    world.reset(task.name)
    found = [world.state_hash()]
    for action in task.solution:
        if action.name not in (SUBMIT, GIVE_UP):
            found.append(world.call(action))
    clock = world.query("SELECT now(), datetime('now')")
    verdict = verify(world, task, task.solution[-1].arguments.get("answer"))
    return found, world.state_hash(), world.changeset(), world.changes(), clock, verdict


def disturb(world, task):
    """Leave a world as an agent might: halfway, with refusals, limits and rows of its own."""
    world.reset(task.name)
    for calls in (task.solution, *task.near_misses.values()):
        for action in calls:
            world.call(action)
    for name in world.scenario.tools:
        call(world, name)
    world.reverse_unordered(on=True)
    world.reverse_unordered(on=False)


def pairs():
    for name in ("lockers", "room"):
        tasks = ("hand_out_parcel", "empty_locker_3", "waiting_longest", "second_large_locker")
        tasks = tasks if name == "lockers" else ("lend_ropes", "renew_bees", "unmark_tides", "lend_bees")
        yield from ((name, first, second) for first in tasks for second in tasks)


@pytest.mark.parametrize(("name", "first", "second"), list(pairs()))
def test_a_task_after_another_is_the_task_alone(request, name, first, second):
    scenario = request.getfixturevalue(name)
    task = scenario.tasks[second]
    used = World(scenario)
    disturb(used, scenario.tasks[first])
    if name == "room":
        used.call(MILLION)
    used.execute(f"DELETE FROM {'parcel' if name == 'lockers' else 'audit'};")
    assert transcript(used, task) == transcript(World(scenario), task)


FRESH = """
import json, sys
from awm_gym.files import load
from awm_gym.world import World
scenario = load(sys.argv[1])
world = World(scenario)
for name, task in scenario.tasks.items():
    world.reset(name)
    for call in task.solution:
        print(world.call(call).text)
    print(world.state_hash(), world.changeset().hex(), scenario.fingerprint, world.changes())
    print(world.query("SELECT now(), CURRENT_TIMESTAMP"))
"""


def test_a_fresh_process_with_another_hash_seed_zone_and_locale_says_the_same(texts, folder):
    place = folder(texts(("scenario.toml", "version = 2", "version = 2\ntick = 7")))
    said = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("4711", "Pacific/Auckland", "tr_TR.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        command = [sys.executable, "-c", FRESH, str(place)]
        said.add(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout)
    world, lines = World(load(place)), said.pop().decode().split("\n")
    assert not said
    world.reset("lend_ropes")
    assert [world.call(action).text for action in world.task.solution] == lines[:2]
    assert lines[2].startswith(f"{world.state_hash()} {world.changeset().hex()} {world.scenario.fingerprint} ")


def test_two_worlds_do_not_see_each_other(room):
    one, other = World(room), World(room)
    start = other.state_hash()
    assert one.state_hash() == start
    one.call(LEND)
    assert other.state_hash() == start != one.state_hash()
    assert other.changes() == ()
    other.call(LEND)
    assert one.state_hash() == other.state_hash()


def test_a_world_starts_from_any_given(room):
    world = World(room)
    start = world.state_hash()
    world.start_from("DELETE FROM mark;")
    assert world.query("SELECT (SELECT count(*) FROM mark), (SELECT count(*) FROM before.mark)") == [(0, 0)]
    assert (world.task, world.changes()) == (None, ())
    world.start_from(None)
    assert world.state_hash() == start
    world.reset("renew_bees")
    assert world.task is room.tasks["renew_bees"]
    assert world.query("SELECT price FROM before.book WHERE code = 'B2'") == [(9.0,)]


def test_a_start_is_made_at_the_start_of_time_however_late_it_is(small):
    world = World(small(head="tick = 3600\n"))
    call(world, "look")
    call(world, "look")
    world.start_from("UPDATE t SET at = CURRENT_TIMESTAMP, words = now() WHERE id = 2;")
    rows = world.query("SELECT at, words FROM before.t WHERE id = 2 UNION ALL SELECT at, words FROM t WHERE id = 2")
    assert rows == [("2024-02-28 23:59:30", "2024-02-28T23:59:30")] * 2


def test_a_task_that_is_not_there_is_the_callers_slip(room):
    with pytest.raises(UsageError, match=r"There is no task 'lend_rope' in reading_room\. Did you mean lend_ropes"):
        World(room).reset("lend_rope")


def test_a_closed_world_says_so(room):
    world = World(room)
    world.call(LEND)
    world.close()
    world.close()
    assert (world.changes(), world.changeset()) == ((), b"")
    for use in (world.reset, lambda: world.call(LEND), lambda: world.start_from(None)):
        with pytest.raises(UsageError, match="the world of reading_room is closed; make a new one"):
            use()


def test_worlds_of_equal_scenarios_share_what_they_can_and_old_ones_make_room(small, monkeypatch):
    monkeypatch.setattr(module, "_KEPT_SCENARIOS", 3)
    monkeypatch.setattr(module, "_compiled", type(module._compiled)())
    first = compiled(small())
    assert compiled(small()) is first
    for number in range(3):
        compiled(small(head=f"version = {number + 1}\n"))
        compiled(small())
    assert compiled(small()) is first
    assert len(module._compiled) == 3
    for number in range(3):
        compiled(small(head=f"version = {number + 10}\n"))
    assert compiled(small()) is not first


# What the clock says

CLOCKS = {
    "note": "INSERT INTO t (n, words) VALUES (7, now()) RETURNING id, at, words;",
    "ask": "SELECT now() AS a, CURRENT_TIMESTAMP AS b, datetime('now') AS c, date() AS d, me() AS me;",
}


def told(moment, me=7):
    plain, blank = moment.isoformat(), moment.isoformat(" ")
    return {"a": plain, "b": blank, "c": blank, "d": plain[:10], "me": me}


@pytest.mark.parametrize("tick", [0, 1, 45, 86_400])
def test_all_clocks_agree_and_move_on_with_every_call(small, tick):
    made = small(tools=CLOCKS, head=f"tick = {tick}\n")
    world = World(made)
    for _ in range(2):
        now = made.now
        for number in range(3):
            assert call(world, "ask").rows == (told(now),)
            now += timedelta(seconds=tick)
            row = {"id": 4 + number, "at": now.isoformat(" "), "words": now.isoformat()}
            assert call(world, "note").rows == (row,)
            now += timedelta(seconds=tick)
            assert world.query("SELECT now(), CURRENT_TIMESTAMP, at FROM before.t WHERE id = 1") == [
                (now.isoformat(), now.isoformat(" "), "2024-02-28 23:59:30")
            ]
        world.reset()


def test_a_refused_call_takes_its_time_and_a_mistaken_one_none(edited):
    world = World(edited(("scenario.toml", "version = 2", "version = 2\ntick = 60")))
    call(world, "lend", reader_id=9, book_code="C3")
    call(world, "lend", reader_id="9", book_code="C3")
    call(world, "sell")
    assert world.query("SELECT now()") == [("2024-02-29T00:00:30",)]


def test_worlds_of_other_times_take_turns(small):
    old = small(tools=CLOCKS, head="tick = 1\n")
    new = old.model_copy(update={"now": old.now + timedelta(days=3650)})
    worlds = [(World(made), made.now) for made in (old, new)]
    for number in range(3):
        for world, start in worlds:
            assert call(world, "ask").rows == (told(start + timedelta(seconds=number)),)


def test_every_thread_may_have_a_world(small):
    made = small(tools=CLOCKS, head="tick = 1\n")
    rounds, found = 40, {}
    barrier = threading.Barrier(4)

    def play(number):
        scenario = made.model_copy(update={"now": made.now + timedelta(days=number)})
        world = World(scenario)
        barrier.wait()
        rows = [call(world, "note").rows[0]["at"] for _ in range(rounds)]
        found[number] = rows == [(scenario.now + timedelta(seconds=s)).isoformat(" ") for s in range(rounds)]
        world.close()

    threads = [threading.Thread(target=play, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)


@pytest.mark.parametrize(("user", "me"), [("id = 7, ", 7), ('id = "u7", ', "u7"), ("", None)])
def test_me_is_the_users_id(small, user, me):
    made = small(tools={"ask": "SELECT me() AS me;"})
    world = World(made.model_copy(update={"user": made.user.model_copy(update={"id": me})}))
    assert call(world, "ask").rows == ({"me": me},)


# What a world tells of itself


def test_changes_are_told_row_by_row(room):
    world = World(room)
    world.execute(
        "UPDATE book SET code = 'C4', price = 1 WHERE code = 'C3'; DELETE FROM mark WHERE place = 20;"
        "UPDATE mark SET words = NULL WHERE place = 3; INSERT INTO mark (book_code, place) VALUES ('A1', 5);"
        "UPDATE reader SET name = 'X' WHERE id = 1; UPDATE reader SET name = 'Ilse Okonjo' WHERE id = 1;"
    )
    book = {"title": "Ropes", "price": None, "copies": 3}
    mark = {"book_code": "A1", "words": None}
    found = [(c.table, dict(c.key), c.kind, dict(c.before), dict(c.after)) for c in world.changes()]
    assert found == [
        ("book", {"code": "C3"}, "removed", {"code": "C3", **book}, {}),
        ("book", {"code": "C4"}, "added", {}, {"code": "C4", **book, "price": 1.0}),
        ("mark", {"book_code": "A1", "place": 5}, "added", {}, mark | {"place": 5}),
        ("mark", {"book_code": "A1", "place": 20}, "removed", mark | {"place": 20}, {}),
        ("mark", {"book_code": "B2", "place": 3}, "changed", {"words": "queen"}, {"words": None}),
    ]


def test_equal_states_have_equal_hashes_and_others_others(room):
    world = World(room)
    hashes = {world.state_hash()}
    for sql in (
        "UPDATE book SET price = 12.25 WHERE code = 'A1';",
        "UPDATE book SET title = 'bees' WHERE code = 'B2';",
        "UPDATE mark SET words = '' WHERE place = 20;",
        "DELETE FROM audit;",
        "INSERT INTO audit (id, words) VALUES (50, 'x');",
    ):
        with world.undone():
            world.execute(sql)
            hashes.add(world.state_hash())
        assert world.state_hash() in hashes
    assert len(hashes) == 6
    assert world.changes() == ()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT m FROM t", "no such column: m, in: SELECT m FROM t"),
        ("DELETE FROM t", "DELETE main.t is not allowed here"),
        ("DELETE FROM before.t", "DELETE before.t is not allowed here"),
        ("SELECT n FROM t WHERE n = :x", "there is no parameter :x here"),
        ("SELECT refuse('x')", "not authorized to use function: refuse"),
        ("PRAGMA foreign_keys = 0", "PRAGMA foreign_keys is not allowed here"),
        ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n", "interrupted"),
    ],
)
def test_a_query_only_looks(small, sql, told):
    world = World(small())
    start = world.state_hash()
    with pytest.raises(ScenarioError, match=re.escape(told)) as caught:
        world.query(sql)
    assert caught.value.scenario == "small"
    assert world.state_hash() == start
    assert world.query("SELECT n FROM t WHERE n = :x", {"x": 20}) == [(20,)]


@pytest.mark.parametrize("sql", ["DROP TABLE t;", "PRAGMA foreign_keys = 0;", "UPDATE before.t SET n = 1;", "COMMIT;"])
def test_rows_are_all_that_can_be_changed_behind_the_tools_back(small, sql):
    world = World(small())
    with pytest.raises(apsw.Error):
        world.execute(sql)
    assert world.changes() == ()


def test_rows_without_an_order_come_the_other_way_round_on_demand(small):
    world = World(small(tools={"look": "SELECT id FROM t;"}))
    world.reverse_unordered(on=True)
    backwards = [row["id"] for row in call(world, "look").rows]
    world.reverse_unordered(on=False)
    assert [row["id"] for row in call(world, "look").rows] == [1, 2, 3]
    assert backwards == [3, 2, 1]


def test_a_tool_of_no_scenario_can_be_tried(room, small):
    world = World(room)
    tool = compiled(room).tools["lend"]
    mutant = tool._replace(statements=tool.statements[3:], answer=0)
    assert world.call_compiled(mutant, {"reader_id": 2, "book_code": "A1"}).kind is None
    assert world.call_compiled(mutant, {"reader_id": 2}).kind == "invalid_arguments"
    assert [change.table for change in world.changes()] == ["audit", "book", "loan"]


CALLS = st.lists(
    st.one_of(
        st.builds(
            lambda r, b: ToolCall("lend", {"reader_id": r, "book_code": b}),
            st.integers(0, 4),
            st.sampled_from("A1 B2 C3 Z9".split()),
        ),
        st.builds(lambda i: ToolCall("renew", {"loan_id": i}), st.integers(0, 6)),
        st.builds(
            lambda b, p: ToolCall("unmark", {"book_code": b, "place": p}),
            st.sampled_from(["A1", "B2"]),
            st.sampled_from([3, 10, 20]),
        ),
        st.builds(lambda n: ToolCall("count_up", {"last": n}), st.sampled_from([0, 1, 3, 400_000])),
        st.builds(
            ToolCall,
            st.sampled_from(["lend", "find_books", "x"]),
            st.dictionaries(st.sampled_from(["title", "codes"]), st.none() | st.text()),
        ),
    ),
    max_size=8,
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(CALLS)
def test_whatever_is_called_failures_change_nothing_and_successes_are_told(room, calls):
    world, again = World(room), World(room)
    succeeded = []
    for action in calls:
        state, changeset = world.state_hash(), world.changeset()
        if world.call(action).kind:
            assert (world.state_hash(), world.changeset()) == (state, changeset)
        else:
            succeeded.append(action)
    texts = [again.call(action).text for action in succeeded]
    assert all(texts)
    assert again.state_hash() == world.state_hash()
    assert again.changes() == world.changes()
    for each in (world, again):
        each.close()
