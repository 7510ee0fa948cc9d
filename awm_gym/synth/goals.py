"""What can be proved of a task before there are tools: its end can be reached, holds, and is not so from the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import apsw

from awm_gym.database import Table
from awm_gym.gates import certify
from awm_gym.gates.tasks import doing_nothing_fails
from awm_gym.scenario import GIVE_UP, CellValue, ChangedRow, Changes, NewRow, Scenario, Sql, Task, Tool, ToolCall
from awm_gym.soundness import broken, slips
from awm_gym.sql import literal, quote
from awm_gym.verify import expected_answer, verify
from awm_gym.world import World

LOOK = Tool(name="look", description="Stands for the tools that are yet to be written.", sql="SELECT now() AS now;")


def unproved(task: Task) -> Task:
    """A task without what needs tools: its calls."""
    infeasible = task.infeasible and task.infeasible.model_copy(update={"shown_by": ()})
    calls: dict[str, Any] = {"solution": (ToolCall(GIVE_UP, {}),), "near_misses": {}, "infeasible": infeasible}
    return task.model_copy(update=calls)


def findings(scenario: Scenario) -> Iterator[str]:
    """What is wrong with the tasks of a scenario, whatever its tools may be.

    Remedy: write down what the data lead to; let `given` prepare a start, and `lifted_by` remove an obstacle.
    """
    tasks = {name: unproved(task) for name, task in scenario.tasks.items()}
    bare = scenario.model_copy(update={"tools": {LOOK.name: LOOK}, "tasks": tasks})
    faulty = [str(slip.within("")) for slip in slips(bare)]
    yield from faulty
    if not faulty:
        yield from certify(bare, (doing_nothing_fails,)).findings[doing_nothing_fails.__name__]
        world = World(bare)
        try:
            for task in tasks.values():
                yield from _ends(world, task)
        finally:
            world.close()


def _ends(world: World, task: Task) -> Iterator[str]:
    """Whether the end states of a task can be, break no invariant, and are what the task accepts."""
    feasible = task.model_copy(update={"infeasible": None})
    triggered = {
        str(row[0]) for row in world.template.query("SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger'")
    }
    start = (task.given or "") + ("\n" + task.infeasible.lifted_by if task.infeasible else "")
    for index, changes in enumerate(task.changes):
        if _leaves_open(changes) or triggered & set(changes.rows):
            continue  # cannot be made by hand
        world.start_from(start or None)
        place = f"{task.name}: changes[{index}]" if len(task.changes) > 1 else f"{task.name}: changes"
        try:
            _bring_about(world, changes)
        except apsw.Error as error:
            if not str(error).startswith("UNIQUE") or len(changes.rows) == 1 == len(*changes.rows.values()):
                yield f"{place}: the database does not take this end state: {error}"
            continue  # rows that exchange what is unique among them pass through no order of statements
        yield from (f"{place}: break an invariant: {invariant.words}" for invariant in broken(world.scenario, world))
        if task.answer is not None and task.expect is None:
            continue  # only a check knows the answer
        verdict = verify(world, feasible, expected_answer(world, feasible))
        if not verdict.passed:
            yield f"{place}: are not accepted when they are brought about. {verdict.explanation}"
    if not task.changes and not task.may_change and task.expect is not None:
        world.start_from(start or None)
        verdict = verify(world, feasible, expected_answer(world, feasible))
        if not verdict.passed:
            yield f"{task.name}: expect answers what is not of the type `answer`. {verdict.explanation}"


def _bring_about(world: World, changes: Changes) -> None:
    """Make an end state by hand, in whichever order the constraints allow.

    Raises:
        apsw.Error: the database takes it in no order.
    """
    added, changed, gone = _statements(world, changes)
    orders = [[*added, *changed, *gone], [*gone, *changed, *added], [*gone, *reversed(changed), *added]]
    for order in orders[:-1]:
        try:
            with world.undone():
                world.execute("\n".join(order))
        except apsw.Error:
            continue
        world.execute("\n".join(order))
        return
    world.execute("\n".join(orders[-1]))


def _statements(world: World, changes: Changes) -> tuple[list[str], list[str], list[str]]:
    """SQL that adds, changes and removes the rows of an end state."""
    numbers = _numbers(world, changes)
    added: dict[str, str] = {}
    waiting = [
        (world.tables[name], row) for name, rows in changes.rows.items() for row in rows if isinstance(row, NewRow)
    ]
    while waiting:  # rows after those that they refer to; a circle is added as it stands
        ready = [one for one in waiting if not _references(one[1]) & {row.name for _, row in waiting}] or waiting
        added |= {row.name: _insert(table, row, numbers) for table, row in ready}
        waiting = [one for one in waiting if one not in ready]
    changed, gone = [], []
    for name, rows in changes.rows.items():
        table = world.tables[name]
        for row in rows:
            if isinstance(row, ChangedRow):
                where = " AND ".join(f"{quote(column)} IS {_sql(row.columns[column], numbers)}" for column in table.key)
                cells = [(column, value) for column, value in row.columns.items() if column not in table.key]
                assigned = ", ".join(f"{quote(column)} = {_sql(value, numbers)}" for column, value in cells)
                if row.gone:
                    gone.append(f"DELETE FROM {quote(name)} WHERE {where};")
                else:
                    changed.append(f"UPDATE {quote(name)} SET {assigned} WHERE {where};")
    return list(added.values()), changed, gone


def _references(row: NewRow) -> set[str]:
    """Names of the new rows that a row refers to."""
    return {v[1:] for v in row.columns.values() if isinstance(v, str) and v.startswith("@") and not v.startswith("@@")}


def _numbers(world: World, changes: Changes) -> dict[str, CellValue]:
    """The keys of new rows by their names: those that they name, or the next that SQLite would give."""
    found: dict[str, CellValue] = {}
    for name, rows in changes.rows.items():
        key = world.tables[name].key[0]
        following = 1 + max(
            (int(row[0]) for row in world.query(f"SELECT {quote(key)} FROM {quote(name)}") if isinstance(row[0], int)),
            default=0,
        )
        for row in rows:
            if isinstance(row, NewRow):
                found[row.name] = row.columns.get(key, following)
                following += key not in row.columns
    return found


def _sql(value: CellValue, numbers: Mapping[str, CellValue]) -> str:
    """SQL of a wanted value."""
    if isinstance(value, Sql):
        return f"({value.sql})"
    if isinstance(value, str) and value.startswith("@"):
        return literal(value[1:]) if value.startswith("@@") else _sql(numbers[value[1:]], numbers)
    return literal(value)


def _insert(table: Table, row: NewRow, numbers: Mapping[str, CellValue]) -> str:
    """SQL that adds a row."""
    cells = {column: _sql(value, numbers) for column, value in row.columns.items()}
    if table.numbers_itself:
        cells[table.key[0]] = _sql(numbers[row.name], numbers)
    return f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, cells))}) VALUES ({', '.join(cells.values())});"


def _leaves_open(changes: Changes) -> bool:
    """Whether new rows hold what only the agent chooses."""
    tables = {name for name, rows in changes.rows.items() if any(isinstance(row, NewRow) for row in rows)}
    return any(free.partition(".")[1] and free.partition(".")[0] in tables for free in changes.any)
