"""ToolEnv: what it shows, takes, pays and forgets."""

import copy
import io
import json
import pickle
import sys

import gymnasium as gym
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from worlds import stall

from awm_gym.env import OVER, ToolEnv
from awm_gym.errors import EnvironmentFault, EpisodeOver, ScenarioError, UsageError
from awm_gym.library import open_scenario
from awm_gym.reward import BINARY, GRADED, RewardScheme
from awm_gym.scenario import ToolCall

pytestmark = pytest.mark.compat
LOCKERS = open_scenario("parcel_lockers")
FIND = ToolCall("find_parcels", {"recipient": "Okafor"})
SUBMIT = ToolCall("submit", {})


@pytest.fixture
def env():
    env = ToolEnv(LOCKERS)
    yield env
    env.close()


@pytest.fixture
def market(tmp_path):
    made = []

    def make(**arguments):
        made.append(ToolEnv(stall(tmp_path), **arguments))
        made[-1].reset(seed=0)
        return made[-1]

    yield make
    for env in made:
        env.close()


def test_the_first_observation_tells_date_user_application_and_instruction(env):
    observation, info = env.reset(seed=0, options={"task": "hand_out_parcel"})
    assert observation.startswith(
        "It is Monday 10 March 2025, 21:30. You act for Ines Carvalho, counter clerk (clerk 2)."
    )
    assert "A clerk hands out parcels" in observation
    assert observation.endswith(LOCKERS.tasks["hand_out_parcel"].instruction.strip())
    shown = {key: value for key, value in info.items() if key != "tools"}
    assert shown == {"scenario": "parcel_lockers", "task": "hand_out_parcel", "error_kind": "", "outcome": "running"}


def test_the_tools_are_the_scenarios_and_the_two_that_end_the_episode(env):
    _, info = env.reset(options={"task": "waiting_longest"})
    assert [tool["name"] for tool in info["tools"]] == [*LOCKERS.tools, "submit", "give_up"]
    assert info["tools"][-2]["input_schema"]["properties"]["answer"]["required"] == ["name", "arrived_on"]
    assert info["tools"][-2]["description"] == "Say that the task is done and answer. Ends the episode."
    assert all(set(tool) == {"name", "description", "input_schema"} for tool in info["tools"])


def test_nothing_of_sql_solutions_or_checks_is_shown(env):
    for task in LOCKERS.tasks:
        observation, info = env.reset(options={"task": task})
        text = observation + json.dumps(info)
        assert not [secret for secret in ("SELECT", "UPDATE", "refuse(", "before.", "near_miss") if secret in text]


def test_a_seed_draws_the_same_task_and_all_are_drawn(env):
    drawn = [env.reset(seed=seed)[1]["task"] for seed in range(40)]
    assert drawn == [env.reset(seed=seed)[1]["task"] for seed in range(40)]
    assert set(drawn) == set(LOCKERS.tasks)
    env.reset(seed=7)
    assert len({env.reset()[1]["task"] for _ in range(40)}) == len(LOCKERS.tasks)


def test_a_task_of_the_constructor_is_every_episodes_task():
    env = ToolEnv("parcel_lockers", task="empty_locker_3")
    assert {env.reset(seed=seed)[1]["task"] for seed in range(8)} == {"empty_locker_3"}
    with pytest.raises(UsageError, match="There is no task 'hand_out_parcel' in parcel_lockers"):
        env.reset(options={"task": "hand_out_parcel"})
    env.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenario": 5}, "scenario must be a name, a folder or a Scenario, not 5"),
        ({"scenario": "parcel_locker"}, "no scenario 'parcel_locker'. Did you mean parcel_lockers"),
        ({"task": "hand_out"}, "no task 'hand_out' in parcel_lockers. Did you mean hand_out_parcel"),
        ({"road": "http"}, "no road 'http'. There are: direct, memory"),
        ({"reward": "dense"}, "no reward scheme 'dense'"),
        ({"render_mode": "rgb_array"}, "no render mode 'rgb_array'"),
    ],
)
def test_an_argument_that_names_nothing_is_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        ToolEnv(**({"scenario": LOCKERS} | arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"options": {"tasks": "x"}}, UsageError, "no reset option 'tasks'. Did you mean task"),
        ({"options": {"task": "x"}}, UsageError, "no task 'x' in parcel_lockers"),
        ({"options": {"task": []}}, UsageError, r"no task \[\] in parcel_lockers"),
        ({"options": {"task": 10**5000}}, UsageError, "no task an integer of 16610 bits in"),
        ({"seed": -1}, gym.error.Error, "Seed must be"),
        ({"seed": "7"}, gym.error.Error, "Seed must be"),
    ],
)
def test_a_bad_reset_is_refused_and_the_episode_goes_on(env, arguments, error, words):
    env.reset(seed=0, options={"task": "hand_out_parcel"})
    env.step(ToolCall("collect_parcel", {"parcel_id": 102, "code": "4417"}))
    with pytest.raises(error, match=words):
        env.reset(**arguments)
    assert env.step(SUBMIT)[4]["outcome"] == "solved"


def test_a_large_seed_is_a_seed(env):
    assert env.reset(seed=2**70) == env.reset(seed=2**70)


@pytest.mark.parametrize(
    "action",
    [
        FIND,
        {"name": "find_parcels", "arguments": {"recipient": "Okafor"}},
        {"name": "find_parcels", "arguments": '{"recipient": "Okafor"}'},
        '{"name": "find_parcels", "arguments": {"recipient": "Okafor"}}',
        {"id": "c1", "type": "function", "function": {"name": "find_parcels", "arguments": '{"recipient": "Okafor"}'}},
    ],
)
def test_every_form_of_a_call_is_answered_alike(env, action):
    env.reset(options={"task": "hand_out_parcel"})
    observation, reward, terminated, truncated, info = env.step(action)
    assert [row["id"] for row in json.loads(observation)] == [101, 102]
    assert (reward, terminated, truncated, info["error_kind"]) == (0.0, False, False, "")


@pytest.mark.parametrize(
    ("task", "action", "text"),
    [
        (
            "hand_out_parcel",
            ToolCall("submit", {"answer": 1}),
            "submit has no argument 'answer'; it takes no arguments",
        ),
        ("empty_locker_3", ToolCall("submit", {"locker": 1}), "submit has no argument 'locker'; it takes answer."),
        ("empty_locker_3", SUBMIT, "submit needs the argument 'answer'"),
        ("empty_locker_3", ToolCall("submit", {"answer": "2"}), "submit: answer must be an integer, got '2'"),
        ("empty_locker_3", ToolCall("give_up", {}), "give_up needs the argument 'reason'"),
        ("empty_locker_3", ToolCall("give_up", {"reason": ""}), "give_up: reason must have 1 to 1000 characters"),
        ("waiting_longest", ToolCall("submit", {"answer": {"name": "x"}}), "must be an object with name: a string"),
    ],
)
def test_an_ending_with_wrong_arguments_is_answered_and_ends_nothing(env, task, action, text):
    env.reset(options={"task": task})
    observation, reward, terminated, _, info = env.step(action)
    assert text in observation
    assert (reward, terminated, info["error_kind"], info["outcome"]) == (0.0, False, "invalid_arguments", "running")


def test_an_answer_too_long_for_the_database_is_the_agents_mistake(market):
    env = market(task="stocked_names")
    observation, _, terminated, _, info = env.step(ToolCall("submit", {"answer": ["é" * 2_000] * 100}))
    assert observation == "submit: answer is too long: 400400 bytes as JSON, at most 60000."
    assert (terminated, info["error_kind"]) == (False, "invalid_arguments")
    assert env.step(ToolCall("submit", {"answer": ["Pear", "apple"]}))[1] == 1.0


COLLECT = ToolCall("collect_parcel", {"parcel_id": 102, "code": "4417"})
OTHER = ToolCall("collect_parcel", {"parcel_id": 101, "code": "0825"})


@pytest.mark.parametrize(
    ("task", "calls", "outcome", "stray"),
    [
        ("hand_out_parcel", [COLLECT, SUBMIT], "solved", []),
        ("hand_out_parcel", [SUBMIT], "failed", []),
        ("hand_out_parcel", [OTHER, COLLECT, SUBMIT], "failed", ["parcel"]),
        ("hand_out_parcel", [COLLECT, ToolCall("give_up", {"reason": "No."})], "gave_up", []),
        ("second_large_locker", [ToolCall("give_up", {"reason": "No other."})], "solved", []),
        ("second_large_locker", [COLLECT, ToolCall("give_up", {"reason": "No."})], "gave_up", ["parcel"]),
        ("second_large_locker", [SUBMIT], "failed", []),
    ],
)
def test_the_end_tells_outcome_checks_and_stray_tables(env, task, calls, outcome, stray):
    env.reset(options={"task": task})
    *_, (observation, reward, terminated, truncated, info) = [env.step(call) for call in calls]
    assert (observation, terminated, truncated) == (OVER, True, False)
    assert (info["outcome"], info["stray_tables"], reward) == (outcome, stray, float(outcome == "solved"))
    assert all(info["checks"].values()) or outcome != "solved"
    assert info["explanation"]


ONE_OF_TWO = [ToolCall("sell", {"fruit_id": 2}), SUBMIT]
STRAY = [ToolCall("sell", {"fruit_id": 2}), ToolCall("add_fruit", {"name": "kiwi", "price": 9}), SUBMIT]
NOT_A_CALL = ["I will sell two apples."]


@pytest.mark.parametrize(
    ("reward", "calls", "paid"),
    [
        ("binary", ONE_OF_TWO, 0.0),
        ("binary", NOT_A_CALL, 0.0),
        ("graded", ONE_OF_TWO, 0.45),
        ("graded", [SUBMIT], 0.0),
        ("graded", STRAY, 0.0),
        ("paper", ONE_OF_TWO, 0.1),
        ("paper", STRAY, 0.1),
        ("paper", NOT_A_CALL, -1.0),
        (RewardScheme(solved=5.0, malformed=-0.5), NOT_A_CALL, -0.5),
        ("graded", [ToolCall("sell", {"fruit_id": 1, "amount": 2}), *ONE_OF_TWO], 1.0),
        (RewardScheme(solved=5.0), [ToolCall("sell", {"fruit_id": 1, "amount": 2}), *ONE_OF_TWO], 5.0),
    ],
)
def test_each_reward_scheme_pays_what_it_says(market, reward, calls, paid):
    env = market(task="sell_two", reward=reward)
    rewards = [env.step(call)[1] for call in calls]
    assert rewards == [0.0] * (len(calls) - 1) + [pytest.approx(paid)]
    assert all(type(one) is float for one in rewards)


def test_a_check_that_held_from_the_start_pays_nothing(tmp_path):
    always = ("json_array_length(:answer) = 2", "(SELECT count(*) FROM fruit) = 3")
    for reward in ("graded", "paper"):
        env = ToolEnv(stall(tmp_path, tasks=always), task="stocked_names", reward=reward)
        env.reset()
        _, paid, _, _, info = env.step(ToolCall("submit", {"answer": ["fig"]}))
        assert (info["checks"], paid) == ({"answer": False, "two_are_named": True}, 0.0)
        env.close()


def test_what_is_no_call_ends_the_episode_only_if_the_scheme_says_so(market):
    env = market(task="sell_two", reward="paper")
    _, _, terminated, _, info = env.step("no call")
    assert terminated
    assert (info["error_kind"], info["outcome"], info["checks"], info["stray_tables"]) == (
        "malformed",
        "malformed",
        {},
        [],
    )
    assert info["explanation"].startswith("Ended early: That is not valid JSON")
    with pytest.raises(EpisodeOver, match="malformed"):
        env.step(SUBMIT)
    env.reset()
    assert env.step(ToolCall("no_such_tool", {}))[2] is False
    assert BINARY.ends_on_malformed is False


def test_steps_come_between_reset_and_end_and_close():
    env = ToolEnv(LOCKERS, task="hand_out_parcel")
    assert env.render() is None
    with pytest.raises(ResetNeeded):
        env.step(FIND)
    with pytest.raises(ResetNeeded):
        _ = env.world
    env.reset()
    env.step(SUBMIT)
    with pytest.raises(EpisodeOver, match=r"the episode has ended \(failed\); call reset"):
        env.step(FIND)
    env.close()
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        env.step(FIND)
    with pytest.raises(ClosedEnvironmentError):
        env.reset()
    with pytest.raises(ResetNeeded):
        _ = env.world


def test_the_time_limit_truncates_and_says_so():
    env = gym.make("awm/parcel_lockers", task="hand_out_parcel", max_episode_steps=2)
    env.reset()
    assert env.step(FIND)[4]["outcome"] == "running"
    _, reward, terminated, truncated, info = env.step(FIND)
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, True, "truncated")
    env.reset()
    env.step(COLLECT)
    _, reward, terminated, _, info = env.step(SUBMIT)
    assert (reward, terminated, info["outcome"]) == (1.0, True, "solved")
    env.close()


def test_the_latest_exchange_is_rendered_as_text():
    env = gym.make("awm/parcel_lockers", task="hand_out_parcel", render_mode="ansi")
    first, _ = env.reset()
    assert env.render() == first
    env.step(ToolCall("list_lockers", {"free": 1}))
    assert env.render() == "> list_lockers(free=1)\nlist_lockers: free must be true or false, got 1."
    env.step("nonsense")
    assert env.render().startswith("> 'nonsense'\nThat is not valid JSON")
    env.step(COLLECT)
    env.step(SUBMIT)
    assert env.render() == f"> submit()\n{OVER} Solved: every check holds and nothing else changed."
    env.close()


def test_human_mode_prints_every_exchange_without_control_characters(capsys):
    env = ToolEnv(LOCKERS, task="hand_out_parcel", render_mode="human")
    env.reset()
    env.step({"name": "\x1b[2J", "arguments": {}})
    env.step(FIND)
    assert env.render() is None
    printed = capsys.readouterr().out
    assert "Ngozi Okafor is at the counter" in printed
    assert "> find_parcels(recipient='Okafor')" in printed
    assert "\\x1b[2J" in printed
    assert "\x1b" not in printed
    env.close()


def test_human_mode_spells_out_what_the_terminal_cannot_show(monkeypatch):
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    env = ToolEnv(LOCKERS, task="hand_out_parcel", render_mode="human")
    env.reset()
    env.step(ToolCall("find_parcels", {"recipient": "Zoë 漢"}))
    env.step("\ud800")
    sys.stdout.flush()
    printed = terminal.getvalue().decode("ascii")
    assert "> find_parcels(recipient='Zo\\xeb \\u6f22')\n[]\n> '\\ud800'\n" in printed
    env.close()


def test_a_reset_leaves_nothing_of_the_episode_before(env):
    for task in LOCKERS.tasks:
        fresh = ToolEnv(LOCKERS)
        fresh.reset(options={"task": task})
        env.reset(options={"task": "empty_locker_3"})
        for call in LOCKERS.tasks["empty_locker_3"].solution:
            env.step(call)
        env.reset(options={"task": task})
        assert env.world.state_hash() == fresh.world.state_hash()
        for call in LOCKERS.tasks[task].solution:
            assert env.step(call) == fresh.step(call)
        assert env.world.state_hash() == fresh.world.state_hash()
        fresh.close()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("scenario", ["parcel_lockers", LOCKERS])
def test_a_copy_is_the_same_environment_before_its_first_reset(scenario, again):
    env = ToolEnv(scenario, task="empty_locker_3", road="direct", reward="graded", render_mode="ansi")
    env.reset(seed=1)
    env.step(FIND)
    other = again(env)
    assert (other.task_names, other.road, other.reward_scheme, other.render_mode) == (
        ("empty_locker_3",),
        "direct",
        GRADED,
        "ansi",
    )
    with pytest.raises(ResetNeeded):
        other.step(FIND)
    first = env.reset(seed=3)
    assert other.reset(seed=3) == first
    assert other.step(FIND) == env.step(FIND)
    env.close()
    other.close()


@pytest.mark.parametrize("road", ["direct", "memory"])
def test_the_authors_fault_is_raised_and_the_episode_goes_on(market, road):
    env = market(task="sell_two", road=road)
    before = env.world.state_hash()
    with pytest.raises(ScenarioError, match=r"stall/tools.toml: read_note.sql: line 1: malformed JSON"):
        env.step(ToolCall("read_note", {"note": "torn"}))
    assert env.world.state_hash() == before
    assert env.step(ToolCall("read_note", {"note": "whole"}))[0] == '[{"lines": 7}]'


@pytest.mark.parametrize("road", ["direct", "memory"])
def test_after_a_fault_a_reset_starts_on_a_new_world(env, road):
    env = ToolEnv(LOCKERS, task="hand_out_parcel", road=road)
    first, _ = env.reset()
    world = env.world

    def break_down(call):
        raise EnvironmentFault("the machinery failed")

    env._road.call_tool = break_down
    with pytest.raises(EnvironmentFault, match="machinery"):
        env.step(FIND)
    with pytest.raises(ResetNeeded):
        env.step(FIND)
    assert env.reset()[0] == first
    assert env.world is not world
    assert [env.step(call)[1] for call in (COLLECT, SUBMIT)] == [0.0, 1.0]
    env.close()
    world.close()


def test_its_spaces_hold_what_it_says_and_takes(env):
    env.action_space.seed(4)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        for _ in range(20):
            action = env.action_space.sample()
            assert env.action_space.contains(action)
            observation, _, terminated, _, _ = env.step(action)
            assert env.observation_space.contains(observation)
            if terminated:
                env.reset()
    forms = {tuple(tool.input_schema["properties"]) for tool in env.action_space.tools if tool.name == "submit"}
    assert forms == {(), ("answer",)}
