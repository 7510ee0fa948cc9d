"""Tools, compiled: each statement prepared once, its parameters and columns known, guards made from `of`."""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw

from awm_gym.database import MAX_JUDGE_STEPS, Phase, Template, checked_statements, sql_error
from awm_gym.errors import ScenarioError, unknown
from awm_gym.scenario import Param, Tool
from awm_gym.sql import CONTENT_VERBS, Statement, literal, parameters, quote


class Prepared(NamedTuple):
    """A statement that compiles: its result columns (none if it answers nothing) and whether it writes."""

    sql: str
    line: int
    columns: tuple[str, ...]
    writes: bool
    parameters: frozenset[str]


class CompiledTool(NamedTuple):
    """A tool ready to run.

    Attributes:
        statements: the guards made from `of`, then the tool's own script.
        answer: index of the statement whose rows are the result, -1 if none answers.
        writes: whether any statement writes.
    """

    tool: Tool
    statements: tuple[Prepared, ...]
    answer: int
    writes: bool


def compile_tools(template: Template) -> dict[str, CompiledTool]:
    """Compile all tools of a scenario.

    Raises:
        ScenarioError: a tool's SQL does not compile, or its parameters and its SQL disagree.
    """
    template.db.create_scalar_function("refuse", lambda *_: None, 1)  # statements are prepared here, not run
    return {name: _compile(template, tool) for name, tool in template.scenario.tools.items()}


def _compile(template: Template, tool: Tool) -> CompiledTool:
    where = f"{tool.name}.sql"
    own = checked_statements(tool.sql, "tools.toml", CONTENT_VERBS, where)
    if not own:
        raise ScenarioError("has no statement; write at least one", file="tools.toml", key=where)
    guards = [
        (key, statement)
        for name, param in tool.params.items()
        for key in [f"{tool.name}.params.{name}"]
        if param.of
        for statement in checked_statements(_guard(template, tool, name, param), "tools.toml", CONTENT_VERBS, key)
    ]
    script = [prepare(template, Phase.TOOL, st, "tools.toml", key) for key, st in guards]
    script += [prepare(template, Phase.TOOL, statement, "tools.toml", where) for statement in own]
    _parameters_agree(tool, script)
    answering = [index for index, statement in enumerate(script) if statement.columns]
    answer = answering[-1] if answering else -1
    if answer >= 0:
        columns = script[answer].columns
        twice = {column for column in columns if columns.count(column) > 1}
        if twice:
            raise ScenarioError(
                f"the result has two columns named {sorted(twice)[0]!r}; rename one with AS",
                file="tools.toml",
                key=where,
            )
    return CompiledTool(tool, tuple(script), answer, any(statement.writes for statement in script))


def _parameters_agree(tool: Tool, script: list[Prepared]) -> None:
    used = frozenset[str]().union(*(statement.parameters for statement in script))
    if undeclared := sorted(used - set(tool.params)):
        raise ScenarioError(
            f":{undeclared[0]} is used but not declared; add params.{undeclared[0]}. "
            + unknown("parameter", undeclared[0], tool.params),
            file="tools.toml",
            key=f"{tool.name}.sql",
        )
    if unused := sorted(set(tool.params) - used):
        raise ScenarioError(
            f"is declared but :{unused[0]} is never used; use it or remove it",
            file="tools.toml",
            key=f"{tool.name}.params.{unused[0]}",
        )


def reference(template: Template, param: Param, key: str) -> tuple[str, str]:
    """The table and column that `of` names.

    Raises:
        ScenarioError: there is no such table or column, or the table's key has several columns.
    """
    name, _, column = (param.of or "").partition(".")
    table = template.tables.get(name)
    if table is None:
        raise ScenarioError(unknown("table", name, template.tables), file="tools.toml", key=f"{key}.of")
    if not column and len(table.key) != 1:
        raise ScenarioError(
            f'the key of {name} has {len(table.key)} columns; name one: of = "{name}.{table.key[0]}"',
            file="tools.toml",
            key=f"{key}.of",
        )
    if column and column not in table.column_names:
        raise ScenarioError(
            unknown(f"column of {name}", column, table.column_names), file="tools.toml", key=f"{key}.of"
        )
    return name, column or table.key[0]


def _guard(template: Template, tool: Tool, name: str, param: Param) -> str:
    """SQL that refuses a value which no row of the table has."""
    table, column = reference(template, param, f"{tool.name}.params.{name}")
    source, value = f":{name} AS item", "item"
    if param.type == "array":
        source, value = f"json_each.value AS item, json_each.key AS place FROM json_each(:{name})", "item"
    noun = literal(f"There is no {param.noun or table.replace('_', ' ')} ")
    condition = f" AND ({param.where})" if param.where else ""
    matches = f"SELECT 1 FROM {quote(table)} WHERE {quote(table)}.{quote(column)} = _asked.{value}{condition}"
    order = " ORDER BY place" if param.type == "array" else ""
    return (
        f"SELECT refuse({noun} || item || '.') FROM (SELECT {source}) AS _asked "
        f"WHERE item IS NOT NULL AND NOT EXISTS ({matches}){order};"
    )


def prepare(template: Template, phase: Phase, statement: Statement, file: str, key: str) -> Prepared:
    """Compile one statement of the author's without running it.

    Raises:
        ScenarioError: it does not compile, or does what its phase does not allow.
    """
    seen: list[tuple[tuple[str, ...], bool]] = []

    def look(cursor: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
        columns = tuple(column[0] for column in cursor.get_description())
        seen.append((columns, not cursor.is_readonly))
        return False  # do not run it

    try:
        used = parameters(statement.text)
    except ScenarioError as error:
        raise ScenarioError(f"line {statement.line}: {error.problem}", file=file, key=key) from None
    with template.lock:
        cursor = template.db.cursor()
        cursor.exec_trace = look
        template.guard.start(MAX_JUDGE_STEPS)
        template.guard.phase = phase
        try:
            cursor.execute(statement.text, dict.fromkeys(used))
        except apsw.ExecTraceAbort:
            pass
        except apsw.Error as error:
            raise sql_error(error, statement, template.guard, file=file, key=key) from error
        finally:
            template.guard.phase = Phase.RUNTIME
    columns, writes = seen[0]
    return Prepared(statement.text, statement.line, columns, writes, used)
