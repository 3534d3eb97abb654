"""The calendar on a server: fetched, and written to once a person has approved it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

import msgspec

from pea import Context, InputError, capability
from pea.agents._moments import Moment, moment
from pea.agents._servers import OnServers, SyncReport

YEARS = (1900, 2999)  # an event on a server outside of them is a slip of the pen
Minutes = Annotated[int, msgspec.Meta(ge=0, le=366 * 1440)]
Line = Annotated[str, msgspec.Meta(max_length=500)]
Addresses = Annotated[tuple[Line, ...], msgspec.Meta(max_length=100)]


class OnServer(msgspec.Struct, frozen=True):
    """An event as it stands on its server; ``etag`` is its version there."""

    account: str
    href: str
    etag: str
    uid: str
    title: str
    start: datetime
    end: datetime
    all_day: bool
    repeats: bool
    attendees: int


class Written(msgspec.Struct, frozen=True):
    """What was written to a server; ``again`` when it had been written before, and was only found so."""

    account: str
    uid: str
    title: str
    start: datetime
    end: datetime
    again: bool
    text: str


class CalendarServers(OnServers):
    """What the calendar agent does with CalDAV accounts and calendars from the web."""

    kinds: ClassVar[tuple[str, ...]] = ("caldav", "web")

    @capability("calendar.sync", timeout="5m", idempotent=True, writes=True)
    async def sync(self, ctx: Context, accounts: tuple[str, ...] = ()) -> SyncReport:
        """Fetch what changed in the calendars on servers, and pages that are kept as files."""
        return await self.bring_up_to_date(ctx, accounts)

    @capability("calendar.on_server", timeout="30s", idempotent=True)
    async def on_server(
        self, ctx: Context, event: Line, account: Line = "", occurrence: Moment | None = None
    ) -> OnServer:
        """Show one event as it stands on its server now, by its UID or a part of its title."""
        own = await self.connectors(ctx)
        from pea.connect import events, writing

        name, _ = own.pick(account, "caldav")
        href = await ctx.compute(writing.search, own.mirror(name), event)
        stored = await writing.stored(own.http(name), href)
        facts = events.facts(stored.data, ctx.settings.zone)
        times = facts.times
        if occurrence is not None:
            at = moment(ctx, "occurrence", occurrence, YEARS)
            times = await ctx.compute(events.occurrence, stored.data, at, ctx.settings.zone)
        return OnServer(
            name, href, stored.etag, facts.uid, facts.title,
            times.start, times.end, times.all_day, facts.repeats, facts.attendees,
        )  # fmt: skip

    @capability("calendar.move", timeout="2m", resumable=True)
    async def move(
        self,
        ctx: Context,
        event: Line,
        to: Moment,
        minutes: Minutes | None = None,
        occurrence: Moment | None = None,
        account: Line = "",
    ) -> Written:
        """Move an event on its server, once a person has approved it: ``pea tasks approve``.

        ``event`` is a UID or a part of the title, ``minutes`` a new length; of a series, ``occurrence`` says which one
        by the moment at which it begins now.
        """
        own = await self.connectors(ctx)
        from pea.connect import events, writing

        start = moment(ctx, "to", to, YEARS)
        before: OnServer = await ctx.call("calendar.on_server", event=event, account=account, occurrence=occurrence)
        zone = ctx.settings.zone  # an answer from the journal has its times in UTC: what is asked must read the same
        before = msgspec.structs.replace(before, start=before.start.astimezone(zone), end=before.end.astimezone(zone))
        if before.repeats and occurrence is None:
            raise InputError(f"{before.title!r} repeats", where="occurrence", fix="say which one: when it begins now")
        length = before.end - before.start if minutes is None else timedelta(minutes=minutes)
        times = events.Times(start, start + length, before.all_day)
        approval = await ctx.approve(
            f"Move {before.title!r} from {before.start:%a %Y-%m-%d %H:%M} to {start:%a %Y-%m-%d %H:%M}?",
            {"account": before.account, "uid": before.uid, "etag": before.etag, "attendees": before.attendees,
             "from": [before.start, before.end], "to": [times.start, times.end]},
        )  # fmt: skip
        async with own.turn(before.account):
            again = await writing.move(
                own.http(before.account), before.href, before.etag, times, key=approval.key,
                at=None if occurrence is None else before.start,
                stamp=datetime.fromtimestamp(approval.asked, UTC), zone=zone,
            )  # fmt: skip
        await self.bring_up_to_date(ctx, (before.account,))
        text = f"{before.title} is at {start:%Y-%m-%d %H:%M} now"
        return Written(before.account, before.uid, before.title, times.start, times.end, again, text)

    @capability("calendar.create", timeout="2m", resumable=True)
    async def create(
        self,
        ctx: Context,
        title: Annotated[str, msgspec.Meta(min_length=1, max_length=300)],
        start: Moment,
        minutes: Annotated[int, msgspec.Meta(ge=1, le=366 * 1440)] = 60,
        location: Line = "",
        description: Annotated[str, msgspec.Meta(max_length=10_000)] = "",
        attendees: Addresses = (),
        calendar: Line = "",
        account: Line = "",
    ) -> Written:
        """Put a new event into a calendar on a server, once a person has approved it: ``pea tasks approve``."""
        own = await self.connectors(ctx)
        from pea.connect import events, writing

        begins = moment(ctx, "start", start, YEARS)
        times = events.Times(begins, begins + timedelta(minutes=minutes))
        name, settings = own.pick(account, "caldav")
        approval = await ctx.approve(
            f"Create {title!r} on {begins:%a %Y-%m-%d %H:%M}, {minutes} minutes?",
            {"account": name, "calendar": calendar, "start": times.start, "end": times.end, "location": location,
             "description": description, "attendees": attendees},
        )  # fmt: skip
        organizer = next(iter(ctx.settings.user.emails), "")
        data = await ctx.compute(
            events.created, title, times, key=approval.key, stamp=datetime.fromtimestamp(approval.asked, UTC),
            location=location, description=description, attendees=attendees, organizer=organizer,
        )  # fmt: skip
        async with own.turn(name):
            target = await writing.calendar_for(own.http(name), settings, calendar)
            href = f"{target.href.rstrip('/')}/{approval.key}.ics"
            again = await writing.put(own.http(name), href, data, key=approval.key, etag=None)
        await self.bring_up_to_date(ctx, (name,))
        text = f"{title} is in {target.name}, {begins:%Y-%m-%d %H:%M}"
        return Written(name, f"{approval.key}@pea", title, times.start, times.end, again, text)
