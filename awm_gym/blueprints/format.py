"""The blueprint format as values: what an author of a blueprint writes. Frozen, and no I/O.

The classes mirror the files, as those of `awm_gym.scenario` mirror a scenario's; the README documents the format.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, model_validator

from awm_gym.scenario import Answer, Name, Scalar, Several, Text, Value

Item = Scalar | dict[str, Scalar]  # of a vocabulary: a word, or a record of correlated columns
Words = Annotated[tuple[Item, ...], Strict(False)]
Span = Annotated[tuple[int, int], Strict(False)]


def _day(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a day; write it as "2025-01-06"')
    return date.fromisoformat(value)


def _minute(value: object) -> object:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is not a time of day; write it as "08:30"')
    return int(match[1]) * 60 + int(match[2])


Minute = Annotated[int, BeforeValidator(_minute)]  # of the day
Weekday = Annotated[int, Field(ge=0, le=6)]  # Monday is 0
Chance = Annotated[float, Field(gt=0, le=1, strict=False)]
Pattern = Annotated[str, Field(min_length=1)]  # text with {name|how}
Sql = Annotated[str, Field(min_length=1)]


class Clock(Value):
    """Where a scenario's `now` is drawn from."""

    start: Annotated[date, BeforeValidator(_day)] = Field(alias="from")
    days: Annotated[int, Field(ge=1)] = 600
    hours: Annotated[tuple[Minute, Minute], Strict(False)]
    weekdays: Several[Weekday] = (0, 1, 2, 3, 4)

    @model_validator(mode="after")
    def _open(self) -> Clock:
        if self.hours[0] > self.hours[1]:
            raise ValueError("the first hour is later than the last")
        if not any((self.start.toordinal() + day - 1) % 7 in self.weekdays for day in range(min(self.days, 7))):
            raise ValueError("none of the days is one of the weekdays")
        return self


class Person(Value):
    """Whom the agent acts for: a query for the key and name of a row of the table `of`."""

    of: str
    pick: Sql
    role: Text


class Flavour(Value):
    """One dress of a blueprint: names, words, vocabulary."""

    title: Text
    description: Text
    currency: Literal["£", "$", "€"] = "£"
    words: dict[str, Text] = Field(default_factory=dict)
    vocabulary: dict[str, Words] = Field(default_factory=dict)


class Phrases(Value):
    """Texts added to the engine's own: frames of a clause, openers of a customer, notes around an instruction."""

    frames: Several[Pattern] = ()
    openers: Several[Pattern] = ()
    notes: Several[Pattern] = ()


class Head(Value):
    """blueprint.toml. `parts` are left out or in by chance, `most_parts` of them at once."""

    summary: Text
    tasks: Annotated[int, Field(ge=1, le=60)] = 12
    clock: Clock
    user: Person
    parts: dict[Name, Chance] = Field(default_factory=dict)
    most_parts: Annotated[int, Field(ge=1)] | None = None
    vocabulary: dict[str, Words] = Field(default_factory=dict)
    flavours: dict[Name, Flavour]
    phrases: Phrases = Phrases()


class Group(Value):
    """How rows of a table are generated; or, with `sql` alone, a statement run in its place."""

    name: str
    part: str | None = None
    table: str | None = None
    for_each: Sql | None = None
    rows: int | Span = 1
    fixed: Several[dict[str, Any]] = ()
    accept: Sql | None = None
    tries: Annotated[int, Field(ge=1, le=1_000)] = 30
    columns: dict[str, Any] = Field(default_factory=dict)
    sql: Sql | None = None

    @model_validator(mode="after")
    def _whole(self) -> Group:
        if (self.sql is None) != bool(self.columns):
            raise ValueError("a group has `columns`, or `sql` alone")
        return self


class Adjective(Value):
    """A word said before the noun: what it means, and how it is said of a thing."""

    where: Sql
    is_: Text | None = Field(default=None, alias="is")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"where": value} if isinstance(value, str) else value


class Flag(Value):
    """Words said after the noun, and what they mean."""

    where: Sql
    say: Pattern


class Limit(Value):
    """A threshold for sets: `:n` is drawn between the values of `column`, in steps."""

    say: Pattern
    column: str
    test: Sql
    step: Annotated[int, Field(ge=1)] = 1


class Step(Value):
    """A call of a goal, a template: a tool's, or `find` for the calls that look up what a slot names."""

    name: str | None = None
    find: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    when: str | None = None
    unless: str | None = None
    each: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Step:
        if (self.name is None) == (self.find is None):
            raise ValueError("a call has `name` and `arguments`, or `find` alone")
        return self


Steps = Several[Step]


class Find(Value):
    """How an agent that was told `said` finds a thing through tools."""

    said: Several[str] = ()
    calls: Steps


class Entity(Value):
    """A kind of thing that people speak of: its rows, the words for them, and how they are found."""

    name: Name
    part: str | None = None
    one: Text
    many: Text
    rows: Sql
    implied: Sql | None = None
    pronoun: Text = "it"
    names: dict[Name, Pattern] = Field(default_factory=dict)
    owners: Several[str] = ()
    adjectives: dict[str, Adjective] = Field(default_factory=dict)
    qualifiers: dict[Name, Pattern] = Field(default_factory=dict)
    flags: dict[Name, Flag] = Field(default_factory=dict)
    ranks: dict[str, Sql] = Field(default_factory=dict)
    limits: dict[Name, Limit] = Field(default_factory=dict)
    find: Annotated[Several[Find], Field(min_length=1)]


class Choose(Value):
    """A choice by a rule, which the engine proves to have one outcome."""

    source: Sql = Field(alias="from")
    best: str | None = None
    nth: Annotated[int, Field(ge=1, le=5)] = 1
    every: bool = False
    min: Annotated[int, Field(ge=1)] = 2
    max: Annotated[int, Field(ge=1)] = 8

    @model_validator(mode="after")
    def _one(self) -> Choose:
        if (self.best is None) != self.every:
            raise ValueError("a choice is `best` (with or without `nth`), or `every`")
        return self


class Obstacle(Value):
    """Why a goal cannot be reached: rows (or, by `draw`, values) for which it cannot, and what would lift that."""

    where: Sql | None = None
    draw: Sql | None = None
    why: Pattern
    lifted_by: Sql
    shown_by: Steps | None = None


class Trap(Value):
    """Calls that are almost right: they run, and must fail."""

    draw: Sql | None = None
    calls: Steps


class Goal(Value):
    """Something that can be asked for."""

    name: Name
    part: str | None = None
    on: str | None = None
    over: Literal["thing", "set"] = "thing"
    where: Sql | None = None
    holds: Sql | None = None
    do: Several[Pattern] = ()
    say: Several[Pattern] = ()
    ask: Several[Pattern] = ()
    reasons: Several[Pattern] = ()
    draw: Sql | None = None
    refer: dict[Name, str] = Field(default_factory=dict)
    choose: dict[Name, Choose] = Field(default_factory=dict)
    calls: Steps = ()
    each: bool = False
    ranks: Several[str] | None = None
    size: Span | None = None
    free: Several[str] = ()
    answer: Answer | None = None
    expect: Sql | None = None
    infeasible: dict[Name, Obstacle] = Field(default_factory=dict)
    near_misses: dict[Name, Trap] = Field(default_factory=dict)
    derived: dict[str, Pattern] = Field(default_factory=dict)
    given: Sql | None = None
    weight: Annotated[float, Field(gt=0, strict=False)] = 1.0
    joins: bool = True

    @property
    def writes(self) -> bool:
        """Whether the goal is to change something."""
        return self.holds is not None

    @model_validator(mode="after")
    def _whole(self) -> Goal:
        if not (self.do or self.say or self.ask):
            raise ValueError("has no phrasing; give `do` and `say`, or `ask`")
        if self.ask and (self.do or self.say):
            raise ValueError("`ask` is for questions alone; put words of a goal that also writes into `say`")
        if len(self.do) + len(self.say) + len(self.ask) < 4:
            raise ValueError("has fewer than 4 phrasings")
        if self.ask and self.holds is not None:
            raise ValueError("`holds` is for goals that change something")
        if not self.ask and self.holds is None:
            raise ValueError("`holds` is missing: SQL that is true when the goal is reached, and not at the start")
        if (self.answer is None) != (self.expect is None) or (self.ask and self.answer is None):
            raise ValueError("`answer` and `expect` go together, and a question has both")
        if self.over == "set" and (self.on is None or not self.ask):
            raise ValueError('over = "set" is for questions `on` an entity')
        if self.on is None and self.draw is None:
            raise ValueError("`on` an entity or `draw` must say what the goal is about")
        if self.each and (self.on is None or not self.do):
            raise ValueError("`each` is for goals `on` an entity that have `do` clauses")
        return self


class Conditional(Value):
    """If a thing is so, then one goal, otherwise another."""

    on: str
    test: str = Field(alias="if")
    then: str
    otherwise: str
    part: str | None = None


class Pair(Value):
    """Two goals that belong together, and the words that join them."""

    first: str
    then: str
    join: Several[Pattern]
    part: str | None = None
