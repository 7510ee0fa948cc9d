"""A small application in the style of AgentWorldModel data, good and bad verifiers for it, and a base to start from."""

from datetime import datetime

from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.records import AwmScenario, TableRows, TableSchema

NOW = datetime(2025, 3, 9, 8, 30)

TABLES = (
    TableSchema(
        name="walk",
        ddl="CREATE TABLE walk (id INTEGER PRIMARY KEY, dog TEXT NOT NULL, day TEXT NOT NULL, note TEXT, "
        "booked_at TEXT DEFAULT CURRENT_TIMESTAMP, UNIQUE (dog, day))",
    ),
)
ROWS = (
    TableRows(
        table_name="walk",
        insert_statements=(
            "INSERT INTO walk (id, dog, day, booked_at) VALUES (1, 'Bo', '2025-03-10', '2025-03-08 10:00:00')",
            "INSERT INTO walk (id, dog, day, booked_at) VALUES (2, 'Ada', '2025-03-11', '2025-03-08 10:05:00')",
        ),
    ),
)

CODE = """
from __future__ import annotations

import gc
import os
import random
import secrets
import time
import uuid
from datetime import date, datetime, timezone
from typing import Any, Dict, List, Optional

from fastapi import APIRouter, Body, FastAPI, Header, HTTPException, Path, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, String, create_engine, text
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine(os.environ["DATABASE_PATH"], connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(bind=engine)
Base = declarative_base()
held = []
calls = 0


class Walk(Base):
    __tablename__ = "walk"
    id = Column(Integer, primary_key=True)
    dog = Column(String, nullable=False)
    day = Column(String, nullable=False)
    note = Column(String)
    booked_at = Column(String)


Base.metadata.create_all(engine)
app = FastAPI()


class WalkIn(BaseModel):
    dog: str = Field(..., description="Who is walked.")
    day: str
    note: Optional[str] = None


class Rename(BaseModel):
    walk_id: int = Field(..., description="The new number.")


class Litter(BaseModel):
    name: str
    title: str = "none"
    puppies: List[Litter] = []


@app.on_event("startup")
async def greet():
    app.state.greeting = "woof"


@app.get("/walks", operation_id="list_walks", summary="List walks", description="By day.")
async def list_walks(dog: Optional[str] = Query(None, description="Only of this dog."), days: List[str] = Query([])):
    session = SessionLocal()
    found = session.query(Walk)
    if dog:
        found = found.filter(Walk.dog == dog)
    if days:
        found = found.filter(Walk.day.in_(days))
    rows = [{"id": w.id, "dog": w.dog, "day": w.day, "booked_at": w.booked_at} for w in found.order_by(Walk.day)]
    session.close()
    return rows


@app.post("/walks", operation_id="book_walk")
async def book_walk(body: WalkIn):
    session = SessionLocal()
    session.execute(
        text("INSERT INTO walk (dog, day, note) VALUES (:dog, :day, :note)"), body.model_dump()
    )
    session.commit()
    session.close()
    return {"booked": body.dog}


@app.put("/walks/{walk_id}", operation_id="renumber_walk")
async def renumber_walk(body: Rename, walk_id: int = Path(..., description="The number."), dry: bool = False):
    if dry:
        return {"would": [walk_id, body.walk_id]}
    session = SessionLocal()
    walk = session.get(Walk, walk_id)
    if walk is None:
        raise HTTPException(404, "no such walk")
    walk.id = body.walk_id
    session.commit()
    session.close()
    return {"now": body.walk_id}


@app.post("/visits", operation_id="visit_once")
async def visit_once(body: WalkIn):
    return {"visit": "once"}


@app.post("/visits", operation_id="visit_weekly")
async def visit_weekly(body: WalkIn):
    return {"visit": "weekly"}


@app.get("/dogs/{name}", operation_id="get_dog")
async def get_dog(name: str):
    return {"name": name}


@app.get("/dogs/oldest", operation_id="get_dog")
async def oldest():
    return {"name": "the oldest"}


@app.get("/clock", operation_id="clock")
def clock():
    session = SessionLocal()
    sql = "SELECT CURRENT_TIMESTAMP, CURRENT_DATE, CURRENT_TIME, datetime('now', '+1 day'), strftime('%H'), "
    sql += "date('2024-02-29'), random(), hex(randomblob(2))"
    row = session.execute(text(sql)).fetchone()
    session.close()
    return {
        "now": str(datetime.now()), "utc": str(datetime.now(timezone.utc)), "utcnow": str(datetime.utcnow()),
        "today": str(date.today()), "today_time": str(datetime.today()), "time": time.time(), "ns": time.time_ns(),
        "local": list(time.localtime()), "told": time.strftime("%Y", time.gmtime(0)),
        "strftime": time.strftime("%Y-%m-%d"),
        "asctime": time.asctime(), "asctime0": time.asctime(time.gmtime(0)), "ctime": time.ctime(), "sql": list(row),
        "kinds": [type(datetime.now()) is datetime, type(date.today()) is date],
    }


@app.get("/dice", operation_id="dice")
async def dice():
    return [random.random(), str(uuid.uuid4()), secrets.token_hex(4), os.urandom(2).hex(), str(uuid.uuid1())]


@app.get("/count", operation_id="count_calls")
async def count_calls():
    global calls
    calls += 1
    return {"calls": calls, "greeting": app.state.greeting}


@app.get("/header", operation_id="say_header")
async def say_header(x_tone: str = Header(...)):
    return x_tone


@app.post("/tags", operation_id="tag")
async def tag(tags: List[str] = Body(...)):
    return tags


@app.post("/free", operation_id="free")
async def free(body: Dict[str, Any] = Body(...)):
    return body


@app.post("/maybe", operation_id="maybe")
async def maybe(body: Optional[WalkIn] = None):
    return body


@app.post("/litters", operation_id="litter")
async def litter(body: Litter):
    return body.name


@app.get("/stream", operation_id="stream")
async def stream():
    return StreamingResponse(iter(["bow", "wow"]))


@app.get("/long", operation_id="say_much")
async def say_much(size: int):
    return PlainTextResponse("x" * size)


@app.post("/leak", operation_id="leak")
async def leak():
    gc.disable()  # or it might be found by chance
    session = SessionLocal()
    session.add(Walk(dog="Leak", day="never"))
    session.flush()
    try:
        raise RuntimeError("left open")
    except RuntimeError as error:
        kept = error  # which holds this frame, and the frame the session
        raise


@app.post("/hold", operation_id="hold")
async def hold():
    session = SessionLocal()
    session.add(Walk(dog="Held", day="never"))
    session.flush()
    held.append(session)


@app.get("/hold", operation_id="hold_read")
async def hold_read():
    db = engine.raw_connection()
    cursor = db.cursor()
    cursor.execute("SELECT * FROM walk")
    cursor.fetchone()
    held.append((db, cursor))


@app.get("/disk", operation_id="disk")
async def disk():
    open("/tmp/kennel", "w")


@app.get("/hang", operation_id="hang")
async def hang():
    while True:
        pass


@app.get("/die", operation_id="die")
async def die():
    os.abort()


@app.get("/exit", operation_id="leave")
async def leave():
    raise SystemExit(3)


@app.get("/lie", operation_id="lie")
async def lie(status: int):
    import sys
    sys.modules["awm_gym.formats.awm.asgi"].Response.status = property(lambda self: status, lambda self, value: None)


@app.get("/swell", operation_id="swell")
async def swell():
    import sys
    answer = {"status": 200, "error": ""}
    stage = sys.modules["awm_gym.formats.awm.app_program"]._Stage
    stage._call = lambda self, tool, arguments, most: (answer, b"x" * (most + 9))


router = APIRouter(prefix="/annex")


@router.get("/rooms/{room}", operation_id="get_room")
async def get_room(room: int):
    return {"room": room}


app.include_router(router)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app)
"""

GOOD = """
import sqlite3

def walks(path):
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    return conn.execute("SELECT dog FROM walk ORDER BY id").fetchall()

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    new = len(walks(final_db_path)) - len(walks(initial_db_path))
    return {"result": "complete" if new == 1 and final_answer == "done" else "others"}
"""

EVIDENCE = """
import sqlite3
from datetime import datetime

def verify_task(initial_db_path, final_db_path):
    conn = sqlite3.connect(final_db_path, timeout=1)
    own = sqlite3.connect(":memory:")
    return {"walks": conn.execute("SELECT count(*) FROM walk").fetchone()[0], "now": datetime.now(),
            "sql": own.execute("SELECT CURRENT_TIMESTAMP").fetchone(), 3: b"raw"}
"""


def base():
    """The initial database."""
    return build(scenario(), now=NOW)


def scenario(code=CODE):
    """All that the data say of it."""
    return AwmScenario("kennel", "Kennel", "Walks.", ("Book.",), TABLES, ROWS, (), code, {0: {"code": GOOD}})
