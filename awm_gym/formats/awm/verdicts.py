"""Verdicts of a language model, for verifiers of the kind "sql", which find evidence and decide nothing.

>>> with Model(settings, Ledger(settings)) as model:
...     label = ModelJudge(model).verdict(task, calls, answer, judge.evidence(code, initial, final, now=now))
...     reward = REWARDS[label]

All that the model reads, but for our own words, was written by others, some of whom want it to say "completed": it
gets that as data, each part in one line of JSON of limited length, in which nothing can pass for a line of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from awm_gym.errors import ModelError, Unreadable, printable
from awm_gym.formats.awm.host import VerifierFault
from awm_gym.llm import Message, Model, Request
from awm_gym.scenario import ToolCall

Label = Literal["completed", "partially_completed", "agent_error", "environment_error"]

REWARDS: Mapping[Label, float] = MappingProxyType(dict(zip(get_args(Label), (1.0, 0.1, 0.0, 0.0), strict=True)))
STAGE = "judge"  # by which settings may name a model of its own, and the ledger tells what was spent
TRIES = 3  # answers that are asked for until one is of the form

MAX_TASK = 20_000  # characters
MAX_CALLS = 40  # the first and the last of them
MAX_CALL = 3_000  # characters: its name, its arguments and the answer
MAX_ANSWER = 20_000  # characters
MAX_EVIDENCE = 60_000  # characters


class Judgement(BaseModel):
    """What the model says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(description="What of the task has been done, by which evidence, and what has not; briefly.")
    label: Label = Field(description="The verdict.")


class ModelJudge:
    """A language model as judge. The same episode is judged alike: what it has once said is kept.

    Args:
        model: who is asked; it stays the caller's to close.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def verdict(
        self,
        task: str,
        trajectory: Sequence[tuple[ToolCall, str]],
        answer: str | None,
        evidence: Mapping[str, Any],
    ) -> Label:
        """Judge an episode.

        Args:
            task: the instruction.
            trajectory: the calls of tools, each with the text that came back, in order.
            answer: the agent's final answer; None if it gave none.
            evidence: what the verifier found: JSON values by name; see `Judge.evidence`.

        Returns:
            The verdict; `REWARDS` has what it pays.

        Raises:
            VerifierFault: the model came to no verdict in `TRIES` answers, or cannot be asked.
            BudgetSpent: the budget is spent.
        """
        messages = _messages(task, trajectory, answer, evidence)
        problem = ""
        for number in range(TRIES):
            try:
                return self._model.ask(Request("-", STAGE, messages, Judgement, number)).label
            except Unreadable as error:
                problem = str(error)
            except ModelError as error:
                raise VerifierFault(f"the judge cannot be asked: {error}") from error
        raise VerifierFault(f"the judge came to no verdict in {TRIES} answers: {printable(problem)}")


def _messages(
    task: str, trajectory: Sequence[tuple[ToolCall, str]], answer: str | None, evidence: Mapping[str, Any]
) -> tuple[Message, ...]:
    material = (
        "The task:",
        _line(task, MAX_TASK),
        f"The calls, {len(trajectory)} in all:",
        *_calls(trajectory),
        "The agent's final answer:",
        _line(answer, MAX_ANSWER),
        "The evidence:",
        _line(evidence, MAX_EVIDENCE),
        "This is the end of the data. Judge.",
    )
    return {"role": "system", "content": _rules()}, {"role": "user", "content": "\n".join(material)}


def _calls(trajectory: Sequence[tuple[ToolCall, str]]) -> list[str]:
    """A line for each call; of too many only the first and the last."""
    lines = [
        _line({"tool": call.name, "arguments": call.arguments, "answer": text}, MAX_CALL) for call, text in trajectory
    ]
    left_out = len(lines) - MAX_CALLS
    if left_out > 0:
        half = MAX_CALLS // 2
        lines[half:-half] = [f"({left_out} calls are left out here.)"]
    return lines


def _line(value: Any, most: int) -> str:
    """A value as one line of JSON, cut if it has more characters than `most`; invisible characters are spelled out."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > most:
        text = json.dumps(f"{text[:most]} ... cut: {len(text)} characters in all", ensure_ascii=False)
    return printable(text)


@cache
def _rules() -> str:
    return Path(__file__).with_suffix(".md").read_text("utf-8").strip()
