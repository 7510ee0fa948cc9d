"""A generated application as text with a known structure: where its parts are, and edits by place. Nothing runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import NamedTuple

_METHODS = frozenset("get post put patch delete head options trace".split())
_TYPES = ("Column", "mapped_column")


class Handler(NamedTuple):
    """A function that answers an operation.

    Attributes:
        operation: the operation's id as its decorator gives it; "" if it gives none.
        node: the function.
        route: the decorator.
    """

    operation: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    route: ast.Call


class Model(NamedTuple):
    """A class that stands for a table.

    Attributes:
        table: its name.
        columns: attribute -> name of the column.
        types: name of the column -> name of its type in the code, such as "DateTime".
    """

    table: str
    columns: Mapping[str, str]
    types: Mapping[str, str]


@dataclass
class Program:
    """A parsed application.

    Attributes:
        code: its text.
        tree: the same, parsed.
        apps: variables that hold an application.
        engines: variables that hold an engine.
        makers: variables that hold a maker of sessions.
        handlers: in the order of the text.
        models: name of the class -> its table.
        end: number of the line before which the module may be extended.
    """

    code: str
    tree: ast.Module
    apps: list[str] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)
    makers: list[str] = field(default_factory=list)
    handlers: list[Handler] = field(default_factory=list)
    models: dict[str, Model] = field(default_factory=dict)
    end: int = 0

    @classmethod
    def of(cls, code: str) -> Program | None:
        """Parse an application; None if Python cannot."""
        code = code.replace("\r\n", "\n")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of strange escapes in its strings
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if "\r" in code:  # Python would count lines otherwise than we do
            return None
        program = cls(code, tree, end=code.count("\n") + 2)
        for node in tree.body:
            program._take(node)
        return program

    def _take(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            kinds = {"FastAPI": self.apps, "create_engine": self.engines, "sessionmaker": self.makers}
            kinds.get(_called(node.value), []).append(node.targets[0].id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.handlers.extend(_handlers(node))
        elif isinstance(node, ast.ClassDef):
            if model := _model(node):
                self.models[node.name] = model
        elif isinstance(node, ast.If) and "__name__" in _names(node.test):
            self.end = min(self.end, node.lineno)

    def inserted(self, texts: Mapping[int, str]) -> str:
        """The code with texts before lines of these numbers."""
        lines = self.code.split("\n")
        for number in sorted(texts, reverse=True):
            lines[number - 1 : number - 1] = texts[number].rstrip("\n").split("\n")
        return "\n".join(lines)

    def replaced(self, node: ast.expr, text: str) -> str:
        """The code with a text instead of an expression of one line."""
        lines = self.code.split("\n")
        line = lines[node.lineno - 1].encode()
        lines[node.lineno - 1] = (line[: node.col_offset] + text.encode() + line[node.end_col_offset :]).decode()
        return "\n".join(lines)


def block(name: str) -> str:
    """The text of a module of `inserted`, without its docstring."""
    text = files("awm_gym.formats.awm.repair.inserted").joinpath(f"{name}.py").read_text("utf-8")
    return text.partition('"""\n')[2].strip("\n") + "\n"


def marked(code: str, name: str) -> bool:
    """Whether a program holds that text already, of whatever version."""
    return block(name).partition("\n")[0] in code


def literal(node: ast.expr | None) -> str:
    """The text that an expression of one line is; "" if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno == node.end_lineno:
        return node.value
    return ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """What a call gives by a name."""
    return next((argument.value for argument in call.keywords if argument.arg == name), None)


def _called(node: ast.expr) -> str:
    """The last name of what is called."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _handlers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Handler]:
    for route in node.decorator_list:
        if isinstance(route, ast.Call) and isinstance(route.func, ast.Attribute) and route.func.attr in _METHODS:
            yield Handler(literal(keyword(route, "operation_id")), node, route)


def _model(node: ast.ClassDef) -> Model | None:
    table = ""
    columns: dict[str, str] = {}
    types: dict[str, str] = {}
    for part in node.body:
        target: ast.expr | None = part.targets[0] if isinstance(part, ast.Assign) else getattr(part, "target", None)
        value = getattr(part, "value", None)
        if not isinstance(target, ast.Name) or value is None:
            continue
        if target.id == "__tablename__":
            table = literal(value)
        elif _called(value) in _TYPES:
            arguments: list[ast.expr | None] = [*value.args, None, None]
            name = literal(arguments[0])
            columns[target.id] = name or target.id
            types[name or target.id] = _type_name(arguments[1 if name else 0])
    return Model(table, columns, types) if table else None


def _type_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call):
        return _called(node)
    return node.id if isinstance(node, ast.Name) else ""
