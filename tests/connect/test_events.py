"""An event that is moved keeps all else: zone, series, other occurrences; the same approval gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events

from pea.connect import caldav, events, writing
from pea.connect.failures import Refused
from pea.connect.mirror import Mirror
from pea.errors import InputError
from tests.connect.conftest import event

BERLIN = ZoneInfo("Europe/Berlin")
STAMP = datetime(2026, 5, 1, tzinfo=UTC)
WEEKLY = event(
    "weekly", "Weekly", ";TZID=Europe/Berlin:20260302T090000", ";TZID=Europe/Berlin:20260302T100000",
    "RRULE:FREQ=WEEKLY;COUNT=6",
).encode()  # fmt: skip


def times(start: datetime, minutes: int = 60, *, all_day: bool = False) -> events.Times:
    return events.Times(start, start + timedelta(minutes=minutes), all_day)


def starts(data: bytes) -> list[datetime]:
    found = recurring_ical_events.of(events.parse(data)).between((2026, 1, 1), (2026, 12, 31))
    return sorted(one.start.astimezone(BERLIN) for one in found)


def test_one_occurrence_of_a_series() -> None:
    """Over the change of the clock the others stay at nine by the clock on the wall; moving it again moves that one."""
    at = datetime(2026, 3, 30, 9, tzinfo=BERLIN)
    assert events.occurrence(WEEKLY, at, BERLIN).end == datetime(2026, 3, 30, 10, tzinfo=BERLIN)
    to = times(datetime(2026, 3, 31, 14, tzinfo=BERLIN))
    once = events.moved(WEEKLY, at, to, key="k", stamp=STAMP, zone=BERLIN)
    others = [datetime(2026, 3, day, 9, tzinfo=BERLIN) for day in (2, 9, 16, 23)] + [
        datetime(2026, 4, 6, 9, tzinfo=BERLIN)
    ]
    assert starts(once) == sorted([*others, to.start])
    later = times(datetime(2026, 4, 1, 8, tzinfo=BERLIN))
    again = events.moved(once, at, later, key="l", stamp=STAMP, zone=BERLIN)
    assert starts(again) == sorted([*others, later.start])
    assert again.count(b"RECURRENCE-ID") == 1
    with pytest.raises(InputError) as refused:
        events.occurrence(WEEKLY, at + timedelta(hours=1), BERLIN)
    assert refused.value.fix == "near it: 2026-03-30T09:00"


@pytest.mark.parametrize(
    ("start", "end", "line"),
    [
        ("20260512T100000Z", "20260512T110000Z", "DTSTART:20260513T130000Z"),
        (";TZID=America/New_York:20260512T100000", ";TZID=America/New_York:20260512T110000",
         "DTSTART;TZID=America/New_York:20260513T090000"),
        ("20260512T100000", "20260512T110000", "DTSTART:20260513T150000"),
        (";VALUE=DATE:20260512", ";VALUE=DATE:20260513", "DTSTART;VALUE=DATE:20260513"),
    ],
)  # fmt: skip
def test_written_as_it_was(start: str, end: str, line: str) -> None:
    """In UTC, in its own zone, floating or as a day."""
    data = event("x", "X", start, end).encode()
    to = times(datetime(2026, 5, 13, 15, tzinfo=BERLIN))
    moved = {events.moved(data, None, to, key="k" * 32, stamp=STAMP, zone=BERLIN) for _ in range(3)}
    assert len(moved) == 1
    text = moved.pop().decode()
    assert line in text
    assert f"X-PEA-APPROVAL:{'k' * 32}\r\n" in text  # on one line: it is looked for so


@pytest.mark.parametrize(
    "data", [b"", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"<html>", b"BEGIN:VEVENT", b"\xff\xfe\x00"]
)
def test_what_is_no_event(data: bytes) -> None:
    """It is refused, with words."""
    with pytest.raises(Refused):
        events.facts(data, BERLIN)


def test_an_event_is_meant_by_its_whole_uid_or_a_part_of_its_title(tmp_path: Path) -> None:
    """A UID that only begins so is another event's; what fits nothing, or several, is not guessed."""
    mirror = Mirror(tmp_path / "office", tmp_path / "memory.json")
    known = caldav.Known(name="Work")
    for uid, title in (("review-2", "Dinner"), ("review", "Review"), ("x" * 90, "Review of the year")):
        data = event(uid, title, "20260512T100000Z", "20260512T110000Z")
        folded = data.replace("x" * 90, "x" * 60 + "\r\n " + "x" * 30).encode()
        mirror.write(f"Work/{uid}.ics", folded)
        known.items[f"http://dav.test/{uid}"] = caldav.Item("1", f"Work/{uid}.ics", len(folded))
    mirror.remember(caldav.Memory({"http://dav.test/": known}))
    assert writing.search(mirror, "review") == "http://dav.test/review"
    assert writing.search(mirror, "x" * 90) == f"http://dav.test/{'x' * 90}"
    assert writing.search(mirror, "dinner") == "http://dav.test/review-2"
    for wrong, told in (("rev", "fit"), ("lunch", "is called"), ("", "fit")):
        with pytest.raises(InputError, match=told):
            writing.search(mirror, wrong)
