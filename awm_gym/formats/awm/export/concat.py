"""An aggregate function that old SQLites lack; exported applications and verifiers bring it along."""

from __future__ import annotations

from typing import Any


class OrderedConcat:
    """`ordered_concat(directions, text, separator, term, ...)`: texts joined in the order of terms.

    Directions have a letter for each term: "a" ascending, "d" descending.
    """

    def __init__(self) -> None:
        """Begin a group."""
        self._directions = ""
        self._rows: list[tuple[tuple[Any, ...], str, str]] = []

    def step(self, directions: str, text: str | None, separator: str, *terms: Any) -> None:
        """Take a row."""
        self._directions = directions
        if text is not None:
            self._rows.append((tuple(self._key(term) for term in terms), separator, text))

    def finalize(self) -> str | None:
        """The joined text; None if there was none."""
        for place, direction in reversed(list(enumerate(self._directions))):
            self._rows.sort(key=lambda row, place=place: row[0][place], reverse=direction == "d")  # type: ignore[misc]
        if not self._rows:
            return None
        return self._rows[0][2] + "".join(separator + text for _, separator, text in self._rows[1:])

    @staticmethod
    def _key(term: Any) -> tuple[int, Any]:
        """Values as SQLite orders them: NULL, numbers, texts."""
        if term is None:
            return 0, 0
        return (2, term) if isinstance(term, str) else (1, term)
