"""The audit of tasks: what a verifier does beside its verdict, what it lets pass, and why a task cannot be solved."""

import sys
from dataclasses import replace
from pathlib import Path

import apsw
import awm_kennel
import pytest
from awm_kennel import NOW

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.audit import blame as blaming
from awm_gym.formats.awm.audit import mutants as mutation
from awm_gym.formats.awm.audit.findings import MUTATIONS, TaskAudit, ToolAudit
from awm_gym.formats.awm.audit.mutants import mutants
from awm_gym.formats.awm.audit.tasks import audit_tasks
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.images import Images
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Solution, Source, TableRows, TableSchema
from awm_gym.formats.awm.tracing import Tracer
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall

HERE = Path(__file__).parent
SAMPLES = HERE.parent.parent / "shared" / "awm_samples"
pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def judge():
    with Judge() as started:
        yield started


@pytest.fixture(scope="module")
def images():
    with Images() as started:
        yield started


@pytest.fixture(scope="module")
def tracer():
    with Tracer() as started:
        yield started


def function(body, name="verify_task_completion(initial_db_path, final_db_path, final_answer=None)"):
    """A verifier with this body."""
    lines = "\n    ".join(body.splitlines())
    return f"import sqlite3\nimport time\nfrom datetime import date, datetime\ndef {name}:\n    {lines}\n"


ASKS = """def ask(path, sql):
    try:
        return sqlite3.connect(f'file:{path}?mode=ro', uri=True).execute(sql).fetchall()
    except Exception:
        return []
"""


def seen(tracer, body, answer="done", now=NOW, **options):
    image = awm_kennel.base().image
    return tracer.run("code", function(ASKS + body), image, image, answer, now=now, **options)


# what is seen of a verifier


def test_tables_are_told_by_the_database_they_are_read_in(tracer):
    found = seen(tracer, "ask(final_db_path, 'SELECT count(*) FROM walk')\nreturn {'result': 'others'}")
    assert (found.result, found.raised, found.errors) == ({"result": "others"}, "", ())
    assert (found.reads_initial, found.reads_final) == ((), ("walk",))
    found = seen(
        tracer, "ask(initial_db_path, 'SELECT dog FROM walk')\nask(initial_db_path, 'SELECT * FROM sqlite_master')"
    )
    assert (found.reads_initial, found.reads_final) == (("walk",), ())


def test_tables_that_queries_name_are_told_also_where_they_do_not_run(tracer):
    found = seen(tracer, "if final_answer == 'never':\n    ask(final_db_path, f'''SELECT {1} FROM walk''')")
    assert (found.reads_final, found.mentions, found.tables) == ((), ("walk",), ("walk",))
    assert seen(tracer, "'a walk FROM Lund'").tables == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("ask(final_db_path, 'SELECT * FROM cat')", "no such table: cat"),
        ("sqlite3.connect(final_db_path).cursor().executemany('DELETE FROM walk WHERE id = ?', [(1,)])", "readonly"),
        ("sqlite3.connect(final_db_path).executescript('SELECT')", "incomplete input"),
        ("for _ in sqlite3.connect(final_db_path).execute('SELECT zeroblob(2000000000)'): pass", "too big"),
        ("ask('/tmp/other.db', 'SELECT 1')", "unable to open database file"),
    ],
)
def test_errors_of_its_sql_are_told_though_it_swallows_them(tracer, body, words):
    found = seen(tracer, f"try:\n    {body}\nexcept Exception:\n    pass\nreturn 1")
    assert (found.result, found.raised) == (1, "")
    assert any(words in error for error in found.errors)


def test_what_a_query_that_does_not_run_would_miss_is_told(tracer):
    body = """if final_answer == 'never':
    ask(final_db_path, 'SELECT * FROM cat WHERE name = ?')
    ask(final_db_path, 'SELECT whiskers FROM walk')
    ask(final_db_path, 'SELECT * FROM temp.made_on_the_way')
'Select the cheapest walk.'
'SELECT 1; SELECT 2'
f'SELECT cat.name FROM walk {final_answer}'
'SELECT dog.name FROM walk ' + final_answer"""
    found = seen(tracer, body)
    assert (found.errors, found.unprepared) == ((), ("no such table: cat", "no such column: whiskers"))


@pytest.mark.parametrize(
    "body",
    [
        "datetime.now()",
        "datetime.utcnow()",
        "datetime.today()",
        "date.today()",
        "time.time()",
        "time.time_ns()",
        "time.gmtime()",
        "time.strftime('%Y')",
        "getattr(time, 'localtime')()",
        "ask(final_db_path, 'SELECT CURRENT_TIMESTAMP')",
        "ask(final_db_path, 'SELECT strftime(''%Y'')')",
        "ask(final_db_path, \"SELECT date('NOW', '+1 day')\")",
        "ask(final_db_path, 'SELECT datetime()')",
    ],
)
def test_who_asks_for_the_time_is_found_out(tracer, body):
    body = body.replace("''%Y''", "\\'%Y\\'")
    assert seen(tracer, body).asks_time


@pytest.mark.parametrize(
    "body",
    [
        "datetime(2025, 3, 1).time()",
        "datetime.strptime('2025-03-01', '%Y-%m-%d').date().weekday()",
        "time.strftime('%Y', time.gmtime(0))",
        "ask(final_db_path, \"SELECT date(day, '+1 day'), strftime('%Y', day) FROM walk\")",
        "{'now': 1, 'current_time': 2}",
    ],
)
def test_who_only_reckons_with_times_does_not_ask(tracer, body):
    found = seen(tracer, body)
    assert not found.asks_time
    assert not found.clock_in_text
    assert found.errors == ()


@pytest.mark.parametrize(
    "body", ["date.today()", "time.time()", "time.localtime()", "'''SELECT date('now')'''", "'CURRENT_DATE'"]
)
def test_asking_for_the_time_is_seen_in_the_text_too(tracer, body):
    found = seen(tracer, f"if final_answer == 'never':\n    {body}")
    assert (found.asks_time, found.clock_in_text) == (False, True)


@pytest.mark.parametrize(
    ("body", "signature", "looks"),
    [
        ("return final_answer", "verify_task_completion(initial_db_path, final_db_path, final_answer=None)", True),
        ("return 1", "verify_task_completion(initial_db_path, final_db_path, final_answer=None)", False),
        ("return rest", "verify_task_completion(a, b, *rest)", True),
        ("return rest", "verify_task_completion(a, /, b, *, said=None, **rest)", True),
        ("def check(): return said\nreturn check()", "verify_task_completion(a, b, said)", True),
        ("said = 3\nreturn a, b", "verify_task_completion(a, b, said)", False),
    ],
)
def test_whether_it_looks_at_the_answer(tracer, body, signature, looks):
    image = awm_kennel.base().image
    assert tracer.run("code", function(body, signature), image, image, "x", now=NOW).uses_answer is looks


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('dog')", "KeyError: 'dog'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os.abort()", "the worker has ended"),
        ("return float('inf')", "JSON compliant"),
        (
            "import sys; sys.modules['awm_gym.formats.awm.trace_program']._in_text = lambda *_: {'lie': 1}",
            "it changed what",
        ),
    ],
)
def test_what_ends_it_is_told(tracer, body, words):
    assert words in seen(tracer, body).raised
    assert seen(tracer, "return 1").result == 1


def test_a_verifier_that_never_ends_is_told(tracer):
    assert "in time" in seen(tracer, "while True: pass", seconds=0.2).raised


@pytest.mark.parametrize("code", ["def (", "x = 1", "\0"])
def test_what_is_no_verifier_is_told(tracer, code):
    image = awm_kennel.base().image
    found = tracer.run("code", code, image, image, None, now=NOW)
    assert found.raised
    assert not found.uses_answer


def test_evidence_is_seen_too(tracer):
    image = awm_kennel.base().image
    found = tracer.run("sql", awm_kennel.EVIDENCE, image, image, now=NOW)
    assert found.result["walks"] == 2
    assert (found.asks_time, found.reads_final, found.uses_answer) == (True, ("walk",), False)


def test_a_closed_tracer_says_so():
    tracer = Tracer()
    tracer.close()
    with pytest.raises(UsageError, match="closed"):
        seen(tracer, "return 1")


# mutants


def made(script, start=None):
    db = apsw.Connection(":memory:")
    if start is not None:
        db.deserialize("main", start)
    db.execute(script)
    return db.serialize("main")


DOGS = """
CREATE TABLE dog (id INTEGER PRIMARY KEY, name TEXT UNIQUE, good INTEGER, weight REAL, born_at TEXT, chip BLOB);
CREATE TABLE walk (dog_id, day, note, n INTEGER);
CREATE TABLE cat (id INTEGER PRIMARY KEY);
CREATE TABLE bowl (dog TEXT PRIMARY KEY, full INTEGER);
CREATE TABLE empty (a);
INSERT INTO dog VALUES (1, 'Bo', 1, 2.5, '2020', x'01'), (2, 'Ada', 0, 3.5, '2021', NULL);
INSERT INTO dog VALUES (3, 'Cy', 1, 4.5, '2022', x'02');
INSERT INTO walk VALUES (1, 'mon', 'far', 7), (2, 'tue', NULL, 8);
INSERT INTO cat VALUES (1), (2);
INSERT INTO bowl VALUES ('Bo', 1);
"""


def listed(images, initial, solved, kind):
    return [mutant for mutant in mutants(images, initial, solved) if mutant.mutation == kind]


def content(image, table):
    db = apsw.Connection(":memory:")
    db.deserialize("main", image)
    return db.execute(f"SELECT * FROM {table}").fetchall()


@pytest.fixture(scope="module")
def dogs():
    return made(DOGS)


def test_an_effect_is_left_out(images, dogs):
    solved = made(
        "UPDATE dog SET good = 1, born_at = '2023' WHERE id = 2; INSERT INTO walk VALUES (3, 'wed', 'new', 9);"
        "DELETE FROM walk WHERE day = 'mon'; DELETE FROM bowl",
        dogs,
    )
    undone = listed(images, dogs, solved, "omit_effect")
    assert [mutant.place for mutant in undone] == ["removed bowl Bo", "changed dog 2", "added walk 3", "removed walk 1"]
    assert [list(images.changed(solved, mutant.image)) for mutant in undone] == [["bowl"], ["dog"], ["walk"], ["walk"]]
    assert images.changed(dogs, undone[1].image).keys() == {"walk", "bowl"}
    assert content(undone[3].image, "walk") == [*content(dogs, "walk"), (3, "wed", "new", 9)]


def test_a_value_is_made_wrong(images, dogs):
    solved = made("INSERT INTO dog VALUES (4, 'Di', 1, 9.5, '2024', NULL); UPDATE walk SET n = 0 WHERE n = 8", dogs)
    wrong = listed(images, dogs, solved, "wrong_cell")
    assert [mutant.place for mutant in wrong] == [f"added dog 4.{name}" for name in ("name", "good", "weight")] + [
        "changed walk 2.n"
    ]
    assert [content(mutant.image, "dog")[3][1:4] for mutant in wrong[:3]] == [
        ("Di~", 1, 9.5),  # the name of another dog would not be UNIQUE
        ("Di", 0, 9.5),
        ("Di", 1, 2.5),
    ]
    assert content(wrong[3].image, "walk")[1] == (2, "tue", None, 7)


def test_a_value_that_no_other_row_has_is_made_up(images):
    before = made("CREATE TABLE a (k INTEGER PRIMARY KEY, b, c, d, e, f)")
    solved = made("INSERT INTO a VALUES (1, 'x', 5, 0, 1.5, x'00')", before)
    rows = [content(mutant.image, "a")[0] for mutant in listed(images, before, solved, "wrong_cell")]
    assert rows == [
        (1, "x~", 5, 0, 1.5, b"\0"),
        (1, "x", 6, 0, 1.5, b"\0"),
        (1, "x", 5, 1, 1.5, b"\0"),
        (1, "x", 5, 0, 2.5, b"\0"),
        (1, "x", 5, 0, 1.5, b"\0~"),
    ]


def test_other_rows_of_a_touched_table_are_deleted_and_corrupted(images, dogs):
    solved = made("UPDATE dog SET good = 1 WHERE id = 2; DELETE FROM bowl; INSERT INTO cat VALUES (3)", dogs)
    deleted = listed(images, dogs, solved, "delete_others")
    assert [mutant.place for mutant in deleted] == ["cat", "dog"]
    assert [content(mutant.image, mutant.place) for mutant in deleted] == [[(3,)], [(2, "Ada", 1, 3.5, "2021", None)]]
    (corrupted,) = listed(images, dogs, solved, "corrupt_others")  # a cat is nothing but its key
    assert content(corrupted.image, "dog") == [
        (1, "Bo", 2, 3.5, "2020~", b"\x01~"),
        (2, "Ada", 1, 3.5, "2021", None),
        (3, "Cy", 2, 5.5, "2022~", b"\x02~"),
    ]


def test_what_holds_nothing_cannot_be_corrupted(images):
    before = made("CREATE TABLE a (k INTEGER PRIMARY KEY, b); INSERT INTO a VALUES (1, NULL)")
    solved = made("INSERT INTO a VALUES (2, 'x')", before)
    assert [mutant.mutation for mutant in mutants(images, before, solved)] == list(MUTATIONS[:3])


def test_all_rows_of_a_table_are_others_where_the_solution_only_removed(images, dogs):
    solved = made("DELETE FROM cat WHERE id = 1", dogs)
    (deleted,) = listed(images, dogs, solved, "delete_others")
    assert content(deleted.image, "cat") == []


def test_unrelated_tables_are_wiped(images, dogs):
    solved = made("DELETE FROM bowl", dogs)
    assert [mutant.place for mutant in listed(images, dogs, solved, "wipe_one_unrelated")] == ["cat", "dog", "walk"]
    (wiped,) = listed(images, dogs, solved, "wipe_all_unrelated")
    assert wiped.place == "cat, dog, walk"
    assert set(images.rows(wiped.image).values()) == {0}


def test_without_other_tables_nothing_is_wiped(images):
    before = made("CREATE TABLE a (b)")
    found = list(mutants(images, before, made("INSERT INTO a VALUES (1)", before)))
    assert [mutant.mutation for mutant in found] == ["omit_effect", "wrong_cell"]


def test_what_cannot_be_undone_is_no_mutant(images, dogs):
    solved = made("DELETE FROM dog WHERE id = 1; UPDATE dog SET name = 'Bo' WHERE id = 2", dogs)
    assert [mutant.place for mutant in listed(images, dogs, solved, "omit_effect")] == ["changed dog 2"]


def test_mutants_are_bounded_and_the_same_each_time(images, dogs, monkeypatch):
    solved = made("UPDATE dog SET good = 5, weight = 1", dogs)
    assert list(mutants(images, dogs, solved)) == list(mutants(images, dogs, solved))
    monkeypatch.setattr(mutation, "MAX_MUTANTS", 2)
    assert len(listed(images, dogs, solved, "omit_effect")) == len(listed(images, dogs, solved, "wrong_cell")) == 2


def test_a_table_that_is_gone_is_no_place_for_mutants(images, dogs):
    solved = made("DROP TABLE dog; DELETE FROM bowl", dogs)
    assert {mutant.place for mutant in mutants(images, dogs, solved)} == {"removed bowl Bo", "cat", "walk", "cat, walk"}


# tasks

CLUB = """
import os

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///club.db")
app = FastAPI()


class Club(BaseModel):
    name: str


class Member(BaseModel):
    club_id: int
    dog: str
    role: str = "member"


def change(sql, values):
    with engine.begin() as db:
        return db.execute(text(sql), values).lastrowid


@app.post("/clubs", operation_id="found_club")
def found_club(club: Club):
    return {"id": change("INSERT INTO clubs (name) VALUES (:name)", {"name": club.name})}


@app.post("/members", operation_id="join_club")
def join_club(member: Member):
    sql = "INSERT INTO members (club_id, dog, role) VALUES (:club_id, :dog, :role)"
    return {"id": change(sql, member.model_dump())}


@app.post("/crash", operation_id="crash")
def crash():
    raise RuntimeError("never works")


@app.post("/lament", operation_id="lament")
def lament(text: str):
    raise RuntimeError(text)


@app.get("/clubs", operation_id="list_clubs")
def list_clubs():
    with engine.begin() as db:
        return [row[0] for row in db.execute(text("SELECT name FROM clubs ORDER BY id"))]


@app.post("/abort", operation_id="abort")
def abort():
    os.abort()
"""
TABLES = (
    TableSchema(name="clubs", ddl="CREATE TABLE clubs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"),
    TableSchema(
        name="members",
        ddl="CREATE TABLE members (id INTEGER PRIMARY KEY, club_id INTEGER REFERENCES clubs (id), dog TEXT, role TEXT,"
        " joined_at TEXT)",
    ),
    TableSchema(name="rules", ddl="CREATE TABLE rules (id INTEGER PRIMARY KEY, line TEXT)"),
)
INSERTS = (
    "INSERT INTO clubs VALUES (1, 'Swimmers'), (2, 'Runners')",
    "INSERT INTO members VALUES (1, 1, 'Bo', 'head', '2025-03-01'), (2, 2, 'Ada', 'member', '2025-03-02')",
    "INSERT INTO rules VALUES (1, 'No cats.')",
)
NEW_CLUB = """
club = ask(final_db_path, "SELECT id FROM clubs WHERE name = '{name}'")
known = ask(initial_db_path, 'SELECT id FROM clubs')
members = ask(final_db_path, f'SELECT dog FROM members WHERE club_id = {{club[0][0]}} ORDER BY id') if club else []
return {{'result': 'complete' if club and club[0] not in known and members == {members} else 'others'}}"""


def rows(*statements):
    return tuple(TableRows(table_name=sql.split()[2], insert_statements=(sql,)) for sql in statements)


def club(body, solution=None, *, inserts=INSERTS, tables=TABLES, kind="code", code=CLUB):
    """A scenario of one task."""
    named = {"code": function(ASKS + body), "sql": function(ASKS + body, "verify_task(initial_db_path, final_db_path)")}
    return AwmScenario(
        name="club",
        title="Club",
        description="",
        tasks=("Found the club.",),
        ddl=tables,
        inserts=rows(*inserts),
        endpoints=(),
        code=code,
        verifiers={0: {kind: named[kind]}} if kind else {},
        solutions={} if solution is None else {0: solution},
    )


def solution(*calls, answer="done"):
    return Solution(tuple(ToolCall(name, arguments) for name, arguments in calls), answer)


FOUND = ("found_club", {"name": "Divers"})


@pytest.fixture(scope="module")
def audit(judge, images):
    def audited(scenario, tools=()):
        base = build(scenario, now=NOW)
        with App(scenario.code, base, name=scenario.name) as app:
            (found,) = audit_tasks(scenario, base, app, judge, images, tools)
        assert TaskAudit.model_validate_json(found.model_dump_json()) == found
        return found

    return audited


def test_a_good_task_is_proved(audit):
    found = audit(club(NEW_CLUB.format(name="Divers", members="[]"), solution(FOUND)))
    assert (found.number, found.kinds, found.crash, found.blocked) == (0, ("code",), "", "")
    assert (found.solution, found.solution_note, found.passed, found.proved) == ("paid", "", True, True)
    assert (found.swallows, found.broken_sql, found.paid_untouched) == (True, (), ())
    assert (found.reads_clock, found.uses_answer, found.tables) == (False, False, ("clubs", "members"))
    assert list(found.strength) == list(MUTATIONS)
    assert {name: tuple(tried) for name, tried in found.strength.items()} == {
        "omit_effect": (1, 0),
        "wrong_cell": (1, 0),
        "delete_others": (1, 1),
        "corrupt_others": (0, 0),
        "wipe_one_unrelated": (2, 2),
        "wipe_all_unrelated": (1, 1),
    }


def test_a_verifier_that_counts_the_other_rows_lets_no_damage_pass(audit):
    body = """tables = ('clubs', 'members', 'rules')
known, now = [[ask(path, f'SELECT * FROM {t}') for t in tables] for path in (initial_db_path, final_db_path)]
if not now[0]:
    raise ValueError('there must be clubs')
return {'result': 'complete' if now == [known[0] + [(3, 'Divers')], *known[1:]] else 'others'}"""
    found = audit(club(body, solution(FOUND)))
    assert found.proved
    assert not found.swallows
    assert [tuple(found.strength[name]) for name in ("delete_others", "wipe_one_unrelated", "wipe_all_unrelated")] == [
        (1, 0),
        (2, 0),
        (1, 0),
    ]


def test_without_a_known_solution_nothing_is_proved(audit):
    found = audit(club(NEW_CLUB.format(name="Divers", members="[]")))
    assert (found.solution, found.solution_note, found.strength, found.passed, found.proved) == (
        "",
        "",
        {},
        True,
        False,
    )


def test_answers_that_are_paid_for_nothing_are_named(audit):
    body = "return {'result': 'complete' if not final_answer or 'club' in final_answer else 'others'}"
    found = audit(club(body))
    assert found.paid_untouched == ("none", "empty", "own_text")
    assert (found.uses_answer, found.passed) == (True, False)
    assert audit(club("return {'result': 'complete'}")).paid_untouched[-2:] == ("completed", "own_text")


def test_a_verifier_that_comes_to_no_verdict_crashes(audit):
    found = audit(club("return {'result': final_answer.strip() and 'others'}"))
    assert found.crash.endswith("(with the answer none)")
    assert "'NoneType' object has no attribute 'strip'" in found.crash
    assert any("the verifier crashes" in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ("return {'result': 'complete' if date.today().year > 2025 else 'others'}", True),
        (
            "return {'result': 'complete' if ask(final_db_path, 'SELECT date() > \\'2026\\'') == [(1,)] else 'others'}",
            True,
        ),
        ("if final_answer == 'never': time.time()\nreturn {'result': 'others'}", True),
        ("return {'result': 'complete' if date(2025, 3, 9).year > 2025 else 'others'}", False),
    ],
)
def test_verifiers_that_depend_on_the_time_are_found(audit, body, reads):
    assert audit(club(body)).reads_clock is reads


def test_the_clock_is_found_in_the_solved_state_too(audit):
    body = """if len(ask(final_db_path, 'SELECT * FROM clubs')) > 2:
    return {'result': 'complete' if getattr(date, 'to' + 'day')().year == 2025 else 'others'}
return {'result': 'others'}"""
    assert not audit(club(body)).reads_clock
    assert audit(club(body, solution(FOUND))).reads_clock


def test_errors_of_its_sql_are_told_and_block_the_task(audit):
    body = """if ask(final_db_path, 'SELECT * FROM dogs'):
    return {'result': 'complete'}
ask(final_db_path, 'SELECT zeroblob(2000000000)')
return {'result': 'others'}"""
    found = audit(club(body))
    assert found.broken_sql == ("no such table: dogs", "string or blob too big")
    assert found.blocked == "the verifier asks for what is not there: no such table: dogs"


def test_a_table_that_is_missing_on_the_way_to_payment_blocks_nothing(audit):
    body = "ask(final_db_path, 'SELECT * FROM dogs')" + NEW_CLUB.format(name="Divers", members="[]")
    found = audit(club(body, solution(FOUND)))
    assert (found.broken_sql, found.blocked, found.proved) == (("no such table: dogs",), "", True)


@pytest.mark.parametrize(
    ("calls", "outcome", "words"),
    [
        ([FOUND, ("join_club", {"club_id": "x", "dog": "Cy"})], "broken", "call 2, join_club: 422"),
        ([("crash", {})], "broken", "call 1, crash: 500 RuntimeError: never works"),
        ([("find_club", {}), FOUND], "broken", "call 1: There is no tool 'find_club'. Did you mean found_club"),
        ([("abort", {})], "fault", "the worker has ended"),
        ([("list_clubs", {})], "unpaid", "every call was answered 2xx, and the verifier says others"),
    ],
)
def test_known_solutions_that_are_not_paid_tell_where_they_fail(audit, calls, outcome, words):
    found = audit(club(NEW_CLUB.format(name="Divers", members="['Cy']"), solution(*calls)))
    assert (found.solution, found.strength, found.blocked) == (outcome, {}, "")
    assert words in found.solution_note
    assert not found.passed


def test_a_solution_may_fail_on_its_way_and_be_paid(audit):
    body = NEW_CLUB.format(name="Divers", members="[]")
    assert audit(club(body, solution(("crash", {}), FOUND))).proved


def test_a_verifier_that_fails_on_the_solved_state_is_a_fault(audit):
    body = "if ask(final_db_path, 'SELECT * FROM clubs')[2:]:\n    raise KeyError('third')\nreturn {'result': 'others'}"
    found = audit(club(body, solution(FOUND)))
    assert found.solution == "fault"
    assert "KeyError: 'third'" in found.solution_note


def test_a_mutant_that_makes_the_verifier_fail_is_not_accepted(audit):
    body = """if not ask(final_db_path, 'SELECT * FROM rules'):
    raise KeyError('rules')
return {'result': 'complete' if len(ask(final_db_path, 'SELECT * FROM clubs')) == 3 else 'others'}"""
    found = audit(club(body, solution(FOUND)))
    assert tuple(found.strength["wipe_one_unrelated"]) == (2, 1)
    assert tuple(found.strength["wrong_cell"]) == (1, 1)


def test_goals_that_are_in_the_data_block_the_task(audit):
    found = audit(club(NEW_CLUB.format(name="Runners", members="[]"), solution(("found_club", {"name": "Runners"}))))
    assert found.solution == "broken"
    assert "UNIQUE constraint failed: clubs.name" in found.solution_note
    assert found.blocked == "the data hold already what the solution writes (clubs 2); without it the solution is paid"


def test_what_refers_to_the_goal_goes_with_it_and_later_calls_get_the_new_id(audit):
    calls = [
        ("found_club", {"name": "Swimmers"}),
        ("join_club", {"club_id": 1, "dog": "Bo"}),
        ("join_club", {"club_id": 1, "dog": "Cy"}),
    ]
    found = audit(club(NEW_CLUB.format(name="Swimmers", members='[("Bo",), ("Cy",)]'), solution(*calls)))
    assert "(clubs 1); without it" in found.blocked


def test_a_row_that_says_mostly_the_same_is_in_the_way_too(audit):
    body = """was, now = [ask(p, "SELECT id FROM members WHERE dog = 'Ada'") for p in (initial_db_path, final_db_path)]
return {'result': 'complete' if not was and len(now) == 1 else 'others'}"""
    found = audit(club(body, solution(("join_club", {"club_id": 2, "dog": "Ada"}))))
    assert found.solution == "unpaid"
    assert "(members 2); without it" in found.blocked


def test_what_is_not_paid_without_the_rows_either_is_not_blamed_on_them(audit):
    calls = solution(("found_club", {"name": "Runners"}))
    assert audit(club(NEW_CLUB.format(name="Divers", members="[]"), calls)).blocked == ""


def test_rows_are_taken_away_only_so_often(audit, monkeypatch):
    calls = solution(("found_club", {"name": "Runners"}), ("found_club", {"name": "Runners"}))
    scenario = club(NEW_CLUB.format(name="Divers", members="[]"), calls)
    monkeypatch.setattr(blaming, "MAX_ROUNDS", 1)
    assert audit(scenario).blocked == ""


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("clubs", "name", "('Runners',)"),  # a row that is there; but without it nothing is paid either
        ("clubs", "name", "(now(),)"),
        ("clubs", "name", "('Runners', 2)"),
        ("clubs", "name", "('Runners')"),
        ("clubs", "colour", "('Runners',)"),
        ("cats", "name", "('Runners',)"),
    ],
)
def test_whatever_an_error_says_no_harm_is_done(audit, table, column, values):
    sql = f"[SQL: INSERT INTO {table} (name) VALUES (?)]"
    text = f"UNIQUE constraint failed: clubs.{column}\n{sql}\n[parameters: {values}]"
    assert audit(club("return {'result': 'others'}", solution(("lament", {"text": text})))).blocked == ""


def test_rows_that_errors_do_not_tell_whole_are_not_taken_away(audit):
    name = "Runners" * 200
    there = (*INSERTS, f"INSERT INTO clubs VALUES (3, '{name}')")
    found = audit(club("return {'result': 'others'}", solution(("found_club", {"name": name})), inserts=there))
    assert (found.solution, found.blocked) == ("broken", "")


def test_an_experiment_that_fails_proves_nothing(audit):
    needs = (
        CLUB + "\nwith engine.begin() as db:\n    assert db.execute(text('SELECT count(*) FROM clubs')).scalar() == 2\n"
    )
    body = NEW_CLUB.format(name="Runners", members="[]")
    assert audit(club(body, solution(("found_club", {"name": "Runners"})), code=needs)).blocked == ""


LOST = r"INSERT INTO rules VALUES (2, 'Don\'t bite.')"


def test_rows_that_were_lost_block_the_task_that_needs_them(audit):
    body = """rules = ask(initial_db_path, "SELECT id FROM rules WHERE line LIKE 'Don_t%'")
return {'result': 'complete' if rules and len(ask(final_db_path, 'SELECT * FROM clubs')) == 3 else 'others'}"""
    found = audit(club(body, solution(FOUND), inserts=(*INSERTS, LOST)))
    assert found.solution == "unpaid"
    assert found.blocked == "rows were lost because of their quotes (rules); with them the known solution is paid"


@pytest.mark.parametrize(
    "lost", [LOST, "INSERT INTO rules VALUES (2, 'a', 'b')", "INSERT INTO rules VALUES (1, 'again')"]
)
def test_rows_that_were_lost_block_no_other_task(audit, lost):
    body = NEW_CLUB.format(name="Sleepers", members="[]")
    assert audit(club(body, solution(FOUND), inserts=(*INSERTS, lost))).blocked == ""


def tool(name, method, crashed):
    return ToolAudit(
        name=name, method=method, path="/", exposed=True, calls=3, ok=3 - crashed, refused=0, crashed=crashed, empty=0,
        causes={}, first_crash="", ids=(), ghosts=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("crashed", "body", "blocked"),
    [
        (3, "return {'result': 'others'}", True),
        (2, "return {'result': 'others'}", False),
        (3, "return {'result': 'others' if final_answer else 'others'}", False),
    ],
)
def test_where_no_tool_can_change_anything_nothing_that_must_change_can_be_solved(audit, crashed, body, blocked):
    tools = (tool("list_clubs", "GET", 0), tool("found_club", "POST", crashed), tool("crash", "POST", 3))
    assert bool(audit(club(body), tools).blocked) is blocked


def test_a_tool_that_always_crashes_is_named_so(audit):
    tools = (tool("found_club", "POST", 0), tool("crash", "POST", 3))
    found = audit(club("return {'result': 'others'}", solution(("crash", {}))), tools)
    assert found.solution_note.endswith("; all 3 calls of crash that were tried crashed")


def test_a_task_without_a_verifier_cannot_be_solved(audit):
    found = audit(club("", kind=""))
    assert (found.kinds, found.blocked, found.passed) == ((), "it has no verifier", False)


def test_verifiers_that_tell_evidence_are_looked_at_too(audit):
    found = audit(club("return {'clubs': len(ask(final_db_path, 'SELECT * FROM clubs'))}", solution(FOUND), kind="sql"))
    assert (found.kinds, found.crash, found.swallows, found.solution) == (("sql",), "", True, "")
    assert (found.tables, found.paid_untouched, found.strength) == (("clubs",), (), {})
    assert found.doubts == ("no verifier of the kind code",)
    assert "KeyError: 'clubs'" in audit(club("raise KeyError('clubs')", kind="sql")).crash
    assert audit(club("return {'at': datetime.now()}", kind="sql")).reads_clock


def test_kept_text_is_printable(audit):
    found = audit(club("raise ValueError('\\x1b[31mred')"))
    assert "\\x1b[31mred" in found.crash
    assert "\x1b" not in found.crash


def test_a_database_that_cannot_be_read_is_a_fault(judge, images):
    scenario = club("return {'result': 'complete'}", solution(FOUND))
    base = build(scenario, now=NOW)
    with App(scenario.code, base) as app:
        app.initial = base.image[:4096]
        with pytest.raises(EnvironmentFault, match="cannot be read"):
            audit_tasks(scenario, base, app, judge, images)


# the samples

DOCUSIGN = "docusign_e_signature_agreement_workflow"
NUMBERS = {  # tasks of the samples, as an audit by hand has them
    "paid": {
        DOCUSIGN: [],
        "etsy_digital_downloads": [0, 2, 7, 8, 9],
        "gofundme": [1, 2, 3, 8],
        "rover": [0, 3, 4, 6, 7, 9],
    },
    "blocked": {DOCUSIGN: [6, 7, 8], "etsy_digital_downloads": [1, 3], "gofundme": [4, 5, 9], "rover": []},
    "paid_untouched": {DOCUSIGN: [9], "etsy_digital_downloads": [], "gofundme": [], "rover": []},
    "reads_clock": {DOCUSIGN: [], "etsy_digital_downloads": [], "gofundme": [6], "rover": []},
    "uses_answer": {DOCUSIGN: [3, 9], "etsy_digital_downloads": [6], "gofundme": [3, 6, 7, 9], "rover": [1, 6]},
}
STRENGTH = {  # mutants of the solved tasks, and those that are paid
    "omit_effect": (50, 0),
    "wrong_cell": (183, 15),
    "delete_others": (26, 26),
    "corrupt_others": (26, 25),
    "wipe_one_unrelated": (240, 228),
    "wipe_all_unrelated": (15, 8),
}


@pytest.fixture(scope="module")
def audits(judge):
    if not SAMPLES.is_dir():
        pytest.skip("the samples of AgentWorldModel data are not here")
    source = Source(Index.of(SAMPLES))
    known = Source(Index.of_solutions(HERE / "awm_sample_solutions.jsonl"))
    found = {}
    for name in NUMBERS["paid"]:
        scenario = replace(source.scenario(name), solutions=known.solutions(name)[0])
        base = build(scenario)
        with App(scenario.code, base, name=name) as app, Images() as images:
            found[name] = audit_tasks(scenario, base, app, judge, images)
    return found


@pytest.mark.parametrize("attribute", NUMBERS)
def test_samples_are_found_as_the_audit_by_hand_has_them(audits, attribute):
    def told(task):
        return task.solution == "paid" if attribute == "paid" else getattr(task, attribute)

    numbers = {name: [task.number for task in tasks if told(task)] for name, tasks in audits.items()}
    assert numbers == NUMBERS[attribute]


def test_all_verifiers_of_the_samples_run_and_swallow_what_goes_wrong(audits):
    tasks = [task for found in audits.values() for task in found]
    assert len(tasks) == 40
    assert [task.number for task in tasks if task.crash or not task.swallows or task.broken_sql] == []


def test_the_empty_answer_is_what_docusign_pays_for(audits):
    assert audits[DOCUSIGN][9].paid_untouched == ("none", "empty")


def test_verifiers_of_the_samples_let_nearly_all_collateral_damage_pass(audits):
    solved = [task for tasks in audits.values() for task in tasks if task.strength]
    found = {name: [task.strength[name] for task in solved] for name in MUTATIONS}
    counted = {name: (sum(t.mutants for t in tried), sum(t.accepted for t in tried)) for name, tried in found.items()}
    assert counted == STRENGTH
