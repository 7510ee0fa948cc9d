"""Tracing: what a value in a solution can have come from, as people write it, and what it cannot."""

from datetime import datetime

import pytest

from awm_gym.gates.tracing import Sources, days_named

NOW = datetime(2025, 3, 10, 9, 30)  # a Monday


def sources(prose, *rows):
    found = Sources(prose, NOW)
    found.add(rows)
    return found


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("Book it for 12 March.", "2025-03-12"),
        ("Book it for March 12th.", "2025-03-12"),
        ("Book it for the 12th of March 2025.", "2025-03-12"),
        ("from 23 to 25 June", "2025-06-23"),
        ("on 2025-03-12, please", "2025-03-12"),
        ("It must be today.", "2025-03-10"),
        ("It came in yesterday.", "2025-03-09"),
        ("Come back the day after tomorrow.", "2025-03-12"),
        ("She comes next Friday.", "2025-03-14"),
        ("over the weekend", "2025-03-15"),
        ("in two weeks", "2025-03-24"),
        ("in 3 days", "2025-03-13"),
        ("a fortnight from now", "2025-03-24"),
        ("tomorrow at half past nine", "2025-03-11T09:30:00"),
        ("tomorrow at a quarter to four", "2025-03-11T15:45:00"),
        ("tomorrow at 2 pm", "2025-03-11T14:00:00"),
        ("tomorrow at 14:15", "2025-03-11T14:15:00"),
        ("tomorrow at noon", "2025-03-11T12:00:00"),
        ("tomorrow at seven", "2025-03-11T19:00:00"),
        ("twenty boxes", 20),
        ("twenty-three boxes", 23),
        ("a pair of gloves", 2),
        ("half a dozen", 12),
        ("It costs $4.50.", 450),
        ("It costs 1,200 euros.", 1200),
        ("It costs 1,200 euros.", 120000),
        ("It weighs 32.5 kg.", 32500),
        ("Reason: 'Rain'.", "rain"),
        ("Her findings: Healthy, weight  stable.", "healthy, weight stable"),
        ("anything", True),
    ],
)
def test_a_value_is_traced_as_a_person_writes_it(prose, value):
    assert sources(prose).has(value)


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("Book it for 12 March.", "2025-03-13"),
        ("Book it for 12 March.", "2025-04-12"),
        ("Book it for 12 March.", "2019-03-12"),
        ("She comes next Friday.", "2025-03-13"),
        ("in two weeks", "2025-03-31"),
        ("in 3 days", "2025-03-17"),
        ("today", "2025-03-11"),
        ("tomorrow at half past nine", "2025-03-11T09:15:00"),
        ("tomorrow at half past nine", "2025-03-12T09:30:00"),
        ("tomorrow at 2 pm", "2025-03-11T02:00:00"),
        ("on 16 October", "2025-10-16T16:00:00"),
        ("twenty boxes", 21),
        ("twenty boxes", 2),
        ("It costs $4.50.", 451),
        ("It costs $4.50.", 45),
        ("Reason: 'Rain'.", "Snow"),
        ("Ngozi Okafor", "4417"),
        ("", 7),
    ],
)
def test_what_nobody_said_is_not_traced(prose, value):
    assert not sources(prose).has(value)


def test_a_result_is_a_source_from_then_on():
    seen = sources("Hand it out.")
    assert not seen.has("4417")
    seen.add([{"id": 102, "code": "4417", "arrived_on": "2025-02-03"}])
    assert seen.has("4417")
    assert seen.has("2025-02-03")
    assert seen.has_key(102, "parcel_id")


def test_a_key_comes_from_a_column_of_keys_and_not_from_any_number():
    seen = sources("Hand out the oldest.", {"id": 102, "size": 3})
    assert seen.has_key(102, "parcel_id")
    assert not seen.has_key(3, "locker_id")
    assert sources("Empty locker 3.").has_key(3, "locker_id")


@pytest.mark.parametrize(
    ("prose", "word", "spoken"),
    [
        ("She pays by card.", "card", True),
        ("She pays.", "card", False),
        ("It was the wrong one.", "wrong_item", True),
        ("Cancel it.", "cancelled", True),
        ("Keep it.", "cancelled", False),
    ],
)
def test_a_word_of_an_enum_is_spoken_of_by_its_stem(prose, word, spoken):
    assert sources(prose).speaks_of(word) is spoken


def test_days_named_in_full_are_read_as_dates():
    assert days_named("from 1 September 2025 to 31 October 2025, not 31 February 2025") == ["2025-09-01", "2025-10-31"]
