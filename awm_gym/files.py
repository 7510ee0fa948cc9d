"""A scenario as a folder of text files: read strictly, and written by the one writer.

    scenario.toml  schema.sql  invariants.sql  data.sql  tools.toml  tasks.toml

The SQL files are kept byte for byte; the TOML files have one canonical form, so that the same scenario
is always the same bytes. `certificate.json`, beside them, is not part of the scenario.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from awm_gym.errors import ScenarioError, shown, unknown
from awm_gym.scenario import (
    Answer,
    ChangedRow,
    Changes,
    Param,
    Scenario,
    Sql,
    Task,
    Tool,
    ToolCall,
    User,
)
from awm_gym.soundness import check

FILES = ("scenario.toml", "schema.sql", "invariants.sql", "data.sql", "tools.toml", "tasks.toml")
MAX_FILE = 4 * 2**20  # bytes of one file
MAX_DEPTH = 64  # levels of nested tables and lists in one file
_FIELD_FILES = {"db_schema": "schema.sql", "invariants": "invariants.sql", "data": "data.sql"}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def load(folder: str | Path) -> Scenario:
    """Read a scenario folder, and check that it is sound.

    Raises:
        ScenarioError: a file is missing or malformed, or the parts contradict each other. The
            message names folder, file, key, value and remedy.
    """
    folder = Path(folder)
    try:
        scenario = parse({name: _read(folder, name, FILES) for name in FILES})
        if scenario.name != folder.resolve().name:
            problem = f"the name is {scenario.name!r} but the folder's is {folder.resolve().name!r}; make them equal"
            raise ScenarioError(problem, file="scenario.toml", key="name")
        check(scenario)
    except ScenarioError as error:
        raise error.within(str(folder)) from error.__cause__
    return scenario


def save(scenario: Scenario, folder: str | Path) -> None:
    """Write a scenario's files into a folder, which is made if it is not there. Other files there stay.

    Raises:
        ScenarioError: the folder's name is not the scenario's, a file would not be read back, or it cannot be written.
    """
    folder = Path(folder)
    if folder.resolve().name != scenario.name:
        raise ScenarioError(f"the folder {folder.name!r} must be named {scenario.name!r}", scenario=scenario.name)
    texts = render(scenario)
    try:
        contents = {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items()}
        for name, content in contents.items():
            _text(content, name)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            part = folder / f".{name}.part"
            part.write_bytes(content)
            part.replace(folder / name)
    except ScenarioError as error:
        raise error.within(str(folder)) from error.__cause__
    except OSError as error:
        raise ScenarioError(f"cannot be written: {error.strerror}", scenario=str(folder)) from error


def _read(folder: Path, name: str, names: Iterable[str]) -> str:
    """One file of the folder; a link or a device in its place is refused unread."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        remedy = f"the folder holds {', '.join(names)}"
        raise ScenarioError(f"cannot be read ({error.strerror}); {remedy}", file=name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ScenarioError("is not a regular file", file=name)
    with os.fdopen(descriptor, "rb") as file:
        return _text(file.read(MAX_FILE + 1), name)


def _text(content: bytes, name: str) -> str:
    """The text of a file, if it is one that may be read."""
    if len(content) > MAX_FILE:
        raise ScenarioError(f"is larger than {MAX_FILE} bytes", file=name)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"is not UTF-8: byte {error.start} is {content[error.start]:#x}", file=name) from error
    if text.startswith("\ufeff") or "\r" in text:
        raise ScenarioError("has a byte order mark or Windows line ends; save it as UTF-8 with LF", file=name)
    return text


def parse(texts: Mapping[str, str]) -> Scenario:
    """Make a scenario of the texts of its files. Soundness is not checked: see `awm_gym.soundness`.

    Raises:
        ScenarioError: a file is malformed.
    """
    head = _toml(texts, "scenario.toml")
    fields = {field: texts[file] for field, file in _FIELD_FILES.items()}
    if taken := sorted({*fields, "tools", "tasks"} & set(head)):
        raise ScenarioError(f"{taken[0]!r} is not a key of this file", file="scenario.toml", key=taken[0])
    tools = {name: _item(Tool, name, entry, "tools.toml") for name, entry in _toml(texts, "tools.toml").items()}
    tasks = {name: _item(Task, name, entry, "tasks.toml") for name, entry in _toml(texts, "tasks.toml").items()}
    scenario: Scenario = validated(Scenario, head | fields | {"tools": tools, "tasks": tasks}, "scenario.toml", "")
    return scenario


def digest(texts: Mapping[str, str]) -> str:
    """SHA-256 over the texts of a scenario's files, 64 hexadecimal digits."""
    content = hashlib.sha256()
    for name in FILES:
        content.update(f"{name}\0{texts[name]}\0".encode())
    return content.hexdigest()


def read(folder: str | Path) -> dict[str, str]:
    """The texts of a scenario's files, by name.

    Raises:
        ScenarioError: a file cannot be read.
    """
    return read_files(Path(folder), FILES)


def read_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The texts of some files of a folder, by name.

    Raises:
        ScenarioError: a file cannot be read.
    """
    try:
        return {name: _read(folder, name, names) for name in names}
    except ScenarioError as error:
        raise error.within(str(folder)) from error.__cause__


def _toml(texts: Mapping[str, str], file: str) -> dict[str, Any]:
    return read_toml(texts[file], file)


def read_toml(text: str, file: str) -> dict[str, Any]:
    """The document of a TOML text.

    Raises:
        ScenarioError: it is malformed, or nested too deep.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # an integer of too many digits is no TOMLDecodeError
        twice = "twice" in str(error) or "overwrite" in str(error)
        hint = "; two entries of one name, or a slip in the TOML" if twice else ""
        raise ScenarioError(f"is not valid TOML: {error}{hint}", file=file) from error
    for key, value in document.items():
        if _deeper(value, MAX_DEPTH):
            raise ScenarioError(f"is nested deeper than {MAX_DEPTH} levels", file=file, key=key)
    return document


def _deeper(value: object, levels: int) -> bool:
    """Whether a document nests deeper than so many levels."""
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(item, levels - 1) for item in items)


def _item(model: type[Tool] | type[Task], name: str, entry: object, file: str) -> Any:
    if not isinstance(entry, dict):
        raise ScenarioError(f"must be a table [{name}], not {shown(entry)}", file=file, key=name)
    if "name" in entry:
        raise ScenarioError("'name' is not a key here; the table's own name is it", file=file, key=f"{name}.name")
    return validated(model, {"name": name, **entry}, file, name)


def validated(model: Any, values: dict[str, Any], file: str, prefix: str) -> Any:
    """The model of what stands at a place of a TOML file.

    Raises:
        ScenarioError: a key or value is wrong; the message names place, value and remedy.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        slips = error.errors(include_url=False)  # a misspelt key is told before the one that is missing for it
        first = next((slip for slip in slips if slip["type"] == "extra_forbidden"), slips[0])
        path = [part for part in first["loc"] if not _is_branch(part)]
        key = ".".join(str(part) for part in ([prefix] if prefix else []) + path)
        raise ScenarioError(_explained(model, first, path), file=file, key=key) from None


def _is_branch(part: object) -> bool:
    """Whether a part of pydantic's path names a branch of a union and not a place in the file."""
    branches = ("str", "int", "float", "bool", "[key]")
    return isinstance(part, str) and (part in branches or part.startswith(("literal[", "function-")))


def _explained(model: Any, first: Any, path: list[Any]) -> str:
    if first["type"] == "extra_forbidden":
        return "unknown key. " + unknown("key", path[-1], _keys_at(model, path[:-1]))
    if first["type"] == "missing":
        return f"is missing; add it. The keys are {', '.join(_keys_at(model, path[:-1]))}"
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "value_error":
        return message
    return f"{message}, got {shown(first['input'])}"


def _keys_at(model: Any, path: list[Any]) -> list[str]:
    """The keys allowed at a place in a document, as far as the models tell."""
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = _model_in(field.annotation, model) if field else model
    hidden = {Scenario: {*_FIELD_FILES, "tools", "tasks"}}.get(model, set())
    if model is not Scenario and model is not User:
        hidden = {"name"}
    return [field.alias or name for name, field in model.model_fields.items() if name not in hidden]


def _model_in(annotation: Any, default: Any) -> Any:
    """The first model within an annotation, such as `Row` in `dict[str, tuple[Row, ...]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part, None)) is not None), default)


def render(scenario: Scenario) -> dict[str, str]:
    """The texts of a scenario's files, by name."""
    head = {
        "name": scenario.name,
        "version": scenario.version,
        "title": scenario.title,
        "description": scenario.description,
        "now": scenario.now.isoformat(),
        "tick": scenario.tick or None,
        "user": scenario.user.model_dump(exclude_none=True),
    }
    return {
        "scenario.toml": "".join(f"{key} = {_value(value)}\n" for key, value in head.items() if value is not None),
        "schema.sql": scenario.db_schema,
        "invariants.sql": scenario.invariants,
        "data.sql": scenario.data,
        "tools.toml": "\n".join(map(_tool, scenario.tools.values())),
        "tasks.toml": "\n".join(map(_task, scenario.tasks.values())),
    }


def _tool(tool: Tool) -> str:
    lines = [f"[{tool.name}]", f"description = {_value(tool.description)}"]
    for name, param in tool.params.items():
        lines.append(f"params.{name} = {_value(_lean(param))}")
    lines.append(f"sql = {_value(tool.sql)}")
    for key, entries in (("examples", tool.examples), ("refuses", tool.refuses)):
        if entries:
            lines.append(f"{key} = {_rows([entry.model_dump(exclude_none=True) for entry in entries])}")
    return "\n".join(lines) + "\n"


def _lean(param: Param) -> dict[str, Any]:
    return {key: value for key, value in param.model_dump(exclude_defaults=True).items() if value is not None}


def _task(task: Task) -> str:
    infeasible = task.infeasible and {
        "why": task.infeasible.why,
        "lifted_by": task.infeasible.lifted_by,
        "shown_by": [_call(call) for call in task.infeasible.shown_by],
    }
    allowances = {
        name: {"rows": allowed.rows, "columns": list(allowed.columns)} if allowed.columns else allowed.rows
        for name, allowed in task.may_change.items()
    }
    head = {
        "instruction": task.instruction,
        "given": task.given,
        "answer": task.answer and _answer(task.answer),
        "expect": task.expect,
        "infeasible": infeasible,
        "derived": task.derived or None,
        "may_change": allowances or None,
    }
    text = f"[{task.name}]\n" + "".join(
        f"{key} = {_value(value)}\n" for key, value in head.items() if value is not None
    )
    text += f"solution = {_calls(task.solution)}\n"
    if task.checks:
        text += f"\n[{task.name}.checks]\n" + "".join(f"{name} = {_value(sql)}\n" for name, sql in task.checks.items())
    for changes in task.changes:
        title = f"[{task.name}.changes]" if len(task.changes) == 1 else f"[[{task.name}.changes]]"
        text += f"\n{title}\n{_changes(changes)}"
    if task.near_misses:
        text += f"\n[{task.name}.near_misses]\n"
        text += "".join(f"{name} = {_calls(calls)}\n" for name, calls in task.near_misses.items())
    return text


def _answer(answer: Answer) -> Any:
    document: dict[str, Any] = {"type": answer.type}
    if answer.tolerance != Answer.model_fields["tolerance"].default:
        document["tolerance"] = answer.tolerance
    if answer.items is not None:
        document["items"] = _answer(answer.items)
        if not answer.ordered:
            document["ordered"] = False
    if answer.fields:
        document["fields"] = {name: _answer(field) for name, field in answer.fields.items()}
    return answer.type if document == {"type": answer.type} else document


def _changes(changes: Changes) -> str:
    text = ""
    for table, rows in changes.rows.items():
        documents = []
        for row in rows:
            cells = {c: {"sql": v.sql} if isinstance(v, Sql) else v for c, v in row.columns.items()}
            if isinstance(row, ChangedRow):
                documents.append(cells | ({"gone": True} if row.gone else {}))
            else:
                documents.append({"new": row.name} | cells)
        text += f"{_key(table)} = {_rows(documents)}\n"
    return text + (f"any = {_value(list(changes.any))}\n" if changes.any else "")


def _call(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": dict(call.arguments)}


def _calls(calls: tuple[ToolCall, ...]) -> str:
    return _rows([_call(call) for call in calls])


def _rows(entries: list[Any]) -> str:
    """A list with an entry a line."""
    return "[\n" + "".join(f"  {_inline(entry)},\n" for entry in entries) + "]" if entries else "[]"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _inline(name)


def _value(value: Any) -> str:
    """A TOML value; text of several lines stays readable if it can."""
    if isinstance(value, str) and "\n" in value and _fits_literal(value):
        return f"'''\n{value}'''"
    return _inline(value)


def _fits_literal(text: str) -> bool:
    """Whether a TOML literal string can hold the text: it has no escapes."""
    return "'''" not in text and not text.endswith("'") and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)


def _inline(value: Any) -> str:
    """A TOML value on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_inline(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    if value is None:
        raise ScenarioError("TOML has no null; leave the key out")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON scalars are TOML scalars
