"""Briefs: what a scenario is to be about, before any of it is written; and the seeds that briefs grow from."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from awm_gym.errors import ScenarioError, UsageError, shown, unknown
from awm_gym.files import read_toml, validated
from awm_gym.places import root
from awm_gym.scenario import Name, Several, Value, plain, snake_case

MAX_NAME = 48  # characters: a scenario's name may be 64, and runs append a number

Category = Literal[
    "agriculture",
    "arts",
    "community",
    "construction",
    "education",
    "energy",
    "environment",
    "finance",
    "food",
    "government",
    "health",
    "insurance",
    "legal",
    "logistics",
    "manufacturing",
    "property",
    "retail",
    "sport",
    "technology",
    "transport",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)


def _paragraph(value: object) -> object:
    """Text that shows what it is, on one line; a user may have wrapped it."""
    return plain(" ".join(value.split())) if isinstance(value, str) else value


Score = Annotated[int, Field(ge=1, le=10)]


class Brief(Value):
    """What a scenario is to be about.

    Attributes:
        name: the scenario's name, snake_case, at most 48 characters.
        title: its name for people, at most 80 characters.
        category: the sector it belongs to.
        description: a paragraph: what the application keeps, who uses it, what can be created, read, updated and
            deleted, and which rules refuse.
        score: from 1 to 10, how well the application suits; None if nobody has judged it.
        parents: names of the briefs that were shown as examples when this one was asked for.
    """

    name: Annotated[str, Field(max_length=MAX_NAME), BeforeValidator(snake_case)]
    title: Annotated[str, Field(min_length=1, max_length=80), BeforeValidator(_paragraph)]
    category: Category
    description: Annotated[str, Field(min_length=1, max_length=2_000), BeforeValidator(_paragraph)]
    score: Score | None = None
    parents: Several[Name] = ()

    @property
    def text(self) -> str:
        """Title and description, which is what two briefs are compared by."""
        return f"{self.title}. {self.description}"


def normalised(name: str) -> str:
    """A name as snake_case of at most 48 characters; empty if there is nothing to make it of."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", latin).lower()
    return re.sub(r"[^a-z0-9]+", "_", parted).lstrip("_0123456789")[:MAX_NAME].rstrip("_")


@cache
def seeds() -> tuple[Brief, ...]:
    """The seeds that come with the package. The first so many of them are spread over the categories."""
    document = read_toml((root() / "seeds.toml").read_text("utf-8"), "seeds.toml")
    return tuple(
        Brief(name=name, title=_title(name), category=seed["category"], description=seed["summary"])
        for name, seed in document.items()
    )


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def seed_briefs(names: Iterable[str]) -> tuple[Brief, ...]:
    """Briefs made of seeds as they stand, without a model, in the order of the names.

    Raises:
        UsageError: there is no such seed.
    """
    known = {seed.name: seed for seed in seeds()}
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UsageError(unknown("seed", name, known))
    return tuple(known[name] for name in chosen)


def read_briefs(path: str | Path) -> tuple[Brief, ...]:
    """The briefs of a TOML file with a table [name] for each, in order.

    Raises:
        ScenarioError: the file cannot be read, or a brief is malformed. The message names file, key, value and remedy.
    """
    file = str(path)
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"is not UTF-8: byte {error.start} cannot be read; save it as UTF-8", file=file) from error
    briefs = tuple(_brief(name, entry, file) for name, entry in read_toml(text, file).items())
    if not briefs:
        raise ScenarioError("holds no brief; add a table [name] with title, category and description", file=file)
    return briefs


def _brief(name: str, entry: object, file: str) -> Brief:
    if not isinstance(entry, dict):
        raise ScenarioError(f"must be a table [{name}], not {shown(entry)}", file=file, key=name)
    if "name" in entry:
        raise ScenarioError("'name' is not a key here; the table's own name is it", file=file, key=f"{name}.name")
    brief: Brief = validated(Brief, {"name": name, **entry}, file, name)
    return brief


def write_briefs(path: str | Path, briefs: Sequence[Brief]) -> None:
    """Write briefs to a TOML file, which `read_briefs` reads back.

    Raises:
        UsageError: two briefs have one name, or the file cannot be written.
    """
    names = [brief.name for brief in briefs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"Two briefs are named {twice[0]!r}; rename one of them.")
    part = Path(f"{path}.part")
    try:
        part.write_text("\n".join(map(_table, briefs)), "utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _table(brief: Brief) -> str:
    """A brief as a TOML table. JSON's strings and lists are TOML's too."""
    fields = {
        "title": brief.title,
        "category": brief.category,
        "description": brief.description,
        "score": brief.score,
        "parents": list(brief.parents) or None,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items() if value is not None]
    return f"[{brief.name}]\n{''.join(lines)}"
