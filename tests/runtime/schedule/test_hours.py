"""Schedules fire at the user's local hour, in every zone and over every change of its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pea.errors import InputError
from pea.runtime.schedule import parse

ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right")))


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def local(expression: str, zone: str, after: str, count: int) -> list[str]:
    times = islice(parse(expression, zone).times(at(after, zone)), count)
    return [f"{due:%m-%d %H:%M %z}" for due in times]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "times"),
    [
        # The briefing comes at half past seven by the clock on the wall, in winter and summer.
        ("30 7 * * *", "Europe/Berlin", "2026-03-28T07:30", ["03-29 07:30 +0200", "03-30 07:30 +0200"]),
        ("30 7 * * *", "Europe/Berlin", "2026-10-24T07:30", ["10-25 07:30 +0100", "10-26 07:30 +0100"]),
        ("30 7 * * *", "America/New_York", "2026-03-07T08:00", ["03-08 07:30 -0400", "03-09 07:30 -0400"]),
        # An hour that is skipped: once, right after the gap. One that comes twice: the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T03:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T03:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("0 0 * * *", "America/Havana", "2026-03-07T01:00", ["03-08 01:00 -0400", "03-09 00:00 -0400"]),
        # What goes by minutes goes by real time.
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-25T01:59", ["10-25 02:00 +0200", "10-25 02:30 +0200"]),
        ("0 12 29 2 *", "Europe/Berlin", "2026-01-01T00:00", ["02-29 12:00 +0100", "02-29 12:00 +0100"]),
        ("@daily", "Asia/Kathmandu", "2026-01-01T00:00", ["01-02 00:00 +0545", "01-03 00:00 +0545"]),
    ],
)
def test_changes_of_the_clock(expression: str, zone: str, after: str, times: list[str]) -> None:
    """The cases that schedules get wrong, by hand."""
    assert local(expression, zone, after, 2) == times


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 23),
    st.integers(0, 59),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 1)),  # noqa: DTZ001 - the zone is added
)
@example("America/Nuuk", 23, 0, datetime(2024, 1, 1))  # noqa: DTZ001 - the zone is added
@example("America/Nuuk", 23, 30, datetime(2024, 3, 31, 0, 30))  # noqa: DTZ001 - the zone is added
def test_once_a_day_in_every_zone(zone: str, hour: int, minute: int, start: datetime) -> None:
    """A daily schedule fires once for each local day, at its time if that exists, else within the hours of the change.

    Where the clock is set forward over midnight (Greenland's at 23:00), that is the next day already.
    """
    own = ZoneInfo(zone)
    begin = start.replace(tzinfo=UTC).astimezone(own)
    times = list(islice(parse(f"{minute} {hour} * * *", zone).times(begin), 400))
    days = [(due.replace(tzinfo=None) - timedelta(hours=hour, minutes=minute)).date() for due in times]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    for day, due in zip(days, times, strict=True):
        wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=own)
        exists = wall.astimezone(UTC).astimezone(own).replace(tzinfo=None) == wall.replace(tzinfo=None)
        if exists:
            assert due.astimezone(UTC) == wall.astimezone(UTC)  # the first of two, since fold is 0
        else:
            assert timedelta() < due.replace(tzinfo=None) - wall.replace(tzinfo=None) <= timedelta(hours=2)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(["30 2 * * *", "*/15 * * * *", "0 */2 * * *", "15 1,2,3 * * *", "0 0 1 * *"]),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 1)),  # noqa: DTZ001 - the zone is added
    st.lists(st.floats(0, 1), max_size=5),
)
def test_asked_from_anywhere_the_same(zone: str, expression: str, start: datetime, cuts: list[float]) -> None:
    """Asking anew from any moment between gives the rest of the same times: nothing is doubled or lost by a restart."""
    cron = parse(expression, zone)
    begin = start.replace(tzinfo=UTC)
    times = [due.astimezone(UTC) for due in islice(cron.times(begin), 30)]
    assert times == sorted(set(times))
    for cut in cuts:
        moment = begin + (times[-1] - begin) * cut
        rest = [due.astimezone(UTC) for due in islice(cron.times(moment), 30)]
        expected = [due for due in times if due > moment]
        assert rest[: len(expected)] == expected


@pytest.mark.parametrize(
    ("expression", "zone", "where"),
    [
        ("", "UTC", "cron"),
        ("* * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("0 0 31 2 *", "UTC", "cron"),
        ("x" * 500, "UTC", "cron"),
        ("0 0 * * *", "Europe/Berln", "zone"),
        ("0 0 * * *", "../../etc/passwd", "zone"),
    ],
)
def test_what_is_no_schedule(expression: str, zone: str, where: str) -> None:
    """It is refused when it is written, with the field, not found out at night."""
    with pytest.raises(InputError) as refused:
        parse(expression, zone)
    assert refused.value.where == where
