"""Applications that write dates and times in one form, and take text for them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from awm_gym.formats.awm.repair.program import Program, block, marked

_TYPES = {"DateTime": "_AwmDateTime", "Date": "_AwmDate"}
_SOURCES = ("sqlalchemy", "sqlalchemy.types")


def in_one_form(code: str) -> str:
    """The application with types of our own behind the names DateTime and Date; as it was where it imports neither."""
    program = Program.of(code)
    if program is None or marked(code, "moments"):
        return code
    imports = list(_imports(program.tree))
    names = {alias.asname or alias.name: alias.name for node in imports for alias in node.names if alias.name in _TYPES}
    if not names:
        return code
    ends = [node.end_lineno or node.lineno for node in imports]
    meant = "\n".join(f"{name} = {_TYPES[kind]}" for name, kind in names.items())
    return program.inserted({max(ends) + 1: f"{block('moments')}\n\n{meant}\n"})


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    """Imports of these names that stand before all classes."""
    for node in itertools.takewhile(lambda node: not isinstance(node, ast.ClassDef), tree.body):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module in _SOURCES
            and _TYPES.keys() & {a.name for a in node.names}
        ):
            yield node
