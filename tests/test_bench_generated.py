"""The bench of generated applications: its figures, its controls, and what it refuses."""

import importlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import types
from dataclasses import replace
from types import SimpleNamespace

import awm_kennel
import pytest
from awm_data_folder import write_folder

pytest.importorskip("fastapi", reason="the bench extra is not installed")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

from awm_gym.allowed import AllowList
from awm_gym.bench import __main__ as command
from awm_gym.bench import generated, generated_baseline, generated_peer
from awm_gym.bench.__main__ import measured_generated, records
from awm_gym.bench.generated import Judged, Play, Size, Step, must_agree
from awm_gym.bench.generated_baseline import Kit, Server
from awm_gym.bench.report import Report
from awm_gym.bench.workload import QUICK
from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.host import Answer, Judge
from awm_gym.formats.awm.records import Endpoint, Parameter, Solution
from awm_gym.library import open_scenario
from awm_gym.sandbox.protection import UNSANDBOXED
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall

SMALL = Size(episodes=3, starts=1, many=3, many_servers=1)
BOOKING = {"dog": "Cy", "day": "2025-04-01"}
CALLS = (
    ToolCall("book_walk", BOOKING),
    ToolCall("book_walk", BOOKING),  # refused, so it is left out
    ToolCall("visit_weekly", BOOKING),  # which the original cannot tell from another
    ToolCall("list_walks", {"dog": "Cy"}),
    ToolCall("clock", {}),
    ToolCall("dice", {}),
    ToolCall("say_header", {"x-tone": "low"}),
    ToolCall("get_dog", {"name": "Bo"}),
    ToolCall("get_room", {"room": 3}),
    ToolCall("no_such_tool", {}),
)
BAD = "def verify_task_completion(initial, final, answer): raise KeyError(answer)"


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def scenario():
    verifiers = {0: {"code": awm_kennel.GOOD}, 1: {"code": BAD}}
    solutions = {0: Solution(CALLS, "done"), 1: Solution(CALLS, "done"), 7: Solution(CALLS, "of no task")}
    return replace(awm_kennel.scenario(), verifiers=verifiers, solutions=solutions)


@pytest.fixture(scope="module")
def what(scenario):
    return generated.subject(scenario)


@pytest.fixture(scope="module")
def plays(what):
    return generated.plays(what)


@pytest.fixture
def kit(what, tmp_path):
    return Kit(what.scenario.code, what.base.image, tmp_path)


def run(*arguments, **environment):
    known = {name: value for name, value in os.environ.items() if name != UNSANDBOXED}
    done = subprocess.run(
        [sys.executable, "-m", "awm_gym.bench", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=known | environment,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_figures_of_both_are_one_json_object(scenario, tmp_path):
    folder = write_folder(tmp_path, [scenario])
    code, out, err = run("--awm", str(folder), "--scenario", "kennel", "--quick", "--json", **{UNSANDBOXED: "1"})
    assert (code, err) == (0, "")
    (document,) = json.loads(out)["scenarios"]
    assert document["scenario"] == "kennel"
    assert document["sqlite"]["ours"] == document["sqlite"]["baseline"] == f"sqlite3 {sqlite3.sqlite_version}"
    shared = {"reset_us", "reset_inplace_us", "step_us", "step_inplace_us", "verify_us", "memory_mb"}
    for part in ("ours", "baseline", "ratio"):
        assert set(document[part]) >= shared | {"episodes_per_second"}
        assert all(document[part][name] > 0 for name in shared)
    assert document["ours"]["live_64_failures"] == 0
    assert document["ours"]["live_64_s"] > 0


def test_without_consent_nothing_runs_and_it_says_why(scenario, tmp_path):
    folder = write_folder(tmp_path, [scenario])
    code, out, err = run("--awm", str(folder))
    assert (code, out) == (2, "")
    assert "without a sandbox: it may do whatever you may" in err
    assert "--allow-unsandboxed" in err
    assert UNSANDBOXED in err


def test_consent_is_given_by_argument_or_by_the_environment(monkeypatch):
    monkeypatch.delenv(UNSANDBOXED, raising=False)
    with pytest.raises(UsageError, match=f"say --allow-unsandboxed, or set {UNSANDBOXED}=1"):
        generated.insist_on_consent(False)
    generated.insist_on_consent(True)
    monkeypatch.setenv(UNSANDBOXED, "1")
    generated.insist_on_consent(False)


@pytest.mark.parametrize(
    ("as_json", "words"), [(True, '{"scenarios": [{"scenario": "kennel"'), (False, "kennel, medians")]
)
def test_a_report_is_printed_for_each_scenario(scenario, tmp_path, monkeypatch, capsys, as_json, words):
    folder = write_folder(tmp_path, [scenario])
    figures = {"reset_us": 1.0}
    monkeypatch.setattr(command, "measured_generated", lambda one, *_: Report(one.name, "sqlite3", figures, figures))
    command.bench(awm=folder, as_json=as_json, allow_unsandboxed=True)
    assert words in capsys.readouterr().out


def test_all_scenarios_are_measured_unless_one_is_named(scenario, tmp_path):
    folder = write_folder(tmp_path, [scenario, replace(scenario, title="Annex", name="annex")])
    assert [each.name for each in records(folder, None)] == ["annex", "kennel"]
    assert [each.name for each in records(folder, "kennel")] == ["kennel"]


def test_both_are_measured_and_shown_side_by_side(scenario):
    report = measured_generated(scenario, SMALL, True)
    assert report.ours["live_3_failures"] == report.baseline["live_1_failures"] == 0
    assert report.ratio["reset_us"] > 1
    text = "\n".join(str(part) for part in report.table().renderables if hasattr(part, "plain"))
    assert "kennel, medians on" in text
    assert "nothing of it is locked up" in text


def test_calls_that_fail_or_collide_are_left_out_and_so_are_verifiers_without_a_verdict(plays):
    assert len(plays) == 1
    names = ["book_walk", "list_walks", "clock", "dice", "say_header", "get_room"]
    assert [step.call.name for step in plays[0].steps] == names
    assert plays[0].judged == (Judged(awm_kennel.GOOD, "done", 1.0),)


def test_what_the_clock_and_chance_make_of_an_answer_is_known(plays):
    loose = {step.call.name: step.loose for step in plays[0].steps}
    assert loose["book_walk"] == loose["get_room"] == frozenset()
    assert loose["list_walks"] == {(0, "booked_at")}
    assert loose["dice"] == {(place,) for place in range(5)}
    assert ("told",) not in loose["clock"]
    assert ("now",) in loose["clock"]


def test_without_solutions_the_examples_of_the_specification_are_played(scenario):
    told = {"room": Parameter(type="integer", example=4)}
    endpoints = (Endpoint(path="/annex/rooms/{room}", method="GET", operation_id="get_room", request_params=told),)
    (play,) = generated.plays(generated.subject(replace(scenario, solutions={}, endpoints=endpoints)))
    assert [step.call for step in play.steps] == [ToolCall("get_room", {"room": 4})]
    assert [judged.reward for judged in play.judged] == [0.0]


@pytest.mark.parametrize("lack", [{"verifiers": {}}, {"solutions": {}}])
def test_what_cannot_be_measured_is_refused(scenario, lack):
    with pytest.raises(UsageError, match="kennel cannot be measured: no call succeeds, or it has no verifier"):
        generated.plays(generated.subject(replace(scenario, **lack)))


def test_an_answer_that_differs_stops_the_bench():
    text = '{"a": [1, {"at": "8:30"}], "b": 2}'
    step = Step(ToolCall("look", {}), Answer(200, text), frozenset({("a", 1, "at")}))
    must_agree("it", step, 200, text.replace("8:30", "9:30").replace(" ", ""))
    for status, other in [
        (500, text),
        (200, text.replace("2", "3")),
        (200, text.replace("[1,", "[")),
        (200, '{"a": 1}'),
        (200, "Internal Server Error"),
    ]:
        with pytest.raises(EnvironmentFault, match="the control failed: it answers look with"):
            must_agree("it", step, status, other)


def test_an_episode_that_goes_otherwise_stops_the_bench(what, plays):
    (play,) = plays
    other = play.steps[0]._replace(answer=Answer(200, "{}"))
    with pytest.raises(EnvironmentFault, match="book_walk is answered otherwise"):
        generated.measure(what, [play._replace(steps=(other,))], SMALL, lambda _: None)
    judged = play.judged[0]._replace(reward=0.0)
    with pytest.raises(EnvironmentFault, match="judges otherwise"):
        generated.measure(what, [play._replace(judged=(judged,))], SMALL, lambda _: None)


def test_environments_that_fail_are_counted(what, kit):
    call = ToolCall("die", {})
    play = Play((Step(call, Answer(200, ""), frozenset()),), b"", (Judged(awm_kennel.GOOD, "", 0.0),))
    with what.app() as app, Judge() as judge:
        assert generated._live(app, judge, what.base, [play], 2)["live_2_failures"] == 2
    with Server(kit.code, kit.copy(kit.initial)) as server:
        operations = server.operations()
    assert generated_baseline._live(kit, operations, [play], 1)["live_1_failures"] == 1
    assert generated_baseline._live(kit, operations, [play], 0) == {}


def test_a_server_that_cannot_start_says_why(kit):
    with pytest.raises(EnvironmentFault, match=r"a server of the baseline failed: .*ZeroDivisionError"):
        Server(kit.file(b"1 / 0"), kit.initial)


def test_an_application_that_starts_no_server_is_served(kit):
    code = b"from fastapi import FastAPI\napp = FastAPI()\n@app.get('/a', operation_id='a')\ndef a(): return 1"
    with Server(kit.file(code), kit.copy(kit.initial)) as server:
        assert server.call(server.operations()["a"], {}).json() == 1
        assert server.pid


def test_another_verdict_in_the_baseline_stops_the_bench(kit, plays):
    timed = generated_baseline._Timed(kit)
    timed.judge(plays)
    judged = plays[0].judged[0]._replace(reward=0.5)
    with pytest.raises(EnvironmentFault, match=r"a verifier gives 1\.0 in the baseline, and 0\.5 here"):
        timed.judge([plays[0]._replace(judged=(judged,))])


def test_no_verdict_in_the_baseline_is_a_fault(kit):
    for code in (BAD, "def verify_task_completion(*_): return {'result': 'perhaps'}"):
        with pytest.raises(EnvironmentFault, match="came to no verdict in the baseline"):
            kit.verify(code, kit.initial, "")


# What runs in the processes of the baseline


def test_an_application_is_patched_where_it_makes_its_engine_and_its_server():
    code = "from sqlalchemy import create_engine\ne = create_engine('sqlite:///x')\nimport uvicorn\nuvicorn.run(app)"
    found = generated_peer.patched(code).splitlines()
    assert found == [
        "from sqlalchemy import create_engine",
        "e = _awm_engine('sqlite:///x')",
        "import uvicorn",
        "_awm_run(app)",
    ]


def test_a_patched_application_has_the_file_and_the_socket(tmp_path, monkeypatch):
    served = []
    uvicorn = SimpleNamespace(
        Config=lambda app, **_: app,
        Server=lambda app: SimpleNamespace(run=lambda sockets: served.append((app, sockets))),
    )
    monkeypatch.setitem(sys.modules, "uvicorn", uvicorn)
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    monkeypatch.setenv("DATABASE_PATH", "")
    started = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))
    database, code = tmp_path / "a.db", tmp_path / "app.py"
    code.write_text("app = create_engine('sqlite:///elsewhere').url.database")
    with socket.socket() as ours:
        generated_peer.main("serve", str(code), str(database), str(os.dup(ours.fileno())))
    ((app, (listening,)),) = served
    listening.close()
    assert app == str(database)
    assert os.environ["DATABASE_PATH"] == f"sqlite:///{database}"
    assert len(started) == 1


def test_a_process_of_the_baseline_ends_with_its_parent(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "read", lambda *_: b"")
    monkeypatch.setattr(os, "_exit", ended.append)
    generated_peer._end_with_parent()
    assert ended == [0]


def test_a_verifier_is_run_on_two_files(tmp_path, capsys):
    code = tmp_path / "verifier.py"
    code.write_text("def verify_task_completion(initial, final, answer): return [initial, final, answer, {1}]")
    generated_peer.main("verify", str(code), "a", "b", "c")
    assert json.loads(capsys.readouterr().out) == ["a", "b", "c", "{1}"]


def test_an_allow_list_leaves_only_its_tasks(scenario, tmp_path):
    folder = write_folder(tmp_path, [scenario])
    [whole] = records(folder, None)
    number = max(whole.verifiers)
    allowed = AllowList(title="One", fingerprints={"kennel": whole.fingerprint}, tasks={"kennel": [f"task_{number}"]})
    [part] = records(folder, None, allowed)
    assert list(part.verifiers) == [number]
    assert set(part.solutions) <= {number}
    nothing = AllowList(title="None", fingerprints={}, tasks={})
    with pytest.raises(UsageError, match="of kennel no task is on the allow-list"):
        list(records(folder, None, nothing))


def test_scenarios_of_ours_are_measured_with_the_tasks_of_an_allow_list(monkeypatch):
    ours = open_scenario("parcel_lockers")
    name = next(iter(ours.tasks))
    allowed = AllowList(
        title="One", fingerprints={"parcel_lockers": ours.fingerprint}, tasks={"parcel_lockers": [name]}
    )
    seen = []
    monkeypatch.setattr(command, "pin_to_one_core", lambda: None)
    monkeypatch.setattr(command.ours, "measure", lambda _, runs, *__: seen.append(runs) or {})
    baseline = importlib.import_module("awm_gym.bench.baseline")
    monkeypatch.setattr(baseline, "measure", lambda _, runs, *__: (seen.append(runs) or {}, "none"))
    command.measured("parcel_lockers", QUICK, allowed)
    assert [[run.task.name for run in runs] for runs in seen] == [[name], [name]]
