"""SQL that a model wrote with the quotes of another language: what it must have meant."""

from __future__ import annotations

import re

_QUOTE = re.compile(r"\\?'")
_AFTER_TEXT = re.compile(r"\s*(?:[,);]|\|\||\Z)")


def requoted(statement: str) -> str:
    r"""A statement with `\'`, and with apostrophes inside text, written as `''`.

    A quote inside text ends it only if a comma, a bracket, `||` or the end follows; every other one is an apostrophe.
    Where that guess is wrong the number of values is wrong too, and SQLite refuses the statement as it did before.
    """
    written = ""
    position = 0
    inside = False
    while found := _QUOTE.search(statement, position):
        end = found.end()
        written += statement[position : found.start()]
        if not inside:
            written += found[0]
            inside = True
        elif found[0] == "'" and _AFTER_TEXT.match(statement, end):
            written += "'"
            inside = False
        else:
            written += "''"
            end += statement.startswith("'", end)  # doubled already
        position = end
    return written + statement[position:]
