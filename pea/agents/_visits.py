"""Where the calendar takes the user abroad: stays by country, and stays where the clocks differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from pea.agents._jetlag import JetLag, stay
from pea.agents._stops import Stop, near
from pea.agents._travel_papers import Visit
from pea.workspace.places import Place


def visits_of(stops: Sequence[Stop], home_country: str) -> list[Visit]:
    """The countries but home's that the stops are in, each stay from its first stop to the one that leaves it."""
    found: list[Visit] = []
    for number, stop in enumerate(stops):
        country = stop.arrival.country
        if not country or country == home_country:
            continue
        after = stops[number + 1] if number + 1 < len(stops) else None
        away = after is not None and (after.journey or after.place.country == country)
        last = after.entry.first_day if after is not None and away else stop.entry.last_day
        first = stop.entry.first_day
        before = found[-1] if found else None
        if before is not None and before.country == country and (first - before.last).days <= 1:
            found[-1] = Visit(country, before.first, max(before.last, last), before.because)
        else:
            found.append(Visit(country, first, last, stop.entry.title))
    return found


def stays_of(stops: Sequence[Stop], home: Place | None, start: datetime, sleep: tuple[time, time]) -> list[JetLag]:
    """The stays that journeys lead to, with the plan for each whose clocks differ from those slept by before."""
    journeys = [stop for stop in stops if stop.journey]
    found: list[JetLag] = []
    for number, stop in enumerate(journeys):
        if home is not None and near(stop.arrival, home):
            continue
        zone = ZoneInfo(stop.arrival.zone)
        arrive = stop.entry.end.astimezone(zone)
        there, own = arrive.utcoffset(), stop.entry.end.astimezone(start.tzinfo).utcoffset()
        hours = ((there - own).total_seconds() / 3600) if there is not None and own is not None else 0.0
        if hours:
            after = journeys[number + 1] if number + 1 < len(journeys) else None
            leave = None if after is None else after.entry.start.astimezone(zone)
            found.append(stay(stop.arrival.label, arrive, leave, hours, sleep))
    return found
