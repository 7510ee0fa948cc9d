"""The report of an audit: a summary, a line for each scenario, and all that was found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from awm_gym.allowed import AllowList
from awm_gym.formats.awm.audit.findings import DatabaseAudit, Ghosts, ScenarioAudit, TaskAudit, ToolAudit
from awm_gym.formats.awm.audit.pages import Block, Grid, Heading, Items, Paragraph, to_html, to_markdown
from awm_gym.formats.awm.audit.summary import Section, doubts, summary

TITLE = "Audit of AgentWorldModel data"
_TOOL_COLUMNS = ("tool", "route", "shown", "calls", "2xx", "4xx", "500", "empty", "causes", "ids", "with unknown ids")
_TASK_COLUMNS = ("task", "verdict", "doubts", "verifier", "tables", "known solution", "spoiled states that are paid")


@dataclass(frozen=True)
class Report:
    """What was found in a folder; the same for the same findings, in whatever order they came.

    Attributes:
        audits: of the scenarios, by name.
        problems: lines of the files that were left out, and files that are not there.
    """

    audits: tuple[ScenarioAudit, ...]
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, audits: Iterable[ScenarioAudit], problems: Iterable[str] = ()) -> Report:
        """Put findings in order."""
        return cls(tuple(sorted(audits, key=lambda audit: audit.name)), tuple(problems))

    @property
    def summary(self) -> tuple[Section, ...]:
        """The figures of all scenarios together."""
        return summary(self.audits)

    def lines(self) -> Iterator[str]:
        """A line for each scenario."""
        for audit in self.audits:
            row = _row(audit)
            data = f"{row['rows']} rows, {row['statements that fail']} lost" if audit.database else "no database"
            tools = f"{row['tools']} tools, {row['answers 2xx']} 2xx, {row['tools that crash']} crash, "
            tools += f"{row['tools that accept unknown ids']} accept unknown ids"
            tasks = f"{row['tasks']} tasks, {row['passed']} passed, {row['proved']} proved"
            yield f"{audit.name}: {data}; {tools if audit.tools else 'no tools'}; {tasks}"

    def doubtful(self) -> Iterator[tuple[str, str]]:
        """Scenarios that were not audited to the end, and tasks that did not pass: what it is, and why, in a line."""
        for audit in self.audits:
            if audit.error:
                yield audit.name, " ".join(audit.error.split())
            for task in audit.tasks:
                if not task.passed:
                    yield f"{audit.name} {task_name(task)}", " ".join("; ".join(task.doubts).split())

    def allow_list(self, *, proved: bool = False) -> AllowList:
        """The tasks that passed, or only those that a known solution proved."""
        audited = [audit for audit in self.audits if audit.fingerprint]
        return AllowList(
            title=f"Tasks that {'a known solution proved in' if proved else 'passed'} an audit",
            fingerprints={audit.name: audit.fingerprint for audit in audited},
            chosen={
                audit.name: tuple(task_name(task) for task in audit.tasks if (task.proved if proved else task.passed))
                for audit in audited
            },
        )

    def document(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "summary": {
                part.key: {figure.key: {"count": figure.count, "of": figure.of} for figure in part.figures}
                for part in self.summary
            },
            "doubts": doubts(self.audits),
            "problems": list(self.problems),
            "scenarios": [
                audit.model_dump(mode="json")
                | {"passed": [task_name(task) for task in audit.tasks if task.passed]}
                | {"proved": [task_name(task) for task in audit.tasks if task.proved]}
                for audit in self.audits
            ],
        }

    def html(self) -> str:
        """A page of its own."""
        return to_html(TITLE, self.blocks())

    def markdown(self) -> str:
        """The same as Markdown."""
        return to_markdown(self.blocks())

    def headline(self) -> str:
        """The result in one sentence."""
        tasks = [task for audit in self.audits for task in audit.tasks]
        passed, proved = sum(task.passed for task in tasks), sum(task.proved for task in tasks)
        return (
            f"{len(self.audits)} scenarios, {len(tasks)} tasks: nothing speaks against {passed}, and a known solution "
            f"proves {proved} of these."
        )

    def blocks(self) -> Iterator[Block]:
        """All that there is to say."""
        yield Heading(1, TITLE)
        yield Paragraph(self.headline())
        yield from _listed("Left out of the files", self.problems, 2)
        yield Heading(2, "Summary")
        for part in self.summary:
            yield Heading(3, part.title)
            yield Grid(("what", "how many"), tuple((figure.words, figure.value) for figure in part.figures))
        yield Heading(2, "Scenarios")
        if rows := [_row(audit) for audit in self.audits]:
            yield Grid(tuple(rows[0]), tuple(tuple(row.values()) for row in rows), links=True)
        for audit in self.audits:
            yield from _scenario(audit)


def task_name(task: TaskAudit) -> str:
    """The name of a task, as episodes and allow-lists have it."""
    return f"task_{task.number}"


def _row(audit: ScenarioAudit) -> dict[str, str]:
    """What a line of a table says of a scenario, by column."""
    database, tools, tasks = audit.database, audit.tools, audit.tasks
    calls = sum(tool.calls for tool in tools)
    return {
        "scenario": audit.name,
        "tables": str(database.tables) if database else "none",
        "rows": str(database.rows) if database else "",
        "statements that fail": str(database.schema_lost + database.inserts_lost) if database else "",
        "tools": str(len(tools)),
        "answers 2xx": f"{100 * sum(tool.ok for tool in tools) / calls:.0f} %" if calls else "",
        "tools that crash": str(sum(bool(tool.crashed) for tool in tools)),
        "tools that accept unknown ids": str(sum(bool(tool.ghosts and tool.ghosts.accepted) for tool in tools)),
        "collisions": str(len(audit.collisions)),
        "tasks": str(len(tasks)),
        "passed": str(sum(task.passed for task in tasks)),
        "proved": str(sum(task.proved for task in tasks)),
    }


def _scenario(audit: ScenarioAudit) -> Iterator[Block]:
    yield Heading(2, audit.title, audit.name)
    yield Items(tuple(_facts(audit)))
    yield from _listed("Lines left out", audit.problems)
    yield from _listed("Operations that collide", audit.collisions)
    if audit.tools:
        yield Heading(3, "Tools")
        yield Grid(_TOOL_COLUMNS, tuple(map(_tool, audit.tools)))
        crashes = tuple(f"{tool.name}: {tool.first_crash}" for tool in audit.tools if tool.first_crash)
        yield from _listed("First crashes", crashes)
    if audit.tasks:
        yield Heading(3, "Tasks")
        yield Grid(_TASK_COLUMNS, tuple(map(_task, audit.tasks)))


def _listed(title: str, items: tuple[str, ...], level: int = 3) -> Iterator[Block]:
    if items:
        yield Heading(level, title)
        yield Items(items)


def _facts(audit: ScenarioAudit) -> Iterator[str]:
    yield f"id {audit.name}, fingerprint {audit.fingerprint or 'none'}"
    if audit.error:
        yield f"not audited to the end: {audit.error}"
    if audit.lacks:
        yield f"nothing in {', '.join(audit.lacks)}"
    if audit.database:
        yield from _database(audit.database)
    yield f"{audit.specified} tools are specified, the application has {len(audit.tools)}"


def _database(database: DatabaseAudit) -> Iterator[str]:
    yield f"{database.tables} tables, {database.rows} rows, sha256 {database.sha256}"
    lost = f"{database.inserts_lost} of {database.inserts} inserts"
    yield f"statements that fail: {database.schema_lost} of the schema, {lost}"
    if database.first_loss:
        yield f"the first: {database.first_loss}"
    differs = "the database differs with it" if database.reads_clock else "the database is the same at any time"
    yield f"clock {database.now}; inserts ask {database.clock_calls} times for the time: {differs}"
    if database.fk_violations:
        yield f"{database.fk_violations} rows refer to rows that are not there"


def _tool(tool: ToolAudit) -> tuple[str, ...]:
    return (
        tool.name,
        f"{tool.method} {tool.path}",
        "yes" if tool.exposed else "no",
        *map(str, (tool.calls, tool.ok, tool.refused, tool.crashed, tool.empty)),
        ", ".join(f"{cause} {count}" for cause, count in sorted(tool.causes.items())),
        ", ".join(tool.ids),
        _ghosts(tool.ghosts) if tool.ghosts else "",
    )


def _ghosts(ghosts: Ghosts) -> str:
    return ", ".join(f"{count} {word}" for word, count in ghosts.model_dump().items() if count)


def _task(task: TaskAudit) -> tuple[str, ...]:
    return (
        task_name(task),
        "proved" if task.proved else "passed" if task.passed else "doubtful",
        "; ".join(task.doubts),
        "; ".join(_verifier(task)),
        ", ".join(task.tables),
        " at ".join(part for part in (task.solution, task.solution_note) if part),
        ", ".join(
            f"{mutation} {tried.accepted} of {tried.mutants}"
            for mutation, tried in task.strength.items()
            if tried.mutants
        ),
    )


def _verifier(task: TaskAudit) -> Iterator[str]:
    yield ", ".join(task.kinds) or "none"
    if task.swallows:
        yield "catches whatever happens"
    if task.uses_answer:
        yield "looks at the answer"
    if task.reads_clock:
        yield "depends on the time"
    for error in task.broken_sql:
        yield f"its SQL fails: {error}"
    if task.paid_for_any_answer:
        yield "pays any answer to nothing done"
