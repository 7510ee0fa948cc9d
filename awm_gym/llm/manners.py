"""What a server refuses, learnt from its complaints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Format = Literal["json_schema", "json_object", "text"]

_WORSE: dict[Format, Format] = {"json_schema": "json_object", "json_object": "text"}
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": None}
_OPTIONAL = ("temperature", "reasoning_effort")
_FORMAT = re.compile(r"response.?format|json.?schema|json.?object|json.?mode|structured.?output|grammar|schema", re.I)
# Of a parameter as such. A complaint of its value alone ("too large, this model supports at most 4096") is the user's
# to mend: to leave it out would ignore what was set.
_REFUSES = re.compile(
    r"unsupported|not.{0,10} support|unrecogni|unknown|unexpected|not (?:permitted|allowed|available)"
    r"|extra (?:inputs|fields)|only the default|deprecated|incompatible|no longer",
    re.I,
)


@dataclass(frozen=True)
class Manners:
    """How a model wants to be asked.

    Attributes:
        format: the best way to get JSON that its server has not refused.
        limit: the name of the parameter that bounds an answer; None if there is none.
        refused: parameters that are left away.
    """

    format: Format = "json_schema"
    limit: str | None = "max_tokens"
    refused: frozenset[str] = frozenset()

    def after(self, complaint: str, sent: Mapping[str, Any]) -> Manners | None:
        """The manners that heed a complaint about what was sent; None if nothing can be changed about it."""
        if _REFUSES.search(complaint):
            for name in _OPTIONAL:
                if name in sent and _names(complaint, name):
                    return replace(self, refused=self.refused | {name})
            if self.limit in sent and _names(complaint, str(self.limit)):
                return replace(self, limit=_LIMITS[str(self.limit)])
        if "response_format" in sent and _FORMAT.search(complaint):
            return replace(self, format=_WORSE[self.format])
        return None

    def without_format(self) -> Manners:
        """The manners for a server that takes a response format, but ignores it."""
        return replace(self, format="text")


def _names(complaint: str, parameter: str) -> bool:
    return re.search(rf"\b{parameter}\b", complaint) is not None
