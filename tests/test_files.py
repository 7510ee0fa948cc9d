"""Scenario folders: read strictly, written by one writer, the same scenario always the same bytes."""

import os
import string
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awm_gym.errors import ScenarioError
from awm_gym.files import FILES, MAX_FILE, digest, load, parse, read, render, save
from awm_gym.scenario import Answer, Scenario, ToolCall
from awm_gym.soundness import check

SCENARIOS = Path(__file__).parent.parent / "envs_data" / "scenarios"
NAMES = sorted(path.name for path in SCENARIOS.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_the_librarys_files_are_what_the_writer_would_write(name):
    texts = {file: (SCENARIOS / name / file).read_text("utf-8") for file in FILES}
    assert render(parse(texts)) == texts


def test_the_whole_format_has_one_form(texts, room):
    assert render(room) == texts()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("scenario.toml", "version = 2\n", "# the second\nversion =  0x2\ntick = 0\n"),
        ("scenario.toml", '"2024-02-28T23:59:30"', "2024-02-28T23:59:30"),
        ("scenario.toml", 'user = { id = 1, of = "reader", name', '\n[user]\nid = 1\nof = "reader"\nname'),
        ("tools.toml", "\n[lend]", "\n\n\n['lend']"),
        ("tools.toml", "optional = true, max_length", "optional = true, unique = false, max_length"),
        ("tasks.toml", '\nanswer = "integer"', '\nanswer = { type = "integer" }'),
        ("tasks.toml", '{ sql = "now()" }', '{ sql = """now()""" }'),
        ("tasks.toml", 'audit = "0"', 'audit = { rows = "0" }'),
        ("tasks.toml", ", arguments = {} }] }", " }] }"),
        ("tasks.toml", "[lend_ropes.changes]", "[[lend_ropes.changes]]"),
        ("tasks.toml", "copies = 2 }", "copies = 2, gone = false }"),
    ],
)
def test_another_form_of_the_same_is_brought_to_the_one_form(texts, file, old, new):
    tail = "}" if "[user]" in new else ""
    edited = texts((file, old, new))
    if tail:
        edited[file] = (
            edited[file].replace(', name = "Ilse', '\nname = "Ilse').replace(", role", "\nrole").replace(" }", "")
        )
    assert edited != texts()
    assert render(parse(edited)) == texts()


def test_what_is_saved_is_loaded_again_and_other_files_stay(room, tmp_path):
    place = tmp_path / "shelf" / "reading_room"
    save(room, place)
    (place / "certificate.json").write_text("{}")
    assert load(place) == load(str(place)) == room
    first = {path.name: path.read_bytes() for path in place.iterdir()}
    assert set(first) == {*FILES, "certificate.json"}
    save(room.model_copy(update={"title": "Another"}), place)
    assert load(place).title == "Another"
    save(room, place)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == first


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"name": "other"}, "the folder 'reading_room' must be named 'other'"),
        ({"data": "-- \ud800\n"}, "reading_room/data.sql: is not UTF-8: byte 3 is 0xed"),
        ({"data": "-- a\r\n"}, "reading_room/data.sql: has a byte order mark or Windows line ends"),
        ({"db_schema": "\ufeff--\n"}, "reading_room/schema.sql: has a byte order mark"),
        ({"invariants": "-" * (MAX_FILE + 1)}, f"reading_room/invariants.sql: is larger than {MAX_FILE} bytes"),
    ],
)
def test_nothing_is_written_that_would_not_be_read(room, tmp_path, update, told):
    with pytest.raises(ScenarioError) as caught:
        save(room.model_copy(update=update), tmp_path / "reading_room")
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(room, tmp_path):
    place = tmp_path / "reading_room"
    place.write_text("a file")
    with pytest.raises(ScenarioError, match="cannot be written: File exists"):
        save(room, place)


def test_toml_has_no_null(room):
    task = room.tasks["lend_ropes"].model_copy(update={"solution": (ToolCall("lend", {"reader_id": None}),)})
    with pytest.raises(ScenarioError, match="TOML has no null; leave the key out"):
        render(room.model_copy(update={"tasks": {"lend_ropes": task}}))


# Folders that are not what they should be


def missing(place, file):
    (place / file).unlink()


def linked(place, file):
    (place / file).rename(place.parent / file)
    (place / file).symlink_to(place.parent / file)


def piped(place, file):
    (place / file).unlink()
    os.mkfifo(place / file)


def nested(place, file):
    (place / file).unlink()
    (place / file).mkdir()


def filled(content):
    return lambda place, file: (place / file).write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (missing, "cannot be read (No such file or directory); the folder holds scenario.toml, schema.sql"),
        (linked, "cannot be read (Too many levels of symbolic links)"),
        (piped, "is not a regular file"),
        (nested, "is not a regular file"),
        (filled(b"\xef\xbb\xbfx"), "has a byte order mark or Windows line ends; save it as UTF-8 with LF"),
        (filled(b"a\r\nb"), "has a byte order mark or Windows line ends"),
        (filled(b"a\rb"), "has a byte order mark or Windows line ends"),
        (filled("naïve".encode("latin-1")), "is not UTF-8: byte 2 is 0xef"),
        (filled("naïve".encode("utf-16")), "is not UTF-8: byte 0 is 0xff"),
        (filled(b"x" * (MAX_FILE + 1)), f"is larger than {MAX_FILE} bytes"),
        (filled(b"a\0b"), None),
        (filled(b"<<<"), None),
    ],
)
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_not_one_is_told_by_name(texts, folder, file, spoil, told):
    place = folder(texts())
    spoil(place, file)
    with pytest.raises(ScenarioError) as caught:
        load(place)
    assert (caught.value.scenario, caught.value.file) == (str(place), file)
    assert (told or "") in caught.value.problem


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ScenarioError, match=r"scenario\.toml: cannot be read"):
        load(tmp_path / "nowhere")


def test_a_scenario_is_named_as_its_folder(texts, folder):
    place = folder(texts())
    with pytest.raises(ScenarioError, match="the name is 'reading_room' but the folder's is 'other'; make them equal"):
        load(place.rename(place.parent / "other"))
    (place.parent / "other").rename(place)
    assert load(place / ".." / "reading_room").name == "reading_room"


def test_the_texts_of_a_folder_are_read_and_told_apart(texts, folder):
    place = folder(texts())
    assert read(place) == read(str(place)) == texts()
    assert digest(texts()) == digest(dict(reversed(texts().items())))
    others = [texts((file, texts()[file][:1], texts()[file][:1] * 2)) for file in FILES]
    assert len({digest(one) for one in [texts(), *others]}) == 7
    missing(place, "data.sql")
    with pytest.raises(ScenarioError) as caught:
        read(place)
    assert (caught.value.scenario, caught.value.file) == (str(place), "data.sql")


def test_an_unsound_folder_is_told_with_its_path(texts, folder):
    place = folder(texts(("tasks.toml", '"find_books"', '"find"')))
    with pytest.raises(ScenarioError) as caught:
        load(place)
    assert str(caught.value).startswith(f"{place}/tasks.toml: lend_ropes.solution[0]: There is no tool 'find'")


# Documents that are not what they should be

HEAD, TOOLS, TASKS = "scenario.toml", "tools.toml", "tasks.toml"


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "told"),
    [
        # Not TOML
        (HEAD, "title =", "title", "", "is not valid TOML"),
        (
            TOOLS,
            "[lend]",
            "[find_books]",
            "",
            "twice (at line 17, column 12); two entries of one name, or a slip in the TOML",
        ),
        (
            TASKS,
            'instruction = "Ilse',
            'instruction = "a"\ninstruction = "Ilse',
            "",
            "two entries of one name",
        ),
        (TASKS, "{ answer = 3 }", "{ answer = " + "1" * 5_000 + " }", "", "is not valid TOML: Exceeds the limit"),
        (TASKS, "{ answer = 3 }", "{ answer = " + "[" * 50_000 + "]" * 50_000 + " }", "", "is not valid TOML"),
        (
            TASKS,
            "{ answer = 3 }",
            "{ " + ".".join("a" * 5_000) + " = 1 }",
            "renew_bees",
            "is nested deeper than 64 levels",
        ),
        (
            TASKS,
            "{ answer = 3 }",
            "{ answer = " + "[" * 80 + "]" * 80 + " }",
            "renew_bees",
            "is nested deeper than 64 levels",
        ),
        # Keys that are not there
        (HEAD, "title =", "titel =", "titel", "unknown key. There is no key 'titel'. Did you mean title?"),
        (HEAD, "version = 2", 'version = 2\ntasks = "x"', "tasks", "'tasks' is not a key of this file"),
        (HEAD, "version = 2", 'version = 2\ndb_schema = "x"', "db_schema", "'db_schema' is not a key of this file"),
        (HEAD, "role =", "roll =", "user.roll", "unknown key. There is no key 'roll'. Did you mean role?"),
        (TOOLS, "[lend]\ndescription", "[lend]\nname = 'lend'\ndescription", "lend.name", "'name' is not a key here"),
        (
            TOOLS,
            "[lend]\ndescription",
            "[lend]\nrefusals = []\ndescription",
            "lend.refusals",
            "Did you mean refuses or",
        ),
        (TOOLS, "minimum = 1,", "min = 1,", "count_up.params.last.min", "There is no key 'min'. Did you mean minimum"),
        (TOOLS, "{ max_price = 9 }, rows", "{ max_price = 9 }, row", "find_books.examples.0.row", "Did you mean rows?"),
        (
            TOOLS,
            "{ arguments = { reader_id",
            "{ rows = [], arguments = { reader_id",
            "lend.refuses.0.rows",
            "There are: arguments, given.",
        ),
        (TASKS, "given =", "givne =", "renew_bees.givne", "There is no key 'givne'. Did you mean given or"),
        (TASKS, "derived =", "name = 'x'\nderived =", "renew_bees.name", "'name' is not a key here"),
        (TASKS, "ordered = false", "order = false", "unmark_tides.answer.order", "Did you mean ordered?"),
        (
            TASKS,
            "tolerance = 0.01",
            "tolerence = 0.01",
            "unmark_tides.answer.items.fields.price.tolerence",
            "Did you mean tolerance or",
        ),
        (TASKS, "columns = [", "column = [", "unmark_tides.may_change.mark.column", "Did you mean columns?"),
        (TASKS, "shown_by =", "shown =", "lend_bees.infeasible.shown", "Did you mean shown_by?"),
        # Keys that are missing
        (
            HEAD,
            'title = "A reading room that lends its books"\n',
            "",
            "title",
            "is missing; add it. The keys are name, version, title",
        ),
        (HEAD, ', role = "librarian"', "", "user.role", "is missing; add it. The keys are id, of, name, role"),
        (
            TOOLS,
            'description = "Remove a mark."\n',
            "",
            "unmark.description",
            "is missing; add it. The keys are description, params",
        ),
        (
            TOOLS,
            'type = "integer", minimum',
            "minimum",
            "count_up.params.last.type",
            "is missing; add it. The keys are type, items",
        ),
        (
            TOOLS,
            ", rows = [] }",
            " }",
            "find_books.examples.1.rows",
            "is missing; add it. The keys are given, arguments, rows",
        ),
        (
            TASKS,
            "lifted_by = \"UPDATE book SET copies = 1 WHERE code = 'B2';\", ",
            "",
            "lend_bees.infeasible.lifted_by",
            "is missing",
        ),
        (
            TASKS,
            "instruction = \"Ilse takes 'Bees' home.\"\n",
            "",
            "lend_bees.instruction",
            "is missing; add it. The keys are instruction",
        ),
        # Values of the wrong kind
        (HEAD, "version = 2", 'version = "2"', "version", "Input should be a valid integer, got '2'"),
        (HEAD, "version = 2", "version = 2.0", "version", "Input should be a valid integer, got 2.0"),
        (HEAD, "version = 2", "version = -1", "version", "greater than or equal to 0, got -1"),
        (HEAD, "version = 2", "version = 2\ntick = 86401", "tick", "less than or equal to 86400, got 86401"),
        (HEAD, '"2024-02-28T23:59:30"', '"2024-02-28"', "now", "'2024-02-28' is not a moment; write it as"),
        (HEAD, '"2024-02-28T23:59:30"', "2024-02-28", "now", "is not a moment"),
        (HEAD, '"2024-02-28T23:59:30"', '"2024-02-30T00:00:00"', "now", "day is out of range for month"),
        (HEAD, '"2024-02-28T23:59:30"', '"9999-01-01T00:00:00"', "now", "the year 9999 is out of range"),
        (
            HEAD,
            "Readers take",
            "Readers\u202etake",
            "description",
            "holds the invisible character '\\u202e'; remove it",
        ),
        (HEAD, '"reading_room"', '"../reading_room"', "name", "the name '../reading_room' is not snake_case"),
        (HEAD, '"reading_room"', '"Reading Room"', "name", "is not snake_case"),
        (HEAD, '"reading_room"', "7", "name", "the name 7 is not snake_case"),
        (TOOLS, "[lend]", '["../lend"]', "../lend.name", "the name '../lend' is not snake_case"),
        (TOOLS, "[lend]", "[Lend]", "Lend.name", "the name 'Lend' is not snake_case"),
        (TOOLS, "params.last", 'params."a b"', "count_up.params.a b", "the name 'a b' is not snake_case"),
        (TOOLS, "[find_books]", "loan = 1\n\n[find_books]", "loan", "must be a table [loan], not 1"),
        (
            TOOLS,
            'type = "integer", minimum',
            'type = "int", minimum',
            "count_up.params.last.type",
            "Input should be 'string', 'integer'",
        ),
        (
            TOOLS,
            "minimum = 1,",
            'minimum = "1",',
            "count_up.params.last.minimum",
            "Input should be a valid integer, got '1'",
        ),
        (
            TOOLS,
            "minimum = 1,",
            "min_length = 1,",
            "count_up.params.last",
            "`min_length` and `max_length` are for strings",
        ),
        (
            TOOLS,
            "rows = []",
            "rows = [{ x = 2024-01-01 }]",
            "find_books.examples.1.rows.0.x",
            "got datetime.date(2024, 1, 1)",
        ),
        (
            TASKS,
            'answer = "integer"',
            'answer = "int"',
            "renew_bees.answer.type",
            "Input should be 'string', 'integer'",
        ),
        (
            TASKS,
            'answer = "integer"',
            'answer = { type = "list" }',
            "renew_bees.answer",
            '`items` and type = "list" go together',
        ),
        (TASKS, "{ loan_id = 2 }", "[2]", "renew_bees.solution.0", "a call has a name (text) and arguments (a table)"),
        (
            TASKS,
            'name = "renew", arg',
            'tool = "renew", arg',
            "renew_bees.solution.0",
            "a call is { name = ..., arguments = { ... } }",
        ),
        (
            TASKS,
            "nothing = []",
            "Nothing = []",
            "lend_ropes.near_misses.Nothing",
            "the name 'Nothing' is not snake_case",
        ),
        (
            TASKS,
            "derived = { 3 =",
            "derived = { 3 = 4, 5 =",
            "renew_bees.derived.3",
            "Input should be a valid string, got 4",
        ),
        (TASKS, "{ id = 3, gone = true }", "3", "renew_bees.changes.1", "reader: a row is a table such as"),
        (
            TASKS,
            "{ id = 3, gone = true }",
            "{ id = 3, gone = 1 }",
            "renew_bees.changes.1",
            "reader: `gone` is true or left out, not 1",
        ),
        (TASKS, 'any = ["audit"]', 'any = "audit"', "lend_ropes.changes.0.any", "valid tuple, got 'audit'"),
        (
            TASKS,
            "copies = 2 }",
            "copies = [2] }",
            "lend_ropes.changes.0",
            "book: copies is a text, a finite number, true, false or",
        ),
        (TASKS, "copies = 2 }", "copies = inf }", "lend_ropes.changes.0", "book: copies is a text, a finite number"),
        (
            TASKS,
            'new = "again"',
            "new = 1",
            "renew_bees.changes.0",
            "loan: `new` is a snake_case name ([a-z][a-z0-9_]*), not 1",
        ),
    ],
)
def test_a_slip_in_a_document_is_told_with_its_key_and_the_remedy(texts, file, old, new, key, told):
    with pytest.raises(ScenarioError) as caught:
        parse(texts((file, old, new)))
    assert (caught.value.file, caught.value.key) == (file, key)
    assert told in caught.value.problem


SCRAPS = st.sampled_from(
    [*"'\"\\{}[]=.,;:@#\n\0\x1b", "", "é", "\ud7ff", "''", "'''", "1e999", "nan", "[[x]]", "a.b = 1\n"]
) | st.text(max_size=3)


@settings(derandomize=True, deadline=None, max_examples=250)
@given(st.data())
def test_no_accident_to_a_file_is_more_than_a_scenario_error(texts, data):
    files = texts()
    file = data.draw(st.sampled_from(FILES))
    text = files[file]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    files[file] = text[:start] + data.draw(SCRAPS) + text[end:]
    try:
        scenario = parse(files)
        check(scenario)
    except ScenarioError:
        return
    assert parse(render(scenario)) == scenario


# Any scenario at all

ODD = st.text(
    st.sampled_from("'\"\\\n\t{}[]=#.,;:éß\u3000🙂ab 0")
    | st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]),
    max_size=12,
) | st.sampled_from(["'''", "'''\n", "\n'", "a\n'''b", "\n\n", '"""', "\\u0041\n", "x\n'", "2024-01-01", "nan"])
SQL = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = ODD.filter(bool)
NAME = st.text(string.ascii_lowercase, min_size=1, max_size=4)
INTEGERS = st.integers(-(10**25), 10**25)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.booleans() | INTEGERS | FLOATS | SQL
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SQL, inner, max_size=3), max_leaves=5
)
ARGUMENTS = st.dictionaries(SQL, JSON, max_size=3)
CALLS = st.lists(st.builds(ToolCall, SQL, ARGUMENTS), max_size=2).map(tuple)


def optional(strategy):
    return st.none() | strategy


PARAM = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("integer"), "minimum": optional(FLOATS | INTEGERS), "default": optional(JSON)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("string"), "enum": st.lists(SQL, unique=True, max_size=3), "optional": st.booleans()}
    ),
    st.fixed_dictionaries({"type": st.just("string"), "of": NAME, "where": optional(SQL), "noun": optional(PLAIN)}),
    st.fixed_dictionaries(
        {"type": st.just("array"), "items": st.just("number"), "unique": st.booleans(), "max_items": st.integers(1, 9)}
    ),
).flatmap(
    lambda fields: st.fixed_dictionaries(
        {key: st.just(value) for key, value in fields.items()} | {"description": PLAIN}
    )
)
TOOL = st.fixed_dictionaries(
    {
        "description": PLAIN,
        "params": st.dictionaries(NAME, PARAM, max_size=2),
        "sql": SQL,
        "examples": st.lists(
            st.fixed_dictionaries(
                {
                    "given": optional(SQL),
                    "arguments": ARGUMENTS,
                    "rows": st.lists(st.dictionaries(SQL, SCALAR, max_size=2), max_size=2),
                }
            ),
            max_size=2,
        ),
        "refuses": st.lists(st.fixed_dictionaries({"given": optional(SQL), "arguments": ARGUMENTS}), max_size=1),
    }
)
ANSWER = st.sampled_from(
    [
        "integer",
        {"type": "number", "tolerance": 0.25},
        {"type": "list", "items": {"type": "record", "fields": {"a": "date", "b": {"type": "number", "tolerance": 5}}}},
        {"type": "list", "items": "string", "ordered": False},
    ]
).map(Answer.model_validate)
CELLS = st.dictionaries(
    SQL.filter(lambda name: name not in ("new", "gone")), SCALAR | st.builds(lambda sql: {"sql": sql}, SQL), max_size=3
)
ROWS = st.lists(CELLS | CELLS.map(lambda cells: cells | {"gone": True}), min_size=1, max_size=2)
CHANGES = st.builds(
    lambda rows, new, loose: rows | {"added": [{"new": new}]} | {"any": loose},
    st.dictionaries(SQL.filter(lambda name: name != "any"), ROWS, max_size=2),
    NAME,
    st.lists(SQL, max_size=2),
)
TASK = st.fixed_dictionaries(
    {
        "instruction": PLAIN,
        "given": optional(SQL),
        "answer": optional(ANSWER),
        "expect": optional(SQL),
        "infeasible": optional(st.fixed_dictionaries({"why": PLAIN, "lifted_by": SQL, "shown_by": CALLS})),
        "derived": st.dictionaries(SQL, SQL, max_size=2),
        "may_change": st.dictionaries(
            SQL, SQL | st.fixed_dictionaries({"rows": SQL, "columns": st.lists(SQL, max_size=2)}), max_size=2
        ),
        "solution": CALLS,
        "checks": st.dictionaries(NAME, SQL, max_size=2),
        "changes": st.lists(CHANGES, max_size=2),
        "near_misses": st.dictionaries(NAME, CALLS, max_size=2),
    }
)
SCENARIO = st.fixed_dictionaries(
    {
        "name": NAME,
        "version": st.integers(0, 10**9),
        "title": PLAIN,
        "description": PLAIN,
        "now": st.datetimes(datetime(1000, 1, 1), datetime(8999, 1, 1)).map(lambda now: now.replace(microsecond=0)),
        "tick": st.integers(0, 86_400),
        "user": st.fixed_dictionaries(
            {"id": optional(st.integers() | SQL), "of": optional(SQL), "name": PLAIN, "role": PLAIN}
        ),
        "db_schema": SQL,
        "invariants": SQL,
        "data": SQL,
        "tools": st.dictionaries(NAME, TOOL, max_size=2),
        "tasks": st.dictionaries(NAME, TASK, max_size=2),
    }
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(SCENARIO)
def test_any_scenario_is_written_and_read_back_the_same(document):
    for kind in ("tools", "tasks"):
        document[kind] = {name: entry | {"name": name} for name, entry in document[kind].items()}
    scenario = Scenario.model_validate(document)
    texts = render(scenario)
    again = parse(texts)
    assert again == scenario
    assert render(again) == texts
    assert again.fingerprint == scenario.fingerprint
