"""Calendars that nobody wrote for PEA: nothing crashes, and where the libraries alone succeed, the events agree."""

from __future__ import annotations

import shutil
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from pea.workspace.calendars import Calendars, Days
from tests.absent import DATA, needs

FOLDER = DATA / "files" / "icalendar"
FILES = sorted(FOLDER.glob("*.ics"))
BERLIN = ZoneInfo("Europe/Berlin")
YEARS = range(1995, 2031)

# Files of which more or less is served than by the libraries, each for a reason.
DIFFERENT = {
    "broken_ical.ics": "an empty parameter is passed over",
    "event_with_recurrence.ics": "a floating start stays floating beside EXDATEs in UTC",
    "issue_165_missing_event.ics": "blanks in a rule are passed over",
    "multiple_calendar_components.ics": "one event stands in two of its calendars and is served once",
    "x-example.ics": "all-day events that end on the day they begin last that day",
}

pytestmark = needs(FOLDER)


def read(path: Path, workspace: Path) -> tuple[Calendars, list[Days]]:
    (workspace / "calendars").mkdir(exist_ok=True)
    shutil.copy(path, workspace / "calendars")
    calendars = Calendars(workspace)
    calendars.refresh()
    spans = [(datetime(y, 1, 1, tzinfo=BERLIN), datetime(y + 1, 1, 1, tzinfo=BERLIN)) for y in YEARS]
    return calendars, [calendars.between(start, end, BERLIN) for start, end in spans]


def expected(path: Path) -> list[tuple[str, str]] | None:
    """What the libraries give for the whole file, or None where they raise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calendars = icalendar.Calendar.from_ical(path.read_bytes(), multiple=True)
            first, last = datetime(YEARS[0], 1, 1, tzinfo=BERLIN), datetime(YEARS[-1] + 1, 1, 1, tzinfo=BERLIN)
            found = [e for c in calendars for e in recurring_ical_events.of(c).between(first, last)]
            return sorted((plain(e["DTSTART"].dt), plain(e["DTEND"].dt)) for e in found)
    except Exception:
        return None


def plain(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    return (value.replace(tzinfo=BERLIN) if value.tzinfo is None else value).astimezone(UTC).isoformat()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_public_calendar(path, tmp_path):
    """A file is served or refused with a reason; its times are those the libraries find, where they find any."""
    calendars, years = read(path, tmp_path)
    report = calendars.report()
    assert report.read + report.refused_count == 1
    got = [
        (event.first_day.isoformat(), (event.last_day + timedelta(days=1)).isoformat())
        if event.all_day
        else (plain(event.start), plain(event.end))
        for year, days in zip(YEARS, years, strict=True)
        for event in days.events
        if event.start.year == year or year == YEARS[0]
    ]
    wanted = expected(path)
    if wanted is not None and report.read and path.name not in DIFFERENT:
        assert sorted(got) == wanted
    for days in years:
        for event in days.events:
            assert event.start.tzinfo is not None
            assert event.start <= event.end


def test_the_public_calendars_as_one_workspace(tmp_path, capsys):
    """All of them side by side: counted, refused by name, and nothing lost without a word."""
    (tmp_path / "calendars").mkdir()
    for path in FILES:
        shutil.copy(path, tmp_path / "calendars")
    calendars = Calendars(tmp_path)
    calendars.refresh()
    report = calendars.report()
    beyond = sum(expected(path) is None for path in FILES)
    with capsys.disabled():
        print(
            f"\n{len(FILES)} public calendars: {report.read} read ({report.items} events), {report.refused_count} "
            f"refused, {report.notes_count} notes; the libraries alone fail on {beyond}"
        )
    assert report.read + report.refused_count == len(FILES)
    assert all(refusal.reason for refusal in report.refused)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_days_are_the_same_whatever_was_asked_before(path, tmp_path):
    """Weeks that are worked out together give each day what it has when it is asked for alone."""
    calendars, years = read(path, tmp_path)
    starts = sorted({event.start for days in years for event in days.events})
    for around in starts[:: max(1, len(starts) // 8)][:8]:
        first = around.replace(hour=0, minute=0, second=0, microsecond=0)
        for days in (1, 7):
            start, end = first - timedelta(days=days // 2), first + timedelta(days=days)
            alone = Calendars(tmp_path)
            alone.refresh()
            assert calendars.between(start, end, BERLIN).events == alone.between(start, end, BERLIN).events
