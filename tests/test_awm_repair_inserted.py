"""What a repair puts into generated programs, here in this process: answers, transactions, times, frames."""

import asyncio
import json
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Annotated, Any

import pytest

fastapi = pytest.importorskip("fastapi", reason="applications need the extra awm")
sqlalchemy = pytest.importorskip("sqlalchemy", reason="applications need the extra awm")

from fastapi import BackgroundTasks, Body, Depends, FastAPI, HTTPException  # noqa: E402
from fastapi.responses import JSONResponse  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from sqlalchemy import Column, ForeignKey, Integer, String, create_engine, text  # noqa: E402
from sqlalchemy.orm import declarative_base, sessionmaker  # noqa: E402

from awm_gym.formats.awm.repair.inserted import answers, frame, moments  # noqa: E402
from awm_gym.formats.awm.repair.program import block  # noqa: E402

CHANGED = {"result": "others"}


class Part(BaseModel):
    tank_id: int
    note: str = ""


class Order(BaseModel):
    tank_id: int
    parts: list[Part] = []
    labels: dict[str, str] = {}
    urgent: bool = False


class Aquarium:
    """A small application that has what is inserted."""

    def __init__(self, path, *, keys=True, atomic=True):
        engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
        maker = sessionmaker(bind=engine)
        base = declarative_base()

        class Tank(base):
            __tablename__ = "tanks"
            id = Column(Integer, primary_key=True)
            name = Column(String, unique=True)
            cleaned_at = Column(moments._AwmDateTime)
            bought_on = Column(moments._AwmDate)

        class Fish(base):
            __tablename__ = "fish"
            id = Column(Integer, primary_key=True)
            tank_id = Column(Integer, ForeignKey("tanks.id"), nullable=False)

        base.metadata.create_all(engine)
        with maker() as session:
            session.add(Tank(id=1, name="Reef"))
            session.commit()
        self.engine, self.app, self.tank, self.fish, self.maker = engine, FastAPI(), Tank, Fish, maker
        self._routes(self.app, maker, Tank, Fish)
        answers._awm_answer_errors(self.app)
        if keys:
            answers._awm_enforce_keys(engine)
        if atomic:
            answers._awm_join_requests(engine, maker)

    def _routes(self, app, maker, tank_class, fish_class):  # noqa: C901
        checked = answers._awm_checked(
            self.engine, {"tank_id": ("tanks", "id"), "name": ("tanks", "name")}, {"tank": "tanks"}
        )

        checked_loosely = answers._awm_checked(self.engine, {}, {})

        def database():
            session = maker()
            try:
                yield session
            finally:
                session.close()

        @app.post("/orders")
        @checked
        async def order(body: Order, name: str | None = None):
            return {"parts": len(body.parts)}

        @app.get("/tanks/{number}")
        @checked
        def tank(number: int):
            session = maker()
            tank = session.get(tank_class, number)
            return {"name": tank.name}

        @app.get("/later/{number}")
        @checked
        async def later(number: int):
            session = maker()
            tank = session.get(tank_class, number)
            return {"name": tank.name}

        @app.get("/broken")
        @checked
        async def broken(number: int = 0):
            tank = None if number else "here"
            return {"name": tank.strip().nothing}

        @app.get("/other")
        @checked
        def other():
            nothing = None
            return nothing.name

        @app.post("/fish")
        @checked_loosely
        async def add(tank_id: int = Body(embed=True), name: str = Body(embed=True)):
            session = maker()
            session.add(tank_class(name=name))
            session.commit()
            session.add(fish_class(tank_id=tank_id))
            session.commit()
            session.close()
            return {"added": name}

        @app.post("/forgotten")
        @checked_loosely
        async def forgotten():
            session = maker()
            session.add(tank_class(name="Forgotten"))
            session.flush()
            app.state.kept = session
            return {"flushed": True}

        @app.post("/depending")
        @checked_loosely
        def depending(db: Annotated[Any, Depends(database)], later: BackgroundTasks):
            def note():
                with maker() as session:
                    session.add(tank_class(name="Afterwards"))
                    session.commit()

            later.add_task(note)
            db.add(tank_class(name="Depending"))
            db.commit()
            return {"tanks": db.query(tank_class).count()}

        @app.post("/returned")
        @checked_loosely
        def returned(status: int):
            with maker() as session:
                session.add(tank_class(name=f"Returned {status}"))
                session.commit()
            with maker() as session:
                assert session.query(tank_class).count() > 1
            return JSONResponse({}, status)

        @app.post("/slow")
        @checked_loosely
        def slow():
            with maker() as session:
                count = session.query(fish_class).count()
                time.sleep(0.001)
                session.add(fish_class(tank_id=1))
                session.commit()
            return {"before": count}

        @app.get("/one")
        async def one(name: str):
            with maker() as session:
                return {"id": session.query(tank_class).filter(tank_class.name == name).one().id}

        @app.post("/cleaned")
        async def cleaned(at: str = Body(embed=True)):
            with maker() as session:
                session.get(tank_class, 1).cleaned_at = at
                session.commit()
            return {"cleaned": at}

        @app.get("/parsed")
        async def parsed(day: str, size: int = 0):
            if size:
                with maker() as session:
                    session.execute(text("SELECT :size"), {"size": size})
            return {"day": date.fromisoformat(day)}

        @app.get("/mistaken")
        async def mistaken(kind: str):
            if kind == "model":
                return Part(tank_id="many")
            with maker() as session:
                session.execute(text("SELECT * FROM nothing"))

        @app.get("/teapot")
        async def teapot():
            raise HTTPException(418, "short and stout")

    def call(self, method, path, body=None, query=""):
        """Status and content of an answer; what the application raises is raised."""
        sent = []

        async def receive():
            return {"type": "http.request", "body": json.dumps(body).encode() if body is not None else b""}

        async def send(message):
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "headers": headers, "root_path": "",
            "scheme": "http", "server": ("app", 80), "client": ("agent", 1),
        }  # fmt: skip
        asyncio.run(self.app(scope, receive, send))
        content = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(content)

    def tanks(self):
        with self.engine.connect() as db:
            return [row[0] for row in db.execute(text("SELECT name FROM tanks ORDER BY id"))]


@pytest.fixture
def aquarium(tmp_path):
    made = Aquarium(tmp_path / "water.db")
    yield made
    made.engine.dispose()


def test_an_id_that_no_row_has_is_answered_404_wherever_it_stands(aquarium):
    assert aquarium.call("POST", "/orders", {"tank_id": 1, "parts": [{"tank_id": 1}]}) == (200, {"parts": 1})
    ghost = (404, {"detail": "There is no row in tanks with id 7."})
    assert aquarium.call("POST", "/orders", {"tank_id": 7}) == ghost
    assert aquarium.call("POST", "/orders", {"tank_id": 1, "parts": [{"tank_id": 1}, {"tank_id": 7}]}) == ghost
    status, told = aquarium.call("POST", "/orders", {"tank_id": 1, "labels": {"name": "O'Brien"}})
    assert (status, told["detail"]) == (404, 'There is no row in tanks with name "O\'Brien".')
    assert aquarium.call("POST", "/orders", {"tank_id": 2**70})[0] == 404
    assert aquarium.call("POST", "/orders", {"tank_id": 1, "urgent": True}, "name=Reef")[0] == 200
    assert aquarium.call("POST", "/orders", {"tank_id": 1}, "name=Pond")[0] == 404


@pytest.mark.parametrize("path", ["/tanks", "/later"])
def test_a_row_that_is_not_found_is_answered_404(aquarium, path):
    assert aquarium.call("GET", f"{path}/1") == (200, {"name": "Reef"})
    assert aquarium.call("GET", f"{path}/9") == (404, {"detail": "There is no such row in tanks."})


def test_other_mistakes_of_a_handler_stay_what_they_are(aquarium):
    assert aquarium.call("GET", "/broken", query="number=1")[0] == 404
    with pytest.raises(AttributeError, match="nothing"):
        aquarium.call("GET", "/broken")
    with pytest.raises(AttributeError, match="NoneType"):
        aquarium.call("GET", "/other")


def test_a_request_that_is_refused_leaves_nothing_behind(aquarium):
    assert aquarium.call("POST", "/fish", {"tank_id": 1, "name": "Pond"}) == (200, {"added": "Pond"})
    refused = (409, {"detail": "That conflicts with the data: FOREIGN KEY constraint failed."})
    assert aquarium.call("POST", "/fish", {"tank_id": 9, "name": "Lake"}) == refused
    assert aquarium.tanks() == ["Reef", "Pond"]
    taken = (409, {"detail": "That conflicts with the data: UNIQUE constraint failed: tanks.name."})
    assert aquarium.call("POST", "/fish", {"tank_id": 1, "name": "Pond"}) == taken


def test_what_is_not_committed_is_undone_and_its_session_harms_nobody(aquarium):
    assert aquarium.call("POST", "/forgotten") == (200, {"flushed": True})
    assert aquarium.tanks() == ["Reef"]
    aquarium.app.state.kept.close()
    assert aquarium.call("POST", "/fish", {"tank_id": 1, "name": "Pond"})[0] == 200


def test_sessions_of_dependencies_and_those_after_the_answer_are_on_their_own(aquarium):
    assert aquarium.call("POST", "/depending") == (200, {"tanks": 2})
    assert aquarium.tanks() == ["Reef", "Depending", "Afterwards"]


def test_an_error_that_is_returned_and_not_raised_leaves_nothing_behind_either(aquarium):
    assert [aquarium.call("POST", "/returned", query=f"status={status}")[0] for status in (201, 400)] == [201, 400]
    assert aquarium.tanks() == ["Reef", "Returned 201"]


def test_requests_at_the_same_time_wait_for_each_other(aquarium):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: aquarium.call("POST", "/slow"), range(40)))
    assert [status for status, _ in found] == [200] * 40
    assert sorted(told["before"] for _, told in found) == list(range(40))


def test_without_transactions_what_was_committed_stays(tmp_path):
    aquarium = Aquarium(tmp_path / "water.db", keys=False, atomic=False)
    assert aquarium.call("POST", "/fish", {"tank_id": 9, "name": "Lake"})[0] == 200
    assert aquarium.call("POST", "/fish", {"tank_id": 9, "name": "Lake"})[0] == 409
    assert aquarium.tanks() == ["Reef", "Lake"]
    aquarium.engine.dispose()


def test_what_cannot_be_read_is_answered_422(aquarium):
    assert aquarium.call("GET", "/one", query="name=Reef") == (200, {"id": 1})
    assert aquarium.call("GET", "/one", query="name=Pond") == (404, {"detail": "There is no such row."})
    assert aquarium.call("GET", "/parsed", query="day=2025-01-02") == (200, {"day": "2025-01-02"})
    status, told = aquarium.call("GET", "/parsed", query="day=soon")
    assert (status, told["detail"]) == (422, "A value cannot be read: Invalid isoformat string: 'soon'.")
    assert aquarium.call("GET", "/parsed", query=f"day=2025-01-02&size={2**70}")[0] == 422
    assert aquarium.call("POST", "/cleaned", {"at": "yesterday"})[0] == 422
    assert aquarium.call("GET", "/teapot")[0] == 418


def test_what_the_application_does_wrong_is_no_malformed_value(aquarium):
    with pytest.raises(ValueError, match="tank_id"):
        aquarium.call("GET", "/mistaken", query="kind=model")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="nothing"):
        aquarium.call("GET", "/mistaken", query="kind=table")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2026, 3, 1, 9, 30, 0, 123456), "2026-03-01 09:30:00"),
        ("2026-03-01T09:30:00Z", "2026-03-01 09:30:00"),
        (" 2026-03-01 ", "2026-03-01 00:00:00"),
        ("2026-03-01T09:30:00.25", "2026-03-01 09:30:00"),
        (None, None),
    ],
)
def test_times_are_written_in_one_form(aquarium, given, kept):
    with aquarium.maker() as session:
        session.get(aquarium.tank, 1).cleaned_at = given
        session.commit()
        raw = session.execute(text("SELECT cleaned_at FROM tanks")).scalar()
        found = session.get(aquarium.tank, 1).cleaned_at
    assert raw == kept
    assert found == (kept and datetime.fromisoformat(kept))


def test_days_are_taken_from_text(aquarium):
    with aquarium.maker() as session:
        session.get(aquarium.tank, 1).bought_on = "2026-03-01T00:00:00Z"
        session.commit()
        assert session.get(aquarium.tank, 1).bought_on == date(2026, 3, 1)
        session.get(aquarium.tank, 1).bought_on = date(2026, 3, 2)
        session.commit()
        kinds = aquarium.tank.bought_on
        assert session.query(aquarium.tank).filter(kinds == "2026-03-02").count() == 1
        assert session.query(aquarium.tank).filter(kinds == "soon").count() == 0


def test_times_are_compared_with_text_of_any_form(aquarium):
    with aquarium.maker() as session:
        session.get(aquarium.tank, 1).cleaned_at = "2026-03-01T09:30:00"
        session.commit()
        moment = aquarium.tank.cleaned_at
        found = [moment == "2026-03-01T09:30:00Z", moment < datetime(2026, 3, 2), moment != "soon"]
        assert [session.query(aquarium.tank).filter(one).count() for one in found] == [1, 1, 1]


def pond(path, *statements):
    """A database of three tables: one with a key, one without, one whose name needs quotes."""
    db = sqlite3.connect(path)
    db.executescript(
        """CREATE TABLE fish (id INTEGER, kind TEXT, size REAL, PRIMARY KEY (kind, id));
        CREATE TABLE log (words TEXT); CREATE TABLE "big ""one" (id INTEGER PRIMARY KEY);
        CREATE TABLE sqlitefan (id INTEGER PRIMARY KEY AUTOINCREMENT);
        INSERT INTO fish VALUES (1, 'carp', 2), (2, 'pike', 3); INSERT INTO log VALUES ('a'), ('a');
        INSERT INTO sqlitefan VALUES (1);"""
    )
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return str(path)


@pytest.mark.parametrize(
    ("statement", "read", "changed", "kept"),
    [
        ("UPDATE fish SET size = 2.0 WHERE id = 1", (), {}, True),
        ("UPDATE fish SET size = 5 WHERE id = 1", (), {}, False),
        ("UPDATE fish SET size = 5 WHERE id = 1", (), {"fish": {("carp", 1)}}, True),
        ("DELETE FROM fish WHERE id = 1", (), {"fish": {("carp", 1)}}, True),
        ("UPDATE fish SET size = 5", (), {"fish": {("carp", 1)}}, False),
        ("INSERT INTO fish VALUES (3, 'eel', 1)", (), {"fish": set()}, True),
        ("INSERT INTO fish VALUES (3, 'eel', 1)", (), {}, False),
        ("UPDATE fish SET size = 5 WHERE id = 1", ("fish",), {}, True),
        ("DELETE FROM fish WHERE id = 1", ("fish",), {}, False),
        ("DELETE FROM log WHERE rowid = 1", ("fish",), {}, False),
        ("INSERT INTO log VALUES ('b')", ("log",), {}, True),
        ('INSERT INTO "big ""one" VALUES (1)', (), {}, False),
        ("INSERT INTO sqlitefan VALUES (NULL)", (), {"sqlitefan": set()}, True),
        ("DROP TABLE log", ("log",), {}, False),
        ("CREATE TABLE more (id INTEGER)", (), {}, False),
    ],
)
def test_a_frame_takes_only_what_may_change(tmp_path, statement, read, changed, kept):
    initial, final = pond(tmp_path / "initial.db"), pond(tmp_path / "final.db", statement)
    seen = []

    def verify(initial_db_path, final_db_path, final_answer=None):
        seen.append(final_answer)
        return {"result": "complete", "why": "so"}

    framed = frame._awm_framed(verify, read, changed)
    assert framed(initial, final, "an answer") == ({"result": "complete", "why": "so"} if kept else CHANGED)
    assert framed(initial_db_path=initial, final_db_path=final, final_answer="named") is not None
    assert seen == ["an answer", "named"]
    assert framed.__name__ == "verify"


@pytest.mark.parametrize("name", ["answers", "moments", "frame"])
def test_what_is_inserted_has_names_of_its_own_and_nothing_that_the_launcher_would_edit(name):
    written = block(name)
    assert written.startswith("# Inserted by awm-gym: ")
    assert "create_engine(" not in written
    assert "uvicorn" not in written
    assert "awm_gym" not in written
    names = {}
    exec(compile(written, name, "exec"), names)
    assert {key for key in names if not key.lower().startswith("_awm")} == {"__builtins__"}
    if sys.version_info >= (3, 12):
        assert "from __future__" not in written
