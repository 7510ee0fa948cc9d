"""Tracing: where a value in a solution can have come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from awm_gym.answers import folded
from awm_gym.scenario import MONTHS, WEEKDAYS

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_ONES += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_OTHER_WORDS = {
    "a": 1,
    "an": 1,
    "once": 1,
    "single": 1,
    "both": 2,
    "pair": 2,
    "twice": 2,
    "couple": 2,
    "dozen": 12,
    "half": 0.5,
}
_NUMBER = re.compile(r"\d+(?:[ ,'’]\d{3})*(?:\.\d+)?")
_TIME = re.compile(
    r"(?P<said>\b(?:at|from|until|till|by|to|before|after|past|around|about) )?(?<![\d:.-])(?P<hour>\d{1,2}|[a-z]+)"
    r"(?:[:.h](?P<minute>\d\d)(?!\d|\.\d))? ?(?P<half>am\b|pm\b|a\.m\.|p\.m\.|o'clock|h\b)?"
)
_PAST = {"half past ": 30, "quarter past ": 15, "quarter to ": -15}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


_RELATIVE = {
    0: r"today|tonight|now|this (morning|afternoon|evening)",
    1: "tomorrow|overnight",
    2: "the day after tomorrow",
    -1: "yesterday",
    -2: "the day before yesterday",
}


def relative(words: str) -> bool:
    """Whether words tell a day from the present: today, tomorrow."""
    return any(re.search(rf"\b({form})\b", words.lower()) for form in _RELATIVE.values())


def days_named(words: str) -> list[str]:
    """Days that words name in full ("12 March 2025"), as YYYY-MM-DD."""
    found = []
    for day, month, year in re.findall(rf"(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({'|'.join(MONTHS)}),? (\d{{4}})", words):
        text = f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}"
        found += [text] if _is_date(text) else []
    return found


def number_words() -> dict[str, float]:
    """Numbers as words: one to ninety-nine, first to twelfth, a pair, a dozen."""
    words: dict[str, float] = {word: number for number, word in enumerate(_ONES)}
    words |= {word: number for number, word in enumerate(_ORDINALS)}
    for ten, word in enumerate(_TENS, start=2):
        words[word] = 10 * ten
        words |= {f"{word}-{one}": 10 * ten + number for number, one in enumerate(_ONES[1:10], start=1)}
    return words | _OTHER_WORDS


_WORDS = number_words()


class Sources:
    """What an agent has seen so far: prose, and cells of results.

    Args:
        prose: the first observation.
        now: the scenario's clock: relative days count from it.
    """

    def __init__(self, prose: str, now: datetime) -> None:
        self._now = now.date()
        self._prose = folded(prose)
        self._numbers = _numbers_in(self._prose)
        self._times = set(_times_in(self._prose))
        self._texts: set[str] = set()
        self._cells: set[Any] = set()
        self._columns: dict[str, set[Any]] = {}
        self._dates = {now.date()} | {date.fromisoformat(text) for text in _DATE.findall(prose) if _is_date(text)}

    def add(self, rows: Iterable[Any]) -> None:
        """Take in the rows of a result."""
        for row in rows:
            for column, value in row.items():
                self._columns.setdefault(column, set()).add(value)
                self._cells.add(value)
                if isinstance(value, str) and folded(value) not in self._texts:
                    text = folded(value)
                    self._texts.add(text)
                    self._numbers |= _numbers_in(text)
                    self._times |= set(_times_in(text) if ":" in text else ())
                    self._dates |= {date.fromisoformat(found) for found in _DATE.findall(value) if _is_date(found)}

    def has_key(self, value: Any, name: str) -> bool:
        """Whether a key was shown: in a column that can hold it, or in the prose."""
        for column, values in self._columns.items():
            if value in values and (column == name or column.endswith(("id", "code", "number", "no", "sku", "ref"))):
                return True
        if isinstance(value, str):
            return value in self._cells or folded(value) in self._prose
        return float(value) in self._numbers or self._written(value)

    def has(self, value: Any) -> bool:
        """Whether a text, a date or a number was shown, also as a person writes it."""
        if isinstance(value, bool) or value in self._cells:
            return True
        if isinstance(value, int | float):
            return self._has_number(value)
        if _is_date(value):
            return self._has_date(date.fromisoformat(value))
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
            moment = datetime.fromisoformat(value)
            return self._has_date(moment.date()) and self._has_time(moment)
        return self._has_text(folded(value))

    def speaks_of(self, word: str) -> bool:
        """Whether a word of an enum was shown, or is spoken of: by any of its own words, or their stems."""
        if word in self._cells:
            return True
        stems = [part[: max(3, len(part) - 3)] for part in re.findall(r"[a-z0-9]+", folded(word)) if len(part) > 1]
        return not stems or any(re.search(rf"\b{re.escape(stem)}", self._prose) for stem in stems)

    def _has_number(self, value: float) -> bool:
        forms = {float(value), value / 100, value / 60, value / 1000}  # cents, hours, kilograms as people say them
        return bool(forms & self._numbers) or self._written(value)

    def _written(self, value: float) -> bool:
        return any(number == value and re.search(rf"\b{word}\b", self._prose) for word, number in _WORDS.items())

    def _has_text(self, text: str) -> bool:
        if text in self._prose or any(text in cell for cell in self._texts):
            return True
        everything = " ".join([self._prose, *self._texts])
        stems = [word[: max(4, len(word) - 3)] for word in re.findall(r"\w+", text)]
        return bool(stems) and all(re.search(rf"\b{re.escape(stem)}", everything) for stem in stems)

    def _has_date(self, day: date) -> bool:
        if day in self._dates:
            return True
        month, prose = MONTHS[day.month - 1].lower(), self._prose
        named = rf"\b{month[:3]}(?:t\b|{month[3:]}\b|\b)"  # in full, or Mar, Sept
        near = abs(day.year - self._now.year) <= 1 or str(day.year) in prose
        if near and re.search(named, prose) and re.search(rf"(?<!\d){day.day}(?!\d)", prose):
            return True
        away = (day - self._now).days
        if away in _RELATIVE and re.search(rf"\b({_RELATIVE[away]})\b", prose):
            return True
        weekday = WEEKDAYS[day.weekday()].lower()
        if re.search(rf"\b{weekday}\b", prose) and abs(away) <= 14:
            return True
        if "weekend" in prose and day.weekday() >= 5 and abs(away) <= 14:
            return True
        return self._reckoned(day)

    def _reckoned(self, day: date) -> bool:
        """Whether the day is a stated span from a day that was shown: "a week later", "in 3 days"."""
        for amount, unit in re.findall(r"\b(\w+(?:-\w+)?) (day|night|week|fortnight|month|year)s?\b", self._prose):
            number = float(amount) if amount.isdigit() else _WORDS.get(amount, 1.0)
            spans = {"day": 1, "night": 1, "week": 7, "fortnight": 14}
            for known in self._dates:
                if unit in spans:
                    reached = {known + timedelta(days=sign * int(number) * spans[unit]) for sign in (1, -1)}
                    # A stay of three days ends on the third, a period may count both its ends.
                    if day in reached | {other + timedelta(days=shift) for other in reached for shift in (-1, 1)}:
                        return True
                elif day.day == known.day or (day - known).days % 365 in (0, 1):
                    return True
        return False

    def _has_time(self, moment: datetime) -> bool:
        """Whether a time of day was shown, also as people say it: 9:30, half past nine, 2 pm, at seven, noon."""
        return moment.hour * 60 + moment.minute in self._times


def _numbers_in(text: str) -> set[float]:
    return {float(re.sub(r"[ ,'’]", "", found)) for found in _NUMBER.findall(text)} | {
        float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)
    }


def _times_in(text: str) -> Iterator[int]:
    """Minutes of the day that a text speaks of; without am or pm, also twelve hours later."""
    for match in _TIME.finditer(text):
        word, minute, half = match["hour"], match["minute"], match["half"] or ""
        hour = int(word) if word.isdigit() else {"noon": 12, "midday": 12, "midnight": 0}.get(word, _WORDS.get(word))
        before = text[: match.start("hour")]
        shift = next((shift for phrase, shift in _PAST.items() if before.endswith(phrase)), None)
        named = word in ("noon", "midday", "midnight")
        if hour is None or hour != int(hour) or hour > 24 or not (match["said"] or minute or half or shift or named):
            continue
        at = int(hour) * 60 + int(minute or 0) + (shift or 0)
        if half.startswith("p") and hour < 12:
            yield at + 720
            continue
        yield at - 720 if hour == 12 and half.startswith("a") else at
        if hour < 12 and not half.startswith("a"):
            yield at + 720


def _is_date(text: Any) -> bool:
    try:
        return bool(isinstance(text, str) and _DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
