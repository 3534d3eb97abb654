"""The culture agent: when people of other countries work, and how they like to be addressed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._agenda import Agenda
from pea.agents._culture_views import AddressForm, Brief, Check, Holidays
from pea.agents._reading import place

if TYPE_CHECKING:
    from pea.agents._address_book import AddressBook
    from pea.workspace.contacts import Contact

READING_S = 2.0
Country = Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{2}$", examples=["JP"])]
Who = Annotated[str, msgspec.Meta(max_length=300, examples=["Daniel Ott"])]


class Culture(Agent):
    """Reads contacts for where people are; customs are a table that ``customs.yaml`` in the workspace overrides."""

    name = "culture"

    def __init__(self) -> None:
        self._book: AddressBook | None = None
        self._place: tuple[Path, Path | None] | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Let go of the contacts, which other agents may still read."""
        if self._place is not None:
            from pea.agents._address_book import BOOKS

            BOOKS.release(*self._place)
            self._book = self._place = None

    async def cache_version(self, ctx: Context) -> str:
        """Which contacts and customs there are, and the quarter of an hour: what time it is there depends on it."""
        now = ctx.now()
        return f"{(await self._read(ctx)).version}|{now:%Y-%m-%dT%H}:{now.minute // 15}"

    @capability("culture.brief", timeout="5s", cache="15m")
    async def brief(self, ctx: Context, country: Country | None = None, person: Who = "") -> Brief:
        """Say what to know before a meeting: local time, hours, holidays ahead, forms, address, tone; with reasons.

        Of a ``country`` (``JP``), or of the one that a ``person`` of the contacts (a name or an address) is in.
        """
        if (country is None) == (not person):
            raise InputError("give a country or a person", where="country", fix="for example country=JP")
        book = await self._read(ctx)
        return await ctx.compute(_brief, book, country, person, ctx)

    @capability("culture.holidays", timeout="5s", cache="15m")
    async def holidays(
        self,
        ctx: Context,
        countries: Annotated[tuple[Country, ...], msgspec.Meta(max_length=20)] = (),
        since: date | None = None,
        days: Annotated[int, msgspec.Meta(ge=1, le=800)] = 60,
        region: Annotated[str, msgspec.Meta(max_length=20)] = "",
    ) -> Holidays:
        """List public holidays of some countries (yours, when none is given), and the days that all of them work.

        ``region`` (``BY``, ``CA``) adds a region's own; it is the first country's.
        """
        asked = countries or ((ctx.settings.user.country,) if ctx.settings.user.country else ())
        if not asked:
            raise InputError("no country is given, and yours is not set", where="countries", fix="set user.country")
        first = since or ctx.now().date()
        if first.year < 1900 or first.year > 2100:
            raise InputError(
                f"no holidays are known for {first.year}", where="since", fix="give a year of 1900 to 2100"
            )
        return await ctx.compute(_holidays, tuple(one.upper() for one in asked), first, days, region)

    @capability("culture.check", timeout="6s", cache="15m")
    async def check(
        self, ctx: Context, day: date | None = None, days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 7
    ) -> Check:
        """Check your meetings against the holidays, weekends and hours of everybody invited; propose better times."""
        first = day or ctx.now().date()
        book, told = await asyncio.gather(self._read(ctx), ctx.call("calendar.agenda", day=first, days=days))
        agenda = msgspec.convert(told, Agenda, from_attributes=True)
        until = time.monotonic() + max(0.2, 0.6 * ctx.remaining_s)
        return await ctx.compute(_check, book, agenda, ctx.settings, lambda: time.monotonic() > until)

    @capability("culture.address", timeout="5s", cache="15m")
    async def address(
        self,
        ctx: Context,
        person: Annotated[Who, msgspec.Meta(min_length=1)],
        country: Country | None = None,
        language: Annotated[str, msgspec.Meta(pattern="^([a-z]{2})?$")] = "",
        known: bool = False,  # noqa: FBT001, FBT002 - by keyword
    ) -> AddressForm:
        """Say how to write to somebody: salutation, closing, order of the name, formality, with the reason.

        Of the contacts, or of anybody when a ``country`` is given; ``known`` when you write to each other already.
        """
        book = await self._read(ctx)
        return await ctx.compute(_address, book, person, country, language, ctx, known=known)

    async def _read(self, ctx: Context) -> AddressBook:
        async with self._opening:
            if self._book is None:
                where = place(ctx.settings)
                self._book = await ctx.compute(_open, *where)
                self._place = where
        book = self._book
        await ctx.compute(book.refresh, READING_S)
        return book


def _open(workspace: Path, state: Path | None) -> AddressBook:
    # Imported at the first call and off the event loop: contacts and places take their time to load.
    from pea.agents._address_book import BOOKS

    return BOOKS.open(workspace, state)


def _one(book: AddressBook, who: str) -> Contact:
    found = book.find(who)
    if found:
        return found[0]
    from difflib import get_close_matches

    near = get_close_matches(who, [contact.name for contact in book.all[:10_000]], n=1, cutoff=0.5)
    fix = f"did you mean {near[0]!r}?" if near else "give a name or an address of your contacts"
    raise InputError(f"nobody in the contacts is called {who!r}", where="person", fix=fix)


def _brief(book: AddressBook, country: str | None, person: str, ctx: Context) -> Brief:
    from pea.agents._culture_brief import brief_of
    from pea.agents._whereabouts import Whereabouts, zone_in

    if country is not None:
        code = country.upper()
        _known(code)
        where, name = Whereabouts(code, zone_in(code), "the zone is that of the largest city"), ""
    else:
        contact = _one(book, person)
        where, name = book.where(contact), contact.name
        if not where.country:
            raise InputError(
                f"{where.why}: {name}", where="person", fix="add an address to the contact, or give country"
            )
    return brief_of(name, where, book.customs, ctx.now(), ctx.settings.user.country.upper(), book.report())


def _known(code: str) -> None:
    from babel import Locale

    if code not in Locale("en").territories:
        raise InputError(f"{code} is no country", where="country", fix="give an ISO 3166 code, for example JP")


def _holidays(countries: tuple[str, ...], first: date, days: int, region: str) -> Holidays:
    from pea.agents._culture_brief import country_name
    from pea.agents._culture_days import bridges, common_days, holidays_between, is_known

    for code in countries:
        _known(code)
    last = first + timedelta(days=days - 1)
    codes = tuple(dict.fromkeys(countries))
    regions = {codes[0]: region}
    every = sorted(
        (one for code in codes for one in holidays_between(code, first, last, regions.get(code, ""))),
        key=lambda one: (one.day, one.country),
    )
    between = sorted(
        (one for code in codes for one in bridges(code, first, last, regions.get(code, ""))), key=lambda one: one.day
    )
    worked, lost, by_whom = common_days(codes, first, last)
    notes = [f"no calendar of holidays is known for {country_name(c)}" for c in codes if not is_known(c)]
    if not region:
        notes.append("holidays of single regions are left out; region adds one's")
    lines = [f"{first} to {last}, {', '.join(map(country_name, codes))}: {worked} days on which all of them work."]
    lines += [
        f"  {one.day:%a %d %b %Y}  {one.country}  {one.name}{' (weekend)' if one.weekend else ''}" for one in every
    ]
    lines += [f"  {one.day:%a %d %b %Y}  {one.country}  bridge day, {one.why}" for one in between]
    if len(codes) > 1:
        lines.append("Lost to a day off of some: " + ", ".join(f"{code} {count}" for code, count in by_whom))
    return Holidays(
        since=first,
        until=last,
        countries=codes,
        holidays=tuple(every),
        bridges=tuple(between),
        common_days=worked,
        lost=tuple(lost),
        by_country=dict(by_whom),
        notes=tuple(notes),
        text="\n".join([*lines, *notes]),
    )


def _check(book: AddressBook, agenda: Agenda, settings: Settings, late: Callable[[], bool]) -> Check:
    from pea.agents._culture_check import Guest, Meeting, check
    from pea.agents._whereabouts import Whereabouts
    from pea.workspace.places import find
    from pea.workspace.zones import name_of

    country = settings.user.country.upper()
    own_zone = name_of(settings.zone) or "UTC"
    me = Guest("you", "", Whereabouts(country, own_zone, "your settings"))
    meetings: list[Meeting] = []
    unplaced: dict[str, None] = {}
    entries = [one for one in agenda.entries if not one.all_day and one.people]
    for entry in entries:
        guests = []
        for person in entry.people:
            if person.response == "declined":
                continue
            where = book.where(book.by_email(person.email), person.email)
            if where.zone:
                guests.append(Guest(person.name, person.email, where))
            else:
                unplaced[person.name] = None
        place = find(entry.location, country=country) if entry.location and not entry.is_online else None
        meetings.append(Meeting(entry.title, entry.start, entry.end, tuple(guests), place))
    report = agenda.sources.merged(book.report())
    return check(meetings, me, book.customs, agenda.day, agenda.days, tuple(unplaced), report, late=late)


def _address(
    book: AddressBook, person: str, country: str | None, language: str, ctx: Context, *, known: bool
) -> AddressForm:
    from pea.agents._culture_brief import address_of
    from pea.agents._whereabouts import Whereabouts, zone_in

    if country is not None:
        code = country.upper()
        _known(code)
        name, where = person, Whereabouts(code, zone_in(code), "you say so")
    else:
        contact = _one(book, person)
        name, where = contact.name, book.where(contact)
    mine = ctx.settings.user.country.upper()
    return address_of(name, where, language, book.customs, mine, ctx.now(), wrote=known)
