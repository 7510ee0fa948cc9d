"""Vector environments of Gymnasium's own: nothing corrupt, one type a key, in threads' and processes' copies."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from awm_gym.agents.scripted import whole_solution
from awm_gym.client import ROADS
from awm_gym.env import OVER
from awm_gym.library import names, open_scenario
from awm_gym.scenario import ToolCall

pytestmark = pytest.mark.compat
SUBMIT = ToolCall("submit", {})
LOOK = ToolCall("list_lockers", {})
BROKEN = "{"


def sync(*tasks, mode=AutoresetMode.DISABLED, scenario="parcel_lockers", **arguments):
    """One environment a task."""
    makers = [lambda task=task: gym.make(f"awm/{scenario}", task=task, **arguments) for task in tasks]
    return SyncVectorEnv(makers, autoreset_mode=mode)


def kinds(infos):
    """The type of each key, arrays by what they hold; masks left out."""
    found = {}
    for key, value in infos.items():
        if key.startswith("_"):
            continue
        found[key] = kinds(value) if isinstance(value, dict) else value.dtype.kind
    return found


ALWAYS = {"scenario": "O", "task": "O", "error_kind": "O", "outcome": "O"}


@pytest.mark.parametrize("reward", ["binary", "graded", "paper"])
@pytest.mark.parametrize("name", names())
def test_every_key_keeps_one_type_whatever_its_neighbours_do(name, reward):
    scenario = open_scenario(name)
    tasks = list(scenario.tasks)
    envs = sync(*tasks, scenario=name, reward=reward)
    observations, infos = envs.reset(seed=1)
    assert kinds(infos) == ALWAYS | {"tools": "O"}
    assert list(infos["task"]) == tasks
    assert all(scenario.tasks[task].instruction.strip() in text for task, text in zip(tasks, observations, strict=True))
    calls = {task: iter(whole_solution(scenario.tasks[task])) for task in tasks}
    running, seen = np.ones(len(tasks), bool), set()
    while running.any():
        # the oracle plays all but the first task, whose agent babbles until it is cut
        actions = [next(calls[task]) if place and running[place] else BROKEN for place, task in enumerate(tasks)]
        alive = running.copy()
        observations, rewards, terminated, truncated, infos = step_running(envs, actions, alive)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert all(type(text) is str for text in observations)
        told = kinds(infos)
        assert {key: told[key] for key in ALWAYS} == ALWAYS
        assert set(told) <= {*ALWAYS, "checks", "stray_tables", "explanation"}
        assert told.get("stray_tables", "O") == told.get("explanation", "O") == "O"
        assert set(told.get("checks", {}).values()) <= {"b"}
        ended = alive & (terminated | truncated)
        seen |= set(infos["outcome"][ended])
        assert all(rewards[place] == 1.0 for place in np.flatnonzero(ended) if place)
        running &= ~ended
    assert seen == {"solved", "malformed" if reward == "paper" else "truncated"}
    envs.close()


def step_running(envs, actions, running):
    """Step; those that have ended are first reset, so that the vector environment may step them along."""
    if not running.all():
        envs.reset(options={"reset_mask": ~running})
    return envs.step(actions)


def test_disabled_autoreset_resets_those_that_the_mask_names():
    envs = sync("hand_out_parcel", "empty_locker_3", "waiting_longest")
    first, _ = envs.reset(seed=3)
    observations, *_ = envs.step([SUBMIT, LOOK, LOOK])
    assert observations[0] == OVER
    looked = observations[1]
    observations, infos = envs.reset(options={"reset_mask": np.array([True, False, False])})
    assert observations == (first[0], looked, observations[2])
    assert list(infos["_task"]) == [True, False, False]
    _, rewards, terminated, _, infos = envs.step([LOOK, ToolCall("submit", {"answer": 2}), LOOK])
    assert list(terminated) == [False, True, False]
    assert list(infos["outcome"]) == ["running", "failed", "running"]
    assert list(infos["_checks"]) == [False, True, False]
    assert rewards.sum() == 0.0
    envs.close()


def test_next_step_autoreset_spends_a_step_on_the_reset():
    envs = sync("hand_out_parcel", "empty_locker_3", mode=AutoresetMode.NEXT_STEP)
    first, _ = envs.reset(seed=3)
    _, _, terminated, _, infos = envs.step([SUBMIT, LOOK])
    assert list(terminated) == [True, False]
    assert infos["explanation"][0]
    observations, rewards, terminated, _, infos = envs.step([BROKEN, LOOK])
    assert observations[0] == first[0]
    assert (list(rewards), list(terminated)) == ([0.0, 0.0], [False, False])
    assert list(infos["_tools"]) == [True, False]
    envs.close()


def test_same_step_autoreset_keeps_the_final_observation_and_info():
    envs = sync("hand_out_parcel", "second_large_locker", mode=AutoresetMode.SAME_STEP)
    first, _ = envs.reset(seed=3)
    observations, rewards, terminated, _, infos = envs.step([LOOK, ToolCall("give_up", {"reason": "no other"})])
    assert observations[1] == first[1]
    assert (list(rewards), list(terminated)) == ([0.0, 1.0], [False, True])
    assert infos["final_obs"][1] == OVER
    assert infos["final_info"]["outcome"][1] == "solved"
    assert list(infos["outcome"]) == ["running", "running"]
    assert observations[0] != first[0]
    envs.close()


def test_rewards_of_all_schemes_stay_whole():
    envs = sync("hand_out_parcel", "hand_out_parcel", reward="paper")
    envs.reset(seed=0)
    _, rewards, *_ = envs.step([BROKEN, LOOK])
    assert list(rewards) == [-1.0, 0.0]
    envs.close()


def test_episode_statistics_wrap_a_vector(recwarn):
    envs = gym.wrappers.vector.RecordEpisodeStatistics(
        sync("hand_out_parcel", "hand_out_parcel", mode=AutoresetMode.NEXT_STEP)
    )
    envs.reset(seed=0)
    envs.step([LOOK, LOOK])
    *_, infos = envs.step([ToolCall("collect_parcel", {"parcel_id": 102, "code": "4417"}), SUBMIT])
    *_, infos = envs.step([SUBMIT, LOOK])
    assert (infos["episode"]["r"][0], infos["episode"]["l"][0]) == (1.0, 3)
    assert not recwarn.list
    envs.close()


def test_make_vec_gives_one_environment_a_seed():
    envs = gym.make_vec("awm/parcel_lockers", num_envs=12, vectorization_mode="sync")
    _, infos = envs.reset(seed=5)
    alone = gym.make("awm/parcel_lockers")
    assert list(infos["task"]) == [alone.reset(seed=5 + place)[1]["task"] for place in range(12)]
    envs.action_space.seed(1)
    for _ in range(5):
        observations, *_ = envs.step(envs.action_space.sample())
        assert all(text in envs.single_observation_space for text in observations)
    alone.close()
    envs.close()


def test_shared_memory_is_refused_and_not_garbled():
    makers = [lambda: gym.make("awm_gym:awm/parcel_lockers")]
    with pytest.raises(ValueError, match="shared_memory"):
        AsyncVectorEnv(makers, shared_memory=True, context="spawn")


def first_task(name):
    return next(iter(open_scenario(name).tasks))


@pytest.mark.parametrize("road", ROADS)
def test_fresh_worker_processes_of_all_scenarios_play_as_this_one_does(road):
    makers = [lambda name=name: gym.make(f"awm_gym:awm/{name}", task=first_task(name), road=road) for name in names()]
    mode = AutoresetMode.NEXT_STEP
    there = AsyncVectorEnv(makers, shared_memory=False, context="spawn", autoreset_mode=mode)
    here = SyncVectorEnv(makers, autoreset_mode=mode)
    solutions = [whole_solution(open_scenario(name).tasks[first_task(name)]) for name in names()]
    outcomes = {}
    try:
        theirs, mine = there.reset(seed=4), here.reset(seed=4)
        for count in range(max(map(len, solutions)) + 1):
            assert theirs[0] == mine[0]
            assert [list(part) for part in theirs[1:-1]] == [list(part) for part in mine[1:-1]]
            assert kinds(theirs[-1]) == kinds(mine[-1])
            outcomes |= {(place, count): outcome for place, outcome in enumerate(theirs[-1]["outcome"])}
            actions = [calls[count] if count < len(calls) else BROKEN for calls in solutions]
            theirs, mine = there.step(actions), here.step(actions)
        assert [outcomes[place, len(calls)] for place, calls in enumerate(solutions)] == ["solved"] * len(solutions)
    finally:
        there.close()
        here.close()
