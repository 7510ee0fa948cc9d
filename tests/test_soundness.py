"""Soundness: an author's slip stops the load, and the error names file, key, value and remedy."""

import pytest

from awm_gym.errors import ScenarioError
from awm_gym.scenario import ToolCall
from awm_gym.soundness import broken, check, invariants, submit_problem
from awm_gym.world import World

HEAD, SCHEMA, RULES, DATA, TOOLS, TASKS = (
    "scenario.toml",
    "schema.sql",
    "invariants.sql",
    "data.sql",
    "tools.toml",
    "tasks.toml",
)
ROPES = "[lend_ropes.changes]\n"
LAST = 'arguments = { reader_id = 2, book_code = "C3" } },\n]\n'


def test_the_scenario_that_all_edits_start_from_is_sound(room, lockers, small):
    for scenario in (room, lockers, small()):
        check(scenario)


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "told"),
    [
        # The user
        (HEAD, 'of = "reader"', 'of = "readers"', "user.of", "There is no table 'readers'. Did you mean reader?"),
        (HEAD, "id = 1, ", "", "user", "`of` needs an `id`, the key of a row of reader"),
        (HEAD, 'id = 1, of = "reader"', 'id = 1, of = "mark"', "user", "`of` needs an `id`, the key of a row of mark"),
        (HEAD, "id = 1,", "id = 77,", "user.id", "reader has no row 77"),
        (HEAD, 'id = 1, of = "reader", ', "", "user", "me() is used but the user has no id; give it one"),
        # Schema and data
        (SCHEMA, "TEXT PRIMARY KEY", "TEXT", "book", "has no PRIMARY KEY"),
        (DATA, "(3, 'tomas brandt')", "(2, 'tomas brandt')", "", "line 1: UNIQUE constraint failed: reader.id"),
        (DATA, "(2, 3, 'B2'", "(2, 9, 'B2'", "", "line 5: FOREIGN KEY constraint failed"),
        # Invariants
        (RULES, "-- A book is never\n-- returned before it was lent.\n", "", "", "line 1: say in a comment line above"),
        (RULES, "SELECT id", "\nSELECT id", "", "line 4: say in a comment line above what must never be"),
        (RULES, "FROM loan", "FROM lone", "", "line 3: no such table: lone"),
        (RULES, "WHERE", "WHERE id = :id AND", "", "line 3: there are no parameters here"),
        (RULES, "SELECT id", "DELETE", "", "line 3: only SELECT, WITH, VALUES may stand here"),
        (RULES, "FROM loan", "FROM before.loan", "", "no such table: before.loan"),
        (RULES, "lent_at);", "lent_at)", "", "no closing semicolon"),
        (RULES, "lent_at);", "lent_at, 'localtime');", "", "ask the machine for its zone"),
        # Tools
        (TOOLS, "[count_up]", "[submit]", "submit", "'submit' is offered with every task; take another name"),
        (TOOLS, "[count_up]", "[give_up]", "give_up", "'give_up' is offered with every task"),
        (
            TOOLS,
            "minimum = 1,",
            "default = 0, minimum = 1,",
            "count_up.params.last.default",
            "the default must be at least 1",
        ),
        (TOOLS, "reader_id = 2", "reader = 2", "lend.refuses[0]", "lend has no argument 'reader'"),
        (
            TOOLS,
            "{ max_price = 9 }",
            '{ max_price = "9" }',
            "find_books.examples[0]",
            "max_price must be a finite number",
        ),
        (TOOLS, "DELETE FROM mark;", "DELETE FROM marks;", "find_books.examples[1].given", "no such table: marks"),
        (TOOLS, "DELETE FROM mark;", "DELETE FROM mark", "find_books.examples[1].given", "no closing semicolon"),
        (
            TOOLS,
            "DELETE FROM mark;",
            "SELECT 1;",
            "find_books.examples[1].given",
            "only INSERT, UPDATE, DELETE, REPLACE, WITH",
        ),
        (TOOLS, "DELETE FROM mark;", "PRAGMA foreign_keys=0;", "find_books.examples[1].given", "only INSERT"),
        (TOOLS, "DELETE FROM mark;", "DROP TABLE mark;", "find_books.examples[1].given", "only INSERT"),
        (
            TOOLS,
            "DELETE FROM mark;",
            "DELETE FROM reader;",
            "find_books.examples[1].given",
            "FOREIGN KEY constraint failed",
        ),
        (
            TOOLS,
            "DELETE FROM mark;",
            "UPDATE mark SET words = random();",
            "find_books.examples[1].given",
            "not authorized to use function: random",
        ),
        (
            TOOLS,
            "DELETE FROM mark;",
            "UPDATE mark SET words = refuse('no');",
            "find_books.examples[1].given",
            "no such function: refuse",
        ),
        (TOOLS, "copies > 0", "copies > 0 -- there", "lend.params.book_code", "no closing semicolon"),
        (TOOLS, "copies > 0", "date('now', 'localtime') > 0", "lend.params.book_code", "ask the machine for its zone"),
        (TOOLS, ":loan_id;\nUPDATE", ":loanid;\nUPDATE", "renew.sql", ":loanid is used but not declared"),
        # The verifier of a task
        (
            TASKS,
            'expect = "SELECT max(id) FROM loan"\n',
            "",
            "renew_bees",
            "nothing tells the right answer; add `expect`",
        ),
        (
            TASKS,
            'answer = "integer"\n',
            "",
            "renew_bees",
            "`expect` or :answer without `answer`; say which type it has",
        ),
        (TASKS, ROPES, '[lend_ropes.checks]\nc = ":answer = 1"\n' + ROPES, "lend_ropes", "or :answer without `answer`"),
        (TASKS, "SELECT max(id) FROM loan", "SELECT max(id) FROM lone", "renew_bees.expect", "no such table: lone"),
        (TASKS, "SELECT max(id) FROM loan", "SELECT 1; SELECT 2", "renew_bees.expect", "must be one query"),
        (TASKS, "SELECT max(id) FROM loan", " ", "renew_bees.expect", "must be one query"),
        (
            TASKS,
            "SELECT max(id) FROM loan",
            "DELETE FROM loan",
            "renew_bees.expect",
            "only SELECT, WITH may stand here",
        ),
        (
            TASKS,
            "before.mark) - 1",
            "befor.mark) - 1",
            "unmark_tides.checks.one_word_less",
            "no such table: befor.mark",
        ),
        (
            TASKS,
            "before.mark) - 1",
            "before.mark) - :x",
            "unmark_tides.checks.one_word_less",
            "there is no parameter :x here",
        ),
        (TASKS, " IS NOT NULL", " IS NOT NULL;", "unmark_tides.checks.one_word_less", "remove the semicolon"),
        (
            TASKS,
            ":answer IS NOT",
            "random() IS NOT",
            "unmark_tides.checks.one_word_less",
            "not authorized to use function: random",
        ),
        (
            TASKS,
            ":answer IS NOT",
            "datetime(now(), 'utc') IS NOT",
            "unmark_tides.checks.one_word_less",
            "ask the machine for its zone",
        ),
        (TASKS, "book_code = 'A1'", "book = 'A1'", "unmark_tides.may_change.mark", "no such column: book"),
        (TASKS, "book_code = 'A1'", "1; SELECT 1", "unmark_tides.may_change.mark", "remove the semicolon"),
        (
            TASKS,
            "mark = {",
            "marks = {",
            "unmark_tides.may_change.marks",
            "There is no table 'marks'. Did you mean mark?",
        ),
        (
            TASKS,
            '["words"]',
            '["word"]',
            "unmark_tides.may_change.mark",
            "There is no column of mark 'word'. Did you mean words?",
        ),
        # The changes of a task
        (TASKS, "\nbook = [", "\nbok = [", "lend_ropes.changes.bok", "There is no table 'bok'"),
        (
            TASKS,
            "copies = 2 }",
            "copy = 2 }",
            "lend_ropes.changes.book",
            "There is no column of book 'copy'. Did you mean copies or",
        ),
        (
            TASKS,
            "copies = 2 }",
            'copies = "2" }',
            "lend_ropes.changes.book.copies",
            "'2' does not fit a column of type INTEGER",
        ),
        (
            TASKS,
            'code = "C3", copies',
            'code = "C4", copies',
            "lend_ropes.changes[0].book",
            "there is no row (code = 'C4') at the start",
        ),
        (
            TASKS,
            'code = "C3", copies',
            'code = "@@C", copies',
            "lend_ropes.changes[0].book",
            "there is no row (code = '@@C')",
        ),
        (
            TASKS,
            'new = "again", id = 3',
            'new = "again", id = 2',
            "renew_bees.changes[0].loan",
            "the new row (id = 2) is there at the start",
        ),
        (TASKS, '{ sql = "now()" }', '{ sql = "nw()" }', "renew_bees.changes: loan 2", "no such function: nw"),
        (TASKS, '{ sql = "now()" }', '{ sql = "now();" }', "renew_bees.changes.loan", "remove the semicolon"),
        (
            TASKS,
            "renews = 2 }",
            'renews = "@agin" }',
            "renew_bees.changes.loan.renews",
            "'@agin' names no new row; there are ['again']",
        ),
        (
            TASKS,
            ', book_code = "C3" },\n]\nany',
            " },\n]\nany",
            "lend_ropes.changes.loan",
            "says nothing of 'book_code', never NULL",
        ),
        (
            TASKS,
            "id = 3, gone = true",
            'name = "x", gone = true',
            "renew_bees.changes.reader",
            "a row lacks 'id' of its key (id)",
        ),
        # Calls
        (
            TASKS,
            'name = "find_books"',
            'name = "find_book"',
            "lend_ropes.solution[0]",
            "There is no tool 'find_book'. Did you mean find_books?",
        ),
        (
            TASKS,
            '{ title = "ropes" }',
            '{ titel = "ropes" }',
            "lend_ropes.solution[0]",
            "no argument 'titel'; it takes title",
        ),
        (
            TASKS,
            "reader_id = 3, book",
            "book",
            "lend_ropes.near_misses.other_reader[0]",
            "lend needs the argument 'reader_id'",
        ),
        (
            TASKS,
            "{ loan_id = 2 }",
            "{ loan_id = 2.5 }",
            "renew_bees.solution[0]",
            "loan_id must be a 64-bit integer, got 2.5",
        ),
        (
            TASKS,
            "{ loan_id = 2 }",
            "{ loan_id = 2025-01-01 }",
            "renew_bees.solution[0]",
            "a value is of the Python type date",
        ),
        (TASKS, "{ loan_id = 2 }", "{ loan_id = nan }", "renew_bees.solution[0]", "nan is not a JSON number"),
        (
            TASKS,
            '"find_books", arguments = {} }] }',
            '"look" }] }',
            "lend_bees.infeasible.shown_by",
            "There is no tool 'look'",
        ),
        (
            TASKS,
            "{ answer = 3 }",
            '{ answer = "3" }',
            "renew_bees.solution[1]",
            "submit: answer must be an integer, got '3'",
        ),
        (
            TASKS,
            "{ answer = 3 }",
            "{ number = 3 }",
            "renew_bees.solution[1]",
            "submit has no argument 'number'; it takes answer",
        ),
        (
            TASKS,
            "{ answer = 3 }",
            "{}",
            "renew_bees.solution[1]",
            "submit needs the argument 'answer': this task asks for one",
        ),
        (
            TASKS,
            LAST,
            LAST[:-2] + '  { name = "submit", arguments = { answer = 1 } },\n]\n',
            "lend_ropes.solution[2]",
            "asks for no answer",
        ),
        (
            TASKS,
            '  { name = "submit", arguments = { answer = 3 } },\n',
            "",
            "renew_bees.solution",
            "must end in submit",
        ),
        (
            TASKS,
            'solution = [\n  { name = "renew"',
            'solution = [\n  { name = "submit", arguments = { answer = 3 } },\n  { name = "renew"',
            "renew_bees.solution[0]",
            "submit ends the episode; nothing may follow it",
        ),
        # Given and infeasible
        (TASKS, "SET price = 9", "SET prize = 9", "renew_bees.given", "line 1: no such column: prize"),
        (TASKS, "SET price = 9", "SET price = 'dear'", "renew_bees.given", "cannot store TEXT value in REAL column"),
        (
            TASKS,
            "SET price = 9",
            "SET price = total_changes()",
            "renew_bees.given",
            "not authorized to use function: total_changes",
        ),
        (
            TASKS,
            "UPDATE book SET price = 9 WHERE",
            "SELECT price FROM book WHERE",
            "renew_bees.given",
            "only INSERT, UPDATE",
        ),
        (TASKS, "SET copies = 1", "SET copies = -1", "lend_bees.infeasible.lifted_by", "CHECK constraint failed"),
        (
            TASKS,
            "UPDATE book SET copies = 1",
            "ATTACH 'x' AS y; UPDATE book SET copies = 1",
            "lend_bees.infeasible.lifted_by",
            "only INSERT",
        ),
    ],
)
def test_a_slip_is_told_with_its_place_and_the_way_out(edited, file, old, new, key, told):
    with pytest.raises(ScenarioError) as caught:
        edited((file, old, new))
    error = caught.value
    assert (error.scenario, error.file, error.key) == ("reading_room", file, key)
    assert told in error.problem


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ({}, "t", "nothing tells success; add `changes`, `checks` or `answer`"),
        ({"may_change": {"t": {"rows": "1"}}}, "t", "nothing tells success"),
        ({"checks": {"c": "1"}, "solution": ()}, "t.solution", "the solution has no call"),
        (
            {"answer": {"type": "boolean"}, "expect": "SELECT 1"},
            "t.answer",
            "a lone yes or no can be guessed; ask for more",
        ),
    ],
)
def test_a_task_that_nothing_decides_is_told(small, fields, key, told):
    made = small(tasks='[t]\ninstruction = "i"\nsolution = [{ name = "look" }]\nchecks = { c = "1" }\n')
    check(made)
    document = made.tasks["t"].model_dump() | {"checks": {}, "solution": made.tasks["t"].solution} | fields
    task = type(made.tasks["t"]).model_validate(document)
    with pytest.raises(ScenarioError) as caught:
        check(made.model_copy(update={"tasks": {"t": task}}))
    assert (caught.value.file, caught.value.key) == ("tasks.toml", key)
    assert told in caught.value.problem


@pytest.mark.parametrize("place", ["given", "lifted_by"])
def test_the_rows_of_changes_may_come_from_what_a_task_starts_with(small, place):
    task = """
[t]
instruction = "i"
{}
solution = [{{ name = "look" }}]
changes = {{ t = [{{ id = 9, gone = true }}] }}
"""
    start = "INSERT INTO t (id) VALUES (9);"
    start = f'given = "{start}"' if place == "given" else f'infeasible = {{ why = "w", lifted_by = "{start}" }}'
    check(small(tasks=task.format(start)))
    with pytest.raises(ScenarioError, match=r"there is no row \(id = 9\) at the start"):
        check(small(tasks=task.format("")))


def test_a_scenario_without_tools_is_told(small):
    with pytest.raises(ScenarioError, match="there is no tool; an agent could do nothing"):
        check(small(tools=""))


def test_a_key_may_begin_with_an_at_sign(edited):
    edited(
        (DATA, "('B2', 'Bees'", "('@D', 'Dew', 1, 1), ('B2', 'Bees'"),
        (TASKS, 'code = "C3", copies', 'code = "@@D", copies'),
    )


def test_a_yes_or_no_beside_a_change_is_fine(edited):
    edited(
        (TASKS, 'answer = "integer"', 'answer = "boolean"'),
        (TASKS, "SELECT max(id) FROM loan", "SELECT max(id) > 2 FROM loan"),
        (TASKS, "{ answer = 3 }", "{ answer = true }"),
    )


@pytest.mark.parametrize("user", ['{ name = "Una", role = "clerk" }', '{ id = "u1", name = "Una", role = "clerk" }'])
def test_a_user_need_not_be_a_row_nor_have_an_id_that_nobody_asks_for(edited, user):
    old = '{ id = 1, of = "reader", name = "Ilse Okonjo", role = "librarian" }'
    edited((HEAD, old, user), (TOOLS, ", me() AS me", ", 'me()' AS me"))


def test_a_solution_may_end_by_giving_up(edited):
    edited((TASKS, LAST, LAST[:-2] + '  { name = "give_up", arguments = { reason = "x" } },\n]\n'))


@pytest.mark.parametrize(
    ("task", "arguments", "problem"),
    [
        ("lend_ropes", {}, None),
        (
            "lend_ropes",
            {"answer": 1},
            "submit has no argument 'answer'; it takes no arguments: this task asks for no answer.",
        ),
        ("renew_bees", {"answer": 3.0}, None),
        ("renew_bees", {"answer": None}, "submit: answer must be an integer, got None."),
    ],
)
def test_a_submission_is_told_what_is_wrong_with_it(room, task, arguments, problem):
    assert submit_problem(room.tasks[task], ToolCall("submit", arguments)) == problem


def test_an_invariant_is_a_query_with_its_words(room):
    (invariant,) = invariants(room)
    assert invariant.words == "A book is never returned before it was lent."
    assert invariant.sql.startswith("SELECT id FROM loan")
    world = World(room)
    assert list(broken(room, world)) == []
    world.execute("UPDATE loan SET returned_at = '2024-01-01T00:00:00' WHERE id = 1;")
    assert list(broken(room, world)) == [invariant]


def test_a_scenario_may_have_no_invariants(small):
    assert invariants(small()) == ()


def test_a_state_behind_many_comment_lines_is_found(small):
    lines = "".join(f"-- {number}\nSELECT 1 WHERE 0;\n" for number in range(300))
    assert [invariant.words for invariant in invariants(small(invariants=lines))] == [str(n) for n in range(300)]
