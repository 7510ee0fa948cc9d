"""Faults that no gate sees, each with the reason: what only a reader, or a second solver, would notice."""

from faults import Fault

P, V, D = "parcel_lockers", "vet_clinic", "parts_depot"
_HELD = """SELECT refuse('Locker ' || :locker_id || ' holds parcel ' || id || '; move it first.')
FROM parcel WHERE locker_id = :locker_id AND collected_at IS NULL;

"""
UNCAUGHT = [
    (
        Fault(
            P,
            "tasks.toml",
            "the smallest free working locker",
            "the largest free working locker",
            "",
            "the opposite is asked",
        ),
        "no gate knows what `size` has to do with large: a superlative is checked to "
        "have one winner, not the right one",
    ),
    (
        Fault(
            P,
            "tasks.toml",
            "Locker 3 needs a repair. Move its parcel",
            "A locker needs a repair. Move its parcel",
            "",
            "which locker is meant nobody can tell",
            (("tasks.toml", "report locker 3 as", "report it as"),),
        ),
        "a superlative stands in the same instruction, about another locker; only a second solver sees the difference",
    ),
    (
        Fault(P, "tasks.toml", "report locker 3 as out of order, and answer", "and answer", "", "an unasked demand"),
        "what a call does is not read in the instruction's words: people ask for things in any words",
    ),
    (
        Fault(
            P,
            "tasks.toml",
            "Her parcel is large, and no other large locker works.",
            "Her parcel is on its way and has not come in yet.",
            "",
            "why it cannot be done is not true",
        ),
        "prose; the obstacle itself is proved by lifted_by and shown_by",
    ),
    (
        Fault(
            P,
            "tools.toml",
            _HELD,
            "",
            "",
            "a locker with a parcel in it may be out of order",
            (("tools.toml", "  { arguments = { locker_id = 3, working = false } },\n", ""),),
        ),
        "rule and refusal went together, and no invariant holds it: it stands in the description alone",
    ),
    (
        Fault(
            P,
            "tasks.toml",
            "came in today. Hand it out.",
            "came in yesterday. Hand it out.",
            "",
            "no parcel came in yesterday",
        ),
        "the pickup code sets the parcel apart as well, and gates ask for one reason, not for all to agree",
    ),
    (
        Fault(
            V,
            "tools.toml",
            "WHEN 1 THEN 'arrived' ELSE 'no_show' END",
            "WHEN 1 THEN 'arrived' ELSE 'cancelled' END",
            "",
            "the schema stops every record of who did not come",
        ),
        "it takes a booked visit of the past; the walks meet none with these words, and no example shows it",
    ),
    (
        Fault(
            D,
            "tools.toml",
            "date(now(), '+' || c.payment_days || ' days')",
            "date(now(), '+30 days')",
            "",
            "every customer gets 30 days to pay",
        ),
        "each customer of an example or a solution has 30 days; an example with another would show it",
    ),
]
