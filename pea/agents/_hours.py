"""When a person works: hours in their own zone, their country's working week and holidays, what is taken."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from pea import InputError
from pea.agents._culture_days import day_off
from pea.agents._moments import Clock
from pea.workspace.contacts import Contact
from pea.workspace.places import find
from pea.workspace.zones import by_name, name_of


class Taken(msgspec.Struct, frozen=True):
    """A stretch that somebody has no time in; moments with a zone."""

    start: Annotated[datetime, msgspec.Meta(tz=True)]
    end: Annotated[datetime, msgspec.Meta(tz=True)]


class Person(msgspec.Struct, frozen=True):
    """Somebody to meet: what is left empty is looked up in the contacts by ``email``, else the user's is taken."""

    email: Annotated[str, msgspec.Meta(max_length=300)] = ""
    name: Annotated[str, msgspec.Meta(max_length=300)] = ""
    zone: Annotated[str, msgspec.Meta(max_length=60)] = ""
    country: Annotated[str, msgspec.Meta(max_length=2)] = ""
    opens: Clock = "09:00"
    closes: Clock = "17:00"
    busy: Annotated[tuple[Taken, ...], msgspec.Meta(max_length=1_000)] = ()
    optional: bool = False


class Diary(msgspec.Struct, frozen=True):
    """A person's working time as far as it is known; ``guessed`` says what was not."""

    who: str
    zone: str
    country: str
    opens: time
    closes: time
    busy: tuple[tuple[datetime, datetime], ...] = ()
    guessed: str = ""
    optional: bool = False

    def taken(self, start: datetime, end: datetime) -> bool:
        """Whether something they are known to have overlaps [start, end)."""
        return any(begins < end and ends > start for begins, ends in self.busy)

    def away(self, start: datetime, end: datetime) -> str:
        """Why [start, end) is outside their working time, in their own clocks' words; empty when it is within."""
        zone = ZoneInfo(self.zone)
        begins, ends = start.astimezone(zone), end.astimezone(zone)
        day = begins.date()
        why = day_off(day, self.country)
        if why:
            return why
        if begins.time() < self.opens or ends.date() != day or ends.time() > self.closes:
            return f"{begins:%H:%M}\N{EN DASH}{ends:%H:%M} in {self.zone.rpartition('/')[2].replace('_', ' ')}"
        return ""


def diary_of(
    person: Person,
    contact: Contact | None,
    *,
    zone: str,
    country: str,
    busy: tuple[tuple[datetime, datetime], ...] = (),
) -> Diary:
    """A person's diary; ``zone`` and ``country`` are the user's. Raises InputError for a zone that does not exist."""
    who = person.name or (contact.name if contact is not None else "") or person.email or "somebody"
    place = find(contact.address) if contact is not None and contact.address else None
    stated = name_of(by_name(person.zone or (contact.zone if contact is not None else "")))
    if person.zone and not stated:
        raise InputError(f"{person.zone!r} is not a time zone", where="people", fix="write for example Europe/Berlin")
    if not stated:
        stated = place.zone if place is not None else ""
    guessed = "" if stated else f"{who}'s time zone is not known: yours is taken"
    opens, closes = (time.fromisoformat(text.zfill(5)) for text in (person.opens, person.closes))
    if opens >= closes:
        raise InputError(
            f"{who} closes before opening", where="people", fix="write for example opens 09:00 closes 17:00"
        )
    own = tuple((one.start.astimezone(UTC), one.end.astimezone(UTC)) for one in person.busy)
    return Diary(
        who,
        stated or zone,
        (person.country or (place.country if place is not None else "") or ("" if stated else country)).upper(),
        opens,
        closes,
        own + busy,
        guessed,
        person.optional,
    )


def working_windows(diary: Diary, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Their working hours between two moments, day by day, in their own zone."""
    zone = ZoneInfo(diary.zone)
    found: list[tuple[datetime, datetime]] = []
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        if not day_off(day, diary.country):
            left = max(start, datetime.combine(day, diary.opens, zone))
            right = min(end, datetime.combine(day, diary.closes, zone))
            if left < right:
                found.append((left, right))
        day += timedelta(days=1)
    return found
