"""Faults in verifiers: changes, checks, frames, near misses, answers."""

from faults import Fault

P, V, D = "parcel_lockers", "vet_clinic", "parts_depot"
_HAND_OUT = """[hand_out_parcel.changes]
parcel = [
  { id = 102, collected_at = { sql = "now()" }, clerk_id = 2 },
]
"""
_HEAD = "came in today. Hand it out.'''\n"


def _by_checks(may_change: str, checks: str, gate: str, why: str) -> Fault:
    """The first task judged by checks in the place of changes."""
    new = f"[hand_out_parcel.checks]\n{checks}\n"
    return Fault(
        P,
        "tasks.toml",
        _HAND_OUT,
        new,
        gate,
        why,
        (("tasks.toml", _HEAD, f"{_HEAD}may_change = {{ {may_change} }}\n"),),
    )


_GOOD = 'collected = "EXISTS (SELECT 1 FROM parcel WHERE id = 102 AND collected_at = now() AND clerk_id = 2)"'
FAULTS = [
    # checks and what may change
    _by_checks('parcel = "TRUE"', _GOOD, "stray_changes_fail", "any parcel may change"),
    _by_checks('parcel = "id = 102"', _GOOD, "stray_changes_fail", "the parcel may change in any column"),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        'collected = "EXISTS (SELECT 1 FROM parcel WHERE id = 102 AND collected_at IS NOT NULL)"',
        "stray_changes_fail",
        "handed out at any time, by anybody",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }, locker = "id = 6"',
        _GOOD,
        "changes_are_tight",
        "the locker may change, and need not",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        _GOOD + '\nthere = "EXISTS (SELECT 1 FROM parcel WHERE id = 102)"',
        "checks_bear_load",
        "a check that nothing fails",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        _GOOD + '\nfine = "1 = 1"',
        "checks_bear_load",
        "a check that is always true",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        _GOOD + '\nwaits = "0 = 1"',
        "solutions_pass",
        "a check that is never true",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        'collected = "SELECT collected_at FROM parcel WHERE id = 102"',
        "stray_changes_fail",
        "a check that is a query, not an expression",
    ),
    _by_checks(
        'parcel = { rows = "id = 102", columns = ["collected_at", "clerk_id"] }',
        'locker = "EXISTS (SELECT 1 FROM locker WHERE id = 6 AND working)"',
        "doing_nothing_fails",
        "checked is what is so from the start",
    ),
    _by_checks(
        'parcel = { rows = "id IN (102, 101)", columns = ["collected_at", "clerk_id"] }',
        _GOOD,
        "near_misses_fail",
        "the other parcel may be handed out as well",
    ),
    # changes
    Fault(P, "tasks.toml", "clerk_id = 2 },", "clerk_id = 1 },", "solutions_pass", "the wrong clerk is asked for"),
    Fault(
        P,
        "tasks.toml",
        "{ id = 103, locker_id = 2 },",
        "{ id = 101, locker_id = 2 },",
        "solutions_pass",
        "the wrong row is asked for",
    ),
    Fault(
        P,
        "tasks.toml",
        "{ id = 3, working = 0 },",
        "{ id = 3, size = 0 },",
        "solutions_pass",
        "the wrong column is asked for",
    ),
    Fault(
        P,
        "tasks.toml",
        "locker = [\n  { id = 3, working = 0 },\n]\n",
        "",
        "solutions_pass",
        "what the report does is not asked for",
    ),
    Fault(
        P,
        "tasks.toml",
        'collected_at = { sql = "now()" }, clerk_id = 2',
        'collected_at = { sql = "(SELECT collected_at FROM parcel WHERE id = 102)" }, clerk_id = 2',
        "stray_changes_fail",
        "a value that is compared with itself",
    ),
    Fault(
        P,
        "tasks.toml",
        "clerk_id = 2 },\n]\n",
        'clerk_id = 2 },\n]\nany = ["parcel.clerk_id"]\n',
        "changes_are_tight",
        "who handed it out may be anybody",
    ),
    Fault(
        P,
        "tasks.toml",
        "{ id = 105, locker_id = 5 },\n]\n",
        '{ id = 105, locker_id = 5 },\n]\nany = ["locker"]\n',
        "changes_are_tight",
        "lockers may be added, and need not",
    ),
    Fault(
        P,
        "tasks.toml",
        "{ id = 105, locker_id = 5 },",
        "{ id = 999, locker_id = 5 },",
        "load",
        "a row that is not there",
    ),
    Fault(
        D,
        "tasks.toml",
        '{ new = "p1", customer_id = 5, kind = "payment", amount = 96457, posted_on = '
        '"2025-10-08", invoice_id = 7005, method = "bank", reference = "AVD OKT" },',
        '{ new = "p1", customer_id = 5, kind = "payment", amount = 96457, posted_on = { '
        'sql = "date(now())" }, invoice_id = 7005, method = "bank" },',
        "solutions_pass",
        "a payment without the reference is asked for",
    ),
    Fault(
        V,
        "tasks.toml",
        'any = ["appointment.room_id"]',
        'any = ["appointment.room_id", "appointment.reason"]',
        "changes_are_tight",
        "the reason of the visit may be anything",
    ),
    Fault(
        V,
        "tasks.toml",
        'animal_id = "@z", type_id = 1, staff_id = 3,',
        "type_id = 1, staff_id = 3,",
        "near_misses_fail",
        "the visit may be for any animal",
        (("tasks.toml", 'any = ["appointment.room_id"]', 'any = ["appointment.room_id", "appointment.animal_id"]'),),
    ),
    Fault(
        P,
        "tasks.toml",
        "[empty_locker_3.changes]\nparcel = [\n  { id = 103, locker_id = 2 },\n]\nlocker = "
        "[\n  { id = 3, working = 0 },\n]\n",
        "[[empty_locker_3.changes]]\nparcel = [\n  { id = 103, locker_id = 2 "
        "},\n]\nlocker = [\n  { id = 3, working = 0 "
        "},\n]\n\n[[empty_locker_3.changes]]\nlocker = [\n  { id = 4, working = 1 "
        "},\n]\n",
        "changes_are_tight",
        "another end is right that nothing leads to",
    ),
    # near misses
    Fault(
        P,
        "tasks.toml",
        'parcel_id = 101, code = "0825" } },\n  { name = "collect',
        'parcel_id = 101, code = "0826" } },\n  { name = "collect',
        "near_misses_fail",
        "a near miss that is refused",
    ),
    Fault(
        P,
        "tasks.toml",
        '  { name = "move_parcel", arguments = { parcel_id = 102, locker_id = 2 } },\n',
        '  { name = "find_parcels", arguments = {} },\n',
        "near_misses_fail",
        "a near miss that does all right",
    ),
    Fault(
        P,
        "tasks.toml",
        "\n[waiting_longest.near_misses]\nhanded_out_already = [\n  { name = "
        '"submit", arguments = { answer = { name = "Jonas Lindqvist", '
        'arrived_on = "2025-02-26" } } },\n]\nother_okafor = [\n  { name = '
        '"submit", arguments = { answer = { name = "Ngozi Okafor", arrived_on '
        '= "2025-03-02" } } },\n]\n',
        "",
        "near_misses_fail",
        "a task without a near miss",
    ),
    Fault(
        P,
        "tasks.toml",
        '  { name = "collect_parcel", arguments = { parcel_id = 102, code = '
        '"4417" } },\n]\n\n[hand_out_parcel.changes]',
        '  { name = "collect_parcel", arguments = { parcel_id = 102, code = '
        '"4417" } },\n  { name = "report_locker", arguments = { locker_id = 6, '
        'working = false } },\n  { name = "report_locker", arguments = { '
        "locker_id = 6, working = true } },\n]\n\n[hand_out_parcel.changes]",
        "dropped_calls_fail",
        "two calls of the solution undo each other",
    ),
    # answers
    Fault(
        P,
        "tasks.toml",
        'expect = "SELECT locker_id FROM parcel WHERE id = 103"',
        'expect = "SELECT locker_id FROM before.parcel WHERE id = 103"',
        "solutions_pass",
        "the locker before the move is expected",
    ),
    Fault(
        P,
        "tasks.toml",
        "WHERE collected_at IS NULL ORDER BY arrived_on LIMIT 1",
        "WHERE collected_at IS NULL ORDER BY arrived_on DESC LIMIT 1",
        "solutions_pass",
        "the shortest wait is expected",
    ),
    Fault(
        P,
        "tasks.toml",
        "FROM parcel WHERE collected_at IS NULL ORDER BY arrived_on LIMIT 1",
        "FROM parcel ORDER BY arrived_on LIMIT 1",
        "near_misses_fail",
        "parcels handed out count as waiting, in the answer too",
        (
            (
                "tasks.toml",
                'arguments = { answer = { name = "Emeka Okafor", arrived_on = "2025-02-27" } }',
                'arguments = { answer = { name = "Jonas Lindqvist", arrived_on = "2025-02-26" } }',
            ),
        ),
    ),
    Fault(
        V,
        "tasks.toml",
        "tolerance = 0.005",
        "tolerance = 50.0",
        "near_misses_fail",
        "a sum that is 50 euros wrong is right",
    ),
    Fault(
        V,
        "tasks.toml",
        "tolerance = 0.005",
        "tolerance = 2.0",
        "near_misses_fail",
        "a sum that is 2 euros wrong is right",
    ),
    Fault(
        D,
        "tasks.toml",
        "tolerance = 0.06",
        "tolerance = 0.5",
        "near_misses_fail",
        "one decimal is asked for, and half a point is tolerated",
    ),
    Fault(
        V,
        "tasks.toml",
        "SELECT sum(CASE kind WHEN 'refund' THEN -cents ELSE cents END) / "
        "100.0 FROM payment WHERE method = 'card' AND paid_at >= '2025-10-06' "
        "AND paid_at < '2025-10-11'",
        "SELECT 305.0",
        "solutions_pass",
        "the expected answer is a constant",
    ),
    Fault(
        V,
        "tasks.toml",
        'items = "string", ordered = false',
        'items = "string"',
        "words_are_true",
        "the order of names counts, which nobody asks for",
    ),
    Fault(
        D,
        "tasks.toml",
        "Give me the order numbers, in any order.",
        "Give me the order numbers, the highest first.",
        "words_are_true",
        "an order is asked for that does not count",
    ),
    Fault(
        V,
        "tasks.toml",
        "WHERE name = 'Kennel 3') * (julianday('2025-10-14')",
        "WHERE name = 'Kennel 3') * (julianday('2025-10-17')",
        "solutions_pass",
        "nights are expected that were not stayed",
    ),
    Fault(
        V,
        "tasks.toml",
        "AND v.reminded_on IS NULL",
        "AND v.reminded_on = NULL",
        "solutions_pass",
        "the expected list compares with NULL",
    ),
    Fault(
        V,
        "tasks.toml",
        "medicine.name LIKE 'Felivac%' AND",
        "medicine.name LIKE 'felivac%' AND medicine.kind = 'vacine' AND",
        "words_are_true",
        "the expected list is of a kind that does not exist",
    ),
    Fault(
        V,
        "tasks.toml",
        "answer = \"integer\"\nexpect = '''\nSELECT (SELECT night_cents",
        "answer = \"string\"\nexpect = '''\nSELECT (SELECT night_cents",
        "load",
        "a sum of money as text",
    ),
]
