"""Speech: values as people say them, in sentences that read well, and what grates in a sentence.

British English, no locale. `awm_gym.gates.tracing` is the way back, from words to values.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal

from awm_gym.scenario import MONTHS, WEEKDAYS

_COUNTS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_SMALL = frozenset("a an and as at but by for from in of on or the to with".split())  # lower case within a title
_A_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9]{2}:[0-9]{2}:[0-9]{2})?")
_A_TIME = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T(?=.{8}$))?([0-9]{2}:[0-9]{2})(?::00)?")
_A_MONTH = re.compile(r"([0-9]{4}-[0-9]{2})")


def say(value: object, how: str, now: datetime, currency: str = "£") -> str:
    """A value in words.

    Args:
        value: a number, a text, a date (YYYY-MM-DD), a moment (YYYY-MM-DDTHH:MM:SS); HH:MM will do for a time,
            YYYY-MM for a month. Money is whole cents.
        how: one of `HOWS`.
        now: the clock, from which "tomorrow" and "this Friday" (two to six days ahead) count.
        currency: the sign before money.

    Raises:
        ValueError: no such `how`, or the value cannot be said so.
    """
    if how not in _WAYS:
        raise ValueError(f"{value!r} cannot be said {how!r}; it takes {', '.join(HOWS[1:])}, or '' for plain")
    return _WAYS[how](value, now, currency)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} has no words; give a text or a number")
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not a text; give one that is not empty")
    return value.strip()


def _number(value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < least or not float(value).is_integer():
        raise ValueError(f"{value!r} is not a whole number from {least} on; give one, money in cents")
    return int(value)


def _date(value: object) -> date:
    match = _A_DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return date.fromisoformat(match[1] if match else "")
    except ValueError:
        raise ValueError(f"{value!r} is not a day; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS") from None


def _day(value: object, now: datetime) -> str:
    day = _date(value)
    away = (day - now.date()).days
    if away in (-1, 0, 1):
        return ("today", "tomorrow", "yesterday")[away]
    weekday = WEEKDAYS[day.weekday()]
    return f"this {weekday}" if 2 <= away <= 6 else f"{weekday} {_day_of_month(value, now)}"


def _day_of_month(value: object, now: datetime) -> str:
    day = _date(value)
    return f"{day.day} {MONTHS[day.month - 1]}" + (f" {day.year}" if day.year != now.year else "")


def _month(value: object) -> str:
    day = _date(f"{value}-01" if isinstance(value, str) and _A_MONTH.fullmatch(value) else value)
    return f"{MONTHS[day.month - 1]} {day.year}"


def _time(value: object) -> str:
    match = _A_TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        at = time.fromisoformat(match[1] if match else "")
    except ValueError:
        raise ValueError(f"{value!r} is not a time of whole minutes; write HH:MM or YYYY-MM-DDTHH:MM:00") from None
    if at.minute == 0 and at.hour in (0, 12):
        return "noon" if at.hour else "midnight"  # people mix up 12 am and 12 pm
    minutes = f":{at.minute:02}" if at.minute else ""
    return f"{(at.hour - 1) % 12 + 1}{minutes} {'am' if at.hour < 12 else 'pm'}"


def _money(value: object, currency: str) -> str:
    whole, cents = divmod(_number(value, 0), 100)
    return f"{currency}{whole:,}" + (f".{cents:02}" if cents else "")


def _count(value: object) -> str:
    number = _number(value, 0)
    return _COUNTS[number] if number < len(_COUNTS) else f"{number:,}"


def _ordinal(value: object) -> str:
    number = _number(value, 1)
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _title(text: str) -> str:
    words = text.split()
    return " ".join(word if at and word in _SMALL else word[0].upper() + word[1:] for at, word in enumerate(words))


def _possessive(name: str) -> str:
    """The house style is James', not James's; a name that is a possessive itself stays as it is."""
    if name.endswith(("'", "’", "'s", "’s")):
        return name
    return name + ("'" if name[-1] in "sS" else "'s")


_WAYS: dict[str, Callable[[object, datetime, str], str]] = {
    "": lambda value, now, currency: _plain(value),
    "day": lambda value, now, currency: _day(value, now),
    "date": lambda value, now, currency: _day_of_month(value, now),
    "weekday": lambda value, now, currency: WEEKDAYS[_date(value).weekday()],
    "time": lambda value, now, currency: _time(value),
    "when": lambda value, now, currency: f"{_day(value, now)} at {_time(value)}",
    "month": lambda value, now, currency: _month(value),
    "money": lambda value, now, currency: _money(value, currency),
    "count": lambda value, now, currency: _count(value),
    "ordinal": lambda value, now, currency: _ordinal(value),
    "first": lambda value, now, currency: _text(value).split()[0],
    "lower": lambda value, now, currency: _text(value).lower(),
    "title": lambda value, now, currency: _title(_text(value)),
    "a": lambda value, now, currency: f"{_article(_text(_plain(value)))} {_plain(value)}",
    "'s": lambda value, now, currency: _possessive(_text(value)),
}
HOWS = tuple(_WAYS)
"""What `say` takes for `how`; "" is plain."""


_SPELLED = frozenset("aefhilmnorsx")  # letters whose names begin with a vowel: an MRI scan, an X-ray
_EITHER = frozenset("faq herb herbal historic historical hotel led sku sql".split())  # good speakers differ
_NO_NOUNS = frozenset("and are as at if in is of on or under until".split())  # after a label: "A and B are free"
_WORD_OF_CAPITALS = re.compile(r"(?:LAN|RAM|ROM|SIM)S?\Z|(?=.{4})(?:S?[B-DF-HJ-NP-TV-Z][LRHW]?)?[AEIOUY]")  # NATO
_LIKE_YOU = re.compile(  # a unit, a user, a European, a one-way ticket; but an uninvited guest, an urgent call
    r"uni(?!n[a-z]|m[apm]|d(?!ir)|ss|r|tem)|unanim|us[aeiub]|ut[eio]|ubi|uk|uv|ur[aeil]|urol|eu|ew|on(?:e|ce)(?![a-z])|oui"
)


def _article(words: str) -> str:
    """The article that words take, by the sound of the first: a or an."""
    word = _first_sound(words)
    if number := re.match(r"\d+", word):
        return "an" if number[0][0] == "8" or number[0] in ("11", "18") else "a"
    letters = _letters(word).lower()
    if _is_spelled(word):
        return "an" if letters[0] in _SPELLED else "a"
    silent = re.match(r"hour|honest|hono(?!lu)|heir|y[^aeiou]", letters)
    vowel = letters[:1] in tuple("aeiou") and not _LIKE_YOU.match(letters)
    return "an" if silent or vowel else "a"


def _first_sound(words: str) -> str:
    """The first word, without accents, quotes and signs of money: 8 of £8."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", words) if not unicodedata.combining(mark))
    return re.sub(r"^[^\w]+", "", bare).partition(" ")[0]


def _letters(word: str) -> str:
    return re.split("[^A-Za-z]", word, maxsplit=1)[0]


def _is_spelled(word: str) -> bool:
    """Whether a word is said letter by letter: MRI, PINs, X-ray, M8, mp3; not NASA."""
    letters = _letters(word)
    if len(letters) < 2 or letters.removesuffix("s").isupper():
        return bool(letters) and not _WORD_OF_CAPITALS.match(letters.upper())
    return not re.search("[aeiouy]", letters.lower()) and word[len(letters) :][:1].isdigit()


def _takes(article: str, words: str) -> bool:
    """Whether an article fits. Generous where speakers differ: a SKU, an 1850 print, an LED, a kg."""
    word = _first_sound(words)
    letters = _letters(word)
    if not word or letters.lower() in _EITHER or re.match(r"(?:11|18)\d\d(?!\d)", word):
        return True
    vowels = re.search("[aeiouy]", letters.lower())
    if len(letters) > 1 and letters[0] not in "AEIOU" and bool(vowels) == letters.isupper():
        return True  # its letters do not tell whether it is spelled, a word, or short for a word
    return article.lower() == _article(words)


_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st rev nos vs approx etc ext tel ave rd dept incl excl jr sr ltd inc".split()
)
_OPEN, _CLOSE = "\"'“‘([", "\"'”’)]"
_START = re.compile(rf"(?:\A\s*|(?<=[.?!])\s+)[{re.escape(_OPEN)}]*(?P<word>[^\W\d_]\S*)")
_KEEP_ON = ("early", "later", "now", "carry", "carried", "switched", "turned", "log", "logged", "what's", "what is")
_DAY_WORD = rf"(?:today|tonight|tomorrow|yesterday|this (?:{'|'.join(WEEKDAYS)}))\b(?!['’])"
_ON = re.compile(rf"(?i:(?<![\w-]){''.join(f'(?<!{word} )' for word in _KEEP_ON)}on (?=(?:on )*{_DAY_WORD}))")


_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)['‘](?=\S)(?:[^'’]|['’](?=\w))*['’](?!\w)")
_VEIL = "\ue000"


def _veiled(text: str) -> str:
    """The text with what it quotes made unreadable, but for a last stop: quoted words are nobody's to mend."""

    def veil(quote: re.Match[str]) -> str:
        body = quote[0][1:-1]
        stop = body[-1:] if body.endswith((".", "?", "!", "…")) else ""
        return quote[0][0] + _VEIL * (len(body) - len(stop)) + stop + quote[0][-1]

    return _QUOTED.sub(veil, text)


def _is_abbreviated(text: str) -> bool:
    """Whether a text that ends in a full stop ends in an abbreviation ("e.g.", "Dr.") or in an ellipsis."""
    last = text.rsplit(None, 1)[-1].lstrip(_OPEN).lower()
    return last.endswith("..") or last[:-1] in _ABBREVIATIONS or bool(re.fullmatch(r"(?:[a-z]\.){2,}", last))


def _low_starts(text: str) -> list[int]:
    """Where a sentence begins in lower case and should not: "iPhone" and "ana@mail.example" may."""
    found = []
    text = _veiled(text)
    for match in _START.finditer(text):
        word, before = match["word"], text[: match.start()]
        own = re.split(r"\W", word, maxsplit=1)[0]
        plain = own == own.lower() and not re.search(r"[\d_]", own) and "@" not in word and "://" not in word
        if word[0].islower() and plain and not (before and _is_abbreviated(before)):
            found.append(match.start("word"))
    return found


def _ends(text: str) -> bool:
    """Whether a text ends a sentence, perhaps within quotes or brackets."""
    return text.rstrip(_CLOSE)[-1:] in tuple(".?!…")


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    first = next(iter(_low_starts(text)), None)
    if first is None or text[:first].strip(_OPEN + " \n"):
        return text
    return text[:first] + text[first].upper() + text[first + 1 :]


def clause(text: str) -> str:
    """The text without its full stop. Other marks, an ellipsis and "p.m." stay."""
    text = text.rstrip()
    return text[:-1] if text.endswith(".") and not _is_abbreviated(text) else text


def tidy(text: str) -> str:
    """The text as one well-formed paragraph: blanks, full stops, capitals, no "on" before "today".

    What stands in quotes stays as it is, as it may be meant to the letter.
    """
    plain = " ".join(text.split())
    text = _veiled(plain)
    quoted = [plain[slice(*run.span())] for run in re.finditer(f"{_VEIL}+", text)]
    text = re.sub(r"(?<=[(\[]) | (?=[)\],;:?!]|\.(?!\w|\.\.))", "", text)
    text = re.sub(r"(?<!\.)\.\.(?!\.)", ".", text)
    text = re.sub(r"(?<=[?!])\.(?!\.)", "", text)
    text = _ON.sub("", text).rstrip(",;: ")
    text = text if not text or _ends(text) else text + "."
    for at in _low_starts(text):
        text = text[:at] + text[at].upper() + text[at + 1 :]
    text = re.sub(r"(?<=[.?!][\"'”’])\.(?![\w.])", "", text)
    return re.sub(f"{_VEIL}+", lambda _: quoted.pop(0), text)


_LOW_NAMES = "|".join(name.lower() for name in (*WEEKDAYS, *MONTHS) if name not in ("March", "May", "August"))
_DETERMINERS = "the|an?|my|your|his|her|their|our|its"
_FAULTS = {
    what: re.compile(pattern)
    for what, pattern in {
        "a place left unfilled": r"[{}]|<<|>>|(?<!\S)@\w+",
        "a value that is missing": r"\bNone\b(?! (?:of|for|but|to)\b)|\b(?:null|NULL)\b(?! and void)|\bNaN\b",
        "a name of a program": r"(?<!\S)(?!\S*@)(?!\S*://)\S*_\S*",
        "a day as computers write it": r"(?<![\w-])\d{4}-\d\d-\d\d(?:T[\d:]+)?(?![\w-])",
        "a time as computers write it": r"(?<![\w:-])\d\d:\d\d:\d\d(?![\w:])",
        "a blank too many": r"[^\S\n]{2,}|\A\s|\s\Z",
        "a blank before a mark": r"\s(?:[,;:?!]|\.(?!\w|\.\.))",
        "no blank after a mark": r"[a-z]{2}[,;?!][A-Za-z]|[a-z]{2}\.[A-Z][a-z]",
        "a mark too many": r"[,;:]{2,}|[,;:][.?!]|(?<!\.)\.\.(?!\.)|\.{4,}|[?!][?!.,;:]",
        "'on' before a day word": _ON.pattern,
        "the possessive of a name in s": r"\b[A-Z][\w-]*s['’]s\b",
        "a possessive of nothing": r"['’]s['’]s\b|\b(?:I|me|my|him|his|them|their|your|you|our|we)['’]s\b",
        "two determiners": r"\b([Tt]he|[Aa]n|a|[Ee]very|[Mm]y|[Yy]our|[Tt]heir|[Oo]ur) (?!\1\b)"
        rf"(?:{_DETERMINERS})\b(?!-)",
        "money with odd decimals": r"[£$€]\d[\d,]*\.(?:\d|\d{3,})(?!\d)",
        "a day or month in lower case": rf"(?<![\w@.-])(?:{_LOW_NAMES})s?(?![\w@])",
        "'I' in lower case": r"(?<![\w.@-])i(?:['’](?:m|ve|d|ll))?(?![\w.@)-])",
    }.items()
}


def problems(text: str) -> list[str]:
    """What grates in an instruction, in the order of the text, each with its place.

    It is a lint for tests: strict on what machines get wrong, generous where good writers differ.
    """
    found = [(match.span(), what) for what, pattern in _FAULTS.items() for match in pattern.finditer(text)]
    found += [((at, at + 1), "a sentence in lower case") for at in _low_starts(text)]
    if not _ends(text):
        found.append(((len(text), len(text)), "no mark at the end"))
    for what, check in _CHECKS.items():
        found += [(span, what) for span in check(text)]
    return [f"{what}: {_place(text, *span)}" for span, what in sorted(found)]


def _place(text: str, start: int, end: int) -> str:
    before, after = max(0, start - 15), min(len(text), end + 15)
    return f"{'…' if before else ''}{text[before:after]}{'…' if after < len(text) else ''}"


_Spans = Iterator[tuple[int, int]]
_TWICE = re.compile(r"(?<![\w'’-])(?P<word>[^\W\d_]+(?:['’]\w+)?)\s+(?P=word)(?![\w-])", re.IGNORECASE)
_GOOD_TWICE = ("had", "her", "that")  # "give her her key"
_PHRASAL = re.compile(r"(?:check|sign|clock|book|log|hand|mov|go|com|put|pick|carr)\w{0,4} \Z", re.IGNORECASE)


def _doubled(text: str) -> _Spans:
    for match in _TWICE.finditer(text):
        word = match["word"].lower()
        phrasal = word in ("in", "on", "out", "up", "off") and _PHRASAL.search(text[: match.start()])
        if word not in _GOOD_TWICE and not phrasal:  # "check in in the morning"
            yield match.span()


def _wrong_articles(text: str) -> _Spans:
    for match in re.finditer(r"(?:(?<![\w'’.-])(an?)|(?:\A|(?<=[.?!] ))(An?))\s+(?P<word>\S+)", text):
        if match["word"] not in _NO_NOUNS and not _takes(match[1] or match[2], match["word"]):
            yield match.span()


_ADJECTIVES = frozenset(
    "active available blue due early full idle inactive large last late live new old other overdue ready recent"
    " red single small spare unpaid unread unsent vacant valid".split()
)
_SINGULAR = frozenset(  # words in s that may follow "every" or "each": an adjective, a singular, an adverb
    "accounts aerobics always arts as athletics atlas besides bias canvas christmas crafts customs darts"
    " electronics gas goods gymnastics lens logistics maths means news parts perhaps physics pilates sales savings"
    " series sometimes species sports towards".split()
)
_VERBS = frozenset(  # "what each costs"
    "belongs brings carries closes comes contains costs covers does ends fits gets gives goes has holds includes"
    " keeps lasts makes needs opens owes pays plays receives requires runs says seats sells sends shows sits"
    " starts stays takes uses wants was weighs works".split()
)
_EVERY = re.compile(
    rf"\b(?P<each>[Ee]very|[Ee]ach) (?:(?:{'|'.join(WEEKDAYS)})s\b|(?P<words>[a-z'’-]+(?: [a-z'’-]+)?))"
)


def _plurals_after_every(text: str) -> _Spans:
    for match in _EVERY.finditer(text):
        first, _, second = (match["words"] or "days").partition(" ")
        each = match["each"].lower() == "each"  # may stand before a verb: "they each booked lessons"
        adjective = first in _ADJECTIVES or (
            not each and re.fullmatch(r"open|free|empty|paid|sold|\w{2,}[^\Web]ed", first)
        )
        noun = second if adjective else first
        if re.fullmatch(r"\w{2,}[^\Wsui]s", noun) and noun not in _SINGULAR and not (each and noun in _VERBS):
            yield match.span()


_THINGS = frozenset(  # capitalised words that make a name the name of a thing: "the North Court's keys"
    "Academy Agency Association Avenue Bank Bar Bay Bike Board Boat Branch Bridge Building Bus Camp Car Centre"
    " Chapel Church Class Clinic Club College Committee Company Council Course Court Day Department Depot Desk"
    " Dock East Farm Field Fund Garage Garden Gate Great Group Gym Hall Hotel House Inn Lab Lane Library Lodge"
    " Main Museum New North Office Old One Park Pool Pub Restaurant Road Room School Shop Society South Square"
    " Station Store Street Studio Suite Surgery Team Theatre Three Tower Trust Two Unit University Van Village"
    " Ward Warehouse West Wing Workshop Yard".split()
)
_THE_PERSON = re.compile(r"\b[Tt]he (?P<name>[A-Z][a-z]+(?: [A-Z][a-z]+){1,2})(?:['’]s|(?<=s)['’])(?!\w)")


def _the_person(text: str) -> _Spans:
    """A person's name between "the" and a possessive. Whether two words name a person is a guess."""
    for match in _THE_PERSON.finditer(text):
        if _THINGS.isdisjoint(match["name"].split()):
            yield match.span()


def _stops_before_marks(text: str) -> _Spans:
    for match in re.finditer(r"\.(?:[,;:?!]|[\"'”’]\.)", text):
        if not _is_abbreviated(text[: match.start() + 1]):
            yield match.span()


def _unbalanced(text: str) -> _Spans:
    """Brackets and quotes that lack their partner. Inches, apostrophes and "a)" are none."""
    if text.count('"') % 2:
        text = re.sub(r'(?<=\d)"', ".", text, count=1)
    waiting: list[tuple[str, int]] = []
    for match in re.finditer(r"[()\[\]“”\"]", text):
        if waiting and match[0] == {"(": ")", "[": "]", "“": "”", '"': '"'}[waiting[-1][0]]:
            waiting.pop()
        elif match[0] in '([“"':
            waiting.append((match[0], match.start()))
        elif not re.search(r"(?:\s|\A)(?:[a-zA-Z]|\d\d?)\Z", text[: match.start()]):
            yield match.span()
    yield from ((at, at + 1) for _, at in waiting)
    yield from _unbalanced_single(text)


def _unbalanced_single(text: str) -> _Spans:
    text = re.sub(r"(?<=\s)['’](?=(?:til|em|tis|cause|\d\ds)\b)|(?<=\s)['’]n['’](?=\s)", ".", text)
    opening = [match.span() for match in re.finditer(r"‘|(?:(?<=[\s([“\",/-])|\A)'(?=\S)", text)]
    closing = [match.span() for match in re.finditer(r"(?<=\S)['’](?!\w)", text)]
    others = sum(bool(re.match(r"[sS\d]", text[start - 1])) for start, _ in closing)  # perhaps: James' coat, 5' long
    if not len(closing) - others <= len(opening) <= len(closing):
        yield from (opening if len(opening) > len(closing) else closing)[-1:]


_CHECKS: dict[str, Callable[[str], _Spans]] = {
    "a word twice": _doubled,
    "a for an, or an for a": _wrong_articles,
    "a plural after every or each": _plurals_after_every,
    "'the' before a person's name": _the_person,
    "a stop before a mark": _stops_before_marks,
    "quotes or brackets unbalanced": _unbalanced,
}
