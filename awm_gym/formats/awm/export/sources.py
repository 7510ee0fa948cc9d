"""SQL and words as they are written into exported data: functions spelled out, tables renamed, Python literals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from awm_gym.scenario import Answer
from awm_gym.sql import code_only, literal

_CALL = re.compile(r"\b(now|me)\s*\(\s*\)", re.I)
_BEFORE = re.compile(r"\bbefore\s*\.", re.I)
_TABLE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|(\w+))')


class Rewritten(NamedTuple):
    """A query over temporary tables in the place of `before.<table>`, and which tables these are."""

    sql: str
    tables: tuple[str, ...]


def without_before(sql: str) -> Rewritten:
    """A query that reads `temp."before.<table>"` where it read `before.<table>`."""
    text, position = "", 0
    tables: dict[str, None] = {}
    for match in _BEFORE.finditer(code_only(sql)):
        named = _TABLE.match(sql, match.end())
        assert named is not None  # it compiles
        table = named[2] or named[1].replace('""', '"')
        tables[table] = None
        text += f'{sql[position : match.start()]}temp."before.{table}"'
        position = named.end()
    return Rewritten(text + sql[position:], tuple(tables))


def spelled_out(sql: str, values: Mapping[str, str | int | None]) -> str:
    """SQL with values in the place of `now()` and `me()`, for loaders that know neither."""
    text, position = "", 0
    for match in _CALL.finditer(code_only(sql)):
        text += sql[position : match.start()] + literal(values[match[1].lower()])
        position = match.end()
    return text + sql[position:]


def quoted(text: str) -> str:
    """A Python literal that shows a text as it is, over several lines if it has several."""
    if text.isprintable() and "\\" not in text and not {'"', "'"} <= set(text):
        return f"'{text}'" if '"' in text else f'"{text}"'
    if '"""' in text or "\\" in text or text.endswith('"') or not text.replace("\n", "").isprintable():
        return repr(text)
    return f'"""{text}"""'


def plain_text(text: str) -> str:
    """Text that may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def block(opening: str, items: Iterable[str], closing: str, indent: int = 0) -> str:
    """A Python collection with an item on each line."""
    space = " " * indent
    inner = "".join(f"{space}    {item},\n" for item in items)
    return f"{opening}\n{inner}{space}{closing}" if inner else opening + closing


def written(value: object, indent: int = 0) -> str:
    """A value as a Python expression: plain ones, tuples with and without names, and types of answers."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Answer):
        told = [
            f"{name}={written(getattr(value, name), indent + 4)}" for name in sorted(value.model_fields_set - {"type"})
        ]
        return block("Answer(", [f"type={quoted(value.type)}", *told], ")", indent)
    if isinstance(value, Mapping):
        return block("{", (f"{quoted(key)}: {written(part, indent + 4)}" for key, part in value.items()), "}", indent)
    if isinstance(value, tuple):
        names = [f"{name}=" for name in getattr(value, "_fields", [])] or [""] * len(value)
        items = (name + written(part, indent + 4) for name, part in zip(names, value, strict=True))
        return block(f"{type(value).__name__}(" if hasattr(value, "_fields") else "(", items, ")", indent)
    return repr(value)
