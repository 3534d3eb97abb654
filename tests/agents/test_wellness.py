"""The wellness agent: time counted once and as it passes, breaks and rests by stated lines, trends of own weeks."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import InputError, Runtime
from pea.agents._agenda import Entry
from pea.agents._wellness_advice import suggest
from pea.agents._wellness_desk import after_hours, meetings_of
from pea.agents._wellness_load import Hours, Meeting, chains_of, day_load, gaps, line, minutes, union, week_load
from pea.agents.calendar import Calendar
from pea.agents.wellness import Wellness
from pea.config import load
from pea.workspace.calendars import Attendee
from pea.workspace.files import SourceReport
from tests.absent import needs
from tests.agents.office import PUBLIC, SAMPLE

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 5, 18)


def weekend(day: date) -> str:
    return f"a {day:%A}" if day.weekday() > 4 else ""


HOURS = Hours(time(9), time(18), BERLIN, weekend)


def at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), BERLIN)


def meeting(start: str, end: str, day: date = MONDAY, **more: Any) -> Meeting:
    return Meeting(f"{start}", at(day, start), at(day, end), **{"others": 3, **more})


def ask(workspace: Path, state: Path, capability: str, **arguments: Any) -> Any:
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin"}
    told = load(config if config.exists() else None, environ={}, overrides=overrides)

    async def once() -> Any:
        async with Runtime(told, agents=[Calendar(), Wellness()]) as runtime:
            return await runtime.call(capability, **arguments)

    return asyncio.run(once())


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, capability, **arguments)


def test_overlapping_meetings_count_once() -> None:
    """Two of an hour that overlap by half are an hour and a half."""
    load = day_load(MONDAY, [meeting("10:00", "11:00"), meeting("10:30", "11:30")], (), HOURS, None)
    assert (load.meetings, load.meeting_minutes) == (2, 90)


def test_less_than_ten_minutes_is_no_break() -> None:
    """Three in a row are a chain; ten minutes between break it."""
    row = [meeting("09:00", "10:00"), meeting("10:05", "11:00"), meeting("11:00", "12:00")]
    assert [chain.meetings for chain in chains_of(row)] == [3]
    broken = [meeting("09:00", "10:00"), meeting("10:10", "11:00"), meeting("11:10", "12:00")]
    assert [chain.meetings for chain in chains_of(broken)] == [1, 1, 1]
    assert day_load(MONDAY, row, (), HOURS, None).chains[0].meetings == 3


def test_focus_lunch_and_after_hours() -> None:
    """A free stretch of ninety minutes within hours; what is after six is after hours."""
    load = day_load(
        MONDAY, [meeting("09:00", "12:00"), meeting("13:00", "15:00"), meeting("17:30", "19:00")], (), HOURS, None
    )
    assert [(f"{f.start:%H:%M}", f.minutes) for f in load.focus] == [("15:00", 150)]
    assert (load.lunch_minutes, load.after_hours_minutes) == (60, 60)


def test_a_rest_is_eleven_hours() -> None:
    """From a mail at 23:30 to a meeting at 08:00 are eight and a half."""
    sent = [at(MONDAY, "23:30")]
    early = meeting("08:00", "09:00", MONDAY + timedelta(days=1))
    week = week_load(MONDAY, [early], sent, HOURS)
    assert (week.days[1].rest_h, week.short_rests, week.mails_after_hours) == (8.5, 1, 1)


@pytest.mark.parametrize(
    ("day", "rest"), [(date(2026, 3, 28), 9.0), (date(2026, 10, 24), 11.0), (date(2026, 5, 23), 10.0)]
)
def test_a_night_of_a_clock_change_is_shorter_or_longer(day: date, rest: float) -> None:
    """From 22:00 to 08:00 are nine hours in March, eleven in October, ten otherwise."""
    after = day + timedelta(days=1)
    load = day_load(after, [meeting("08:00", "09:00", after)], (), HOURS, at(day, "22:00"))
    assert load.rest_h == rest


def test_a_meeting_through_a_clock_change_lasts_as_it_passes() -> None:
    """From 01:00 to 04:00 in the night of 29 March 2026 are two hours."""
    night = date(2026, 3, 29)
    assert day_load(night, [meeting("01:00", "04:00", night)], (), HOURS, None).meeting_minutes == 120


def test_hours_are_the_users_own() -> None:
    """A mail at 23:00 in New York is one at 05:00 in Berlin."""
    assert not HOURS.within(datetime(2026, 5, 18, 23, tzinfo=ZoneInfo("America/New_York")))
    assert HOURS.within(datetime(2026, 5, 18, 7, 30, tzinfo=UTC))


@given(st.lists(st.tuples(st.integers(0, 1_439), st.integers(1, 600)), max_size=25))
@settings(max_examples=80)
def test_busy_and_free_make_the_day(pairs: list[tuple[int, int]]) -> None:
    """What is taken within hours and what is free add up to the hours, whatever stands in the calendar."""
    begin = at(MONDAY, "00:00")
    found = [Meeting("m", begin + timedelta(minutes=a), begin + timedelta(minutes=a + n)) for a, n in pairs]
    window = HOURS.window(MONDAY)
    assert window is not None
    busy = union((m.start, m.end) for m in found)
    from pea.agents._wellness_load import clip

    within = clip(busy, *window)
    assert minutes(within) + minutes(gaps(within, *window)) == 540
    assert sum(chain.meetings for chain in chains_of(found)) == len(found)


@pytest.mark.parametrize(
    ("values", "direction"),
    [
        ([10, 11, 12, 13, 14], "heavier"),
        ([14, 13, 12, 11, 10], "lighter"),
        ([10, 10, 40, 10, 10], "steady"),  # one bad week is no trend
        ([10, 20], "too little to tell"),
        ([0, 0, 0, 0, 0], "steady"),
    ],
)
def test_a_trend_is_the_median_of_slopes(values: list[float], direction: str) -> None:
    """By Theil and Sen: an outlier does not make one."""
    assert line("x", values).direction == direction


def test_suggestions_say_what_they_gain() -> None:
    """Leaving the meeting that splits the day gives the most; nothing is suggested for a day off."""
    day = [
        meeting("09:00", "10:00"),
        meeting("11:00", "12:00", tentative=True),
        meeting("13:00", "14:00"),
        meeting("14:00", "15:00"),
        meeting("15:00", "16:00"),
    ]
    found, before, after = suggest(MONDAY, 1, day, HOURS, at(MONDAY, "07:00"))
    kinds = {one.kind: one for one in found}
    assert kinds["decline"].minutes == 180  # 10:00 to 13:00
    assert kinds["shorten"].minutes == 20
    assert (before, after) == (2.0, 5.0)
    assert all(one.how and one.effect for one in found)
    saturday = MONDAY + timedelta(days=5)
    assert suggest(saturday, 1, [], HOURS, at(MONDAY, "07:00"))[0] == []


def test_the_sample_week(call: Any) -> None:
    """Tuesday is the worst; holiday and weekend with meetings are named; the usual is of weeks that were lived."""
    told = call("wellness.week")
    tuesday = told.week.days[1]
    assert tuesday.flags[-1] == "no time for lunch"
    assert any("69% of the day" in flag for flag in tuesday.flags)
    assert told.week.days[3].off == "Ascension Day"
    assert 1 <= told.compared_with <= 8
    assert sum(day.meetings for day in told.week.days) == told.week.meetings
    assert told.usual["meeting_hours"] < told.week.meeting_hours


def test_the_sample_evenings(call: Any) -> None:
    """Each late mail is counted on the user's own clock, and weekdays add up."""
    told = call("wellness.afterhours")
    assert told.mails_sent >= told.mails_after_hours == sum(told.by_weekday.values()) == sum(told.by_hour.values())


def test_evenings_are_those_of_the_days_asked_for() -> None:
    """Of a span from Friday to Thursday, the evening before does not count and that of its last day does."""
    sent = SimpleNamespace(sent=(), notes=tuple, report=SourceReport)
    thursday, friday = MONDAY + timedelta(days=3), MONDAY + timedelta(days=4)
    late = [meeting("18:00", "19:00", day) for day in (thursday, friday, thursday + timedelta(weeks=4))]
    told = after_hours(friday, thursday + timedelta(weeks=4), late, sent, HOURS, SourceReport())
    assert told.meeting_minutes == 120


def test_your_meeting_is_the_one_you_called() -> None:
    """An invitation that you accepted is not yours, whoever else comes."""
    entry = Entry(
        title="x", start=at(MONDAY, "09:00"), end=at(MONDAY, "10:00"), first_day=MONDAY, last_day=MONDAY,
        response="accepted", organizer="Anna", people=(Attendee("Anna", "anna@example.org"),),
    )  # fmt: skip
    own = msgspec.structs.replace(entry, organizer="Me")
    assert [one.mine for one in meetings_of([entry, own])] == [False, True]


def test_hours_that_close_before_they_open_are_refused(call: Any) -> None:
    """The error says how to write them."""
    with pytest.raises(InputError, match="is not before"):
        call("wellness.week", opens="18:00", closes="09:00")


@needs(PUBLIC)
def test_public_calendars(tmp_path: Path) -> None:
    """158 calendars nobody wrote for PEA: every week of twelve years can be told, and minutes stay within a day."""
    import shutil

    (tmp_path / "calendars").mkdir()
    for path in PUBLIC.glob("icalendar/*.ics"):
        shutil.copy(path, tmp_path / "calendars" / path.name)
    for day in (date(2005, 4, 4), date(2014, 3, 31), date(2017, 1, 2)):
        told = ask(tmp_path, tmp_path / "state", "wellness.week", day=day)
        assert told.sources.read >= 120
        assert all(0 <= one.meeting_minutes <= 1_500 for one in told.week.days)
