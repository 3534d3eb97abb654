"""One happening in a calendar as plain data: when, where, who, and whether it takes the time it stands at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Literal

import msgspec

from pea.workspace.calendars_ics import Part
from pea.workspace.places_online import join_link, location_link
from pea.workspace.zones import name_of

MAX_TITLE = 300
MAX_TEXT = 2_000
MAX_ATTENDEES = 500

Response = Literal["accepted", "declined", "tentative", "needs-action", "delegated", ""]
_RESPONSES: dict[str, Response] = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
    "NEEDS-ACTION": "needs-action",
    "DELEGATED": "delegated",
}


class Attendee(msgspec.Struct, frozen=True):
    """Somebody, or with ``room`` something, invited; ``response`` is empty when the calendar gives none."""

    name: str
    email: str
    response: Response = ""
    optional: bool = False
    room: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence of an event, its times in the zone it was asked for in.

    An all-day event goes from midnight to the midnight after its last day; ``first_day`` and ``last_day`` (inclusive)
    say the days of any event. ``busy`` is whether it takes the time (RFC 5545 TRANSP; cancelled ones do not).
    ``priority`` is RFC 5545's: 1 is the highest, 9 the lowest, 0 says nothing. ``online`` is a link to join,
    ``zone`` the IANA name of the zone it was made in. ``uid`` names the series.
    """

    uid: str
    title: str
    start: datetime
    end: datetime
    first_day: date
    last_day: date
    all_day: bool = False
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    busy: bool = True
    location: str = ""
    online: str = ""
    geo: tuple[float, float] | None = None
    url: str = ""
    description: str = ""
    organizer: Attendee | None = None
    attendees: tuple[Attendee, ...] = ()
    categories: tuple[str, ...] = ()
    recurring: bool = False
    priority: int = 0
    calendar: str = ""
    path: str = ""
    zone: str = ""

    @property
    def people(self) -> int:
        """How many persons are invited, rooms left out."""
        return sum(not attendee.room for attendee in self.attendees)

    def response_of(self, emails: frozenset[str]) -> Response:
        """What the owner of any of these addresses (in lower case) answered; their own event counts as accepted."""
        for attendee in self.attendees:
            if attendee.email in emails:
                return attendee.response or "needs-action"
        if self.organizer is not None and self.organizer.email in emails:
            return "accepted"
        return ""


def to_event(
    properties: Mapping[str, Any],
    start: date,
    end: date,
    *,
    uid: str,
    recurring: bool,
    part: Part,
    path: str,
    zone: tzinfo,
) -> Event:
    """An occurrence's properties as an Event with times in ``zone``; OverflowError when they leave the calendar."""
    all_day = not isinstance(start, datetime)
    if end == start and all_day:
        end = start + timedelta(days=1)
    begins, ends = _moment(start, zone), _moment(end, zone)
    if ends < begins:
        begins, ends = ends, begins
    last = (ends - timedelta(microseconds=1)).date() if ends > begins else begins.date()
    status, busy = _standing(properties, part, all_day=all_day, recurring=recurring)
    location, description = _text(properties, "LOCATION", MAX_TITLE), _text(properties, "DESCRIPTION", MAX_TEXT)
    url = _text(properties, "URL", MAX_TEXT)
    return Event(
        uid=_clean(uid, MAX_TITLE),
        title=" ".join(_text(properties, "SUMMARY", MAX_TITLE).split()) or "(no title)",
        start=begins,
        end=ends,
        first_day=begins.date(),
        last_day=last,
        all_day=all_day,
        status=status,
        busy=busy,
        location=" ".join(location.split()),
        online=join_link(*_conferences(properties), location, url, description) or location_link(location),
        geo=_geo(properties.get("GEO")),
        url=url,
        description=description,
        organizer=next(iter(_people(properties.get("ORGANIZER"))), None),
        attendees=_people(properties.get("ATTENDEE")),
        categories=_categories(properties.get("CATEGORIES")),
        recurring=recurring,
        priority=_priority(properties.get("PRIORITY")),
        calendar=_clean(part.name, MAX_TITLE),
        path=path,
        zone=name_of(start.tzinfo) if isinstance(start, datetime) else "",
    )


def _moment(value: date, zone: tzinfo) -> datetime:
    """A date's midnight, a floating time or an aware time, in the zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), zone)
    if value.tzinfo is None:
        # There and back again: a time that the clock skips in spring becomes one that it shows.
        return value.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return value.astimezone(zone)


def _standing(
    properties: Mapping[str, Any], part: Part, *, all_day: bool, recurring: bool
) -> tuple[Literal["confirmed", "tentative", "cancelled"], bool]:
    status = _text(properties, "STATUS", 32).upper()
    shown = _text(properties, "X-MICROSOFT-CDO-BUSYSTATUS", 32).upper()
    transparency = _text(properties, "TRANSP", 32).upper()
    if status == "CANCELLED" or part.method == "CANCEL":
        return "cancelled", False
    # A birthday or holiday, every year and all day, keeps nobody from working unless it says so.
    yearly = all_day and recurring and not transparency and not shown
    busy = transparency != "TRANSPARENT" and shown != "FREE" and not yearly
    return ("tentative" if status == "TENTATIVE" or shown == "TENTATIVE" else "confirmed"), busy


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _clean(text: str, limit: int) -> str:
    """Text without control characters but line ends, cut at ``limit``."""
    text = text[:limit] if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c for c in text if c in "\n\t" or c.isprintable()).strip()


def _text(properties: Mapping[str, Any], name: str, limit: int) -> str:
    value = _one(properties.get(name))
    return "" if value is None else _clean(str(value), limit)


def _people(value: Any) -> tuple[Attendee, ...]:
    given = value if isinstance(value, list) else [] if value is None else [value]
    people: dict[str, Attendee] = {}
    for address in given[:MAX_ATTENDEES]:
        params = getattr(address, "params", {})
        email = _clean(re.sub(r"^mailto:", "", str(address).strip(), flags=re.IGNORECASE), MAX_TITLE).lower()
        name = _clean(str(params.get("CN", "")), MAX_TITLE).strip("\"' ")
        attendee = Attendee(
            name=name or email,
            email=email,
            response=_RESPONSES.get(str(params.get("PARTSTAT", "")).upper(), ""),
            optional=str(params.get("ROLE", "")).upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT"),
            room=str(params.get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE"),
        )
        people.setdefault(email or name, attendee)
    return tuple(people.values())


def _geo(value: Any) -> tuple[float, float] | None:
    value = _one(value)
    latitude, longitude = getattr(value, "latitude", None), getattr(value, "longitude", None)
    if latitude is None or longitude is None or not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return float(latitude), float(longitude)


def _priority(value: Any) -> int:
    value = _one(value)
    return value if isinstance(value, int) and 0 <= value <= 9 else 0


def _categories(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [] if value is None else [value]
    names = (str(name) for categories in given[:20] for name in getattr(categories, "cats", ()))
    return tuple(dict.fromkeys(clean for name in names if (clean := _clean(name, 60))))[:20]


def _conferences(properties: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name in ("CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"):
        value = properties.get(name)
        found += [
            _clean(str(v), MAX_TEXT) for v in (value if isinstance(value, list) else [] if value is None else [value])
        ]
    return found
