"""Expected changes: what an end state accepts, what it rejects, and which descriptions of one make no sense."""

import pytest

from awm_gym.errors import ScenarioError
from awm_gym.expected import MAX_NEW_ROWS, compile_end_states
from awm_gym.scenario import Task
from awm_gym.verify import verify
from awm_gym.world import World


@pytest.fixture(scope="module")
def world(room):
    made = World(room)
    yield made
    made.close()


def task(**fields):
    return Task.model_validate({"name": "t", "instruction": "i", "solution": []} | fields)


def judged(world, sql, **fields):
    with world.undone():
        world.execute(sql)
        return verify(world, task(**fields))


ROPES = {"book": [{"code": "C3", "price": 5}]}
MARK = {"mark": [{"book_code": "A1", "place": 10, "gone": True}]}
ANN = {"reader": [{"new": "r", "name": "Ann"}]}
NOTE = "INSERT INTO audit (words) VALUES ('x');"
LOAN = {"reader_id": 1, "book_code": "C3"}
CHAIN = {
    "loan": [{"new": "l"} | LOAN, {"new": "m", "renews": "@l"} | LOAN],
    "book": [{"code": "C3", "copies": 1}],
    "any": ["audit"],
}
LEND = "".join(
    f"INSERT INTO loan (id, reader_id, book_code, renews) VALUES ({number}, 1, 'C3', {{}});" for number in (7, 5)
)


@pytest.mark.parametrize(
    ("changes", "sql", "passed"),
    [
        # A changed row: these columns so, all else as before
        (ROPES, "UPDATE book SET price = 5 WHERE code = 'C3';", True),
        (ROPES, "", False),
        (ROPES, "UPDATE book SET price = 5.5 WHERE code = 'C3';", False),
        (ROPES, "UPDATE book SET price = 5, title = 'ropes' WHERE code = 'C3';", False),
        (ROPES, "UPDATE book SET price = 5 WHERE code IN ('C3', 'B2');", False),
        (ROPES, "UPDATE book SET price = 5 WHERE code = 'C3'; UPDATE reader SET name = 'X' WHERE id = 1;", False),
        (ROPES, "UPDATE book SET price = 5 WHERE code = 'C3';" + NOTE, False),
        (ROPES, "UPDATE book SET price = 5, code = 'C4' WHERE code = 'C3';", False),
        (ROPES, "DELETE FROM book WHERE code = 'C3';", False),
        ({"book": [{"code": "A1", "price": {"sql": "NULL"}}]}, "UPDATE book SET price = NULL WHERE code = 'A1';", True),
        ({"book": [{"code": "A1", "price": {"sql": "NULL"}}]}, "UPDATE book SET price = 0 WHERE code = 'A1';", False),
        ({"book": [{"code": "A1", "copies": True}]}, "UPDATE book SET copies = 1 WHERE code = 'A1';", True),
        ({"book": [{"code": "A1", "title": "@@x"}]}, "UPDATE book SET title = '@x' WHERE code = 'A1';", True),
        ({"book": [{"code": "A1", "title": "@@x"}]}, "UPDATE book SET title = '@@x' WHERE code = 'A1';", False),
        (
            {"reader": [{"id": 3, "name": "Tomas Brandt"}]},
            "UPDATE reader SET name = 'Tomas Brandt' WHERE id = 3;",
            True,
        ),
        ({"reader": [{"id": 3, "name": "Tomas Brandt"}]}, "", False),  # the column's NOCASE does not judge
        (
            {"loan": [{"id": 1, "returned_at": {"sql": "now()"}}]},
            "UPDATE loan SET returned_at = now() WHERE id = 1;",
            True,
        ),
        (
            {"loan": [{"id": 1, "returned_at": {"sql": "now()"}}]},
            "UPDATE loan SET returned_at = CURRENT_TIMESTAMP WHERE id = 1;",
            False,
        ),
        (
            {"book": [{"code": "C3", "price": {"sql": "(SELECT max(price) + copies FROM before.book)"}}]},
            "UPDATE book SET price = 13.5 WHERE code = 'C3';",
            True,
        ),
        # A row that is gone
        (MARK, "DELETE FROM mark WHERE place = 10;", True),
        (MARK, "", False),
        (MARK, "DELETE FROM mark WHERE place = 20;", False),
        (MARK, "DELETE FROM mark WHERE book_code = 'A1';", False),
        (MARK, "UPDATE mark SET words = NULL WHERE place = 10;", False),
        (MARK, "UPDATE mark SET place = 11 WHERE place = 10;", False),
        # A new row: columns not named hold their default or NULL
        (ANN, "INSERT INTO reader (name) VALUES ('Ann');", True),
        (ANN, "INSERT INTO reader (id, name) VALUES (90, 'Ann');", True),
        (ANN, "INSERT INTO reader (name) VALUES ('ann');", False),
        (ANN, "INSERT INTO reader (name, joined_on) VALUES ('Ann', '2024-01-01');", False),
        (ANN, "INSERT INTO reader (name) VALUES ('Ann'), ('Ann');", False),
        (ANN, "INSERT INTO reader (name) VALUES ('Ann'), ('Bob');", False),
        (ANN, "UPDATE reader SET name = 'Ann' WHERE id = 1;", False),
        (ANN, "DELETE FROM reader WHERE id = 1; INSERT INTO reader (id, name) VALUES (1, 'Ann');", False),
        ({"reader": [{"new": "r", "id": 8, "name": "Ann"}]}, "INSERT INTO reader (id, name) VALUES (8, 'Ann');", True),
        ({"reader": [{"new": "r", "id": 8, "name": "Ann"}]}, "INSERT INTO reader (id, name) VALUES (9, 'Ann');", False),
        (
            {"reader": [{"new": "r", "name": "Ann"}, {"new": "s", "name": "Ann"}]},
            "INSERT INTO reader (name) VALUES ('Ann'), ('Ann');",
            True,
        ),
        (
            {"reader": [{"new": "r", "name": "Ann"}, {"new": "s", "name": "Ann"}]},
            "INSERT INTO reader (name) VALUES ('Ann'), ('Bob');",
            False,  # each wanted row is another one
        ),
        ({"mark": [{"new": "m", "book_code": "B2", "place": 9}]}, "INSERT INTO mark VALUES ('B2', 9, NULL);", True),
        ({"mark": [{"new": "m", "book_code": "B2", "place": 9}]}, "INSERT INTO mark VALUES ('B2', 9, '');", False),
        # References between rows
        (CHAIN, LEND.format("NULL", 7), True),
        (CHAIN, LEND.format("NULL", "NULL"), False),
        (CHAIN, LEND.format(1, 7), False),
        (CHAIN, LEND.format("NULL", 1), False),
        (CHAIN, "INSERT INTO loan (id, reader_id, book_code, renews) VALUES (7, 1, 'C3', 7);", False),
        (
            {
                "loan": [{"id": 1, "renews": "@l"}, {"new": "l"} | LOAN],
                "book": [{"code": "C3", "copies": 2}],
                "any": ["audit"],
            },
            "INSERT INTO loan (id, reader_id, book_code) VALUES (9, 1, 'C3'); UPDATE loan SET renews = 9 WHERE id = 1;",
            True,
        ),
        (
            {
                "loan": [{"id": 1, "renews": "@l"}, {"new": "l"} | LOAN],
                "book": [{"code": "C3", "copies": 2}],
                "any": ["audit"],
            },
            "INSERT INTO loan (id, reader_id, book_code) VALUES (9, 1, 'C3'); UPDATE loan SET renews = 2 WHERE id = 1;",
            False,
        ),
        (
            {"book": [{"new": "b", "code": "Z", "title": "T"}], "mark": [{"new": "m", "book_code": "@b", "place": 1}]},
            "INSERT INTO book (code, title) VALUES ('Z', 'T'); INSERT INTO mark VALUES ('Z', 1, NULL);",
            True,
        ),
        (
            {"book": [{"new": "b", "code": "Z", "title": "T"}], "mark": [{"new": "m", "book_code": "@b", "place": 1}]},
            "INSERT INTO book (code, title) VALUES ('Z', 'T'); INSERT INTO mark VALUES ('A1', 1, NULL);",
            False,
        ),
        # What may differ freely
        ({"any": ["audit"]}, NOTE, True),
        ({"any": ["audit"]}, "UPDATE audit SET words = 'x' WHERE id = 1;", False),
        ({"any": ["audit"]}, "DELETE FROM audit WHERE id = 1;", False),
        ({"any": ["audit.words"]}, NOTE, False),
        ({"any": ["book.title"]} | ROPES, "UPDATE book SET price = 5, title = 'x' WHERE code = 'C3';", True),
        ({"any": ["book.title"]} | ROPES, "UPDATE book SET price = 5, copies = 7 WHERE code = 'C3';", False),
        (
            {"any": ["book.title"]} | ROPES,
            "UPDATE book SET price = 5 WHERE code = 'C3'; UPDATE book SET title = 'x';",
            False,
        ),
        ({"any": ["reader.joined_on"]} | ANN, "INSERT INTO reader (name, joined_on) VALUES ('Ann', 'x');", True),
        ({"any": ["reader"]} | ANN, "INSERT INTO reader (name) VALUES ('Ann'), ('Bob');", True),
        ({"any": ["reader"]} | ANN, "INSERT INTO reader (name) VALUES ('Bob');", False),
        # Several end states
        ([ROPES, MARK], "UPDATE book SET price = 5 WHERE code = 'C3';", True),
        ([ROPES, MARK], "DELETE FROM mark WHERE place = 10;", True),
        ([ROPES, MARK], "UPDATE book SET price = 5 WHERE code = 'C3'; DELETE FROM mark WHERE place = 10;", False),
        ([ROPES, MARK], "", False),
        ([ROPES, {}], "", True),
        ({}, "", True),
        ({}, NOTE, False),
    ],
)
def test_changes_accept_exactly_the_state_they_describe(world, changes, sql, passed):
    found = judged(world, sql, changes=changes)
    assert found.passed is passed
    assert found.explanation.startswith("Solved") is passed


@pytest.mark.parametrize(
    ("may_change", "changes", "sql", "passed"),
    [
        ({}, [], "", True),
        ({}, [], NOTE, False),
        ({"mark": "book_code = 'A1'"}, [], "UPDATE mark SET words = 'x' WHERE place = 10;", True),
        ({"mark": "book_code = 'A1'"}, [], "DELETE FROM mark WHERE place = 10;", True),
        ({"mark": "book_code = 'A1'"}, [], "INSERT INTO mark VALUES ('A1', 1, 'x');", True),
        ({"mark": "book_code = 'A1'"}, [], "UPDATE mark SET words = 'x' WHERE place = 3;", False),
        ({"mark": "book_code = 'A1'"}, [], "INSERT INTO mark VALUES ('B2', 1, 'x');", False),
        ({"mark": "book_code = 'A1'"}, [], NOTE, False),
        # True of the row before or after
        ({"book": "price > 12"}, [], "UPDATE book SET price = 1 WHERE code = 'A1';", True),
        ({"book": "price > 12"}, [], "UPDATE book SET price = 13 WHERE code = 'B2';", True),
        ({"book": "price > 12"}, [], "UPDATE book SET price = 1 WHERE code = 'B2';", False),
        ({"book": "NULL"}, [], "UPDATE book SET price = 1 WHERE code = 'B2';", False),
        ({"mark": {"rows": "1", "columns": ["words"]}}, [], "UPDATE mark SET words = 'x';", True),
        ({"book": {"rows": "1", "columns": ["price"]}}, [], "UPDATE book SET price = 1, title = 'x';", False),
        ({"mark": {"rows": "1", "columns": ["words"]}}, [], "DELETE FROM mark WHERE place = 3;", False),
        ({"mark": {"rows": "1", "columns": ["words"]}}, [], "INSERT INTO mark VALUES ('A1', 1, 'x');", False),
        # Together with changes
        ({"audit": "id > 2"}, ROPES, "UPDATE book SET price = 5 WHERE code = 'C3';" + NOTE, True),
        ({"audit": "id > 2"}, ROPES, NOTE, False),
        ({"reader": "name LIKE 'B%'"}, ANN, "INSERT INTO reader (name) VALUES ('Ann'), ('Bob'), ('Bea');", True),
        ({"reader": "name LIKE 'B%'"}, ANN, "INSERT INTO reader (name) VALUES ('Ann'), ('Cid');", False),
        ({"reader": "name LIKE 'B%'"}, ANN, "INSERT INTO reader (name) VALUES ('Bob');", False),
    ],
)
def test_may_change_spares_exactly_the_rows_it_is_true_of(world, may_change, changes, sql, passed):
    assert judged(world, sql, may_change=may_change, changes=changes).passed is passed


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ({"changes": {"bok": [{"id": 1}]}}, "changes.bok", "There is no table 'bok'. Did you mean book?"),
        ({"changes": {"open_loan": [{"id": 1}]}}, "changes.open_loan", "There is no table 'open_loan'"),
        (
            {"changes": {"book": [{"code": "A1", "prize": 1}]}},
            "changes.book",
            "no column of book 'prize'. Did you mean price",
        ),
        ({"changes": {"any": ["adit"]}}, "changes.any", "There is no table 'adit'. Did you mean audit?"),
        (
            {"changes": {"any": ["audit.word"]}},
            "changes.any",
            "There is no column of audit 'word'. Did you mean words?",
        ),
        ({"may_change": {"x": "1"}}, "may_change.x", "There is no table 'x'"),
        (
            {"may_change": {"book": {"rows": "1", "columns": ["x"]}}},
            "may_change.book",
            "There is no column of book 'x'",
        ),
        (
            {"changes": {"book": [{"price": 1}]}},
            "changes.book",
            "a row lacks 'code' of its key (code); or is it `new`?",
        ),
        (
            {"changes": {"mark": [{"place": 1, "gone": True}]}},
            "changes.mark",
            "lacks 'book_code' of its key (book_code, place)",
        ),
        (
            {"changes": {"book": [{"code": {"sql": "'A1'"}, "price": 1}]}},
            "changes.book",
            "the key of a changed row is a literal, not \"'A1'\"",
        ),
        (
            {"changes": {"loan": [{"id": "@l", "renews": 1}, {"new": "l"} | LOAN]}},
            "changes.loan",
            "the key of a changed row is a literal, not '@l'",
        ),
        ({"changes": {"book": [{"code": "A1"}]}}, "changes.book", "must name the columns that end up different"),
        ({"changes": {"book": [{"code": "A1", "price": 1, "gone": True}]}}, "changes.book", "`gone` has only its key"),
        (
            {"changes": {"mark": [{"new": "m", "book_code": "A1"}]}},
            "changes.mark",
            "'m' must name 'place', a part of its key",
        ),
        (
            {"changes": {"loan": [{"new": "l", "reader_id": 1}]}},
            "changes.loan",
            "'l' says nothing of 'book_code', never NULL; name it, or put \"loan.book_code\" into `any`",
        ),
        (
            {"changes": {"loan": [{"id": 1, "renews": "@x"}]}},
            "changes.loan.renews",
            "'@x' names no new row; there are none",
        ),
        (
            {"changes": {"loan": [{"new": "l", "renews": "@m"} | LOAN]}},
            "changes.loan.renews",
            "'@m' names no new row; there are ['l']",
        ),
        (
            {"changes": {"mark": [{"new": "m", "book_code": "A1", "place": 1}], "loan": [{"id": 1, "renews": "@m"}]}},
            "changes.loan.renews",
            "'@m': the key of mark has several columns",
        ),
        (
            {"changes": {"book": [{"code": "A1", "copies": "2"}]}},
            "changes.book.copies",
            "'2' does not fit a column of type INTEGER",
        ),
        (
            {"changes": {"book": [{"code": "A1", "copies": 1.5}]}},
            "changes.book.copies",
            "1.5 does not fit a column of type INTEGER",
        ),
        (
            {"changes": {"book": [{"code": "A1", "price": "5"}]}},
            "changes.book.price",
            "'5' does not fit a column of type REAL",
        ),
        (
            {"changes": {"book": [{"code": "A1", "title": 5}]}},
            "changes.book.title",
            "5 does not fit a column of type TEXT",
        ),
        (
            {"changes": {"book": [{"code": 1, "title": "x"}]}},
            "changes.book.code",
            "1 does not fit a column of type TEXT",
        ),
        (
            {"changes": {"reader": [{"new": f"r{n}", "name": "x"} for n in range(MAX_NEW_ROWS + 1)]}},
            "changes",
            "31 new rows; at most 30 can be matched, use checks for more",
        ),
    ],
)
def test_changes_that_make_no_sense_are_told_with_place_and_remedy(world, fields, key, told):
    with pytest.raises(ScenarioError) as caught:
        compile_end_states(task(**fields), world.tables)
    assert (caught.value.file, caught.value.key) == ("tasks.toml", f"t.{key}")
    assert told in caught.value.problem


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"changes": {"book": [{"code": "A1", "title": {"sql": "nowhere"}}]}}, "changes: book A1"),
        ({"changes": {"book": [{"code": "A1", "title": {"sql": "price"}}]}}, "changes: book A1"),  # not the row's own
        ({"changes": {"any": ["audit"]}, "may_change": {"audit": "nowhere = 1"}}, "may_change.audit"),
    ],
)
def test_sql_that_does_not_compile_is_the_authors_fault(world, fields, key):
    with pytest.raises(ScenarioError) as caught:
        judged(world, NOTE, **fields)
    assert (caught.value.file, caught.value.key) == ("tasks.toml", f"t.{key}")


def test_as_many_new_rows_as_allowed_are_matched_whatever_else_is_wanted(world):
    rows = [{"new": f"r{n}", "name": f"{n % 7}", "joined_on": {"sql": "date(now())"}} for n in range(MAX_NEW_ROWS - 2)]
    loans = [
        {"new": "l", "reader_id": "@r3", "book_code": "C3"},
        {"new": "m", "reader_id": 1, "book_code": "C3", "renews": "@l"},
    ]
    wanted = {"reader": rows, "loan": loans, "book": [{"code": "C3", "copies": 1}], "any": ["audit"]}
    names = ", ".join(f"({n + 10}, '{n % 7}')" for n in reversed(range(MAX_NEW_ROWS - 2)))
    sql = f"INSERT INTO reader (id, name) VALUES {names}; INSERT INTO loan (reader_id, book_code) VALUES ({{}}, 'C3');"
    sql += "INSERT INTO loan (reader_id, book_code, renews) VALUES (1, 'C3', 3);"
    assert judged(world, sql.format(20), changes=wanted).passed
    assert not judged(world, sql.format(21), changes=wanted).passed


@pytest.mark.parametrize("count", [12, MAX_NEW_ROWS])
def test_rows_that_say_the_same_are_matched_or_rejected_and_never_an_error(world, count):
    wanted = {"reader": [{"new": f"r{n}", "name": "Ann"} for n in range(count)]}
    good, last = ", ".join(["('Ann')"] * (count - 1)), "INSERT INTO reader (name) VALUES ('{}');"
    sql = f"INSERT INTO reader (name) VALUES {good};" + last
    assert judged(world, sql.format("Ann"), changes=wanted).passed
    verdict = judged(world, sql.format("Bob"), changes=wanted)
    assert not verdict.passed
    assert verdict.checks["new rows together"] is False
    assert verdict.checks["new rows in reader"] is True


def test_a_reference_in_an_expression_is_its_text(world):
    wanted = {"book": [{"code": "C3", "title": {"sql": "'@l'"}}]}
    assert judged(world, "UPDATE book SET title = '@l' WHERE code = 'C3';", changes=wanted).passed
