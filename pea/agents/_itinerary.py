"""The way through some days: from place to place, when to leave, what is tight, and what the clocks do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._agenda import Entry, heading
from pea.agents._freebusy import minutes_between
from pea.agents._stops import OFFICE, Stop, near
from pea.workspace.files import Refusal, SourceReport
from pea.workspace.places import Journey, Place, distance_km, find, journey, place_at

FLIGHT_MINUTES, FAR_FLIGHT_MINUTES, FAR_KM = 90, 120, 3_500  # at the airport before a flight, and before a long one
TRAIN_MINUTES = 15
SAME_TOWN_MINUTES = 30  # between two addresses of one city, of which only the city is known


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One movement: a journey that stands in the calendar (``booked``), or the way to the next entry.

    ``leave_by`` is when to set off (for a booked journey, to the airport or station), ``start`` and ``arrive`` the
    booked times, else ``arrive`` is the time to be there. ``minutes`` is the estimate for the way, ``spare_minutes``
    what lies between the end of the entry before and ``leave_by`` (negative: not enough; None: nothing before).
    """

    what: str
    booked: bool
    mode: Literal["none", "local", "ground", "air"]
    start_place: str
    end_place: str
    distance_km: float
    minutes: int
    leave_by: datetime
    start: datetime | None
    arrive: datetime
    spare_minutes: int | None
    details: tuple[str, ...]
    warnings: tuple[str, ...]


class ZoneChange(msgspec.Struct, frozen=True):
    """The clocks at a place differ from those at home; ``hours`` is how far they are ahead (negative: behind)."""

    at: datetime
    place: str
    zone: str
    hours: float
    text: str


class Itinerary(msgspec.Struct, frozen=True):
    """The legs of some days in order, from where the user wakes up; ``unplaced`` are locations nobody could place."""

    day: date
    days: int
    starts_at: str
    legs: tuple[Leg, ...]
    zones: tuple[ZoneChange, ...]
    warnings: tuple[str, ...]
    unplaced: tuple[str, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


def where_from(stops: Iterable[Stop], home: Place | None, day_starts: datetime) -> Place | None:
    """Where the user is when a day starts: where the last journey before it ended, if that is away; else at home."""
    here = home
    for stop in stops:
        if stop.entry.start >= day_starts:
            break
        if stop.journey:
            here = stop.arrival
    return _overnight(here, home)


def legs_of(
    stops: Iterable[Stop], here: Place | None, home: Place | None, others: Iterable[Entry] = ()
) -> tuple[Leg, ...]:
    """The legs through the stops, from ``here``; a day at home begins at the office.

    ``others`` are entries without a place (calls): those that are on while the user is on the way are warned of.
    """
    others = [e for e in others if e.busy and not e.all_day]
    legs: list[Leg] = []
    before: Stop | None = None
    site = OFFICE
    for stop in stops:
        if before is not None and before.entry.last_day < stop.entry.first_day:
            here, site, before = _overnight(here, home), OFFICE, None
        way = journey(stop.place if here is None else here, stop.place)
        moves = way.minutes > 0 or site != stop.site
        if stop.journey:
            legs.append(_crossed(_booked(stop, here or stop.place, way, before), others))
        elif here is not None and moves and not (before is None and stop.site == OFFICE):
            legs.append(_crossed(_way_to(stop, here, way, before), others))
        here, site, before = stop.arrival, stop.site, stop
    return tuple(legs)


def _overnight(here: Place | None, home: Place | None) -> Place | None:
    """Where a night is spent: at home when it is near, else in the city of the airport where the day ended."""
    if here is None or (home is not None and near(here, home)):
        return home
    city = place_at(here.point) if here.kind == "airport" else None
    return here if city is None else find(city.name, country=city.country) or city


def _crossed(leg: Leg, others: Iterable[Entry]) -> Leg:
    """The leg with a warning for each call that is on while it goes."""
    until = leg.start or leg.arrive
    during = [
        f"{entry.title} is on until {entry.end:%H:%M}, while you are on the way"
        for entry in others
        if entry.start < until and entry.end > leg.leave_by
    ]
    return msgspec.structs.replace(leg, warnings=(*leg.warnings, *during)) if during else leg


def _booked(stop: Stop, here: Place, way: Journey, before: Stop | None) -> Leg:
    """A flight or train: be there in time, and what the clocks say at the other end."""
    entry = stop.entry
    distance = distance_km(stop.place.point, stop.arrival.point)
    buffer = TRAIN_MINUTES
    if stop.journey == "flight":
        buffer = FAR_FLIGHT_MINUTES if distance > FAR_KM else FLIGHT_MINUTES
    to_start = max(way.minutes, SAME_TOWN_MINUTES) if stop.place.kind != here.kind or way.minutes else 0
    leave_by = entry.start - timedelta(minutes=buffer + to_start)
    details = [f"{to_start} min to {stop.place.label}"] if to_start else []
    details.append(f"{buffer} min before departure")
    details.append(f"departs {_clock(entry.start, stop.place)}, arrives {_clock(entry.end, stop.arrival)}")
    warnings, spare = _spare(before, leave_by)
    if way.mode == "air":
        warnings = (f"it departs from {stop.place.label}, {way.distance_km:,.0f} km from {here.label}", *warnings)
    return Leg(
        what=entry.title,
        booked=True,
        mode="air" if stop.journey == "flight" else "ground",
        start_place=stop.place.label,
        end_place=stop.arrival.label,
        distance_km=round(distance, 1),
        minutes=minutes_between(entry.start, entry.end),
        leave_by=leave_by,
        start=entry.start,
        arrive=entry.end,
        spare_minutes=spare,
        details=tuple(details),
        warnings=warnings,
    )


def _way_to(stop: Stop, here: Place, way: Journey, before: Stop | None) -> Leg:
    """The way to an entry, by the estimate; a far one without a booked journey is said to lack it."""
    minutes = way.minutes or SAME_TOWN_MINUTES
    leave_by = stop.entry.start - timedelta(minutes=minutes)
    warnings, spare = _spare(before, leave_by)
    if way.mode == "air" or way.distance_km > 150:
        warnings = (f"no flight or train from {here.label} to {stop.place.label} is in the calendar", *warnings)
    details = [way.how if way.minutes else f"{minutes} min across town"]
    if stop.place.alternatives:
        details.append(f"{stop.place.label} is taken; there are also {'; '.join(stop.place.alternatives)}")
    return Leg(
        what=f"To {stop.entry.title}",
        booked=False,
        mode=way.mode if way.minutes else "local",
        start_place=here.label,
        end_place=_where(stop),
        distance_km=way.distance_km,
        minutes=minutes,
        leave_by=leave_by,
        start=None,
        arrive=stop.entry.start,
        spare_minutes=spare,
        details=tuple(details),
        warnings=warnings,
    )


def _where(stop: Stop) -> str:
    return stop.entry.location or stop.place.label


def _spare(before: Stop | None, leave_by: datetime) -> tuple[tuple[str, ...], int | None]:
    if before is None:
        return (), None
    spare = minutes_between(before.entry.end, leave_by)
    if spare >= 0:
        return (), spare
    return (f"{before.entry.title} ends at {before.entry.end:%H:%M}, {-spare} min too late",), spare


def zone_changes(stops: Iterable[Stop], home: Place | None, start: datetime) -> tuple[ZoneChange, ...]:
    """Where along the way the clocks change against the user's own, in the order they do."""
    changes: list[ZoneChange] = []
    zone = start.tzinfo
    offset = 0.0
    for stop in stops:
        there = _offset_hours(stop.entry.end, stop.arrival)
        if there != offset:
            offset = there
            place = stop.arrival.label if stop.arrival.kind != "airport" else stop.arrival.zone.rpartition("/")[2]
            place = place.replace("_", " ")
            own = (home.name if home else "") or str(zone).rpartition("/")[2].replace("_", " ")
            changes.append(
                ZoneChange(stop.entry.end, stop.arrival.label, stop.arrival.zone, there, _difference(place, own, there))
            )
    return tuple(changes)


def _difference(place: str, own: str, hours: float) -> str:
    if hours == 0:
        return f"from here on the clocks are those of {own} again"
    amount = f"{abs(hours):g} {'hour' if abs(hours) == 1 else 'hours'}"
    return f"in {place} it is {amount} {'later' if hours > 0 else 'earlier'} than in {own}"


def _offset_hours(moment: datetime, place: Place) -> float:
    own, there = moment.utcoffset(), moment.astimezone(ZoneInfo(place.zone)).utcoffset()
    return ((there or timedelta()) - (own or timedelta())).total_seconds() / 3600


def _clock(moment: datetime, place: Place) -> str:
    """A time as the clocks at the place show it, with the user's own beside it when they differ."""
    local = moment.astimezone(ZoneInfo(place.zone))
    if local.utcoffset() == moment.utcoffset():
        return f"{moment:%H:%M}"
    return f"{local:%H:%M} local time ({moment:%H:%M} your time)"


def itinerary_text(
    day: date, days: int, starts_at: str, legs: Iterable[Leg], zones: Iterable[ZoneChange], warnings: Iterable[str]
) -> str:
    """The itinerary for a person."""
    lines: list[str] = []
    legs, zones = list(legs), list(zones)
    for number in range(days):
        at = day + timedelta(days=number)
        todays = [leg for leg in legs if leg.arrive.date() == at or (leg.start or leg.arrive).date() == at]
        if not todays:
            continue
        lines += [*([""] if lines else []), heading(at)]
        for leg in todays:
            route = f"{leg.start_place} → {leg.end_place}"
            when = f"leave by {leg.leave_by:%H:%M}" + ("" if leg.leave_by.date() == at else " the day before")
            far = f", {leg.distance_km:,.0f} km" if leg.distance_km >= 1 else ""
            lines.append(f"  {when}  {leg.what}: {route}{far} ({'; '.join(leg.details)})")
            lines += [f"    ! {warning}" for warning in leg.warnings]
        lines += [f"  {change.text}" for change in zones if change.at.date() == at]
    lines += [f"! {warning}" for warning in warnings]
    if not legs:
        lines.append(f"No journeys{f'; you are in {starts_at}' if starts_at else ''}.")
    return "\n".join(lines)
