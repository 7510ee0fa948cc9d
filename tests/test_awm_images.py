"""Databases that generated code has made: what is read of them, how they are compared, and that bad ones do no harm."""

import json
import math
import sys

import apsw
import awm_kennel
import pytest

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm import images as subject
from awm_gym.formats.awm.host import App
from awm_gym.formats.awm.images import Changed, EditRefused, ForeignKey, Images, Schema, where, without_tables
from awm_gym.formats.awm.images_program import program
from awm_gym.sandbox.worker import Reply, trial

if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

SHELTER = """
CREATE TABLE dog (id INTEGER PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, weight REAL CHECK (weight > 0));
CREATE TABLE walk (
    id INTEGER PRIMARY KEY, dog_id INTEGER REFERENCES dog, day TEXT, slot INTEGER, note TEXT,
    label TEXT GENERATED ALWAYS AS (day || slot), UNIQUE (day, slot),
    FOREIGN KEY (slot, day) REFERENCES plan (slot, day)
);
CREATE TABLE plan (day TEXT, slot INTEGER, keeper TEXT, PRIMARY KEY (day, slot)) WITHOUT ROWID;
CREATE TABLE log (line TEXT, raw BLOB, rowid TEXT);
CREATE UNIQUE INDEX one_note ON walk (note) WHERE note <> '';
CREATE UNIQUE INDEX one_case ON walk (lower(note));
CREATE VIEW heavy AS SELECT * FROM dog WHERE weight > 50;
CREATE TRIGGER doubled AFTER INSERT ON log BEGIN INSERT INTO dog (name) VALUES (new.line); END;
CREATE VIRTUAL TABLE words USING fts5 (word);
INSERT INTO dog VALUES (1, 'Bo', 12.5), (2, 'Ada', 9e999), (3, 'Cy', NULL);
INSERT INTO plan VALUES ('mon', 1, 'Eve'), ('tue', 2, 'Eve');
INSERT INTO walk (id, dog_id, day, slot, note)
VALUES (1, 1, 'mon', 1, 'x'), (2, 9, 'tue', 2, NULL), (3, 2, 'wed', 1, 'y');
"""


class Here(Images):
    """Without a worker, so that what happens inside can be seen; for databases of our own only."""

    def use(self, act):
        return act(self)

    def call(self, method, params, blob, *, seconds):
        result, blob = program()(method, json.loads(json.dumps(params)), blob)
        return Reply(json.loads(json.dumps(result)), blob)


@pytest.fixture(scope="module", params=[Images, Here], ids=["worker", "here"])
def images(request):
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")
    with request.param() as started:
        yield started


def made(script, start=None):
    db = apsw.Connection(":memory:")
    if start is not None:
        db.deserialize("main", start)
    db.execute(script)
    return db.serialize("main")


@pytest.fixture(scope="module")
def shelter():
    return made(SHELTER + "INSERT INTO log VALUES ('a', x'00ff', 'one'), ('b', NULL, 'two');")


def read(image, sql):
    db = apsw.Connection(":memory:")
    db.deserialize("main", image)
    return db.execute(sql).fetchall()


def test_tables_are_counted_without_views_and_virtual_ones(images, shelter):
    found = images.rows(shelter)
    assert {name: found[name] for name in ("dog", "walk", "plan", "log")} == {"dog": 5, "walk": 3, "plan": 2, "log": 2}
    assert not {"heavy", "words", "sqlite_sequence"} & set(found)


def test_a_schema_tells_keys_references_and_what_is_unique(images, shelter):
    found = images.schema(shelter)
    assert found["dog"] == Schema(
        columns={"id": "INTEGER", "name": "VARCHAR(20)", "weight": "REAL"},
        key=("id",),
        row_name="",
        foreign_keys=(),
        unique=(("name",),),
    )
    assert "label" not in found["walk"].columns
    assert found["walk"].unique == (("day", "slot"),)
    assert found["walk"].foreign_keys == (
        ForeignKey(columns=("dog_id",), table="dog", parent_columns=("id",)),
        ForeignKey(columns=("slot", "day"), table="plan", parent_columns=("slot", "day")),
    )
    assert found["plan"].key == ("day", "slot")
    assert (found["log"].key, found["log"].row_name) == ((), "_rowid_")


def test_values_come_once_and_without_null(images, shelter):
    assert images.values(shelter, "plan", "keeper") == ["Eve"]
    assert images.values(shelter, "dog", "weight") == [12.5, math.inf]
    assert images.values(shelter, "log", "raw") == [b"\x00\xff"]
    assert images.values(shelter, "dog", "name", limit=2) == ["Bo", "Ada"]


def test_rows_that_refer_to_nothing_are_counted(images, shelter):
    assert images.dangling(shelter) == 2
    assert images.dangling(made("CREATE TABLE a (b REFERENCES a (c), c); INSERT INTO a VALUES (1, 2)")) == 0


def test_equal_databases_do_not_differ(images, shelter):
    assert images.changed(shelter, shelter) == {}
    assert images.differing(shelter, shelter) == ()


def test_rows_are_compared_by_their_keys(images, shelter):
    after = made(
        "DELETE FROM walk WHERE id = 2; UPDATE dog SET name = 'Bob', weight = NULL WHERE id = 1;"
        "INSERT INTO plan VALUES ('fri', 1, 'Eve'); DELETE FROM log WHERE line = 'a'",
        shelter,
    )
    assert images.changed(shelter, after) == {
        "dog": Changed(0, 0, 1),
        "log": Changed(0, 1, 0),
        "plan": Changed(1, 0, 0),
        "walk": Changed(0, 1, 0),
    }
    changed, log, plan, walk = images.differing(shelter, after)
    assert (changed.table, changed.kind, changed.key, changed.columns) == (
        "dog",
        "changed",
        {"id": 1},
        ("name", "weight"),
    )
    assert (changed.old["weight"], changed.new["weight"]) == (12.5, None)
    assert (log.kind, log.key, log.old["raw"], log.new) == ("removed", {"_rowid_": 1}, b"\x00\xff", None)
    assert (plan.kind, plan.key, plan.old) == ("added", {"day": "fri", "slot": 1}, None)
    assert plan.columns == ("day", "slot", "keeper")
    assert (walk.kind, walk.columns) == ("removed", ())
    assert images.differing(shelter, after, limit=1) == (changed,)


def test_a_key_that_lets_values_be_missing_is_none(images):
    before = made("CREATE TABLE a (k TEXT PRIMARY KEY, v); INSERT INTO a VALUES ('x', 1), ('y', 2)")
    after = made("INSERT INTO a VALUES (NULL, 3), (NULL, 4)", before)
    assert images.changed(before, after) == {"a": Changed(2, 0, 0)}
    assert [row.key for row in images.differing(before, after)] == [{"rowid": 3}, {"rowid": 4}]
    assert images.changed(after, before) == {"a": Changed(0, 2, 0)}
    assert images.changed(after, made("UPDATE a SET v = 5 WHERE k IS NULL", after)) == {"a": Changed(0, 0, 2)}


def test_tables_that_are_in_one_database_only_differ(images, shelter):
    assert images.changed(without_tables(), without_tables()) == {}
    one = made("CREATE TABLE a (b); INSERT INTO a VALUES (1)")
    assert images.changed(without_tables(), one) == {"a": Changed(1, 0, 0)}
    assert images.changed(one, without_tables()) == {"a": Changed(0, 1, 0)}
    assert images.rows(without_tables()) == {}


def test_a_table_with_other_columns_has_changed(images):
    before = made("CREATE TABLE a (k INTEGER PRIMARY KEY); INSERT INTO a VALUES (1)")
    after = made("ALTER TABLE a ADD COLUMN v DEFAULT 7", before)
    (row,) = images.differing(before, after)
    assert (row.kind, row.old, row.new, row.columns) == ("changed", {"k": 1}, {"k": 1, "v": 7}, ("v",))


def test_an_edit_of_nothing_changes_no_byte(images):
    image = awm_kennel.base().image
    assert images.edited(image, []) == image


def test_edits_change_what_they_say_and_nothing_follows(images, shelter):
    condition, key = where({"day": "mon", "slot": 1})
    edits = [
        ("INSERT INTO log (line, raw) VALUES (?, ?)", ["c", b"\x01"]),
        ("UPDATE dog SET weight = ? WHERE id = 1", [-math.inf]),
        ("UPDATE dog SET weight = -500 WHERE id = 2", []),
        (f"DELETE FROM plan WHERE {condition}", key),
    ]
    before = bytes(shelter)
    after = images.edited(shelter, edits)
    assert shelter == before
    assert images.changed(shelter, after) == {
        "dog": Changed(0, 0, 2),
        "log": Changed(1, 0, 0),
        "plan": Changed(0, 1, 0),
    }
    assert read(after, "SELECT weight FROM dog WHERE id < 3") == [(-math.inf,), (-500.0,)]
    assert images.edited(shelter, edits) == after


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("INSERT INTO dog (name) VALUES ('Bo')", "UNIQUE constraint failed: dog.name"),
        ("DELETE FROM cat", "no such table: cat"),
        ("DELETE FROM", "incomplete input"),
    ],
)
def test_an_edit_that_fails_is_refused_whole(images, shelter, sql, words):
    with pytest.raises(EditRefused, match=words):
        images.edited(shelter, [("DELETE FROM walk", []), (sql, [])])
    assert images.rows(shelter)["walk"] == 3


def test_long_values_are_read(images):
    image = made("CREATE TABLE a (b); INSERT INTO a VALUES (hex(zeroblob(200000)))")
    assert images.values(image, "a", "b") == ["0" * 400_000]


def test_a_write_ahead_log_that_cannot_be_there_is_ignored(images, shelter):
    image = bytearray(shelter)
    image[18:20] = b"\x02\x02"
    assert images.rows(bytes(image)) == images.rows(shelter)


BAD = {
    "nothing": b"",
    "text": b"a walk, a dog, and no database" * 200,
    "cut": made(SHELTER)[:8192],
    "cut within a page": awm_kennel.base().image[:3000],
    "hidden rows": made("CREATE TABLE a (rowid, _rowid_, OID)"),
    "forged view": made(
        "CREATE TABLE a (b); CREATE VIEW v AS SELECT * FROM a; PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET type = 'table' WHERE name = 'v'"
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_sound_database_is_a_fault_and_the_next_one_is_read(name):
    with Images() as images:
        with pytest.raises(EnvironmentFault, match="the database cannot be read: the program failed"):
            images.changed(without_tables(), BAD[name])
        assert images.rows(awm_kennel.base().image) == {"walk": 2}


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("cut within a page", ValueError, "it is damaged"),
        ("hidden rows", LookupError, "columns named rowid, _rowid_, oid"),
    ],
)
def test_what_is_wrong_with_a_database_is_said(name, error, words):
    with Here() as images, pytest.raises(error, match=words):
        images.schema(BAD[name])


def test_what_the_reader_says_is_checked():
    class Liar(Images):
        said = None

        def use(self, act):
            return Reply(self.said, b"")

    liar = Liar()
    for lie in (None, {"walk": -1}, {"walk": "2"}, {"walk": True}, [["walk", 2]]):
        liar.said = lie
        with pytest.raises(EnvironmentFault, match="the reader of the database sent"):
            liar.rows(b"")
    for lie in ({"a": [1, 2]}, {"a": [1, 2, -3]}, 7):
        liar.said = lie
        with pytest.raises(EnvironmentFault, match="sent"):
            liar.changed(b"", b"")
    for lie in ([[1]], [{"blob": 3}], [{"real": "nan"}], [True], {"blob": "00"}):
        liar.said = lie
        with pytest.raises(EnvironmentFault, match="sent"):
            liar.values(b"", "a", "b")


def test_a_closed_reader_says_so():
    images = Images()
    images.close()
    images.close()
    with pytest.raises(UsageError, match="closed"):
        images.rows(without_tables())


def test_a_database_that_takes_too_long_is_a_fault(monkeypatch):
    monkeypatch.setattr(subject, "SECONDS", 0.0)
    with Images() as images, pytest.raises(EnvironmentFault, match="cannot be read"):
        images.rows(awm_kennel.base().image)


def test_what_an_application_did_is_seen():
    pytest.importorskip("fastapi", reason="applications need the extra awm")
    pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
    with App(awm_kennel.CODE, awm_kennel.base()) as app, Images() as images, app.reset() as episode:
        episode.call("book_walk", {"dog": "Cy", "day": "2025-03-12"})
        (row,) = images.differing(app.initial, episode.image())
    assert (row.table, row.kind, row.key, row.new["dog"]) == ("walk", "added", {"id": 3}, "Cy")
