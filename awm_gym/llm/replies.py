"""What servers send, read with tolerance for their differences."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from awm_gym.errors import ModelError, shown
from awm_gym.llm.ledger import Usage
from awm_gym.llm.messages import Call, Said

_TOKEN = 4  # characters of one, about; for servers that do not count


class _Tokens(BaseModel):
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(BaseModel):
    id: str | None = None
    function: _Function


class _Part(BaseModel):
    text: str | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None


class _Vector(BaseModel):
    index: int
    embedding: list[float] = Field(min_length=1)


class _Embeddings(BaseModel):
    data: list[_Vector]
    usage: _Tokens | None = None


_R = TypeVar("_R", bound=BaseModel)


def said(body: str, asked: int) -> Said:
    """What a chat completion says.

    Args:
        body: what the server sent.
        asked: characters of the question.

    Raises:
        ModelError: it is no chat completion.
    """
    completion = _parsed(body, _Completion, "chat completion")
    choice = completion.choices[0]
    message = choice.message
    text = message.refusal or _text(message.content)
    calls = _calls(message.tool_calls or [])
    finish = "refusal" if message.refusal else choice.finish_reason or "stop"
    answered = len(text) + sum(len(call.arguments) for call in calls)
    return Said(text, calls, finish, _usage(completion.usage, asked, answered), kept=False)


def vectors(body: str, asked: list[str]) -> tuple[list[list[float]], Usage]:
    """The embeddings of the texts that were asked for, in their order, and the tokens they took.

    Raises:
        ModelError: it is no list of embeddings, one for each text.
    """
    embeddings = _parsed(body, _Embeddings, "list of embeddings")
    ordered = sorted(embeddings.data, key=lambda vector: vector.index)
    if [vector.index for vector in ordered] != list(range(len(asked))):
        raise ModelError(f"The server sent {len(ordered)} embeddings for {len(asked)} texts, or numbered them wrongly.")
    return [vector.embedding for vector in ordered], _usage(embeddings.usage, sum(map(len, asked)), 0)


def _parsed(body: str, form: type[_R], name: str) -> _R:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        where = "Is --base-url (OPENAI_BASE_URL) the address of an OpenAI-compatible server, with its /v1?"
        raise ModelError(f"The server sent no {name} but {shown(body, 200)}. {where}") from error


def _text(content: str | list[_Part] | None) -> str:
    """The words of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _calls(sent: list[_Call]) -> tuple[Call, ...]:
    """Calls with ids of their own, which some servers leave out or repeat."""
    calls: list[Call] = []
    for call in sent:
        arguments = call.function.arguments
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        fresh = call.id and call.id not in {other.id for other in calls}
        calls.append(Call(str(call.id) if fresh else f"call_{len(calls)}", call.function.name, text or "{}"))
    return tuple(calls)


def _usage(tokens: _Tokens | None, asked: int, answered: int) -> Usage:
    if tokens is None:  # a budget must end with such servers too
        return Usage(-(-asked // _TOKEN), -(-answered // _TOKEN))
    return Usage(tokens.prompt_tokens or 0, tokens.completion_tokens or 0)
