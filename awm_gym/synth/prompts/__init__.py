"""Prompts: markdown files beside this one, with places such as `{{examples}}` to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_LABEL = re.compile(r"\[awm-gym stage=(\w+) scenario=\S+ item=(\S+)")
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def rendered(name: str, /, **parts: str) -> str:
    """The prompt `name`.md with its places filled in. What is filled in is not searched for places again.

    Raises:
        KeyError: a place has no part, or a part has no place. Both are mistakes of the caller.
        FileNotFoundError: there is no such prompt.
    """
    template = _template(name)
    places = set(_PLACE.findall(template))
    if astray := sorted(places ^ set(parts)):
        what = "needs" if astray[0] in places else "has no place for"
        raise KeyError(f"the prompt {name}.md {what} {astray[0]!r}")
    return _PLACE.sub(lambda place: parts[place[1]], template)


def label(stage: str, *, scenario: str = "-", item: str = "-", attempt: int = 1) -> str:
    """The first line of a request, which tells programs and logs what it is about."""
    return f"[awm-gym stage={stage} scenario={scenario} item={item} attempt={attempt}]"


def labelled(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Stage and item of the request that a conversation ends in."""
    found = _LABEL.findall(str(messages[-1]["content"]))[-1]
    return found[0], found[1]


@cache
def _template(name: str) -> str:
    return (Path(__file__).parent / f"{name}.md").read_text("utf-8").strip()
