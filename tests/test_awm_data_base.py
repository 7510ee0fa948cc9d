"""The initial database of AgentWorldModel data: what is tolerated, mended, refused, and always the same."""

import hashlib
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import apsw
import pytest

from awm_gym.errors import ScenarioError
from awm_gym.formats.awm import base as base_module
from awm_gym.formats.awm.base import FALLBACK, build, clock_calls, in_utc
from awm_gym.formats.awm.mend import requoted
from awm_gym.formats.awm.records import AwmScenario, TableRows, TableSchema

TEAS = "CREATE TABLE teas (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, grams INTEGER CHECK (grams > 0))"
POTS = "CREATE TABLE pots (id INTEGER PRIMARY KEY, tea_id INTEGER NOT NULL REFERENCES teas(id), made TEXT)"


def scenario(*inserts, ddl=(TEAS, POTS), indexes=(), table="teas"):
    return AwmScenario(
        name="tea_room",
        title="Tea Room",
        description="",
        tasks=(),
        ddl=tuple(TableSchema(name=f"t{i}", ddl=sql, indexes=indexes) for i, sql in enumerate(ddl)),
        inserts=(TableRows(table_name=table, insert_statements=inserts),),
        endpoints=(),
        code="",
        verifiers={},
    )


def rows(base, sql):
    """What the standard library's SQLite, which the original loads its data with, reads in the image."""
    with sqlite3.connect(":memory:") as db:
        db.deserialize(base.image)
        found = db.execute(sql).fetchall()
    db.close()
    return found


def test_a_database_is_built_and_described():
    sql = ("INSERT INTO teas VALUES (1, 'Sencha', 20), (2, 'Assam', 30);", "INSERT INTO pots VALUES (7, 2, NULL)")
    base = build(scenario(*sql, indexes=("CREATE INDEX IF NOT EXISTS by_grams ON teas(grams);",)))
    assert base.tables == {"pots": 1, "teas": 2}
    assert (base.inserts, base.indexes, base.clock_calls, base.fk_violations) == (2, 1, 0, 0)
    assert (base.lost_tables, base.lost_inserts, base.mended, base.losses()) == ((), (), (), {})
    assert base.sha256 == hashlib.sha256(base.image).hexdigest()
    assert not base.reads_clock
    assert rows(base, "SELECT * FROM teas") == [(1, "Sencha", 20), (2, "Assam", 30)]
    assert rows(base, "PRAGMA integrity_check") == [("ok",)]


# What fails costs only itself


@pytest.mark.parametrize(
    ("sql", "kind", "error"),
    [
        ("INSERT INTO teas VALUES (3, 'That'll do', 1)", "sql", 'near "ll": syntax error'),
        ("INSERT INTO teas VALUES (3, 'open, 1)", "sql", 'unrecognized token: "\'open, 1)"'),
        ("INSERT INTO cups VALUES (1)", "sql", "no such table: cups"),
        ("INSERT INTO teas VALUES (3, 'Oolong')", "sql", "table teas has 3 columns but 2 values were supplied"),
        ("INSERT INTO teas VALUES (3, 'Sencha', 1)", "constraint", "UNIQUE constraint failed: teas.name"),
        ("INSERT INTO teas VALUES (3, 'Oolong', 0)", "constraint", "CHECK constraint failed: grams > 0"),
        ("INSERT INTO pots VALUES (1, 99, NULL)", "constraint", "FOREIGN KEY constraint failed"),
        ("INSERT INTO teas VALUES ('three', 'Oolong', 1)", "constraint", "datatype mismatch"),
        ("INSERT INTO teas VALUES (3, 'a', 1); INSERT INTO teas VALUES (4, 'b', 1)", "refused", "more than one"),
        ("INSERT INTO teas VALUES (3, 'a', 1); -- and\nDROP TABLE pots -- so", "refused", "more than one"),
        ("INSERT INTO teas VALUES (3, 'a\0b', 1)", "refused", "holds a NUL character"),
        ("INSERT OR ROLLBACK INTO teas VALUES (3, 'Sencha', 1)", "refused", "would undo the rows before it"),
        ("ATTACH '/etc/passwd' AS p", "refused", "ATTACH /etc/passwd is not allowed here"),
        ("PRAGMA writable_schema = ON", "refused", "PRAGMA writable_schema is not allowed here"),
        ("VACUUM INTO 'copy.db'", "sql", "cannot VACUUM from within a transaction"),
        ("COMMIT", "refused", "TRANSACTION COMMIT is not allowed here"),
        ("DROP TABLE pots", "refused", "is not allowed here"),
        ("UPDATE sqlite_master SET sql = 'x'", "sql", "table sqlite_master may not be modified"),
        (
            "INSERT INTO teas VALUES (3, load_extension('x'), 1)",
            "sql",
            "wrong number of arguments to function load_extension()",
        ),
        ("INSERT INTO teas VALUES (3, fts3_tokenizer('simple'), 1)", "sql", "no such function: fts3_tokenizer"),
        ("INSERT INTO teas VALUES (3, printf('%70000d', 1), 1)", "limit", "too big"),
        ("INSERT INTO teas VALUES (3, '" + "x" * 100_000 + "', 1)", "refused", "characters; 100000 are allowed"),
    ],
)
def test_a_statement_that_fails_costs_only_itself(sql, kind, error):
    good = "INSERT INTO teas VALUES (1, 'Sencha', 20)"
    after = "INSERT INTO teas VALUES (2, 'Assam', 30)"
    base = build(scenario(good, sql, after))
    (lost,) = base.lost_inserts
    assert (lost.table, lost.kind) == ("teas", kind)
    assert error in lost.error
    assert len(lost.statement) <= 90
    assert base.tables == {"pots": 0, "teas": 2}
    assert base.losses() == {kind: (1, lost)}


def test_losses_are_counted_by_kind_with_the_first_of_each():
    sql = ("INSERT INTO nowhere VALUES (1)", "INSERT INTO teas VALUES (1)", "INSERT INTO teas VALUES (1, NULL, 1)")
    losses = build(scenario(*sql)).losses()
    assert losses["sql"][0] == 2
    assert losses["sql"][1].error == "no such table: nowhere"
    assert losses["constraint"][0] == 1


def test_a_table_that_cannot_be_made_costs_itself_and_its_rows():
    ddl = (TEAS, "CREATE TABLE cups (id INTEGER PRIMARY KEY, is NOT NULL)")
    base = build(scenario("INSERT INTO cups VALUES (1, 2)", "INSERT INTO teas VALUES (1, 'Sencha', 1)", ddl=ddl))
    (lost,) = base.lost_tables
    assert (lost.table, lost.kind, lost.error) == ("t1", "sql", 'near "is": syntax error')
    assert base.tables == {"teas": 1}
    assert base.lost_inserts[0].error == "no such table: cups"


def test_after_a_bad_index_the_others_of_its_table_are_not_tried_and_the_table_stays():
    bad = ("CREATE INDEX by_colour ON teas(colour)", "CREATE INDEX by_name ON teas(name)")
    base = build(scenario(ddl=(TEAS,), indexes=bad))
    assert [lost.error for lost in base.lost_tables] == ["no such column: colour"]
    assert (base.tables, base.indexes) == ({"teas": 0}, 0)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE VIRTUAL TABLE v USING fts5(x)", "CREATE VTABLE main.v is not allowed here"),
        ("CREATE TEMP TABLE teas2 (id)", "is not allowed here"),
        ("DROP TABLE teas", "is not allowed here"),
        ("INSERT INTO teas VALUES (1, 'a', 1)", "INSERT main.teas is not allowed here"),
        ("CREATE TABLE a (id); CREATE TABLE b (id)", "is more than one statement"),
        ("CREATE TABLE a (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)", "ROLLBACK would undo"),
        (
            "CREATE TRIGGER t AFTER INSERT ON teas BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
            "ROLLBACK would undo the rows before it",
        ),
    ],
)
def test_a_schema_may_only_create(sql, error):
    base = build(scenario(ddl=(TEAS, sql)))
    assert error in base.lost_tables[0].error
    assert base.lost_tables[0].kind == "refused"
    assert base.tables == {"teas": 0}


@pytest.mark.parametrize("ddl", [(), ("CREATE TABLE",), ("SELECT 1",)])
def test_a_database_without_tables_is_an_error(ddl):
    with pytest.raises(ScenarioError, match=r"^tea_room: (has no database schema|no table can be made)"):
        build(scenario(ddl=ddl))


def test_what_models_write_for_sqlite_is_taken():
    ddl = (
        'CREATE TABLE "order" (id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT DEFAULT "new", note, '
        "token TEXT DEFAULT (lower(hex(randomblob(4)))), size INTEGER GENERATED ALWAYS AS (length(note)), "
        "at TEXT DEFAULT (strftime('%Y', 'now')));",
        "CREATE VIEW open_orders AS SELECT * FROM \"order\" WHERE state = 'new'",
        'CREATE TRIGGER noted AFTER INSERT ON "order" BEGIN UPDATE "order" SET note = note || \'!\' WHERE id = NEW.id; '
        "SELECT 1; END;",
        "  -- nothing\n",
    )
    inserts = (
        'INSERT INTO "order" (note) VALUES ("double quoted"); -- done',
        "INSERT OR REPLACE INTO \"order\" (id, note) VALUES (1, 'x') RETURNING id;",
        "UPDATE \"order\" SET state = 'paid' WHERE id = last_insert_rowid()",
        'WITH n (i) AS (VALUES (5), (6)) INSERT INTO "order" (id) SELECT i FROM n;',
        'SELECT * FROM "order"',
        "",
    )
    base = build(scenario(*inserts, ddl=ddl))
    assert (base.lost_tables, base.lost_inserts) == ((), ())
    assert base.tables == {"order": 3}
    assert rows(base, 'SELECT id, state, note, size FROM "order" WHERE id < 5') == [(1, "paid", "x!", 2)]


# Deferred keys


DEFERRED = "CREATE TABLE pots (id INTEGER PRIMARY KEY, tea_id REFERENCES teas(id) DEFERRABLE INITIALLY DEFERRED)"


def test_a_deferred_key_may_be_made_good_later():
    sql = ("INSERT INTO pots VALUES (1, 2)", "INSERT INTO teas VALUES (2, 'Assam', 30)")
    assert build(scenario(*sql, ddl=(TEAS, DEFERRED))).tables == {"pots": 1, "teas": 1}


def test_a_deferred_key_that_never_is_costs_all_rows_as_in_the_original():
    sql = ("INSERT INTO teas VALUES (2, 'It's Assam', 30)", "INSERT INTO pots VALUES (1, 99)")
    base = build(scenario(*sql, ddl=(TEAS, DEFERRED)), mend=True)
    assert base.tables == {"pots": 0, "teas": 0}
    assert [lost.error for lost in base.lost_inserts] == ["FOREIGN KEY constraint failed, in the end"] * 2
    assert base.mended == ()


def test_a_key_to_what_is_no_key_loses_its_rows_and_breaks_nothing():
    ddl = (TEAS, "CREATE TABLE pots (id INTEGER, grams INTEGER REFERENCES teas(grams))")
    base = build(scenario("INSERT INTO pots VALUES (1, 20)", ddl=ddl))
    assert base.lost_inserts[0].error.startswith("foreign key mismatch")
    assert base.fk_violations == 0


# Mending


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("VALUES (1, 'I'll be late', 2)", "VALUES (1, 'I''ll be late', 2)"),
        ("VALUES ('didn't', 'you'll')", "VALUES ('didn''t', 'you''ll')"),
        (r"VALUES ('It\'s', 'a')", "VALUES ('It''s', 'a')"),
        (r"VALUES ('the pots\' lids', '')", "VALUES ('the pots'' lids', '')"),
        ("VALUES ('the pots' lids', 'b')", "VALUES ('the pots'' lids', 'b')"),
        ("VALUES ('It''s fine', 'don't')", "VALUES ('It''s fine', 'don''t')"),
        ("VALUES ('', '''quoted''', x'00')", "VALUES ('', '''quoted''', x'00')"),
        ("VALUES ('a' || 'b', datetime('now', '-1 day'));", "VALUES ('a' || 'b', datetime('now', '-1 day'));"),
        ("SELECT 'end'", "SELECT 'end'"),
        ("no quotes at all", "no quotes at all"),
    ],
)
def test_quotes_are_mended(written, meant):
    assert requoted(written) == meant


def test_a_mended_load_keeps_what_a_plain_one_loses():
    sql = (
        "INSERT INTO teas VALUES (1, 'Grandma's best', 5)",
        "INSERT INTO pots VALUES (1, 1, 'It\\'s hot')",
        "INSERT INTO teas VALUES (2, 'Assam', 30)",
    )
    plain, mended = build(scenario(*sql)), build(scenario(*sql), mend=True)
    assert plain.tables == {"pots": 0, "teas": 1}
    assert plain.mended == ()
    assert mended.tables == {"pots": 1, "teas": 2}
    assert mended.lost_inserts == ()
    assert mended.mended == (
        ("teas", "INSERT INTO teas VALUES (1, 'Grandma''s best', 5)"),
        ("teas", "INSERT INTO pots VALUES (1, 1, 'It''s hot')"),
    )


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO teas VALUES (3, 'say 'yes', 'no' or so', 1)",  # the guess makes four values of three
        "INSERT INTO nowhere VALUES ('It's')",
        "INSERT INTO teas VALUES (3, 'Grandma's', 0)",  # mended, it breaks a constraint
        "INSERT INTO cups VALUES (1)",
    ],
)
def test_what_cannot_be_mended_stays_lost(sql):
    base = build(scenario(sql), mend=True)
    assert len(base.lost_inserts) == 1
    assert base.mended == ()


def test_a_guess_that_is_wrong_is_refused_by_the_number_of_values():
    (lost,) = build(scenario("INSERT INTO teas VALUES (3, 'a', 'b' c', 1)"), mend=True).lost_inserts
    assert lost.error == "table teas has 3 columns but 4 values were supplied"


# The clock


CUPS = "CREATE TABLE cups (id INTEGER PRIMARY KEY, created_at TEXT, due_at TEXT, seen TEXT DEFAULT CURRENT_TIMESTAMP)"


def cups(*dates, due="'2031-01-01'"):
    return scenario(*(f"INSERT INTO cups (created_at, due_at) VALUES ({day}, {due})" for day in dates), ddl=(CUPS,))


@pytest.mark.parametrize(
    ("dates", "now"),
    [
        (("'2026-02-17 19:45:00'", "'2025-12-01'"), datetime(2026, 2, 18, 12)),
        (("'2024-12-31T23:59:59Z'", "datetime('now', '-3 days')"), datetime(2025, 1, 1, 12)),
        (("datetime('now', '-3 days')", "CURRENT_TIMESTAMP"), FALLBACK),
        (("'2026-02-31'", "'soon'", "'1999-01-01'", "'2199-01-01'", "NULL", "20260101"), datetime(2026, 3, 4, 12)),
        ((), FALLBACK),
    ],
)
def test_the_clock_stands_after_the_newest_row_that_is_dated_in_writing(dates, now):
    assert build(cups(*dates)).now == now


def test_every_way_to_ask_for_the_time_gets_the_same():
    asked = "strftime('%Y-%m-%d %H:%M:%S', 'now')", "CURRENT_TIMESTAMP", "datetime()", "datetime('now', '+0 days')"
    base = build(cups(*asked, due="datetime(julianday('now'))"), now=datetime(2020, 5, 6, 7, 8, 9))
    assert rows(base, "SELECT DISTINCT created_at, due_at, seen FROM cups") == [("2020-05-06 07:08:09",) * 3]
    assert base.reads_clock


def test_a_default_that_reads_the_clock_is_noticed_without_any_call():
    base = build(cups("'2026-01-01'"))
    assert base.clock_calls == 0
    assert base.reads_clock


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ("VALUES (datetime('now'), date ( 'now', '-1 day'), TIME('NOW'))", 3),
        ("VALUES (strftime('%s', 'now'), strftime('%Y-%m', 'now', '-1 day'), unixepoch('now'))", 3),
        ("VALUES (CURRENT_TIMESTAMP, current_date, 'CURRENT_TIME is text')", 2),
        ("VALUES (datetime(), julianday( ))", 2),
        ("VALUES ('now', 'do it now', datetime('2026-01-01'), date(created_at))", 0),
    ],
)
def test_calls_of_the_clock_are_counted(sql, calls):
    assert clock_calls(sql) == calls


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("datetime('now', 'localtime')", "datetime('now', '+0 days')"),
        ("date('now','-1 day','UTC', 'LocalTime')", "date('now','-1 day','+0 days', '+0 days')"),
        ("VALUES ('utc', 'localtime', upper('utc'))", "VALUES ('utc', 'localtime', upper('utc'))"),
        ("time(max(a), 'localtime')", "time(max(a), '+0 days')"),
        ("max(date(trim(date(x, 'utc')), 'utc'))", "max(date(trim(date(x, '+0 days')), '+0 days'))"),
        ("date(coalesce(zone, 'utc'))) 'utc'", "date(coalesce(zone, 'utc'))) 'utc'"),
        ("-- don't\ndate(x, 'utc') /* don't */", "-- don't\ndate(x, '+0 days') /* don't */"),
    ],
)
def test_there_is_one_time_zone(sql, meant):
    assert in_utc(sql) == meant


@pytest.mark.parametrize(
    "text", ["date(" * 20_000, "date('" * 16_000, "date(''," * 12_000, "/*" * 50_000, "(" * 100_000, "x" * 100_000]
)
def test_hostile_text_is_searched_in_bounded_time(text):
    assert in_utc(text) == text
    assert requoted(text).count("'") >= text.count("'")
    assert clock_calls(text) == 0


# Always the same bytes


RANDOM = scenario(
    "INSERT INTO teas VALUES (1, hex(randomblob(8)), abs(random()) + 1)",
    "INSERT INTO teas VALUES (2, hex(randomblob(NULL)) || 'x', abs(random() % 100) + 1)",
    "INSERT INTO teas VALUES (3, datetime('now', 'localtime'), 1)",
    "INSERT INTO pots VALUES (1, (SELECT id FROM teas ORDER BY random() LIMIT 1), 'It's')",
)
PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from test_awm_data_base import RANDOM
from awm_gym.formats.awm.base import build
print(build(RANDOM).sha256, build(RANDOM, mend=True).sha256)
"""


def test_every_process_builds_the_same_bytes_whatever_its_zone_and_hash_seed():
    found = {f"{build(RANDOM).sha256} {build(RANDOM, mend=True).sha256}"}
    for seed, zone in (("1", "Asia/Tokyo"), ("2", "America/New_York")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        program = PROGRAM.format(tests=os.path.dirname(__file__))
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.stderr == ""
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert len(set(found.pop().split())) == 2


def test_random_numbers_are_random_enough_to_tell_rows_apart():
    base = build(RANDOM)
    values = rows(base, "SELECT name, grams FROM teas ORDER BY id")
    assert len(set(values)) == 3
    assert values[2] == ("2026-02-16 12:00:00", 1)


def test_the_image_does_not_tell_which_sqlite_wrote_it():
    image = build(scenario("INSERT INTO teas VALUES (1, 'Sencha', 20)")).image
    assert int.from_bytes(image[96:100], "big") == 3_040_000
    assert image[24:28] == image[92:96] == (1).to_bytes(4, "big")
    assert apsw.sqlite_lib_version().encode() not in image


# Work and room


ENDLESS = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) "


def test_a_statement_that_never_ends_ends_the_load():
    endless = ENDLESS + "INSERT INTO teas SELECT i + 9, 'x' || i, 1 FROM n"
    with pytest.raises(ScenarioError, match=r"^tea_room: cannot be loaded: interrupted, in: WITH RECURSIVE"):
        build(scenario("INSERT INTO teas VALUES (1, 'Sencha', 20)", endless))


def test_a_query_that_never_ends_costs_only_itself():
    base = build(scenario("INSERT INTO teas VALUES (1, 'Sencha', 20)", ENDLESS + "SELECT max(i) FROM n"))
    assert base.tables["teas"] == 1
    assert base.lost_inserts[0].kind == "limit"


def test_all_statements_share_one_budget(monkeypatch):
    monkeypatch.setattr(base_module, "MAX_TICKS", 2)
    base = build(scenario(*[ENDLESS + "SELECT i FROM n WHERE i = 300000 LIMIT 1"] * 3))
    assert [lost.kind for lost in base.lost_inserts] == ["limit"] * 3


@pytest.mark.parametrize(
    "default",
    ["(length(hex(zeroblob(400000000))))", "(fts3_tokenizer('simple'))", "(total_changes())", "(zeroblob(9))"],
)
def test_a_default_runs_only_functions_that_are_allowed(default):
    ddl = (TEAS, f"CREATE TABLE cups (id INTEGER, n TEXT DEFAULT {default})")
    base = build(scenario("INSERT INTO cups (id) VALUES (1)", ddl=ddl))
    assert base.tables.get("cups", 0) == 0
    assert base.lost_tables or base.lost_inserts


@pytest.mark.parametrize(
    ("depth", "reason"),
    [(17, "too many references"), (13, "the statement reaches too far"), (9, "too many FROM clause terms")],
)
def test_views_of_views_end_the_load(depth, reason):
    views = [f"CREATE VIEW v{i} AS SELECT a.id FROM v{i - 1} a, v{i - 1} b" for i in range(1, depth + 1)]
    ddl = (TEAS, "CREATE VIEW v0 AS SELECT id FROM teas", *views)
    with pytest.raises(ScenarioError, match=rf"^tea_room: cannot be loaded: {reason}"):
        build(scenario(f"INSERT INTO teas SELECT id, 'x', 1 FROM v{depth}", ddl=ddl))


def test_more_statements_than_any_data_need_are_refused_untried():
    with pytest.raises(ScenarioError, match=r"^tea_room: has 10002 INSERT statements; 10000 are allowed"):
        build(replace(scenario(), inserts=scenario(*["INSERT"] * 3_334).inserts * 3))


def test_a_database_has_a_largest_size():
    grow = "INSERT INTO pots SELECT NULL, 1, replace(hex(randomblob(1000)), 'x', '') FROM teas a, teas b, teas c"
    base = build(scenario(*(f"INSERT INTO teas VALUES ({i}, 'tea {i}', 1)" for i in range(1, 41)), grow))
    assert base.tables == {"pots": 0, "teas": 40}
    assert base.losses()["limit"][1].error == "database or disk is full"
