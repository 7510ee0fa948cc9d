"""The words of bound goals: phrasings filled, framed, joined, chained."""

from __future__ import annotations

import re
from collections.abc import Sequence

from awm_gym.blueprints.chance import Stream
from awm_gym.blueprints.goals import Bound
from awm_gym.blueprints.phrases import Voice
from awm_gym.blueprints.things import Scene
from awm_gym.errors import ScenarioError
from awm_gym.speech import clause, sentence, tidy

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
