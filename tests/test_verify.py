"""Verdicts: what was asked is there, nothing else differs, and people are told why."""

import re
import sys

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym.errors import ScenarioError
from awm_gym.scenario import SUBMIT, Task, ToolCall
from awm_gym.verify import Verdict, passes, verify
from awm_gym.world import World


@pytest.fixture
def world(room):
    made = World(room)
    yield made
    made.close()


def task(**fields):
    return Task.model_validate({"name": "t", "instruction": "i", "solution": []} | fields)


def played(world, name, calls=None):
    """The verdict on a task's own solution, or on other calls."""
    world.reset(name)
    calls = world.task.solution if calls is None else calls
    for call in calls:
        if call.name != SUBMIT:
            world.call(call)
    answer = calls[-1].arguments.get("answer") if calls and calls[-1].name == SUBMIT else None
    verdict = verify(world, world.task, answer)
    assert passes(world, world.task, answer) is verdict.passed
    return verdict


@pytest.mark.parametrize("name", ["lend_ropes", "renew_bees"])
def test_a_solution_passes_and_nothing_done_does_not(world, name):
    verdict = played(world, name)
    assert (verdict.passed, verdict.reward, verdict.stray, verdict.stray_tables) == (True, 1.0, (), ())
    assert verdict.explanation == "Solved: every check holds and nothing else changed."
    verdict = played(world, name, ())
    assert (verdict.passed, verdict.reward) == (False, 0.0)


def test_near_misses_fail(world):
    for calls in world.scenario.tasks["lend_ropes"].near_misses.values():
        assert not played(world, "lend_ropes", calls).passed


def test_a_verdict_names_what_is_missing_and_what_strayed(world):
    verdict = played(world, "lend_ropes", [ToolCall("lend", {"reader_id": 1, "book_code": "A1"})])
    assert verdict.checks == {
        "book C3": False,
        "new loan l": False,
        "new rows in loan": True,
    }
    assert [str(row) for row in verdict.stray] == ["book (code A1) differs in copies"]
    assert verdict.stray_tables == ("book",)
    assert verdict.explanation == (
        "book C3: wanted copies = 2, found (code = C3, title = Ropes, price = None, copies = 3). "
        "new loan l: wanted reader_id = 2, book_code = C3, found (id = 3, reader_id = 1, book_code = A1, "
        "renews = None, lent_at = 2024-02-28 23:59:30, returned_at = None). "
        "Not asked for: book (code A1) differs in copies."
    )


def test_an_explanation_tells_rows_that_are_gone_or_not_there(world):
    wanted = {"mark": [{"book_code": "B2", "place": 3, "gone": True}], "reader": [{"new": "r", "name": "Ann"}]}
    verdict = verify(world, task(changes=wanted))
    assert verdict.explanation == (
        "mark B2 3 gone does not hold: wanted to be gone. new reader r: wanted name = Ann, found none. "
        "new rows in reader: wanted 1 new row, found none."
    )
    world.execute(
        "DELETE FROM mark; INSERT INTO mark VALUES ('C3', 1, 'x'); UPDATE reader SET name = 'X', joined_on = 'Y';"
    )
    verdict = verify(world, task(changes={}))
    assert [str(row) for row in verdict.stray] == [
        "mark (book_code C3, place 1) was added",
        "mark (book_code A1, place 10) was removed",
        "mark (book_code A1, place 20) was removed",
        "mark (book_code B2, place 3) was removed",
        *(f"reader (id {number}) differs in name, joined_on" for number in (1, 2, 3)),
    ]
    assert verdict.explanation.endswith("mark (book_code B2, place 3) was removed; and 3 rows more.")


def test_of_several_end_states_the_nearest_explains(world):
    # The first wants a new loan, of which nothing is there; the second is met but for a stray row.
    calls = [ToolCall("unmark", {"book_code": "B2", "place": 3}), ToolCall(SUBMIT, {"answer": 2})]
    world.reset("renew_bees")
    world.call(calls[0])
    other = world.task.model_copy(update={"changes": world.task.changes[:1] + task(changes={}).changes})
    verdict = verify(world, other, 2)
    assert verdict.checks == {"answer": True}
    assert verdict.stray_tables == ("mark",)
    assert verdict.explanation == "Not asked for: mark (book_code B2, place 3) was removed."


@pytest.mark.parametrize(
    ("answer", "given", "right", "said"),
    [
        ("integer", 2, True, ""),
        ("integer", 3, False, "The answer was 3; right is 2."),
        ("integer", None, False, "No answer was given; right is 2."),
        ("string", 2, False, "The answer was 2; right is None."),
    ],
)
def test_an_answer_is_compared_with_what_the_query_finds(world, answer, given, right, said):
    verdict = verify(world, task(answer=answer, expect="SELECT count(*) FROM loan"), given)
    assert (verdict.checks, verdict.passed) == ({"answer": right}, right)
    assert said in verdict.explanation


def test_the_query_for_the_answer_sees_the_state_the_answer_and_the_start(world):
    expect = (
        "SELECT :answer FROM book WHERE copies < (SELECT max(copies) FROM before.book) AND now() LIKE '2024%' LIMIT 1"
    )
    assert verify(world, task(answer="integer", expect=expect), 7).passed


@pytest.mark.parametrize(
    ("sql", "holds"),
    [
        ("1", True),
        ("'2' > 1", True),
        ("0", False),
        ("NULL", False),
        ("''", False),
        ("(SELECT id FROM audit WHERE 0)", False),
    ],
)
def test_a_check_holds_only_if_it_is_true(world, sql, holds):
    verdict = verify(world, task(checks={"c": sql}))
    assert (verdict.checks, verdict.passed) == ({"c": holds}, holds)
    solved = "Solved: every check holds and nothing else changed."
    assert verdict.explanation == (solved if holds else "The check 'c' does not hold.")


@pytest.mark.parametrize(
    ("given", "holds"),
    [([2, 1], True), ([1, 2], True), ([2], False), (None, False), ("[1,2]", False), ([1, "2"], False)],
)
def test_a_check_may_look_at_the_answer(world, given, holds):
    bag = {"type": "list", "items": "integer", "ordered": False}
    assert verify(world, task(answer=bag, checks={"c": ":answer = '[1,2]'"}), given).passed is holds


def test_checks_and_may_change_judge_together(world):
    task_ = world.scenario.tasks["unmark_tides"]
    right = task_.solution[-1].arguments["answer"]
    world.execute("UPDATE mark SET words = NULL WHERE place = 10;")
    assert verify(world, task_, right).passed
    assert verify(world, task_, right[::-1]).passed
    assert not verify(world, task_, right[:1]).passed
    world.execute("UPDATE mark SET words = 'queens' WHERE place = 3;")
    assert verify(world, task_, right).stray_tables == ("mark",)
    world.reset()
    world.execute("UPDATE mark SET words = NULL WHERE place = 3;")
    assert verify(world, task_, right).checks == {"answer": True, "one_word_less": True}
    assert not verify(world, task_, right).passed


def test_giving_up_is_right_when_nothing_can_be_done_and_nothing_was(world):
    impossible = world.scenario.tasks["lend_bees"]
    world.reset("lend_bees")
    verdict = verify(world, impossible, gave_up=True)
    assert (verdict.passed, verdict.checks, verdict.explanation) == (True, {"gave_up": True}, "Rightly given up.")
    verdict = verify(world, impossible)
    assert (verdict.passed, verdict.checks) == (False, {"gave_up": False})
    assert "right is give_up(reason), with nothing changed" in verdict.explanation
    world.execute("UPDATE book SET copies = 1 WHERE code = 'B2';")
    verdict = verify(world, impossible, gave_up=True)
    assert (verdict.passed, verdict.checks) == (False, {"gave_up": True})
    assert verdict.explanation == "Rightly given up, but something changed: book (code B2) differs in copies."


def test_giving_up_what_can_be_done_fails(world):
    world.reset("lend_ropes")
    world.execute("DELETE FROM mark WHERE place = 3;")
    verdict = verify(world, world.task, gave_up=True)
    assert (verdict.passed, verdict.checks, verdict.stray_tables) == (False, {"not_given_up": False}, ("mark",))
    assert verdict.explanation == "The task can be done, but the agent gave it up."


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ({"checks": {"c": "nowhere = 1"}}, "t.checks.c", "no such column: nowhere"),
        ({"checks": {"c": "random() > 0"}}, "t.checks.c", "not authorized to use function: random"),
        ({"checks": {"c": ":reply = 1"}}, "t.checks.c", "there is no parameter :reply here"),
        ({"answer": "integer", "expect": "SELECT x FROM loan"}, "t.expect", "no such column: x"),
        ({"answer": "integer", "expect": "DELETE FROM loan"}, "t.expect", "DELETE main.loan is not allowed here"),
        ({"changes": {"bok": [{"id": 1}]}}, "t.changes.bok", "There is no table 'bok'"),
        (
            {"checks": {"c": "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n)"}},
            "t.checks.c",
            "interrupted",
        ),
    ],
)
def test_a_broken_verifier_is_the_authors_fault_and_no_low_reward(world, fields, key, told):
    for _ in range(2):
        with pytest.raises(ScenarioError, match=re.escape(told)) as caught:
            verify(world, task(**fields))
        assert (caught.value.scenario, caught.value.file, caught.value.key) == ("reading_room", "tasks.toml", key)


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({"checks": {"c": "(SELECT sum(pence) FROM big) > 0"}}, "c"),
        ({"checks": {"c": "(SELECT group_concat(note) FROM big) IS NOT NULL"}}, "c"),
        ({"answer": "integer", "expect": "SELECT sum(pence) FROM big"}, "answer"),
    ],
)
def test_a_state_that_overflows_a_verifier_is_not_the_one_that_was_asked_for(small, fields, failed):
    big = small(
        schema="CREATE TABLE big (id INTEGER PRIMARY KEY, pence INTEGER NOT NULL, note TEXT NOT NULL) STRICT;",
        data="INSERT INTO big VALUES (1, 5, 'x');",
        tools={
            "grow": "UPDATE big SET pence = 9223372036854775807, note = hex(printf('%030000d', 1)); "
            "INSERT INTO big (pence, note) VALUES (5, hex(printf('%030000d', 1))) RETURNING id;"
        },
    )
    world = World(big)
    judged = task(may_change={"big": "TRUE"}, **fields)
    verify(world, judged, 5)  # at the start it can be computed
    assert world.call(ToolCall("grow", {})).kind is None
    verdict = verify(world, judged, 5)
    assert (verdict.passed, verdict.checks) == (False, {failed: False})
    world.close()


def test_verdicts_are_the_same_however_many_tasks_were_judged_before(world, monkeypatch):
    monkeypatch.setattr(sys.modules["awm_gym.verify"], "_KEPT_TASKS", 4)
    for number in range(10):
        wanted = task(changes={"book": [{"code": "C3", "copies": 3 + number}]})
        assert verify(world, wanted).passed is (number == 0)
    assert len(world.template.verifiers) <= 4


def test_equal_verdicts_may_be_told_differently():
    assert Verdict({"a": True}, explanation="x") == Verdict({"a": True}, explanation="y")
    assert Verdict({}).passed


# The session extension tells which tables to look at; a full comparison of all tables must find no more

ODD = '"odd ""one"" any\'"'
CODES, PLACES, WORDS = (
    st.sampled_from(["A1", "B2", "C3", "Z"]),
    st.integers(1, 22),
    st.sampled_from(["'x'", "''", "NULL", "0.5"]),
)
WRITES = st.lists(
    st.one_of(
        st.builds("UPDATE book SET price = {}, title = title || {} WHERE code = '{}';".format, WORDS, WORDS, CODES),
        st.builds("UPDATE book SET copies = copies + {0} - {0} WHERE code = '{1}';".format, PLACES, CODES),
        st.builds("UPDATE book SET code = lower(code) WHERE code = '{}';".format, CODES),
        st.builds("INSERT INTO book (code, title) VALUES (lower('{}'), 'new');".format, CODES),
        st.builds("DELETE FROM book WHERE code = '{}';".format, CODES),
        st.builds("INSERT INTO mark VALUES ('{}', {}, {});".format, CODES, PLACES, WORDS),
        st.builds("UPDATE OR REPLACE mark SET place = place + {} WHERE book_code = '{}';".format, PLACES, CODES),
        st.builds("UPDATE mark SET words = {} WHERE place < {};".format, WORDS, PLACES),
        st.builds("DELETE FROM mark WHERE place < {};".format, PLACES),
        st.builds("UPDATE reader SET name = upper(name) WHERE id = {};".format, PLACES),
        st.builds("INSERT INTO loan (reader_id, book_code) VALUES ({}, '{}');".format, st.integers(1, 4), CODES),
        st.builds("DELETE FROM loan WHERE id = {};".format, st.integers(1, 4)),
        st.builds("REPLACE INTO loan (id, reader_id, book_code) VALUES ({}, 1, 'C3');".format, st.integers(1, 4)),
        st.builds(f"INSERT INTO {ODD} VALUES ({{}}, {{}});".format, WORDS, PLACES),
        st.builds(f'UPDATE {ODD} SET "a b" = upper("a b") WHERE "select" < {{}};'.format, PLACES),
        st.just("DELETE FROM audit;"),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def odd(room):
    """The reading room with a table of odd names that is all key."""
    return room.model_copy(
        update={
            "db_schema": room.db_schema
            + f'CREATE TABLE {ODD} ("a b" TEXT, "select" INTEGER, PRIMARY KEY ("select", "a b")) STRICT;',
            "data": room.data + f"INSERT INTO {ODD} VALUES ('x', 1), ('y', 2);",
        }
    )


def differences(world):
    """Every row of every table, before and now, compared in Python: (table, key, columns, kind)."""
    found = set()
    for name, table in world.tables.items():
        quoted = '"' + name.replace('"', '""') + '"'
        states = []
        for schema in ("before", "main"):
            rows = [
                dict(zip(table.column_names, row, strict=True))
                for row in world.query(f"SELECT * FROM {schema}.{quoted}")
            ]
            states.append({tuple(row[column] for column in table.key): row for row in rows})
        before, after = states
        for key in before.keys() | after.keys():
            if key in before and key in after:
                columns = tuple(c for c in table.column_names if before[key][c] != after[key][c])
                if columns:
                    found.add((name, key, columns, "changed"))
            else:
                found.add((name, key, (), "added" if key in after else "removed"))
    return found


def apply(world, writes):
    for sql in writes:
        try:
            world.execute(sql)
        except apsw.ConstraintError:
            continue


def strays(verdict):
    return {(row.table, tuple(row.key.values()), row.columns, row.kind) for row in verdict.stray}


@settings(derandomize=True, deadline=None, max_examples=150)
@given(WRITES)
def test_the_frame_finds_what_a_full_comparison_finds(odd, writes):
    world = World(odd)
    apply(world, writes)
    full = differences(world)
    verdict = verify(world, task(changes={}))
    assert strays(verdict) == full
    assert len(verdict.stray) == len(full)
    assert verdict.passed is passes(world, task(changes={})) is (not full)
    infeasible = {"why": "w", "lifted_by": ""}
    assert strays(verify(world, task(infeasible=infeasible), gave_up=True)) == full
    told = {(change.table, frozenset(change.key.values()), change.kind) for change in world.changes()}
    assert told == {(table, frozenset(key), kind) for table, key, _, kind in full}
    world.close()


@settings(derandomize=True, deadline=None, max_examples=150)
@given(WRITES)
def test_allowances_spare_exactly_what_they_name(odd, writes):
    world = World(odd)
    apply(world, writes)
    allowed = task(
        changes={
            "book": [{"code": "A1", "title": "x"}, {"code": "B2", "gone": True}],
            "loan": [{"id": 1, "renews": 2}],
            "any": ["audit", "loan.returned_at", "book.price"],
        },
        may_change={"mark": {"rows": "place > 9", "columns": ["words"]}, "reader": "id = 2"},
    )
    left = set()
    for table, key, columns, kind in differences(world):
        spared = {
            ("book", ("A1",), "changed"): {"title", "price"},
            ("loan", (1,), "changed"): {"renews", "returned_at"},
        }.get((table, key, kind), set())
        if table == "mark" and kind == "changed" and key[1] > 9:
            spared = {"words"}
        whole = (
            (table, key, kind) == ("book", ("B2",), "removed")
            or (table == "audit" and kind == "added")
            or (table, key) == ("reader", (2,))
        )
        rest = tuple(column for column in columns if column not in spared)
        if not whole and (rest or kind != "changed"):
            left.add((table, key, rest, kind))
    verdict = verify(world, allowed)
    assert strays(verdict) == left
    assert passes(world, allowed) is verdict.passed
    world.close()
