"""Data mended: statements that were lost for their quotes, forms of times, capitals that the code does not know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.images import Images, Schema, Value
from awm_gym.formats.awm.mend import requoted
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.formats.awm.repair.program import Program
from awm_gym.formats.awm.repair.values import Action
from awm_gym.sql import quote

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.0+)?(?:Z|\+00:00)?")
_FORM = "%Y-%m-%d %H:%M:%S"


class Column(NamedTuple):
    """A column of a table."""

    table: str
    name: str


class Change(NamedTuple):
    """A value of a column that is to be another."""

    column: Column
    old: str
    new: str


def unquoted(scenario: AwmScenario, mended: Base) -> tuple[AwmScenario, tuple[Action, ...]]:
    """The scenario with the statements that ran only after their quotes had been mended, as they ran.

    Args:
        scenario: whose statements.
        mended: its database, built with `mend`.
    """
    ran = set(mended.mended)
    inserts = []
    actions = []
    for table in scenario.inserts:
        statements = tuple(
            other if (table.table_name, other := requoted(sql)) in ran and other != sql else sql
            for sql in table.insert_statements
        )
        if count := sum(old != new for old, new in zip(table.insert_statements, statements, strict=True)):
            words = f"{count} INSERT statements had quotes that SQLite does not take; they run now"
            actions.append(Action(kind="quotes", place=table.table_name, words=words))
        inserts.append(table.model_copy(update={"insert_statements": statements}))
    return replace(scenario, inserts=tuple(inserts)), tuple(actions)


def with_statements(scenario: AwmScenario, table: str, statements: list[str]) -> AwmScenario:
    """The scenario with further statements behind those that fill a table."""
    last = max(place for place, rows in enumerate(scenario.inserts) if rows.table_name == table)
    rows = scenario.inserts[last]
    longer = rows.model_copy(update={"insert_statements": (*rows.insert_statements, *statements)})
    return replace(scenario, inserts=(*scenario.inserts[:last], longer, *scenario.inserts[last + 1 :]))


def filled(scenario: AwmScenario, table: str) -> bool:
    """Whether there are statements that fill a table."""
    return any(rows.table_name == table for rows in scenario.inserts)


def updates(changes: list[Change]) -> list[str]:
    """Statements that make the changes."""
    return [
        f"UPDATE {quote(column.table)} SET {quote(column.name)} = {_text(new)} "
        f"WHERE {quote(column.name)} = {_text(old)};"
        for column, old, new in changes
    ]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def moments(program: Program, tables: Mapping[str, Schema], base: Base, images: Images) -> dict[Column, list[Change]]:
    """Times whose text has another form than the application would give them: "2026-03-01T00:00:00Z"."""
    found: dict[Column, list[Change]] = {}
    for model in program.models.values():
        for name, kind in model.types.items():
            column = Column(model.table, name)
            if kind in ("DateTime", "_AwmDateTime") and _exists(column, tables):
                changes = [
                    Change(column, value, new)
                    for value in _texts(column, base, images)
                    if (new := _in_form(value)) and new != value
                ]
                found |= {column: changes} if changes else {}
    return found


def _exists(column: Column, tables: Mapping[str, Schema]) -> bool:
    return column.table in tables and column.name in tables[column.table].columns


def _texts(column: Column, base: Base, images: Images) -> list[str]:
    values: list[Value] = images.values(base.image, column.table, column.name)
    return [value for value in values if isinstance(value, str)]


def _in_form(value: str) -> str:
    """A time in UTC, or in none, without a fraction of a second; "" where that cannot be said without loss."""
    match = _ISO.fullmatch(value)
    if match is None:
        return ""
    try:
        return datetime.strptime(f"{match[1]} {match[2]}{match[3] or ':00'}", _FORM).strftime(_FORM)
    except ValueError:
        return ""


def capitals(
    scenario: AwmScenario, program: Program, tables: Mapping[str, Schema], base: Base, images: Images
) -> dict[Column, list[Change]]:
    """Values that the code compares with, but for their capitals, where the column never has them as the code does.

    Where the code knows two forms, or a verifier the form of the data, nobody can say which is right.
    """
    verifiers = "".join(code for kinds in scenario.verifiers.values() for code in kinds.values())
    found: dict[Column, list[Change]] = {}
    for column, literals in _compared(program, tables).items():
        values = set(_texts(column, base, images))
        forms: dict[str, set[str]] = {}
        for text in literals:
            forms.setdefault(text.lower(), set()).add(text)
        changes = [
            Change(column, value, next(iter(known)))
            for value in sorted(values)
            if len(known := forms.get(value.lower(), set())) == 1
            and not known & values
            and not any(f"{mark}{value}{mark}" in verifiers for mark in "'\"")
        ]
        found |= {column: changes} if changes else {}
    return found


def _compared(program: Program, tables: Mapping[str, Schema]) -> dict[Column, set[str]]:
    """Texts that the code compares columns with."""
    found: dict[Column, set[str]] = {}
    for node in ast.walk(program.tree):
        for attribute, texts in _comparisons(node):
            for column in _columns(program, attribute, tables):
                found.setdefault(column, set()).update(texts)
    return dict(sorted(found.items()))


def _comparisons(node: ast.AST) -> Iterator[tuple[ast.Attribute, list[str]]]:
    """Attributes that are compared with texts: `Offer.region == "NA-East"`, `Offer.region.in_(["NA-East"])`."""
    if isinstance(node, ast.Compare) and len(node.comparators) == 1:
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            if isinstance(one, ast.Attribute):
                yield one, _written(other)
    elif isinstance(node, ast.Call):
        owner = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "in_" else None
        if isinstance(owner, ast.Attribute):
            yield owner, [text for part in node.args for text in _written(part)]


def _written(node: ast.expr) -> list[str]:
    parts = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def _columns(program: Program, attribute: ast.Attribute, tables: Mapping[str, Schema]) -> Iterator[Column]:
    """The columns that an attribute may be: of the class that is named, else of all that have one of this name."""
    owner = attribute.value.id if isinstance(attribute.value, ast.Name) else ""
    models = [program.models[owner]] if owner in program.models else list(program.models.values())
    for model in models:
        if attribute.attr in model.columns:
            column = Column(model.table, model.columns[attribute.attr])
            if _exists(column, tables):
                yield column
