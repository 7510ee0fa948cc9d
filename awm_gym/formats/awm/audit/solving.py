"""Known solutions, played and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from awm_gym.errors import EnvironmentFault, printable, unknown
from awm_gym.formats.awm.base import Base
from awm_gym.formats.awm.host import App, Episode, Judge, VerifierFault
from awm_gym.formats.awm.images import Images
from awm_gym.formats.awm.records import AwmScenario, Solution
from awm_gym.scenario import ToolCall

_SPELLED = 300  # characters of an error in a note

Paid = Literal["paid", "unpaid", "broken", "fault"]
Arguments = Callable[[Episode, ToolCall], Mapping[str, Any]]


class Played(NamedTuple):
    """What became of a solution.

    Attributes:
        paid: see `TaskAudit.solution`.
        note: where it fails; "" if it is paid.
        image: the database in the end; None if the application did not last.
        tool: the first that did not answer 2xx; "" if all did, or if it is paid.
        errors: what the application raised, call by call, where it did.
    """

    paid: Paid
    note: str
    image: bytes | None = None
    tool: str = ""
    errors: tuple[str, ...] = ()


class _Failed(NamedTuple):
    """A call that was not answered 2xx."""

    tool: str
    note: str
    error: str = ""


def _as_written(_: Episode, call: ToolCall) -> Mapping[str, Any]:
    return call.arguments


@dataclass(frozen=True)
class Court:
    """All that it takes to play the solutions of a scenario and have them judged.

    Attributes:
        scenario: whose solutions.
        base: its database.
        judge: who pays.
        images: who reads databases.
    """

    scenario: AwmScenario
    base: Base
    judge: Judge
    images: Images

    def reward(self, app: App, task: int, image: bytes, answer: str | None) -> float:
        """What the verifier of the kind "code" pays for a database; as `Judge.reward`."""
        code = self.scenario.verifiers[task]["code"]
        return self.judge.reward(code, app.initial, image, answer, now=self.base.now)

    def evidence(self, app: App, task: int, image: bytes) -> dict[str, Any]:
        """What the verifier of the kind "sql" finds; as `Judge.evidence`."""
        code = self.scenario.verifiers[task]["sql"]
        return self.judge.evidence(code, app.initial, image, now=self.base.now)

    def play(self, app: App, task: int, solution: Solution, arguments: Arguments = _as_written) -> Played:
        """Play a solution in a fresh episode, to its end whatever its calls answer, and have it judged.

        Args:
            app: the application.
            task: its number.
            solution: what to play.
            arguments: which arguments a call gets; those of the solution by default.
        """
        try:
            with app.reset() as episode:
                failed = _calls_made(app, episode, solution, arguments)
                image = episode.image()
            paid = self.reward(app, task, image, solution.answer) == 1.0
        except VerifierFault as fault:
            return Played("fault", short(str(fault)), image)
        except EnvironmentFault as fault:
            return Played("fault", short(str(fault)))
        if paid:
            return Played("paid", "", image)
        if failed:
            return Played("broken", failed[0].note, image, failed[0].tool, tuple(call.error for call in failed))
        return Played("unpaid", "every call was answered 2xx, and the verifier says others", image)


def _calls_made(app: App, episode: Episode, solution: Solution, arguments: Arguments) -> list[_Failed]:
    """Make the calls of a solution; those that were not answered 2xx."""
    known = [tool.name for tool in app.tools]
    failed = []
    for number, call in enumerate(solution.calls, 1):
        if call.name not in known:
            failed.append(_Failed(call.name, f"call {number}: {unknown('tool', call.name, known)}"))
            continue
        answer = episode.call(call.name, arguments(episode, call))
        if not 200 <= answer.status < 300:
            note = f"call {number}, {call.name}: {answer.status} {short(answer.error or answer.text)}"
            failed.append(_Failed(call.name, note, answer.error))
    return failed


def short(text: str) -> str:
    """What somebody else says, as a note quotes it."""
    return printable(text)[:_SPELLED]
