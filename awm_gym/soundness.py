"""Soundness: what must hold of a scenario before it may run at all.

Everything here is an author's slip that a machine can point at: SQL that does not compile, a call of a
tool that does not exist, an answer of the wrong type. Whether tasks are *right* is for the gates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from awm_gym.answers import problem_with
from awm_gym.arguments import Mistake, bind, default_problem, read_call
from awm_gym.database import Phase, checked_statements
from awm_gym.errors import ScenarioError, unknown
from awm_gym.expected import compile_end_states
from awm_gym.scenario import (
    GIVE_UP,
    RESERVED,
    SUBMIT,
    ChangedRow,
    Example,
    NewRow,
    Refusal,
    Scenario,
    Sql,
    Task,
    Tool,
    ToolCall,
)
from awm_gym.sql import code_only, literal, quote, refuse_forbidden_words, statements
from awm_gym.tools import prepare
from awm_gym.verify import verify
from awm_gym.world import World, compiled

_GIVEN_VERBS = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH")


class Invariant(NamedTuple):
    """Rows that must never exist: the SELECT that finds them, and what it means in words."""

    words: str
    sql: str


def invariants(scenario: Scenario) -> tuple[Invariant, ...]:
    """The invariants of a scenario.

    Raises:
        ScenarioError: one is no SELECT, or has no comment line before it that says what it means.
    """
    return invariants_in(scenario.invariants)


def invariants_in(script: str) -> tuple[Invariant, ...]:
    """The invariants in the text of an invariants.sql.

    Raises:
        ScenarioError: as `invariants`.
    """
    checked_statements(script, "invariants.sql", ("SELECT", "WITH", "VALUES"))
    lines = script.split("\n")
    found = []
    for statement in statements(script):
        comment: list[str] = []
        above = statement.line - 2
        while above >= 0 and lines[above].lstrip().startswith("--"):
            comment.insert(0, lines[above].lstrip().lstrip("-").strip())
            above -= 1
        if not comment:
            raise ScenarioError(
                f"line {statement.line}: say in a comment line above what must never be", file="invariants.sql"
            )
        found.append(Invariant(" ".join(comment), statement.text))
    return tuple(found)


def check(scenario: Scenario) -> None:
    """Compile everything in a scenario, and cross-check what its parts say of each other.

    Raises:
        ScenarioError: the first slip that was found, with file, key, value and remedy.
    """
    for slip in slips(scenario):
        raise slip


def slips(scenario: Scenario) -> Iterator[ScenarioError]:
    """What `check` would raise, and what it would raise next: the first slip of each tool, and of each task."""
    whole = _slip(scenario, _check_whole, scenario)
    if whole is not None and whole.file != "tools.toml":
        yield whole
        return
    apart = [_slip(scenario, _check_alone, scenario, tool) for tool in scenario.tools.values()] if whole else []
    if whole is not None:
        yield from filter(None, apart if any(apart) else [whole])
        return
    tools = [_slip(scenario, _check_tool, scenario, tool) for tool in scenario.tools.values()]
    yield from filter(None, tools)
    world = World(scenario)
    try:
        tasks = [_slip(scenario, _check_task, scenario, task, world) for task in scenario.tasks.values()]
    finally:
        world.close()
    yield from filter(None, tasks)


def _slip(scenario: Scenario, part: Callable[..., None], *arguments: Any) -> ScenarioError | None:
    """What a part of the check finds, told with the scenario."""
    try:
        part(*arguments)
    except ScenarioError as error:
        slip = error.within(scenario.name)
        slip.__cause__ = error.__cause__
        return slip
    return None


def _check_alone(scenario: Scenario, tool: Tool) -> None:
    """Whether a tool compiles, whatever the others do."""
    compiled(scenario.model_copy(update={"tools": {tool.name: tool}, "tasks": {}}))


def _check_whole(scenario: Scenario) -> None:
    """What concerns neither one tool nor one task."""
    template = compiled(scenario).template
    _check_user(scenario)
    if not scenario.tools:
        raise ScenarioError("there is no tool; an agent could do nothing", file="tools.toml")
    if invariants(scenario):
        for statement in statements(scenario.invariants):
            if prepare(template, Phase.JUDGE, statement, "invariants.sql", "").parameters:
                raise ScenarioError(f"line {statement.line}: there are no parameters here", file="invariants.sql")


def _check_user(scenario: Scenario) -> None:
    user, tables = scenario.user, compiled(scenario).template.tables
    if user.of is None:
        if user.id is None and any(re.search(r"\bme\s*\(", code_only(tool.sql)) for tool in scenario.tools.values()):
            raise ScenarioError("me() is used but the user has no id; give it one", file="scenario.toml", key="user")
        return
    if user.of not in tables:
        raise ScenarioError(unknown("table", user.of, tables), file="scenario.toml", key="user.of")
    key = tables[user.of].key
    if user.id is None or len(key) != 1:
        raise ScenarioError(f"`of` needs an `id`, the key of a row of {user.of}", file="scenario.toml", key="user")
    sql = f"SELECT 1 FROM {quote(user.of)} WHERE {quote(key[0])} IS {literal(user.id)}"
    if not compiled(scenario).template.query(sql):
        raise ScenarioError(f"{user.of} has no row {user.id!r}", file="scenario.toml", key="user.id")


def _check_tool(scenario: Scenario, tool: Tool) -> None:
    if tool.name in RESERVED:
        raise ScenarioError(
            f"{tool.name!r} is offered with every task; take another name", file="tools.toml", key=tool.name
        )
    for name, param in tool.params.items():
        if problem := default_problem(param):
            raise ScenarioError(f"the default {problem}", file="tools.toml", key=f"{tool.name}.params.{name}.default")
    for kind in ("examples", "refuses"):
        entries: Sequence[Example | Refusal] = tool.examples if kind == "examples" else tool.refuses
        for index, entry in enumerate(entries):
            key = f"{tool.name}.{kind}[{index}]"
            _check_call(scenario, ToolCall(tool.name, entry.arguments), "tools.toml", key)
            _check_given(scenario, entry.given, "tools.toml", f"{key}.given")


def _check_given(scenario: Scenario, given: str | None, file: str, key: str) -> None:
    """Run a `given` once, on a copy that is kept for the worlds that will need it."""
    if given is None:
        return
    checked_statements(given, file, _GIVEN_VERBS, key)
    try:
        compiled(scenario).template.state(given)
    except ScenarioError as error:
        raise ScenarioError(error.problem, file=file, key=key) from error.__cause__


def _check_call(scenario: Scenario, call: ToolCall, file: str, key: str) -> None:
    if call.name not in scenario.tools:
        raise ScenarioError(unknown("tool", call.name, scenario.tools), file=file, key=key)
    clean = read_call(call)
    result = clean if isinstance(clean, Mistake) else bind(scenario.tools[call.name], clean.arguments)
    if isinstance(result, Mistake):
        raise ScenarioError(result.text, file=file, key=key)


def _check_task(scenario: Scenario, task: Task, world: World) -> None:
    _check_verifier(task)
    _check_given(scenario, task.given, "tasks.toml", f"{task.name}.given")
    _check_calls(scenario, task, task.solution, "solution")
    for name, calls in task.near_misses.items():
        _check_calls(scenario, task, calls, f"near_misses.{name}")
    start = task.given or ""
    if task.infeasible is not None:
        lifted = start + "\n" + task.infeasible.lifted_by
        checked_statements(task.infeasible.lifted_by, "tasks.toml", _GIVEN_VERBS, f"{task.name}.infeasible.lifted_by")
        _check_given(scenario, lifted, "tasks.toml", f"{task.name}.infeasible.lifted_by")
        for call in task.infeasible.shown_by:
            _check_call(scenario, call, "tasks.toml", f"{task.name}.infeasible.shown_by")
        start = lifted
    world.start_from(start)
    verify(world, task.model_copy(update={"infeasible": None}))
    for state in compile_end_states(task, world.tables):  # where nothing changed, nothing of these has run yet
        for table in task.may_change:
            place = ScenarioError("", file="tasks.toml", key=f"{task.name}.may_change.{table}")
            for sql in filter(None, state.frames[table][1:]):
                world.query_with_names(sql, {}, place)
    for index, changes in enumerate(task.changes):
        for table, rows in changes.rows.items():
            for row in rows:
                _check_row(world, table, row, f"{task.name}.changes[{index}].{table}")


def _check_verifier(task: Task) -> None:
    key = task.name
    asks = any(re.search(r":answer\b", code_only(sql)) for sql in task.checks.values())
    if task.answer is None and (task.expect is not None or asks):
        raise ScenarioError("`expect` or :answer without `answer`; say which type it has", file="tasks.toml", key=key)
    if task.answer is not None and task.expect is None and not asks:
        raise ScenarioError("nothing tells the right answer; add `expect`", file="tasks.toml", key=key)
    if not (task.changes or task.checks or task.answer):
        raise ScenarioError("nothing tells success; add `changes`, `checks` or `answer`", file="tasks.toml", key=key)
    if not task.solution:
        raise ScenarioError("the solution has no call", file="tasks.toml", key=f"{key}.solution")
    if task.answer is not None and task.answer.type == "boolean" and not (task.changes or task.may_change):
        raise ScenarioError("a lone yes or no can be guessed; ask for more", file="tasks.toml", key=f"{key}.answer")
    for place, sql in _expressions(task):
        try:
            refuse_forbidden_words(sql)
        except ScenarioError as error:
            raise ScenarioError(error.problem, file="tasks.toml", key=f"{key}.{place}") from None
        if ";" in code_only(sql):
            raise ScenarioError("is an expression; remove the semicolon", file="tasks.toml", key=f"{key}.{place}")
    if task.expect is not None:
        query = task.expect.rstrip().rstrip(";") + ";"
        if len(checked_statements(query, "tasks.toml", ("SELECT", "WITH"), f"{key}.expect")) != 1:
            raise ScenarioError("must be one query", file="tasks.toml", key=f"{key}.expect")


def _expressions(task: Task) -> Iterator[tuple[str, str]]:
    """The SQL expressions of a task, with their keys."""
    for name, check in task.checks.items():
        yield f"checks.{name}", check
    for table, allowance in task.may_change.items():
        yield f"may_change.{table}", allowance.rows
    for changes in task.changes:
        for table, rows in changes.rows.items():
            yield from ((f"changes.{table}", v.sql) for row in rows for v in row.columns.values() if isinstance(v, Sql))


def _check_calls(scenario: Scenario, task: Task, calls: Sequence[ToolCall], kind: str) -> None:
    key = f"{task.name}.{kind}"
    for index, call in enumerate(calls):
        where = f"{key}[{index}]"
        last = index == len(calls) - 1
        if call.name in RESERVED and not last:
            raise ScenarioError(f"{call.name} ends the episode; nothing may follow it", file="tasks.toml", key=where)
        if call.name == SUBMIT:
            _check_submit(task, call, where)
        elif call.name != GIVE_UP:
            _check_call(scenario, call, "tasks.toml", where)
    if task.answer is not None and (not calls or calls[-1].name not in RESERVED):
        raise ScenarioError("must end in submit, since the task asks for an answer", file="tasks.toml", key=key)


def _check_submit(task: Task, call: ToolCall, where: str) -> None:
    problem = submit_problem(task, call)
    if problem:
        raise ScenarioError(problem, file="tasks.toml", key=where)


def submit_problem(task: Task, call: ToolCall) -> str | None:
    """What is wrong with the arguments of a `submit`, in words for the agent; None if nothing is."""
    extra = sorted(set(call.arguments) - ({"answer"} if task.answer else set()))
    if extra:
        takes = "answer" if task.answer else "no arguments: this task asks for no answer"
        return f"submit has no argument {extra[0]!r}; it takes {takes}."
    if task.answer is None:
        return None
    if "answer" not in call.arguments:
        return "submit needs the argument 'answer': this task asks for one."
    problem = problem_with(task.answer, call.arguments["answer"])
    return f"submit: answer {problem}." if problem else None


def _check_row(world: World, table: str, row: ChangedRow | NewRow, key: str) -> None:
    """A changed row must be there at the start, a new one must not."""
    columns = world.tables[table].key
    if isinstance(row, NewRow):
        values = [row.columns.get(column) for column in columns]
        if any(not isinstance(value, (str, int, float)) or str(value).startswith("@") for value in values):
            return
    condition = " AND ".join(f"{quote(c)} IS {literal(_plain(row.columns[c]))}" for c in columns)
    there = bool(world.query(f"SELECT 1 FROM before.{quote(table)} WHERE {condition}"))
    shown = ", ".join(f"{c} = {row.columns[c]!r}" for c in columns)
    if there and isinstance(row, NewRow):
        raise ScenarioError(f"the new row ({shown}) is there at the start", file="tasks.toml", key=key)
    if not there and isinstance(row, ChangedRow):
        raise ScenarioError(f"there is no row ({shown}) at the start", file="tasks.toml", key=key)


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, str) and value.startswith("@@"):
        return value[1:]
    return value if isinstance(value, (str, int, float)) else None


def broken(scenario: Scenario, world: World) -> Iterable[Invariant]:
    """The invariants that the world's present state breaks."""
    return (invariant for invariant in invariants(scenario) if world.query(invariant.sql))
