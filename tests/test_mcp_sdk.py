"""MCP in frames: what the server tells, and what a client makes of peers that keep no rules."""

import importlib

import anyio
import pytest
from worlds import stall

from awm_gym import mcp_sdk
from awm_gym.errors import AwmError, EnvironmentFault, ScenarioError
from awm_gym.mcp_sdk import KIND, MAJOR, in_memory
from awm_gym.server import ToolAnswer, ToolServer
from awm_gym.world import World

pytestmark = pytest.mark.compat
types = importlib.import_module("mcp.types")


@pytest.fixture
def server(tmp_path):
    world = World(stall(tmp_path))
    yield ToolServer(world)
    world.close()


def talk(server, *calls):
    """What a session in memory lists and answers."""
    failed = []

    async def conversation():
        async with in_memory(server) as session:
            try:
                return await session.list_tools(), [await session.call_tool(*call) for call in calls]
            except AwmError as error:  # raised in here, it would come out within groups of errors
                failed.append(error)

    heard = anyio.run(conversation)
    if failed:
        raise failed[0]
    return heard


def test_the_tools_cross_with_name_description_and_schema(server):
    listed, _ = talk(server)
    assert listed == server.list_tools()


def test_text_and_the_kind_of_error_cross(server):
    calls = [
        ("sell", {"fruit_id": 1, "amount": 12.0}),
        ("sell", {"fruit_id": 1}),
        ("sell", {"fruit_id": "1"}),
        ("add_fruit", {"name": "fig", "price": 1}),
        ("add_fruit", {"name": "Açaí \u202e 漢", "price": 1}),
        ("no such tool \ud800", {}),
        ("count_to", {"number": 10**9}),
        ("count_to", {"number": 2**63}),
    ]
    _, answers = talk(server, *calls)
    assert [answer.kind for answer in answers] == [
        None,
        "refused",
        "invalid_arguments",
        "constraint",
        None,
        "unknown_tool",
        "limit",
        "invalid_arguments",
    ]
    assert answers[:2] == [ToolAnswer('[{"stock": 0}]'), ToolAnswer("There are only 0 left.", "refused")]


def test_the_kind_is_in_the_meta_of_a_result_marked_as_an_error(server):
    async def raw():
        async with in_memory(server) as session:
            return [await session._client.call_tool("sell", {"fruit_id": fruit}) for fruit in (1, 3)]

    fine, refused = (result.model_dump(by_alias=True, exclude_none=True) for result in anyio.run(raw))
    assert (fine["isError"], fine["content"][0]["text"]) == (False, '[{"stock": 11}]')
    assert KIND not in fine.get("_meta", {})
    assert (refused["isError"], refused["_meta"][KIND]) == (True, "refused")
    assert [block["text"] for block in refused["content"]] == ["There are only 0 left."]


def test_the_authors_fault_crosses_as_itself(server):
    with pytest.raises(ScenarioError, match=r"^stall/tools.toml: read_note.sql: line 1: malformed JSON"):
        talk(server, ("read_note", {"note": "torn"}))


def test_a_server_that_fails_is_a_fault_and_no_answer(server):
    server._world.close()
    with pytest.raises(EnvironmentFault, match="list_fruit"):
        talk(server, ("list_fruit", {}))


TEXT = types.TextContent(type="text", text="hello")
IMAGE = types.ImageContent(type="image", data="AA==", mimeType="image/png")


@pytest.mark.parametrize(
    ("content", "is_error", "meta", "words"),
    [
        ([TEXT, TEXT], False, None, "t answered 2 blocks, expected one of text"),
        ([], False, None, "t answered 0 blocks"),
        ([IMAGE], False, None, "t answered 1 blocks, expected one of text"),
        ([TEXT], True, None, "t failed with an error of no known kind: hello"),
        ([TEXT], True, {KIND: "sad"}, "no known kind"),
        ([TEXT], True, {"other": "refused"}, "no known kind"),
    ],
)
def test_an_answer_outside_the_protocol_is_a_fault(monkeypatch, server, content, is_error, meta, words):
    result = types.CallToolResult(content=content, isError=is_error, _meta=meta)
    monkeypatch.setattr(mcp_sdk, "serve", lambda _tools: answering(result))
    with pytest.raises(EnvironmentFault, match=words):
        talk(server, ("t", {}))


def answering(result):
    """A server of the SDK that lists a tool without a description and always answers `result`."""
    server_class = importlib.import_module("mcp.server" if MAJOR >= 2 else "mcp.server.lowlevel").Server
    listing = types.ListToolsResult(tools=[types.Tool(name="t", inputSchema={"type": "object"})])

    async def list_tools(*_arguments):
        return listing if MAJOR >= 2 else types.ServerResult(listing)

    async def call_tool(*_arguments):
        return result if MAJOR >= 2 else types.ServerResult(result)

    if MAJOR >= 2:
        return server_class("odd", on_list_tools=list_tools, on_call_tool=call_tool)
    server = server_class("odd")
    server.request_handlers |= {types.ListToolsRequest: list_tools, types.CallToolRequest: call_tool}
    return server


def test_a_tool_without_a_description_has_an_empty_one(monkeypatch, server):
    monkeypatch.setattr(mcp_sdk, "serve", lambda _tools: answering(types.CallToolResult(content=[TEXT])))
    listed, answers = talk(server, ("t", {}))
    assert (listed[0].description, answers) == ("", [ToolAnswer("hello")])
