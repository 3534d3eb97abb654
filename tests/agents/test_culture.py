"""The culture agent: weekends, holidays and clocks of where people are; names in their own order; reasons with each."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import Agent, InputError, Runtime
from pea.agents._culture_check import Guest, Meeting, check_meeting, trouble_of
from pea.agents._culture_days import bridges, common_days, day_off, holidays_between, weekend
from pea.agents._names import split_name
from pea.agents._whereabouts import Whereabouts, whereabouts
from pea.agents.calendar import Calendar
from pea.agents.culture import Culture
from pea.config import load
from pea.workspace.calendars import Calendars
from pea.workspace.contacts import Contact
from pea.workspace.customs import own, shipped
from pea.workspace.files import Unreadable
from tests.absent import needs
from tests.agents.office import PUBLIC, SAMPLE, ask

BERLIN = ZoneInfo("Europe/Berlin")
YEARS = (datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01"))


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, Culture, capability, **arguments)


async def both(workspace: Path, state: Path, capability: str, **arguments: Any) -> Any:
    agents: list[Agent] = [Calendar(), Culture()]
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin", "user.country": "DE"}
    told = load(config if config.exists() else None, environ={}, overrides=overrides)
    async with Runtime(told, agents=agents) as runtime:
        return await runtime.call(capability, **arguments)


@pytest.mark.parametrize(
    ("country", "days"),
    [("DE", {5, 6}), ("US", {5, 6}), ("IL", {4, 5}), ("SA", {4, 5}), ("AE", {5, 6}), ("IR", {4}), ("ZZ", {5, 6})],
)
def test_weekends_are_those_of_the_country(country: str, days: set[int]) -> None:
    """By CLDR; a country that it does not know rests on Saturday and Sunday."""
    assert weekend(country) == days


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("DE", date(2026, 5, 14), "Ascension Day"),
        ("US", date(2026, 11, 26), "Thanksgiving Day"),
        ("JP", date(2026, 5, 6), "Substitute Holiday"),
        ("GB", date(2026, 5, 25), "Spring Bank Holiday"),
        ("FR", date(2026, 7, 14), "National Day"),
        ("DE", date(2026, 5, 16), "a Saturday"),
        ("IL", date(2026, 5, 17), ""),  # a Sunday, which is a working day there
    ],
)
def test_days_off_as_governments_publish_them(country: str, day: date, name: str) -> None:
    """Public holidays of 2026 and plain weekends."""
    assert day_off(day, country) == name


def test_a_bridge_day_lies_between_a_holiday_and_a_weekend() -> None:
    """The Friday after Ascension Day; a Monday between two holidays counts too."""
    found = bridges("DE", date(2026, 5, 1), date(2026, 5, 31))
    assert [one.day for one in found] == [date(2026, 5, 15)]


def test_common_days_are_worked_in_every_country() -> None:
    """Ten weekdays in Germany and Israel are eight: neither Fridays nor Sundays are common."""
    worked, lost, by_whom = common_days(["DE", "IL"], date(2026, 6, 1), date(2026, 6, 14))
    days = [date(2026, 6, 1) + timedelta(days=n) for n in range(14)]
    assert worked == sum(not day_off(day, "DE") and not day_off(day, "IL") for day in days) == 8
    assert date(2026, 6, 5) in lost
    assert dict(by_whom)["IL"] >= 2


@pytest.mark.parametrize(
    ("text", "family_first", "expected"),
    [
        ("Daniel Ott", False, ("Daniel", "Ott")),
        ("Dr. Ada von der Heide", False, ("Ada", "von der Heide")),
        ("Yamada Taro", True, ("Taro", "Yamada")),
        ("Ott, Daniel", False, ("Daniel", "Ott")),
        ("Ott, Daniel", True, ("Daniel", "Ott")),
        ("Suharto", False, ("Suharto", "Suharto")),
        ("Prof. Dr. Meier", False, ("Meier", "Meier")),
        ("", False, ("", "")),
        (", Daniel", False, ("Daniel", "Daniel")),
    ],
)
def test_names_in_their_parts(text: str, family_first: bool, expected: tuple[str, str]) -> None:
    """Titles, particles, commas, the order of the country, single names."""
    name = split_name(text, family_first=family_first)
    assert (name.given, name.family) == expected


@given(st.text(max_size=80), st.booleans())
def test_any_name_can_be_split(text: str, family_first: bool) -> None:
    """Whatever an address book holds, there are two parts of it and no error."""
    name = split_name(text, family_first=family_first)
    assert name.full == "" or (name.given and name.family)


@pytest.mark.parametrize(
    ("contact", "country", "why"),
    [
        (Contact("A", address=";;;Hamburg;;;", phones=("+44 20 5550 1",)), "DE", "address"),
        (Contact("B", phones=("+41 44 555 41 01",)), "CH", "telephone"),
        (Contact("C", phones=("+1 416 555 0199",)), "CA", "telephone"),
        (Contact("D", emails=("d@firm.co.jp",)), "JP", ".jp"),
        (Contact("E", emails=("e@firm.io",), phones=("030 1234",)), "", "nothing"),
        (Contact("F", zone="Asia/Tokyo"), "", "card says"),
    ],
)
def test_where_somebody_is_goes_by_what_is_surest(contact: Contact, country: str, why: str) -> None:
    """Address before telephone before domain; a fashionable domain is no country."""
    found = whereabouts(contact)
    assert found.country == country
    assert why in found.why


def test_a_meeting_is_judged_by_each_guests_own_clock() -> None:
    """10:00 in Berlin is 04:00 in New York and within hours in London; winter time differs for three weeks."""
    customs = shipped()
    new_york = Guest("N", "", Whereabouts("US", "America/New_York", "test"))
    at = datetime(2026, 5, 12, 10, tzinfo=BERLIN)
    trouble = trouble_of(new_york, at, at + timedelta(hours=1), customs)
    assert trouble is not None
    assert (trouble.severity, trouble.local) == ("night", "Tue 04:00")
    # Between 8 March and 29 March 2026 New York is five hours behind Berlin, not six.
    five = datetime(2026, 3, 16, 14, tzinfo=BERLIN)
    six = datetime(2026, 4, 13, 14, tzinfo=BERLIN)
    assert trouble_of(new_york, five, five + timedelta(hours=1), customs) is None
    late = trouble_of(new_york, six, six + timedelta(hours=1), customs)
    assert late is not None
    assert late.severity == "outside hours"


def test_the_better_time_troubles_fewer() -> None:
    """Berlin and New York share two hours of the afternoon; the proposal lies in them."""
    me = Guest("you", "", Whereabouts("DE", "Europe/Berlin", "test"))
    guest = Guest("N", "", Whereabouts("US", "America/New_York", "test"))
    start = datetime(2026, 5, 12, 9, tzinfo=BERLIN)
    found = check_meeting(Meeting("Call", start, start + timedelta(hours=1), (guest,)), me, shipped())
    assert found is not None
    assert found.better is not None
    assert found.better.hour in (15, 16)
    assert found.better_why == "it suits everybody"


def test_a_meal_is_not_in_the_way_of_lunch() -> None:
    """A lunch at lunchtime is as it should be, a review is not."""
    me = Guest("you", "", Whereabouts("DE", "Europe/Berlin", "test"))
    guest = Guest("C", "", Whereabouts("FR", "Europe/Paris", "test"))
    start = datetime(2026, 5, 12, 13, tzinfo=BERLIN)
    assert check_meeting(Meeting("Lunch with C", start, start + timedelta(hours=1), (guest,)), me, shipped()) is None
    found = check_meeting(Meeting("Review", start, start + timedelta(hours=1), (guest,)), me, shipped())
    assert found is not None
    assert found.troubles[0].severity == "lunch"


@given(st.datetimes(*YEARS), st.integers(1, 3_000), st.sampled_from(["JP", "IL", "BR"]))
@settings(max_examples=40, deadline=None)
def test_any_moment_can_be_checked(start: datetime, minutes: int, country: str) -> None:
    """No moment, and no length, raises; what is found names somebody and a reason."""
    me = Guest("you", "", Whereabouts("DE", "Europe/Berlin", "test"))
    guest = Guest("X", "", Whereabouts(country, "Asia/Tokyo", "test"))
    at = start.replace(tzinfo=BERLIN)
    found = check_meeting(Meeting("M", at, at + timedelta(minutes=minutes), (guest,)), me, shipped())
    assert found is None or all(one.reason for one in found.troubles)


def test_brief_of_a_person(call: Any) -> None:
    """Where they are and why that is believed, their clock, the next holiday and whether the user shares it."""
    told = call("culture.brief", person="Claire Dubois")
    assert (told.country, told.zone, told.currency) == ("CH", "Europe/Zurich", "CHF")
    assert told.why == "their address is in Zurich"
    assert (told.next_holidays[0].name, told.next_holidays[0].day) == ("Ascension Day", date(2026, 5, 14))
    assert told.forms.number == "1\u2019234\u2019567.89"
    assert told.overlap_minutes == 510


def test_a_country_that_is_none_is_refused(call: Any) -> None:
    """The error names the field and what to write."""
    with pytest.raises(InputError, match="XX is no country"):
        call("culture.brief", country="XX")
    with pytest.raises(InputError, match="did you mean 'Claire Dubois'"):
        call("culture.brief", person="Clare Duboi")


def test_address_in_the_form_of_the_country(call: Any) -> None:
    """First names in London; in Tokyo the family name first, formally, in Japanese."""
    assert call("culture.address", person="Daniel Ott").salutation == "Hello Daniel,"
    told = call("culture.address", person="Yamada Taro", country="JP")
    assert (told.formal, told.family, told.salutation_formal) == (True, "Yamada", "Yamada様")
    assert (
        call("culture.address", person="Yamada Taro", country="JP", language="en").salutation_formal
        == "Dear Yamada Taro,"
    )


def test_own_customs_lie_over_the_shipped_field_by_field(tmp_path: Path) -> None:
    """One field changes, the others stay; a mistake is named; no template reaches into objects."""
    path = tmp_path / "customs.yaml"
    path.write_text("countries: {JP: {opens: '10:00'}}\nlanguages: {en: {formal: 'Dear {full.__class__} {full}'}}\n")
    made = own(path)
    assert (made.countries["JP"].opens, made.countries["JP"].apology) == ("10:00", "first")
    from pea.agents._culture_brief import fill

    assert fill(made.languages["en"].formal, "A B", "A", "B") == "Dear {full.__class__} A B"
    path.write_text("countries: {JP: {opens: 'ten'}}\n")
    with pytest.raises(Unreadable, match="countries"):
        own(path)


async def test_check_on_the_sample_fortnight(kept: Path) -> None:
    """The interview on Ascension Day is found with its reason; lunches at lunchtime are not called wrong."""
    told = await both(SAMPLE, kept, "culture.check", days=14)
    titles = {one.title: one for one in told.found}
    interview = titles["Interview with Energie Heute"]
    assert {(t.severity, t.reason) for t in interview.troubles} == {("holiday", "Ascension Day in DE")}
    assert not any(title.startswith("Lunch") for title in titles)
    assert told.checked == told.meetings > 20


@needs(PUBLIC)
async def test_public_calendars(tmp_path: Path) -> None:
    """158 calendars nobody wrote for PEA: every meeting with guests in a month is checked or its guests are named."""
    import shutil

    (tmp_path / "calendars").mkdir()
    for path in PUBLIC.glob("icalendar/*.ics"):
        shutil.copy(path, tmp_path / "calendars" / path.name)
    calendars = Calendars(tmp_path)
    calendars.refresh()
    told = await both(tmp_path, tmp_path / "state", "culture.check", day=date(2005, 1, 1), days=60)
    assert told.sources.read >= 120
    assert told.sources.refused_count >= 1
    assert told.checked <= told.meetings


def test_every_holiday_calendar_answers() -> None:
    """All countries that the library knows, in a leap year and in the year after: days in order, within the span."""
    import holidays

    count = 0
    for country in sorted(holidays.list_supported_countries())[::7]:
        found = holidays_between(country, date(2028, 1, 1), date(2029, 12, 31))
        assert [one.day for one in found] == sorted(one.day for one in found)
        count += len(found)
    assert count > 500
