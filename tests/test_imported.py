"""Imported AgentWorldModel data through the same environment, roads, policies and commands as everything else."""

import json
import multiprocessing
import pickle
import sys
from dataclasses import replace

import awm_kennel
import gymnasium as gym
import pytest
from awm_data_folder import write_folder

from awm_gym import check, imported, imports, live
from awm_gym.agents.policy import play
from awm_gym.agents.scripted import Idle, Oracle, Random, whole_solution
from awm_gym.allowed import AllowList
from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError
from awm_gym.formats.awm.export.writer import export
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import Solution
from awm_gym.imported import AwmWorld, Imported, Terms, open_data
from awm_gym.library import open_playable, open_scenario, taken
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall
from awm_gym.server import ToolServer
from awm_gym.suites import Suite

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux" or trial().protection.level < 2:
    pytest.skip("this machine cannot lock up generated Python", allow_module_level=True)

BOOK = ToolCall("book_walk", {"dog": "Cleo", "day": "2025-03-12"})
OTHERS = (
    "def verify_task_completion(initial_db_path, final_db_path, final_answer=None):\n    return {'result': 'others'}\n"
)
RAISES = OTHERS.replace("return {'result': 'others'}", "raise KeyError('x')")
ODD = """
@app.get("/odd/submit", operation_id="submit")
async def odd_submit():
    return {"hidden": str(app)}

@app.get("/odd/name", operation_id="odd name!" + "x" * 80, description="Two\\u202ewords")
async def odd_name():
    return 1

@app.get("/odd/name2", operation_id="odd name?" + "x" * 80)
async def odd_name_2():
    return object.__repr__(app)

if __name__"""


def kennel(**changed):
    tasks = ("Book a walk for Cleo on 12 March 2025.", "Never\u200bmind.", "Raise.", "No verifier.")
    verifiers = {
        0: {"code": awm_kennel.GOOD, "sql": awm_kennel.EVIDENCE},
        1: {"code": OTHERS},
        2: {"code": RAISES},
    }
    solutions = {0: Solution((BOOK,), "done"), 1: Solution((), None)}
    made = replace(awm_kennel.scenario(), tasks=tasks, verifiers=verifiers, solutions=solutions)
    return replace(made, **changed)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "data", [kennel()])


@pytest.fixture
def scenario(folder):
    return open_data(folder, "Kennel")


@pytest.fixture
def env(scenario):
    made = gym.make("awm/Task", scenario=scenario)
    yield made
    made.close()


def test_a_solved_task_is_paid_and_the_next_episode_is_as_the_first(env):
    first, info = env.reset(options={"task": "task_0"})
    assert first.startswith(
        "It is Monday 16 February 2026, 12:00. You act for the user who is signed in, whose id is 1.\n"
    )
    assert first.endswith("Walks.\n\nBook a walk for Cleo on 12 March 2025.")
    assert info["sandbox"]["level"] >= 2
    assert {tool["name"] for tool in info["tools"]} >= {"list_walks", "book_walk", "submit", "give_up"}
    before = env.step(ToolCall("list_walks", {}))
    assert [row["dog"] for row in json.loads(before[0])] == ["Bo", "Ada"]
    assert before[1:] == (0.0, False, False, {**before[4]})
    assert set(before[4]) == {"scenario", "task", "error_kind", "outcome"}
    env.step(BOOK)
    _, reward, terminated, _, info = env.step(ToolCall("submit", {"answer": "done"}))
    assert (reward, terminated, info["outcome"], info["checks"]) == (1.0, True, "solved", {"verifier": True})
    assert info["explanation"] == "The verifier says complete."
    assert env.reset(options={"task": "task_0"})[0] == first
    assert env.step(ToolCall("list_walks", {}))[0] == before[0]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (ToolCall("book_walk", {"dog": "Bo", "day": "2025-03-10"}), "constraint", "book_walk failed (HTTP 500): Inter"),
        (ToolCall("book_walk", {"dog": 3}), "invalid_arguments", "Field required"),
        (ToolCall("renumber_walk", {"walk_id": 77, "body_walk_id": 5}), "refused", "no such walk"),
        (ToolCall("disk", {}), "refused", "disk failed (HTTP 500)"),
        (ToolCall("say_much", {"size": 2_000_000}), "limit", "too long"),
        (ToolCall("say_much", {"size": 50_000}), "", "... cut: 50000 characters in all"),
        (ToolCall("book_wlak", {}), "unknown_tool", "Did you mean book_walk?"),
        (ToolCall("book_walk", {"dog": float("nan")}), "invalid_arguments", "not plain JSON"),
        ("no call", "malformed", ""),
    ],
)
def test_what_an_application_says_has_the_kinds_of_errors_of_every_tool(env, call, kind, words):
    env.reset(seed=0)
    text, reward, terminated, _, info = env.step(call)
    assert (info["error_kind"], reward, terminated) == (kind, 0.0, False)
    assert words in text
    assert len(text) <= env.observation_space.max_length


def test_giving_up_and_a_wrong_answer_pay_nothing(env):
    env.reset(options={"task": "task_0"})
    _, reward, _, _, info = env.step(ToolCall("give_up", {"reason": "no"}))
    assert (reward, info["outcome"], info["checks"]) == (0.0, "gave_up", {"not_given_up": False})
    env.reset(options={"task": "task_0"})
    env.step(BOOK)
    assert env.step(ToolCall("submit", {"answer": "Done!"}))[1] == 0.0


def test_a_fault_is_never_a_reward_and_the_next_episode_works(env):
    env.reset(options={"task": "task_2"})
    with pytest.raises(EnvironmentFault, match="came to no verdict"):
        env.step(ToolCall("submit", {"answer": "x"}))
    env.reset(options={"task": "task_0"})
    with pytest.raises(EnvironmentFault):
        env.step(ToolCall("die", {}))
    env.reset(options={"task": "task_0"})
    env.step(BOOK)
    assert env.step(ToolCall("submit", {"answer": "done"}))[1] == 1.0


@pytest.mark.parametrize("road", ["direct", "memory"])
@pytest.mark.parametrize("reset", ["fork", "inplace"])
def test_all_roads_and_both_ways_to_reset_play_alike(folder, road, reset):
    scenario = open_data(folder, "kennel", {"reset": reset})
    env = gym.make("awm/Task", scenario=scenario, road=road)
    episodes = [play(env, Oracle(scenario), task="task_0") for _ in range(2)]
    idle, unsolved = play(env, Idle(), task="task_0"), play(env, Oracle(scenario), task="task_1")
    env.close()
    assert [episode.reward for episode in episodes] == [1.0, 1.0]
    assert episodes[0].steps == episodes[1].steps
    assert (idle.reward, unsolved.outcome) == (0.0, "failed")


def test_a_void_episode_of_a_policy_goes_on_to_the_next(env, scenario):
    class Killer(Idle):
        def act(self, observation):
            return ToolCall("die", {})

    assert play(env, Killer(), task="task_0").outcome == "void"
    assert play(env, Oracle(scenario), task="task_0").reward == 1.0


def test_random_calls_stay_in_the_space_and_never_break_the_environment(env, scenario):
    harmless = [
        tool for tool in scenario.tools if tool not in ("hang", "die", "leave", "lie", "swell", "hold", "hold_read")
    ]
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(60):
        call = env.action_space.sample(mask=harmless)
        assert call in env.action_space
        observation, *_ = env.step(call)
        assert observation in env.observation_space
    policy = Random(scenario, seed=1)
    policy.start(*env.reset(seed=1))
    assert policy.act("") in env.action_space


def test_graded_rewards_ask_what_holds_at_the_start(scenario):
    env = gym.make("awm/Task", scenario=scenario, reward="graded")
    assert play(env, Oracle(scenario), task="task_0").reward == 1.0
    assert play(env, Idle(), task="task_0").reward == 0.0
    env.close()


def test_tools_that_models_and_episodes_could_not_name_are_renamed(tmp_path):
    code = awm_kennel.CODE.replace("\nif __name__", ODD)
    scenario = open_data(write_folder(tmp_path / "odd", [kennel(code=code)]), "kennel")
    odd = [tool for tool in scenario.tools.values() if tool.operation.startswith(("submit", "odd"))]
    assert [tool.name for tool in odd] == ["submit_2", "odd_name_" + "x" * 55, "odd_name_" + "x" * 50 + "_2"]
    assert odd[1].description.endswith("Two\\u202ewords")
    assert all(len(tool.name) <= 64 for tool in scenario.tools.values())
    world = AwmWorld(scenario)
    world.reset("task_0")
    assert world.call(ToolCall(odd[0].name, {})).text == '{"hidden":"<fastapi.applications.FastAPI object at 0x>"}'
    assert world.call(ToolCall(odd[1].name, {})).text == "1"
    world.close()


def test_words_that_nobody_sees_are_spelled_out(scenario):
    assert scenario.tasks["task_1"].instruction == "Never\\u200bmind."
    assert list(scenario.tasks) == ["task_0", "task_1", "task_2"]
    assert scenario.title == "Kennel"


def test_a_solution_that_nobody_knows_is_told(scenario):
    with pytest.raises(UsageError, match=r"no solution of task_2 is known; gen_solution.jsonl"):
        whole_solution(scenario.tasks["task_2"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code": ""}, "has no application"),
        ({"verifiers": {}}, "no task with a verifier of the kind 'code'"),
        ({"code": "1 / 0"}, "does not start"),
        ({"ddl": ()}, "no database schema"),
    ],
)
def test_what_cannot_be_played_is_told_when_it_is_opened(tmp_path, changed, words):
    with pytest.raises(ScenarioError, match=words):
        open_data(write_folder(tmp_path / "bad", [kennel(**changed)]), "kennel")


def test_a_world_says_what_is_missing(scenario):
    world = AwmWorld(scenario)
    with pytest.raises(UsageError, match="no episode of kennel has begun"):
        world.call(BOOK)
    with pytest.raises(UsageError, match="Did you mean task_0"):
        world.reset("task_00")
    world.reset()
    assert world.task is None
    assert world.call(ToolCall("book_walk", {"dog": float("nan")})).kind == "invalid_arguments"
    world.close()
    world.close()
    with pytest.raises(UsageError, match="is closed"):
        world.reset()


def test_the_database_of_imported_data_is_not_opened_here(env):
    env.reset(options={"task": "task_0"})
    with pytest.raises(UsageError, match="it has no world"):
        _ = env.unwrapped.world
    env.step(BOOK)
    assert env.unwrapped.live.image() != env.unwrapped.live.initial
    assert env.unwrapped.live.initial == env.unwrapped.scenario.base.image


# Many environments


def test_environments_share_an_application_and_few_idle_ones_are_kept(tmp_path):
    hosts = imported._hosts()
    folders = [write_folder(tmp_path / str(n), [kennel(description=str(n))]) for n in range(imported._IDLE + 2)]
    scenarios = [open_data(folder, "kennel") for folder in folders]
    kept = [key for key in hosts._loaded if key[0] in {one.fingerprint for one in scenarios}]
    assert [key[0] for key in kept] == [one.fingerprint for one in scenarios[-imported._IDLE :]]
    worlds = [AwmWorld(scenarios[0]) for _ in range(3)]
    assert len({id(world._app) for world in worlds}) == 1
    alone = [AwmWorld(replace(scenarios[0], terms=Terms(reset="inplace"))) for _ in range(2)]
    assert len({id(world._app) for world in alone}) == 2
    for world in (*worlds, *alone):
        world.reset("task_0")
        world.call(BOOK)
    assert [world.verdict("done").passed for world in (*worlds, *alone)] == [True] * 5
    del world, worlds
    again = AwmWorld(replace(scenarios[0], terms=Terms(reset="inplace")))
    assert id(again._app) not in {id(world._app) for world in alone}
    for one in (again, *alone):
        one.close()


def test_of_two_idle_applications_of_a_scenario_one_may_go(scenario, monkeypatch):
    worlds = [AwmWorld(replace(scenario, terms=Terms(reset="inplace", partial=True))) for _ in range(2)]
    for idle in (2, 1):
        monkeypatch.setattr(imported, "_IDLE", idle)
        worlds.pop().close()
    [app] = imported._hosts()._loaded[scenario.fingerprint, Terms(reset="inplace", partial=True)]
    assert app.reset().call("get_dog", {"name": "Bo"}).status == 200


def test_databases_are_built_once_and_the_oldest_is_forgotten(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(imported, "_KEPT", 1)
    hosts = imported._Hosts()
    first = kennel()
    base = hosts.base(first)
    assert hosts.base(first) is base
    hosts.base(kennel(description="other"))
    assert hosts.base(first) is not base
    assert hosts.base(first).sha256 == base.sha256


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_they_run_in_vectors(folder, mode):
    imports.add(Index.of(folder))
    more = {"shared_memory": False} if mode == "async" else {}
    envs = gym.make_vec("awm/kennel", num_envs=3, vectorization_mode=mode, vector_kwargs=more, task="task_0")
    envs.reset(seed=0)
    envs.step([BOOK] * 3)
    _, rewards, terminated, _, _ = envs.step([ToolCall("submit", {"answer": "done"})] * 3)
    envs.close()
    assert rewards.tolist() == [1.0] * 3
    assert terminated.all()


def _solve(scenario, pipe):
    env = gym.make("awm/Task", scenario=scenario)
    pipe.send(play(env, Oracle(scenario), task="task_0").reward)
    env.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_of_this_process_has_workers_of_its_own(env, scenario, method):
    env.reset(options={"task": "task_0"})
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    child = context.Process(target=_solve, args=(scenario, there))
    child.start()
    assert here.recv() == 1.0
    child.join()
    env.step(BOOK)
    assert env.step(ToolCall("submit", {"answer": "done"}))[1] == 1.0


def test_an_environment_is_pickled_by_what_it_was_made_of(env):
    again = pickle.loads(pickle.dumps(env.unwrapped))
    again.reset(options={"task": "task_0"})
    again.step(BOOK)
    assert again.step(ToolCall("submit", {"answer": "done"}))[1] == 1.0
    again.close()


# Terms


def test_terms_are_told_what_is_wrong_with_them():
    for given, words in [
        ({"reset": "forked"}, "Did you mean fork"),
        ({"verifiers": "cod"}, "Did you mean code"),
        ({"verifiers": "sql"}, "give a judge"),
        ({"sandbox": 1}, "There is no term for generated code 'sandbox'"),
    ]:
        with pytest.raises(UsageError, match=words):
            Terms.of(given)
    assert Terms.of(None) == Terms() == Terms.of(Terms()) == Terms.of({})


class Judging:
    """A judge that has read what it was asked."""

    def __init__(self, label):
        self.label, self.asked = label, []

    def verdict(self, task, trajectory, answer, evidence):
        self.asked.append((task, list(trajectory), answer, evidence))
        return self.label


@pytest.mark.parametrize(
    ("label", "scheme", "reward"),
    [
        ("completed", None, 1.0),
        ("partially_completed", None, 0.1),
        ("agent_error", None, 0.0),
        ("environment_error", None, 0.0),
        ("completed", "paper", 1.0),
        ("partially_completed", "paper", 0.1),
        ("partially_completed", "binary", 0.0),
    ],
)
def test_evidence_is_judged_by_whom_the_user_names(folder, label, scheme, reward):
    judge = Judging(label)
    scenario = open_data(folder, "kennel", {"verifiers": "sql", "judge": judge})
    assert list(scenario.tasks) == ["task_0"]
    env = gym.make("awm/Task", scenario=scenario, reward=scheme)
    env.reset()
    env.step(BOOK)
    _, paid, _, _, info = env.step(ToolCall("submit", {"answer": "done"}))
    env.close()
    assert paid == pytest.approx(reward)
    assert info["explanation"] == f"The judge says {label.replace('_', ' ')}."
    [(task, [(call, text)], answer, evidence)] = judge.asked
    assert (task, call, answer, evidence["walks"]) == (scenario.tasks["task_0"].instruction, BOOK, "done", 3)
    assert "booked" in text


# Names


def test_an_import_makes_names_that_any_process_knows(folder, scenario):
    made = imports.add(Index.of(folder))
    assert made.scenarios == {"kennel": "kennel"}
    assert imports.imports() == (made,)
    assert imports.known("kennel")
    assert not imports.known("Kennel")
    assert not imports.known(3)
    env = gym.make("awm/kennel", generated={"reset": "inplace"}, max_episode_steps=2)
    assert env.spec.id == "awm/kennel"
    assert play(env, Oracle(scenario), task="task_0").reward == 1.0
    env.close()
    found = open_playable("kennel")
    assert isinstance(found, Imported)
    assert found.fingerprint == scenario.fingerprint
    assert open_playable("parcel_lockers") == open_scenario("parcel_lockers")
    assert imports.forget(folder) == made
    assert not imports.known("kennel")
    with pytest.raises(UsageError, match="There is no imported folder"):
        imports.forget(folder)


def test_names_that_are_taken_are_told_and_a_prefix_helps(folder, tmp_path):
    imports.add(Index.of(folder))
    assert imports.add(Index.of(folder)).scenarios == {"kennel": "kennel"}  # again is no second time
    other = Index.of(write_folder(tmp_path / "other", [kennel(description="other")]))
    with pytest.raises(UsageError, match=r"1 names are taken: kennel is imported from .*data. Give --prefix"):
        imports.add(other)
    with pytest.raises(UsageError, match="kennel is of the library"):
        imports.add(other, taken={"kennel"})
    with pytest.raises(UsageError, match="the prefix 'No!' must be"):
        imports.add(other, "No!")
    assert imports.add(other, "other_").scenarios == {"other_kennel": "kennel"}
    assert open_playable("other_kennel").name == "other_kennel"
    assert {"parcel_lockers", "practice", "Task"} <= taken()


def test_data_that_have_moved_or_changed_are_told(folder):
    imports.add(Index.of(folder))
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(UsageError, match=r"the data of kennel lay in .*; import it from where it is"):
        open_playable("kennel")
    write_folder(folder, [kennel(title="Cattery", name="cattery")])
    with pytest.raises(UsageError, match="There is no scenario 'kennel'"):
        open_playable("kennel")


def test_a_damaged_list_is_told_and_a_folder_that_cannot_be_written(folder, tmp_path, monkeypatch):
    path = tmp_path / "home" / "awm" / "imports.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"directory": 1}]')
    with pytest.raises(UsageError, match=r"imports.json is damaged .*remove it"):
        imports.imports()
    assert open_playable("parcel_lockers") == open_scenario("parcel_lockers")
    monkeypatch.setenv("AWM_GYM_HOME", str(folder / "gen_tasks.jsonl"))
    with pytest.raises(UsageError, match="cannot be written"):
        imports.add(Index.of(folder))


# Allow-lists


def listed(scenario, *tasks, fingerprint=None):
    mark = fingerprint or scenario.fingerprint
    return AllowList(title="Passed", fingerprints={"kennel": mark}, tasks={"kennel": tasks})


def test_only_tasks_of_the_allow_list_are_drawn(scenario, tmp_path, folder):
    path = tmp_path / "passed.toml"
    listed(scenario, "task_1").write(path)
    imports.add(Index.of(folder), "my_")
    for given in (listed(scenario, "task_1"), path, str(path)):
        env = gym.make("awm/my_kennel", allow_list=given)
        assert {env.reset(seed=seed)[1]["task"] for seed in range(3)} == {"task_1"}
        env.close()


@pytest.mark.parametrize(
    ("tasks", "kwargs", "words"),
    [
        ((), {}, "of kennel no task is on the allow-list"),
        (("task_1",), {"task": "task_0"}, "of kennel task_0 is not on the allow-list"),
    ],
)
def test_an_allow_list_that_leaves_nothing_is_told(scenario, tasks, kwargs, words):
    with pytest.raises(UsageError, match=words):
        gym.make("awm/Task", scenario=scenario, allow_list=listed(scenario, *tasks), **kwargs)


def test_an_allow_list_of_other_data_is_refused(scenario):
    with pytest.raises(UsageError, match="means another kennel"):
        gym.make("awm/Task", scenario=scenario, allow_list=listed(scenario, "task_0", fingerprint="0" * 64))


def test_allow_lists_filter_scenarios_of_ours_and_suites_too(scenario, tmp_path, folder):
    ours = open_scenario("parcel_lockers")
    name = next(iter(ours.tasks))
    both = AllowList(
        title="Both",
        fingerprints={"parcel_lockers": ours.fingerprint, "kennel": scenario.fingerprint},
        tasks={"parcel_lockers": [name], "kennel": ["task_0"]},
    )
    env = gym.make("awm/parcel_lockers", allow_list=both)
    assert env.reset(seed=5)[1]["task"] == name
    env.close()
    imports.add(Index.of(folder))
    marks = {"parcel_lockers": ours.fingerprint, "kennel": scenario.fingerprint, "practice-1": "0" * 64}
    suite = Suite("mine", tmp_path / "mine.toml", "Mine", 0, marks)
    assert list(suite.only(both).fingerprints) == ["parcel_lockers", "kennel"]
    assert suite.open("kennel").fingerprint == scenario.fingerprint


def test_arguments_that_do_not_go_with_imported_data_are_refused(scenario):
    with pytest.raises(UsageError, match="the difficulty of kennel is not known"):
        gym.make("awm/Task", scenario=scenario, difficulty=(1, 9))
    for name in ("parcel_lockers", "practice", scenario):
        with pytest.raises(UsageError, match="`generated` goes with the name of imported data, not with"):
            gym.make("awm/Task", scenario=name, generated={})


def test_a_tool_server_serves_an_application(scenario):
    world = live.start(scenario)
    world.reset("task_0")
    server = ToolServer(world)
    assert (server.name, server.version) == ("kennel", "0")
    assert [tool.name for tool in server.list_tools()] == list(scenario.tools)
    assert server.call_tool("get_dog", {"name": "Bo"}) == ('{"name":"Bo"}', None)
    world.close()


def test_commands_that_are_for_scenarios_of_ours_say_so(folder):
    imports.add(Index.of(folder))
    for use in (open_scenario, lambda name: check.targets([name])):
        with pytest.raises(UsageError, match="kennel is imported data, and this takes scenarios of ours only"):
            use("kennel")


def test_exported_scenarios_keep_their_clock_and_their_user(tmp_path):
    ours = open_scenario("parcel_lockers")
    export([ours], tmp_path / "ours")
    scenario = open_data(tmp_path / "ours", "parcel_lockers")
    assert scenario.now == ours.now
    assert ours.greeting.startswith(scenario.greeting)
    env = gym.make("awm/Task", scenario=scenario)
    for task in scenario.tasks:
        assert [play(env, policy, task=task).reward for policy in (Oracle(scenario), Idle())] == [1.0, 0.0]
        first, _ = env.reset(options={"task": task})
        assert first.count("You act for") == 1
        assert ours.greeting in first
    env.close()
