"""What stands in the calendars between two moments, and the answers that are made from it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import NamedTuple

import msgspec

from pea.agents import _agenda, _conflicts, _freebusy
from pea.agents._agenda import Agenda, Entry
from pea.agents._conflicts import Conflicts
from pea.agents._freebusy import FreeBusy
from pea.agents._others import is_theirs
from pea.agents._stops import stops_of
from pea.workspace.calendars import Days, Event
from pea.workspace.files import Refusal, SourceReport
from pea.workspace.places import find


class Found(NamedTuple):
    """What stands in the calendars between two moments, and what it was read from."""

    start: datetime
    end: datetime
    standing: tuple[Entry, ...]
    dropped: tuple[Entry, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport
    events: tuple[Event, ...]  # of the entries that stand
    theirs: tuple[Event, ...]  # in other people's calendars


def found_between(start: datetime, end: datetime, days: Days, emails: frozenset[str], sources: SourceReport) -> Found:
    """Part what stands from what was dropped, and the user's own entries from other people's."""
    own = [(_agenda.entry_of(event, emails), event) for event in days.events if not is_theirs(event.path)]
    standing, dropped = _agenda.parted(entry for entry, _ in own)
    stands = {id(entry) for entry in standing}
    events = tuple(event for entry, event in own if id(entry) in stands)
    theirs = tuple(event for event in days.events if is_theirs(event.path))
    return Found(start, end, standing, dropped, days.notes, sources, events, theirs)


def agenda_of(found: Found, day: date, days: int, zone: str) -> Agenda:
    """What is on."""
    agenda = Agenda(day, days, zone, found.standing, found.dropped, found.notes, found.sources, "")
    return msgspec.structs.replace(agenda, text=_agenda.agenda_text(agenda))


def freebusy_of(
    found: Found,
    hours: tuple[time, time],
    minutes: int,
    weekends: bool,  # noqa: FBT001
    country: str,
) -> FreeBusy:
    """When the user is busy, and the slots of at least ``minutes`` that are free within ``hours``."""
    start, end = found.start, found.end
    zone = start.tzinfo or UTC
    busy = _freebusy.busy_stretches(found.standing, start, end)
    windows = _freebusy.working_windows(start, end, *hours, weekends=weekends, zone=zone, country=country)
    free = _freebusy.free_slots(busy, windows, minutes=minutes)
    return FreeBusy(
        start=start,
        end=end,
        busy=busy,
        free=free,
        busy_minutes=sum(_freebusy.minutes_between(b.start, b.end) for b in busy),
        free_minutes=sum(slot.minutes for slot in free),
        notes=found.notes,
        sources=found.sources,
        text=f"{_freebusy.free_text(busy, free, start, end)}\n\n{found.sources.text()}",
    )


def conflicts_of(found: Found, day: date, days: int, hours: tuple[time, time], home: str, country: str) -> Conflicts:
    """What cannot be done as planned; at most 200 are shown, the rest is counted."""
    base = find(home, country=country) if home else None
    stops = stops_of(found.standing, base, country)
    every = _conflicts.conflicts_of(found.standing, stops, opens=hours[0], closes=hours[1], country=country)
    shown, more = every[: _conflicts.MAX_CONFLICTS], max(0, len(every) - _conflicts.MAX_CONFLICTS)
    text = f"{_conflicts.conflicts_text(day, days, shown, more)}\n\n{found.sources.text()}"
    return Conflicts(day, days, tuple(shown), more, found.notes, found.sources, text)
