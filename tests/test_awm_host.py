"""Generated applications in their workers: what they answer, that they begin alike, and how bad ones end."""

import json
import sys
import threading
import zoneinfo

import awm_kennel
import pytest

from awm_gym.errors import EnvironmentFault, ScenarioError, UsageError
from awm_gym.formats.awm import host
from awm_gym.formats.awm.host import MAX_ANSWER, App, Collision
from awm_gym.sandbox.worker import trial

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

NEVER = 0.2  # seconds to wait for what never comes


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def base():
    return awm_kennel.base()


@pytest.fixture(scope="module")
def app(base):
    with App(awm_kennel.CODE, base, name="kennel") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def inplace(base):
    with App(awm_kennel.CODE, base, name="kennel", reset="inplace") as loaded:
        yield loaded


@pytest.fixture(params=["fork", "inplace"])
def either(request, app, inplace):
    return app if request.param == "fork" else inplace


@pytest.fixture
def episode(app):
    with app.reset() as begun:
        yield begun


def said(episode, tool, **arguments):
    answer = episode.call(tool, arguments)
    assert (answer.status, answer.error) == (200, ""), answer
    return json.loads(answer.text)


def schema(app, name):
    return next(tool.input_schema for tool in app.tools if tool.name == name)


def small(base, code):
    return App(f"from fastapi import FastAPI\napp = FastAPI()\n{code}", base, name="small")


# What tools there are


def test_every_operation_is_a_tool_even_if_another_hides_it(app):
    names = [tool.name for tool in app.tools]
    assert len(names) == len(set(names)) == 27
    assert [tool.name for tool in app.tools if not tool.exposed] == ["visit_once"]
    assert app.collisions == (
        Collision(kind="route", method="POST", path="/visits", first="visit_once", second="visit_weekly"),
        Collision(kind="shadow", method="GET", path="/dogs/oldest", first="get_dog", second="get_dog_2"),
        Collision(kind="name", method="GET", path="/dogs/oldest", first="get_dog", second="get_dog_2"),
    )


def test_both_of_two_that_collide_can_be_called(episode):
    walk = {"dog": "Bo", "day": "2025-03-12"}
    assert said(episode, "visit_once", **walk) == {"visit": "once"}
    assert said(episode, "visit_weekly", **walk) == {"visit": "weekly"}
    assert said(episode, "get_dog", name="oldest") == {"name": "oldest"}
    assert said(episode, "get_dog_2") == {"name": "the oldest"}


def test_a_tool_has_one_flat_schema(app):
    tool = app.tools[0]
    assert (tool.name, tool.method, tool.path) == ("list_walks", "GET", "/walks")
    assert tool.description == "List walks\n\nBy day."
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "dog": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Only of this dog."},
            "days": {"type": "array", "items": {"type": "string"}, "default": []},
        },
    }
    assert schema(app, "book_walk") == {
        "type": "object",
        "properties": {
            "dog": {"type": "string", "description": "Who is walked."},
            "day": {"type": "string"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["dog", "day"],
    }


def test_parameters_of_one_name_are_kept_apart(app, episode):
    assert schema(app, "renumber_walk") == {
        "type": "object",
        "properties": {
            "walk_id": {"type": "integer", "description": "The number."},
            "dry": {"type": "boolean", "default": False},
            "body_walk_id": {"type": "integer", "description": "The new number."},
        },
        "required": ["walk_id", "body_walk_id"],
    }
    assert said(episode, "renumber_walk", walk_id=1, body_walk_id=7, dry=True) == {"would": [1, 7]}
    assert said(episode, "renumber_walk", walk_id=1, body_walk_id=7) == {"now": 7}
    assert [walk["id"] for walk in said(episode, "list_walks")] == [7, 2]


def test_a_schema_that_holds_itself_ends(app):
    puppies = schema(app, "litter")["properties"]["puppies"]
    assert puppies == {"type": "array", "items": {}, "default": []}
    assert list(schema(app, "litter")["properties"]) == ["name", "title", "puppies"]


# What they answer


def test_arguments_reach_path_query_header_and_body(episode):
    assert [walk["dog"] for walk in said(episode, "list_walks", dog="Ada", days=["2025-03-10", "2025-03-11"])] == [
        "Ada"
    ]
    assert len(said(episode, "list_walks", dog=None)) == 2
    assert said(episode, "get_dog", name="a/ü b") == {"name": "a/ü b"}
    assert said(episode, "get_room", room=3) == {"room": 3}
    assert said(episode, "say_header", **{"x-tone": "low"}) == "low"
    assert said(episode, "tag", body=["a", "b"]) == ["a", "b"]
    assert said(episode, "free", a=1, b=[None]) == {"a": 1, "b": [None]}
    assert said(episode, "maybe") is None
    assert said(episode, "maybe", dog="Bo", day="d")["dog"] == "Bo"
    assert said(episode, "litter", name="L", puppies=[{"name": "P"}]) == "L"
    assert said(episode, "list_walks", colour="none of its arguments")


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "text"),
    [
        ("renumber_walk", {"walk_id": 99, "body_walk_id": 1}, 404, "no such walk"),
        ("renumber_walk", {"walk_id": "one", "body_walk_id": 1}, 422, "valid integer"),
        ("renumber_walk", {"body_walk_id": 1}, 422, "missing"),
        ("book_walk", {}, 422, "missing"),
        ("book_walk", {"dog": "Bo", "day": "2025-03-10"}, 500, "Internal Server Error"),
        ("disk", {}, 500, "Internal Server Error"),
    ],
)
def test_what_is_wrong_is_an_answer(episode, tool, arguments, status, text):
    answer = episode.call(tool, arguments)
    assert answer.status == status
    assert text in answer.text
    assert len(said(episode, "list_walks")) == 2


def test_the_cause_of_a_500_is_told_but_not_to_the_agent(episode):
    answer = episode.call("book_walk", {"dog": "Bo", "day": "2025-03-10"})
    assert "IntegrityError" in answer.error
    assert "IntegrityError" not in answer.text
    assert "FileNotFoundError" in episode.call("disk", {}).error


def test_answers_may_come_in_parts_and_have_a_limit(episode):
    assert episode.call("stream", {}).text == "bowwow"
    assert episode.call("say_much", {"size": MAX_ANSWER}).text == "x" * MAX_ANSWER
    too_long = episode.call("say_much", {"size": MAX_ANSWER + 1})
    assert (too_long.status, too_long.text) == (413, f"The answer is too long: {MAX_ANSWER} bytes are allowed.")


def test_a_session_that_an_error_leaves_open_locks_nobody_out(episode):
    assert episode.call("leak", {}).error == "RuntimeError: left open"
    assert said(episode, "book_walk", dog="Cy", day="2025-03-12") == {"booked": "Cy"}


# One beginning


def test_every_episode_begins_with_the_same_bytes(either, base):
    assert either.initial == base.image
    with either.reset() as first:
        assert first.image() == base.image
        assert said(first, "book_walk", dog="Cy", day="2025-03-12") == {"booked": "Cy"}
        once = first.image(), said(first, "dice"), said(first, "clock")
        assert once[1][4].endswith("-000000000001")
    with either.reset() as second:
        assert second.image() == base.image != once[0]
        said(second, "book_walk", dog="Cy", day="2025-03-12")
        assert (second.image(), said(second, "dice"), said(second, "clock")) == once


def test_the_clock_stands_still_for_python_and_sql(episode):
    told = said(episode, "clock")
    dice = told["sql"][6:]
    assert isinstance(dice[0], int)
    assert told == {
        "now": "2025-03-09 08:30:00",
        "utc": "2025-03-09 08:30:00+00:00",
        "utcnow": "2025-03-09 08:30:00",
        "today": "2025-03-09",
        "today_time": "2025-03-09 08:30:00",
        "time": 1741509000.0,
        "ns": 1741509000000000000,
        "local": [2025, 3, 9, 8, 30, 0, 6, 68, 0],
        "told": "1970",
        "strftime": "2025-03-09",
        "asctime": "Sun Mar  9 08:30:00 2025",
        "asctime0": "Thu Jan  1 00:00:00 1970",
        "ctime": "Sun Mar  9 08:30:00 2025",
        "sql": ["2025-03-09 08:30:00", "2025-03-09", "08:30:00", "2025-03-10 08:30:00", "08", "2024-02-29", *dice],
        "kinds": [True, True],
    }
    said(episode, "book_walk", dog="Cy", day="2025-03-12")
    assert said(episode, "list_walks")[-1]["booked_at"] == "2025-03-09 08:30:00"


def test_a_fork_forgets_and_a_restored_worker_remembers(app, inplace):
    for loaded, counts in ((app, [1, 1]), (inplace, [1, 2])):
        assert [said(loaded.reset(), "count_calls") for _ in counts] == [
            {"calls": count, "greeting": "woof"} for count in counts
        ]


def test_forked_episodes_live_side_by_side(app, base):
    with app.reset() as one, app.reset() as other:
        said(one, "book_walk", dog="Cy", day="2025-03-12")
        assert (len(said(one, "list_walks")), len(said(other, "list_walks"))) == (3, 2)
        assert other.image() == base.image


def test_forked_episodes_wake_up_on_their_own(app):
    """Calls of plain functions wake the loop from a thread."""
    episodes = [app.reset() for _ in range(4)]
    found = []
    threads = [threading.Thread(target=lambda e=e: found.append(said(e, "clock")["now"])) for e in episodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["2025-03-09 08:30:00"] * 4
    for episode in episodes:
        episode.close()


def test_a_restored_worker_has_one_episode_at_a_time(inplace):
    first = inplace.reset()
    second = inplace.reset()
    with pytest.raises(UsageError, match="this episode is over"):
        first.call("list_walks", {})
    assert len(said(second, "list_walks")) == 2


def test_what_is_under_way_is_undone_when_a_worker_is_restored(inplace, base):
    process = inplace._warm.worker.process
    assert inplace.reset().call("hold", {}).status == 200
    assert inplace.reset().image() == base.image
    assert inplace._warm.worker.process == process
    assert len(said(inplace.reset(), "list_walks")) == 2


def test_a_worker_that_cannot_be_restored_is_replaced(inplace, base):
    process = inplace._warm.worker.process
    assert inplace.reset().call("hold_read", {}).status == 200
    with pytest.raises(EnvironmentFault, match="holds on to its database"):
        inplace._warm.worker.call("restore")
    assert inplace.reset().image() == base.image
    assert inplace._warm.worker.process != process


# Bad ends


@pytest.mark.parametrize(("tool", "words"), [("hang", "in time"), ("die", "has ended"), ("leave", "SystemExit")])
def test_a_worker_that_breaks_is_a_fault_and_the_next_episode_works(either, tool, words):
    with either.reset() as broken:
        with pytest.raises(EnvironmentFault, match=words):
            broken.call(tool, {}, seconds=NEVER if tool == "hang" else 10)
        with pytest.raises(EnvironmentFault, match="not there any more"):
            broken.call("list_walks", {})
    with either.reset() as fresh:
        assert len(said(fresh, "list_walks")) == 2


def test_an_application_that_is_killed_is_loaded_again(base):
    with small(base, "") as loaded:
        first = loaded._warm.worker
        first.close()
        assert loaded.reset().image() == base.image
        assert loaded._warm.worker is not first
        assert loaded.protection.level >= 2


@pytest.mark.parametrize("status", [3, 600])
def test_an_answer_of_another_form_is_a_fault(episode, status):
    episode.call("lie", {"status": 200})
    episode.call("lie", {"status": 201})
    with pytest.raises(EnvironmentFault, match=f"the worker sent {status} as status"):
        episode.call("lie", {"status": status})


def test_an_answer_that_is_longer_than_a_worker_may_send_is_cut(episode):
    episode.call("swell", {})
    assert episode.call("swell", {}).text == "x" * MAX_ANSWER


def test_what_is_no_use_is_refused(app, base):
    episode = app.reset()
    with pytest.raises(UsageError, match=r"There is no tool 'list_walk'\. Did you mean list_walks"):
        episode.call("list_walk", {})
    with pytest.raises(UsageError, match="not JSON"):
        episode.call("list_walks", {"dog": float("nan")})
    episode.close()
    for use in (episode.image, lambda: episode.call("list_walks", {})):
        with pytest.raises(UsageError, match="this episode is over"):
            use()
    closed = small(base, "")
    closed.close()
    closed.close()
    with pytest.raises(UsageError, match="closed"):
        closed.reset()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "small: the application does not start: LookupError: the code makes no FastAPI application"),
        ("def (", "SyntaxError"),
        ("import sys; sys.exit(1)", "SystemExit: 1"),
        ("import no_such_module", "No module named"),
        ("open('/etc/passwd')", "FileNotFoundError"),
        ("from fastapi import FastAPI\napp = FastAPI(on_startup=[lambda: 1 / 0])", "ZeroDivisionError"),
        ("from fastapi import FastAPI\napp = FastAPI()\napp.add_middleware(int)", "TypeError"),
        ("raise ValueError('\\x1b[31m')", r"ValueError: \\x1b\[31m"),
    ],
)
def test_code_that_does_not_start_is_its_authors_mistake(base, code, words):
    with pytest.raises(ScenarioError, match=words):
        App(code, base, name="small")


def test_tables_that_do_not_fit_together_are_a_500_when_they_are_used(base):
    code = """
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base, relationship

class Dog(declarative_base()):
    __tablename__ = "dog"
    id = Column(Integer, primary_key=True)
    owner = relationship("Nobody")

@app.get("/dogs", operation_id="make_dog")
async def make_dog():
    Dog()
"""
    with small(base, code) as loaded, loaded.reset() as episode:
        assert "Nobody" in episode.call("make_dog", {}).error


def test_code_that_breaks_its_worker_is_a_fault(base, monkeypatch):
    with pytest.raises(EnvironmentFault, match="has ended"):
        App("import os; os.abort()", base)
    monkeypatch.setattr(host, "LOAD_SECONDS", NEVER)
    with pytest.raises(EnvironmentFault, match="in time"):
        App("while True: pass", base)


def test_code_finds_what_it_imports_though_there_are_no_files(base):
    code = """
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.declarative import declarative_base
from sqlalchemy.ext.hybrid import hybrid_property
from fastapi.middleware.cors import CORSMiddleware
import dataclasses, decimal, statistics, uvicorn

@dataclasses.dataclass
class Dog:
    name: "str"

uvicorn.run(app, port=8000)
app.add_middleware(CORSMiddleware, allow_origins=["*"])
for key in KEYS:
    ZoneInfo(key)

@app.get("/", operation_id="when")
async def when(day: datetime):
    return [str(datetime.strptime("2 Mar", "%d %b")), "hündchen.de".encode("idna").decode(), str(day)]
"""
    keys = sorted(zoneinfo.available_timezones())
    with small(base, f"KEYS = {keys!r}\n{code}") as loaded, loaded.reset() as episode:
        found = said(episode, "when", day="2025-01-02T03:04:05Z")
        assert found == ["1900-03-02 00:00:00", "xn--hndchen-n2a.de", "2025-01-02 03:04:05+00:00"]


@pytest.mark.parametrize(
    ("said_instead", "words"),
    [("3", "sent 3 as its answer"), ("{'tools': [{'name': 3}]}", "as tools.0.name"), ("{'more': 1}", "sent 1 as more")],
)
def test_a_worker_that_lies_about_its_tools_is_a_fault(base, said_instead, words):
    lie = f"import sys\nsys.modules['awm_gym.formats.awm.app_program']._told = lambda *_: {said_instead}"
    with pytest.raises(EnvironmentFault, match=words):
        small(base, lie)


def test_without_the_extra_it_says_how_to_get_it(base, monkeypatch):
    monkeypatch.setattr(host, "_PACKAGES", ("json", "no_such_package"))
    with pytest.raises(UsageError, match=r"need no_such_package: pip install 'awm-gym\[awm\]'"):
        App("", base)


def test_the_rehearsal_answers_as_applications_do():
    from awm_gym.formats.awm.rehearsal import rehearse

    assert rehearse()[:5] == rehearse()[-5:] == [200, 422, 200, 200, 500]
