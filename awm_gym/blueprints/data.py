"""Rows from a grammar and a seed: the generators of tables.toml, run against a live database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import apsw

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.folder import Grammar
from awm_gym.blueprints.format import Group
from awm_gym.database import MAX_STEPS, Phase, Template, set_clock
from awm_gym.errors import ScenarioError, shown, unknown
from awm_gym.sql import IDENTIFIER, literal, parameters, quote

MAX_GENERATED = 5_000  # rows of one group
_CHUNK = 60_000  # characters of one INSERT statement
_PLACE = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_DAY_TRIES = 60


class Filler:
    """Fills the tables of an empty database from the groups of a grammar.

    Args:
        grammar: the blueprint in one dress.
        template: the empty database.
        now: the scenario's clock.
        stream: the seed's chance; each group has a stream of its own.

    Raises:
        ScenarioError: a generator is malformed, or its rows break the schema.
    """

    def __init__(self, grammar: Grammar, template: Template, now: datetime, stream: Stream) -> None:
        self.grammar, self.template, self.now, self.stream = grammar, template, now, stream
        self.people: set[str] = set()
        views = template.db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")
        self.views = {str(row[0]) for row in views}
        self.dropped: dict[str, int] = {}  # group -> rows that were given up

    def fill(self) -> None:
        """Run all groups."""
        set_clock(self.now)
        for group in self.grammar.groups:
            if group.sql is not None:
                self.run(group, "sql", group.sql, {})
            else:
                self._fill(group)

    def _fill(self, group: Group) -> None:
        name = group.table or group.name
        table = self.template.tables.get(name)
        if table is None:
            raise self.error(unknown("table", name, self.template.tables), group, "table")
        stream = self.stream.fork("data", group.name)
        drivers: Sequence[Mapping[str, Any]] = [{}]
        if group.for_each is not None:
            drivers = self.run(group, "for_each", group.for_each, {})
        low, high = (group.rows, group.rows) if isinstance(group.rows, int) else group.rows
        todo = [driver for driver in drivers for _ in range(stream.between(low, high))]
        if len(todo) > MAX_GENERATED:
            raise self.error(f"makes {len(todo)} rows; at most {MAX_GENERATED}", group, "rows")
        if len(group.fixed) > len(todo):
            raise self.error(f"has {len(group.fixed)} fixed rows, but makes only {len(todo)}", group, "fixed")
        fixed = dict(zip(stream.shuffled(range(len(todo))), group.fixed, strict=False))
        maker = _RowMaker(self, group, stream)
        for place, driver in enumerate(todo):
            if not self._insert(group, name, maker, dict(driver), fixed.get(place, {})):
                self.dropped[group.name] = self.dropped.get(group.name, 0) + 1

    def _insert(
        self, group: Group, table: str, maker: _RowMaker, driver: dict[str, Any], fixed: Mapping[str, Any]
    ) -> bool:
        columns = self.template.tables[table].column_names
        for _ in range(group.tries):
            row = maker.row(dict(driver), fixed)
            plain = _plain(row)
            if (
                group.accept is not None
                and not self.run(group, "accept", f"SELECT {group.accept} AS ok", plain)[0]["ok"]
            ):
                continue
            names = [name for name in columns if name in plain]
            sql = (
                f"INSERT INTO {quote(table)} ({', '.join(map(quote, names))}) "
                f"VALUES ({', '.join(':' + name for name in names)})"
            )
            try:
                self._execute(sql, plain)
            except apsw.ConstraintError as error:
                if "UNIQUE" in str(error) or "CHECK" in str(error) or "PRIMARY KEY" in str(error):
                    continue
                raise self.error(f"{error}, in the row {shown(plain, 300)}", group, "columns") from error
            except (apsw.Error, OverflowError, TypeError) as error:
                raise self.error(f"{error}, in the row {shown(plain, 300)}", group, "columns") from error
            return True
        return False

    def _execute(self, sql: str, bindings: Mapping[str, Any], phase: Phase = Phase.TOOL) -> apsw.Cursor:
        guard = self.template.guard
        guard.start(MAX_STEPS)
        guard.phase = phase
        try:
            return self.template.db.execute(sql, bindings)
        finally:
            guard.phase = Phase.RUNTIME

    def run(self, group: Group, key: str, sql: str, bindings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of a query of a group's, sorted: what SQLite answers first is no matter of chance."""
        return self._rows(sql, bindings, Phase.TOOL, "tables.toml", f"{group.name}.{key}")

    def ask(self, sql: str, file: str, key: str) -> list[dict[str, Any]]:
        """Rows of a query of the author's on what was filled, sorted."""
        return self._rows(sql, {}, Phase.JUDGE, file, key)

    def _rows(self, sql: str, bindings: Mapping[str, Any], phase: Phase, file: str, key: str) -> list[dict[str, Any]]:
        try:
            cursor = self._execute(sql, bindings, phase)
            first = cursor.fetchone()
            if first is None:
                return []
            names = [column[0] for column in cursor.get_description()]
            rows = sorted((first, *cursor), key=sort_key)
            return [dict(zip(names, row, strict=True)) for row in rows]
        except KeyError as error:
            raise self.grammar.error(f"there is no value :{error.args[0]} here", file, key) from None
        except (OverflowError, TypeError) as error:
            raise self.grammar.error(f"{error}, in: {sql[:120]}", file, key) from None
        except apsw.Error as error:
            guard = self.template.guard
            reason = guard.denied if isinstance(error, apsw.AuthError) else str(error)
            raise self.grammar.error(f"{reason}, in: {sql[:120]}", file, key) from error

    def error(self, problem: str, group: Group, key: str) -> ScenarioError:
        """An error in a group."""
        return self.grammar.error(problem, "tables.toml", f"{group.name}.{key}")


def sort_key(row: Sequence[Any]) -> list[tuple[str, Any]]:
    """What rows of mixed types are sorted by."""
    return [(type(cell).__name__, cell if cell is not None else 0) for cell in row]


class _RowMaker:
    """Makes the rows of one group, column by column."""

    def __init__(self, filler: Filler, group: Group, stream: Stream) -> None:
        self.filler, self.group, self.stream = filler, group, stream
        self.vocabulary = filler.grammar.vocabulary
        self.settled: dict[
            str, list[dict[str, Any]]
        ] = {}  # rows of queries that do not change while the group is filled
        self.bags: dict[str, list[Any]] = {}
        self.counters: dict[str, int] = {}

    def row(self, row: dict[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
        """A row: the columns and their helpers."""
        for column, generator in self.group.columns.items():
            row[column] = self.value(fixed.get(column, generator), row, column)
        for column in fixed:
            if column not in row:
                raise self._error(unknown("column of the group", column, self.group.columns), "fixed")
        return row

    def value(self, generator: Any, row: dict[str, Any], column: str) -> Any:
        """The value that a generator draws."""
        if isinstance(generator, str):
            return self._filled(generator, row, column)
        if isinstance(generator, bool):
            return int(generator)
        if not isinstance(generator, dict):
            return generator
        kind = next((name for name in _KINDS if name in generator), None)
        if kind is None:
            raise self._error(unknown("generator", next(iter(generator), ""), _KINDS), column)
        if unused := sorted(set(generator) - {kind, *_KINDS[kind]}):
            raise self._error(unknown(f"key of a generator in {kind}", unused[0], _KINDS[kind]), column)
        try:
            return getattr(self, f"_{kind}")(generator, row, column)
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self._error(f"the generator {shown(generator, 120)} cannot be run: {error!r}", column) from None

    def _filled(self, text: str, row: Mapping[str, Any], column: str) -> Any:
        """A text with its {places} filled; one that is a place alone keeps its type."""

        def cell(match: re.Match[str]) -> Any:
            name, key = match[1], match[2]
            if name not in row or (key is not None and key not in row[name]):
                raise self._error(unknown("value", f"{name}.{key}" if key else name, row), column)
            return row[name][key] if key is not None else row[name]

        if match := _PLACE.fullmatch(text):
            return cell(match)
        return _PLACE.sub(lambda match: str(cell(match)), text)

    def _choice(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> Any:
        if "weights" not in spec:
            return self.stream.pick(spec["choice"])
        if len(spec["weights"]) != len(spec["choice"]):
            raise self._error("`choice` and `weights` differ in length", column)
        return self.stream.weighted(spec["choice"], spec["weights"])

    def _words(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> Any:
        name = spec.get("words", spec.get("record"))
        if name not in self.vocabulary:
            raise self._error(unknown("vocabulary", name, self.vocabulary), column)
        words = self.vocabulary[name]
        if not spec.get("unique"):
            return self.stream.pick(words)
        bag = self.bags.setdefault(column, [])
        if not bag:
            if column in self.counters:
                raise self._error(f"{name} has only {len(words)} items; give it more, or drop `unique`", column)
            self.counters[column] = 1
            bag.extend(self.stream.shuffled(words))
        return bag.pop()

    _record = _words

    def _person(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        first, last = self.vocabulary["first_names"], self.vocabulary["last_names"]
        for _ in range(1_000):
            name = f"{self.stream.pick(first)} {self.stream.pick(last)}"
            if name not in self.filler.people:
                self.filler.people.add(name)
                return name
        raise self._error("there are no unused names left", column)

    def _email(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        host = self.stream.pick(("mail", "post", "inbox", "letters"))
        return re.sub(r"[^a-z]+", ".", str(row[spec["email"]]).lower()).strip(".") + f"@{host}.example"

    def _phone(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        return f"{spec['phone']} {self.stream.between(100, 999)} {self.stream.between(1000, 9999)}"

    def _address(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        return f"{self.stream.between(1, 98)} {self.stream.pick(self.vocabulary['streets'])}"

    def _int(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> int:
        low, high = spec["int"]
        step = spec.get("step", 1)
        return int(low + step * self.stream.skewed((high - low) // step + 1, spec.get("skew", 1)))

    def _number(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> float:
        low, high = spec["number"]
        step = spec.get("step", 0.5)
        return round(float(low) + float(step) * self.stream.below(int((high - low) / step + 1e-9) + 1), 6)

    def _day(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        return self._draw_day(spec["day"], spec, column).isoformat()

    def _draw_day(self, span: Sequence[int], spec: Mapping[str, Any], column: str) -> date:
        weekdays = spec.get("weekdays", range(7))
        for _ in range(_DAY_TRIES):
            day = self.filler.now.date() + timedelta(days=self.stream.between(*span))
            if day.weekday() in weekdays:
                return day
        raise self._error(f"no day from {span[0]} to {span[1]} days ahead is one of the weekdays {weekdays}", column)

    def _moment(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        day = self._draw_day(spec["moment"], spec, column)
        first, last = (int(hour[:2]) * 60 + int(hour[3:]) for hour in spec.get("hours", ("09:00", "17:00")))
        step = spec.get("minutes", 15)
        minute = first + step * self.stream.below((last - first) // step + 1)
        return f"{day.isoformat()}T{minute // 60:02}:{minute % 60:02}:00"

    def _ref(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> Any:
        sql = spec["ref"]
        rows = self.settled.get(sql)
        if rows is None:
            rows = self.filler.run(self.group, column, sql, _plain(row))
            if self._settled(sql):
                self.settled[sql] = rows
        if not rows:
            return None
        found = self.stream.pick(rows)
        value, *_ = found.values()
        row.update({name: cell for name, cell in found.items() if name.startswith("_")})
        return value

    def _settled(self, sql: str) -> bool:
        """Whether a query answers the same for every row of the group: it binds nothing and reads no rows of its."""
        own = {self.group.table or self.group.name, *self.filler.views}
        return not parameters(sql) and not own & set(IDENTIFIER.findall(sql))

    def _sql(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> Any:
        return self.filler.run(self.group, column, f"SELECT {spec['sql']} AS value", _plain(row))[0]["value"]

    def _chance(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> Any:
        way = "then" if self.stream.chance(spec["chance"]) else "else"
        return self.value(spec.get(way), row, column)

    def _sequence(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> int:
        if column in self.counters:
            self.counters[column] += self.stream.between(1, spec.get("gap", 1))
        else:
            self.counters[column] = spec["sequence"]
        return self.counters[column]

    def _code(self, spec: Mapping[str, Any], row: dict[str, Any], column: str) -> str:
        self.counters[column] = self.counters.get(column, spec.get("from", 1) - 1) + 1
        return str(spec["code"]).replace("{n}", str(self.counters[column]))

    def _error(self, problem: str, column: str) -> ScenarioError:
        return self.filler.error(problem, self.group, f"columns.{column}")


_KINDS: dict[str, tuple[str, ...]] = {  # generators, and their other keys
    "choice": ("weights",),
    "words": ("unique",),
    "record": ("unique",),
    "person": (),
    "email": (),
    "phone": (),
    "address": (),
    "int": ("step", "skew"),
    "number": ("step",),
    "day": ("weekdays",),
    "moment": ("weekdays", "hours", "minutes"),
    "ref": (),
    "sql": (),
    "chance": ("then", "else"),
    "sequence": ("gap",),
    "code": ("from",),
}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the records of vocabularies, which SQL cannot hold."""
    return {name: cell for name, cell in row.items() if not isinstance(cell, Mapping)}


def dump(template: Template, tables: Iterable[str]) -> str:
    """All rows as INSERT statements, the tables in the given order, each by its key."""
    texts = []
    for name in tables:
        table = template.tables[name]
        order = ", ".join(map(quote, table.key))
        rows = template.db.execute(f"SELECT * FROM {quote(name)} ORDER BY {order}").fetchall()
        head = f"INSERT INTO {quote(name)} ({', '.join(map(quote, table.column_names))}) VALUES\n"
        lines, size = list[str](), 0
        for row in rows:
            line = "  (" + ", ".join(literal(cell) for cell in row) + ")"
            if lines and size + len(line) > _CHUNK:
                texts.append(head + ",\n".join(lines) + ";\n")
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 2
        if lines:
            texts.append(head + ",\n".join(lines) + ";\n")
    return "\n".join(texts)
