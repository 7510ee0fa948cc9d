"""Hostile input: whatever an agent or a folder brings is answered in words, changes nothing and hangs nowhere."""

import collections
import datetime
import decimal
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import types
import weakref

import numpy as np
import pytest
from worlds import stall, write

from awm_gym.client import ROADS
from awm_gym.env import ToolEnv
from awm_gym.episode import Episode, Step, as_action
from awm_gym.errors import ScenarioError
from awm_gym.files import FILES, MAX_FILE, load
from awm_gym.library import names, open_scenario
from awm_gym.scenario import ToolCall
from awm_gym.world import World


class Mute:
    """Answers no question about itself."""

    def __getattribute__(self, name):
        raise OSError("no")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __hash__ = lambda self: 1 / 0


def nested(depth, inner="[]"):
    return "[" * (depth - 1) + inner + "]" * (depth - 1)


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def shared(depth):
    """A list that is small in memory and endless when written."""
    value = []
    for _ in range(depth):
        value = [value, value]
    return value


def cyclic():
    value = {}
    value["a"] = [value]
    return value


def say(name, /, **arguments):
    return ToolCall(name, arguments)


def sell(fruit_id):
    """A call of `sell` as JSON text, with the argument as it stands there."""
    return f'{{"name": "sell", "arguments": {{"fruit_id": {fruit_id}}}}}'


PLAN = {"day": "2025-05-02", "at": "2025-05-02T08:00:00", "share": 0.5, "size": "small", "ids": [1, 2]}


def plan(**arguments):
    return ToolCall("plan", PLAN | arguments)


BAD, WRONG = "malformed", "invalid_arguments"
JSON = "That is not valid JSON"
PLAIN = "The arguments are not plain JSON: "
# Row in the list of bad inputs, action, kind of the error, words of the answer. Rows that are not here are of servers,
# processes and archives, which this package does not have, or of `reset`: see test_env.
REFUSED = [
    (1, "{'name': 'sell'}", BAD, f"{JSON} (Expecting property name enclosed in double quotes at character 1)"),
    (1, '{"name": "sell",}', BAD, f"{JSON} (trailing comma at character 15)"),
    (1, '{"name": "sell", "arguments": {"a": [1 , ]}}', BAD, f"{JSON} (trailing comma at character 39)"),
    (1, '{"name": "sell"} now', BAD, f"{JSON} (Extra data at character 17)"),
    (1, {"name": "sell", "arguments": "{'fruit_id': 1}"}, BAD, JSON),
    (2, '{"name": "sell", "arguments": {"fruit_id": 1', BAD, f"{JSON} (Expecting ',' delimiter at character 44)"),
    (3, "", BAD, f"{JSON} (Expecting value at character 0)"),
    (3, " \n", BAD, JSON),
    (3, "null", BAD, "That is no tool call but a NoneType: expected a JSON object such as"),
    (
        3,
        {"name": "sell", "arguments": " "},
        WRONG,
        "sell needs the argument 'fruit_id' (a 64-bit integer: The fruit.).",
    ),
    (3, {"name": "sell", "arguments": "null"}, WRONG, "sell needs the argument 'fruit_id'"),
    (4, '["sell"]', BAD, "That is no tool call but a list"),
    (4, '"sell"', BAD, "That is no tool call but a str"),
    (4, "5", BAD, "That is no tool call but a int"),
    (4, "{}", BAD, "That is no tool call: expected a JSON object such as"),
    (4, ToolCall("sell", [1]), BAD, "The arguments must be a JSON object, got [1]."),
    (4, ToolCall("sell", "[1]"), BAD, "The arguments must be a JSON object, got [1]."),
    (4, ToolCall("sell", 5), BAD, "The arguments must be a JSON object, got 5."),
    (4, {"name": ["sell"], "arguments": {}}, BAD, "The tool's name must be a string, got ['sell']."),
    (4, {"name": "sell", "arguments": {}, "args": {}}, BAD, "A tool call has no 'args': expected"),
    (5, '{"name": "sell", "name": "plan"}', BAD, f"{JSON} (the key 'name' stands there twice)"),
    (5, sell('1, "fruit_id": 2'), BAD, f"{JSON} (the key 'fruit_id' stands there twice)"),
    (5, "{" + ",".join(f'"{n % 18_000}": 0' for n in range(18_001)) + "}", BAD, "the key '0' stands there twice"),
    *((6, sell(word), BAD, f"{JSON} ({word} is not JSON)") for word in ("NaN", "Infinity", "-Infinity")),
    *((6, say("sell", fruit_id=float(word)), WRONG, PLAIN + word) for word in ("nan", "inf", "-inf")),
    (7, sell("1e999"), WRONG, PLAIN + "inf is not a JSON number."),
    *((8, sell(n), WRONG, PLAIN + "an integer does not fit into 64 bits.") for n in (2**63, -(2**63) - 1, 10**30)),
    (9, sell("9" * 4_301), BAD, f"{JSON} (Exceeds the limit"),
    (9, say("sell", fruit_id=10**5_000), WRONG, PLAIN + "an integer does not fit"),
    (9, ToolCall(10**5_000, {}), BAD, "The tool's name must be a string, got an integer of 16610 bits."),
    (9, {10**5_000: 1, "name": "sell"}, BAD, "A tool call has no an integer of 16610 bits"),
    *((10, sell(value), WRONG, "sell: fruit_id must be a 64-bit integer, got") for value in ("5.5", '"5"', "true")),
    (11, sell("-0.0"), "refused", "There is no fruit 0."),
    (11, sell("1e-320"), WRONG, "must be a 64-bit integer, got 1e-320."),
    (12, sell(nested(31)), WRONG, "sell: fruit_id must be a 64-bit integer, got [[["),
    (12, sell(nested(32)), WRONG, PLAIN + "nested deeper than 32 levels."),
    *((12, sell(nested(n)), BAD, "The JSON is nested deeper than 32 levels.") for n in (33, 1_100, 5_000, 100_000)),
    (12, "[" * 200_000, BAD, "The JSON is nested deeper than 32 levels."),
    (12, '{"a":' * 50_000, BAD, "The JSON is nested deeper than 32 levels."),
    (12, sell('"' + "[" * 40 + '"'), WRONG, "must be a 64-bit integer, got '[[["),
    (12, sell('"' + '\\"[{' * 40), BAD, f"{JSON} (Unterminated string"),
    (12, say("sell", fruit_id=deep(100_000)), WRONG, PLAIN + "nested deeper than 32 levels."),
    (12, ToolCall("sell", deep(100_000)), BAD, "The arguments must be a JSON object, got [[["),
    (12, ToolCall(deep(100_000), {}), BAD, "The tool's name must be a string, got [[["),
    (12, ToolCall("sell", cyclic()), WRONG, PLAIN + "nested deeper than 32 levels."),
    (12, cyclic(), BAD, "That is no tool call: expected"),
    (13, "x" * 10_000_000, BAD, "The tool call is too long: 10000000 characters, at most 262144."),
    (13, say("add_fruit", name="x" * 10_000_000, price=1), WRONG, PLAIN + "larger than 262144 characters."),
    (13, say("add_fruit", name="x" * 41, price=1), WRONG, "add_fruit: name must have 0 to 40 characters, got 41."),
    (13, say("sell", fruit_id=shared(28)), WRONG, PLAIN + "larger than 262144 characters."),
    (13, say("sell", fruit_id=["x" * 200_000] * 200_000), WRONG, PLAIN + "larger than 262144 characters."),
    (13, ToolCall(shared(60), {}), BAD, "The tool's name must be a string, got [[["),
    (14, ToolCall("sell", dict.fromkeys(map(str, range(200_000)))), WRONG, PLAIN + "larger than 262144 characters."),
    (
        14,
        ToolCall("sell", dict.fromkeys(map(str, range(9_000)))),
        WRONG,
        "sell has no argument '0'; it takes fruit_id,",
    ),
    (15, sell('"\\ud800"'), WRONG, PLAIN + "a string holds the control or surrogate character '\\ud800'."),
    (15, say("add_fruit", name="a\udfff", price=1), WRONG, "surrogate character '\\udfff'."),
    (16, say("add_fruit", name="a\0b", price=1), WRONG, "character '\\x00'."),
    *((17, say("add_fruit", name=f"a{c}", price=1), WRONG, "control") for c in "\x01\x07\x08\x0b\x1b\x1f\x7f"),
    (17, ToolCall("sell", {"\x1b": 1}), WRONG, "character '\\x1b'."),
    (20, "\ufeff" + sell(1), BAD, f"{JSON} (Unexpected UTF-8 BOM"),
    (21, say("sell", fruit_id="1; DROP TABLE fruit; --"), WRONG, "must be a 64-bit integer"),
    (23, say("SELL"), "unknown_tool", "There is no tool 'SELL'. There are: add_fruit, count_to,"),
    (23, say("sel"), "unknown_tool", "There is no tool 'sel'. Did you mean sell or shelve?"),
    (23, say("sеll"), "unknown_tool", "There is no tool 'sеll'. Did you mean sell"),
    (23, say(" sell"), "unknown_tool", "There is no tool ' sell'. Did you mean sell"),
    (23, say("x" * 10_000), "unknown_tool", "There is no tool 'xxx"),
    (23, say("\ud800\0\u202e"), "unknown_tool", "There is no tool '\\ud800\\x00\\u202e'."),
    *(
        (23, say(name), "unknown_tool", "There is no tool ")
        for name in ("", "verify", "__class__", "tools/call", "Submit")
    ),
    (24, say("sell"), WRONG, "sell needs the argument 'fruit_id'"),
    (
        24,
        say("sell", fruit_id=1, amonut=2),
        WRONG,
        "no argument 'amonut'; it takes fruit_id, amount. Did you mean amount?",
    ),
    (24, say("sell", fruit_id=1, **{"": 1}), WRONG, "sell has no argument ''; it takes fruit_id, amount."),
    (25, say("sell", fruit_id=None), WRONG, "sell: fruit_id cannot be null; it must be a 64-bit integer."),
    (25, say("sell", fruit_id=1, amount=None), WRONG, "sell: amount cannot be null; leave it out instead."),
    (25, plan(size="medium"), WRONG, "plan: size must be one of small, large, got 'medium'."),
    (25, plan(size="Small"), WRONG, "plan: size must be one of small, large, got 'Small'."),
    *(
        (26, plan(day=day), WRONG, "plan: day must be a date written YYYY-MM-DD, got")
        for day in ("2026-02-30", "2025-5-2", "20250502", "2025-05-02T00:00:00", "٢٠٢٥-٠٥-٠٢", "now", "", 20250502)
    ),
    *(
        (26, plan(at=at), WRONG, "plan: at must be a moment written YYYY-MM-DDTHH:MM:SS, got")
        for at in ("2025-05-02T24:00:00", "2025-05-02 08:00:00", "2025-05-02T08:00:00Z", "2025-05-02T08:00:00+02:00")
    ),
    (27, plan(ids=list(range(100_000))), WRONG, "plan: ids must have 2 to 3 items, got 100000."),
    (27, plan(ids=[1, 1]), WRONG, "plan: ids must not hold an item twice, got [1, 1]."),
    (27, plan(ids=[1, "2"]), WRONG, "plan: ids item 1 must be a 64-bit integer, got '2'."),
    (27, plan(ids="[1, 2]"), WRONG, "plan: ids must be an array, each item a 64-bit integer, got '[1, 2]'."),
    *((27, ToolCall("sell", {key: {}}), WRONG, "no argument") for key in ("__proto__", "$ref", "__class__")),
    (29, [say("sell", fruit_id=1), say("sell", fruit_id=1)], BAD, "That is no tool call but a list"),
    (29, sell(1) + "\n" + sell(1), BAD, f"{JSON} (Extra data"),
    (31, say("count_to", number=10**12), "limit", "count_to asks too much of the database with these arguments"),
    (31, say("shelve", number=10**12), "limit", "shelve asks too much of the database with these arguments"),
    (
        33,
        say("add_fruit", name="fig", price=1),
        "constraint",
        "The request breaks a rule of the data: UNIQUE constraint",
    ),
    (
        33,
        say("add_fruit", name="kiwi", price=-1),
        "constraint",
        "The request breaks a rule of the data: CHECK constraint",
    ),
]


@pytest.fixture(scope="module", params=ROADS)
def market(request, tmp_path_factory):
    env = ToolEnv(stall(tmp_path_factory.mktemp(request.param)), "sell_two", request.param, render_mode="ansi")
    yield env
    env.close()


@pytest.mark.parametrize(
    ("action", "kind", "words"), [row[1:] for row in REFUSED], ids=[f"{row[0]:02}-{n}" for n, row in enumerate(REFUSED)]
)
def test_a_bad_input_is_answered_with_its_kind_and_changes_nothing(market, action, kind, words):
    market.reset()
    before = market.world.state_hash()
    observation, reward, terminated, truncated, info = market.step(action)
    assert info["error_kind"] == kind
    assert words in observation
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, False, "running")
    assert len(observation) < 500
    assert not any(trace in observation for trace in ("Traceback", " at 0x", "SELECT", "WITH", ".py"))
    assert market.world.state_hash() == before
    assert observation in market.render()


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ({"name": "list_fruit", "arguments": ""}, "apple"),
        ({"name": "list_fruit", "arguments": "null"}, "apple"),
        (ToolCall("list_fruit", None), "apple"),
        (sell("1.0"), '[{"stock": 11}]'),
        (plan(share=-0.0 + 1, label="\n\t" * 15), '"label": "\\n\\t'),
        (plan(label="ab\u202ec\u200b\u0430" * 5), "ab\u202ec\u200b\u0430"),
        (say("add_fruit", name="'; DROP TABLE fruit; --", price=2**63 - 1), '[{"id": 4}]'),
        (say("add_fruit", name="x' OR '1'='1", price=1), '[{"id": 4}]'),
        (say("count_to", number=300), '"truncated": true, "total_rows": 300}'),
    ],
)
def test_a_strange_input_that_is_right_is_taken_as_it_stands(market, action, answer):
    market.reset()
    observation, *_, info = market.step(action)
    assert info["error_kind"] == ""
    assert answer in observation
    assert len(market.world.query("SELECT 1 FROM fruit")) in (3, 4)


def test_texts_that_look_alike_are_different_texts(market):
    market.reset()
    for name in ("é", "e\u0301", "fiɡ", "FIG", "fig\u200b"):
        assert market.step(say("add_fruit", name=name, price=1))[4]["error_kind"] == ""
    names = [row["name"] for row in json.loads(market.step(say("list_fruit"))[0])]
    assert {"é", "e\u0301", "fig", "fiɡ", "FIG", "fig\u200b"} < set(names)


@pytest.mark.parametrize("text", ["%", "_", "\\", "' OR '1'='1", "%' --", "*", "?"])
def test_wildcards_and_quotes_find_only_themselves(text):
    env = ToolEnv("parcel_lockers")
    env.reset(seed=0)
    assert env.step(say("find_parcels", recipient=text))[0] == "[]"
    env.close()


dead, ENDLESS = weakref.proxy(Mute()), shared(60)
OBJECTS = [
    *(
        None,
        True,
        5,
        -0.5,
        b"sell",
        bytearray(b"sell"),
        2j,
        ...,
        NotImplemented,
        (),
        ("sell", {}),
        {"sell"},
        frozenset(),
    ),
    *(object(), object, Mute(), Mute, dead, lambda: "sell", print, sys, range(3), iter([]), (n for n in "n")),
    *(
        np.int64(5),
        np.float64("nan"),
        np.str_("{"),
        np.array(["sell"]),
        np.array(None),
        np.zeros((2, 0)),
        np.dtype("U4"),
    ),
    *(decimal.Decimal(1), datetime.datetime.min, pathlib.Path(), ValueError("x"), memoryview(b""), threading.Lock()),
    *(collections.OrderedDict(), collections.UserDict(name=5), collections.ChainMap(), types.MappingProxyType({})),
    *(deep(100_000), ENDLESS, cyclic(), {"name": Mute()}, {Mute: 1}, {"function": Mute()}, {"name": "sell", 5: 1}),
    *(ToolCall(Mute(), {}), ToolCall(None, None), ToolCall("sell", Mute()), ToolCall("sell", dead), ToolCall((), "{")),
]


LABELS = [f"{place}-{type(value).__name__}" for place, value in enumerate(OBJECTS)]


@pytest.mark.parametrize("place", range(len(OBJECTS)), ids=LABELS)  # pytest would ask the objects for their class
def test_an_object_that_is_no_call_is_answered(market, place):
    action = OBJECTS[place]
    market.reset()
    observation, _, _, _, info = market.step(action)
    assert info["error_kind"] == "malformed"
    assert " at 0x" not in observation + market.render()
    assert not market.action_space.contains(action)


@pytest.mark.parametrize("place", range(4, len(OBJECTS)), ids=LABELS[4:])
def test_an_object_that_is_no_json_is_answered_within_arguments(market, place):
    value = OBJECTS[place]
    market.reset()
    for inside in (value, [value], {"a": value}):
        observation, _, _, _, info = market.step(ToolCall("sell", {"fruit_id": inside}))
        assert info["error_kind"] == "invalid_arguments"
        assert " at 0x" not in observation + market.render()


def test_an_episode_of_hostile_actions_can_be_written_and_read_again():
    actions = [*OBJECTS, "{\ud800\0", say("sell", fruit_id=float("nan")), say("\ud800"), cyclic()]
    steps = tuple(Step(as_action(action), "no", "malformed", 0.0) for action in actions)
    episode = Episode("stall", "sell_two", "hostile", "direct", "Sell.", steps, 0.0, "truncated")
    assert Episode.from_json(episode.to_json().encode().decode()) == episode
    assert len(episode.to_json()) < 10_000


ATOMS = [
    *(None, True, False, 0, -1, 1, 2, 7, 101, 102, 105, 2**63, -(2**63), 10**5_000, 5.0, 5.5, 1e16, -0.0, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        "x",
        "4417",
        "Okafor",
        "\0",
        "\ud800",
        "\u202egnp",
        "a\u0301",
        "漢字🙂",
        "\x1b[2J",
    ),
    *(
        "%",
        "_",
        "' OR '1'='1",
        "'; DROP TABLE parcel; --",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "../../etc/passwd",
        "x" * 5_000,
    ),
    *("x" * 300_000, "NaN", "null", "true", "{}", [], {}, [[]], {"$ref": "#"}, {"__proto__": {}}, [1] * 300),
]
OTHERS = [value for value in OBJECTS if value is not ENDLESS]  # that one takes its time
NAMES = [
    *("find_parcels", "list_lockers", "collect_parcel", "move_parcel", "report_locker", "submit", "give_up", "Submit"),
    *(
        "find_parcel",
        "FIND_PARCELS",
        "find-parcels",
        "fіnd_parcels",
        "find_parcels ",
        "verify",
        "__init__",
        "",
        "tools/list",
    ),
]
KEYS = [
    "recipient",
    "waiting",
    "free",
    "parcel_id",
    "code",
    "locker_id",
    "working",
    "answer",
    "reason",
    "name",
    "",
    "\ud800",
]
SPLICES = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "\\",
    "\\u",
    "\0",
    "NaN",
    "1e999",
    "//",
    "'",
    "\ufeff",
    "9" * 5_000,
    "[" * 300,
]
KINDS = {"", "refused", "constraint", "limit", "invalid_arguments", "unknown_tool", "malformed"}


def hostile(rng):
    """An action that no agent of good will would take, or nearly a good one."""
    name = rng.choice(NAMES if rng.random() < 0.9 else ATOMS)
    arguments = rng.choice(
        [
            {rng.choice(KEYS): rng.choice(ATOMS) for _ in range(rng.randrange(4))},
            {"parcel_id": rng.randrange(100, 108), "locker_id": rng.randrange(9)},
            {"parcel_id": rng.randrange(100, 108), "code": rng.choice(["0825", "4417", "3106", "2271"])},
            {"locker_id": rng.randrange(9), "working": rng.random() < 0.5},
            rng.choice(ATOMS),
        ]
    )
    form = rng.randrange(8)
    if form == 0:
        return rng.choice(OTHERS)
    if form == 1:
        return ToolCall(name, rng.choice([{rng.choice(KEYS): rng.choice(OTHERS)}, rng.choice(OTHERS)]))
    if form == 2:
        return {"name": name, "arguments": arguments, **({"id": 1} if rng.random() < 0.1 else {})}
    if form < 5:
        return ToolCall(name, arguments)
    text = torn(rng, {"name": name, "arguments": arguments})
    if form == 5:
        return {"id": "c", "type": "function", "function": {"name": name, "arguments": text}}
    return text


def torn(rng, document):
    """JSON text, or nearly."""
    try:
        text = json.dumps(document)
    except ValueError:  # an integer that Python does not print
        text = "{'name': object()}"
    for _ in range(rng.randrange(3)):
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(["", rng.choice(SPLICES)]) + text[place + rng.randrange(4) :]
    return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.2 else text


def played(road, seed, steps):
    """Play a hostile policy; a digest of all that was seen, and the kinds of error."""
    rng, env, digest, kinds = random.Random(seed), ToolEnv("parcel_lockers", road=road), hashlib.sha256(), set()
    env.reset(seed=seed)
    before = env.world.state_hash()
    for step in range(steps):
        observation, reward, terminated, _, info = env.step(hostile(rng))
        digest.update(observation.encode())
        kinds.add(info["error_kind"])
        assert observation in env.observation_space
        assert reward in (0.0, 1.0)
        if info["error_kind"]:
            if step % 10 == 0:
                assert env.world.state_hash() == before
        else:
            before = env.world.state_hash()
        if terminated:
            env.reset()
            before = env.world.state_hash()
    env.close()
    return digest.hexdigest(), kinds


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_hostile_steps_raise_nothing(seed):
    _, kinds = played("direct", seed, 10_000)
    assert kinds == KINDS - {"constraint", "limit"}  # this scenario's tools leave no room for these


def test_hostile_steps_read_the_same_on_every_road_and_every_time():
    assert len({played(road, 77, 700)[0] for road in (*ROADS, *ROADS)}) == 1


def extreme(schema, rng):
    """A value at an edge of what a JSON Schema of a tool allows, or a likely one."""
    kind = schema["type"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if kind == "object":
        kept = [name for name in schema["properties"] if name in schema["required"] or rng.random() < 0.4]
        return {name: extreme(schema["properties"][name], rng) for name in kept}
    if kind == "array":
        sizes = (schema.get("minItems", 0), 1, 2, schema["maxItems"])
        return [extreme(schema["items"], rng) for _ in range(rng.choice(sizes))]
    if kind in ("integer", "number"):
        edges = (schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        return rng.choice((*edges, *(rng.randrange(1, 60) for _ in range(8))))
    if "format" in schema:
        time = "" if schema["format"] == "date" else "T23:59:59"
        return rng.choice(("0001-01-01", "9999-12-31", "2025-03-10")) + time
    longest = schema.get("maxLength", 4_000)
    return rng.choice(("", "x", "🙂" * longest, "'" * longest, "%", "7")) if kind == "string" else rng.random() < 0.5


@pytest.mark.parametrize("name", names())
def test_arguments_at_the_edges_of_their_schemas_raise_nothing_in_any_scenario(name):
    env, rng, kinds = ToolEnv(name), random.Random(name), set()
    *tools, _ = env.action_space.tools
    for seed in range(30):
        env.reset(seed=seed)
        terminated = False
        for _ in range(100):
            tool = rng.choice(tools if rng.random() < 0.02 else tools[: len(env.scenario.tools)])
            if not terminated:
                _, _, terminated, _, info = env.step(ToolCall(tool.name, extreme(tool.input_schema, rng)))
                kinds.add(info["error_kind"])
    assert {"", "refused"} <= kinds <= KINDS - {"malformed", "unknown_tool"}
    env.close()


def test_a_hundred_environments_at_once_start_from_the_same_bytes():
    hashes, scenario = [], open_scenario("parcel_lockers")

    def start():
        world = World(scenario)
        world.reset("waiting_longest")
        hashes.append(world.state_hash())
        world.close()

    threads = [threading.Thread(target=start) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 100
    assert len(set(hashes)) == 1


TRANSCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
from test_hostile import played
print(played("direct", 5, 300)[0])
"""


@pytest.mark.parametrize(
    "setting", [{"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"}, {"LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "2"}]
)
def test_time_zone_locale_and_hash_seed_change_nothing(setting):
    command = [sys.executable, "-c", TRANSCRIPT, str(pathlib.Path(__file__).parent)]
    there = subprocess.run(command, env=os.environ | setting, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == played("direct", 5, 300)[0]


@pytest.mark.parametrize(
    ("row", "edits", "words"),
    [
        (28, {"tools": ('description = "Its name."', 'pattern = "(a+)+", description = "x"')}, "unknown key"),
        (
            28,
            {"tools": ('type = "boolean", optional', '"$ref" = "#", optional')},
            r"tools\.toml: list_fruit\.params\.stocked",
        ),
        (58, {"data": ("\nINSERT", "\ufeff\nINSERT")}, "byte order mark|unrecognized token|only INSERT"),
        (58, {"data": ("\nINSERT", "\r\nINSERT")}, "Windows line ends"),
        (59, {"tools": ("[add_fruit]", "[list_fruit]")}, "is not valid TOML"),
        (60, {"scenario": ('name = "stall"', 'name = "../stall"')}, "is not snake_case"),
        (60, {"scenario": ('name = "stall"', 'name = "st\\u0000all"')}, "is not snake_case"),
        (60, {"scenario": ('name = "stall"', f'name = "{"a" * 300}"')}, "is not snake_case"),
        (60, {"scenario": ('name = "stall"', 'name = "con"')}, "the folder's is 'stall'"),
        (64, {"tasks": ("json_array_length(:answer) = 2", "(SELECT 1 FROM nowhere)")}, "no such table: nowhere"),
        (
            64,
            {"tasks": ("SELECT name FROM fruit WHERE stock > 0 ORDER BY id", "DELETE FROM fruit")},
            "only SELECT, WITH",
        ),
        (65, {"tools": ("Sell some of a fruit.", "Sell. " * 200_000)}, "at most 4000"),
        (65, {"tools": ("Sell some of a fruit.", "Sell\u202e.")}, "invisible character"),
    ],
)
def test_a_hostile_scenario_is_refused_when_it_is_loaded(tmp_path, row, edits, words):
    folder = write(tmp_path / "stall", **edits)
    with pytest.raises(ScenarioError, match=words) as caught:
        load(folder)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "put",
    [
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_bytes(b" " * (MAX_FILE + 1)),
    ],
)
def test_a_file_that_is_none_is_refused_unread(tmp_path, name, put):
    folder = write(tmp_path / "stall")
    (folder / name).unlink()
    put(folder / name)
    with pytest.raises(ScenarioError, match=name.replace(".", r"\.")):
        load(folder)


def test_a_check_that_is_null_or_a_fraction_or_text_does_not_pass(tmp_path):
    for verdict in ("NULL", "(SELECT 1 WHERE 0)", "'complete'", "0.0", "'1' = 1"):
        env = ToolEnv(stall(tmp_path, tasks=("json_array_length(:answer) = 2", verdict)), "stocked_names")
        env.reset()
        assert env.step(say("submit", answer=["apple", "pear"]))[1] == 0.0
        env.close()
