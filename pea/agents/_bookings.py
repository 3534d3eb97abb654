"""The bookings that mails confirm, beside the calendar and each other: what is missing, what is too tight, no bed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._agenda import Entry, heading
from pea.agents._stops import endpoint, near
from pea.workspace.files_report import SourceReport
from pea.workspace.places import Place, journey, place_at
from pea.workspace.reservations import Kind, Reservation

MOVES: frozenset[Kind] = frozenset(("flight", "train", "bus"))
# The least minutes between two journeys from one place; between two places the way is added.
SAME_COUNTRY_FLIGHT, FOREIGN_FLIGHT, OTHER = 60, 90, 15
ONE_TRIP = timedelta(hours=24)
MOST = 200

Standing = Literal["in the calendar", "not in the calendar", "at another time in the calendar", "cancelled"]


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """One booking, its moments in the zones of its places; ``warnings`` say what to do something about."""

    kind: Kind
    title: str
    number: str
    start: datetime
    end: datetime | None
    start_place: str
    end_place: str
    standing: Standing
    warnings: tuple[str, ...]
    path: str


class Bookings(msgspec.Struct, frozen=True):
    """The bookings that begin on some days, in order; ``warnings`` are about several, ``undated`` are counted."""

    day: date
    days: int
    bookings: tuple[Booking, ...]
    warnings: tuple[str, ...]
    undated: int
    sources: SourceReport
    text: str


class _Placed(msgspec.Struct, frozen=True):
    """A reservation with its moments made aware and its ends found on the map."""

    what: Reservation
    path: str
    start: datetime
    end: datetime | None
    here: Place | None
    there: Place | None


def bookings_of(
    found: Iterable[tuple[str, Reservation]],
    entries: Sequence[Entry],
    start: datetime,
    days: int,
    *,
    country: str,
    home: Place | None,
    name: str,
    sources: SourceReport,
) -> Bookings:
    """The bookings that begin within ``days`` from midnight ``start``, each held against the calendar's entries."""
    zone = start.tzinfo or UTC
    end = datetime.combine(start.date() + timedelta(days=days), time(), zone)
    placed, undated = _placed(found, country, zone)
    chosen = [one for one in placed if start <= one.start < end][:MOST]
    made = tuple(_booking(one, entries, name) for one in chosen)
    going = [one for one in chosen if not one.what.cancelled]
    warnings = (*_connections(going), *_nights(going, home))
    result = Bookings(start.date(), days, made, tuple(warnings), undated, sources, "")
    return msgspec.structs.replace(result, text=_text(result))


def _placed(found: Iterable[tuple[str, Reservation]], country: str, zone: tzinfo) -> tuple[list[_Placed], int]:
    """The dated bookings by start, each once: a later mail about the same booking replaces an earlier one."""
    kept: dict[tuple[object, ...], _Placed] = {}
    undated = 0
    for path, what in found:
        if what.start is None:
            undated += 1
            continue
        here, there = (endpoint(place, country) if place else None for place in (what.start_place, what.end_place))
        begins = _aware(what.start, here, zone)
        ends = _aware(what.end, there or here, zone) if what.end is not None else None
        one = _Placed(what, path, begins, ends, here, there)
        key = (what.kind, what.number or what.title, begins.astimezone(UTC))
        before = kept.get(key)
        if before is None or what.cancelled or (before.what.ics and not what.ics):
            kept[key] = one
    return sorted(kept.values(), key=lambda one: (one.start, one.what.title)), undated


def _aware(moment: datetime, place: Place | None, zone: tzinfo) -> datetime:
    local = zone if place is None else ZoneInfo(place.zone)
    return moment.replace(tzinfo=local) if moment.tzinfo is None else moment.astimezone(local)


def _booking(one: _Placed, entries: Sequence[Entry], name: str) -> Booking:
    what = one.what
    standing, warnings = _standing(one, entries)
    if name and what.name and not set(name.casefold().split()) & set(what.name.casefold().replace("/", " ").split()):
        warnings.append(f"it is made out to {what.name}, not to {name}")
    if one.end is not None and one.end < one.start:
        warnings.append("it ends before it begins: check the confirmation")
    return Booking(
        kind=what.kind,
        title=what.title,
        number=what.number,
        start=one.start,
        end=one.end,
        start_place=what.start_place,
        end_place=what.end_place,
        standing=standing,
        warnings=tuple(warnings),
        path=one.path,
    )


def _standing(one: _Placed, entries: Sequence[Entry]) -> tuple[Standing, list[str]]:
    """How a booking stands in the calendar: by its moment for a journey, by its title or day for what lasts."""
    marks = {word for word in _words(one.what.title) if any(c.isdigit() for c in word) or len(word) > 4}
    same_day = [
        e
        for e in entries
        if e.first_day <= one.start.date() + timedelta(days=1) and e.last_day >= one.start.date() - timedelta(days=1)
    ]
    exact = [e for e in same_day if not e.all_day and e.start == one.start]
    named = [e for e in same_day if marks & _words(e.title)]
    if one.what.cancelled:
        still = [e for e in named if e.start == one.start or e.all_day]
        return "cancelled", [f"it is cancelled, but {e.title} is still in your calendar" for e in still[:1]]
    if any(e in exact for e in named) or (one.what.kind in MOVES and exact):
        return "in the calendar", []
    timed = [e for e in named if not e.all_day]
    if timed and one.what.kind in MOVES:
        entry = timed[0]
        return "at another time in the calendar", [
            f"the calendar has {entry.title} at {entry.start:%a %H:%M}, the confirmation {one.start:%a %d %b %H:%M}"
        ]
    return ("in the calendar", []) if named else ("not in the calendar", [])


def _words(text: str) -> set[str]:
    words = text.casefold().replace("→", " ").replace("-", " ").split()
    return {*words, *(f"{a}{b}" for a, b in itertools.pairwise(words) if b.isdigit())}


def _connections(going: Sequence[_Placed]) -> list[str]:
    """Journeys of one trip that follow each other too closely, or from places too far apart."""
    found: list[str] = []
    moves = [one for one in going if one.what.kind in MOVES]
    for before, after in itertools.pairwise(moves):
        ends = before.end or before.start
        gap = after.start - ends
        if gap > ONE_TRIP:
            continue
        minutes = int(gap.total_seconds() // 60)
        if minutes < 0:
            found.append(f"{after.what.title} departs {-minutes} min before {before.what.title} arrives")
            continue
        needed, why = _needed(before, after)
        if minutes < needed:
            pair = f"between {before.what.title} and {after.what.title}"
            found.append(f"{pair} there are {minutes} min, {needed} are needed ({why})")
    return found


def _needed(before: _Placed, after: _Placed) -> tuple[int, str]:
    least = OTHER
    if after.what.kind == "flight":
        ends = {p.country for p in (before.here, before.there, after.there) if p is not None}
        least = SAME_COUNTRY_FLIGHT if len(ends) <= 1 else FOREIGN_FLIGHT
    if before.there is None or after.here is None or before.what.end_place == after.what.start_place:
        return least, "a change there"
    way = journey(before.there, after.here)
    if not way.minutes:
        return least, "a change there"
    return least + way.minutes, f"{way.how}, from {before.there.label} to {after.here.label}"


def _nights(going: Sequence[_Placed], home: Place | None) -> list[str]:
    """Nights away from home between two journeys for which no bed is booked."""
    hotels = [one for one in going if one.what.kind == "hotel" and one.end is not None]
    moves = [one for one in going if one.what.kind in MOVES and one.there is not None]
    found: list[str] = []
    for before, after in itertools.pairwise(moves):
        if before.there is None or (home is not None and near(before.there, home)):
            continue
        first, last = (before.end or before.start).date(), after.start.date()
        nights = [first + timedelta(days=n) for n in range(min(60, (last - first).days))]
        bare = [n for n in nights if not any(h.start.date() <= n < (h.end or h.start).date() for h in hotels)]
        if bare:
            city = place_at(before.there.point)
            where = city.name if city is not None else before.there.label
            told = f"{bare[0]:%a %d %b}" + (f" to {bare[-1]:%a %d %b}" if len(bare) > 1 else "")
            found.append(f"no bed is booked in {where} for the night of {told}")
    return found


def _text(result: Bookings) -> str:
    lines: list[str] = []
    day: date | None = None
    for one in result.bookings:
        if one.start.date() != day:
            day = one.start.date()
            lines += [*([""] if lines else []), heading(day)]
        until = (
            f"\N{EN DASH}{one.end:%H:%M}"
            if one.end and one.end.date() == day
            else f" to {one.end:%a %d %b}"
            if one.end
            else ""
        )
        number = f" [{one.number}]" if one.number else ""
        lines.append(f"  {one.start:%H:%M}{until}  {one.title}{number} · {one.standing}")
        lines += [f"    ! {warning}" for warning in one.warnings]
    if not result.bookings:
        lines.append("No bookings are confirmed in the mail for these days.")
    lines += [f"! {warning}" for warning in result.warnings]
    return "\n".join([*lines, "", result.sources.text()])
