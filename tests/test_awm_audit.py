"""`awm-gym awm audit`: a folder of data audited, told to people and to programs, resumed and interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from multiprocessing import active_children
from pathlib import Path

import awm_kennel as kennel
import pytest
from awm_data_folder import solution_line, write_folder
from markdown_it import MarkdownIt

from awm_gym import cli, places
from awm_gym.allowed import AllowList
from awm_gym.errors import EnvironmentFault, SandboxUnavailable, UsageError
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.audit import runner
from awm_gym.formats.awm.audit.findings import (
    CANNED,
    MUTATIONS,
    OWN_TEXT,
    DatabaseAudit,
    Ghosts,
    ScenarioAudit,
    TaskAudit,
    ToolAudit,
    Tried,
)
from awm_gym.formats.awm.audit.pages import MAX_WORDS, Paragraph, to_markdown
from awm_gym.formats.awm.audit.report import Report
from awm_gym.formats.awm.audit.runner import audit_all, audit_scenario, problems
from awm_gym.formats.awm.audit.summary import DOUBTS, figures, kinds
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import Endpoint, Solution
from awm_gym.sandbox.protection import UNSANDBOXED
from awm_gym.sandbox.worker import trial
from awm_gym.scenario import ToolCall

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT.parent / "shared" / "awm_samples"
pytest.importorskip("fastapi", reason="applications need the extra awm")
pytest.importorskip("sqlalchemy", reason="applications need the extra awm")
if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)

EVIL = (
    '<script>alert("x")</script> | [a](javascript:b) ![c](http://d) `e` \x1b[31m\u202e http://f www.g @h &amp; $i$\n# j'
)
TITLE = '<img src=x onerror="alert(1)"> | [dogs](http://evil)'
DOGS = "img_src_x_onerror_alert_1_dogs_http_evil"
GENEROUS = """
def verify_task_completion(initial_db_path, final_db_path, final_answer=None):
    return {"result": "complete"}
"""
# The kennel without what kills its worker, leaks or hangs.
CODE = kennel.CODE.split('@app.post("/visits"')[0]
BOOKED = Solution((ToolCall("book_walk", {"dog": "Cy", "day": "2025-03-12"}),), "done")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def dogs():
    """A small application with a hostile title: a task that is proved, one that pays for nothing, one unjudged."""
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")
    book = Endpoint.model_validate(
        {
            "path": "/walks",
            "method": "POST",
            "operation_id": "book_walk",
            "request_params": {
                "dog": {"type": "string", "required": True, "example": "Di"},
                "day": {"type": "string", "required": True, "example": "2025-03-13"},
            },
        }
    )
    return replace(
        kennel.scenario(CODE),
        name=DOGS,
        title=TITLE,
        tasks=("Book a walk for Cy on 12 March.", "Sit.", "Roll over."),
        endpoints=(book,),
        verifiers={0: {"code": kennel.GOOD}, 1: {"code": GENEROUS}},
        solutions={0: BOOKED},
    )


@pytest.fixture
def data(dogs, tmp_path):
    """The application, and beside it what cannot be audited for several reasons."""
    broken = [
        replace(dogs, name="no_code", title="no code", code="", solutions={}),
        replace(dogs, name="no_database", title="no database", ddl=(), inserts=(), solutions={}),
        replace(dogs, name="no_start", title="no start", code="raise ValueError('<b>bold</b>')", solutions={}),
    ]
    folder = write_folder(tmp_path / "data", [dogs, *broken])
    with (folder / files.TASKS).open("a", encoding="utf-8") as lines:
        lines.write('{"scenario": "torn", "tasks": 3}\n{"scenario": \n')
    return folder


def run(capsys, monkeypatch, *arguments):
    """The command line as a user runs it: exit code, output, messages."""
    monkeypatch.setattr(sys, "argv", ["awm-gym", "awm", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    return ended.value.code or 0, shown.out, shown.err


def test_a_folder_is_audited_and_told(data, capsys, monkeypatch):
    code, out, err = run(capsys, monkeypatch, data, "--jobs", 1)
    assert (code, err) == (0, "")
    assert "databases that can be built 3 of 5 (60 %)" in " ".join(out.split())
    assert f"{DOGS}: 2 rows, 0 lost; 3 tools, " in out
    assert "; 3 tasks, 1 passed, 1 proved" in out
    assert "no_code: 2 rows, 0 lost; no tools; 0 tasks" in out
    assert "no_database: no database; no tools" in out
    assert "no_code: no_code: has no application" in out
    assert "no_start: no_start: the application does not start: ValueError: <b>bold</b>" in out
    assert "torn: torn/gen_tasks.jsonl, line 5: tasks: " in out
    assert "gen_tasks.jsonl, line 6: is not JSON" in out
    assert "there is no gen_verifier.jsonl" in out
    assert f"{DOGS} task_1: doing nothing is paid, with the answers: none, empty, " in out
    assert f"{DOGS} task_2: no verifier of the kind code" in out
    assert f"{DOGS} task_0" not in out
    assert out.endswith("5 scenarios, 3 tasks: nothing speaks against 1, and a known solution proves 1 of these.\n")


def test_reports_are_the_same_bytes_for_any_number_of_jobs(data, capsys, monkeypatch, tmp_path):
    told = {}
    for jobs in (1, 2):
        page, text, listed = (tmp_path / f"{jobs}.{kind}" for kind in ("html", "md", "toml"))
        common = (data, "--jobs", jobs, "--json", "--fresh", "--allow-list", listed)
        code, out, err = run(capsys, monkeypatch, *common, "--out", page)
        assert (code, err) == (0, "")
        assert run(capsys, monkeypatch, *common[:-3], "--out", text, "--json")[1] == out
        told[jobs] = (out, page.read_text("utf-8"), text.read_text("utf-8"), listed.read_text("utf-8"))
    assert told[1] == told[2]
    document = json.loads(told[1][0])
    assert [one["name"] for one in document["scenarios"]] == [DOGS, "no_code", "no_database", "no_start", "torn"]
    assert document["scenarios"][0]["passed"] == document["scenarios"][0]["proved"] == ["task_0"]
    assert document["summary"]["solvability"]["paid"] == {"count": 1, "of": 1}
    assert document["doubts"]["untouched_paid"] == 1
    assert document["doubts"]["error"] == 4
    assert ScenarioAudit.from_json(json.dumps(stripped(document["scenarios"][0]))).title == TITLE


def stripped(document):
    return {key: value for key, value in document.items() if key not in ("passed", "proved")}


def test_an_interrupted_run_goes_on_where_it_was(data, dogs, monkeypatch):
    def audits(**options):
        return list(audit_all(data, **options))

    first = audits(solutions=None)
    real = runner._audit
    monkeypatch.setattr(runner, "_audit", lambda scenario, **_: pytest.fail(f"{scenario.name} was audited again"))
    assert audit_scenario(data, DOGS) == next(audit for audit in first if audit.name == DOGS)
    with pytest.raises(pytest.fail.Exception, match="no_code"):  # what ended in an error is tried again
        audits()
    with pytest.raises(pytest.fail.Exception, match=DOGS):
        audit_scenario(data, DOGS, fresh=True)
    with pytest.raises(pytest.fail.Exception, match=DOGS):
        audit_scenario(data, DOGS, mend=True)
    (data / files.SOLUTIONS).unlink()
    with pytest.raises(pytest.fail.Exception, match=DOGS):  # what is known has changed
        audit_scenario(data, DOGS)
    monkeypatch.setattr(runner, "_audit", real)
    assert audit_scenario(data, DOGS).tasks[0].solution == ""


def test_what_was_kept_and_damaged_is_found_out_again(data, home):
    first = audit_scenario(data, DOGS)
    (kept,) = (places.cache() / "awm" / "audits").iterdir()
    assert kept.is_relative_to(home)
    assert kept.name.startswith(first.fingerprint)
    assert ScenarioAudit.from_json(kept.read_text("utf-8")) == first
    for damage in (b"{", b"\xff", b'{"name": "x"}'):
        kept.write_bytes(damage)
        assert audit_scenario(data, DOGS) == first


def test_a_cache_that_cannot_be_written_costs_only_time(data, home):
    (home / "cache" / "awm").mkdir(parents=True)
    (home / "cache" / "awm" / "audits").write_text("in the way", "utf-8")
    assert audit_scenario(data, DOGS).tasks[0].proved


def test_solutions_may_come_from_another_file(data, dogs, tmp_path, capsys, monkeypatch):
    (data / files.SOLUTIONS).unlink()
    lines = [
        solution_line(TITLE, 0, [("book_walk", {"dog": "Cy", "day": "2025-03-12"})], "I do not know."),
        solution_line(TITLE, 7, []),
        solution_line("nowhere", 0, []),
        json.dumps({"scenario": TITLE, "task_idx": 1, "calls": [{"name": 3}]}) + "\n",
        "{\n",
    ]
    solutions = tmp_path / "mine.jsonl"
    solutions.write_text("".join(lines), "utf-8")
    found = audit_scenario(data, DOGS, solutions=solutions)
    assert found.tasks[0].solution == "unpaid"
    assert "task 7 has a solution, but there is no such task" in found.problems
    assert any(problem.startswith("mine.jsonl: ") and "calls.0: " in problem for problem in found.problems)
    told = problems(Index.of(data), solutions)
    assert "mine.jsonl: solves nowhere, which is not in data" in told
    assert any(problem.startswith("mine.jsonl, line 5: is not JSON") for problem in told)
    common = ("--scenario", DOGS, "--solutions", solutions, "--jobs", 1)
    code, out, err = run(capsys, monkeypatch, data, *common, "--fail-on", "unsolved, untouched_paid,crashes")
    assert code == 1
    assert "1 tasks whose known solution is not paid (unsolved)" in err
    assert "1 tasks that pay for doing nothing (untouched_paid)" in err
    assert "the known solution is unpaid" in out
    code, _, err = run(capsys, monkeypatch, data, "--solutions", tmp_path / "none.jsonl")
    assert (code, err) == (2, "awm-gym: none.jsonl: cannot be read: No such file or directory\n")


def test_the_allow_list_has_what_passed_or_what_was_proved(data, dogs, tmp_path, capsys, monkeypatch):
    strict = {task: {"code": kennel.GOOD} for task in range(3)}
    data = write_folder(tmp_path / "more", [replace(dogs, verifiers=strict)])
    listed = tmp_path / "passed.toml"
    assert run(capsys, monkeypatch, data, "--allow-list", listed)[0] == 0
    fingerprint = tomllib.loads(listed.read_text("utf-8"))["fingerprints"][DOGS]
    assert AllowList.read(listed).tasks(DOGS, fingerprint) == ("task_0", "task_1", "task_2")
    assert run(capsys, monkeypatch, data, "--allow-list", listed, "--proved")[0] == 0
    assert AllowList.read(listed).tasks(DOGS, fingerprint) == ("task_0",)
    code, _, err = run(capsys, monkeypatch, data, "--proved")
    assert (code, "give that, too" in err) == (2, True)


def test_fail_on_names_kinds_and_knows_what_is_not_found(data, capsys, monkeypatch):
    one = (data, "--scenario", TITLE, "--scenario", DOGS)
    assert run(capsys, monkeypatch, *one, "--fail-on", "lost_inserts,collisions,verifier_crash")[0] == 0
    assert run(capsys, monkeypatch, *one, "--fail-on", "any")[0] == 1
    code, _, err = run(capsys, monkeypatch, *one, "--fail-on", "lost_insert")
    assert (code, err) == (2, "awm-gym: There is no kind of doubt 'lost_insert'. Did you mean lost_inserts?\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "report.pdf"), "ends in neither .html nor .md"),
        (("--out", "no/such/folder/report.md"), "cannot be written"),
        (("--out", "."), "ends in neither"),
        (("--allow-list", "."), "cannot be written"),
        (("--scenario", "kennell"), "There is no scenario 'kennell' in data"),
        (("--fail-on", ""), "There is no kind of doubt ''"),
    ],
)
def test_mistakes_are_told_before_the_work(data, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(runner, "_audit", lambda *_, **__: pytest.fail("it was audited"))
    code, out, err = run(capsys, monkeypatch, data, "--jobs", 1, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_without_data_ends_in_one_line(tmp_path, capsys, monkeypatch):
    code, _, err = run(capsys, monkeypatch, tmp_path)
    assert (code, err.count("\n"), "holds no AgentWorldModel data" in err) == (2, 1, True)


def test_a_report_that_cannot_be_written_ends_in_one_line(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("awm_gym.cli_awm._writable", lambda *_: None)
    one = ("--scenario", "no_code", "--jobs", 1)
    code, _, err = run(capsys, monkeypatch, data, *one, "--out", tmp_path / "none" / "report.md")
    assert (code, err.count("\n"), "No such file" in err) == (2, 1, True)


def test_the_sandbox_may_be_left_out_if_the_user_says_so(data, capsys, monkeypatch):
    monkeypatch.setenv(UNSANDBOXED, "0")
    seen = []
    monkeypatch.setattr(runner, "_audit", lambda scenario, **_: seen.append(os.environ[UNSANDBOXED]) or findings()[1])
    assert run(capsys, monkeypatch, data, "--scenario", DOGS)[0] == 0
    assert run(capsys, monkeypatch, data, "--scenario", DOGS, "--allow-unsandboxed")[0] == 0
    assert seen == ["0", "1"]


def test_a_machine_that_locks_nothing_up_stops_everything(data, capsys, monkeypatch):
    def unavailable(*_, **__):
        raise SandboxUnavailable("generated Python is not run: there is no seccomp")

    monkeypatch.setattr(runner, "App", unavailable)
    code, out, err = run(capsys, monkeypatch, data, "--jobs", 1)
    assert (code, out) == (2, "")
    assert err == "awm-gym: generated Python is not run: there is no seccomp\n"


def test_an_application_that_breaks_its_worker_for_good_costs_only_itself(data, monkeypatch):
    def broken(*_, **__):
        raise EnvironmentFault("the worker is gone\x07")

    monkeypatch.setattr(runner, "audit_tasks", broken)
    found = audit_scenario(data, DOGS)
    assert found.error == "the worker is gone\\x07"
    assert found.database is not None
    assert len(found.tools) == 3
    assert found.tasks == ()


def test_a_judge_that_cannot_read_costs_the_scenario_and_seems_strict_to_nobody(data, monkeypatch):
    monkeypatch.setattr(runner.Judge, "reward", lambda *_, **__: 0.0)
    found = audit_scenario(data, DOGS)
    assert "verifiers cannot read their databases here" in found.error
    assert found.tasks == ()


def test_whoever_stops_asking_stops_the_work(data, dogs):
    write_folder(data, [dogs, replace(dogs, name="slow", title="slow", code="while True: pass", solutions={})])
    before = set(active_children())
    found = audit_all(data, jobs=2)
    assert next(found).name == DOGS
    found.close()
    for process in set(active_children()) - before:
        process.join(timeout=30)
    assert set(active_children()) <= before


def test_an_interrupt_ends_the_run_at_once_and_without_a_traceback(dogs, tmp_path, home):
    slow = replace(dogs, name="slow", title="slow", code="while True: pass", solutions={})
    data = write_folder(tmp_path / "data", [dogs, slow])
    running = subprocess.Popen(
        [sys.executable, "-m", "awm_gym", "awm", "audit", str(data), "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "AWM_GYM_HOME": str(home)},
        start_new_session=True,
    )
    kept = home / "cache" / "awm" / "audits"
    while running.poll() is None and not (kept.is_dir() and any(kept.glob("*.json"))):
        time.sleep(0.005)  # until the first scenario is done; the other takes a minute
    os.killpg(running.pid, signal.SIGINT)
    out, errors = running.communicate(timeout=40)
    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in errors


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of AgentWorldModel data are not here")
def test_four_real_scenarios_are_what_an_audit_by_hand_found_them_to_be():
    found = figures(audit_all(SAMPLES, jobs=2))  # for solutions see test_awm_audit_tasks
    by_hand = {
        "databases.schemas_broken": "0 of 4 (0 %)",
        "databases.inserts_lost": "1 of 407 (0 %)",
        "databases.fk_violations": "0",
        "databases.on_clock": "3 of 4 (75 %)",
        "environments.started": "4 of 4 (100 %)",
        "environments.tools": "67",
        "environments.exposed": "62 of 67 (93 %)",
        "environments.collisions": "5",
        "verifiers.crash": "0 of 40 (0 %)",
        "verifiers.swallow": "40 of 40 (100 %)",
        "verifiers.untouched_paid": "1 of 40 (2 %)",  # docusign 9, and that with an empty answer only
        "verifiers.untouched_paid_always": "0 of 1 (0 %)",
    }
    assert {key: found[key].value for key in by_hand} == by_hand


# What is told of findings ---------------------------------------------------------------------------------------------


def database(**others):
    values = {
        "tables": 2,
        "rows": 9,
        "schema_lost": 0,
        "inserts": 10,
        "inserts_lost": 0,
        "first_loss": "",
        "clock_calls": 0,
        "reads_clock": False,
        "fk_violations": 0,
        "now": "2026-02-16T12:00:00",
        "sha256": "0" * 64,
    }
    return DatabaseAudit(**values | others)


def tool(name, **others):
    values = {
        "name": name,
        "method": "GET",
        "path": "/x",
        "exposed": True,
        "calls": 4,
        "ok": 4,
        "refused": 0,
        "crashed": 0,
        "empty": 0,
        "causes": {},
        "first_crash": "",
        "ids": (),
        "ghosts": None,
    }
    return ToolAudit(**values | others)


def weak(accepted):
    return {name: Tried(4, accepted) for name in MUTATIONS}


def findings():
    """Two scenarios with everything that can be wrong, all texts hostile."""
    first = ScenarioAudit(
        name="b",
        title=EVIL,
        fingerprint="b" * 64,
        problems=(EVIL,),
        lacks=("gen_spec.jsonl",),
        database=database(
            schema_lost=1, inserts_lost=2, first_loss=EVIL, clock_calls=7, reads_clock=True, fk_violations=3
        ),
        specified=3,
        collisions=(EVIL,),
        tools=(
            tool(EVIL, path=EVIL, exposed=False, ok=2, crashed=2, causes={EVIL: 2, "CHECK": 1}, first_crash=EVIL),
            tool("dead", ok=0, crashed=4, causes={"CHECK": 4}),
            tool("hollow", empty=4, ids=(EVIL,), ghosts=Ghosts(calls=2, accepted=1, wrote=1, dangling=1, crashed=1)),
            tool("silent", calls=0, ok=0, ids=("id",), ghosts=Ghosts(calls=1, refused=1)),
        ),
        tasks=(
            TaskAudit(number=0, kinds=("sql",)),
            TaskAudit(number=1, kinds=("code", "sql"), crash=EVIL, broken_sql=(EVIL,), tables=(EVIL,)),
            TaskAudit(number=2, kinds=("code",), swallows=True, paid_untouched=(*CANNED, OWN_TEXT), reads_clock=True),
            TaskAudit(number=3, kinds=("code",), blocked=EVIL, uses_answer=True, solution="broken", solution_note=EVIL),
            TaskAudit(number=4, kinds=("code",), solution="paid", strength=weak(1)),
            TaskAudit(number=5, kinds=("code",), solution="paid", strength={"omit_effect": Tried(0, 0)}),
            TaskAudit(number=6, kinds=()),
        ),
    )
    return [first, ScenarioAudit(name="a", title="A", fingerprint="", error=EVIL)]


def test_the_summary_counts_scenario_by_scenario():
    found = {key: figure.value for key, figure in figures(findings()).items()}
    assert found["databases.built"] == "1 of 2 (50 %)"
    assert found["databases.schemas_broken"] == "1 of 1 (100 %)"
    assert found["databases.inserts_lost"] == "2 of 10 (20 %)"
    assert found["databases.fk_violations"] == "3"
    assert found["databases.on_clock"] == "1 of 1 (100 %)"
    assert found["databases.clock_calls"] == "7"
    assert found["environments.started"] == "1 of 2 (50 %)"
    assert found["environments.exposed"] == "3 of 4 (75 %)"
    assert found["environments.collisions"] == "1"
    assert found["tools.calls"] == "12"
    assert found["tools.ok"] == "6 of 12 (50 %)"
    assert found["tools.crashed"] == "6 of 12 (50 %)"
    assert found["tools.crashing"] == "2 of 3 (67 %)"
    assert found["tools.cause: CHECK"] == "2"
    assert found[f"tools.cause: {EVIL}"] == "1"
    assert found["tools.always_crashing"] == "1 of 3 (33 %)"
    assert found["tools.never_ok"] == "1 of 3 (33 %)"
    assert found["tools.always_empty"] == "1 of 3 (33 %)"
    assert found["ghosts.tools"] == "2 of 4 (50 %)"
    assert [found[f"ghosts.{kind}"][0] for kind in ("accepted", "wrote", "dangling", "crashed", "refused")] == ["1"] * 5
    assert found["verifiers.code"] == "5 of 7 (71 %)"
    assert found["verifiers.crash"] == "1 of 5 (20 %)"
    assert found["verifiers.swallow"] == "1 of 5 (20 %)"
    assert found["verifiers.untouched_paid"] == "1 of 5 (20 %)"
    assert found["verifiers.untouched_paid_always"] == "1 of 1 (100 %)"
    assert found["solvability.known"] == "3 of 7 (43 %)"
    assert found["solvability.paid"] == "2 of 3 (67 %)"
    assert found["solvability.broken"] == "1 of 3 (33 %)"
    assert found["solvability.blocked"] == "1 of 7 (14 %)"
    assert found["solvability.passed"] == found["solvability.proved"] == "2 of 7 (29 %)"
    assert found["strength.solved"] == "2"
    assert found["strength.omit_effect"] == found["strength.wipe_all_unrelated"] == "1 of 4 (25 %)"
    assert figures([])["strength.wrong_cell"].value == "0 of 0"


def test_every_kind_of_doubt_is_counted():
    document = Report.of(findings()).document()
    assert document["doubts"] == dict.fromkeys(DOUBTS, 1) | {"lost_inserts": 3, "clock": 2, "crashes": 2}
    assert Report.of([]).document()["doubts"] == dict.fromkeys(DOUBTS, 0)
    assert "0 scenarios, 0 tasks" in Report.of([]).html()
    assert kinds("weak, blocked,weak") == ("weak", "blocked")
    assert kinds("weak,any") == tuple(DOUBTS)


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.words = set(), set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert name in {"lang", "charset", "http-equiv", "content", "name", "id", "href"}, name
            if name == "href":
                self.links.add(value)
            if name == "id":
                self.ids.add(value)

    def handle_data(self, data):
        self.words += data


def test_html_shows_hostile_texts_and_obeys_none():
    text = Report.of(findings(), [EVIL]).html()
    page = Page(text)
    assert page.tags == set("html head meta title style body h1 h2 h3 p ul li table tr th td a".split())
    assert page.links == {"#a", "#b"}
    assert page.ids == {"a", "b"}
    assert page.words.count(EVIL.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")) >= 15
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_markdown_shows_hostile_texts_and_obeys_none():
    text = Report.of(findings(), [EVIL]).markdown()
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds_found = {token.type for top in tokens for token in (top, *(top.children or ()))}
    allowed = "heading paragraph bullet_list list_item table thead tbody tr th td".split()
    assert kinds_found == {f"{name}_{end}" for name in allowed for end in ("open", "close")} | {"inline", "text"}
    rows = [row for row in text.splitlines() if row.startswith("| task_")]
    assert len(rows) == 7
    cells = next(top for top in tokens if top.type == "inline" and top.content.startswith("\\<script"))
    words = "".join(child.content for child in cells.children)
    assert words.startswith('<script>alert("x")</script> | [a](javascript:b) ![c](http://d) `e` \\x1b[31m')


@pytest.mark.parametrize(
    "start", ["- a", "+ a", "1. a", "# a", "> a", "=== a", "_a_", "__a__", "~~a~~", "* a", "a_b_c"]
)
def test_markdown_starts_nothing_by_accident(start):
    tokens = MarkdownIt("commonmark").parse(to_markdown([Paragraph(start)]))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert "".join(child.content for child in tokens[1].children) == start


def test_long_texts_are_cut_in_pages_and_whole_for_programs():
    report = Report.of([ScenarioAudit(name="a", title="x" * 5000, fingerprint="")])
    assert "x" * (MAX_WORDS - 3) + "..." in report.html()
    assert "x" * MAX_WORDS not in report.markdown()
    assert report.document()["scenarios"][0]["title"] == "x" * 5000


def test_many_doubts_are_told_in_part(data, capsys, monkeypatch):
    many = [findings()[1]] * 3
    monkeypatch.setattr("awm_gym.cli_awm._TOLD", 2)
    monkeypatch.setattr("awm_gym.cli_awm.audit_all", lambda *_, **__: iter(many))
    code, out, _ = run(capsys, monkeypatch, data)
    assert code == 0
    assert "... and 1 more; --out has them all" in out
    assert "\x1b[31m" not in out


# Allow-lists ----------------------------------------------------------------------------------------------------------

ROVER = {"rover": "a" * 64}


def test_an_allow_list_comes_back_from_its_file_the_same(tmp_path):
    made = AllowList(title='A "list"\nof\ttwo \\ é', fingerprints=ROVER, chosen={"rover": ("task_3", "task_0")})
    path = tmp_path / "list.toml"
    made.write(path)
    assert AllowList.read(path) == made
    assert AllowList.read(path).tasks("rover", "a" * 64) == ("task_3", "task_0")
    assert made.tasks("another", "b" * 64) == ()
    assert str(tmp_path) not in path.read_text("utf-8")


def test_an_allow_list_is_not_applied_to_other_data():
    made = AllowList(title="Mine", fingerprints=ROVER, chosen={"rover": ("task_3",)})
    with pytest.raises(
        UsageError, match=r"'Mine' means another rover: its fingerprint is aaaaaaaaaaaa, not bbbbbbbbbbbb"
    ):
        made.tasks("rover", "b" * 64)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", "Expected '='"),
        ("title = 3\n[fingerprints]\n[tasks]", "title: Input should be a valid string, got 3"),
        ('title = "x"\n[fingerprints]\n[tasks]\n[more]', "more: Extra inputs are not permitted"),
        ('title = "x"\n[fingerprints]\na = "b"\n[tasks]\na = []', "fingerprints.a: String should match"),
        ('title = "x"\n[fingerprints]\n[tasks]\na = ["b"]', "a must stand in [fingerprints] and in [tasks]"),
        (f'title = "x"\n[fingerprints]\na = "{"0" * 64}"\n[tasks]\na = ["b", "b"]', "a names a task twice"),
        ('title = "x"\n[fingerprints]\n[tasks]\na = ["B c"]', "the name 'B c' is not snake_case"),
        ('title = "x"\n[fingerprints]\n[tasks]\n"a\\nb" = []', "String should match"),
        ("a = " + "[" * 5000, "recursion"),
        ("\xff", "Invalid statement"),
    ],
)
def test_a_malformed_allow_list_ends_in_one_line(tmp_path, text, problem):
    path = tmp_path / "list.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as told:
        AllowList.read(path)
    assert str(told.value).startswith("list.toml is no allow-list: ")
    assert problem in str(told.value)
    assert "\n" not in str(told.value)


def test_files_that_are_no_allow_lists_end_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="There is no allow-list"):
        AllowList.read(tmp_path)
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        AllowList.read(Path("x" * 5000))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no allow-list: 'utf-8' codec"):
        AllowList.read(tmp_path / "binary")
    (tmp_path / "long").write_text("# comment", "utf-8")
    monkeypatch.setattr("awm_gym.allowed.MAX_BYTES", 4)
    with pytest.raises(UsageError, match="it has more than 4 bytes"):
        AllowList.read(tmp_path / "long")
    with pytest.raises(UsageError, match="cannot be written"):
        AllowList(title="x", fingerprints={}, chosen={}).write(tmp_path)
