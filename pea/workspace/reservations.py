"""Bookings as schema.org states them: https://schema.org/Reservation and its kinds, as plain data.

A mail is untrusted: a booking is what the mail claims; times without an offset are local to the place, as the markup
has them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

MAX_TEXT = 200

Item = dict[str, Any]  # of schema.org: properties by name, its kind under "@type"

Kind = Literal["flight", "train", "bus", "hotel", "car", "event", "restaurant"]
_KINDS: dict[str, Kind] = {
    "FlightReservation": "flight",
    "TrainReservation": "train",
    "BusReservation": "bus",
    "LodgingReservation": "hotel",
    "RentalCarReservation": "car",
    "EventReservation": "event",
    "FoodEstablishmentReservation": "restaurant",
}


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """One booking as a mail states it; moments keep the offset they were written with, or have none.

    ``start_place`` and ``end_place`` are airports' codes or names; for a hotel both are its address. ``ics`` is true
    for what a calendar object said.
    """

    kind: Kind
    title: str
    number: str = ""
    name: str = ""
    start: datetime | None = None
    end: datetime | None = None
    start_place: str = ""
    end_place: str = ""
    cancelled: bool = False
    ics: bool = False


def of_item(item: Item) -> Reservation | None:
    """A schema.org item as a booking; None when it is none."""
    kind = _KINDS.get(_type(item))
    if kind is None:
        return None
    what = _inner(item, "reservationFor")
    status = _said(item, "reservationStatus").rpartition("/")[2].casefold()
    number, name = _said(item, "reservationNumber", "reservationId"), _said(_inner(item, "underName"), "name")
    title, start_place, end_place = _of_kind(kind, item, what)
    start = _moment(
        _said(what, "departureTime", "startDate")
        or _said(item, "checkinTime", "checkinDate", "pickupTime", "startTime")
    )
    end = _moment(
        _said(what, "arrivalTime", "endDate") or _said(item, "checkoutTime", "checkoutDate", "dropoffTime", "endTime")
    )
    return Reservation(
        kind=kind,
        title=title or kind.capitalize(),
        number=number,
        name=name,
        start=start,
        end=end,
        start_place=start_place,
        end_place=end_place,
        cancelled="cancel" in status,
    )


def _of_kind(kind: Kind, item: Item, what: Item) -> tuple[str, str, str]:
    """What to call a booking, and where it begins and ends."""
    if kind == "flight":
        airline = _inner(what, "airline") or _inner(what, "provider")
        code = _said(airline, "iataCode")
        number = _said(what, "flightNumber")
        flight = number if number.upper().startswith(code.upper()) and code else f"{code} {number}".strip()
        ends = [_inner(what, f"{name}Airport") for name in ("departure", "arrival")]
        places = [_said(end, "iataCode") or _said(end, "name") for end in ends]
        return f"Flight {flight} {places[0]} → {places[1]}".replace("  ", " "), places[0], places[1]
    if kind in ("train", "bus"):
        stop = "Station" if kind == "train" else "BusStop"
        number = _said(what, "trainNumber", "busNumber", "trainName", "busName")
        places = [_said(_inner(what, f"{name}{stop}"), "name") for name in ("departure", "arrival")]
        return f"{kind.capitalize()} {number} {places[0]} → {places[1]}".replace("  ", " "), places[0], places[1]
    where = _address(what) or _address(_inner(what, "location")) or _address(_inner(item, "pickupLocation"))
    last = _address(_inner(item, "dropoffLocation")) or where
    return _said(what, "name"), where, last


def _address(item: Item) -> str:
    address = item.get("address")
    if isinstance(address, str):
        return short(address)
    inner = _inner(item, "address")
    country = _said(_inner(inner, "addressCountry"), "name") or _said(inner, "addressCountry")
    parts = (_said(inner, "streetAddress"), _said(inner, "addressLocality"), country)
    return ", ".join(part for part in parts if part) or _said(item, "iataCode")


def _type(item: Item) -> str:
    given = item.get("@type", "")
    given = given[0] if isinstance(given, list) and given else given
    return str(given).rstrip("/").rpartition("/")[2].rpartition(":")[2] if isinstance(given, str) else ""


def _inner(item: Item, name: str) -> Item:
    value = item.get(name)
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, dict) else {}


def _said(item: Item, *names: str) -> str:
    for name in names:
        value = item.get(name)
        value = value[0] if isinstance(value, list) and value else value
        value = value.get("@value", "") if isinstance(value, dict) else value
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return short(str(value))
    return ""


def short(text: str) -> str:
    """Text on one line, without control characters, of at most 200 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_TEXT]).split())[:MAX_TEXT]


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
