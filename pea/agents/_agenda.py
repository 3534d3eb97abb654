"""What stands in the calendar on some days, as the user sees it: their own answer, their own time, plain words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from pea.workspace.calendars import Attendee, Event, Response
from pea.workspace.files import Refusal, SourceReport
from pea.workspace.places_online import is_online

PEOPLE_SHOWN = 50
NOTES_SHOWN = 5
NO_CALENDARS = "there are no calendars; put .ics files into the folder calendars"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an agenda, times in the user's zone; ``last_day`` is inclusive.

    ``others`` counts the people invited beside the user and ``people`` names the first fifty of them; ``response`` is
    the user's own answer (empty when they were not invited), ``online`` a link to join. ``busy`` is false for what does
    not take the time it stands at.
    """

    title: str
    start: datetime
    end: datetime
    first_day: date
    last_day: date
    all_day: bool = False
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    busy: bool = True
    response: Response = ""
    location: str = ""
    online: str = ""
    is_online: bool = False
    geo: tuple[float, float] | None = None
    others: int = 0
    people: tuple[Attendee, ...] = ()
    organizer: str = ""
    recurring: bool = False
    calendar: str = ""
    path: str = ""
    uid: str = ""
    zone: str = ""

    @property
    def tentative(self) -> bool:
        """Whether it may yet not take place, or the user may yet not come."""
        return self.status == "tentative" or self.response in ("tentative", "needs-action")


class Agenda(msgspec.Struct, frozen=True):
    """The entries of some days, day by day, all-day ones first; ``dropped`` are those cancelled or declined.

    ``notes`` say what in the calendars could not be worked out, ``sources`` which files were read and refused.
    """

    day: date
    days: int
    timezone: str
    entries: tuple[Entry, ...]
    dropped: tuple[Entry, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


def entry_of(event: Event, emails: frozenset[str]) -> Entry:
    """An event as an entry of the agenda of the owner of these addresses."""
    return Entry(
        title=event.title,
        start=event.start,
        end=event.end,
        first_day=event.first_day,
        last_day=event.last_day,
        all_day=event.all_day,
        status=event.status,
        busy=event.busy,
        response=event.response_of(emails),
        location=event.location,
        online=event.online,
        is_online=is_online(event.location) or (bool(event.online) and not event.location),
        geo=event.geo,
        others=sum(not a.room and a.email not in emails for a in event.attendees),
        people=_people(event, emails),
        organizer=event.organizer.name if event.organizer is not None else "",
        recurring=event.recurring,
        calendar=event.calendar,
        path=event.path,
        uid=event.uid,
        zone=event.zone,
    )


def _people(event: Event, emails: frozenset[str]) -> tuple[Attendee, ...]:
    """The others: who called it first, whether or not they invited themselves."""
    every = (*((event.organizer,) if event.organizer is not None else ()), *event.attendees)
    others = {a.email or a.name: a for a in every if not a.room and a.email not in emails}
    return tuple(others.values())[:PEOPLE_SHOWN]


def parted(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The entries that stand, and those that are cancelled or that the user declined."""
    standing, dropped = list[Entry](), list[Entry]()
    for entry in entries:
        gone = entry.status == "cancelled" or entry.response == "declined"
        (dropped if gone else standing).append(entry)
    return tuple(standing), tuple(dropped)


def agenda_text(agenda: Agenda) -> str:
    """The agenda for a person: a heading per day, a line per entry."""
    lines: list[str] = []
    shown, dropped = (by_day(entries, agenda.day, agenda.days) for entries in (agenda.entries, agenda.dropped))
    for number in range(agenda.days):
        day = agenda.day + timedelta(days=number)
        lines += [*([""] if lines else []), heading(day)]
        lines += [f"  {line(e, day)}" for e in shown.get(day, ())] or ["  nothing"]
        lines += [f"  {line(e, day)} ({_why_dropped(e)})" for e in dropped.get(day, ())]
    notes, count = (*agenda.notes, *agenda.sources.notes), len(agenda.notes) + agenda.sources.notes_count
    if notes:
        lines += ["", *(f"{note.path}: {note.reason}" for note in notes[:NOTES_SHOWN])]
        if count > NOTES_SHOWN:
            lines.append(f"… and {count - NOTES_SHOWN:,} more")
    if agenda.sources.nothing:
        lines += ["", f"Note: {NO_CALENDARS}."]
    return "\n".join([*lines, "", agenda.sources.text()])


def by_day(entries: Iterable[Entry], day: date, days: int) -> dict[date, list[Entry]]:
    """The entries on each of the days from ``day``; one that lasts stands on each of its days, all-day ones first."""
    found: dict[date, list[Entry]] = {}
    end = day + timedelta(days=days - 1)
    for entry in entries:
        at = max(entry.first_day, day)
        while at <= min(entry.last_day, end):
            found.setdefault(at, []).append(entry)
            at += timedelta(days=1)
    # Entries come by their start, so the parts that are not whole stay in order.
    for at, on_it in found.items():
        found[at] = [e for e in on_it if is_whole(e, at)] + [e for e in on_it if not is_whole(e, at)]
    return found


def is_whole(entry: Entry, day: date) -> bool:
    """Whether an entry fills a day."""
    return entry.all_day or entry.first_day < day < entry.last_day


def heading(day: date) -> str:
    """A day as a heading: ``Tuesday 12 May 2026``."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def line(entry: Entry, day: date) -> str:
    """One entry on a day: ``09:00-09:45 Board pre-read · Room 4 · with 5 others · not answered yet``."""
    parts = [entry.title]
    if entry.location:
        parts.append(entry.location)
    if entry.is_online and not entry.location:
        parts.append("online")
    if entry.others:
        parts.append(f"with {entry.others} {'other' if entry.others == 1 else 'others'}")
    if entry.status == "tentative" or entry.response == "tentative":
        parts.append("tentative")
    if entry.response == "needs-action":
        parts.append("not answered yet")
    return f"{hours(entry, day)} {' · '.join(parts)}"


def hours(entry: Entry, day: date) -> str:
    """When an entry is on a day: ``09:00\N{EN DASH}09:45``, ``all day``, ``until 10:00``, ``from 22:00``."""
    begins, ends = entry.first_day == day, entry.last_day == day
    if is_whole(entry, day):
        span = (entry.last_day - entry.first_day).days + 1
        return "all day" if span == 1 else f"all day ({(day - entry.first_day).days + 1} of {span})"
    if not begins:
        return f"until {entry.end:%H:%M}"
    if not ends:
        return f"from {entry.start:%H:%M}"
    if entry.end == entry.start:
        return f"{entry.start:%H:%M}"
    return f"{entry.start:%H:%M}\N{EN DASH}{entry.end:%H:%M}"


def _why_dropped(entry: Entry) -> str:
    return "cancelled" if entry.status == "cancelled" else "you declined"
