"""Blueprints: the same bytes from the same seed, words that mean one thing, tasks that are proved, and clear errors."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from blueprints import bike_hire

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.engine import MAX_SEED, generate
from awm_gym.blueprints.folder import Blueprint
from awm_gym.blueprints.phrases import Voice
from awm_gym.blueprints.things import Scene
from awm_gym.blueprints.trial import Trial
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.gates import certify
from awm_gym.sql import statements
from awm_gym.verify import verify
from awm_gym.world import World

SEEDS = range(8)


@pytest.fixture(scope="module")
def blueprint(tmp_path_factory):
    return bike_hire(tmp_path_factory.mktemp("blueprints"))


@pytest.fixture(scope="module")
def made(blueprint):
    return {seed: generate(blueprint, seed) for seed in SEEDS}


def test_the_readmes_blueprint_has_nothing_to_mend_and_everything_in_it_occurs(blueprint):
    trial = Trial(blueprint)
    for seed in range(50):
        trial.add(seed)
    assert trial.passed, "\n".join(trial.told())
    assert trial.unseen == []
    assert set(trial.flavours) == {"city", "mountain"}
    assert len(trial.shapes) >= 18


def test_every_gate_passes_on_what_it_makes(made):
    for seed in (0, 1, 2):
        certificate = certify(made[seed].scenario)
        assert {gate: found for gate, found in certificate.findings.items() if found} == {}


def test_the_same_seed_gives_the_same_bytes_in_any_order_and_any_process(blueprint, made):
    again = {seed: generate(blueprint, seed).scenario.fingerprint for seed in reversed(SEEDS)}
    assert again == {seed: one.scenario.fingerprint for seed, one in made.items()}
    assert len(set(again.values())) == len(SEEDS)
    program = (
        "import sys; from awm_gym.blueprints.engine import generate; from awm_gym.blueprints.folder import Blueprint;"
        "print(generate(Blueprint(sys.argv[1]), 3).scenario.fingerprint)"
    )
    for hash_seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", program, str(blueprint.folder)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()
        assert told == again[3]


def test_editing_a_group_does_not_move_the_rows_of_the_others(tmp_path, made):
    edited = bike_hire(tmp_path, longer=("tables.toml", "rows = [16, 22]", "rows = [17, 24]"))

    def rows(scenario):
        return {st.text.split('"')[1]: st.text for st in statements(scenario.data)}

    before, after = rows(made[0].scenario), rows(generate(edited, 0).scenario)
    assert before["hire"] != after["hire"]
    assert all(before[table] == after[table] for table in ("clerk", "rider", "bike"))


def test_a_stream_draws_alike_for_alike_keys_and_forks_are_apart():
    one, other = Stream("a", 1), Stream("a", 1)
    assert [one.below(100) for _ in range(20)] == [other.below(100) for _ in range(20)]
    assert [one.fork("x").below(10**6)] == [other.fork("x").below(10**6)]
    assert Stream("a", 1).fork("x").below(10**9) != Stream("a", 1).fork("y").below(10**9)
    assert sorted(Stream("b").shuffled(range(50))) == list(range(50))
    assert {Stream("c", n).between(2, 4) for n in range(60)} == {2, 3, 4}
    counts = Counter(Stream("d", n).weighted("ab", [9, 1]) for n in range(400))
    assert counts["a"] > 300
    assert Stream("e").weighted("ab", [0.0, 0.0]) == "b"
    low = sum(Stream("f", n).skewed(100, 3) < 30 for n in range(300))
    assert low > 150


def test_the_clock_keeps_to_its_hours_and_days(made):
    for one in made.values():
        now = one.scenario.now
        assert now.weekday() < 5
        assert 9 * 60 <= now.hour * 60 + now.minute <= 17 * 60
        assert now.minute % 5 == 0


def test_a_phrase_means_one_thing_and_no_two_things_have_one_phrase(blueprint, made):
    for seed, one in made.items():
        world = World(one.scenario)
        scene = Scene(blueprint.grammar(one.flavour), world)
        for entity in ("bike", "hire"):
            things = scene.things(entity)
            told = {}
            for place, row in enumerate(things.rows):
                for draw in range(4):
                    phrase = things.described(row["id"], Stream(seed, draw))
                    if phrase is None:
                        continue
                    assert phrase.ids == (row["id"],)
                    scope = things.scope(place)
                    text = (phrase.one(Voice()), scope)
                    assert told.setdefault(text, row["id"]) == row["id"], f"{text} means two"
        world.close()


def test_superlatives_and_sets_mean_what_sql_says(blueprint, made):
    ranked = sets = 0
    for seed, one in made.items():
        world = World(one.scenario)
        scene = Scene(blueprint.grammar(one.flavour), world)
        things = scene.things("bike")
        for phrase in list(things.superlatives(things.every, ["cheapest", "dearest"], 1, Stream(seed)))[:6]:
            condition = {"ready": "status = 'ready'", "broken": "status = 'repair'"}
            where = " AND ".join(condition[word] for word in phrase.before) or "TRUE"
            best = "min" if phrase.rank == "cheapest" else "max"
            fee = world.query(f"SELECT {best}(daily_fee) FROM bike_now WHERE {where}")[0][0]
            winners = world.query(f"SELECT id FROM bike_now WHERE daily_fee = {fee} AND {where}")
            assert winners == [phrase.ids], "a superlative has one winner"
            ranked += 1
        for phrase in list(things.sets(things.every, (2, 6), Stream(seed)))[:8]:
            words = phrase.all(Voice())
            limit = re.search(r"less than £(\d+)(?:\.(\d\d))? a day", words)
            most = int(limit[1]) * 100 + int(limit[2] or 0) if limit else 10**9
            status = "repair" if "broken" in words else "ready"
            expected = world.query(
                f"SELECT id FROM bike_now WHERE status = '{status}' AND daily_fee < {most} ORDER BY id"
            )
            assert [(id,) for id in sorted(phrase.ids)] == expected
            sets += 1
        world.close()
    assert ranked > 10
    assert sets > 5


def test_a_tie_is_never_a_superlative(tmp_path):
    alike = bike_hire(tmp_path, fee=("tables.toml", "daily_fee = { int = [900, 2600], step = 50 }", "daily_fee = 1500"))
    for seed in SEEDS:
        shapes = generate(alike, seed).shapes.values()
        assert not [shape for shape in shapes if "cheapest" in shape or "dearest" in shape]


def test_solutions_pass_traps_fail_and_what_is_told_is_so(made):
    for one in made.values():
        world = World(one.scenario)
        for task in one.scenario.tasks.values():
            lifted = task.infeasible.lifted_by if task.infeasible else None
            judged = task.model_copy(update={"infeasible": None})
            for name, calls in [("solution", task.solution), *task.near_misses.items()]:
                world.start_from(lifted)
                answers = [call.arguments.get("answer") for call in calls if call.name == "submit"]
                errors = [world.call(call).kind for call in calls if call.name != "submit"]
                assert set(errors) <= {None}
                assert verify(world, judged, *answers).passed is (name == "solution"), f"{task.name} {name}"
            assert task.near_misses
            assert one.difficulty[task.name].calls == len(task.solution) - 1
        world.close()


def test_each_shape_of_goal_occurs(made):
    shapes = {shape for one in made.values() for shape in one.shapes.values()}
    for word in ("the", "most", "second", "every", "set", "infeasible", "if overdue", " + "):
        assert any(word in shape for shape in shapes), word
    texts = [task.instruction for one in made.values() for task in one.scenario.tasks.values()]
    assert any("each of" in text or "every" in text for text in texts)
    assert any(re.search(r"\b(then|Then|After that|Once).*their hire", text) for text in texts)
    assert any(re.search(r"(here|speaking|is \w+ \w+|line)\. .*\bmy\b", text) for text in texts)


def test_what_cannot_be_done_is_marked_so(made):
    infeasible = [
        (one.scenario, task)
        for one in made.values()
        for task in one.scenario.tasks.values()
        if task.infeasible is not None
    ]
    assert len(infeasible) >= 4
    for scenario, task in infeasible:
        world = World(scenario)
        world.reset(task.name)
        assert any(world.call(call).kind == "refused" for call in task.solution[:-1])
        world.reset(task.name)
        assert verify(world, task, gave_up=True).passed
        world.close()


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("tools.toml", "SELECT 'repair' AS status", "SELECT 'x' AS status WHERE FALSE", "list_bikes: finds no row"),
        ("tools.toml", "SELECT 'repair' AS status", "SELECT 'gone' AS status", "is answered invalid_arguments"),
        ("tables.toml", "rider_id = { ref", "_x = 1, rider_id = { ref", None),
        (
            "tables.toml",
            "[past_hire]\n",
            '[past_hire]\naccept = "FALSE"\ntries = 2\n',
            "past_hire: 1[6-9] rows were never accepted|past_hire: 2[0-2] rows were never accepted",
        ),
        ("invariants.sql", "HAVING count(*) > 1", "HAVING count(*) > 0", "the data break: A bike is never on two"),
    ],
)
def test_a_fault_of_the_blueprint_is_told_and_not_skipped(tmp_path, file, old, new, fault):
    faults = generate(bike_hire(tmp_path, edit=(file, old, new)), 0).faults
    assert (faults == []) if fault is None else any(re.search(fault, found) for found in faults), faults


def test_a_goal_that_its_calls_do_not_reach_makes_no_task(tmp_path):
    lying = bike_hire(tmp_path, holds=("goals.toml", "WHERE id = :it) = date(now())", "WHERE id = :it) > date(now())"))
    made = [generate(lying, seed) for seed in range(4)]
    assert not any("take_back" in goals for one in made for goals in one.goals.values())
    reasons = Counter(reason for one in made for reason in one.rejected)
    assert any("holds is not true after the solution" in reason for reason in reasons)


def test_a_goal_that_is_reached_from_the_start_makes_no_task(tmp_path):
    leaking = bike_hire(tmp_path, holds=("goals.toml", "WHERE id = :it) = :day", "WHERE id = :it) >= '2000-01-01'"))
    made = [generate(leaking, seed) for seed in range(4)]
    assert not any("extend" in goals for one in made for goals in one.goals.values())
    assert any("reached from the start" in reason for one in made for reason in one.rejected)


def test_an_answer_that_can_be_guessed_makes_no_task(tmp_path):
    guessed = bike_hire(
        tmp_path,
        count=(
            "goals.toml",
            'answer = "number"\nexpect = "sum(daily_fee) / 100.0"',
            'answer = "integer"\nexpect = "min(2)"',
        ),
    )
    made = [generate(guessed, seed) for seed in range(3)]
    assert not any("income" in goals for one in made for goals in one.goals.values())
    assert any("can be guessed" in reason for one in made for reason in one.rejected)


def test_an_obstacle_that_stops_nothing_makes_no_task(tmp_path):
    open_door = bike_hire(tmp_path, where=("goals.toml", "where = \"status = 'out'\"", "where = \"status = 'ready'\""))
    made = [generate(open_door, seed) for seed in range(3)]
    assert not any("infeasible" in shape for one in made for shape in one.shapes.values())


def test_a_trap_that_is_right_after_all_is_no_trap(tmp_path):
    right = bike_hire(tmp_path, trap=("goals.toml", 'hire_id = "{it}", damaged = true', 'hire_id = "{it}"'))
    made = [generate(right, seed) for seed in range(3)]
    assert any("damaged" in lost for one in made for lost in one.lost)
    assert not any("damaged" in task.near_misses for one in made for task in one.scenario.tasks.values())


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.5, "3", True, None])
def test_a_seed_is_a_whole_number(blueprint, seed):
    with pytest.raises(UsageError, match="not a whole number from 0"):
        generate(blueprint, seed)


MISTAKES = {
    "a flavour without a word": (
        "blueprint.toml",
        'words = { bike = "bike", bikes = "bikes" }',
        'words = { bike = "bike" }',
        "entities.toml: <<bikes>>: the flavour 'city' has no such word",
    ),
    "an unknown key of an entity": (
        "entities.toml",
        "implied =",
        "impled =",
        r"entities.toml: hire.impled: unknown key. There is no key 'impled'. Did you mean implied",
    ),
    "an unknown key of a goal": ("goals.toml", "holds =", "hold =", "goals.toml: take_back.hold: unknown key"),
    "a goal without words": (
        "goals.toml",
        'do = ["close {it}", "record the return of {it}", ',
        "do = [",
        "fewer than 4 phrasings",
    ),
    "a goal on nothing": ("goals.toml", 'on = "hire"', 'on = "hir"', "There is no entity 'hir'. Did you mean hire"),
    "a call of no tool": ("goals.toml", 'name = "take_back"', 'name = "takeback"', "There is no tool 'takeback'"),
    "a find of no tool": ("entities.toml", '"list_bikes"', '"bikes"', "There is no tool 'bikes'"),
    "a condition without words": (
        "entities.toml",
        ', is = "is overdue" }',
        " }",
        "the adjective 'overdue' needs `is`",
    ),
    "no TOML": ("tables.toml", "[clerk]", "[clerk", "tables.toml: is not valid TOML"),
    "a time that is none": (
        "blueprint.toml",
        '"09:00"',
        '"9 am"',
        "'9 am' is not a time of day; write it as \"08:30\"",
    ),
    "a day that is none": ("blueprint.toml", '"2025-04-01"', '"2025-04-31"', "clock.from"),
    "a refusal that is no query": (
        "tools.toml",
        '"SELECT id AS bike_id, 1500',
        '7, "SELECT id AS bike_id, 1500',
        "is a query",
    ),
    "a goal that writes without holds": (
        "goals.toml",
        'holds = "(SELECT returned_on FROM hire WHERE id = :it) = date(now())"\n',
        "",
        "`holds` is missing",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path, name):
    file, old, new, message = MISTAKES[name]
    with pytest.raises(ScenarioError, match=re.escape(message) if "\\" not in message else message) as caught:
        bike_hire(tmp_path, edit=(file, old, new)).grammar("city")
    assert caught.value.scenario == "bike_hire"


SLIPS = {
    "an unknown generator": (
        "daily_fee = { int = [900, 2600], step = 50 }",
        "daily_fee = { it = [1, 2] }",
        "Did you mean int",
    ),
    "an unknown key of a generator": ("step = 50 }", "steps = 50 }", "There is no key of a generator 'steps' in int"),
    "a vocabulary that runs out": ("rows = 10\nfixed", "rows = 11\nfixed", "models has only 10 items"),
    "no such vocabulary": ('words = "models"', 'words = "model"', "Did you mean models"),
    "no such value": ('returned_on = "{due_on}"', 'returned_on = "{due}"', "There is no value 'due'"),
    "no such table": ('table = "hire"', 'table = "hires"', "There is no table 'hires'. Did you mean hire"),
    "SQL that fails": ("SELECT id FROM rider", "SELECT idd FROM rider", "no such column: idd"),
    "SQL that is not allowed": ("SELECT id FROM rider", "SELECT random() FROM rider", "not authorized"),
    "a missing column": (', email = { email = "name" } }', " }", "NOT NULL constraint failed: rider.email"),
    "more fixed rows than rows": ("rows = 10\nfixed", "rows = 1\nfixed", "2 fixed rows, but makes only 1"),
    "a fixed column of no group": ("{ broken = 1 }, ", "{ brokn = 1 }, ", "Did you mean broken"),
    "a weekday that never comes": (
        "due_on = { day = [-60, -8] }",
        "due_on = { day = [0, 0], weekdays = [6] }",
        "no day from 0 to 0",
    ),
    "far too many rows": ("rows = [16, 22]", "rows = 100000", "at most 5000"),
    "weights that do not fit": ("broken = 0", "broken = { choice = [0, 1], weights = [1] }", "differ in length"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_in_a_generator_is_told_with_its_place(tmp_path, name):
    old, new, message = SLIPS[name]
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        generate(bike_hire(tmp_path, edit=("tables.toml", old, new)), 0)
    assert caught.value.file == "tables.toml"
    assert caught.value.key


def test_every_generator_gives_what_it_says(tmp_path):
    columns = """
_kind = { choice = ["a", "b"], weights = [1, 3] }
_model = { record = "machines", unique = true }
_note = { chance = 0.5, then = "{_kind}-{_model.label}" }
_number = { number = [0.5, 2.0], step = 0.5 }
_moment = { moment = [1, 9], weekdays = [0, 1], hours = ["08:00", "08:45"], minutes = 15 }
_phone = { phone = "0161" }
_address = { address = true }
_code = { code = "INV-{n}", from = 41 }
_size = { sql = "length(:_kind) + 1" }
_ref = { ref = "SELECT id, name AS _clerk FROM clerk" }
email = "{_kind}|{_model.price}|{_note}|{_number}|{_moment}|{_phone}|{_address}|{_code}|{_size}|{_clerk}|{_ref}"
"""
    rider = 'columns = { id = { sequence = 301, gap = 6 }, name = { person = true }, email = { email = "name" } }'
    longer = "[rider.columns]\nid = { sequence = 301, gap = 6 }\nname = { person = true }" + columns
    blueprint = bike_hire(
        tmp_path,
        words=("blueprint.toml", "[flavours.city]", _MACHINES + "[flavours.city]"),
        rows=("tables.toml", f"rows = [10, 14]\n{rider}", f"rows = 12\n{longer}"),
    )
    made = generate(blueprint, 4)
    world = World(made.scenario)
    cells = [row[0].split("|") for row in world.query("SELECT email FROM rider ORDER BY id")]
    assert len(cells) == 12
    kinds, prices, notes, numbers, moments, phones, addresses, codes, sizes, clerks, refs = zip(*cells, strict=True)
    assert set(kinds) == {"a", "b"}
    assert sorted(map(int, prices)) == [100 * n for n in range(12)]
    assert "None" in notes
    assert any(re.fullmatch(r"[ab]-m\d+", note) for note in notes)
    assert set(map(float, numbers)) <= {0.5, 1.0, 1.5, 2.0}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT08:(00|15|30|45):00", moment) for moment in moments)
    assert all(re.fullmatch(r"0161 \d{3} \d{4}", phone) for phone in phones)
    assert all(re.fullmatch(r"\d+ [A-Z][\w' ]+", address) for address in addresses)
    assert list(codes) == [f"INV-{n}" for n in range(41, 53)]
    assert set(sizes) == {"2"}
    people = dict(world.query("SELECT id, name FROM clerk"))
    assert all(people[int(ref)] == clerk for ref, clerk in zip(refs, clerks, strict=True))
    names = [row[0] for row in world.query("SELECT name FROM rider UNION ALL SELECT name FROM clerk")]
    assert len(set(names)) == len(names)
    world.close()


_MACHINES = (
    "[vocabulary]\nmachines = [" + ", ".join(f'{{ label = "m{n}", price = {100 * n} }}' for n in range(12)) + "]\n\n"
)


def test_parts_come_and_go_whole(tmp_path):
    blueprint = bike_hire(
        tmp_path,
        head=("blueprint.toml", "[flavours.city]", "[parts]\nhelmets = 0.5\n\n[flavours.city]"),
        schema=(
            "schema.sql",
            "CREATE VIEW",
            "-- part helmets\nCREATE TABLE helmet (id INTEGER PRIMARY KEY, size TEXT NOT NULL) STRICT;\n"
            "-- end\nCREATE VIEW",
        ),
        rows=(
            "tables.toml",
            "[open_hire]",
            '[helmet]\npart = "helmets"\nrows = 5\ncolumns = { size = { choice = ["S", "L"] } }\n\n[open_hire]',
        ),
        tools=(
            "tools.toml",
            "[extend_hire]",
            '[list_helmets]\npart = "helmets"\ndescription = "Helmets, by id."\n'
            'sql = "SELECT id, size FROM helmet ORDER BY id;"\n\n[extend_hire]',
        ),
    )
    seen = set()
    for seed in range(12):
        scenario = generate(blueprint, seed).scenario
        has = "list_helmets" in scenario.tools
        assert ("helmet" in scenario.db_schema) is has
        assert ("helmet" in scenario.data) is has
        seen.add(has)
    assert seen == {True, False}


def test_a_trial_tells_what_is_to_be_mended(tmp_path):
    faulty = bike_hire(tmp_path, edit=("tools.toml", "SELECT 'repair' AS status", "SELECT 'x' AS status WHERE FALSE"))
    trial = Trial(faulty)
    trial.add(0)
    assert not trial.passed
    assert any("finds no row" in line for line in trial.told())
    document = json.loads(json.dumps(trial.document()))
    assert document["passed"] is False
    assert document["faults"]
    broken = Trial(bike_hire(tmp_path / "b", edit=("goals.toml", 'on = "hire"', 'on = "hir"')))
    broken.add(0)
    assert not broken.passed


def test_a_folder_that_is_no_blueprint_is_told(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        Blueprint(tmp_path)


def test_the_blueprints_of_the_library_are_named_by_their_folders():
    root = Path(__file__).parent.parent / "envs_data" / "blueprints"
    for folder in sorted(root.glob("*/")) if root.is_dir() else ():
        assert {path.name for path in folder.iterdir()} == {
            "blueprint.toml", "schema.sql", "invariants.sql", "tables.toml", "entities.toml", "tools.toml", "goals.toml"
        }  # fmt: skip


JUNK = ["", "0", "-1", "[]", "{}", "true", "1e400", "99999999999999999999", '"{nothing}"', '":nothing"', "[1, 'a']"]
JUNK += ["{ int = [5, 1] }", "{ choice = [] }", '""', "3.5", '"{it}"', "'SELECT 1'", '["id"]', "'DROP TABLE hire'"]


def broken(text, rng):
    """A file with one thing wrong: a line lost or doubled, a value replaced, a word exchanged, characters lost."""
    lines = text.split("\n")
    place, way = rng.randrange(1, len(lines)), rng.randrange(5)
    values = list(re.finditer(r"= (\"[^\"]*\"|\d+|\[[^\]]*\]|\{[^}]*\})", text))
    if way == 0:
        return "\n".join(lines[:place] + lines[place + 1 :])
    if way == 1:
        return "\n".join([*lines[:place], lines[rng.randrange(1, len(lines))], *lines[place:]])
    if way == 2 and values:
        value = rng.choice(values)
        return text[: value.start(1)] + rng.choice(JUNK) + text[value.end(1) :]
    if way == 3:
        one, other = (rng.choice(list(re.finditer(r"\w+", text))[3:]) for _ in range(2))
        return text[: one.start()] + other.group() + text[one.end() :]
    at = rng.randrange(len(text))
    return text[:at] + text[at + rng.randrange(1, 4) :]


@pytest.mark.parametrize("block", range(4))
def test_whatever_is_broken_is_told_and_never_a_traceback(tmp_path, block):
    rng, outcomes = random.Random(block), Counter()
    folder = bike_hire(tmp_path).folder
    files = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    for _ in range(40):
        name = rng.choice(sorted(files))
        (folder / name).write_text(broken(files[name], rng), "utf-8")
        try:
            generate(Blueprint(folder), rng.randrange(3))
            outcomes["made"] += 1
        except ScenarioError as error:
            outcomes["told" if error.scenario else "told without a name"] += 1
        (folder / name).write_text(files[name], "utf-8")
    assert outcomes["told without a name"] == 0
    assert outcomes["told"] >= 10
    assert outcomes["made"] >= 1
