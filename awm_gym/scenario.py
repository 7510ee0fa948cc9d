"""Scenarios as values: what an author writes, before anything runs. Frozen, and no I/O.

The classes mirror the files of a scenario's folder; see `awm_gym.files` for the folder itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError, model_validator

SUBMIT, GIVE_UP = "submit", "give_up"
RESERVED = (SUBMIT, GIVE_UP)  # offered with every task; they end the episode
MAX_STRING = 4_000  # characters of one text argument, unless max_length says less
MAX_ITEMS = 200  # items of one array argument, unless max_items says less
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = "January February March April May June July August September October November December".split()
MAX_DESCRIPTION = 4_000  # characters; descriptions reach other people's agents

Scalar = str | int | float | bool
JsonValue = str | int | float | bool | list[Any] | dict[str, Any] | None
ErrorKind = Literal["unknown_tool", "invalid_arguments", "refused", "constraint", "limit", "malformed"]
ScalarType = Literal["string", "integer", "number", "boolean", "date", "datetime"]

_T = TypeVar("_T")
Several = Annotated[tuple[_T, ...], Strict(False)]
_HIDDEN = re.compile(  # control, zero-width and bidirectional characters
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Accept text that shows what it is.

    Raises:
        ValueError: it holds control, zero-width, bidirectional or surrogate characters.
    """
    if match := _HIDDEN.search(text):
        raise ValueError(f"holds the invisible character {match.group()!r}; remove it")
    return text


def snake_case(name: object) -> str:
    """Accept a name of at most 64 characters, `[a-z][a-z0-9_]*`.

    Raises:
        ValueError: it is another; such a name could be a path, or be unreadable for a model.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        shown = repr(name)[:80]
        raise ValueError(f"the name {shown} is not snake_case ([a-z][a-z0-9_]*, at most 64 characters)")
    return name


def _moment(value: object) -> datetime:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is not None or value.microsecond:
        raise ValueError(f'{value!r} is not a moment; write it as "2025-06-12T09:40:00"')
    if not 1000 <= value.year < 9000:  # SQLite's calendar ends with 9999, and the clock may move on
        raise ValueError(f"the year {value.year} is out of range; take one from 1000 to 8999")
    return value


Name = Annotated[str, BeforeValidator(snake_case)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
_PLAIN = BeforeValidator(lambda value: plain(value) if isinstance(value, str) else value)
Text = Annotated[str, Field(min_length=1), _PLAIN]
Description = Annotated[str, Field(min_length=1, max_length=MAX_DESCRIPTION), _PLAIN]


class Value(BaseModel):
    """Base of everything an author writes: strict, closed, frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, ignored_types=(cached_property,)
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed. What was computed from the old fields stays behind."""
        copy = super().model_copy(update=update, deep=deep)
        for name in set(copy.__dict__) - set(type(self).model_fields):
            del copy.__dict__[name]
        return copy


class ToolCall(NamedTuple):
    """One action, in the shape of an MCP `tools/call` request.

    Attributes:
        name: the tool to call, or `submit` or `give_up`.
        arguments: a JSON object.
    """

    name: str
    arguments: Mapping[str, Any]


def _call(value: object) -> object:
    if isinstance(value, ToolCall):
        return value
    if not isinstance(value, dict) or not {"name"} <= set(value) <= {"name", "arguments"}:
        raise ValueError(f"a call is {{ name = ..., arguments = {{ ... }} }}, not {str(value)[:80]}")
    name, arguments = value["name"], value.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError("a call has a name (text) and arguments (a table)")
    return ToolCall(name, arguments)


Call = Annotated[Any, BeforeValidator(_call)]
Calls = Several[Call]


class Param(Value):
    """One tool argument: a JSON Schema property and how it binds in SQL.

    Left out, it binds `default`, or NULL if it is `optional` without one. Arrays bind as JSON text.
    """

    type: ScalarType | Literal["array"]
    items: ScalarType | None = None
    of: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$")] | None = None
    where: str | None = None
    noun: Text | None = None
    optional: bool = False
    default: Any = None
    enum: Several[Scalar] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: Annotated[int, Field(ge=0)] | None = None
    max_length: Annotated[int, Field(ge=1, le=MAX_STRING)] | None = None
    min_items: Annotated[int, Field(ge=0)] | None = None
    max_items: Annotated[int, Field(ge=1, le=MAX_ITEMS)] | None = None
    unique: bool = False
    description: Description

    @property
    def item_type(self) -> ScalarType:
        """Type of the value, or of each item of an array."""
        return self.items if self.type == "array" and self.items else self.type  # type: ignore[return-value]

    @property
    def required(self) -> bool:
        """Whether a call must bring the argument."""
        return not self.optional and self.default is None

    @model_validator(mode="after")
    def _consistent(self) -> Param:
        array, kind = self.type == "array", self.item_type
        if array != (self.items is not None):
            raise ValueError('`items` and type = "array" go together')
        if not array and (self.unique or self.min_items is not None or self.max_items is not None):
            raise ValueError("`unique`, `min_items` and `max_items` are for arrays")
        if kind not in ("integer", "number") and (self.minimum is not None or self.maximum is not None):
            raise ValueError("`minimum` and `maximum` are for integers and numbers")
        if kind != "string" and (self.min_length is not None or self.max_length is not None):
            raise ValueError("`min_length` and `max_length` are for strings")
        if (self.where is not None and self.of is None) or (self.noun is not None and self.of is None):
            raise ValueError("`where` and `noun` go with `of`")
        if self.of is not None and kind not in ("string", "integer"):
            raise ValueError("`of` is for integers and strings")
        for low, high in (
            (self.minimum, self.maximum),
            (self.min_length, self.max_length),
            (self.min_items, self.max_items),
        ):
            if low is not None and high is not None and low > high:
                raise ValueError(f"the lower bound {low} is above the upper bound {high}")
        allowed = {"string": (str,), "integer": (int,), "number": (int, float)}.get(kind)
        for member in self.enum:
            if allowed is None or type(member) not in allowed:
                raise ValueError(f"the enum member {member!r} is not of type {kind} (string, integer or number)")
        if len(set(self.enum)) < len(self.enum):
            raise ValueError("an enum member stands there twice")
        return self

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the argument, as MCP lists it."""
        schema = self._item_schema()
        if self.type == "array":
            schema = {"type": "array", "items": schema, "maxItems": self.max_items or MAX_ITEMS}
            if self.min_items:
                schema["minItems"] = self.min_items
            if self.unique:
                schema["uniqueItems"] = True
        if self.default is not None:
            schema["default"] = self.default
        return schema | {"description": self.description}

    def _item_schema(self) -> dict[str, Any]:
        kind = self.item_type
        schema: dict[str, Any] = {"type": kind}
        if kind in ("date", "datetime"):
            schema = {"type": "string", "format": "date" if kind == "date" else "date-time"}
        elif kind == "string" and not self.enum:
            schema["maxLength"] = self.max_length or MAX_STRING
            if self.min_length:
                schema["minLength"] = self.min_length
        if self.enum:
            schema["enum"] = list(self.enum)
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return schema | {key: bound for key, bound in bounds.items() if bound is not None}


class Example(Value):
    """Arguments and the rows that a tool answers, on the data and the optional `given`."""

    given: str | None = None
    arguments: dict[str, Any]
    rows: Several[dict[str, Scalar]]


class Refusal(Value):
    """Arguments that a tool refuses, on the data and the optional `given`."""

    given: str | None = None
    arguments: dict[str, Any]


class Tool(Value):
    """A named SQL script, run in one savepoint. The last rows it returns are its result."""

    name: Name
    description: Description
    params: dict[Name, Param] = Field(default_factory=dict)
    sql: str
    examples: Several[Example] = ()
    refuses: Several[Refusal] = ()

    @cached_property
    def document(self) -> dict[str, Any]:
        """The tool as an agent sees it: name, description, input_schema. Shared: treat it as read-only."""
        return {"name": self.name, "description": self.description, "input_schema": self.input_schema}

    @property
    def entries(self) -> tuple[Example | Refusal, ...]:
        """The examples and the refusals."""
        return (*self.examples, *self.refuses)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, as MCP lists it. Treat it as read-only."""
        return {
            "type": "object",
            "properties": {name: param.input_schema() for name, param in self.params.items()},
            "required": [name for name, param in self.params.items() if param.required],
            "additionalProperties": False,
        }


class Answer(Value):
    """The type of an answer: a scalar, a list of one type, or a record of scalars.

    Attributes:
        tolerance: of numbers, the largest absolute difference that still counts as equal.
        ordered: of lists, whether the order counts.
    """

    type: ScalarType | Literal["list", "record"]
    tolerance: Annotated[float, Field(ge=0, strict=False)] = 1e-6
    items: Answer | None = None
    ordered: bool = True
    fields: dict[Name, Answer] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Answer:
        if (self.type == "list") != (self.items is not None):
            raise ValueError('`items` and type = "list" go together')
        if (self.type == "record") != bool(self.fields):
            raise ValueError('`fields` and type = "record" go together')
        if self.items is not None and self.items.type == "list":
            raise ValueError("a list of lists is not an answer; ask for records")
        if any(field.type in ("list", "record") for field in self.fields.values()):
            raise ValueError("the fields of a record are scalars")
        if "tolerance" in self.model_fields_set and self.type != "number":
            raise ValueError("`tolerance` is for numbers")
        if "ordered" in self.model_fields_set and self.type != "list":
            raise ValueError("`ordered` is for lists")
        return self

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer, as `submit` shows it."""
        if self.items is not None:
            return {"type": "array", "items": self.items.json_schema(), "maxItems": MAX_ITEMS}
        if self.fields:
            properties = {name: field.json_schema() for name, field in self.fields.items()}
            return {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            }
        if self.type in ("date", "datetime"):
            return {"type": "string", "format": "date" if self.type == "date" else "date-time"}
        return {"type": self.type}


class Infeasible(Value):
    """Why a task cannot be done. Right is then `give_up`, with nothing changed.

    Attributes:
        why: the obstacle, in words.
        lifted_by: SQL that removes the obstacle; after it the task's solution passes.
        shown_by: tool calls whose results show the obstacle.
    """

    why: Text
    lifted_by: str
    shown_by: Calls = ()


class Sql(Value):
    """A value computed by the database: `{ sql = "now()" }`."""

    sql: str


CellValue = Sql | str | int | float | bool


class ChangedRow(Value):
    """A row of the initial state, by its primary key, and the columns that must end up so."""

    columns: dict[str, CellValue]
    gone: bool = False


class NewRow(Value):
    """A row that must be added. Other rows refer to its primary key as `"@name"`."""

    name: Name
    columns: dict[str, CellValue]


Row = ChangedRow | NewRow


class Changes(Value):
    """One acceptable end state: what must differ from the initial one. All else must not.

    Attributes:
        rows: per table the rows that must end up changed, new or gone.
        any: tables to which rows may be added freely, and `table.column`s of named rows that may hold anything.
    """

    rows: dict[str, Several[Row]]
    any: Several[str] = ()

    @model_validator(mode="before")
    @classmethod
    def _document_form(cls, value: object) -> object:
        if not isinstance(value, dict) or isinstance(value.get("rows"), dict):
            return value
        rows = {
            table: [_row(table, row) for row in _listed(table, found)]
            for table, found in value.items()
            if table != "any"
        }
        return {"rows": rows, "any": value.get("any", ())}

    @model_validator(mode="after")
    def _names_differ(self) -> Changes:
        names = [row.name for rows in self.rows.values() for row in rows if isinstance(row, NewRow)]
        if len(set(names)) < len(names):
            raise ValueError(f"two new rows have one name: {sorted(names)}")
        return self


def _listed(table: str, rows: object) -> list[object]:
    if not isinstance(rows, list) or not rows:
        raise ValueError(f'{table} must be a list of rows, such as [{{ id = 1, status = "done" }}]')
    return rows


def _row(table: str, row: object) -> object:
    if isinstance(row, (ChangedRow, NewRow)):
        return row
    if not isinstance(row, dict):
        raise ValueError(f'{table}: a row is a table such as {{ id = 1, status = "done" }}, not {row!r}')
    columns = {key: value for key, value in row.items() if key not in ("new", "gone")}
    if "new" in row:
        if "gone" in row:
            raise ValueError(f"{table}: a row is `new` or `gone`, not both: {row!r}")
        return _made(NewRow, table, {"name": row["new"], "columns": columns})
    return _made(ChangedRow, table, {"columns": columns, "gone": row.get("gone", False)})


def _made(model: type[ChangedRow] | type[NewRow], table: str, values: dict[str, Any]) -> Row:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        if place[0] == "columns":
            value = repr(values["columns"][place[1]])[:80]
            problem = f'{place[1]} is a text, a finite number, true, false or {{ sql = "..." }}, not {value}'
        elif place[0] == "gone":
            problem = f"`gone` is true or left out, not {values['gone']!r}"
        else:
            problem = f"`new` is a snake_case name ([a-z][a-z0-9_]*), not {values['name']!r}"
        raise ValueError(f"{table}: {problem}") from None


class MayChange(Value):
    """Rows that may differ from the initial state, and in which columns (default: all)."""

    rows: str
    columns: Several[str] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"rows": value} if isinstance(value, str) else value


class Task(Value):
    """One thing to get done in a scenario, and how to tell that it was done."""

    name: Name
    instruction: Text
    given: str | None = None
    answer: Answer | None = None
    expect: str | None = None
    infeasible: Infeasible | None = None
    derived: dict[str, str] = Field(default_factory=dict)
    may_change: dict[str, MayChange] = Field(default_factory=dict)
    solution: Calls
    checks: dict[Name, str] = Field(default_factory=dict)
    changes: Several[Changes] = ()
    near_misses: dict[Name, Calls] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_end_state(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("changes"), dict):
            return value | {"changes": [value["changes"]]}
        return value

    @property
    def submit_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments of `submit`."""
        if self.answer is None:
            return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        answer = self.answer.json_schema() | {"description": "The answer to the task."}
        return {
            "type": "object",
            "properties": {"answer": answer},
            "required": ["answer"],
            "additionalProperties": False,
        }


class User(Value):
    """The person an agent acts for. `id` is what `me()` returns in SQL, a key of the table `of`."""

    id: int | str | None = None
    of: str | None = None
    name: Text
    role: Text


class Scenario(Value):
    """A small world as data: a clock, a user, a database, the tools to work it, and tasks to do in it."""

    name: Name
    version: Annotated[int, Field(ge=0)] = 0
    title: Annotated[str, Field(min_length=1, max_length=200), _PLAIN]
    description: Description
    now: Moment
    tick: Annotated[int, Field(ge=0, le=86_400)] = 0
    user: User
    db_schema: str
    invariants: str
    data: str
    tools: dict[Name, Tool]
    tasks: dict[Name, Task]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the content, 64 hexadecimal digits; equal for equal scenarios, whatever their layout."""
        content = self.model_dump(mode="json")
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def greeting(self) -> str:
        """What an agent is told before the instruction: the date, the time and whom it acts for."""
        now = self.now  # no strftime: it obeys the locale
        number = f" ({self.user.of.replace('_', ' ')} {self.user.id})" if self.user.of else ""
        return (
            f"It is {WEEKDAYS[now.weekday()]} {now.day} {MONTHS[now.month - 1]} {now.year}, "
            f"{now.hour:02}:{now.minute:02}. "
            f"You act for {self.user.name}, {self.user.role}{number}."
        )
