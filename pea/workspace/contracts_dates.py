"""Lengths of time as contracts write them, and the days that follow from them."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

import msgspec

MAX_UNITS = 1_200
_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15, "eighteen": 18, "twenty": 20,
    "twenty-four": 24, "thirty": 30, "thirty-six": 36, "forty-five": 45, "sixty": 60, "ninety": 90,
    "einem": 1, "einen": 1, "ein": 1, "zwei": 2, "drei": 3, "vier": 4, "sechs": 6, "zwölf": 12,
}  # fmt: skip
_NAMES = "|".join(sorted(_WORDS, key=len, reverse=True))
_LENGTH = re.compile(
    rf"\b(?:(?P<word>{_NAMES})\s*(?:\((?P<both>\d{{1,4}})\))?|(?P<number>\d{{1,4}}))[\s-]*(?:calendar |full |"
    rf"consecutive |"
    r"(?P<business>business |working ))?(?P<unit>day|week|month|quarter|year|tage?|wochen?|monate?|jahre?)[sn]?\b",
    re.IGNORECASE,
)
_UNITS = {"d": "day", "t": "day", "w": "week", "m": "month", "q": "quarter", "y": "year", "j": "year"}


class Length(msgspec.Struct, frozen=True):
    """A number of days, business days, weeks, months or years, as written."""

    count: int
    unit: str
    written: str


def find_length(text: str, near: re.Pattern[str] | None = None) -> Length | None:
    """The first length of time in a text, or the one nearest to a word."""
    found = list(_LENGTH.finditer(text[:2_000]))
    if not found:
        return None
    if near is not None:
        marks = [match.start() for match in near.finditer(text)]
        found.sort(key=lambda match: min((abs(match.start() - mark) for mark in marks), default=0))
    match = found[0]
    count = int(match["both"] or match["number"] or _WORDS[match["word"].lower()])
    unit = "business day" if match["business"] else _UNITS[match["unit"][0].lower()]
    if unit == "quarter":
        count, unit = 3 * count, "month"
    return Length(count, unit, " ".join(match[0].split())) if 0 < count <= MAX_UNITS else None


def later(day: date, length: Length, times: int = 1) -> date:
    """The day so much later; a month's last day stands for one that the month does not have."""
    return _moved(day, length.count * times, length.unit)


def earlier(day: date, length: Length) -> date:
    """The day so much earlier."""
    return _moved(day, -length.count, length.unit)


def term_end(begins: date, length: Length) -> date:
    """The last day of a term: the day before the one on which the next would begin."""
    return later(begins, length) - timedelta(days=1)


def last_notice_day(ends: date, notice: Length) -> date:
    """The last day on which a notice of such a length can arrive so that the term ends on ``ends``.

    The whole length must lie between: a term that ends on 30 June with six months' notice needs it by 31 December,
    the notice's six months being January to June.
    """
    return earlier(ends + timedelta(days=1), notice) - timedelta(days=1)


def _moved(day: date, count: int, unit: str) -> date:
    try:
        if unit == "business day":
            step = 1 if count > 0 else -1
            for _ in range(abs(count)):
                day += timedelta(days=step)
                while day.weekday() >= 5:
                    day += timedelta(days=step)
            return day
        if unit in ("day", "week"):
            return day + timedelta(days=count * (7 if unit == "week" else 1))
        index = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(index, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return date.max if count > 0 else date.min
