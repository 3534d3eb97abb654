"""How a briefing says numbers, times and days, so that it reads as if a person had written it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

DASH = "\N{EN DASH}"
INSTANT = timedelta(microseconds=1)  # what ends at midnight ends on the day before


def count(number: int, thing: str, things: str = "") -> str:
    """``1 meeting``, ``3 meetings``; a plural that is not formed with an s is given."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def both(parts: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *rest, last = [*parts] or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def clock(moment: datetime, zone: tzinfo | None) -> str:
    """A time of day in the user's zone: ``09:30``."""
    return f"{moment.astimezone(zone):%H:%M}"


def span(start: datetime, end: datetime, zone: tzinfo | None) -> str:
    """From when to when, or just from when."""
    return clock(start, zone) if end <= start else f"{clock(start, zone)}{DASH}{clock(end, zone)}"


def hours(start: datetime, end: datetime, day: date, zone: tzinfo | None, *, all_day: bool) -> str:
    """When something is on a day: ``all day``, ``until 10:00`` when it began before, ``from 22:00`` when it goes on."""
    first, last = start.astimezone(zone).date(), (max(start, end) - INSTANT).astimezone(zone).date()
    begins, ends = first >= day, last <= day
    if all_day or not (begins or ends):
        return "all day"
    if not begins:
        return f"until {clock(end, zone)}"
    return span(start, end, zone) if ends else f"from {clock(start, zone)}"


def elsewhere(moment: datetime, zone: str) -> str:
    """A moment by the clocks of an IANA zone, such as ``09:30 in London``; empty when they show what ours show."""
    region, _, city = zone.partition("/")
    if not city or region == "Etc":
        return ""
    try:
        there = moment.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):  # no such zone here
        return ""
    if there.utcoffset() == moment.utcoffset():
        return ""
    return f"{there:%H:%M} in {city.rpartition('/')[2].replace('_', ' ')}"


def day_name(day: date, today: date) -> str:
    """``today``, ``tomorrow``, ``Thu`` within a week, else ``22 May``; another year is named."""
    ahead = (day - today).days
    if ahead in _NEAR:
        return _NEAR[ahead]
    if 0 < ahead < 7:
        return f"{day:%a}"
    return f"{day.day} {day:%b}" + ("" if day.year == today.year else f" {day.year}")


_NEAR = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def long_day(day: date) -> str:
    """``Tuesday 12 May 2026``."""
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def due(moment: datetime, now: datetime) -> str:
    """By when, as short as it can be said: ``today 17:00``, ``Fri 12:00``, ``18 May``; a day's end is that day."""
    local = moment.astimezone(now.tzinfo)
    name = day_name(local.date(), now.date())
    return name if (local.hour, local.minute) in {(0, 0), (23, 59)} else f"{name} {local:%H:%M}"


def sentence(text: str) -> str:
    """The words with a capital at the front and without a full stop at the end."""
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].upper() + text[1:]


def cut(text: str, limit: int) -> str:
    """Text on one line of at most ``limit`` characters, without those that could steer a terminal."""
    start = text[: 4 * limit]
    if not start.isprintable():
        start = "".join(c if c.isprintable() else " " for c in start)
    line = " ".join(start.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
