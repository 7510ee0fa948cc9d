"""Faults in the rows a scenario starts with."""

from faults import Fault

P, V, D = "parcel_lockers", "vet_clinic", "parts_depot"
FAULTS = [
    Fault(P, "data.sql", "06T10:12:00', 1)", "06T10:12:00', 9)", "load", "handed out by a clerk nobody knows"),
    Fault(
        P,
        "data.sql",
        "3, '2271', 8,",
        "3, '2271', 2,",
        "invariants_hold",
        "a large parcel waits in a medium locker",
        (("tasks.toml", "'6120', 2,", "'6120', 8,"),),
    ),
    Fault(P, "data.sql", "'2271', 8,", "'2271', 3,", "load", "two parcels wait in one locker"),
    Fault(P, "data.sql", "'0825'", "'825'", "load", "a pickup code of three digits"),
    Fault(P, "data.sql", "03-06T10:12", "03-03T10:12", "invariants_hold", "handed out the day before it came"),
    Fault(
        P, "data.sql", "2025-03-01T17", "2025-03-01 17", "database_builds", "a moment with a blank beside one with T"
    ),
    Fault(
        P, "data.sql", "1, '2025-03-04'", "1, '4 March 2025'", "database_builds", "a day that sorts before all others"
    ),
    Fault(P, "data.sql", "'2025-02-26'", "'2025-02-31'", "database_builds", "the thirty-first of February"),
    Fault(
        P, "data.sql", "'Aiko Lindgren',", "'Aiko Lindgren ',", "database_builds", "a name ends in a blank nobody sees"
    ),
    Fault(P, "data.sql", "'Emeka Okafor'", "'Emeka  Okafor'", "database_builds", "two blanks within a name"),
    Fault(P, "data.sql", "(2, 'Ines Carvalho')", "(3, 'Ines Carvalho')", "load", "the user is no row of the data"),
    Fault(
        V,
        "data.sql",
        "2025-05-20', '2026-04-30', 15, 14)",
        "2025-05-20', '2026-04-30', 15, 13)",
        "invariants_hold",
        "a dose is gone from stock that was never billed",
    ),
    Fault(
        V,
        "data.sql",
        "(1, 1, 'payment', 1330,",
        "(1, 1, 'payment', 1300,",
        "invariants_hold",
        "a bill counts as paid, and 30 cents are owed on it",
    ),
    Fault(
        D,
        "data.sql",
        "(7016, 1, 'payment', 70570,",
        "(7016, 3, 'payment', 70570,",
        "invariants_hold",
        "a payment stands with another customer than its invoice",
    ),
    Fault(
        D,
        "data.sql",
        "(7002, 1, 'invoice', 70570,",
        "(7002, 1, 'invoice', 70750,",
        "invariants_hold",
        "two digits swapped: the invoice is not what was shipped",
    ),
]
