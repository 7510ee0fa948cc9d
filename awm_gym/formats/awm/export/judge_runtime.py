"""What all exported verifiers share: both databases of an episode as one, and how an end state is judged.

Its definitions are copied into verifiers. `before.<table>` of the native checks, in a database that is attached, is a
temporary table of that name here: some judges may attach nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from awm_gym.answers import equal, expected_from, for_sql, problem_with
from awm_gym.formats.awm.export.clock import Clock
from awm_gym.formats.awm.export.concat import OrderedConcat
from awm_gym.scenario import Answer

TOO_MUCH = ("integer overflow", "string or blob too big", "LIKE or GLOB pattern too complex")
SHOWN = 5  # rows that evidence shows


class EndState(NamedTuple):
    """What must be true at the end, and which rows must not differ.

    Attributes:
        wanted: what is wanted -> a query that answers 1 if it is there.
        stray: what must not be -> a query for rows that differ though they must not.
        untouched: tables that must hold what they held.
    """

    wanted: Mapping[str, str]
    stray: Mapping[str, str]
    untouched: tuple[str, ...]


class Task(NamedTuple):
    """How a task is judged.

    Attributes:
        end_states: each of them will do.
        checks: name -> a query that must answer 1 as well.
        answer: the type of the answer; None if there is none.
        expect: a query for the right one.
        before: tables that queries read as they were at the start -> their columns, as CREATE TABLE has them.
    """

    end_states: tuple[EndState, ...]
    checks: Mapping[str, str]
    answer: Answer | None
    expect: str
    before: Mapping[str, tuple[str, ...]]


class Case:
    """An episode that is over."""

    def __init__(self, initial: sqlite3.Connection, db: sqlite3.Connection) -> None:
        """Not to be made by hand; see `opened`."""
        self._initial, self._db = initial, db

    def rows(self, sql: str, answer: Any = None) -> tuple[list[Any], list[str]]:
        """Rows and columns of a query over the final tables; none if it meets what is too large to reckon with."""
        try:
            cursor = self._db.execute(sql, {"answer": answer})
            return cursor.fetchall(), [column[0] for column in cursor.description]
        except sqlite3.Error as error:
            if str(error) in TOO_MUCH:
                return [], []
            raise

    def holds(self, sql: str, answer: Any = None) -> bool:
        """Whether a query answers what is true."""
        rows, _ = self.rows(sql, answer)
        return bool(rows and rows[0][0])

    def differences(self, table: str) -> tuple[list[Any], list[Any]]:
        """Rows of a table that are gone, and those that have come; one that has changed is both."""
        sql = f'SELECT * FROM main."{table}"'
        before, after = (dict.fromkeys(db.execute(sql).fetchall()) for db in (self._initial, self._db))
        return [row for row in before if row not in after], [row for row in after if row not in before]


def creation(table: str, columns: tuple[str, ...]) -> str:
    """SQL for the table that holds what another held at the start."""
    return f'CREATE TEMP TABLE "before.{table}" ({", ".join(columns)}) STRICT'


@contextmanager
def opened(initial_path: str, final_path: str, clock: Clock, task: Task) -> Iterator[Case]:
    """Open the databases of an episode."""
    with (
        closing(sqlite3.connect(initial_path)) as initial,
        closing(sqlite3.connect(final_path)) as final,
        closing(sqlite3.connect(":memory:")) as db,
    ):
        final.backup(db)
        clock.look(db)
        db.create_aggregate("ordered_concat", -1, OrderedConcat)  # type: ignore[arg-type]
        clock.serve(db)
        db.execute("PRAGMA temp_store = MEMORY")
        for table, columns in task.before.items():
            db.execute(creation(table, columns))
            marks = ", ".join("?" * len(columns))
            rows = initial.execute(f'SELECT * FROM main."{table}"')
            db.executemany(f'INSERT INTO temp."before.{table}" VALUES ({marks})', rows)
        yield Case(initial, db)


def reached(case: Case, task: Task) -> bool:
    """Whether one of the end states was reached, and nothing else was changed."""
    return any(_holds(case, state) for state in task.end_states)


def _holds(case: Case, state: EndState) -> bool:
    return (
        all(case.holds(sql) for sql in state.wanted.values())
        and not any(case.rows(sql)[0] for sql in state.stray.values())
        and not any(any(case.differences(table)) for table in state.untouched)
    )


def checked(case: Case, task: Task, bound: Any = None) -> bool:
    """Whether the checks of a task hold. `bound` is the answer as SQL sees it."""
    return all(case.holds(sql, bound) for sql in task.checks.values())


def answered(case: Case, task: Task, final_answer: str | None) -> bool:
    """Whether the checks of a task hold, and the answer is right."""
    assert task.answer is not None  # asked of such tasks alone
    said = read_answer(task.answer, final_answer)
    bound = for_sql(task.answer, said)
    right = not task.expect or equal(task.answer, said, right_answer(case, task, bound))
    return right and checked(case, task, bound)


def right_answer(case: Case, task: Task, bound: Any = None) -> Any:
    """The answer that a task's query tells; None if it tells none."""
    if not (task.answer and task.expect):
        return None
    rows, columns = case.rows(task.expect, bound)
    return expected_from(task.answer, rows, columns)


def read_answer(answer: Answer, text: str | None) -> Any:
    """The first reading of a text that is of the answer's type: as JSON, as what it is; None if neither is."""
    if text is None:
        return None
    for read in (json.loads, str.strip, _yes_or_no):
        try:
            value = read(text)
        except (ValueError, RecursionError):
            continue
        if problem_with(answer, value) is None:
            return value
    return None


def _yes_or_no(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def evidence(case: Case, task: Task) -> dict[str, Any]:
    """What a judge should know of an episode, whatever the final answer."""
    checks = {
        name: f"depends on the answer: {sql}" if ":answer" in sql else case.holds(sql)
        for name, sql in task.checks.items()
    }
    return {"acceptable_end_states": [_seen(case, state) for state in task.end_states], "checks": checks}


def _seen(case: Case, state: EndState) -> dict[str, Any]:
    strays = {what: case.rows(sql) for what, sql in state.stray.items()}
    changed = {table: case.differences(table) for table in state.untouched}
    return {
        "wanted": {what: case.holds(sql) for what, sql in state.wanted.items()},
        "not_wanted": {what: _told(columns, rows) for what, (rows, columns) in strays.items() if rows},
        "changed_elsewhere": {
            table: {"rows_before": gone[:SHOWN], "rows_after": come[:SHOWN]}
            for table, (gone, come) in changed.items()
            if gone or come
        },
    }


def _told(columns: Sequence[str], rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows[:SHOWN]]
