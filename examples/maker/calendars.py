"""Calendars: the events of ``story/calendars.toml`` written as iCalendar files, as four programs would write them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from maker.story import Cast, Person, table

STAMP = "20260511T160000Z"
HOME = "Europe/Berlin"
FLOATING = "floating"

PROGRAMS = {
    "work": "-//Havelmark//Groupware 8.2//EN",
    "personal": "-//Kalender//Telefon 17//DE",
    "travel": "-//Reisewerk GmbH//Itinerary 3//EN",
    "board-office": "-//Voss Advisory//Diary 5.1//EN",
}

# Central European rules since 1996, and the same rules under the name one program made up for them.
_ZONE = """\
BEGIN:VTIMEZONE
TZID:{zone}
BEGIN:DAYLIGHT
TZOFFSETFROM:{winter}
TZOFFSETTO:{summer}
TZNAME:{summer_name}
DTSTART:19960331T{spring}
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:{summer}
TZOFFSETTO:{winter}
TZNAME:{winter_name}
DTSTART:19961027T{autumn}
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE"""

_NEW_YORK = """\
BEGIN:VTIMEZONE
TZID:America/New_York
BEGIN:DAYLIGHT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD
END:VTIMEZONE"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the story's calendars; see the top of ``story/calendars.toml`` for what the fields mean."""

    calendar: str
    summary: str
    start: date | datetime
    end: str | date | datetime = ""
    duration: str = ""
    id: str = ""
    zone: str = HOME
    end_zone: str = ""
    where: str = ""
    geo: tuple[float, float] | None = None
    note: str = ""
    by: str = "nora"
    guests: list[str] = field(default_factory=list)
    me: str = "ACCEPTED"
    status: str = ""
    rrule: str = ""
    rdate: list[datetime] = field(default_factory=list)
    exdate: list[datetime] = field(default_factory=list)
    instance: datetime | None = None
    range: str = ""
    sequence: int = 0
    transparent: bool = False

    @property
    def uid(self) -> str:
        """The same for every instance of a series; made from the words when the story gives no id."""
        name = self.id or hashlib.sha256(f"{self.summary}{self.start}".encode()).hexdigest()[:16]
        return f"{name}@havelmark.example"


def write(folder: Path, people: Cast) -> None:
    """Write one file per calendar into ``folder``, and the one that is not a calendar at all."""
    events = [_event(row) for row in table("calendars.toml")["event"]]
    for name, program in PROGRAMS.items():
        mine = [event for event in events if event.calendar == name]
        (folder / f"{name}.ics").write_bytes(_calendar(name, program, mine, people))
    (folder / "judo-club.ics").write_bytes(_SIGN_IN_PAGE.encode())


def invitation(uid: str, people: Cast) -> str:
    """The newest version of one event as the text/calendar part of an invitation (RFC 5546, method REQUEST)."""
    versions = [_event(row) for row in table("calendars.toml")["event"] if row.get("id") == uid]
    event = max(versions, key=lambda version: version.sequence)
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PROGRAMS[event.calendar]}", "METHOD:REQUEST"]
    lines = [*head, *_zone(event.zone).splitlines(), *_vevent(event, people), "END:VCALENDAR"]
    return b"".join(_fold(line) for line in lines).decode()


# What a browser saves when a session has ended: a page with the calendar's name.
_SIGN_IN_PAGE = """\
<!DOCTYPE html>
<html lang="de"><head><title>Judo-Club Weißensee: Anmeldung</title></head>
<body><h1>Bitte melden Sie sich an</h1><p>Ihre Sitzung ist abgelaufen.</p></body></html>
"""


def _event(row: dict[str, Any]) -> Event:
    row = dict(row)
    guests = row.pop("with", [])
    return Event(**row, guests=guests)


def _calendar(name: str, program: str, events: list[Event], people: Cast) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{program}", "CALSCALE:GREGORIAN", f"X-WR-CALNAME:{name}"]
    used = {zone for event in events for zone in (event.zone, event.end_zone) if _timed(event)}
    if name == "personal":
        lines.append(f"X-WR-TIMEZONE:{HOME}")
    for zone in sorted(used - {FLOATING, ""}):
        lines += _zone(zone).splitlines()
    for event in events:
        lines += _vevent(event, people)
    lines.append("END:VCALENDAR")
    return b"".join(_fold(line) for line in lines)


def _zone(name: str) -> str:
    if name == "America/New_York":
        return _NEW_YORK
    if name == "Europe/London":
        return _ZONE.format(
            zone=name,
            winter="+0000",
            summer="+0100",
            spring="010000",
            autumn="020000",
            summer_name="BST",
            winter_name="GMT",
        )
    return _ZONE.format(
        zone=name,
        winter="+0100",
        summer="+0200",
        spring="020000",
        autumn="030000",
        summer_name="CEST",
        winter_name="CET",
    )


def _timed(event: Event) -> bool:
    return isinstance(event.start, datetime)


def _vevent(event: Event, people: Cast) -> list[str]:
    lines = ["BEGIN:VEVENT", f"UID:{event.uid}", f"DTSTAMP:{STAMP}", f"SEQUENCE:{event.sequence}"]
    if event.instance is not None:
        extent = f";RANGE={event.range}" if event.range else ""
        lines.append(_moment(f"RECURRENCE-ID{extent}", event.instance, event.zone))
    lines.append(_moment("DTSTART", event.start, event.zone))
    lines += _end(event)
    lines += [f"{name}:{value}" for name, value in (("DURATION", event.duration), ("RRULE", event.rrule)) if value]
    lines += [_moment("RDATE", moment, event.zone) for moment in event.rdate]
    lines += [_moment("EXDATE", moment, event.zone) for moment in event.exdate]
    texts = {"SUMMARY": event.summary, "LOCATION": event.where, "DESCRIPTION": event.note}
    lines += [f"{name}:{_escape(value)}" for name, value in texts.items() if value]
    if event.geo is not None:
        lines.append("GEO:{:.4f};{:.4f}".format(*event.geo))
    lines += _people(event, people)
    if event.status:
        lines.append(f"STATUS:{event.status}")
    if event.transparent:
        lines.append("TRANSP:TRANSPARENT")
    lines.append("END:VEVENT")
    return lines


def _end(event: Event) -> list[str]:
    if isinstance(event.end, str):
        if not event.end:
            return []
        end = datetime.combine(event.start, time.fromisoformat(event.end))
        return [_moment("DTEND", end, event.zone)]
    if isinstance(event.end, datetime):
        return [_moment("DTEND", event.end, event.end_zone or event.zone)]
    return [_moment("DTEND", event.end + timedelta(days=1), event.zone)]  # an all-day end is exclusive


def _moment(name: str, value: date | datetime, zone: str) -> str:
    if not isinstance(value, datetime):
        return f"{name};VALUE=DATE:{value:%Y%m%d}"
    if zone == FLOATING:
        return f"{name}:{value:%Y%m%dT%H%M%S}"
    if name.startswith("EXDATE") and zone == HOME:  # some programs write exceptions in UTC
        return f"{name}:{value.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{name};TZID={zone}:{value:%Y%m%dT%H%M%S}"


def _people(event: Event, people: Cast) -> list[str]:
    if not event.guests and event.by == "nora":
        return []
    nora, organiser = people["nora"], people[event.by]
    lines = [f'ORGANIZER;CN="{organiser.name}":mailto:{organiser.email}']
    answers = {"nora": event.me} | ({event.by: "ACCEPTED"} if event.by != "nora" else {})
    lines += [_attendee(nora if key == "nora" else people[key], answer) for key, answer in answers.items()]
    lines += [_attendee(people[key], "ACCEPTED") for key in event.guests]
    return lines


def _attendee(person: Person, answer: str) -> str:
    kind = ";CUTYPE=GROUP" if person.key in {"staff", "board"} else ""
    return f'ATTENDEE;CN="{person.name}"{kind};ROLE=REQ-PARTICIPANT;PARTSTAT={answer}:mailto:{person.email}'


def _escape(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text


def _fold(line: str) -> bytes:
    """A content line in pieces of at most 75 octets, none of which cuts a character (RFC 5545, section 3.1)."""
    pieces, piece = [], b""
    for character in line:
        octets = character.encode()
        if len(piece) + len(octets) > 75:
            pieces.append(piece)
            piece = b" "
        piece += octets
    return b"\r\n".join([*pieces, piece]) + b"\r\n"
