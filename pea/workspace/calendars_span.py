"""The days on which an event can possibly happen, read from its text alone, so that most need no parsing at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

ENDLESS = 99_999_999

_DAY = re.compile(r"\d{8}")
_DURATION = re.compile(r"(\d{1,6})([WDH])")


def span(texts: Iterable[str]) -> tuple[int, int]:
    """The first and last day on which a series can happen, widened by two days for zones; as numbers like 20260512."""
    texts = list(texts)
    days, length, endless = list[int](), 2, False
    for text in texts:
        for line in text.split("\r\n"):
            name, _, value = line.partition(":")
            name = name.partition(";")[0].upper()
            if name in ("DTSTART", "DTEND", "RDATE", "RECURRENCE-ID"):
                days += map(int, _DAY.findall(value))
            elif name == "RRULE":
                until = re.search(r"UNTIL=(\d{8})", value, re.IGNORECASE)
                days += [int(until[1])] if until else []
                endless |= until is None
            if name in ("DURATION", "RDATE"):
                units = {"W": 7.0, "D": 1.0, "H": 1 / 24}
                length += sum(int(n) * units[u] for n, u in _DURATION.findall(value)).__ceil__()
    try:
        first, last = (date(d // 10_000, d // 100 % 100, d % 100) for d in (min(days), max(days)))
        length += 0 if endless else max(0, _length(texts))
        low, high = first - timedelta(days=length), last + timedelta(days=length)
    except (ValueError, OverflowError):  # no day, or no such day: it is looked at whatever days are asked for
        return 0, ENDLESS
    return _number(low), ENDLESS if endless else _number(high)


def _length(texts: Iterable[str]) -> int:
    """The longest time from a DTSTART to a DTEND, in days."""
    longest = 0
    for text in texts:
        ends = [
            date(int(m[1][:4]), int(m[1][4:6]), int(m[1][6:]))
            for m in re.finditer(r"^DT(?:START|END)[^:\r\n]*:(\d{8})", text, re.MULTILINE)
        ]
        if ends:
            longest = max(longest, (max(ends) - min(ends)).days)
    return longest


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
