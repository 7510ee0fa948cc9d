"""The database of a scenario as AgentWorldModel's loader builds it: a statement at a time, no clock, no user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import apsw

from awm_gym.database import Table
from awm_gym.errors import ScenarioError
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.export.older import translated
from awm_gym.formats.awm.export.sources import spelled_out
from awm_gym.formats.awm.records import AwmScenario, TableRows, TableSchema
from awm_gym.scenario import Scenario
from awm_gym.sql import literal, quote, statements
from awm_gym.world import compiled

_IDENTIFIER = r"(\"(?:[^\"]|\"\")+\"|\w+)"
_CREATES_TABLE = re.compile(rf"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_IDENTIFIER}", re.I)
_FILLS = re.compile(rf"\bINTO\s+{_IDENTIFIER}", re.I)
_ELSEWHEN = datetime(1971, 1, 1)  # when no data are loaded


class Filled(NamedTuple):
    """Statements that fill a table."""

    table: str
    statements: tuple[str, ...]


class Database(NamedTuple):
    """A schema and what fills it, in the order in which it is run."""

    schema: tuple[TableSchema, ...]
    rows: tuple[Filled, ...]


def database(scenario: Scenario) -> Database:
    """The database of a scenario, such that its loader gets every row as it is, whatever its clock says.

    The author's own statements, and then what sets right the cells that were filled in by the clock.

    Raises:
        ScenarioError: the rows become others all the same.
    """
    schema, rows = tuple(_schema(scenario)), tuple(_statements(scenario))
    whole = Database(schema, (*rows, *_corrections(scenario, _loaded(scenario, Database(schema, rows)))))
    for table, _ in _corrections(scenario, _loaded(scenario, whole)):
        raise _not_the_same(scenario, table)
    return whole


def _schema(scenario: Scenario) -> Iterator[TableSchema]:
    """Each table with what stands between it and the next: indexes, views, triggers."""
    name, script = "", list[str]()
    for statement in statements(scenario.db_schema):
        if match := _CREATES_TABLE.match(statement.text):
            if name:
                yield TableSchema(name=name, ddl=script[0], indexes=tuple(script[1:]))
                script = []
            name = _plain(match[1])
        script.append(translated(statement.text))
    yield TableSchema(name=name, ddl=script[0], indexes=tuple(script[1:]))


def _plain(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def _statements(scenario: Scenario) -> Iterator[Filled]:
    """The author's own statements, in their order."""
    values = {"now": scenario.now.isoformat(), "me": scenario.user.id}
    script = [spelled_out(statement.text, values) for statement in statements(scenario.data)]
    for table, run in groupby(script, _table_of):
        yield Filled(table, tuple(run))


def _table_of(sql: str) -> str:
    match = _FILLS.search(sql)
    assert match is not None  # data are INSERTs
    return _plain(match[1])


def _loaded(scenario: Scenario, found: Database) -> bytes:
    """What a loader makes of a database at some other time."""
    rows = tuple(TableRows(table_name=table, insert_statements=script) for table, script in found.rows)
    base = build(AwmScenario(scenario.name, scenario.title, "", (), found.schema, rows, (), "", {}), now=_ELSEWHEN)
    for lost in (*base.lost_tables, *base.lost_inserts):
        problem = f"cannot be loaded without our clock and user: {lost.error}, in: {lost.statement}"
        raise ScenarioError(problem, file="data.sql", scenario=scenario.name)
    return base.image


def _corrections(scenario: Scenario, image: bytes) -> Iterator[Filled]:
    """Statements that make the rows of a loaded database what they are here."""
    template = compiled(scenario).template
    with closing(apsw.Connection(":memory:")) as db:
        db.deserialize("main", image)
        for table in template.tables.values():
            sql = f"SELECT * FROM {quote(table.name)}"
            right = {_of(table, row, table.key): row for row in template.query(sql)}
            there = {_of(table, row, table.key): row for row in db.execute(sql)}
            if set(right) != set(there):
                raise _not_the_same(scenario, table.name)
            if script := tuple(_update(table, row) for key, row in sorted(right.items()) if row != there[key]):
                yield Filled(table.name, script)


def _not_the_same(scenario: Scenario, table: str) -> ScenarioError:
    problem = f"the rows of {table} become others when they are loaded at another time; write them out"
    return ScenarioError(problem, file="data.sql", scenario=scenario.name)


def _of(table: Table, row: tuple[Any, ...], columns: Iterable[str]) -> tuple[Any, ...]:
    """Some cells of a row."""
    return tuple(row[table.column_names.index(column)] for column in columns)


def _update(table: Table, row: tuple[Any, ...]) -> str:
    cells = {name: f"{quote(name)} = {literal(value)}" for name, value in zip(table.column_names, row, strict=True)}
    rest = ", ".join(cell for name, cell in cells.items() if name not in table.key)
    return f"UPDATE {quote(table.name)} SET {rest} WHERE {' AND '.join(cells[name] for name in table.key)};"
