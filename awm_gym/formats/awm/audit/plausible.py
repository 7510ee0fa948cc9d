"""Arguments that tools may be called with in earnest, and the same with ids that no row has.

They come from the examples of the specification and from the database: ids that exist, words that occur. They are the
same for the same scenario, always.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from awm_gym.formats.awm import images
from awm_gym.formats.awm.audit.naming import Names, Place
from awm_gym.formats.awm.host import ToolInfo
from awm_gym.formats.awm.records import AwmScenario, Endpoint

FAR = 1_000_003  # beyond the greatest id there is: one that no row has
NOWHERE = "ghost-0"  # the same for ids that are text

_DAY = re.compile(r"\d{4}-\d\d-\d\d(?![\d-])")
_DAYS = 14  # within so many the first date of a call lies, and from one to the next there are half as many at most
_MAX_EXAMPLE = 100_000  # bytes of JSON
_MAX_LEVELS = 20  # lists and objects within each other
_SMALL = 5  # the greatest number that is taken where nothing tells which
_TERM = re.compile(r"[A-Za-z]+([ _-][A-Za-z]+)?")  # text like this is one of a few words that the data know

_TEXTS = {
    "email": "someone@example.com",
    "time": "09:00:00",
    "uri": "https://example.com/page",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_ID_KINDS = ("", "integer", "number", "string")

Arguments = dict[str, Any]


class Table(NamedTuple):
    """A table of the initial database, and its rows in the order of their keys."""

    schema: images.Schema
    rows: tuple[Mapping[str, Any], ...]


class Attempt(NamedTuple):
    """One call to make.

    Attributes:
        arguments: of the tool.
        real: whether all ids among them exist; otherwise they are as the specification says.
    """

    arguments: Arguments
    real: bool


class _Schema(BaseModel):
    """The part of a JSON Schema that matters here. It comes from generated code: anything else is no schema."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = ""
    format: str = ""
    properties: dict[str, _Sub] = {}
    required: tuple[str, ...] = ()
    items: _Sub | None = None
    anyOf: tuple[_Sub, ...] = ()
    allOf: tuple[_Sub, ...] = ()
    enum: tuple[Any, ...] = ()
    default: Any = None
    example: Any = None
    examples: Any = None
    const: Any = None
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None

    def plain(self) -> _Schema:
        """Without the wrapping of what may be null."""
        parts = [part for part in (*self.anyOf, *self.allOf) if part.type != "null"]
        return parts[0].plain() if parts and not self.type else self

    def shown(self) -> Any:
        """The value that it gives as an example; None if it gives none."""
        several = self.examples if isinstance(self.examples, list) else []
        values = (self.const, self.example, *several, self.default)
        return next((value for value in values if value is not None), None)


_Sub = Annotated[_Schema, BeforeValidator(lambda value: value if isinstance(value, dict) else {})]
_Schema.model_rebuild()


class _Spot(NamedTuple):
    """An argument, or a part of one: ("items", "product_id") are those of all items."""

    path: tuple[str, ...]
    schema: _Schema
    example: Any = None

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def kind(self) -> str:
        return self.schema.plain().type


_Choose = Callable[[_Spot], Any]


class Plausible:
    """Plausible arguments of one tool.

    Attributes:
        ids: arguments, and parts of them as in "items.product_id", that name a row -> the key they name it by.
    """

    def __init__(self, tool: ToolInfo, scenario: AwmScenario, tables: Mapping[str, Table], now: datetime) -> None:
        """Find out what the arguments mean.

        Args:
            tool: the tool.
            scenario: whose specification gives examples.
            tables: the initial database.
            now: the time that the application sees.
        """
        self._tool, self._tables, self._now = tool, tables, now
        self._names = Names({name: table.schema for name, table in tables.items()})
        self._schema = _schema(tool.input_schema)
        self._given = _examples(tool, scenario)
        self._random = random.Random(f"{scenario.name} {tool.name}")
        spots = [spot for spot in _leaves(_Spot((), self._schema)) if spot.kind in _ID_KINDS]
        keys = {spot.path: self._names.key(tool, _one(spot.name)) for spot in spots}
        self._keys = {path: key for path, key in keys.items() if key}
        self.ids = {".".join(path): key for path, key in self._keys.items()}

    def attempts(self) -> list[Attempt]:
        """Up to eight calls, each with other arguments.

        As the specification shows it; without what may be left out; with ids of the first row, one in the middle and
        the last; with all that one row says, as if it were to be made again; and two with values drawn by lot.
        """
        example = self._example()
        required = {name: value for name, value in example.items() if name in self._schema.required}
        chosen = [self._filled(example, choose) for choose in (*map(self._at, (0.0, 0.5, 1.0)), self._like_a_row())]
        drawn = [self._filled(example, self._drawn()), self._filled(required, self._drawn())]
        found: dict[str, Attempt] = {}
        for real, calls in ((False, (example, required)), (True, (*chosen, *drawn))):
            for arguments in calls:
                found.setdefault(json.dumps(arguments, sort_keys=True), Attempt(arguments, real or not self.ids))
        return list(found.values())

    def ghosts(self, arguments: Arguments) -> Iterator[Arguments]:
        """The same arguments, with an id that no row has in place of each of `ids` in turn.

        A part of an argument that is left out may have no such place; there is no call for it then.
        """
        for path in self._keys:
            whole = {path[0]: self._made(self._schema.properties[path[0]], path[0]), **arguments}
            if _is_sendable(whole) and (haunted := self._filled(whole, self._ghost_at(path))) != whole:
                yield haunted

    # What a call is made of

    def _example(self) -> Arguments:
        """All arguments of which an example is known, and those that must be there."""
        found = dict(self._given)
        for name, schema in self._schema.properties.items():
            if name not in found and ((shown := schema.shown()) is not None or name in self._schema.required):
                found[name] = self._made(schema, name) if shown is None else shown
        return {name: value for name, value in found.items() if _is_sendable(value)}

    def _made(self, schema: _Schema, name: str) -> Any:
        """A value of which nothing is known but its type."""
        schema = schema.plain()
        if (shown := schema.shown()) is not None:
            return shown
        if schema.enum:
            return schema.enum[0]
        match schema.type:
            case "object":
                return {key: self._made(part, key) for key, part in schema.properties.items() if key in schema.required}
            case "array":
                return [self._made(schema.items or _Schema(), name)]
            case "integer" | "number":
                return self._number(schema, 1)
            case "boolean":
                return True
        return self._text(schema, name)

    def _text(self, schema: _Schema, name: str) -> str:
        if schema.format == "date-time" or name.endswith(("_at", "datetime", "timestamp")):
            return (self._now + timedelta(days=1)).isoformat(timespec="seconds")
        if schema.format == "date" or name.endswith(("date", "_on", "day")):
            return str(self._now.date() + timedelta(days=1))
        if schema.format in _TEXTS:
            return _TEXTS[schema.format]
        return _TEXTS["email"] if "email" in name else f"some {name.replace('_', ' ')}"

    @staticmethod
    def _number(schema: _Schema, number: int) -> int:
        most = number if schema.maximum is None else min(number, math.floor(schema.maximum))
        return most if schema.minimum is None else max(most, math.ceil(schema.minimum))

    def _filled(self, example: Arguments, choose: _Choose) -> Arguments:
        """An example in which another value is chosen for each argument and part of one."""
        return dict(_replaced(_Spot((), self._schema, example), choose))

    # How a value is chosen

    def _at(self, share: float) -> _Choose:
        """Ids of rows so far down their tables; where several are asked for, those of the rows that follow."""
        used: Counter[Place] = Counter()

        def choose(spot: _Spot) -> Any:
            key = self._keys.get(spot.path)
            values = self._values(key, spot.kind) if key else []
            if key is None or not values:
                return spot.example
            used[key] += 1
            return values[(round(share * (len(values) - 1)) + used[key] - 1) % len(values)]

        return choose

    def _like_a_row(self) -> _Choose:
        """What one row says of the table that the path is about; ids that it does not know are those of other rows."""
        near = self._names.near(self._tool.path)
        table = near[0] if near else ""
        row = self._random.choice(self._tables[table].rows) if near and self._tables[table].rows else {}
        others = self._at(0.0)

        def choose(spot: _Spot) -> Any:
            key = self._keys.get(spot.path)
            place = self._column(spot)
            name = key.column if key and key.table == table else spot.name
            known = _as(row.get(name), spot.kind) if key or (place and place.table == table) else None
            return others(spot) if known is None else known

        return choose

    def _drawn(self) -> _Choose:
        """Values drawn by lot, of those that occur where there are such. Dates come in the order of the arguments."""
        ahead = self._random.randint(1, _DAYS)

        def choose(spot: _Spot) -> Any:
            nonlocal ahead
            schema, place = spot.schema.plain(), self._column(spot)
            if values := self._occurring(spot, place):
                return self._random.choice(values)
            if schema.enum:
                return self._random.choice(schema.enum)
            match spot.kind:
                case "boolean":
                    return self._random.random() < 0.5
                case "integer" | "number":
                    return self._number(schema, self._random.randint(1, _SMALL))
            if not isinstance(spot.example, str):
                return spot.example
            if _DAY.match(spot.example):
                day, ahead = self._now.date() + timedelta(days=ahead), ahead + self._random.randint(0, _DAYS // 2)
                return _DAY.sub(str(day), spot.example, count=1)
            if " " in spot.example or (place and self._is_own(place) and self._names_rows(place)):
                return _another(spot.example, self._random.randint(2, 99))
            return spot.example

        return choose

    def _column(self, spot: _Spot) -> Place | None:
        return self._names.column(self._tool, spot.name) or self._names.column(self._tool, _one(spot.name))

    def _occurring(self, spot: _Spot, place: Place | None) -> list[Any]:
        """Values that occur, where they serve: of ids, of what is looked for, of words that come again and again."""
        if spot.path in self._keys:
            return self._values(self._keys[spot.path], spot.kind)
        if place is None or _DAY.match(str(spot.example)):
            return []
        values = self._values(place, spot.kind)
        if self._tool.method == "GET" or not self._is_own(place):
            return values
        if self._names_rows(place):
            return []
        return [value for value in values if not isinstance(value, str) or _TERM.fullmatch(value)]

    def _is_own(self, place: Place) -> bool:
        """Whether a tool's path is about this table."""
        return place.table in self._names.near(self._tool.path)[:1]

    def _names_rows(self, place: Place) -> bool:
        """Whether rows are told apart by this column: a tool that makes one needs another value."""
        values = [row[place.column] for row in self._tables[place.table].rows]
        keys = self._tables[place.table].schema.unique
        return any(place.column in key for key in keys) and len(set(values)) == len(values)

    def _values(self, place: Place, kind: str) -> list[Any]:
        """The values of a column as arguments of this kind, each once, in the order of the rows."""
        found = (_as(row[place.column], kind) for row in self._tables[place.table].rows)
        return list(dict.fromkeys(value for value in found if value is not None))

    def _ghost_at(self, path: tuple[str, ...]) -> _Choose:
        """An id that no row has in one place, and all else as it is."""
        return lambda spot: self._ghost(spot) if spot.path == path else spot.example

    def _ghost(self, spot: _Spot) -> Any:
        numbers = [value for value in self._values(self._keys[spot.path], "") if type(value) is int]
        if numbers or spot.kind in ("integer", "number"):
            number = max(numbers, default=0) + FAR
            return str(number) if spot.kind == "string" else number
        return NOWHERE


def _schema(found: Mapping[str, Any]) -> _Schema:
    try:
        return _Schema.model_validate(found)
    except ValidationError:
        return _Schema()


def _examples(tool: ToolInfo, scenario: AwmScenario) -> Arguments:
    """The examples that the specification gives of a tool's arguments."""
    endpoints = [endpoint for endpoint in scenario.endpoints if _same(endpoint, tool)]
    endpoints.sort(key=lambda endpoint: endpoint.operation_id != tool.name)
    parameters = endpoints[0].request_params.items() if endpoints else ()
    return {name: parameter.example for name, parameter in parameters if parameter.example is not None}


def _same(endpoint: Endpoint, tool: ToolInfo) -> bool:
    place = (endpoint.method.upper(), endpoint.path)
    return endpoint.operation_id == tool.name or place == (tool.method, tool.path)


def _leaves(spot: _Spot) -> Iterator[_Spot]:
    """The arguments that are values, and the parts of others that are."""
    schema = spot.schema.plain()
    for name, part in schema.properties.items():
        yield from _leaves(_Spot((*spot.path, name), part))
    if schema.items:
        yield from _leaves(_Spot(spot.path, schema.items))
    elif not schema.properties and spot.path:
        yield spot


def _replaced(spot: _Spot, choose: _Choose) -> Any:
    """An example whose values are chosen anew."""
    schema, example = spot.schema.plain(), spot.example
    if isinstance(example, dict):
        parts = schema.properties
        return {
            name: _replaced(_Spot((*spot.path, name), parts.get(name, _Schema()), value), choose)
            for name, value in example.items()
        }
    if isinstance(example, list):
        items = [_replaced(_Spot(spot.path, schema.items or _Schema(), item), choose) for item in example]
        return [item for place, item in enumerate(items) if item not in items[:place]]
    return choose(spot)


def _one(name: str) -> str:
    """The name of one of several ids: "listing_ids" holds such as "listing_id"."""
    return name.removesuffix("s") if name.endswith(("ids", "codes", "emails", "names")) else name


def _as(value: Any, kind: str) -> Any:
    """A value of the database as an argument of this kind; None if it is none."""
    match kind, value:
        case ("string", int() | float() | str()):
            return str(value)
        case (("integer" | "number" | ""), int()) | ("", str()):
            return value
        case (("number" | ""), float()) if math.isfinite(value):
            return value
        case ("boolean", 0 | 1):
            return bool(value)
    return None


def _another(text: str, number: int) -> str:
    """A text that is nearly another; addresses stay addresses."""
    name, at, host = text.partition("@")
    return f"{name}{' ' if ' ' in text else ''}{number}{at}{host}"


def _is_sendable(value: Any) -> bool:
    """Whether a value of a specification can be sent: it may hold what JSON cannot, or be very large or deep."""
    try:
        return _is_flat(value) and len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode()) <= _MAX_EXAMPLE
    except ValueError:
        return False


def _is_flat(value: Any, levels: int = _MAX_LEVELS) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_flat(part, levels - 1) for part in parts)
