"""A day hour by hour: what stands, the ways, and the answers that fit into the free time between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from pea.agents import _briefing_words as words
from pea.agents._plan_parts import Found, value
from pea.agents._plan_text import part
from pea.agents._plan_views import Entry, Part, Point

PER_ASK = timedelta(minutes=10)
MOST_PER_ANSWER = timedelta(minutes=45)
LEAST = timedelta(minutes=10)


def day_plan(found: Found, day: date, now: datetime) -> tuple[list[Part], str]:
    """The plan's parts and its headline."""
    agenda, free, mail = (value(found, name) for name in ("the_calendar", "free_time", "mail"))
    legs = [
        leg for leg in getattr(value(found, "travel"), "legs", ()) if leg.leave_by.astimezone(now.tzinfo).date() == day
    ]
    fixed = [_fixed(entry) for entry in getattr(agenda, "entries", ()) if not entry.all_day]
    ways = [
        Point(
            f"leave: {leg.what}", leg.leave_by, leg.start or leg.arrive, because=leg.warnings, agent="travel.itinerary"
        )
        for leg in legs
    ]
    slots = _usable([(s.start, s.end) for s in getattr(free, "free", ())], ways, now)
    answers = sorted(
        getattr(mail, "answer", ()), key=lambda item: (item.due is None or item.due > day, item.due or day)
    )
    placed, left = _placed(slots, answers, day, now.tzinfo)
    timeline = sorted([*fixed, *ways, *placed], key=lambda point: (point.when or now, point.what))
    whole = [Point(entry.title) for entry in getattr(agenda, "entries", ()) if entry.all_day]
    parts = [
        part("all-day", "All day", whole),
        # A day is shown whole: a dozen points are not enough for a full one.
        Part("hours", "Hour by hour", tuple(timeline[:60]), max(0, len(timeline) - 60)),
        part("left", "Does not fit today", left),
    ]
    said = (
        f"{words.long_day(day)}: {words.count(len(fixed), 'appointment')}, {words.count(len(placed), 'answer')} planned"
    )
    return parts, said + (f", {len(left)} that do not fit" if left else "")


def _fixed(entry: Entry) -> Point:
    where = f" \N{MIDDLE DOT} {entry.location}" if entry.location else ""
    return Point(f"{entry.title}{where}", entry.start, entry.end, agent="calendar.agenda")


def _usable(
    slots: Iterable[tuple[datetime, datetime]], ways: Sequence[Point], now: datetime
) -> list[tuple[datetime, datetime]]:
    """The free time from now on that no way takes."""
    free = [(max(start, now), end) for start, end in slots]
    for way in ways:
        if way.when is None or way.until is None:
            continue
        cut: list[tuple[datetime, datetime]] = []
        for start, end in free:
            cut += [(start, min(end, way.when)), (max(start, way.until), end)]
        free = cut
    return sorted({(start, end) for start, end in free if end - start >= LEAST})


def _placed(
    slots: list[tuple[datetime, datetime]], answers: Iterable[Any], day: date, zone: tzinfo | None
) -> tuple[list[Point], list[Point]]:
    """Each answer in the first stretch that holds it whole and ends before it is due; the others are left."""
    placed: list[Point] = []
    left: list[Point] = []
    for item in answers:
        length = min(MOST_PER_ANSWER, PER_ASK * max(1, len(item.asks)))
        due = _due(item, day, zone)
        index = next((n for n, (start, end) in enumerate(slots) if start + length <= min(end, due or end)), None)
        told = f"answer {item.sender}: {item.subject}"
        why = tuple(item.asks[:1])
        if index is None:
            late = due is not None and (item.due < day or not any(start < due for start, _ in slots))
            left.append(Point(told, because=why, advice="its hour passes before there is time" if late else ""))
            continue
        start, end = slots[index]
        slots[index] = (start + length, end)
        placed.append(Point(told, start, start + length, because=why, agent="communication.triage"))
    return placed, left


def _due(item: Any, day: date, zone: tzinfo | None) -> datetime | None:
    """By when an answer has to be written on this day; None for what is due later, or is overdue already."""
    if item.due != day or not item.due_at:
        return None
    return datetime.combine(day, time.fromisoformat(item.due_at), zone)
