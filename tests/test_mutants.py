"""What gates are made of: ends and when they are equal, mutants, and the certificate."""

import os
import subprocess
import sys

import pytest

from awm_gym.errors import UsageError
from awm_gym.files import load
from awm_gym.gates import certify
from awm_gym.gates.certificate import Certificate
from awm_gym.gates.data import database_builds
from awm_gym.gates.mutants import of_solution, of_state, other_answers
from awm_gym.gates.prover import Prover
from awm_gym.gates.walks import walked
from awm_gym.library import root
from awm_gym.scenario import ToolCall

FOLDER = root() / "scenarios"


@pytest.fixture(scope="module")
def lockers():
    prover = Prover(load(FOLDER / "parcel_lockers"))
    yield prover
    prover.forget()


@pytest.fixture(scope="module")
def depot():
    prover = Prover(load(FOLDER / "parts_depot"))
    yield prover
    prover.forget()


def mutants(prover, task):
    return {mutant.what: mutant.calls for mutant in of_solution(prover, prover.scenario.tasks[task])}


def test_writing_calls_are_repeated_reordered_redirected_and_given_other_arguments(lockers):
    made = mutants(lockers, "empty_locker_3")
    assert made["move_parcel twice"][1:3] == (ToolCall("move_parcel", {"parcel_id": 103, "locker_id": 2}),) * 2
    assert [call.name for call in made["report_locker before move_parcel"]][1:3] == ["report_locker", "move_parcel"]
    assert made["report_locker with working = True"][2].arguments == {"locker_id": 3, "working": True}
    assert made["locker 2 and 3 mixed up"][2].arguments == {"locker_id": 2, "working": False}
    assert made["the answer 3"][-1].arguments == {"answer": 3}
    assert {
        call.arguments["locker_id"] for what, calls in made.items() if "locker_id = " in what for call in calls[1:2]
    }


def test_reading_calls_are_left_alone(lockers):
    for calls in mutants(lockers, "hand_out_parcel").values():
        assert calls[0] == ToolCall("find_parcels", {"recipient": "Ngozi Okafor"})


@pytest.mark.parametrize(
    ("answer", "others"),
    [
        (7, {8, 6, -7, 700}),
        (2.0, {3.0, 1.0, 200.0, 0.02, 2.01, 1.99}),
        (True, {False}),
        ("Emeka Okafor", {"Emeka Okafor x", "Emeka "}),
        ("2025-03-01", {"2025-02-28", "2025-03-02"}),
        ("2025-03-01T09:00:00", {"2025-02-28T09:00:00", "2025-03-02T09:00:00"}),
    ],
)
def test_answers_are_perturbed_by_type(answer, others):
    assert set(other_answers(answer)) == others


def test_lists_lose_gain_double_and_turn_items():
    made = list(other_answers(["a", "b"]))
    assert ["b"] in made
    assert ["b", "a"] in made
    assert ["a", "b", "a"] in made
    assert list(other_answers([])) == [["x"]]


def test_records_are_perturbed_field_by_field():
    for other in other_answers({"name": "Ada", "cents": 5}):
        assert (other["name"] == "Ada") != (other["cents"] == 5)


def test_states_are_mutated_in_every_table_by_rows_added_removed_and_altered(lockers):
    task = lockers.scenario.tasks["hand_out_parcel"]
    run = lockers.run(task, task.solution)
    lockers.replay(task, task.solution)
    made = list(of_state(lockers, task, run))
    for table in lockers.tables:
        mine = [mutant for mutant in made if mutant.table.partition(".")[0] == table]
        assert {"added", "removed"} <= {mutant.what.split()[-1] for mutant in mine}
        assert any(mutant.sql.startswith("UPDATE") for mutant in mine)
    assert {mutant.what.split()[1] for mutant in made if mutant.inside} >= {"102", "102:"}


def end_of(prover, *calls, task="cargo_tyres_for_delft"):
    return prover.run(prover.scenario.tasks[task], calls).end


def address(label, **more):
    arguments = {"customer_id": 6, "label": label, "street": "Kade 1", "postcode": "3011 AA", "city": "Rotterdam"}
    return ToolCall("add_address", arguments | more)


def test_the_number_of_a_new_row_does_not_count(depot):
    assert end_of(depot, address("One"), address("Two")) == end_of(depot, address("Two"), address("One"))


def test_what_a_new_row_holds_counts(depot):
    assert end_of(depot, address("One")) != end_of(depot, address("Two"))
    assert end_of(depot, address("One")) != end_of(depot, address("One"), address("Two"))


def order(address_id):
    arguments = {"customer_id": 6, "contact_id": 10, "wanted_on": "2025-10-17", "address_id": address_id}
    return ToolCall("create_order", arguments)


def test_a_reference_to_a_new_row_counts_by_what_that_row_holds(depot):
    one, two = address("One"), address("Two")
    assert end_of(depot, one, two, order(22)) == end_of(depot, two, one, order(23))
    assert end_of(depot, one, two, order(22)) != end_of(depot, one, two, order(23))


@pytest.mark.parametrize(("one", "other"), [("Emeka Okafor", " emeka  OKAFOR "), (2, 2.0), (["a"], ["A"])])
def test_equal_answers_are_one_end(lockers, one, other):
    assert lockers.end(one) == lockers.end(other)


def test_an_answer_and_giving_up_are_other_ends(lockers):
    assert len({lockers.end(None), lockers.end(2), lockers.end("2"), lockers.end(None, gave_up=True)}) == 4


def test_walks_are_the_same_again_and_tell_what_each_call_wrote(lockers):
    again = Prover(lockers.scenario)
    assert walked(again) == walked(lockers)
    again.forget()
    step = next(step for step in walked(lockers) if step.call.name == "collect_parcel" and step.result.kind is None)
    assert {(cell.table, cell.column, cell.before) for cell in step.cells} == {
        ("parcel", "collected_at", None),
        ("parcel", "clerk_id", None),
    }


def test_a_certificate_is_the_same_bytes_again_and_with_another_hash_seed():
    scenario = load(FOLDER / "parcel_lockers")
    text = certify(scenario).to_json()
    assert certify(scenario).to_json() == text
    code = (
        "import sys; from awm_gym.files import load; from awm_gym.gates import certify;"
        "sys.stdout.write(certify(load(sys.argv[1])).to_json())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(FOLDER / "parcel_lockers")],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Kathmandu", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.stdout == text


def test_a_certificate_reads_back_and_tells_whether_it_passed():
    scenario = load(FOLDER / "parcel_lockers")
    certificate = certify(scenario, (database_builds,))
    assert certificate.passed
    assert Certificate.from_json(certificate.to_json()) == certificate
    failed = Certificate("x", "f", "d", 1, {"database_builds": ("a row",)}, {})
    assert not failed.passed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"findings": 3}', '{"findings": {}, "scenario": "x"}'])
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(UsageError, match="no certificate"):
        Certificate.from_json(text)


def test_a_scenario_that_cannot_open_is_a_finding():
    scenario = load(FOLDER / "parcel_lockers")
    broken = scenario.model_copy(update={"data": "INSERT INTO nothing VALUES (1);"})
    assert list(certify(broken).findings) == ["database_builds"]
