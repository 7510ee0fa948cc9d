"""Data mended: statements, forms of times and capitals, rows that belong together, and goals that are there already."""

import json
import sys
from dataclasses import replace

import awm_shelter
import pytest

from awm_gym.errors import EnvironmentFault
from awm_gym.formats.awm.audit.naming import Names
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.images import Difference, Images
from awm_gym.formats.awm.records import Solution, TableRows
from awm_gym.formats.awm.repair import data, goals
from awm_gym.formats.awm.repair.data import Change, Column
from awm_gym.formats.awm.repair.goals import Search
from awm_gym.formats.awm.repair.program import Program
from awm_gym.formats.awm.repair.rows import Rows, without_rows
from awm_gym.formats.awm.repair.standing import play, standing, verdict, worse
from awm_gym.formats.awm.repair.telling import Run, played, retold
from awm_gym.sandbox.worker import trial

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

MENDED = data.unquoted(awm_shelter.scenario(), build(awm_shelter.scenario(), mend=True))[0]


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def images():
    with Images() as reader:
        yield reader


@pytest.fixture(scope="module")
def judge():
    with Judge() as started:
        yield started


@pytest.fixture(scope="module")
def base():
    return build(MENDED)


@pytest.fixture(scope="module")
def tables(base, images):
    return images.schema(base.image)


@pytest.fixture(scope="module")
def rows(base, tables, images):
    return Rows(base.image, tables, images)


@pytest.fixture(scope="module")
def app(base):
    with App(MENDED.code, base, name="shelter") as loaded:
        yield loaded


def test_statements_whose_quotes_are_wrong_are_written_as_they_run():
    scenario = awm_shelter.scenario()
    mended, actions = data.unquoted(scenario, build(scenario, mend=True))
    assert mended.inserts[2].insert_statements[1] == (
        "INSERT INTO visits VALUES (2, 1, '2025-03-05 10:00:00', 'Doesn''t eat');"
    )
    assert mended.inserts[:2] == scenario.inserts[:2]
    assert [(action.kind, action.place) for action in actions] == [("quotes", "visits")]
    assert not build(mended).lost_inserts
    assert data.unquoted(mended, build(mended, mend=True)) == (mended, ())


def test_further_statements_come_after_all_that_fill_a_table():
    twice = replace(MENDED, inserts=(*MENDED.inserts, TableRows(table_name="dogs")))
    longer = data.with_statements(twice, "dogs", ["SELECT 1", "SELECT 2"])
    assert longer.inserts[-1].insert_statements == ("SELECT 1", "SELECT 2")
    assert longer.inserts[:-1] == MENDED.inserts
    assert data.filled(MENDED, "dogs")
    assert not data.filled(MENDED, "log")


def test_times_of_another_form_are_found_where_the_code_knows_times(base, images, tables):
    program = Program.of(MENDED.code)
    found = data.moments(program, tables, base, images)
    change = Change(Column("dogs", "arrived_at"), "2025-03-01T08:00:00Z", "2025-03-01 08:00:00")
    assert found == {change.column: [change]}
    (statement,) = data.updates(found[change.column])
    assert statement == (
        """UPDATE "dogs" SET "arrived_at" = '2025-03-01 08:00:00' WHERE "arrived_at" = '2025-03-01T08:00:00Z';"""
    )
    elsewhere = {**tables, "dogs": tables["kennels"]}
    assert data.moments(program, elsewhere, base, images) == {}
    assert data.moments(program, {}, base, images) == {}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2025-03-01T08:00:00Z", "2025-03-01 08:00:00"),
        ("2025-03-01 08:00:00.000000", "2025-03-01 08:00:00"),
        ("2025-03-01T08:00+00:00", "2025-03-01 08:00:00"),
        ("2025-03-01 08:00:00", "2025-03-01 08:00:00"),
        ("2025-03-01T08:00:00.25", ""),
        ("2025-03-01T08:00:00+02:00", ""),
        ("2025-13-01T08:00:00", ""),
        ("2025-03-01", ""),
        ("soon", ""),
    ],
)
def test_a_time_is_brought_to_the_form_that_loses_nothing(value, form):
    assert data._in_form(value) == form


def test_quotes_in_values_are_doubled():
    assert data.updates([Change(Column('a"b', "c"), "it's", "its'")]) == [
        """UPDATE "a""b" SET "c" = 'its''' WHERE "c" = 'it''s';"""
    ]


def capitals(code, base, images, tables, verifiers=None):
    scenario = awm_shelter.scenario(verifiers=verifiers or {})
    found = data.capitals(scenario, Program.of(MENDED.code + code), tables, base, images)
    return {change for some in found.values() for change in some}


def test_values_that_the_code_writes_otherwise_are_found(base, images, tables):
    east = Change(Column("kennels", "region"), "NA-EAST", "NA-East")
    south = Change(Column("kennels", "name"), "South", "SOUTH")
    assert capitals("", base, images, tables) == {east}
    assert capitals(
        "\nclass Tank(Base):\n    __tablename__ = 'tanks'\n    region = Column(String)\n", base, images, tables
    ) == {east}
    assert capitals(
        "\nx = tank.region == 'EU-WEST'\nclass Tank(Base):\n    __tablename__ = 'tanks'\n    region = Column(String)\n",
        base,
        images,
        tables,
    ) == {east, Change(east.column, "EU-West", "EU-WEST")}
    assert capitals("\nx = 'SOUTH' == kennel.name", base, images, tables) == {east, south}
    assert capitals("\nx = Kennel.name.in_(('SOUTH', 1))", base, images, tables) == {east, south}
    unclear = "\nx = 'SOUTH' == f(1) < 2; y = kennel.name == 'SOUTH' == z; f().in_(['SOUTH']); g.h.of(['SOUTH'])"
    assert capitals(unclear, base, images, tables) == {east}


@pytest.mark.parametrize(
    ("code", "verifiers"),
    [
        ("\nx = Kennel.region == 'NA-EAST'", {}),  # the code knows the form of the data
        ("\nx = Kennel.region == 'na-east'", {}),  # the code knows two forms
        ("", {0: {"code": "x = 'NA-EAST'"}}),  # the verifier knows that of the data
        ("", {0: {"sql": 'x = "NA-EAST"'}}),
    ],
)
def test_values_of_which_nobody_can_say_what_is_right_are_left(code, verifiers, base, images, tables):
    assert capitals(code, base, images, tables, verifiers) == set()


def test_rows_that_refer_to_a_row_belong_to_it(rows):
    assert rows.with_dependents([("kennels", (2,))]) == [
        ("kennels", (2,)),
        ("dogs", (2,)),
        ("dogs", (3,)),
        ("visits", (1,)),
    ]
    assert rows.with_dependents([("visits", (1,))]) == [("visits", (1,))]


def test_rows_are_found_by_what_a_text_says(rows):
    assert rows.about("North of the border, on 2025-03-04, TEETH CLEANED BY DR. HU") == [
        ("visits", (3,)),
        ("visits", (1,)),
        ("kennels", (1,)),
    ]
    assert rows.about("Bo and Ada") == []
    assert rows.only_in([("visits", (3,)), ("kennels", (2,))]) == {
        "teeth cleaned by dr. hu",
        "2025-03-06",
        "south",
        "eu-west",
    }


def test_rows_are_found_that_say_the_same_as_a_new_one(rows):
    new = {"id": 9, "dog_id": 1, "starts_at": "2026-01-01 00:00:00", "note": "Teeth cleaned by Dr. Hu"}
    made = Difference(table="visits", kind="added", key={"id": 9}, old=None, new=new)
    assert rows.like(made) == [("visits", (3,))]
    gone = Difference(table="visits", kind="removed", key={"id": 9}, old=new, new=None)
    assert rows.like(gone) == []
    assert rows.having("dogs", {"name": "Rex"}) == [("dogs", (2,))]


def test_rows_go_with_the_statements_that_made_them(base, rows, images):
    gone = rows.with_dependents([("dogs", (2,))])
    shorter = without_rows(MENDED, base, rows, gone, images)
    assert [len(table.insert_statements) for table in shorter.inserts] == [2, 2, 2, 1]
    built = build(shorter, now=base.now)
    assert images.rows(built.image) == images.rows(rows.without(gone))
    assert images.changed(built.image, rows.without(gone)) == {}


def test_rows_that_share_a_statement_or_have_none_stay(tables, images):
    both = TableRows(
        table_name="kennels", insert_statements=("INSERT INTO kennels VALUES (1, 'a', 'b'), (2, 'c', 'd')",)
    )
    more = TableRows(table_name="badges", insert_statements=("INSERT INTO badges SELECT 'x' || id, NULL FROM kennels",))
    scenario = replace(MENDED, inserts=(both, more))
    base = build(scenario)
    rows = Rows(base.image, tables, images)
    assert without_rows(scenario, base, rows, [("kennels", (1,))], images) is None
    assert without_rows(replace(scenario, inserts=(both,)), base, rows, [("badges", ("x1",))], images) is None


def test_a_solution_names_the_ids_that_its_rows_have_where_it_is_played(base, rows, app, images, tables):
    calls = awm_shelter.calls(
        ("add_dog", {"kennel_id": 2, "name": "Fay"}),
        ("add_visit", {"dog_id": 4, "starts_at": "x"}),
        ("make_badge", {"code": "B-9", "dog_id": 4}),
        ("walk_dogs", {"dog_ids": [4, 1]}),
        ("get_dog", {"dog_id": 4}),
    )
    there = played(calls, app, images)
    assert [[row.table for row in made] for made in there.made] == [["dogs", "log"], [], ["badges"], [], []]
    assert any("SQLite DateTime" in error for error in there.errors)
    gone = [("dogs", (3,))]
    with App(MENDED.code, replace(base, image=rows.without(gone)), name="shelter") as other:
        here = retold(calls, there.made, (), other, Names(tables), images)
    assert [call.arguments.get("dog_id") for call in here.calls] == [None, 3, 3, None, 3]
    assert here.calls[3] == calls[3]  # of which ids a list is, nothing says
    with pytest.raises(EnvironmentFault):
        images.schema(here.image[:50])


def test_what_a_tool_gets_in_objects_is_told_anew_too(base, app, images, tables):
    renamed = {"rows": [{"dog_id": 7}, {"dog_id": 8}], "dog_id": "7", "note": None}
    tool = next(tool for tool in app.tools if tool.name == "add_visit")
    from awm_gym.formats.awm.repair.telling import _renamed

    ids = {("dogs", 7): 1}
    assert _renamed("body", renamed, tool, Names(tables), ids) == {**renamed, "rows": [{"dog_id": 1}, {"dog_id": 8}]}
    assert _renamed("dog_id", 7, None, Names(tables), ids) == 7


def search(scenario, base, app, tables, rows, judge, images):
    now = standing(scenario, base, app, judge)
    return Search(scenario, base, app, now, rows, Names(tables), judge, images)


@pytest.fixture(scope="module")
def found(base, app, tables, rows, judge, images):
    return search(MENDED, base, app, tables, rows, judge, images)


def test_how_a_scenario_stands(found):
    now = found.now
    assert now.tools[:2] == ("get_dog", "get_dog_2")
    assert now.hidden == ("add_dog",)
    assert now.examples == {
        "get_dog": 200,
        "list_eastern_kennels": 200,
        "add_dog": 200,
        "add_puppy": 200,
        "add_visit": 500,
        "make_badge": 200,
        "decode": 200,
    }
    assert [task for task, names in now.untouched.items() if names] == [1]
    assert now.faults == {4}
    assert {task: now.solved(task) for task in range(4)} == {0: "unpaid", 1: "", 2: "unpaid", 3: "paid"}
    assert now.played[0].statuses == (500, 500)


def test_a_solution_that_breaks_the_application_or_its_verifier_is_a_fault(base, app, judge):
    gone = Solution(awm_shelter.calls(("fly_dog", {})), None)
    assert play(MENDED, 0, gone, base, app, judge).solved == "fault"
    assert verdict(MENDED, 4, None, base.image, base.image, base, judge) == "fault"
    assert verdict(MENDED, 5, None, base.image, base.image, base, judge) == ""


def test_a_tool_that_ends_its_worker_has_crashed(base, judge):
    code = MENDED.code.replace('return {"puppy": body.name}', "os._exit(3)")
    scenario = replace(MENDED, code=code, verifiers={}, solutions={})
    with App(code, base, name="shelter") as dying:
        assert standing(scenario, base, dying, judge).examples["add_puppy"] == 599


def test_what_is_worse_is_named(found):
    now = found.now
    assert worse(now, now) == ""
    assert worse(now, replace(now, tools=now.tools[1:])) == "the tool get_dog would be gone"
    assert worse(now, replace(now, hidden=("decode",))) == "the tool decode would be hidden"
    crashing = replace(now, examples={**now.examples, "decode": 500, "add_visit": 599})
    assert worse(now, crashing) == "the tool decode would crash on its examples"
    assert worse(now, replace(now, examples={**now.examples, "new": 500})) == ""
    lying = replace(now, untouched={**now.untouched, 2: ("done",)})
    assert worse(now, lying) == "task 2 would be paid for doing nothing"
    assert worse(now, replace(now, untouched={**now.untouched, 4: ("done",)})) == ""  # which crashed before
    assert worse(now, replace(now, faults=frozenset({3, 4}))) == "the verifier of task 3 would crash"
    unpaid = replace(now, played={**now.played, 3: now.played[2]})
    assert worse(now, unpaid) == "the known solution of task 3 would not be paid"


def test_a_goal_that_stands_in_the_way_is_found(found):
    goal = found.goal(0)
    assert goal.rows == (("dogs", (2,)), ("visits", (1,)))
    assert [call.arguments.get("dog_id") for call in goal.solution.calls] == [None, 4]


def test_a_goal_that_is_paid_untouched_is_found(found):
    assert found.goal(1) == ((("visits", (3,)),), None)


WALKED = """
import sqlite3

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    sql = "SELECT kennels.name, note FROM visits JOIN dogs ON dogs.id = dog_id JOIN kennels ON kennels.id = kennel_id"
    found = sqlite3.connect(final_db_path).execute(sql).fetchall()
    return {"result": "complete" if ("South", "first walk") in found else "others"}
"""


def test_of_a_goal_of_many_rows_all_go_unless_even_then_the_known_solution_fails(found):
    tasks = ("Open the kennel South, and take a dog there for its first walk.",)
    scenario = replace(MENDED, verifiers={0: {"code": WALKED}}, solutions={}, tasks=tasks)
    everything = (("kennels", (2,)), ("dogs", (2,)), ("dogs", (3,)), ("visits", (1,)))
    lying = replace(found, scenario=scenario, now=replace(found.now, untouched={0: ("done",)}, played={}))
    assert lying.goal(0).rows == everything
    failing = replace(scenario, solutions={0: Solution((), None)})
    assert replace(lying, scenario=failing).goal(0).rows == (("visits", (1,)),)


def test_a_goal_is_sought_only_where_something_is_wrong_and_can_be_judged(found):
    assert [found.goal(task) for task in (2, 3, 4, 5, 6)] == [None] * 5


def test_rows_of_which_another_task_speaks_stay(found):
    tasks = (*awm_shelter.TASKS, "Ask Dr. Hu why the teeth were cleaned: 'teeth cleaned by Dr. Hu'.")
    assert replace(found, scenario=replace(MENDED, tasks=tasks)).goal(1) is None
    solved = replace(found.now, played={**found.now.played, 6: found.now.played[3]})
    assert replace(found, scenario=replace(MENDED, tasks=tasks), now=solved).goal(1) is not None


def test_too_many_rows_stay(found, monkeypatch):
    monkeypatch.setattr(goals, "MAX_GONE", 0)
    assert found.goal(0) is None
    assert found.goal(1) is None


def test_a_task_without_a_text_has_no_goal_by_its_words(found):
    scenario = replace(MENDED, tasks=())
    assert replace(found, scenario=scenario).goal(1) is None
    assert replace(found, scenario=scenario).goal(0) is not None  # it stands in the way of a new row


def test_a_failed_experiment_proves_nothing(found, judge, images):
    class Broken:
        def differing(self, *_):
            raise EnvironmentFault("it cannot be read")

    assert replace(found, images=Broken()).goal(0) is None


INSISTING = """
import sqlite3

def visits(path):
    return sqlite3.connect(path).execute("SELECT id FROM visits WHERE note = 'first walk'").fetchall()

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    return {"result": "complete" if len(visits(initial_db_path)) == 0 and len(visits(final_db_path)) == 1 else "others"}
"""


def test_a_verifier_that_insists_on_a_new_row_is_paid_without_the_old_one(
    found, base, app, tables, rows, judge, images
):
    code = MENDED.code.replace("starts_at=body.starts_at, ", "")
    calls = awm_shelter.calls(("add_visit", {"dog_id": 2, "starts_at": "x", "note": "first walk"}))
    scenario = replace(
        MENDED,
        code=code,
        verifiers={0: {"code": INSISTING}},
        solutions={0: Solution(calls, None)},
        tasks=("Walk Rex.",),
    )
    with App(code, base, name="shelter") as walking:
        goal = search(scenario, base, walking, tables, rows, judge, images).goal(0)
        assert goal == ((("visits", (1,)),), scenario.solutions[0])
        never = replace(scenario, verifiers={0: {"code": INSISTING.replace("== 1", "== 7")}})
        assert search(never, base, walking, tables, rows, judge, images).goal(0) is None


def test_rows_that_another_task_speaks_of_are_not_tried(base, app, tables, rows, judge, images):
    calls = awm_shelter.calls(("add_dog", {"kennel_id": 2, "name": "Fay"}))
    tasks = ("Note the first walk of Rex.", "Who was there on the first walk?")
    scenario = replace(MENDED, verifiers={0: {"code": INSISTING}}, solutions={0: Solution(calls, None)}, tasks=tasks)
    assert search(scenario, base, app, tables, rows, judge, images).goal(0) is None


def test_what_the_databases_seem_to_prove_is_played_to_be_believed(base, tables, rows, judge, images):
    needs = 'session.query(Visit).filter(Visit.note == "first walk").one()'
    code = MENDED.code.replace("starts_at=body.starts_at, ", "")
    code = code.replace("    visit = Visit(", f"    {needs}\n    visit = Visit(")
    calls = awm_shelter.calls(("add_visit", {"dog_id": 2, "starts_at": "x", "note": "first walk"}))
    scenario = replace(
        MENDED,
        code=code,
        verifiers={0: {"code": INSISTING}},
        solutions={0: Solution(calls, None)},
        tasks=("Walk Rex.",),
    )
    with App(code, base, name="shelter") as walking:
        assert search(scenario, base, walking, tables, rows, judge, images).goal(0) is None


ADOPT = """
@app.post("/adopted", operation_id="adopt")
async def adopt(body: DogIn):
    session = SessionLocal()
    session.add(Dog(kennel_id=body.kennel_id, name=body.name))
    session.commit()
    session.add(Badge(code="B-1"))
    session.commit()
    session.close()


if __name__"""


def test_rows_are_taken_away_one_after_the_other(base, tables, rows, judge, images, monkeypatch):
    code = MENDED.code.replace("if __name__", ADOPT)
    calls = awm_shelter.calls(("adopt", {"kennel_id": 2, "name": "Rex"}))
    verifier = awm_shelter.NEW_DOG.replace("dogs WHERE name = 'Rex'", "dogs WHERE name = 'Rex' AND EXISTS "
        "(SELECT * FROM badges WHERE code = 'B-1' AND dog_id IS NULL)")  # fmt: skip
    scenario = replace(MENDED, code=code, verifiers={0: {"code": verifier}}, solutions={0: Solution(calls, None)})
    with App(code, base, name="shelter") as adopting:
        seeking = search(scenario, base, adopting, tables, rows, judge, images)
        assert seeking.goal(0).rows == (("dogs", (2,)), ("badges", ("B-1",)), ("visits", (1,)))
        monkeypatch.setattr(goals, "MAX_ROUNDS", 1)
        assert seeking.goal(0) is None


def test_a_verifier_that_crashes_without_the_rows_proves_nothing(found):
    raising = awm_shelter.NOTED.replace("count(*)", "id").replace("== 1", "> 0")
    assert replace(found, scenario=replace(MENDED, verifiers={1: {"code": raising}})).goal(1) is None


ERROR = """(sqlite3.IntegrityError) UNIQUE constraint failed: {columns}
[SQL: INSERT INTO dogs (kennel_id, name) VALUES (?, ?)]
[parameters: {parameters}]
(Background on this error)"""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ERROR.format(columns="dogs.name", parameters="(2, 'Rex')"), [("dogs", (2,))]),
        (ERROR.format(columns="dogs.kennel_id, dogs.name", parameters="(2, 'Rex')"), [("dogs", (2,))]),
        (ERROR.format(columns="dogs.name", parameters="(2, 'Bob')"), []),
        (ERROR.format(columns="dogs.id", parameters="(2, 'Rex')"), []),
        (ERROR.format(columns="dogs.name", parameters="(2, 'R ... (9 characters truncated) ... x')"), []),
        (ERROR.format(columns="dogs.name", parameters="(2, f('x'))"), []),
        (ERROR.format(columns="dogs.name", parameters="(2, ['Rex'])"), []),
        (ERROR.format(columns="dogs.name", parameters="('Rex',)"), []),
        ("CHECK constraint failed: " + json.dumps("x"), []),
    ],
)
def test_rows_in_the_way_are_read_from_errors(found, error, expected):
    assert found._conflicting(Run((), (), (error, error), b"")) == expected
