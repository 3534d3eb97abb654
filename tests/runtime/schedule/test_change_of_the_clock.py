"""The clockwork over real changes of daylight saving: what fires when, by a clock that is turned by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pea.runtime.schedule import Clockwork, Outcome, Shelf, made
from pea.telemetry import TracerProvider

TRACER: Any = TracerProvider().get_tracer("test")
STEP_S = 300.0
# Zone and the day of a change: an hour forth and back in Europe and America, over midnight (Havana), half an hour
# (Lord Howe), in the southern half of the year (Santiago: at midnight), and a zone without any.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Santiago", "2026-04-04"),
    ("America/Santiago", "2026-09-05"),
    ("Asia/Kolkata", "2026-03-29"),
]


class Night:
    """Three days around a change, looked at every five minutes; each task that was submitted, with the local time."""

    def __init__(self, state: Path, zone: str, day: str) -> None:
        self.zone = ZoneInfo(zone)
        middle = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=self.zone).timestamp()
        self.now, self.end = middle - 36 * 3_600, middle + 36 * 3_600
        self.shelf = Shelf(state)
        self.tasks: dict[str, str] = {}

    def add(self, name: str, cron: str) -> None:
        zone = str(self.zone)
        self.shelf.add(made(name, cron, zone, "briefing.morning", b"{}", identity=name, now=self.now))

    async def submit(self, capability: str, given: bytes, key: str) -> str:
        return self.tasks.setdefault(key, f"task-{len(self.tasks)}")

    async def pass_by(self, *, restarts: bool = False) -> dict[str, list[datetime]]:
        """The local moments at which each schedule fired."""
        clockwork = Clockwork(self.shelf, self.submit, TRACER, wall=lambda: self.now)
        fired: dict[str, list[datetime]] = {}
        while self.now < self.end:
            self.now += STEP_S
            if restarts:
                clockwork = Clockwork(self.shelf, self.submit, TRACER, wall=lambda: self.now)
            for one in await clockwork.look():
                assert one.outcome in (Outcome.FIRED, Outcome.LATE), one
                assert one.at - one.due < STEP_S + 1.0
                fired.setdefault(one.schedule, []).append(datetime.fromtimestamp(one.due, self.zone))
        assert len(self.tasks) == sum(map(len, fired.values()))
        return fired


@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_a_briefing_each_morning(tmp_path: Path, zone: str, day: str) -> None:
    """At half past seven by the clock on the wall, once a day, before, on and after the day of the change."""
    night = Night(tmp_path, zone, day)
    night.add("morning", "30 7 * * *")
    fired = (await night.pass_by())["morning"]
    middle = datetime.fromisoformat(day).date()
    assert [one.date() for one in fired] == [middle + timedelta(days=ahead) for ahead in (-1, 0, 1)][-len(fired) :]
    assert len(fired) >= 2
    assert {(one.hour, one.minute) for one in fired} == {(7, 30)}


@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_once_each_night_whatever_the_hour(tmp_path: Path, zone: str, day: str) -> None:
    """Every hour of the night has its schedule: each fires once a day, also in the hour that is skipped or repeated.

    The process is started anew between any two looks, and the times that it finds are the same.
    """
    night = Night(tmp_path, zone, day)
    hours = {f"at-{hour}": f"10 {hour} * * *" for hour in (23, 0, 1, 2, 3)}
    for name, cron in hours.items():
        night.add(name, cron)
    begin, end = (datetime.fromtimestamp(moment, night.zone) for moment in (night.now, night.end))
    middle = datetime.fromisoformat(day).date()
    fired = await night.pass_by(restarts=True)
    for name in hours:
        days = [one.date() for one in fired[name]]
        assert days == sorted(set(days)), (name, fired[name])
        whole = (end.date() - begin.date()).days - 1  # days that lie in the stretch with all of their hours
        assert len(days) >= whole
        assert middle in days
        hour = int(name.partition("-")[2])
        assert hour == 23 or middle + timedelta(days=1) in days
        for one in fired[name]:
            late = one.replace(tzinfo=None) - datetime(one.year, one.month, one.day, hour, 10)  # noqa: DTZ001 - wall time
            assert timedelta() <= late <= timedelta(hours=1), (name, one)


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", ["00", "01", "03", "04"]), ("2026-10-25", ["00", "01", "02", "02", "03", "04"])],
)
async def test_every_hour_goes_by_real_time(tmp_path: Path, day: str, hours: list[str]) -> None:
    """What is asked for each hour comes each hour: 23 times on the short day, 25 on the long one."""
    night = Night(tmp_path, "Europe/Berlin", day)
    night.add("hourly", "0 * * * *")
    fired = [one for one in (await night.pass_by())["hourly"] if one.date().isoformat() == day]
    assert len(fired) == 24 + len(hours) - 5
    assert [f"{one:%H}" for one in fired if one.hour < 5] == hours
