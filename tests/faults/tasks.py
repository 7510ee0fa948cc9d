"""Faults in tasks: referents, values from nowhere, guessable answers, infeasible ones, leaks of the goal."""

from faults import Fault

P, V, D = "parcel_lockers", "vet_clinic", "parts_depot"
FAULTS = [
    # referents
    Fault(
        P,
        "tasks.toml",
        "Move its parcel to the smallest free working locker it fits in,",
        "Move its parcel to a free locker,",
        "choices_are_grounded",
        "any of several lockers would do, and one is right",
    ),
    Fault(
        P,
        "tasks.toml",
        "Ngozi Okafor is at the counter and shows pickup code 4417. It belongs to the parcel that\ncame in today.",
        "Somebody is at the counter.",
        "nothing_is_hidden",
        "the pickup code stands nowhere",
    ),
    Fault(
        P,
        "data.sql",
        "(2, 2, 1),\n  (3, 2, 1),\n  (4, 2, 0)",
        "(2, 2, 1),\n  (3, 2, 1),\n  (4, 2, 1)",
        "choices_are_grounded",
        "two lockers are the smallest that is free",
        (
            (
                "tools.toml",
                "{ id = 4, size = 2, working = 0, free = 1 }",
                "{ id = 4, size = 2, working = 1, free = 1 }",
            ),
            (
                "tools.toml",
                "  { arguments = { locker_id = 4, working = false } },",
                "  { arguments = { locker_id = 2, working = true } },",
            ),
        ),
    ),
    Fault(
        P,
        "tasks.toml",
        "'6120', 2, '2025-02-27'",
        "'6120', 2, '2025-03-01'",
        "solutions_pass",
        "two parcels have waited longest",
        (
            ("tasks.toml", 'arrived_on = "2025-02-27"', 'arrived_on = "2025-03-01"'),
            ("tasks.toml", 'name = "Emeka Okafor"', 'name = "Aiko Lindgren"'),
        ),
    ),
    Fault(
        D,
        "tasks.toml",
        "Pedalero Postbikes accept the quote with the 8-speed rear wheels that is still valid,",
        "Pedalero Postbikes accept their quote,",
        "choices_are_grounded",
        "they have several quotes",
        (("tasks.toml", "six of those rear wheels instead of four", "six instead of four"),),
    ),
    Fault(
        V,
        "tasks.toml",
        "Aoife Brennan would like the next supply of each medicine that Clementine has",
        "Clementine may have the next supply of each medicine that she has",
        "choices_are_grounded",
        "there are two Clementines",
    ),
    # values from nowhere
    Fault(
        P,
        "tasks.toml",
        '  { name = "find_parcels", arguments = { recipient = "Ngozi Okafor" } },\n  { name = "collect',
        '  { name = "collect',
        "nothing_is_hidden",
        "the parcel's number is never looked up",
    ),
    Fault(
        V,
        "tasks.toml",
        "Care note for Muru: 'Tablet hidden in tuna'. None for Nalle.",
        "Muru gets a tablet.",
        "nothing_is_hidden",
        "the words of the note stand nowhere",
    ),
    Fault(
        V, "tasks.toml", "phone 085 555 7788, no email", "no email", "nothing_is_hidden", "a phone number from nowhere"
    ),
    Fault(
        V,
        "tasks.toml",
        "born on 4 May\n2022, 32.5 kg",
        "born on 4 May\n2022",
        "nothing_is_hidden",
        "the weight is worked out from a number that nobody tells",
    ),
    Fault(
        V,
        "tasks.toml",
        "issue Lian Chen's bill and take all of it by card.",
        "issue Lian Chen's bill and take all of it.",
        "nothing_is_hidden",
        "how it is paid was lost from the instruction",
    ),
    Fault(
        D,
        "tasks.toml",
        "hand it\nover with the tracking number RT-7731190.",
        "hand it\nover.",
        "nothing_is_hidden",
        "a tracking number from nowhere",
    ),
    Fault(
        D,
        "tasks.toml",
        " at Q-01; I have",
        "; I have",
        "choices_are_grounded",
        "which of two quarantine places is meant was lost",
    ),
    Fault(
        V,
        "tasks.toml",
        'derived = { 2025-10-14 = "today, the day of issue" }',
        'derived = { 2025-10-14 = "today, the day of issue", 23 = "her bill" }',
        "nothing_is_hidden",
        "a key is told as worked out, not looked up",
        (("tasks.toml", '  { name = "list_invoices", arguments = { owner_id = 5, status = "draft" } },\n', ""),),
    ),
    Fault(
        V,
        "tasks.toml",
        '2022-05-04 = "4 May 2022", 2025-10-15',
        '2022-05-04 = "4 May 2022", 2022-05-03 = "the day before", 2025-10-15',
        "nothing_is_hidden",
        "something is worked out that the solution does not use",
    ),
    Fault(
        P,
        "tasks.toml",
        'recipient = "Aiko Lindgren" } }, { name = "list_lockers"',
        'recipient = "Aiko Lindgrn" } }, { name = "list_lockers"',
        "infeasible_is_so",
        "the obstacle is looked for under a wrong name",
    ),
    # guessable answers
    Fault(
        P,
        "tasks.toml",
        "Who has let a parcel wait longest, and since which day is it here? Answer with "
        "the recipient's name and the day it arrived.",
        "Emeka Okafor, whose parcel came on 2025-02-27, has waited longest. Who, and since when?",
        "doing_nothing_fails",
        "the instruction gives the answer away",
    ),
    Fault(
        P,
        "tasks.toml",
        'answer = { type = "record", fields = { name = "string", arrived_on = "date" } }',
        'answer = "boolean"',
        "load",
        "a lone yes or no",
        (
            (
                "tasks.toml",
                'expect = "SELECT recipient AS name, arrived_on FROM parcel WHERE collected_at '
                'IS NULL ORDER BY arrived_on LIMIT 1"',
                'expect = "SELECT 1 FROM parcel LIMIT 1"',
            ),
            ("tasks.toml", 'answer = { name = "Emeka Okafor", arrived_on = "2025-02-27" }', "answer = true"),
            ("tasks.toml", 'answer = { name = "Jonas Lindqvist", arrived_on = "2025-02-26" }', "answer = false"),
            ("tasks.toml", 'answer = { name = "Ngozi Okafor", arrived_on = "2025-03-02" }', "answer = false"),
        ),
    ),
    Fault(
        V,
        "tasks.toml",
        "In euros.",
        "In euros; it should be 305.",
        "doing_nothing_fails",
        "the instruction tells the sum",
    ),
    Fault(
        V,
        "scenario.toml",
        "Money is in cents.",
        "Money is in cents. Nora Haddad owes 14900 cents.",
        "doing_nothing_fails",
        "the description tells a task's answer",
    ),
    # infeasible ones
    Fault(
        P,
        "tasks.toml",
        'given = "UPDATE locker SET working = 0 WHERE id = 5;"',
        'given = "UPDATE locker SET working = 0 WHERE id = 7;"',
        "infeasible_is_so",
        "the task can be done: the obstacle is not there",
    ),
    Fault(
        P,
        "tasks.toml",
        'working = 0 WHERE id = 5;"\n',
        'working = 0 WHERE id = 5; INSERT INTO locker (id, size, working) VALUES (9, 3, 1);"\n',
        "choices_are_grounded",
        "the task can be done another way: there is a third large locker",
    ),
    Fault(
        P,
        "tasks.toml",
        ', { name = "list_lockers", arguments = {} }] }',
        "] }",
        "infeasible_is_so",
        "no call shows the obstacle",
    ),
    Fault(
        P,
        "tasks.toml",
        'why = "Her parcel is large, and no other large locker works."',
        'why = "Not possible."',
        "infeasible_is_so",
        "why it cannot be done is not told",
    ),
    Fault(
        P,
        "tasks.toml",
        'lifted_by = "UPDATE locker SET working = 1 WHERE id = 5;"',
        'lifted_by = "UPDATE locker SET working = 1 WHERE id = 5; UPDATE parcel SET size = 2 WHERE id = 105;"',
        "infeasible_is_so",
        "what lifts the obstacle changes the parcel as well",
    ),
    Fault(
        P,
        "tasks.toml",
        'lifted_by = "UPDATE locker SET working = 1 WHERE id = 5;"',
        'lifted_by = "UPDATE locker SET working = 1 WHERE id = 7;"',
        "solutions_pass",
        "what should lift the obstacle does not",
    ),
    Fault(
        P,
        "tasks.toml",
        'infeasible = { why = "Her parcel is large, and no other large locker works.", '
        'lifted_by = "UPDATE locker SET working = 1 WHERE id = 5;", shown_by = [{ name = '
        '"find_parcels", arguments = { recipient = "Aiko Lindgren" } }, { name = '
        '"list_lockers", arguments = {} }] }\n',
        "",
        "solutions_pass",
        "a task that cannot be done is not marked so",
    ),
    Fault(
        V,
        "tasks.toml",
        "given_on = '2024-11-22', due_on = '2025-11-22' WHERE animal_id = 20",
        "given_on = '2024-09-22', due_on = '2025-09-22' WHERE animal_id = 20",
        "solutions_pass",
        "with the obstacle lifted it still cannot be done",
    ),
    Fault(
        D,
        "tasks.toml",
        "SET cutoff = '11:30' WHERE id = 2;\", shown",
        "SET cutoff = '11:30' WHERE id = 2; UPDATE carrier SET fee = 2450 WHERE id = 2;\", shown",
        "infeasible_is_so",
        "what lifts the obstacle also sets the fee",
    ),
    # leaks of the goal, tools in the words
    Fault(
        P,
        "tasks.toml",
        "Hand it out.'''",
        "Hand it out with collect_parcel.'''",
        "words_are_true",
        "the instruction names the tool",
    ),
    Fault(
        P,
        "data.sql",
        "(102, 'Ngozi Okafor',    1, '4417', 6, '2025-03-10', NULL, NULL)",
        "(102, 'Ngozi Okafor',    1, '4417', 6, '2025-03-10', '2025-03-10T21:30:00', 2)",
        "solutions_pass",
        "the parcel is handed out in the data already",
    ),
    Fault(P, "data.sql", "(3, 2, 1),", "(3, 2, 0),", "doing_nothing_fails", "half of the goal holds from the start"),
    Fault(
        P,
        "tasks.toml",
        "[waiting_longest]",
        '[hand_out]\ninstruction = "Hand parcel 102 out, code 4417."\nsolution = '
        '[\n  { name = "find_parcels", arguments = { recipient = "Ngozi Okafor" '
        '} },\n  { name = "collect_parcel", arguments = { parcel_id = 102, code '
        '= "4417" } },\n]\n[hand_out.changes]\nparcel = [{ id = 102, collected_at '
        '= { sql = "now()" }, clerk_id = 2 }]\n[hand_out.near_misses]\nnone = '
        "[]\n[waiting_longest]",
        "solutions_pass",
        "one task stands there twice",
    ),
    Fault(
        V,
        "tasks.toml",
        "Friday 17 October 2025. Tomas",
        "Thursday 17 October 2025. Tomas",
        "words_are_true",
        "that day is a Friday",
    ),
]
