"""Bookings beside the calendar, connections, nights without a bed, papers that end, and a plan against jet lag."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from pea import PeaError, Runtime
from pea.agents._jetlag import stay
from pea.agents.calendar import Calendar
from pea.agents.travel import Travel
from pea.config import load
from tests.agents.test_calendar import event


def flight(number: str, start: str, end: str, route: str, **more: object) -> dict[str, object]:
    here, there = route.split("-")
    return {
        "@type": "FlightReservation",
        "reservationNumber": f"R{number}",
        "reservationFor": {
            "flightNumber": number, "airline": {"iataCode": "XA"},
            "departureAirport": {"iataCode": here}, "departureTime": start,
            "arrivalAirport": {"iataCode": there}, "arrivalTime": end,
        },
        **more,
    }  # fmt: skip


def hotel(first: str, last: str) -> dict[str, object]:
    where = {"name": "Hotel Havn", "address": {"addressLocality": "Copenhagen", "addressCountry": "DK"}}
    return {"@type": "LodgingReservation", "reservationFor": where, "checkinTime": first, "checkoutTime": last}


@asynccontextmanager
async def travelling(tmp_path, *booked: dict[str, object], events: tuple[str, ...] = (), profile: str = ""):
    for folder in ("calendars", "mail"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "calendars/work.ics").write_text("BEGIN:VCALENDAR\n" + "".join(events) + "END:VCALENDAR\n")
    for number, one in enumerate(booked):
        html = f'<script type="application/ld+json">{json.dumps(one)}</script>'
        head = (
            f"From: air@x.example\r\nMessage-ID: <{number}@x>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
        )
        (tmp_path / f"mail/{number}.eml").write_text(head + html, newline="")
    if profile:
        (tmp_path / "profile.yaml").write_text(profile)
    overrides = {
        "workspace": str(tmp_path), "state": str(tmp_path / "state"), "today": "2026-05-12T07:30",
        "user.timezone": "Europe/Berlin", "user.home": "Berlin", "user.country": "DE", "user.name": "Nora Brandt",
    }  # fmt: skip
    async with Runtime(load(environ={}, overrides=overrides), agents=[Calendar(), Travel()]) as runtime:
        yield runtime


OUT = flight("110", "2026-05-20T07:00+02:00", "2026-05-20T08:00+02:00", "BER-CPH")
BACK = flight("111", "2026-05-22T18:00+02:00", "2026-05-22T19:00+02:00", "CPH-BER")


async def test_a_booking_is_held_against_the_calendar(tmp_path):
    """One stands there, one at another time, one not at all."""
    events = (
        event("1", "20 0700", "20 0800", "Flight XA 110 BER → CPH"),
        event("2", "22 1700", "22 1800", "Flight XA 111 CPH → BER"),
    )
    booked = (OUT, BACK, hotel("2026-05-20T15:00", "2026-05-22T10:00"))
    async with travelling(tmp_path, *booked, events=events) as runtime:
        found = await runtime.call("travel.bookings")
    assert [(b.kind, b.standing) for b in found.bookings] == [
        ("flight", "in the calendar"),
        ("hotel", "not in the calendar"),
        ("flight", "at another time in the calendar"),
    ]
    assert found.bookings[1].start == datetime(2026, 5, 20, 15, tzinfo=ZoneInfo("Europe/Copenhagen"))
    assert found.warnings == ()
    assert found.sources.read == 4


async def test_a_night_without_a_bed_and_a_name_that_is_not_the_user_s_are_warned_of(tmp_path):
    """The nights between two journeys need a hotel that covers them."""
    out = {**OUT, "underName": {"name": "Peter Otto"}}
    async with travelling(tmp_path, out, BACK, hotel("2026-05-20T15:00", "2026-05-21T10:00")) as runtime:
        found = await runtime.call("travel.bookings")
    assert found.warnings == ("no bed is booked in Copenhagen for the night of Thu 21 May",)
    assert found.bookings[0].warnings == ("it is made out to Peter Otto, not to Nora Brandt",)


async def test_connections_are_checked(tmp_path):
    """Too short at one airport; from one airport to another; before the first has landed."""
    onward = flight("7", "2026-05-20T08:40+02:00", "2026-05-20T10:00+02:00", "CPH-LHR")
    other = flight("8", "2026-05-20T10:30+01:00", "2026-05-20T13:30+01:00", "LGW-DUB")
    early = flight("9", "2026-05-20T13:00+01:00", "2026-05-20T15:00+01:00", "DUB-BER")
    async with travelling(tmp_path, OUT, onward, other, early) as runtime:
        found = await runtime.call("travel.bookings")
    first, second, third = found.warnings[:3]
    assert "there are 40 min, 90 are needed" in first
    assert "from London Heathrow" in second or "Heathrow" in second
    assert third == "Flight XA 9 DUB → BER departs 30 min before Flight XA 8 LGW → DUB arrives"


async def test_a_cancelled_booking_that_is_still_planned_is_warned_of(tmp_path):
    """A later mail about the same booking counts."""
    gone = {**OUT, "reservationStatus": "https://schema.org/ReservationCancelled"}
    planned = (event("1", "20 0700", "20 0800", "Flight XA 110 BER → CPH"),)
    async with travelling(tmp_path, OUT, gone, events=planned) as runtime:
        (found,) = (await runtime.call("travel.bookings")).bookings
    assert found.standing == "cancelled"
    assert found.warnings == ("it is cancelled, but Flight XA 110 BER → CPH is still in your calendar",)


PAPERS = """
passports: [{country: DE, expires: 2026-09-01}]
visas: [{country: US, kind: ESTA, expires: 2026-05-21}]
"""
ABROAD = (
    event("1", "20 0900", "20 1800", "Flight XA 1 BER → JFK"),
    event("2", "25 1800", "25 2200", "Flight XA 2 JFK → BER"),
    event("3", "27 0900", "27 1100", "Train to Wien", "LOCATION:Berlin"),
    event("4", "28 0900", "28 1100", "Train Wien → Berlin"),
)


async def test_papers_are_held_against_the_journeys(tmp_path):
    """Six months beyond a stay where that is usual, a visa's last day, and free movement at home in Europe."""
    async with travelling(tmp_path, events=ABROAD, profile=PAPERS) as runtime:
        found = await runtime.call("travel.papers")
    america, austria = found.visits
    assert (america.country, america.first, america.last, america.ok) == (
        "US", date(2026, 5, 20), date(2026, 5, 25), False,
    )  # fmt: skip
    assert "less than 6 months beyond" in america.findings[0]
    assert america.findings[1] == "the ESTA ends on 21 May 2026, before the journey does"
    assert (austria.country, austria.ok) == ("AT", True)
    assert [told[:10] for told in found.ending] == ["the ESTA o", "the passpo"]


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ("passports: [{country: Germany, expires: 2026-09-01}]", "country"),
        ("passports: [{country: DE, expires: 2026-02-30}]", r"profile\.yaml: it is not YAML"),
        ("passports: [", r"profile\.yaml: it is not YAML"),
    ],
)
async def test_a_profile_with_a_mistake_names_it(tmp_path, profile, named):
    """The field is named, or the file where it is no YAML, and nothing is guessed."""
    async with travelling(tmp_path, profile=profile) as runtime:
        with pytest.raises(PeaError, match=named):
            await runtime.call("travel.papers")


@pytest.mark.parametrize(
    ("hours", "nights", "direction", "days"),
    [
        (2, 9, "none", 0),
        (6, 2, "none", 0),
        (6, 9, "earlier", 6),
        (-6, 9, "later", 4),
        (9, 20, "later", 10),
        (-9, 3, "later", 3),
    ],
)
def test_the_plan_follows_the_stated_method(hours, nights, direction, days):
    """An hour a day to the east, one and a half to the west; more than eight to the east goes the other way round."""
    arrive = datetime(2026, 5, 20, 12, tzinfo=ZoneInfo("UTC"))
    plan = stay("there", arrive, arrive.replace(day=20 + nights) if nights < 11 else None, hours, (time(23), time(7)))
    assert (plan.direction, len(plan.days)) == (direction, days)


def test_the_first_day_s_hours_are_the_body_s_own():
    """Six hours to the east: the body's night is 05:00 to 13:00 there, its low point at 10:00, light after that."""
    arrive = datetime(2026, 5, 20, 12, tzinfo=ZoneInfo("UTC"))
    first = stay("there", arrive, None, 6, (time(23), time(7))).days[0]
    assert (first.sleep, first.seek_light, first.avoid_light) == (
        "05:00\N{EN DASH}13:00", "10:00\N{EN DASH}13:00", "07:00\N{EN DASH}10:00",
    )  # fmt: skip


async def test_jet_lag_is_planned_from_the_calendar(tmp_path):
    """New York is six hours behind Berlin; the plan ends with the stay."""
    async with travelling(tmp_path, events=ABROAD) as runtime:
        found = await runtime.call("travel.jetlag")
    assert [(one.hours, one.direction, len(one.days)) for one in found.stays] == [(-6.0, "later", 4)]
