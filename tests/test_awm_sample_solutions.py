"""Solutions of the forty tasks of four real applications: which are paid, and what keeps the others from it.

The calls do what the instructions say, with ids looked up in the data where no tool tells them. What is found is what
an audit by hand had found, and more: some tasks are blocked twice, and some are paid only against what the tools say.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.host import App, Judge
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import Solution, Source
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "awm_samples"
SOLUTIONS = Path(__file__).with_name("awm_sample_solutions.jsonl")
pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of AgentWorldModel data are not here")

DOCUSIGN, ETSY = "docusign_e_signature_agreement_workflow", "etsy_digital_downloads"
PAID = {DOCUSIGN: [], ETSY: [0, 2, 7, 8, 9], "gofundme": [1, 2, 3, 8], "rover": [0, 3, 4, 6, 7, 9]}

THERE_ALREADY = "the data hold the goal already, and the verifier insists on a new row"
NOT_WRITTEN = "no tool writes a part of what the verifier demands"
NO_CHANGE = "there is a row already, and no tool that changes it"
MOMENTS = "the verifier compares moments as text, and the application writes them in another form"
CONVENTIONS = "verifier and data, or verifier and tool, follow different conventions"
WORDING = "the answer must have a form that is stated nowhere"
IDLE = "only doing nothing is paid: the data hold the goal, and a second one is an error"

# what keeps the others from being paid, and the tool of the first call that fails
BLOCKED = {
    DOCUSIGN: {
        0: (NOT_WRITTEN, None),
        1: (NOT_WRITTEN, None),
        2: (NO_CHANGE, "add_envelope_recipient"),
        3: (WORDING, None),
        4: (NOT_WRITTEN, None),
        5: (THERE_ALREADY, "create_reusable_tab"),
        6: (THERE_ALREADY, "create_template_checkbox_group"),
        7: (THERE_ALREADY, "create_user_group"),
        8: (THERE_ALREADY, None),
        9: (IDLE, "simulate_envelope_status_transition"),
    },
    ETSY: {
        1: (NO_CHANGE, "create_variation_option"),
        3: (NO_CHANGE, "create_inventory_rule"),
        4: (MOMENTS, None),
        5: (MOMENTS, None),
        6: (CONVENTIONS, None),
    },
    "gofundme": {
        0: (THERE_ALREADY, "create_campaign"),
        4: (THERE_ALREADY, None),
        5: (THERE_ALREADY, None),
        6: (CONVENTIONS, None),
        7: (THERE_ALREADY, None),
        9: (THERE_ALREADY, None),
    },
    "rover": {
        1: (CONVENTIONS, None),
        2: (CONVENTIONS, None),
        5: (THERE_ALREADY, None),
        8: (NOT_WRITTEN, None),
    },
}

# put before the models of an application: moments as the data have them, without fractions of a second
PLAIN_MOMENTS = """
from sqlalchemy.dialects.sqlite import DATETIME

DateTime = DATETIME(
    storage_format="%(year)04d-%(month)02d-%(day)02d %(hour)02d:%(minute)02d:%(second)02d",
    regexp=r"(\\d+)-(\\d+)-(\\d+)[ T](\\d+):(\\d+):(\\d+)",
)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The samples with the solutions beside them."""
    folder = tmp_path_factory.mktemp("awm")
    for path in SAMPLES.glob("gen_*.jsonl"):
        (folder / path.name).symlink_to(path)
    (folder / "gen_solution.jsonl").symlink_to(SOLUTIONS)
    return Source(Index.of(folder))


@pytest.fixture(scope="module")
def judge():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")
    with Judge() as started:
        yield started


class Play(NamedTuple):
    reward: float
    failed: str | None  # the first tool that answered with an error


def play(app, judge, base, code, solution):
    failed = None
    with app.reset() as episode:
        for call in solution.calls:
            if episode.call(call.name, call.arguments).status >= 400:
                failed = failed or call.name
        reward = judge.reward(code, app.initial, episode.image(), solution.answer, now=base.now)
    return Play(reward, failed)


@pytest.mark.parametrize("name", PAID)
def test_every_task_has_a_solution_of_tools_that_there_are(source, name):
    scenario = source.scenario(name)
    assert scenario.problems == ()
    assert list(scenario.solutions) == list(range(len(scenario.tasks))) == list(range(10))
    assert sorted([*PAID[name], *BLOCKED[name]]) == list(scenario.solutions)
    tools = {endpoint.operation_id for endpoint in scenario.endpoints}
    assert {call.name for solution in scenario.solutions.values() for call in solution.calls} <= tools


@pytest.mark.parametrize("name", PAID)
def test_solutions_are_paid_or_blocked_as_told(source, judge, name):
    scenario = source.scenario(name)
    base = build(scenario)
    with App(scenario.code, base, name=name) as app:
        found = {
            task: play(app, judge, base, scenario.verifiers[task]["code"], solution)
            for task, solution in scenario.solutions.items()
        }
    told = {task: Play(1.0, None) for task in PAID[name]}
    told |= {task: Play(0.0, tool) for task, (_, tool) in BLOCKED[name].items()}
    assert found == told


def test_reasons_are_as_many_as_the_audit_by_hand_counts():
    reasons = [reason for tasks in BLOCKED.values() for reason, _ in tasks.values()]
    assert {reason: reasons.count(reason) for reason in sorted(set(reasons))} == {
        THERE_ALREADY: 10,
        NOT_WRITTEN: 4,
        NO_CHANGE: 3,
        MOMENTS: 2,
        CONVENTIONS: 4,
        WORDING: 1,
        IDLE: 1,
    }


class Other(NamedTuple):
    """A task that is played otherwise, and what is then paid.

    Attributes:
        why: what that shows.
        without: rows that are taken out of the data first: table -> first values.
        plain_moments: whether the application writes moments as the data have them.
        arguments: number of a call -> what is other in its arguments.
        only: how many of the calls are made; None for all.
        answer: the final answer; None for that of the solution.
    """

    name: str
    task: int
    reward: float
    why: str
    without: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    plain_moments: bool = False
    arguments: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    only: int | None = None
    answer: str | None = None

    def solution(self, told):
        calls = [
            ToolCall(call.name, {**call.arguments, **self.arguments.get(number, {})})
            for number, call in enumerate(told.calls)
        ]
        return Solution(tuple(calls[: self.only]), told.answer if self.answer is None else self.answer)

    def scenario(self, told):
        def stays(table, statement):
            first = statement.partition("VALUES (")[2].partition(",")[0]
            return first not in map(str, self.without.get(table, ()))

        inserts = [
            table.model_copy(
                update={"insert_statements": tuple(s for s in table.insert_statements if stays(table.table_name, s))}
            )
            for table in told.inserts
        ]
        models = "Base = declarative_base()"
        code = told.code.replace(models, PLAIN_MOMENTS + models, 1) if self.plain_moments else told.code
        return replace(told, inserts=tuple(inserts), code=code)


CAMPAIGN = {  # all that hangs on it
    "campaigns": (101,),
    "campaign_media": (1001, 1002),
    "campaign_updates": (2001,),
    "donation_intents": (3003,),
    "donations": (4002,),
    "campaign_payout_settings": (101,),
    "payouts": (7001,),
    "payout_verification_requirements": (8001, 8002),
}
REQUEST = {"payouts": (7001,), "payout_verification_requirements": (8001, 8002)}
GIFT = {"donation_intents": (3001,), "donations": (4001,), "receipts": (5001,)}
GROUP = {"template_tab_groups": (1,), "template_tabs": (4, 5)}
FIELD = {"reusable_tabs": (1,), "template_tabs": (3,)}
RULES = {"listing_inventory_rules": (4001,)}
STEP = """envelopeId: 106
subject: Please sign: Procurement NDA
current recipient step: Signer (Step 1)
sent: 2026-02-12 12:05:00
delivered: 2026-02-12 12:45:00"""

OTHERS = [
    # with what the data hold already taken out, a task is paid
    Other("gofundme", 4, 1.0, THERE_ALREADY, GIFT),
    Other("gofundme", 5, 1.0, THERE_ALREADY, {"donation_intents": (3002,)}),
    Other("gofundme", 9, 1.0, THERE_ALREADY, REQUEST),
    Other(DOCUSIGN, 6, 1.0, THERE_ALREADY, GROUP, arguments={1: {"group_id": 3}, 2: {"group_id": 3}}),
    Other(
        DOCUSIGN, 7, 1.0, THERE_ALREADY, {"user_groups": (1,), "group_members": (1,)}, arguments={1: {"group_id": 4}}
    ),
    Other(DOCUSIGN, 8, 1.0, THERE_ALREADY, {"connect_subscriptions": (1,), "connect_subscription_events": (1,)}),
    Other(ETSY, 1, 1.0, NO_CHANGE, {"variation_options": (3002,), "order_item_variation_selections": (99009,)}),
    Other(ETSY, 3, 1.0, NO_CHANGE, RULES),
    # or it is not, for there is a second reason
    Other("gofundme", 0, 0.0, "pictures are numbered from 0, and the verifier wants them from 1", CAMPAIGN),
    Other("gofundme", 7, 0.0, "no tool writes a receipt", {"receipts": (5001,)}),
    Other(
        DOCUSIGN,
        5,
        0.0,
        "the tool leaves a column empty that must not be",
        FIELD,
        arguments={1: {"reusable_tab_id": 4}},
    ),
    Other("rover", 5, 0.0, MOMENTS, {"service_blackouts": (6002,)}),
    Other("rover", 5, 1.0, MOMENTS, {"service_blackouts": (6002,)}, plain_moments=True),
    Other(DOCUSIGN, 2, 0.0, MOMENTS, {"envelope_recipients": (1008,)}),
    Other(DOCUSIGN, 2, 1.0, MOMENTS, {"envelope_recipients": (1008,)}, plain_moments=True),
    # with moments as the data have them, a task is paid
    Other(ETSY, 4, 1.0, MOMENTS, plain_moments=True),
    Other(ETSY, 5, 1.0, MOMENTS, plain_moments=True),
    # what is paid though nothing asks for it
    Other(DOCUSIGN, 3, 1.0, WORDING, answer=STEP),
    Other(DOCUSIGN, 3, 0.0, WORDING, answer=STEP.replace(" 12:", "T12:")),
    Other(DOCUSIGN, 3, 0.0, WORDING, answer=STEP.replace("Signer (Step 1)", "Signer, step 1")),
    Other(DOCUSIGN, 9, 1.0, IDLE, only=0, answer=""),
    # what is not paid though the tools say it is right
    Other(
        "rover",
        4,
        0.0,
        "the tool counts weekdays from 0",
        arguments={n: {"day_of_week": (n - 1) // 2} for n in range(1, 11)},
    ),
    Other(
        ETSY, 9, 0.0, "the tool says that the admin is 1", arguments={0: {"actor_user_id": 1}, 1: {"actor_user_id": 1}}
    ),
    Other(ETSY, 0, 0.0, "the tool takes a license, and forgets it", only=4),
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: f"{other.name}-{other.task}-{other.reward:.0f}")
def test_what_a_reason_is_shown_by(source, judge, other):
    told = source.scenario(other.name)
    scenario = other.scenario(told)
    base = build(scenario)
    assert len(base.lost_inserts) == len(build(told).lost_inserts)
    with App(scenario.code, base, name=scenario.name) as app:
        code = scenario.verifiers[other.task]["code"]
        assert play(app, judge, base, code, other.solution(scenario.solutions[other.task])).reward == other.reward, (
            other.why
        )
