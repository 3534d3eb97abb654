"""Events as they are written back: made, or moved with all else left as it was; no clock, so always the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import msgspec

from pea.connect.failures import Refused
from pea.errors import InputError, MissingExtra

MARK = "X-PEA-APPROVAL"  # says which approval wrote this, so that a repetition is recognised
_OF_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")


class Times(msgspec.Struct, frozen=True):
    """An event's beginning and end, aware; days (midnight in the user's zone) for an all-day one."""

    start: datetime
    end: datetime
    all_day: bool = False


class Facts(msgspec.Struct, frozen=True):
    """What a person needs to see of an event to decide about it."""

    uid: str
    title: str
    times: Times
    repeats: bool
    attendees: int


def facts(data: bytes, zone: tzinfo) -> Facts:
    """The event in a file from a server. Raises Refused when there is none."""
    calendar = parse(data)
    main = _main(calendar)
    return Facts(
        str(main.get("UID", "")),
        str(main.get("SUMMARY", ""))[:300],
        _times(main, zone),
        any(name in main for name in ("RRULE", "RDATE")),
        len(_several(main.get("ATTENDEE"))),
    )


def occurrence(data: bytes, at: datetime, zone: tzinfo) -> Times:
    """The times of that occurrence of a series which begins at ``at``. Raises InputError when none does."""
    import recurring_ical_events

    near = recurring_ical_events.of(parse(data)).between(at - timedelta(days=1), at + timedelta(days=1))
    for event in near:
        times = _times(event, zone)
        if times.start == at or (times.all_day and times.start.date() == at.date()):
            return times
    known = ", ".join(f"{_times(event, zone).start:%Y-%m-%dT%H:%M}" for event in near)
    raise InputError("no occurrence begins then", where="occurrence", fix=f"near it: {known}" if known else None)


def moved(data: bytes, at: datetime | None, to: Times, *, key: str, stamp: datetime, zone: tzinfo) -> bytes:
    """The file with its event, or the occurrence that begins ``at``, at other times."""
    calendar = parse(data)
    main = _main(calendar)
    event = main if at is None else _single(calendar, main, at, zone)
    like = event["DTSTART"].dt
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    event.add("DTSTART", _as_before(to.start, like, zone))
    event.add("DTEND", _as_before(to.end, like, zone))
    _mark(event, key, stamp, sequence=int(event.get("SEQUENCE", 0)) + 1)
    return bytes(calendar.to_ical())


def created(
    title: str,
    times: Times,
    *,
    key: str,
    stamp: datetime,
    location: str = "",
    description: str = "",
    attendees: Sequence[str] = (),
    organizer: str = "",
) -> bytes:
    """A file with one new event, whose UID is made of the approval's key."""
    ical = _library()
    calendar, event = ical.Calendar(), ical.Event()
    calendar.add("PRODID", "-//PEA//EN")
    calendar.add("VERSION", "2.0")
    event.add("UID", f"{key}@pea")
    event.add("SUMMARY", title)
    event.add("DTSTART", times.start.date() if times.all_day else times.start.astimezone(UTC))
    event.add("DTEND", times.end.date() if times.all_day else times.end.astimezone(UTC))
    if location:
        event.add("LOCATION", location)
    if description:
        event.add("DESCRIPTION", description)
    if attendees and organizer:
        event.add("ORGANIZER", f"mailto:{organizer}")
    for address in attendees:
        event.add("ATTENDEE", f"mailto:{address}")
    _mark(event, key, stamp, sequence=0)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def parse(data: bytes) -> Any:
    """A file from a server. Raises Refused when it cannot be read."""
    try:
        return _library().Calendar.from_ical(data)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Refused(f"the event cannot be read: {error}", fix="change it in the program that made it") from error


def _library() -> Any:
    try:
        import icalendar
    except ImportError as error:
        raise MissingExtra(f"calendars need {error.name}", fix="pip install 'pea[assistant]'") from error
    return icalendar


def _main(calendar: Any) -> Any:
    events: list[Any] = calendar.walk("VEVENT")
    for event in events:
        if "RECURRENCE-ID" not in event and "DTSTART" in event:
            return event
    raise Refused("there is no event in this file", fix="it may be a task, or one occurrence of another's series")


def _single(calendar: Any, main: Any, at: datetime, zone: tzinfo) -> Any:
    """The component of one occurrence; made from the series' own where it was as all others."""
    like = main["DTSTART"].dt
    for event in calendar.walk("VEVENT"):
        if "RECURRENCE-ID" in event and _aware(event["RECURRENCE-ID"].dt, zone) == at:
            return event
    single: Any = _library().Event.from_ical(main.to_ical())
    for name in _OF_SERIES:
        single.pop(name, None)
    single.add("RECURRENCE-ID", _as_before(at, like, zone))
    calendar.add_component(single)
    return single


def _mark(event: Any, key: str, stamp: datetime, *, sequence: int) -> None:
    for name in ("SEQUENCE", "DTSTAMP", "LAST-MODIFIED", MARK):
        event.pop(name, None)
    event.add("SEQUENCE", sequence)
    event.add("DTSTAMP", stamp.astimezone(UTC).replace(microsecond=0))
    event.add("LAST-MODIFIED", stamp.astimezone(UTC).replace(microsecond=0))
    event.add(MARK, key)


def _times(event: Any, zone: tzinfo) -> Times:
    start = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = start + event["DURATION"].dt
    else:
        end = start if isinstance(start, datetime) else start + timedelta(days=1)
    return Times(_aware(start, zone), _aware(end, zone), not isinstance(start, datetime))


def _aware(moment: date, zone: tzinfo) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), zone)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def _as_before(moment: datetime, like: date, zone: tzinfo) -> date:
    """A moment written as the event's own: a day, floating, in its zone if that has a known name, else in UTC."""
    if not isinstance(like, datetime):
        return moment.astimezone(zone).date()
    if like.tzinfo is None:
        return moment.astimezone(zone).replace(tzinfo=None)
    key = getattr(like.tzinfo, "key", None)
    return moment.astimezone(like.tzinfo) if key else moment.astimezone(UTC)


def _several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
