"""Scenarios mended: what is done, what is not and why, and folders of them."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import awm_kennel
import awm_shelter
import pytest
from awm_data_folder import solution_line, write_folder

from awm_gym import cli
from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.audit.naming import Place
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.images import EditRefused, Images
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import Solution, Source, TableRows, TableSchema
from awm_gym.formats.awm.repair import answers, folder, frames, lines, report
from awm_gym.formats.awm.repair import scenario as steps
from awm_gym.formats.awm.repair.answers import rows_named
from awm_gym.formats.awm.repair.folder import repair_all
from awm_gym.formats.awm.repair.scenario import repair_scenario
from awm_gym.formats.awm.repair.values import Action, Repair, TaskRepair
from awm_gym.sandbox.protection import UNSANDBOXED
from awm_gym.sandbox.worker import trial

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "awm_samples"
SOLUTIONS = Path(__file__).with_name("awm_sample_solutions.jsonl")
pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

ALL_CANNED = ("none", "empty", "done", "no", "nothing_found", "zero", "completed")


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def shelter():
    return repair_scenario(awm_shelter.scenario())


def done(repaired, kind):
    return {action.place: action.words for action in repaired.repair.actions if action.kind == kind}


def test_everything_that_is_wrong_with_the_shelter_is_mended(shelter):
    assert {action.kind for action in shelter.repair.actions} == {
        "quotes", "route", "moments", "case", "goal", "conflicts", "keys", "atomic", "ghosts", "frame"
    }  # fmt: skip
    assert set(done(shelter, "route")) == {"get_dog_2", "add_puppy"}
    assert set(done(shelter, "moments")) == {"application", "dogs.arrived_at"}
    assert done(shelter, "case") == {"kennels.region": "'NA-EAST' is 'NA-East' now"}
    assert done(shelter, "goal") == {
        "task 0": "rows that are its goal already, or in its way, are gone: dogs 2; visits 1",
        "task 1": "rows that are its goal already, or in its way, are gone: visits 3",
    }
    assert done(shelter, "ghosts") == {
        "add_dog": "answers 404 if there is no row for: kennel_id (kennels.id)",
        "add_puppy": "answers 404 if there is no row for: kennel_id (kennels.id)",
        "add_visit": "answers 404 if there is no row for: dog_id (dogs.id)",
        "get_dog": "answers 404 if there is no row for: dog_id (dogs.id)",
        "make_badge": "answers 404 if there is no row for: dog_id (dogs.id)",
        "walk_dogs": "answers 404 if there is no row for: dog_ids (dogs.id)",
    }
    assert set(done(shelter, "frame")) == {"task 0", "task 2", "task 3"}
    assert shelter.repair.done == shelter.repair.actions


def test_what_became_of_each_task_is_said(shelter):
    assert shelter.repair.tasks == (
        TaskRepair(number=0, solution_before="unpaid", solution_after="paid", framed=True),
        TaskRepair(number=1, untouched_before=ALL_CANNED),
        TaskRepair(number=2, solution_before="unpaid", solution_after="paid", framed=True),
        TaskRepair(number=3, solution_before="paid", solution_after="paid", framed=True),
        TaskRepair(number=4, doubt="its verifier comes to no verdict"),
        TaskRepair(number=5, doubt="it has no verifier of the kind code"),
    )


def test_the_mended_application_answers_what_cannot_be_done(shelter):
    base = build(shelter.scenario)
    assert (base.lost_inserts, base.fk_violations) == ((), 0)
    calls = {
        ("get_dog", ("dog_id", 9)): 404,
        ("get_dog", ("dog_id", 1)): 200,
        ("get_dog_2",): 200,
        ("list_eastern_kennels",): 200,
        ("add_dog", ("kennel_id", 1), ("name", "Bo")): 409,
        ("add_dog", ("kennel_id", 7), ("name", "Fay")): 404,
        ("add_puppy", ("kennel_id", 1), ("name", "Pip")): 200,
        ("add_visit", ("dog_id", 1), ("starts_at", "2025-04-01T10:00:00Z")): 200,
        ("add_visit", ("dog_id", 1), ("starts_at", "soon")): 422,
        ("make_badge", ("code", "B-1")): 409,
        ("make_badge", ("code", "B-3")): 200,
        ("make_badge", ("code", "B-3"), ("dog_id", 9)): 404,
        ("walk_dogs", ("dog_ids", (1, 3))): 200,
        ("walk_dogs", ("dog_ids", (1, 9))): 404,
        ("decode", ("text", "a")): 422,
    }
    with App(shelter.scenario.code, base, name="shelter") as app, Images() as images:
        assert not app.collisions
        assert app.initial == base.image
        for (name, *arguments), status in calls.items():
            with app.reset() as episode:
                answer = episode.call(name, {key: list(v) if isinstance(v, tuple) else v for key, v in arguments})
                assert answer.status == status, (name, arguments, answer)
                if status >= 400:
                    assert images.changed(app.initial, episode.image()) == {}
        with app.reset() as episode:
            assert episode.call("list_eastern_kennels", {}).text == '["North"]'
            episode.call("add_visit", {"dog_id": 1, "starts_at": "2025-04-01T10:00:00Z"})
            times = images.values(episode.image(), "visits", "starts_at")
        assert times == ["2025-03-05 10:00:00", "2025-04-01 10:00:00"]


def test_the_mended_verifiers_refuse_collateral_damage(shelter):
    scenario, base = shelter.scenario, build(shelter.scenario)
    solution = scenario.solutions[0]
    with App(scenario.code, base, name="shelter") as app, Judge() as judge, Images() as images:
        with app.reset() as episode:
            for call in solution.calls:
                episode.call(*call)
            final = episode.image()
        edits = {
            "nothing": ("UPDATE dogs SET name = name", 1.0),
            "another row of a table that the solution adds to": ("UPDATE dogs SET name = 'Boo' WHERE id = 1", 0.0),
            "a row of another table": ("DELETE FROM kennels WHERE id = 1", 0.0),
            "a new row of another table": ("INSERT INTO badges VALUES ('B-7', 1)", 0.0),
        }
        for what, (sql, reward) in edits.items():
            spoilt = images.edited(final, [(sql, [])])
            code = scenario.verifiers[0]["code"]
            assert judge.reward(code, app.initial, spoilt, solution.answer, now=base.now) == reward, what


def test_what_is_mended_needs_no_mending(shelter):
    again = repair_scenario(shelter.scenario)
    assert again.scenario == shelter.scenario
    assert again.repair.actions == ()


def test_a_scenario_that_does_not_run_is_left_whole():
    for broken in (awm_shelter.scenario(ddl=()), awm_shelter.scenario(code="x = 1")):
        repaired = repair_scenario(broken)
        assert repaired.scenario == broken
        assert repaired.repair.error.startswith("shelter: ")
        assert repaired.repair.tasks == ()


def test_a_scenario_whose_application_breaks_is_left_whole(monkeypatch):
    def broken(*_):
        raise EnvironmentFault("it broke")

    monkeypatch.setattr(steps, "standing", broken)
    assert repair_scenario(awm_shelter.scenario()).repair == Repair(name="shelter", error="it broke")


def quiet(**changes):
    """The shelter without tasks."""
    return awm_shelter.scenario(**{"tasks": (), "verifiers": {}, "solutions": {}, **changes})


def test_what_would_do_harm_is_left_and_said():
    rows = (
        *awm_shelter.ROWS[:1],
        TableRows(table_name="rest", insert_statements=awm_shelter.ROWS[1].insert_statements),
        TableRows(
            table_name="visits", insert_statements=("INSERT INTO visits VALUES (1, 1, NULL, 'x')", "INSERT INTO")
        ),
    )
    code = awm_shelter.CODE.replace(
        "class Kennel(Base)", 'assert DateTime.__name__ == "DateTime"\n\n\nclass Kennel(Base)'
    )
    code = code.replace('    return {"puppy"', '    both = SessionLocal(), SessionLocal()\n    return {"puppy"')
    code = code.replace('@app.post("/dogs", operation_id="add_puppy")', '@app.post(PATH, operation_id="add_puppy")')
    code = code.replace("app = FastAPI()", 'app = FastAPI()\nPATH = "/dogs"')
    repaired = repair_scenario(quiet(inserts=rows, code=code))
    left = [(action.place, action.words) for action in repaired.repair.actions if action.kind == "left"]
    assert left == [
        ("visits", "1 statements are lost (sql); the first: incomplete input"),
        ("add_puppy", "add_dog takes its requests, and no path would be its own"),
        ("application", "moments: shelter: the application does not start: AssertionError: "),
    ]
    assert not done(repaired, "atomic")
    assert done(repaired, "keys")
    assert set(done(repaired, "route")) == {"get_dog_2"}


def test_values_whose_table_no_statement_fills_stay():
    statements = tuple(sql for table in awm_shelter.ROWS[:2] for sql in table.insert_statements)
    rows = (TableRows(table_name="all", insert_statements=statements),)
    repaired = repair_scenario(quiet(inserts=rows))
    assert not done(repaired, "case")
    assert repaired.scenario.inserts == rows


def test_keys_that_refer_to_no_key_are_not_enforced():
    odd = TableSchema(
        name="toys", ddl="CREATE TABLE toys (id INTEGER PRIMARY KEY, dog TEXT REFERENCES dogs (arrived_at))"
    )
    repaired = repair_scenario(quiet(ddl=(*awm_shelter.TABLES, odd)))
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [
        "moments: 1 more statements would be lost",  # such a key makes every change of its table an error
        "keys: toys refers to dogs (arrived_at), which is no key",
    ]
    with steps._Workshop(quiet()) as workshop:
        workshop._now = replace(workshop._now, base=replace(workshop._now.base, fk_violations=2))
        workshop._answers()
    assert workshop._actions[-1].words == "keys: 2 rows of the data refer to rows that are not there"
    assert "keys" not in [action.kind for action in workshop._actions]


GHOSTLY = """
import sqlite3

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    sql = "SELECT count(*) FROM visits WHERE dog_id = 42"
    return {"result": "complete" if sqlite3.connect(final_db_path).execute(sql).fetchone()[0] else "others"}
"""


def ghostly(code=awm_shelter.CODE):
    """A task whose known solution is paid for a visit of a dog that is not there."""
    code = code.replace("starts_at=body.starts_at, ", "")
    calls = awm_shelter.calls(("add_visit", {"dog_id": 42, "starts_at": "x"}))
    return quiet(
        tasks=("Visit 42.",), verifiers={0: {"code": GHOSTLY}}, solutions={0: Solution(calls, None)}, code=code
    )


def test_checks_that_a_known_solution_does_not_pass_are_left_out(monkeypatch):
    unpaid = "conflicts: the known solution of task 0 would not be paid"
    repaired = repair_scenario(ghostly())
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [unpaid]
    assert "add_visit" not in done(repaired, "ghosts")
    assert "get_dog" in done(repaired, "ghosts")
    assert not done(repaired, "keys")
    assert done(repaired, "atomic")
    assert repaired.repair.tasks[0].solution_after == "paid"
    monkeypatch.setattr(steps, "_ROUNDS", 1)
    repaired = repair_scenario(ghostly())
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [unpaid]
    assert not done(repaired, "ghosts")


def test_an_application_that_bears_no_answers_is_left():
    code = awm_shelter.CODE.replace(
        "@app.get(",
        '@app.on_event("startup")\nasync def check():\n    assert len(app.exception_handlers) < 4\n\n\n@app.get(',
        1,
    )
    solved = {"verifiers": {0: {"code": awm_shelter.ANSWERED}}, "solutions": {0: awm_shelter.SOLUTIONS[3]}}
    repaired = repair_scenario(quiet(code=code, **solved))
    left = [action.words for action in repaired.repair.actions if action.kind == "left"]
    assert left == ["conflicts: shelter: the application does not start: AssertionError: "]
    assert not done(repaired, "conflicts")


def test_an_application_of_another_structure_is_left():
    odd = awm_shelter.CODE.replace("app = FastAPI()", "app = FastAPI()\rlone = 1")
    repaired = repair_scenario(quiet(code=odd))
    assert repaired.scenario.code == odd
    left = [action.words for action in repaired.repair.actions if action.kind == "left"]
    assert left[-1] == "conflicts: its parts are not where they usually are"


@pytest.mark.parametrize("error", [EnvironmentFault("it broke"), EditRefused("it broke")])
def test_a_step_that_fails_costs_only_itself(monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(steps.data, "moments", broken)
    repaired = repair_scenario(quiet())
    assert [(a.place, a.words) for a in repaired.repair.actions if a.kind == "left"] == [("application", "it broke")]
    assert done(repaired, "keys")


NAMED = """
import sqlite3

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    sql = "SELECT count(*) FROM {table} WHERE {what}"
    return {{"result": "complete" if sqlite3.connect(final_db_path).execute(sql).fetchone()[0] == 1 else "others"}}
"""
ADA = NAMED.format(table="dogs", what="name = 'Adamina'")
FAY = NAMED.format(table="visits", what="dog_id = (SELECT id FROM dogs WHERE name = 'Fay') AND note = 'hello'")
BELL = NAMED.format(table="kennels", what="name = 'Bell House'")
FAYS_VISIT = Solution(
    awm_shelter.calls(
        ("add_dog", {"kennel_id": 1, "name": "Fay"}),
        ("add_visit", {"dog_id": 4, "starts_at": "2025-04-01T10:00:00", "note": "hello"}),
    ),
    None,
)


def crowded(**changes):
    """Goals in the data: one that can go, with which ids change; and one whose statement makes other rows, too."""
    kennels = TableRows(
        table_name="kennels",
        insert_statements=("INSERT INTO kennels VALUES (1, 'North', 'a'), (2, 'South', 'b'), (3, 'Bell House', 'c');",),
    )
    dogs = awm_shelter.ROWS[1].insert_statements
    ada = TableRows(table_name="dogs", insert_statements=(*dogs[:2], dogs[2].replace("Ada", "Adamina")))
    parts = {
        "inserts": (kennels, ada),
        "tasks": ("Build the Bell House.", "Add the dog Adamina.", "Add Fay, and say hello to her."),
        "verifiers": {0: {"code": BELL}, 1: {"code": ADA}, 2: {"code": FAY}},
        "solutions": {2: FAYS_VISIT},
    }
    return quiet(**{**parts, **changes})


def test_ids_in_other_solutions_follow_the_rows_that_are_gone():
    unsolved = {"verifiers": {**crowded().verifiers, 3: {"code": BELL.replace("== 1", "== 7")}}}
    repaired = repair_scenario(crowded(**unsolved, solutions={2: FAYS_VISIT, 3: Solution((), None)}))
    assert done(repaired, "goal") == {"task 1": "rows that are its goal already, or in its way, are gone: dogs 3"}
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [
        "goal: its rows (kennels 3) come from statements that make others, too"
    ]
    assert [call.arguments.get("dog_id") for call in repaired.scenario.solutions[2].calls] == [None, 3]
    assert repaired.repair.tasks[2].solution_after == "paid"
    assert repaired.repair.tasks[0].doubt.startswith("doing nothing is paid, with the answers: none, ")


def test_a_goal_without_which_another_task_fails_stays(monkeypatch):
    def broken(*_):
        raise EnvironmentFault("it broke")

    monkeypatch.setattr(steps, "retold", broken)
    repaired = repair_scenario(crowded(verifiers={1: {"code": ADA}, 2: {"code": FAY}}))
    assert done(repaired, "goal") == {}
    left = "goal: it is there already (dogs 3), but without that the known solution of task 2 would not be paid"
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [left]


KENNEL = """
@app.get("/kennels/{number}", operation_id="see_kennel")
async def see_kennel(number: int):
    session = SessionLocal()
    found = session.query(Kennel).filter(Kennel.id == number).count()
    session.close()
    if not found:
        raise HTTPException(404, "no such kennel")


if __name__"""


def test_a_goal_without_which_examples_are_refused_stays():
    bell = "INSERT INTO kennels VALUES (3, 'Bell House', 'c');"
    kennels = TableRows(table_name="kennels", insert_statements=(*awm_shelter.ROWS[0].insert_statements, bell))
    code = awm_shelter.CODE.replace("if __name__", KENNEL).replace("import Body,", "import Body, HTTPException,")
    example = awm_shelter.endpoint("see_kennel", "get", "/kennels/{number}", number=3)
    parts = {"inserts": (kennels,), "code": code, "endpoints": (example,), "verifiers": {0: {"code": BELL}}}
    repaired = repair_scenario(crowded(**parts, solutions={}))
    left = "goal: it is there already (kennels 3), but without that see_kennel would not answer its examples"
    assert [a.words for a in repaired.repair.actions if a.kind == "left"] == [left]


def test_rows_that_are_no_goal_stay():
    with steps._Workshop(awm_shelter.scenario(solutions={})) as workshop, Images() as images:
        workshop._quotes()
        now = workshop._now
        rows = steps.Rows(now.base.image, now.tables, images)
        names = steps.Names(now.tables)
        assert not workshop._take_out(1, steps.Goal((("visits", (1,)),), None), rows, names)
        assert not workshop._take_out(1, steps.Goal((("visits", (1,)),), None), rows, names)
        assert [a.words for a in workshop._actions if a.kind == "left"] == [
            "goal: it is there already (visits 1), but without that it would be no better"
        ]


def test_what_the_data_would_lose_counts(shelter):
    base = build(awm_shelter.scenario())
    whole = build(shelter.scenario)
    assert steps._lost(base, whole) == ""
    assert steps._lost(whole, base) == "1 more statements would be lost"
    dangling = replace(whole, fk_violations=2)
    assert steps._lost(whole, dangling) == "2 more rows would refer to rows that are not there"


@pytest.mark.parametrize("rows", [0, frames.MAX_ROWS])
def test_a_frame_that_its_solution_breaks_is_left_off(monkeypatch, rows):
    monkeypatch.setattr(frames, "MAX_ROWS", rows)
    monkeypatch.setattr(frames, "framed", lambda *_: awm_shelter.CRASHING)
    repaired = repair_scenario(
        quiet(
            tasks=("Visit.",),
            verifiers={0: {"code": NAMED.format(table="log", what="words = 'adding Fay'")}},
            solutions={0: Solution(FAYS_VISIT.calls[:1], None)},
        )
    )
    assert [(a.place, a.words) for a in repaired.repair.actions if a.kind == "left"] == [
        ("task 0", "frame: the known solution would not be paid")
    ]
    assert not repaired.repair.tasks[0].framed


def test_a_task_whose_known_solution_fails_is_doubted():
    scenario = quiet(tasks=("Visit.",), verifiers={0: {"code": BELL}}, solutions={0: FAYS_VISIT, 7: FAYS_VISIT})
    (task,) = repair_scenario(scenario).repair.tasks
    assert (task.solution_after, task.doubt) == ("unpaid", "the known solution is not paid")


NAMING = """
@app.put("/kennels", operation_id="put_kennel")
async def put_kennel(kennel_id: int, region: Optional[str] = None):
    session = SessionLocal()
    session.merge(Kennel(id=kennel_id, name=f"Kennel {kennel_id}"))
    session.commit()
    session.close()


class Bowl(BaseModel):
    dog_id: int
    id: Optional[int] = None
    sizes: Dict[str, int] = {}


@app.post("/bowls", operation_id="fill_bowls")
async def fill_bowls(bowls: List[Bowl], kennel_id: Optional[str] = None):
    return len(bowls)


@app.get("/leave", operation_id="leave")
async def leave(dog_id: int):
    os._exit(3)


@app.get("/badges/{code}", operation_id="see_badge")
async def see_badge(code: str):
    return code


if __name__"""


def test_arguments_that_name_rows_are_found_and_those_that_make_them_are_not():
    code = awm_shelter.CODE.replace("if __name__", NAMING).replace("import List,", "import Dict, List,")
    scenario = quiet(code=code)
    base = build(scenario)
    with App(code, base, name="shelter") as app, Images() as images:
        found = rows_named(scenario, app, images.schema(base.image), images)
    assert found["add_dog"] == {"kennel_id": Place("kennels", "id")}
    assert found["fill_bowls"] == {"dog_id": Place("dogs", "id")}
    assert found["see_badge"] == {"code": Place("badges", "code")}
    assert not {"put_kennel", "leave", "list_eastern_kennels"} & set(found)


def test_schemas_of_arguments_may_be_anything():
    hostile = {"properties": {"a": True, "b": {"type": ["x"], "items": 3, "anyOf": {"type": "integer"}}, "c": {}}}
    assert [name for name, _ in answers._arguments(hostile)] == ["b", "c"]
    assert list(answers._arguments({"properties": [], "allOf": [1, {"properties": {"d": {}}}]})) == [("d", {})]


# Folders --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The shelter, the kennel, and a scenario that is malformed."""
    kennel = replace(awm_kennel.scenario(), solutions={})
    path = write_folder(tmp_path_factory.mktemp("data"), [awm_shelter.scenario(), kennel])
    spec = path / files.SPECS
    rows = [json.loads(line) for line in spec.read_text("utf-8").splitlines()]
    for row in rows:
        row["reasoning"] = "None."
        row["api_spec"]["api_groups"].append({"group_name": "none", "endpoints": None})
    spec.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    sample = path / files.ROWS
    rows = [json.loads(line) | {"inserts_count": 1} for line in sample.read_text("utf-8").splitlines()]
    sample.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with (path / files.TASKS).open("a", encoding="utf-8") as tasks:
        tasks.write('{"scenario": "Odd", "tasks": ""}\n')
    with (path / files.CODE_VERIFIERS).open("a", encoding="utf-8") as verifiers:
        verifiers.write('{"scenario": "Shelter", "task_idx": 9, "verification": {"code": ""}}\n')
    return path


@pytest.fixture(scope="module")
def mended(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("mended") / "deep" / "data"
    return out, list(repair_all(data, out))


def contents(path):
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_a_folder_is_mended_into_another(data, mended, shelter):
    out, repairs = mended
    assert [repair.name for repair in repairs] == ["kennel", "odd", "shelter"]
    assert repairs[2] == shelter.repair
    assert "tasks" in repairs[1].error
    assert set(contents(out)) == {*contents(data), folder.REPAIRS}
    assert [json.loads(line)["name"] for line in (out / folder.REPAIRS).read_text("utf-8").splitlines()] == [
        "kennel",
        "odd",
        "shelter",
    ]
    assert list(out.parent.iterdir()) == [out]
    read = Source(Index.of(out))
    told = read.scenario("shelter")
    assert replace(told, problems=()) == replace(
        shelter.scenario, problems=(), solutions=dict(shelter.scenario.solutions)
    )
    spec = json.loads((out / files.SPECS).read_text("utf-8").splitlines()[1])
    assert spec["reasoning"] == "None."
    rows = json.loads((out / files.ROWS).read_text("utf-8").splitlines()[1])
    assert rows["inserts_count"] == sum(len(table.insert_statements) for table in told.inserts)


def test_lines_that_say_nothing_new_are_the_same_bytes(data, mended):
    out, _ = mended
    before, after = contents(data), contents(out)
    for name in (files.SCENARIOS, files.TASKS, files.DATABASES, files.SQL_VERIFIERS):
        assert sorted(before[name].splitlines()) == sorted(after[name].splitlines())
    same = set(before[files.CODE_VERIFIERS].splitlines()) & set(after[files.CODE_VERIFIERS].splitlines())
    assert len(same) == 4  # the kennel's, two of the shelter's that got no frame, and one that is malformed


def test_a_mended_folder_is_the_same_for_any_number_of_jobs_and_solutions_may_lie_elsewhere(data, mended, tmp_path):
    less = shutil.copytree(data, tmp_path / "less")
    (less / files.SOLUTIONS).rename(tmp_path / "solutions.jsonl")
    out = tmp_path / "out"
    out.mkdir()
    repairs = list(repair_all(less, out, jobs=2, solutions=tmp_path / "solutions.jsonl"))
    assert sorted(repair.name for repair in repairs) == ["kennel", "odd", "shelter"]
    assert contents(out) == contents(mended[0])


def test_other_solutions_go_before_those_of_the_folder(data, tmp_path, monkeypatch):
    seen = {}

    def watched(scenario):
        seen.update(scenario.solutions)
        return steps.Repaired(scenario, Repair(name=scenario.name))

    monkeypatch.setattr(folder, "repair_scenario", watched)
    (tmp_path / "more.jsonl").write_text(solution_line("Shelter", 3, [("walk_dogs", {"dog_ids": [1]})]))
    list(repair_all(data, tmp_path / "out", ["shelter"], solutions=tmp_path / "more.jsonl"))
    assert seen == {**awm_shelter.SOLUTIONS, 3: Solution(awm_shelter.calls(("walk_dogs", {"dog_ids": [1]})), None)}
    told = Source(Index.of(tmp_path / "out")).scenario("shelter")
    assert told.solutions == seen


def test_what_counts_statements_is_changed_only_where_it_is_there(tmp_path, shelter):
    before = awm_shelter.scenario()
    index = Index.of(write_folder(tmp_path, [before]))
    told = lines.rewritten(lines.raw(index, index.entry("shelter")), before, shelter.scenario)
    (row,) = map(json.loads, told[files.ROWS])
    assert set(row) == {"scenario", "sample_data"}
    assert row["sample_data"]["tables"][3]["insert_statements"] == list(awm_shelter.ROWS[3].insert_statements)


def test_a_repair_goes_on_where_it_was_interrupted(data, tmp_path, monkeypatch):
    out = tmp_path / "out"
    work = repair_all(data, out, ["Kennel", "Shelter"])
    assert next(work).name == "kennel"
    work.close()
    assert not out.exists()
    seen = []

    def watched(scenario):
        seen.append(scenario.name)
        return repair_scenario(scenario)

    monkeypatch.setattr(folder, "repair_scenario", watched)
    assert len(list(repair_all(data, out, ["kennel", "shelter"]))) == 2
    assert seen == ["shelter"]
    assert files.SOLUTIONS in contents(out)


def test_what_was_kept_of_other_data_is_done_again(data, tmp_path, monkeypatch):
    done = tmp_path / ".out.repair"
    done.mkdir()
    seen = []

    def watched(scenario):
        seen.append(scenario.name)
        return steps.Repaired(scenario, Repair(name=scenario.name))

    monkeypatch.setattr(folder, "repair_scenario", watched)
    list(repair_all(data, tmp_path / "other", ["kennel"]))
    for kept in ("{}", '{"key": "other", "lines": {}, "repair": {"name": "kennel"}}'):
        (done / "kennel.json").write_text(kept)
        list(repair_all(data, tmp_path / "out", ["kennel"]))
        shutil.rmtree(tmp_path / "out")
        done.mkdir()
    assert seen == ["kennel"] * 3


def test_an_existing_folder_is_never_overwritten(data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "mine.txt"):
        with pytest.raises(UsageError, match="is there already, and is not overwritten"):
            next(repair_all(data, out))
    with pytest.raises(UsageError, match=r"out.* cannot be written: Not a directory"):
        next(repair_all(data, tmp_path / "out" / "mine.txt" / "out"))
    with pytest.raises(UsageError, match="There is no scenario 'shelf' in"):
        next(repair_all(data, tmp_path / "new", ["shelf"]))


# The command ----------------------------------------------------------------------------------------------------------


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["awm-gym", "awm", "repair", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


def test_the_command_mends_and_tells(data, mended, tmp_path, capsys, monkeypatch):
    code, out, err = run(capsys, monkeypatch, data, "--out", tmp_path / "out", "--jobs", 1)
    assert (code, err) == (0, "")
    told = " ".join(out.split())
    for words in (
        "scenarios 3",
        "of them, scenarios that cannot be repaired 1",
        "tasks that pay for doing nothing, before and after 1, 0",
        "known solutions that are paid, before and after 1, 3",
        "shelter, task 4: its verifier comes to no verdict",
        "what was done stands in its repairs.jsonl",
    ):
        assert words in told
    assert contents(tmp_path / "out") == contents(mended[0])
    code, out, err = run(capsys, monkeypatch, data, "--out", tmp_path / "out")
    assert (code, out) == (1, "") or code == 2
    assert err.count("\n") == 1
    assert "is there already" in err


def test_the_command_tells_programs(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(UNSANDBOXED, "")
    asked = ["--scenario", "kennel", "--json", "--jobs", 1, "--allow-unsandboxed"]
    code, out, _ = run(capsys, monkeypatch, data, "--out", tmp_path / "out", *asked)
    (told,) = json.loads(out)
    assert (code, told["name"], told["error"]) == (0, "kennel", "")
    assert os.environ[UNSANDBOXED] == "1"


def test_what_was_found_is_counted_and_told():
    left = Action(kind="left", place="task 1", words="why")
    task = TaskRepair(number=1, untouched_before=("done",), untouched_after=("done",), doubt="it lies")
    repairs = [Repair(name="a", error="it is broken"), Repair(name="b", actions=(left,), tasks=(task,))]
    figures = {figure.words: figure.value for figure in report.figures(repairs)}
    assert figures["tasks that pay for doing nothing, before and after"] == "1, 1"
    assert figures["things that were found and left as they are"] == "1"
    assert figures["tasks that still cannot be trusted"] == "1"
    assert list(report.words(repairs)) == ["a: it is broken", "b, task 1: why", "b, task 1: it lies"]
    assert repairs[1].done == ()


# Real data ------------------------------------------------------------------------------------------------------------

DOCUSIGN = "docusign_e_signature_agreement_workflow"
PAID = {  # before, and after
    DOCUSIGN: ([], [2, 6, 7, 8]),
    "etsy_digital_downloads": ([0, 2, 7, 8, 9], [0, 1, 2, 3, 4, 5, 7, 8, 9]),
    "gofundme": ([1, 2, 3, 8], [1, 2, 3, 5, 8, 9]),
    "rover": ([0, 3, 4, 6, 7, 9], [0, 3, 4, 5, 6, 7, 9]),
}


SLOW = ("etsy_digital_downloads", DOCUSIGN)  # half a minute


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of AgentWorldModel data are not here")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PAID])
def test_more_tasks_of_a_sample_are_solved_and_nothing_is_paid_for_nothing(tmp_path, name):
    [repair] = repair_all(SAMPLES, tmp_path / "out", [name], solutions=SOLUTIONS)
    before, after = PAID[name]
    assert [task.number for task in repair.tasks if task.solution_before == "paid"] == before
    assert [task.number for task in repair.tasks if task.solution_after == "paid"] == after
    assert [task.number for task in repair.tasks if task.framed] == after
    assert [task.number for task in repair.tasks if task.untouched_before] == ([9] if name == DOCUSIGN else [])
    assert not any(task.untouched_after for task in repair.tasks)
    assert len(repair.tasks) == 10
    mended = Source(Index.of(tmp_path / "out")).scenario(name)
    assert not build(mended).lost_inserts
    again = repair_scenario(mended)
    assert (again.scenario, again.repair.done) == (mended, ())
