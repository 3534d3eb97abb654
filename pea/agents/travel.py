"""The travel agent: makes an itinerary of the calendar, with distances, buffers, time zones and what is too tight."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated

import msgspec

from pea import Agent, Context, capability
from pea.agents import _itinerary
from pea.agents._agenda import Agenda
from pea.agents._itinerary import Itinerary
from pea.agents._stops import OFFICE, stops_of
from pea.workspace.places import Place, find
from pea.workspace.places_online import is_online

LOOK_BACK = 21  # days before, in which the journey may lie that brought the user to where they are
UNPLACED_SHOWN = 20


class Travel(Agent):
    """Works on the agenda alone and on an offline table of places: nothing is asked of the network."""

    name = "travel"

    async def cache_version(self, ctx: Context) -> str:
        """Which calendar files there are, in which state: itineraries are made of nothing else."""
        sources = await ctx.call("calendar.sources")
        return str(sources.version)

    @capability("travel.itinerary", timeout="5s", cache="15m")
    async def itinerary(
        self, ctx: Context, day: date | None = None, days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 1
    ) -> Itinerary:
        """The way through a day or several: when to leave for each place, what is too tight, what the clocks do.

        Ways are estimates from distances (see ``pea.workspace.places.journey``), not timetables. Home is the setting
        ``user.home``; without it, the first place of the day is where it begins.
        """
        day = ctx.now().date() if day is None else day
        first = day - timedelta(days=min(LOOK_BACK, (day - date.min).days))
        span = (day - first).days + days
        agenda = msgspec.convert(await ctx.call("calendar.agenda", day=first, days=span), Agenda, from_attributes=True)
        user = ctx.settings.user
        starts = datetime.combine(day, time(), ctx.settings.zone)
        return await ctx.compute(_itinerary_of, agenda, user.home, user.country, starts, days)


def _itinerary_of(agenda: Agenda, home_name: str, country: str, starts: datetime, days: int) -> Itinerary:
    home = find(home_name, country=country) if home_name else None
    every = stops_of(agenda.entries, home, country)
    ends = datetime.combine(starts.date() + timedelta(days=days), time(), starts.tzinfo)
    here = _itinerary.where_from(every, home, starts)
    stops = [stop for stop in every if starts <= stop.entry.start < ends]
    placeless = [e for e in agenda.entries if e.is_online or not e.location]
    legs = _itinerary.legs_of(stops, here, home, placeless)
    zones = _itinerary.zone_changes(stops, home, starts)
    warnings = _about_home(home_name, home)
    today = [e for e in agenda.entries if starts <= e.start < ends]
    placed = {id(stop.entry) for stop in stops if stop.site != OFFICE}
    unplaced = [e.location for e in today if e.location and not e.all_day and id(e) not in placed]
    starts_at = "" if here is None else here.label
    text = _itinerary.itinerary_text(starts.date(), days, starts_at, legs, zones, warnings)
    return Itinerary(
        day=starts.date(),
        days=days,
        starts_at=starts_at,
        legs=legs,
        zones=zones,
        warnings=warnings,
        unplaced=tuple(dict.fromkeys(place for place in unplaced if not is_online(place)))[:UNPLACED_SHOWN],
        notes=agenda.notes,
        sources=agenda.sources,
        text=f"{text}\n\n{agenda.sources.text()}",
    )


def _about_home(name: str, home: Place | None) -> tuple[str, ...]:
    if not name:
        return ("where you live is not set (user.home), so the way to the first place of a day is not counted",)
    return () if home is not None else (f"no place called {name!r} is known: set user.home to a larger city nearby",)
