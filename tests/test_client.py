"""The roads: one seam, the same answers, and faults instead of silence."""

import contextlib
import threading

import pytest
from worlds import stall

from awm_gym import mcp_sdk
from awm_gym.client import ROADS, DirectRoad, MemoryRoad, connect
from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError
from awm_gym.scenario import ToolCall
from awm_gym.server import ToolAnswer, ToolServer
from awm_gym.world import World

pytestmark = pytest.mark.compat
LIST = ToolCall("list_fruit", {"stocked": True})


@pytest.fixture
def server(tmp_path):
    world = World(stall(tmp_path))
    yield ToolServer(world)
    world.close()


@pytest.fixture(params=ROADS)
def road(request, server):
    road = connect(request.param, server)
    yield road
    road.close()


def test_every_road_lists_and_calls_the_servers_tools(road, server):
    assert road.list_tools() == server.list_tools()
    assert road.call_tool(LIST) == server.call_tool(*LIST)
    assert road.call_tool(ToolCall("sell", {"fruit_id": 3})).kind == "refused"


def test_every_road_raises_the_authors_fault(road):
    with pytest.raises(ScenarioError, match="malformed JSON"):
        road.call_tool(ToolCall("read_note", {"note": "torn"}))
    assert road.call_tool(LIST).kind is None


def test_every_road_may_be_closed_twice(road):
    road.close()
    road.close()


def test_there_are_two_roads_and_no_other(server):
    assert set(ROADS) == {"direct", "memory"}
    assert isinstance(connect("direct", server), DirectRoad)
    with pytest.raises(UsageError, match="no road 'stdio'"):
        connect("stdio", server)


def test_roads_in_memory_share_one_loop_and_know_their_own_worlds(tmp_path):
    worlds = [World(stall(tmp_path)) for _ in range(4)]
    roads = [MemoryRoad(ToolServer(world)) for world in worlds]
    before = threading.active_count()
    for sold, road in enumerate(roads):
        for _ in range(sold):
            road.call_tool(ToolCall("sell", {"fruit_id": 1}))
    stocks = [world.query("SELECT stock FROM fruit WHERE id = 1")[0][0] for world in worlds]
    assert stocks == [12, 11, 10, 9]
    assert threading.active_count() == before
    roads[0].close()
    assert roads[1].call_tool(LIST).kind is None
    for road, world in zip(roads, worlds, strict=True):
        road.close()
        world.close()


def test_a_road_in_memory_that_was_left_is_a_fault(server):
    road = MemoryRoad(server)
    road.close()
    for use in (road.list_tools, lambda: road.call_tool(LIST)):
        with pytest.raises(EnvironmentFault, match="the MCP session has ended"):
            use()


def test_a_session_that_does_not_open_is_a_fault(server, monkeypatch):
    @contextlib.asynccontextmanager
    async def broken(_tools):
        raise OSError("no pipe")
        yield

    monkeypatch.setattr(mcp_sdk, "in_memory", broken)
    with pytest.raises(EnvironmentFault, match="the MCP session did not open: no pipe"):
        MemoryRoad(server)


def test_no_answer_in_time_is_a_fault_and_ends_the_session(server, monkeypatch):
    may_answer = threading.Event()
    road = MemoryRoad(server)
    road._timeout = 0.05
    monkeypatch.setattr(server, "call_tool", lambda *_: may_answer.wait() and ToolAnswer("late"))
    with pytest.raises(EnvironmentFault, match=r"no answer within 0\.05 seconds"):
        road.call_tool(LIST)
    may_answer.set()
    with pytest.raises(EnvironmentFault, match="the MCP session has ended"):
        road.call_tool(LIST)
    road.close()
