"""Things and the words for them: phrases are made from an entity's parts, and proved to single out what they mean.

A phrase is a conjunction: an owner, adjectives, qualifiers, flags, a threshold. Each part knows the rows it is true
of, as a set of bits; a phrase means the rows in all of them. A superlative orders them, and is used only without a tie.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.data import sort_key
from awm_gym.blueprints.folder import Grammar
from awm_gym.blueprints.format import Entity
from awm_gym.blueprints.phrases import PLACE, Description, Part, Row, fill
from awm_gym.errors import ScenarioError, unknown
from awm_gym.sql import quote
from awm_gym.world import World

_MOST_AFTER = 2  # qualifiers and flags of one phrase
_NTH = ("", "", "second ", "third ", "fourth ", "fifth ")
_THRESHOLDS = 6  # tried for a set


class Things:
    """All rows of an entity at one moment, and which of them each word is true of."""

    def __init__(self, scene: Scene, entity: Entity) -> None:
        self.scene, self.entity = scene, entity
        tests = {f"adjective {name}": adjective.where for name, adjective in entity.adjectives.items()}
        tests |= {f"flag {name}": flag.where for name, flag in entity.flags.items()}
        if entity.implied is not None:
            tests["implied"] = entity.implied
        orders = {f"rank {name}": sql for name, sql in entity.ranks.items()}
        columns = [f"({sql}) IS TRUE AS {quote(name)}" for name, sql in tests.items()]
        columns += [f"({sql}) AS {quote(name)}" for name, sql in orders.items()]
        sql = f"SELECT {', '.join(['*', *columns])} FROM ({entity.rows.rstrip().rstrip(';')})"
        found = scene.ask(sql, {}, "entities.toml", entity.name)
        if found and "id" not in found[0]:
            raise scene.grammar.error("its rows have no column id", "entities.toml", f"{entity.name}.rows")
        hidden = set(tests) | set(orders)
        self.rows: list[Row] = [{key: cell for key, cell in row.items() if key not in hidden} for row in found]
        self.place: dict[Any, int] = {row["id"]: place for place, row in enumerate(self.rows)}
        if len(self.place) < len(self.rows):
            raise scene.grammar.error(
                "has an id twice; give one row for each thing", "entities.toml", f"{entity.name}.rows"
            )
        self.every = (1 << len(self.rows)) - 1
        self._true = {name: _bits(row[name] for row in found) for name in tests}
        self.implied = self._true.get("implied", self.every)
        self._orders = {name: [row[f"rank {name}"] for row in found] for name in entity.ranks}
        for name, order in self._orders.items():
            if len({isinstance(value, str) for value in order if value is not None}) > 1:
                raise scene.grammar.error(
                    "orders by texts and numbers; take one", "entities.toml", f"{entity.name}.ranks.{name}"
                )
        self._equal: dict[tuple[str, ...], dict[tuple[Any, ...], int]] = {}
        self._where: dict[str, int] = {}

    def where(self, sql: str | None, bindings: Row | None = None) -> int:
        """The rows of which a condition is true."""
        if sql is None:
            return self.every
        key = sql if not bindings else f"{sql} {sorted(bindings.items())}"
        if key not in self._where:
            rows = self.entity.rows.rstrip().rstrip(";")
            asked = f"SELECT id FROM ({rows}) WHERE ({sql}) IS TRUE"
            found = self.scene.ask(asked, bindings or {}, "goals.toml", self.entity.name)
            self._where[key] = sum(1 << self.place[row["id"]] for row in found)
        return self._where[key]

    def told_by(self, phrase: Description, test: int) -> bool:
        """Whether a phrase gives away if a test is true of its thing: all rows of one of its adjectives agree on it."""
        for name in self.entity.adjectives:
            rows = self._true[f"adjective {name}"] & self.implied
            if name.replace("_", " ") in phrase.before and rows & test in (0, rows):
                return True
        return False

    def members(self, rows: int) -> list[int]:
        """Places of the rows in a set."""
        return [place for place in range(len(self.rows)) if rows >> place & 1]

    def alike(self, place: int, columns: Sequence[str]) -> int:
        """The rows that have the same values in some columns as one row."""
        key = tuple(columns)
        if key not in self._equal:
            table: dict[tuple[Any, ...], int] = {}
            for other, row in enumerate(self.rows):
                cells = tuple(self._cell(row, column) for column in key)
                table[cells] = table.get(cells, 0) | 1 << other
            self._equal[key] = table
        return self._equal[key][tuple(self._cell(self.rows[place], column) for column in key)]

    def of_owner(self, column: str, owner: Any) -> int:
        """The rows that an owner has."""
        return next((self.alike(place, [column]) for place, row in enumerate(self.rows) if row[column] == owner), 0)

    def only(self, ids: Sequence[Any]) -> int:
        """The rows of some keys."""
        return sum(1 << self.place[id] for id in ids if id in self.place)

    def _cell(self, row: Row, column: str) -> Any:
        if column not in row:
            raise self.scene.grammar.error(unknown("column", column, row), "entities.toml", f"{self.entity.name}")
        return row[column]

    def _part(self, kind: str, name: str, pattern: str, place: int) -> Part | None:
        """A part that tells values of a row; None if one of them is missing."""
        columns = list(dict.fromkeys(match[1] for match in PLACE.finditer(pattern)))
        row = self.rows[place]
        if any(self._cell(row, column) in (None, "") for column in columns):
            return None
        try:
            text = self.scene.filled(pattern, row)
        except ScenarioError as error:
            raise self.scene.grammar.error(error.problem, "entities.toml", f"{self.entity.name}.{name}") from None
        return Part(kind, name, text, frozenset(columns), self.alike(place, columns))

    def owners(self, place: int) -> list[Part]:
        """The owners that a row can be told by."""
        row = self.rows[place]
        return [
            Part("owner", column, str(row[column]), frozenset([column]), self.alike(place, [column]))
            for column in self.entity.owners
            if self._cell(row, column) not in (None, "")
        ]

    def befores(self, place: int) -> list[Part]:
        """The adjectives that are true of a row, but not of all."""
        return [
            Part("adjective", name, name.replace("_", " "), frozenset(), self._true[f"adjective {name}"])
            for name in self.entity.adjectives
            if self._true[f"adjective {name}"] >> place & 1 and self._true[f"adjective {name}"] != self.every
        ]

    def afters(self, place: int, owner: Part | None) -> list[Part]:
        """What can be said of a row after the noun. Whoever is named before it is not named again."""
        known = owner.said if owner else frozenset[str]()
        parts = [self._part("qualifier", name, text, place) for name, text in self.entity.qualifiers.items()]
        found = [part for part in parts if part is not None and not part.said & known]
        for name, flag in self.entity.flags.items():
            rows = self._true[f"flag {name}"]
            if rows >> place & 1 and rows != self.every:
                found.append(Part("flag", name, self.scene.filled(flag.say, self.rows[place]), frozenset(), rows))
        return found

    def combinations(self, place: int) -> Iterator[tuple[Part, ...]]:
        """All bare phrases for a row: an owner or none, an adjective or none, up to two parts after."""
        owners: list[Part | None] = [None, *self.owners(place)]
        for owner in owners:
            befores: list[Part | None] = [None, *self.befores(place)]
            afters = self.afters(place, owner)
            tails = [tail for size in range(_MOST_AFTER + 1) for tail in itertools.combinations(afters, size)]
            for before, tail in itertools.product(befores, tails):
                if len(tail) == 2 and tail[0].said & tail[1].said:
                    continue
                parts = tuple(part for part in (owner, before, *tail) if part is not None)
                if parts:
                    yield parts

    def meant(self, parts: Sequence[Part], within: int) -> int:
        """The rows that a phrase means, among some."""
        rows = within
        for part in parts:
            rows &= part.rows
        return rows

    def scope(self, place: int) -> int:
        """The rows among which a phrase must single one out."""
        return self.implied if self.implied >> place & 1 else self.every

    def described(self, id: Any, stream: Stream, *, owned: bool = False) -> Description | None:
        """A phrase that singles out a row, or None if there is none; `owned`: one that begins with its owner."""
        place = self.place.get(id)
        if place is None:
            return None
        found: list[tuple[Part, ...]] = []
        for name, pattern in self.entity.names.items():
            part = self._part("name", name, pattern, place)
            if part and not owned and part.rows == 1 << place:
                found += [(part,), (part,)]  # people use names more than anything else
        for parts in self.combinations(place):
            if owned and parts[0].kind != "owner":
                continue
            if self.meant(parts, self.scope(place)) == 1 << place and not _redundant(self, parts, place):
                found.append(parts)
        found = [parts for parts in found if self._findable(parts)]
        if not found:
            return None
        parts = stream.pick(found)
        return self._description([place], parts, others=self._mistakable(parts, place))

    def _findable(self, parts: Sequence[Part]) -> bool:
        return self.finder(frozenset().union(*(part.said for part in parts))) is not None

    def finder(self, said: frozenset[str]) -> Any:
        """The way to find what these columns tell, or None."""
        return next((find for find in self.entity.find if set(find.said) <= said), None)

    def _mistakable(self, parts: Sequence[Part], place: int) -> tuple[Any, ...]:
        """Rows that fit all parts but one."""
        others: list[Any] = []
        for left in range(len(parts)):
            rest = [part for index, part in enumerate(parts) if index != left]
            if rest:
                rows = self.meant(rest, self.every) & ~(1 << place)
                others += [self.rows[other]["id"] for other in self.members(rows)]
        if not others and self.entity.owners:
            same = self.alike(place, [self.entity.owners[0]]) & ~(1 << place)
            others += [self.rows[other]["id"] for other in self.members(same)]
        return tuple(dict.fromkeys(others))

    def _description(
        self, places: Sequence[int], parts: Sequence[Part], others: tuple[Any, ...], **more: Any
    ) -> Description:
        rows = tuple(self.rows[place] for place in places)
        owner = next((part for part in parts if part.kind == "owner"), None)
        name = next((part.text for part in parts if part.kind == "name"), "")
        return Description(
            entity=self.entity,
            ids=tuple(row["id"] for row in rows),
            rows=rows,
            said=frozenset[str]().union(*(part.said for part in parts)),
            owner=rows[0][owner.name] if owner else None,
            column=owner.name if owner else "",
            others=others,
            name=name,
            before=tuple(part.text for part in parts if part.kind == "adjective"),
            after=tuple(part.text for part in parts if part.kind in ("qualifier", "flag", "limit")),
            values=rows[0],
            **more,
        )

    def sets(self, within: int, size: tuple[int, int], stream: Stream) -> Iterator[Description]:
        """Sets of rows that a phrase means, all of them `within` some, of a size. The words decide, not the goal."""
        seen: set[tuple[int, tuple[str, ...]]] = set()
        for place in stream.shuffled(self.members(within & self.implied)):
            for parts in stream.shuffled(list(self.combinations(place)))[:40]:
                rows = self.meant(parts, self.implied)
                key = (rows, tuple(part.name for part in parts))
                if key in seen or rows & ~within or not self._findable(parts):
                    continue
                seen.add(key)
                yield from self._sized(rows, parts, size, stream)

    def _sized(
        self, rows: int, parts: tuple[Part, ...], size: tuple[int, int], stream: Stream
    ) -> Iterator[Description]:
        low, high = size
        for limit_parts in [parts, *self._limited(rows, parts, stream)]:
            chosen = self.meant(limit_parts, rows)
            if low <= chosen.bit_count() <= high and not self._idle(limit_parts, chosen):
                places = self.members(chosen)
                near = tuple(self.rows[place]["id"] for place in self._left_out(limit_parts, chosen))
                yield self._description(places, limit_parts, others=near, whole=True)

    def _idle(self, parts: Sequence[Part], chosen: int) -> bool:
        """Whether a part says nothing: without it, the phrase would mean the same."""
        for left in range(len(parts)):
            rest = [part for index, part in enumerate(parts) if index != left]
            if parts[left].kind != "owner" and rest and self.meant(rest, self.implied) == chosen:
                return True
        return False

    def _left_out(self, parts: Sequence[Part], chosen: int) -> list[int]:
        found: list[int] = []
        for left in range(len(parts)):
            rest = [part for index, part in enumerate(parts) if index != left]
            found += self.members(self.meant(rest, self.every) & ~chosen)
        return list(dict.fromkeys(found))

    def _limited(self, rows: int, parts: tuple[Part, ...], stream: Stream) -> Iterator[tuple[Part, ...]]:
        """Phrases with a threshold that splits a set."""
        said = frozenset[str]().union(*(part.said for part in parts))
        for name, limit in self.entity.limits.items():
            if limit.column in said:
                continue
            values = sorted({self._cell(self.rows[place], limit.column) for place in self.members(rows)} - {None})
            if len(values) < 2 or not all(isinstance(value, int) for value in values):
                continue
            between = range(values[0] // limit.step * limit.step + limit.step, values[-1], limit.step)
            for n in stream.shuffled([n for n in between if n not in values])[:_THRESHOLDS][:2]:
                true = self.where(limit.test, {"n": n})
                yield (*parts, Part("limit", name, self.scene.filled(limit.say, {"n": n}), frozenset(), true))

    def superlatives(self, within: int, ranks: Sequence[str], nth: int, stream: Stream) -> Iterator[Description]:
        """Phrases such as "the second oldest unpaid invoice of Ana Silva", whose winner is `within` some rows."""
        for place in stream.shuffled(self.members(within & self.implied)):
            options: list[tuple[tuple[Part, ...], str]] = []
            bare = [parts for parts in self.combinations(place) if not _specific(parts)]
            for parts in [*bare, ()]:
                if not self._findable(parts):
                    continue
                rows = self.members(self.meant(parts, self.implied))
                if len(rows) <= nth:
                    continue
                options += [(parts, rank) for rank in ranks if self._nth(rows, rank, nth) == place]
            if not options:
                continue
            parts, rank = stream.pick(options)
            rows = self.members(self.meant(parts, self.implied))
            others = [other for other in self._ordered(rows, rank) if other != place]
            near = self._ordered(rows, rank)[nth] if nth < len(rows) else others[0]
            others.sort(key=lambda other: other != near)
            ids = tuple(self.rows[other]["id"] for other in others)
            word = _NTH[nth] + rank.replace("_", " ")
            yield self._description([place], parts, others=ids, whole=True, rank=word)

    def _ordered(self, places: Sequence[int], rank: str) -> list[int]:
        order = self._orders[rank]
        return sorted((place for place in places if order[place] is not None), key=lambda place: order[place])

    def _nth(self, places: Sequence[int], rank: str, nth: int) -> int | None:
        """The place of the n-th by a rank, None if it ties with another."""
        order, ordered = self._orders[rank], self._ordered(places, rank)
        if len(ordered) < max(nth, 2) or len(ordered) < len(places):
            return None
        values = [order[place] for place in ordered]
        if len({*values[: nth + 1]}) < len(values[: nth + 1]):
            return None
        return ordered[nth - 1]


def _redundant(things: Things, parts: Sequence[Part], place: int) -> bool:
    """Whether fewer of the parts after the noun would do."""
    if len([part for part in parts if part.kind in ("qualifier", "flag")]) < 2:
        return False
    for left in range(len(parts)):
        rest = [part for index, part in enumerate(parts) if index != left]
        if parts[left].kind in ("qualifier", "flag") and things.meant(rest, things.scope(place)) == 1 << place:
            return True
    return False


def _specific(parts: Sequence[Part]) -> bool:
    """Whether a phrase says too much for a superlative: two things after the noun."""
    return sum(part.kind in ("qualifier", "flag") for part in parts) > 1


def _bits(truths: Iterator[Any]) -> int:
    return sum(1 << place for place, true in enumerate(truths) if true)


class Scene:
    """A world at one moment, asked for things in words.

    Args:
        grammar: the blueprint in one dress.
        world: the world; what is asked is asked of its present state.
    """

    def __init__(self, grammar: Grammar, world: World) -> None:
        self.grammar, self.world = grammar, world
        self.now = world.scenario.now
        self._things: dict[str, Things] = {}
        self.filled: Callable[[str, Row], str] = partial(fill, now=self.now, currency=grammar.flavour.currency)

    def moment(self) -> Scene:
        """The scene as it is now, after calls have been played."""
        return Scene(self.grammar, self.world)

    def things(self, entity: str) -> Things:
        """The rows of an entity."""
        if entity not in self._things:
            self._things[entity] = Things(self, self.grammar.entities[entity])
        return self._things[entity]

    def ask(self, sql: str, bindings: Row, file: str, key: str) -> list[dict[str, Any]]:
        """Rows of a query of the author's, sorted.

        Raises:
            ScenarioError: it fails.
        """
        place = ScenarioError("", file=file, key=key, scenario=self.grammar.blueprint.name)
        rows, names = self.world.query_with_names(sql.rstrip().rstrip(";"), bindings, place)
        return [dict(zip(names, row, strict=True)) for row in sorted(rows, key=sort_key)]
