"""Many scenarios from a scripted model over HTTP, by the command line, as a user runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest
from blueprints import bike_hire, readme_files
from fake_openai import FakeServer, Reply, failure
from scripted import Asked
from typer.testing import CliRunner

from awm_gym import check, cli, cli_synth, library
from awm_gym.agents.policy import play
from awm_gym.agents.scripted import Oracle, whole_solution
from awm_gym.blueprints import store
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.files import load
from awm_gym.llm import Log, Prices
from awm_gym.synth import campaign, filled, report
from awm_gym.synth.briefs import Brief, read_briefs, write_briefs
from awm_gym.synth.draft import Draft, Outcome
from awm_gym.synth.growth import Proposal, Proposals, Verdict, Verdicts
from awm_gym.synth.prompts import labelled

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = ("ferry_desk", "festival_crew", "seed_bank")
CATEGORIES = dict(zip(NAMES, ("transport", "community", "environment"), strict=True))
SCENARIOS = {name: load(SCRIPTS / name) for name in NAMES}
WANTS = ("--tasks", "10", "--tools", "24")
ABOUT = {
    "ferry_desk": "The duty manager of a small shipping line works here: vessels with seats and deck centimetres, "
    "departures that are open, closed or called off, parties with motorcycles and campers, islander fares, payments "
    "and what is given back within two days, customers who wait until somebody cancels. A party never exceeds what "
    "is free, a called-off departure takes nobody, and a vessel is swapped only for one that holds all who booked."
}


def scenario_of(messages):
    return re.findall(r"\[awm-gym stage=\w+ scenario=(\S+)", messages[-1]["content"])[-1]


def answer(request):
    """What a model says that knows the three scenarios."""
    messages = request["messages"]
    stage, _ = labelled(messages)
    if stage == "briefs":
        return proposals().model_dump_json()
    if stage == "suitability":
        numbers = re.findall(r"^(\d+)\. ", messages[-1]["content"], re.M)
        verdicts = [Verdict(number=int(number), reason="It keeps a state.", score=8) for number in numbers]
        return Verdicts(verdicts=verdicts).model_dump_json()
    form = filled.answer(SCENARIOS[scenario_of(messages)], Asked(messages))
    return form.model_dump_json()


def proposals():
    return Proposals(
        briefs=[
            Proposal(
                name=name, title=one.title, category=CATEGORIES[name], description=ABOUT.get(name, one.description)
            )
            for name, one in SCENARIOS.items()
        ]
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user who has nothing yet."""
    place = tmp_path / "home"
    monkeypatch.setenv("AWM_GYM_HOME", str(place))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("AWM_GYM_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
def server():
    with FakeServer(answer) as found:
        yield found


@pytest.fixture
def briefs(tmp_path):
    """A file with the briefs of the three."""
    file = tmp_path / "briefs.toml"
    write_briefs(file, [Brief(score=8, **one.model_dump()) for one in proposals().briefs])
    return str(file)


def run(server, *arguments, code=0):
    """The command line, as a user types it."""
    given = ["synth", *arguments]
    if server is not None:
        given += ["--model", "gpt-5-mini", "--base-url", server.url]
    result = CliRunner().invoke(cli.app, given)
    if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def texts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# From a name to a certified scenario ----------------------------------------------------------------------------------


def test_three_scenarios_are_grown_written_certified_and_solved_through_gym_make(server, home):
    told = run(server, "all", "--count", "3", *WANTS, "--jobs", "2")
    assert "3 of 3 scenarios certified" in told
    place = home / "scenarios"
    assert library.own_folder() == place
    for name in NAMES:
        assert load(place / name) == SCENARIOS[name]
        assert library.doubt(place / name) == ""
        history = json.loads((place / name / campaign.HISTORY).read_text("utf-8"))
        assert history["about"]["brief"]["name"] == name
        assert [one["stage"] for one in history["attempts"]][-2:] == ["verifiers", "gates"]
    made = "import gymnasium as gym, awm_gym; print(gym.make('awm/seed_bank').reset(seed=1)[1]['scenario'])"
    found = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True, env=os.environ)
    assert found.stdout.strip() == "seed_bank"
    for name in NAMES:
        env = gym.make(f"awm/{name}")
        for task in SCENARIOS[name].tasks:
            assert play(env, Oracle(SCENARIOS[name]), task=task).outcome == "solved"
        env.close()
    assert "awm/ferry_desk" in CliRunner().invoke(cli.app, ["list"]).output
    assert library.own_names() == NAMES

    before, asked = {name: texts(place / name) for name in NAMES}, len(server.requests)
    assert "0 requests" in run(server, "all", "--count", "3", *WANTS)  # all of it stands there already
    assert len(server.requests) == asked
    (place / "seed_bank" / "data.sql").write_text("", "utf-8")
    told = run(server, "all", "seed_bank", *WANTS, "--json")
    assert [one["resumed"] for one in json.loads(told)] == [False]
    assert len(server.requests) == asked  # every answer was kept
    assert {name: texts(place / name) for name in NAMES} == before

    shown = run(None, "report")
    assert "3 certified, 0 rejected" in shown
    assert "paper: 88.3%" in shown
    document = json.loads(run(None, "report", "--json"))
    assert document["first_try"] == 1.0
    assert document["attempts"] == 1.0
    assert document["certified"] == list(NAMES)
    assert document["stages"]["goals"]["requests"] == 30
    assert 0 < document["dollars_per_scenario"] < 1


def test_stages_are_commands_that_go_on_from_each_other(server, home, briefs):
    assert "3 briefs" in run(server, "scenarios", "--count", "3")
    assert {brief.name for brief in read_briefs(home / "scenarios" / "briefs.toml")} == set(NAMES)
    asked = len(server.requests)
    seen = {"tasks": {"scenario.toml", "wishes.md"}}
    seen["schema"] = seen["tasks"] | {"schema.sql", "invariants.sql"}
    seen["data"] = seen["schema"] | {"data.sql"}
    seen["tools"] = seen["data"] | {"tools.toml", "tasks.toml"}
    for stage, files in seen.items():
        told = run(server, stage, "seed_bank", *WANTS, "--jobs", "1")
        assert f"1 of 1 scenarios written up to the stage {stage}" in told
        folder = home / "scenarios" / "drafts" / "seed_bank"
        assert {path.name for path in folder.iterdir()} == files
    assert (folder / "data.sql").read_text("utf-8") == SCENARIOS["seed_bank"].data
    assert library.own("seed_bank") is None
    assert "1 of 1 scenarios certified" in run(server, "verifiers", "seed_bank", *WANTS, "--jobs", "1")
    stages = [labelled(request["messages"])[0] for request in server.requests[asked:]]
    assert len(stages) == 5 + 10 + 4 + 10  # nothing was asked twice
    assert json.loads(run(None, "report", "--json"))["certified"] == ["seed_bank"]


def test_the_blueprint_author_goes_through_the_same_loop(home):
    arguments = ["all", "lending", "--author", "blueprint", "--count", "1", "--seed", "4", "--jobs", "1"]
    assert "1 of 1 scenarios certified" in run(None, *arguments)
    assert library.own_names() == ("lending_4",)
    assert gym.make("awm/lending_4").unwrapped.scenario == library.made_scenario("lending", 4)
    document = json.loads(run(None, "report", "--json"))
    assert document["first_try"] == 1.0
    assert document["stages"]["gates"]["scenarios"] == 1
    assert document["dollars_per_scenario"] == 0.0
    assert json.loads(run(None, *arguments, "--json"))[0]["resumed"]


def test_what_cannot_be_mended_is_rejected_with_its_reason_and_leaves_nothing(home, briefs):
    def stubborn(request):
        messages = request["messages"]
        if labelled(messages)[0] == "schema" and scenario_of(messages) == "seed_bank":
            return '{"schema_sql": "CREATE TABLE lot (id INTEGER PRIMARY KEY);", "invariants_sql": ""}'
        return answer(request)

    with FakeServer(stubborn) as server:
        told = run(server, "all", "seed_bank", "festival_crew", "--briefs", briefs, *WANTS, "--jobs", "1", code=1)
        assert "1 of 2 scenarios certified" in told
        assert library.own("seed_bank") is None
        assert library.own_names() == ("festival_crew",)
        shown = run(None, "report")
        assert "1 certified, 1 rejected" in shown
        assert "1 rejected: schema: " in shown
        document = json.loads(run(None, "report", "--json"))
        assert "STRICT" in document["rejected"]["seed_bank"]
        stages = document["stages"]
        assert (stages["schema"]["scenarios"], stages["schema"]["held"], stages["schema"]["attempts"]) == (2, 1, 11)
        assert 0.5 < document["first_try"] < 1


def test_the_users_own_library_holds_scenarios_and_blueprints(home, monkeypatch):
    shutil.copytree(SCRIPTS / "seed_bank", home / "scenarios" / "seed_bank", ignore=lambda *_: ["certificate.json"])
    with pytest.raises(UsageError, match="The scenario seed_bank is not certified: it has no certificate"):
        gym.make("awm/seed_bank")
    assert library.own_names() == ()
    assert check.targets(["seed_bank"]) == [home / "scenarios" / "seed_bank"]
    with pytest.raises(gym.error.NameNotFound):
        gym.make("awm/nobody")
    bike_hire(home / "blueprints")
    store.blueprint.cache_clear()
    assert "bike_hire" in store.names()
    assert gym.make("awm/bike_hire-3").unwrapped.scenario.name == "bike_hire_3"
    assert "1 of 1 scenarios" in run(None, "bike_hire", "--count", "1", "--out", str(home / "made"))
    store.blueprint.cache_clear()


def test_a_blueprint_by_a_model_lands_where_its_ids_are_found(home, tmp_path):
    files = readme_files()

    def files_of(request):
        item = re.findall(r"\[awm-gym stage=blueprint scenario=\w+ item=(\S+)", request["messages"][-1]["content"])[-1]
        return json.dumps({"text": files[item], "edits": [], "elsewhere": []})

    about = "Bikes go out to riders and come back. A hire can be made longer, a bike can break, a fee can change."
    brief = Brief(name="bike_hire", title="Counter of a bike hire", category="transport", description=about)
    file = tmp_path / "briefs.toml"
    write_briefs(file, [brief])
    arguments = ["blueprint", "bike_hire", "--briefs", str(file), "--seeds", "2", "--gates", "0", "--attempts", "1"]
    with FakeServer(files_of) as server:
        told = run(server, *arguments)
        assert "awm-gym synth" in told
        assert gym.make("awm/bike_hire-5").unwrapped.scenario.name == "bike_hire_5"
        assert json.loads(run(server, *arguments, "--out", str(tmp_path / "other"), "--json"))["rejected"] == ""
        with pytest.raises(UsageError, match="is there already"):
            run(server, *arguments)
    files["schema.sql"] = "CREATE"
    with FakeServer(files_of) as server:
        told = run(server, *arguments, "--out", str(tmp_path / "never"), code=1)
        assert "bike_hire: " in told
    store.blueprint.cache_clear()


# At scale -------------------------------------------------------------------------------------------------------------


def test_a_budget_stops_cleanly_and_more_of_it_goes_on(server, home, briefs):
    arguments = ["all", "seed_bank", "ferry_desk", "--briefs", briefs, *WANTS, "--jobs", "1", "--parallel", "1"]
    told = run(server, *arguments, "--max-total-tokens", "200", code=1)
    assert "0 of 2 scenarios certified" in told
    assert "not done: The budget of 200 tokens is spent" in told
    asked = len(server.requests)
    assert asked < 58
    document = json.loads(run(server, *arguments, "--json"))
    assert [one["passed"] for one in document] == [True, True]
    assert len(server.requests) == 58  # what was paid for was not asked again
    with pytest.raises(UsageError, match="has no price, so --max-cost cannot be kept"):
        run(None, *arguments, "--model", "nobody-knows", "--base-url", server.url, "--max-cost", "1")


def test_a_server_in_trouble_costs_patience_and_one_that_refuses_says_how_to_go_on(home, briefs):
    troubles = {3: failure(429, "slow down", retry_after="0"), 7: failure(500, "oops", retry_after="0")}

    def troubled(request):
        return troubles.get(len(server.requests)) or answer(request)

    with FakeServer(troubled) as server:
        assert "1 of 1" in run(server, "all", "seed_bank", "--briefs", briefs, *WANTS, "--jobs", "1")
    with FakeServer(lambda request: failure(401, "who are you?")) as server:
        names = ["festival_crew", "ferry_desk"]
        told = run(server, "all", *names, "--briefs", briefs, *WANTS, "--parallel", "1", code=1)
        assert "festival_crew: not done: " in told
        assert "OPENAI_API_KEY" in told
        assert "0 of 2 scenarios certified" in told
        assert len(server.requests) == 1  # the second was not begun


@pytest.mark.parametrize("after", [9, 41])
def test_a_run_that_is_killed_goes_on_and_ends_in_the_same_bytes(after, home, briefs):
    def deadly(request):
        if len(server.requests) == after:
            os.kill(process.pid, signal.SIGKILL)
        return answer(request)

    arguments = ["all", "seed_bank", "ferry_desk", "--briefs", briefs, *WANTS, "--jobs", "1"]
    with FakeServer(deadly) as server:
        asking = ["--model", "gpt-5-mini", "--base-url", server.url]
        command = [sys.executable, "-m", "awm_gym", "synth", *arguments, *asking]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.wait(120) == -signal.SIGKILL
        paid = len(server.requests)
        assert paid < 58
        run(server, *arguments)
        assert 58 <= len(server.requests) <= 58 + 16  # at most those that were under way are asked again
        once = {name: texts(home / "scenarios" / name) for name in ("seed_bank", "ferry_desk")}
    assert {name: load(home / "scenarios" / name) for name in once} == {name: SCENARIOS[name] for name in once}
    whole = {name: json.loads(files[campaign.HISTORY])["attempts"] for name, files in once.items()}
    assert {name: len(attempts) for name, attempts in whole.items()} == dict.fromkeys(once, 9)


def test_ctrl_c_loses_nothing(home, briefs):
    def interrupting(request):
        if len(server.requests) == 12:
            os.kill(process.pid, signal.SIGINT)
        return answer(request)

    arguments = ["all", "seed_bank", "ferry_desk", "--briefs", briefs, *WANTS]
    with FakeServer(interrupting) as server:
        asking = ["--model", "gpt-5-mini", "--base-url", server.url]
        command = [sys.executable, "-m", "awm_gym", "synth", *arguments, *asking]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 130
        assert "Interrupted; 0 of 2 scenarios are done. Run it again to go on." in err
        assert "Traceback" not in out + err
        assert "2 of 2 scenarios certified" in run(server, *arguments)


def test_hard_and_easy_tasks_are_measured_and_those_outside_a_band_are_given_up(home, briefs):
    bank = SCENARIOS["seed_bank"]
    solvable = list(bank.tasks)[1:]

    def playing(request):
        if not request.get("tools"):
            return answer(request)
        said = str(request["messages"])
        name = next(name for name, task in bank.tasks.items() if task.instruction[:60] in said.replace("\\n", "\n"))
        calls = whole_solution(bank.tasks[name]) if name in solvable else whole_solution(bank.tasks[name])[-1:]
        call = calls[min(said.count("'role': 'tool'"), len(calls) - 1)]
        arguments = {} if name not in solvable else dict(call.arguments)
        return Reply(calls=(("c1", call.name, json.dumps(arguments)),))

    with FakeServer(playing) as server:
        arguments = ["all", "seed_bank", "--briefs", briefs, *WANTS, "--jobs", "1", "--solve", "2"]
        document = json.loads(run(server, *arguments, "--json"))[0]
        solved = document["figures"]["solved"]
        assert {name: tuple(rate) for name, rate in solved.items()} == {
            name: (2 if name in solvable else 0, 2) for name in bank.tasks
        }
        assert "seed_bank" in run(server, *arguments, "--out", str(home / "b"), "--band", "0:0.5", code=1)
        stages = json.loads(run(None, "report", str(home / "b"), "--json"))["rejected"]
        assert stages["seed_bank"].startswith("solve: only 1 tasks are as hard as is asked for")


def test_a_dry_run_estimates_and_asks_nothing(server):
    told = run(None, "all", "--count", "3", "--model", "gpt-5-mini", "--dry-run")
    assert re.search(r"3 scenarios, 1.13 writings a stage: [\d,]+ requests, [\d,]+ tokens, about \$\d", told)
    found = json.loads(run(server, "all", "--count", "6", "--dry-run", "--solve", "1", "--json"))
    assert found["dollars"] > 1
    assert {stage["stage"]: stage["requests"] for stage in found["stages"]}["solve"] == 90
    alone = json.loads(run(server, "all", "--count", "3", "--dry-run", "--json"))
    assert found["prompt"] > 2 * alone["prompt"]
    assert "of unknown price" in run(None, "all", "--model", "mine", "--dry-run")
    assert "2 scenarios, " in run(None, "all", "ferry_bookings", "choir_roster", "--model", "mine", "--dry-run")
    assert server.requests == []


def test_a_brief_may_not_take_a_name_of_the_library(server, tmp_path):
    file = tmp_path / "briefs.toml"
    write_briefs(
        file, [Brief(name="practice", title="A practice", category="health", description="Visits are booked.")]
    )
    with pytest.raises(UsageError, match="'practice' is a name of the library; rename the brief in"):
        run(server, "all", "practice", "--briefs", str(file), *WANTS)
    assert server.requests == []


def test_ctrl_c_in_a_run_is_told_with_what_is_done(home, briefs, monkeypatch):
    def interrupted(*_):
        yield campaign.Made("seed_bank", home)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_synth, "carry_out", interrupted)
    told = run(None, "all", "lending", "--author", "blueprint", "--count", "2", code=130)
    assert "Interrupted; 1 of 2 scenarios are done. Run it again to go on." in told


def test_orders_that_cannot_be_carried_out_are_told(tmp_path):
    def author():
        raise ScenarioError("is a bug")

    log = Log(tmp_path / "log.jsonl")
    made = list(campaign.carry_out([campaign.Order("a", author, {})], campaign.Terms(tmp_path / "out"), log))
    assert [one.rejected for one in made] == ["is a bug"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        list(campaign.carry_out([], campaign.Terms(tmp_path / "file" / "x"), log))
    order = campaign.Order("seed_bank", author, {})
    with pytest.raises(ScenarioError, match="is not yet whole"):
        _ = Outcome("seed_bank", None, None, (), Draft("seed_bank")).proved
    (tmp_path / "out" / "seed_bank").mkdir()
    (tmp_path / "out" / "seed_bank" / campaign.HISTORY).write_text(f'{{"order": "{order.digest}"}}')
    assert [one.resumed for one in campaign.carry_out([order], campaign.Terms(tmp_path / "out"), log)] == [False]


def test_a_draft_that_cannot_be_written_is_told(server, home, briefs):
    (home / "scenarios").mkdir(parents=True)
    (home / "scenarios" / "drafts").write_text("")
    told = run(server, "tasks", "seed_bank", "--briefs", briefs, *WANTS, code=1)
    assert "drafts/seed_bank cannot be written: Not a directory" in told


# Slips of the user ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["al"], "There is no command 'al' in synth. Did you mean all?"),
        (["lendin"], "There is no blueprint 'lendin'. Did you mean lending"),
        (["--author", "chat"], "awm-gym synth all"),
        (["all"], "No model is named: give --model, or set AWM_GYM_MODEL."),
        (["all", "--model", "m"], "There is no server to ask: set OPENAI_API_KEY"),
        (["all", "--author", "cat"], "There is no author 'cat'. Did you mean chat?"),
        (["all", "--author", "blueprint", "x"], "There is no blueprint 'x'"),
        (["all", "--model", "m", "--base-url", "nowhere"], "The server 'nowhere' is no address"),
        (["all", "--model", "m", "--base-url", "http://h", "--stage-model", "dat=x"], "There is no stage 'dat'"),
        (["all", "--model", "m", "--base-url", "http://h", "--band", "1"], "LOW:HIGH"),
        (["all", "--model", "m", "--base-url", "http://h", "--tools", "9"], "--min-tools 20 is more than --tools 9"),
        (["all", "nobody", "--model", "m", "--base-url", "http://h"], "There is no brief 'nobody'"),
        (["tasks", "--model", "m", "--base-url", "http://h"], "run awm-gym synth scenarios first"),
        (["all", "--model", "m", "--base-url", "http://h", "--briefs", "/dev/null/x", "--from-seeds"], "cannot be"),
        (["all", "--model", "m", "--base-url", "http://h", "--prices", "nothing.toml"], "nothing.toml"),
        (
            ["all", "--model", "m", "--base-url", "http://h", "--out", "/dev/null/x", "--from-seeds"],
            "cannot be written",
        ),
        (["scenarios", "--from-seeds", "--count", "101"], "There are 100 seeds, not enough for 101 briefs"),
        (["report", "nowhere"], "There is no log nowhere/synth.jsonl"),
        (["blueprint", "nobody", "--model", "m", "--base-url", "http://h"], "There is no brief 'nobody'"),
    ],
)
def test_a_slip_of_the_user_is_told_in_one_line(arguments, problem):
    command = [sys.executable, "-m", "awm_gym", "synth", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
    assert found.returncode == 2, found
    assert problem in found.stderr
    assert found.stderr.count("\n") == 1


def test_seeds_are_briefs_without_a_model(home):
    told = run(None, "scenarios", "--from-seeds", "--count", "4")
    assert "4 briefs in " in told
    first = read_briefs(home / "scenarios" / "briefs.toml")
    assert len(first) == 4
    assert len(json.loads(run(None, "scenarios", "--from-seeds", "--count", "6", "--json"))) == 6
    assert read_briefs(home / "scenarios" / "briefs.toml")[:4] == first
    assert "2 briefs" in run(None, "scenarios", "--from-seeds", "--count", "2")


def test_a_growth_that_stalls_is_told(home):
    def dull(request):
        found = answer(request)
        return found.replace("seed_bank", "ferry_desk").replace("festival_crew", "ferry_desk")

    with FakeServer(dull) as server:
        assert "1 briefs" in run(server, "scenarios", "--count", "3", code=1)
        assert run(server, "all", "--count", "3", *WANTS, "--min-tools", "24", "--tools", "30", code=1)
    with FakeServer(lambda request: "{}") as server:
        run(server, "all", "--count", "3", "--out", str(home / "other"), code=1)


def test_a_log_tells_a_report_even_if_its_last_line_was_cut(tmp_path):
    log = Log(tmp_path / "synth.jsonl")
    log.write("attempt", scenario="a", stage="data", round=1, number=1, findings=["x"])
    log.write("attempt", scenario="a", stage="data", round=1, number=2, findings=[])
    log.write("outcome", scenario="a", passed=True, dropped={"t": "why"})
    for model in ("gpt-5-mini", "mine"):
        log.write("request", key=model, scenario="a", stage="data", model=model, prompt_tokens=5, completion_tokens=1)
    with (tmp_path / "synth.jsonl").open("a") as file:
        file.write('{"kind": "att')
    Log(tmp_path / "synth.jsonl").write("attempt", scenario="b\u2028", stage="data", round=1, number=1, findings=[])
    found = report.read_report(tmp_path / "synth.jsonl", Prices())
    assert (found.made, found.dropped, found.attempts, found.first_try) == (("a",), 1, 1.5, 0.5)
    assert found.dollars is None
    assert found.stages["data"].usage.total == 12
    assert "a scenario ? ($0.57)" in run(None, "report", str(tmp_path))
    (tmp_path / "synth.jsonl").write_text("{}\n[]\n")
    with pytest.raises(UsageError, match="2 of its 2 lines are no entries"):
        report.read_report(tmp_path / "synth.jsonl", Prices())
    (tmp_path / "synth.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(UsageError, match="is not UTF-8"):
        report.read_report(tmp_path / "synth.jsonl", Prices())
    (tmp_path / "synth.jsonl").write_text("")
    assert "0 certified" in run(None, "report", str(tmp_path))
