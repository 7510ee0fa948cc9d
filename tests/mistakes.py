"""The mistakes that language models make when they write a scenario, and what becomes of each.

A `Mistake` says where it is made and how it spoils the right answer, and then what must come of it: something that is
found for the right reason, and then mended, given up or rejected. A `Script` is a model that knows a whole scenario
and makes the mistakes that it is told to; `runs()` packs mistakes that do not disturb each other into one synthesis.

    python tests/mistakes.py --table    prints what was found, and by which stage
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import scripted
from fake_openai import FakeServer, Reply

from awm_gym.errors import Unreadable
from awm_gym.llm import Ledger, Model, Said, Settings, Usage
from awm_gym.llm.reading import read
from awm_gym.synth import filled
from awm_gym.synth.briefs import Brief
from awm_gym.synth.chat import ChatAuthor, Wants
from awm_gym.synth.pipeline import MAX_ATTEMPTS, Least, synthesize

ALWAYS = 1_000  # attempts
NEXT = "mended at the next attempt"
MENDED, DROPPED, REJECTED = "mended", "dropped", "rejected"
HARMLESS, UNNOTICED = "harmless", "not noticed"
Document = dict[str, Any]


# How answers are spoiled ----------------------------------------------------------------------------------------------


def swap(old, new, *where):
    """Replace a piece of a text in the answer, which must be there."""

    def spoil(document):
        holder = _at(document, where[:-1])
        assert old in holder[where[-1]], f"{old!r} is not in {where}"
        holder[where[-1]] = holder[where[-1]].replace(old, new, 1)

    return spoil


def put(value, *where):
    """Put a value in the place of another."""

    def spoil(document):
        _at(document, where[:-1])[where[-1]] = value

    return spoil


def leave_out(*where):
    """Leave an entry of a list out."""

    def spoil(document):
        del _at(document, where[:-1])[where[-1]]

    return spoil


def add(value, *where):
    """Add entries to a list."""

    def spoil(document):
        _at(document, where).extend(value)

    return spoil


def both(*spoilers):
    """Spoil in several ways that are one mistake."""

    def spoil(document):
        for one in spoilers:
            one(document)

    return spoil


def rule_out(words):
    """Leave out the rule that refuses in some words."""

    def spoil(document):
        statements = document["sql"].split("\n\n")
        kept = [statement for statement in statements if words not in statement]
        assert len(kept) == len(statements) - 1, f"{words!r} is no rule"
        document["sql"] = "\n\n".join(kept)

    return spoil


def rule_in(statement):
    """Put a rule before all others."""

    def spoil(document):
        document["sql"] = f"{statement}\n\n{document['sql']}"

    return spoil


def only_example(number):
    """Leave out all examples but one."""

    def spoil(document):
        document["examples"] = [document["examples"][number]]

    return spoil


def _at(document, where):
    """The part of a document at a path of keys, numbers, and names of entries of lists."""
    for key in where:
        document = _named(document, key) if isinstance(document, list) and isinstance(key, str) else document[key]
    return document


def _named(entries, name):
    return next(entry for entry in entries if name in (entry.get("name"), entry.get("column"), entry.get("table")))


# Mistakes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """What a model does wrong, and what must come of it.

    Attributes:
        name: in words.
        kind: the class of defects that it belongs to.
        stage, item: the question in whose answer it is made; "*" for every item.
        spoil: what it does to the right answer.
        found: what some finding must match.
        part: the tool of the answer that is spoiled; "" for the answer as a whole.
        by: the stage that finds it; "" for the stage in which it is made.
        attempt: the attempt at which it is made, from 1.
        times: how often it is made, one attempt after the other.
        look: the turn of a conversation in which it is made: after so many looks.
        end: what comes of it.
        scenario: of which scenario.
        then: what the model says when it is told, where that is not simply the right answer.
    """

    name: str
    kind: str
    stage: str
    item: str
    spoil: Callable[[Document], None]
    found: str
    part: str = ""
    by: str = ""
    attempt: int = 1
    times: int = 1
    look: int = 0
    end: str = MENDED
    scenario: str = "ferry_desk"
    then: "Mistake | None" = None

    def hits(self, asked, document):
        """Whether it is made in the answer to a request."""
        return (
            (asked.stage, asked.look) == (self.stage, self.look)
            and self.item in (asked.item, "*")
            and self.attempt <= asked.attempt < self.attempt + self.times
            and (not self.part or any(self.part == entry["name"] for entry in document["tools"]))
        )

    def spoiled(self, document):
        """Spoil an answer in place."""
        self.spoil(_named(document["tools"], self.part) if self.part else document)


@dataclass(frozen=True)
class Script:
    """A model in this process that knows a scenario, and makes mistakes. What it says depends on the request alone."""

    scenario: str
    mistakes: tuple[Mistake, ...] = ()

    def text(self, messages):
        """The answer to a conversation."""
        asked = scripted.Asked(messages)
        document = scripted.document(asked, _scenario(self.scenario))
        for mistake in self.mistakes:
            if mistake.hits(asked, document):
                mistake.spoiled(document)
        return json.dumps(document, ensure_ascii=False)

    def ask_all(self, requests):
        """Answers in order, read as a client of real servers reads them."""
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        try:
            return read(Said(self.text(request.messages), (), "stop", Usage(), False), request.answer)
        except Unreadable as error:
            return error


@cache
def _scenario(name):
    return scripted.scenario_of(name)


def author(name, asker=None, *mistakes):
    """The author of a scenario that tests know, with its asker or the script of some mistakes."""
    scenario = _scenario(name)
    brief = Brief(name=name, title=scenario.title, category="community", description=scenario.description, score=8)
    wants = Wants(tasks=len(scenario.tasks), least_tools=min(20, len(scenario.tools)))
    return ChatAuthor(asker or Script(name, mistakes), brief, wants)


def play(*mistakes, attempts=MAX_ATTEMPTS, least=None, until="", scenario="ferry_desk"):
    """The outcome of a synthesis in which some mistakes are made."""
    writer = author(scenario, None, *mistakes)
    return synthesize(writer, scenario, attempts=attempts, least=least, until=until)


# What models say when they are told -----------------------------------------------------------------------------------


def better_goal(task, scenario="ferry_desk"):
    """The author of a proof sees that it is the goal which is wrong."""

    def spoil(document):
        document["goal"] = filled.goal(_scenario(scenario).tasks[task]).model_dump()

    return Mistake("a better goal", "", "verifiers", task, spoil, "", attempt=2, scenario=scenario)


def better_words(task, scenario="ferry_desk"):
    """The author of a proof sees that it is the words which are wrong."""
    return Mistake(
        "better words",
        "",
        "verifiers",
        task,
        put(_scenario(scenario).tasks[task].instruction, "wording"),
        "",
        attempt=2,
        scenario=scenario,
    )


def fault(task, tool, words, scenario="ferry_desk"):
    """The author of a proof sees that it is a tool which is wrong."""

    def spoil(document):
        document.update(solution=[], near_misses=[], tool_faults=[{"tool": tool, "fault": words}])

    return Mistake("a faulty tool", "", "verifiers", task, spoil, "", attempt=2, scenario=scenario)


# The table ------------------------------------------------------------------------------------------------------------

SCENARIO = (
    Mistake(
        "a clock in the day's own words",
        "dates",
        "scenario",
        "-",
        put("19/06/2025 09:10", "now"),
        r"now: '19/06/2025 09:10' is not a moment",
    ),
    Mistake(
        "a clock with a time zone",
        "dates",
        "scenario",
        "-",
        put("2025-06-19T09:10:00Z", "now"),
        "now: .*tzinfo.* is not a moment",
    ),
    Mistake("no title", "form", "scenario", "-", put("", "title"), "title"),
)

TASKS = (
    Mistake(
        "a task's name in words",
        "names",
        "tasks",
        "-",
        put("Saturday debts", "tasks", 0, "name"),
        "'Saturday debts' is no name of a task",
    ),
    Mistake(
        "two tasks of one name",
        "names",
        "tasks",
        "-",
        put("card_yesterday", "tasks", 0, "name"),
        "two tasks have the name card_yesterday",
    ),
    Mistake("too few tasks", "size", "tasks", "-", leave_out("tasks", 9), "there are 9 tasks; 10 are asked for"),
    Mistake(
        "two tasks alike",
        "tasks alike",
        "tasks",
        "-",
        lambda document: put(document["tasks"][0]["instruction"], "tasks", 1, "instruction")(document),
        "card_yesterday: asks what another task asks",
    ),
    Mistake(
        "a weekday that is not that date",
        "dates",
        "tasks",
        "-",
        swap("Saturday 21 June", "Sunday 21 June", "tasks", "aziz_camper", "instruction"),
        "aziz_camper: 'Sunday 21 June 2025' is another day of the week",
    ),
    Mistake(
        "a kind of task that is not on the list",
        "form",
        "tasks",
        "-",
        put("update", "tasks", 3, "kind"),
        r"tasks\.3\.kind",
    ),
)

SCHEMA = (
    Mistake("a table that is not STRICT", "schema", "schema", "-", swap(") STRICT;", ");", "schema_sql"), "STRICT"),
    Mistake(
        "a key with AUTOINCREMENT",
        "schema",
        "schema",
        "-",
        swap("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", "schema_sql"),
        "AUTOINCREMENT",
    ),
    Mistake(
        "a comma too many in a table",
        "SQL",
        "schema",
        "-",
        swap("CHECK (from_on <= to_on)", "CHECK (from_on <= to_on),", "schema_sql"),
        "syntax error",
    ),
    Mistake(
        "a view of a column that no table has",
        "SQL",
        "schema",
        "-",
        swap("SELECT coalesce(sum(length_cm), 0)", "SELECT coalesce(sum(vehicle_length_cm), 0)", "schema_sql"),
        "vehicle_length_cm",
    ),
    Mistake(
        "an invariant of a column that no table has",
        "SQL",
        "schema",
        "-",
        swap("paid_cents < 0", "balance_cents < 0", "invariants_sql"),
        "balance_cents",
    ),
    Mistake(
        "an invariant without its words",
        "form",
        "schema",
        "-",
        swap("-- Nobody gets back more than was paid.\n", "", "invariants_sql"),
        "comment line",
    ),
    Mistake(
        "a key that refers to nothing",
        "schema",
        "schema",
        "-",
        swap("booking_id  INTEGER NOT NULL REFERENCES booking (id)", "booking_id  INTEGER NOT NULL", "schema_sql"),
        r"payment\.booking_id: is named like the key of booking",
    ),
)

DATA = (
    Mistake(
        "a quote with a backslash",
        "lost inserts",
        "data",
        "-",
        swap("Didn''t need", r"Didn\'t need", "sql"),
        r"data\.sql: line \d+: the statement has no closing semicolon; a quote .* doubled.*: .INSERT INTO booking",
    ),
    Mistake(
        "a quote that is not doubled",
        "lost inserts",
        "data",
        "-",
        swap("Sheila O''Dowd", "Sheila O'Dowd", "sql"),
        r"data\.sql: line \d+: the statement has no closing semicolon; a quote .* doubled.*: .INSERT INTO agent",
    ),
    Mistake(
        "a column that the table has not",
        "lost inserts",
        "data",
        "-",
        swap("phone, email, resident", "phone, email_address, resident", "sql"),
        "email_address",
    ),
    Mistake(
        "a value too few in a row",
        "lost inserts",
        "data",
        "-",
        swap("'Grey Heron', 80, 3600", "'Grey Heron', 3600", "sql"),
        "VALUES must have the same number of terms",
    ),
    Mistake(
        "a status in other letters",
        "conventions of data and tools",
        "data",
        "-",
        swap("11300, 'boarded'", "11300, 'Boarded'", "sql"),
        "CHECK",
    ),
    Mistake(
        "a parent that is not there",
        "dangling keys",
        "data",
        "-",
        swap("(5033, 8, 326", "(5033, 88, 326", "sql"),
        "booking: row 5033 refers to a row of customer that is not there|FOREIGN KEY",
    ),
    Mistake(
        "a day in the order of the islands",
        "dates",
        "data",
        "-",
        swap("'2019-04-12'", "'12/04/2019'", "sql"),
        r"customer\.since: .*'12/04/2019'",
    ),
    Mistake(
        "a moment with a blank in it",
        "dates",
        "data",
        "-",
        swap("'2025-06-12T11:20:00'", "'2025-06-12 11:20:00'", "sql"),
        r"booking\.booked_at: ",
    ),
    Mistake(
        "a moment of the wall clock",
        "wall clock",
        "data",
        "-",
        swap("'2025-06-18T20:32:00'", "CURRENT_TIMESTAMP", "sql"),
        r"payment\.paid_at: holds a moment with T and a moment with a blank",
    ),
    Mistake(
        "rows that break an invariant",
        "data against the rules",
        "data",
        "-",
        swap("086 555 4058", "086 555 4021", "sql"),
        "the data: No phone belongs to two customers",
    ),
    Mistake("a user who is no row", "dangling keys", "data", "-", put(9, "user_id"), "agent has no row 9"),
)

GOALS = (
    Mistake(
        "what is wanted is so already",
        "goal already in the data",
        "goals",
        "deasys_trailer",
        both(
            put(2, "ends", 0, "rows", 0, "cells", "children", "value"),
            put(740, "ends", 0, "rows", 0, "cells", "length_cm", "value"),
            put(14200, "ends", 0, "rows", 0, "cells", "fare_cents", "value"),
        ),
        "deasys_trailer: booking .* holds from the start",
    ),
    Mistake(
        "a start that does the task",
        "goal already in the data",
        "goals",
        "heron_in_repair",
        put(
            "UPDATE sailing SET vessel_id = 4 WHERE id IN (325, 326); INSERT INTO closure (vessel_id, from_on, to_on, "
            "reason, agent_id) VALUES (2, '2025-06-22', '2025-06-22', 'Bow thruster repair', me());",
            "given",
        ),
        "heron_in_repair: sailing .* holds from the start",
    ),
    Mistake(
        "a part of the task is done already",
        "goal already in the data",
        "goals",
        "gillespies_board",
        add(
            [
                {
                    "table": "booking",
                    "change": "changed",
                    "name": "",
                    "cells": [
                        {"column": "id", "value": 5011, "is_sql": False},
                        {"column": "status", "value": "boarded", "is_sql": False},
                    ],
                }
            ],
            "ends",
            0,
            "rows",
        ),
        "gillespies_board: booking .*5011.* holds from the start",
    ),
    Mistake(
        "a column that the table has not",
        "SQL",
        "goals",
        "friday_called_off",
        put("state", "ends", 0, "rows", 0, "cells", "status", "column"),
        "friday_called_off.*state",
    ),
    Mistake(
        "a status that the schema forbids",
        "conventions of data and tools",
        "goals",
        "verhoeven_stays_home",
        put("canceled", "ends", 0, "rows", "booking", "cells", "status", "value"),
        "verhoeven_stays_home.*CHECK",
    ),
    Mistake(
        "an end that breaks a rule of the application",
        "goal against the rules",
        "goals",
        "gillespies_board",
        leave_out("ends", 0, "rows", 1),
        "gillespies_board: changes: break an invariant: Nobody is on board who has not paid",
    ),
    Mistake(
        "an answer that is of another type",
        "answer format",
        "goals",
        "skerra_or_torla",
        put("string", "answer", "type"),
        "skerra_or_torla: expect answers what is not of the type",
    ),
    Mistake(
        "nothing is expected",
        "verifier that accepts everything",
        "goals",
        "heron_in_repair",
        put([], "ends"),
        "heron_in_repair: nothing tells success; add",
    ),
    Mistake(
        "a check that is always true, with leave to change all",
        "verifier that accepts everything",
        "goals",
        "freed_deck",
        both(
            put([], "ends"),
            put([{"name": "booked", "sql": "(SELECT count(*) FROM booking) > 0"}], "checks"),
            put(
                [
                    {"table": "booking", "rows": "TRUE", "columns": []},
                    {"table": "waiting", "rows": "TRUE", "columns": []},
                ],
                "may_change",
            ),
        ),
        "freed_deck: passes without any call",
    ),
    Mistake(
        "a null that is a value",
        "form",
        "goals",
        "verhoeven_stays_home",
        put(None, "ends", 0, "rows", "booking", "cells", "note", "value"),
        r"verhoeven_stays_home: booking\.note: write null as an SQL expression",
    ),
    Mistake(
        "a new row without a column that it needs",
        "goal out of reach",
        "goals",
        "freed_deck",
        leave_out("ends", 0, "rows", "booking", "cells", 0),
        "freed_deck.changes.booking: the new row 'b' says nothing of 'customer_id'",
    ),
    Mistake(
        "a start that cannot be prepared",
        "SQL",
        "goals",
        "freed_deck",
        swap("INSERT INTO payment (", "INSERT INTO payments (", "given"),
        "freed_deck.*payments",
    ),
    Mistake(
        "a list of nothing", "form", "goals", "saturday_debts", put(None, "answer", "items"), "saturday_debts: .*items"
    ),
    Mistake(
        "an obstacle that is not lifted",
        "infeasible that is not",
        "goals",
        "aziz_camper",
        put("UPDATE booking SET status = 'cancelled' WHERE vehicle = 'tractor';", "lifted_by"),
        "aziz_camper: changes: break an invariant",
    ),
    Mistake(
        "an infeasible task that can be done after all",
        "infeasible that is not",
        "goals",
        "aziz_camper",
        put("UPDATE booking SET length_cm = 300 WHERE id = 5024;", "given"),
        "aziz_camper: .*can be done",
        by="gates",
        then=better_goal("aziz_camper"),
    ),
    Mistake(
        "a side effect that is forgotten",
        "expected side effects",
        "goals",
        "verhoeven_stays_home",
        leave_out("ends", 0, "rows", 1),
        "verhoeven_stays_home: the solution fails. Not asked for: payment",
        by="verifiers",
        then=better_goal("verhoeven_stays_home"),
    ),
    Mistake(
        "a fare that was reckoned wrong",
        "goal out of reach",
        "goals",
        "deasys_trailer",
        put(15100, "ends", 0, "rows", 0, "cells", "fare_cents", "value"),
        "deasys_trailer: the solution fails. booking 5024: wanted .* fare_cents = 15100",
        by="verifiers",
        then=better_goal("deasys_trailer"),
    ),
    Mistake(
        "an answer that counts what was not asked for",
        "answer",
        "goals",
        "saturday_debts",
        swap("origin = 'Ardnish' AND destination = 'Skerra'", "'Skerra' IN (origin, destination)", "expect"),
        "saturday_debts: the solution fails. The answer was .*; right is .*'Yasmin Aziz'",
        by="verifiers",
        then=better_goal("saturday_debts"),
    ),
)

INTERFACE = (
    Mistake("too few tools", "size", "interface", "-", leave_out("tools", slice(19, None)), "there are 19 tools"),
    Mistake(
        "two tools of one name",
        "tools that shadow each other",
        "interface",
        "-",
        put("find_bookings", "tools", "find_customers", "name"),
        "two tools have the name find_bookings",
    ),
    Mistake(
        "two arguments of one name",
        "form",
        "interface",
        "-",
        put("customer_id", "tools", "find_bookings", "params", "sailing_id", "name"),
        "find_bookings: two arguments have one name",
    ),
    Mistake(
        "a type that is not on the list",
        "form",
        "interface",
        "-",
        put("timestamp", "tools", "find_space", "params", "from_on", "type"),
        r"tools\.\d+\.params\.\d+\.type.*: Input should be",
    ),
    Mistake(
        "a key of a table that is not there",
        "form",
        "interface",
        "-",
        put("boat", "tools", "swap_vessel", "params", "vessel_id", "of"),
        "swap_vessel.*'boat'",
    ),
    Mistake(
        "a tool that is called like the end of a task",
        "names",
        "interface",
        "-",
        put("submit", "tools", "check_in", "name"),
        "'submit' is offered with every task",
    ),
    Mistake(
        "a default that its bounds forbid",
        "form",
        "interface",
        "-",
        put(0, "tools", "list_sailings", "params", "page", "default"),
        "list_sailings.params.page.default",
    ),
)

TOOLS = (
    Mistake(
        "a filter that is ignored",
        "silently wrong answers",
        "tools",
        "group_1",
        both(swap("(owed_cents > 0) = :owing", ":owing IN (0, 1)", "sql"), only_example(0)),
        "find_customers: (filtered by owing = |owing narrows nothing)",
        part="find_customers",
    ),
    Mistake(
        "a wrong count of rows",
        "example",
        "tools",
        "group_1",
        put(2, "examples", 0, "rows"),
        "register_customer: the example .* answers 1 rows, not 2",
        part="register_customer",
    ),
    Mistake(
        "a patch that blanks what was left out",
        "silent loss",
        "tools",
        "group_1",
        swap("email = coalesce(:email, email)", "email = :email", "sql"),
        "update_customer.*: changes email to None as well, which was left out",
        part="update_customer",
    ),
    Mistake(
        "a list in no order",
        "order of rows",
        "tools",
        "group_1",
        swap("ORDER BY id;", ";", "sql"),
        "list_routes: answers . rows in no order",
        part="list_routes",
    ),
    Mistake(
        "a column that the table has not",
        "SQL",
        "tools",
        "group_1",
        swap("metre_cents * share", "meter_cents * share", "sql"),
        r"quote_fare\.sql: .*no such column: meter_cents",
        part="quote_fare",
    ),
    Mistake(
        "pages of another size than the description says",
        "words against SQL",
        "tools",
        "group_1",
        both(swap("LIMIT 12 OFFSET 12", "LIMIT 20 OFFSET 20", "sql"), only_example(0)),
        "list_sailings: says 12 a page, but",
        part="list_sailings",
    ),
    Mistake(
        "a tool that is missing in the answer",
        "form",
        "tools",
        "group_2",
        leave_out("tools", 0),
        "find_space: is missing in the answer",
    ),
    Mistake(
        "an order that the description only promises",
        "words against SQL",
        "tools",
        "group_2",
        put("The vessels with their capacity, largest first.", "description"),
        "list_vessels: promises 'largest first', but its rows are ordered by name",
        part="list_vessels",
    ),
    Mistake(
        "an argument that was never declared",
        "SQL",
        "tools",
        "group_2",
        swap("(:unpaid IS NULL OR (due_cents > 0) = :unpaid)", "(:owing IS NULL OR (due_cents > 0) = :owing)", "sql"),
        "find_bookings.*owing",
        part="find_bookings",
    ),
    Mistake(
        "a rule that is forgotten",
        "rules that are not kept",
        "tools",
        "group_2",
        both(rule_out("seats are free"), leave_out("refuses", 2)),
        "invariants_hold: book_passage.* breaks it, .*: No sailing has more passengers than seats",
        part="book_passage",
    ),
    Mistake(
        "an entry of `refuses` that is not refused",
        "example",
        "tools",
        "group_2",
        put('{"booking_id": 5026, "sailing_id": 325}', "refuses", 2, "arguments"),
        r"move_booking\.refuses\[2\]: is not refused",
        part="move_booking",
    ),
    Mistake(
        "a tool that forgets one of its rules",
        "tool defects",
        "tools",
        "group_3",
        swap("sailing.status = 'cancelled' OR ", "", "sql"),
        "friday_called_off: the solution fails. new payment p: wanted .*7200",
        part="cancel_booking",
        by="verifiers",
        then=fault("friday_called_off", "cancel_booking", "It keeps half, though the sailing was cancelled."),
    ),
    Mistake(
        "a side effect that nobody asked for",
        "tool defects",
        "tools",
        "group_3",
        swap(
            "SELECT payment.id",
            "UPDATE booking SET note = 'Paid by ' || :method WHERE id = :booking_id;\n\nSELECT payment.id",
            "sql",
        ),
        "gillespies_board: the solution fails.*note",
        part="take_payment",
        by="verifiers",
        then=fault("gillespies_board", "take_payment", "It writes a note into the booking; it should not."),
    ),
    Mistake(
        "a write that only a constraint stops",
        "errors of the server",
        "tools",
        "group_3",
        both(rule_out("Nothing was paid too much"), put([], "refuses")),
        "refund_credit: with method = .* no call goes through: a constraint of the schema stops it",
        part="refund_credit",
    ),
    Mistake(
        "a first day that is left out",
        "silently wrong answers",
        "tools",
        "group_3",
        both(swap(">= :since", "> :since", "sql"), only_example(0)),
        "list_payments.*since",
        part="list_payments",
    ),
    Mistake(
        "arguments that are no JSON object",
        "form",
        "tools",
        "group_3",
        put("from_on='2025-06-16', to_on='2025-06-19'", "examples", 0, "arguments"),
        "takings: the arguments .* are no JSON object",
        part="takings",
    ),
    Mistake(
        "an argument of another name",
        "form",
        "tools",
        "group_3",
        put('{"booking": 5005}', "refuses", 0, "arguments"),
        r"check_in\.refuses\[0\].*'booking'",
        part="check_in",
    ),
    Mistake(
        "an order that does not tell rows apart",
        "order of rows",
        "tools",
        "group_4",
        swap("ORDER BY added_at, id", "ORDER BY added_at", "sql"),
        "list_waiting: its order ends in added_at, which does not tell all rows apart",
        part="list_waiting",
    ),
    Mistake(
        "an example that is refused",
        "example",
        "tools",
        "group_4",
        swap("241", "240", "examples", 0, "arguments"),
        "join_waiting_list: the example .* is answered refused: There is room",
        part="join_waiting_list",
    ),
    Mistake(
        "an entry of `refuses` that another rule stops first",
        "example",
        "tools",
        "group_4",
        put("", "refuses", 1, "given"),
        "serve_waiting: no entry of `refuses` depends on: SELECT refuse\\('Only ' \\|\\| free_seats",
        part="serve_waiting",
    ),
    Mistake(
        "a write that goes beyond what it is for",
        "tool defects",
        "tools",
        "group_4",
        swap("WHERE sailing_id = :sailing_id AND status = 'waiting';", "WHERE status = 'waiting';", "sql"),
        "cancel_sailing",
        part="cancel_sailing",
    ),
    Mistake(
        "a rule that is forgotten where days overlap",
        "rules that are not kept",
        "tools",
        "group_4",
        both(rule_out("The vessel is out of service"), leave_out("refuses", slice(3, 5))),
        "plan_closure.* breaks it, .*: No vessel sails on a day it is out of service",
        part="plan_closure",
    ),
)

VERIFIERS = (
    Mistake(
        "an end without the answer",
        "answer format",
        "verifiers",
        "saturday_debts",
        put("{}", "solution", 1, "arguments"),
        "saturday_debts.*answer",
    ),
    Mistake(
        "an answer as text",
        "answer format",
        "verifiers",
        "card_yesterday",
        put('{"answer": "391.00"}', "solution", 1, "arguments"),
        "card_yesterday.*answer",
    ),
    Mistake(
        "a number that nothing derives",
        "hidden knowledge",
        "verifiers",
        "skerra_or_torla",
        put([], "derived"),
        "skerra_or_torla: .*(620|1680).*",
        by="gates",
    ),
    Mistake(
        "keys that nothing shows",
        "hidden knowledge",
        "verifiers",
        "heron_in_repair",
        leave_out("solution", slice(0, 2)),
        "heron_in_repair: swap_vessel: sailing_id = 325 comes from nowhere",
        by="gates",
    ),
    Mistake(
        "an argument of the wrong type",
        "form",
        "verifiers",
        "deasys_trailer",
        swap("5024", '"5024"', "solution", 1, "arguments"),
        "deasys_trailer.*booking_id",
    ),
    Mistake(
        "a tool that does not exist",
        "tools that do not exist",
        "verifiers",
        "freed_deck",
        put("serve_entry", "solution", 2, "tool"),
        "freed_deck.*'serve_entry'",
    ),
    Mistake(
        "a step that is forgotten",
        "solution",
        "verifiers",
        "friday_called_off",
        leave_out("solution", 5),
        "friday_called_off: the solution fails. booking 5020: wanted sailing_id = 320",
    ),
)


SEED_BANK = (
    Mistake(
        "a winner that shares its place",
        "ties",
        "goals",
        "best_customer",
        swap("ORDER BY 2 DESC", "ORDER BY count(*) DESC", "expect"),
        "best_customer: .* are equally first; the answer must have one winner",
        by="verifiers",
        then=better_goal("best_customer", "seed_bank"),
    ),
    Mistake(
        "a rule that the arguments keep already",
        "example",
        "tools",
        "group_2",
        both(
            rule_in("SELECT refuse('It is in quarantine.') FROM lot WHERE id = :lot_id AND status = 'quarantined';"),
            add([{"given": "", "arguments": '{"lot_id": 315, "reason": "Mould"}'}], "refuses"),
        ),
        "quarantine_lot: no entry of `refuses` depends on: SELECT refuse..It is in quarantine",
        part="quarantine_lot",
    ),
    Mistake(
        "an order that the description contradicts",
        "words against SQL",
        "tools",
        "group_2",
        swap("ORDER BY name, id", "ORDER BY free_grams DESC, id", "sql"),
        "list_units: promises 'Sorted by name', but its rows are ordered by free_grams DESC",
        part="list_units",
    ),
    Mistake(
        "a search that minds capitals",
        "silently wrong answers",
        "tools",
        "group_3",
        swap("lower(:query)", ":query", "sql"),
        "find_institutions: query = .* find different rows",
        part="find_institutions",
    ),
    Mistake(
        "a moment where the data have a day",
        "dates",
        "tools",
        "group_3",
        swap("finished_on = date(now())", "finished_on = now()", "sql"),
        "record_result.*: writes test.finished_on = .*, which is not",
        part="record_result",
    ),
    Mistake(
        "a limit that is one too high",
        "rules that are not kept",
        "tools",
        "group_3",
        swap("json_array_length(:lot_ids) > 5", "json_array_length(:lot_ids) > 6", "sql"),
        r"start_tests\.refuses\[1\]: is not refused",
        part="start_tests",
    ),
    Mistake(
        "a user who is written into the SQL",
        "tool defects",
        "tools",
        "group_4",
        swap("sent_by = me()", "sent_by = 2", "sql"),
        "parcel_for_the_dale: the solution fails. shipment 708: wanted .*sent_by = me().*, found .*sent_by = 2",
        part="dispatch_shipment",
        by="verifiers",
        then=fault("parcel_for_the_dale", "dispatch_shipment", "It writes another member of staff.", "seed_bank"),
    ),
    Mistake(
        "a near miss that is right after all",
        "near miss",
        "verifiers",
        "legumes",
        put('{"answer": 560}', "near_misses", 2, "calls", 0, "arguments"),
        "legumes.near_misses.trefoil_only: is accepted",
        by="gates",
    ),
    Mistake(
        "arguments that are no JSON object",
        "form",
        "verifiers",
        "larvae",
        put("{lot_id: 308, reason: 'Weevil larvae'}", "solution", 2, "arguments"),
        "larvae: solution: quarantine_lot: the arguments .* are no JSON object",
    ),
    Mistake(
        "arguments that are a list",
        "form",
        "verifiers",
        "no_duplicate",
        put('["FM-0159", "FM-0188", "FM-0194"]', "solution", 1, "arguments"),
        "no_duplicate: solution: submit: the arguments .* are no JSON object",
    ),
    Mistake(
        "a call that is superfluous",
        "solution",
        "verifiers",
        "call_from_the_rivers",
        lambda document: document["solution"].insert(
            1, {"tool": "update_institution", "arguments": '{"institution_id": 507, "contact": "Siobhan O\'Neill"}'}
        ),
        "call_from_the_rivers: .*the call does nothing",
        by="gates",
    ),
    Mistake(
        "an obstacle that nothing shows",
        "infeasible that is not",
        "verifiers",
        "rattle_for_kestrel_moss",
        put([], "shown_by"),
        "rattle_for_kestrel_moss: .*shown_by",
        by="gates",
    ),
    Mistake(
        "a step that is forgotten",
        "solution",
        "verifiers",
        "count_is_in",
        leave_out("solution", 2),
        "count_is_in: the solution fails",
    ),
    Mistake(
        "no near miss",
        "near miss",
        "verifiers",
        "no_duplicate",
        put([], "near_misses"),
        "no_duplicate: has no near miss; write at least one",
        by="gates",
    ),
    Mistake(
        "a fault of a tool that does not exist",
        "tools that do not exist",
        "verifiers",
        "ice_in_chiller_2",
        put([{"tool": "list_chillers", "fault": "It does not show what lies in a chiller."}], "tool_faults"),
        "ice_in_chiller_2: There is no tool 'list_chillers'",
    ),
    Mistake(
        "a list where a record is asked for",
        "answer format",
        "verifiers",
        "best_customer",
        put('{"answer": ["Northwater Rivers Trust", 470]}', "solution", 1, "arguments"),
        "best_customer.*submit: answer must be",
    ),
    Mistake(
        "a key that nothing shows",
        "hidden knowledge",
        "verifiers",
        "new_collection",
        leave_out("solution", 0),
        "new_collection: register_accession: species_id = 14 comes from nowhere",
        by="gates",
    ),
)
SEED_BANK = tuple(replace(mistake, scenario="seed_bank") for mistake in SEED_BANK)


FESTIVAL_CREW = (
    Mistake(
        "a write that can be done twice without effect",
        "silent no-ops",
        "tools",
        "group_4",
        both(rule_out("No voucher is due"), leave_out("refuses", 0)),
        "issue_vouchers.*can be done again, and then changes nothing",
        part="issue_vouchers",
    ),
    Mistake(
        "a statement that is not closed",
        "SQL",
        "tools",
        "group_1",
        swap("RETURNING id, name, status, wristband, note;", "RETURNING id, name, status, wristband, note", "sql"),
        "check_in_volunteer",
        part="check_in_volunteer",
    ),
    Mistake(
        "a tool that rolls back by itself",
        "SQL",
        "tools",
        "group_3",
        rule_in("BEGIN TRANSACTION;"),
        "sign_up.*BEGIN",
        part="sign_up",
    ),
    Mistake(
        "an example whose start cannot be prepared",
        "SQL",
        "tools",
        "group_2",
        put("UPDATE shifts SET places = 3;", "examples", 0, "given"),
        "list_shifts: .*no such table: shifts",
        part="list_shifts",
    ),
    Mistake(
        "examples that show nothing",
        "example",
        "tools",
        "group_1",
        put([{"given": "", "arguments": '{"query": "Zebedee"}', "rows": 0}], "examples"),
        "find_volunteers: no example answers a row; give one that shows what the tool does",
        part="find_volunteers",
    ),
    Mistake(
        "an answer where none is asked for",
        "answer format",
        "verifiers",
        "mahony_arrives",
        add([{"tool": "submit", "arguments": '{"answer": "done"}'}], "solution"),
        "mahony_arrives.*submit has no argument 'answer'",
    ),
    Mistake(
        "a call after the end",
        "solution",
        "verifiers",
        "vouchers_not_spent",
        add([{"tool": "list_areas", "arguments": "{}"}], "solution"),
        "vouchers_not_spent.*submit ends the episode; nothing may follow it",
    ),
    Mistake(
        "a call that is refused",
        "solution",
        "verifiers",
        "new_gate_steward",
        lambda document: document["solution"].insert(
            1, {"tool": "sign_up", "arguments": '{"volunteer_id": 123, "shift_id": 307}'}
        ),
        "new_gate_steward: .*refused",
    ),
)
FESTIVAL_CREW = tuple(replace(mistake, scenario="festival_crew") for mistake in FESTIVAL_CREW)

# Each in a synthesis of its own: they send the stage before back, are never mended, or are never found.
ALONE = (
    Mistake(
        "an invariant that a CHECK makes idle",
        "invariant that holds nothing",
        "schema",
        "-",
        swap("WHERE paid_cents < 0", "WHERE paid_cents < 0 AND fare_cents < 0", "invariants_sql"),
        "no change of a row of the data breaks it: Nobody gets back more than was paid",
        by="data",
    ),
    Mistake(
        "a schema that has no room for the data",
        "schema",
        "schema",
        "-",
        swap("REFERENCES customer (id),\n  sailing_id", "UNIQUE REFERENCES customer (id),\n  sailing_id", "schema_sql"),
        "UNIQUE constraint failed: booking.customer_id",
        by="data",
    ),
    Mistake(
        "data in which a task is done",
        "goal already in the data",
        "data",
        "-",
        both(
            swap("5220, 'confirmed'", "5220, 'boarded'", "sql"),
            swap("5009, 'payment', 3000", "5009, 'payment', 5220", "sql"),
        ),
        "gillespies_board: booking .* holds from the start",
        by="goals",
    ),
    Mistake(
        "a tool that does not mind keys of no row",
        "ghost ids",
        "interface",
        "-",
        put("", "tools", "update_institution", "params", "institution_id", "of"),
        "update_institution: institution_id = .* names nothing, and is accepted",
        by="tools",
        times=ALWAYS,
        then=Mistake(
            "a rule for keys of no row",
            "",
            "tools",
            "group_3",
            both(
                rule_in(
                    "SELECT refuse('There is no such institution; find_institutions shows all.')\n"
                    "WHERE NOT EXISTS (SELECT 1 FROM institution WHERE id = :institution_id);"
                ),
                add([{"given": "", "arguments": '{"institution_id": 999, "contact": "Ann Lee"}'}], "refuses"),
            ),
            "",
            part="update_institution",
            attempt=2,
            times=ALWAYS,
            scenario="seed_bank",
        ),
        scenario="seed_bank",
    ),
    Mistake(
        "a goal that is never right",
        "goal out of reach",
        "goals",
        "verhoeven_stays_home",
        put("canceled", "ends", 0, "rows", "booking", "cells", "status", "value"),
        "verhoeven_stays_home: changes: the database does not take this end state: CHECK",
        times=ALWAYS,
        end=DROPPED,
    ),
    Mistake(
        "a tool that is never right",
        "SQL",
        "tools",
        "group_3",
        swap("customer.name AS customer", "customer.fullname AS customer", "sql"),
        r"list_payments\.sql: .*no such column: customer\.fullname",
        part="list_payments",
        times=ALWAYS,
        end=DROPPED,
    ),
    Mistake(
        "a solution that knows more than it was shown",
        "hidden knowledge",
        "verifiers",
        "heron_in_repair",
        leave_out("solution", slice(0, 2)),
        "heron_in_repair: swap_vessel: sailing_id = 325 comes from nowhere",
        by="gates",
        times=ALWAYS,
        end=DROPPED,
    ),
    Mistake(
        "a task that several rows fit",
        "ties",
        "tasks",
        "-",
        swap("the lot with the best viability", "a lot", "tasks", "parcel_for_the_dale", "instruction"),
        "parcel_for_the_dale: allocate_request: nothing says why lot_id is 322 and not 310",
        by="gates",
        times=ALWAYS,
        end=DROPPED,
        scenario="seed_bank",
    ),
    Mistake(
        "a task that several rows fit, of which none is written before another",
        "ties",
        "tasks",
        "-",
        swap(
            "whichever other freezer in service has the most room", "another", "tasks", "new_collection", "instruction"
        ),
        "",
        times=ALWAYS,
        end=UNNOTICED,
        scenario="seed_bank",
    ),
    Mistake(
        "data that never hold",
        "lost inserts",
        "data",
        "-",
        swap("Sheila O''Dowd", "Sheila O'Dowd", "sql"),
        r"data\.sql: line 1: the statement has no closing semicolon",
        times=ALWAYS,
        end=REJECTED,
    ),
    Mistake(
        "a form that is never filled in",
        "form",
        "scenario",
        "-",
        lambda document: document.pop("now"),
        r"The answer does not fit:\s+now: this key is missing",
        times=ALWAYS,
        end=REJECTED,
    ),
    Mistake(
        "a call to the wall clock",
        "wall clock",
        "goals",
        "card_yesterday",
        swap("date(now(), '-1 day')", "date('now', '-1 day')", "expect"),
        "",
        times=ALWAYS,
        end=HARMLESS,
    ),
    Mistake(
        "a column that dates itself",
        "wall clock",
        "schema",
        "-",
        swap("paid_at     TEXT    NOT NULL", "paid_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP", "schema_sql"),
        "",
        times=ALWAYS,
        end=HARMLESS,
    ),
    Mistake(
        "a side effect that a tool forgets and no task needs",
        "tool defects",
        "tools",
        "group_4",
        rule_out("SET grams_left = grams_left + request.grams"),
        "",
        part="close_request",
        times=ALWAYS,
        end=UNNOTICED,
        scenario="seed_bank",
    ),
)


MISTAKES = (*SCENARIO, *TASKS, *SCHEMA, *DATA, *GOALS, *INTERFACE, *TOOLS, *VERIFIERS, *SEED_BANK, *FESTIVAL_CREW)


@dataclass(frozen=True)
class Garbled:
    """An answer that is spoiled as a text, and no longer as a form.

    Attributes:
        name: in words.
        kind: the class of defects that it belongs to.
        reply: what the server sends instead of the right text.
        found: what some finding must match; "" if it is read nevertheless, and no attempt is lost.
    """

    name: str
    kind: str
    reply: Callable[[str], Reply]
    found: str


GARBLED = (
    Garbled(
        "a fence and words around the answer",
        "transport",
        lambda text: Reply(f"Here is the form you asked for:\n\n```json\n{text}\n```\n\nShall I go on?"),
        "",
    ),
    Garbled("thoughts before the answer", "transport", lambda text: Reply(f"<think>{{maybe}}</think>\n{text}"), ""),
    Garbled(
        "an object of another kind before the answer",
        "transport",
        lambda text: Reply(f'{{"plan": ["name", "rules"]}}\n\n{text}'),
        "",
    ),
    Garbled(
        "a trailing comma",
        "transport",
        lambda text: Reply(f"{text[:-1]},}}"),
        "The answer is not JSON: there is a comma before a closing bracket at line 1",
    ),
    Garbled(
        "an answer that is cut at the token limit",
        "transport",
        lambda text: Reply(text[: len(text) // 2], finish="length"),
        "is not closed. The answer was cut at the token limit: answer again, shorter",
    ),
    Garbled(
        "a refusal in words",
        "transport",
        lambda text: Reply("I'm sorry, but I cannot help with that."),
        "The answer holds no JSON object",
    ),
    Garbled(
        "a refusal of the server's making",
        "transport",
        lambda text: Reply(refusal="I cannot help with that."),
        "The model refused: I cannot help with that",
    ),
    Garbled("an empty answer", "transport", lambda text: Reply(""), "The answer is empty"),
    Garbled(
        "a filter of the server",
        "transport",
        lambda text: Reply(text[:40], finish="content_filter"),
        "The server's content filter stopped the answer",
    ),
    Garbled(
        "a key that is missing",
        "transport",
        lambda text: Reply(text.replace('"title": ', '"heading": ', 1)),
        "title: this key is missing\n.*heading: there is no such key",
    ),
)
READ = dict(zip(("tasks", "schema", "data"), (one for one in GARBLED if not one.found), strict=True))


# What becomes of them -------------------------------------------------------------------------------------------------


def packed(mistakes):
    """The mistakes of one synthesis: those of one item are made one after the other, those found late last of all."""
    made = []
    asked = Counter()
    for mistake in sorted(mistakes, key=lambda one: bool(one.by)):
        key = (mistake.stage, mistake.item, mistake.part)
        asked[key] += not mistake.by
        made.append(replace(mistake, attempt=asked[key] + bool(mistake.by)))
    then = [replace(one.then, attempt=2 + asked[one.then.stage, one.then.item, ""]) for one in made if one.then]
    return (*made, *then)


@cache
def together(scenario):
    """The outcome of the synthesis of a scenario in which all its mistakes that are mended are made."""
    return play(*packed([one for one in MISTAKES if one.scenario == scenario]), attempts=20, scenario=scenario)


def apart(mistake):
    """The outcome of a synthesis in which a mistake of `ALONE` is made; those that end alike are made together."""
    if mistake.end == DROPPED:
        return _all_that(DROPPED, mistake.scenario, Least(tasks=7, tools=20))
    if mistake.end in (HARMLESS, UNNOTICED):
        return _all_that(mistake.end, mistake.scenario)
    return _alone(mistake.name)


@cache
def _all_that(end, scenario, least=None):
    made = [one for one in ALONE if (one.end, one.scenario) == (end, scenario)]
    return play(*made, attempts=1, least=least, until="verifiers" if end == HARMLESS else "", scenario=scenario)


@cache
def _alone(name):
    mistake = next(one for one in ALONE if one.name == name)
    made = (mistake, mistake.then) if mistake.then else (mistake,)
    return play(*made, attempts=2, until=mistake.by or mistake.stage, scenario=mistake.scenario)


@cache
def garbled():
    """The outcome of a synthesis over HTTP in which every answer to the first stage is garbled in another way."""
    script = Script("ferry_desk")
    lost = [one for one in GARBLED if one.found]

    def reply(request):
        asked = scripted.Asked(request["messages"])
        text = script.text(request["messages"])
        if asked.stage == "scenario" and asked.attempt <= len(lost):
            return lost[asked.attempt - 1].reply(text)
        return READ[asked.stage].reply(text) if asked.stage in READ else text

    with FakeServer(reply) as server, TemporaryDirectory() as folder:
        settings = Settings("scripted", base_url=server.url, api_key="none", patience=0)
        with Model(settings, Ledger(settings), memory=Path(folder)) as model:
            return synthesize(author("ferry_desk", model), "ferry_desk", attempts=20, until="data")


def findings_of(outcome, mistake):
    """What was found of a mistake, and by which stage."""
    stage = mistake.by or mistake.stage
    return [
        (attempt, finding)
        for attempt in outcome.attempts
        for finding in attempt.findings
        if attempt.stage == stage and re.search(mistake.found, finding, re.S)
    ]


def table():
    """Markdown: mistake, class, what found it, what became of it."""
    lines = ["| mistake | class | made in | found by | then |", "|---|---|---|---|---|"]
    lines += [_line(one, together(one.scenario), one.then.name if one.then else NEXT) for one in MISTAKES]
    lines += [_line(one, apart(one), one.end) for one in ALONE]
    for one in GARBLED:
        told = [text for attempt in garbled().attempts for text in attempt.findings if re.search(one.found, text)]
        found, end = (f"the client: {told[0]}", NEXT) if one.found else ("", "read, no attempt is lost")
        lines.append(f"| {one.name} | {one.kind} | any | {_cell(found)} | {end} |")
    return "\n".join(lines)


def _line(mistake, outcome, end):
    """A line of the table; its end tells the stage that was written anew, if another than the one that found it."""
    made = f"| {mistake.name} | {mistake.kind} | {mistake.stage} |"
    if mistake.end in (HARMLESS, UNNOTICED):
        return f"{made} | {end} |"
    attempt, finding = findings_of(outcome, mistake)[0]
    if mistake in ALONE and mistake.end == MENDED:
        end = mistake.then.name if mistake.then else f"{attempt.stage} sends {mistake.stage} back, which is mended"
    if mistake.end == REJECTED:
        end = "rejected with this reason"
    return f"{made} {_cell(f'{attempt.stage}: {finding}')} | {end} |"


def _cell(text):
    """A text as it fits into a cell."""
    words = " ".join(text.split()).replace("|", "\\|")
    return words if len(words) <= 150 else f"{words[:147]}..."


if __name__ == "__main__":
    if sys.argv[1:] != ["--table"]:
        sys.exit(__doc__)
    print(table())
