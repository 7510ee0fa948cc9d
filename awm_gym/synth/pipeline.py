"""The loop of synthesis, the same for every author: write a stage, judge it, hand the findings back, or reject."""

from __future__ import annotations

from collections.abc import Iterator

from awm_gym.errors import ScenarioError
from awm_gym.gates import certify
from awm_gym.gates.certificate import Certificate
from awm_gym.synth.draft import STAGES, Attempt, Author, Draft, Outcome, Stage

MAX_ATTEMPTS = 5  # writings of one stage


def synthesize(author: Author, name: str, attempts: int = MAX_ATTEMPTS) -> Outcome:
    """Let an author write a scenario, stage by stage; it is whole and certified, or rejected.

    Args:
        author: who writes.
        name: the scenario's name.
        attempts: how often a stage may be written.
    """
    draft, history = Draft(name), list[Attempt]()
    try:
        for stage in STAGES:
            draft = _written(author, draft, stage, attempts, history)
        return _judged(author, draft, attempts, history)
    except _Rejected as rejection:
        return Outcome(name, None, rejection.certificate, tuple(history), str(rejection))
    except ScenarioError as error:
        return Outcome(name, None, None, tuple(history), str(error))


class _Rejected(Exception):
    """The author has no attempt left."""

    def __init__(self, why: str, certificate: Certificate | None = None) -> None:
        super().__init__(why)
        self.certificate = certificate


def _written(author: Author, draft: Draft, stage: Stage, attempts: int, history: list[Attempt]) -> Draft:
    """The draft with a stage that holds."""
    findings: tuple[str, ...] = ()
    for number in range(1, (attempts if author.mends else 1) + 1):
        draft = author.write(draft, stage, findings)
        findings = tuple(stage.findings(draft))
        history.append(Attempt(stage.name, number, findings))
        if not findings:
            return draft
    raise _Rejected(f"{stage.name}: {findings[0]}{_more(findings)}")


def _judged(author: Author, draft: Draft, attempts: int, history: list[Attempt]) -> Outcome:
    """The whole, under all gates; what they find goes back to the last stage."""
    last = STAGES[-1]
    for number in range(1, (attempts if author.mends else 1) + 1):
        scenario = draft.scenario()
        certificate = certify(scenario)
        findings = tuple(f"{gate}: {finding}" for gate, found in certificate.findings.items() for finding in found)
        history.append(Attempt("gates", number, findings))
        if not findings:
            return Outcome(draft.name, scenario, certificate, tuple(history))
        if author.mends and number < attempts:
            draft = author.write(draft, last, findings)
    raise _Rejected(f"gates: {findings[0]}{_more(findings)}", certificate)


def _more(findings: tuple[str, ...]) -> str:
    return f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""


def told(outcome: Outcome) -> Iterator[str]:
    """All findings of a rejected scenario, one a line."""
    for attempt in outcome.attempts:
        yield from (f"{attempt.stage}: {finding}" for finding in attempt.findings)
