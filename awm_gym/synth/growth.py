"""Growth of briefs: a language model is shown some and asked for more; what it says is sieved.

    proposed -> well-formed, of a name that is not taken, of a category with room
             -> judged suitable, as an application that agents can work in
             -> not another brief in other words
             -> accepted, and from then on shown as an example

What is drawn is drawn from one seed, and answers are taken in the order in which they were asked for, so that the
same answers give the same briefs whichever comes first.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from awm_gym.errors import BudgetSpent, Unreadable, UsageError
from awm_gym.llm.messages import Request
from awm_gym.synth.briefs import CATEGORIES, Brief, Category, Score, normalised, seeds
from awm_gym.synth.prompts import label, rendered
from awm_gym.synth.similarity import EMBEDDED, LOCAL, SimilarityIndex, local_vector

STAGES = ("briefs", "suitability")  # each may have a model of its own
MIN_WORDS, MAX_WORDS = 40, 120  # of a description, as asked for
_WORDS = range(25, 201)  # of a description, as accepted: models count badly
_SECTORS = 4  # that one request is told to serve
_PATIENCE = 3  # rounds with next to nothing new before growth stops
_TRICKLE = 0.02  # of the briefs asked for in these rounds: fewer is next to nothing


class Model(Protocol):
    """What growth needs of `awm_gym.llm.Model`."""

    def ask_all(self, requests: list[Request[BaseModel]], /) -> Sequence[BaseModel | Unreadable]:
        """Answers in the order of the requests."""

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each text."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Proposal(_Answer):
    """A brief as a model writes it."""

    name: str
    title: str
    category: Category
    description: str


class Proposals(_Answer):
    """New briefs."""

    briefs: list[Proposal]


class Verdict(_Answer):
    """How well a brief suits."""

    number: int
    reason: str
    score: Score


class Verdicts(_Answer):
    """A verdict for each brief."""

    verdicts: list[Verdict]


@dataclass(frozen=True)
class GrowthSettings:
    """How briefs are grown.

    Attributes:
        batch: briefs that one request asks for.
        at_once: requests at a time.
        examples: briefs that a request shows, at most one of each category.
        least_score: of suitability, from 1 to 10, that a brief needs.
        per_category: briefs that a category takes; None for 1.6 times its even share, and at least 2.
        embedded: whether the model has embeddings to ask for; if not, local vectors tell which briefs are alike.
    """

    batch: int = 10
    at_once: int = 5
    examples: int = 8
    least_score: int = 6
    per_category: int | None = None
    embedded: bool = False

    def room(self, count: int) -> int:
        """Briefs that a category takes when so many are grown in all.

        Raises:
            UsageError: all categories together do not take so many.
        """
        if self.per_category is None:
            return max(2, math.ceil(1.6 * count / len(CATEGORIES)))
        if self.per_category * len(CATEGORIES) < count:
            raise UsageError(
                f"{len(CATEGORIES)} categories of at most {self.per_category} briefs do not hold {count}; "
                f"allow {math.ceil(count / len(CATEGORIES))} or more per category."
            )
        return self.per_category


DEFAULT = GrowthSettings()


class Rejection(NamedTuple):
    """What was not accepted.

    Attributes:
        name: as the model wrote it; of a request that was lost, its item.
        reason: one of "unreadable", "malformed", "name taken", "category full", "not judged", "unsuitable",
            "alike", "surplus".
        why: the particulars.
    """

    name: str
    reason: str
    why: str


@dataclass(frozen=True)
class Growth:
    """What came of growing briefs.

    Attributes:
        accepted: the new briefs, in order.
        rejected: all else that was proposed, and requests that were lost.
        requests: questions that the model was asked, second tries included.
        stopped: why there are fewer briefs than were wanted; None if there are not.
    """

    accepted: tuple[Brief, ...]
    rejected: tuple[Rejection, ...]
    requests: int
    stopped: str | None

    def summary(self, examples: int = 3) -> str:
        """Some lines for people: figures, and for each reason of rejection how many and the first few."""
        lines = [f"{len(self.accepted)} briefs accepted, {len(self.rejected)} rejected, {self.requests} requests"]
        for reason, number in Counter(rejection.reason for rejection in self.rejected).most_common():
            of_it = [rejection for rejection in self.rejected if rejection.reason == reason]
            lines.append(f"  {reason}: {number}")
            lines += [f"    {rejection.name}: {rejection.why}" for rejection in of_it[:examples]]
        return "\n".join([*lines, *([self.stopped] if self.stopped else [])])


def grow(
    model: Model, count: int, seed: int, known: Sequence[Brief] = (), settings: GrowthSettings = DEFAULT
) -> Growth:
    """Ask a model for briefs until there are so many new ones.

    Args:
        model: who invents and judges.
        count: new briefs that are wanted, at least 1.
        seed: of what is drawn: examples and sectors.
        known: briefs there are already, besides the seeds; the new ones differ from them.
        settings: how.

    Raises:
        UsageError: the count is not positive, or the categories do not take so many.
        ModelError: the model cannot be asked. Answers had before are kept by the client, so that running again goes on.
    """
    if count < 1:
        raise UsageError(f"{count} briefs cannot be grown; ask for 1 or more.")
    growing = _Growing(model, count, random.Random(seed), settings)
    try:
        growing.know(list({brief.name: brief for brief in (*seeds(), *known)}.values()))
        stopped = growing.run()
    except BudgetSpent as error:
        stopped = f"Stopped with {len(growing.accepted)} of {count} briefs: {error}"
    return Growth(tuple(growing.accepted), tuple(growing.rejected), growing.requests, stopped)


_T = TypeVar("_T", bound=BaseModel)


class _Question(NamedTuple):
    """A request in the making."""

    stage: str
    item: str
    prompt: str
    answer: type[BaseModel]

    def request(self) -> Request[BaseModel]:
        content = f"{label(self.stage, item=self.item)}\n\n{self.prompt}"
        return Request("-", self.stage, ({"role": "user", "content": content},), self.answer)

    def again(self, problem: Unreadable) -> Request[BaseModel]:
        """The same once more, with what was said and what was wrong with it."""
        request = self.request()
        said = ({"role": "assistant", "content": problem.text},) if problem.text else ()
        content = f"{label(self.stage, item=self.item, attempt=2)}\n\nYour answer cannot be used: {problem}\n"
        mend = {"role": "user", "content": content + "Answer again, the whole of it, mended."}
        return request._replace(messages=(*request.messages, *said, mend))


class _Growing:
    """Briefs in growth: what there is, and what the rounds so far came to."""

    def __init__(self, model: Model, count: int, rng: random.Random, settings: GrowthSettings) -> None:
        self._model, self._count, self._rng, self._settings = model, count, rng, settings
        self._room = settings.room(count)
        self._pool: list[Brief] = []  # all there are, to draw examples from
        self._index = SimilarityIndex()
        self._rounds: list[tuple[int, int]] = []  # of each round: briefs asked for, briefs accepted
        self._asked: Counter[str] = Counter()  # questions by stage, which number them
        self.accepted: list[Brief] = []
        self.rejected: list[Rejection] = []
        self.requests = 0

    def know(self, briefs: Sequence[Brief]) -> None:
        """Take in what there is already."""
        self._pool += briefs
        for brief, vector in zip(briefs, self._vectors(briefs), strict=True):
            self._index.add(brief.name, vector)

    def run(self) -> str | None:
        """Grow until there is enough, or next to nothing new comes; then say so."""
        while len(self.accepted) < self._count:
            before = len(self.accepted)
            asked = self._round()
            self._rounds.append((asked, len(self.accepted) - before))
            last = self._rounds[-_PATIENCE:]
            wanted, came = _sums(last)
            if len(last) == _PATIENCE and came < _TRICKLE * wanted:
                return (
                    f"Stopped with {len(self.accepted)} of {self._count} briefs: of the last {wanted} that were asked "
                    f"for {came} could be accepted. {self._trouble()} "
                    "Take a stronger model, a higher temperature, or fewer briefs."
                )
        return None

    def _trouble(self) -> str:
        """What befell most of what was proposed."""
        commonest = Counter(rejection.reason for rejection in self.rejected).most_common(1)
        return f"Most often: {commonest[0][0]}." if commonest else "Hardly anything was proposed."

    def _round(self) -> int:
        """Ask for some briefs at once, and accept what is good; return how many were asked for."""
        batches = self._batches()
        shown = [self._examples() for _ in range(batches)]
        questions = [self._invention(*each) for each in zip(self._sectors(batches), shown, strict=True)]
        proposed = [
            (proposal, tuple(example.name for example in examples))
            for answer, examples in zip(self._answers(questions, Proposals), shown, strict=True)
            for proposal in (answer.briefs if answer else ())
        ]
        suitable = list(self._judged(list(self._well_formed(proposed))))
        for brief, vector in zip(suitable, self._vectors(suitable), strict=True):
            self._consider(brief, vector)
        return batches * self._settings.batch

    # Asking for briefs.

    def _batches(self) -> int:
        """Requests for the next round: as many as should bring what is missing, going by what came of those before."""
        missing = self._count - len(self.accepted)
        wanted, came = _sums(self._rounds) if self._rounds else (1, 1)
        expected = self._settings.batch * max(came / wanted, _TRICKLE)
        return min(self._settings.at_once, math.ceil(missing / expected))

    def _sectors(self, batches: int) -> list[list[Category]]:
        """For each batch the categories that it is to serve: those with least in them, shared out."""
        held = Counter(brief.category for brief in self.accepted)
        open_ones = [category for category in CATEGORIES if held[category] < self._room]
        self._rng.shuffle(open_ones)
        open_ones.sort(key=held.__getitem__)
        return [open_ones[batch::batches][:_SECTORS] or open_ones[:_SECTORS] for batch in range(batches)]

    def _examples(self) -> list[Brief]:
        """Briefs to show, of as many categories."""
        drawn = self._rng.sample(self._pool, len(self._pool))
        return list({brief.category: brief for brief in drawn}.values())[: self._settings.examples]

    def _invention(self, sectors: list[Category], examples: list[Brief]) -> _Question:
        taken = [brief.name for brief in self._pool if brief.category in sectors]
        prompt = rendered(
            "briefs",
            count=str(self._settings.batch),
            sectors=", ".join(sectors),
            categories=", ".join(CATEGORIES),
            examples="\n".join(f"- {brief.name} ({brief.category}): {brief.description}" for brief in examples),
            taken=", ".join(taken),
            fewest=str(MIN_WORDS),
            most=str(MAX_WORDS),
        )
        return self._question("briefs", prompt, Proposals)

    def _question(self, stage: str, prompt: str, answer: type[BaseModel]) -> _Question:
        self._asked[stage] += 1
        return _Question(stage, f"batch_{self._asked[stage]}", prompt, answer)

    def _answers(self, questions: list[_Question], kind: type[_T]) -> list[_T | None]:
        """The answers; None for one that was unreadable twice."""
        answers = list(self._ask([question.request() for question in questions]))
        slips = {place: answer for place, answer in enumerate(answers) if isinstance(answer, Unreadable)}
        mended = self._ask([questions[place].again(slip) for place, slip in slips.items()])
        for place, answer in zip(slips, mended, strict=True):
            answers[place] = answer
            if isinstance(answer, Unreadable):
                question = questions[place]
                self._reject(f"{question.stage} {question.item}", "unreadable", str(answer))
        return [answer if isinstance(answer, kind) else None for answer in answers]

    def _ask(self, requests: list[Request[BaseModel]]) -> Sequence[BaseModel | Unreadable]:
        self.requests += len(requests)
        return self._model.ask_all(requests) if requests else ()

    # Sieving what was proposed.

    def _reject(self, name: str, reason: str, why: str) -> None:
        self.rejected.append(Rejection(name, reason, why))

    def _well_formed(self, proposed: Iterable[tuple[Proposal, tuple[str, ...]]]) -> Iterator[Brief]:
        """Briefs that are whole, of a name that is not taken, and of a category with room."""
        taken = {brief.name for brief in self._pool}
        for proposal, parents in proposed:
            try:
                brief = Brief(**proposal.model_dump() | {"name": normalised(proposal.name)}, parents=parents)
            except ValidationError as error:
                slip = error.errors()[0]
                self._reject(proposal.name, "malformed", f"{slip['loc'][0]}: {slip['msg']}")
                continue
            words = len(brief.description.split())
            if words not in _WORDS:
                self._reject(
                    brief.name, "malformed", f"the description has {words} words, not {MIN_WORDS} to {MAX_WORDS}"
                )
            elif brief.name in taken:
                self._reject(brief.name, "name taken", "there is a brief of this name")
            elif not self._full(brief):
                taken.add(brief.name)
                yield brief

    def _full(self, brief: Brief) -> bool:
        """Whether the brief is too many for its category; if so it is rejected."""
        full = sum(other.category == brief.category for other in self.accepted) >= self._room
        if full:
            self._reject(brief.name, "category full", f"{brief.category} holds {self._room} already")
        return full

    def _judged(self, briefs: list[Brief]) -> Iterator[Brief]:
        """Briefs that the model, asked as a judge, finds suitable; with their scores."""
        size = self._settings.batch
        batches = [briefs[start : start + size] for start in range(0, len(briefs), size)]
        questions = [self._question("suitability", _judgement(batch), Verdicts) for batch in batches]
        for batch, answer in zip(batches, self._answers(questions, Verdicts), strict=True):
            verdicts = {verdict.number: verdict for verdict in answer.verdicts} if answer else {}
            for number, brief in enumerate(batch, 1):
                verdict = verdicts.get(number)
                if verdict is None:
                    self._reject(brief.name, "not judged", "no verdict was given on it")
                elif verdict.score < self._settings.least_score:
                    self._reject(brief.name, "unsuitable", f"{verdict.score} of 10: {verdict.reason}")
                else:
                    yield brief.model_copy(update={"score": verdict.score})

    def _consider(self, brief: Brief, vector: Sequence[float]) -> None:
        """Accept a brief if it is wanted, has room, and is no other one in other words."""
        near = self._index.nearest(vector)
        if len(self.accepted) == self._count:
            self._reject(brief.name, "surplus", f"{self._count} were accepted before it")
        elif near.cosine >= (EMBEDDED if self._settings.embedded else LOCAL):
            self._reject(brief.name, "alike", f"{near.name} is {near.cosine:.2f} alike")
        elif not self._full(brief):
            self.accepted.append(brief)
            self._pool.append(brief)
            self._index.add(brief.name, vector)

    def _vectors(self, briefs: Sequence[Brief]) -> list[list[float]]:
        texts = [brief.text for brief in briefs]
        if self._settings.embedded and texts:
            return self._model.embed(texts)
        return [local_vector(text).tolist() for text in texts]


def _sums(rounds: list[tuple[int, int]]) -> tuple[int, int]:
    """Briefs asked for and briefs accepted in some rounds."""
    return sum(asked for asked, _ in rounds), sum(came for _, came in rounds)


def _judgement(briefs: list[Brief]) -> str:
    entries = (
        f"{number}. {brief.title} ({brief.category}): {brief.description}" for number, brief in enumerate(briefs, 1)
    )
    return rendered("suitability", briefs="\n\n".join(entries))
