"""Allow-lists: which tasks of which scenarios may be played, such as those that passed an audit."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from awm_gym.errors import UsageError, printable, shown
from awm_gym.scenario import Name, Several, Text

MAX_BYTES = 2**24  # of a file; ten thousand tasks take a quarter of a million

_Id = Annotated[str, Field(pattern=r"^[a-z0-9_][a-z0-9_-]{0,99}\z")]
_Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]


class AllowList(BaseModel):
    """Tasks that may be played, in a file of TOML.

    >>> AllowList.read(Path("passed.toml")).tasks("rover", scenario.fingerprint)
    ('task_0', 'task_3')

    Attributes:
        title: what the list is for.
        fingerprints: id of a scenario -> the fingerprint of the content that the list was made for.
        chosen: id of a scenario -> names of its tasks, in order; the same scenarios.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", populate_by_name=True)

    title: Text
    fingerprints: Mapping[_Id, _Fingerprint]
    chosen: Mapping[_Id, Several[Name]] = Field(alias="tasks")

    @model_validator(mode="after")
    def _one_of_each(self) -> AllowList:
        if one_sided := sorted(set(self.fingerprints) ^ set(self.chosen)):
            raise ValueError(f"{one_sided[0]} must stand in [fingerprints] and in [tasks]")
        for name, tasks in self.chosen.items():
            if len(set(tasks)) < len(tasks):
                raise ValueError(f"{name} names a task twice")
        return self

    @classmethod
    def read(cls, path: Path) -> AllowList:
        """Read a file.

        Raises:
            UsageError: it is not there, or is no allow-list.
        """
        try:
            if not path.is_file():
                raise UsageError(f"There is no allow-list {shown(str(path))}.")
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # a NUL, or a name too long for the file system
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"The allow-list {shown(str(path))} cannot be read: {reason}") from None
        try:
            if len(content) > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES} bytes")
            return cls.model_validate(tomllib.loads(content.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            problem = f"{path.name} is no allow-list: {_told(error)}"
            raise UsageError(
                f"{problem}. It has title, [fingerprints] and [tasks], a line for each scenario."
            ) from None

    def write(self, path: Path) -> None:
        """Write a file; the same bytes for the same list.

        Raises:
            UsageError: it cannot be written.
        """
        lines = [f"title = {json.dumps(self.title, ensure_ascii=False)}", "", "[fingerprints]"]
        lines += [f'{name} = "{self.fingerprints[name]}"' for name in sorted(self.fingerprints)]
        lines += ["", "[tasks]"]
        lines += [f"{name} = {json.dumps(self.chosen[name])}" for name in sorted(self.chosen)]
        try:
            path.write_text("\n".join(lines) + "\n", "utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"The allow-list {shown(str(path))} cannot be written: {reason}") from None

    def tasks(self, name: str, fingerprint: str) -> tuple[str, ...]:
        """Names of the tasks of a scenario that may be played, in order; none if the list does not know it.

        Args:
            name: id of the scenario.
            fingerprint: of its content as it is now.

        Raises:
            UsageError: the list was made for another content.
        """
        if name not in self.chosen:
            return ()
        if fingerprint != self.fingerprints[name]:
            raise UsageError(
                f"The allow-list {shown(self.title)} means another {name}: its fingerprint is "
                f"{self.fingerprints[name][:12]}, not {fingerprint[:12]}. Make the list again from these data."
            )
        return self.chosen[name]


def _told(error: Exception) -> str:
    """What is wrong, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        key = ".".join(shown(part).strip("'") for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        return f"{key}: {problem}, got {shown(first['input'])}" if key else problem
    return " ".join(printable(str(error)).split())
