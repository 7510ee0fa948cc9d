"""AgentWorldModel data: finding lines, joining them into scenarios, reading what they say."""

import gzip
import json
import os
import pickle
from datetime import datetime

import pytest

from awm_gym import places
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm import lines as lines_module
from awm_gym.formats.awm.base import build
from awm_gym.formats.awm.index import FILES, Index, normalized, scenario_id
from awm_gym.formats.awm.lines import MAX_LINE, MAX_PROBLEMS
from awm_gym.formats.awm.records import Source
from awm_gym.scenario import ToolCall

CODE = "def verify_task_completion(initial_db_path, final_db_path, final_answer):\n    return {'result': 'complete'}\n"


def scenario_rows(name="Tea Room", others=None):
    """One row for each file of a small scenario; `others` name it differently."""
    others = others or name
    endpoint = {
        "path": "/api/teas/{tea_id}",
        "method": "GET",
        "operation_id": "get_tea",
        "description": None,
        "tags": ["teas"],
        "request_params": {"tea_id": {"type": "integer", "param_type": "path", "required": True, "example": 2}},
        "response": {"id": {"type": "integer"}},
        "required_tables": ["teas"],
    }
    return {
        "gen_scenario.jsonl": [{"name": name, "description": "Pots and cups — à la carte."}],
        "gen_tasks.jsonl": [{"scenario": others, "tasks": ["Pour a cup.", "Wash it."]}],
        "gen_db.jsonl": [
            {
                "scenario": others,
                "db_schema": {"tables": [{"name": "teas", "ddl": "CREATE TABLE teas (id INTEGER)", "indexes": None}]},
                "db_path": "../../etc/passwd",
            }
        ],
        "gen_sample.jsonl": [
            {
                "scenario": others,
                "tables_count": 1,
                "sample_data": {
                    "tables": [{"table_name": "teas", "insert_statements": ["INSERT INTO teas VALUES (2)"]}]
                },
            }
        ],
        "gen_spec.jsonl": [{"scenario": others, "api_spec": {"api_groups": [{"endpoints": [endpoint]}]}}],
        "gen_envs.jsonl": [{"scenario": others, "db_path": "/dev/sda", "full_code": "app = 1\n"}],
        "gen_verifier.jsonl": [verifier(others, 0, "def verify_task(a, b): ...")],
        "gen_verifier.pure_code.jsonl": [verifier(others, 1), verifier(others, 0)],
    }


def verifier(name, task, code=CODE):
    return {"scenario": name, "task_idx": task, "task": "Pour a cup.", "verification": {"code": code}}


@pytest.fixture
def data(tmp_path):
    """Write a folder of data: the tea room, with files replaced by rows or bytes, or left out by None."""

    def write(**replaced):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        for name, rows in (scenario_rows() | {f"gen_{key}.jsonl": value for key, value in replaced.items()}).items():
            if rows is not None:
                content = rows if isinstance(rows, bytes) else b"".join(json.dumps(r).encode() + b"\n" for r in rows)
                (folder / name).write_bytes(content)
        return folder

    return write


def told(index):
    return [str(problem) for problem in index.problems]


def named(name):
    return json.dumps({"name": name}).encode()


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rover", "rover"),
        ("rover!", "rover"),
        ("DocuSign (E-Signature & Agreement)", "docusign_e_signature_agreement"),
        ("  __A--b__ ", "a_b"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\Windows\\con", "c_windows_con"),
        ("/absolute", "absolute"),
        ("a\0b", "a_b"),
        ("a\u202eb", "a_b"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_name_becomes_an_id_that_is_safe_everywhere(name, expected):
    assert normalized(name) == expected
    assert scenario_id(name) == expected


@pytest.mark.parametrize("name", ["茶室", "!!!", "x" * 81, "Long Name " * 30])
def test_a_name_without_a_usable_id_gets_a_hash(name):
    made = scenario_id(name)
    assert made.startswith("awm_")
    assert len(made) == 20
    assert scenario_id(name) == made
    assert scenario_id(name + "茶") == made if normalized(name) else scenario_id(name + "茶") != made


def test_a_hash_is_the_same_for_a_long_name_and_its_normalized_form():
    assert scenario_id("Long Name " * 30) == scenario_id(normalized("Long Name " * 30))


# The index


def test_a_folder_is_joined_into_scenarios(data):
    folder = data()
    found = Index.of(folder)
    assert list(found.entries) == ["tea_room"]
    assert found.problems == ()
    assert found.missing == {}
    entry = found.entry("Tea Room")
    assert entry.title == "Tea Room"
    assert entry.lacks == ()
    assert entry.lines["gen_tasks.jsonl"].number == 1
    assert sorted(entry.by_task["gen_verifier.pure_code.jsonl"]) == [0, 1]
    assert found.entry("tea_room") is entry


def test_files_that_name_a_scenario_differently_are_joined(data):
    rows = scenario_rows("Tea Room (Old Town)", "tea_room_old_town")
    folder = data(**{name[4:-6]: value for name, value in rows.items()})
    assert Index.of(folder).entry("tea_room_old_town").lacks == ()


def test_missing_files_are_named_with_what_cannot_be_done(data):
    found = Index.of(data(envs=None, verifier=None))
    assert found.missing == {
        "gen_envs.jsonl": "there are no applications, so no tools",
        "gen_verifier.jsonl": "no language model can be asked for a verdict",
    }
    assert found.entry("tea_room").lacks == ("gen_envs.jsonl", "gen_verifier.jsonl")


def test_every_file_says_what_is_lost_without_it():
    assert all(file.without for file in FILES if file.required)
    assert len({file.name for file in FILES}) == len(FILES)


@pytest.mark.parametrize("place", ["nowhere", "no\0where"])
def test_a_folder_that_is_not_there_is_named(tmp_path, place):
    with pytest.raises(UsageError, match=r"There is no folder '.*/no"):
        Index.of(tmp_path / place)


def test_a_folder_without_data_is_named_with_the_files_it_should_have(tmp_path):
    place = "empty"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no AgentWorldModel data; that is gen_scenario\.jsonl, gen_tasks"):
        Index.of(tmp_path / place)


def test_an_unknown_scenario_is_told_with_the_nearest(data):
    with pytest.raises(UsageError, match=r"no scenario 'tee_room' in data\. Did you mean tea_room"):
        Index.of(data()).entry("tee_room")


@pytest.mark.parametrize("names", [("Tea Room", "tea room!"), ("Tea Room", "Tea Room")])
def test_two_scenarios_of_one_id_are_an_error_that_names_both_lines_and_costs_no_other(data, names):
    rows = [{"name": names[0]}, {"name": "Bakery"}, {"name": names[1]}]
    found = Index.of(data(scenario=rows))
    assert list(found.entries) == ["bakery"]
    assert told(found) == [
        f"gen_scenario.jsonl, line 3: {names[1]!r} is the scenario tea_room as line 1 is, {names[0]!r}; keep one"
    ]
    with pytest.raises(ScenarioError, match=r"tea_room/gen_scenario\.jsonl, line 3: .* as line 1 is"):
        found.entry("Tea Room")


def test_the_last_of_several_verifiers_counts_and_a_difference_is_told(data):
    rows = [verifier("Tea Room", 0), verifier("tea_room", 0), verifier("tea_room", 0, CODE + "# again\n")]
    found = Index.of(data(**{"verifier.pure_code": rows}))
    assert told(found) == [
        "gen_verifier.pure_code.jsonl, line 3: is another verifier of task 0 than line 2; this one counts"
    ]
    assert Source(found).scenario("tea_room").verifiers[0]["code"] == CODE + "# again\n"


# Lines


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_read(data):
    content = b"\xef\xbb\xbf" + named("Tea Room") + b"\r\n\r\n  \n" + named("Bakery") + b"\r\n"
    found = Index.of(data(scenario=content))
    assert list(found.entries) == ["bakery", "tea_room"]
    assert found.problems == ()
    assert found.entry("bakery").lines["gen_scenario.jsonl"].number == 4
    assert Source(found).scenario("bakery").title == "Bakery"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"name": "Torn', "is not JSON: EOF while parsing a string at line 1 column 14"),
        (b"\x00\x01\x02", "is not JSON"),
        (b'{"name": "\xff\xfe"}', "is not JSON"),
        (b'{"name": "\\ud800"}', "is not JSON"),
        (b'{"name": "x", "n": NaN}', "is not JSON"),
        (b"[" * 5_000, "is not JSON"),
        (b"[1, 2]", "is not an object but [1, 2]"),
        (b"{}", "'name' must be 1 to 1000 characters of text, not None"),
        (b'{"name": 3}', "'name' must be 1 to 1000 characters of text, not 3"),
        (b'{"name": ""}', "'name' must be 1 to 1000 characters of text, not ''"),
        (named("y" * 1_001), "'name' must be 1 to 1000 characters of text, not 'yyy"),
    ],
)
def test_a_bad_line_costs_only_itself(data, line, reason):
    found = Index.of(data(scenario=named("Tea Room") + b"\n" + line + b"\n" + named("Bakery") + b"\n"))
    assert list(found.entries) == ["bakery", "tea_room"]
    assert len(found.problems) == 1
    assert told(found)[0].startswith(f"gen_scenario.jsonl, line 2: {reason}")
    assert "cut off" not in told(found)[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task_idx": True}, "'task_idx' must be an integer from 0 to 9999, not True"),
        ({"task_idx": -1}, "'task_idx' must be an integer from 0 to 9999, not -1"),
        ({"task_idx": 10**30}, "'task_idx' must be an integer from 0 to 9999, not 10000"),
        ({"task_idx": "0"}, "'task_idx' must be an integer from 0 to 9999, not '0'"),
        ({"verification": None}, "'verification.code' must be text, not None"),
        ({"verification": {"code": 7}}, "'verification.code' must be text, not 7"),
    ],
)
def test_a_bad_verifier_costs_only_itself(data, change, reason):
    found = Index.of(data(verifier=[verifier("Tea Room", 0) | change, verifier("Tea Room", 1)]))
    assert list(found.entry("tea_room").by_task["gen_verifier.jsonl"]) == [1]
    assert told(found)[0].startswith(f"gen_verifier.jsonl, line 1: {reason}")


def test_a_torn_last_line_is_told_as_one(data):
    found = Index.of(data(scenario=named("Tea Room") + b"\n" + named("Bakery")[:-3]))
    assert list(found.entries) == ["tea_room"]
    assert told(found)[0].endswith("; the file was cut off here")


def test_a_last_line_without_a_line_break_is_read(data):
    found = Index.of(data(scenario=named("Tea Room") + b"\n" + named("Bakery")))
    assert list(found.entries) == ["bakery", "tea_room"]


def test_a_line_of_50_megabytes_is_skipped_unread(data):
    long = b'{"name": "' + b"x" * (50 * 2**20) + b'"}'
    found = Index.of(data(scenario=named("Tea Room") + b"\n" + long + b"\n" + named("Bakery") + b"\n"))
    assert list(found.entries) == ["bakery", "tea_room"]
    assert told(found) == [f"gen_scenario.jsonl, line 2: has {len(long) + 1} bytes; {MAX_LINE} are allowed"]
    assert Source(found).scenario("bakery").title == "Bakery"


def test_a_line_that_never_ends_is_skipped(data, monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_LINE", 100)
    found = Index.of(data(scenario=named("Tea Room") + b"\n" + b"x" * 1_000, **dict.fromkeys(REST)))
    assert told(found) == ["gen_scenario.jsonl, line 2: has 1000 bytes; 100 are allowed"]


def test_a_line_of_the_longest_length_is_read(data, monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_LINE", len(named("Tea Room")))
    assert list(Index.of(data(scenario=named("Tea Room") + b"\n", **dict.fromkeys(REST))).entries) == ["tea_room"]


REST = ("tasks", "db", "sample", "spec", "envs", "verifier", "verifier.pure_code")


def test_a_file_of_noise_is_told_in_bounds(data):
    found = Index.of(data(scenario=b"noise\n" * (MAX_PROBLEMS + 7)))
    assert len(found.problems) == MAX_PROBLEMS + 1
    assert told(found)[-1] == "gen_scenario.jsonl: 7 more lines are bad"


# Other kinds of files


def test_a_packed_file_is_read_like_a_plain_one(data):
    folder = data()
    for path in sorted(folder.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    for _ in range(2):  # the second time from the cache
        found = Index.of(folder)
        assert found.missing == {}
        assert found.problems == ()
        assert Source(found).scenario("tea_room").tasks == ("Pour a cup.", "Wash it.")


def test_where_both_are_there_the_plain_file_is_read(data):
    folder = data()
    (folder / "gen_scenario.jsonl.gz").write_bytes(b"no gzip at all")
    assert Index.of(folder).problems == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b" " * 40_000_000, mtime=0), "grows to more than 100 times its size or 4 GiB"),
        (gzip.compress(b'{"name": "Tea Room"}\n', mtime=0)[:-9], "cannot be unpacked: Compressed file ended"),
        (b"PK\x03\x04 a zip by another name", "cannot be unpacked: Not a gzipped file"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xff\xff\xff\xff", "cannot be unpacked: Error -3"),
    ],
    ids=["bomb", "torn", "zip", "damaged"],
)
def test_a_bad_packed_file_costs_only_itself_and_leaves_nothing(data, content, reason):
    folder = data(scenario=None)
    (folder / "gen_scenario.jsonl.gz").write_bytes(content)
    before = set((places.cache() / "awm").glob("*.jsonl*"))
    found = Index.of(folder)
    assert list(found.entries) == ["tea_room"]
    assert found.missing == {"gen_scenario.jsonl": "scenarios have no descriptions"}
    assert told(found)[0].startswith(f"gen_scenario.jsonl.gz: {reason}")
    assert set((places.cache() / "awm").glob("*.jsonl*")) == before


def test_a_packed_file_may_not_grow_without_end(data, monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_UNPACKED", 1_000)
    folder = data(scenario=None)
    (folder / "gen_scenario.jsonl.gz").write_bytes(gzip.compress(os.urandom(2_000), mtime=0))
    assert "grows to more than" in told(Index.of(folder))[0]


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(data):
    folder = data(scenario=None)
    os.mkfifo(folder / "gen_scenario.jsonl")
    assert told(Index.of(folder)) == ["gen_scenario.jsonl: is not a regular file"]


def test_a_folder_of_nothing_but_bad_files_says_what_is_wrong_with_them(tmp_path):
    (tmp_path / "gen_db.jsonl").mkdir()
    found = Index.of(tmp_path)
    assert told(found) == ["gen_db.jsonl: is not a regular file"]
    assert found.entries == {}


class Bomb:
    def __reduce__(self):
        return os._exit, (99,)


def test_pickles_and_other_files_are_never_opened(data):
    folder = data()
    for name in ("gen_envs.pkl", "model.pt", "gen_scenario.jsonl.pkl", "loading_script.py"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
    os.mkfifo(folder / "gen_more.jsonl")
    assert Index.of(folder) == Index.of(data())


def test_links_into_a_store_are_followed(data, tmp_path):
    folder = data()
    (folder / "gen_db.jsonl").rename(tmp_path / "blob")
    (folder / "gen_db.jsonl").symlink_to(tmp_path / "blob")
    assert Source(Index.of(folder)).scenario("tea_room").ddl[0].name == "teas"


# The cache


def test_the_second_time_no_line_is_read(data, monkeypatch):
    folder = data(scenario=[{"name": "Tea Room"}, {"nome": "Bakery"}])
    first = Index.of(folder)
    monkeypatch.delattr(lines_module, "_each")
    assert Index.of(folder) == first
    assert len(first.problems) == 1


def test_a_changed_file_is_read_anew(data):
    assert list(Index.of(data()).entries) == ["tea_room"]
    again = Index.of(data(scenario=[{"name": "Tea Room"}, {"name": "Bakery"}]))
    assert list(again.entries) == ["bakery", "tea_room"]


@pytest.mark.parametrize("content", [b"", b"[]", b'[[[1, 2, "x", "y", null, ""]], []]', b'[[["a"]], [[]]]'])
def test_a_damaged_index_file_is_made_again(data, content, monkeypatch, tmp_path):
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "home"))
    folder = data()
    first = Index.of(folder)
    for kept in (places.cache() / "awm").iterdir():
        kept.write_bytes(content)
    assert Index.of(folder) == first


def test_without_a_cache_it_takes_longer_and_works(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AWM_GYM_HOME", str(tmp_path / "file"))
    folder = data()
    assert list(Index.of(folder).entries) == ["tea_room"]
    (folder / "gen_db.jsonl").rename(folder / "plain")
    (folder / "gen_db.jsonl.gz").write_bytes(gzip.compress((folder / "plain").read_bytes()))
    assert told(Index.of(folder)) == ["gen_db.jsonl.gz: cannot be unpacked: Not a directory; fetch it again"]


# Records


def test_a_scenario_is_read_with_all_its_parts(data):
    scenario = Source(Index.of(data())).scenario("Tea Room")
    assert (scenario.name, scenario.title) == ("tea_room", "Tea Room")
    assert scenario.description == "Pots and cups — à la carte."
    assert scenario.tasks == ("Pour a cup.", "Wash it.")
    assert scenario.ddl[0].ddl == "CREATE TABLE teas (id INTEGER)"
    assert scenario.ddl[0].indexes == ()
    assert scenario.inserts[0].insert_statements == ("INSERT INTO teas VALUES (2)",)
    (tool,) = scenario.endpoints
    assert (tool.method, tool.path, tool.operation_id, tool.tags) == ("GET", "/api/teas/{tea_id}", "get_tea", ("teas",))
    assert tool.description == ""
    assert tool.request_params["tea_id"].example == 2
    assert not hasattr(tool, "required_tables")
    assert scenario.code == "app = 1\n"
    assert list(scenario.verifiers) == [0, 1]
    assert scenario.verifiers[0] == {"sql": "def verify_task(a, b): ...", "code": CODE}
    assert scenario.verifiers[1] == {"code": CODE}


def test_a_path_in_the_data_is_never_kept(data):
    assert "passwd" not in repr(Source(Index.of(data())).scenario("tea_room"))


def test_what_is_missing_is_empty_and_named(data):
    scenario = Source(Index.of(data(**dict.fromkeys(REST)))).scenario("tea_room")
    assert scenario.tasks == scenario.ddl == scenario.inserts == scenario.endpoints == ()
    assert scenario.code == ""
    assert scenario.verifiers == {}
    assert scenario.lacks == tuple(file.name for file in FILES[1:] if file.required)


def test_a_scenario_that_only_verifiers_know_has_no_description(data):
    scenario = Source(Index.of(data(scenario=None))).scenario("tea_room")
    assert scenario.description == ""
    assert scenario.lacks == ("gen_scenario.jsonl",)


def spec(**change):
    endpoint = {"path": "/a", "method": "GET", "operation_id": "a"} | change
    return [{"scenario": "Tea Room", "api_spec": {"api_groups": [{"endpoints": [endpoint]}]}}]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"tasks": [{"scenario": "Tea Room", "tasks": ["Pour.", 3]}]},
            "tasks.1: Input should be a valid string, got 3",
        ),
        ({"tasks": [{"scenario": "Tea Room", "tasks": [""]}]}, "tasks.0: String should have at least 1 character"),
        ({"tasks": [{"scenario": "Tea Room", "tasks": None}]}, "tasks: Field required"),
        ({"tasks": [{"scenario": "Tea Room", "tasks": ["x"] * 1_001}]}, "tasks: Tuple should have at most 1000 items"),
        ({"db": [{"scenario": "Tea Room", "db_schema": "CREATE"}]}, "db_schema: Input should be an object"),
        (
            {"sample": [{"scenario": "Tea Room", "sample_data": {"tables": [{"table_name": "t"}, {"x": 1}]}}]},
            "sample_data.tables.1.table_name: Field required",
        ),
        ({"envs": [{"scenario": "Tea Room", "full_code": ["x"]}]}, "full_code: Input should be a valid string"),
        ({"envs": [{"scenario": "Tea Room", "full_code": ""}]}, "full_code: String should have at least 1"),
    ],
)
def test_a_wrong_type_is_named_with_file_line_and_place(data, replaced, message):
    source = Source(Index.of(data(**replaced)))
    (file,) = replaced
    with pytest.raises(ScenarioError, match=rf"^tea_room/gen_{file}\.jsonl, line 1: ") as caught:
        source.scenario("tea_room")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"spec": spec(description="x" * 1_000_000)}, "endpoints.0.description: String should have at most 20000"),
        ({"spec": spec(request_params={"p": {"type": 1}})}, "request_params.p.type: Input should be a valid string"),
        ({"spec": spec(request_params={"p" * 201: {"type": "x"}})}, "String should have at most 200 characters"),
        ({"spec": spec(request_params={"a\x1b[2J": {"type": 1}})}, "request_params.a\\x1b[2J.type: Input"),
        ({"scenario": [{"name": "Tea Room", "description": 5}]}, "description: Input should be a valid string, got 5"),
        ({"verifier": [verifier("Tea Room", 1, ""), verifier("Tea Room", 0)]}, "verification.code: String should have"),
    ],
)
def test_what_a_scenario_can_run_without_costs_only_itself(data, replaced, message):
    scenario = Source(Index.of(data(**replaced))).scenario("tea_room")
    (file,) = replaced
    (problem,) = scenario.problems
    assert problem.startswith(f"tea_room/gen_{file}.jsonl, line 1: ")
    assert message in problem
    assert len(problem) < 500
    assert len(scenario.tasks) == 2
    assert (scenario.endpoints == ()) == (file == "spec")
    assert (scenario.description == "") == (file == "scenario")
    assert list(scenario.verifiers) == [0, 1]


@pytest.mark.parametrize("content", [named("Bakery") * 3, b"", b"\0" * 200])
def test_a_file_that_changed_under_the_index_is_noticed(data, content):
    folder = data()
    source = Source(Index.of(folder))
    line = source.index.entry("tea_room").lines[files.SCENARIOS]
    (folder / files.SCENARIOS).write_bytes(named("Bakery").ljust(line.length) if content.startswith(b"{") else content)
    with pytest.raises(UsageError, match="the file has changed; index the folder again"):
        source.scenario("tea_room")


def test_a_file_that_went_away_is_named(data):
    folder = data()
    source = Source(Index.of(folder))
    (folder / "gen_envs.jsonl").unlink()
    with pytest.raises(ScenarioError, match=r"gen_envs\.jsonl: cannot be read: No such file"):
        source.scenario("tea_room")


def test_solutions_are_read_where_somebody_has_written_them(data):
    calls = [{"name": "get_tea", "arguments": {"tea_id": 2}}, {"name": "list_teas"}]
    rows = [
        {"scenario": "Tea Room", "task_idx": 1, "calls": calls, "answer": "two"},
        {"scenario": "Tea Room", "task_idx": 0, "calls": [], "answer": None},
        {"scenario": "Tea Room", "task_idx": 0, "calls": calls[1:]},
        {"scenario": "Tea Room", "task_idx": 2, "calls": [{"tool": "get_tea"}]},
        {"scenario": "Tea Room", "task_idx": 3, "calls": "get_tea"},
    ]
    found = Index.of(data(solution=rows))
    assert [problem.reason for problem in found.problems] == [
        "'calls' must be a list, not 'get_tea'",
        "is another solution of task 0 than line 2; this one counts",
    ]
    scenario = Source(found).scenario("tea_room")
    assert scenario.solutions == {
        0: ((ToolCall("list_teas", {}),), None),
        1: ((ToolCall("get_tea", {"tea_id": 2}), ToolCall("list_teas", {})), "two"),
    }
    assert "gen_solution.jsonl, line 4" in scenario.problems[-1]
    assert Index.of(data(solution=None)).missing == {}


def test_a_fingerprint_is_that_of_the_content(data):
    first = Source(Index.of(data())).scenario("tea_room")
    assert first.fingerprint == Source(Index.of(data())).scenario("tea_room").fingerprint
    changed = [{"scenario": "Tea Room", "tasks": ["Pour a cup.", "Break it."]}]
    assert first.fingerprint != Source(Index.of(data(tasks=changed))).scenario("tea_room").fingerprint


def test_a_clock_is_told_or_derived_and_a_wrong_one_costs_only_the_description(data):
    told = [{"name": "Tea Room", "description": "Pots.", "now": "2025-06-12T09:40:00"}]
    scenario = Source(Index.of(data(scenario=told))).scenario("tea_room")
    assert scenario.now == build(scenario).now == datetime(2025, 6, 12, 9, 40)
    other = Source(Index.of(data())).scenario("tea_room")
    assert other.now is None
    assert other.fingerprint != scenario.fingerprint
    wrong = [{"name": "Tea Room", "now": "2025-13-12T09:40:00"}]
    scenario = Source(Index.of(data(scenario=wrong))).scenario("tea_room")
    assert scenario.now is None
    assert "now: " in scenario.problems[0]


@pytest.mark.parametrize(("name", "words"), [(".", "is not a regular file"), ("torn.jsonl.gz", "cannot be unpacked")])
def test_a_file_of_solutions_that_cannot_be_read_is_told(tmp_path, name, words):
    (tmp_path / "torn.jsonl.gz").write_bytes(b"\x1f\x8b torn")
    with pytest.raises(UsageError, match=words):
        Index.of_solutions(tmp_path / name)
