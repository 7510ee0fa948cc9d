"""Arguments of a tool call: strictly checked before any SQL sees them.

Nothing is coerced but 5.0 for 5. Every function here answers a value or a `Mistake`, words for the agent.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from awm_gym.errors import shown, unknown
from awm_gym.scenario import MAX_ITEMS, MAX_STRING, ErrorKind, Param, Tool, ToolCall

MAX_DEPTH = 32  # CPython's own limit differs by version
MAX_JSON = 262_144  # characters of a call written as JSON
MAX_ARRAY = 60_000  # bytes of an array as JSON; SQLite values end at 65,536
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # line breaks and tabs are fine
_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.S)  # the strings of JSON text
_COMMA = re.compile(r",[ \t\r\n]*[}\]]")  # one with nothing after it
_EXPECTED = 'a JSON object such as {"name": "<tool>", "arguments": {...}}'


class Mistake(NamedTuple):
    """What is wrong with an action, in words for the agent."""

    kind: ErrorKind
    text: str


Bound = dict[str, str | int | float | None]


def read_call(action: Any) -> ToolCall | Mistake:
    """Read an action: a `ToolCall`, the same as a mapping, JSON text, or OpenAI's form of a tool call.

    A mistake is `malformed` if the action is no tool call at all, and `invalid_arguments` if
    its arguments could not travel as JSON.
    """
    if _is(action, str):
        action = _parse(action)
        if isinstance(action, Mistake):
            return action
    parts = _parts(action)
    if isinstance(parts, Mistake):
        return parts
    name, arguments = parts[0], _read(parts[1])
    if _is(arguments, Mistake):
        return Mistake(*arguments)
    if not _is(name, str):
        return Mistake("malformed", f"The tool's name must be a string, got {shown(name)}.")
    if not _is(arguments, Mapping):
        return Mistake("malformed", f"The arguments must be a JSON object, got {shown(arguments)}.")
    plain = dict(arguments)
    if problem := _not_json(plain, MAX_DEPTH, [MAX_JSON]):
        return Mistake("invalid_arguments", f"The arguments are not plain JSON: {problem}.")
    return ToolCall(name, plain)


def _read(arguments: Any) -> Any:
    """Arguments as they are meant: OpenAI's come as text, and MCP lets a call leave them out."""
    if _is(arguments, str):
        arguments = _parse(arguments if arguments.strip() else "{}")
    return {} if arguments is None else arguments


def _is(value: object, kind: type) -> bool:
    """As isinstance, which would ask the value for its class: an action may be an object that answers nothing."""
    return issubclass(type(value), kind)


def _parts(action: Any) -> tuple[Any, Any] | Mistake:
    """Name and arguments of an action, as they stand there."""
    if _is(action, ToolCall):
        return action.name, action.arguments
    if not _is(action, Mapping):
        return Mistake("malformed", f"That is no tool call but a {type(action).__name__}: expected {_EXPECTED}.")
    action = action.get("function", action)
    if not _is(action, Mapping) or "name" not in action:
        return Mistake("malformed", f"That is no tool call: expected {_EXPECTED}.")
    if extra := sorted(shown(key, 40) for key in action if key not in ("name", "arguments")):
        return Mistake("malformed", f"A tool call has no {extra[0]}: expected {_EXPECTED}.")
    return action["name"], action.get("arguments", {})


def _parse(text: str) -> Any:
    if len(text) > MAX_JSON:
        return Mistake("malformed", f"The tool call is too long: {len(text)} characters, at most {MAX_JSON}.")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH + 2:  # arguments within two objects
        return Mistake("malformed", f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        # Pythons tell of a trailing comma each in its own words and place.
        spots = (error.pos, len(text[: error.pos].rstrip(" \t\r\n")) - 1)
        commas = [spot for spot in spots if _COMMA.match(text, spot)]
        place = f"trailing comma at character {commas[0]}" if commas else f"{error.msg} at character {error.pos}"
    except ValueError as error:
        place = str(error)[:200]
    return Mistake("malformed", f"That is not valid JSON ({place}): expected {_EXPECTED}.")


def _depth(text: str) -> int:
    """How deep JSON text is nested. Counted before it is parsed, since parsers give up at depths of their own."""
    steps = ({"[": 1, "{": 1, "]": -1, "}": -1}.get(char, 0) for char in _TEXTS.sub("", text))
    return max(itertools.accumulate(steps))


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {shown(name)} stands there twice")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _not_json(value: Any, depth: int, room: list[int]) -> str | None:
    """What keeps a value from travelling as JSON and coming back the same; None if nothing does.

    `room` holds the characters still to be had. An object that is held twice counts twice: so it would be written.
    """
    kind = type(value)
    room[0] -= len(value) if kind is str else 1
    if room[0] < 0:
        return f"larger than {MAX_JSON} characters"
    if kind is str:
        unfit = _UNFIT.search(value)
        return f"a string holds the control or surrogate character {unfit.group()!r}" if unfit else None
    if kind is int:
        return None if -(2**63) <= value < 2**63 else "an integer does not fit into 64 bits"
    if kind is float:
        return None if math.isfinite(value) else f"{value} is not a JSON number"
    if value is None or kind is bool:
        return None
    if kind is not dict and kind is not list:
        return f"a value is of the Python type {kind.__name__}"
    if depth == 0:
        return f"nested deeper than {MAX_DEPTH} levels"
    for item in value:
        if kind is dict and type(item) is not str:
            return f"the key {shown(item)} is not a string"
        if problem := _not_json(item, depth - 1, room) or (kind is dict and _not_json(value[item], depth - 1, room)):
            return problem
    return None


def bind(tool: Tool, arguments: Mapping[str, Any]) -> Bound | Mistake:
    """Check arguments against a tool's parameters and give the values that SQL sees."""
    for name in arguments:
        if name not in tool.params:
            takes = ", ".join(tool.params) or "no arguments"
            near = unknown("argument", name, tool.params).partition("Did you mean ")[2]
            hint = f" Did you mean {near}" if near else ""
            return Mistake("invalid_arguments", f"{tool.name} has no argument {shown(name)}; it takes {takes}.{hint}")
    bound: Bound = {}
    for name, param in tool.params.items():
        if name not in arguments:
            if param.required:
                what = f"({describe(param)}: {param.description})"
                return Mistake("invalid_arguments", f"{tool.name} needs the argument {name!r} {what}.")
            bound[name] = None if param.default is None else _bind_one(param, param.default)[0]
            continue
        value = arguments[name]
        if value is None:
            remedy = "leave it out instead" if not param.required else f"it must be {describe(param)}"
            return Mistake("invalid_arguments", f"{tool.name}: {name} cannot be null; {remedy}.")
        bound[name], problem = _bind_one(param, value)
        if problem:
            return Mistake("invalid_arguments", f"{tool.name}: {name} {problem}.")
    return bound


def default_problem(param: Param) -> str | None:
    """What is wrong with a parameter's default (an end of a sentence), or None."""
    return None if param.default is None else _bind_one(param, param.default)[1]


def _bind_one(param: Param, value: object) -> tuple[Any, str | None]:
    """The SQL value of one argument, and what is wrong with it."""
    if param.type != "array":
        return scalar(param, value)
    if type(value) is not list:
        return None, f"must be {describe(param)}, got {shown(value)}"
    least, most = param.min_items or 0, param.max_items or MAX_ITEMS
    if not least <= len(value) <= most:
        return None, f"must have {least} to {most} items, got {len(value)}"
    items = []
    for index, entry in enumerate(value):
        item, problem = scalar(param, entry)
        if problem:
            return None, f"item {index} {problem}"
        items.append(item)
    if param.unique and len(set(items)) < len(items):
        return None, f"must not hold an item twice, got {shown(value)}"
    text = json.dumps(items, ensure_ascii=False)
    if len(text.encode()) > MAX_ARRAY:
        return None, f"is too long: {len(text.encode())} bytes as JSON, at most {MAX_ARRAY}"
    return text, None


def scalar(param: Param, value: object) -> tuple[Any, str | None]:
    """One value as SQL sees it, and what is wrong with it (an end of a sentence) or None."""
    kind = param.item_type
    fitted = _SCALARS[kind](value)
    if fitted is None:
        return None, f"must be {_ARTICLE[kind]}, got {shown(value)}"
    if param.enum and fitted not in param.enum:
        choices = ", ".join(map(str, param.enum))
        return None, f"must be one of {choices}, got {shown(value)}"
    if isinstance(fitted, str):
        if _UNFIT.search(fitted):
            return None, f"holds a control or surrogate character: {shown(value)}"
        least, most = param.min_length or 0, param.max_length or MAX_STRING
        if not least <= len(fitted) <= most:
            return None, f"must have {least} to {most} characters, got {len(fitted)}"
    elif param.minimum is not None and fitted < param.minimum:
        return None, f"must be at least {param.minimum}, got {shown(value)}"
    elif param.maximum is not None and fitted > param.maximum:
        return None, f"must be at most {param.maximum}, got {shown(value)}"
    return fitted, None


def integer(value: object) -> int | None:
    """The value as a 64-bit integer (5.0 is 5), or None if it is none."""
    if type(value) is float and math.isfinite(value) and value == int(value):
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def number(value: object) -> float | None:
    """The value as a finite float, or None if it is none. -0.0 becomes 0.0."""
    if type(value) is int and -(2**63) <= value < 2**63:
        return float(value)
    return value + 0.0 if type(value) is float and math.isfinite(value) else None


def calendar_date(value: object) -> str | None:
    """The value if it is a date written YYYY-MM-DD, else None."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def moment(value: object) -> str | None:
    """The value if it is a moment written YYYY-MM-DDTHH:MM:SS, else None."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}", value):
        return None
    try:
        found = datetime.fromisoformat(value).isoformat()
    except ValueError:
        return None
    return found if found == value else None  # newer Pythons read 24:00:00 as the next day


_SCALARS: dict[str, Any] = {
    "string": lambda value: value if type(value) is str else None,
    "integer": integer,
    "number": number,
    "boolean": lambda value: int(value) if type(value) is bool else None,
    "date": calendar_date,
    "datetime": moment,
}
_ARTICLE = {
    "string": "a string",
    "integer": "a 64-bit integer",
    "number": "a finite number",
    "boolean": "true or false",
    "date": "a date written YYYY-MM-DD",
    "datetime": "a moment written YYYY-MM-DDTHH:MM:SS",
}


def describe(param: Param) -> str:
    """The type of an argument in words."""
    kind = f"one of {', '.join(map(str, param.enum))}" if param.enum else _ARTICLE[param.item_type]
    return f"an array, each item {kind}" if param.type == "array" else kind
