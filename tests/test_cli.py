"""The command line, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from awm_gym.blueprints import store
from awm_gym.library import names

ROOT = Path(__file__).parent.parent


def run(*arguments, stdin="", env=None):
    command = [sys.executable, "-m", "awm_gym", *arguments]
    environment = {**os.environ, "COLUMNS": "120", **(env or {})}
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, encoding="utf-8", timeout=120, cwd=ROOT, env=environment
    )


def test_list_shows_every_scenario_of_the_library():
    shown = run("list")
    assert shown.returncode == 0
    assert shown.stderr == ""
    for name in names():
        assert f"awm/{name}" in shown.stdout
    listed = json.loads(run("list", "--json").stdout)
    figures = {row["name"]: row for row in listed if "name" in row}
    assert [row["blueprint"] for row in listed if "blueprint" in row] == list(store.names())
    assert set(figures) == set(names())
    assert (figures["parcel_lockers"]["tools"], figures["parcel_lockers"]["tasks"]) == (5, 4)


def test_show_tells_the_scenario_without_its_solutions():
    shown = run("show", "parcel_lockers").stdout
    assert "Parcel lockers at a railway station" in shown
    assert "move_parcel" in shown
    assert "near" not in shown.lower()
    document = json.loads(run("show", "parcel_lockers", "--json").stdout)
    assert document["tools"][0]["name"] == "find_parcels"


def test_show_tells_a_task_with_its_solution():
    shown = run("show", "parcel_lockers", "empty_locker_3").stdout
    assert "move_parcel(parcel_id=103, locker_id=2)" in shown
    assert "Near miss: too_large" in shown
    document = json.loads(run("show", "parcel_lockers", "second_large_locker", "--json").stdout)
    assert document["solution"][-1]["name"] == "give_up"
    assert "Cannot be done" in run("show", "parcel_lockers", "second_large_locker").stdout


def test_show_takes_a_folder():
    folder = ROOT / "envs_data" / "scenarios" / "parcel_lockers"
    assert "Parcel lockers" in run("show", str(folder)).stdout


def test_play_ends_with_the_verdict_and_what_changed():
    stdin = "find_parcels\nNgozi\n\ncollect_parcel parcel_id=102 code=4417\nsubmit\n"
    shown = run("play", "parcel_lockers", "hand_out_parcel", stdin=stdin)
    assert shown.returncode == 0
    assert "solved, reward 1" in shown.stdout
    assert "collected_at: None -> '2025-03-10T21:30:00'" in shown.stdout


def test_play_as_json_prints_one_object():
    shown = run("play", "parcel_lockers", "hand_out_parcel", "--json", stdin="submit\n")
    document = json.loads(shown.stdout)
    assert (document["outcome"], document["changes"]) == ("failed", [])


def test_play_stops_when_its_input_does():
    shown = run("play", "parcel_lockers", stdin="list_lockers\n")
    assert shown.returncode == 2
    assert shown.stderr == "awm-gym: stopped: the input has ended\n"


def test_the_demo_as_json_has_an_object_for_each_episode():
    documents = json.loads(run("demo", "--json").stdout)
    assert set(documents[0]) == {"scenario", "task", "policy", "road", "reward", "calls", "outcome"}
    assert {document["scenario"] for document in documents} == set(names())
    rewards = {"oracle": set(), "idle": set(), "random": set()}
    for document in documents:
        rewards[document["policy"]].add(document["reward"])
    assert rewards["oracle"] == {1.0}
    assert rewards["idle"] == {0.0}
    assert rewards["random"] <= {0.0, 1.0}


def test_the_demo_shows_a_table_and_tells_an_episode():
    shown = run("demo")
    assert shown.stderr == ""  # no progress bar in a pipe
    assert "steps per second" in shown.stdout
    assert "solved, reward 1" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "parcel_locker"], "Did you mean parcel_lockers?"),
        (
            ["show", "parcel_lockers", "empty_locker"],
            "There is no task 'empty_locker' in parcel_lockers. Did you mean empty_locker_3 or",
        ),
        (["show", "no/such/folder"], "There is no scenario folder"),
        (["show", "/dev/null"], "There is no scenario folder"),
        (["show", "tests"], "scenario.toml"),
        (["play", "parcel_lockers", "hand_out"], "Did you mean hand_out_parcel?"),
        (["play", "parcel_lockers", "--seed", "-1"], "--seed"),
        (["play", "parcel_lockers", "--seed", "x"], "--seed"),
        (["play", "parcel_lockers", "--steps", "0"], "--steps"),
        (["shw"], "No such command"),
        (["list", "--jsn"], "--jsn"),
        (["show"], "SCENARIO"),
        (["show", "x" * 5000], "There is no scenario"),
        (["show", "\x1b[2J"], "There is no scenario"),
    ],
)
def test_a_typo_ends_in_a_line_and_exit_code_2(arguments, text):
    shown = run(*arguments)
    assert shown.returncode == 2
    assert text in shown.stderr
    assert "Traceback" not in shown.stderr
    assert "\x1b[2J" not in shown.stderr


def test_a_terminal_that_knows_only_ascii_gets_escapes_and_no_traceback():
    shown = run("show", "parcel_lockers", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert shown.returncode == 0
    assert shown.stderr == ""


@pytest.mark.parametrize("command", ["list", "show", "play", "demo"])
def test_every_command_has_help(command):
    shown = run(command, "--help")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > 5


def test_the_version_is_the_packages():
    assert run("--version").stdout == "awm-gym 0.1.0\n"


def test_doctor_tells_what_holds_on_this_machine():
    result = run("doctor")
    assert (result.returncode, result.stderr) == (0, "")
    assert "self-test" in result.stdout or "none" in result.stdout
    rows = json.loads(run("doctor", "--json").stdout)["sandbox"]
    assert rows[-1]["layer"] == "sandbox"
    assert rows[-1]["state"] in ("none", "partial", "good", "strong")
