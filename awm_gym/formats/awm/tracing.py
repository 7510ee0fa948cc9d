"""Outside: verifiers watched at their work, each in a locked process of its own.

What is told of a verifier serves whoever looks after it; its verdict is `Judge.reward`'s alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from awm_gym.errors import EnvironmentFault, shown
from awm_gym.formats.awm.standby import Standby
from awm_gym.sandbox.worker import Worker

SECONDS = 10.0  # until a verifier has come to its result

_PROGRAM = "awm_gym.formats.awm.trace_program"
_JUDGE = "awm_gym.formats.awm.judge_program"  # whose zygote serves here, too

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class Trace(BaseModel):
    """What was seen of one run of a verifier.

    Attributes:
        result: what it said, as JSON; None if it raised.
        raised: what it raised, or how it ended its process; "" if nothing.
        errors: what SQLite said of its SQL, each once; also what it caught.
        reads_initial: tables that it read in the initial database.
        reads_final: tables that it read in the final database.
        asks_time: it asked for the time.
        mentions: tables of either database that queries in its strings name, also where it has not been run.
        unprepared: tables and columns that queries in its strings want and the final database lacks: texts of SQLite.
        clock_in_text: it asks for the time somewhere.
        uses_answer: it looks at the final answer somewhere.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    result: Any = None
    raised: str = ""
    errors: _Names = ()
    reads_initial: _Names = ()
    reads_final: _Names = ()
    asks_time: bool = False
    mentions: _Names = ()
    unprepared: _Names = ()
    clock_in_text: bool = False
    uses_answer: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of either database that it reads, as seen or as its queries say."""
        return tuple(sorted({*self.reads_initial, *self.reads_final, *self.mentions}))


class Tracer(Standby):
    """Runs verifiers as `Judge` does, and watches them."""

    def __init__(self, *, partial: bool = False, allow_unsandboxed: bool = False) -> None:
        """Prepare it; the worker starts with the first call.

        Args:
            partial: see `Worker`.
            allow_unsandboxed: see `Worker`.
        """
        super().__init__(
            f"{_PROGRAM}:program", (_JUDGE,), children=True, partial=partial, allow_unsandboxed=allow_unsandboxed
        )

    def run(
        self,
        kind: Literal["code", "sql"],
        code: str,
        initial: bytes,
        final: bytes,
        answer: str | None = None,
        *,
        now: datetime,
        seconds: float = SECONDS,
    ) -> Trace:
        """Run a verifier.

        Args:
            kind: of the verifier.
            code: the verifier.
            initial: the database before the episode.
            final: the database after it.
            answer: the agent's final answer; None if it gave none. Those of the kind "sql" are not told.
            now: the time that the verifier shall see.
            seconds: until it must have ended.

        Raises:
            EnvironmentFault: there was no process to run it in.
        """
        params = {
            "kind": kind,
            "code": code,
            "answer": answer,
            "now": now.isoformat(),
            "seed": kind,
            "initial_size": len(initial),
        }
        with self.use(Worker.child) as child:
            try:
                return Trace.model_validate(child.call("trace", params, initial + final, seconds=seconds).result)
            except EnvironmentFault as fault:
                return Trace(raised=str(fault))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                return Trace(raised=f"it changed what is told of it: {shown(first['input'])}")
