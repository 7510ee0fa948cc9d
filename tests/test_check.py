"""`awm-gym check`: the gates on scenarios, told to people and to programs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from awm_gym import check
from awm_gym.errors import UsageError
from awm_gym.files import load
from awm_gym.gates import certify
from awm_gym.gates.certificate import VERSION, Certificate
from awm_gym.library import CERTIFICATE, doubt, find, folders, names

ROOT = Path(__file__).parent.parent
LOCKERS = ROOT / "envs_data" / "scenarios" / "parcel_lockers"


def run(*arguments, cache):
    command = [sys.executable, "-m", "awm_gym", "check", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "140", "AWM_GYM_HOME": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT, env=environment)


@pytest.fixture
def copy(tmp_path):
    """A scenario of our own to break: parcel_lockers, without its certificate."""
    folder = tmp_path / "parcel_lockers"
    shutil.copytree(LOCKERS, folder)
    (folder / CERTIFICATE).unlink()
    return folder


def edit(folder, file, old, new):
    text = (folder / file).read_text("utf-8")
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize("name", sorted(folders()))
def test_the_certificate_of_every_scenario_is_recomputed_byte_for_byte(name):
    folder = folders()[name]
    assert certify(load(folder)).to_json() == (folder / CERTIFICATE).read_text("utf-8")


def test_a_certificate_comes_back_from_its_text_the_same():
    text = (LOCKERS / CERTIFICATE).read_text("utf-8")
    assert Certificate.from_json(text).to_json() == text
    with pytest.raises(UsageError, match="no certificate"):
        Certificate.from_json(text[:100])


def test_a_scenario_that_passes_is_one_line_and_exit_code_0(copy, tmp_path):
    shown = run(copy, cache=tmp_path)
    assert shown.returncode == 0
    assert shown.stdout.startswith("passed  parcel_lockers: 3 tables, 16 rows, 5 tools, 4 tasks; ")
    assert (len(shown.stdout.splitlines()), shown.stderr) == (1, "")
    assert not (copy / CERTIFICATE).exists()


def test_fix_writes_the_certificate_and_the_canonical_form_of_what_passes(copy, tmp_path):
    edit(copy, "tools.toml", "[list_lockers]", "# a comment\n[list_lockers]")
    assert run(copy, "--fix", cache=tmp_path).returncode == 0
    for path in LOCKERS.iterdir():
        assert (copy / path.name).read_bytes() == path.read_bytes()


def test_findings_are_told_by_gate_with_the_remedy_and_exit_code_1(copy, tmp_path):
    edit(copy, "tasks.toml", "{ id = 103, locker_id = 2 },", "{ id = 103, locker_id = 5 },")
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    shown = run(copy, "--fix", cache=tmp_path)
    assert shown.returncode == 1
    assert "FAILED  parcel_lockers" in shown.stdout
    assert "solutions_pass" in shown.stdout
    assert "Remedy: " in shown.stdout
    assert "empty_locker_3: the solution fails" in shown.stdout
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_json_is_a_list_of_objects_also_for_what_cannot_be_loaded(copy, tmp_path):
    edit(copy, "scenario.toml", "version", "vresion")
    shown = run(copy, LOCKERS, "--json", cache=tmp_path)
    assert shown.returncode == 1
    broken, sound = sorted(json.loads(shown.stdout), key=lambda document: document["passed"])
    assert set(broken) == set(sound) == {"scenario", "passed", "findings", "figures"}
    assert "Did you mean version" in broken["findings"]["load"][0]
    assert (sound["scenario"], sound["passed"], sound["findings"]) == ("parcel_lockers", True, {})
    assert sound["figures"]["tools"] == 5


def test_a_folder_of_scenarios_is_checked_whole(copy, tmp_path):
    second = tmp_path / "other"
    shutil.copytree(copy, second)
    edit(second, "scenario.toml", 'name = "parcel_lockers"', 'name = "other"')
    assert check.targets([str(tmp_path)]) == [second, copy]
    shown = run(tmp_path, "--jobs", 2, cache=tmp_path / "cache")
    assert shown.returncode == 0
    assert shown.stdout.count("passed  ") == 2


def test_resume_believes_what_the_same_gates_found_in_the_same_scenario(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    first = check.check(str(copy))
    monkeypatch.setattr(check, "certify", lambda scenario: pytest.fail("it was certified again"))
    assert check.check(str(copy), resume=True) == first
    edit(copy, "scenario.toml", "version = 1", "version = 2")
    with pytest.raises(pytest.fail.Exception):
        check.check(str(copy), resume=True)


def test_an_interrupt_ends_the_run_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "awm_gym", "check", "--jobs", "2"]
    environment = {**os.environ, "AWM_GYM_HOME": str(tmp_path)}
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith("passed")  # the smallest scenario is done, others are not
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["parcel_locker", "no/such/folder", "/dev/null", "tests", "\0", "x" * 5000])
def test_what_is_not_there_is_exit_code_2(name):
    with pytest.raises(UsageError, match="neither a name of the library nor a folder"):
        check.targets([name])


def test_no_name_means_the_library():
    assert check.targets([]) == list(folders().values())
    assert set(names()) == set(folders())


def certificate(folder, **changes):
    document = json.loads((LOCKERS / CERTIFICATE).read_text("utf-8"))
    (folder / CERTIFICATE).write_text(json.dumps(document | changes), "utf-8")


def test_the_library_doubts_what_is_not_certified_as_it_stands(copy):
    assert doubt(copy) == "it has no certificate"
    certificate(copy)
    assert doubt(copy) == ""
    certificate(copy, findings={"solutions_pass": ["x"]})
    assert doubt(copy) == "its certificate has findings"
    certificate(copy, gates=VERSION - 1)
    assert "version" in doubt(copy)
    (copy / CERTIFICATE).write_text("{", "utf-8")
    assert "no certificate" in doubt(copy)
    certificate(copy)
    edit(copy, "data.sql", "'Piotr Wrona'", "'Piotr Wronka'")
    assert doubt(copy) == "its files have changed since it was certified"
    (copy / "data.sql").unlink()
    assert "cannot be read" in doubt(copy)


def test_a_scenario_of_the_library_that_is_not_certified_says_why(monkeypatch):
    monkeypatch.setattr("awm_gym.library._standing", lambda: {"parcel_lockers": "it has no certificate"})
    with pytest.raises(UsageError, match=r"not certified: it has no certificate\. See awm-gym check parcel_lockers"):
        find("parcel_lockers")
