"""A question to a language model, and what was said to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from awm_gym.llm.ledger import Usage

Message = Mapping[str, Any]  # of a chat, in OpenAI's form: role, content, and what tools need
T = TypeVar("T", bound=BaseModel)


class Request(NamedTuple, Generic[T]):
    """One question, to be answered with a value.

    Attributes:
        scenario: for which it is asked.
        stage: of the synthesis in which it is asked; it may have a model of its own.
        messages: the conversation so far; it ends with words, not with calls of tools.
        answer: the type of the answer.
        number: which of several answers to the same messages is meant.
    """

    scenario: str
    stage: str
    messages: tuple[Message, ...]
    answer: type[T]
    number: int = 0


class Call(NamedTuple):
    """A call of a function tool.

    Attributes:
        id: unlike that of every other call in the same answer.
        name: of the tool.
        arguments: as the model wrote them; to be JSON, but that is the model's affair.
    """

    id: str
    name: str
    arguments: str


class Said(NamedTuple):
    """What a model said.

    Attributes:
        text: its words; its reason, if it refused.
        calls: the tools that it calls.
        finish: why it stopped: "stop", "tool_calls", "length" if it was cut, "refusal", "content_filter".
        usage: the tokens, also of an answer that was kept.
        kept: whether it was kept from earlier, and cost nothing now.
    """

    text: str
    calls: tuple[Call, ...]
    finish: str
    usage: Usage
    kept: bool
