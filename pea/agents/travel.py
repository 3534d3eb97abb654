"""The travel agent: makes an itinerary of the calendar, with distances, buffers, time zones and what is too tight."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, WorkspaceError, capability
from pea.agents import _itinerary
from pea.agents._agenda import Agenda
from pea.agents._bookings import Bookings, bookings_of
from pea.agents._itinerary import Itinerary
from pea.agents._jetlag import JetLag, jetlag_text
from pea.agents._stops import OFFICE, stops_of
from pea.agents._travel_papers import Papers, papers_of
from pea.agents._visits import stays_of, visits_of
from pea.workspace.files_cache import ReadCache
from pea.workspace.places import Place, find
from pea.workspace.places_online import is_online
from pea.workspace.profile import read_profile

if TYPE_CHECKING:
    from pea.workspace.reservations_mail import Reservations

LOOK_BACK = 21  # days before, in which the journey may lie that brought the user to where they are
UNPLACED_SHOWN = 20
READING_SHARE = 0.6  # of the time left may go into reading new mail
MAX_READING_S = 10.0

Ahead = Annotated[int, msgspec.Meta(ge=1, le=345)]


class JetLagPlans(msgspec.Struct, frozen=True):
    """The stays where the clocks differ, each with its plan."""

    day: date
    days: int
    stays: tuple[JetLag, ...]
    text: str


class Travel(Agent):
    """Works on the agenda, the mail and an offline table of places: nothing is asked of the network."""

    name = "travel"

    def __init__(self) -> None:
        self._reservations: Reservations | None = None
        self._kept: ReadCache | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Close the cache of what was read."""
        if self._kept is not None:
            self._kept.close()

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
        agenda = await _agenda(ctx, day, days)
        user = ctx.settings.user
        starts = datetime.combine(day, time(), ctx.settings.zone)
        return await ctx.compute(_itinerary_of, agenda, user.home, user.country, starts, days)

    @capability("travel.bookings", timeout="15s", idempotent=True)
    async def bookings(self, ctx: Context, day: date | None = None, days: Ahead = 60) -> Bookings:
        """What confirmations in the mail have booked, held against the calendar: missing, moved, cancelled, too tight.

        Reads schema.org reservations (JSON-LD, microdata) and calendar objects in mails. A night away without a bed and
        a connection that is too short are warned of.
        """
        day = ctx.now().date() if day is None else day
        agenda = await _agenda(ctx, day, days)
        async with self._opening:
            if self._reservations is None:
                state = ctx.settings.state
                self._kept = ReadCache(Path(state) / "bookings.sqlite") if state else None
                self._reservations = await ctx.compute(_open, _workspace(ctx), self._kept)
        reservations, user = self._reservations, ctx.settings.user
        with ctx.step("mail.read"):
            budget_s = max(0.05, min(MAX_READING_S, READING_SHARE * ctx.remaining_s))
            await ctx.compute(reservations.refresh, budget_s=budget_s)
        starts = datetime.combine(day, time(), ctx.settings.zone)

        def bookings() -> Bookings:
            home = find(user.home, country=user.country) if user.home else None
            sources = agenda.sources.merged(reservations.report())
            return bookings_of(
                reservations.all, agenda.entries, starts, days,
                country=user.country, home=home, name=user.name, sources=sources,
            )  # fmt: skip

        return await ctx.compute(bookings)

    @capability("travel.jetlag", timeout="5s", idempotent=True)
    async def jetlag(self, ctx: Context, day: date | None = None, days: Ahead = 30) -> JetLagPlans:
        """Plans against jet lag for the journeys in the calendar: when to sleep, to seek light and to avoid it.

        The method is a rule of thumb for healthy people; docs/agents/travel.md says where its figures are from.
        """
        day = ctx.now().date() if day is None else day
        agenda = await _agenda(ctx, day, days)
        profile = await ctx.compute(read_profile, _workspace(ctx))
        starts, user = datetime.combine(day, time(), ctx.settings.zone), ctx.settings.user

        def plans() -> JetLagPlans:
            home = find(user.home, country=user.country) if user.home else None
            stops = [s for s in stops_of(agenda.entries, home, user.country) if s.entry.start >= starts]
            bed, wake = (time.fromisoformat(text) for text in profile.sleeps.split("-"))
            stays = tuple(stays_of(stops, home, starts, (bed, wake)))
            return JetLagPlans(day, days, stays, jetlag_text(stays))

        return await ctx.compute(plans)

    @capability("travel.papers", timeout="5s", idempotent=True)
    async def papers(self, ctx: Context, day: date | None = None, days: Ahead = 180) -> Papers:
        """Whether passports and visas (``profile.yaml``) last for the journeys abroad, and which of them end soon."""
        day = ctx.now().date() if day is None else day
        agenda = await _agenda(ctx, day, days)
        profile = await ctx.compute(read_profile, _workspace(ctx))
        starts, user = datetime.combine(day, time(), ctx.settings.zone), ctx.settings.user

        def papers() -> Papers:
            home = find(user.home, country=user.country) if user.home else None
            own = user.country.upper() or (home.country if home is not None else "")
            stops = [s for s in stops_of(agenda.entries, home, user.country) if s.entry.end >= starts]
            return papers_of(visits_of(stops, own), profile, day, days)

        return await ctx.compute(papers)


def _open(workspace: Path, cache: ReadCache | None) -> Reservations:
    # Imported at the first call and off the event loop: what reads mail takes a tenth of a second to load.
    from pea.workspace.reservations_mail import Reservations

    return Reservations(workspace, cache=cache)


async def _agenda(ctx: Context, day: date, days: int) -> Agenda:
    """The entries of some days, and of those before in which the journey may lie that brought the user there."""
    first = day - timedelta(days=min(LOOK_BACK, (day - date.min).days))
    answer = await ctx.call("calendar.agenda", day=first, days=(day - first).days + days)
    return msgspec.convert(answer, Agenda, from_attributes=True)


def _workspace(ctx: Context) -> Path:
    if not ctx.settings.workspace:
        raise WorkspaceError("no workspace is set", fix="give --workspace DIR, or set workspace in pea.yaml")
    return Path(ctx.settings.workspace)


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
