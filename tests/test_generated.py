"""Scenarios on demand: ids without end, the cache, environments that draw a scenario each episode, suites, synth."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
from blueprints import bike_hire, readme_files

import awm_gym
from awm_gym import difficulty, library, places, suites
from awm_gym.agents.scripted import whole_solution
from awm_gym.blueprints import store
from awm_gym.env import ToolEnv
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.files import load
from awm_gym.gates.certificate import VERSION, Certificate
from awm_gym.synth import runs
from awm_gym.synth.blueprint import BlueprintAuthor
from awm_gym.synth.draft import STAGES, Draft, Written
from awm_gym.synth.pipeline import synthesize, told


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A library of one blueprint, the README's, and caches of its own."""
    data = tmp_path / "envs_data"
    bike_hire(data / "blueprints")
    vocabulary = places.root() / "vocabulary.toml"
    (data / "vocabulary.toml").write_text(vocabulary.read_text("utf-8"), "utf-8")
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "home"))
    for module in (places, library, suites):
        monkeypatch.setattr(module, "root", lambda: data)
    caches = (store.blueprint.cache_clear, library._standing.cache_clear, store._recent.clear)
    for clear in caches:
        clear()
    yield data
    for clear in caches:
        clear()


def test_an_id_makes_the_scenario_and_the_oracle_solves_it(shelf):
    env = gym.make("awm/bike_hire-17")
    assert env.spec.id == "awm/bike_hire-17"
    assert env.unwrapped.scenario.name == "bike_hire_17"
    for name, task in env.unwrapped.scenario.tasks.items():
        env.reset(options={"task": name})
        for call in whole_solution(task):
            _, reward, *_ = env.step(call)
        assert reward == 1.0, name
    env.close()
    assert gym.spec("awm/bike_hire-17").kwargs == {"scenario": "bike_hire-17"}


@pytest.mark.parametrize(
    "name", ["bike_hire-017", "bike_hire--1", "bike_hire-99999999999", "bike_hire-x", "bik_hire-3"]
)
def test_what_is_no_id_is_told_so(shelf, name):
    with pytest.raises(gym.error.Error):
        gym.make(f"awm/{name}")
    with pytest.raises(UsageError, match="bike_hire"):
        library.open_scenario(name)


def test_the_registry_is_otherwise_as_it_was():
    assert gym.registry is gym.envs.registration.registry
    assert gym.registry.get("CartPole-v1").id == "CartPole-v1"
    assert gym.registry.get("awm/nothing-1") is None
    assert gym.registry.get("nothing", 7) == 7
    before = gym.registry
    library.register()
    assert gym.registry is before


def test_what_was_made_is_kept_and_what_was_changed_on_disk_is_made_again(shelf):
    first = store.scenario("bike_hire", 5)
    folder = store.folder("bike_hire", 5)
    assert load(folder) == first
    store._recent.clear()
    kept = store.scenario("bike_hire", 5)
    assert kept == first
    assert kept.fingerprint == first.fingerprint
    data = folder / "data.sql"
    data.write_text(data.read_text("utf-8").replace("INSERT", "insert", 1), "utf-8")
    store._recent.clear()
    assert store.scenario("bike_hire", 5) == first
    assert "insert" not in data.read_text("utf-8")


def test_another_blueprint_or_engine_makes_its_own_copy(shelf, monkeypatch):
    before = store.folder("bike_hire", 1).parent
    monkeypatch.setattr(store, "engine_digest", lambda: "another")
    assert store.folder("bike_hire", 1).parent != before
    tools = shelf / "blueprints" / "bike_hire" / "tools.toml"
    tools.write_text(tools.read_text("utf-8") + "\n", "utf-8")
    store.blueprint.cache_clear()
    assert store.folder("bike_hire", 1).parent not in (before, None)


def test_a_disk_that_cannot_be_written_costs_only_time(shelf, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "file"))
    assert store.scenario("bike_hire", 3).name == "bike_hire_3"
    with pytest.raises(UsageError, match="cannot be written; set AWM_GYM_HOME"):
        store.folder("bike_hire", 4)


def test_a_faulty_seed_is_told_and_never_served(shelf):
    tools = shelf / "blueprints" / "bike_hire" / "tools.toml"
    tools.write_text(tools.read_text("utf-8").replace("SELECT 'repair' AS status", "SELECT 'x' AS status WHERE FALSE"))
    store.blueprint.cache_clear()
    with pytest.raises(ScenarioError, match=r"the seed 2 shows a fault of the blueprint: .*finds no row"):
        gym.make("awm/bike_hire-2")


def test_memory_holds_the_latest_scenarios_only(shelf, monkeypatch):
    monkeypatch.setattr(store, "KEPT", 2)
    for seed in range(4):
        store.scenario("bike_hire", seed, keep=False)
    assert [seed for _, seed in store._recent] == [2, 3]
    assert not (places.cache() / "generated").exists()


def test_an_environment_draws_a_scenario_each_episode(shelf):
    env = gym.make("awm/Task", scenario="bike_hire", seeds=range(20, 30))
    seen = {}
    for episode in range(8):
        _, info = env.reset(seed=episode)
        seen[episode] = (info["scenario"], info["task"])
        assert env.observation_space.contains(env.reset(seed=episode)[0])
        assert env.action_space.contains(env.action_space.sample())
    assert len({scenario for scenario, _ in seen.values()}) > 3
    assert all(20 <= int(scenario.rpartition("_")[2]) < 30 for scenario, _ in seen.values())
    again = gym.make("awm/Task", scenario="bike_hire", seeds=range(20, 30))
    _, info = again.reset(seed=3)
    assert (info["scenario"], info["task"]) == seen[3]
    _, info = again.reset(options={"scenario_seed": 77})
    assert info["scenario"] == "bike_hire_77"
    names = {tool["name"] for tool in info["tools"]}
    assert {"take_back", "submit", "give_up"} <= names
    env.close()
    again.close()
    copy = pickle.loads(pickle.dumps(ToolEnv("bike_hire", seeds=[3, 4])))
    assert copy.seeds == [3, 4]


def test_vector_environments_hold_many_scenarios(shelf):
    envs = gym.vector.SyncVectorEnv([lambda n=n: gym.make(f"awm/bike_hire-{n}") for n in range(4)])
    observations, infos = envs.reset(seed=0)
    assert len(set(infos["scenario"])) == 4
    assert len(observations) == 4
    envs.close()


def test_a_difficulty_can_be_asked_for(shelf):
    levels = {name: found.level for name, found in difficulty.of(store.scenario("bike_hire", 3)).items()}
    low, high = sorted(levels.values())[len(levels) // 3], sorted(levels.values())[-2]
    env = gym.make("awm/bike_hire-3", difficulty=(low, high))
    drawn = {env.reset(seed=seed)[1]["task"] for seed in range(40)}
    assert drawn == {name for name, level in levels.items() if low <= level <= high}
    env.close()
    with pytest.raises(
        UsageError, match="no task of bike_hire_3 has a difficulty from 90 to 95; there are levels from"
    ):
        ToolEnv("bike_hire-3", difficulty=(90, 95))
    hard = ToolEnv("bike_hire", seeds=range(4), difficulty=(90, 95))
    with pytest.raises(UsageError, match="there are levels from"):
        hard.reset(seed=0)
    with pytest.raises(UsageError, match="there are levels from"):
        hard.reset(options={"scenario_seed": 2})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "parcel_lockers", "seeds": [1]}, "seeds are for blueprints"),
        ({"scenario": "bike_hire", "seeds": []}, "a range or a list of whole numbers"),
        ({"scenario": "bike_hire", "seeds": "12"}, "a range or a list of whole numbers"),
        ({"scenario": "bike_hire", "seeds": 5}, "a range or a list of whole numbers"),
        ({"scenario": "bike_hire", "seeds": [-1]}, "not a whole number from 0"),
        ({"scenario": "bike_hire", "difficulty": 5}, "must be \\(lowest, highest\\)"),
        ({"scenario": "bike_hire", "difficulty": (5, 2)}, "must be \\(lowest, highest\\)"),
        ({"scenario": "bike_hire", "difficulty": ("a", 2)}, "must be \\(lowest, highest\\)"),
        ({"scenario": "bike_hir"}, "Did you mean bike_hire"),
    ],
)
def test_a_wrong_argument_is_told(shelf, arguments, message):
    with pytest.raises(UsageError, match=message):
        ToolEnv(**arguments)


def test_options_of_reset_are_told(shelf):
    env = ToolEnv("bike_hire", seeds=[1], task="income")
    with pytest.raises(UsageError, match="Did you mean scenario_seed"):
        env.reset(options={"scenario_sed": 1})
    with pytest.raises(UsageError, match="There is no task 'nothing'"):
        env.reset(options={"task": "nothing"})
    with pytest.raises(UsageError, match="There is no task 'nothing'"):
        ToolEnv("bike_hire", seeds=[1], task="nothing").reset()
    assert env.reset()[1]["task"] == "income"


def test_difficulty_counts_what_a_solution_does(lockers):
    found = difficulty.of(lockers)
    assert found == difficulty.of(lockers)
    one = found["empty_locker_3"]
    assert (one.calls, one.writes, one.tools) == (4, 2, 4) or one.calls == len(
        lockers.tasks["empty_locker_3"].solution
    ) - 1
    assert one.lookups >= 1
    assert one.depth >= 2
    assert one.rows > 0
    assert one.level == round(one.calls + one.depth + one.rows / 10 + one.distractors / 8, 2)


# Synthesis ------------------------------------------------------------------------------------------------------------


def test_the_blueprint_author_fills_the_draft_stage_by_stage(shelf):
    author = BlueprintAuthor(store.blueprint("bike_hire"), 6)
    draft, empty = Draft("bike_hire_6"), Draft("bike_hire_6")
    for stage in STAGES:
        draft, found = author.write(draft, stage, ())
        assert found == ()
        assert list(stage.findings(draft)) == []
        for name in stage.writes:
            assert getattr(draft, name) != getattr(empty, name)
    assert draft.scenario() == store.scenario("bike_hire", 6)


def test_synthesis_is_whole_and_certified_or_rejected(shelf):
    outcome = synthesize(BlueprintAuthor(store.blueprint("bike_hire"), 6), "bike_hire_6")
    assert outcome.scenario == store.scenario("bike_hire", 6)
    assert outcome.certificate.passed
    assert [attempt.stage for attempt in outcome.attempts] == [*(stage.name for stage in STAGES), "gates"]

    class Careless(BlueprintAuthor):
        def write(self, draft, stage, findings):
            draft, found = super().write(draft, stage, findings)
            return Written(replace(draft, data=draft.data[:-60]) if stage.name == "data" else draft, found)

    outcome = synthesize(Careless(store.blueprint("bike_hire"), 6), "bike_hire_6")
    assert outcome.scenario is None
    assert outcome.rejected.startswith("data: ")
    assert list(told(outcome))


class Learner(BlueprintAuthor):
    """Writes nonsense at first, and mends what it is told."""

    mends = True

    def __init__(self, blueprint, seed, stage, times):
        super().__init__(blueprint, seed)
        self.stage, self.times, self.heard = stage, times, []

    def write(self, draft, stage, findings):
        if findings:
            self.heard.append((stage.name, findings))
        draft, found = super().write(draft, stage, findings)
        if stage.name == self.stage and self.times:
            self.times -= 1
            nonsense = {name: type(getattr(draft, name))() for name in stage.writes if name not in ("now", "user")}
            return Written(replace(draft, **nonsense), found)
        return Written(draft, found)


@pytest.mark.parametrize("stage", ["tasks", "schema", "data"])
def test_findings_go_back_to_an_author_that_mends(shelf, stage):
    author = Learner(store.blueprint("bike_hire"), 2, stage, times=2)
    outcome = synthesize(author, "bike_hire_2", attempts=3)
    assert outcome.scenario is not None
    assert [name for name, _ in author.heard] == [stage, stage]
    lost = synthesize(Learner(store.blueprint("bike_hire"), 2, stage, times=9), "bike_hire_2", attempts=3)
    assert lost.scenario is None
    assert lost.rejected.startswith(f"{stage}: ")
    assert [attempt.round for attempt in lost.attempts if attempt.stage == stage] == [1, 1, 1, 2, 2, 2]


def test_orders_take_the_blueprints_in_turn(shelf):
    assert runs.orders([], 3, 5) == [("bike_hire", 5), ("bike_hire", 6), ("bike_hire", 7)]
    with pytest.raises(UsageError, match="There is no blueprint 'nothing'"):
        runs.orders(["nothing"], 3, 5)


def test_scenarios_are_written_with_their_proofs_and_resumed(shelf, tmp_path):
    out = str(tmp_path / "made")
    first = list(runs.make_all(runs.orders([], 2, 0), out, jobs=1))
    assert [(one.name, one.findings, one.resumed) for one in first] == [
        ("bike_hire_0", (), False),
        ("bike_hire_1", (), False),
    ]
    certificate = Certificate.from_json((Path(out) / "bike_hire_0" / "certificate.json").read_text("utf-8"))
    assert certificate.passed
    assert library.doubt(Path(out) / "bike_hire_0") == ""
    assert load(Path(out) / "bike_hire_0") == store.scenario("bike_hire", 0)
    (Path(out) / "bike_hire_1" / "data.sql").write_text("")
    again = list(runs.make_all(runs.orders([], 2, 0), out, jobs=1))
    assert [one.resumed for one in again] == [True, False]
    assert library.doubt(Path(out) / "bike_hire_1") == ""
    row = runs.summary(first)[0]
    assert (row["blueprint"], row["scenarios"], row["tables"], row["tools"]) == ("bike_hire", 2, "4", "5")


def run(*arguments, **environment):
    import os

    command = [sys.executable, "-m", "awm_gym", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "140", **environment}
    )


def test_the_command_line_makes_tries_and_tells(tmp_path):
    blueprint = str(bike_hire(tmp_path).folder)
    out = tmp_path / "made"
    made = run("synth", blueprint, "--count", "2", "--seed", "3", "--out", str(out), "--json")
    assert made.returncode == 0, made.stderr
    assert [one["scenario"] for one in json.loads(made.stdout)] == ["bike_hire_3", "bike_hire_4"]
    assert made.stderr == ""
    assert run("check", str(out), "--json").returncode == 0
    table = run("synth", blueprint, "--count", "2", "--seed", "3", "--out", str(out))
    assert "2 of 2 scenarios, each with its certificate" in table.stdout
    tried = run("blueprint", blueprint, "--seeds", "3", "--show")
    assert tried.returncode == 0
    assert "nothing to mend" in tried.stdout
    assert "bike_hire_0." in tried.stdout
    assert json.loads(run("blueprint", blueprint, "--seeds", "2", "--json").stdout)["seeds"] == 2
    tools = Path(blueprint) / "tools.toml"
    tools.write_text(tools.read_text("utf-8").replace("SELECT 'repair' AS status", "SELECT 'x' AS status WHERE FALSE"))
    faulty = run("synth", blueprint, "--count", "1", "--seed", "9", "--out", str(out))
    assert faulty.returncode == 1
    assert "a bug of the blueprint, seed 9" in " ".join((faulty.stdout + faulty.stderr).split())
    assert not (out / "bike_hire_9").exists()
    assert run("blueprint", blueprint, "--seeds", "1").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("synth", "bike"), "There is no blueprint 'bike'"),
        (("synth", "--author", "chatty"), "There is no author 'chatty'"),
        (("synth", "--count", "0"), "Invalid value for '--count'"),
        (("synth", "--seed", "-1"), "Invalid value for '--seed'"),
        (("blueprint", "bike"), "There is no blueprint 'bike'"),
        (("suite", "smok"), "There is no suite 'smok'"),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(arguments, message):
    shown = run(*arguments)
    assert shown.returncode == 2
    assert message in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.stderr


# Suites ---------------------------------------------------------------------------------------------------------------


def test_a_suite_means_exact_scenarios(shelf):
    folder = shelf / "suites"
    folder.mkdir()
    fingerprints = {f"bike_hire-{seed}": store.scenario("bike_hire", seed).fingerprint for seed in (0, 4)}
    made = suites.Suite("tiny", folder / "tiny.toml", "Two for a test", VERSION, fingerprints)
    suites.write(made)
    assert suites.suite_names() == ("tiny",)
    assert suites.suite("tiny") == made == suites.suite(str(folder / "tiny.toml"))
    assert made.certified
    assert made.ids == ("awm/bike_hire-0", "awm/bike_hire-4")
    assert made.open("bike_hire-4").name == "bike_hire_4"
    with pytest.raises(UsageError, match="There is no scenario 'bike_hire-5' in tiny"):
        made.open("bike_hire-5")
    other = suites.Suite("tiny", made.file, "Two", VERSION, {**fingerprints, "bike_hire-4": "f" * 64})
    with pytest.raises(UsageError, match="means another bike_hire-4"):
        other.open("bike_hire-4")


@pytest.mark.parametrize("text", ["", "title = 3", "not toml", 'title = "x"\ngates = 1\nscenarios = 4\n'])
def test_a_suite_that_is_malformed_is_told(tmp_path, text):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match="is no suite"):
        suites.suite(str(tmp_path / "bad.toml"))


def test_the_readme_shows_all_files_of_a_blueprint():
    assert all(readme_files().values())
    assert awm_gym.__version__


def test_an_id_means_a_folder_too(shelf):
    folder = library.find("bike_hire-3")
    assert load(folder) == store.scenario("bike_hire", 3)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5_000])
def test_a_name_that_no_file_system_has_is_no_blueprint(name):
    assert not library.is_blueprint(name)
    with pytest.raises(UsageError, match="There is no blueprint"):
        store.blueprint(name)
