"""Expected changes, compiled to SQL over the final tables and `before`.

An end state becomes checks (each wanted row is there) and frames (per table, queries for rows that
differ though nobody asked for it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from awm_gym.database import Table
from awm_gym.errors import ScenarioError, unknown
from awm_gym.scenario import CellValue, ChangedRow, Changes, MayChange, NewRow, Sql, Task
from awm_gym.sql import joined, literal, quote

MAX_NEW_ROWS = 30  # of one end state; SQLite bounds how many subqueries a query has


class Expectation(NamedTuple):
    """One wanted row, or one wanted count, as a boolean SQL expression.

    Attributes:
        name: what the verdict calls it.
        sql: a SELECT of one value; it holds if that is true.
        table: the table concerned, "" if several are.
        wanted: the columns wanted, as people read them.
        rows: SQL for the rows to show when it does not hold, "" if none would help.
    """

    name: str
    sql: str
    table: str = ""
    wanted: str = ""
    rows: str = ""


class Frame(NamedTuple):
    """Queries for the rows of a table that strayed: the key's columns, then a flag for each other column.

    `changed` answers key and flags, `added` and `removed` the key alone; "" where all is allowed.
    """

    table: Table
    changed: str
    added: str
    removed: str


class EndState(NamedTuple):
    """A compiled alternative of `changes`, with the frames that go with it."""

    expectations: tuple[Expectation, ...]
    frames: Mapping[str, Frame]


def compile_end_states(task: Task, tables: Mapping[str, Table]) -> tuple[EndState, ...]:
    """Compile the acceptable end states of a task; one without expectations if it has no `changes`.

    Raises:
        ScenarioError: `changes` or `may_change` names what is not there, or cannot hold.
    """
    for name, allowance in task.may_change.items():
        table = _table(tables, name, f"{task.name}.may_change.{name}")
        for column in allowance.columns:
            _column(table, column, f"{task.name}.may_change.{name}")
    alternatives = task.changes or (Changes(rows={}),)
    return tuple(_Compiler(task, changes, tables).compile() for changes in alternatives)


def _table(tables: Mapping[str, Table], name: str, key: str) -> Table:
    if name not in tables:
        raise ScenarioError(unknown("table", name, tables), file="tasks.toml", key=key)
    return tables[name]


def _column(table: Table, name: str, key: str) -> None:
    if name not in table.column_names:
        problem = unknown(f"column of {table.name}", name, table.column_names)
        raise ScenarioError(problem, file="tasks.toml", key=key)


class _Compiler:
    def __init__(self, task: Task, changes: Changes, tables: Mapping[str, Table]) -> None:
        self.task, self.changes, self.tables = task, changes, tables
        self.where = f"{task.name}.changes"
        self.expressions: list[str] = []
        self.loose_tables: set[str] = set()
        self.loose_columns: dict[str, set[str]] = {}
        self.new = {
            row.name: (table, row) for table, rows in changes.rows.items() for row in rows if isinstance(row, NewRow)
        }

    def compile(self) -> EndState:
        if len(self.new) > MAX_NEW_ROWS:
            self._fail(f"{len(self.new)} new rows; at most {MAX_NEW_ROWS} can be matched, use checks for more")
        for entry in self.changes.any:
            of, _, column = entry.partition(".")
            loose = _table(self.tables, of, f"{self.where}.any")
            if column:
                _column(loose, column, f"{self.where}.any")
                self.loose_columns.setdefault(of, set()).add(column)
            else:
                self.loose_tables.add(of)
        expectations: list[Expectation] = []
        for name, rows in self.changes.rows.items():
            table = _table(self.tables, name, f"{self.where}.{name}")
            for row in rows:
                self._check_columns(table, row)
                expectations.append(self._wanted(table, row))
            added = sum(isinstance(row, NewRow) for row in rows)
            if added and name not in self.loose_tables:
                expectations.append(self._count(table, added))
        linked = any(
            self._is_reference(v) for rows in self.changes.rows.values() for r in rows for v in r.columns.values()
        )
        if linked or len(self.new) > 1:
            expectations.append(self._together())
        frames = {name: self._frame(table) for name, table in self.tables.items()}
        return EndState(tuple(expectations), frames)

    def _fail(self, problem: str, place: str = "") -> None:
        raise ScenarioError(problem, file="tasks.toml", key=f"{self.where}{place}")

    def _check_columns(self, table: Table, row: ChangedRow | NewRow) -> None:
        place = f".{table.name}"
        for column, value in row.columns.items():
            _column(table, column, self.where + place)
            self._check_value(table, column, value)
        if isinstance(row, ChangedRow):
            missing = [column for column in table.key if column not in row.columns]
            if missing:
                self._fail(f"a row lacks {missing[0]!r} of its key ({', '.join(table.key)}); or is it `new`?", place)
            for column in table.key:
                if isinstance(row.columns[column], Sql) or self._is_reference(row.columns[column]):
                    self._fail(f"the key of a changed row is a literal, not {_shown(row.columns[column])!r}", place)
            if row.gone and set(row.columns) != set(table.key):
                self._fail("a row that is `gone` has only its key", place)
            if not row.gone and set(row.columns) == set(table.key):
                self._fail("a changed row must name the columns that end up different", place)
            return
        free = self.loose_columns.get(table.name, set())
        for cell in table.columns:
            if cell.name in row.columns or cell.name in free:
                continue
            if cell.name in table.key and not table.numbers_itself:
                self._fail(f"the new row {row.name!r} must name {cell.name!r}, a part of its key", place)
            if cell.required and cell.default == "NULL" and cell.name not in table.key:
                remedy = f'name it, or put "{table.name}.{cell.name}" into `any`'
                self._fail(f"the new row {row.name!r} says nothing of {cell.name!r}, never NULL; {remedy}", place)

    def _check_value(self, table: Table, column: str, value: CellValue) -> None:
        place = f".{table.name}.{column}"
        if isinstance(value, Sql):
            return
        if self._is_reference(value):
            name = str(value)[1:]
            if name not in self.new:
                self._fail(f"{value!r} names no new row; there are {sorted(self.new) or 'none'}", place)
            if len(self.tables[self.new[name][0]].key) != 1:
                self._fail(f"{value!r}: the key of {self.new[name][0]} has several columns", place)
            return
        kind = next(c.type for c in table.columns if c.name == column)
        fits = {"INTEGER": (int,), "REAL": (int, float), "TEXT": (str,)}[kind]
        if not isinstance(value, fits):
            self._fail(f"{value!r} does not fit a column of type {kind}", place)

    @staticmethod
    def _is_reference(value: CellValue) -> bool:
        return isinstance(value, str) and value.startswith("@") and not value.startswith("@@")

    def _value(self, value: CellValue) -> str:
        """SQL of a wanted value. Expressions are computed apart, where no column of the row can be meant."""
        if isinstance(value, Sql):
            self.expressions.append(value.sql)
            return f"_v.x{len(self.expressions) - 1}"
        if self._is_reference(value):
            name = str(value)[1:]
            return f"{quote('@' + name)}.{quote(self.tables[self.new[name][0]].key[0])}"
        return literal(value[1:] if isinstance(value, str) and value.startswith("@@") else value)

    def _select(self, conditions: Iterable[str], sources: Iterable[str], prelude: Iterable[str] = ()) -> str:
        """`SELECT EXISTS (...)` over sources, with the expressions met since the last one."""
        expressions, self.expressions = self.expressions, []
        ctes, tables = list(prelude), list(sources)
        if expressions:
            names = ", ".join(f"x{index}" for index in range(len(expressions)))
            ctes.append(f"_v({names}) AS MATERIALIZED (SELECT {', '.join(f'({sql})' for sql in expressions)})")
            tables.append("_v")
        head = f"WITH {', '.join(ctes)} " if ctes else ""
        return f"{head}SELECT EXISTS (SELECT 1 FROM {', '.join(tables)} WHERE {joined(list(conditions), 'AND')})"

    def _cells(self, table: Table, alias: str, row: NewRow | ChangedRow, *, references: bool) -> list[str]:
        """Conditions that the row `alias` holds what is wanted."""
        cells = [
            f"{alias}.{quote(column)} COLLATE BINARY IS {self._value(value)}"
            for column, value in row.columns.items()
            if references or not self._is_reference(value)
        ]
        if isinstance(row, NewRow):
            free = self.loose_columns.get(table.name, set()) | set(row.columns) | set(table.key)
            cells += [
                f"{alias}.{quote(column.name)} COLLATE BINARY IS {column.default}"
                for column in table.columns
                if column.name not in free
            ]
        return cells

    def _wanted(self, table: Table, row: ChangedRow | NewRow) -> Expectation:
        source = f"main.{quote(table.name)} AS r"
        wanted = ", ".join(f"{column} = {_shown(value)}" for column, value in row.columns.items())
        everything = ", ".join(quote(column) for column in table.column_names)
        if isinstance(row, NewRow):
            conditions = [_is_new(table, "r"), *self._cells(table, "r", row, references=False)]
            rows = f"SELECT {everything} FROM {source} WHERE {_is_new(table, 'r')} LIMIT 3"
            return Expectation(
                f"new {table.name} {row.name}", self._select(conditions, [source]), table.name, wanted, rows
            )
        by_key = [f"r.{quote(column)} IS {self._value(row.columns[column])}" for column in table.key]
        number = " ".join(_shown(row.columns[column]) for column in table.key)
        if row.gone:
            sql = f"SELECT NOT EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join(by_key)})"
            return Expectation(f"{table.name} {number} gone", sql, table.name, "to be gone")
        rest = {column: value for column, value in row.columns.items() if column not in table.key}
        cells = self._cells(table, "r", ChangedRow(columns=rest), references=False)
        wanted = ", ".join(f"{column} = {_shown(value)}" for column, value in rest.items())
        sql = self._select(by_key + cells, [source])
        rows = f"SELECT {everything} FROM {source} WHERE {' AND '.join(by_key)}"
        return Expectation(f"{table.name} {number}", sql, table.name, wanted, rows)

    def _count(self, table: Table, wanted: int) -> Expectation:
        spared = self._may_change(table, "r", None)
        condition = _is_new(table, "r") + (f" AND NOT {spared}" if spared else "")
        sql = f"SELECT (SELECT count(*) FROM main.{quote(table.name)} AS r WHERE {condition}) = {wanted}"
        everything = ", ".join(quote(column) for column in table.column_names)
        rows = f"SELECT {everything} FROM main.{quote(table.name)} AS r WHERE {condition} LIMIT 3"
        noun = "row" if wanted == 1 else "rows"
        return Expectation(f"new rows in {table.name}", sql, table.name, f"{wanted} new {noun}", rows)

    def _together(self) -> Expectation:
        """All new rows at once: each wanted row is another one, and the references between them hold."""
        sources, conditions, prelude, seen = [], [], [], set()
        placed: dict[str, tuple[str, NewRow]] = {}
        referred = {
            str(value)[1:]
            for rows in self.changes.rows.values()
            for wanted in rows
            for value in wanted.columns.values()
            if self._is_reference(value)
        }
        for name, (table_name, row) in self.new.items():
            table, alias = self.tables[table_name], quote("@" + name)
            fresh = quote("new " + table_name)
            if table_name not in seen:
                seen.add(table_name)
                prelude.append(
                    f"{fresh} AS MATERIALIZED (SELECT * FROM main.{quote(table_name)} AS r WHERE {_is_new(table, 'r')})"
                )
            sources.append(f"{fresh} AS {alias}")
            conditions += self._cells(table, alias, row, references=True)
            for other, (other_table, other_row) in placed.items():
                if other_table == table_name:
                    # Rows that say the same may be taken in the order of their keys: the others are no new matches
                    alike = row.columns == other_row.columns and not {name, other} & referred
                    own, before = (", ".join(f"{a}.{quote(k)}" for k in table.key) for a in (alias, quote("@" + other)))
                    conditions.append(f"({own}) > ({before})" if alike else f"({own}) <> ({before})")
            placed[name] = (table_name, row)
        number = 0
        for table_name, rows in self.changes.rows.items():
            for changed in rows:
                if isinstance(changed, ChangedRow) and any(map(self._is_reference, changed.columns.values())):
                    number += 1
                    alias = quote(f"changed {number}")
                    sources.append(f"main.{quote(table_name)} AS {alias}")
                    conditions += self._cells(self.tables[table_name], alias, changed, references=True)
        return Expectation("new rows together", self._select(conditions or ["1"], sources, prelude))

    def _may_change(self, table: Table, alias: str, column: str | None) -> str:
        """Condition that the author's `may_change` covers the row (and the column), "" if there is none."""
        allowance: MayChange | None = self.task.may_change.get(table.name)
        if allowance is None or (allowance.columns and column not in allowance.columns):
            return ""
        key = ", ".join(quote(column) for column in table.key)
        own = ", ".join(f"{alias}.{quote(column)}" for column in table.key)
        halves = (
            f"SELECT {key} FROM {schema}.{quote(table.name)} WHERE ({allowance.rows})" for schema in ("main", "before")
        )
        return f"(({own}) IN ({' UNION '.join(halves)}))"

    def _frame(self, table: Table) -> Frame:
        rows = self.changes.rows.get(table.name, ())
        named = [row for row in rows if isinstance(row, ChangedRow) and not row.gone]
        gone = [row for row in rows if isinstance(row, ChangedRow) and row.gone]
        main, before = (f"{schema}.{quote(table.name)}" for schema in ("main", "before"))
        same_key = " AND ".join(f"a.{quote(column)} = b.{quote(column)}" for column in table.key)
        own_key = ", ".join(f"a.{quote(column)}" for column in table.key)
        flags = []
        for column in table.column_names:
            if column in table.key:
                continue
            loose = column in self.loose_columns.get(table.name, ())
            spared = [self._keys(table, [row for row in named if loose or column in row.columns])]
            spared.append(self._may_change(table, "a", column))
            conditions = [f"a.{quote(column)} COLLATE BINARY IS NOT b.{quote(column)}"]
            flags.append(" AND ".join(conditions + [f"NOT {condition}" for condition in spared if condition]))
        changed = ""
        if flags:
            columns = ", ".join(f"({flag})" for flag in flags)
            anything = joined(flags, "OR")
            changed = f"SELECT {own_key}, {columns} FROM {main} AS a JOIN {before} AS b ON {same_key} WHERE {anything}"
        spared_row = self._may_change(table, "a", None)
        kept = f" AND NOT {spared_row}" if spared_row else ""
        added = removed = ""
        if table.name not in self.loose_tables and not any(isinstance(row, NewRow) for row in rows):
            absent = f"NOT EXISTS (SELECT 1 FROM {before} AS b WHERE {same_key})"
            added = f"SELECT {own_key} FROM {main} AS a WHERE {absent}{kept}"
        expected = self._keys(table, gone)
        also = f" AND NOT {expected}" if expected else ""
        absent = f"NOT EXISTS (SELECT 1 FROM {main} AS b WHERE {same_key})"
        removed = f"SELECT {own_key} FROM {before} AS a WHERE {absent}{also}{kept}"
        return Frame(table, changed, added, removed)

    def _keys(self, table: Table, rows: list[ChangedRow]) -> str:
        """Condition that the row `a` is one of these, "" for none."""
        if not rows:
            return ""
        keys = [", ".join(self._value(row.columns[column]) for column in table.key) for row in rows]
        own = ", ".join(f"a.{quote(column)}" for column in table.key)
        if len(table.key) == 1:
            return f"({own} IN ({', '.join(keys)}))"
        return f"(({own}) IN (VALUES {', '.join(f'({key})' for key in keys)}))"


def _is_new(table: Table, alias: str) -> str:
    same = " AND ".join(f"b.{quote(column)} = {alias}.{quote(column)}" for column in table.key)
    return f"NOT EXISTS (SELECT 1 FROM before.{quote(table.name)} AS b WHERE {same})"


def _shown(value: CellValue) -> str:
    return value.sql if isinstance(value, Sql) else str(value)
