"""The calendar agent: what is on, when there is time, and what cannot be done as planned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec, TypeVar

import msgspec

from pea import Context, WorkspaceError, capability
from pea.agents import _freebusy, _optimise, _slots
from pea.agents._agenda import Agenda
from pea.agents._calendar_answers import Found, agenda_of, conflicts_of, found_between, freebusy_of
from pea.agents._calendar_servers import CalendarServers
from pea.agents._conflicts import Conflicts
from pea.agents._freebusy import FreeBusy
from pea.agents._hours import Diary, Person
from pea.agents._moments import Clock, Moment, moments, span, working_hours
from pea.agents._optimise import Asked, Optimised
from pea.agents._optimise_model import Model, Moves
from pea.agents._optimise_solve import Problem, Solution, solve
from pea.agents._others import Others
from pea.agents._reading import Reading, reading_s
from pea.agents._servers import offline, offline_version
from pea.agents._slots import Slots
from pea.workspace.calendars import Calendars
from pea.workspace.files import SourceReport
from pea.workspace.files_cache import ReadCache

LEAST_READING_S = 0.05

P = ParamSpec("P")
T = TypeVar("T")

DayCount = Annotated[int, msgspec.Meta(ge=1, le=366)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=1440)]


class Calendar(CalendarServers):
    """Reads the workspace's ``calendars`` folder when first asked, and again what has changed since."""

    name = "calendar"

    def __init__(self) -> None:
        self._calendars: Calendars | None = None
        self._cache: ReadCache | None = None
        self._others: Others | None = None
        self._opening = asyncio.Lock()
        self._reading = Reading()

    async def stop(self) -> None:
        """Close the cache of what was read, and the connections."""
        await super().stop()
        if self._cache is not None:
            self._cache.close()

    @capability("calendar.agenda", timeout="4s", cache="15m")
    async def agenda(self, ctx: Context, day: date | None = None, days: DayCount = 1) -> Agenda:
        """What is on: the entries of a day or of several, in your own time zone, all-day ones first.

        ``day`` is today when not given. Cancelled and declined entries are listed apart, in ``dropped``.
        """
        day = ctx.now().date() if day is None else day
        return await self._answer(ctx, agenda_of, *span(ctx, day, days), day, days, _zone_name(ctx))

    @capability("calendar.freebusy", timeout="4s", cache="15m")
    async def freebusy(
        self,
        ctx: Context,
        day: date | None = None,
        days: DayCount = 1,
        start: Moment | None = None,
        end: Moment | None = None,
        minutes: Minutes = 30,
        opens: Clock = "09:00",
        closes: Clock = "18:00",
        weekends: bool = False,  # noqa: FBT001, FBT002 - a capability's arguments are given by name
    ) -> FreeBusy:
        """When you are busy, and the free slots of at least ``minutes`` within working hours.

        From ``start`` to ``end`` (moments; without a zone, in yours), else for ``days`` from ``day`` (today). Entries
        that are cancelled, declined or shown as free take no time; a stretch is tentative when all in it is.
        """
        hours = working_hours(opens, closes)
        return await self._answer(
            ctx, freebusy_of, *moments(ctx, start, end, day, days), hours, minutes, weekends, ctx.settings.user.country
        )

    @capability("calendar.conflicts", timeout="4s", cache="15m")
    async def conflicts(
        self,
        ctx: Context,
        day: date | None = None,
        days: DayCount = 1,
        opens: Clock = "08:00",
        closes: Clock = "19:00",
    ) -> Conflicts:
        """What cannot be done as planned: overlaps, no time for the way, two places at once, meetings at odd hours.

        Each with its severity, the reason and what would mend it.
        """
        hours = working_hours(opens, closes)
        day = ctx.now().date() if day is None else day
        user = ctx.settings.user
        return await self._answer(ctx, conflicts_of, *span(ctx, day, days), day, days, hours, user.home, user.country)

    @capability("calendar.find_slot", timeout="6s", idempotent=True)
    async def find_slot(
        self,
        ctx: Context,
        people: Annotated[tuple[str | Person, ...], msgspec.Meta(max_length=50)] = (),
        minutes: Minutes = 30,
        day: date | None = None,
        days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 7,
        opens: Clock = "09:00",
        closes: Clock = "18:00",
        count: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5,
    ) -> Slots:
        """Times at which you and others can meet, by everybody's clocks, working weeks and holidays, best first.

        ``people`` are addresses, or more about each: zone, country, hours, busy times. What is not said is looked up in
        the contacts; somebody's calendar is read from ``calendars/people/ADDRESS.ics`` where there is one.
        """
        day, now = ctx.now().date() if day is None else day, ctx.now()
        start, end = span(ctx, day, days)
        me = Diary("you", _zone_of(ctx), ctx.settings.user.country.upper(), *working_hours(opens, closes))
        asked = [Person(email=one) if isinstance(one, str) else one for one in people]
        others = await self._people(ctx)

        def slots(found: Found) -> Slots:
            diaries, assumed = others.diaries(asked, found.theirs, me.zone, me.country)
            busy = _freebusy.busy_stretches(found.standing, start, end)
            sure = tuple((b.start, b.end) for b in busy if not b.tentative)
            unsure = [(b.start, b.end) for b in busy if b.tentative]
            own = msgspec.structs.replace(me, busy=sure)
            best, tried, blocked = _slots.slots_of(
                [own, *diaries], unsure, max(start, now), end, minutes=minutes, count=count
            )
            assumed += others.unknown(asked)
            made = Slots(minutes, tuple(best), tried, blocked, assumed, found.notes, found.sources, "")
            return msgspec.structs.replace(made, text=_slots.slots_text(made))

        return await self._answer(ctx, slots, start, end)

    @capability("calendar.optimise", timeout="25s", idempotent=True)
    async def optimise(
        self,
        ctx: Context,
        day: date | None = None,
        days: Annotated[int, msgspec.Meta(ge=1, le=28)] = 7,
        moves: Moves = "mine",
        keep: Annotated[tuple[str, ...], msgspec.Meta(max_length=200)] = (),
        focus_minutes: Annotated[int, msgspec.Meta(ge=0, le=480)] = 90,
        opens: Clock = "09:00",
        closes: Clock = "18:00",
        limit_s: Annotated[float, msgspec.Meta(gt=0, le=15)] = 3.0,
    ) -> Optimised:
        """The least change that makes the days' schedule work, each move with its reasons; nothing is written.

        What you called may be moved (with ``moves`` all: what others called too), within your hours, country's working
        week and holidays, but for the titles in ``keep``. Hard: nothing overlaps, ways between places fit, people whose
        calendar is known are free. Soft: as few and small moves as can be, everybody's hours, ``focus_minutes`` in a
        row on each working day. The best schedule found within ``limit_s`` is given, and whether a better one exists.
        """
        _optimise.require_solver()
        day = ctx.now().date() if day is None else day
        start, end = span(ctx, day, days)
        user = ctx.settings.user
        me = Diary("you", _zone_of(ctx), user.country.upper(), *working_hours(opens, closes))
        asked = Asked(
            day, days, start, end, ctx.now(), me, _own(ctx), user.home, user.country, moves,
            frozenset(title.casefold() for title in keep), focus_minutes, limit_s,
        )  # fmt: skip
        others = await self._people(ctx)

        def model(found: Found) -> tuple[Found, Model, tuple[str, ...]]:
            emails = {a.email for event in found.events for a in event.attendees if a.email and not a.room}
            wanted = [Person(email=email) for email in sorted(emails - asked.emails)]
            diaries, assumed = others.diaries(wanted, found.theirs, me.zone, me.country)
            if len(assumed) > 1:
                assumed = (f"the time zones of {len(assumed)} people are not known: yours is taken",)
            known = {person.email: diary for person, diary in zip(wanted, diaries, strict=True)}
            return found, _optimise.model_of(asked, found.standing, found.events, known), assumed

        found, problem, assumed = await self._answer(ctx, model, start, end)
        solution = msgspec.convert(
            await ctx.call("calendar.solve", problem=problem.problem), Solution, from_attributes=True
        )
        return await ctx.compute(
            _optimise.answer_of, asked, found.standing, problem, solution, found.notes, found.sources, assumed
        )

    @capability("calendar.solve", timeout="20s", cache="4h", cache_entries=1_000, tags=["optimisation:schedule"])
    async def solve(self, ctx: Context, problem: Problem) -> Solution:
        """Solve a schedule that `calendar.optimise` has put as a problem, in a worker process; kept for 4 hours."""
        return await ctx.compute(solve, problem)

    async def cache_version(self, ctx: Context) -> str:
        """Which calendar files there are, in which state."""
        return (await self._read(ctx)).version + offline_version(ctx.settings, *self.kinds)

    @capability("calendar.sources", timeout="4s", idempotent=True)
    async def sources(self, ctx: Context) -> Sources:
        """Which calendar files were read and refused, and the version that answers made from them depend on."""
        calendars = await self._read(ctx)
        return Sources(calendars.version, calendars.report())

    async def _read(self, ctx: Context) -> Calendars:
        """The calendars, read as far as the time allows."""
        async with self._opening:
            if self._calendars is None:
                self._cache = _cache(ctx)
                self._calendars = Calendars(_workspace(ctx), cache=self._cache)
        calendars = self._calendars
        with ctx.step("calendars.read"):
            budget_s = max(LEAST_READING_S, reading_s(ctx))
            await self._reading(lambda: ctx.compute(calendars.refresh, budget_s=budget_s))
        return calendars

    async def _answer(
        self,
        ctx: Context,
        function: Callable[Concatenate[Found, P], T],
        start: datetime,
        end: datetime,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Find what is between two moments, and let ``function`` make the answer, off the loop."""
        # `cache_version` has just read what changed: an answer is only made when there is none of that version.
        calendars = self._calendars or await self._read(ctx)
        zone, budget_s = ctx.settings.zone, max(LEAST_READING_S, reading_s(ctx))
        emails = _own(ctx)

        def answer() -> tuple[T, bool]:
            days = calendars.between(start, end, zone, budget_s=budget_s)
            if notes := offline(ctx.settings, *self.kinds):
                days = msgspec.structs.replace(days, notes=(*notes, *days.notes))
            found = found_between(start, end, days, emails, calendars.report())
            return function(found, *args, **kwargs), days.whole

        answered, whole = await ctx.compute(answer)
        if not whole:
            ctx.incomplete()
        return answered

    async def _people(self, ctx: Context) -> Others:
        """The other people, as the contacts are now; the calendars are read too."""
        await self._read(ctx)
        if self._others is None:
            self._others = Others(_workspace(ctx), self._cache)
        await ctx.compute(self._others.refresh)
        return self._others


class Sources(msgspec.Struct, frozen=True):
    """What the calendars were read from; ``version`` changes whenever their contents do."""

    version: str
    sources: SourceReport


def _workspace(ctx: Context) -> Path:
    if not ctx.settings.workspace:
        raise WorkspaceError("no workspace is set", fix="give --workspace DIR, or set workspace in pea.yaml")
    return Path(ctx.settings.workspace)


def _cache(ctx: Context) -> ReadCache | None:
    return ReadCache(Path(ctx.settings.state) / "read.sqlite") if ctx.settings.state else None


def _zone_name(ctx: Context) -> str:
    return str(ctx.now().tzname()) if not ctx.settings.user.timezone else ctx.settings.user.timezone


def _zone_of(ctx: Context) -> str:
    """The user's zone as a name that other machines know too."""
    return ctx.settings.user.timezone or getattr(ctx.settings.zone, "key", "") or "UTC"


def _own(ctx: Context) -> frozenset[str]:
    return frozenset(email.lower() for email in ctx.settings.user.emails)
