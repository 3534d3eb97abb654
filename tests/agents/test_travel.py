"""The travel agent over the calendar agent: where to leave for, when, and what is too tight."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pea import Runtime
from pea.agents._itinerary import Itinerary
from pea.agents.calendar import Calendar
from pea.agents.travel import Travel
from pea.config import load
from tests.agents.test_calendar import event

BERLIN = ZoneInfo("Europe/Berlin")
TIMED = "BEGIN:VEVENT\nUID:{0}\nDTSTART;TZID={1}\nDTEND;TZID={2}\nSUMMARY:{0}\nLOCATION:{3}\nEND:VEVENT\n"
OUT = TIMED.format(
    "Flight XA 418 BER → ZRH", "Europe/Berlin:20260512T191000", "Europe/Zurich:20260512T204000", "Berlin Airport (BER)"
)
ON = TIMED.format(
    "Flight XA 732 ZRH → LHR", "Europe/Zurich:20260513T190500", "Europe/London:20260513T195500", "Zürich Airport (ZRH)"
)


async def itinerary(tmp_path: Path, *events: str, home: str = "Berlin", **arguments) -> Itinerary:
    (tmp_path / "calendars").mkdir(exist_ok=True)
    (tmp_path / "calendars" / "work.ics").write_text("BEGIN:VCALENDAR\n" + "".join(events) + "END:VCALENDAR\n")
    settings = load(
        environ={},
        overrides={
            "workspace": str(tmp_path),
            "state": str(tmp_path / "state"),
            "today": "2026-05-12",
            "user.timezone": "Europe/Berlin",
            "user.home": home,
            "user.country": "DE",
        },
    )
    async with Runtime(settings, agents=[Calendar(), Travel()]) as runtime:
        return await runtime.call("travel.itinerary", **arguments)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=BERLIN)


async def test_a_day_at_the_office_needs_no_travel(tmp_path):
    """Rooms, calls and links lead nowhere."""
    found = await itinerary(
        tmp_path,
        event("1", "12 0900", "12 1000", "A", "LOCATION:Room 4"),
        event("2", "12 1000", "12 1100", "B", "LOCATION:https://zoom.us/j/1"),
        event("3", "12 1100", "12 1200", "C", "LOCATION:Room 2"),
        event("4", "12 1300", "12 1400", "D"),
    )
    assert found.legs == ()
    assert found.text.startswith("No journeys; you are in Berlin.")
    assert found.unplaced == ("Room 4", "Room 2")


async def test_ways_between_places_have_buffers(tmp_path):
    """Across town and to the next city: when to leave, and a warning when the entry before ends too late."""
    found = await itinerary(
        tmp_path,
        event("1", "12 0900", "12 1000", "Stand-up", "LOCATION:Room 4"),
        event("2", "12 1445", "12 1530", "Rehearsal", "LOCATION:Torstraße 140\\, Berlin"),
        event("3", "12 1545", "12 1630", "Test rig", "LOCATION:Telegrafenberg 12\\, Potsdam\\, Germany"),
    )
    town, potsdam = found.legs
    assert (town.mode, town.minutes, town.leave_by, town.spare_minutes) == ("local", 30, at(12, 14, 15), 255)
    assert (potsdam.mode, potsdam.minutes, potsdam.leave_by) == ("ground", 62, at(12, 14, 43))
    assert potsdam.spare_minutes == -47
    assert potsdam.warnings == ("Rehearsal ends at 15:30, 47 min too late",)


async def test_a_flight_is_left_for_in_time(tmp_path):
    """A booked flight: the way to the airport and the time before departure; arrival where its title says."""
    found = await itinerary(tmp_path, event("1", "12 1545", "12 1630", "Rig", "LOCATION:Potsdam\\, Germany"), OUT)
    flight = found.legs[-1]
    assert (flight.booked, flight.mode, flight.start_place) == (True, "air", "Berlin Brandenburg Airport (BER)")
    assert flight.end_place == "Zurich Airport (ZRH)"
    assert (flight.start, flight.arrive, flight.leave_by) == (at(12, 19, 10), at(12, 20, 40), at(12, 16, 33))
    assert flight.warnings == ()
    assert found.zones == ()


async def test_the_next_day_begins_where_the_last_journey_ended(tmp_path):
    """After a flight to Zürich the morning begins there, though it is asked about alone."""
    found = await itinerary(
        tmp_path,
        OUT,
        event("1", "13 0930", "13 1200", "Steering", "LOCATION:Hardturmstrasse 20\\, Zürich\\, Switzerland"),
        day=date(2026, 5, 13),
    )
    assert found.starts_at == "Zurich"
    (leg,) = found.legs
    assert (leg.mode, leg.minutes, leg.warnings) == ("local", 30, ())


async def test_clocks_that_differ_are_explained(tmp_path):
    """Arrival is told in local time and one's own, and what the clocks do is said in words."""
    found = await itinerary(tmp_path, OUT, ON, day="2026-05-13")
    (flight,) = found.legs
    assert "departs 19:05, arrives 19:55 local time (20:55 your time)" in flight.details
    (change,) = found.zones
    assert (change.zone, change.hours, change.text) == (
        "Europe/London",
        -1.0,
        "in London it is 1 hour earlier than in Berlin",
    )


async def test_a_call_on_the_way_is_warned_of(tmp_path):
    """An online meeting that is on when one must leave for the airport is named."""
    call = event("1", "12 1700", "12 1730", "Weekly call", "LOCATION:Zoom")
    found = await itinerary(tmp_path, call, OUT)
    assert found.legs[0].warnings == ("Weekly call is on until 17:30, while you are on the way",)


async def test_a_far_place_without_a_journey_is_noticed(tmp_path):
    """A meeting in another country with no flight in the calendar is the first thing to say."""
    found = await itinerary(tmp_path, event("1", "12 1400", "12 1500", "Visit", "LOCATION:London\\, United Kingdom"))
    (leg,) = found.legs
    assert leg.warnings == ("no flight or train from Berlin to London is in the calendar",)


@pytest.mark.parametrize(
    ("title", "route"),
    [
        ("Train N 505 Berlin → München", ("Berlin", "Munich")),
        ("ICE 705 to Hamburg", ("Berlin", "Hamburg")),
        (
            "Flight LH 123 FRA-JFK",
            ("Frankfurt am Main International Airport (FRA)", "John F Kennedy International Airport (JFK)"),
        ),
        ("Zug von Leipzig nach Dresden", ("Leipzig", "Dresden")),
    ],
)
async def test_routes_are_read_from_titles(tmp_path, title, route):
    """A journey's two ends are in its title, or its start in the location."""
    found = await itinerary(
        tmp_path, event("1", "12 1400", "12 1700", title, "LOCATION:Berlin Hauptbahnhof\\, Germany")
    )
    (leg,) = found.legs
    assert (leg.start_place, leg.end_place) == route


@pytest.mark.parametrize("title", ["Budget → forecast", "Drive the change", "Train the trainers", "Bus factor review"])
async def test_words_are_no_routes(tmp_path, title):
    """An arrow or a word of travel in a title does not make a journey."""
    found = await itinerary(tmp_path, event("1", "12 1400", "12 1500", title, "LOCATION:Room 4"))
    assert found.legs == ()


async def test_without_a_home_the_way_to_the_first_place_is_not_counted(tmp_path):
    """Home not set, or not known: it is said, and the rest is worked out."""
    meetings = (
        event("1", "12 0900", "12 1000", "A", "LOCATION:Berlin"),
        event("2", "12 1400", "12 1500", "B", "LOCATION:Potsdam"),
    )
    found = await itinerary(tmp_path, *meetings, home="")
    assert [leg.what for leg in found.legs] == ["To B"]
    assert "user.home" in found.warnings[0]
    unknown = await itinerary(tmp_path, *meetings, home="Nowhere at all")
    assert "no place called 'Nowhere at all' is known" in unknown.warnings[0]


async def test_the_answer_is_plain_data(tmp_path):
    """An itinerary can be sent as JSON and read back the same."""
    found = await itinerary(tmp_path, OUT, ON, days=3)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Itinerary) == found
    assert found.sources.read == 1
