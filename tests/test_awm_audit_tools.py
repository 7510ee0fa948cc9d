"""Tools called in earnest, and with ids that no row has: what calls are made, and what is said of how they end."""

import json
import math
import sys
from datetime import datetime
from pathlib import Path

import awm_kennel
import pytest

from awm_gym.errors import EnvironmentFault
from awm_gym.formats.awm.audit import tools
from awm_gym.formats.awm.audit.findings import Ghosts
from awm_gym.formats.awm.audit.naming import Names, Place
from awm_gym.formats.awm.audit.plausible import FAR, NOWHERE, Attempt, Plausible, Table
from awm_gym.formats.awm.audit.tools import KILLED, SILENT, audit_tools, cause, read_tables
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import Answer, App, ToolInfo
from awm_gym.formats.awm.images import EditRefused, ForeignKey, Images, Schema
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Endpoint, Source, TableRows, TableSchema
from awm_gym.sandbox.worker import trial

NOW = datetime(2025, 3, 9, 8, 30)
SAMPLES = Path(__file__).parent.parent.parent / "shared" / "awm_samples"

# What names mean


def table(*columns, key=("id",), unique=(), **references):
    """A table whose columns are integers; a reference is to the column id."""
    keys = tuple(
        ForeignKey(columns=(column,), table=parent, parent_columns=("id",)) for column, parent in references.items()
    )
    names = dict.fromkeys((*key, *columns, *references), "INTEGER")
    return Schema(columns=names, key=key, row_name="" if key else "rowid", foreign_keys=keys, unique=unique)


def tool(method="GET", path="/", properties=None, required=(), name="tool"):
    schema = {"type": "object", "properties": properties or {}, "required": list(required)}
    return ToolInfo(name=name, description="", input_schema=schema, method=method, path=path, exposed=True)


SHOP = {
    "users": table("email"),
    "shops": table("name", owner_user_id="Users"),
    "categories": table("name"),
    "items": table("title", "status", "sku", unique=(("sku",),), shop_id="shops", category_id="categories"),
    "item_photos": table("caption", item_id="items"),
    "message_threads": table("thread_code", unique=(("thread_code",),), group_id="user_groups"),
    "messages": table("body", thread_id="message_threads"),
    "user_groups": table("name"),
    "tags": table("label", group_id="tag_groups"),
    "tag_groups": table(),
    "pins": table("note", group_id="tag_groups"),
    "coupons": table("percent", key=("code",)),
    "item_tags": table(key=("item_id", "tag_id"), item_id="items", tag_id="tags"),
    "audit_log": table("word", key=()),
    "lost": table(nowhere_id="gone"),
    "odd": Schema(
        columns={"id": "INTEGER", "shop_key": "INTEGER"},
        key=("id",),
        row_name="",
        foreign_keys=(ForeignKey(columns=("shop_key",), table="shops", parent_columns=("number",)),),
        unique=(),
    ),
}


@pytest.mark.parametrize(
    ("method", "path", "argument", "place"),
    [
        ("POST", "/orders", "item_id", Place("items", "id")),  # columns of this name refer to it
        ("GET", "/shops/{id}", "id", Place("shops", "id")),
        ("GET", "/shops/{id}/items", "id", Place("items", "id")),
        ("GET", "/nothing/{id}", "id", None),
        ("GET", "/log/{id}", "id", None),  # which has no key
        ("POST", "/tags", "group_id", Place("tag_groups", "id")),  # by the table of the path
        ("POST", "/message-threads", "group_id", Place("user_groups", "id")),
        ("POST", "/elsewhere", "group_id", Place("tag_groups", "id")),  # by the greater number
        ("POST", "/users/{user_id}/items", "user_id", Place("users", "id")),  # a table is named so
        ("POST", "/reports", "target_item_id", Place("items", "id")),
        ("POST", "/reports", "photo_id", Place("item_photos", "id")),
        ("POST", "/reports", "category_id", Place("categories", "id")),
        ("GET", "/message_threads/{thread_code}", "thread_code", Place("message_threads", "thread_code")),
        ("POST", "/message_threads", "thread_code", None),  # may be new
        ("GET", "/coupons/{code}", "code", Place("coupons", "code")),
        ("POST", "/coupons", "code", None),  # is new
        ("POST", "/coupons/apply", "code", Place("coupons", "code")),
        ("POST", "/coupons/{code}", "code", Place("coupons", "code")),
        ("POST", "/items", "item_id", Place("items", "id")),  # what other tables refer to
        ("POST", "/coupons", "coupon_id", Place("coupons", "code")),
        ("POST", "/", "item_id", Place("items", "id")),
        ("POST", "/items", "sku", None),
        ("POST", "/items", "nowhere_id", None),
        ("POST", "/odd", "shop_key", None),  # it refers to what is no column
        ("POST", "/items", "item_tag_id", Place("tags", "id")),  # rows of item_tags have no single key
        ("POST", "/items", "log_id", None),
        ("POST", "/items", "status", None),
        ("POST", "/items", "", None),
    ],
)
def test_an_argument_names_a_row(method, path, argument, place):
    assert Names(SHOP).key(tool(method, path), argument) == place


@pytest.mark.parametrize(
    ("path", "argument", "place"),
    [
        ("/items/search", "status", Place("items", "status")),
        ("/users", "shop_name", Place("shops", "name")),
        ("/users", "category_name", Place("categories", "name")),
        ("/users", "photo_caption", Place("item_photos", "caption")),
        ("/users", "title", Place("items", "title")),  # no other table has it
        ("/users", "name", None),  # three have it
        ("/users", "colour_name", None),
    ],
)
def test_an_argument_has_its_values_in_a_column(path, argument, place):
    assert Names(SHOP).column(tool("GET", path), argument) == place


def test_a_path_is_about_tables():
    names = Names(SHOP)
    assert names.near("/api/shops/{shop_id}/items") == ["items", "shops"]
    assert names.near("/items/{item_id}/photos") == ["item_photos", "items"]
    assert names.near("/categories/{id}/reports") == ["categories"]
    assert names.made_by(tool("POST", "/items/{id}/photos")) == "item_photos"
    assert names.made_by(tool("POST", "/items/{id}")) == names.made_by(tool("GET", "/items")) == ""


# What calls are made

ROWS = {
    "shop": (
        {"id": 1, "name": "Ivy", "kind": "corner", "rank": 3, "opens_on": "2025-01-02", "share": 0.5},
        {"id": 2, "name": "Oak", "kind": "corner", "rank": 4, "opens_on": "2025-01-03", "share": math.inf},
        {"id": 5, "name": "Elm", "kind": "big store", "rank": None, "opens_on": None, "share": b"half"},
    ),
    "coupon": ({"code": "SPRING"}, {"code": "AUTUMN"}),
    "void": (),
}
NAMES = ("Ivy", "Oak", "Elm")
TABLES = {
    "shop": Table(table(*list(ROWS["shop"][0])[1:], unique=(("name",),)), ROWS["shop"]),
    "coupon": Table(table(key=("code",)), ROWS["coupon"]),
    "void": Table(table(), ()),
}
INTEGER, STRING, MAYBE = {"type": "integer"}, {"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}


def plausible(found, endpoints=(), name="market"):
    return Plausible(found, AwmScenario(name, name, "", (), (), (), tuple(endpoints), "", {}), TABLES, NOW)


def told(found, **options):
    return [attempt.arguments for attempt in plausible(found, **options).attempts()]


def drawn(method, path, **properties):
    """The values of the first argument in calls whose values are drawn by lot, for scenarios of many names."""
    argument, mark = next(iter(properties)), {"type": "string", "example": "not drawn"}
    found = tool(method, path, {**properties, "mark": mark}, [*properties, "mark"])
    calls = [call for number in range(60) for call in told(found, name=f"s{number}")]
    return {call[argument] for call in calls if call["mark"] != "not drawn"}


def endpoint(method, path, operation_id, **examples):
    params = {name: {"type": "string", "example": example} for name, example in examples.items()}
    return Endpoint(path=path, method=method, operation_id=operation_id, request_params=params)


def test_a_tool_without_arguments_is_called_once():
    assert plausible(tool()).attempts() == [Attempt({}, True)]


def test_ids_are_those_of_the_specification_and_then_those_that_exist():
    found = tool("POST", "/visits", {"shop_id": INTEGER, "note": STRING}, ["shop_id"])
    attempts = plausible(found, [endpoint("post", "/visits", "tool", shop_id=77, note="short")]).attempts()
    assert attempts == [
        Attempt({"shop_id": 77, "note": "short"}, False),
        Attempt({"shop_id": 77}, False),
        *(Attempt({"shop_id": shop, "note": "short"}, True) for shop in (1, 2, 5)),
        *attempts[5:],
    ]
    assert {attempt.arguments["shop_id"] for attempt in attempts[5:]} <= {1, 2, 5}
    assert plausible(found).ids == {"shop_id": Place("shop", "id")}


def test_no_two_calls_are_alike_and_there_are_eight_at_most():
    found = tool(
        "POST", "/shops", {"name": STRING, "rank": INTEGER, "shop_ids": {"type": "array", "items": INTEGER}}, ["name"]
    )
    examples = [endpoint("POST", "/shops", "tool", name="Ash", rank=9, shop_ids=[8, 9])]
    calls = told(found, endpoints=examples)
    assert len(calls) == len({json.dumps(call) for call in calls}) == 8
    assert calls == told(found, endpoints=examples)
    assert calls != told(found, endpoints=examples, name="other")


def test_the_example_of_the_same_name_goes_before_that_of_the_same_path():
    found = tool("GET", "/shops", {"name": STRING}, name="second")
    both = [endpoint("GET", "/shops", "first", name="A"), endpoint("GET", "/shops", "second", name="B")]
    assert told(found, endpoints=both)[0] == {"name": "B"}
    assert told(found, endpoints=both[:1])[0] == {"name": "A"}
    assert told(found, endpoints=[endpoint("GET", "/shops", "first"), endpoint("POST", "/shops", "x", name="C")]) == [
        {},
    ]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (STRING | {"example": "as told"}, "as told"),
        (MAYBE | {"example": "as told"}, "as told"),
        (STRING | {"examples": ["one", "two"]}, "one"),
        (STRING | {"examples": {"one": 1}}, "some thing"),
        (STRING | {"default": "usual"}, "usual"),
        ({"anyOf": [{"type": "null"}, STRING | {"example": "within"}]}, "within"),
        ({"allOf": [{"enum": ["red", "blue"]}]}, "red"),
        (STRING, "some thing"),
        ({}, "some thing"),
        (STRING | {"format": "date"}, "2025-03-10"),
        (STRING | {"format": "date-time"}, "2025-03-10T08:30:00"),
        (INTEGER, 1),
        (INTEGER | {"minimum": 17.5}, 18),
        (INTEGER | {"maximum": 0.5}, 0),
        ({"type": "number"}, 1),
        (STRING | {"const": "on", "default": "off"}, "on"),
        (STRING | {"format": "time"}, "09:00:00"),
        (STRING | {"format": "uuid"}, "00000000-0000-4000-8000-000000000001"),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": INTEGER}, [1]),
        ({"type": "array"}, ["some thing"]),
        ({"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["b"]}, {"b": "some b"}),
    ],
)
def test_what_must_be_there_is_made_up_where_no_example_is_known(schema, value):
    assert told(tool("POST", "/things", {"thing": schema}, ["thing"]))[0] == {"thing": value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seen_at", "2025-03-10T08:30:00"),
        ("start_date", "2025-03-10"),
        ("due_on", "2025-03-10"),
        ("work_email", "someone@example.com"),
    ],
)
def test_names_tell_what_text_is_made_up(name, value):
    assert told(tool("POST", "/things", {name: STRING}, [name]))[0] == {name: value}


def test_what_may_be_left_out_is_left_out_where_no_example_is_known():
    assert told(tool("POST", "/things", {"thing": STRING, "other": MAYBE | {"default": "x"}})) == [{"other": "x"}, {}]


def test_a_call_may_say_what_a_row_says():
    found = tool("PUT", "/shops/{shop_id}", {"shop_id": INTEGER, "name": STRING, "kind": STRING, "share": STRING})
    call = told(found, endpoints=[endpoint("PUT", "/", "tool", shop_id=9, name="Ash", kind="new", share="all")])[5]
    row = next(row for row in ROWS["shop"] if row["id"] == call["shop_id"])
    share = "all" if row["id"] == 5 else str(row["share"])
    assert call == {"shop_id": row["id"], "name": row["name"], "kind": row["kind"], "share": share}


def test_values_are_drawn_of_those_that_occur():
    corner, nine = STRING | {"example": "corner"}, INTEGER | {"example": 9}
    assert drawn("GET", "/shops", kind=corner) == drawn("POST", "/shops", kind=corner) == {"corner", "big store"}
    assert drawn("GET", "/shops", rank=nine) == drawn("POST", "/shops", rank=nine) == {3, 4}
    assert drawn("GET", "/visits", shop_name=STRING) == drawn("POST", "/visits", shop_name=STRING) == set(NAMES)
    assert drawn("GET", "/shops", share={"type": "number"}) == {0.5}


def test_what_tells_rows_apart_is_another_in_each_call():
    ivy = STRING | {"example": "Ivy"}
    names = drawn("POST", "/shops", name=ivy)
    assert len(names) > 9
    assert all(name.startswith("Ivy") and name[3:].isdigit() for name in names)
    assert drawn("GET", "/shops", name=ivy) == set(NAMES)
    assert drawn("POST", "/shops", nick=ivy) == {"Ivy"}


def test_addresses_stay_addresses():
    tables = {"guest": Table(table("email", unique=(("email",),)), ({"id": 1, "email": "a@b.com"},))}
    found = tool("POST", "/guests", {"email": STRING | {"example": "c@d.com"}}, ["email"])
    calls = Plausible(found, AwmScenario("s", "s", "", (), (), (), (), "", {}), tables, NOW).attempts()
    name, _, host = calls[-1].arguments["email"].partition("@")
    assert (name[0], name[1:].isdigit(), host) == ("c", True, "d.com")


def test_other_values_are_drawn_by_type():
    assert drawn("POST", "/things", number=INTEGER) == {1, 2, 3, 4, 5}
    assert drawn("POST", "/things", number=INTEGER | {"minimum": 18}) == {18}
    assert drawn("POST", "/things", number=INTEGER | {"minimum": 2, "maximum": 4.5}) == {2, 3, 4}
    assert drawn("POST", "/things", flag={"type": "boolean"}) == {True, False}
    assert drawn("POST", "/things", colour=STRING | {"enum": ["red", "blue"]}) == {"red", "blue"}
    assert {words[:10] for words in drawn("POST", "/things", words=STRING | {"example": "two words"})} == {"two words "}
    assert drawn("POST", "/things", word=STRING | {"example": "word"}) == {"word"}
    assert drawn("POST", "/things", what={"default": 0.5}) == {0.5}


def test_dates_come_in_the_order_of_the_arguments_and_after_now():
    shown = {name: STRING | {"example": f"2020-01-0{day}T10:00"} for day, name in ((1, "from"), (2, "opens_on"))}
    for number in range(40):
        for call in told(tool("POST", "/shops", shown, list(shown)), name=f"s{number}")[-2:]:
            first, second = call["from"], call["opens_on"]
            assert "2025-03-10" <= first[:10] <= second[:10] <= "2025-03-30"
            assert first[10:] == second[10:] == "T10:00"


BASKET = {
    "type": "array",
    "items": {"type": "object", "properties": {"shop_id": INTEGER, "count": INTEGER}},
    "example": [{"shop_id": 8, "count": 2}, {"shop_id": 9, "count": 2}],
}


def test_ids_within_arguments_are_ids_and_each_another():
    found = tool("POST", "/baskets", {"items": BASKET, "codes": {"type": "array", "items": STRING}})
    assert plausible(found).ids == {"items.shop_id": Place("shop", "id"), "codes": Place("coupon", "code")}
    calls = told(found)
    assert [[item["shop_id"] for item in call["items"]] for call in calls[2:5]] == [[1, 2], [2, 5], [5, 1]]


def test_where_one_row_is_there_it_is_not_asked_for_twice():
    found = tool("POST", "/x", {"codes": {"type": "array", "items": STRING, "example": ["a", "b", "c"]}})
    assert told(found)[2]["codes"] == ["SPRING", "AUTUMN"]


def test_ghosts_are_ids_that_no_row_has():
    found = tool(
        "POST",
        "/coupons/{code}",
        {"code": STRING, "shop_id": INTEGER, "other_shop_id": STRING, "void_id": INTEGER, "items": BASKET},
    )
    shops = [{"shop_id": FAR + 5, "count": 2}]
    start = {"code": "SPRING", "shop_id": 2}
    assert list(plausible(found).ghosts(start)) == [
        {**start, "code": NOWHERE},
        {**start, "shop_id": FAR + 5},
        {**start, "other_shop_id": str(FAR + 5)},
        {**start, "void_id": FAR},
        {**start, "items": shops},
    ]


def test_there_is_no_ghost_in_a_part_that_is_not_there():
    within = {"type": "object", "properties": {"shop_id": INTEGER}}
    found = plausible(tool("POST", "/x", {"within": within}))
    assert list(found.ghosts({})) == []
    assert list(found.ghosts({"within": {"shop_id": 1}})) == [{"within": {"shop_id": FAR + 5}}]


@pytest.mark.parametrize("name", ["filter.shop_id", ".shop_id", "", "a.b.c"])
def test_names_with_dots_are_names(name):
    found = tool("GET", "/x", {name: INTEGER, "shop_id": INTEGER}, [name, "shop_id"])
    assert list(plausible(found).ghosts({name: 1, "shop_id": 1}))[-1]["shop_id"] == FAR + 5


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": []},
        {"properties": {"a": {"type": ["string", "null"]}}},
        {"properties": {"a": {"minimum": math.nan}}},
        {"required": 3},
    ],
)
def test_a_schema_that_is_none_has_no_arguments(schema):
    assert told(tool().model_copy(update={"input_schema": schema})) == [{}]


def test_parts_of_a_schema_that_are_none_allow_anything():
    assert told(tool("POST", "/x", {"a": True, "b": {"type": "array", "items": True}}, ["a", "b"]))[0] == {
        "a": "some a",
        "b": ["some b"],
    }


@pytest.mark.parametrize("value", [math.nan, [math.inf], "\ud800", "x" * 100_001, 10**5_000], ids=range(5))
def test_examples_that_cannot_be_sent_are_left_out(value):
    assert told(tool("GET", "/x", {"a": STRING}), endpoints=[endpoint("GET", "/x", "tool", a=value, b=1)]) == [
        {"b": 1},
        {},
    ]


def deep(levels, wrap):
    value = {}
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize("levels", [20, 400, 5_000])
def test_examples_that_are_too_deep_are_left_out(levels):
    within = {"type": "object", "properties": {"shop_id": INTEGER}, "example": deep(levels, lambda value: [value])}
    found = plausible(tool("POST", "/x", {"within": within, "b": STRING | {"example": "x"}}, ["b", "within"]))
    assert [attempt.arguments for attempt in found.attempts()] == [{"b": "x"}]
    assert list(found.ghosts({})) == []


@pytest.mark.parametrize("levels", [100, 400, 5_000])
def test_a_schema_may_be_deep(levels):
    schema = deep(levels, lambda value: {"type": "array", "items": value})
    assert told(tool("POST", "/x", {"b": STRING, "x": schema}, ["b", "x"]))[0] in ({"b": "some b"}, {})


# What is said of how calls end


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("", SILENT),
        ("OperationalError: (sqlite3.OperationalError) database is locked\n[SQL: UPDATE]", "locked database"),
        ("OperationalError: (sqlite3.OperationalError) database table is locked: walk", "locked database"),
        ("ValueError: Invalid base64-encoded string", "base64"),
        ("Error: Incorrect padding", "base64"),
        ("KeyError: 'UNIQUE'", "other: KeyError"),
        ("DataError: too long\n[parameters: ('no such table',)]", "other: DataError"),
        ("TypeError: 'NoneType' object is not subscriptable", "attribute of None"),
        ("ValueError: time data 'x' does not match format '%Y'", "date that it cannot read"),
        ("\x1b[31m: x", r"other: \x1b[31m"),
        ("E" * 1_000, "other: " + "E" * 60),
    ],
)
def test_an_error_has_a_cause(error, name):
    assert cause(error) == name


@pytest.mark.parametrize("text", ["", " \n", "null", "[]", '{"a": [], "b": {"c": 0, "d": " "}}', "0.0", "false", '""'])
def test_an_answer_may_be_empty(text):
    assert tools._is_empty(text)


@pytest.mark.parametrize("text", ["x", "[[1]]", '{"a": {"b": "c"}}', "true", "[" * 100_000])
def test_an_answer_may_not_be_empty(text):
    assert not tools._is_empty(text)


MARKET_TABLES = (
    TableSchema(name="shop", ddl="CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"),
    TableSchema(
        name="product",
        ddl="CREATE TABLE product (id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shop (id), "
        "title TEXT NOT NULL, price REAL CHECK (price >= 0), made_at DATETIME)",
    ),
    TableSchema(name="visit", ddl="CREATE TABLE visit (id INTEGER PRIMARY KEY, word TEXT)"),
    TableSchema(name="gift", ddl="CREATE TABLE gift (id INTEGER PRIMARY KEY, shop_id REFERENCES shop (id))"),
)
MARKET_ROWS = (
    TableRows(
        table_name="shop",
        insert_statements=("INSERT INTO shop VALUES (1, 'Ivy')", "INSERT INTO shop VALUES (2, 'Oak')"),
    ),
    TableRows(
        table_name="product",
        insert_statements=("INSERT INTO product VALUES (7, 1, 'Tea', 2.5, '2025-03-01 10:00:00.000000')",),
    ),
)
MARKET = """
import base64, json, os
from datetime import datetime, timezone
from typing import List

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, Float, ForeignKey, Integer, String, create_engine, text
from sqlalchemy.orm import declarative_base, relationship, sessionmaker

engine = create_engine(os.environ["DATABASE_PATH"])
Session = sessionmaker(bind=engine)
Base = declarative_base()
app = FastAPI()


class Shop(Base):
    __tablename__ = "shop"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Product(Base):
    __tablename__ = "product"
    id = Column(Integer, primary_key=True)
    shop_id = Column(Integer, ForeignKey("shop.id"))
    title = Column(String)
    price = Column(Float)
    made_at = Column(DateTime)
    shop = relationship(Shop)


def run(sql, **values):
    with Session() as session:
        session.execute(text(sql), values)
        session.commit()
    return {"done": True}


run("INSERT INTO gift VALUES (1, 99)")  # to no shop


def detached():
    with Session() as session:
        product = session.get(Product, 7)
    return product.shop.name


def dated():
    with Session() as session:
        session.add(Product(id=9, shop_id=1, title="x", made_at="2025-03-01T10:00:00"))
        session.commit()


def enforced():
    with engine.connect() as db:
        db.exec_driver_sql("PRAGMA foreign_keys = ON")
        try:
            db.exec_driver_sql("INSERT INTO product (id, shop_id, title) VALUES (9, 9, 'x')")
        finally:
            db.rollback()
            db.exec_driver_sql("PRAGMA foreign_keys = OFF")


BROKEN = {
    "unique": lambda: run("INSERT INTO shop VALUES (3, 'Ivy')"),
    "check": lambda: run("INSERT INTO product VALUES (9, 1, 'x', -1, NULL)"),
    "not_null": lambda: run("INSERT INTO shop VALUES (3, NULL)"),
    "foreign_key": enforced,
    "no_table": lambda: run("SELECT * FROM nowhere"),
    "no_column": lambda: run("SELECT colour FROM shop"),
    "no_such_column": lambda: run("INSERT INTO shop (colour) VALUES (1)"),
    "iso": dated,
    "none": lambda: Session().get(Shop, 99).name,
    "no_row": lambda: Session().query(Shop).filter_by(id=99).one(),
    "many_rows": lambda: Session().query(Shop).one(),
    "detached": detached,
    "base64": lambda: base64.b64decode("abc"),
    "date": lambda: datetime.fromisoformat("soon"),
    "naive": lambda: datetime(2025, 1, 1) < datetime.now(timezone.utc),
    "binding": lambda: run("SELECT :x", x=[1]),
    "other": lambda: {}["key"],
    "silent": lambda: JSONResponse({"oh": "no"}, 503),
}
for name, broken in BROKEN.items():
    app.get(f"/broken/{name}", operation_id=name)(broken)


@app.get("/schema", operation_id="schema", response_model=int)
def schema():
    return "no number"


@app.get("/empty", operation_id="empty")
def empty():
    return {"rule_id": 0, "rows": [], "name": ""}


@app.delete("/empty", operation_id="no_content", status_code=204)
def no_content():
    return Response(status_code=204)


@app.get("/away", operation_id="away")
def away():
    return RedirectResponse("/empty")


@app.get("/shops/{shop_id}", operation_id="get_shop")
def get_shop(shop_id: int):
    with Session() as session:
        shop = session.get(Shop, shop_id)
        if shop is None:
            raise HTTPException(404)
        return {"name": shop.name}


@app.get("/products", operation_id="find_products")
def find_products(shop_id: int):
    with Session() as session:
        return [product.id for product in session.query(Product).filter_by(shop_id=shop_id)]


class Gift(BaseModel):
    shop_id: int


class Gifts(BaseModel):
    gifts: List[Gift]
    note: str = "none"


@app.post("/gifts", operation_id="give")
def give(body: Gifts):
    for gift in body.gifts:
        run("INSERT INTO gift (shop_id) VALUES (:shop)", shop=gift.shop_id)
    return {"given": len(body.gifts)}


@app.post("/visits", operation_id="visit")
def visit(product_id: int):
    return run("INSERT INTO visit (word) VALUES ('came')")


@app.put("/visits", operation_id="mend")
def mend(shop_id: int, product_id: int):
    run("UPDATE gift SET shop_id = NULL")
    return {"shop": Session().get(Shop, shop_id).name, "product": product_id}


@app.post("/touch", operation_id="touch")
def touch(shop_id: int):
    return run("UPDATE shop SET name = name")


@app.put("/shops/{shop_id}", operation_id="label")
def label(shop_id: int, note: str):
    return Session().get(Shop, shop_id).name


@app.get("/hang/{shop_id}", operation_id="hang")
def hang(shop_id: int):
    while shop_id < 3:
        pass


@app.get("/die/{shop_id}", operation_id="die")
def die(shop_id: int):
    if shop_id > 2:
        os.abort()
    return {"alive": shop_id}
"""


LABEL = endpoint("PUT", "/shops/{shop_id}", "label", shop_id=77, note="x" * 1_000)


def market():
    return AwmScenario("market", "Market", "", (), MARKET_TABLES, MARKET_ROWS, (LABEL,), MARKET, {})


@pytest.fixture(scope="module")
def _packages():
    pytest.importorskip("fastapi", reason="applications need the extra awm")
    pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
    if sys.platform != "linux":
        pytest.skip("generated Python runs on Linux only")
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def audited(_packages):
    scenario = market()
    base = build(scenario, now=NOW)
    with App(MARKET, base, name="market", reset="inplace") as app, Images() as images:
        found = audit_tools(scenario, base, app, images, seconds=0.5)
        assert [audit.name for audit in found] == [tool.name for tool in app.tools]
        return {audit.name: audit for audit in found}


@pytest.mark.parametrize(
    ("name", "causes"),
    [
        ("unique", ["UNIQUE conflict"]),
        ("check", ["CHECK"]),
        ("not_null", ["NOT NULL"]),
        ("foreign_key", ["foreign key"]),
        ("no_table", ["missing table"]),
        ("no_column", ["missing column"]),
        ("no_such_column", ["missing column"]),
        ("iso", ["ISO string into DateTime"]),
        ("none", ["attribute of None"]),
        ("no_row", ["no row where one is needed"]),
        ("many_rows", ["several rows where one is needed"]),
        ("detached", ["DetachedInstance"]),
        ("base64", ["base64"]),
        ("date", ["date that it cannot read"]),
        ("naive", ["time with and without a zone"]),
        ("binding", ["value that SQLite cannot hold"]),
        ("other", ["other: KeyError"]),
        ("silent", [SILENT]),
        ("schema", ["answer breaks its own schema"]),
    ],
)
def test_a_crash_has_its_cause(audited, name, causes):
    audit = audited[name]
    assert (audit.calls, audit.ok, audit.refused, audit.crashed, audit.empty) == (1, 0, 0, 1, 0)
    assert audit.causes == dict.fromkeys(causes, 1)
    assert audit.first_crash.startswith("{}: ")
    assert "\n" not in audit.first_crash
    assert (audit.ids, audit.ghosts) == ((), None)


def test_the_first_crash_is_told_with_its_arguments(audited):
    assert audited["other"].first_crash == "{}: KeyError: 'key'"
    assert audited["silent"].first_crash == f"{{}}: {SILENT}"
    arguments, _, error = audited["label"].first_crash.partition(": AttributeError: ")
    assert arguments == '{"shop_id": 77, "note": "' + "x" * (247 - 25) + "..."
    assert error == "'NoneType' object has no attribute 'name'"


def test_the_first_crash_is_told_alike_each_time(audited):
    assert "<Product at 0x...> is not bound to a Session" in audited["detached"].first_crash


def test_answers_without_content_are_counted(audited):
    assert [audited[name].empty for name in ("empty", "no_content", "away")] == [1, 0, 0]
    assert [audited[name].ok for name in ("empty", "no_content", "away")] == [1, 1, 0]
    assert audited["find_products"].empty == 1  # there is no product in the second shop


GHOSTS = {
    "get_shop": Ghosts(calls=1, refused=1),
    "find_products": Ghosts(calls=1, accepted=1),
    "give": Ghosts(calls=1, accepted=1, wrote=1, dangling=1),
    "visit": Ghosts(calls=1, accepted=1, wrote=1),
    "mend": Ghosts(calls=2, accepted=1, wrote=1, crashed=1),  # what it leaves refers to less than before
    "touch": Ghosts(calls=1, accepted=1),  # it writes what is there already
    "label": Ghosts(calls=1, crashed=1),
    "die": Ghosts(calls=1, crashed=1),
}


@pytest.mark.parametrize("name", GHOSTS)
def test_ids_that_no_row_has_are_accepted_or_not(audited, name):
    assert audited[name].ghosts == GHOSTS[name]


def test_ids_are_told(audited):
    assert audited["give"].ids == ("gifts.shop_id",)
    assert audited["mend"].ids == ("shop_id", "product_id")


def test_a_tool_that_hangs_is_soon_left_alone(audited):
    audit = audited["hang"]
    assert (audit.calls, audit.ok, audit.crashed, audit.causes) == (2, 0, 2, {KILLED: 2})
    assert audit.first_crash == '{"shop_id": 1}: the worker did not answer in time'
    assert audit.ghosts == Ghosts()


def test_a_tool_that_kills_its_worker_costs_only_that_call(audited):
    assert (audited["die"].calls, audited["die"].ok) == (2, 2)


@pytest.mark.usefixtures("_packages")
def test_either_way_of_resetting_finds_the_same():
    scenario, base = awm_kennel.scenario(), awm_kennel.base()
    routes = 'app.router.routes = [r for r in app.router.routes if "/walks" in getattr(r, "path", "")]\n'
    code = f"{awm_kennel.CODE}\n{routes}"
    found = []
    for reset in ("fork", "inplace"):
        with App(code, base, name="kennel", reset=reset) as app, Images() as images:
            found.append(audit_tools(scenario, base, app, images))
    assert found[0] == found[1]
    assert [audit.name for audit in found[0]] == ["list_walks", "book_walk", "renumber_walk"]
    assert (found[0][1].calls, found[0][1].causes) == (4, {"UNIQUE conflict": 1})


class Player:
    """An application whose worker turns out to be another one after its first call."""

    tools = (tool("POST", "/shops", {"shop_id": INTEGER}, ["shop_id"]),)
    initial = b"first"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def reset(self):
        return self

    def call(self, name, arguments, *, seconds):
        return Answer(200, "done")

    def image(self):
        return b"second"


class Broken:
    """A reader of databases that breaks at what the application made."""

    def schema(self, image):
        return {"shop": table()}

    def edited(self, image, statements):
        return image

    def differing(self, before, after, limit):
        return ()

    def dangling(self, image):
        return 0

    def changed(self, before, after):
        raise EnvironmentFault("the database cannot be read: it is none")


def test_a_database_that_cannot_be_read_is_a_crash():
    found = audit_tools(market(), type("Base", (), {"now": NOW}), Player(), Broken())
    assert (found[0].ok, found[0].crashed) == (found[0].calls, 0)
    assert found[0].ghosts == Ghosts(calls=1, crashed=1)


def test_an_initial_database_that_cannot_be_edited_is_a_fault():
    class Shut(Broken):
        def edited(self, image, statements):
            raise EditRefused("no such function: f")

    with pytest.raises(EnvironmentFault, match="the database cannot be read: no such function: f"):
        read_tables(Shut(), b"")


@pytest.mark.usefixtures("_packages")
def test_the_tables_of_a_database_are_read_with_their_rows():
    with Images() as images:
        found = read_tables(images, build(market(), now=NOW).image)
    assert sorted(found) == ["gift", "product", "shop", "visit"]
    assert found["shop"].rows == ({"id": 1, "name": "Ivy"}, {"id": 2, "name": "Oak"})
    assert found["product"].schema.foreign_keys[0].table == "shop"


# Real applications

# tools, calls, answered 2xx, 4xx, 5xx; tools that ever crash, and that never answer 2xx; tools that take ids,
# that accept ids that no row has, write for them, leave rows that refer to nothing, crash at them
FIGURES = {
    "docusign_e_signature_agreement_workflow": (21, 137, 103, 0, 34, 12, 1, 17, 13, 11, 11, 4),
    "etsy_digital_downloads": (18, 112, 92, 0, 20, 9, 0, 13, 11, 11, 11, 5),
    "gofundme": (11, 52, 37, 0, 15, 4, 0, 4, 2, 2, 2, 2),
    "rover": (17, 104, 96, 0, 8, 6, 0, 13, 8, 8, 8, 5),
}
CAUSES = {"UNIQUE conflict": 16, "attribute of None": 11, "CHECK": 2, "base64": 1, "NOT NULL": 1}


@pytest.fixture(scope="module")
def samples(_packages):
    if not SAMPLES.is_dir():
        pytest.skip("the samples of AgentWorldModel data are not here")
    found = {}
    for name in FIGURES:
        scenario = Source(Index.of(SAMPLES)).scenario(name)
        base = build(scenario)
        with App(scenario.code, base, name=name, reset="inplace") as app, Images() as images:
            found[name] = audit_tools(scenario, base, app, images)
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_the_tools_of_a_sample(samples, name):
    found = samples[name]
    ghosts = [audit.ghosts for audit in found if audit.ghosts]
    assert FIGURES[name] == (
        len(found),
        *(sum(getattr(audit, count) for audit in found) for count in ("calls", "ok", "refused", "crashed")),
        sum(audit.crashed > 0 for audit in found),
        sum(audit.ok == 0 for audit in found),
        len(ghosts),
        *(sum(getattr(each, count) > 0 for each in ghosts) for count in ("accepted", "wrote", "dangling", "crashed")),
    )
    assert all(each.refused == 0 for each in ghosts)


def test_why_the_tools_of_the_samples_crash(samples):
    causes = [cause for found in samples.values() for audit in found for cause in audit.causes]
    assert {cause: causes.count(cause) for cause in causes} == CAUSES
