"""The gates: nothing is found in what is right, and every planted fault by the gate that should see it."""

import importlib
import pkgutil
from functools import cache

import faults
import pytest
from faults.uncaught import UNCAUGHT

from awm_gym.errors import ScenarioError
from awm_gym.files import FILES, parse
from awm_gym.gates import GATES, certify
from awm_gym.library import root
from awm_gym.soundness import check

SCENARIOS = ("parcel_lockers", "vet_clinic", "parts_depot")
BY_NAME = {gate.__name__: gate for gate in GATES}
BESIDE = {"checks_bear_load": ("dropped_calls_fail", "near_misses_fail")}  # gates whose runs a gate looks at
PLANTED = [
    pytest.param(fault, id=f"{module.name}-{fault.why.replace(' ', '_')[:60]}")
    for module in pkgutil.iter_modules(faults.__path__)
    if module.name != "uncaught"
    for fault in importlib.import_module(f"faults.{module.name}").FAULTS
]


@cache
def texts(scenario):
    return {name: (root() / "scenarios" / scenario / name).read_text(encoding="utf-8") for name in FILES}


def planted(fault):
    """The files of the scenario with the fault in them, each text replaced exactly once."""
    files = dict(texts(fault.scenario))
    for file, old, new in ((fault.file, fault.old, fault.new), *fault.also):
        assert files[file].count(old) == 1, f"{old!r} stands {files[file].count(old)} times in {file}"
        files[file] = files[file].replace(old, new)
    return files


def found(fault):
    """Names of the gates that find something; asked is the gate concerned, or all if there is none."""
    try:
        scenario = parse(planted(fault))
        check(scenario)
    except ScenarioError:
        return {"load"}
    names = (*BESIDE.get(fault.gate, ()), fault.gate)
    gates = tuple(BY_NAME[name] for name in names) if fault.gate in BY_NAME else GATES
    return {name for name, findings in certify(scenario, gates).findings.items() if findings}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_clean_scenario_has_no_finding(name):
    findings = certify(parse(texts(name))).findings
    assert set(findings) == set(BY_NAME)
    assert {gate: texts for gate, texts in findings.items() if texts} == {}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_by_the_gate_that_should(fault):
    assert fault.gate in found(fault), fault.why


def test_every_gate_has_a_planted_fault():
    assert {parameter.values[0].gate for parameter in PLANTED} >= set(BY_NAME)


def test_at_least_ninety_faults_are_planted_and_nearly_all_are_found():
    assert len(PLANTED) >= 90
    assert len(UNCAUGHT) <= 0.05 * (len(PLANTED) + len(UNCAUGHT))
    assert len({parameter.id for parameter in PLANTED}) == len(PLANTED)


@pytest.mark.parametrize(("fault", "reason"), UNCAUGHT, ids=lambda value: getattr(value, "why", None))
def test_a_fault_listed_as_uncaught_is_not_caught(fault, reason):
    assert reason
    assert found(fault) == set(), "it is caught now: list it under its kind"
