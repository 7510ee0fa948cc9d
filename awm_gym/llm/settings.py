"""Which model is asked, where, how, and how much it may cost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from awm_gym.errors import UsageError, shown, unknown

_AZURE_VERSION = "2024-10-21"  # of Azure's API, where OPENAI_API_VERSION names no other


@dataclass(frozen=True)
class Settings:
    """How a model is asked.

    Attributes:
        model: its name.
        models: other models for single stages, by the stage's name.
        embedding_model: the model that embeds texts; None if there is none.
        base_url: the server, such as http://127.0.0.1:8000/v1; None for OpenAI's own.
        api_key: the server's key; local servers need none.
        azure_version: the version of Azure's API, if `base_url` is an Azure endpoint; None elsewhere.
        temperature: of sampling; None leaves it to the server.
        max_tokens: of one answer; None leaves it to the server.
        effort: of a reasoning model, such as "low"; None leaves it to the server.
        timeout: seconds for one request.
        concurrency: requests in flight at a time.
        max_cost: US dollars that may be spent; None for no bound. What is in flight when it is reached is still paid.
        max_total_tokens: tokens that may be spent, likewise.
        patience: what waits between tries are multiplied with; 0 tries again at once.

    Raises:
        UsageError: a value is out of its range.
    """

    model: str
    _: KW_ONLY
    models: Mapping[str, str] = field(default_factory=dict)
    embedding_model: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    azure_version: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    effort: str | None = None
    timeout: float = 600.0
    concurrency: int = 8
    max_cost: float | None = None
    max_total_tokens: int | None = None
    patience: float = 1.0

    def __post_init__(self) -> None:
        if self.base_url is not None and not _is_address(self.base_url):
            form = "such as http://127.0.0.1:8000/v1; see --base-url (OPENAI_BASE_URL)"
            raise UsageError(f"The server {shown(self.base_url)} is no address {form}.")
        if self.api_key is not None and not re.fullmatch(r"[!-~]+", self.api_key):
            raise UsageError(f"The key in {self.key_name} is empty, or holds blanks or foreign letters; set it anew.")
        bounds = {"max_tokens": 1, "concurrency": 1, "max_cost": 0, "max_total_tokens": 0, "temperature": 0}
        for name, least in bounds.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise UsageError(f"{name} is {shown(value)}; it must be at least {least}.")
        if not self.timeout > 0:
            raise UsageError(f"timeout is {shown(self.timeout)}; it must be more than 0 seconds.")

    @property
    def key_name(self) -> str:
        """The environment variable that holds the key."""
        return "OPENAI_API_KEY" if self.azure_version is None else "AZURE_OPENAI_API_KEY"

    def model_of(self, stage: str) -> str:
        """The model that answers in a stage."""
        return self.models.get(stage, self.model)

    def all_models(self) -> tuple[str, ...]:
        """Every model that may be asked, in a fixed order."""
        own = (self.model, *(self.models[stage] for stage in sorted(self.models)), self.embedding_model)
        return tuple(dict.fromkeys(name for name in own if name is not None))

    @classmethod
    def from_environment(cls, **given: Any) -> Settings:
        """Settings from the environment, and what is given over it; None is not given.

        Read are AWM_GYM_MODEL, OPENAI_API_KEY and OPENAI_BASE_URL; or Azure's AZURE_OPENAI_ENDPOINT,
        AZURE_OPENAI_API_KEY and OPENAI_API_VERSION, unless another server is given.

        Raises:
            UsageError: no model is named, or OpenAI's own server would be asked without a key.
        """
        given = {name: value for name, value in given.items() if value is not None}
        settings = _found(os.environ, "base_url" in given and "azure_version" not in given) | given
        if "model" not in settings:
            raise UsageError("No model is named: give --model, or set AWM_GYM_MODEL.")
        if "base_url" not in settings and "api_key" not in settings:
            raise UsageError("There is no server to ask: set OPENAI_API_KEY, or give --base-url for one of your own.")
        return cls(**settings)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _found(env: Mapping[str, str], elsewhere: bool) -> dict[str, Any]:
    """What the environment says; `elsewhere` if the server is not Azure's, whatever the environment says."""
    azure = None if elsewhere else env.get("AZURE_OPENAI_ENDPOINT")
    found = {
        "model": env.get("AWM_GYM_MODEL"),
        "base_url": azure or env.get("OPENAI_BASE_URL"),
        "api_key": (env.get("AZURE_OPENAI_API_KEY") if azure else None) or env.get("OPENAI_API_KEY"),
        "azure_version": (env.get("OPENAI_API_VERSION") or _AZURE_VERSION) if azure else None,
    }
    return {name: value for name, value in found.items() if value}


def stage_models(texts: Iterable[str], stages: Sequence[str]) -> dict[str, str]:
    """Models for single stages, from texts such as `data=gpt-5-mini`.

    Raises:
        UsageError: a text has another form, a stage is unknown or named twice.
    """
    models: dict[str, str] = {}
    for text in texts:
        stage, _, model = (part.strip() for part in text.partition("="))
        if not stage or not model:
            raise UsageError(f"{shown(text)} is not of the form STAGE=MODEL, such as {stages[0]}=gpt-5-mini.")
        if stage not in stages:
            raise UsageError(unknown("stage", stage, stages))
        if stage in models:
            raise UsageError(f"The stage {stage} is given two models, {models[stage]} and {model}; give it one.")
        models[stage] = model
    return models
