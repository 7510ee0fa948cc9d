"""What the tools of a scenario do when they are called in earnest, and with ids that no row has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from awm_gym.errors import EnvironmentFault, UsageError, printable
from awm_gym.formats.awm.audit.findings import Ghosts, ToolAudit
from awm_gym.formats.awm.audit.plausible import Attempt, Plausible, Table
from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.host import App, ToolInfo
from awm_gym.formats.awm.images import EditRefused, Images
from awm_gym.formats.awm.records import AwmScenario
from awm_gym.sql import quote

CALL_SECONDS = 2.0  # until a tool has answered; they need milliseconds
MAX_ROWS = 20_000  # of the initial database that arguments are taken from
MAX_FAULTS = 2  # calls of one tool that may kill or hang the worker until no more are made
KILLED = "killed or hung its worker"
SILENT = "answered 5xx by itself"

_NO_CONTENT = 204
_LONG = 250  # characters of arguments, and of an error
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_CAUSES = tuple(
    (cause, re.compile(pattern))
    for cause, pattern in (
        ("UNIQUE conflict", r"UNIQUE constraint failed"),
        ("NOT NULL", r"NOT NULL constraint failed"),
        ("CHECK", r"CHECK constraint failed"),
        ("foreign key", r"FOREIGN KEY constraint failed"),
        ("missing table", r"no such table"),
        ("missing column", r"no such column|has no column named"),
        ("locked database", r"database (table )?is locked"),
        ("ISO string into DateTime", r"SQLite (DateTime|Date|Time) type only accepts"),
        ("attribute of None", r"'NoneType' object (has no attribute|is not)"),
        ("no row where one is needed", r"^NoResultFound:"),
        ("several rows where one is needed", r"^MultipleResultsFound:"),
        ("DetachedInstance", r"^DetachedInstanceError:"),
        ("answer breaks its own schema", r"^ResponseValidationError:"),
        ("base64", r"(?i)base64|^Error: (Incorrect padding|Invalid base)"),
        ("date that it cannot read", r"Invalid isoformat string|does not match format|unconverted data remains"),
        ("time with and without a zone", r"offset-naive and offset-aware"),
        ("value that SQLite cannot hold", r"Error binding parameter|type '\w+' is not supported"),
    )
)


def audit_tools(
    scenario: AwmScenario, base: Base, app: App, images: Images, *, seconds: float = CALL_SECONDS
) -> tuple[ToolAudit, ...]:
    """Call every tool of a scenario, each time from the initial state.

    Args:
        scenario: the scenario.
        base: its database.
        app: its application; `reset="inplace"` is fast.
        images: reads the databases that the application leaves.
        seconds: until a call must be answered.

    Returns:
        What each does, in the order of `App.tools`.

    Raises:
        EnvironmentFault: the application cannot be reset, or its initial database cannot be read.
    """
    bench = _Bench(app, images, seconds)
    tables = read_tables(images, app.initial)
    return tuple(bench.audit(tool, Plausible(tool, scenario, tables, base.now)) for tool in app.tools)


def read_tables(images: Images, image: bytes) -> dict[str, Table]:
    """The tables of a database with their rows.

    Raises:
        EnvironmentFault: it cannot be read.
    """
    schemas = images.schema(image)
    try:
        empty = images.edited(image, [(f"DELETE FROM {quote(name)}", ()) for name in schemas])
    except EditRefused as error:
        raise EnvironmentFault(f"the database cannot be read: {error}") from error
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in schemas}
    for row in images.differing(empty, image, MAX_ROWS):
        rows[row.table].append(row.new or {})
    return {name: Table(schema, tuple(rows[name])) for name, schema in schemas.items()}


def cause(error: str) -> str:
    """A short name for what went wrong.

    Args:
        error: `Answer.error` of a call that was answered 5xx: the name of an exception and what it says.
    """
    if not error:
        return SILENT
    line = error.partition("\n")[0]  # what follows are SQL and its values
    known = next((name for name, pattern in _CAUSES if pattern.search(line)), "")
    return known or f"other: {printable(line.partition(':')[0])[:60]}"


class _Seen(NamedTuple):
    """How a call ended.

    Attributes:
        status: of HTTP; 500 for one that killed or hung the worker.
        cause: of a crash; "" otherwise.
        error: as the application raised it.
        empty: it was answered 2xx without any content.
        wrote: rows differ after it.
        dangling: more rows than before refer to rows that are not there.
    """

    status: int
    cause: str = ""
    error: str = ""
    empty: bool = False
    wrote: bool = False
    dangling: bool = False

    @property
    def family(self) -> int:
        return self.status // 100


class _Bench:
    """Makes calls, each from the initial state."""

    def __init__(self, app: App, images: Images, seconds: float) -> None:
        self._app, self._images, self._seconds = app, images, seconds
        self._dangling = images.dangling(app.initial)

    def audit(self, tool: ToolInfo, plausible: Plausible) -> ToolAudit:
        """What one tool does."""
        attempts = plausible.attempts()
        seen = self._all(tool, (attempt.arguments for attempt in attempts))
        crashes = [(attempt, end) for attempt, end in zip(attempts, seen, strict=False) if end.family == 5]
        killed = sum(end.cause == KILLED for end in seen)
        return ToolAudit(
            name=tool.name,
            method=tool.method,
            path=tool.path,
            exposed=tool.exposed,
            calls=len(seen),
            ok=_count(seen, 2),
            refused=_count(seen, 4),
            crashed=len(crashes),
            empty=sum(end.empty for end in seen),
            causes=dict(sorted(Counter(end.cause for _, end in crashes).items())),
            first_crash=_told(*crashes[0]) if crashes else "",
            ids=tuple(plausible.ids),
            ghosts=self._ghosts(tool, plausible, _best(attempts, seen), killed) if plausible.ids else None,
        )

    def _ghosts(self, tool: ToolInfo, plausible: Plausible, attempt: Attempt, killed: int) -> Ghosts:
        seen = self._all(tool, plausible.ghosts(attempt.arguments), looking=True, killed=killed)
        return Ghosts(
            calls=len(seen),
            accepted=_count(seen, 2),
            wrote=sum(end.wrote for end in seen),
            dangling=sum(end.dangling for end in seen),
            refused=_count(seen, 4),
            crashed=_count(seen, 5),
        )

    def _all(
        self, tool: ToolInfo, calls: Iterable[dict[str, Any]], *, looking: bool = False, killed: int = 0
    ) -> list[_Seen]:
        """Make calls, until too many have killed or hung the worker."""
        seen: list[_Seen] = []
        for arguments in calls:
            if killed >= MAX_FAULTS:
                break
            seen.append(self._call(tool, arguments, looking=looking))
            killed += seen[-1].cause == KILLED
        return seen

    def _call(self, tool: ToolInfo, arguments: dict[str, Any], *, looking: bool) -> _Seen:
        """Make one call, and look at the database after it."""
        with self._app.reset() as episode:
            try:
                answer = episode.call(tool.name, arguments, seconds=self._seconds)
                if answer.status >= 500:
                    return _Seen(answer.status, cause(answer.error), answer.error)
                if not 200 <= answer.status < 300:
                    return _Seen(answer.status)
                empty = answer.status != _NO_CONTENT and _is_empty(answer.text)
                return _Seen(answer.status, "", "", empty, *(self._changes(episode.image()) if looking else ()))
            except (EnvironmentFault, UsageError) as fault:  # a worker that starts again may offer other tools
                return _Seen(500, KILLED, str(fault))

    def _changes(self, image: bytes) -> tuple[bool, bool]:
        """Whether rows differ, and whether more of them refer to rows that are not there."""
        if image == self._app.initial or not self._images.changed(self._app.initial, image):
            return False, False
        return True, self._images.dangling(image) > self._dangling


def _best(attempts: list[Attempt], seen: list[_Seen]) -> Attempt:
    """The call to put ids in that no row has: one that was answered 2xx, with ids that exist."""
    ranked = [(end.family == 2, attempt.real) for attempt, end in zip(attempts, seen, strict=False)]
    return attempts[ranked.index(max(ranked))]


def _count(seen: list[_Seen], family: int) -> int:
    return sum(end.family == family for end in seen)


def _told(attempt: Attempt, end: _Seen) -> str:
    arguments = json.dumps(attempt.arguments, ensure_ascii=False)
    return f"{_line(arguments)}: {_line(end.error or end.cause)}"


def _line(text: str) -> str:
    """The first line of a text, shortened, and without addresses in memory, which are others each time."""
    line = _ADDRESS.sub("0x...", printable(text.partition("\n")[0]))
    return line if len(line) <= _LONG else f"{line[: _LONG - 3]}..."


def _is_empty(text: str) -> bool:
    """Whether an answer has no content: it is blank, or JSON of nothing but nulls, zeros and blanks."""
    try:
        return not _holds_something(json.loads(text))
    except (ValueError, RecursionError):
        return not text.strip()


def _holds_something(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_holds_something(part) for part in (value.values() if isinstance(value, dict) else value))
    return bool(value.strip() if isinstance(value, str) else value)
