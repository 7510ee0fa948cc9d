"""Imported data on the command line: import, list, show, play, suite, forget."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from awm_data_folder import write_folder
from test_imported import folder, home, kennel, scenario  # noqa: F401  the fixtures

from awm_gym import cli
from awm_gym.allowed import AllowList
from awm_gym.sandbox.worker import trial

pytest.importorskip("fastapi", reason="applications need the extra awm")
if sys.platform != "linux" or trial().protection.level < 2:
    pytest.skip("this machine cannot lock up generated Python", allow_module_level=True)


@pytest.fixture
def run(capsys, monkeypatch):
    """The command line in this process: what takes its time is the start of another."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["awm-gym", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=out, stderr=err)

    monkeypatch.setenv("COLUMNS", "120")
    return run


def test_a_folder_is_imported_listed_shown_played_and_forgotten(run, folder):  # noqa: F811
    told = run("awm", "import", str(folder))
    assert (told.returncode, told.stderr) == (0, "")
    assert "awm/kennel" in told.stdout
    assert "1 scenarios can be made by gym.make." in told.stdout
    assert "imported, not certified" in run("list").stdout
    listed = json.loads(run("list", "--json").stdout)
    assert [row["scenarios"] for row in listed if "imported" in row] == [["kennel"]]
    shown = run("show", "kennel")
    assert shown.returncode == 0
    assert "who is signed in" in shown.stdout
    assert "walk   2" in shown.stdout
    assert "dog: string, day: string, note: any (optional)" in " ".join(shown.stdout.split())
    document = json.loads(run("show", "kennel", "--json").stdout)
    assert (document["rows"], document["user"], list(document["tasks"])) == (
        2,
        {"id": 1},
        ["task_0", "task_1", "task_2"],
    )
    assert "book_walk(dog='Cleo', day='2025-03-12')" in run("show", "kennel", "task_0").stdout
    assert "none is known" in run("show", "kennel", "task_2").stdout
    assert json.loads(run("show", "kennel", "task_2", "--json").stdout)["solution"] is None
    calls = "list_walks dog=Bo\nbook_walk dog=Cleo day=2025-03-12\nget_dog name=Bo\nsubmit answer=done\n"
    played = run("play", "kennel", "task_0", stdin=calls)
    assert played.returncode == 0, played.stderr
    assert "solved, reward 1. The verifier says complete." in played.stdout
    assert '"name": "Bo"' in played.stdout
    changes = json.loads(run("play", "kennel", "task_0", "--json", stdin=calls).stdout)["changes"]
    assert [(change["table"], change["key"], change["after"]["dog"]) for change in changes] == [
        ("walk", {"id": 3}, "Cleo")
    ]
    calls = "renumber_walk walk_id=1 body_walk_id=9\nsubmit answer=done\n"
    assert "failed, reward 0" in run("play", "kennel", "task_0", stdin=calls).stdout
    assert run("awm", "forget", str(folder)).stdout == f"1 scenarios of {folder} are forgotten.\n"
    assert run("show", "kennel").returncode == 2


def test_an_import_tells_what_is_wrong_with_the_data(run, folder):  # noqa: F811
    with (folder / "gen_tasks.jsonl").open("a") as file:
        file.write("{torn\n" * 12)
    told = run("awm", "import", str(folder)).stdout
    assert "gen_tasks.jsonl, line 2: is not JSON" in told
    assert "... and 2 more problems; --json has them all" in told
    document = json.loads(run("awm", "import", str(folder), "--json").stdout)
    assert len(document["problems"]) == 12
    assert document["scenarios"] == {"kennel": []}
    (folder / "gen_spec.jsonl").unlink()
    assert "gen_spec.jsonl is missing: arguments have no examples" in run("awm", "import", str(folder)).stdout


def test_many_scenarios_are_told_by_the_first(run, tmp_path):
    many = write_folder(tmp_path / "many", [kennel(title=f"Kennel {n}") for n in range(12)])
    assert "12 scenarios can be made by gym.make, 2 of them not shown here." in run("awm", "import", str(many)).stdout
    assert "and 7 more" in " ".join(run("list").stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("awm", "import", "nowhere"), "There is no folder 'nowhere'"),
        (("awm", "import", "{folder}", "--prefix", "A b"), "the prefix 'A b' must be"),
        (("awm", "forget", "nowhere"), "There is no imported folder"),
        (("show", "kennle"), "Did you mean kennel"),
        (("show", "kennel", "task_00"), "Did you mean task_0"),
        (("check", "kennel"), "kennel is imported data"),
        (("play", "kennel", "task_00"), "Did you mean task_0"),
    ],
)
def test_slips_end_in_one_line(run, folder, arguments, words):  # noqa: F811
    run("awm", "import", str(folder))
    told = run(*(argument.format(folder=folder) for argument in arguments))
    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_suite_may_name_imported_data_and_be_filtered(run, folder, scenario, tmp_path):  # noqa: F811
    run("awm", "import", str(folder))
    suite, passed = tmp_path / "mine.toml", tmp_path / "passed.toml"
    marks = f'kennel = "{scenario.fingerprint}"\nparcel_lockers = "{"0" * 64}"\n'
    suite.write_text(f'title = "Mine"\ngates = 0\n\n[scenarios]\n{marks}')
    AllowList(title="Passed", fingerprints={"kennel": scenario.fingerprint}, tasks={"kennel": ["task_0"]}).write(passed)
    assert len(json.loads(run("suite", str(suite), "--json").stdout)) == 2
    told = json.loads(run("suite", str(suite), "--allow-list", str(passed), "--json").stdout)
    assert told == [{"scenario": "kennel", "fingerprint": scenario.fingerprint, "same": True}]
