"""Times for several people: everybody's clocks, working weeks, holidays and what is taken."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.agents._culture_days import day_off
from pea.agents._hours import Diary
from pea.agents._slots import slots_of
from tests.agents.test_calendar import event, running


def diary(who: str, zone: str, country: str = "", busy=()) -> Diary:
    return Diary(who, zone, country, time(9), time(17), busy)


async def test_the_hours_that_overlap_are_found(tmp_path):
    """Berlin and New York share 15:00 to 17:00 by Berlin's clocks; what the user has is left out."""
    async with running(tmp_path, event("1", "12 1500", "12 1600", "Board")) as runtime:
        people = [{"name": "Emily", "zone": "America/New_York"}]
        found = await runtime.call("calendar.find_slot", people=people, minutes=60, days=1, closes="17:00")
    assert found.slots[0].start.strftime("%H:%M") == "16:00"
    assert found.slots[0].cost == 0
    assert [p.start.strftime("%H:%M") for p in found.slots[0].people] == ["16:00", "10:00"]
    assert found.blocked["you are taken"] > 0


async def test_a_contact_brings_their_zone_and_an_unknown_person_is_said(tmp_path):
    """The address book knows where somebody is; of whom nothing is known, that is said."""
    (tmp_path / "contacts").mkdir()
    card = "BEGIN:VCARD\nVERSION:4.0\nFN:Emily\nEMAIL:e@x.example\nTZ:America/New_York\nEND:VCARD\n"
    (tmp_path / "contacts/a.vcf").write_text(card)
    async with running(tmp_path) as runtime:
        found = await runtime.call("calendar.find_slot", people=["e@x.example", "who@x.example"], days=1)
    assert found.slots[0].people[1].start.utcoffset() == timedelta(hours=-4)
    assert found.assumed == (
        "who@x.example's time zone is not known: yours is taken",
        "what e@x.example, who@x.example may have on is not known; calendars go into calendars/people/ADDRESS.ics",
    )


@pytest.mark.parametrize("name", ["America/New_York", "america/new_york", "Eastern Standard Time"])
async def test_a_zone_is_known_by_any_of_its_names(tmp_path, name):
    """As a calendar's are: in any case, and as Windows calls it."""
    async with running(tmp_path) as runtime:
        found = await runtime.call("calendar.find_slot", people=[{"name": "Emily", "zone": name}], days=1)
    assert found.slots[0].people[1].start.utcoffset() == timedelta(hours=-4)


@pytest.mark.parametrize(
    ("day", "country", "why"),
    [
        (date(2026, 5, 15), "", ""),
        (date(2026, 5, 15), "AE", ""),
        (date(2026, 5, 15), "SA", "a Friday"),
        (date(2026, 5, 17), "SA", ""),
        (date(2026, 5, 17), "IN", "a Sunday"),
        (date(2026, 5, 16), "UG", ""),
        (date(2026, 5, 14), "DE", "Ascension Day"),
        (date(2026, 5, 14), "GB", ""),
        (date(2026, 5, 14), "XX", ""),
    ],
)
def test_the_working_week_is_the_country_s(day, country, why):
    """Weekends and public holidays differ."""
    assert day_off(day, country) == why


def test_a_day_in_spring_has_its_hours_by_each_side_s_clocks():
    """Between the changes of daylight saving time New York is five hours away, not six."""
    start = datetime(2026, 3, 17, tzinfo=UTC)
    people = [diary("a", "Europe/Berlin"), diary("b", "America/New_York")]
    best, _, _ = slots_of(people, [], start, start + timedelta(days=1), minutes=60, count=1)
    assert best[0].start.astimezone(UTC).hour == 13  # 14:00 in Berlin is 9:00 in New York


@given(
    st.lists(
        st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata"]), min_size=1, max_size=4
    ),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), max_size=6),
    st.integers(15, 120),
)
@settings(max_examples=25, deadline=None)
def test_no_slot_is_one_that_somebody_required_has_taken(zones, taken, minutes):
    """Slots lie within the time asked for, overlap neither each other nor anybody's busy time, cheapest first."""
    start = datetime(2026, 5, 11, tzinfo=UTC)
    end = start + timedelta(days=3)
    busy = tuple((start + timedelta(hours=at), start + timedelta(hours=at + length)) for at, length in taken)
    people = [diary(str(n), zone, busy=busy) for n, zone in enumerate(zones)]
    best, tried, blocked = slots_of(people, [], start, end, minutes=minutes, count=5)
    assert sum(blocked.values()) <= tried
    assert [m.cost for m in best] == sorted(m.cost for m in best)
    for number, meet in enumerate(best):
        assert start <= meet.start < meet.end <= end
        assert all(meet.end <= a or meet.start >= b for a, b in busy)
        assert all(meet.end <= other.start or meet.start >= other.end for other in best[:number])
