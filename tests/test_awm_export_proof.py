"""The round trip: scenarios exported, read back, run in locked workers, and judged as they are natively."""

import json
import os
import sys
from typing import NamedTuple

import pytest
from worlds import stall

from awm_gym import cli_awm
from awm_gym.cli import main
from awm_gym.errors import UsageError
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.export.proof import Proved, prove
from awm_gym.formats.awm.export.writer import export
from awm_gym.library import open_scenario
from awm_gym.sandbox.protection import UNSANDBOXED
from awm_gym.sandbox.worker import trial
from awm_gym.suites import suite

pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)
if trial().protection.level < 2:
    pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}", allow_module_level=True)

FEW = ("parcel_lockers", "school-8")  # the second has SQL that no older SQLite knows
MANY = ("parts_depot", "vet_clinic", *sorted(set(suite("smoke").fingerprints) - set(FEW)))


@pytest.mark.parametrize("name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in MANY)])
def test_what_was_exported_plays_as_the_scenario_does(name, tmp_path):
    scenario = open_scenario(name)
    made = export([scenario], tmp_path / "out")
    found = list(prove([scenario], tmp_path / "out"))
    assert found == [Proved(scenario.name, part, ()) for part in ("tools", *made.tasks[scenario.name])]
    assert len(found) > 2


# Faults that are planted into an export


@pytest.fixture
def ticking(tmp_path):
    """A stall where time passes and a task asks for it."""
    timed = """
[sell_and_tell]
instruction = "Sell an apple, and say what time it is then."
answer = "datetime"
expect = "SELECT now()"
solution = [
  { name = "sell", arguments = { fruit_id = 1 } },
  { name = "submit", arguments = { answer = "2025-05-02T08:01:00" } },
]
changes = { fruit = [{ id = 1, stock = 11 }] }

[sell_and_tell.near_misses]
gave_up = [
  { name = "sell", arguments = { fruit_id = 1 } },
  { name = "give_up", arguments = { reason = "It is late." } },
]
too_early = [
  { name = "sell", arguments = { fruit_id = 1 } },
  { name = "submit", arguments = { answer = "2025-05-02T08:00:00" } },
]
twice = [
  { name = "sell", arguments = { fruit_id = 1 } },
  { name = "sell", arguments = { fruit_id = 99 } },
  { name = "sell", arguments = { fruit_id = 1 } },
  { name = "submit", arguments = { answer = "2025-05-02T08:03:00" } },
]
"""
    examples = "examples = [{ arguments = { number = 2 }, rows = [{ i = 1 }, { i = 2 }] }]\n\n[shelve]"
    return stall(
        tmp_path,
        scenario=("\nuser", "\ntick = 60\nuser"),
        tools=("\n[shelve]", examples),
        tasks=("\n[sell_two]", timed + "\n[sell_two]"),
    )


def edited(folder, file, *edits):
    """Change the lines of an exported file: each edit is `(old, new)` in its text, or a function of its records."""
    path = folder / file
    text = path.read_text("utf-8")
    for edit in edits:
        if callable(edit):
            records = [edit(json.loads(line)) for line in text.splitlines()]
            text = "".join(json.dumps(record) + "\n" for record in records if record)
        else:
            assert edit[0] in text, edit
            text = text.replace(*edit)
    path.write_text(text, "utf-8")


def problems(scenario, folder):
    return [(part.part, problem) for part in prove([scenario], folder) for problem in part.problems]


@pytest.fixture
def out(ticking, tmp_path):
    return export([ticking], tmp_path / "out").directory


def test_time_that_passes_is_exported(ticking, out):
    assert problems(ticking, out) == []


FAULTS = [
    (
        files.PROGRAMS,
        ("SET stock = stock - :amount", "SET stock = stock - :amount - 1"),
        ("sell_two", "the solution: sell(fruit_id=1, amount=2): answered '[{\"stock\": 9}]', not '[{\"stock\": 10}]'"),
    ),
    (
        files.PROGRAMS,
        ("There is no fruit ", "No fruit "),
        ("sell_and_tell", "near miss twice: sell(fruit_id=99): answered 'No fruit 99.', not 'There is no fruit 99.'"),
    ),
    (
        files.PROGRAMS,
        ("HTTPException(404 if guarding else 409", "HTTPException(403 if guarding else 409"),
        ("sell_and_tell", "near miss twice: sell(fruit_id=99): answered 403 "),
    ),
    (
        files.PROGRAMS,
        ('extra=\\"forbid\\"', 'extra=\\"ignore\\"'),
        ("tools", "list_fruit(what_no_tool_takes=True): answered 200 "),
    ),
    (
        files.PROGRAMS,
        ("i < :number) SELECT i ", "i < :number) SELECT -i AS i "),
        ("tools", "count_to(number=2): answered "),
    ),
    (
        files.CODE_VERIFIERS,
        ("tick=60", "tick=0"),
        ("sell_and_tell", "the solution: pays 0 as exported and 1 natively; it must be 1"),
    ),
    (
        files.CODE_VERIFIERS,
        ("done = reached(case, TASK) and ", "done = True or "),
        ("sell_two", "doing nothing: pays 1 as exported and 0 natively; it must be 0"),
    ),
    (
        files.SQL_VERIFIERS,
        ("return evidence(case, TASK)", "return 1 / 0"),
        ("sell_two", "the solution: the verifier came to no verdict"),
    ),
    (
        files.ROWS,
        ("'apple', 30, 12", "'apple', 30, 13"),
        ("sell_two", "the solution: sell(fruit_id=1, amount=2): answered "),
    ),
]


@pytest.mark.parametrize(("file", "edit", "expected"), FAULTS)
def test_a_fault_in_an_export_is_found(ticking, out, file, edit, expected):
    edited(out, file, edit)
    found, (part, words) = problems(ticking, out), expected
    assert any(place == part and problem.startswith(words) for place, problem in found), found


@pytest.mark.parametrize(
    ("file", "less", "problem"),
    [
        (files.PROGRAMS, ('operation_id=\\"sell\\"', 'operation_id=\\"vend\\"'), "there is no tool sell"),
        (files.TASKS, lambda record: record | {"tasks": record["tasks"][:2]}, "there is no task of number 2"),
        (files.SOLUTIONS, lambda record: record if record["task_idx"] else None, "there is no solution of number 0"),
        (files.CODE_VERIFIERS, lambda record: record["task_idx"] and record, "there is no verifier of number 0"),
        (
            files.SQL_VERIFIERS,
            lambda record: record["task_idx"] and record,
            "there is no verifier for a judge of number 0",
        ),
    ],
)
def test_what_is_missing_is_found(ticking, out, file, less, problem):
    edited(out, file, less)
    assert problems(ticking, out) == [("all", problem)]


def test_a_folder_of_other_scenarios_is_no_proof(out):
    with pytest.raises(UsageError, match="There is no scenario 'parcel_lockers'"):
        list(prove([open_scenario("parcel_lockers")], out))


# The command


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command as a user does."""

    def start(*arguments, command="export"):
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["awm-gym", "awm", command, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Done(end.value.code, *capsys.readouterr())

    return start


def test_the_command_exports_and_proves(run, tmp_path):
    done = run("parcel_lockers", "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert "second_large_locker is left out: right is to give up, which no verifier there can tell" in done.out
    assert "2 tasks of 1 scenarios are in" in done.out
    assert done.out.rstrip().endswith("all are proved.")
    again = run("parcel_lockers", "--out", tmp_path / "out")
    assert again.code == 2
    assert "is there already, and is not overwritten" in again.err


def test_the_command_takes_the_file_of_a_suite(run, tmp_path):
    lockers = open_scenario("parcel_lockers")
    text = f'title = "One"\ngates = 1\n\n[scenarios]\nparcel_lockers = "{lockers.fingerprint}"\n'
    (tmp_path / "one.toml").write_text(text, "utf-8")
    done = run(tmp_path / "one.toml", "--out", tmp_path / "out", "--json")
    told = json.loads(done.out)
    assert (done.code, told["problems"]) == (0, [])
    assert told["tasks"] == {"parcel_lockers": ["hand_out_parcel", "empty_locker_3"]}
    assert [left["task"] for left in told["left_out"]] == ["waiting_longest", "second_large_locker"]


def test_the_command_takes_no_data_of_this_kind(run, tmp_path, monkeypatch):
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "home"))
    export([open_scenario("parcel_lockers")], tmp_path / "out")
    assert run(tmp_path / "out", "--prefix", "again_", command="import").code == 0
    done = run("again_parcel_lockers", "--out", tmp_path / "more")
    assert (done.code, done.out) == (2, "")
    assert "again_parcel_lockers is imported data, and this takes scenarios of ours only" in done.err
    assert not (tmp_path / "more").exists()


def test_the_command_does_not_call_done_what_is_not_proved(run, tmp_path, monkeypatch):
    def doubtful(scenarios, directory):
        assert directory == tmp_path / "out"
        for scenario in scenarios:
            yield Proved(scenario.name, "tools", ())
            yield Proved(scenario.name, "hand_out_parcel", ("the solution: pays nothing", "doing nothing: pays"))

    monkeypatch.setattr(cli_awm, "prove", doubtful)
    monkeypatch.setenv(UNSANDBOXED, "")  # so that it is taken back at the end
    done = run("parcel_lockers", "--allow-unsandboxed", "--out", tmp_path / "out")
    assert os.environ[UNSANDBOXED] == "1"
    assert (done.code, done.err) == (1, "awm-gym: 2 problems: this is no good export\n")
    assert "parcel_lockers, hand_out_parcel: the solution: pays nothing\n" in done.out
    assert "not all play as they should" in done.out
