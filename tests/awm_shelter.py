"""A shelter of dogs in the style of AgentWorldModel data, with most of what can be wrong with such data."""

from awm_gym.formats.awm.records import AwmScenario, Endpoint, Parameter, Solution, TableRows, TableSchema
from awm_gym.scenario import ToolCall

TABLES = (
    TableSchema(name="kennels", ddl="CREATE TABLE kennels (id INTEGER PRIMARY KEY, name TEXT UNIQUE, region TEXT)"),
    TableSchema(
        name="dogs",
        ddl="CREATE TABLE dogs (id INTEGER PRIMARY KEY, kennel_id INTEGER NOT NULL REFERENCES kennels (id), "
        "name TEXT NOT NULL UNIQUE, arrived_at TEXT)",
    ),
    TableSchema(
        name="visits",
        ddl="CREATE TABLE visits (id INTEGER PRIMARY KEY, dog_id INTEGER NOT NULL REFERENCES dogs (id), "
        "starts_at TEXT, note TEXT)",
    ),
    TableSchema(name="badges", ddl="CREATE TABLE badges (code TEXT PRIMARY KEY, dog_id INTEGER REFERENCES dogs (id))"),
    TableSchema(name="log", ddl="CREATE TABLE log (words TEXT)"),
)
ROWS = (
    TableRows(
        table_name="kennels",
        insert_statements=(
            "INSERT INTO kennels VALUES (1, 'North', 'NA-EAST');",
            "INSERT INTO kennels VALUES (2, 'South', 'EU-West');",
        ),
    ),
    TableRows(
        table_name="dogs",
        insert_statements=(
            "INSERT INTO dogs VALUES (1, 1, 'Bo', '2025-03-01T08:00:00Z');",
            "INSERT INTO dogs VALUES (2, 2, 'Rex', '2025-03-02 09:30:00');",
            "INSERT INTO dogs VALUES (3, 2, 'Ada', NULL);",
        ),
    ),
    TableRows(
        table_name="visits",
        insert_statements=(
            "INSERT INTO visits VALUES (1, 2, '2025-03-04 10:00:00', 'first walk');",
            "INSERT INTO visits VALUES (2, 1, '2025-03-05 10:00:00', 'Doesn\\'t eat');",
            "INSERT INTO visits VALUES (3, 1, '2025-03-06 10:00:00', 'Teeth cleaned by Dr. Hu');",
        ),
    ),
    TableRows(table_name="badges", insert_statements=("INSERT INTO badges VALUES ('B-1', 1);",)),
)

CODE = """
import base64
import os
from datetime import datetime
from typing import List, Optional

from fastapi import Body, FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, ForeignKey, Integer, String, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine(os.environ["DATABASE_PATH"], connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(bind=engine)
Base = declarative_base()
app = FastAPI()


class Kennel(Base):
    __tablename__ = "kennels"
    id = Column(Integer, primary_key=True)
    name = Column(String, unique=True)
    region = Column(String)


class Dog(Base):
    __tablename__ = "dogs"
    id = Column(Integer, primary_key=True)
    kennel_id = Column(Integer, ForeignKey("kennels.id"), nullable=False)
    name = Column(String, unique=True, nullable=False)
    arrived_at = Column(DateTime)


class Visit(Base):
    __tablename__ = "visits"
    id = Column(Integer, primary_key=True)
    dog_id = Column(Integer, ForeignKey("dogs.id"), nullable=False)
    starts_at = Column("starts_at", DateTime)
    note = Column(String)


class Badge(Base):
    __tablename__ = "badges"
    code = Column(String, primary_key=True)
    dog_id = Column(Integer)


class Line(Base):
    __tablename__ = "log"
    words = Column(String, primary_key=True)


Base.metadata.create_all(engine)


class DogIn(BaseModel):
    kennel_id: int
    name: str


class VisitIn(BaseModel):
    dog_id: int
    starts_at: str
    note: Optional[str] = None


class BadgeIn(BaseModel):
    code: str
    dog_id: Optional[int] = None


@app.get("/dogs/{dog_id}", operation_id="get_dog")
def get_dog(dog_id: int):
    session = SessionLocal()
    dog = session.query(Dog).filter(Dog.id == dog_id).first()
    found = {"id": dog.id, "name": dog.name}
    session.close()
    return found


@app.get("/dogs/oldest", operation_id="get_dog")
async def oldest_dog():
    return {"name": "Bo"}


@app.get("/eastern", operation_id="list_eastern_kennels")
async def list_eastern_kennels():
    session = SessionLocal()
    rows = [kennel.name for kennel in session.query(Kennel).filter(Kennel.region == "NA-East")]
    session.close()
    return rows


@app.post("/dogs", operation_id="add_dog")
async def add_dog(body: DogIn):
    session = SessionLocal()
    session.add(Line(words=f"adding {body.name}"))
    session.commit()
    dog = Dog(kennel_id=body.kennel_id, name=body.name, arrived_at=datetime.utcnow())
    session.add(dog)
    session.commit()
    found = {"id": dog.id}
    session.close()
    return found


@app.post("/dogs", operation_id="add_puppy")
async def add_puppy(body: DogIn):
    return {"puppy": body.name}


@app.post("/visits", operation_id="add_visit")
async def add_visit(body: VisitIn):
    session = SessionLocal()
    visit = Visit(dog_id=body.dog_id, starts_at=body.starts_at, note=body.note)
    session.add(visit)
    session.commit()
    found = {"id": visit.id}
    session.close()
    return found


@app.post("/badges", operation_id="make_badge")
async def make_badge(body: BadgeIn):
    session = SessionLocal()
    session.add(Badge(code=body.code, dog_id=body.dog_id))
    session.commit()
    session.close()
    return {"made": body.code}


@app.post("/walks", operation_id="walk_dogs")
async def walk_dogs(dog_ids: List[int] = Body(..., embed=True)):
    return {"walked": len(dog_ids)}


@app.get("/decoded", operation_id="decode")
async def decode(text: str):
    return {"text": base64.b64decode(text).decode()}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
"""

# pays when there is a dog called Rex that was not there before
NEW_DOG = """
import sqlite3

def dogs(path):
    try:
        return sqlite3.connect(path).execute("SELECT id FROM dogs WHERE name = 'Rex'").fetchall()
    except Exception:
        return []

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    new = set(dogs(final_db_path)) - set(dogs(initial_db_path))
    return {"result": "complete" if len(new) == 1 else "others"}
"""

# pays when a visit has been noted, whoever did it
NOTED = """
import sqlite3

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    sql = "SELECT count(*) FROM visits WHERE note = 'Teeth cleaned by Dr. Hu'"
    found = sqlite3.connect(final_db_path).execute(sql).fetchone()[0]
    return {"result": "complete" if found == 1 else "others"}
"""

# pays when a visit has this text as its time
TIMED = """
import sqlite3

def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    sql = "SELECT count(*) FROM visits WHERE dog_id = 3 AND starts_at = '2025-04-01 10:00:00'"
    found = sqlite3.connect(final_db_path).execute(sql).fetchone()[0]
    return {"result": "complete" if found == 1 else "others"}
"""

# pays for an answer
ANSWERED = """
def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    return {"result": "complete" if final_answer == "North" else "others"}
"""

CRASHING = """
def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    return {}["result"]
"""

EVIDENCE = """
def verify_task(initial_db_path, final_db_path):
    return {}
"""

TASKS = (
    "Add a dog called Rex to the kennel South, and note his first visit on 2025-04-03.",
    "Note a visit of Bo today: 'Teeth cleaned by Dr. Hu'.",
    "Plan a visit of Ada for 2025-04-01 at ten.",
    "Which kennels lie in the east?",
    "Wash the dogs.",
    "Feed them.",
)
VERIFIERS = {
    0: {"code": NEW_DOG},
    1: {"code": NOTED},
    2: {"code": TIMED},
    3: {"code": ANSWERED},
    4: {"code": CRASHING},
    5: {"sql": EVIDENCE},
}


def calls(*pairs):
    """Calls of tools."""
    return tuple(ToolCall(name, arguments) for name, arguments in pairs)


SOLUTIONS = {
    0: Solution(
        calls(
            ("add_dog", {"kennel_id": 2, "name": "Rex"}),
            ("add_visit", {"dog_id": 2, "starts_at": "2025-04-03T10:00:00", "note": None}),
        ),
        None,
    ),
    2: Solution(calls(("add_visit", {"dog_id": 3, "starts_at": "2025-04-01T10:00:00Z"})), None),
    3: Solution(calls(("list_eastern_kennels", {})), "North"),
}


def endpoint(operation, method, path, **examples):
    """An endpoint of the specification."""
    parameters = {name: Parameter(type="string", example=example) for name, example in examples.items()}
    return Endpoint(path=path, method=method, operation_id=operation, request_params=parameters)


ENDPOINTS = (
    endpoint("get_dog", "get", "/dogs/{dog_id}", dog_id=1),
    endpoint("list_eastern_kennels", "get", "/eastern"),
    endpoint("add_dog", "post", "/dogs", kennel_id=1, name="Fay"),
    endpoint("add_puppy", "post", "/dogs", kennel_id=1, name="Pip"),
    endpoint("add_visit", "post", "/visits", dog_id=42, starts_at="2025-04-01T10:00:00Z", note="Ate."),
    endpoint("make_badge", "post", "/badges", code="B-2"),
    endpoint("decode", "get", "/decoded", text="aGk="),
    endpoint("ride_dog", "post", "/rides"),
)


def scenario(**changes):
    """All of it."""
    parts = {
        "name": "shelter",
        "title": "Shelter",
        "description": "Dogs.",
        "tasks": TASKS,
        "ddl": TABLES,
        "inserts": ROWS,
        "endpoints": ENDPOINTS,
        "code": CODE,
        "verifiers": VERIFIERS,
        "solutions": SOLUTIONS,
    }
    return AwmScenario(**{**parts, **changes})
