"""Every registered id over every road: Gymnasium's rules hold, and all roads give the same bytes."""

import copy
import itertools
import json
import pickle

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env
from worlds import write

from awm_gym.agents.policy import play
from awm_gym.agents.scripted import Idle, Oracle
from awm_gym.client import ROADS
from awm_gym.env import ToolEnv
from awm_gym.errors import EpisodeOver, ScenarioError
from awm_gym.library import names, open_scenario
from awm_gym.scenario import ToolCall

pytestmark = pytest.mark.compat
TASKS = [(name, task) for name in names() for task in open_scenario(name).tasks]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("outside") / "stall"))


@pytest.fixture(params=sorted(id for id in gym.registry if id.startswith("awm/")))
def made(request, folder):
    """Make the environment of a registered id; `awm/Task` with a scenario outside the library."""
    envs = []

    def make(**arguments):
        outside = {"scenario": folder} if request.param == "awm/Task" else {}
        envs.append(gym.make(request.param, **outside, **arguments))
        return envs[-1]

    yield make
    for env in envs:
        env.close()


@pytest.mark.parametrize("road", ROADS)
def test_gymnasium_finds_nothing_to_warn_of(made, road):
    check_env(made(road=road).unwrapped)


def test_a_spec_goes_to_json_and_back_and_makes_the_same(made):
    env = made(road="memory", reward="graded", max_episode_steps=5)
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    again = gym.make(spec)
    assert again.reset(seed=3) == env.reset(seed=3)
    assert str(again) == str(env)
    again.close()


def test_it_renders_in_each_of_its_modes(made, capsys):
    calls = [ToolCall("no_such_tool", {}), "{"]
    shown = {}
    for mode in ("ansi", "human", "ansi_list", None):
        env = made(render_mode=mode)
        env.reset(seed=0)
        for call in calls:
            env.step(call)
        shown[mode] = env.render() if mode else None
    assert shown["ansi"].startswith("> '{'\nThat is not valid JSON")
    assert [text.partition("\n")[0] for text in shown["ansi_list"][1:]] == ["> no_such_tool()", "> '{'"]
    assert shown["human"] is None
    assert "There is no tool 'no_such_tool'" in capsys.readouterr().out


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_pickles_and_copies_start_afresh_and_alike(made, again):
    env = made()
    first = env.reset(seed=9)
    env.step("{")
    other = again(env)
    assert other.reset(seed=9) == first == env.reset(seed=9)
    action = env.action_space.sample()
    assert other.step(action) == env.step(action)
    other.close()


def test_the_life_of_an_environment_has_an_order(made):
    env = made()
    with pytest.raises(ResetNeeded):
        env.step("{")
    _, info = env.reset(seed=0)
    idle = Idle()
    idle.start("", info)
    assert env.step(idle.act(""))[2:4] == (True, False)
    with pytest.raises(EpisodeOver):
        env.step("{")
    env.reset(seed=0)
    env.step("{")
    env.close()
    env.close()
    for use in (env.reset, lambda: env.step("{")):
        with pytest.raises(ClosedEnvironmentError):
            use()


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(("name", "task"), TASKS)
def test_the_oracle_scores_one_and_the_idle_nothing(name, task, road):
    env = gym.make(f"awm/{name}", task=task, road=road, reward="graded")
    episode = play(env, Oracle(open_scenario(name)), seed=0)
    assert (episode.outcome, episode.reward, episode.road) == ("solved", 1.0, road)
    assert {step.error_kind for step in episode.steps} == {""}
    idle = play(env, Idle(), seed=0)
    assert (idle.outcome, idle.reward, len(idle.steps)) == ("failed", 0.0, 1)
    env.close()


ERRING = [
    ("sell", {"fruit_id": 1, "amount": 2.0}),
    ("sell", {"fruit_id": 3}),
    ("sell", {"fruit_id": -0.0}),
    ("sell", {"fruit_id": 1e16}),
    ("sell", {"fruit_id": 1, "amount": 5.5}),
    ("sell", {"fruit_id": [1.0, {"a": None, "b": 1e-320}, 1e22, True]}),
    ("sell", {}),
    ("sell", {"fruit_id": 1, "": 2}),
    ("add_fruit", {"name": "fig", "price": 1}),
    ("add_fruit", {"name": "kiwi", "price": 0}),
    ("add_fruit", {"name": "'); DROP TABLE fruit; --", "price": 2**63 - 1}),
    ("add_fruit", {"name": "аррlе \u202e\u200b e\u0301 🙂\n\t", "price": 1}),
    ("add_fruit", {"name": "nul\0", "price": 1}),
    ("add_fruit", {"name": "\ud800", "price": 1}),
    ("count_to", {"number": 300}),
    ("count_to", {"number": 10**9}),
    ("shelve", {"number": 10**9}),
    ("shelve", {"number": 2**63}),
    ("sel", {}),
    ("Sell", {}),
    ("", {}),
    ("\ud800\0", {}),
    ("x" * 10_000, {}),
    ("give_up", {"reason": 5}),
    ("list_fruit", {}),
]
MALFORMED = [
    "{",
    "",
    "[]",
    "null",
    '{"name": "sell", "arguments": [1]}',
    '{"name": 5}',
    '{"name": "sell", "other": 1}',
    7,
]


def both(scenario, task, **arguments):
    envs = [ToolEnv(scenario, task=task, road=road, **arguments) for road in ROADS]
    answers = [env.reset(seed=0) for env in envs]
    assert answers[0] == answers[1]
    return envs


def stepped(envs, action):
    """Step all, which must say and be the same; what one of them said."""
    answers = [env.step(action) for env in envs]
    assert answers[0] == answers[1]
    assert answers[0][0].encode() == answers[1][0].encode()
    return answers[0]


def ended(envs):
    """The end: the same rows in all."""
    hashes = {env.world.state_hash() for env in envs}
    changes = [env.world.changes() for env in envs]
    for env in envs:
        env.close()
    assert len(hashes) == 1
    assert changes[0] == changes[1]


def test_every_kind_of_error_reads_the_same_on_every_road(folder):
    envs = both(folder, "sell_two", render_mode="ansi")
    kinds = set()
    for action in itertools.chain(itertools.starmap(ToolCall, ERRING), MALFORMED):
        kinds.add(stepped(envs, action)[4]["error_kind"])
        assert envs[0].render() == envs[1].render()
    assert kinds == {"", "refused", "constraint", "limit", "invalid_arguments", "unknown_tool", "malformed"}
    for env in envs:
        with pytest.raises(ScenarioError, match="malformed JSON"):
            env.step(ToolCall("read_note", {"note": "torn"}))
    stepped(envs, ToolCall("submit", {}))
    ended(envs)


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_random_walk_gives_the_same_bytes_on_every_road(name, task):
    envs = both(open_scenario(name), task)
    envs[0].action_space.seed(11)
    tools = [tool.name for tool in envs[0].action_space.tools if tool.name not in ("submit", "give_up")]
    for call in open_scenario(name).tasks[task].solution:
        if call.name in tools:
            stepped(envs, json.dumps({"name": call.name, "arguments": call.arguments}))
    for _ in range(60):
        stepped(envs, envs[0].action_space.sample(mask=tools))
    stepped(envs, ToolCall("give_up", {"reason": "enough"}))
    ended(envs)
