"""Solutions played call by call, and told anew where the data have changed: new rows may have other ids there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from awm_gym.formats.awm.audit.naming import Names
from awm_gym.formats.awm.host import App, ToolInfo
from awm_gym.formats.awm.images import Difference, Images, Value
from awm_gym.scenario import ToolCall

_SECONDS = 5.0  # until a call must have been answered

_Ids = dict[tuple[str, Value], Value]  # (table, id that a row would have had) -> id that it has


class Run(NamedTuple):
    """A solution that was played.

    Attributes:
        calls: as they were made.
        made: for each call, the rows that it made.
        errors: what the application raised.
        image: the database in the end.
    """

    calls: tuple[ToolCall, ...]
    made: tuple[tuple[Difference, ...], ...]
    errors: tuple[str, ...]
    image: bytes


def played(calls: Sequence[ToolCall], app: App, images: Images) -> Run:
    """Play calls.

    Raises:
        EnvironmentFault: the application does not last, or makes a database that cannot be read.
        UsageError: there is no such tool.
    """
    return retold(calls, [()] * len(calls), (), app, Names({}), images)


def retold(
    calls: Sequence[ToolCall],
    made: Sequence[Sequence[Difference]],
    gone: Sequence[Difference],
    app: App,
    names: Names,
    images: Images,
) -> Run:
    """Play calls that were written for other data. Ids that they name become those that the same rows have here.

    Args:
        calls: as they were written.
        made: for each, the rows that it made there.
        gone: rows that were there and are not here; a new one of the same kind stands for one of them.
        app: the application here.
        names: what arguments name.
        images: who reads databases.

    Raises:
        EnvironmentFault, UsageError: as `played`.
    """
    tools = {tool.name: tool for tool in app.tools}
    ids: _Ids = {}
    here: list[tuple[Difference, ...]] = []
    told, errors = [], []
    with app.reset() as episode:
        before = app.initial
        for call, there in zip(calls, made, strict=True):
            arguments = {
                name: _renamed(name, value, tools.get(call.name), names, ids) for name, value in call.arguments.items()
            }
            answer = episode.call(call.name, arguments, seconds=_SECONDS)
            after = episode.image()
            here.append(tuple(row for row in images.differing(before, after) if row.kind == "added"))
            ids |= _new_ids(here[-1], there, gone)
            told.append(ToolCall(call.name, arguments))
            errors += [answer.error] if answer.error else []
            before = after
    return Run(tuple(told), tuple(here), tuple(errors), before)


def _renamed(name: str, value: Any, tool: ToolInfo | None, names: Names, ids: _Ids) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(key, part, tool, names, ids) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(name, part, tool, names, ids) for part in value]
    place = names.key(tool, name) if tool and ids else None
    return ids.get((place.table, value), value) if place and isinstance(value, int | str) else value


def _new_ids(here: Sequence[Difference], there: Sequence[Difference], gone: Sequence[Difference]) -> _Ids:
    """What the ids of rows there are here."""
    found: _Ids = {}
    for table in {row.table: None for row in here}:
        new = [_id(row) for row in here if row.table == table]
        old = [_id(row) for row in there if row.table == table] or [_id(row) for row in gone if row.table == table]
        found |= {(table, one): other for one, other in zip(old, new, strict=False)}
    return found


def _id(row: Difference) -> Value:
    return next(iter(row.key.values()), None)
