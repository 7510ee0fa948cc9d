"""Episodes are values, and lines of JSON."""

import pytest

from awm_gym.episode import Episode, Step, as_action, written
from awm_gym.errors import UsageError
from awm_gym.scenario import ToolCall

EPISODE = Episode(
    scenario="s",
    task="t",
    policy="oracle",
    road="direct",
    instruction="Do it.",
    steps=(
        Step({"name": "a", "arguments": {"x": [1, "é"]}}, "[]", "", 0.0),
        Step("not a call", "no", "malformed", -1.0),
    ),
    reward=-1.0,
    outcome="malformed",
)


def test_an_episode_is_one_line_and_comes_back_the_same():
    line = EPISODE.to_json()
    assert "\n" not in line
    assert Episode.from_json(line) == EPISODE


def test_every_torn_line_is_refused_as_such():
    line = EPISODE.to_json()
    for end in range(len(line)):
        with pytest.raises(UsageError, match="no episode"):
            Episode.from_json(line[:end])


@pytest.mark.parametrize("line", ["[]", "null", "1", '{"steps": [{"x": 1}]}', '{"steps": []}'])
def test_json_that_is_no_episode_is_refused(line):
    with pytest.raises(UsageError, match="no episode"):
        Episode.from_json(line)


def test_an_action_is_kept_as_json_or_text():
    assert as_action(ToolCall("a", {"x": 1})) == {"name": "a", "arguments": {"x": 1}}
    assert as_action("{broken") == "{broken"
    assert as_action(object).startswith("<class")


def test_a_call_is_written_as_people_read_it():
    assert written(ToolCall("move", {"to": 3, "note": "x"})) == "move(to=3, note='x')"
    assert written("{broken") == "'{broken'"
