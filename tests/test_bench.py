"""The bench: its figures, its controls, and that its processes end."""

import importlib.util
import json
import os
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

pytest.importorskip("fastapi", reason="the bench extra is not installed")

from awm_gym.bench.__main__ import largest, require_extra
from awm_gym.bench.baseline import Kit, Server
from awm_gym.bench.report import Report
from awm_gym.bench.workload import must_answer, solutions
from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.library import open_scenario, root

FIGURES = {"reset_us", "step_us", "step_memory_us", "verify_us", "memory_mb"}
PARCEL_LOCKERS = root() / "scenarios" / "parcel_lockers"


def run(*arguments):
    command = [sys.executable, "-m", "awm_gym.bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)


def rows(database):
    with closing(sqlite3.connect(database)) as db:
        return list(db.iterdump())


@pytest.fixture(scope="module")
def scenario():
    return open_scenario("parcel_lockers")


@pytest.fixture
def kit(scenario, tmp_path):
    return Kit(scenario, solutions(scenario), tmp_path)


def test_the_figures_are_one_json_object():
    measured = run("--scenario", "parcel_lockers", "--quick", "--json")
    assert (measured.returncode, measured.stderr) == (0, "")  # no progress in a pipe
    document = json.loads(measured.stdout)
    assert set(document) == {"scenario", "sqlite", "python", "ours", "baseline", "ratio"}
    assert document["scenario"] == "parcel_lockers"
    for part in ("ours", "baseline", "ratio"):
        assert set(document[part]) >= FIGURES
        assert all(value > 0 for value in document[part].values())
    assert {"make_1024_s", "reset_1024_ms", "steps_per_second"} <= set(document["ours"])


def test_an_unknown_scenario_ends_in_a_line_and_exit_code_2():
    failed = run("--scenario", "parcel_locker", "--quick")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("awm-gym bench: There is no scenario 'parcel_locker'. Did you mean parcel_lockers?")
    assert len(failed.stderr.splitlines()) == 1


def test_the_scenario_with_most_tools_is_the_default():
    most = max(len(open_scenario(folder.name).tools) for folder in (root() / "scenarios").iterdir())
    assert len(open_scenario(largest()).tools) == most


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(UsageError, match=r"needs fastapi; install the extra: pip install 'awm-gym\[bench\]'"):
        require_extra()


def test_ratios_tell_how_many_times_better_ours_is():
    ours = {"reset_us": 2.0, "steps_per_second": 100.0, "make_1024_s": 1.0}
    report = Report("x", "sqlite3 3.45", ours, {"reset_us": 10.0, "steps_per_second": 20.0})
    assert report.ratio == {"reset_us": 5.0, "steps_per_second": 5.0}


def test_an_answer_with_other_rows_stops_the_bench(scenario):
    step = solutions(scenario)[0].steps[0]
    must_answer("it", step, step.answer.text)
    must_answer("it", step, json.dumps(json.loads(step.answer.text), indent=1))
    for other in ("[]", step.answer.text.replace("102", "103"), "Internal Server Error"):
        with pytest.raises(EnvironmentFault, match=f"the control failed: it answers {step.call.name}"):
            must_answer("it", step, other)


def test_the_baseline_solves_what_is_solved_and_nothing_else(kit):
    for judged in kit.tasks:
        database = kit.copy(judged.initial)
        assert not kit.verify(judged, database, idle=True)
        with Server(kit.document, database) as server:
            for step in judged.run.steps:
                assert server.call(step.call.name, step.call.arguments).json() == json.loads(step.answer.text)
        assert kit.verify(judged, database)
        database.write_bytes(judged.initial.read_bytes())
        writes = any(step.writes for step in judged.run.steps)
        assert kit.verify(judged, database) == (not writes)


def test_a_refused_call_leaves_the_file_of_the_baseline_as_it_was(kit):
    database = kit.copy(kit.tasks[0].initial)
    before = rows(database)
    with Server(kit.document, database) as server:
        refused = server.call("move_parcel", {"parcel_id": 101, "locker_id": 3})
        assert refused.status_code == 409
        assert "occupied" in refused.json()["detail"]
        with pytest.raises(EnvironmentFault, match="answered /tools/move_parcel with 422"):
            server.call("move_parcel", {"parcel_id": 101})
    assert rows(database) == before


def test_sql_that_is_too_new_for_python_runs_on_apsw(tmp_path):
    folder = shutil.copytree(PARCEL_LOCKERS, tmp_path / "parcel_lockers")
    tools = folder / "tools.toml"
    tools.write_text(
        tools.read_text("utf-8").replace("'Locker ' || :locker_id", "concat('Locker ', :locker_id)"), "utf-8"
    )
    scenario = open_scenario(str(folder))
    kit = Kit(scenario, solutions(scenario), tmp_path)
    assert kit.engine.split()[0] == ("apsw" if sqlite3.sqlite_version_info < (3, 44) else "sqlite3")
    with Server(kit.document, kit.copy(kit.tasks[0].initial)) as server:
        refused = server.call("move_parcel", {"parcel_id": 101, "locker_id": 3})
        assert refused.json()["detail"].startswith("Locker 3 is occupied")


def test_without_a_port_the_bench_says_so(kit, monkeypatch):
    def none_free(*_arguments):
        raise OSError("Address already in use")

    monkeypatch.setattr(socket, "create_server", none_free)
    with pytest.raises(EnvironmentFault, match=r"no port of 127\.0\.0\.1 can be bound .*: Address already in use"):
        Server(kit.document, kit.tasks[0].initial)


def test_a_server_that_cannot_start_says_why(kit, tmp_path):
    with pytest.raises(EnvironmentFault, match=r"a server of the baseline failed: .*unable to open database file"):
        Server(kit.document, tmp_path / "no" / "such.db")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waiting for a process that is no child needs Linux")
def test_a_server_ends_when_the_bench_is_killed(kit):
    program = (
        "import sys; from awm_gym.bench.baseline import Server; from pathlib import Path\n"
        "server = Server(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(server.pid, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(kit.document), str(kit.copy(kit.tasks[0].initial))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bench:
        server = os.pidfd_open(int(bench.stdout.readline()))
        assert select.select([server], [], [], 0)[0] == []  # it runs
        bench.kill()
        assert select.select([server], [], [], 20)[0] == [server]  # it has ended
        os.close(server)
