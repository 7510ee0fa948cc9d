"""Asking a language model: any OpenAI-compatible server, answers of a type, every request kept on disk.

The same request is never paid twice: answers are kept by the content of the request, so that a run which was
interrupted, or is repeated, goes on where it was. Servers differ in what they can do; what one refuses is not asked
of it again: structured outputs, then JSON mode, then plain text from which the JSON is taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from awm_gym import places
from awm_gym.errors import AwmError, UsageError, shown, unknown

FORMATS = ("json_schema", "json_object", "text")
MAX_TRIES = 6  # of one request that fails for no fault of its own
MAX_WAIT = 120.0  # seconds before a request is tried again
_RETRIED = {408, 409, 425, 429}
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)(?:```|\Z)", re.S)

Format = Literal["json_schema", "json_object", "text"]
Message = Mapping[str, str]
_T = TypeVar("_T", bound=BaseModel)


class ModelError(AwmError):
    """The server of the language model cannot be reached, or refuses the request for good."""


class BudgetSpent(AwmError):
    """The money or the tokens that a run was given are spent. What was made so far is kept."""


class Unreadable(AwmError):
    """The model's answer is not of the type that was asked for; it may be asked again with what is wrong."""


class Usage(NamedTuple):
    """Tokens of one or more requests."""

    prompt: int = 0
    completion: int = 0

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


class Price(NamedTuple):
    """Money for a million tokens, in US dollars."""

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """What some tokens cost."""
        return (usage.prompt * self.prompt + usage.completion * self.completion) / 1_000_000


class Answer(NamedTuple):
    """What a model said.

    Attributes:
        text: its words.
        finish: why it stopped: "stop", or "length" if it was cut.
        usage: the tokens, also of an answer that was kept.
        kept: whether it was kept from an earlier run, and cost nothing now.
    """

    text: str
    finish: str
    usage: Usage
    kept: bool


@dataclass
class Settings:
    """How a model is asked.

    Attributes:
        model: its name; `models` may name others for single stages.
        base_url: the server; None for OpenAI's own.
        api_key: its key; local servers need none.
        temperature: None leaves it to the server.
        max_tokens: of one answer; None leaves it to the server.
        effort: of reasoning models: "low", "medium", "high"; None leaves it to the server.
        timeout: seconds for one request.
        concurrency: requests at a time.
        max_cost: US dollars that may be spent; None for no bound.
        max_total_tokens: tokens that may be spent; None for no bound.
        azure_version: the API version of an Azure endpoint; None elsewhere.
    """

    model: str
    models: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    api_key: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    effort: str | None = None
    timeout: float = 600.0
    concurrency: int = 8
    max_cost: float | None = None
    max_total_tokens: int | None = None
    azure_version: str | None = None

    @classmethod
    def from_environment(cls, **given: Any) -> Settings:
        """Settings from AWM_GYM_MODEL, OPENAI_API_KEY, OPENAI_BASE_URL or Azure's variables, and what is given.

        Raises:
            UsageError: no model is named, or OpenAI's own server would be asked without a key.
        """
        env = os.environ
        azure = env.get("AZURE_OPENAI_ENDPOINT")
        found: dict[str, Any] = {
            "model": env.get("AWM_GYM_MODEL"),
            "base_url": azure or env.get("OPENAI_BASE_URL"),
            "api_key": (env.get("AZURE_OPENAI_API_KEY") if azure else None) or env.get("OPENAI_API_KEY"),
            "azure_version": env.get("OPENAI_API_VERSION", "2024-10-21") if azure else None,
        }
        found |= {name: value for name, value in given.items() if value is not None}
        if not found["model"]:
            raise UsageError("No model is named: give --model, or set AWM_GYM_MODEL.")
        if not found["base_url"] and not found["api_key"]:
            raise UsageError(
                "There is no server to ask: set OPENAI_API_KEY, or give --base-url for a server of your own."
            )
        return cls(**found)


class Prices:
    """What models cost: a table that comes with the package, and the user's own over it."""

    def __init__(self, own: str | None = None) -> None:
        table = tomllib.loads((places.root() / "prices.toml").read_text("utf-8"))
        if own is not None:
            try:
                table |= tomllib.loads(Path(own).read_text("utf-8"))
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise UsageError(f"{own} is no table of prices: {error}") from error
        try:
            self._table = {name: Price(float(row["prompt"]), float(row["completion"])) for name, row in table.items()}
        except (KeyError, TypeError, ValueError):
            raise UsageError(
                'A price is `["model"]` with `prompt` and `completion`, dollars a million tokens.'
            ) from None

    def of(self, model: str) -> Price | None:
        """The price of a model: of the longest name that it begins with; None if it is unknown."""
        names = [name for name in self._table if model.startswith(name)]
        return self._table[max(names, key=len)] if names else None


class Ledger:
    """What was spent, and whether more may be."""

    def __init__(self, settings: Settings, prices: Prices) -> None:
        self.settings, self.prices = settings, prices
        self.usage, self.cost, self.requests, self.kept = Usage(), 0.0, 0, 0
        self.by_stage: dict[str, Usage] = {}
        self.unpriced: set[str] = set()
        if settings.max_cost is not None and (missing := [m for m in self._models() if prices.of(m) is None]):
            raise UsageError(
                f"There is no price of {missing[0]!r}, so --max-cost cannot be kept; add it with --prices."
            )

    def _models(self) -> list[str]:
        return [self.settings.model, *self.settings.models.values()]

    def add(self, stage: str, model: str, answer: Answer) -> None:
        """Write an answer down."""
        self.by_stage[stage] = self.by_stage.get(stage, Usage()).plus(answer.usage)
        if answer.kept:
            self.kept += 1
            return
        self.requests += 1
        self.usage = self.usage.plus(answer.usage)
        price = self.prices.of(model)
        if price is None:
            self.unpriced.add(model)
        else:
            self.cost += price.of(answer.usage)

    def check(self) -> None:
        """Stop before a request that the budget does not cover.

        Raises:
            BudgetSpent: it is spent.
        """
        most, tokens = self.settings.max_cost, self.settings.max_total_tokens
        if most is not None and self.cost >= most:
            raise BudgetSpent(f"The budget of ${most:.2f} is spent (${self.cost:.2f}).")
        if tokens is not None and sum(self.usage) >= tokens:
            raise BudgetSpent(f"The budget of {tokens} tokens is spent ({sum(self.usage)}).")


class Log:
    """A JSONL file of every request and finding; nothing if there is no path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, kind: str, **entry: Any) -> None:
        """Append one line."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **entry}, ensure_ascii=False) + "\n")


class Client:
    """A server of a language model, asked with patience and within a budget.

    Args:
        settings: how it is asked.
        ledger: where what is spent is written down.
        log: where requests are written down.
        memory: the folder in which answers are kept.
    """

    def __init__(self, settings: Settings, ledger: Ledger, log: Log, memory: Path | None = None) -> None:
        self.settings, self.ledger, self.log = settings, ledger, log
        self._memory = memory or places.cache() / "answers"
        self._gate = asyncio.Semaphore(settings.concurrency)
        self._wait = random.Random(0)  # spreads the retries of many requests; nothing that is made depends on it
        self._formats: dict[str, int] = {}  # model -> the first of FORMATS that it has not refused
        self._dropped: dict[str, set[str]] = {}  # model -> parameters that it refuses
        self._openai: Any = importlib.import_module("openai")  # takes a second; only those who ask a model need it
        self._server = self._connected()

    def _connected(self) -> Any:
        settings = self.settings
        common = {"api_key": settings.api_key or "EMPTY", "max_retries": 0, "timeout": settings.timeout}
        if settings.azure_version is not None:
            azure = {"azure_endpoint": settings.base_url, "api_version": settings.azure_version}
            return self._openai.AsyncAzureOpenAI(**azure, **common)
        return self._openai.AsyncOpenAI(base_url=settings.base_url, **common)

    async def close(self) -> None:
        """Leave the server."""
        await self._server.close()

    async def ask(self, stage: str, messages: Sequence[Message], answer: type[_T], number: int = 0) -> _T:
        """What the model answers, as a value.

        Args:
            stage: of the synthesis; it may have a model of its own.
            messages: the conversation.
            answer: the type of the answer.
            number: which of several answers to the same messages is meant.

        Raises:
            Unreadable: the answer is not of the type; the message says what is wrong, for the model.
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        model = self.settings.models.get(stage, self.settings.model)
        said = await self._said(stage, model, messages, answer, number)
        return read(said, answer)

    async def _said(
        self, stage: str, model: str, messages: Sequence[Message], answer: type[BaseModel], number: int
    ) -> Answer:
        request = {"model": model, "messages": list(messages), "schema": strict_schema(answer), "number": number}
        request |= {"temperature": self.settings.temperature, "max_tokens": self.settings.max_tokens}
        request |= {"effort": self.settings.effort, "server": self.settings.base_url}
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        found = self._kept(key)
        if found is None:
            async with self._gate:
                self.ledger.check()
                found = await self._patiently(model, messages, answer)
            self._keep(key, found)
        self.ledger.add(stage, model, found)
        self.log.write(
            "request", stage=stage, model=model, key=key, kept=found.kept, finish=found.finish,
            prompt_tokens=found.usage.prompt, completion_tokens=found.usage.completion, answer=found.text,
        )  # fmt: skip
        return found

    def _kept(self, key: str) -> Answer | None:
        try:
            document = json.loads((self._memory / key[:2] / f"{key}.json").read_text("utf-8"))
            return Answer(document["text"], document["finish"], Usage(*document["usage"]), kept=True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep(self, key: str, answer: Answer) -> None:
        place = self._memory / key[:2] / f"{key}.json"
        part = place.with_suffix(f".{os.getpid()}")
        document = {"text": answer.text, "finish": answer.finish, "usage": list(answer.usage)}
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
            part.replace(place)
        except OSError as error:
            raise UsageError(f"{place.parent} cannot be written ({error.strerror}); set {places.HOME}.") from error

    async def _patiently(self, model: str, messages: Sequence[Message], answer: type[BaseModel]) -> Answer:
        """Ask until the server answers; what it refuses is left out, what is in trouble is tried again."""
        for tries in range(1, MAX_TRIES + 1):
            try:
                return await self._once(model, messages, answer)
            except self._openai.BadRequestError as error:
                if not self._yield_to(model, str(error)):
                    raise ModelError(f"{model} refuses the request: {shown(str(error), 300)}") from error
            except self._openai.APIStatusError as error:
                if error.status_code not in _RETRIED and error.status_code < 500:
                    raise ModelError(f"{model}: status {error.status_code}: {shown(str(error), 300)}") from error
                await self._later(tries, model, str(error), error.response.headers)
            except self._openai.APIConnectionError as error:
                await self._later(tries, model, str(error.__cause__ or error), {})
        return await self._once(model, messages, answer)

    async def _once(self, model: str, messages: Sequence[Message], answer: type[BaseModel]) -> Answer:
        response = await self._server.chat.completions.create(**self._request(model, messages, answer))
        choice, usage = response.choices[0], response.usage
        refused = getattr(choice.message, "refusal", None)
        text = choice.message.content or (f"The model refused: {refused}" if refused else "")
        tokens = Usage(usage.prompt_tokens, usage.completion_tokens) if usage else Usage()
        return Answer(text, "refusal" if refused else str(choice.finish_reason), tokens, kept=False)

    def _request(self, model: str, messages: Sequence[Message], answer: type[BaseModel]) -> dict[str, Any]:
        settings, dropped = self.settings, self._dropped.get(model, set())
        limit = "max_completion_tokens" if "max_tokens" in dropped else "max_tokens"
        wishes = {limit: settings.max_tokens, "temperature": settings.temperature, "reasoning_effort": settings.effort}
        request: dict[str, Any] = {name: wish for name, wish in wishes.items() if wish is not None}
        request = {name: wish for name, wish in request.items() if name not in dropped}
        way = FORMATS[self._formats.get(model, 0)]
        if way == "json_schema":
            schema = {"name": answer.__name__, "schema": strict_schema(answer), "strict": True}
            request["response_format"] = {"type": way, "json_schema": schema}
        elif way == "json_object":
            request["response_format"] = {"type": way}
        if way != "json_schema":
            told = f"Answer with one JSON object of this JSON Schema, and nothing else:\n{json.dumps(strict_schema(answer))}"
            messages = [*messages, {"role": "user", "content": told}]
        return {"model": model, "messages": list(messages), **request}

    def _yield_to(self, model: str, complaint: str) -> bool:
        """Leave out what a server complains of; False if it complains of something else."""
        dropped = self._dropped.setdefault(model, set())
        for name in ("max_completion_tokens", "max_tokens", "temperature", "reasoning_effort"):
            if re.search(rf"\b{name}\b", complaint) and name not in dropped:
                dropped.add(name)
                return True
        place = self._formats.get(model, 0)
        if place + 1 < len(FORMATS) and re.search(r"response_format|json_schema|schema|json", complaint, re.I):
            self._formats[model] = place + 1
            return True
        return False

    async def _later(self, tries: int, model: str, reason: str, headers: Mapping[str, str]) -> None:
        """Wait before the next try: as long as the server asks, or twice as long as the last time.

        Raises:
            ModelError: it was the last try, or the server asks for more time than it gets.
        """
        wait = min(MAX_WAIT, 0.5 * 2**tries) * (0.75 + self._wait.random() / 2)
        asked = _seconds(headers)
        if tries == MAX_TRIES or (asked is not None and asked > MAX_WAIT):
            raise ModelError(f"{model} cannot be reached: {shown(reason, 300)} ({tries} tries). Run again to go on.")
        self.log.write("wait", model=model, reason=shown(reason, 300), tries=tries)
        await asyncio.sleep(wait if asked is None else asked)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """What a server asks for in Retry-After; None if it asks for nothing that is a number of seconds."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        return float(headers["retry-after"]) if "retry-after" in headers else None
    except ValueError:
        return None


def strict_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a type in the form that structured outputs want: every key required, no others allowed."""
    schema = answer.model_json_schema()
    _tighten(schema)
    return schema


def _tighten(schema: Any) -> None:
    if isinstance(schema, list):
        for item in schema:
            _tighten(item)
        return
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("properties"), dict):
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
        for inner in schema["properties"].values():
            inner.pop("default", None)
            inner.pop("title", None)
    for inner in schema.values():
        _tighten(inner)


def read(said: Answer, answer: type[_T]) -> _T:
    """The value in what a model said.

    Raises:
        Unreadable: there is none of the type; the message is for the model.
    """
    if said.finish == "refusal":
        raise Unreadable(said.text)
    try:
        document = extracted(said.text)
    except ValueError as error:
        if said.finish == "length":
            raise Unreadable("The answer was cut at the token limit. Answer again, shorter.") from None
        raise Unreadable(f"The answer is not JSON: {error}") from None
    try:
        return answer.model_validate(document, strict=False)
    except ValidationError as error:
        slips = [f"{'.'.join(map(str, slip['loc'])) or 'the answer'}: {slip['msg']}" for slip in error.errors()[:12]]
        raise Unreadable("The answer does not fit: " + "; ".join(slips)) from None


def extracted(text: str) -> Any:
    """The JSON object in a text: bare, in a code fence, or among other words.

    Raises:
        ValueError: there is none, or there are several that differ.
    """
    for candidate in (text.strip(), *(match.strip() for match in _FENCE.findall(text))):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    start = text.find("{")
    if start < 0:
        raise ValueError("there is no { in it")
    document, end = json.JSONDecoder().raw_decode(text, start)
    if "{" in text[end:]:
        rest = text[end:]
        try:
            other, _ = json.JSONDecoder().raw_decode(rest, rest.find("{"))
        except ValueError:
            return document
        if other != document:
            raise ValueError("it holds two JSON objects; give one")
    return document


def known_stage(models: Mapping[str, str], stages: Sequence[str]) -> None:
    """See that models are given to stages that there are.

    Raises:
        UsageError: there is no such stage.
    """
    for stage in models:
        if stage not in stages:
            raise UsageError(unknown("stage", stage, stages))
