"""Gates: what a scenario must prove before anyone trains on it, and the certificate that says it did.

A gate is a function from a scenario (in the hands of a `Prover`) to findings; no findings means it passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from awm_gym.errors import ScenarioError
from awm_gym.files import digest, render
from awm_gym.gates.certificate import VERSION, Certificate
from awm_gym.gates.data import database_builds, invariants_hold
from awm_gym.gates.determinism import resets_identically
from awm_gym.gates.prover import Prover
from awm_gym.gates.reads import reads_are_sound
from awm_gym.gates.tasks import (
    choices_are_grounded,
    doing_nothing_fails,
    infeasible_is_so,
    nothing_is_hidden,
    solutions_pass,
)
from awm_gym.gates.tools import (
    examples_hold,
    refusals_bear_load,
    tools_are_proved,
    tools_prepare,
    tools_survive,
)
from awm_gym.gates.verifiers import (
    changes_are_tight,
    checks_bear_load,
    dropped_calls_fail,
    near_misses_fail,
    stray_changes_fail,
)
from awm_gym.gates.words import words_are_true
from awm_gym.gates.writes import writes_are_sound
from awm_gym.scenario import GIVE_UP, SUBMIT, Scenario

Gate = Callable[[Prover], Iterator[str]]
GATES: tuple[Gate, ...] = (
    database_builds,
    tools_prepare,
    solutions_pass,
    doing_nothing_fails,
    infeasible_is_so,
    resets_identically,
    dropped_calls_fail,
    near_misses_fail,
    stray_changes_fail,
    checks_bear_load,
    changes_are_tight,
    nothing_is_hidden,
    choices_are_grounded,
    examples_hold,
    refusals_bear_load,
    invariants_hold,
    reads_are_sound,
    writes_are_sound,
    words_are_true,
    tools_survive,
    tools_are_proved,
)


def certify(scenario: Scenario, gates: tuple[Gate, ...] = GATES) -> Certificate:
    """Run the gates. One that meets an author's error has that error as its finding."""
    findings: dict[str, tuple[str, ...]] = {}
    identity = (scenario.name, scenario.fingerprint, digest(render(scenario)), VERSION)
    try:
        prover = Prover(scenario)
    except ScenarioError as error:
        return Certificate(*identity, {"database_builds": (str(error),)}, {})
    for gate in gates:
        found: list[str] = []
        try:
            found.extend(gate(prover))
        except ScenarioError as error:
            found.append(str(error))
        findings[gate.__name__] = tuple(dict.fromkeys(found))
    figures = _figures(prover) | prover.figures
    prover.forget()
    return Certificate(*identity, findings, figures)


def _figures(prover: Prover) -> dict[str, Any]:
    prover.start(None)
    rows = sum(int(prover.world.query(f'SELECT count(*) FROM main."{name}"')[0][0]) for name in prover.tables)
    tasks = {}
    for task in prover.tasks:
        names = [call.name for call in task.solution if call.name not in (SUBMIT, GIVE_UP)]
        writes = sum(prover.writes(name) for name in names)
        tasks[task.name] = {"calls": len(task.solution), "writes": writes, "tools": len(set(names))}
    return {
        "tables": len(prover.tables),
        "rows": rows,
        "tools": len(prover.tools),
        "invariants": len(prover.invariants),
        "tasks": tasks,
    }
