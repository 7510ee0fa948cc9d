"""Goals bound to things: what an operator makes of a goal, in values and in words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.format import Choose, Goal, Obstacle
from awm_gym.blueprints.things import Description, Row, Scene, Things, Voice
from awm_gym.errors import ScenarioError
from awm_gym.speech import clause, sentence, tidy

MAX_DRAWN = 6  # drawn values tried for one thing
_OWN = 40  # drawn values tried for a goal that is about no one thing
_SET = (2, 4)  # things of "every ...", unless the goal says otherwise
_ASKED_SET = (2, 9)  # things of a question about a set
_NEAR = 40  # a note before a text that has a colon of its own so near its start would read badly
_SLOT = re.compile(r"\{(\w+)\}")
_FRAMES = (
    "{C}.",
    "Please {c}.",
    "{C}, please.",
    "Could you {c}?",
    "Can you {c}, please?",
    "I need you to {c}.",
    "Would you {c}?",
    "{C}. Thanks.",
    "You need to {c}.",
    "I'd like you to {c}.",
)
_OPENERS = ("This is {}.", "{} here.", "Hello, my name is {}.", "Hi, {} speaking.", "It's {}.", "{} on the line.")
_FIRMS = ("This is {}.", "{} here.", "Hello from {}.", "Hi, this is {}.", "{} on the line.")
_JOINS = (
    "{A}, and then {b}.",
    "{A}. Once that is done, {b}.",
    "{A}. Then {b}.",
    "Please {a}, then {b}.",
    "Could you {a} and {b}?",
    "{A} and {b}, please.",
    "I need you to {a}, and to {b}.",
    "{A}. After that, {b}.",
)
_TOPICS = (
    "{A}. {B}.",
    "{A}. And another thing: {b}.",
    "{A}, and {b} as well.",
    "{A}. Also, {b}.",
    "Two things. {A}. Then {b}.",
)
_APART = ("{A}. Then {b}.", "{A}. Once that is done, {b}.", "{A}. After that, {b}.", "First, {a}. Then {b}.")
_LONG = re.compile(r"[:;]|\. |(,.*){2}")  # clauses that do not go well into one sentence
_BOTH = ("{A}, and {b}.", "Please {a} and {b}.", "{A}, then {b}.", "I need you to {a}, and to {b}.")
_CHAINS = (
    "{A}, {b}, and then {c}.",
    "Three things: {a}, {b}, and {c}.",
    "{A}. Then {b}. Finally, {c}.",
    "Please {a}, then {b}, and last of all {c}.",
    "First, {a}. Next, {b}. When that is done, {c}.",
)
_LEADS = ("", "", "After that, one question. ", "And I'd like to know something afterwards. ", "Then a question. ")
_ORDER = re.compile(r"(Tell|Give|Add|Count|Work|List|Name|Find|Say|Look|Let|Check) ")
_CONDITIONS = (
    "If {it} {is}, {a}; otherwise, {b}.",
    "Please look at {it}: if it {is}, {a}, and if not, {b}.",
    "Check {it}. If it {is}, {a}. Otherwise, {b}.",
    "{A_it} if it {is}. If it isn't so, {b} instead.",
)


@dataclass(frozen=True)
class Bound:
    """A goal with everything decided but the words.

    Attributes:
        goal: the goal.
        operator: what picks its things: "the", "every", "set", "most oldest", "second oldest", "plain",
            "infeasible paid".
        it: the things it is about, None for a goal of its own.
        values: what its texts and queries may name: columns of the thing, drawn values, ids of slots.
        slots: other things it names -> their descriptions.
        chosen: choices by a rule -> the rows that were chosen, and those that were not.
        obstacle: why it cannot be done, if it cannot.
        spare: other values that could have been drawn.
    """

    goal: Goal
    operator: str
    it: Description | None
    values: Mapping[str, Any]
    slots: Mapping[str, Description]
    chosen: Mapping[str, tuple[tuple[Row, ...], tuple[Row, ...]]]
    obstacle: Obstacle | None = None
    spare: tuple[Row, ...] = ()

    @property
    def shape(self) -> str:
        """The goal and the operator."""
        return f"{self.goal.name} {self.operator}"

    @property
    def bindings(self) -> dict[str, Any]:
        """What SQL may bind: the scalars among the values."""
        return {name: value for name, value in self.values.items() if not isinstance(value, (Mapping, tuple))}

    @property
    def places(self) -> dict[str, Any]:
        """What texts and arguments may name: the values, and rows for things, slots and choices."""
        found = dict(self.values)
        found |= {name: rows[0][0] for name, rows in self.chosen.items() if rows[0]}
        found |= {name: slot.rows[0] for name, slot in self.slots.items()}
        if self.it is not None:
            found["it"] = next((row for row in self.it.rows if row["id"] == self.values["it"]), self.it.rows[0])
        return found

    def about(self, row: Row) -> Bound:
        """The same goal about another thing."""
        values = {**self.values, **row, **self._drawn(), "it": row["id"]}
        return replace(self, values=values)

    def _drawn(self) -> dict[str, Any]:
        return {name: self.values[name] for name in self.values.get("_drawn", ())}

    def drawing(self, values: Row) -> Bound:
        """The same goal with other drawn values."""
        return replace(self, values={**self.values, **values})

    def choosing(self, name: str, rows: tuple[Row, ...]) -> Bound:
        """The same goal with another choice."""
        values = dict(self.values) | _choice_values(name, rows)
        return replace(self, values=values, chosen={**self.chosen, name: (rows, ())})


def operators(goal: Goal, things: Things | None) -> list[str]:
    """What can pick the things of a goal."""
    infeasible = [f"infeasible {name}" for name in goal.infeasible]
    if goal.on is None or things is None:
        return ["plain", *infeasible]
    if goal.over == "set":
        return ["set"]
    ranks = things.entity.ranks if goal.ranks is None else goal.ranks
    found = ["the", *(f"most {rank}" for rank in ranks), *(f"second {rank}" for rank in ranks)]
    return [*found, *(["every"] if goal.each else []), *infeasible]


class Binder:
    """Binds goals to what is there.

    Args:
        scene: the world at one moment.
        stream: chance.
    """

    def __init__(self, scene: Scene, stream: Stream) -> None:
        self.scene, self.stream = scene, stream

    def bound(self, goal: Goal, operator: str, within: int | None = None, *, owned: bool = False) -> Iterator[Bound]:
        """Ways to bind a goal, in a random order.

        Args:
            goal: the goal.
            operator: what picks its things.
            within: the things it may be about, if not all.
            owned: whether the things must be told by their owner.
        """
        kind, _, name = operator.partition(" ")
        obstacle = goal.infeasible[name] if kind == "infeasible" else None
        if goal.on is None:
            sql = (obstacle and obstacle.draw) or goal.draw or ""
            found = self._drawn(goal, sql, {})
            for place, drawn in enumerate(found[:_OWN]):
                spare = tuple((*found[place + 1 :], *found[:place])[:MAX_DRAWN])
                for bound in self._whole(goal, operator, None, {**drawn, "_drawn": tuple(drawn)}, obstacle):
                    yield replace(bound, spare=spare)
            return
        things = self.scene.things(goal.on)
        where = things.where((obstacle.where if obstacle else None) or (None if obstacle else goal.where))
        if within is not None:
            where &= within
        for description in self._described(goal, operator, things, where, owned=owned):
            yield from self._about(goal, operator, description, obstacle)

    def _described(
        self, goal: Goal, operator: str, things: Things, where: int, *, owned: bool
    ) -> Iterator[Description]:
        kind, _, name = operator.partition(" ")
        if kind in ("most", "second"):
            nth = 1 if kind == "most" else 3 if self.stream.chance(0.25) else 2
            yield from things.superlatives(where, [name], nth, self.stream)
        elif kind in ("every", "set"):
            yield from things.sets(where, goal.size or (_SET if kind == "every" else _ASKED_SET), self.stream)
        else:
            for place in self.stream.shuffled(things.members(where)):
                description = things.described(things.rows[place]["id"], self.stream, owned=owned)
                if description is not None:
                    yield description

    def _about(self, goal: Goal, operator: str, it: Description, obstacle: Obstacle | None) -> Iterator[Bound]:
        row = {**it.rows[0], "it": it.ids[0]}
        sql = (obstacle and obstacle.draw) or goal.draw
        if sql is None:
            yield from self._whole(goal, operator, it, row, obstacle)
            return
        found = self._drawn(goal, sql, row)
        for place, drawn in enumerate(found[:MAX_DRAWN]):
            spare = [{**row, **other} for other in (*found[place + 1 :], *found[:place])]
            values = {**row, **drawn, "_drawn": tuple(drawn)}
            for bound in self._whole(goal, operator, it, values, obstacle):
                yield replace(bound, spare=tuple(spare[:MAX_DRAWN]))

    def about(self, goal: Goal, it: Description) -> Iterator[Bound]:
        """Ways to bind a goal to a thing that is described already."""
        yield from self._about(goal, "the", it, None)

    def _drawn(self, goal: Goal, sql: str, row: Row) -> list[dict[str, Any]]:
        return self.stream.shuffled(self.scene.ask(sql, row, "goals.toml", f"{goal.name}.draw"))

    def _whole(
        self, goal: Goal, operator: str, it: Description | None, values: Mapping[str, Any], obstacle: Obstacle | None
    ) -> Iterator[Bound]:
        """With the other things described and the choices made; nothing if one of them cannot be."""
        known = dict(values)
        slots: dict[str, Description] = {}
        for slot, entity in goal.refer.items():
            if slot not in known:
                raise self.scene.grammar.error(
                    f"refer names {slot!r}, which draw does not give", "goals.toml", goal.name
                )
            description = self.scene.things(entity).described(known[slot], self.stream)
            if description is None:
                return
            slots[slot] = description
        chosen: dict[str, tuple[tuple[Row, ...], tuple[Row, ...]]] = {}
        for name, choose in goal.choose.items():
            choice = self._choice(goal, name, choose, known)
            if choice is None:
                return
            chosen[name] = choice
            known |= _choice_values(name, choice[0])
        yield Bound(goal, operator, it, known, slots, chosen, obstacle)

    def _choice(
        self, goal: Goal, name: str, choose: Choose, values: Mapping[str, Any]
    ) -> tuple[tuple[Row, ...], tuple[Row, ...]] | None:
        bindings = {key: value for key, value in values.items() if not isinstance(value, (Mapping, tuple))}
        rows = self.scene.ask(choose.source, bindings, "goals.toml", f"{goal.name}.choose.{name}")
        if choose.every:
            return (tuple(rows), ()) if choose.min <= len(rows) <= choose.max else None
        by = (choose.best or "").lstrip("-")
        if rows and by not in rows[0]:
            raise self.scene.grammar.error(
                f"there is no column {by!r} in `from`", "goals.toml", f"{goal.name}.choose.{name}"
            )
        rows = sorted((row for row in rows if row[by] is not None), key=lambda row: row[by], reverse=choose.best != by)
        values_in_order = [row[by] for row in rows[: choose.nth + 1]]
        if len(rows) < max(2, choose.nth) or len(set(values_in_order)) < len(values_in_order):
            return None
        winner = rows[choose.nth - 1]
        near = [rows[choose.nth]] if choose.nth < len(rows) else []
        return (winner,), tuple([*near, *(row for row in rows if row is not winner and row not in near)])


def _choice_values(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    first = rows[0]
    key = first["id"] if "id" in first else next(iter(first.values()))
    return {name: key, f"_{name}": dict(first)}


class Writer:
    """Writes the words of bound goals."""

    def __init__(self, scene: Scene, stream: Stream) -> None:
        self.scene, self.stream = scene, stream
        phrases = scene.grammar.head.phrases
        self._frames = [*_FRAMES, *phrases.frames]
        self._openers = [*_OPENERS, *phrases.openers]
        self._notes = phrases.notes

    def instruction(self, bound: Bound) -> str | None:
        """The words of one goal; None if no phrasing fits."""
        goal, many = bound.goal, bound.operator == "every"
        patterns: list[tuple[str, bool]] = [(pattern, True) for pattern in goal.do]
        if not many:
            patterns += [(pattern, False) for pattern in (*goal.say, *goal.say, *goal.ask)]
        for pattern, framed in self.stream.shuffled(patterns):
            text = self._worded(bound, pattern, framed)
            if text is not None:
                return self._noted(tidy(text))
        return None

    def _noted(self, text: str) -> str:
        if self._notes and ":" not in text[:_NEAR] and self.stream.chance(0.1):
            return tidy(self.stream.pick(self._notes).replace("{text}", text))
        return text

    def _worded(self, bound: Bound, pattern: str, framed: bool) -> str | None:
        voice, opener = Voice(), ""
        if pattern.startswith("@"):
            who, _, pattern = pattern[1:].partition(" ")
            name = bound.values.get(who)
            if name is None:
                return None
            voice = Voice(speaker=name)
            opener = (
                self.stream.pick(self._openers if self._person(str(name)) else _FIRMS).replace("{}", str(name)) + " "
            )
        if voice.speaker is not None and bound.it is not None and bound.it.entity.owners and bound.it.owner is None:
            return None  # what is mine is called mine
        text = self.worded(bound, pattern, voice)
        if voice.speaker is not None and str(voice.speaker) in text:
            return None  # nobody speaks of himself by name
        if framed:
            text = self._framed(text)
            if bound.goal.reasons and self.stream.chance(0.4):
                text = f"{self._said(bound, self.stream.pick(bound.goal.reasons), Voice())} {text}"
                if bound.it and bound.it.owner is not None and text.count(str(bound.it.owner)) > 1:
                    return None
        return opener + text

    def _person(self, name: str) -> bool:
        """Whether a name is a person's, and not a firm's."""
        first, _, last = name.partition(" ")
        words = self.scene.grammar.vocabulary
        return first in words["first_names"] and last in words["last_names"]

    def _framed(self, text: str) -> str:
        frame = self.stream.pick(self._frames)
        return frame.replace("{c}", text).replace("{C}", sentence(text))

    def worded(self, bound: Bound, pattern: str, voice: Voice, pronoun: str = "") -> str:
        """A phrasing with its places filled; a pronoun stands for the thing if there is one."""
        it = bound.it
        if it is not None and it.owner is not None and voice.speaker is None and voice.named is None:
            before = pattern.partition("{it}")[0] if "{it}" in pattern else ""
            if any(f"{{{place}{it.column}" in before for place in ("", "it.")):
                voice = Voice(named=it.owner)
        return self._said(bound, pattern, voice, pronoun)

    def _said(self, bound: Bound, pattern: str, voice: Voice, pronoun: str = "") -> str:
        def thing(match: re.Match[str]) -> str:
            name = match[1]
            if name == "it" and bound.it is not None:
                if pronoun:
                    return pronoun
                return bound.it.each(voice) if bound.operator == "every" else bound.it.one(voice)
            if name == "them" and bound.it is not None:
                return bound.it.all(voice)
            if name in bound.slots:
                return bound.slots[name].one(voice)
            return match[0]

        try:
            return self.scene.filled(_SLOT.sub(thing, pattern), bound.places)
        except ScenarioError as error:
            raise self.scene.grammar.error(error.problem, "goals.toml", bound.goal.name) from None

    def joined(self, first: Bound, second: Bound, shared: str, join: Sequence[str] = ()) -> str | None:
        """Two goals in one instruction. What they share is "thing", "owner", or "" for nothing."""
        if not first.goal.do:
            return None
        start = clause(self.worded(first, self.stream.pick(first.goal.do), Voice()))
        named = first.it.owner if first.it is not None else None
        voice = Voice(named=named) if shared == "owner" else Voice()
        if second.goal.ask:
            return self._noted(tidy(f"{self._framed(start)} {self._asked(second, voice)}"))
        if not second.goal.do:
            return None
        pronoun = second.it.entity.pronoun if shared == "thing" and second.it is not None else ""
        end = clause(self.worded(second, self.stream.pick(second.goal.do), voice, pronoun))
        if named is not None and shared != "owner" and str(named) in end:
            return None
        patterns = _APART if _LONG.search(start) or _LONG.search(end) else _TOPICS if shared == "" else _JOINS
        pattern = self.stream.pick(list(join) or patterns)
        for place, words in (("{a}", start), ("{A}", sentence(start)), ("{b}", end), ("{B}", sentence(end))):
            pattern = pattern.replace(place, words)
        return self._noted(tidy(pattern))

    def _asked(self, bound: Bound, voice: Voice) -> str:
        """A question that follows something else."""
        asked = self.worded(bound, self._plain(bound.goal.ask), voice)
        if _ORDER.match(asked):
            return f"Then {asked[0].lower()}{asked[1:]}"
        return self.stream.pick(_LEADS) + asked

    def chained(self, bounds: Sequence[Bound]) -> str | None:
        """Goals about things of one owner, in one instruction; the last may be a question."""
        first, *rest = bounds
        if first.it is None or not all(bound.goal.do for bound in bounds[:-1]):
            return None
        voice = Voice(named=first.it.owner)
        clauses = [clause(self.worded(first, self.stream.pick(first.goal.do), Voice()))]
        clauses += [
            clause(self.worded(bound, self.stream.pick(bound.goal.do), voice)) for bound in rest if not bound.goal.ask
        ]
        if any(str(first.it.owner) in text for text in clauses[1:]):
            return None
        if any(_LONG.search(text) for text in clauses):
            return None  # in a chain, nobody would know where one ends
        start = self.stream.pick(_BOTH if rest[-1].goal.ask else _CHAINS)
        for letter, words in zip("abc", clauses, strict=False):
            start = start.replace(f"{{{letter}}}", words).replace(f"{{{letter.upper()}}}", sentence(words))
        return self._noted(tidy(f"{start} {self._asked(rest[-1], voice)}" if rest[-1].goal.ask else start))

    def _plain(self, patterns: Sequence[str]) -> str:
        plain = [pattern for pattern in patterns if not pattern.startswith("@")]
        return self.stream.pick(plain or [patterns[0].partition(" ")[2]])

    def conditional(self, then: Bound, otherwise: Bound, test: str) -> str | None:
        """Words for a condition: if it is so, do this; otherwise do that."""
        if then.it is None or not then.goal.do or not otherwise.goal.do:
            return None
        entity = then.it.entity
        pattern = self.stream.pick(_CONDITIONS)
        pick = self.stream.pick
        whole = pick(then.goal.do)
        parts = {
            "{it}": then.it.one(Voice()),
            "{is}": entity.adjectives[test].is_ or "",
            "{a}": clause(self.worded(then, whole, Voice(), entity.pronoun)),
            "{A_it}": sentence(clause(self.worded(then, whole, Voice()))),
            "{b}": clause(self.worded(otherwise, pick(otherwise.goal.do), Voice(), entity.pronoun)),
        }
        for place, words in parts.items():
            pattern = pattern.replace(place, words)
        return self._noted(tidy(pattern))


def merged(bounds: Sequence[Bound]) -> list[str]:
    """Columns and tables that any of some goals leaves free."""
    return list(dict.fromkeys(itertools.chain.from_iterable(bound.goal.free for bound in bounds)))
