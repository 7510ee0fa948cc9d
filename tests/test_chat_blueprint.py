"""A language model writes a blueprint: what it is told, what is found in its files, how they are mended or rejected."""

import json
import re

import pytest
from blueprints import readme_files
from fake_openai import FakeServer

from awm_gym.blueprints import data, format, store
from awm_gym.blueprints.folder import FILES
from awm_gym.blueprints.trial import Trial
from awm_gym.errors import Unreadable, UsageError
from awm_gym.llm import Ledger, Model, Settings
from awm_gym.speech import HOWS
from awm_gym.synth import blueprint_trial, chat_blueprint, runs
from awm_gym.synth.briefs import Brief
from awm_gym.synth.chat_blueprint import ORDER, FileForm, write_blueprint
from awm_gym.synth.prompts import rendered

README = readme_files()
BRIEF = Brief(
    name="bike_hire",
    title="Counter of a bike hire",
    category="transport",
    description="Bikes go out to riders and come back. A hire can be made longer, a bike can break, a fee can change.",
)
_LABEL = re.compile(r"\[awm-gym stage=blueprint scenario=(\w+) item=(\S+) attempt=(\d+)\]")


def whole(text):
    return FileForm(text=text, edits=[], elsewhere=[])


def edits(*pairs):
    return FileForm(text="", edits=[{"old": old, "new": new} for old, new in pairs], elsewhere=[])


def elsewhere(file, problem):
    return FileForm(text="", edits=[], elsewhere=[{"file": file, "problem": problem}])


def changed(file, old, new):
    assert README[file].count(old) >= 1, f"{file} has no {old!r}"
    return whole(README[file].replace(old, new, 1))


def answer(messages, mistakes):
    """What the script says: the README's file, or the mistake that it is to make at this attempt."""
    scenario, file, attempt = _LABEL.findall(messages[-1]["content"])[-1]
    assert scenario == "bike_hire"
    always = mistakes.get(file, whole(README[file]))
    return mistakes.get((file, int(attempt)), always)


@pytest.fixture(scope="module", autouse=True)
def few_seeds():
    """What is rare is looked for in a few seeds only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blueprint_trial, "OCCURS_WITHIN", 6)
        yield


class Scripted:
    """Answers in process, and keeps the requests."""

    def __init__(self, mistakes=()):
        self.mistakes, self.requests = dict(mistakes), []

    def ask_all(self, requests):
        self.requests += requests
        return [answer(request.messages, self.mistakes) for request in requests]

    def told(self, file, attempt):
        """The conversation at one attempt."""
        here = f"item={file} attempt={attempt}]"
        return next(one.messages for one in self.requests if one.messages[-1]["content"].endswith(here))


def written(tmp_path, mistakes=(), **options):
    asker = Scripted(mistakes)
    outcome = write_blueprint(asker, BRIEF, tmp_path / "out", **{"seeds": 4, "gates_seeds": 1, **options})
    return asker, outcome


def tried(tmp_path, check, *changes, seeds=3, gates_seeds=0):
    """What one check finds in the README's files with some changes, by file."""
    files = {name: README[name] for name in ORDER[: ORDER.index(check) + 1]}
    for file, old, new in changes:
        assert old in files[file], f"{file} has no {old!r}"
        files[file] = files[file].replace(old, new, 1)
    tmp_path.mkdir(exist_ok=True)
    bench = blueprint_trial.Bench(tmp_path / "bike_hire", seeds, gates_seeds)
    found = bench.findings(check, files)
    assert bench.findings(check, files) is found, "the same files were tried twice"
    return found


# The way through.


@pytest.fixture(scope="module")
def career(tmp_path_factory):
    """A model that makes a mistake in every file, and mends each when it is told."""
    unused = (
        '\n[count_riders]\ndescription = "How many riders there are."\nsql = "SELECT count(*) AS riders FROM rider;"\n'
    )
    mistakes = {
        ("blueprint.toml", 1): changed(
            "blueprint.toml", 'role = "clerk at the counter" }', 'role = "clerk at the counter }'
        ),
        ("schema.sql", 1): Unreadable("line 1, column 9: the JSON ends in a text", '{"text": "CREATE TAB'),
        ("invariants.sql", 1): changed("invariants.sql", "-- A bike is never on two open hires at once.\n", ""),
        ("tables.toml", 1): changed("tables.toml", "fixed = [{ broken = 1 }", "fixed = [{ brokn = 1 }"),
        ("tables.toml", 2): edits(("fixed = [{ brocken = 1 }", "fixed = [{ broken = 1 }")),
        ("tables.toml", 3): edits(("fixed = [{ brokn = 1 }", "fixed = [{ broken = 1 }")),
        ("tools.toml", 1): changed(
            "tools.toml", "daily_fee, status FROM bike_now WHERE", "fee, status FROM bike_now WHERE"
        ),
        ("tools.toml", 2): whole(README["tools.toml"] + unused),
        ("entities.toml", 1): changed(
            "entities.toml",
            "id, model, daily_fee, status FROM bike_now",
            "bike_now.id, model, daily_fee, status FROM bike_now, clerk",
        ),
        ("goals.toml", 1): changed("goals.toml", "where = \"status <> 'out'\"", "where = \"status = 'out'\""),
        ("goals.toml", 2): whole(README["goals.toml"].replace("until {day|day}", "for longer")),
    }
    seen = []
    asker, outcome = written(tmp_path_factory.mktemp("career"), mistakes, told=seen.append)
    assert tuple(seen) == outcome.attempts
    return asker, outcome


def test_a_blueprint_is_written_file_by_file_and_each_mistake_is_found_and_mended(career):
    _, outcome = career
    found = {(one.file, one.number): " | ".join(one.findings) for one in outcome.attempts}
    expected = {
        ("blueprint.toml", 1): "blueprint.toml: .*line 4",
        ("blueprint.toml", 2): "",
        ("schema.sql", 1): "schema.sql: the answer cannot be read: line 1, column 9",
        ("schema.sql", 2): "",
        ("invariants.sql", 1): "invariants.sql: line .: say in a comment line above what must never be",
        ("invariants.sql", 2): "",
        ("tables.toml", 1): "bike.columns.fixed: There is no column of the group 'brokn'",
        ("tables.toml", 2): "tables.toml: edits: 'fixed = .*' stands there 0 times, not once.*no column of the group",
        ("tables.toml", 3): "",
        ("tools.toml", 1): "tools.toml: list_bikes.*no such column: fee",
        ("tools.toml", 2): "",
        ("entities.toml", 1): "entities.toml: bike.rows: has an id twice; give one row for each thing$",
        ("entities.toml", 2): "",
        (
            "goals.toml",
            1,
        ): "goals.toml: reprice: never became a task.*solution refused: set_fee was answered refused: The ",
        ("goals.toml", 2): "tools_prepare: count_riders: ",
        ("tools.toml", 3): r"nothing_is_hidden: extend.*\(its instruction: ",
        ("goals.toml", 3): "",
    }
    assert list(found) == list(expected)
    for place, pattern in expected.items():
        assert re.search(pattern, found[place]) if pattern else found[place] == "", (place, found[place])
    assert outcome.rejected == ""
    assert outcome.files == {name: text for name, text in README.items()}


def test_what_was_written_stands_in_a_folder_that_the_commands_take(career):
    _, outcome = career
    assert [entry.name for entry in outcome.folder.parent.iterdir()] == ["bike_hire"]
    assert {entry.name for entry in outcome.folder.iterdir()} == set(FILES)
    trial = Trial(store.blueprint(str(outcome.folder)))
    for seed in range(100, 110):
        trial.add(seed)
    assert trial.passed
    made = outcome.folder.parent.parent / "made"
    done = runs.make(runs.Order(str(outcome.folder), 7), str(made))
    assert done.findings == ()
    assert (made / "bike_hire_7" / "certificate.json").is_file()


def test_the_outcome_tells_the_figures_of_the_trial(career):
    _, outcome = career
    document = json.loads(json.dumps(outcome.document()))
    assert document["blueprint"] == "bike_hire"
    assert document["folder"].endswith("bike_hire")
    assert document["figures"]["passed"]
    assert document["figures"]["seeds"] == 4
    assert document["figures"]["mutants_noticed"][1] > 0, "the gates have run"
    assert document["attempts"][0]["file"] == "blueprint.toml"
    assert document["rejected"] == ""


def test_a_request_holds_the_rules_the_brief_and_the_files_so_far(career):
    asker, _ = career
    system, prompt = asker.told("goals.toml", 1)
    assert system["role"] == "system"
    assert "<<word>>" in system["content"]
    assert BRIEF.description in prompt["content"]
    assert "[take_back]" not in prompt["content"].partition("# The file to write: goals.toml")[2]
    for name in ORDER[:-1]:
        assert f"{name}:\n\n```" in prompt["content"]
    assert README["entities.toml"].strip() in prompt["content"]
    assert {(one.scenario, one.stage, one.answer) for one in asker.requests} == {("bike_hire", "blueprint", FileForm)}


def test_a_repair_shows_the_file_as_it_stands_and_what_was_found(career):
    asker, _ = career
    _, first, said, repair = asker.told("tables.toml", 3)
    assert first["content"].startswith("# The application")
    standing = json.loads(said["content"])["text"]
    assert "brokn" in standing, "an edit that does not fit leaves the file as it was"
    assert "stands there 0 times" in repair["content"]
    assert "There is no column of the group 'brokn'" in repair["content"]


def test_a_repair_after_gates_says_what_they_demand(career):
    asker, _ = career
    repair = asker.told("goals.toml", 3)[-1]["content"]
    assert "What these tests demand:\n\n- nothing_is_hidden: " in repair


def test_an_answer_that_could_not_be_read_is_shown_as_it_was_said(career):
    asker, _ = career
    assert asker.told("schema.sql", 2)[2] == {"role": "assistant", "content": '{"text": "CREATE TAB'}


def test_over_http_the_answers_are_paid_for_once(tmp_path):
    mistakes = {("entities.toml", 1): changed("entities.toml", 'owners = ["rider"]', 'owners = ["ridre"]')}

    def served(request):
        text = answer(request["messages"], mistakes).model_dump_json()
        return text if "item=tables.toml" in request["messages"][-1]["content"] else f"```json\n{text}\n```"

    def asked(url, out):
        settings = Settings(model="any", base_url=url, patience=0.0)
        with Model(settings, Ledger(settings), memory=tmp_path / "memory") as model:
            return write_blueprint(model, BRIEF, tmp_path / out, seeds=2, gates_seeds=0)

    with FakeServer(served) as server:
        first = asked(server.url, "a")
        assert len(server.requests) == 8
        second = asked(server.url, "b")
        assert len(server.requests) == 8
    assert first.attempts == second.attempts
    assert first.attempts[5].findings[0].startswith("bike_hire/entities.toml: hire: There is no column 'ridre'")
    assert first.files == second.files == README
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True


# What is found, and in which file.


@pytest.mark.parametrize(
    ("check", "change", "file", "words"),
    [
        ("blueprint.toml", ("blueprint.toml", "summary =", "sumary ="), "blueprint.toml", "sumary"),
        ("schema.sql", ("schema.sql", "STRICT;", "STRIC;"), "schema.sql", "unknown table option: STRIC"),
        ("schema.sql", ("schema.sql", " REFERENCES bike (id)", ""), "schema.sql", "is named like the key of bike"),
        ("invariants.sql", ("invariants.sql", "bike_id FROM", "byke_id FROM"), "invariants.sql", "byke_id"),
        (
            "tables.toml",
            ("invariants.sql", "HAVING count(*) > 1", "HAVING count(*) > 9"),
            "invariants.sql",
            "no change of",
        ),
        ("tables.toml", ("blueprint.toml", "FROM clerk", "FROM clark"), "blueprint.toml", "no such table: clark"),
        (
            "tables.toml",
            ("tables.toml", 'table = "hire"\nfor', 'rows = 2\ntable = "hire"\nfor'),
            "tables.toml",
            "the data break",
        ),
        ("tables.toml", ("tables.toml", "{ day = [-6, 5] }", '"soon"'), "tables.toml", "hire.due_on: holds"),
        (
            "tools.toml",
            ("tools.toml", "'repair' AS status", "'broken' AS status"),
            "tools.toml",
            "is answered invalid_arg",
        ),
        (
            "tools.toml",
            ("tools.toml", "WHERE status = 'out'", "WHERE status = 'repair'"),
            "tools.toml",
            "refusals_bear_load: set_fee",
        ),
        (
            "entities.toml",
            ("entities.toml", 'name = "list_bikes"', 'name = "list_byks"'),
            "entities.toml",
            "no tool 'list_byks'",
        ),
        (
            "entities.toml",
            ("entities.toml", 'arguments = { rider = "{rider}" }', 'arguments = { ridr = "{rider}" }'),
            "entities.toml",
            "list_hires was answered invalid_arguments",
        ),
        ("goals.toml", ("goals.toml", '"close {it}"', '"close the the {it}"'), "goals.toml", "language: "),
        (
            "goals.toml",
            ("goals.toml", "= date(now())", "> date(now())"),
            "goals.toml",
            "take_back: never became a task that can be done, in 6 seeds (",
        ),
        (
            "goals.toml",
            ("tools.toml", "SET due_on = :due_on", "SET due_on = NULL"),
            "tools.toml",
            "was answered constraint",
        ),
    ],
)
def test_a_slip_is_found_by_the_check_of_its_file(tmp_path, check, change, file, words):
    found = tried(tmp_path, check, change, gates_seeds=1 if check == "tools.toml" else 0)
    assert any(one.file == file and words in one.words for one in found), found


def test_things_that_cannot_be_told_apart_are_found(tmp_path):
    alike = ("entities.toml", 'names = { model = "the {model}" }', 'qualifiers = { state = "in the state {status}" }')
    assert tried(tmp_path, "entities.toml", alike) == (), "by model or by a state of its own"
    (found,) = tried(
        tmp_path,
        "entities.toml",
        alike,
        (
            "entities.toml",
            "SELECT id, model, daily_fee, status FROM bike_now",
            "SELECT id, 'new' AS status, 1 AS daily_fee FROM bike",
        ),
        ("entities.toml", "{ ready = \"status = 'ready'\", broken = \"status = 'repair'\" }", "{}"),
    )
    assert found.file == "entities.toml"
    assert "bike: nothing of it could be told in words, found by tools and asked about, in 6 seeds" in found.words
    assert "about_bike" in found.words


def test_an_entity_of_a_part_is_asked_for_with_its_part(tmp_path):
    part = ("blueprint.toml", "summary = ", "parts = { riders = 0.5 }\nsummary = ")
    rider = """[rider]
part = "riders"
one = "rider"
many = "riders"
rows = "SELECT id, name FROM rider"
names = { name = "{name}" }
find = [{ calls = [{ name = "list_hires", arguments = { past = true } }] }]

[bike]"""
    assert tried(tmp_path, "entities.toml", part, ("entities.toml", "[bike]", rider), seeds=8) == ()


def test_a_blueprint_has_enough_in_it_for_a_scenario(tmp_path):
    entities = README["entities.toml"]
    hires = entities[entities.index("[hire]") :]
    (found,) = tried(tmp_path, "entities.toml", ("entities.toml", hires, ""))
    assert found == ("entities.toml", "entities.toml: has 1 entries; write at least 2")


def test_an_error_without_a_file_is_told_of_the_file_that_was_tried(tmp_path):
    assert blueprint_trial.placed("nobody knows where", "tables.toml").file == "tables.toml"
    assert blueprint_trial.placed("bike_hire_3/data.sql: line 1: no", "goals.toml").file == "tables.toml"
    assert blueprint_trial.placed("bike_hire/notes.toml: odd", "goals.toml").file == "goals.toml"


def test_a_key_that_is_none_is_found_in_the_schema(tmp_path):
    found = tried(
        tmp_path, "schema.sql", ("schema.sql", "rider (id INTEGER PRIMARY KEY", "rider (key INTEGER PRIMARY KEY")
    )
    assert [one.file for one in found] == ["schema.sql"]
    assert "foreign key mismatch" in found[0].words


def test_tasks_that_could_not_be_made_are_told_with_the_reasons(tmp_path):
    found = tried(
        tmp_path,
        "goals.toml",
        ("entities.toml", "ON bike.id = bike_id'''", "ON bike.id = bike_id WHERE hire.id < 0'''"),
        ("goals.toml", "where = \"status = 'out'\"", "where = \"status = 'lost'\""),
        ("goals.toml", "where = \"status <> 'out'\"", "where = \"status = 'out'\""),
        ("goals.toml", 'expect = "sum(daily_fee) / 100.0"', 'expect = "NULL"'),
        seeds=1,
    )
    words = [one.words for one in found if one.file == "goals.toml"]
    assert any(re.match(r"goals.toml: only \d+ of 12 tasks could be made", one) for one in words)
    (why,) = [one for one in words if one.startswith("goals.toml: bound, but not made tasks: ")]
    assert re.search(r"income set: expect gives no value of the answer's type \(\d+ times\)", why)
    assert not any("never became" in one for one in words), "what is at fault is mended first"


def test_a_goal_that_is_only_rare_is_let_pass_if_it_is_seen_at_all(tmp_path):
    out = ("goals.toml", "where = \"status <> 'out'\"", "where = \"status = 'lost'\"")
    assert tried(tmp_path / "seen", "goals.toml", out) == (), "as one that cannot be done"
    no = ("goals.toml", "where = \"status = 'out'\"", "where = \"status = 'lost'\"")
    found = tried(tmp_path / "unseen", "goals.toml", out, no)
    assert len(found) == 1
    assert found[0].words.startswith("goals.toml: reprice: never became a task that can be done, in 6 seeds (reprice ")


def test_with_many_seeds_every_branch_must_be_seen(tmp_path):
    never = ("goals.toml", "where = \"status = 'out'\"", "where = \"status = 'lost'\"")
    assert tried(tmp_path / "few", "goals.toml", never, seeds=5) == ()
    (found,) = tried(tmp_path / "many", "goals.toml", never, seeds=6)
    assert found.words == "goals.toml: the branch reprice: infeasible out was never seen in 6 seeds"


# Other answers.


def test_a_model_may_say_that_another_file_is_wrong(tmp_path):
    mistakes = {
        ("tables.toml", 1): elsewhere("goals.toml", "is not there yet"),
        ("tables.toml", 2): elsewhere("schema.sql", "bike has no colour"),
        ("schema.sql", 2): changed("schema.sql", "  broken INTEGER", "  colour TEXT,\n  broken INTEGER"),
    }
    asker, outcome = written(tmp_path, mistakes, seeds=2, gates_seeds=0)
    places = [(one.file, one.number) for one in outcome.attempts][3:7]
    assert places == [("tables.toml", 1), ("tables.toml", 2), ("schema.sql", 2), ("tables.toml", 3)]
    assert "There is no other file 'goals.toml'" in outcome.attempts[3].findings[0]
    assert outcome.attempts[4].findings == ("schema.sql: bike has no colour",)
    assert "- schema.sql: bike has no colour\n" in asker.told("schema.sql", 2)[-1]["content"]
    assert "colour TEXT" in outcome.files["schema.sql"]
    assert outcome.folder is not None


def test_an_answer_that_holds_nothing_is_asked_for_again(tmp_path):
    mistakes = {("schema.sql", 1): whole("  \n"), ("tables.toml", 1): Unreadable("is empty", "")}
    asker, outcome = written(tmp_path, mistakes, seeds=2, gates_seeds=0)
    assert outcome.attempts[1].findings == ("schema.sql: `text` is empty; write the whole file, or give `edits`",)
    assert outcome.attempts[4].findings == ("tables.toml: the answer cannot be read: is empty",)
    assert len(asker.told("tables.toml", 2)) == 2, "nothing was said that could be shown"
    assert outcome.rejected == ""


def test_long_findings_are_told_in_part():
    told = chat_blueprint._repair("goals.toml", ["x" * 900, *(f"finding {number}" for number in range(20))])
    assert "x" * 700 + " ...\n" in told
    assert "- finding 13\n- and 6 more of this kind\n" in told
    assert "What these tests demand" not in told


# Giving up.


def test_a_file_that_is_never_mended_sends_the_file_before_back_once_and_is_rejected(tmp_path):
    never = {"tables.toml": changed("tables.toml", "fixed = [{ broken = 1 }", "fixed = [{ brokn = 1 }")}
    asker, outcome = written(tmp_path, never, attempts=2)
    assert [one.file for one in outcome.attempts] == [
        *ORDER[:3],
        *["tables.toml"] * 2,
        "invariants.sql",
        *["tables.toml"] * 2,
    ]
    assert "tables.toml cannot be written on this: " in asker.told("invariants.sql", 2)[-1]["content"]
    assert outcome.rejected.startswith(
        "tables.toml could not be mended (attempts: 2): bike_hire/tables.toml: bike.columns.fixed: "
    )
    assert outcome.folder is None
    assert outcome.figures == {}
    assert outcome.files["tables.toml"] == never["tables.toml"].text
    assert outcome.document()["folder"] is None
    assert list((tmp_path / "out").iterdir()) == []


def test_the_first_file_has_none_before_it(tmp_path):
    _, outcome = written(tmp_path, {"blueprint.toml": Unreadable("no JSON", "Sure!")}, attempts=3)
    assert [one.number for one in outcome.attempts] == [1, 2, 3]
    assert outcome.rejected == (
        "blueprint.toml could not be mended (attempts: 3): blueprint.toml: the answer cannot be read: no JSON"
    )
    assert outcome.files == {}


def test_a_rejection_counts_the_other_findings(tmp_path):
    wordless = changed("invariants.sql", "-- A bike is never on two open hires at once.\n", "")
    mistakes = {("invariants.sql", 1): wordless, ("invariants.sql", 2): Unreadable("gone", "")}
    _, outcome = written(tmp_path, mistakes, attempts=1)
    assert [one.file for one in outcome.attempts] == [*ORDER[:3], "schema.sql", "invariants.sql"]
    assert outcome.rejected == (
        "invariants.sql could not be mended (attempts: 1): invariants.sql: the answer cannot be read: gone (and 1 more)"
    )


def test_a_folder_that_is_there_or_cannot_be_written_costs_nothing(tmp_path):
    asker = Scripted()
    (tmp_path / "bike_hire").mkdir()
    with pytest.raises(UsageError, match=r"bike_hire is there already; remove it, or name another folder with --out\."):
        write_blueprint(asker, BRIEF, tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(UsageError, match=r"file cannot be written \(.*\); name another folder with --out"):
        write_blueprint(asker, BRIEF, tmp_path / "file")
    assert asker.requests == []


# The prompts.


def test_the_example_of_the_prompts_is_the_one_of_the_readme():
    shown = re.findall(r"```(?:toml|sql)\n((?:#|--) (\w+\.\w+).*?)```", rendered("blueprint_example"), re.S)
    assert tuple(name for _, name in shown) == ORDER
    assert {name: text for text, name in shown} == README


@pytest.mark.parametrize(
    ("prompt", "models"),
    [
        ("blueprint_head", (format.Head, format.Clock, format.Person, format.Flavour, format.Phrases)),
        ("blueprint_tables", (format.Group,)),
        ("blueprint_entities", (format.Entity, format.Adjective, format.Flag, format.Limit, format.Find)),
        ("blueprint_goals", (format.Goal, format.Step, format.Choose, format.Obstacle, format.Trap)),
        ("blueprint_goals", (format.Conditional, format.Pair)),
    ],
)
def test_the_rules_of_a_file_tell_every_key_that_there_is(prompt, models):
    rules = rendered(prompt, **({"least": "5"} if prompt in ("blueprint_entities", "blueprint_goals") else {}))
    for model in models:
        for key in model.model_json_schema()["properties"]:
            known = key in ("name", "part", "columns") or re.search(rf"\b{key}\b", rules)
            assert known, f"{prompt} says nothing of {model.__name__}.{key}"


def test_the_rules_of_tables_tell_every_generator():
    rules = rendered("blueprint_tables")
    for kind, options in data._KINDS.items():
        for word in (kind, *options):
            assert re.search(rf"\b{word} = ", rules), f"nothing is said of {kind}.{word}"


def test_the_rules_tell_how_values_can_be_said():
    for how in HOWS[1:]:
        assert f"`{how}`" in chat_blueprint._system()


def test_the_keys_are_those_of_the_format():
    keys = chat_blueprint._keys((format.Conditional, format.Entity))
    assert "- Conditional: on*, if*, then*, otherwise*, part\n" in keys
    assert "- Entity: part, one*, many*, rows*, " in keys
    assert "- Step: name, find, " in keys
    assert chat_blueprint._keys(()) == ""


def test_the_form_is_closed_and_requires_every_field():
    schema = json.dumps(FileForm.model_json_schema())
    assert schema.count('"additionalProperties": false') == 3
    assert '"required": ["text", "edits", "elsewhere"]' in schema
