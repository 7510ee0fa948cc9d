"""Inside a worker: whether an application keeps anything outside its database.

A walk over what its module holds writes down every object, in its place. If calls leave all of them there, then what
follows cannot tell that they were made. What the walk cannot look into counts as kept.
"""

from __future__ import annotations

import os
import types
from collections import deque
from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, scoped_session

_CHANGELESS = frozenset(
    "str int float complex bytes bool NoneType ellipsis range function builtin_function_or_method module "
    "getset_descriptor member_descriptor".split()
)
# What libraries keep in objects of their own are caches, and what was declared; but not in these.
_LIBRARIES = frozenset(
    "sqlalchemy fastapi starlette pydantic pydantic_core annotated_types typing types re enum datetime decimal uuid "
    "fractions zoneinfo pathlib logging abc _abc __future__".split()
)
_SESSIONS = (Session, scoped_session, Connection)


class Unclear(Exception):
    """Something that the walk cannot look into."""


def snapshot(module: types.ModuleType, *roots: Any) -> list[Any]:
    """All objects that a module, other roots and the environment hold, in the order of a walk.

    Raises:
        Unclear: something in there may change without being seen.
    """
    walk = _Walk(module.__name__)
    for root in (*_declared(module), vars(os.environ), *roots):
        walk.over(root)
    return walk.met


def same(first: list[Any], second: list[Any]) -> bool:
    """Whether two walks met the same objects in the same order."""
    return len(first) == len(second) and all(map(_is, first, second))


def _is(one: Any, other: Any) -> bool:
    return one is other


class _Walk:
    def __init__(self, owner: str) -> None:
        self._owner, self._seen = owner, set[int]()
        self.met: list[Any] = []  # which also keeps what was met alive, so that no other takes its place

    def over(self, root: Any) -> None:
        waiting = [root]
        while waiting:
            value = waiting.pop()
            self.met.append(value)
            if id(value) not in self._seen:
                self._seen.add(id(value))
                waiting += self._held_by(value)

    def _held_by(self, value: Any) -> Iterable[Any]:
        match value:
            case dict():
                return [*value, *value.values()]
            case list() | tuple() | set() | frozenset() | deque():
                return value
            case types.FunctionType() if value.__module__ == self._owner:
                return [value.__defaults__, value.__kwdefaults__, vars(value), *_enclosed(value)]
            case type():
                return _declared(value) if value.__module__ == self._owner else []
            case classmethod() | staticmethod():
                return [value.__func__]
            case property():
                return [value.fget, value.fset, value.fdel]
        kind = type(value)
        if kind.__module__ == self._owner:
            return [getattr(value, "__dict__", None)]
        known = kind.__name__ in _CHANGELESS or kind.__module__.partition(".")[0] in _LIBRARIES
        if not known or isinstance(value, _SESSIONS):
            raise Unclear(kind.__name__)
        return ()


def _declared(home: type | types.ModuleType) -> list[Any]:
    """What its author put into a class or a module; what Python and libraries add has such names."""
    return [held for name, held in vars(home).items() if not name.startswith(("__", "_sa_", "_abc_"))]


def _enclosed(function: types.FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
