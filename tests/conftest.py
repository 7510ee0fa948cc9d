"""A small scenario that uses the whole format, and ways to edit it: what a scenario's own tests start from."""

import os
from pathlib import Path

import pytest

from awm_gym.files import load, parse
from awm_gym.soundness import check

SCENARIOS = Path(__file__).parent.parent / "envs_data" / "scenarios"

READING_ROOM = {
    "scenario.toml": """\
name = "reading_room"
version = 2
title = "A reading room that lends its books"
description = "Readers take books home. \\"Prices\\" are in crowns."
now = "2024-02-28T23:59:30"
user = { id = 1, of = "reader", name = "Ilse Okonjo", role = "librarian" }
""",
    "schema.sql": """\
-- Who reads; names are told apart without case.
CREATE TABLE reader (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL COLLATE NOCASE,
  joined_on  TEXT NOT NULL DEFAULT CURRENT_DATE
) STRICT;
CREATE TABLE book (
  code    TEXT PRIMARY KEY,
  title   TEXT NOT NULL,
  price   REAL,
  copies  INTEGER NOT NULL DEFAULT 1 CHECK (copies >= 0)
) STRICT;
CREATE TABLE mark (
  book_code  TEXT NOT NULL REFERENCES book (code) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  words      TEXT,
  PRIMARY KEY (book_code, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE loan (
  id           INTEGER PRIMARY KEY,
  reader_id    INTEGER NOT NULL REFERENCES reader (id),
  book_code    TEXT NOT NULL REFERENCES book (code),
  renews       INTEGER REFERENCES loan (id),
  lent_at      TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  returned_at  TEXT
) STRICT;
CREATE TABLE audit (
  id     INTEGER PRIMARY KEY,
  words  TEXT NOT NULL,
  at     TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE VIEW open_loan AS SELECT id, reader_id, book_code FROM loan WHERE returned_at IS NULL;
CREATE TRIGGER lending_takes_a_copy AFTER INSERT ON loan BEGIN
  UPDATE book SET copies = copies - 1 WHERE code = NEW.book_code;
  INSERT INTO audit (words) VALUES ('lent ' || NEW.book_code);
END;
""",
    "invariants.sql": """\
-- A book is never
-- returned before it was lent.
SELECT id FROM loan WHERE datetime(returned_at) < datetime(lent_at);
""",
    "data.sql": """\
INSERT INTO reader (id, name) VALUES (1, 'Ilse Okonjo'), (2, 'Tomas Brandt'), (3, 'tomas brandt');
INSERT INTO book (code, title, price, copies) VALUES
  ('A1', 'Tide tables; a reader''s guide', 12.5, 2), ('B2', 'Bees', 8, 1), ('C3', 'Ropes', NULL, 3);
INSERT INTO mark (book_code, place, words) VALUES ('A1', 10, 'spring tide'), ('A1', 20, NULL), ('B2', 3, 'queen');
INSERT INTO loan (id, reader_id, book_code, lent_at) VALUES
  (1, 2, 'A1', '2024-02-01T10:00:00'), (2, 3, 'B2', '2024-02-20T10:00:00');
""",
    "tools.toml": """\
[find_books]
description = "Books by code; all filters narrow."
params.title = { type = "string", optional = true, max_length = 40, description = "Part of the title." }
params.max_price = { type = "number", optional = true, minimum = 0, description = "No dearer than this." }
params.codes = { type = "array", items = "string", of = "book", optional = true, max_items = 3, unique = true, \
description = "Only these." }
sql = '''
SELECT code, title, price, copies FROM book
WHERE (:title IS NULL OR instr(lower(title), lower(:title))) AND (:max_price IS NULL OR price <= :max_price)
  AND (:codes IS NULL OR code IN (SELECT value FROM json_each(:codes)))
ORDER BY code;
'''
examples = [
  { arguments = { max_price = 9 }, rows = [{ code = "B2", title = "Bees", price = 8.0, copies = 0 }] },
  { given = "DELETE FROM mark;", arguments = { title = "none" }, rows = [] },
]

[lend]
description = "Lend a book that is there."
params.reader_id = { type = "integer", of = "reader", description = "Who takes it." }
params.book_code = { type = "string", of = "book", where = "copies > 0", noun = "book on the shelf", \
description = "What is taken." }
sql = '''
SELECT refuse('Reader ' || :reader_id || ' has it already.')
FROM open_loan WHERE reader_id = :reader_id AND book_code = :book_code;

INSERT INTO loan (reader_id, book_code) VALUES (:reader_id, :book_code) RETURNING id, lent_at;
'''
refuses = [
  { arguments = { reader_id = 2, book_code = "A1" } },
]

[renew]
description = "Take a loan back and lend the book again."
params.loan_id = { type = "integer", of = "loan", where = "returned_at IS NULL", noun = "open loan", \
description = "Loan." }
sql = '''
UPDATE loan SET returned_at = now() WHERE id = :loan_id;
UPDATE book SET copies = copies + 1 WHERE code = (SELECT book_code FROM loan WHERE id = :loan_id);
INSERT INTO loan (reader_id, book_code, renews) SELECT reader_id, book_code, id FROM loan WHERE id = :loan_id
RETURNING id;
'''

[unmark]
description = "Remove a mark."
params.book_code = { type = "string", of = "mark.book_code", description = "Book." }
params.place = { type = "integer", of = "mark.place", where = "book_code = :book_code", description = "Page." }
sql = "DELETE FROM mark WHERE book_code = :book_code AND place = :place;"

[count_up]
description = "Write numbers into the audit."
params.last = { type = "integer", minimum = 1, description = "The last number." }
sql = '''
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO audit (words) SELECT 'n ' || i FROM n;
SELECT count(*) AS rows_now, min(now()) AS now, me() AS me FROM audit;
'''
""",
    "tasks.toml": """\
[lend_ropes]
instruction = "Tomas Brandt, the one with capital letters, takes 'Ropes' home."
solution = [
  { name = "find_books", arguments = { title = "ropes" } },
  { name = "lend", arguments = { reader_id = 2, book_code = "C3" } },
]

[lend_ropes.changes]
book = [
  { code = "C3", copies = 2 },
]
loan = [
  { new = "l", reader_id = 2, book_code = "C3" },
]
any = ["audit"]

[lend_ropes.near_misses]
nothing = []
other_reader = [
  { name = "lend", arguments = { reader_id = 3, book_code = "C3" } },
]

[renew_bees]
instruction = '''
Renew the loan of 'Bees'
and say which number the new loan has.'''
given = "UPDATE book SET price = 9 WHERE code = 'B2';"
answer = "integer"
expect = "SELECT max(id) FROM loan"
derived = { 3 = "the loan after 2" }
solution = [
  { name = "renew", arguments = { loan_id = 2 } },
  { name = "submit", arguments = { answer = 3 } },
]

[[renew_bees.changes]]
loan = [
  { id = 2, returned_at = { sql = "now()" } },
  { new = "again", id = 3, reader_id = 3, book_code = "B2", renews = 2 },
]
any = ["audit", "loan.lent_at"]

[[renew_bees.changes]]
reader = [
  { id = 3, gone = true },
]

[unmark_tides]
instruction = "Remove any one mark of the tide tables. Answer with the titles and prices of all books \
that cost at most 12.50."
answer = { type = "list", items = { type = "record", fields = { title = "string", price = { type = "number", \
tolerance = 0.01 } } }, ordered = false }
expect = "SELECT title, price FROM book WHERE price <= 12.5"
may_change = { mark = { rows = "book_code = 'A1'", columns = ["words"] }, audit = "0" }
solution = [
  { name = "submit", arguments = { answer = [{ title = "bees", price = 8 }, { title = "Tide tables; a reader's guide", \
price = 12.5 }] } },
]

[unmark_tides.checks]
one_word_less = "(SELECT count(words) FROM mark) = (SELECT count(words) FROM before.mark) - 1 AND :answer IS NOT NULL"

[lend_bees]
instruction = "Ilse takes 'Bees' home."
infeasible = { why = "It is lent.", lifted_by = "UPDATE book SET copies = 1 WHERE code = 'B2';", shown_by = [{ name = \
"find_books", arguments = {} }] }
solution = [
  { name = "lend", arguments = { reader_id = 1, book_code = "B2" } },
]

[lend_bees.changes]
loan = [
  { new = "l", reader_id = 1, book_code = "B2" },
]
book = [
  { code = "B2", copies = 0 },
]
audit = [
  { new = "noted", words = "lent B2" },
]
""",
}

SMALL = {
    "scenario.toml": 'name = "small"\ntitle = "Small"\ndescription = "As small as can be."\n'
    'now = "2024-02-28T23:59:30"\nuser = { id = 7, name = "Una", role = "clerk" }\n',
    "schema.sql": "CREATE TABLE t (\n"
    "  id INTEGER PRIMARY KEY, n INTEGER, words TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP\n) STRICT;",
    "invariants.sql": "",
    "data.sql": "INSERT INTO t (id, n, words) VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, NULL);",
    "tools.toml": '[look]\ndescription = "Look."\nsql = "SELECT id, n, words FROM t ORDER BY id;"\n',
    "tasks.toml": "",
}


def _edit(texts, edits):
    texts = dict(texts)
    for file, old, new in edits:
        assert old in texts[file], f"{old!r} is not in {file}"
        texts[file] = texts[file].replace(old, new, 1)
    return texts


def pytest_addoption(parser):
    parser.addoption(
        "--slow", action="store_true", help="also run the slow tier: all gates on 100 seeds of a blueprint"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="the slow tier runs with --slow"))


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """Keep what tests make out of the user's own folders; other processes inherit it."""
    place = tmp_path_factory.mktemp("home")
    os.environ["AWM_GYM_HOME"] = str(place)
    return place


@pytest.fixture(scope="session")
def texts():
    """The files of the reading room, by name; with edits `(file, old, new)`."""
    return lambda *edits: _edit(READING_ROOM, edits)


@pytest.fixture(scope="session")
def edited():
    """Make the reading room with edits `(file, old, new)`, checked for soundness as a load does."""

    def make(*edits):
        scenario = parse(_edit(READING_ROOM, edits))
        check(scenario)
        return scenario

    return make


@pytest.fixture(scope="session")
def room(edited):
    """The reading room."""
    return edited()


@pytest.fixture(scope="session")
def lockers():
    """The parcel lockers of the library."""
    return load(SCENARIOS / "parcel_lockers")


@pytest.fixture(scope="session")
def small():
    """Make a scenario of one table and one tool; unchecked, with other files where they are given.

    `schema`, `data`, `tools`, `tasks` and `invariants` replace a file; `head` is added to scenario.toml. Tools may be
    a mapping name -> SQL.
    """

    def make(*, head="", **files):
        given = {f"{name}.toml" if name in ("tools", "tasks") else f"{name}.sql": text for name, text in files.items()}
        if isinstance(given.get("tools.toml"), dict):
            given["tools.toml"] = "".join(
                f"[{name}]\ndescription = 'A tool.'\nsql = '''\n{sql}'''\n" for name, sql in given["tools.toml"].items()
            )
        return parse({**SMALL, **given, "scenario.toml": SMALL["scenario.toml"] + head})

    return make


@pytest.fixture
def folder(tmp_path):
    """Write texts into a folder named for the reading room."""

    def write(texts):
        made = tmp_path / "reading_room"
        made.mkdir(exist_ok=True)
        for name, text in texts.items():
            (made / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return made

    return write
