"""Exported applications beside the native tools: every call gets the same answer, or a refusal in the same words."""

import __future__

import asyncio
import json
import sqlite3
import sys
import types
from contextlib import closing

import pytest
from worlds import STALL, stall, write

from awm_gym.arguments import _UNFIT
from awm_gym.errors import ScenarioError
from awm_gym.files import load
from awm_gym.formats.awm.asgi import Response, respond
from awm_gym.formats.awm.export import application
from awm_gym.formats.awm.openapi import operations, request
from awm_gym.scenario import ToolCall
from awm_gym.world import MAX_ROWS, World

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
STATUSES = {None: {200}, "invalid_arguments": {422}, "refused": {404, 409}, "constraint": {409}, "limit": {413}}


class Pair:
    """A scenario's native world, and its exported application."""

    def __init__(self, scenario, module):
        self.world = World(scenario)
        self.app = module.app
        self.tools = {operation.name: operation for operation in operations(self.app.openapi())}

    def there(self, name, arguments):
        """Status and text of the exported tool."""
        response = Response()
        asyncio.run(respond(self.app, request(self.tools[name], arguments), response))
        return response.status, response.body.decode()

    def both(self, name, arguments):
        """The exported status and the native result, which must agree."""
        native = self.world.call(ToolCall(name, arguments))
        status, text = self.there(name, arguments)
        assert status in STATUSES[native.kind], (name, arguments, status, text, native.text)
        if native.kind is None:
            assert text == native.text
        elif native.kind != "invalid_arguments":
            assert json.loads(text) == {"detail": native.text}
        return status, native


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Make a pair. What generated applications share is imported here, so that it is this very code that runs."""
    made = []

    def start(scenario):
        path = tmp_path / f"{scenario.name}.db"
        with closing(sqlite3.connect(path)) as db:
            db.create_function("now", 0, lambda: "", deterministic=True)
            db.executescript(scenario.db_schema + scenario.data)
        monkeypatch.setenv("DATABASE_PATH", f"sqlite:///{path}")
        code = application.code(scenario)
        own = code[code.index("\nDATABASE_PATH = ") :]
        shared = __import__(application.RUNTIME, fromlist=["Tools"])
        module = types.ModuleType("exported")
        vars(module).update(vars(shared))
        module.__name__ = "exported"
        exec(
            "import os\nfrom typing import Literal\nfrom fastapi import FastAPI\nfrom sqlalchemy import create_engine",
            vars(module),
        )
        monkeypatch.setitem(sys.modules, "exported", module)
        exec(compile(own, "<exported>", "exec", flags=__future__.annotations.compiler_flag), vars(module))
        made.append((Pair(scenario, module), module))
        return made[-1][0]

    yield start
    for one, module in made:
        one.world.close()
        module.engine.dispose()


CALLS = [
    ("list_fruit", {}),
    ("list_fruit", {"stocked": True}),
    ("list_fruit", {"stocked": False}),
    ("sell", {"fruit_id": 1}),
    ("sell", {"fruit_id": 1.0, "amount": 2}),
    ("sell", {"fruit_id": 9}),
    ("sell", {"fruit_id": 3, "amount": 4}),
    ("add_fruit", {"name": 'Möhre "x"', "price": 5}),
    ("add_fruit", {"name": "pear", "price": 5}),
    ("add_fruit", {"name": "kiwi", "price": 0}),
    ("list_fruit", {}),
    ("count_to", {"number": MAX_ROWS + 1}),
    ("count_to", {"number": 50_000_000}),
    ("shelve", {"number": 50_000_000}),
    ("shelve", {"number": 7}),
    ("list_fruit", {}),
    ("read_note", {"note": "whole"}),
]


def test_the_same_characters_are_unfit():
    shared = __import__(application.RUNTIME, fromlist=["UNFIT"])
    assert shared.UNFIT == _UNFIT


def test_every_call_is_answered_as_the_native_tool_does(pair, tmp_path):
    both = pair(stall(tmp_path))
    statuses = [both.both(name, arguments)[0] for name, arguments in CALLS]
    assert statuses == [200, 200, 200, 200, 200, 404, 409, 200, 409, 409, 200, 200, 413, 413, 200, 200, 200]


def test_schemas_are_those_of_the_native_tools(pair, tmp_path):
    scenario = stall(tmp_path)
    both = pair(scenario)
    assert list(both.tools) == list(scenario.tools)
    for name, tool in scenario.tools.items():
        assert both.tools[name].description == tool.description
        schema = both.tools[name].schema
        assert schema.get("required", []) == tool.input_schema["required"]
        assert schema["properties"] == tool.input_schema["properties"], name


def test_a_tool_that_is_broken_stays_broken(pair, tmp_path):
    both = pair(stall(tmp_path))
    with pytest.raises(ScenarioError, match="malformed JSON"):
        both.world.call(ToolCall("read_note", {"note": "torn"}))
    with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
        both.there("read_note", {"note": "torn"})
    assert both.both("list_fruit", {})[0] == 200


PLAN = {"day": "2025-01-31", "at": "2025-01-31T10:00:00", "share": 1, "size": "small", "ids": [1, 2]}
ODD = [
    None,
    True,
    False,
    0,
    1,
    5.0,
    5.5,
    -1,
    2**63,
    1e400,
    float("nan"),
    "",
    "5",
    "small",
    "a\x00b",
    "\ud800",
    "x" * 31,
    "\x07" * 31,
    "\x07" * 31,
]
ODD += ["2025-02-29", "2025-02-28", "20250228", "2025-01-31T24:00:00", "2025-01-31T10:00:00", "2025-01-31 10:00:00"]
ODD += [
    [],
    [1],
    [1, 2],
    [1, 1],
    [1, 1.0],
    [1, 2, 3, 4],
    [1, "2"],
    [1, 2.0],
    [True, 2],
    {},
    {"a": 1},
    [[1], [2]],
    1.004,
    1.25,
]


@pytest.mark.parametrize("name", ["day", "at", "share", "close", "size", "label", "ids", "open", "other"])
def test_arguments_are_taken_and_refused_as_natively(pair, tmp_path, name):
    both = pair(stall(tmp_path))
    seen = set()
    for value in ODD:
        try:
            json.dumps({"value": value}, allow_nan=False).encode()
        except ValueError:
            status, _ = both.there("plan", PLAN | {name: value})
            native = both.world.call(ToolCall("plan", PLAN | {name: value}))
            assert (status, native.kind) == (422, "invalid_arguments"), value
        else:
            seen.add(both.both("plan", PLAN | {name: value})[0])
    assert seen == ({422} if name == "other" else {200, 422})
    assert both.there("plan", PLAN | {"day": "1 May", "x": 1}) == (
        422,
        '{"detail": "day: must be a date written YYYY-MM-DD; x: Extra inputs are not permitted"}',
    )
    for left in ({}, {key: value for key, value in PLAN.items() if key != name}):
        both.both("plan", left)


MORE = """
[app]
description = "Ways to hide what a module needs: \\"quotes\\", a \\\\ and names."
params.from = { type = "array", items = "boolean", optional = true, description = "A word of Python." }
params.json = { type = "integer", enum = [1, 3], default = 3, description = "A method of models." }
params.list = { type = "array", items = "string", unique = true, default = ["a"], description = "A type." }
params.model_x = { type = "number", default = 2, description = "A space that models keep." }
params.places = { type = "array", items = "integer", enum = [4, 5], optional = true, max_items = 2, description = "2." }
params.sizes = { type = "array", items = "string", enum = ["s", 'm"'], optional = true, description = "Sizes." }
params.days = { type = "array", items = "date", optional = true, min_items = 1, description = "Days." }
params.most = { type = "array", items = "number", optional = true, maximum = 2.5, description = "Numbers." }
sql = '''
SELECT :from AS "from", :json AS json, :list AS list, :model_x AS model_x, :places AS places, :sizes AS sizes,
  :days AS days, :most AS most, 'a \\\\ and \"\"\"' AS odd;
'''

[huge]
description = "Answers what JSON cannot say, and what is long."
params.number = { type = "number", description = "A number." }
sql = "SELECT :number * 1e300 AS huge, printf('%.*c', min(:number, 60000), 'x') AS text;"

[long]
description = "Answers much."
params.times = { type = "integer", description = "How often." }
sql = '''
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < :times)
SELECT i, printf('%.1000c', 'x') AS text FROM n ORDER BY i;
'''

[clock]
description = "The time."
sql = "SELECT now() AS now, me() AS me, date('now', '-1 day') AS yesterday, CURRENT_TIMESTAMP AS stamp;"

[clear]
description = "Answers nothing."
sql = "DELETE FROM fruit WHERE id = 3;"
"""


def more(tmp_path, head=""):
    edits = {"tools.toml": STALL["tools.toml"] + MORE, "scenario.toml": STALL["scenario.toml"] + head}
    return load(write(tmp_path / "stall", STALL | edits))


def test_no_name_hides_another_and_arrays_are_json_text(pair, tmp_path):
    both = pair(more(tmp_path))
    everything = {
        "from": [True, False],
        "json": 1,
        "list": ["x", "y"],
        "model_x": 1.5,
        "places": [4, 4],
        "sizes": ['m"'],
    }
    everything |= {"days": ["2025-01-01"], "most": [1, 2.5]}
    for given in ({}, everything):
        assert both.both("app", given)[0] == 200
    wrong = [{"from": [1]}, {"json": 2}, {"list": ["x", "x"]}, {"places": [6]}, {"places": [4, 5, 4]}, {"sizes": ["l"]}]
    wrong += [{"days": []}, {"days": ["2025-01-00"]}, {"most": [2.6]}, {"list": ["x" * 4_001]}, {"model_x": "2"}]
    wrong += [{"list": [f"{number}" + "x" * 3_900 for number in range(20)]}, {"from_": [True]}]
    for given in wrong:
        assert both.both("app", given)[0] == 422, given
    assert set(both.tools["app"].schema["properties"]) == {*everything}


def test_answers_are_cut_as_natively_and_huge_numbers_are_a_limit(pair, tmp_path):
    both = pair(more(tmp_path))
    assert both.both("huge", {"number": 1})[0] == 200
    assert both.both("huge", {"number": 1e9})[0] == 413
    for times in (10, 31, 40, 250):
        assert both.both("long", {"times": times})[0] == 200
    assert '"truncated": true' in both.there("long", {"times": 40})[1]
    assert both.both("clear", {}) == (200, both.world.call(ToolCall("clear", {})))


def test_the_clock_ticks_with_each_call_that_is_understood(pair, tmp_path):
    both = pair(more(tmp_path, "tick = 50_000\n"))
    calls = ["clock", "clock", "sell", "clock", "count_to", "clock"]
    arguments = {"sell": {"fruit_id": 9}, "count_to": {"number": 50_000_000}}
    for name in calls:
        both.both(name, arguments.get(name, {}))
    assert both.both("clock", {"extra": 1})[0] == 422
    _, result = both.both("clock", {})
    assert result.rows[0]["now"] == "2025-05-05T19:20:00"
