"""Noun phrases: what they are made of, what they mean, and how they are said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from awm_gym.blueprints.format import Entity
from awm_gym.errors import ScenarioError, unknown
from awm_gym.speech import say

Row = Mapping[str, Any]
PLACE = re.compile(r"\{(\w+)(?:\.(\w+))?(?:\|([\w']+))?\}")


@dataclass(frozen=True)
class Voice:
    """Who speaks, and who was just named: "Ana Silva's" is then "my", or "their"."""

    speaker: Any = None
    named: Any = None

    def possessive(self, owner: Any) -> str:
        """An owner before the owned."""
        if owner == self.speaker and owner is not None:
            return "my"
        if owner == self.named and owner is not None:
            return "their"
        return say(str(owner), "'s", datetime.min)


class Part(NamedTuple):
    """A part of a noun phrase: its kind and name, how it is said, what it tells, and the rows it is true of."""

    kind: str
    name: str
    text: str
    said: frozenset[str]
    rows: int


@dataclass(frozen=True)
class Description:
    """A noun phrase and what it means.

    Attributes:
        entity: the kind of thing.
        ids: the keys of what is meant, in the order of the rank, or of the keys.
        rows: their rows.
        said: columns whose value the phrase tells.
        owner: the value of the owner's column, if one is named.
        others: keys of what the phrase could be mistaken for: the runner-up, rows that fit all parts but one.
        whole: whether finding it takes the whole list: sets and superlatives.
        column: the owner's column.
        name: the whole phrase, if it is a complete description such as "invoice 2047".
        rank: the superlative, "" without one.
        before: the adjectives.
        after: what is said after the noun.
        values: the first row as it was when the phrase was made: what is said, and looked up.
    """

    entity: Entity
    ids: tuple[Any, ...]
    rows: tuple[Row, ...]
    said: frozenset[str]
    owner: Any
    others: tuple[Any, ...]
    whole: bool = False
    column: str = ""
    name: str = ""
    rank: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def one(self, voice: Voice) -> str:
        """The thing: "Ana Silva's oldest unpaid invoice"."""
        if self.name:
            return self.name
        return " ".join([self._determiner(voice), *self._middle(self.entity.one), *self.after])

    def each(self, voice: Voice) -> str:
        """The things, one by one: "every unpaid invoice", "each of Ana Silva's unpaid invoices"."""
        if self.owner is None:
            return " ".join(["every", *self._middle(self.entity.one), *self.after])
        return " ".join(["each of", voice.possessive(self.owner), *self._middle(self.entity.many), *self.after])

    def all(self, voice: Voice) -> str:
        """The things together: "Ana Silva's unpaid invoices"."""
        return " ".join([self._determiner(voice), *self._middle(self.entity.many), *self.after])

    def _determiner(self, voice: Voice) -> str:
        return "the" if self.owner is None else voice.possessive(self.owner)

    def _middle(self, noun: str) -> list[str]:
        return [*([self.rank] if self.rank else []), *self.before, noun]


def fill(pattern: str, values: Row, now: datetime, currency: str) -> str:
    """A text with its {places} said.

    Raises:
        ScenarioError: a place has no value.
    """

    def told(match: re.Match[str]) -> str:
        name, key, how = match[1], match[2], match[3] or ""
        value = values.get(name)
        if key is not None and isinstance(value, Mapping):
            value = value.get(key)
        if value is None:
            raise ScenarioError(f"{match[0]}: " + unknown("value", f"{name}.{key}" if key else name, values))
        try:
            return say(value, how, now, currency)
        except ValueError as error:
            raise ScenarioError(f"{match[0]}: {error}") from None

    return PLACE.sub(told, pattern)
