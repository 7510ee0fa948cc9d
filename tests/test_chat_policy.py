"""A language model as the policy, and how hard tasks are for it: over real HTTP, with scripted servers."""

import json
import threading

import pytest
from fake_openai import FakeServer, Reply, failure
from gymnasium.wrappers import TimeLimit

from awm_gym.agents.chat import Chat
from awm_gym.agents.policy import play
from awm_gym.agents.scripted import whole_solution
from awm_gym.client import DirectRoad
from awm_gym.env import ToolEnv, TruncationOutcome
from awm_gym.errors import BudgetSpent, EnvironmentFault, ModelError, UsageError
from awm_gym.library import open_scenario
from awm_gym.llm import Ledger, Model, Settings, Usage
from awm_gym.synth.solve import Solved, band, figures, measure, outside

LOCKERS = open_scenario("parcel_lockers")
LOOK = ("list_lockers", "{}")


# What a scripted model knows: each is a function of the request alone, so that attempts may come in any order.


def task_of(request):
    """The task whose instruction the conversation begins with."""
    observation = request["messages"][1]["content"]
    return next(task for task in LOCKERS.tasks.values() if observation.endswith(task.instruction.strip()))


def results(request):
    return [message for message in request["messages"] if message["role"] == "tool"]


def calling(*calls):
    """Calls of (name, arguments as text), with ids of their own."""
    return Reply(None, calls=tuple((f"id_{number}_{name}", name, text) for number, (name, text) in enumerate(calls)))


def solution(request):
    return [(call.name, json.dumps(dict(call.arguments))) for call in whole_solution(task_of(request))]


def oracle(request):
    """The solution's next call."""
    return calling(solution(request)[len(results(request))])


def scripted(*replies):
    """One reply after the other: the next is that of as many answers as the conversation holds."""
    return lambda request: replies[sum(message["role"] == "assistant" for message in request["messages"])]


@pytest.fixture
def ask(tmp_path):
    """A model that asks a server, with its own folder of kept answers."""

    def make(server, **settings):
        settings = Settings(model="any", base_url=server.url, patience=0, **settings)
        models.append(Model(settings, Ledger(settings), memory=tmp_path))
        return models[-1]

    models = []
    yield make
    for model in models:
        model.close()


@pytest.fixture
def played(ask):
    """An episode of a task against a scripted model, and the server."""

    def make(answer, task="hand_out_parcel"):
        env = TruncationOutcome(TimeLimit(ToolEnv(LOCKERS), 10))
        with FakeServer(answer) as server:
            episode = play(env, Chat(ask(server)), task=task, seed=0)
        env.close()
        return episode, server.requests

    return make


# The conversation.


def test_the_model_is_told_the_rules_then_the_observation_and_has_the_tools_of_the_environment(played):
    episode, requests = played(oracle, "empty_locker_3")
    system, user = requests[0]["messages"]
    assert (system["role"], user) == ("system", {"role": "user", "content": episode.instruction})
    for rule in ("Look before you write", "one tool at a time", "submit", "give_up"):
        assert rule in system["content"]
    with ToolEnv(LOCKERS) as env:
        _, info = env.reset(options={"task": "empty_locker_3"})
    assert [tool["type"] for tool in requests[0]["tools"]] == ["function"] * len(info["tools"])
    assert [tool["function"] for tool in requests[0]["tools"]] == [
        {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
        for tool in info["tools"]
    ]
    assert [tool["function"]["name"] for tool in requests[0]["tools"]][-2:] == ["submit", "give_up"]


def test_every_observation_answers_its_call_and_nothing_of_the_conversation_is_left_out(played):
    episode, requests = played(oracle)
    assert (episode.policy, episode.outcome) == ("chat", "solved")
    assert [len(request["messages"]) for request in requests] == [2, 4, 6]
    call, answer = requests[1]["messages"][2:]
    function = {"name": "find_parcels", "arguments": '{"recipient": "Ngozi Okafor"}'}
    assert call["tool_calls"] == [{"id": "id_0_find_parcels", "type": "function", "function": function}]
    assert (call["role"], call["content"]) == ("assistant", None)
    assert answer == {
        "role": "tool",
        "tool_call_id": "id_0_find_parcels",
        "content": episode.steps[0].observation,
    }
    assert all(later["messages"][:2] == requests[0]["messages"] for later in requests)


def test_what_the_model_says_beside_a_call_stays_in_the_conversation(played):
    _, requests = played(scripted(Reply("I look first.", calls=(("a", *LOOK),)), calling(("submit", "{}"))))
    assert requests[1]["messages"][2]["content"] == "I look first."


def test_calls_that_come_together_are_played_one_by_one_and_each_has_its_answer(played):
    def answer(request):
        return oracle(request) if results(request) else calling(*solution(request)[:2])

    episode, requests = played(answer)
    assert (episode.outcome, len(episode.steps), len(requests)) == ("solved", 3, 2)
    both, first, second = requests[1]["messages"][2:]
    assert [call["id"] for call in both["tool_calls"]] == [first["tool_call_id"], second["tool_call_id"]]
    assert [first["content"], second["content"]] == [step.observation for step in episode.steps[:2]]


@pytest.mark.parametrize("arguments", ['{"recipient": "Okafor"', "[1]", '{"a": 1, "a": 2}'])
def test_arguments_that_cannot_be_read_are_answered_by_the_environment(played, arguments):
    script = scripted(calling(("find_parcels", arguments), LOOK), calling(("submit", "{}")))
    episode, requests = played(script)
    assert [step.error_kind for step in episode.steps] == ["malformed", "", ""]
    _, answer, _ = requests[1]["messages"][2:]
    assert answer["content"] == episode.steps[0].observation
    assert "JSON" in answer["content"]


def test_arguments_that_cannot_be_read_leave_the_conversation_readable(played):
    # Servers that parse the arguments of earlier calls would refuse every question from then on.
    _, requests = played(scripted(calling(("find_parcels", '{"recipient": ')), calling(("submit", "{}"))))
    function = requests[1]["messages"][2]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("find_parcels", {"unreadable": '{"recipient": '})


def test_a_tool_that_is_not_there_is_answered_by_the_environment(played):
    episode, _ = played(scripted(calling(("burn", "{}")), calling(("submit", "{}"))))
    assert [step.error_kind for step in episode.steps] == ["unknown_tool", ""]


@pytest.mark.parametrize(("text", "kept"), [("I would look.", "I would look."), ("", "(no words)")])
def test_a_model_that_calls_nothing_is_reminded_once(played, text, kept):
    episode, requests = played(scripted(Reply(text), calling(LOOK), Reply(text), calling(("submit", "{}"))))
    assert (episode.outcome, len(episode.steps), len(requests)) == ("failed", 2, 4)
    said, reminder = requests[1]["messages"][2:]
    assert said == {"role": "assistant", "content": kept}
    assert reminder["role"] == "user"
    assert reminder["content"].startswith("You have called no tool.")


@pytest.mark.parametrize(
    ("task", "submitted"),
    [
        ("hand_out_parcel", {}),
        ("empty_locker_3", {"answer": 0}),
        ("waiting_longest", {"answer": {"name": "", "arrived_on": "1970-01-01"}}),
        ("second_large_locker", {}),
    ],
)
def test_for_a_model_that_calls_nothing_though_reminded_the_emptiest_submit_is_made(played, task, submitted):
    episode, requests = played(lambda request: "Consider it done.", task)
    assert [step.action for step in episode.steps] == [{"name": "submit", "arguments": submitted}]
    assert (episode.outcome, len(requests)) == ("failed", 2)


def test_what_a_model_has_done_before_it_only_talks_is_judged(played):
    def answer(request):
        return oracle(request) if len(results(request)) < 2 else "Done: Ngozi has her parcel."

    assert played(answer)[0].outcome == "solved"
    assert played(answer, "empty_locker_3")[0].outcome == "failed"


def test_an_answer_that_is_cut_is_played_as_it_stands(played):
    cut = Reply(None, finish="length", calls=(("a", "find_parcels", '{"recipient": "Ngo'),))
    episode, _ = played(scripted(cut, calling(("submit", "{}"))))
    assert [step.error_kind for step in episode.steps] == ["malformed", ""]


def test_a_policy_plays_one_episode_after_the_other(ask):
    env = TruncationOutcome(TimeLimit(ToolEnv(LOCKERS), 10))
    with FakeServer(lambda request: calling(*solution(request), LOOK)) as server:
        policy = Chat(ask(server))
        first = play(env, policy, task="hand_out_parcel", seed=0)
        assert policy.usage == Usage(10, 5)
        second = play(env, policy, task="waiting_longest", seed=0)
    env.close()
    assert (first.outcome, second.outcome, policy.usage) == ("solved", "solved", Usage(10, 5))
    assert [len(request["messages"]) for request in server.requests] == [2, 2]


# How hard tasks are.


def test_an_oracle_solves_every_task_in_every_attempt(ask):
    with FakeServer(oracle) as server:
        model = ask(server)
        found = measure(LOCKERS, model, 3)
    calls = {name: len(whole_solution(task)) for name, task in LOCKERS.tasks.items()}
    assert list(found) == list(LOCKERS.tasks)
    assert found == {name: Solved(3, 3, (count,) * 3, 3 * 15 * count) for name, count in calls.items()}
    assert [one.rate for one in found.values()] == [1.0] * 4
    assert len(server.requests) == 3 * sum(calls.values())  # each attempt is asked by itself


def test_what_was_measured_is_kept(ask):
    with FakeServer(oracle) as server:
        first = measure(LOCKERS, ask(server), 2)
        asked = len(server.requests)
        assert measure(LOCKERS, ask(server), 2) == first
        assert len(server.requests) == asked


def test_the_ledger_has_the_attempts_under_their_stage(ask, tmp_path):
    with FakeServer(oracle) as server:
        settings = Settings(model="any", models={"solve": "other"}, base_url=server.url)
        ledger = Ledger(settings)
        with Model(settings, ledger, memory=tmp_path) as model:
            found = measure(LOCKERS, model, 1)
    (stage,) = ledger.by_stage("parcel_lockers").items()
    assert (stage[0], stage[1].usage.total) == ("solve", sum(one.tokens for one in found.values()))
    assert {request["model"] for request in server.requests} == {"other"}


def test_results_stand_in_their_order_though_attempts_overtake_each_other(ask):
    together = threading.Barrier(2)
    answers = {"hand_out_parcel": 3, "empty_locker_3": 1, "waiting_longest": 2, "second_large_locker": 1}

    def answer(request):
        if not results(request):
            together.wait(30)  # breaks unless two attempts are under way
        looks = answers[task_of(request).name]
        return calling(LOOK) if len(results(request)) < looks else calling(("give_up", '{"reason": "No."}'))

    with FakeServer(answer) as server:
        found = measure(LOCKERS, ask(server), 1, at_once=2)
    assert {task: one.calls for task, one in found.items()} == {task: (looks + 1,) for task, looks in answers.items()}


def test_giving_up_solves_only_what_cannot_be_done(ask):
    with FakeServer(lambda request: calling(("give_up", '{"reason": "It cannot be done."}'))) as server:
        found = measure(LOCKERS, ask(server), 2)
    assert [one.solved for one in found.values()] == [0, 0, 0, 2]


def test_silence_solves_nothing(ask):
    with FakeServer(lambda request: "") as server:
        found = measure(LOCKERS, ask(server), 1)
    assert {one.solved for one in found.values()} == {0}


def test_an_attempt_that_does_not_end_in_time_has_not_solved_the_task(ask):
    with FakeServer(oracle) as server:
        found = measure(LOCKERS, ask(server), 1, max_steps=3)
    assert {task: (one.solved, one.calls) for task, one in found.items()} == {
        "hand_out_parcel": (1, (3,)),
        "empty_locker_3": (0, (3,)),
        "waiting_longest": (1, (2,)),
        "second_large_locker": (1, (3,)),
    }


def test_an_error_of_the_model_ends_all_attempts(ask):
    def answer(request):
        hopeless = task_of(request).name == "waiting_longest"
        return failure(401, "no such key") if hopeless else calling(LOOK)

    with FakeServer(answer) as server, pytest.raises(ModelError, match="OPENAI_API_KEY"):
        measure(LOCKERS, ask(server), 1, max_steps=100)
    assert len(server.requests) < 3 * 100  # the others, which never end of themselves, were stopped


def test_a_spent_budget_ends_all_attempts(ask):
    with FakeServer(lambda request: calling(LOOK)) as server, pytest.raises(BudgetSpent, match="100 tokens"):
        measure(LOCKERS, ask(server, max_total_tokens=100), 1)


def test_a_fault_of_the_machinery_is_no_failure_of_the_model(ask, monkeypatch):
    def fail(road, call):
        raise EnvironmentFault("the server is gone")

    monkeypatch.setattr(DirectRoad, "call_tool", fail)
    with (
        FakeServer(lambda request: calling(LOOK)) as server,
        pytest.raises(EnvironmentFault, match="parcel_lockers, hand_out_parcel: the server is gone"),
    ):
        measure(LOCKERS, ask(server), 1, at_once=1)


def test_without_an_attempt_nothing_is_measured(ask):
    with FakeServer(oracle) as server, pytest.raises(UsageError, match="attempts is 0; a task needs at least 1"):
        measure(LOCKERS, ask(server), 0)
    assert server.requests == []


FOUND = {
    "easy": Solved(10, 10, (2,) * 10, 100),
    "fair": Solved(9, 10, (3,) * 10, 100),
    "hard": Solved(1, 10, (4,) * 10, 100),
    "hopeless": Solved(0, 10, (30,) * 10, 100),
}


def test_the_figures_are_plain_json():
    plain = {"solved": {"easy": [10, 10], "fair": [9, 10], "hard": [1, 10], "hopeless": [0, 10]}, "model": "any"}
    assert json.loads(json.dumps(figures(FOUND, "any"))) == figures(FOUND, "any") == plain


def test_tasks_outside_of_the_band_are_those_below_and_those_above():
    assert outside(FOUND, 0.1, 0.9) == ("easy", "hopeless")
    assert outside(FOUND, 0.0, 1.0) == ()
    assert outside(FOUND, 0.5, 1.0) == ("hard", "hopeless")


@pytest.mark.parametrize(
    ("text", "shares"),
    [("0.1:0.9", (0.1, 0.9)), ("0:1", (0.0, 1.0)), (" .25 : 0.25 ", (0.25, 0.25)), ("1:1.0", (1.0, 1.0))],
)
def test_a_band_is_two_shares(text, shares):
    assert band(text) == shares


NO_BANDS = ("", ":", "0.5", "0.9:0.1", "10:90", "0.1-0.9", "0.1:0.9:1", "nan:1", "-0.1:1", "a:b", "٠:١")


@pytest.mark.parametrize("text", NO_BANDS)
def test_a_band_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"is not of the form LOW:HIGH, shares from 0 to 1, such as 0\.1:0\.9"):
        band(text)
