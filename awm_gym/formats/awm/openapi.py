"""The operations that an OpenAPI document describes, as tools: one flat JSON Schema each, and the way back.

Like fastapi-mcp, which AgentWorldModel serves its applications with, but nothing is lost: what has the same name is
kept apart, and an operation that another hides has a tool all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

_PLACES = ("path", "query", "header")
_BODY = "body"
_NAMED_SCHEMAS = ("properties", "patternProperties")
_PLAIN_VALUES = ("default", "enum", "const", "example", "examples")
_DROPPED = ("title", "discriminator")  # names made of names; references into the document
_PARAMETER = re.compile(r"\{[^{}]*\}")


class Slot(NamedTuple):
    """Where an argument goes: "path", "query", "header" or "body", and its name there; "" for a body that is one."""

    place: str
    key: str


class Operation(NamedTuple):
    """A tool.

    Attributes:
        name: the operation's id; with a number where an earlier one has the same.
        method: of HTTP, in capitals.
        path: with its parameters in braces.
        description: for agents.
        schema: of its arguments, a JSON Schema of an object.
        slots: argument -> where it goes.
        free: the body takes arguments that the schema does not name.
        body: the body is required.
    """

    name: str
    method: str
    path: str
    description: str
    schema: dict[str, Any]
    slots: dict[str, Slot]
    free: bool
    body: bool


class Collision(NamedTuple):
    """Two operations that a server of HTTP cannot tell apart. Both have a tool here.

    Attributes:
        kind: "route" if they have the same method and path: the document names only the second, and the first
            answers; "shadow" if the path of the first takes requests to the second; "name" if both have the same id.
        method: of the second.
        path: of the second.
        first: the tool of the first.
        second: the tool of the second.
    """

    kind: Literal["route", "shadow", "name"]
    method: str
    path: str
    first: str
    second: str


class Request(NamedTuple):
    """What a server would receive; the parameters of the path also as a server would find them."""

    method: str
    path: str
    path_parameters: dict[str, str]
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """All operations of a document, in its order."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            yield _operation(document, path, method.upper(), operation)


def distinct(found: Iterable[Operation]) -> list[Operation]:
    """The same operations, with a number behind names that were there before."""
    named: dict[str, Operation] = {}
    for operation in found:
        name = _numbered(operation.name, named)
        named[name] = operation._replace(name=name)
    return list(named.values())


def collisions(found: list[Operation], ids: list[str]) -> Iterator[Collision]:
    """Which operations collide.

    Args:
        found: the operations in the order in which a server tries them, with distinct names.
        ids: their ids.
    """
    for place, second in enumerate(found):
        for first in found[:place]:
            if first.method == second.method and _takes(first.path, second.path):
                kind: Literal["route", "shadow"] = "route" if first.path == second.path else "shadow"
                yield Collision(kind, second.method, second.path, first.name, second.name)
                break
        if ids[place] in ids[:place]:
            first = found[ids.index(ids[place])]
            yield Collision("name", second.method, second.path, first.name, second.name)


def request(operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """The request that a call of a tool makes. Arguments that are null are absent, but in a body."""
    told: dict[str, dict[str, Any]] = {place: {} for place in (*_PLACES, _BODY)}
    for name, value in arguments.items():
        place, key = operation.slots.get(name, Slot(_BODY, name) if operation.free else Slot("", ""))
        if place == _BODY or (place and value is not None):
            told[place][key] = value
    path = {key: _spelled(value) for key, value in told["path"].items()}
    query = [(key, _spelled(v)) for key, value in told["query"].items() for v in _each(value)]
    headers = [
        (key.lower().encode("latin-1", "replace"), _spelled(value).encode("latin-1", "replace"))
        for key, value in told["header"].items()
    ]
    return Request(
        method=operation.method,
        path=_PARAMETER.sub(lambda match: path.get(match[0][1:-1], match[0]), operation.path),
        path_parameters=path,
        query=urlencode(query).encode(),
        headers=[(b"host", b"app"), (b"content-type", b"application/json"), *headers],
        body=_body(told[_BODY], required=operation.body),
    )


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    body = operation.get("requestBody", {})
    properties: dict[str, Any] = {}
    slots: dict[str, Slot] = {}
    required: list[str] = []

    def add(slot: Slot, schema: Any, *, needed: bool) -> None:
        name = slot.key or _BODY
        if name in properties:
            name = _numbered(f"{slot.place}_{name}", properties)
        properties[name], slots[name] = schema, slot
        required.extend([name] if needed else [])

    parameters = [inlined(parameter, document) for parameter in operation.get("parameters", [])]
    for place in _PLACES:
        for parameter in parameters:
            if parameter["in"] == place:
                schema = _described(parameter.get("schema", {}), parameter.get("description"))
                add(Slot(place, parameter["name"]), schema, needed=parameter.get("required", False))
    needs_body = bool(body.get("required"))
    content: dict[str, Any] = next(iter(body.get("content", {}).values()), {})
    schema = _whole(inlined(content.get("schema", {}), document))
    free = schema.get("type") == "object"
    if free:
        for key, part in schema.get("properties", {}).items():
            add(Slot(_BODY, key), part, needed=needs_body and key in schema.get("required", ()))
    elif content:
        add(Slot(_BODY, ""), schema, needed=needs_body)
    words = [operation.get("summary") or f"{method} {path}", operation.get("description")]
    return Operation(
        name=operation["operationId"],
        method=method,
        path=path,
        description="\n\n".join(word for word in words if word),
        schema={"type": "object", "properties": properties} | ({"required": required} if required else {}),
        slots=slots,
        free=free,
        body=needs_body,
    )


def inlined(schema: Any, document: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """A schema without references. Where one would hold itself, it allows anything."""
    if isinstance(schema, list):
        return [inlined(part, document, within) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"]
        if name in within:
            return {}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return inlined({**_referred(name, document), **rest}, document, (*within, name))
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED_SCHEMAS:
            found[key] = {name: inlined(part, document, within) for name, part in value.items()}
        elif key in _PLAIN_VALUES:
            found[key] = value
        elif key not in _DROPPED:
            found[key] = inlined(value, document, within)
    return found


def _referred(name: str, document: Mapping[str, Any]) -> Any:
    found: Any = document
    for key in name.removeprefix("#/").split("/"):
        found = found[key.replace("~1", "/").replace("~0", "~")]
    return found


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body, without the wrapping of one that is optional."""
    for key in ("allOf", "anyOf"):
        parts = [part for part in schema.get(key, []) if part.get("type") != "null"]
        if len(parts) == 1:
            return _whole(parts[0])
    return schema


def _described(schema: dict[str, Any], description: str | None) -> dict[str, Any]:
    return {"description": description, **schema} if description else schema


def _numbered(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with the first number behind it that makes it a new one."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    return found


def _takes(first: str, second: str) -> bool:
    """Whether requests to a path are taken by another that is tried before."""
    parts = [re.escape(part) for part in _PARAMETER.split(first)]
    return re.fullmatch("[^/]+".join(parts), _PARAMETER.sub("0", second)) is not None


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _body(told: dict[str, Any], *, required: bool) -> bytes:
    if "" in told:
        return json.dumps(told[""]).encode()
    return json.dumps(told).encode() if told or required else b""
