"""A language model writes a scenario: what it is asked, how its mistakes are found, told and mended."""

import json
import re
from dataclasses import replace

import mistakes
import pytest
import scripted
from mistakes import ALONE, ALWAYS, DROPPED, GARBLED, HARMLESS, MENDED, MISTAKES, REJECTED, UNNOTICED, Mistake, put

from awm_gym.blueprints import store
from awm_gym.errors import ScenarioError
from awm_gym.files import load, save
from awm_gym.gates import GATES
from awm_gym.gates.certificate import VERSION, Certificate
from awm_gym.synth import filled, goals
from awm_gym.synth.asking import MAX_LOOKS
from awm_gym.synth.chat import MAX_PARTS
from awm_gym.synth.draft import STAGE, STAGES, Blame, Draft, blame, findings
from awm_gym.synth.pipeline import Least, synthesize

SCENARIOS = ("ferry_desk", "festival_crew", "seed_bank")


# Mistakes -------------------------------------------------------------------------------------------------------------


def named(mistake):
    return f"{mistake.scenario}-{mistake.stage}-{mistake.name}".replace(" ", "_")


@pytest.mark.parametrize("mistake", MISTAKES, ids=named)
def test_a_mistake_is_found_for_the_right_reason(mistake):
    found = mistakes.findings_of(mistakes.together(mistake.scenario), mistake)
    assert found, f"nothing matches {mistake.found!r}"
    assert found[0][0].number < 20


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_finding_stands_for_two_mistakes(scenario):
    made = [one for one in MISTAKES if one.scenario == scenario]
    first = [mistakes.findings_of(mistakes.together(scenario), one)[0] for one in made]
    assert [one.name for one, found in zip(made, first, strict=True) if first.count(found) > 1] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_with_all_its_mistakes_mended_is_certified_and_as_it_was_meant(scenario, tmp_path):
    outcome = mistakes.together(scenario)
    assert outcome.rejected == ""
    assert outcome.dropped == ()
    assert outcome.certificate.passed
    assert outcome.scenario == scripted.scenario_of(scenario)
    save(outcome.scenario, tmp_path / scenario)
    assert load(tmp_path / scenario) == outcome.scenario


@pytest.mark.parametrize("mistake", [one for one in ALONE if one.end == MENDED], ids=named)
def test_a_mistake_that_a_later_stage_finds_is_mended(mistake):
    outcome = mistakes.apart(mistake)
    attempt, _ = mistakes.findings_of(outcome, mistake)[0]
    assert attempt.round == 1
    assert outcome.rejected == ""
    if mistake.then is None:
        rounds = [one.round for one in outcome.attempts if one.stage == mistake.stage]
        assert rounds == [1, 2]


@pytest.mark.parametrize("scenario", ["ferry_desk", "seed_bank"])
def test_what_is_never_mended_is_given_up_and_the_rest_is_certified(scenario):
    never = [one for one in ALONE if (one.end, one.scenario) == (DROPPED, scenario)]
    outcome = mistakes.apart(never[0])
    assert outcome.rejected == ""
    assert outcome.certificate.passed
    assert outcome.proved == (outcome.scenario, outcome.certificate)
    for mistake in never:
        assert mistakes.findings_of(outcome, mistake)
        assert [name for name, why in outcome.dropped if re.search(mistake.found, why)]
    gone = {name for name, _ in outcome.dropped}
    assert len(gone) == len(outcome.dropped) == len(never)
    whole = scripted.scenario_of(scenario)
    assert set(whole.tasks) - set(outcome.scenario.tasks) | set(whole.tools) - set(outcome.scenario.tools) == gone
    for kind in ("tasks", "tools"):
        kept = getattr(outcome.scenario, kind)
        assert kept == {name: part for name, part in getattr(whole, kind).items() if name in kept}


def test_words_that_leave_open_what_is_meant_are_mended_by_who_proves_the_task():
    vague = next(one for one in ALONE if one.name == "a task that several rows fit")
    outcome = mistakes.play(vague, mistakes.better_words("parcel_for_the_dale", "seed_bank"), scenario="seed_bank")
    assert outcome.scenario == scripted.scenario_of("seed_bank")
    assert outcome.dropped == ()
    assert [one.number for one in outcome.attempts if one.stage == "gates"] == [1, 2]
    assert re.search(vague.found, outcome.attempts[-3].findings[0])


def test_too_much_to_give_up_is_a_rejection():
    never = next(one for one in ALONE if one.item == "verhoeven_stays_home")
    other = replace(
        never, item="friday_called_off", spoil=put("sunk", "ends", 0, "rows", "sailing", "cells", "status", "value")
    )
    outcome = mistakes.play(never, other, until="goals", attempts=2, least=Least(tasks=9))
    assert outcome.scenario is None
    assert outcome.rejected.startswith("goals: verhoeven_stays_home: changes: the database does not take this end")
    assert outcome.dropped == ()
    assert [one.round for one in outcome.attempts if one.stage == "goals"] == [1, 1, 2, 2]


@pytest.mark.parametrize("mistake", [one for one in ALONE if one.end == REJECTED], ids=named)
def test_a_mistake_that_is_always_made_is_a_rejection_with_its_reason(mistake):
    outcome = mistakes.apart(mistake)
    assert outcome.scenario is None
    assert re.search(mistake.found, outcome.rejected)
    assert outcome.rejected.startswith(f"{mistake.stage}: ")


@pytest.mark.parametrize("mistake", [one for one in ALONE if one.end == HARMLESS], ids=named)
def test_a_mistake_that_the_format_makes_harmless_is_not_found(mistake):
    outcome = mistakes.apart(mistake)
    assert outcome.rejected == ""
    assert all(one.findings == () for one in outcome.attempts)


@pytest.mark.parametrize("mistake", [one for one in ALONE if one.end == UNNOTICED], ids=named)
def test_a_mistake_that_nothing_depends_on_is_not_noticed(mistake):
    """The limit of the gates: what a tool should do is known from the tasks alone."""
    outcome = mistakes.apart(mistake)
    assert outcome.certificate.passed
    assert outcome.scenario != scripted.scenario_of(mistake.scenario)


@pytest.mark.parametrize("garbled", [one for one in GARBLED if one.found], ids=lambda one: one.name.replace(" ", "_"))
def test_an_answer_that_is_no_form_goes_back_with_what_is_wrong(garbled):
    outcome = mistakes.garbled()
    assert any(re.search(garbled.found, text) for attempt in outcome.attempts for text in attempt.findings)
    assert outcome.rejected == ""


def test_an_answer_with_words_around_it_is_read_and_costs_no_attempt():
    later = [one for one in mistakes.garbled().attempts if one.stage != "scenario"]
    assert [(one.stage, one.findings) for one in later] == [(stage, ()) for stage in mistakes.READ]
    assert mistakes.garbled().draft.data == scripted.scenario_of("ferry_desk").data


def test_the_table_tells_every_mistake():
    lines = mistakes.table().splitlines()
    assert len(lines) == 2 + len(MISTAKES) + len(ALONE) + len(GARBLED)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in lines)


# The loop -------------------------------------------------------------------------------------------------------------


class Strict:
    """A judge who finds what a function of the draft says after a stage, and of the whole what another says."""

    def __init__(self, stage=lambda draft, stage: (), whole=lambda scenario: ()):
        self._stage, self._whole = stage, whole

    def stage(self, draft, stage, *, early):
        return self._stage(draft, stage.name)

    def whole(self, scenario):
        return Certificate(
            scenario.name, scenario.fingerprint, "", VERSION, {"tools_survive": self._whole(scenario)}, {}
        )


def judged(judge, **options):
    """The outcome of a synthesis without mistakes before a judge."""
    return synthesize(mistakes.author("ferry_desk"), "ferry_desk", judge=judge, **options)


def test_what_does_not_hold_without_what_was_given_up_is_a_rejection():
    def stage(draft, stage):
        tools = [tool.name for tool in draft.tools if tool.name in ("list_waiting", "find_space")]
        return (f"{tools[-1]}: is wrong",) if stage == "tools" else ()

    outcome = judged(Strict(stage), attempts=1, least=Least(tools=20))
    assert outcome.rejected == "tools: find_space: is wrong"
    assert outcome.dropped == (("list_waiting", "list_waiting: is wrong"),)
    assert outcome.scenario is None


def test_a_tool_that_a_task_needs_is_not_given_up():
    def whole(scenario):
        return tuple(f"{name}: is wrong" for name in ("take_payment", "list_waiting", "plan_closure", "list_payments"))

    outcome = judged(Strict(whole=whole), attempts=2, least=Least(tools=20))
    assert outcome.rejected == "gates: tools_survive: take_payment: is wrong (and 3 more)"
    assert outcome.dropped == (("list_payments", "tools_survive: list_payments: is wrong"),)
    assert not outcome.certificate.passed
    with pytest.raises(ScenarioError, match="gates: tools_survive: take_payment: is wrong"):
        outcome.proved  # noqa: B018  (a property that raises)


def test_an_author_who_sees_that_nothing_can_hold_ends_the_synthesis():
    class Honest(type(mistakes.author("ferry_desk"))):
        def write(self, draft, stage, findings):
            raise ScenarioError("has no tasks that a database could hold", scenario=draft.name)

    scenario = scripted.scenario_of("ferry_desk")
    brief = mistakes.author("ferry_desk").brief
    outcome = synthesize(Honest(mistakes.Script("ferry_desk"), brief), scenario.name)
    assert outcome.rejected == "ferry_desk: has no tasks that a database could hold"
    assert outcome.attempts == ()


def test_each_attempt_is_told_as_it_is_made():
    heard = []
    outcome = judged(Strict(), until="data", told=heard.append)
    assert tuple(heard) == outcome.attempts
    assert [one.stage for one in heard] == ["scenario", "tasks", "schema", "data"]
    assert outcome.rejected == ""
    with pytest.raises(ScenarioError, match="is not yet whole"):
        outcome.proved  # noqa: B018  (a property that raises)


def test_a_stage_that_lacks_what_it_is_to_judge_says_so():
    empty = Draft("ferry_desk")
    with pytest.raises(ScenarioError, match="has no clock and no user yet"):
        empty.scenario()
    assert findings(empty, STAGE["scenario"]) == ("ferry_desk/scenario.toml: has no clock and no user yet",)
    whole = scripted.scenario_of("ferry_desk")
    draft = Draft("ferry_desk", now=whole.now, user=whole.user, title="Ferry", description="Sails.")
    assert findings(draft, STAGE["tasks"]) == ("there is no task",)
    assert findings(draft, STAGE["interface"]) == ("there is no tool",)


BLAMED = [
    ("scenario.toml: user.id: agent has no row 9", Blame("data")),
    ("scenario.toml: title: is empty", Blame("scenario")),
    ("ferry_desk/schema.sql: line 3: no", Blame("schema")),
    ("invariants.sql: line 3: no", Blame("schema")),
    ("database_builds: data.sql: line 3: no", Blame("data")),
    ("tools.toml: check_in.sql: no", Blame("tools", "check_in")),
    ("tools.toml: nothing.sql: no", Blame("tools")),
    ("tasks.toml: freed_deck.given: no", Blame("verifiers", "freed_deck")),
    ("other.toml: freed_deck: no", Blame("verifiers", "freed_deck")),
    ("solutions_pass: freed_deck: the solution fails.", Blame("verifiers", "freed_deck")),
    ("invariants_hold: the start of freed_deck: No phone", Blame("verifiers", "freed_deck")),
    ("invariants_hold: check_in(booking_id=1) breaks it, in walk 3: Nobody", Blame("tools", "check_in")),
    ("writes_are_sound: check_in: no", Blame("tools", "check_in")),
    ("invariants_hold: the data: No phone", Blame("data")),
    ("invariants_hold: no change of a row of the data breaks it: Nobody", Blame("schema")),
    ("words_are_true: the view fare_now: compares", Blame("schema")),
    ("database_builds: customer.since: holds a day", Blame("data")),
    ("a fresh process answers the solutions with other bytes", Blame("verifiers")),
    ("the end of freed_deck is another one", Blame("verifiers", "freed_deck")),
]


@pytest.mark.parametrize(("finding", "blamed"), BLAMED, ids=[finding for finding, _ in BLAMED])
def test_a_finding_concerns_who_can_mend_it(finding, blamed):
    whole = scripted.scenario_of("ferry_desk")
    wishes = tuple((name, task.instruction) for name, task in whole.tasks.items())
    assert blame(Draft("ferry_desk", wishes=wishes, tools=tuple(whole.tools.values())), finding) == blamed


# Conversations --------------------------------------------------------------------------------------------------------


class Listening(mistakes.Script):
    """A script that keeps what it was asked."""

    def __init__(self, scenario, *made):
        super().__init__(scenario, made)
        object.__setattr__(self, "heard", [])

    def ask_all(self, requests):
        self.heard.extend(requests)
        return super().ask_all(requests)

    def talks(self, stage, item="-"):
        """The conversations about an item, in order."""
        return [one.messages for one in self.heard if one.stage == stage and scripted.Asked(one.messages).item == item]


def play(*made, until, scenario="ferry_desk", attempts=5):
    """An outcome, and the script with what it heard."""
    script = Listening(scenario, *made)
    outcome = synthesize(mistakes.author(scenario, script), scenario, attempts=attempts, until=until)
    return outcome, script


@pytest.fixture(scope="module")
def right():
    """A synthesis without a mistake, up to the last stage."""
    return play(until="verifiers")


def test_a_question_is_a_system_message_and_one_of_the_user(right):
    outcome, script = right
    assert all(attempt.findings == () for attempt in outcome.attempts)
    for request in script.heard:
        assert [message["role"] for message in request.messages] == ["system", "user"]
        assert request.messages[1]["content"].splitlines()[-1].startswith("[awm-gym stage=")
        assert scripted.Asked(request.messages).stage == request.stage
        assert request.scenario == "ferry_desk"
    items = [scripted.Asked(request.messages).key for request in script.heard]
    assert len(set(items)) == len(items)
    tasks = [(name, 1) for name in scripted.scenario_of("ferry_desk").tasks]
    assert [key[1:] for key in items if key[0] == "goals"] == tasks
    assert [key[1:] for key in items if key[0] == "tools"] == [(f"group_{number}", 1) for number in (1, 2, 3, 4)]


def test_what_the_scenario_says_to_a_request_is_known_to_the_package_too(right):
    _, script = right
    scenario = scripted.scenario_of("ferry_desk")
    for request in script.heard:
        assert isinstance(filled.answer(scenario, request), request.answer)


def test_a_tool_that_the_gates_blame_is_written_anew_before_the_tasks_are():
    script = Listening("ferry_desk")
    author = mistakes.author("ferry_desk", script)
    draft = Draft("ferry_desk")
    for stage in STAGES:
        draft, _ = author.write(draft, stage, ())
    before = len(script.heard)
    written, slips = author.write(draft, STAGE["verifiers"], ("tools_survive: check_in: fails",))
    assert (written, slips) == (draft, ())
    assert [scripted.Asked(one.messages).key for one in script.heard[before:]] == [("tools", "group_3", 2)]


def test_prompts_have_no_place_left_and_speak_of_all_that_is_to_be_filled_in(right):
    _, script = right
    for request in script.heard:
        said = "\n".join(message["content"] for message in request.messages)
        assert "{{" not in said
        assert "}}\n" not in request.messages[0]["content"]
        for field in request.answer.model_fields:
            assert re.search(rf"\b{field}\b", said), f"{request.stage} says nothing of {field}"


def test_prompts_of_later_stages_hold_what_was_written_before(right):
    outcome, script = right
    draft = outcome.draft
    said = {request.stage: request.messages[1]["content"] for request in script.heard}
    assert all(draft.db_schema.strip() in said[stage] for stage in ("data", "goals", "interface", "tools", "verifiers"))
    assert all(draft.data.strip() in said[stage] for stage in ("goals", "tools", "verifiers"))
    assert draft.invariants.strip() in said["tools"]
    assert all(tool.sql.strip() in said["verifiers"] for tool in draft.tools)
    assert all(words in said[stage] for _, words in draft.wishes for stage in ("schema", "data", "interface"))


def test_a_repair_is_told_after_the_answer_that_it_concerns():
    bad = Mistake("", "", "schema", "-", mistakes.swap(") STRICT;", ");", "schema_sql"), "STRICT")
    outcome, script = play(bad, until="schema")
    first, second = script.talks("schema")
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert second[0] == first[0]
    assert second[1]["content"] in first[1]["content"]
    assert json.loads(second[2]["content"])["schema_sql"].count(") STRICT;") == 8
    told = second[3]["content"]
    assert "- database_builds: schema.sql: agent: is not STRICT" in told
    assert f"database_builds: {' '.join(GATES[0].__doc__.split())}" in told
    assert "give `edits`" not in told
    assert told.endswith("[awm-gym stage=schema scenario=ferry_desk item=- attempt=2]")
    assert [one.findings == () for one in outcome.attempts if one.stage == "schema"] == [False, True]


def test_only_those_are_asked_again_whom_a_finding_concerns():
    bad = Mistake(
        "", "", "goals", "deasys_trailer", put("-1", "ends", 0, "rows", 0, "cells", "fare_cents", "value"), ""
    )
    worse = Mistake("", "", "tools", "group_2", mistakes.leave_out("tools", 0), "")
    outcome, script = play(bad, worse, until="tools")
    again = [scripted.Asked(one.messages).key for one in script.heard if scripted.Asked(one.messages).attempt == 2]
    assert again == [("goals", "deasys_trailer", 2), ("tools", "group_2", 2)]
    prompt = script.talks("tools", "group_2")[1][1]["content"]
    assert re.findall(r"^## (\w+)$", prompt.partition("The tools to write:")[2], re.M) == ["find_space"]
    assert outcome.rejected == ""


def repair_of(found, *, stage="data"):
    """What a model is told of findings."""
    script = Listening("ferry_desk")
    author = mistakes.author("ferry_desk", script)
    draft = Draft("ferry_desk")
    for one in STAGES[: STAGES.index(STAGE[stage]) + 1]:
        draft, _ = author.write(draft, one, ())
    author.write(draft, STAGE[stage], tuple(found))
    return script.heard[-1].messages[-1]["content"]


def test_a_repair_tells_fifteen_findings_and_seven_hundred_characters_of_each():
    told = repair_of([f"booking: row {number} {'x' * number}" for number in range(670, 690)])
    lines = [line for line in told.splitlines() if line.startswith("- ")]
    assert len(lines) == 16
    assert lines[-1] == "- and 5 more of this kind"
    assert all(len(line) <= 2 + 700 + 4 for line in lines)
    assert lines[0].endswith("x")
    assert lines[14].endswith("x ...")
    assert "What these tests demand" not in told


def test_a_repair_tells_what_each_gate_demands_once():
    told = repair_of(["database_builds: a", "invariants_hold: b", "database_builds: c", "data: d"])
    assert told.count("What these tests demand:") == 1
    for gate in GATES:
        wanted = gate.__name__ in ("database_builds", "invariants_hold")
        assert (f"{gate.__name__}: {' '.join(gate.__doc__.split())}" in told) == wanted
    assert "Or leave `sql` empty and give `edits`." in told


def test_what_was_never_asked_is_asked_with_its_findings():
    """The goals are written anew, and an item is told what its last answer, which there is none of, has led to."""
    script = Listening("ferry_desk")
    author = mistakes.author("ferry_desk", script)
    draft = Draft("ferry_desk")
    for one in STAGES[:4]:
        draft, _ = author.write(draft, one, ())
    author.write(draft, STAGE["goals"], ("deasys_trailer: cannot be",))
    (messages,) = script.talks("goals", "deasys_trailer")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "- deasys_trailer: cannot be" in messages[1]["content"]


# Looking before answering ---------------------------------------------------------------------------------------------


def looks(stage, item, spoil, look=0):
    """A model that asks to see something before it answers."""
    return Mistake("looks", "", stage, item, spoil, "", look=look, times=ALWAYS)


def test_a_model_may_look_at_the_data_before_it_says_what_is_expected():
    queries = [
        "SELECT name, seats FROM vessel ORDER BY id;",
        "SELECT id FROM booking ORDER BY id",
        "SELECT id FROM booking WHERE FALSE",
        "SELECT nought FROM booking",
    ]
    outcome, script = play(looks("goals", "freed_deck", put(queries, "look")), until="goals")
    assert outcome.rejected == ""
    first, second = script.talks("goals", "freed_deck")
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    shown = second[3]["content"]
    assert "name | seats\nSaint Enda | 150\n" in shown
    assert "5040\n" not in shown
    assert "5001\n5002\n" in shown
    assert "WHERE FALSE\nno row\n" in shown
    assert "no such column: nought" in shown
    assert shown.endswith("item=freed_deck look=1 attempt=1]")
    assert len(first) == 2


def test_long_results_are_cut():
    query = "SELECT b.id FROM booking AS b, agent AS a ORDER BY 1"
    _, script = play(looks("goals", "freed_deck", put([query], "look")), until="goals")
    shown = script.talks("goals", "freed_deck")[1][3]["content"]
    assert shown.count("\n50") == 40
    assert "... 96 rows more" in shown


def test_a_model_may_see_calls_played_from_the_start_of_the_task():
    calls = [
        {"tool": "list_waiting", "arguments": '{"sailing_id": 319, "status": "waiting", "fits": true}'},
        {"tool": "serve_waiting", "arguments": '{"waiting_id": 1}'},
        {"tool": "serve_waiting", "arguments": "{waiting_id: 1}"},
        {"tool": "serve_waiting", "arguments": "[3]"},
        {"tool": "submit", "arguments": ""},
    ]
    outcome, script = play(looks("verifiers", "freed_deck", put(calls, "play")), until="verifiers")
    assert outcome.rejected == ""
    shown = script.talks("verifiers", "freed_deck")[1][3]["content"]
    assert '"id": 3' in shown  # that there is room for since the start of the task
    assert 'serve_waiting({"waiting_id": 1})\nrefused: Only 690 cm of vehicle deck are free.' in shown
    assert "the arguments are no JSON" in shown
    assert "serve_waiting([3])\n" in shown
    assert "submit()\nends the episode" in shown


def test_a_model_that_only_looks_is_taken_at_its_last_word():
    ever = [looks("goals", "freed_deck", put(["SELECT 1"], "look"), turn) for turn in range(MAX_LOOKS + 1)]
    outcome, script = play(*ever, until="goals")
    assert outcome.rejected == ""
    assert len(script.talks("goals", "freed_deck")) == MAX_LOOKS + 1


def test_a_start_or_a_schema_that_fails_shows_why():
    bad = Mistake("", "", "goals", "freed_deck", put("UPDATE nothing SET a = 1;", "given"), "", times=1)
    peek = looks("verifiers", "freed_deck", put(["SELECT 1"], "look"))
    author = mistakes.author("ferry_desk", Listening("ferry_desk", peek, replace(bad, times=ALWAYS)))
    draft = Draft("ferry_desk")
    for stage in STAGES:
        draft, _ = author.write(draft, stage, ())
    talk = author.asker.talks("verifiers", "freed_deck")[1]
    assert talk[3]["content"].startswith("Nothing can be shown: ")
    goal = looks("goals", "freed_deck", put(["SELECT 1"], "look"))
    author = mistakes.author("ferry_desk", Listening("ferry_desk", goal))
    draft, _ = author.write(replace(draft, data="INSERT INTO nothing VALUES (1);"), STAGE["goals"], ())
    assert author.asker.talks("goals", "freed_deck")[1][3]["content"].startswith("Nothing can be shown: ")


# Long data ------------------------------------------------------------------------------------------------------------


def part(number, of):
    """One of several parts of the data."""

    def spoil(document):
        statements = document["sql"].split("\n\n")
        size = -(-len(statements) // of)
        document["sql"] = "\n\n".join(statements[number * size : (number + 1) * size])
        document["more"] = number < of - 1

    return looks("data", "-", spoil, number)


def test_data_may_come_in_parts():
    outcome, script = play(*(part(number, 3) for number in range(3)), until="data")
    assert outcome.rejected == ""
    assert [one.findings for one in outcome.attempts if one.stage == "data"] == [()]
    talks = script.talks("data")
    assert [len(talk) for talk in talks] == [2, 4, 6]
    assert "Go on with the next part." in talks[2][5]["content"]
    ours, meant = (re.sub(r"\n+", "\n", text) for text in (outcome.draft.data, scripted.scenario_of("ferry_desk").data))
    assert ours == meant


def test_data_that_never_end_are_told():
    ever = [looks("data", "-", put(True, "more"), turn) for turn in range(MAX_PARTS + 1)]
    outcome, _ = play(*ever, until="data", attempts=1)
    assert outcome.rejected.startswith(f"data: there are more than {MAX_PARTS + 1} parts")


BROKEN = Mistake(
    "", "", "data", "-", mistakes.swap("086 555 4058", "086 555 4021", "sql"), "the data: No phone belongs"
)


def edit(old, new, attempt):
    """A model that mends its data by an edit."""

    def spoil(document):
        document.update(sql="", edits=[{"old": old, "new": new}])

    return Mistake("edits", "", "data", "-", spoil, "", attempt=attempt)


def test_data_are_mended_by_edits():
    mended = edit("(2, 'Niall O''Brien', '086 555 4021'", "(2, 'Niall O''Brien', '086 555 4058'", 2)
    outcome, _ = play(BROKEN, mended, until="data")
    assert outcome.rejected == ""
    assert outcome.draft.data == scripted.scenario_of("ferry_desk").data
    assert [len(one.findings) for one in outcome.attempts if one.stage == "data"] == [1, 0]


def test_an_edit_that_does_not_fit_is_told_beside_the_data_as_they_are():
    astray = edit("'086 555 0000'", "'086 555 4058'", 2)
    twice = edit("086 555 4021", "086 555 4058", 3)
    outcome, script = play(BROKEN, astray, twice, until="data")
    found = [one.findings for one in outcome.attempts if one.stage == "data"]
    assert found[1] == ("edits: \"'086 555 0000'\" stands there 0 times, not once",)
    assert found[2] == ("edits: '086 555 4021' stands there 2 times, not once",)
    assert found[3] == ()
    for talk in script.talks("data")[1:]:
        assert "086 555 4021" in json.loads(talk[2]["content"])["sql"]
        assert json.loads(talk[2]["content"])["edits"] == []


def test_tools_are_mended_beside_those_of_their_group_as_they_are():
    """A tool that the last answer did not repeat is shown as it was written before."""
    one = Mistake("", "", "tools", "group_1", put(2, "examples", 0, "rows"), "", part="register_customer")
    late = Mistake("", "", "tools", "group_1", mistakes.swap("ORDER BY id;", ";", "sql"), "", part="list_routes")
    _, script = play(one, late, until="tools")
    third = script.talks("tools", "group_1")[2]
    shown = {tool["name"]: tool for tool in json.loads(third[2]["content"])["tools"]}
    assert len(shown) == 6
    assert "ORDER BY" not in shown["list_routes"]["sql"]
    assert shown["register_customer"]["examples"][0]["rows"] == 1


# Goals ----------------------------------------------------------------------------------------------------------------

PLACES = {
    "schema": "CREATE TABLE seat (code TEXT PRIMARY KEY, guest TEXT NOT NULL UNIQUE, row_no INTEGER) STRICT;",
    "data": "INSERT INTO seat VALUES ('A1', 'Ann', 1), ('B2', 'Ben', 2);",
    "tools": {"look": "SELECT code, guest FROM seat ORDER BY code;"},
}
GOALS = [
    # Two guests exchange their seats: no order of statements passes, though the end can be.
    ('changes = { seat = [{ code = "A1", guest = "Ben" }, { code = "B2", guest = "Ann" }] }', ()),
    (
        'changes = { seat = [{ code = "A1", guest = "Ben" }] }',
        ("move: changes: the database does not take this end state: UNIQUE constraint failed: seat.guest",),
    ),
    # A row of a table that does not number its rows; one that takes the place of another; one that is free.
    ('changes = { seat = [{ new = "s", code = "C3", guest = "Cid", row_no = 3 }] }', ()),
    ('changes = { seat = [{ code = "A1", gone = true }, { new = "s", code = "C3", guest = "Ann", row_no = 3 }] }', ()),
    ('changes = { seat = [{ new = "s", code = "C3", guest = "Cid" }], any = ["seat.row_no"] }', ()),
    ('changes = { seat = [{ code = "A1", guest = "@@Cid" }] }', ()),
    (
        'changes = [{ seat = [{ code = "A1", row_no = 5 }] }, { seat = [{ code = "A1", guest = { sql = "NULL" } }] }]',
        ("move: changes[1]: the database does not take this end state: NOT NULL constraint failed: seat.guest",),
    ),
    (
        'changes = { seat = [{ code = "A1", row_no = 5 }] }\nchecks = { never = "(SELECT count(*) FROM seat) > 2" }',
        ("move: changes: are not accepted when they are brought about. ",),
    ),
    # Only the check knows the answer, which nobody can tell before it is given.
    (
        'changes = { seat = [{ code = "A1", row_no = 5 }] }\nanswer = "string"\n'
        'checks = { told = ":answer IN (SELECT guest FROM seat)" }',
        (),
    ),
    ('answer = "string"\nexpect = "SELECT guest FROM seat WHERE code = \'A1\'"', ()),
    (
        'answer = "integer"\nexpect = "SELECT guest FROM seat WHERE code = \'A1\'"',
        ("move: expect answers what is not of the type `answer`.",),
    ),
]


@pytest.mark.parametrize(("goal", "found"), GOALS, ids=[goal for goal, _ in GOALS])
def test_an_end_is_brought_about_before_there_are_tools(small, goal, found):
    head = '[move]\ninstruction = "Move them."\nsolution = []\n'
    told = list(goals.findings(small(**PLACES, tasks=head + goal)))
    assert len(told) == len(found)
    assert all(text.startswith(words) for text, words in zip(told, found, strict=True))


def test_an_end_on_tables_with_triggers_is_left_to_the_gates():
    made = store.scenario("box_office", 27, keep=False)
    assert "CREATE TRIGGER" in made.db_schema
    assert "booking" in made.tasks["exchange_then_new_seat"].changes[0].rows
    assert list(goals.findings(made)) == []
