"""Rehearsals: what episodes find compiled, and that they can see nothing else of it; and applications that break."""

import gc
import itertools
import json
import os
import random
import sys
import types

import awm_kennel
import pytest

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

from awm_gym.errors import EnvironmentFault
from awm_gym.formats.awm import compact, host, kept
from awm_gym.formats.awm.host import App, likely_calls
from awm_gym.formats.awm.records import AwmScenario, Endpoint, Parameter, Solution
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall

CODE = """
import itertools, os, threading
from fastapi import FastAPI
from sqlalchemy import create_engine, text

engine = create_engine("sqlite://", connect_args={"check_same_thread": False})
app = FastAPI()
notes = []


@app.get("/peek", operation_id="peek")
async def peek():
    return len(engine._compiled_cache)


@app.post("/walks", operation_id="book")
def book():
    with engine.begin() as db:
        db.execute(text("INSERT INTO walk (dog, day) VALUES ('Cy', '2025-04-01')"))
    return db.closed


@app.post("/hold", operation_id="hold")
async def hold():
    db = engine.connect()
    db.execute(text("INSERT INTO walk (dog, day) VALUES ('Held', '2025-04-02')"))
    threading.main_thread().held = db


@app.post("/notes", operation_id="note")
async def note():
    notes.append("read")


@app.post("/state", operation_id="state")
async def state():
    app.state.seen = True


@app.post("/thread", operation_id="thread")
async def thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()


@app.post("/hang", operation_id="hang")
async def hang():
    while True:
        pass


@app.post("/die", operation_id="die")
async def die():
    os.abort()


@app.post("/leave", operation_id="leave")
async def leave():
    raise SystemExit(3)
"""
ASKING = """

@app.get("/last", operation_id="last")
async def last():
    with engine.connect() as db:
        return db.execute(text("SELECT last_insert_rowid()")).scalar()
"""


@pytest.fixture(autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def base():
    return awm_kennel.base()


def calls(*names):
    return [ToolCall(name, {}) for name in names]


def said(episode, tool):
    answer = episode.call(tool, {})
    assert (answer.status, answer.error) == (200, ""), answer
    return json.loads(answer.text)


def test_what_a_rehearsal_compiled_is_there_and_nothing_else_is_left(base):
    with App(CODE, base, rehearsal=calls("book", "peek", "no_such_tool")) as app, App(CODE, base) as plain:
        assert app.initial == plain.initial == base.image
        with app.reset() as first, plain.reset() as second:
            assert said(first, "peek") > 0
            assert said(second, "peek") == 0
            assert said(first, "book") == said(second, "book")
            assert first.image() == second.image() != base.image
        with app.reset() as again:
            assert again.image() == base.image


@pytest.mark.parametrize("name", ["note", "state", "hold", "thread", "hang", "die", "leave"])
def test_an_application_that_keeps_something_or_breaks_is_not_rehearsed(base, name, monkeypatch):
    monkeypatch.setattr(host, "REHEARSAL_SECONDS", 0.5 if name == "hang" else 20)
    with App(CODE, base, rehearsal=calls("book", name)) as app, app.reset() as episode:
        assert said(episode, "peek") == 0
        assert episode.image() == base.image


def test_an_application_that_cannot_be_looked_into_is_not_rehearsed(base):
    with App(f"{CODE}\nnumbers = itertools.count()", base, rehearsal=calls("book")) as app, app.reset() as episode:
        assert said(episode, "peek") == 0


def test_an_application_that_asks_its_connection_finds_a_fresh_one(base):
    with App(CODE + ASKING, base, rehearsal=calls("book", "last")) as app, app.reset() as episode:
        assert said(episode, "peek") > 0
        assert said(episode, "last") == 0


def test_arguments_that_are_no_json_are_not_rehearsed(base):
    with App(CODE, base, rehearsal=[ToolCall("book", {"a": float("nan")})]) as app, app.reset() as episode:
        assert said(episode, "peek") == 0


def test_a_rehearsal_in_place_is_not_played(base):
    with App(CODE, base, reset="inplace", rehearsal=calls("book")) as app:
        assert said(app.reset(), "peek") == 0


def test_the_example_application_keeps_a_count_of_calls(base):
    with App(awm_kennel.CODE, base, rehearsal=calls("count_calls")) as app, app.reset() as episode:
        assert said(episode, "count_calls")["calls"] == 1


def test_likely_calls_are_those_of_solutions_and_the_examples_of_the_specification():
    told = {"a": Parameter(type="string", example="x"), "b": Parameter(type="integer")}
    scenario = AwmScenario(
        *("kennel", "Kennel", "Walks.", ("Book.",), (), ()),
        endpoints=(Endpoint(path="/a", method="GET", operation_id="list_a", request_params=told),),
        code="",
        verifiers={},
        solutions={0: Solution((ToolCall("book", {"dog": "Bo"}),), None)},
    )
    assert likely_calls(scenario) == (ToolCall("book", {"dog": "Bo"}), ToolCall("list_a", {"a": "x"}))


# Applications that break


def test_an_application_that_breaks_three_times_running_is_to_blame(base):
    with App(CODE, base) as app:
        for _ in range(2):
            with app.reset() as episode, pytest.raises(EnvironmentFault, match=r"^the worker has ended"):
                episode.call("die", {})
        with app.reset() as episode:
            with pytest.raises(EnvironmentFault, match="broke its worker in 3 episodes running: leave it out"):
                episode.call("die", {})
            with pytest.raises(EnvironmentFault, match=r"^the worker is not there any more"):  # counts once
                episode.call("die", {})
        with app.reset() as episode:
            said(episode, "peek")
        with app.reset() as episode, pytest.raises(EnvironmentFault, match=r"^the worker has ended"):
            episode.call("die", {})


def test_the_next_episode_is_forked_while_the_caller_of_the_first_thinks(base):
    with App(CODE, base) as app:
        worker = app._warm.worker
        with app.reset() as episode:
            assert not worker._ahead
            said(episode, "peek")
            assert len(worker._ahead) == 1
            app.close()
            with pytest.raises(EnvironmentFault):
                said(episode, "peek")


def test_an_application_that_is_closed_before_the_first_answer_forks_no_more(base):
    with App(CODE, base) as app:
        app.close()
        app._watch.begun()
        assert not app._warm.worker._ahead


def test_nobody_waits_for_what_is_forked_ahead(base):
    with App(CODE, base) as app, app.reset() as episode:
        with app._warm._turn:  # as while it is loaded again in another thread
            said(episode, "peek")
        assert not app._warm.worker._ahead
        assert episode.process != app._warm.worker.process


# What an application keeps


@pytest.fixture
def module():
    made = types.ModuleType("made")
    code = """
from collections import deque
from enum import Enum

class Kind(Enum):
    A = "a"

class Thing:
    count = 0
    tags = []
    def __init__(self): self.names = {"x": [1]}
    @staticmethod
    def still(of=[]): pass
    @classmethod
    def of_class(cls, of={}): pass
    @property
    def held(self, of=[]): return 1

def outer():
    seen = []
    def inner(new=None, *, also=[]):
        seen.append(new)
    return inner

number, words, table, queue, one, kind = 1, {"a"}, {"k": [()]}, deque([1]), Thing(), Kind.A
function = outer()
ring = []
ring.append(ring)
"""
    exec(code, made.__dict__)
    return made


CHANGES = {
    "a global": "number = 2",
    "a new global": "other = 1",
    "a list in an instance": "one.names['x'].append(2)",
    "an attribute": "one.more = 1",
    "a class attribute": "Thing.count += 1",
    "a list of a class": "Thing.tags.append(1)",
    "a set": "words.add('b')",
    "a dict in a dict": "table['k'][0] = 1",
    "a deque": "queue.append(2)",
    "a closure": "function(3)",
    "a default": "function.__kwdefaults__['also'].append(1)",
    "an attribute of a function": "function.calls = 1",
    "a default of a static method": "Thing.still.__defaults__[0].append(1)",
    "a default of a class method": "Thing.of_class.__func__.__defaults__[0]['a'] = 1",
    "a default of a property": "Thing.held.fget.__defaults__[0].append(1)",
    "the environment": "import os\nos.environ['AWM_KEPT'] = '1'",
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_kept_is_seen(module, monkeypatch, what):
    monkeypatch.setattr(os.environ, "_data", dict(os.environ._data))
    before = kept.snapshot(module)
    assert kept.same(before, kept.snapshot(module))
    exec(CHANGES[what], module.__dict__)
    assert not kept.same(before, kept.snapshot(module))


def test_other_roots_are_looked_into(module):
    root = {"a": []}
    before = kept.snapshot(module, root)
    root["a"].append(1)
    assert not kept.same(before, kept.snapshot(module, root))


@pytest.mark.parametrize(
    "value", [itertools.count(), random.Random(1), iter([1]), (each for each in "ab"), bytearray(b"a"), open]
)
def test_what_may_change_unseen_is_unclear(module, value):
    module.value = value
    if value is open:
        assert kept.snapshot(module)
        return
    with pytest.raises(kept.Unclear):
        kept.snapshot(module)


def test_sessions_hold_more_than_they_show(module):
    import sqlalchemy.orm

    module.make = sqlalchemy.orm.sessionmaker()
    assert kept.snapshot(module)
    module.session = sqlalchemy.orm.Session()
    with pytest.raises(kept.Unclear, match="Session"):
        kept.snapshot(module)


# Code side by side


def test_code_that_ran_is_copied_and_does_the_same():
    def helper(value):
        return [each + 1 for each in value]

    def whole():
        return sum(helper([1, 2]))

    def idle():
        return 0

    codes = whole.__code__, helper.__code__, idle.__code__
    try:
        compact.gather(whole)
    finally:
        gc.unfreeze()
        compact._filling.clear()
    assert whole() == 5
    assert (whole.__code__ is codes[0], helper.__code__ is codes[1], idle.__code__ is codes[2]) == (False, False, True)
    assert (whole.__code__, helper.__code__) == codes[:2]


def test_code_is_noted_once_when_it_is_called():
    witness, frame = compact._Witness(), sys._getframe()
    for event in ("return", "call", "call"):
        witness.note(frame, event, None)
    assert list(witness.codes.values()) == [frame.f_code]


def test_what_raises_is_not_watched_any_longer():
    with pytest.raises(ZeroDivisionError):
        compact.gather(lambda: 1 / 0)
    assert sys.getprofile() is None
