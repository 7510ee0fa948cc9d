"""Faults that no gate sees, each with the reason: what only a reader, or a second solver, would notice."""

from faults import Fault

P = "parcel_lockers"
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
]
