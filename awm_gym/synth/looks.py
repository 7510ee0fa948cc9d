"""Worlds for a model to look into while it writes: rows of queries, answers of calls, and of the examples of tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from awm_gym.errors import ScenarioError
from awm_gym.scenario import RESERVED, Example, Task, Tool, ToolCall
from awm_gym.synth.draft import Draft
from awm_gym.synth.forms import GoalForm, ProofForm, Unfit
from awm_gym.world import World

_MAX_SHOWN = 40  # rows of a look


class Worlds:
    """Worlds to run new tools in: one for all of them, or one for each if some are no tools yet."""

    def __init__(self, draft: Draft, tools: Sequence[Tool]) -> None:
        self._draft = draft
        self._alone: list[World] = []
        self._all = self._open(tools)

    def _open(self, tools: Sequence[Tool]) -> World | None:
        try:
            world = World(replace(self._draft, tools=tuple(tools)).scenario())
        except ScenarioError:
            return None
        self._alone.append(world)
        return world

    def of(self, tool: Tool) -> World | None:
        """The world for a tool; None if it does not compile, which its stage will tell."""
        return self._all or self._open([tool])

    def close(self) -> None:
        """Release them."""
        for world in self._alone:
            world.close()


def answered(world: World | None, tool: Tool, counts: Sequence[int]) -> Tool:
    """A tool whose examples have the rows that it answers.

    Raises:
        Unfit: it answers more rows or fewer than were said, or none at all, or refuses.
    """
    if world is None:
        return tool
    examples = []
    try:
        for example, count in zip(tool.examples, counts, strict=True):
            world.start_from(example.given)
            result = world.call(ToolCall(tool.name, example.arguments))
            place = f"{tool.name}: the example {json.dumps(example.arguments, ensure_ascii=False)}"
            if result.kind is not None:
                raise Unfit(f"{place} is answered {result.kind}: {result.text}")
            if result.total != count:
                raise Unfit(f"{place} answers {result.total} rows, not {count}: {result.text[:300]}")
            rows = tuple({key: cell for key, cell in row.items() if cell is not None} for row in result.rows)
            examples.append(Example(given=example.given, arguments=example.arguments, rows=rows))
    except ScenarioError as error:
        raise Unfit(f"{tool.name}: an example fails: {error.problem}") from None
    if examples and not any(example.rows for example in examples):
        raise Unfit(f"{tool.name}: no example answers a row; give one that shows what the tool does")
    return tool.model_copy(update={"examples": tuple(examples)})


class Looks:
    """Lets a model look at the data, and play calls, while it writes."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def look(self, form: GoalForm) -> str:
        """The rows of the queries that a form holds."""
        return self._told("", form.look, [])

    def seen_from(self, task: Task) -> Callable[[Any], str]:
        """Looks from the start of a task."""

        def look(form: ProofForm) -> str:
            return self._told(task.given or "", form.look, [(call.tool, call.arguments) for call in form.play])

        return look

    def _told(self, given: str, queries: Sequence[str], calls: Sequence[tuple[str, str]]) -> str:
        if not queries and not calls:
            return ""
        try:
            world = World(self._draft.scenario())
        except ScenarioError as error:
            return f"Nothing can be shown: {error}"
        try:
            world.start_from(given or None)
            told = [f"{query}\n{_rows(world, query)}" for query in queries[:10]]
            told += [f"{name}({arguments})\n{_played(world, name, arguments)}" for name, arguments in calls[:30]]
            return "\n\n".join(told)
        except ScenarioError as error:
            return f"Nothing can be shown: {error}"
        finally:
            world.close()


def _rows(world: World, query: str) -> str:
    """The rows of a query, or why there are none."""
    try:
        rows, names = world.query_with_names(query.strip().rstrip(";"), {}, ScenarioError(""))
    except ScenarioError as error:
        return str(error)
    lines = [" | ".join(names), *(" | ".join(map(str, row)) for row in rows[:_MAX_SHOWN])]
    more = [f"... {len(rows) - _MAX_SHOWN} rows more"] if len(rows) > _MAX_SHOWN else []
    return "\n".join([*lines, *more]) if rows else "no row"


def _played(world: World, name: str, arguments: str) -> str:
    """What a call is answered."""
    try:
        document = json.loads(arguments or "{}")
    except ValueError as error:
        return f"the arguments are no JSON: {error}"
    if name in RESERVED:
        return "ends the episode"
    result = world.call(ToolCall(name, document if isinstance(document, dict) else {}))
    return f"{result.kind}: {result.text}" if result.kind else result.text
