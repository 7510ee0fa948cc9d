"""Generated applications as text: what is found in them, and how they are edited. Nothing of theirs runs here."""

import ast
from dataclasses import replace

import awm_shelter
import pytest

from awm_gym.formats.awm.audit.naming import Place
from awm_gym.formats.awm.host import Collision, ToolInfo
from awm_gym.formats.awm.images import Difference, ForeignKey, Schema
from awm_gym.formats.awm.images_program import told
from awm_gym.formats.awm.records import Endpoint
from awm_gym.formats.awm.repair.answers import Answers, answering, enforceable, separable
from awm_gym.formats.awm.repair.frames import framed
from awm_gym.formats.awm.repair.moments import in_one_form
from awm_gym.formats.awm.repair.program import Model, Program, block, marked
from awm_gym.formats.awm.repair.routes import rerouted

BROKEN = ["def (", "x = '\0'", "(" * 500, "x = 1\ry = 2\n", "x = '\ud800'"]


def test_the_parts_of_an_application_are_found():
    program = Program.of(awm_shelter.CODE)
    assert (program.apps, program.engines, program.makers) == (["app"], ["engine"], ["SessionLocal"])
    assert [handler.operation for handler in program.handlers][:3] == ["get_dog", "get_dog", "list_eastern_kennels"]
    assert program.models["Visit"] == Model(
        "visits",
        {"id": "id", "dog_id": "dog_id", "starts_at": "starts_at", "note": "note"},
        {"id": "Integer", "dog_id": "Integer", "starts_at": "DateTime", "note": "String"},
    )
    assert awm_shelter.CODE.split("\n")[program.end - 1] == 'if __name__ == "__main__":'
    assert Program.of("x = 1").end == 2


def test_models_of_other_styles_are_found_too():
    code = """
class Base: pass
class Nap(Base):
    __tablename__ = "naps"
    __table_args__ = ({},)
    id: Mapped[int] = mapped_column(primary_key=True)
    begins: Mapped[datetime] = mapped_column("begins_at", DateTime(timezone=True))
    where: str
    pillows = relationship("Pillow")
    (a, b) = 1, 2
class Odd(Base):
    __tablename__ = TABLE
    id = Column()
"""
    assert Program.of(code).models == {
        "Nap": Model("naps", {"id": "id", "begins": "begins_at"}, {"id": "", "begins_at": "DateTime"})
    }


@pytest.mark.parametrize("code", BROKEN, ids=range(len(BROKEN)))
def test_code_that_cannot_be_read_is_left_as_it_is(code):
    assert Program.of(code) is None
    assert in_one_form(code) == answering(code, Answers()) == code
    assert not separable(code)


def test_a_program_with_strange_escapes_and_line_ends_is_read():
    program = Program.of("import re\r\nx = '\\d'\r\n")
    assert program.code == "import re\nx = '\\d'\n"


def test_texts_are_inserted_before_lines_and_expressions_replaced():
    program = Program.of("a = 1\nb = f('ä', 'old')\nc = 3")
    call = program.tree.body[1].value
    assert program.replaced(call.args[1], '"new"') == "a = 1\nb = f('ä', \"new\")\nc = 3"
    assert program.inserted({2: "x\ny\n", 4: "z"}) == "a = 1\nx\ny\nb = f('ä', 'old')\nc = 3\nz"


def test_times_get_types_of_ours_behind_their_names():
    code = in_one_form(awm_shelter.CODE)
    assert code.count("DateTime = _AwmDateTime") == 1
    assert code.index("DateTime = _AwmDateTime") < code.index("class Kennel")
    assert in_one_form(code) == code
    ast.parse(code)


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("from sqlalchemy import DateTime as When, Date\n", "When = _AwmDateTime\nDate = _AwmDate\n"),
        ("from sqlalchemy.types import (\n  Date,\n)\nx = 1", "Date = _AwmDate\nx = 1"),
        ("from sqlalchemy import Integer\n", ""),
        ("from datetime import DateTime\n", ""),
        ("import sqlalchemy\nclass A: pass\nfrom sqlalchemy import Date\n", ""),
    ],
)
def test_types_go_by_the_names_that_the_code_imports_before_its_classes(code, meant):
    done = in_one_form(code)
    assert done.endswith(meant) if meant else done == code


def tool(name, method, path):
    return ToolInfo(name=name, description="", input_schema={}, method=method, path=path, exposed=True)


DOGS = [
    tool("get_dog", "GET", "/dogs/{dog_id}"),
    tool("get_dog_2", "GET", "/dogs/oldest"),
    tool("add_dog", "POST", "/dogs"),
    tool("add_puppy", "POST", "/dogs"),
]
TWICE = Collision(kind="route", method="POST", path="/dogs", first="add_dog", second="add_puppy")
NAMES = Collision(kind="name", method="GET", path="/dogs/oldest", first="get_dog", second="get_dog_2")
SHADOW = Collision(kind="shadow", method="GET", path="/dogs/oldest", first="get_dog", second="get_dog_2")


def routes(code):
    return {handler.operation: ast.unparse(handler.route) for handler in Program.of(code).handlers}


def test_the_second_of_two_operations_gets_a_path_of_its_own_and_its_specification_says_so():
    done, action = rerouted(awm_shelter.scenario(), DOGS, TWICE)
    assert routes(done.code)["add_puppy"] == "app.post('/dogs/add_puppy', operation_id='add_puppy')"
    assert routes(done.code)["add_dog"] == "app.post('/dogs', operation_id='add_dog')"
    paths = {endpoint.operation_id: endpoint.path for endpoint in done.endpoints}
    assert (paths["add_dog"], paths["add_puppy"]) == ("/dogs", "/dogs/add_puppy")
    assert (action.kind, action.place, action.words) == (
        "route",
        "add_puppy",
        "add_dog took its requests; it is now POST /dogs/add_puppy",
    )


def test_the_second_of_two_names_becomes_what_its_tool_is_called_and_then_has_a_path():
    done, action = rerouted(awm_shelter.scenario(), DOGS, NAMES)
    assert [handler.operation for handler in Program.of(done.code).handlers][:2] == ["get_dog", "get_dog_2"]
    assert action.kind == "route"
    done, action = rerouted(done, DOGS, SHADOW)
    assert routes(done.code)["get_dog_2"] == "app.get('/dogs/oldest/get_dog_2', operation_id='get_dog_2')"
    assert action.kind == "route"


def test_a_path_by_keyword_and_below_a_router_is_found():
    code = '@router.post(path="/", operation_id="add_puppy")\ndef add_puppy(): pass\n'
    own = [*DOGS[2:3], tool("add_puppy", "POST", "/dogs")]
    done, _ = rerouted(replace(awm_shelter.scenario(), code=code), own, TWICE)
    assert done.code == '@router.post(path="//add_puppy", operation_id="add_puppy")\ndef add_puppy(): pass\n'


def test_a_path_that_another_operation_takes_is_not_chosen():
    taken = [*DOGS, tool("any", "POST", "/dogs/{anything}")]
    done, action = rerouted(awm_shelter.scenario(), taken, TWICE)
    assert action.words.endswith("POST /dogs-add_puppy")
    hiding = [*DOGS, tool("this", "POST", "/dogs/add_puppy"), tool("that", "POST", "/{anything}")]
    done, action = rerouted(awm_shelter.scenario(), hiding, TWICE)
    assert done == awm_shelter.scenario()
    assert (action.kind, action.words) == ("left", "add_dog takes its requests, and no path would be its own")


@pytest.mark.parametrize(
    ("code", "collision"),
    [
        (BROKEN[0], TWICE),
        (BROKEN[0], NAMES),
        (awm_shelter.CODE.replace('"/dogs", operation_id="add_puppy"', 'PATH, operation_id="add_puppy"'), TWICE),
        (awm_shelter.CODE.replace('"/dogs", operation_id="add_puppy"', 'operation_id="add_puppy"'), TWICE),
        (awm_shelter.CODE.replace('operation_id="add_puppy"', "operation_id=ID"), TWICE),
        (awm_shelter.CODE.replace('"get_dog"', "NAME"), NAMES),
    ],
)
def test_a_route_that_is_not_plainly_written_is_left(code, collision):
    scenario = awm_shelter.scenario(code=code)
    done, action = rerouted(scenario, DOGS, collision)
    assert done == scenario
    assert action.kind == "left"


def test_a_hostile_path_stays_text():
    code = '@app.post("/d\\"\\n{x}", operation_id="add_puppy")\ndef add_puppy(): pass\n'
    path = '/d"\n{x}'
    twice = TWICE.model_copy(update={"path": path})
    found = [tool("add_dog", "POST", path), tool("add_puppy", "POST", path)]
    spec = (Endpoint(path=path, method="post", operation_id="add_puppy"),)
    done, _ = rerouted(awm_shelter.scenario(code=code, endpoints=spec), found, twice)
    (handler,) = Program.of(done.code).handlers
    assert handler.route.args[0].value == path + "/add_puppy" == done.endpoints[0].path


def decorators(code):
    return {
        handler.operation: [ast.unparse(one) for one in handler.node.decorator_list[1:]]
        for handler in Program.of(code).handlers
    }


def test_handlers_are_told_which_rows_must_be_there_and_which_they_look_up():
    rows = {"add_dog": {"kennel_id": Place("kennels", "id")}, "get_dog": {"dog_id": Place("dogs", "id")}}
    code = answering(awm_shelter.CODE, Answers(rows, keys=True, atomic=True))
    ast.parse(code)
    found = decorators(code)
    assert found["add_dog"] == ["_awm_checked(engine, {'kennel_id': ('kennels', 'id')}, {})"]
    assert found["add_visit"] == ["_awm_checked(engine, {}, {})"]
    assert decorators(answering(awm_shelter.CODE, Answers(rows)))["add_visit"] == []
    firsts = [handler.node.decorator_list for handler in Program.of(code).handlers if handler.operation == "get_dog"]
    # two have this id, so nobody knows whose rows those are
    assert [ast.unparse(one) for one in firsts[0][1:]] == ["_awm_checked(engine, {}, {'dog': 'dogs'})"]
    ending = code[code.index("_awm_answer_errors(app)") :]
    assert ending.startswith(
        "_awm_answer_errors(app)\n_awm_enforce_keys(engine)\n_awm_join_requests(engine, SessionLocal)\n"
    )
    assert ending.index("_awm_join") < ending.index("if __name__")
    assert answering(code, Answers()) == code
    assert marked(code, "answers")
    assert not marked(awm_shelter.CODE, "answers")


def test_without_rows_and_keys_only_errors_are_answered():
    code = answering(awm_shelter.CODE, Answers())
    assert code.count("\n_awm_answer_errors(app)\n") == 1
    assert "\n_awm_enforce_keys(engine)" not in code
    assert "\n_awm_join_requests(engine" not in code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("app = FastAPI()", "app = FastAPI()\nother = FastAPI()"),
        ("engine = create_engine(", "engines = [create_engine]; engine = engines[0]("),
        ("@app.", "@web."),
    ],
)
def test_an_application_of_another_structure_is_left(old, new):
    code = awm_shelter.CODE.replace(old, new)
    if old == "@app.":
        code = code.replace("@web.get", "@app").replace("@web.post", "@app")
    assert answering(code, Answers()) == code


LOOKUPS = """
app = FastAPI()
engine = create_engine("sqlite://")
class Dog(Base):
    __tablename__ = "dogs"
class Odd(Base):
    __tablename__ = "odd table"
@app.get("/dogs", operation_id="dogs")
def dogs(body):
    one = session.query(Dog).filter(Dog.id == Odd.id).first()
    two = session.get(Dog, 1)
    three = body.get("three")
    four = session.query(Odd).first()
    self.five = session.query(Dog).first()
    six = seven = session.query(Dog).first()
    eight = session.query(Dog).all()
    nine = first()
"""


def test_only_plain_variables_that_hold_a_row_of_a_plain_table_are_looked_at():
    found = decorators(answering(LOOKUPS, Answers()))
    assert found == {"dogs": ["_awm_checked(engine, {}, {'one': 'dogs', 'two': 'dogs'})"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("engine = ", "engines = "),
        ("SessionLocal = sessionmaker(bind=engine)", "SessionLocal = make(engine)"),
        ("sessionmaker(bind=engine)", "scoped_session(sessionmaker(bind=engine))"),
        ("Base.metadata.create_all(engine)", "engine.connect()"),
        ("Base.metadata.create_all(engine)", "Base.metadata.create_all(engine)\nshared = SessionLocal()"),
        ("def get_dog(dog_id: int):", "def get_dog(dog_id: int):\n    other = SessionLocal()"),
        ("import os\n", "import os\nx = sqlite3\n"),
        ("class DogIn", "def lend():\n    session = SessionLocal()\n    yield session\n\n\nclass DogIn"),
        ("bind=engine)", "bind=engine, binds={})"),
    ],
)
def test_requests_are_transactions_only_where_all_sessions_are_known(old, new):
    assert separable(awm_shelter.CODE)
    assert old in awm_shelter.CODE
    assert not separable(awm_shelter.CODE.replace(old, new))


def schema(columns, key=(), keys=(), unique=()):
    found = tuple(ForeignKey(columns=(one,), table=table, parent_columns=parent) for one, table, parent in keys)
    return Schema(columns=dict.fromkeys(columns, "INTEGER"), key=key, row_name="", foreign_keys=found, unique=unique)


@pytest.mark.parametrize(
    ("parent", "columns", "reason"),
    [
        (schema(["id"], ("id",)), ("id",), ""),
        (schema(["id"], ("id",)), ("ID",), ""),
        (schema(["id"], ("id",)), (), ""),
        (schema(["id", "code"], ("id",), unique=(("code",),)), ("code",), ""),
        (schema(["id", "code"], ("id",)), ("code",), "dogs refers to Kennels (code), which is no key"),
        (schema(["id"]), ("id",), "dogs refers to Kennels (id), which is no key"),
        (None, ("id",), "dogs refers to Kennels, which is not there"),
    ],
)
def test_keys_can_be_enforced_if_what_they_refer_to_is_a_key(parent, columns, reason):
    tables = {"dogs": schema(["kennel_id"], keys=[("kennel_id", "Kennels", columns)])}
    assert enforceable({**tables, **({"kennels": parent} if parent else {})}) == reason


def test_a_frame_names_what_a_solution_changes_and_what_else_is_read():
    rows = [
        Difference(table="dogs", kind="added", key={"id": 9}, old=None, new={"id": 9}),
        Difference(table="log", kind="removed", key={"words": "it's", "n": None}, old={}, new=None),
        Difference(table="log", kind="changed", key={"words": "b", "n": told(b"x")}, old={}, new={}),
    ]
    code = framed(
        "def verify_task_completion(a, b, c=None):\n    pass  \n\n", ["visits", "dogs", "kennels", "visits"], rows
    )
    ast.parse(code)
    assert code.startswith("def verify_task_completion(a, b, c=None):\n    pass\n\n\n" + block("frame"))
    assert code.rstrip().split("\n")[-1] == (
        "verify_task_completion = _awm_framed(verify_task_completion, ('kennels', 'visits'), "
        "{'dogs': set(), 'log': {(\"it's\", None), ('b', b'x')}})"
    )
