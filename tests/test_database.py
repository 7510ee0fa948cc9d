"""The hardened database: what each kind of SQL may do, its limits, its clock, and the state a scenario starts in."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import apsw
import pytest

from awm_gym import database
from awm_gym.database import Guard, Phase, Template, connect, set_clock
from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.gates.data import database_builds, invariants_hold
from awm_gym.soundness import check

COLUMNS = "id INTEGER PRIMARY KEY"


@pytest.fixture
def rejected(small):
    """The ScenarioError of a scenario with these files."""

    def fail(**files):
        with pytest.raises(ScenarioError) as caught:
            Template(small(**files))
        return caught.value

    return fail


def table(columns, options="STRICT"):
    return f"CREATE TABLE t ({columns}) {options};"


@pytest.mark.parametrize(
    ("schema", "key", "told"),
    [
        ("", "", "there is no table"),
        ("CREATE VIEW v AS SELECT 1 AS one;", "", "there is no table"),
        (table("id INTEGER"), "t", "has no PRIMARY KEY"),
        (table(COLUMNS, ""), "t", "is not STRICT; write `) STRICT;`"),
        (table(f"{COLUMNS}, n INTEGER AS (id * 2)"), "t.n", "is a generated column; use a view"),
        (table(f"{COLUMNS}, n INTEGER AS (id * 2) STORED"), "t.n", "is a generated column"),
        (table(f"{COLUMNS}, n INTEGER DEFAULT (1 + 1)"), "t.n", "DEFAULT 1 + 1 is neither a literal nor CURRENT_*"),
        (table(f"{COLUMNS}, n TEXT DEFAULT (hex(randomblob(9)))"), "", "not authorized to use function: randomblob"),
        (table(f"{COLUMNS}, n TEXT DEFAULT (datetime('now'))"), "t.n", "is neither a literal nor CURRENT_*"),
        (table(f"{COLUMNS}, n BLOB"), "t.n", "has the type 'BLOB'; use INTEGER, REAL or TEXT"),
        (table(f"{COLUMNS}, n ANY"), "t.n", "has the type 'ANY'"),
        (table(f"{COLUMNS}, n INT"), "t.n", "has the type 'INT'"),
        (table(f"{COLUMNS}, n DECIMAL"), "", 'unknown datatype for t.n: "DECIMAL"'),
        (table("code TEXT COLLATE NOCASE PRIMARY KEY"), "t.code", "a key may not have a COLLATE"),
        (table("a TEXT, b TEXT COLLATE RTRIM, PRIMARY KEY (a, b)"), "t.b", "a key may not have a COLLATE"),
        (f"CREATE TABLE any ({COLUMNS}) STRICT;", "any", "may not be named any"),
        (table(f"{COLUMNS}, new TEXT"), "t", "nor a column new or gone"),
        (table(f"{COLUMNS}, gone TEXT"), "t", "nor a column new or gone"),
        (f"CREATE TEMP TABLE t ({COLUMNS}) STRICT;", "", "not allowed here, in: CREATE TEMP TABLE"),
        ("CREATE VIRTUAL TABLE t USING fts5(x);", "", "CREATE VTABLE main.t is not allowed here"),
        ("CREATE TABLE t AS SELECT 1 AS id;", "t.id", "has the type ''"),
        ("CREATE TABLE sqlite_t (id INTEGER PRIMARY KEY) STRICT;", "", "reserved for internal use"),
        (f"CREATE TABLE other.t ({COLUMNS}) STRICT;", "", "unknown database other"),
        (table(f"{COLUMNS}, n TEXT, up TEXT REFERENCES t (n)"), "", 'foreign key mismatch - "t" referencing "t"'),
        (table(f"{COLUMNS}, n TEXT CHECK (quote(n) = n)"), "", "not authorized to use function: quote"),
        (table(f"{COLUMNS}, n TEXT CHECK (trim(n, 'x') = n)"), "", "wrong number of arguments to function trim()"),
        (table(COLUMNS) + "CREATE INDEX i ON t (hex(zeroblob(id)));", "", "not authorized to use function: zeroblob"),
        (table("id INTEGER PRIMARY KEY AUTOINCREMENT"), "", "line 1: AUTOINCREMENT is not allowed"),
        (table(f"{COLUMNS}, n INTEGER REFERENCES t DEFERRABLE"), "", "DEFERRABLE is not allowed"),
        (table(f"{COLUMNS}, n INTEGER UNIQUE ON CONFLICT ROLLBACK"), "", "ROLLBACK is not allowed; use OR ABORT"),
        (table(COLUMNS) + "\nINSERT INTO t VALUES (1);", "", "line 2: only CREATE may stand here: 'INSERT INTO t"),
        (
            table(COLUMNS) + "CREATE VIEW v AS SELECT m FROM t;",
            "v",
            "does not work as a view: line 1: no such column: m",
        ),
        (table(COLUMNS) + "CREATE VIEW v AS SELECT random() AS x;", "v", "not authorized to use function: random"),
        ("PRAGMA foreign_keys = OFF;", "", "only CREATE may stand here"),
        ("DROP TABLE t;", "", "only CREATE may stand here"),
        ("ATTACH 'x' AS y;", "", "only CREATE may stand here"),
        (
            f"-- é\n\nCREATE TABLE t (\n  é TEXT, {COLUMNS} KEY) STRICT;",
            "",
            'line 4, column 34: near "KEY": syntax error',
        ),
        (f"CREATE TABLE t ({COLUMNS}) STRICT", "", "line 1: the statement has no closing semicolon"),
        (table(", ".join([COLUMNS, *(f"c{n} TEXT" for n in range(201))])), "", "too many columns on t"),
    ],
)
def test_a_schema_that_breaks_the_format_is_refused_with_its_place(rejected, schema, key, told):
    error = rejected(schema=schema, data="")
    assert (error.file, error.key) == ("schema.sql", key)
    assert told in error.problem


@pytest.mark.parametrize(
    "column",
    [
        "n INTEGER DEFAULT -3",
        "n REAL DEFAULT 1.5e-3",
        "n TEXT DEFAULT 'it''s; (fine)'",
        "n TEXT DEFAULT NULL",
        "n INTEGER DEFAULT TRUE",
        "n TEXT DEFAULT CURRENT_TIMESTAMP",
        "n TEXT DEFAULT current_date",
        "n TEXT COLLATE NOCASE UNIQUE",
        "n integer NOT NULL CHECK (length(n) < 5)",
    ],
)
def test_a_column_within_the_format_is_accepted(small, column):
    made = Template(small(schema=table(f"{COLUMNS}, {column}"), data=""))
    assert made.tables["t"].column_names == ("id", "n")


def test_tables_are_told_with_their_keys(room):
    tables = Template(room).tables
    assert list(tables) == ["audit", "book", "loan", "mark", "reader"]
    assert (tables["mark"].key, tables["mark"].numbers_itself) == (("book_code", "place"), False)
    assert (tables["book"].key, tables["book"].numbers_itself) == (("code",), False)
    assert (tables["loan"].key, tables["loan"].numbers_itself) == (("id",), True)
    assert [column.default for column in tables["book"].columns] == ["NULL", "NULL", "NULL", "1"]
    assert [column.required for column in tables["loan"].columns] == [False, True, True, False, True, False]


def test_the_columns_of_a_key_keep_its_order(small):
    made = Template(small(schema=table("a TEXT, b TEXT, PRIMARY KEY (b, a)"), data="", tools={}))
    assert made.tables["t"].key == ("b", "a")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("INSERT INTO t (id, n) VALUES (1, 'x');", "cannot store TEXT value in INTEGER column t.n"),
        ("INSERT INTO t (id) VALUES (1);\nINSERT INTO t (id) VALUES (1);", "line 2: UNIQUE constraint failed: t.id"),
        ("INSERT INTO t (id, m) VALUES (1, 2);", "table t has no column named m"),
        ("UPDATE t SET n = 1;", "only INSERT, REPLACE, WITH may stand here: 'UPDATE t SET n = 1;'"),
        ("DELETE FROM t;", "only INSERT"),
        ("SELECT 1;", "only INSERT"),
        ("WITH a AS (SELECT 1) DELETE FROM t;", "DELETE main.t is not allowed here"),
        ("INSERT INTO t (id) VALUES (random());", "not authorized to use function: random"),
        ("INSERT INTO sqlite_master (name) VALUES ('x');", "INSERT main.sqlite_master is not allowed here"),
        ("INSERT INTO t (n) SELECT length(name) FROM sqlite_master;", "READ main.sqlite_master is not allowed here"),
        ("INSERT INTO t (n) SELECT n FROM before.t;", "no such table: before.t"),
        ("INSERT INTO t (n) VALUES (refuse('no'));", "no such function: refuse"),
        ("INSERT OR ROLLBACK INTO t (id) VALUES (1);", "ROLLBACK is not allowed"),
        (
            "INSERT INTO t (n) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i FROM c) SELECT count(*) FROM c;",
            "interrupted",
        ),
        ("INSERT INTO t (n) VALUES (1)", "no closing semicolon"),
        ("INSERT INTO t (words) VALUES ('" + "x" * 70_000 + "');", "too big"),
    ],
)
def test_data_that_do_not_load_whole_are_refused(rejected, data, told):
    error = rejected(data=data)
    assert error.file == "data.sql"
    assert told in error.problem


def test_a_foreign_key_holds_at_once(rejected):
    schema = table(f"{COLUMNS}, up INTEGER REFERENCES t (id)")
    assert (
        "FOREIGN KEY"
        in rejected(schema=schema, data="INSERT INTO t VALUES (2, 1); INSERT INTO t VALUES (1, NULL);").problem
    )


def test_triggers_keep_rows_in_step_while_the_data_come_in(room):
    template = Template(room)
    assert template.db.execute("SELECT code, copies FROM book ORDER BY code").fetchall() == [
        ("A1", 1),
        ("B2", 0),
        ("C3", 3),
    ]
    assert template.db.execute("SELECT words, at FROM audit WHERE id = 1").fetchall() == [
        ("lent A1", "2024-02-28 23:59:30")
    ]


@pytest.mark.parametrize("function", sorted(database.FUNCTIONS - {"->", "->>", "now", "me", "json_each", "json_tree"}))
def test_a_function_that_is_allowed_is_there(function):
    known = {name for (name,) in connect(Guard()).execute("SELECT name FROM pragma_function_list")}
    assert function in known


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT length(format('%070000d', 1))", apsw.TooBigError),
        ("SELECT " + "1+" * 200 + "1", apsw.SQLError),
        ("SELECT 1" + " UNION ALL SELECT 1" * 20, apsw.SQLError),
        ("SELECT max(" + "1," * 40 + "1)", apsw.SQLError),
        ("SELECT 'x' LIKE '" + "%x" * 101 + "'", apsw.SQLError),
        ("SELECT trim('x', 'x')", apsw.SQLError),
        ("SELECT 1 -- " + "x" * 100_000, apsw.TooBigError),
        ("ATTACH ':memory:' AS a; ATTACH ':memory:' AS b", apsw.SQLError),
        ('SELECT "no such column"', apsw.SQLError),
        ("SELECT load_extension('x')", apsw.SQLError),
    ],
)
def test_every_connection_has_its_limits(sql, error):
    with pytest.raises(error):
        connect(Guard()).execute(sql).fetchall()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("foreign_keys", 1), ("temp_store", 2), ("cell_size_check", 1), ("trusted_schema", 0), ("max_page_count", 65_536)],
)
def test_every_connection_has_its_switches_set(pragma, value):
    assert connect(Guard()).execute(f"PRAGMA {pragma}").get == value


def test_a_budget_of_steps_ends_a_statement_and_our_own_sql_has_none():
    guard = Guard()
    db = connect(guard)
    count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT count(*) FROM n"
    guard.start(10_000)
    assert db.execute(count).get == 50_000
    guard.phase = Phase.TOOL
    with pytest.raises(apsw.InterruptError):
        db.execute(count).fetchall()
    guard.start(10_000_000)
    assert db.execute(count).get == 50_000


def test_the_budget_is_the_same_every_time():
    reached = set()
    for _ in range(5):
        guard = Guard()
        db = connect(guard)
        guard.phase = Phase.TOOL
        guard.start(100_000)
        rows = db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
        last = 0
        with pytest.raises(apsw.InterruptError):
            for (last,) in rows:  # noqa: B007
                pass
        reached.add(last)
    assert len(reached) == 1
    assert reached.pop() > 1_000


NOW = "SELECT CURRENT_TIMESTAMP, datetime('now'), CURRENT_DATE, CURRENT_TIME, unixepoch(), strftime('%s')"


def test_every_clock_of_sqlite_is_the_scenarios():
    db = connect(Guard())
    for moment, seconds in ((datetime(2024, 2, 29, 12, 0, 1), 1709208001), (datetime(1066, 10, 14), -28502755200)):
        set_clock(moment)
        text = moment.isoformat(" ")
        assert db.execute(NOW).fetchall() == [(text, text, text[:10], text[11:], seconds, str(seconds))]
        assert db.execute("SELECT julianday('now') = julianday(?)", (text,)).get == 1


def test_every_thread_has_a_clock_of_its_own():
    set_clock(datetime(2024, 2, 29))
    found = []

    def other():
        set_clock(datetime(1999, 1, 1))
        found.append(connect(Guard()).execute("SELECT CURRENT_DATE").get)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == ["1999-01-01"]
    assert connect(Guard()).execute("SELECT CURRENT_DATE").get == "2024-02-29"


def test_threads_may_load_and_prove_one_scenario_at_a_time(lockers):
    def work(_):
        check(lockers)
        return certify(lockers, (database_builds, invariants_hold)).passed

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [True] * 24


def test_the_start_is_shared_as_a_read_only_state_one_for_every_given(small):
    template = Template(small())
    plain, changed = (
        template.state(None),
        template.state("UPDATE t SET n = 0, words = now() || me(), at = CURRENT_DATE;"),
    )
    assert template.state("") == plain != changed
    assert template.state("UPDATE t SET n = 0, words = now() || me(), at = CURRENT_DATE;") == changed
    db = connect(Guard(), plain)
    assert db.execute("SELECT n, at FROM t WHERE id = 1").get == (10, "2024-02-28 23:59:30")
    with pytest.raises(apsw.ReadOnlyError):
        db.execute("DELETE FROM t")
    assert connect(Guard(), changed).execute("SELECT n, words, at FROM t WHERE id = 3").get == (
        0,
        "2024-02-28T23:59:307",
        "2024-02-28",
    )
    assert Template(small()).state(None) != plain


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("UPDATE t SET n = 'x';", "cannot store TEXT value"),
        ("PRAGMA foreign_keys = OFF;", "PRAGMA"),
        ("SELECT 1;\nUPDATE t SET m = 1;", "line 2: no such column: m"),
        ("SELECT refuse('no');", "no such function: refuse"),
        ("SELECT n FROM before.t;", "no such table: before.t"),
    ],
)
def test_a_given_that_fails_is_told(small, given, told):
    with pytest.raises(ScenarioError, match=re.escape(told)) as caught:
        Template(small()).state(given)
    assert caught.value.file == "tasks.toml"
