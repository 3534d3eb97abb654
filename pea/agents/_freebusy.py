"""When the user is busy and when free, within working hours."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from pea.agents._agenda import Entry, heading
from pea.agents._culture_days import weekend
from pea.workspace.files import Refusal, SourceReport


class Busy(msgspec.Struct, frozen=True):
    """A stretch of time that is taken; ``tentative`` when everything in it may yet not take place."""

    start: datetime
    end: datetime
    titles: tuple[str, ...]
    tentative: bool = False


class Slot(msgspec.Struct, frozen=True):
    """A stretch of working time that is free."""

    start: datetime
    end: datetime
    minutes: int


class FreeBusy(msgspec.Struct, frozen=True):
    """Busy stretches, merged, and free slots of at least the minutes asked for, between two moments."""

    start: datetime
    end: datetime
    busy: tuple[Busy, ...]
    free: tuple[Slot, ...]
    busy_minutes: int
    free_minutes: int
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


def busy_stretches(entries: Iterable[Entry], start: datetime, end: datetime) -> tuple[Busy, ...]:
    """What takes time in [start, end), overlapping and touching stretches of one certainty merged, cut at both ends.

    A certain entry over a tentative one makes that part certain: the tentative stretch is cut around it.
    """
    zone, low, high = start.tzinfo, start.astimezone(UTC), end.astimezone(UTC)
    # Compared in UTC: on the night the clocks go back, an hour of the wall clock happens twice.
    spans = [(max(e.start.astimezone(UTC), low), min(e.end.astimezone(UTC), high), e) for e in entries if e.busy]
    spans = sorted((s for s in spans if s[0] < s[1]), key=lambda s: s[:2])
    edges = sorted({moment for span in spans for moment in span[:2]})
    merged: list[Busy] = []
    over: list[tuple[datetime, datetime, Entry]] = []
    begun = 0
    for left, right in itertools.pairwise(edges):
        while begun < len(spans) and spans[begun][0] <= left:
            over.append(spans[begun])
            begun += 1
        over = [span for span in over if span[1] > left]
        if over:
            tentative = all(entry.tentative for _, _, entry in over)
            titles = tuple(dict.fromkeys(entry.title for _, _, entry in over))
            last = merged[-1] if merged else None
            if last is not None and last.end == left and last.tentative == tentative:
                merged[-1] = Busy(last.start, right, tuple(dict.fromkeys(last.titles + titles)), tentative)
            else:
                merged.append(Busy(left, right, titles, tentative))
    return tuple(Busy(b.start.astimezone(zone), b.end.astimezone(zone), b.titles, b.tentative) for b in merged)


def free_slots(busy: Iterable[Busy], windows: Iterable[tuple[datetime, datetime]], *, minutes: int) -> tuple[Slot, ...]:
    """The parts of the windows that nothing takes, of at least ``minutes``."""
    taken = [(stretch.start.astimezone(UTC), stretch.end.astimezone(UTC)) for stretch in busy]
    free: list[Slot] = []
    for left, right in windows:
        zone, at, closes = left.tzinfo, left.astimezone(UTC), right.astimezone(UTC)
        for begins, ends in (*taken, (closes, closes)):
            if ends < at or begins > closes:
                continue
            length = minutes_between(at, begins)
            if length >= minutes:
                free.append(Slot(at.astimezone(zone), begins.astimezone(zone), length))
            at = max(at, ends)
    return tuple(free)


def working_windows(
    start: datetime, end: datetime, opens: time, closes: time, *, weekends: bool, zone: tzinfo, country: str = ""
) -> tuple[tuple[datetime, datetime], ...]:
    """The working hours of each day between two moments, cut at both; a country's weekends only when asked."""
    windows: list[tuple[datetime, datetime]] = []
    rest = weekend(country)
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        if weekends or day.weekday() not in rest:
            left = max(start, datetime.combine(day, opens, zone))
            right = min(end, datetime.combine(day, closes, zone))
            if left < right:
                windows.append((left, right))
        day += timedelta(days=1)
    return tuple(windows)


def minutes_between(start: datetime, end: datetime) -> int:
    """Whole minutes that pass between two moments, also over a change of the clocks."""
    return int((end.timestamp() - start.timestamp()) // 60)


def free_text(busy: Iterable[Busy], free: Iterable[Slot], start: datetime, end: datetime) -> str:
    """Busy and free times between two moments for a person, day by day."""
    slots, stretches = dict[date, list[str]](), dict[date, list[str]]()
    for slot in free:
        slots.setdefault(slot.start.date(), []).append(f"{slot.start:%H:%M}\N{EN DASH}{slot.end:%H:%M}")
    for stretch in busy:
        mark = " (tentative)" if stretch.tentative else ""
        for day in _days(stretch.start, stretch.end):
            told = f"  busy {_from(stretch, day)}{mark}: {', '.join(stretch.titles)}"
            stretches.setdefault(day, []).append(told)
    lines: list[str] = []
    for day in _days(start, end):
        lines += [*([""] if lines else []), heading(day)]
        lines.append(f"  free {', '.join(slots[day])}" if day in slots else "  no free time in working hours")
        lines += stretches.get(day, [])
    return "\n".join(lines)


def _days(start: datetime, end: datetime) -> Iterator[date]:
    last = (end - timedelta(microseconds=1)).date()
    day = start.date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _from(stretch: Busy, day: date) -> str:
    begins = f"{stretch.start:%H:%M}" if stretch.start.date() == day else "00:00"
    ends = f"{stretch.end:%H:%M}" if stretch.end.date() == day else "24:00"
    return f"{begins}\N{EN DASH}{ends}"
