"""What was said, kept on disk by the content of the question."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from awm_gym import places
from awm_gym.errors import UsageError
from awm_gym.llm.ledger import Usage
from awm_gym.llm.messages import Call, Said


def key_of(question: Any) -> str:
    """The key of a JSON value: the same for the same content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode("ascii")).hexdigest()


class Answers:
    """A folder of answers, each written whole or not at all, so that many processes may share it.

    Args:
        folder: where they are; made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def said(self, key: str) -> Said | None:
        """What was said to a question; None if nothing is kept, or what is kept is damaged."""
        try:
            document = self._read(key)
            calls = tuple(Call(*map(str, call)) for call in document["calls"])
            prompt, completion = map(int, document["usage"])
            return Said(str(document["text"]), calls, str(document["finish"]), Usage(prompt, completion), kept=True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_said(self, key: str, said: Said) -> None:
        """Keep what was said.

        Raises:
            UsageError: the folder cannot be written.
        """
        document = {"text": said.text, "calls": said.calls, "finish": said.finish, "usage": said.usage}
        self._write(key, document)

    def vector(self, key: str) -> list[float] | None:
        """A kept embedding; None if none is kept, or what is kept is damaged."""
        try:
            return [float(number) for number in self._read(key)["embedding"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_vector(self, key: str, vector: list[float]) -> None:
        """Keep an embedding.

        Raises:
            UsageError: the folder cannot be written.
        """
        self._write(key, {"embedding": vector})

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _read(self, key: str) -> Any:
        return json.loads(self._place(key).read_text("utf-8"))

    def _write(self, key: str, document: dict[str, Any]) -> None:
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
            with os.fdopen(part, "w", encoding="utf-8", errors="backslashreplace") as file:
                json.dump(document, file, ensure_ascii=False)
            os.replace(name, place)  # a process that is killed leaves the part, never half an answer
        except OSError as error:
            raise UsageError(f"{place.parent} cannot be written ({error.strerror}); set {places.HOME}.") from error
