"""Working out when the events of a series happen within some days, whatever the series contains.

The rules are icalendar's and recurring_ical_events'; this module feeds them one series at a time, bounds what a rule
may cost, and falls back to the plain dates of an event when its rule makes no sense. Importing it loads both libraries
(about 150 ms): import it when events are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import icalendar
import recurring_ical_events
from recurring_ical_events.selection.name import ComponentsWithName
from recurring_ical_events.series import Series as LibrarySeries

from pea.workspace.calendars_ics import Component, Part
from pea.workspace.files_report import Unreadable, plain_reason
from pea.workspace.recurrence_mend import Properties, prepared

# A floating time may be meant in any zone on Earth: the days looked at are widened by the widest difference.
SLACK = timedelta(hours=38)
MAX_OCCURRENCES = 5_000
MAX_TIMES_A_DAY = 96
# How many periods of its rule a series may go through: past this it is refused, not waited for.
MAX_PERIODS = {"YEARLY": 2_000, "MONTHLY": 5_000, "WEEKLY": 10_000, "DAILY": 50_000, "HOURLY": 12_000}
MAX_SMALL_PERIODS = 6_000
_UNITS = {"WEEKLY": 604_800, "DAILY": 86_400, "HOURLY": 3_600, "MINUTELY": 60, "SECONDLY": 1}
_FORWARD_AFTER = 60
_FORWARD_MARGIN = timedelta(days=40)


class Occurrence(NamedTuple):
    """One happening: its properties, and its start and end as the calendar means them (a date, naive, or aware)."""

    properties: Properties
    start: date
    end: date
    part: Part


class Prepared(NamedTuple):
    """The components of one series as icalendar reads them, to be expanded for any days; nobody changes them."""

    events: tuple[tuple[Properties, Part], ...]
    notes: tuple[str, ...]


class Expansion(NamedTuple):
    """The occurrences of a series, and what had to be guessed or left out."""

    occurrences: list[Occurrence]
    notes: list[str]


def prepare(components: Iterable[tuple[Component, Part]]) -> Prepared:
    """Read the components of one series; one that makes no sense is left out with a note."""
    events: list[tuple[Properties, Part]] = []
    notes: list[str] = []
    for component, part in components:
        try:
            events.append((prepared(component, part, notes), part))
        except Exception as error:  # noqa: BLE001 - untrusted text in icalendar's hands: any error is about this event
            notes.append(f"it was left out: {plain_reason(error)}")
    return Prepared(tuple(events), tuple(notes))


def expand(series: Prepared, start: datetime, end: datetime) -> Expansion:
    """The occurrences of one series that may touch [start, end), both aware; the caller trims to the exact hour.

    Never raises for what the series contains: a rule that cannot be worked out leaves the plain dates of its event.
    """
    notes = list(series.notes)
    lo, hi = _widened(start, -SLACK), _widened(end, SLACK)
    try:
        return Expansion(_expanded(series.events, lo, hi), notes)
    except Exception as error:  # noqa: BLE001 - a rule of untrusted text can fail in many ways inside dateutil
        notes.append(f"its repetition cannot be worked out, only its plain dates are used: {plain_reason(error)}")
    plain: list[Occurrence] = []
    for event, part in series.events:
        once = event.copy()
        for name in ("RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"):
            once.pop(name, None)
        try:
            plain += _expanded([(once, part)], lo, hi)
        except Exception as error:  # noqa: BLE001 - as above
            notes.append(f"it was left out: {plain_reason(error)}")
    return Expansion(plain, notes)


def _expanded(events: Sequence[tuple[Properties, Part]], lo: datetime, hi: datetime) -> list[Occurrence]:
    if not events:
        return []
    parts = {id(part): part for _, part in events}
    calendar = icalendar.Calendar()
    ranged = any("RANGE" in event["RECURRENCE-ID"].params for event, _ in events if "RECURRENCE-ID" in event)
    for given, part in events:
        event = given.copy()
        if not ranged:
            _forward(event, lo)
        event["X-PEA-PART"] = icalendar.vText(str(id(part)))
        calendar.subcomponents.append(event)  # type: ignore[arg-type]
    query = recurring_ical_events.CalendarQuery(
        calendar, components=[ComponentsWithName("VEVENT", series=_BoundedSeries)]
    )
    found = query.between(lo, hi)
    if len(found) > MAX_OCCURRENCES:
        raise Unreadable(f"it happens more than {MAX_OCCURRENCES:,} times in the days asked for")
    return [Occurrence(c, c["DTSTART"].dt, c["DTEND"].dt, parts[int(c["X-PEA-PART"])]) for c in found]


class _Periods(int):
    """A rule's interval that counts the steps dateutil takes with it, and stops a rule that never comes to an end.

    dateutil goes on to the year 9999 looking for a 30 February, inside one call that nothing else can interrupt.
    """

    left: int

    def __radd__(self, other: int) -> int:
        self.left -= 1
        if self.left < 0:
            raise Unreadable("its rule goes through too many dates")
        return int(self) + other

    def __mul__(self, other: int) -> int:
        return self.__radd__(0) * other


class _BoundedRules(LibrarySeries.RecurrenceRules):  # type: ignore[misc]
    """The library's rules, each with a bound on the periods it goes through."""

    def rrulestr(self, rule_string: str) -> Any:
        rule = super().rrulestr(rule_string)
        frequency = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")[rule._freq]
        if len(rule._timeset or ()) > MAX_TIMES_A_DAY:
            raise Unreadable(f"it happens more than {MAX_TIMES_A_DAY} times a day")
        interval = _Periods(rule._interval)
        interval.left = MAX_PERIODS.get(frequency, MAX_SMALL_PERIODS)
        rule._interval = interval  # dateutil has no other place where its search can be bounded
        return rule


class _BoundedSeries(LibrarySeries):  # type: ignore[misc]
    RecurrenceRules = _BoundedRules


def _forward(event: Properties, lo: datetime) -> None:
    """Begin an old, endless, frequent series shortly before the days asked for, in step with its rule."""
    rule = event.get("RRULE")
    start = event["DTSTART"].dt
    if not isinstance(rule, icalendar.vRecur) or "COUNT" in rule:
        return
    unit = _UNITS.get(str(rule.get("FREQ", [""])[0]).upper())
    if unit is None:
        return
    step = unit * max(1, int(rule.get("INTERVAL", [1])[0]))
    origin = datetime.combine(start, time()) if not isinstance(start, datetime) else start.replace(tzinfo=None)
    length = _length(event, start)
    steps = ((lo.replace(tzinfo=None) - origin - length - _FORWARD_MARGIN) // timedelta(seconds=1)) // step
    if steps < _FORWARD_AFTER:
        return
    shift = timedelta(seconds=steps * step)
    if not isinstance(start, datetime) and unit < _UNITS["DAILY"]:
        return  # an all-day event by the hour: left to fail as it is
    # New values: those there are belong to the series as it was prepared.
    event["DTSTART"] = icalendar.vDDDTypes(start + shift)
    if "DTEND" in event:
        event["DTEND"] = icalendar.vDDDTypes(event["DTEND"].dt + shift)


def _length(event: Properties, start: date) -> timedelta:
    if "DTEND" in event:
        return abs(_as_utc(event["DTEND"].dt) - _as_utc(start))
    return abs(event["DURATION"].dt) if "DURATION" in event else timedelta(days=1)


def _as_utc(value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _widened(moment: datetime, by: timedelta) -> datetime:
    """The moment in UTC, moved, within the years that dates can have."""
    low, high = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
    moment = min(max(moment.astimezone(UTC), low - min(by, timedelta())), high - max(by, timedelta()))
    return moment + by
