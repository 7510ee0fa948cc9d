"""Gymnasium spaces for tool use."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from gymnasium.spaces import Space

from awm_gym.arguments import Mistake, read_call
from awm_gym.errors import UsageError, unknown
from awm_gym.scenario import ToolCall
from awm_gym.server import ToolInfo

_WORDS = "a an on new old red blue north card order anna lee smith 1 2 12 07 2025".split()


class Utf8(Space[str]):
    """Any string of at most `max_length` characters; `spaces.Text` would have to list the characters."""

    def __init__(self, max_length: int, seed: int | None = None) -> None:
        self.max_length = max_length
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text is no array."""
        return False

    def sample(self, mask: None = None, probability: None = None) -> str:
        """A few words."""
        return " ".join(_pick(self.np_random, _WORDS) for _ in range(int(self.np_random.integers(0, 6))))[
            : self.max_length
        ]

    def contains(self, x: Any) -> bool:
        """Whether `x` is text that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Utf8) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash(self.max_length)

    def __repr__(self) -> str:
        return f"Utf8({self.max_length})"


class ToolCalls(Space[ToolCall]):
    """Every tool call; `sample` draws a tool, and arguments that its JSON Schema allows.

    A call of an unknown tool or with wrong arguments is in the space: it is a mistake that an agent
    can make, and the environment answers it. So is a call written as a mapping or as JSON text.

    Args:
        tools: the tools to draw from. Several of one name are as many ways to call it.
        now: dates are drawn within two months of it.
        seed: a random seed.
    """

    def __init__(self, tools: Sequence[ToolInfo], now: datetime, seed: int | None = None) -> None:
        self.tools = tuple(tools)
        self.now = now
        self._names = list(dict.fromkeys(tool.name for tool in tools))
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: tool calls are no arrays."""
        return False

    def sample(self, mask: Collection[str] | None = None, probability: None = None) -> ToolCall:
        """Draw a call; with a `mask`, of one of the tools it names.

        Raises:
            UsageError: the mask names no tool of the space.
        """
        names = self._names if mask is None else [name for name in self._names if name in mask]
        if not names:
            raise UsageError("the mask leaves no tool. " + unknown("tool", sorted(mask or ()), self._names))
        name = _pick(self.np_random, names)
        tool = _pick(self.np_random, [tool for tool in self.tools if tool.name == name])
        arguments = _draw(tool.input_schema, self.np_random, self.now)
        return ToolCall(name, arguments)

    def contains(self, x: Any) -> bool:
        """Whether `x` reads as a tool call."""
        return not isinstance(read_call(x), Mistake)

    def to_jsonable(self, sample_n: Iterable[ToolCall]) -> list[dict[str, Any]]:
        """Calls as JSON objects."""
        return [{"name": call.name, "arguments": dict(call.arguments)} for call in sample_n]

    def from_jsonable(self, sample_n: list[dict[str, Any]]) -> list[ToolCall]:
        """Calls from JSON objects."""
        return [ToolCall(call["name"], call["arguments"]) for call in sample_n]

    def __eq__(self, other: object) -> bool:
        # Both hold every tool call. So environments of several tasks and scenarios go into one vector environment.
        return isinstance(other, ToolCalls)

    def __hash__(self) -> int:
        return hash(ToolCalls)

    def __repr__(self) -> str:
        return f"ToolCalls({', '.join(self._names)})"


def _pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _draw(schema: dict[str, Any], rng: np.random.Generator, now: datetime) -> Any:
    """A value that a JSON Schema of the kind that tools have allows; of imported ones, what can be told at a glance."""
    if "enum" in schema or "const" in schema:
        return _pick(rng, schema.get("enum") or [schema["const"]])
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _draw(_pick(rng, schema[choice]), rng, now)
    if schema.get("allOf"):
        return _draw({key: value for part in schema["allOf"] for key, value in part.items()}, rng, now)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = _pick(rng, kind)
    if kind == "null":
        return None
    if kind == "object":
        required = schema.get("required", ())
        return {
            name: _draw(inner, rng, now)
            for name, inner in schema.get("properties", {}).items()
            if name in required or rng.integers(3) == 0
        }
    if kind == "array":
        least = schema.get("minItems", 0)
        count = int(rng.integers(least, min(schema.get("maxItems", 4), max(least, 1) + 3) + 1))
        each = schema.get("items", {})
        items = [_draw(each, rng, now) for _ in range(count)]
        if schema.get("uniqueItems"):
            items = [item for place, item in enumerate(items) if item not in items[:place]]
            items = _topped_up(items, least, each, rng, now)
        return items
    if kind == "boolean":
        return bool(rng.integers(2))
    if kind in ("integer", "number"):
        return _draw_number(schema, kind, rng)
    return _draw_text(schema, rng, now)


def _topped_up(
    items: list[Any], least: int, schema: dict[str, Any], rng: np.random.Generator, now: datetime
) -> list[Any]:
    """Distinct items, at least `least` if a hundred draws give as many."""
    for _ in range(100):
        if len(items) >= least:
            break
        item = _draw(schema, rng, now)
        items += [item] if item not in items else []
    return items


def _draw_number(schema: dict[str, Any], kind: str, rng: np.random.Generator) -> int | float:
    step = 1 if kind == "integer" else 1e-6  # exclusive bounds come in by one step
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + step
    if "exclusiveMaximum" in schema:
        most = schema["exclusiveMaximum"] - step
    low = least if least is not None else 1 if most is None or most >= 1 else most - 199
    high = most if most is not None else max(low, 1) + 199
    if kind == "integer":
        return int(rng.integers(math.ceil(low), math.floor(high), endpoint=True))
    drawn = float(rng.uniform(low, high))
    return min(max(round(drawn, 2), low), high) if high - low >= 1 else drawn


def _draw_text(schema: dict[str, Any], rng: np.random.Generator, now: datetime) -> str:
    form = schema.get("format")
    if form in ("date", "date-time"):
        moment = now + timedelta(days=int(rng.integers(-60, 61)), minutes=15 * int(rng.integers(0, 96)))
        return moment.date().isoformat() if form == "date" else moment.replace(second=0).isoformat()
    least, most = schema.get("minLength", 0), schema.get("maxLength", 4_000)
    text = " ".join(_pick(rng, _WORDS) for _ in range(int(rng.integers(1, 4))))
    while len(text) < least:
        text += _pick(rng, _WORDS)
    return text[:most]
