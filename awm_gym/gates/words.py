"""Gates on words: what descriptions, messages and instructions say is what the SQL does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from awm_gym.gates.prover import Prover
from awm_gym.scenario import MONTHS, WEEKDAYS, Task, Tool
from awm_gym.sql import code_only
from awm_gym.tools import CompiledTool

_FIRST = re.compile(
    r"\b(newest|latest|most recent|oldest|earliest|soonest|longest|cheapest|lowest|smallest|lightest|highest|largest|"
    r"biggest|dearest|heaviest)\b[\w ]{0,24}?\bfirst\b"
)
_DATED_ORDERS = {"newest": True, "latest": True, "most recent": True} | dict.fromkeys(
    ("oldest", "earliest", "soonest", "longest"), False
)
_SIZED_ORDERS = dict.fromkeys(("cheapest", "lowest", "smallest", "lightest"), False) | dict.fromkeys(
    ("highest", "largest", "biggest", "dearest", "heaviest"), True
)
_BY = re.compile(r"(?:[,;.]|\bsorted|\bordered) by ((?:\w+ ){0,2}?\w+)(?: and [\w ]+)?\s*(?=[.;,:(]|$)", re.I)
_AGENTS = {"a", "an", "one", "anybody", "somebody"}  # who does it, not an order: "by one analyst"
_TIME_WORDS = {"day", "date", "time", "start", "moment", "arrival", "due"}
_ORDER_WORDS = _TIME_WORDS | {"number", "id", "name"}
_ENDS = (  # of an order that goes "from low to high"
    "first|last|top|bottom|low|high|small|large|big|short|long|light|heavy|cheap|dear|early|late|old|new|young|"
    "best|worst|most|least"
)
_ORDER_ASKED = re.compile(
    rf"\border\b|\bsort|\bfirst\b|\brank|\balphabet|\bA to Z\b|\bfrom (?:{_ENDS}) to\b|"
    r"\b\w+est (?:\w+ )?to (?:the )?\w+est\b",
    re.I,
)
_MAY_ASK = re.compile(r"\b(?:by|from) \w+ to\b|\w+est to\b", re.I)  # of days and places it is a span, not an order
_NUMBER = re.compile(r"(?<![\w.:-])\d+(?![\w:]|\.\d)")
_ENUMERATED = re.compile(r"^\s*\"?(\w+)\"?\s[^\n]*?CHECK \(\"?\1\"? IN \(([^)]*)\)\)", re.M)
_COMPARED = re.compile(r"(?<![:\w])(\w+)\s*(?:=|<>|!=|\bIS NOT\b|\bIS\b)\s*('(?:[^']|'')*')")
_MEMBERS = re.compile(r"(?<![:\w])(\w+)\s+(?:NOT )?IN\s*\(('[^)]*')\)")
_DAY = re.compile(
    rf"\b({'|'.join(WEEKDAYS)}),? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({'|'.join(MONTHS)})(?:,? (\d{{4}}))?",
    re.I,
)


def words_are_true(prover: Prover) -> Iterator[str]:
    """Words agree with the SQL: the order and the page size that a description promises, the numbers it names.

    Also: no SQL compares a column with a word it cannot hold; a weekday is that of its date; lists are asked for in
    an order if their order counts; instructions speak of things, not of tools.
    Remedy: correct the words or the SQL, whichever is wrong.
    """
    for compiled in prover.tools.values():
        yield from _order_kept(prover, compiled)
        yield from _page_kept(compiled)
        yield from _numbers_kept(prover, compiled.tool)
    yield from _impossible_words(prover)
    for task in prover.tasks:
        yield from _instruction(prover, task)


def order_terms(sql: str) -> list[str]:
    """The terms of a statement's outermost ORDER BY."""
    code, depth, found = code_only(sql), 0, -1
    for match in re.finditer(r"[()]|\bORDER BY\b", code):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if match.group() == "ORDER BY" and depth == 0:
            found = match.end()
    if found < 0:
        return []
    end = re.compile(r"\bLIMIT\b|;").search(code, found)
    terms, depth, start = [], 0, found
    stop = end.start() if end else len(sql)
    for place in range(found, stop):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if code[place] == "," and depth == 0:
            terms.append(sql[start:place].strip())
            start = place + 1
    return [*terms, sql[start:stop].strip()]


def other_weekdays(words: str, year: int) -> Iterator[str]:
    """Days in a text that fall on another weekday than it says. Without a year, this one and the next are meant."""
    for found in _DAY.finditer(words):
        if not any(map(partial(_is_weekday, found), _years(found[4], year))):
            yield f"{found[0]!r} is another day of the week"


def _order_kept(prover: Prover, compiled: CompiledTool) -> Iterator[str]:
    """The order that the description promises is the order of the answer."""
    name, words = compiled.tool.name, compiled.tool.description
    if compiled.answer < 0:
        return
    terms = order_terms(compiled.statements[compiled.answer].sql)
    first, by = _FIRST.search(words), _BY.search(words)
    if by and not _is_order(compiled, by):
        by = None
    if not (first or by):
        return
    said = next(match[0].strip(" ,;.") for match in (first, by) if match)
    if not terms:
        yield f"{name}: promises {said!r}, but its rows are in no order"
        return
    term, falling = re.sub(r"\s+(ASC|DESC)$", "", terms[0], flags=re.I), bool(re.search(r"\bDESC$", terms[0], re.I))
    if first:
        right = _as_superlative(prover, compiled, first[1], term, falling)
    else:
        right = not falling and _as_column(prover, compiled, by[1], term)  # type: ignore[index]
    if not right:
        yield f"{name}: promises {said!r}, but its rows are ordered by {terms[0]}"


def _is_order(compiled: CompiledTool, by: re.Match[str]) -> bool:
    """Whether "by" and a phrase tell an order of rows, and not who does something, or how."""
    words = by[1].lower().split()
    if by[0].lower().startswith(("sorted", "ordered")):
        return True
    columns = compiled.statements[compiled.answer].columns
    ordering = any(word in _ORDER_WORDS or any(_names(word, column) for column in columns) for word in words)
    return ordering and not compiled.writes and words[0] not in _AGENTS


def _names(word: str, column: str) -> bool:
    """Whether a word names a column: it begins as one of the column's words does."""
    return any(part.startswith(word[:5]) for part in column.lower().split("_"))


def _as_superlative(prover: Prover, compiled: CompiledTool, word: str, term: str, falling: bool) -> bool:
    dated = _dated(prover, term)
    if word in _DATED_ORDERS:
        number = bool(re.search(r"(^|[._])id$", term))
        return falling == _DATED_ORDERS[word] and (dated or (number and _DATED_ORDERS[word]))
    return falling == _SIZED_ORDERS[word] and not dated and not re.search(r"(^|[._])(id|name)$", term)


def _as_column(prover: Prover, compiled: CompiledTool, phrase: str, term: str) -> bool:
    """Whether a term is the column that a phrase means; an unknown phrase means any."""
    words = phrase.lower().split()
    if set(words) & _TIME_WORDS:
        return _dated(prover, term)
    if set(words) & {"number", "id"}:
        return bool(re.search(r"(^|[._])(id|number)$", term))
    columns = compiled.statements[compiled.answer].columns
    meant = [word for word in words if any(_names(word, column) for column in columns)]
    return not meant or any(word[:5] in term.lower() for word in meant)


def _dated(prover: Prover, term: str) -> bool:
    """Whether a term is made of days or moments."""
    for name in re.findall(r"[A-Za-z_]\w*", term):
        if re.search(r"(_on|_at|_day|date|_until)$", name):
            return True
        for table in prover.tables.values():
            if name in table.column_names:
                values = prover.keys(table.name, name)
                if values and all(re.match(r"\d{4}-\d\d-\d\d", str(value)) for value in values):
                    return True
    return False


def _page_kept(compiled: CompiledTool) -> Iterator[str]:
    """As many rows a page as the description says, and the next page begins where this one ends."""
    tool = compiled.tool
    said = re.search(r"\b(\d+) (?:\w+ )?(?:a|per) page", tool.description)
    if compiled.answer < 0 or "page" not in tool.params:
        return
    limit = re.search(r"\bLIMIT (\d+)\s+OFFSET (\d+)", compiled.statements[compiled.answer].sql)
    if limit and limit[1] != limit[2]:
        yield f"{tool.name}: shows {limit[1]} rows a page, but skips {limit[2]}"
    if limit and said and said[1] != limit[1]:
        yield f"{tool.name}: says {said[1]} a page, but its SQL shows {limit[1]}"
    if limit and not re.search(r"\bpages?\b", tool.description):
        yield f"{tool.name}: has pages, but its description does not say how long they are"


def _numbers_kept(prover: Prover, tool: Tool) -> Iterator[str]:
    """Every number in a description or a refusal is one that the SQL knows."""
    bounds = [repr(param.model_dump()) for param in tool.params.values()]
    views = [
        view[0]
        for view in re.finditer(r"CREATE VIEW \"?(\w+).*?;", prover.scenario.db_schema, re.S)
        if re.search(rf"\b{view[1]}\b", tool.sql)
    ]
    told = re.findall(r"refuse\(((?:'(?:[^']|'')*'|[^')]|\([^)]*\))*)\)", tool.sql)
    messages = [text for part in told for text in re.findall(r"'(?:[^']|'')*'", part)]
    rest = tool.sql
    for message in messages:
        rest = rest.replace(message, " ", 1)
    known = {int(number) for text in (rest, *bounds, *views) for number in re.findall(r"(?<![\w.])\d{1,15}", text)}
    known |= {100 - number for number in known} | {number // 100 for number in known if number % 100 == 0}
    for words, what in ((tool.description, "description"), (" ".join(messages), "refusal")):
        for number in map(int, _NUMBER.findall(words)):
            if number > 2 and not known & {number - 1, number, number + 1}:
                yield f"{tool.name}: its {what} speaks of {number}, but its SQL knows no such number"


def _enumerated(prover: Prover) -> dict[str, set[str]]:
    """Columns that hold only certain words, whatever table they stand in -> those words."""
    allowed: dict[str, set[str]] = {}
    for column, members in _ENUMERATED.findall(prover.scenario.db_schema):
        allowed.setdefault(column, set()).update(re.findall(r"'([^']*)'", members))
    found = {}
    for column, words in allowed.items():
        values = {
            str(value)
            for table in prover.tables.values()
            if column in table.column_names
            for value in prover.keys(table.name, column)
        }
        if words and values <= words:
            found[column] = words
    return found


def _impossible_words(prover: Prover) -> Iterator[str]:
    """No SQL compares a column with a word that its CHECK forbids."""
    allowed = _enumerated(prover)
    for place, sql in _all_sql(prover):
        pairs = [*_COMPARED.findall(sql), *_MEMBERS.findall(sql)]
        for column, words in pairs:
            for word in re.findall(r"'((?:[^']|'')*)'", words):
                if column in allowed and word not in allowed[column]:
                    yield f"{place}: compares {column} with {word!r}, which it never holds"
    for tool in prover.scenario.tools.values():
        for name, param in tool.params.items():
            for column in re.findall(rf"\b(\w+) = :{name}\b", tool.sql):
                wrong = [member for member in param.enum if column in allowed and member not in allowed[column]]
                if wrong:
                    yield f"{tool.name}: {name} may be {wrong[0]!r}, which {column} never holds"


def _all_sql(prover: Prover) -> Iterator[tuple[str, str]]:
    for tool in prover.scenario.tools.values():
        yield tool.name, tool.sql
        for param in tool.params.values():
            yield tool.name, param.where or ""
    for view, sql in re.findall(r'CREATE VIEW "?(\w+)"? AS\b(.*?);', prover.scenario.db_schema, re.S):
        yield f"the view {view}", sql
    for invariant in prover.invariants:
        yield f"the invariant {invariant.words!r}", invariant.sql
    for task in prover.tasks:
        for sql in (task.expect or "", *task.checks.values(), *(may.rows for may in task.may_change.values())):
            yield task.name, sql


def _instruction(prover: Prover, task: Task) -> Iterator[str]:
    words = task.instruction
    for tool in prover.scenario.tools:
        if "_" in tool and re.search(rf"\b{tool}\b", words):
            yield f"{task.name}: the instruction names the tool {tool}; say what is wanted instead"
    yield from (f"{task.name}: {problem}" for problem in other_weekdays(words, prover.scenario.now.year))
    answer = task.answer
    if answer is None or answer.items is None:
        return
    free = re.search(r"\b(any|no particular|whatever) order\b|\border does not matter\b", words, re.I)
    asked = _ORDER_ASKED.search(words)
    if answer.ordered and free:
        yield f"{task.name}: the instruction leaves the order free, but `answer` does not"
    if answer.ordered and not (asked or _MAY_ASK.search(words)):
        yield f"{task.name}: the order of the answer counts, but the instruction asks for none"
    if not answer.ordered and asked and not free:
        yield f"{task.name}: the instruction asks for an order ({asked[0]!r}), but `answer` takes any"


def _years(written: str | None, year: int) -> tuple[int, ...]:
    return (int(written),) if written else (year, year + 1)


def _is_weekday(found: Mapping[Any, str] | re.Match[str], year: int) -> bool:
    try:
        day = date(year, MONTHS.index(found[3].capitalize()) + 1, int(found[2]))
    except ValueError:
        return False
    return WEEKDAYS[day.weekday()] == found[1].capitalize()
