"""Operations that another one hides get a path of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from awm_gym.formats.awm import openapi
from awm_gym.formats.awm.host import Collision, ToolInfo
from awm_gym.formats.awm.openapi import Operation
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.formats.awm.repair.program import Handler, Program, keyword, literal
from awm_gym.formats.awm.repair.values import Action


def rerouted(scenario: AwmScenario, tools: Sequence[ToolInfo], collision: Collision) -> tuple[AwmScenario, Action]:
    """The scenario with the second of two colliding operations elsewhere; or as it was, and why.

    Args:
        scenario: as the tools were found.
        tools: of its application.
        collision: of two of them.
    """
    place = collision.second
    program = Program.of(scenario.code)
    handlers = [found for found in program.handlers if found.operation == _id(collision)] if program else []
    if collision.kind == "name":
        return _renamed(scenario, program, handlers, collision)
    if program is None or len(handlers) != 1:
        return scenario, _left(place, f"{collision.first} takes its requests, and its route is not to be found")
    node = handlers[0].route.args[0] if handlers[0].route.args else keyword(handlers[0].route, "path")
    own = next(_paths(collision, tools), "")
    if node is None or not literal(node) or not own:
        return scenario, _left(place, f"{collision.first} takes its requests, and no path would be its own")
    ending = own.removeprefix(collision.path)
    code = program.replaced(node, json.dumps(literal(node) + ending))
    method = collision.method.upper()
    endpoints = tuple(
        endpoint.model_copy(update={"path": endpoint.path + ending})
        if endpoint.operation_id == place and endpoint.method.upper() == method and endpoint.path == collision.path
        else endpoint
        for endpoint in scenario.endpoints
    )
    words = f"{collision.first} took its requests; it is now {method} {own}"
    return replace(scenario, code=code, endpoints=endpoints), Action(kind="route", place=place, words=words)


def _renamed(
    scenario: AwmScenario, program: Program | None, handlers: list[Handler], collision: Collision
) -> tuple[AwmScenario, Action]:
    """The second of two operations of one id under the name that its tool has."""
    ids = [node for handler in handlers if (node := keyword(handler.route, "operation_id"))]
    if program is None or len(ids) < 2:
        return scenario, _left(collision.second, f"{collision.first} has the same id, which is not to be found")
    code = program.replaced(ids[1], json.dumps(collision.second))
    words = f"it had the id of {collision.first}; it is now {collision.second}"
    return replace(scenario, code=code), Action(kind="route", place=collision.second, words=words)


def _id(collision: Collision) -> str:
    return collision.first if collision.kind == "name" else collision.second


def _left(place: str, words: str) -> Action:
    return Action(kind="left", place=place, words=words)


def _paths(collision: Collision, tools: Sequence[ToolInfo]) -> Iterator[str]:
    """Paths that no other operation takes requests to."""
    path = collision.path.rstrip("/")
    others = [(tool.method, tool.path) for tool in tools if tool.name != collision.second]
    for own in (f"{path}/{collision.second}", f"{path}-{collision.second}"):
        if not any(_collide(collision.method, first, own) for first in others):
            yield own


def _collide(method: str, first: tuple[str, str], second: str) -> bool:
    found = [_bare("first", *first), _bare("second", method, second)]
    return any(openapi.collisions(found, ["first", "second"])) or any(
        openapi.collisions(found[::-1], ["second", "first"])
    )


def _bare(name: str, method: str, path: str) -> Operation:
    return Operation(name, method, path, "", {}, {}, free=False, body=False)
