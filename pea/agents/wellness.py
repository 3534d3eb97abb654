"""The wellness agent: how full the weeks are, what runs into the evening, and what would lighten the days ahead."""

from __future__ import annotations

import asyncio
from datetime import date, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._agenda import Agenda
from pea.agents._moments import Clock
from pea.agents._reading import place, reading_s
from pea.agents._wellness_views import AfterHours, Suggestions, Trend, Week

if TYPE_CHECKING:
    from pea.agents._wellness_desk import Desk
    from pea.agents._wellness_load import Hours

WEEKS_BEFORE = 8
READING_SHARE = 0.5

Weeks = Annotated[int, msgspec.Meta(ge=2, le=50)]


class Wellness(Agent):
    """Reads the calendar and the hours of sent mail, never what it says; nothing is changed or told to others."""

    name = "wellness"

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Let go of the mail, which other agents may still read."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    async def cache_version(self, ctx: Context) -> str:
        """Which calendars and mail there are, and the hour."""
        desk, sources = await asyncio.gather(self._read(ctx), ctx.call("calendar.sources"))
        return f"{desk.version}|{sources.version}|{ctx.now():%Y-%m-%dT%H}"

    @capability("wellness.week", timeout="10s", cache="15m")
    async def week(
        self, ctx: Context, day: date | None = None, opens: Clock = "09:00", closes: Clock = "18:00"
    ) -> Week:
        """Say how full a week is: meetings, chains, breaks, focus, lunch, rest; beside your usual of eight weeks."""
        hours = _hours(ctx, opens, closes)
        monday = _monday(day or ctx.now().date())
        desk, agenda = await self._both(ctx, monday - timedelta(weeks=WEEKS_BEFORE), 7 * (WEEKS_BEFORE + 1))
        return await ctx.compute(_week, monday, desk, agenda, hours)

    @capability("wellness.trend", timeout="10s", cache="15m")
    async def trend(self, ctx: Context, weeks: Weeks = 8, opens: Clock = "09:00", closes: Clock = "18:00") -> Trend:
        """Say whether the load grows lighter or heavier over your own past weeks, figure by figure, by how much."""
        hours = _hours(ctx, opens, closes)
        monday = _monday(ctx.now().date())
        desk, agenda = await self._both(ctx, monday - timedelta(weeks=weeks - 1), 7 * weeks)
        return await ctx.compute(_trend, monday, weeks, desk, agenda, hours)

    @capability("wellness.suggest", timeout="10s", cache="15m")
    async def suggest(
        self,
        ctx: Context,
        day: date | None = None,
        days: Annotated[int, msgspec.Meta(ge=1, le=31)] = 7,
        opens: Clock = "09:00",
        closes: Clock = "18:00",
    ) -> Suggestions:
        """Suggest what would lighten the days ahead, with the minutes that each gains and how that was reckoned."""
        hours = _hours(ctx, opens, closes)
        first = day or ctx.now().date()
        desk, agenda = await self._both(ctx, first, days)
        return await ctx.compute(_suggest, first, days, desk, agenda, hours, ctx)

    @capability("wellness.afterhours", timeout="10s", cache="15m")
    async def afterhours(
        self, ctx: Context, weeks: Weeks = 4, opens: Clock = "09:00", closes: Clock = "18:00"
    ) -> AfterHours:
        """Say how much you work outside hours: mails sent and meetings, by weekday and hour, and whether it grows."""
        hours = _hours(ctx, opens, closes)
        until = ctx.now().date()
        since = until - timedelta(days=7 * weeks - 1)
        desk, agenda = await self._both(ctx, _monday(since), 7 * (weeks + 1))
        return await ctx.compute(_after_hours, since, until, desk, agenda, hours)

    async def _both(self, ctx: Context, first: date, days: int) -> tuple[Desk, Agenda]:
        desk, told = await asyncio.gather(self._read(ctx), ctx.call("calendar.agenda", day=first, days=days))
        return desk, msgspec.convert(told, Agenda, from_attributes=True)

    async def _read(self, ctx: Context) -> Desk:
        async with self._opening:
            if self._desk is None:
                self._desk = await ctx.compute(_open, ctx.settings)
        desk = self._desk
        with ctx.step("mail.read"):
            await ctx.compute(desk.refresh, reading_s(ctx, share=READING_SHARE))
        return desk


def _monday(day: date) -> date:
    if not 1900 <= day.year <= 2200:
        raise InputError(f"{day} is too far away", where="day", fix="give a day of 1900 to 2200")
    return day - timedelta(days=day.weekday())


def _hours(ctx: Context, opens: str, closes: str) -> Hours:
    from pea.agents._culture_days import day_off
    from pea.agents._wellness_load import Hours

    first, last = (time.fromisoformat(text.zfill(5)) for text in (opens, closes))
    if first >= last:
        raise InputError(f"{opens} is not before {closes}", where="opens", fix="for example opens=09:00 closes=18:00")
    return Hours(first, last, ctx.settings.zone, partial(day_off, country=ctx.settings.user.country.upper()))


def _week(monday: date, desk: Desk, agenda: Agenda, hours: Hours) -> Week:
    from pea.agents import _wellness_desk as desks

    meetings = desks.meetings_of(agenda.entries)
    return desks.week(monday, WEEKS_BEFORE, meetings, desk, hours, agenda.sources)


def _trend(monday: date, weeks: int, desk: Desk, agenda: Agenda, hours: Hours) -> Trend:
    from pea.agents import _wellness_desk as desks

    return desks.trend(monday, weeks, desks.meetings_of(agenda.entries), desk, hours, agenda.sources)


def _suggest(first: date, days: int, desk: Desk, agenda: Agenda, hours: Hours, ctx: Context) -> Suggestions:
    from pea.agents import _wellness_desk as desks

    meetings = desks.meetings_of(agenda.entries)
    return desks.suggestions(first, days, meetings, desk, hours, ctx.now(), agenda.sources)


def _after_hours(since: date, until: date, desk: Desk, agenda: Agenda, hours: Hours) -> AfterHours:
    from pea.agents import _wellness_desk as desks

    return desks.after_hours(since, until, desks.meetings_of(agenda.entries), desk, hours, agenda.sources)


def _open(settings: Settings) -> Desk:
    # Imported at the first call and off the event loop: what reads mail takes a tenth of a second to load.
    from pea.agents._wellness_desk import Desk

    return Desk(*place(settings), settings.user.emails)
