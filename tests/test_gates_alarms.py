"""What gates must not take for a fault, each beside the fault that it resembles: the crew desk of a festival."""

from itertools import groupby

import pytest

from awm_gym.files import parse
from awm_gym.gates import GATES, certify
from awm_gym.gates.prover import Prover
from awm_gym.gates.walks import walked

BY_NAME = {gate.__name__: gate for gate in GATES}
CREW = {
    "scenario.toml": """
name = "crew"
version = 2
title = "The crew desk of a festival"
description = "Volunteers work shifts in the areas of a festival, and take radios out."
now = "2025-06-12T09:00:00"
user = { id = 1, of = "person", name = "Ada Quist", role = "crew desk" }
""",
    "schema.sql": """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE area (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, town TEXT NOT NULL) STRICT;
CREATE TABLE shift (
  id       INTEGER PRIMARY KEY,
  area_id  INTEGER NOT NULL REFERENCES area (id),
  on_day   TEXT    NOT NULL,
  free     INTEGER NOT NULL,
  tries    INTEGER NOT NULL DEFAULT 1,
  status   TEXT    NOT NULL CHECK (status IN ('open', 'done', 'abandoned'))
) STRICT;
CREATE TABLE signup (
  id         INTEGER PRIMARY KEY,
  shift_id   INTEGER NOT NULL REFERENCES shift (id),
  person_id  INTEGER NOT NULL REFERENCES person (id),
  came       INTEGER CHECK (came IN (0, 1))
) STRICT;
CREATE TABLE radio (
  id         INTEGER PRIMARY KEY,
  holder_id  INTEGER REFERENCES person (id),
  out        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE report (id INTEGER PRIMARY KEY, area_id INTEGER NOT NULL REFERENCES area (id), words TEXT NOT NULL) STRICT;
""",
    "invariants.sql": "-- A shift has no fewer than no free places.\nSELECT id FROM shift WHERE free < 0;\n",
    "data.sql": """
INSERT INTO person (id, name) VALUES (1, 'Ada Quist'), (2, 'Bo Quist'), (3, 'Cy Noor'), (4, 'Di Abara');
INSERT INTO area (id, name, town) VALUES
  (3, 'North Gate', 'Lowmere'), (5, 'Main Stage', 'Willowmere'), (7, 'Tea Tent', 'Lowmere'), (8, 'Car Park', 'Ardnish');
INSERT INTO shift (id, area_id, on_day, free, tries, status) VALUES
  (301, 3, '2025-06-13', 7, 1, 'open'), (302, 5, '2025-06-13', 4, 2, 'open'), (303, 7, '2025-06-14', 2, 1, 'open'),
  (304, 7, '2025-06-10', 1, 1, 'done'), (305, 5, '2025-06-09', 6, 1, 'abandoned');
INSERT INTO signup (id, shift_id, person_id) VALUES
  (411, 301, 2), (412, 301, 3), (413, 302, 3), (414, 302, 4), (415, 303, 2);
INSERT INTO radio (id) VALUES (21), (22);
""",
    "tools.toml": """
[list_areas]
description = "Areas, by name."
params.town = { type = "string", optional = true, description = "Only this town." }
sql = "SELECT id, name, town FROM area WHERE :town IS NULL OR lower(town) = lower(:town) ORDER BY name, id;"

[list_shifts]
description = "Shifts and their free places, by day."
params.status = { type = "string", optional = true, enum = ["open", "done", "abandoned"], description = "Only these." }
sql = "SELECT id, on_day, free, tries, status FROM shift WHERE :status IS NULL OR status = :status ORDER BY on_day, id;"

[report_incident]
description = "Write down what happened in an area, by one person of the crew desk."
params.area_id = { type = "integer", of = "area", description = "Where." }
params.words = { type = "string", max_length = 80, description = "What happened." }
sql = "INSERT INTO report (area_id, words) VALUES (:area_id, :words) RETURNING id, area_id, words;"

[count_signups]
description = "How many signed up for a shift."
params.shift_id = { type = "integer", of = "shift", description = "The shift." }
sql = "SELECT count(*) AS people FROM signup WHERE shift_id = :shift_id;"

[call_off]
description = "Call a shift off."
params.shift_id = { type = "integer", of = "shift", where = "status = 'open'", description = "The shift." }
sql = '''
SELECT refuse('It was called off already.') FROM shift WHERE id = :shift_id AND free = 0;
SELECT refuse('Somebody signed up for it.') FROM signup WHERE shift_id = :shift_id;
UPDATE shift SET status = 'abandoned' WHERE id = :shift_id RETURNING id, status;
'''
refuses = [
  { arguments = { shift_id = 301 } },
  { given = "UPDATE shift SET free = 0; DELETE FROM signup;", arguments = { shift_id = 302 } },
]

[record_attendance]
description = "Put down who came to a shift: all but those who are named."
params.shift_id = { type = "integer", of = "shift", where = "status = 'open'", description = "The shift." }
params.absent_person_ids = { type = "array", items = "integer", of = "person", description = "Who did not come." }
sql = '''
UPDATE shift SET status = 'done' WHERE id = :shift_id;
UPDATE signup SET came = person_id NOT IN (SELECT value FROM json_each(:absent_person_ids)) WHERE shift_id = :shift_id;
SELECT id, person_id, came FROM signup WHERE shift_id = :shift_id ORDER BY id;
'''

[excuse]
description = "Excuse somebody from a shift."
params.shift_id = { type = "integer", of = "shift", description = "The shift." }
params.person_id = { type = "integer", of = "person", description = "Who." }
sql = '''
SELECT refuse('This is excused already.')
FROM signup WHERE shift_id = :shift_id AND person_id = :person_id AND came = 0;
UPDATE signup SET came = 0 WHERE shift_id = :shift_id AND person_id = :person_id RETURNING id, came;
'''

[sign_up]
description = "Put somebody down for a shift."
params.shift_id = { type = "integer", of = "shift", description = "The shift." }
params.person_id = { type = "integer", of = "person", description = "Who." }
sql = "INSERT INTO signup (shift_id, person_id) VALUES (:shift_id, :person_id) RETURNING id, shift_id, person_id;"

[withdraw]
description = "Take a name off a shift."
params.signup_id = { type = "integer", of = "signup", description = "The name." }
sql = "DELETE FROM signup WHERE id = :signup_id RETURNING id;"

[hand_radio]
description = "Give somebody a radio for good."
params.radio_id = { type = "integer", of = "radio", where = "holder_id IS NULL AND out = 0", description = "Which." }
params.person_id = { type = "integer", of = "person", description = "Who has it." }
sql = "UPDATE radio SET holder_id = :person_id WHERE id = :radio_id RETURNING id, holder_id;"

[return_radio]
description = "Take a radio back."
params.radio_id = { type = "integer", of = "radio", where = "holder_id IS NOT NULL OR out", description = "The radio." }
sql = "UPDATE radio SET holder_id = NULL, out = 0 WHERE id = :radio_id RETURNING id;"

[lend_radio]
description = "Lend somebody a radio for an hour."
params.radio_id = { type = "integer", of = "radio", where = "holder_id IS NULL AND out = 0", description = "Which." }
params.person_id = { type = "integer", of = "person", description = "Who borrows it." }
sql = "UPDATE radio SET out = 1 WHERE id = :radio_id RETURNING id, out;"
""",
    "tasks.toml": """
[tea_tent]
instruction = "Somebody fell in the Tea Tent. Write down: 'A fall'."
solution = [
  { name = "list_shifts", arguments = {} },
  { name = "list_areas", arguments = {} },
  { name = "report_incident", arguments = { area_id = 7, words = "A fall" } },
]
[tea_tent.changes]
report = [{ new = "r", area_id = 7, words = "A fall" }]

[towns]
instruction = "Which towns lie on the way from Ardnish to Lowmere? Answer with their names."
answer = { type = "list", items = "string", ordered = false }
expect = "SELECT DISTINCT town FROM area WHERE town > 'L' ORDER BY 1"
solution = [
  { name = "list_areas", arguments = {} },
  { name = "submit", arguments = { answer = ["Willowmere", "Lowmere"] } },
]
[towns.near_misses]
one_only = [{ name = "submit", arguments = { answer = ["Lowmere"] } }]

[busy_shift]
instruction = "How many signed up for the shift on 13 June that was filled repeatedly? In digits."
answer = "integer"
expect = "SELECT count(*) FROM signup WHERE shift_id = 302"
solution = [
  { name = "list_shifts", arguments = { status = "open" } },
  { name = "count_signups", arguments = { shift_id = 302 } },
  { name = "submit", arguments = { answer = 2 } },
]

[one_left]
instruction = "Call off shift 302. Bo Quist cannot come to the shift of 13 June that is still on; put that down."
given = "DELETE FROM signup WHERE shift_id = 302;"
solution = [
  { name = "list_shifts", arguments = { status = "open" } },
  { name = "call_off", arguments = { shift_id = 302 } },
  { name = "list_shifts", arguments = { status = "open" } },
  { name = "excuse", arguments = { shift_id = 301, person_id = 2 } },
]
[one_left.changes]
shift = [{ id = 302, status = "abandoned" }]
signup = [{ id = 411, came = 0 }]

[called_off]
instruction = "Call off the shift of 14 June, and then write down for the Tea Tent: 'Called off'."
infeasible = { why = "Somebody signed up for it.", lifted_by = "DELETE FROM signup WHERE shift_id = 303;", shown_by = [
  { name = "count_signups", arguments = { shift_id = 303 } },
] }
solution = [
  { name = "list_shifts", arguments = { status = "open" } },
  { name = "call_off", arguments = { shift_id = 303 } },
  { name = "list_areas", arguments = {} },
  { name = "report_incident", arguments = { area_id = 7, words = "Called off" } },
]
[called_off.changes]
shift = [{ id = 303, status = "abandoned" }]
report = [{ new = "r", area_id = 7, words = "Called off" }]
[called_off.near_misses]
another_area = [
  { name = "call_off", arguments = { shift_id = 303 } },
  { name = "report_incident", arguments = { area_id = 3, words = "Called off" } },
]
""",
}


def crew(*edits):
    """The crew desk, with texts replaced, each standing once in the file that it is in."""
    files = dict(CREW)
    for old, new in edits:
        file = next(name for name, text in files.items() if text.count(old) == 1)
        files[file] = files[file].replace(old, new)
    return parse(files)


def found(gate, *edits):
    """What one gate finds at the crew desk."""
    return certify(crew(*edits), (BY_NAME[gate],)).findings[gate]


def said(gate, words, *edits):
    """What one gate finds that speaks of something."""
    return [finding for finding in found(gate, *edits) if words in finding]


@pytest.mark.parametrize(
    "gate", ["reads_are_sound", "words_are_true", "choices_are_grounded", "writes_are_sound", "near_misses_fail"]
)
def test_the_crew_desk_raises_no_alarm(gate):
    assert [finding for finding in found(gate) if "has no near miss" not in finding] == []


class TestReads:
    def test_a_filter_that_searches_for_a_part_shows_more_than_its_value(self):
        edit = ("lower(town) = lower(:town)", "instr(lower(town), lower(:town))")
        assert found("reads_are_sound", edit) == ()

    def test_a_row_with_the_very_value_that_is_left_out_is_found(self):
        edit = ("lower(town) = lower(:town)", "(town = :town AND id <> 7)")
        assert said("reads_are_sound", "filtered by town = 'Lowmere' it leaves out a row", edit)

    def test_a_row_with_another_value_is_found(self):
        edit = ("lower(town) = lower(:town)", "(town = :town OR id = 8)")
        assert said("reads_are_sound", "it shows a row with town = 'Ardnish'", edit)

    def test_a_word_of_an_enum_is_compared_whole(self):
        edit = ("status = :status ORDER", "instr(status, :status) ORDER")
        assert said("reads_are_sound", "status = 'done' it shows a row with status = 'abandoned'", edit)


class TestOrders:
    @pytest.mark.parametrize(
        ("words", "others"),
        [
            ("Areas, by name.", "Areas as they were seen, by one town walker."),
            ("Areas, by name.", "Areas, ordered by their own rule."),
            ("How many signed up for a shift.", "How many signed up for a shift, by hand."),
            ("by one person of the crew desk.", "by area."),
        ],
    )
    def test_who_does_something_or_how_is_no_order(self, words, others):
        assert found("words_are_true", (words, others)) == ()

    @pytest.mark.parametrize("words", ["Areas, by town.", "Areas, sorted by town.", "Areas; by the town."])
    def test_an_order_that_is_not_kept_is_found(self, words):
        assert said("words_are_true", "but its rows are ordered by name", ("Areas, by name.", words))

    def test_an_order_without_any_is_found(self):
        edits = (("lower(:town) ORDER BY name, id", "lower(:town)"), ("Areas, by name.", "Areas, ordered by a rule."))
        assert said("words_are_true", "but its rows are in no order", *edits)

    @pytest.mark.parametrize(
        "asked",
        ["from oldest to newest", "from the oldest town to the newest", "from A to Z", "from small to large", "sorted"],
    )
    def test_an_order_that_the_answer_does_not_keep_is_found(self, asked):
        edit = ("Answer with their names.", f"Answer with their names, {asked}.")
        assert said("words_are_true", "asks for an order", edit)

    @pytest.mark.parametrize("span", ["from Monday to Friday", "from 3 to 5", "for a guest to see"])
    def test_a_span_is_no_order(self, span):
        assert found("words_are_true", ("Answer with their names.", f"Answer with their names, {span}.")) == ()

    def test_a_list_in_order_is_asked_for_in_one(self):
        ordered = ('items = "string", ordered = false', 'items = "string", ordered = true')
        plain = ("on the way from Ardnish to Lowmere?", "on the way?")
        assert said("words_are_true", "but the instruction asks for none", ordered, plain)
        assert found("words_are_true", ordered) == ()


class TestChoices:
    def test_a_thing_that_nothing_sets_apart_is_found(self):
        edit = ("Somebody fell in the Tea Tent.", "Somebody fell.")
        assert said("choices_are_grounded", "nothing says why area_id is 7 and not", edit)

    def test_a_list_looked_at_again_shows_what_is_there_now(self):
        again = '{ name = "list_shifts", arguments = { status = "open" } },\n  { name = "excuse"'
        assert said("choices_are_grounded", "shift_id is 301 and not 302", (again, '{ name = "excuse"'))

    def test_a_superlative_is_needed_among_equals(self):
        edit = ("that was filled repeatedly?", "that was filled?")
        assert said("choices_are_grounded", "shift_id is 302 and not 301", edit)

    def test_a_flag_that_is_spoken_of_sets_a_row_apart_whatever_its_name_ends_in(self):
        shown = ("free, tries, status FROM", "free, tries > 1 AS half_paid, status FROM")
        assert found("choices_are_grounded", shown, ("that was filled repeatedly?", "that is half paid?")) == ()

    def test_a_verb_speaks_of_its_flag(self):
        shown = ("free, tries, status FROM", "free, tries > 1 AS waiting_for_more, status FROM")
        assert found("choices_are_grounded", shown, ("that was filled repeatedly?", "that waits for more?")) == ()

    def test_the_obstacle_of_a_task_may_set_its_thing_apart(self):
        left = ("free, tries, status FROM", "free, tries = 9 AS overrun, status FROM")
        asked = ("Call off the shift of 14 June,", "Call off the overrun shift,")
        overrun = ("(303, 7, '2025-06-14', 2, 1, 'open')", "(303, 7, '2025-06-14', 2, 9, 'open')")
        lifted = ("FROM signup WHERE shift_id = 303;", "FROM signup; UPDATE shift SET tries = 1;")
        other = ("that was filled repeatedly?", "that was filled?")
        edits = (left, asked, lifted, other)
        assert said("choices_are_grounded", "called_off: call_off: nothing says why", *edits)
        assert not said("choices_are_grounded", "called_off", *edits, overrun)


class TestWrites:
    def test_a_row_of_another_person_than_the_one_that_is_named_is_found(self):
        edit = ("shift_id = :shift_id AND person_id = :person_id RETURNING", "shift_id = :shift_id RETURNING")
        assert said("writes_are_sound", "which is of another person", edit)

    def test_a_thing_that_somebody_else_has_is_found(self):
        edit = (
            """where = "holder_id IS NULL AND out = 0", description = "Which." }
params.person_id = { type = "integer", of = "person", description = "Who borrows it." }""",
            """where = "out = 0", description = "Which." }
params.person_id = { type = "integer", of = "person", description = "Who borrows it." }""",
        )
        assert said("writes_are_sound", "which is of another person", edit)

    def test_the_cells_of_a_walk_are_what_its_rows_hold(self):
        prover = Prover(crew())
        removed = restored = 0
        for _, steps in groupby(walked(prover), key=lambda step: step.walk):
            prover.start(None)
            held = {}
            for step in steps:
                assert prover.world.call(step.call) == step.result
                assert step.call.name != "sign_up" or all(cell.new for cell in step.cells)
                for table, key, column, before, after, new in step.cells:
                    assert new or before == held.get((table, *key, column), before)
                    restored += not new and after is None
                    held[table, *key, column] = after
                for (table, key, column), value in held.items():
                    assert prover.world.query(f"SELECT {column} FROM {table} WHERE id = {key}") in ([], [(value,)])
                removed += len(step.removed)
        assert removed > 10
        assert restored > 5


class TestWords:
    """What findings tell their author."""

    def test_a_rule_that_no_entry_depends_on_names_the_nearest_entry_and_what_stops_it(self):
        one = ("free = 0;\nSELECT refuse('Somebody", "id > 0;\nSELECT refuse('Somebody")
        assert said("refusals_bear_load", "refuses[0] comes nearest, but is refused before it: It was called off", one)
        both = ('DELETE FROM signup;", arg', '", arg')
        assert said("refusals_bear_load", "refuses[1] comes to it, but is refused without it too: Somebody", both)
        passed = (
            '  { given = "UPDATE shift SET free = 0; DELETE FROM signup;", arguments = { shift_id = 302 } },\n',
            "",
        )
        assert said("refusals_bear_load", "every entry gets past it", passed)

    def test_an_entry_that_is_not_refused_or_tells_no_reason_is_found(self):
        accepted = (
            "{ arguments = { shift_id = 301 } },",
            '{ given = "DELETE FROM signup;", arguments = { shift_id = 301 } },',
        )
        assert said("refusals_bear_load", "call_off.refuses[0]: is not refused", accepted)
        curt = ("Somebody signed up for it.') FROM", "No.') FROM")
        assert said("refusals_bear_load", "refuses[0]: is refused with 'No.', which tells no reason", curt)

    def test_a_rule_of_a_tool_without_entries_says_so(self):
        entries = CREW["tools.toml"].partition("refuses = [\n")[2].partition("]\n")[0]
        assert said("refusals_bear_load", "there is no entry", (entries, ""))

    def test_a_rule_that_ends_the_tool_says_so(self):
        edit = ("UPDATE shift SET status = 'abandoned' WHERE id = :shift_id RETURNING id, status;\n", "")
        assert said("refusals_bear_load", "the tool ends in it", edit)

    def test_near_misses_of_an_infeasible_task_tell_that_its_obstacle_was_removed(self):
        refused = (
            '{ name = "report_incident", arguments = { area_id = 3, words',
            '{ name = "report_incident", arguments = { area_id = 4, words',
        )
        (finding,) = said("near_misses_fail", "called_off.near_misses", refused)
        assert finding.endswith("played with its `lifted_by` applied)")
        right = ("area_id = 3, words", "area_id = 7, words")
        (finding,) = said("near_misses_fail", "called_off.near_misses", right)
        assert "is accepted (" in finding
        feasible = (
            'one_only = [{ name = "submit", arguments = { answer = ["Lowmere"] } }]',
            'both = [{ name = "submit", arguments = { answer = ["Lowmere", "Willowmere"] } }]',
        )
        (finding,) = said("near_misses_fail", "towns.near_misses", feasible)
        assert finding.endswith("is accepted")

    def test_an_invariant_that_no_row_can_break_may_want_a_row(self):
        edit = ("WHERE free < 0;", "WHERE free < 0 AND area_id = 99;")
        assert said("invariants_hold", "Or add a row for which it could break", edit)
