"""One connection to a server of language models, with patience for its troubles and its manners."""

from __future__ import annotations

import asyncio
import importlib
import random
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Literal

from awm_gym.errors import ModelError, Unreadable, shown
from awm_gym.llm.ledger import Ledger, Log
from awm_gym.llm.manners import Manners
from awm_gym.llm.settings import Settings

MAX_TRIES = 6  # of one request that fails for no fault of its own
MAX_WAIT = 120.0  # seconds before a request is tried again
_OPENAI = "https://api.openai.com/v1"  # named, so that a variable set for other programs does not move it
_RETRIED = (408, 409, 425, 429)
_COMPLAINTS = (400, 422)
_OF_THIS_ONE = re.compile(  # complaints of a single request: its length, or what a filter thinks of it
    r"^(?!.*tokens.{0,3} is too large).*"
    r"(?:context.?(?:length|window|size)|prompt is too long|content_filter|invalid_prompt)",
    re.S | re.I,
)
_QUOTA = "insufficient_quota"

Endpoint = Literal["chat", "embeddings"]
Body = Callable[[Manners], dict[str, Any]]


class _Trouble(Exception):
    """A try failed for no fault of the request; `wait` is the seconds that the server asks for, if any."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Server:
    """A server, asked until it answers or refuses for good.

    Args:
        settings: where it is, and how patiently it is asked.
        ledger: whose budget must cover every try.
        log: where waits and refusals are written down.
    """

    def __init__(self, settings: Settings, ledger: Ledger, log: Log) -> None:
        self._settings, self._ledger, self._log = settings, ledger, log
        self._manners: dict[str, Manners] = {}
        self._jitter = random.Random(0)  # spreads the tries of many requests; nothing that is made depends on it

    @cached_property
    def _openai(self) -> Any:
        return importlib.import_module("openai")  # takes a second; a run whose answers are all kept needs it not

    @cached_property
    def _connection(self) -> Any:
        settings = self._settings
        common = {"api_key": settings.api_key or "EMPTY", "max_retries": 0, "timeout": settings.timeout}
        if settings.azure_version is not None:
            azure = {"azure_endpoint": settings.base_url, "api_version": settings.azure_version}
            return self._openai.AsyncAzureOpenAI(**azure, **common)
        return self._openai.AsyncOpenAI(base_url=settings.base_url or _OPENAI, **common)

    async def close(self) -> None:
        """Leave the server."""
        if "_connection" in self.__dict__:
            await self._connection.close()

    def manners(self, model: str) -> Manners:
        """What is known of how a model wants to be asked."""
        return self._manners.get(model, Manners())

    def learn(self, model: str, manners: Manners) -> None:
        """Ask a model like this from now on."""
        self._manners[model] = manners
        self._log.write("manners", model=model, format=manners.format, limit=manners.limit, refused=[*manners.refused])

    async def post(self, endpoint: Endpoint, model: str, body: Body) -> str:
        """Send a request until it is answered; what the server complains of is left out from then on.

        Args:
            endpoint: to which it is sent.
            model: that is asked.
            body: makes the request for the manners that are known by then.

        Returns:
            What the server sent, as it sent it.

        Raises:
            Unreadable: this request is too long, or filtered; others need not be.
            ModelError: the server refuses for good, or cannot be reached.
            BudgetSpent: the budget does not cover the next try.
        """
        while True:
            manners = self.manners(model)
            sent = body(manners)
            try:
                return await self._patiently(endpoint, model, sent)
            except self._openai.APIStatusError as error:
                if self.manners(model) != manners:
                    continue  # another request has learnt something meanwhile
                learnt = manners.after(error.response.text, sent)
                if learnt is None:
                    raise self._refusal(model, error) from error
                self.learn(model, learnt)

    async def _patiently(self, endpoint: Endpoint, model: str, sent: dict[str, Any]) -> str:
        tries = 1
        while True:
            self._ledger.check()
            try:
                return await self._once(endpoint, model, sent)
            except _Trouble as trouble:
                if tries == MAX_TRIES or (trouble.wait or 0) > MAX_WAIT:
                    asked = f"; it asks to wait {trouble.wait:g} s" if trouble.wait else ""
                    problem = f"{model} does not answer ({tries} tries{asked}): {trouble}. Run again to go on."
                    raise ModelError(problem) from trouble.__cause__
                wait = min(MAX_WAIT, 2.0**tries) * (0.75 + self._jitter.random() / 2) * self._settings.patience
                self._log.write("wait", model=model, reason=str(trouble), tries=tries)
                await asyncio.sleep(trouble.wait or wait)
            tries += 1

    async def _once(self, endpoint: Endpoint, model: str, sent: dict[str, Any]) -> str:
        connection = self._connection
        resource = connection.chat.completions if endpoint == "chat" else connection.embeddings
        try:
            response = await resource.with_raw_response.create(model=model, **sent)
        except self._openai.APIConnectionError as error:
            where = f"at {self._settings.base_url or _OPENAI}; see --base-url (OPENAI_BASE_URL)"
            raise _Trouble(f"{self._words(str(error.__cause__) or str(error))} {where}") from error
        except self._openai.APIStatusError as error:
            status = error.status_code
            if status in _COMPLAINTS:
                raise
            if (status in _RETRIED or status >= 500) and _QUOTA not in (error.code, error.type):
                reason = f"status {status}: {self._words(_message(error))}"
                raise _Trouble(reason, asked_wait(error.response.headers)) from error
            raise ModelError(f"{model}: {self._remedy(status)} ({self._words(_message(error))})") from error
        return str(response.text)

    def _refusal(self, model: str, error: Any) -> Unreadable | ModelError:
        words = self._words(_message(error))
        if _OF_THIS_ONE.search(error.response.text):
            return Unreadable(f"{model} cannot answer this question: {words}")
        return ModelError(f"{model} refuses the request: {words}")

    def _remedy(self, status: int) -> str:
        key = self._settings.key_name
        remedies = {
            401: f"the server does not accept the key; set {key}",
            403: f"the key in {key} may not use this model; set another, or give --model",
            404: "the server knows no such model; see --model (AWM_GYM_MODEL) and --base-url (OPENAI_BASE_URL)",
            429: f"the account of the key in {key} has no money left; add some, or set another key",
        }
        return remedies.get(status, f"the server refuses with status {status}")

    def _words(self, complaint: str) -> str:
        """A complaint as it is shown: without the key, which some servers repeat."""
        key = self._settings.api_key
        return shown(complaint.replace(key, "***") if key else complaint, 300)


def _message(error: Any) -> str:
    """What a server complains of; the libraries' own message differs by version."""
    body = error.body
    told = body.get("message") if isinstance(body, dict) else None
    return told if isinstance(told, str) else error.response.text


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait, in retry-after-ms or Retry-After; None if it does not, or unreadably.

    A date is counted from the server's own Date.
    """
    try:
        if "retry-after-ms" in headers:
            return _seconds(headers["retry-after-ms"]) / 1000
        return _seconds(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        return _until(headers)


def _until(headers: Mapping[str, str]) -> float | None:
    try:
        until, now = (parsedate_to_datetime(headers[name]) for name in ("retry-after", "date"))
        return max((until - now).total_seconds(), 0.0)
    except (KeyError, ValueError, TypeError):
        return None


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\s*\d+(\.\d*)?\s*", text):
        raise ValueError(text)
    return float(text)
