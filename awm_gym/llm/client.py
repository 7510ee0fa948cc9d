"""Questions to language models, asked concurrently: `Client` for an event loop, `Model` for threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from awm_gym import places
from awm_gym.errors import BudgetSpent, ModelError, Unreadable, UsageError
from awm_gym.llm import replies
from awm_gym.llm.answers import Answers, key_of
from awm_gym.llm.ledger import Ledger, Log
from awm_gym.llm.manners import Manners
from awm_gym.llm.messages import Message, Request, Said, T
from awm_gym.llm.reading import ignores_format, read, strict_schema
from awm_gym.llm.server import Server
from awm_gym.llm.settings import Settings

BATCH = 256  # texts that are embedded by one request
_R = TypeVar("_R")


class Client:
    """A server of language models, asked within a budget. Every answer is kept, and the same is never asked again.

    Args:
        settings: which models, where, and how they are asked.
        ledger: where what is spent is written down.
        log: where requests are written down.
        memory: the folder of kept answers; None for the one in the user's cache.
    """

    def __init__(self, settings: Settings, ledger: Ledger, log: Log, memory: Path | None = None) -> None:
        self._settings, self._ledger, self._log = settings, ledger, log
        self._answers = Answers(memory or places.cache() / "answers")
        self._server = Server(settings, ledger, log)
        self._gate = asyncio.Semaphore(settings.concurrency)
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # one for each question

    async def close(self) -> None:
        """Leave the server."""
        await self._server.close()

    async def ask(self, request: Request[T]) -> T:
        """Ask for a value.

        Raises:
            Unreadable: the answer is not of the type, and the message says what is wrong, for the model; or the
                question is too long for it, or filtered.
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        wish = _Value(request.answer.__name__, strict_schema(request.answer))
        said = await self._said(_Question(request.scenario, request.stage, request.messages, request.number, wish))
        return read(said, request.answer)

    async def ask_all(self, requests: Iterable[Request[T]]) -> list[T | Unreadable]:
        """Ask for many values at a time; answers that are not of the type are returned as what is wrong with them.

        When the budget is spent, what is under way is awaited and kept; any other error stops the rest.

        Raises:
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        outcomes = await _together([self._outcome(request) for request in requests])
        values: list[T | Unreadable] = []
        for outcome in outcomes:
            if isinstance(outcome, BudgetSpent):
                raise outcome
            values.append(outcome)
        return values

    async def _outcome(self, request: Request[T]) -> T | Unreadable | BudgetSpent:
        try:
            return await self.ask(request)
        except (Unreadable, BudgetSpent) as error:
            return error

    async def talk(
        self,
        scenario: str,
        stage: str,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        number: int = 0,
    ) -> Said:
        """What the model says or calls next in a conversation.

        Args:
            scenario: for which it is asked.
            stage: in which it is asked.
            messages: the conversation so far.
            tools: function tools in OpenAI's form.
            number: which of several answers to the same messages is meant.

        Raises:
            Unreadable: the conversation is too long for the model, or filtered.
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        return await self._said(_Question(scenario, stage, tuple(messages), number, _Tools(tuple(tools))))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The embeddings of texts, in their order. The ledger has them under stage "embed" of no scenario, "-".

        Raises:
            UsageError: the settings name no embedding model.
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        model = self._settings.embedding_model
        if model is None:
            raise UsageError("No embedding model is named; give --embedding-model.")
        keys = {text: key_of({"server": self._settings.base_url, "model": model, "text": text}) for text in texts}
        known = {key: vector for key in keys.values() if (vector := self._answers.vector(key)) is not None}
        missing = [(key, text) for text, key in keys.items() if key not in known]
        batches = [dict(missing[start : start + BATCH]) for start in range(0, len(missing), BATCH)]
        for made in await _together([self._embedded(model, batch) for batch in batches]):
            known |= made
        return [known[keys[text]] for text in texts]

    async def _embedded(self, model: str, batch: Mapping[str, str]) -> dict[str, list[float]]:
        """The embeddings of texts by their keys; kept at once, whatever becomes of other batches."""
        texts = list(batch.values())
        sent = {"input": texts, "encoding_format": "float"}  # the library's own choice, base64, is not known everywhere
        async with self._gate:
            made, usage = replies.vectors(await self._server.post("embeddings", model, lambda _: sent), texts)
            self._ledger.add("-", "embed", model, usage, kept=False)
        vectors = dict(zip(batch, made, strict=True))
        for key, vector in vectors.items():
            self._answers.keep_vector(key, vector)
        self._log.write("embed", model=model, texts=len(texts), prompt_tokens=usage.prompt)
        return vectors

    async def _said(self, question: _Question) -> Said:
        model = self._settings.model_of(question.stage)
        key = key_of(self._content(model, question))
        async with self._asking.setdefault(key, asyncio.Lock()):  # who asks the same meanwhile finds it kept
            said = self._answers.said(key)
            if said is None:
                async with self._gate:
                    said = await self._asked(model, question)
                    self._ledger.add(question.scenario, question.stage, model, said.usage, kept=False)
                self._answers.keep_said(key, said)
            else:
                self._ledger.add(question.scenario, question.stage, model, said.usage, kept=True)
        self._log.write("request", key=key, model=model, **_logged(question, said))
        return said

    def _content(self, model: str, question: _Question) -> dict[str, Any]:
        """All that an answer depends on."""
        settings, wish = self._settings, question.wish
        asked = {"schema": wish.schema} if isinstance(wish, _Value) else {"tools": wish.tools}
        sampling = {name: getattr(settings, name) for name in ("temperature", "max_tokens", "effort")}
        about = {"server": settings.base_url, "model": model, "number": question.number}
        return {**about, **sampling, **asked, "messages": question.messages}

    async def _asked(self, model: str, question: _Question) -> Said:
        def body(manners: Manners) -> dict[str, Any]:
            return {**question.wish.sent(manners, question.messages), **self._sampling(manners)}

        said = replies.said(await self._server.post("chat", model, body), len(json.dumps(question.messages)))
        manners = self._server.manners(model)
        if isinstance(question.wish, _Value) and manners.format != "text" and ignores_format(said):
            self._server.learn(model, manners.without_format())  # so that it is told the schema from now on
        return said

    def _sampling(self, manners: Manners) -> dict[str, Any]:
        settings = self._settings
        wishes = {"temperature": settings.temperature, "reasoning_effort": settings.effort}
        wishes = {name: wish for name, wish in wishes.items() if name not in manners.refused}
        if manners.limit is not None:
            wishes[manners.limit] = settings.max_tokens
        return {name: wish for name, wish in wishes.items() if wish is not None}


class _Value(NamedTuple):
    """A value is wanted, of a type with a name."""

    name: str
    schema: dict[str, Any]

    def sent(self, manners: Manners, messages: tuple[Message, ...]) -> dict[str, Any]:
        """What is sent to get it; where the server does not see to the schema, the model is told it."""
        if manners.format == "json_schema":
            form = {"name": self.name, "schema": self.schema, "strict": True}
            return {"messages": messages, "response_format": {"type": "json_schema", "json_schema": form}}
        told = f"Answer with one JSON object of this JSON Schema, and nothing else:\n{json.dumps(self.schema)}"
        last = {**messages[-1], "content": f"{messages[-1]['content']}\n\n{told}"}
        sent: dict[str, Any] = {"messages": (*messages[:-1], last)}
        return sent if manners.format == "text" else {**sent, "response_format": {"type": "json_object"}}


class _Tools(NamedTuple):
    """Words or calls of tools are wanted."""

    tools: tuple[Mapping[str, Any], ...]

    def sent(self, _: Manners, messages: tuple[Message, ...]) -> dict[str, Any]:
        """What is sent to get them; servers refuse an empty list of tools."""
        return {"messages": messages, "tools": self.tools} if self.tools else {"messages": messages}


class _Question(NamedTuple):
    scenario: str
    stage: str
    messages: tuple[Message, ...]
    number: int
    wish: _Value | _Tools


def _logged(question: _Question, said: Said) -> dict[str, Any]:
    about = {"scenario": question.scenario, "stage": question.stage, "number": question.number}
    tokens = {"prompt_tokens": said.usage.prompt, "completion_tokens": said.usage.completion}
    entry = {**about, "kept": said.kept, "finish": said.finish, **tokens}
    if said.kept:
        return entry  # its words were logged when it was asked
    return {**entry, "messages": question.messages, "answer": said.text, "calls": said.calls}


async def _together(works: Sequence[Coroutine[Any, Any, _R]]) -> list[_R]:
    """The results of all, in order. The first error stops the rest, and is raised."""
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failed:
        failure = failed.exceptions[0]
    if failure is not None:
        raise failure
    return [task.result() for task in tasks]


class Model:
    """A `Client` for threads: it lives in a thread of its own, and any number of threads may ask it at once.

    A context manager; leaving it stops what is under way. It belongs to the process that made it.

    Args:
        settings: which models, where, and how they are asked.
        ledger: where what is spent is written down.
        log: where requests are written down; None for nowhere.
        memory: the folder of kept answers; None for the one in the user's cache.
    """

    def __init__(self, settings: Settings, ledger: Ledger, log: Log | None = None, memory: Path | None = None) -> None:
        self._client = Client(settings, ledger, log or Log(), memory)
        self._loop = asyncio.new_event_loop()
        self._closing = threading.Lock()
        self._closed = False
        # A daemon: a model that nobody closed must not keep the interpreter from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="awm_gym-llm", daemon=True)
        self._thread.start()

    def ask(self, request: Request[T]) -> T:
        """Ask for a value.

        Raises:
            Unreadable: the answer is not of the type, and the message says what is wrong, for the model; or the
                question is too long for it, or filtered.
            ModelError: the server refuses, or cannot be reached, or the model is closed.
            BudgetSpent: the budget is spent.
        """
        return self._wait(self._client.ask(request))

    def ask_all(self, requests: Iterable[Request[T]]) -> list[T | Unreadable]:
        """Ask for many values at a time; answers that are not of the type are returned as what is wrong with them.

        When the budget is spent, what is under way is awaited and kept; any other error stops the rest.

        Raises:
            ModelError: the server refuses, or cannot be reached, or the model is closed.
            BudgetSpent: the budget is spent.
        """
        return self._wait(self._client.ask_all(requests))

    def talk(
        self,
        scenario: str,
        stage: str,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        number: int = 0,
    ) -> Said:
        """What the model says or calls next in a conversation; see `Client.talk`.

        Raises:
            Unreadable: the conversation is too long for the model, or filtered.
            ModelError: the server refuses, or cannot be reached, or the model is closed.
            BudgetSpent: the budget is spent.
        """
        return self._wait(self._client.talk(scenario, stage, messages, tools, number))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The embeddings of texts, in their order; see `Client.embed`.

        Raises:
            UsageError: the settings name no embedding model.
            ModelError: the server refuses, or cannot be reached, or the model is closed.
            BudgetSpent: the budget is spent.
        """
        return self._wait(self._client.embed(texts))

    def _wait(self, work: Coroutine[Any, Any, _R]) -> _R:
        with self._closing:
            if self._closed:
                work.close()
                raise ModelError(_CLOSED)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ModelError(_CLOSED) from None
        finally:
            future.cancel()  # an interrupt of the thread that waits stops the work too

    def close(self) -> None:
        """Stop what is under way, and leave the server. Closing twice is harmless."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            leaving = asyncio.run_coroutine_threadsafe(self._leave(), self._loop)
        leaving.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _leave(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._client.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_CLOSED = "The model is closed: it was asked after, or while, its context was left."
