"""Faults of clocks and of chance."""

from faults import Fault

P, V, D = "parcel_lockers", "vet_clinic", "parts_depot"
FAULTS = [
    Fault(
        P,
        "tools.toml",
        "collected_at = now(),",
        "collected_at = datetime(now()),",
        "solutions_pass",
        "a blank in the place of the T",
    ),
    Fault(
        P,
        "tools.toml",
        "collected_at = now(),",
        "collected_at = CURRENT_TIMESTAMP,",
        "solutions_pass",
        "the engine's own form of now",
    ),
    Fault(
        P,
        "tools.toml",
        "collected_at = now(),",
        "collected_at = strftime('%Y-%m-%dT%H:%M:%S', now(), '+1 hour'),",
        "solutions_pass",
        "an hour in the future",
    ),
    Fault(
        P,
        "scenario.toml",
        "2025-03-10T21:30:00",
        "2025-03-09T21:30:00",
        "invariants_hold",
        "the clock is a day slow: nothing came in today",
    ),
    Fault(
        P,
        "scenario.toml",
        "2025-03-10T21:30:00",
        "2025-03-05T21:30:00",
        "invariants_hold",
        "the clock stands before what has happened",
    ),
    Fault(
        V,
        "tools.toml",
        "SET status = 'out', to_on = max(date(now()), date(from_on, '+1 day'))",
        "SET status = 'out', to_on = max(date(now(), '+1 day'), date(from_on, '+1 day'))",
        "examples_hold",
        "a night too many is charged",
    ),
    Fault(
        V,
        "tools.toml",
        "date(now(), '+' || months || ' months')",
        "date(now(), '+' || months || ' days')",
        "examples_hold",
        "months are counted as days",
    ),
    Fault(
        V,
        "tools.toml",
        "CAST(julianday(:to_on) - julianday(:from_on) AS INTEGER) AS nights",
        "CAST(julianday(:to_on) - julianday(:from_on) AS INTEGER) + 1 AS nights",
        "examples_hold",
        "the day of departure counts as a night",
    ),
    Fault(
        V,
        "tools.toml",
        "issued_on = date(now()), due_on = date(now(), '+14 days')",
        "issued_on = now(), due_on = date(now(), '+14 days')",
        "examples_hold",
        "a moment in a column of days",
    ),
    Fault(
        V,
        "tools.toml",
        "VALUES (:animal_id, :type_id, :from_on, :to_on, now(), 'waiting')",
        "VALUES (:animal_id, :type_id, :from_on, :to_on, datetime(now()), 'waiting')",
        "writes_are_sound",
        "a blank in the place of the T, in an example too",
        (
            (
                "tools.toml",
                'added_at = "2025-10-14T09:35:00", status = "waiting" }] },\n]\nrefuses',
                'added_at = "2025-10-14 09:35:00", status = "waiting" }] },\n]\nrefuses',
            ),
        ),
    ),
    Fault(
        D,
        "tools.toml",
        "created_on, staff_id)\nSELECT supplier_id, 'draft', date(now()), me()",
        "created_on, staff_id)\nSELECT supplier_id, 'draft', now(), me()",
        "writes_are_sound",
        "a moment in a column of days, in an order",
    ),
    Fault(
        V,
        "tools.toml",
        "WHERE ends_at <= last AND starts_at > now()",
        "WHERE ends_at <= last AND starts_at > datetime(now())",
        "examples_hold",
        "a T is later than any blank: times past are offered",
    ),
    Fault(
        V,
        "tools.toml",
        "WHERE :starts_at <= now();\n\nSELECT refuse('Visits start on the quarter "
        "hour.')\nWHERE strftime('%M%S', :starts_at) NOT IN ('0000', '1500', '3000', "
        "'4500');\n\nSELECT refuse(staff.name || ' has no shift that holds the whole "
        "visit.')\nFROM staff JOIN",
        "WHERE :starts_at <= date(now());\n\nSELECT refuse('Visits start on the quarter "
        "hour.')\nWHERE strftime('%M%S', :starts_at) NOT IN ('0000', '1500', '3000', "
        "'4500');\n\nSELECT refuse(staff.name || ' has no shift that holds the whole "
        "visit.')\nFROM staff JOIN",
        "refusals_bear_load",
        "visits can be booked earlier today",
    ),
    Fault(P, "tasks.toml", "The day", "The day", "load", "x"),
    # chance
    Fault(
        P,
        "tools.toml",
        "ORDER BY locker.size, locker.id;",
        "ORDER BY locker.size;",
        "reads_are_sound",
        "lockers of one size come in no certain order",
    ),
    Fault(P, "tools.toml", "\nORDER BY arrived_on, id;", ";", "words_are_true", "parcels come in no order at all"),
    Fault(
        V,
        "tools.toml",
        "ORDER BY expires_on, batch.id LIMIT 1;\n\nUPDATE batch SET on_hand = on_hand - "
        "1\nWHERE id = (SELECT id FROM batch WHERE medicine_id = :medicine_id AND on_hand "
        "> 0 AND expires_on >= date(now()) ORDER BY expires_on, id LIMIT 1);",
        "LIMIT 1;\n\nUPDATE batch SET on_hand = on_hand - 1\nWHERE id = (SELECT "
        "id FROM batch WHERE medicine_id = :medicine_id AND on_hand > 0 AND "
        "expires_on >= date(now()) LIMIT 1);",
        "resets_identically",
        "any usable batch is taken, as they come",
    ),
    Fault(
        D,
        "tools.toml",
        "WHERE r.order_line_id = l.order_line_id ORDER BY location.code)) AS reserved_at",
        "WHERE r.order_line_id = l.order_line_id)) AS reserved_at",
        "reads_are_sound",
        "places within a list come in no certain order",
    ),
    Fault(
        P,
        "tasks.toml",
        "ORDER BY arrived_on LIMIT 1",
        "LIMIT 1",
        "solutions_pass",
        "the first row that comes is expected",
    ),
    Fault(D, "tasks.toml", "\nORDER BY l.order_id'''", "'''", "resets_identically", "x"),
]
FAULTS = [fault for fault in FAULTS if fault.why != "x"]
