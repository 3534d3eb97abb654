"""What in an agenda cannot be done as it stands, how bad that is, and what would mend it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal

import msgspec

from pea.agents._agenda import Entry, heading, hours
from pea.agents._culture_days import weekend
from pea.agents._freebusy import minutes_between
from pea.agents._stops import Stop
from pea.workspace.files import Refusal, SourceReport
from pea.workspace.places import Place, distance_km, find, journey

MAX_CONFLICTS = 200
MAX_OF_A_KIND = 1_000
ACROSS_TOWN_MINUTES = 30  # between two addresses of one city
BOARDING_MINUTES = 60  # the least before a flight; an itinerary plans with more
FAR_KM = 100  # two all-day entries further apart than this cannot both be attended

Severity = Literal["high", "medium", "low"]
_ORDER: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}


class Conflict(msgspec.Struct, frozen=True):
    """Something that cannot be done as planned; ``titles`` are the entries concerned, ``minutes`` what is lacking."""

    kind: Literal["overlap", "twice", "travel", "two-places", "outside-hours"]
    severity: Severity
    start: datetime
    end: datetime
    titles: tuple[str, ...]
    reason: str
    advice: str
    minutes: int = 0


class Conflicts(msgspec.Struct, frozen=True):
    """The conflicts of some days, the worst of each day first; ``more`` counts those that were left out."""

    day: date
    days: int
    conflicts: tuple[Conflict, ...]
    more: int
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


def conflicts_of(
    entries: Iterable[Entry], stops: Iterable[Stop], *, opens: time, closes: time, country: str
) -> list[Conflict]:
    """The conflicts among entries that stand, by day, severity and time; at most 1,000 of a kind."""
    entries = list(entries)
    every = (
        _overlaps(entries),
        _too_far(list(stops)),
        _two_places(entries, country),
        _outside_hours(entries, opens, closes, weekend(country)),
    )
    # A calendar in which everything overlaps has a square number of conflicts: nobody reads more than some.
    found = [conflict for kind in every for conflict in itertools.islice(kind, MAX_OF_A_KIND)]
    return sorted(found, key=lambda c: (c.start.date(), _ORDER[c.severity], c.start, c.titles))


def _overlaps(entries: list[Entry]) -> Iterator[Conflict]:
    taking = sorted(
        (e for e in entries if e.busy and not e.all_day and e.end > e.start), key=lambda e: (e.start, e.end)
    )
    open_now: list[Entry] = []
    for entry in taking:
        open_now = [e for e in open_now if e.end > entry.start]
        for other in open_now:
            yield _overlap(other, entry)
        open_now.append(entry)


def _overlap(first: Entry, second: Entry) -> Conflict:
    start, end = max(first.start, second.start), min(first.end, second.end)
    minutes = minutes_between(start, end)
    titles = (first.title, second.title)
    if first.title.casefold() == second.title.casefold() and (first.start, first.end) == (second.start, second.end):
        return Conflict(
            kind="twice",
            severity="low",
            start=start,
            end=end,
            titles=titles,
            reason=f"{first.title} stands twice, in {_calendars(first, second)}",
            advice="delete one of the two",
            minutes=minutes,
        )
    unsure = [e for e in (first, second) if e.tentative]
    if unsure:
        advice = f"decline or move {unsure[0].title}, which is not certain yet"
    else:
        fewer = min((first, second), key=lambda e: (e.others, e.end - e.start))
        advice = f"move {fewer.title}" + (f" ({_people(fewer.others)})" if fewer.others else "")
    reason = f"{first.title} ({hours(first, start.date())}) and {second.title} ({hours(second, start.date())}) overlap"
    return Conflict(
        kind="overlap",
        severity="medium" if unsure else "high",
        start=start,
        end=end,
        titles=titles,
        reason=f"{reason} by {minutes} min",
        advice=advice,
        minutes=minutes,
    )


def _calendars(first: Entry, second: Entry) -> str:
    return first.calendar if first.calendar == second.calendar else f"{first.calendar} and {second.calendar}"


def _people(others: int) -> str:
    return f"with {others} {'other' if others == 1 else 'others'}"


def _too_far(stops: list[Stop]) -> Iterator[Conflict]:
    """Entries that follow each other in different places with too little time between them."""
    stops = [s for s in stops if s.entry.busy or s.journey]
    for before, after in itertools.pairwise(stops):
        if after.entry.start < before.entry.end or before.site == after.site != "":
            continue
        gap = minutes_between(before.entry.end, after.entry.start)
        needed = gap_needed(before, after)
        if gap >= needed:
            continue
        lacking = needed - gap
        leave = after.entry.start - timedelta(minutes=needed)
        severity: Severity = "high" if lacking > 30 else "medium"
        here, there = before.entry.location or before.arrival.label, after.entry.location or after.place.label
        reason = (
            f"from {before.entry.title} ({here}, until {before.entry.end:%H:%M}) to {after.entry.title} ({there}, at "
            f"{after.entry.start:%H:%M}) there are {gap} min, about {needed} are needed"
        )
        yield Conflict(
            kind="travel",
            severity=severity,
            start=before.entry.end,
            end=after.entry.start,
            titles=(before.entry.title, after.entry.title),
            reason=reason,
            advice=f"leave {before.entry.title} by {leave:%H:%M}, or move one of them",
            minutes=lacking,
        )


def gap_needed(before: Stop, after: Stop) -> int:
    """The least minutes between the end of one stop and the beginning of the next, by the estimate of the way."""
    if before.site == after.site != "":
        return 0
    way = journey(before.arrival, after.place)
    needed = way.minutes or (ACROSS_TOWN_MINUTES if before.site != after.site and not before.journey else 0)
    return needed + (BOARDING_MINUTES if after.journey == "flight" and way.mode != "air" else 0)


def _two_places(entries: list[Entry], country: str) -> Iterator[Conflict]:
    """All-day entries on the same day in places far from each other."""
    placed: list[tuple[Entry, Place]] = []
    for entry in entries:
        if entry.all_day and entry.busy:
            place = find(entry.location, country=country) if entry.location else None
            if place is not None:
                placed.append((entry, place))
    for number, (first, here) in enumerate(placed):
        for second, there in placed[number + 1 :]:
            start, end = max(first.start, second.start), min(first.end, second.end)
            apart = distance_km(here.point, there.point)
            if start < end and apart > FAR_KM:
                yield Conflict(
                    kind="two-places",
                    severity="low" if first.tentative or second.tentative else "high",
                    start=start,
                    end=end,
                    titles=(first.title, second.title),
                    reason=f"{first.title} is in {here.label}, {second.title} {apart:,.0f} km away in {there.label}",
                    advice="decide which of the two to attend",
                )


def _outside_hours(entries: list[Entry], opens: time, closes: time, rest: frozenset[int]) -> Iterator[Conflict]:
    """Entries with other people that are, even partly, outside the user's own working hours or on a weekend."""
    for entry in entries:
        if entry.all_day or not entry.busy or not entry.others or entry.end == entry.start:
            continue
        day = entry.start.date()
        early, late = entry.start.time() < opens, entry.end.time() > closes or entry.last_day > day
        resting = day.weekday() in rest
        if early or late or resting:
            why = "is on a weekend" if resting else "begins before" if early else "ends after"
            told = "" if resting else f" your working hours ({opens:%H:%M}\N{EN DASH}{closes:%H:%M})"
            abroad = f"; it was set in {entry.zone}" if entry.zone and entry.zone != str(entry.start.tzinfo) else ""
            yield Conflict(
                kind="outside-hours",
                severity="low",
                start=entry.start,
                end=entry.end,
                titles=(entry.title,),
                reason=f"{entry.title} ({hours(entry, day)}) {why}{told}{abroad}",
                advice="ask for another time, if it matters",
            )


def conflicts_text(day: date, days: int, conflicts: Iterable[Conflict], more: int) -> str:
    """The conflicts for a person."""
    lines: list[str] = []
    shown = list(conflicts)
    for number in range(days):
        at = day + timedelta(days=number)
        todays = [c for c in shown if max(c.start.date(), day) == at]
        if todays:
            lines += [*([""] if lines else []), heading(at)]
            lines += [f"  [{c.severity}] {c.reason}. {c.advice[:1].upper()}{c.advice[1:]}." for c in todays]
    if more:
        lines.append(f"… and {more} more")
    return "\n".join(lines) or "No conflicts."
