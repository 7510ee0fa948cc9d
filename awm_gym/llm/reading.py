"""The value in what a model said: read with patience for what stands around it, and with none for the value itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from awm_gym.errors import Unreadable, UsageError, shown
from awm_gym.llm.messages import Said, T

MAX_DEPTH = 64  # levels of nested objects and lists in an answer
MAX_SLIPS = 6  # lines about what does not fit; a model mends a few things at a time
_THINKING = re.compile(r"\s*<think>.*?</think>", re.S)  # some servers leave it before the answer
_MARK = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]]', re.S)  # a string, or a bracket outside of strings
_TRAILING = re.compile(r",\s*[}\]]")
_UNSUPPORTED = ("default", "title", "minLength", "maxLength", "uniqueItems", "discriminator")  # by structured outputs


def strict_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a type in the form of structured outputs: every key is required, and no other is allowed.

    Lengths are left out, as servers refuse them; the type itself still bounds them when an answer is read.

    Raises:
        UsageError: the type has a part of any shape, which structured outputs cannot express.
    """
    schema = answer.model_json_schema()
    for name, part in {answer.__name__: schema, **schema.get("$defs", {})}.items():
        _tighten(part, name)
    return schema


def _tighten(schema: dict[str, Any], place: str) -> None:
    for word in _UNSUPPORTED:
        schema.pop(word, None)
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    if "$ref" in schema and len(schema) > 1:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}]  # nothing may stand beside a reference
    parts = {f"{place}[]": schema["items"]} if "items" in schema else {}
    parts |= {f"{place}|{number}": part for number, part in enumerate(schema.get("anyOf", ()))}
    if "properties" in schema:
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
        parts |= {f"{place}.{name}": part for name, part in schema["properties"].items()}
    elif (schema.get("type") in ("object", "array") and "items" not in schema) or not schema.keys() - {"description"}:
        raise UsageError(
            f"{place} may have any shape, which structured outputs cannot express; give it a model's type."
        )
    for name, part in parts.items():
        _tighten(part, name)


def ignores_format(said: Said) -> bool:
    """Whether an answer has words around an object, or none at all, as no server sends it that heeds a format."""
    text = _answer(said).strip()
    return said.finish == "stop" and bool(text) and not (text.startswith("{") and text.endswith("}"))


def read(said: Said, answer: type[T]) -> T:
    """The value in what a model said: the answer as a whole, or the first JSON object in it that is of the type.

    Raises:
        Unreadable: there is none of the type. The message says what is wrong, for the model.
    """
    cut = " The answer was cut at the token limit: answer again, shorter." if said.finish == "length" else ""
    text = _answer(said)

    def refuse(problem: str) -> NoReturn:
        raise Unreadable(problem + cut, said.text)

    if said.finish == "refusal":
        refuse(f"The model refused: {said.text}")
    if said.finish == "content_filter":
        refuse("The server's content filter stopped the answer.")
    if not text.strip():
        refuse("The answer is empty.")
    problems: list[tuple[int, str]] = []
    for span in _spans(text):
        document = _document(span, text)
        if isinstance(document, str):
            problems.append((span.end - span.start, document))
            continue
        try:
            return answer.model_validate_json(json.dumps(document.value))
        except ValidationError as error:
            problems.append((span.end - span.start, _slips(error)))
    refuse(max(problems)[1] if problems else "The answer holds no JSON object; give one, and nothing else.")


def _answer(said: Said) -> str:
    thought = _THINKING.match(said.text)
    return said.text[thought.end() :] if thought else said.text


class _Span(NamedTuple):
    """Where an object stands in a text; `depth` levels deep, or -1 if it is not closed."""

    start: int
    end: int
    depth: int


class _Document(NamedTuple):
    value: Any


def _spans(text: str) -> Iterator[_Span]:
    """The objects in a text, outermost ones only. One that is not closed is the last: its parts are not the answer."""
    start = text.find("{")
    while start >= 0:
        span = _span(text, start)
        yield span
        start = text.find("{", span.end)


def _span(text: str, start: int) -> _Span:
    level = deepest = 0
    for mark in _MARK.finditer(text, start):
        if mark[0] in "{[":
            level += 1
            deepest = max(deepest, level)
        elif mark[0] in "}]":
            level -= 1
            if level == 0:
                return _Span(start, mark.end(), deepest)
    return _Span(start, len(text), -1)


def _document(span: _Span, text: str) -> _Document | str:
    """The JSON value of a span; what is wrong if it has none."""
    if span.depth > MAX_DEPTH:
        return f"The answer is nested more than {MAX_DEPTH} levels deep."
    if span.depth < 0:
        return f"The answer is not JSON: the object that begins at {_place(text, span.start)} is not closed."
    try:
        return _Document(_DECODER.decode(text[span.start : span.end]))
    except json.JSONDecodeError as error:
        return f"The answer is not JSON: {_what(error)} at {_place(text, span.start + error.pos)}."
    except ValueError as error:
        return f"The answer is not JSON: {error}."


def _what(error: json.JSONDecodeError) -> str:
    before, after = error.doc[: error.pos], error.doc[error.pos :]
    if error.msg.startswith("Invalid control character"):
        return "a line break or another control character stands in a string, where it must be escaped,"
    if any(_TRAILING.match(text) for text in (after, before.rstrip()[-1:] + after)):  # by the version of Python
        return "there is a comma before a closing bracket"
    return error.msg.removesuffix(" at")


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} column {position - text.rfind(chr(10), 0, position)}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} stands twice in one object")
        found[key] = value
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {shown(text)} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant)


def _slips(error: ValidationError) -> str:
    slips = error.errors(include_url=False)
    lines = [_slip(slip) for slip in slips[:MAX_SLIPS]]
    if len(slips) > MAX_SLIPS:
        lines[-1] = f"... and {len(slips) - MAX_SLIPS + 1} more"
    return "\n".join(["The answer does not fit:", *lines])


def _slip(slip: ErrorDetails) -> str:
    """One line a model can act on: where, what, and what stands there now."""
    place = ".".join(map(str, slip["loc"])) or "the answer"
    told = {"missing": "this key is missing", "extra_forbidden": "there is no such key; leave it out"}
    if slip["type"] in told:
        return f"{place}: {told[slip['type']]}"
    problem = slip["msg"].removeprefix("Value error, ")
    given = slip["input"]
    is_ours = slip["type"] == "value_error" or isinstance(given, (dict, list))
    return f"{place}: {problem}" if is_ours else f"{place}: {problem}, not {shown(given, 60)}"
