"""Applications that answer what cannot be done, and do nothing then: ids that no row has, broken constraints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.audit.naming import Names, Place
from awm_gym.formats.awm.host import App, ToolInfo
from awm_gym.formats.awm.images import Images, Schema
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.formats.awm.repair.program import Handler, Program, block, marked

GHOSTS = {"INTEGER": 1_000_000_007, "TEXT": "ghost-0"}  # ids that no row has

_FIRSTS = frozenset("first one_or_none scalar_one_or_none get".split())
_PLAIN = re.compile(r"\w+")
_INTEGER = re.compile(r"INT")
_TEXT = re.compile(r"CHAR|CLOB|TEXT")
_SIMPLE = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Answers:
    """What an application shall answer.

    Attributes:
        rows: id of an operation -> argument, at whatever depth -> the key of the row that it names.
        keys: foreign keys are enforced.
        atomic: requests that are refused are undone.
    """

    rows: Mapping[str, Mapping[str, Place]] = field(default_factory=dict)
    keys: bool = False
    atomic: bool = False


def answering(code: str, answers: Answers) -> str:
    """The application with these answers; as it was where its structure is not plain, or where it has them already."""
    program = Program.of(code)
    if program is None or len(program.apps) != 1 or len(program.engines) != 1 or not program.handlers:
        return code
    if marked(code, "answers"):
        return code
    app, engine = program.apps[0], program.engines[0]
    first = min(handler.node.decorator_list[0].lineno for handler in program.handlers)
    texts = {first: f"{block('answers')}\n"}
    ids = [handler.operation for handler in program.handlers]
    for handler in program.handlers:
        named = answers.rows.get(handler.operation, {}) if ids.count(handler.operation) == 1 else {}
        rows = {name: tuple(place) for name, place in sorted(named.items())}
        lookups = dict(_lookups(program, handler))
        if rows or lookups or answers.atomic:
            line = f"@_awm_checked({engine}, {_spelled(rows)}, {_spelled(lookups)})"
            texts[handler.node.lineno] = line
    ending = [f"_awm_answer_errors({app})"]
    ending += [f"_awm_enforce_keys({engine})"] if answers.keys else []
    ending += [f"_awm_join_requests({', '.join([engine, *program.makers])})"] if answers.atomic else []
    texts[program.end] = "\n" + "\n".join(ending) + "\n\n"
    return program.inserted(texts)


def _spelled(value: Mapping[str, Any]) -> str:
    return repr(dict(value))


def _lookups(program: Program, handler: Handler) -> Iterator[tuple[str, str]]:
    """Variables of a handler that hold a row or nothing, and the table of the row."""
    for node in ast.walk(handler.node):
        value = node.value if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _FIRSTS:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            tables = [program.models[name].table for name in _names(value) if name in program.models]
            if isinstance(target, ast.Name) and tables and _SIMPLE.fullmatch(tables[0]):
                yield target.id, tables[0]


def _names(node: ast.AST) -> Iterator[str]:
    """Names in the order of the text."""
    found = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    yield from (part.id for part in sorted(found, key=lambda part: (part.lineno, part.col_offset)))


def separable(code: str) -> bool:
    """Whether requests can be one transaction: all that touches the database are sessions that handlers make."""
    program = Program.of(code)
    if program is None or len(program.engines) != 1 or not program.makers:
        return False
    used = [node.id for node in ast.walk(program.tree) if isinstance(node, ast.Name)]
    if {"scoped_session", "Session", "sqlite3"} & set(used) or "binds=" in code:
        return False
    # once where it is made, once for each maker, and once where tables are made
    engines = used.count(program.engines[0])
    made = len(re.findall(rf"create_all\((?:bind=)?{program.engines[0]}\)", code))
    return engines == 1 + len(program.makers) + made and all(_once(node, program) for node in program.tree.body)


def _once(node: ast.stmt, program: Program) -> bool:
    """Whether no sessions are made outside of functions, nor two in one, nor one that a function hands over."""
    parts = list(ast.walk(node))
    made = sum(isinstance(part, ast.Call) and _name(part.func) in program.makers for part in parts)
    lending = any(isinstance(part, ast.Yield | ast.YieldFrom) for part in parts)
    return made == 0 or (made == 1 and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lending)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def enforceable(tables: Mapping[str, Schema]) -> str:
    """Why foreign keys cannot be enforced; "" if they can."""
    for name, schema in tables.items():
        for key in schema.foreign_keys:
            parent = next((found for table, found in tables.items() if table.lower() == key.table.lower()), None)
            if parent is None:
                return f"{name} refers to {key.table}, which is not there"
            if key.parent_columns not in (parent.key, *parent.unique) and not _is_key(key.parent_columns, parent):
                return f"{name} refers to {key.table} ({', '.join(key.parent_columns)}), which is no key"
    return ""


def _is_key(columns: tuple[str, ...], parent: Schema) -> bool:
    """The same in capitals or not, in whatever order; no columns mean the key."""
    named = {column.lower() for column in columns}
    return not columns or any(named == {name.lower() for name in key} for key in (parent.key, *parent.unique) if key)


def rows_named(
    scenario: AwmScenario, app: App, tables: Mapping[str, Schema], images: Images
) -> dict[str, dict[str, Place]]:
    """For each operation the arguments that name a row which must be there.

    An argument whose value the operation makes the key of a new row names none.
    """
    names = Names(tables)
    examples = {endpoint.operation_id: endpoint.request_params for endpoint in scenario.endpoints}
    found: dict[str, dict[str, Place]] = {}
    for tool in app.tools:
        named = {
            argument: place
            for argument, schema in _arguments(tool.input_schema)
            if (argument != "id" or argument in tool.input_schema["properties"])  # of what, nobody says
            and (place := names.key(tool, _one(argument)))
            and _fits(schema, tables[place.table].columns.get(place.column, ""))
        }
        given = {name: p.example for name, p in examples.get(tool.name, {}).items() if p.example is not None}
        kept = {
            argument: place
            for argument, place in named.items()
            if _plainly_named(place) and not _makes(app, tool, given, argument, place, images)
        }
        if kept:
            found[tool.name] = kept
    return found


def _arguments(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names of arguments at any depth that lists and objects have, with their schemas."""
    waiting = [schema]
    while waiting:
        part = waiting.pop(0)
        properties = part.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            if isinstance(inner, dict):
                yield name, inner
                waiting.append(inner)
        for key in ("items", "anyOf", "allOf"):
            inner = part.get(key)
            waiting.extend(one for one in (inner if isinstance(inner, list) else [inner]) if isinstance(one, dict))


def _one(argument: str) -> str:
    """What one of several ids is called."""
    return argument[:-1] if argument.endswith("_ids") else argument


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The types of a value, or of the values of a list, but null."""
    types = {schema["type"]} if isinstance(schema.get("type"), str) else set()
    inner = [schema.get("items"), *(schema.get("anyOf") or [])]
    for part in inner:
        types |= _types(part) if isinstance(part, dict) else set()
    return types - {"null", "array"}


def _fits(schema: Mapping[str, Any], declared: str) -> bool:
    """Whether an argument has the type of a column."""
    if _INTEGER.search(declared):
        return _types(schema) == {"integer"}
    return bool(_TEXT.search(declared)) and _types(schema) == {"string"}


def _plainly_named(place: Place) -> bool:
    """Whether it may stand in SQL in double quotes, and in a message."""
    return all(_PLAIN.fullmatch(part) for part in place)


def _makes(app: App, tool: ToolInfo, given: Mapping[str, Any], argument: str, place: Place, images: Images) -> bool:
    """Whether an operation that is given an id which no row has makes a row of that id."""
    ghost = next(value for value in GHOSTS.values() if isinstance(value, int) == _is_integer(tool, argument))
    try:
        with app.reset() as episode:
            answer = episode.call(tool.name, {**given, argument: ghost}, seconds=2.0)
            after = episode.image() if answer.status < 400 else app.initial
        differences = images.differing(app.initial, after)
    except (EnvironmentFault, UsageError):
        return True  # nothing is known of it, so it is left alone
    added = [row.new for row in differences if row.table == place.table and row.kind == "added"]
    return any(row is not None and row.get(place.column) == ghost for row in added)


def _is_integer(tool: ToolInfo, argument: str) -> bool:
    return any(name == argument and _types(schema) == {"integer"} for name, schema in _arguments(tool.input_schema))
