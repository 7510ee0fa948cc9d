"""Policies: the scripted ones, a person, and the loop that plays them."""

import io

import gymnasium as gym
import pytest
from rich.console import Console

from awm_gym.agents.human import Human, Stopped, show_result, typed
from awm_gym.agents.policy import play
from awm_gym.agents.scripted import Idle, Oracle, Random, emptiest, whole_solution
from awm_gym.errors import EnvironmentFault
from awm_gym.library import open_scenario
from awm_gym.scenario import ToolCall

SCENARIO = open_scenario("parcel_lockers")


@pytest.fixture
def env():
    env = gym.make("awm/parcel_lockers")
    yield env
    env.close()


def test_the_oracle_solves_and_the_idle_fails_every_task(env):
    for task in SCENARIO.tasks:
        assert play(env, Oracle(SCENARIO), task=task, seed=0).outcome == "solved"
        idle = play(env, Idle(), task=task, seed=0)
        assert (idle.outcome, idle.reward, len(idle.steps)) == ("failed", 0.0, 1)


def test_an_episode_tells_what_happened(env):
    episode = play(env, Oracle(SCENARIO), task="empty_locker_3", seed=0)
    assert [step.action["name"] for step in episode.steps] == ["list_lockers", "move_parcel", "report_locker", "submit"]
    assert episode.instruction.startswith("It is Monday 10 March 2025, 21:30. You act for Ines Carvalho")
    assert (episode.policy, episode.road, episode.reward) == ("oracle", "direct", 1.0)
    assert episode.explanation == "Solved: every check holds and nothing else changed."


def test_a_random_episode_is_the_same_for_the_same_seed(env):
    first, second = (play(env, Random(SCENARIO, seed=5), task="hand_out_parcel", seed=1) for _ in range(2))
    other = play(env, Random(SCENARIO, seed=6), task="hand_out_parcel", seed=1)
    assert first == second
    assert first.steps != other.steps


def test_a_task_that_cannot_be_done_is_solved_by_looking_and_giving_up():
    calls = whole_solution(SCENARIO.tasks["second_large_locker"])
    assert [call.name for call in calls] == ["find_parcels", "list_lockers", "give_up"]


def test_a_fault_voids_the_episode(env):
    class Breaking(Idle):
        def act(self, observation):
            def fail(call):
                raise EnvironmentFault("the server is gone")

            env.unwrapped._road.call_tool = fail
            return ToolCall("list_lockers", {})

    episode = play(env, Breaking(), task="hand_out_parcel", seed=0)
    assert (episode.outcome, episode.reward, episode.explanation) == ("void", 0.0, "the server is gone")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "format": "date"}, "1970-01-01"),
        ({"type": "string", "format": "date-time"}, "1970-01-01T00:00:00"),
        ({"type": "integer"}, 0),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}, {"a": False}),
    ],
)
def test_the_emptiest_value_is_of_its_type(schema, value):
    assert emptiest(schema) == value


def person(lines, task="hand_out_parcel"):
    """Play as a person who types these lines; the episode and what the terminal showed."""
    shown = io.StringIO()
    given = iter(lines)

    def ask(prompt):
        shown.write(prompt)
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    words = []
    env = gym.make("awm/parcel_lockers")
    try:
        human = Human(Console(file=shown, width=100), ask, words.extend)
        return play(env, human, task=task, seed=0), shown.getvalue(), words
    finally:
        env.close()


def test_a_person_is_asked_for_the_arguments_and_solves_the_task():
    lines = ["find_parcels", "Ngozi", "", "collect_parcel", "102", "4417", "submit"]
    episode, shown, words = person(lines)
    assert episode.outcome == "solved"
    assert episode.steps[0].action["arguments"] == {"recipient": "Ngozi"}
    assert "parcel_id (integer): " in shown
    assert "waiting (boolean, empty: leave it out): " in shown
    assert "collect_parcel" in words
    assert "4417" not in shown.split("Ngozi Okafor is at the counter")[0]


def test_a_person_may_type_the_arguments_behind_the_name():
    episode, _, _ = person(['find_parcels {"recipient": "Okafor"}', "collect_parcel parcel_id=102 code=4417", "submit"])
    assert episode.outcome == "solved"


def test_a_persons_slips_are_answered_and_cost_no_step():
    lines = [
        "",
        "?",
        "? move_parcel",
        "colect_parcel",
        "move_parcel {broken",
        "move_parcel 'x",
        "move_parcel x",
        "submit",
    ]
    episode, shown, _ = person(lines)
    assert len(episode.steps) == 1
    assert "Did you mean collect_parcel" in shown
    assert "'x' is not name=value" in shown
    assert "No closing quotation" in shown
    assert '"input_schema"' in shown


def test_the_end_of_the_input_stops_the_episode():
    with pytest.raises(Stopped, match="the input has ended"):
        person(["find_parcels"])


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", {"type": "integer"}, 5),
        ("five", {"type": "integer"}, "five"),
        ("5", {"type": "string"}, "5"),
        ("yes", {"type": "boolean"}, True),
        ("maybe", {"type": "boolean"}, "maybe"),
        ("1, 2", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("[1, 2]", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
    ],
)
def test_what_a_person_types_becomes_what_the_schema_asks_for(text, schema, value):
    assert typed(text, schema) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "no rows"),
        ('[{"id": 1, "note": null}]', "id"),
        ('{"rows": [{"id": 1}], "truncated": true, "total_rows": 312}', "312 rows in all; 1 are shown"),
        ("There is no parcel 7.", "There is no parcel 7."),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
    ],
)
def test_results_are_shown_as_tables_and_errors_as_they_are(text, expected):
    shown = io.StringIO()
    show_result(Console(file=shown, width=80), text)
    assert expected in shown.getvalue()
