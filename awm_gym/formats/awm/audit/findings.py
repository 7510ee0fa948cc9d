"""What an audit finds, as values: of a database, a tool, a task, a scenario. Nothing here runs anything."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from awm_gym.errors import UsageError, shown

MUTATIONS = ("omit_effect", "wrong_cell", "delete_others", "corrupt_others", "wipe_one_unrelated", "wipe_all_unrelated")
CANNED = {  # answers that need no look at the application
    "none": None,
    "empty": "",
    "done": "Done.",
    "no": "No.",
    "nothing_found": "There is none. Nothing was found.",
    "zero": "0",
    "completed": "The task has been completed successfully.",
}
OWN_TEXT = "own_text"  # the answer that repeats the instruction


class Finding(BaseModel):
    """Base of the values of a report: closed, frozen, and JSON and back."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseAudit(Finding):
    """The initial database.

    Attributes:
        tables: how many there are.
        rows: how many there are in all tables.
        schema_lost: statements of the schema that fail.
        inserts: statements that fill it.
        inserts_lost: those of them that fail.
        first_loss: the first failure: table, error and statement; "" if there is none.
        clock_calls: how often those statements ask for the time.
        reads_clock: whether the database differs when it is built at another time.
        fk_violations: rows that refer to rows that are not there.
        now: the scenario's clock, ISO 8601 without a zone.
        sha256: of the image.
    """

    tables: int
    rows: int
    schema_lost: int
    inserts: int
    inserts_lost: int
    first_loss: str
    clock_calls: int
    reads_clock: bool
    fk_violations: int
    now: str
    sha256: str


class Ghosts(Finding):
    """What a tool makes of ids that no row has.

    Attributes:
        calls: how many were made, each with one such id.
        accepted: answered 2xx.
        wrote: of these, calls after which the database differed.
        dangling: of these, calls that left rows which refer to rows that are not there.
        refused: answered 4xx.
        crashed: answered 5xx.
    """

    calls: int = 0
    accepted: int = 0
    wrote: int = 0
    dangling: int = 0
    refused: int = 0
    crashed: int = 0


class ToolAudit(Finding):
    """One operation.

    Attributes:
        name: as in `App.tools`.
        method: of HTTP.
        path: with its parameters in braces.
        exposed: whether AgentWorldModel's own server shows it.
        calls: with arguments that are plausible: examples of the specification, and values from the database; fewer
            than for other tools if it kills its worker.
        ok: of them, answered 2xx.
        refused: answered 4xx.
        crashed: answered 5xx.
        empty: answered 2xx without any content (an empty list, null, or only zeros and blanks).
        causes: cause -> how many of the crashes.
        first_crash: arguments and error of the first crash; "" if there is none.
        ids: its arguments that name a row.
        ghosts: what it makes of ids that no row has; None if it takes no ids.
    """

    name: str
    method: str
    path: str
    exposed: bool
    calls: int
    ok: int
    refused: int
    crashed: int
    empty: int
    causes: dict[str, int]
    first_crash: str
    ids: tuple[str, ...]
    ghosts: Ghosts | None


class Tried(NamedTuple):
    """Mutants of a final state, and how many of them were paid all the same."""

    mutants: int
    accepted: int


class TaskAudit(Finding):
    """One task and its verifier.

    Attributes:
        number: of the task.
        kinds: of its verifiers: "code", "sql".
        crash: what the verifier says on the untouched database instead of a verdict; "" if it comes to one.
        swallows: databases without a table make it say "others" and not raise: it catches whatever happens.
        broken_sql: errors of its own SQL on the real databases, each once: text of SQLite.
        paid_untouched: names of the answers (see `CANNED` and `OWN_TEXT`) that are paid on the untouched database.
        reads_clock: its verdict or its SQL depends on the time at which it runs, or it asks for the time.
        uses_answer: it looks at the final answer.
        tables: tables that it reads, in either database.
        solution: "paid", "unpaid", "broken" (a call of it was not answered 2xx, and it was not paid), "fault", or ""
            if none is known.
        solution_note: where it fails; "" otherwise.
        strength: name of `MUTATIONS` -> what the verifier makes of mutants of the solved state; {} unless paid.
        blocked: why nobody can solve it, where that is proved; "" otherwise.
    """

    number: int
    kinds: tuple[str, ...]
    crash: str = ""
    swallows: bool = False
    broken_sql: tuple[str, ...] = ()
    paid_untouched: tuple[str, ...] = ()
    reads_clock: bool = False
    uses_answer: bool = False
    tables: tuple[str, ...] = ()
    solution: Literal["paid", "unpaid", "broken", "fault", ""] = ""
    solution_note: str = ""
    strength: dict[str, Tried] = Field(default_factory=dict)
    blocked: str = ""

    @property
    def paid_for_any_answer(self) -> bool:
        """Whether the untouched database is paid with whatever answer."""
        return {*CANNED, OWN_TEXT} <= {*self.paid_untouched}

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the task is not on the list of those that passed; empty if it is.

        What is proved counts, and the absence of a known solution is no proof: see `proved`.
        """
        found = []
        if "code" not in self.kinds:
            found.append("no verifier of the kind code")
        if self.crash:
            found.append(f"the verifier crashes: {self.crash}")
        if self.paid_untouched:
            found.append(f"doing nothing is paid, with the answers: {', '.join(self.paid_untouched)}")
        if self.blocked:
            found.append(f"cannot be solved: {self.blocked}")
        if self.solution in ("unpaid", "broken", "fault"):
            found.append(f"the known solution is {self.solution}: {self.solution_note}")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    @property
    def proved(self) -> bool:
        """Whether it passed and a known solution was paid."""
        return self.passed and self.solution == "paid"


class ScenarioAudit(Finding):
    """One scenario.

    Attributes:
        name: its id.
        title: its name as its author wrote it.
        fingerprint: of its content, see `AwmScenario.fingerprint`.
        error: why nothing could be found out: no database, no application, malformed; "" otherwise.
        problems: lines of the files that were left out.
        lacks: files that say nothing of it.
        database: None if it cannot be built.
        specified: how many tools the specification promises.
        collisions: operations that a server of HTTP cannot tell apart: "first / second (kind)".
        tools: empty if the application does not start.
        tasks: in order.
    """

    name: str
    title: str
    fingerprint: str
    error: str = ""
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    database: DatabaseAudit | None = None
    specified: int = 0
    collisions: tuple[str, ...] = ()
    tools: tuple[ToolAudit, ...] = ()
    tasks: tuple[TaskAudit, ...] = ()

    def to_json(self) -> str:
        """As one line of JSON; the same for the same findings."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, line: str) -> ScenarioAudit:
        """From its line.

        Raises:
            UsageError: it is none.
        """
        try:
            return cls.model_validate_json(line)
        except ValueError as error:
            raise UsageError(f"that is no audit of a scenario ({shown(str(error))}): {shown(line)}") from None
