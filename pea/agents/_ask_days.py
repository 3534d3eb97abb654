"""Days as people say them ("tomorrow", "next week", "since Friday", "in April"), as the days they mean."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

import msgspec

from pea.workspace.text.dates import find_dates

Shape = Literal["day", "days", "month", "ahead", "back", "since", "until"]
MAX_SPAN = 366  # days

_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
NUMBERS = {word: number for number, word in enumerate(_COUNTED.split())} | {
    "a": 1,
    "an": 1,
    "couple": 2,
    "few": 3,
    "twenty": 20,
    "thirty": 30,
    "sixty": 60,
    "ninety": 90,
}
NUMBER = rf"(?:\d{{1,4}}|a couple(?: of)?|a few|{'|'.join(NUMBERS)})"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = "|".join((*_MONTHS, "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"))
_SAID = re.compile(
    rf"\b(?:(?P<word>day after tomorrow|day before yesterday|today|tonight|this (?:morning|afternoon|evening)|tomorrow|"
    rf"yesterday)"
    rf"|(?:the )?(?P<unit_which>this|next|last|coming|past|current|rest of (?:the|this)) (?P<unit>week ?end|week|month|"
    rf"quarter|year)"
    rf"|(?:(?P<day_which>this|next|last|coming|past) )?(?P<day>{_DAY})(?!\w)"
    rf"|(?:the |over the |for the |in the |within the )?(?P<run_which>next|coming|last|past|previous|following|within)"
    rf" (?P<run>{NUMBER}) (?P<run_unit>day|week|month|year)s?"
    rf"|in (?P<after>{NUMBER}) (?P<after_unit>day|week|month)s?(?: time)?"
    rf"|(?P<ago>{NUMBER}) (?P<ago_unit>day|week|month|year)s? ago"
    rf"|(?:(?P<month_which>this|next|last) )?(?P<month>{_MONTH})\b\.?(?: (?P<month_year>20\d\d))?"
    rf"|q(?P<quarter>[1-4])(?: (?P<quarter_year>20\d\d))?"
    rf"|(?:in |for |of |year )(?P<year>20\d\d)"
    rf"|the (?P<nth>\d\d?)(?:st|nd|rd|th)\b)",
    re.IGNORECASE,
)
_SINCE = re.compile(r"\b(?:since|after|from|starting|as of)\s+(?:the\s+)?$", re.IGNORECASE)
_UNTIL = re.compile(r"\b(?:until|till|by|before|up to|through)\s+(?:the\s+)?$", re.IGNORECASE)
_LEAD = re.compile(r"\b(?:on|for|in|over|during|of|at|within|from|since|by|until)\s+(?:the\s+)?$", re.IGNORECASE)
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


class When(msgspec.Struct, frozen=True):
    """Days that were said: from ``first`` to ``last``, both included, and how they were said.

    ``since`` has no end that was said and ``until`` no beginning; ``back`` and ``ahead`` count from the present.
    """

    first: date
    last: date
    shape: Shape
    text: str

    @property
    def days(self) -> int:
        """How many days these are."""
        return min((self.last - self.first).days + 1, MAX_SPAN)


class _Atom(msgspec.Struct, frozen=True):
    """One expression, where it stands, and what it means."""

    start: int
    end: int
    first: date
    last: date
    shape: Shape


def find_when(text: str, today: date) -> tuple[When | None, list[tuple[int, int]]]:
    """What days a text speaks of, and the places in it that say so; two expressions make a range."""
    kept: list[_Atom] = []
    for atom in _atoms(text, today):  # dates in full come first, and win over a part of them
        if not any(atom.start < other.end and other.start < atom.end for other in kept):
            kept.append(atom)
    kept.sort(key=lambda atom: atom.start)
    if not kept:
        return None, []
    first = kept[0]
    spans = [(_lead(text, atom.start), atom.end) for atom in kept[:2]]
    said = text[first.start : kept[min(1, len(kept) - 1)].end]
    if len(kept) > 1 and re.fullmatch(
        r"\s*(?:to|and|until|till|through|-|\u2013)\s*(?:the )?", text[first.end : kept[1].start]
    ):
        last = kept[1]
        low, high = min(first.first, last.first), max(first.last, last.last)
        return When(low, high, "days", said), spans
    before = text[: first.start]
    said = text[first.start : first.end]
    if _SINCE.search(before):
        start = first.first
        if start > today:  # a weekday or a month without a year, said of the past
            start = _past(start, today, text[first.start : first.end])
        return When(start, max(today, start), "since", said), spans[:1]
    if _UNTIL.search(before):
        return When(min(today, first.last), first.last, "until", said), spans[:1]
    return When(first.first, first.last, first.shape, said), spans[:1]


def _past(day: date, today: date, said: str) -> date:
    if re.match(_DAY, said, re.IGNORECASE):
        return day - timedelta(days=7 * (1 + (day - today).days // 7))
    return day.replace(year=day.year - 1) if (day.month, day.day) != (2, 29) else day - timedelta(days=366)


def _lead(text: str, start: int) -> int:
    found = _LEAD.search(text[:start])
    return start if found is None else found.start()


def _atoms(text: str, today: date) -> Iterator[_Atom]:
    for moment in find_dates(text, today):
        yield _Atom(moment.start, moment.start + len(moment.text), moment.day, moment.day, "day")
    for match in _SAID.finditer(text):
        found = _meaning({name: value.lower() for name, value in match.groupdict().items() if value}, today)
        if found is not None and not _is_verb(match, text):
            yield _Atom(match.start(), match.end(), *found)


def _is_verb(match: re.Match[str], text: str) -> bool:
    """Whether "may", "march", "sun" or "sat" is no name of a time here."""
    said = match[0].lower()
    if said in ("mar", "sat", "sun", "wed"):
        return not re.search(r"\b(?:on|this|next|last|since|by|until|in)\s+$", text[: match.start()], re.IGNORECASE)
    if said not in ("may", "march"):
        return False
    before = text[: match.start()].lower()
    return not re.search(r"(?:\b(?:in|for|since|of|until|by|during|and|to|from|budget|this|next|last))\s*$", before)


def _meaning(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    readers = (_word, _week, _weekday, _run, _month)
    return next((found for reader in readers if (found := reader(said, today)) is not None), None)


def _word(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    word = said.get("word")
    if word is not None:
        away = {"day after tomorrow": 2, "tomorrow": 1, "yesterday": -1, "day before yesterday": -2}.get(word, 0)
        day = today + timedelta(days=away)
        return day, day, "day"
    if "nth" in said:
        return _nth(int(said["nth"]), today)
    if "after" in said:
        day = today + timedelta(days=number_of(said["after"]) * _UNIT_DAYS[said["after_unit"]])
        return day, day, "day"
    if "ago" in said:
        day = today - timedelta(days=min(number_of(said["ago"]) * _UNIT_DAYS[said["ago_unit"]], 36_500))
        return day, day, "day"
    return None


def _nth(number: int, today: date) -> tuple[date, date, Shape] | None:
    year, month = today.year, today.month
    for _ in range(12):
        if number >= 1 and number <= monthrange(year, month)[1] and date(year, month, number) >= today:
            day = date(year, month, number)
            return day, day, "day"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return None


def _week(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    unit, which = said.get("unit"), said.get("unit_which", "")
    if unit is None:
        return None
    step = 1 if which in ("next", "coming") else -1 if which in ("last", "past") else 0
    monday = today - timedelta(days=today.weekday())
    if unit.startswith("week") and unit != "week":  # the weekend ahead, unless it is another's
        saturday = monday + timedelta(days=5 + (7 * step if which != "coming" else 0))
        return saturday, saturday + timedelta(days=1), "days"
    if unit == "week":
        first = monday + timedelta(days=7 * step) if step else today
        return first, monday + timedelta(days=7 * step + 6), "days"
    if unit == "month":
        return (*_of_month(today.year, today.month + step), "month")
    if unit == "quarter":
        begin = (today.month - 1) // 3 * 3 + 1 + 3 * step
        return _of_month(today.year, begin)[0], _of_month(today.year, begin + 2)[1], "days"
    return date(today.year + step, 1, 1), date(today.year + step, 12, 31), "days"


def _weekday(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    name, which = said.get("day"), said.get("day_which", "")
    if name is None:
        return None
    wanted = next(number for number, day in enumerate(_DAYS) if day.startswith(name[:3]))
    ahead = (wanted - today.weekday()) % 7
    if which in ("last", "past"):
        ahead = ahead - 7 if ahead else -7
    elif which == "next":  # that of next week
        ahead = 7 - today.weekday() + wanted
    day = today + timedelta(days=ahead)
    return day, day, "day"


def _run(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    if "run" not in said:
        return None
    days = max(1, min(number_of(said["run"]) * _UNIT_DAYS[said["run_unit"]], 3_660))
    if said["run_which"] in ("last", "past", "previous"):
        return today - timedelta(days=days), today, "back"
    return today, today + timedelta(days=days - 1), "ahead"


def _month(said: dict[str, str], today: date) -> tuple[date, date, Shape] | None:
    if "year" in said:
        return date(int(said["year"]), 1, 1), date(int(said["year"]), 12, 31), "days"
    if "quarter" in said:
        first, year = 3 * int(said["quarter"]) - 2, int(said.get("quarter_year", today.year))
        return _of_month(year, first)[0], _of_month(year, first + 2)[1], "days"
    if "month" not in said:
        return None
    month = next(number for number, name in enumerate(_MONTHS, 1) if name.startswith(said["month"][:3]))
    which = said.get("month_which")
    if "month_year" in said:
        year = int(said["month_year"])
    elif which == "last":
        year = today.year - (month >= today.month)
    elif which == "next":
        year = today.year + (month <= today.month)
    else:  # the nearest: half a year at most from now
        year = today.year + (month - today.month < -6) - (month - today.month > 6)
    return (*_of_month(year, month), "month")


def _of_month(year: int, month: int) -> tuple[date, date]:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def number_of(text: str) -> int:
    """A number written in digits or as a word; 1 when it is neither."""
    text = text.lower().removesuffix(" of").removeprefix("a ").strip()
    return int(text) if text.isdigit() else NUMBERS.get(text, 1)
