"""SQL as text: statements with their place, names, literals. Nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import apsw

from awm_gym.errors import ScenarioError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(  # what is opened and not closed reaches to the end: nothing is looked at twice
    r"'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)", re.S
)
_PARAMETER = re.compile(r"(?<![\w:]):([A-Za-z_]\w*)")
_OTHER_PARAMETER = re.compile(r"[?@$#][\w:]*")
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)", re.S)
_MAX_PARTS = 1_000  # statements within one trigger
_ZONE = re.compile(  # inside the parentheses of a function that reads a time
    r"\b(?:date|time|datetime|julianday|unixepoch|strftime)\s*\((?:[^()']|'[^']*'|\([^()]*\))*?'(?:localtime|utc)'",
    re.I,
)
CONTENT_VERBS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "VALUES")
SCHEMA_VERBS = ("CREATE",)
DATA_VERBS = ("INSERT", "REPLACE", "WITH")


class Statement(NamedTuple):
    """One SQL statement: its text without the comments around it, and the line where it starts."""

    text: str
    line: int

    @property
    def head(self) -> str:
        """The first line, shortened, for messages."""
        first = self.text.split("\n", 1)[0].strip()
        return first if len(first) <= 90 else first[:87] + "..."


def statements(script: str) -> tuple[Statement, ...]:
    """Split a SQL script at the semicolons that end a statement.

    Raises:
        ScenarioError: a statement has no closing semicolon, or the script holds a NUL.
    """
    if "\0" in script:
        raise ScenarioError("the SQL holds a NUL character; remove it")
    found: list[Statement] = []
    code = code_only(script)
    start = search = _skip_comments(script, 0)
    line, parts = 1 + script.count("\n", 0, start), 0
    while start < len(script):
        end = code.find(";", search)
        parts += 1
        if end < 0 or parts > _MAX_PARTS:
            hint = "; a quote within a text is doubled: 'didn''t'" if script.count("'", start) % 2 else ""
            raise ScenarioError(
                f"line {line}: the statement has no closing semicolon{hint}: {script[start : start + 60]!r}"
            )
        search = end + 1
        if apsw.complete(script[start:search]):
            text = script[start:search]
            if text != ";":
                found.append(Statement(text, line))
            after = _skip_comments(script, search)
            line += script.count("\n", start, after)
            start, search, parts = after, after, 0
    return tuple(found)


def _skip_comments(script: str, position: int) -> int:
    while match := _COMMENT.match(script, position):
        position = match.end()
    return position


def code_only(script: str) -> str:
    """The script with strings, quoted names and comments blanked out, same length and lines."""
    return _QUOTED.sub(_blank, script)


def _blank(match: re.Match[str]) -> str:
    return "\n".join(" " * len(line) for line in match.group().split("\n"))


def parameters(script: str) -> frozenset[str]:
    """Names of the `:parameters` a script uses.

    Raises:
        ScenarioError: a parameter is written in another form (`?`, `@name`, `$name`).
    """
    code = code_only(script)
    if other := _OTHER_PARAMETER.search(code):
        raise ScenarioError(f"parameter {other.group()!r} is not written :name")
    return frozenset(_PARAMETER.findall(code))


def inlined(script: str, values: Mapping[str, str | int | float | None]) -> str:
    """A script with literals in the place of `:parameters`; those without a value stay."""

    def value(match: re.Match[str]) -> str:
        return literal(values[match[1]]) if match[1] in values else match[0]

    text, position = "", 0
    for match in _PARAMETER.finditer(code_only(script)):
        text += script[position : match.start()] + value(match)
        position = match.end()
    return text + script[position:]


def refuse_forbidden_words(script: str) -> None:
    """Refuse what no authorizer sees: words that would end the episode's transaction, and the machine's time zone.

    Raises:
        ScenarioError: the script holds such a word.
    """
    match = re.search(r"\b(ROLLBACK|DEFERRABLE|DEFERRED|AUTOINCREMENT)\b", code_only(script), re.I)
    if match:
        word = match.group().upper()
        remedy = {
            "ROLLBACK": "use OR ABORT or refuse(): an episode is one transaction",
            "AUTOINCREMENT": "an INTEGER PRIMARY KEY numbers its rows without it",
        }.get(word, "foreign keys are checked at once")
        line = script.count("\n", 0, match.start()) + 1
        raise ScenarioError(f"line {line}: {word} is not allowed; {remedy}")
    if zone := _ZONE.search(script):
        line = script.count("\n", 0, zone.end()) + 1
        raise ScenarioError(f"line {line}: 'localtime' and 'utc' ask the machine for its zone; a scenario has one time")


def joined(conditions: Sequence[str], word: str) -> str:
    """Conditions joined by AND or OR as a balanced tree: SQLite bounds how deep an expression may be."""
    if len(conditions) == 1:
        return f"({conditions[0]})"
    half = len(conditions) // 2
    return f"({joined(conditions[:half], word)} {word} {joined(conditions[half:], word)})"


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | float | None) -> str:
    """An SQL literal; booleans are 1 and 0."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(int(value) if isinstance(value, bool) else value)
