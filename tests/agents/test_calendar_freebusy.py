"""Busy stretches and free slots, over any entries: what they may never get wrong."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pea.agents._agenda import Entry
from pea.agents._freebusy import busy_stretches, free_slots, minutes_between, working_windows

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 10, 25, tzinfo=BERLIN)  # the clocks go back at 03:00 that night
END = datetime(2026, 10, 26, tzinfo=BERLIN)
LOW = START.astimezone(UTC)


@st.composite
def entries(draw):
    begins = LOW + timedelta(minutes=draw(st.integers(-120, 26 * 60)))
    ends = begins + timedelta(minutes=draw(st.integers(0, 300)))
    start, end = begins.astimezone(BERLIN), ends.astimezone(BERLIN)
    return Entry(
        title=draw(st.sampled_from("abc")),
        start=start,
        end=end,
        first_day=start.date(),
        last_day=end.date(),
        busy=draw(st.booleans()),
        status=draw(st.sampled_from(["confirmed", "tentative"])),
    )


def taken_minutes(found: list[Entry]) -> set[int]:
    """The minutes since START, as they pass, that some busy entry takes."""
    spans = [(minutes_between(START, e.start), minutes_between(START, e.end)) for e in found if e.busy]
    return {m for a, b in spans for m in range(max(0, a), min(b, minutes_between(START, END)))}


@given(st.lists(entries(), max_size=8))
@settings(max_examples=150)
def test_busy_and_free_divide_the_day(found):
    """Every minute of the day, also of the hour that comes twice, is either busy or free, as the entries say."""
    busy = busy_stretches(found, START, END)
    free = free_slots(busy, [(START, END)], minutes=1)
    taken = {m for b in busy for m in range(minutes_between(START, b.start), minutes_between(START, b.end))}
    open_ = {m for s in free for m in range(minutes_between(START, s.start), minutes_between(START, s.end))}
    assert taken == taken_minutes(found)
    assert taken | open_ == set(range(25 * 60))
    assert not taken & open_


@given(st.lists(entries(), max_size=8))
@settings(max_examples=60)
def test_stretches_are_merged_and_in_order(found):
    """No two neighbouring stretches are of one kind, and a certain entry makes its time certain."""
    busy = busy_stretches(found, START, END)
    for before, after in itertools.pairwise(busy):
        assert before.end.astimezone(UTC) <= after.start.astimezone(UTC)
        assert before.end != after.start or before.tentative != after.tentative
    sure = taken_minutes([e for e in found if not e.tentative])
    unsure = {
        m for b in busy if b.tentative for m in range(minutes_between(START, b.start), minutes_between(START, b.end))
    }
    assert not sure & unsure


def test_working_windows_follow_the_days():
    """Weekends are left out unless asked for; the first and last day are cut at the moments given."""
    friday = datetime(2026, 5, 15, 12, tzinfo=BERLIN)
    monday = datetime(2026, 5, 18, 10, tzinfo=BERLIN)
    windows = working_windows(friday, monday, time(9), time(18), weekends=False, zone=BERLIN)
    assert [(a.date(), a.hour, b.hour) for a, b in windows] == [
        (date(2026, 5, 15), 12, 18),
        (date(2026, 5, 18), 9, 10),
    ]
    assert len(working_windows(friday, monday, time(9), time(18), weekends=True, zone=BERLIN)) == 4


def test_the_weekend_is_the_country_s():
    """In Saudi Arabia Friday and Saturday are left out, and Sunday is worked."""
    friday, monday = datetime(2026, 5, 15, tzinfo=BERLIN), datetime(2026, 5, 18, tzinfo=BERLIN)
    windows = working_windows(friday, monday, time(9), time(18), weekends=False, zone=BERLIN, country="SA")
    assert [a.date() for a, _ in windows] == [date(2026, 5, 17)]
