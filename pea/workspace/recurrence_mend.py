"""Reading one event's properties for the recurrence library: zones resolved, and what programs write wrongly mended.

Each mend leaves a note. What cannot be read is taken out, so that the library meets only values of the right kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import icalendar

from pea.workspace.calendars_ics import Component, Part
from pea.workspace.files_report import Unreadable
from pea.workspace.zones import resolve

# An icalendar.Event, whose values' types are a union of thirty that no caller can tell apart.
Properties = dict[str, Any]

_EMPTY_PARAMETER = re.compile(r"^([A-Z-]+);(?=;)", re.MULTILINE)
_RULE = re.compile(r"^(?:RRULE|EXRULE):[^\r\n]*", re.MULTILINE)
_RULE_SPACE = re.compile(r"^(?:RRULE|EXRULE):[^\r\n]* ", re.MULTILINE)


def prepared(component: Component, part: Part, notes: list[str]) -> Properties:
    """The component as icalendar reads it, with its zones resolved and common mistakes mended."""
    event: Properties = icalendar.Event.from_ical(_mended_text(component.text, notes))
    default = resolve(part.zone, part.zones) if part.zone else None
    if part.zone and default is None:
        notes.append(f"nobody knows its calendar's time zone {part.zone[:60]!r}: times are taken as your own")
    for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
        _keep_one(event, name, notes)
        if name in event and name != "DURATION":
            value = event[name]
            value.dt = _placed(value.dt, _zone_of(value.params, part, default, notes), default)
    if "DTSTART" not in event:
        raise Unreadable("it has no start that can be read")
    for name in ("EXDATE", "RDATE"):
        _keep_lists(event, name, part, default, notes)
    _mend_end(event, notes)
    _mend_rule(event, notes)
    return event


def _mended_text(text: str, notes: list[str]) -> str:
    """Without what keeps icalendar from reading a line that every other reader understands."""
    if ";;" in text:
        mended = _EMPTY_PARAMETER.sub(r"\1", text)
        if mended != text:
            notes.append("one of its lines has an empty parameter, which is passed over")
            text = mended
    return _RULE.sub(lambda match: match[0].replace(" ", ""), text) if _RULE_SPACE.search(text) else text


def _keep_one(event: Properties, name: str, notes: list[str]) -> None:
    """Leave one readable value of a property that may occur once, or none."""
    value = event.get(name)
    if isinstance(value, list):
        notes.append(f"it gives {name} more than once; the first counts")
        value = event[name] = value[0]
    right = timedelta if name == "DURATION" else date
    if value is not None and (isinstance(value, icalendar.vBroken) or not isinstance(value.dt, right)):
        notes.append(f"its {name} cannot be read")
        del event[name]


def _keep_lists(event: Properties, name: str, part: Part, default: tzinfo | None, notes: list[str]) -> None:
    """Leave the readable lists of dates of a property, their zones resolved."""
    given = event.get(name)
    if given is None:
        return
    kept = []
    for dates in given if isinstance(given, list) else [given]:
        if isinstance(dates, icalendar.vBroken):
            notes.append(f"one of its {name} cannot be read")
            continue
        zone = _zone_of(dates.params, part, default, notes)
        dates.dts = [item for item in dates.dts if isinstance(item.dt, date | tuple)]
        for item in dates.dts:
            item.dt = _like_start(_placed(item.dt, zone, default), event["DTSTART"].dt)
        kept.append(dates)
    if kept:
        event[name] = kept
    else:
        del event[name]


def _zone_of(params: Mapping[str, Any], part: Part, default: tzinfo | None, notes: list[str]) -> tzinfo | None:
    name = params.get("X-PEA-TZID")
    if not name:
        return default
    zone = resolve(str(name), part.zones)
    if zone is None:
        notes.append(f"nobody knows its time zone {str(name)[:60]!r}: the time is taken as your own")
        return default
    return zone


def _placed(value: Any, zone: tzinfo | None, default: tzinfo | None) -> Any:
    """A date or time in its zone; a time in UTC goes to the calendar's own zone, where its rule is meant."""
    if isinstance(value, tuple):  # a period: start and end, or start and duration
        return tuple(_placed(v, zone, default) for v in value)
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        return value if zone is None else value.replace(tzinfo=zone)
    return value if default is None else value.astimezone(default)


def _like_start(value: Any, start: date) -> Any:
    """Beside a floating start a time is meant by the clock as well, whatever zone it claims (RFC 5545 3.8.5.1)."""
    floating = isinstance(start, datetime) and start.tzinfo is None
    return value.replace(tzinfo=None) if floating and isinstance(value, datetime) else value


def _mend_end(event: Properties, notes: list[str]) -> None:
    """An end before the start is taken as the two swapped; an end of another kind than the start is made alike."""
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    if end is None:
        _mend_duration(event, notes)
        return
    if isinstance(start, datetime) != isinstance(end, datetime):
        notes.append("its start and end are not of one kind (a date and a time)")
        if not isinstance(start, datetime):
            event["DTEND"].dt = end = end.date()
        else:
            event["DTEND"].dt = end = datetime.combine(end, time(), start.tzinfo)
    if isinstance(start, datetime) and isinstance(end, datetime) and (start.tzinfo is None) != (end.tzinfo is None):
        event["DTEND"].dt = end = end.replace(tzinfo=start.tzinfo)
    if end < start:
        notes.append("it ends before it starts; the two are taken as swapped")


def _mend_duration(event: Properties, notes: list[str]) -> None:
    """A duration that leads beyond the year 9999 is taken out."""
    if "DURATION" in event:
        try:
            event["DTSTART"].dt + 2 * event["DURATION"].dt
        except OverflowError:
            del event["DURATION"]
            notes.append("its DURATION leads beyond the end of time")


def _mend_rule(event: Properties, notes: list[str]) -> None:
    """Give UNTIL the kind that its DTSTART calls for (RFC 5545 section 3.3.10): many programs do not.

    A date alone means the whole of that day, a time without zone is in the zone of the start.
    """
    if "EXRULE" in event:
        notes.append("its EXRULE (exceptions by rule, long withdrawn) is not followed")
    rules = event.get("RRULE")
    start = event["DTSTART"].dt
    for rule in rules if isinstance(rules, list) else [rules] if rules is not None else []:
        if not isinstance(rule, icalendar.vRecur):
            del event["RRULE"]
            notes.append("its rule of repetition cannot be read; only its first date is used")
            return
        scale, skip = (str(rule.pop(name, [""])[0]).upper() for name in ("RSCALE", "SKIP"))
        if scale not in ("", "GREGORIAN"):
            del event["RRULE"]
            notes.append("its rule counts in another calendar than ours (RFC 7529); only its first date is used")
            return
        if skip not in ("", "OMIT"):
            notes.append("its rule moves dates that do not exist (RFC 7529); they are left out instead")
        for until in rule.get("UNTIL", ())[:1]:
            rule["UNTIL"] = [_until(until, start)]


def _until(until: date, start: date) -> date:
    if not isinstance(start, datetime):
        return until.date() if isinstance(until, datetime) else until
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(23, 59, 59))
    if start.tzinfo is None:
        return until.replace(tzinfo=None)
    return (until.replace(tzinfo=start.tzinfo) if until.tzinfo is None else until).astimezone(UTC)
