"""Asking a language model for forms: conversations, looks before an answer, and what was wrong with the last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, get_args

from awm_gym.database import FUNCTIONS
from awm_gym.errors import Unreadable
from awm_gym.gates import GATES
from awm_gym.llm import Message, Request
from awm_gym.scenario import RESERVED, ScalarType
from awm_gym.synth.draft import Draft, Written, blame
from awm_gym.synth.forms import Form, Unfit
from awm_gym.synth.prompts import label, rendered

MAX_LOOKS = 4  # times that a model may look before it decides
_MAX_FINDINGS = 15  # told at once
_MAX_FINDING = 700  # characters of one


class Asker(Protocol):
    """Who is asked: a `Model`, or a script."""

    def ask_all(self, requests: Sequence[Request[Any]], /) -> list[Any]:
        """Answers in order: forms, or `Unreadable` where there is none."""


class Question(NamedTuple):
    """A form to be filled in.

    Attributes:
        stage, item: of what.
        prompt: in words.
        form: the type of the answer.
        look: shows what the answer asks to see before it decides; "" if it asks for nothing.
    """

    stage: str
    item: str
    prompt: str
    form: type[Form]
    look: Callable[[Any], str] = lambda form: ""


class Interview:
    """Asks for forms, and remembers what was said.

    Args:
        asker: who is asked.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.said: dict[tuple[str, str], str] = {}  # the last answer to each question, by stage and item
        self._asked: Counter[tuple[str, str]] = Counter()

    def whole(
        self,
        draft: Draft,
        question: Question,
        findings: tuple[str, ...],
        made: Callable[[Any], dict[str, Any]],
        *,
        looks: int = MAX_LOOKS,
        edits: bool = False,
    ) -> Written:
        """The draft with the fields that one form yields."""
        fields: dict[str, Any] = {}
        slips = self.each(
            draft, [question], findings, lambda _, form: fields.update(made(form)), looks=looks, edits=edits
        )
        return Written(replace(draft, **fields), slips)

    def each(
        self,
        draft: Draft,
        questions: Sequence[Question],
        findings: tuple[str, ...],
        made: Callable[[str, Any], None],
        *,
        members: Mapping[str, Sequence[str]] | None = None,
        looks: int = MAX_LOOKS,
        edits: bool = False,
    ) -> tuple[str, ...]:
        """Ask questions at once, and let each answer be made into a part of the draft.

        Args:
            draft: the draft.
            questions: what to ask.
            findings: what was wrong with the last answers.
            made: takes the item and the form; raises Unfit if it makes nothing.
            members: per item, the names by which findings know its parts; by default its own.
            looks: how often an answer may ask to see something first.
            edits: whether an answer may consist of edits.

        Returns:
            What was wrong with answers: they were no forms, or were Unfit.
        """
        slips: list[str] = []
        names = {question.item: (members or {}).get(question.item, [question.item]) for question in questions}
        talks = {
            question.item: self._talk(draft, question, findings, names[question.item], edits) for question in questions
        }
        waiting = list(questions)
        for turn in range(looks + 1):
            requests = [
                Request(draft.name, question.stage, tuple(talks[question.item]), question.form) for question in waiting
            ]
            answers = self._asker.ask_all(requests) if requests else []
            again = []
            for question, answer in zip(waiting, answers, strict=True):
                key = (question.stage, question.item)
                text = answer.text if isinstance(answer, Unreadable) else answer.model_dump_json()
                self.said[key] = text
                if isinstance(answer, Unreadable):
                    slips += [named(name, str(answer)) for name in names[question.item]]
                    continue
                seen = question.look(answer)
                if seen and turn < looks:
                    told = f"{seen}\n\n{self._label(draft, question, turn + 1)}"
                    talks[question.item] += [_assistant(text), _user(told)]
                    again.append(question)
                    continue
                try:
                    made(question.item, answer)
                except Unfit as error:
                    slips.append(named(question.item, str(error)))
            waiting = again
        return tuple(slips)

    def _talk(
        self, draft: Draft, question: Question, findings: tuple[str, ...], names: Sequence[str], edits: bool
    ) -> list[Message]:
        """The conversation that ends in a question, after the last answer to it and what was wrong with that."""
        key = (question.stage, question.item)
        self._asked[key] += 1
        own = [one for one in findings if question.item == "-" or blame(draft, one).item in ("", *names)]
        here = self._label(draft, question, 0)
        if not own:
            return [_system(), _user(f"{question.prompt}\n\n{here}")]
        repair = repair_message(own, edits=edits)
        if key not in self.said:
            return [_system(), _user(f"{question.prompt}\n\n{repair}\n\n{here}")]
        return [_system(), _user(question.prompt), _assistant(self.said[key]), _user(f"{repair}\n\n{here}")]

    def _label(self, draft: Draft, question: Question, look: int) -> str:
        """Tells programs and logs what a request is about."""
        attempt = self._asked[question.stage, question.item]
        item = f"{question.item} look={look}" if look else question.item
        return label(question.stage, scenario=draft.name, item=item, attempt=attempt)


def _system() -> Message:
    text = rendered(
        "system",
        functions=", ".join(sorted(FUNCTIONS - {"now"})),
        types=", ".join(get_args(ScalarType)),
        reserved=" and ".join(RESERVED),
    )
    return {"role": "system", "content": text}


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def named(item: str, problem: str) -> str:
    """A finding that begins with the task or tool that it concerns."""
    return problem if item == "-" or problem.startswith(f"{item}:") else f"{item}: {problem}"


def condensed(findings: Sequence[str]) -> tuple[str, str]:
    """Findings a line each, the first of them and shortened; and what the gates that found them demand."""
    told = [f"- {finding if len(finding) <= _MAX_FINDING else finding[:_MAX_FINDING] + ' ...'}" for finding in findings]
    if len(told) > _MAX_FINDINGS:
        told[_MAX_FINDINGS:] = [f"- and {len(told) - _MAX_FINDINGS} more of this kind"]
    named = {finding.partition(":")[0] for finding in findings}
    meant = [f"- {gate.__name__}: {' '.join((gate.__doc__ or '').split())}" for gate in GATES if gate.__name__ in named]
    return "\n".join(told), "What these tests demand:\n\n" + "\n".join(meant) + "\n\n" if meant else ""


def repair_message(findings: Sequence[str], *, edits: bool) -> str:
    """Asks for another attempt, with what was found in the last."""
    told, remedies = condensed(findings)
    hint = " Or leave `sql` empty and give `edits`." if edits else ""
    return rendered("repair", findings=told, remedies=remedies, edits=hint)
