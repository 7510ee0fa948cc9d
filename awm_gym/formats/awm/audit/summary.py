"""What audits of many scenarios come to: the figures of a table, and kinds of doubts that a command may fail on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from awm_gym.errors import UsageError, unknown
from awm_gym.formats.awm.audit.findings import MUTATIONS, DatabaseAudit, ScenarioAudit, TaskAudit, ToolAudit

ANY = "any"
_MUTATION_WORDS = {
    "omit_effect": "one required effect is missing",
    "wrong_cell": "one changed cell is wrong",
    "delete_others": "all other rows of a touched table are gone",
    "corrupt_others": "other rows of a touched table are corrupted",
    "wipe_one_unrelated": "an unrelated table is empty",
    "wipe_all_unrelated": "all unrelated tables are empty",
}


@dataclass(frozen=True)
class Figure:
    """A number of a summary.

    Attributes:
        key: names it for programs.
        words: what is counted.
        count: how many.
        of: of how many; None where there is no such number.
    """

    key: str
    words: str
    count: int
    of: int | None = None

    @property
    def value(self) -> str:
        """The number, and its share, for people."""
        if self.of is None:
            return f"{self.count:,}"
        share = f" ({100 * self.count / self.of:.0f} %)" if self.of else ""
        return f"{self.count:,} of {self.of:,}{share}"


@dataclass(frozen=True)
class Section:
    """Figures that belong together."""

    key: str
    title: str
    figures: tuple[Figure, ...]


def summary(audits: Iterable[ScenarioAudit]) -> tuple[Section, ...]:
    """The figures of all scenarios together."""
    found = tuple(audits)
    tools = [tool for audit in found for tool in audit.tools]
    tasks = [task for audit in found for task in audit.tasks]
    return (
        Section("databases", "Databases", _databases(found)),
        Section("environments", "Environments", _environments(found, tools)),
        Section("tools", "Tools called with plausible arguments", _tools([tool for tool in tools if tool.calls])),
        Section("ghosts", "Tools called with ids that no row has", _ghosts(tools)),
        Section("verifiers", "Verifiers", _verifiers(tasks)),
        Section("solvability", "Solvability", _solvability(tasks)),
        Section("strength", "Solved states that were spoiled, and are paid all the same", _strength(tasks)),
    )


def figures(audits: Iterable[ScenarioAudit]) -> dict[str, Figure]:
    """The same figures by `section.key`, to compare two summaries."""
    return {f"{part.key}.{figure.key}": figure for part in summary(audits) for figure in part.figures}


def _databases(audits: Sequence[ScenarioAudit]) -> tuple[Figure, ...]:
    built: list[DatabaseAudit] = [audit.database for audit in audits if audit.database]
    many = len(built)
    return (
        Figure("built", "databases that can be built", many, len(audits)),
        Figure("schemas_broken", "schemas with statements that fail", sum(bool(d.schema_lost) for d in built), many),
        Figure("inserts_lost", "inserts that fail", sum(d.inserts_lost for d in built), sum(d.inserts for d in built)),
        Figure("with_losses", "databases with inserts that fail", sum(bool(d.inserts_lost) for d in built), many),
        Figure("fk_violations", "rows that refer to nothing, at the start", sum(d.fk_violations for d in built)),
        Figure("on_clock", "databases that differ with the time", sum(d.reads_clock for d in built), many),
        Figure("clock_calls", "questions for the time in inserts", sum(d.clock_calls for d in built)),
    )


def _environments(audits: Sequence[ScenarioAudit], tools: Sequence[ToolAudit]) -> tuple[Figure, ...]:
    started = sum(bool(audit.tools) or not audit.error for audit in audits)
    return (
        Figure("started", "applications that start", started, len(audits)),
        Figure("specified", "tools that specifications promise", sum(audit.specified for audit in audits)),
        Figure("tools", "tools of the applications", len(tools)),
        Figure("exposed", "tools that AgentWorldModel's server shows", sum(t.exposed for t in tools), len(tools)),
        Figure("collisions", "pairs of operations that collide", sum(len(audit.collisions) for audit in audits)),
    )


def _tools(tools: Sequence[ToolAudit]) -> tuple[Figure, ...]:
    calls, many = sum(tool.calls for tool in tools), len(tools)
    causes = Counter(cause for tool in tools for cause in tool.causes)
    return (
        Figure("calls", "calls", calls),
        Figure("ok", "answered 2xx", sum(tool.ok for tool in tools), calls),
        Figure("refused", "answered 4xx", sum(tool.refused for tool in tools), calls),
        Figure("crashed", "answered 500, or broke the worker", sum(tool.crashed for tool in tools), calls),
        Figure("crashing", "tools that crash on at least one call", sum(bool(t.crashed) for t in tools), many),
        *(
            Figure(f"cause: {cause}", f"of them, tools with the cause: {cause}", count)
            for cause, count in sorted(causes.items(), key=lambda item: (-item[1], item[0]))
        ),
        Figure("always_crashing", "tools that always crash", sum(t.crashed == t.calls for t in tools), many),
        Figure("never_ok", "tools that never answer 2xx", sum(not tool.ok for tool in tools), many),
        Figure(
            "always_empty",
            "tools whose 2xx never hold anything",
            sum(bool(t.ok) and t.empty == t.ok for t in tools),
            many,
        ),
    )


def _ghosts(tools: Sequence[ToolAudit]) -> tuple[Figure, ...]:
    found = [tool.ghosts for tool in tools if tool.ghosts]
    many = len(found)
    return (
        Figure("tools", "tools that take an id", many, len(tools)),
        Figure("accepted", "tools that answer 2xx", sum(bool(ghosts.accepted) for ghosts in found), many),
        Figure("wrote", "tools that write", sum(bool(ghosts.wrote) for ghosts in found), many),
        Figure("dangling", "tools that leave rows which refer to nothing", sum(bool(g.dangling) for g in found), many),
        Figure("crashed", "tools that crash", sum(bool(ghosts.crashed) for ghosts in found), many),
        Figure("refused", "tools that answer 4xx", sum(bool(ghosts.refused) for ghosts in found), many),
    )


def _verifiers(tasks: Sequence[TaskAudit]) -> tuple[Figure, ...]:
    judged = [task for task in tasks if "code" in task.kinds]
    many = len(judged)
    return (
        Figure("code", "tasks with a verifier of the kind code", many, len(tasks)),
        Figure("crash", "verifiers that crash", sum(bool(task.crash) for task in judged), many),
        Figure("swallow", "verifiers that catch whatever happens", sum(task.swallows for task in judged), many),
        Figure("broken_sql", "verifiers whose own SQL fails", sum(bool(task.broken_sql) for task in judged), many),
        Figure(
            "untouched_paid", "verifiers that pay for doing nothing", sum(bool(t.paid_untouched) for t in judged), many
        ),
        Figure(
            "untouched_paid_always",
            "of them, with any answer",
            sum(task.paid_for_any_answer for task in judged),
            sum(bool(task.paid_untouched) for task in judged),
        ),
        Figure("answer", "verifiers that look at the answer", sum(task.uses_answer for task in judged), many),
        Figure("clock", "verifiers that depend on the time", sum(task.reads_clock for task in judged), many),
    )


def _solvability(tasks: Sequence[TaskAudit]) -> tuple[Figure, ...]:
    known = [task.solution for task in tasks if task.solution]
    return (
        Figure("known", "tasks with a known solution", len(known), len(tasks)),
        Figure("paid", "known solutions that are paid", known.count("paid"), len(known)),
        Figure("unpaid", "known solutions that are not paid", known.count("unpaid"), len(known)),
        Figure("broken", "known solutions that a tool breaks", known.count("broken"), len(known)),
        Figure("fault", "known solutions that end in a fault", known.count("fault"), len(known)),
        Figure("blocked", "tasks that provably nobody can solve", sum(bool(t.blocked) for t in tasks), len(tasks)),
        Figure("passed", "tasks that nothing speaks against", sum(task.passed for task in tasks), len(tasks)),
        Figure("proved", "of them, proved by a known solution", sum(task.proved for task in tasks), len(tasks)),
    )


def _strength(tasks: Sequence[TaskAudit]) -> tuple[Figure, ...]:
    tried = [task.strength for task in tasks if task.strength]
    return (
        Figure("solved", "solved states", len(tried)),
        *(
            Figure(
                mutation,
                _MUTATION_WORDS[mutation],
                sum(found[mutation].accepted for found in tried if mutation in found),
                sum(found[mutation].mutants for found in tried if mutation in found),
            )
            for mutation in MUTATIONS
        ),
    )


# Kinds of doubts ------------------------------------------------------------------------------------------------------


def _in_database(audit: ScenarioAudit, count: Callable[[DatabaseAudit], int]) -> int:
    return count(audit.database) if audit.database else 0


def _tasks(audit: ScenarioAudit, doubtful: Callable[[TaskAudit], bool]) -> int:
    return sum(doubtful(task) for task in audit.tasks)


@dataclass(frozen=True)
class Doubt:
    """A kind of doubt.

    Attributes:
        words: what is counted.
        count: how often it is found in a scenario.
    """

    words: str
    count: Callable[[ScenarioAudit], int]


DOUBTS: Mapping[str, Doubt] = {
    "error": Doubt("scenarios that could not be audited to the end", lambda audit: bool(audit.error)),
    "lost_inserts": Doubt(
        "statements of schemas and data that fail",
        lambda audit: _in_database(audit, lambda found: found.schema_lost + found.inserts_lost),
    ),
    "clock": Doubt(
        "databases and verifiers that depend on the time",
        lambda audit: _in_database(audit, lambda found: found.reads_clock) + _tasks(audit, lambda t: t.reads_clock),
    ),
    "collisions": Doubt("pairs of operations that collide", lambda audit: len(audit.collisions)),
    "crashes": Doubt("tools that crash", lambda audit: sum(bool(tool.crashed) for tool in audit.tools)),
    "ghosts": Doubt(
        "tools that accept ids which no row has",
        lambda audit: sum(bool(tool.ghosts and tool.ghosts.accepted) for tool in audit.tools),
    ),
    "verifier_crash": Doubt("verifiers that crash", lambda audit: _tasks(audit, lambda task: bool(task.crash))),
    "untouched_paid": Doubt(
        "tasks that pay for doing nothing", lambda audit: _tasks(audit, lambda task: bool(task.paid_untouched))
    ),
    "blocked": Doubt("tasks that nobody can solve", lambda audit: _tasks(audit, lambda task: bool(task.blocked))),
    "unsolved": Doubt(
        "tasks whose known solution is not paid",
        lambda audit: _tasks(audit, lambda task: task.solution in ("unpaid", "broken", "fault")),
    ),
    "weak": Doubt(
        "tasks that pay for a spoiled state",
        lambda audit: _tasks(audit, lambda task: any(tried.accepted for tried in task.strength.values())),
    ),
}


def doubts(audits: Iterable[ScenarioAudit]) -> dict[str, int]:
    """How often each kind of doubt was found, in the order of `DOUBTS`."""
    found = tuple(audits)
    return {kind: sum(doubt.count(audit) for audit in found) for kind, doubt in DOUBTS.items()}


def kinds(told: str) -> tuple[str, ...]:
    """The kinds of doubts that a text names, separated by commas; all for `any`.

    Raises:
        UsageError: there is no such kind.
    """
    named = dict.fromkeys(name.strip() for name in told.split(","))
    for name in named:
        if name not in (*DOUBTS, ANY):
            raise UsageError(unknown("kind of doubt", name, (*DOUBTS, ANY)))
    return tuple(DOUBTS) if ANY in named else tuple(named)
