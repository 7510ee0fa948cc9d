"""Four real applications: they load, list their tools as the audit by hand has them, answer, and are judged."""

import sys
from pathlib import Path

import pytest

from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import MAX_ANSWER, App, Judge, likely_calls
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import Source
from awm_gym.sandbox.worker import trial

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "awm_samples"
pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of AgentWorldModel data are not here")

DOCUSIGN = "docusign_e_signature_agreement_workflow"
# tools, hidden tools, answers to the examples of the specification by class
FIGURES = {
    DOCUSIGN: (
        21,
        ["add_envelope_recipient", "add_envelope_tab", "send_envelope", "add_reusable_tab_to_template"],
        {2: 14, 5: 7},
    ),
    "etsy_digital_downloads": (18, [], {2: 15, 5: 3}),
    "gofundme": (11, ["create_one_time_donation_intent"], {2: 9, 5: 2}),
    "rover": (17, [], {2: 13, 5: 4}),
}


@pytest.fixture(scope="module")
def judge():
    with Judge() as started:
        yield started


@pytest.fixture(scope="module", params=FIGURES)
def sample(request):
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")
    scenario = Source(Index.of(SAMPLES)).scenario(request.param)
    base = build(scenario)
    with App(scenario.code, base, name=scenario.name) as app:
        yield scenario, base, app


def calls(scenario):
    """Each operation with the arguments that its specification gives as examples."""
    for endpoint in scenario.endpoints:
        parameters = endpoint.request_params.items()
        yield endpoint.operation_id, {name: p.example for name, p in parameters if p.example is not None}


def trajectory(app, scenario):
    with app.reset() as episode:
        return [episode.call(*call) for call in calls(scenario)], episode.image()


def test_a_sample_has_the_tools_of_its_specification(sample):
    scenario, base, app = sample
    tools, hidden, _ = FIGURES[scenario.name]
    assert len(app.tools) == tools
    assert sorted(tool.name for tool in app.tools) == sorted(e.operation_id for e in scenario.endpoints)
    assert [tool.name for tool in app.tools if not tool.exposed] == hidden
    assert sorted(collision.first for collision in app.collisions) == sorted(hidden)
    assert {collision.kind for collision in app.collisions} <= {"route"}
    assert app.initial == base.image


def test_the_schemas_of_a_sample_name_the_parameters_of_its_specification(sample):
    scenario, _, app = sample
    schemas = {tool.name: tool.input_schema for tool in app.tools}
    for endpoint in scenario.endpoints:
        assert set(schemas[endpoint.operation_id]["properties"]) == set(endpoint.request_params), endpoint.operation_id
    assert "$ref" not in str(schemas)


def test_a_sample_answers_twice_alike(sample):
    scenario, _, app = sample
    answers, image = trajectory(app, scenario)
    classes = [answer.status // 100 for answer in answers]
    assert {found: classes.count(found) for found in sorted(set(classes))} == FIGURES[scenario.name][2]
    assert trajectory(app, scenario) == (answers, image)


def test_a_rehearsed_sample_answers_as_one_that_is_not(sample):
    scenario, base, app = sample
    likely = likely_calls(scenario)
    with App(scenario.code, base, name=scenario.name, rehearsal=likely) as rehearsed:
        assert trajectory(rehearsed, scenario) == trajectory(rehearsed, scenario) == trajectory(app, scenario)
        told = {"calls": [call._asdict() for call in likely], "most": MAX_ANSWER}
        with rehearsed._warm.worker.child() as trial_:
            assert trial_.call("rehearse", told).result is True  # it keeps nothing, so this had an effect


def test_verifiers_of_a_sample_come_to_verdicts(sample, judge):
    scenario, base, app = sample
    _, image = trajectory(app, scenario)
    codes = [kinds["code"] for kinds in scenario.verifiers.values()]
    idle = [judge.reward(code, app.initial, app.initial, "", now=base.now) for code in codes]
    assert [task for task, reward in enumerate(idle) if reward] == ([9] if scenario.name == DOCUSIGN else [])
    assert {judge.reward(code, app.initial, image, "x", now=base.now) for code in codes} <= {0.0, 1.0}
