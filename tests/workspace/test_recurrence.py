"""The bounds put around rules never change what happens, only what it costs to find out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace import recurrence
from pea.workspace.calendars_ics import Component, Part
from pea.workspace.recurrence import expand, prepare

PART = Part("", "", "", {}, ())
ZONES = ("Z", ";TZID=Europe/Berlin", ";TZID=America/New_York", "floating")


def component(zone: str, start: datetime, rule: str) -> Component:
    params = zone if zone.startswith(";") else ""
    stamp = f"{start:%Y%m%dT%H%M%S}{'Z' if zone == 'Z' else ''}"
    params = params.replace("TZID", "X-PEA-TZID")
    text = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTART{params}:{stamp}\r\nDURATION:PT1H\r\nRRULE:{rule}\r\nEND:VEVENT\r\n"
    return Component("", 0, "", text)


def times(found: recurrence.Expansion, first: datetime) -> list[str]:
    """The starts as they are written, but for those before the days asked for (either way may give some)."""
    return sorted(s.isoformat() for o in found.occurrences if (s := o.start).replace(tzinfo=None) >= first)


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2012, 1, 1), datetime(2016, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001
    frequency=st.sampled_from(["DAILY", "DAILY;BYDAY=MO,WE,FR", "WEEKLY", "WEEKLY;BYDAY=TU,TH", "DAILY;BYMONTH=5,10"]),
    interval=st.integers(1, 5),
    offset=st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_starting_an_old_rule_nearer_changes_nothing(zone, start, frequency, interval, offset):
    """A series carried forward to the days asked for happens exactly when the whole series would."""
    rule = f"FREQ={frequency};INTERVAL={interval}"
    low = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=offset)
    series = prepare([(component(zone, start, rule), PART)])
    before = recurrence._FORWARD_AFTER
    try:
        recurrence._FORWARD_AFTER = 10
        near = expand(series, low, low + timedelta(days=30))
        recurrence._FORWARD_AFTER = 10**9
        whole = expand(series, low, low + timedelta(days=30))
    finally:
        recurrence._FORWARD_AFTER = before
    floor = low.replace(tzinfo=None) - timedelta(days=1)
    assert times(near, floor) == times(whole, floor)
    assert near.notes == whole.notes == []


@given(st.text(alphabet="FREQ=DAILYWKMONTH;BCU0123456789-,SXVS", max_size=60))
@settings(max_examples=80, deadline=None)
def test_no_rule_can_raise(rule):
    """Whatever stands in a rule, the event is there or left out with a note."""
    low = datetime(2026, 5, 1, tzinfo=UTC)
    series = prepare([(component("Z", datetime(2026, 5, 12, tzinfo=UTC), rule), PART)])
    found = expand(series, low, low + timedelta(days=31))
    assert found.occurrences or found.notes


def test_a_series_is_prepared_once_for_any_days():
    """Looking at some days, near or far, or failing at it, leaves the prepared series as it was for others."""
    weekly = [(component(";TZID=Europe/Berlin", datetime(2012, 1, 3, 9), "FREQ=WEEKLY"), PART)]  # noqa: DTZ001
    broken = [(component("Z", datetime(2026, 5, 12, tzinfo=UTC), "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), PART)]
    for components in (weekly, broken):
        series = prepare(components)
        for year in (2026, 2013, 2026, 2012):
            low = datetime(year, 5, 1, tzinfo=UTC)
            kept, fresh = (expand(one, low, low + timedelta(days=30)) for one in (series, prepare(components)))
            assert [o.start for o in kept.occurrences] == [o.start for o in fresh.occurrences]
            assert kept.notes == fresh.notes
