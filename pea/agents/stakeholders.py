"""The stakeholders agent: who matters, how contact stands with each, what was promised, and who is being neglected."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._reading import place, reading_s
from pea.agents._stakeholders_views import FollowUps, Neglect, Profile, Ranking

if TYPE_CHECKING:
    from pea.agents._stakeholders_desk import Desk
    from pea.agents._stakeholders_people import Met

WINDOW_DAYS = 365
AHEAD_DAYS = 60
BACK_DAYS = 300  # of meetings: the calendar tells a year at most
READING_SHARE = 0.5

Since = Annotated[date, msgspec.Meta(examples=["2026-01-01"])]
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]


class Stakeholders(Agent):
    """Reads mail and contacts, and asks the calendar for meetings; it writes to nobody."""

    name = "stakeholders"

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Let go of mail and contacts, which other agents may still read."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    async def cache_version(self, ctx: Context) -> str:
        """Which mail, contacts and calendars there are, and the day."""
        desk, sources = await asyncio.gather(self._read(ctx), _calendar_version(ctx))
        return f"{desk.version}|{sources}|{ctx.now():%Y-%m-%d}"

    @capability("stakeholders.rank", timeout="10s", cache="15m")
    async def rank(self, ctx: Context, since: Since | None = None, limit: Limit = 20) -> Ranking:
        """Say who matters, by recency, frequency, reciprocity and meetings; each part says what it is reckoned from."""
        first = _first(ctx, since)
        desk, meetings = await self._both(ctx)
        return await ctx.compute(desk.rank, meetings, first, ctx.now(), limit)

    @capability("stakeholders.person", timeout="10s", cache="15m")
    async def person(
        self,
        ctx: Context,
        person: Annotated[str, msgspec.Meta(min_length=1, max_length=300, examples=["Oliver Hastings"])],
        since: Since | None = None,
    ) -> Profile:
        """Say how contact stands with somebody: standing, last contact, response times, promises, open questions."""
        first = _first(ctx, since)
        desk, meetings = await self._both(ctx)
        return await ctx.compute(desk.person, person, meetings, first, ctx.now())

    @capability("stakeholders.promises", timeout="10s", cache="15m")
    async def promises(self, ctx: Context, since: Since | None = None) -> FollowUps:
        """List what you promised and have not been seen to do, by day and by whom it was promised to."""
        first = _first(ctx, since)
        desk, meetings = await self._both(ctx)
        return await ctx.compute(desk.follow_ups, meetings, first, ctx.now())

    @capability("stakeholders.neglected", timeout="10s", cache="15m")
    async def neglected(self, ctx: Context, since: Since | None = None, limit: Limit = 20) -> Neglect:
        """Name contacts who are silent for far longer than is usual between you, the weightiest first."""
        first = _first(ctx, since)
        desk, meetings = await self._both(ctx)
        return await ctx.compute(desk.neglected, meetings, first, ctx.now(), limit)

    async def _both(self, ctx: Context) -> tuple[Desk, list[Met]]:
        desk, meetings = await asyncio.gather(self._read(ctx), _meetings(ctx))
        return desk, meetings

    async def _read(self, ctx: Context) -> Desk:
        async with self._opening:
            if self._desk is None:
                self._desk = await ctx.compute(_open, ctx.settings)
        desk = self._desk
        with ctx.step("mail.read"):
            await ctx.compute(desk.refresh, reading_s(ctx, share=READING_SHARE))
        return desk


def _first(ctx: Context, since: date | None) -> date:
    today = ctx.now().date()
    first = since or today - timedelta(days=WINDOW_DAYS)
    if first > today:
        raise InputError(f"{first} lies ahead", where="since", fix="give a day that has been")
    return first


async def _calendar_version(ctx: Context) -> str:
    return str((await ctx.call("calendar.sources")).version)


async def _meetings(ctx: Context) -> list[Met]:
    """Meetings with others, from ten months ago to two months ahead."""
    from pea.agents._agenda import Agenda
    from pea.agents._stakeholders_people import Met

    first = ctx.now().date() - timedelta(days=BACK_DAYS)
    told = await ctx.call("calendar.agenda", day=first, days=BACK_DAYS + AHEAD_DAYS)
    agenda = msgspec.convert(told, Agenda, from_attributes=True)
    return [
        Met(one.title, one.start, tuple((p.name, p.email) for p in one.people if p.response != "declined"))
        for one in agenda.entries
        if one.people and not one.all_day
    ]


def _open(settings: Settings) -> Desk:
    # Imported at the first call and off the event loop: what reads mail takes a tenth of a second to load.
    from pea.agents._stakeholders_desk import Desk

    return Desk(*place(settings), settings.user.emails, settings.user.name)
