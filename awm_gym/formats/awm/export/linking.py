"""Source text that stands alone: definitions of this package and all that they use, in one piece.

So an exported program does what the package does, because it is the same code.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from awm_gym.errors import UsageError

_PACKAGE = "awm_gym"


class Place(NamedTuple):
    """A definition: the module that it stands in, and its name there."""

    module: str
    name: str


class _Source(NamedTuple):
    """A module as text.

    Attributes:
        lines: its lines.
        definitions: name -> what defines it at the top level, in order.
        imports: name -> where it comes from; the name is "" if it is a module itself.
    """

    lines: list[str]
    definitions: dict[str, ast.stmt]
    imports: dict[str, Place]


def linked(roots: Iterable[Place], instead: Mapping[Place, Place], imports: Iterable[Place] = ()) -> str:
    """The source of definitions, and of all of this package's that they use.

    Args:
        roots: what is wanted.
        instead: definitions that others stand in for, under the same name.
        imports: what the text shall import besides.

    Raises:
        UsageError: two definitions have one name.
    """
    linker = _Linker(instead)
    for root in roots:
        linker.visit(root)
    return linker.text(imports)


class _Linker:
    def __init__(self, instead: Mapping[Place, Place]) -> None:
        self._instead = instead
        self._found: set[Place] = set()
        self._imports: set[Place] = set()

    def visit(self, place: Place) -> None:
        """Take a definition in, and what it uses."""
        place = self._instead.get(place, place)
        source = _read(place.module)
        if place.name in source.imports:
            origin = source.imports[place.name]
            if origin.module.partition(".")[0] == _PACKAGE:
                self.visit(origin)
            else:
                self._imports.add(origin)
        elif place not in self._found:
            self._found.add(place)
            for name in _names(source.definitions[place.name]):
                if name in source.definitions or name in source.imports:
                    self.visit(Place(place.module, name))

    def text(self, imports: Iterable[Place]) -> str:
        """The imports, and all definitions, each as it stands in its module."""
        names = [place.name for place in self._found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"two definitions of {twice[0]} cannot stand in one text; rename one")
        definitions = [
            _segment(_read(module), node)
            for module in self._modules()
            for name, node in _read(module).definitions.items()
            if Place(module, name) in self._found
        ]
        return _written({*self._imports, *imports}) + "".join(definitions)

    def _modules(self) -> list[str]:
        """The modules of what was found, each after those that it imports from."""
        found = {place.module for place in self._found}
        order: list[str] = []
        met: set[str] = set()

        def visit(module: str) -> None:
            if module in met:
                return
            met.add(module)
            others = {self._instead.get(origin, origin).module for origin in _read(module).imports.values()}
            for other in sorted(others & found):
                visit(other)
            order.append(module)

        for module in sorted(found):
            visit(module)
        return order


def _written(imports: Iterable[Place]) -> str:
    modules: dict[str, list[str]] = {}
    for place in sorted(imports):
        modules.setdefault(place.module, []).extend([place.name] if place.name else [])
    whole = [f"import {module}" for module, names in modules.items() if not names]
    parts = [f"from {module} import {', '.join(names)}" for module, names in modules.items() if names]
    return "\n".join(["from __future__ import annotations", "", *whole, *parts]) + "\n"


def _segment(source: _Source, node: ast.stmt) -> str:
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    space = "\n" if isinstance(node, ast.Assign | ast.AnnAssign) else "\n\n"
    return space + "\n".join(source.lines[first - 1 : node.end_lineno]) + "\n"


def _names(node: ast.AST) -> list[str]:
    return list(dict.fromkeys(found.id for found in ast.walk(node) if isinstance(found, ast.Name)))


@lru_cache(maxsize=64)
def _read(module: str) -> _Source:
    spec = importlib.util.find_spec(module)
    assert spec is not None  # an import of our own
    assert spec.origin is not None
    text = Path(spec.origin).read_text("utf-8")
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, Place] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            imports.update({alias.name: Place(alias.name, "") for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            imports.update({alias.name: Place(node.module or "", alias.name) for alias in node.names})
        else:
            definitions.update({name: node for name in _defined(node)})
    return _Source(text.split("\n"), definitions, imports)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        yield from (target.id for target in targets if isinstance(target, ast.Name))
