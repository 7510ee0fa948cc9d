"""ToolServer: tools listed and called, and nothing else to reach."""

import threading

import pytest
from worlds import stall

from awm_gym.errors import ScenarioError, UsageError
from awm_gym.server import ToolInfo, ToolServer
from awm_gym.world import World


@pytest.fixture
def world(tmp_path):
    world = World(stall(tmp_path))
    yield world
    world.close()


@pytest.fixture
def server(world):
    return ToolServer(world)


def test_the_tools_are_listed_in_the_authors_order_and_tell_no_sql(world, server):
    assert (server.name, server.version) == ("stall", "3")
    listed = server.list_tools()
    assert [tool.name for tool in listed] == list(world.scenario.tools)
    assert listed[2] == ToolInfo("sell", "Sell some of a fruit.", world.scenario.tools["sell"].input_schema)
    assert listed[2].input_schema["required"] == ["fruit_id"]
    assert "SELECT" not in str(listed)


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "text"),
    [
        ("list_fruit", {"stocked": False}, None, '[{"id": 3, "name": "fig", "price": 80, "stock": 0}]'),
        ("list_fruit", None, None, '[{"id": 1, "name": "apple", "price": 30, "stock": 12}, '),
        ("sell", {"fruit_id": 3}, "refused", "There are only 0 left."),
        ("sell", {"fruit_id": 4}, "refused", "There is no fruit 4."),
        ("sell", None, "invalid_arguments", "sell needs the argument 'fruit_id' (a 64-bit integer: The fruit.)."),
        ("sell", [1], "malformed", "The arguments must be a JSON object, got [1]."),
        ("add_fruit", {"name": "fig", "price": 1}, "constraint", "breaks a rule of the data: UNIQUE constraint failed"),
        ("count_to", {"number": 10**9}, "limit", "count_to asks too much of the database with these arguments"),
        ("shelve", {"number": 10**9}, "limit", "shelve asks too much of the database with these arguments"),
        ("submit", {}, "unknown_tool", "There is no tool 'submit'."),
        ("sel", {}, "unknown_tool", "There is no tool 'sel'. Did you mean sell or shelve?"),
        (7, {}, "malformed", "The tool's name must be a string, got 7."),
    ],
)
def test_a_call_is_answered_with_text_and_a_kind(world, server, name, arguments, kind, text):
    before = world.state_hash()
    answer = server.call_tool(name, arguments)
    assert answer.kind == kind
    assert text in answer.text
    assert world.state_hash() == before


def test_a_long_result_is_cut_and_says_so(server):
    text = server.call_tool("count_to", {"number": 300}).text
    assert text.startswith('{"rows": [{"i": 1}, ')
    assert text.endswith('{"i": 200}], "truncated": true, "total_rows": 300}')


def test_the_authors_fault_and_the_callers_are_raised(world, server):
    with pytest.raises(ScenarioError, match="malformed JSON"):
        server.call_tool("read_note", {"note": "torn"})
    world.close()
    with pytest.raises(UsageError, match="the world of stall is closed"):
        server.call_tool("list_fruit", {})


def test_calls_of_several_threads_never_overlap(server):
    sold = []
    threads = [
        threading.Thread(target=lambda: sold.append(server.call_tool("sell", {"fruit_id": 1}).text)) for _ in range(14)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = sorted(int(text.partition(": ")[2].rstrip("}]")) for text in sold if text.startswith("["))
    assert left == list(range(12))
    assert sold.count("There are only 0 left.") == 2
