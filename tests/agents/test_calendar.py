"""The calendar agent, run for real over calendars with known answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pea import InputError, Runtime, WorkspaceError
from pea.agents._agenda import Agenda
from pea.agents._conflicts import Conflicts
from pea.agents._freebusy import FreeBusy
from pea.agents.calendar import Calendar
from pea.config import load

BERLIN = ZoneInfo("Europe/Berlin")
ME = "nora@example.org"


def event(uid: str, start: str, end: str, title: str, *more: str) -> str:
    """An event on days of May 2026, given like ``12 0930``."""
    moments = (f"202605{m[:2]}T{m[3:]}00" for m in (start, end))
    begins, ends = moments
    lines = (f"UID:{uid}", f"DTSTART:{begins}", f"DTEND:{ends}", f"SUMMARY:{title}", *more)
    return "BEGIN:VEVENT\n" + "\n".join(lines) + "\nEND:VEVENT\n"


def invited(answer: str, others: int = 1) -> tuple[str, ...]:
    mine = f"ATTENDEE;PARTSTAT={answer}:mailto:{ME}"
    return (mine, *(f"ATTENDEE;CN=P{n}:mailto:p{n}@example.org" for n in range(others)))


@asynccontextmanager
async def running(tmp_path: Path, *events: str, **overrides: Any) -> AsyncIterator[Runtime]:
    (tmp_path / "calendars").mkdir(exist_ok=True)
    (tmp_path / "calendars" / "work.ics").write_text("BEGIN:VCALENDAR\n" + "".join(events) + "END:VCALENDAR\n")
    settings = load(
        environ={},
        overrides={
            "workspace": str(tmp_path),
            "state": str(tmp_path / "state"),
            "today": "2026-05-12T07:30",
            "user.timezone": "Europe/Berlin",
            "user.emails": [ME],
            "user.home": "Berlin",
            "user.country": "DE",
            **overrides,
        },
    )
    async with Runtime(settings, agents=[Calendar()]) as runtime:
        yield runtime


def may(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=BERLIN)


async def test_the_agenda_is_sorted_and_told(tmp_path):
    """All-day entries first, then by time; one's own answer, the others' number and places are shown."""
    events = (
        event("1", "12 1400", "12 1500", "Later"),
        event("2", "12 0900", "12 0945", "Board pre-read", "LOCATION:Room 4", *invited("NEEDS-ACTION", 5)),
        "BEGIN:VEVENT\nUID:3\nDTSTART;VALUE=DATE:20260511\nDTEND;VALUE=DATE:20260513\nSUMMARY:Trip\nEND:VEVENT\n",
        event("4", "11 2300", "12 0100", "Night shift"),
        event("5", "12 1000", "12 1030", "Call", "LOCATION:https://meet.example.org/x"),
    )
    async with running(tmp_path, *events) as runtime:
        agenda: Agenda = await runtime.call("calendar.agenda")
    assert [entry.title for entry in agenda.entries] == ["Trip", "Night shift", "Board pre-read", "Call", "Later"]
    assert agenda.day == date(2026, 5, 12)
    board, call = agenda.entries[2], agenda.entries[3]
    assert (board.response, board.others, board.tentative) == ("needs-action", 5, True)
    assert (call.is_online, call.online) == (True, "https://meet.example.org/x")
    assert agenda.text.splitlines()[:5] == [
        "Tuesday 12 May 2026",
        "  all day (2 of 2) Trip",
        "  until 01:00 Night shift",
        "  09:00\N{EN DASH}09:45 Board pre-read · Room 4 · with 5 others · not answered yet",
        "  10:00\N{EN DASH}10:30 Call · https://meet.example.org/x",
    ]
    assert agenda.text.endswith("Read 1 file, refused 0")


async def test_what_is_cancelled_or_declined_is_listed_apart(tmp_path):
    """Entries that will not take place are not among those that will, but neither are they lost."""
    events = (
        event("1", "12 0900", "12 1000", "Cancelled", "STATUS:CANCELLED"),
        event("2", "12 0900", "12 1000", "Declined", *invited("DECLINED")),
        event("3", "12 0900", "12 1000", "Stands", *invited("ACCEPTED")),
    )
    async with running(tmp_path, *events) as runtime:
        agenda = await runtime.call("calendar.agenda")
    assert [e.title for e in agenda.entries] == ["Stands"]
    assert [e.title for e in agenda.dropped] == ["Cancelled", "Declined"]
    assert "Declined · with 1 other (you declined)" in agenda.text


async def test_an_agenda_of_several_days(tmp_path):
    """Each day has its heading, also one on which nothing is."""
    async with running(tmp_path, event("1", "13 0900", "13 1000", "X")) as runtime:
        agenda = await runtime.call("calendar.agenda", day="2026-05-12", days=2)
    assert agenda.text.splitlines()[:5] == [
        "Tuesday 12 May 2026",
        "  nothing",
        "",
        "Wednesday 13 May 2026",
        "  09:00\N{EN DASH}10:00 X",
    ]


async def test_bad_files_and_events_are_named_in_the_answer(tmp_path):
    """The answer says which file was refused and which event could not be read; the rest is there."""
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "broken.ics").write_text("<html>")
    events = (event("1", "12 0900", "12 1000", "Good"), "BEGIN:VEVENT\nUID:2\nSUMMARY:Bad\nEND:VEVENT\n")
    async with running(tmp_path, *events) as runtime:
        agenda = await runtime.call("calendar.agenda")
    assert [e.title for e in agenda.entries] == ["Good"]
    assert [(r.path, r.reason) for r in agenda.sources.refused] == [
        ("calendars/broken.ics", "it is a web page, not a calendar")
    ]
    assert agenda.notes[0].reason == "'Bad': it was left out: it has no start that can be read"
    assert "refused 1: calendars/broken.ics" in agenda.text


async def test_what_is_not_named_is_counted(tmp_path):
    """Five events and files that are not whole are named, and how many more there are is said."""
    bad = [f"BEGIN:VEVENT\nUID:{number}\nSUMMARY:Bad {number}\nEND:VEVENT\n" for number in range(7)]
    async with running(tmp_path, *bad) as runtime:
        text = (await runtime.call("calendar.agenda")).text
    assert (text.count("it was left out"), "\n… and 2 more\n" in text) == (5, True)


async def test_a_workspace_without_calendars_is_told_where_to_put_them(tmp_path):
    """Nothing to read is another thing than a free day."""
    async with running(tmp_path) as runtime:
        (tmp_path / "calendars" / "work.ics").unlink()
        assert "put .ics files into the folder calendars" in (await runtime.call("calendar.agenda")).text


async def test_a_changed_file_is_seen_at_the_next_call(tmp_path):
    """The agent reads again what changed, within one run."""
    async with running(tmp_path, event("1", "12 0900", "12 1000", "Before")) as runtime:
        await runtime.call("calendar.agenda")
        text = (tmp_path / "calendars" / "work.ics").read_text().replace("Before", "After it changed")
        (tmp_path / "calendars" / "work.ics").write_text(text)
        agenda = await runtime.call("calendar.agenda")
    assert [e.title for e in agenda.entries] == ["After it changed"]


async def test_free_and_busy(tmp_path):
    """What takes time is merged, what does not is passed over, and the free slots are what is left of working hours."""
    events = (
        event("1", "12 0900", "12 1000", "A"),
        event("2", "12 0930", "12 1030", "B"),
        event("3", "12 1030", "12 1100", "C", "STATUS:TENTATIVE"),
        event("4", "12 1300", "12 1400", "Free", "TRANSP:TRANSPARENT"),
        event("5", "12 1500", "12 1600", "Declined", *invited("DECLINED")),
        event("6", "12 1110", "12 1130", "D"),
        event("7", "12 1200", "12 1200", "Instant"),
    )
    async with running(tmp_path, *events) as runtime:
        found: FreeBusy = await runtime.call("calendar.freebusy", minutes=15)
    assert [(b.start, b.end, b.titles, b.tentative) for b in found.busy] == [
        (may(12, 9), may(12, 10, 30), ("A", "B"), False),
        (may(12, 10, 30), may(12, 11), ("C",), True),
        (may(12, 11, 10), may(12, 11, 30), ("D",), False),
    ]
    assert [(s.start, s.end, s.minutes) for s in found.free] == [(may(12, 11, 30), may(12, 18), 390)]
    assert (found.busy_minutes, found.free_minutes) == (140, 390)
    assert "  free 11:30\N{EN DASH}18:00" in found.text


async def test_free_time_keeps_to_working_days_and_the_span(tmp_path):
    """Weekends count only when asked; moments without a zone are in the user's."""
    async with running(tmp_path, event("1", "15 0900", "15 1800", "All Friday")) as runtime:
        week = await runtime.call("calendar.freebusy", day="2026-05-15", days=3)
        with_weekend = await runtime.call("calendar.freebusy", day="2026-05-15", days=3, weekends=True)
        span = await runtime.call("calendar.freebusy", start="2026-05-14T16:00", end="2026-05-14T15:00Z")
    assert week.free == ()
    assert [s.start.day for s in with_weekend.free] == [16, 17]
    assert [(s.start, s.end) for s in span.free] == [(may(14, 16), may(14, 17))]


async def test_conflicts_are_found_with_reason_and_severity(tmp_path):
    """Overlaps, too little time for the way, odd hours and the same thing twice, each as bad as it is."""
    events = (
        event("1", "12 0900", "12 1000", "A", *invited("ACCEPTED", 1)),
        event("2", "12 0930", "12 1030", "B", *invited("ACCEPTED", 3)),
        event("3", "12 1100", "12 1200", "Sure"),
        event("4", "12 1130", "12 1200", "Unsure", "STATUS:TENTATIVE"),
        event("5", "12 1400", "12 1500", "Here", "LOCATION:Room 4"),
        event("6", "12 1515", "12 1600", "There", "LOCATION:Telegrafenberg 12\\, Potsdam\\, Germany"),
        event("7", "12 2000", "12 2100", "Late call", *invited("ACCEPTED")),
        event("8", "13 0900", "13 1000", "Twice"),
        event("9", "13 0900", "13 1000", "Twice"),
        event("10", "13 1000", "13 1100", "Room 1 next", "LOCATION:Room 1"),
        event("11", "13 1100", "13 1200", "Room 2 next", "LOCATION:Room 2"),
    )
    async with running(tmp_path, *events) as runtime:
        found: Conflicts = await runtime.call("calendar.conflicts", days=2)
    assert [(c.kind, c.severity, c.titles, c.minutes) for c in found.conflicts] == [
        ("overlap", "high", ("A", "B"), 30),
        ("travel", "high", ("Here", "There"), 47),
        ("overlap", "medium", ("Sure", "Unsure"), 30),
        ("outside-hours", "low", ("Late call",), 0),
        ("twice", "low", ("Twice", "Twice"), 60),
    ]
    overlap, travel, unsure, late, _ = found.conflicts
    assert overlap.advice == "move A (with 1 other)"
    assert unsure.advice == "decline or move Unsure, which is not certain yet"
    assert "there are 15 min, about 62 are needed" in travel.reason
    assert "ends after your working hours" in late.reason
    assert "[high] A (09:00\N{EN DASH}10:00) and B (09:30\N{EN DASH}10:30) overlap by 30 min. Move A" in found.text


async def test_two_places_on_one_day(tmp_path):
    """All-day entries in two cities cannot both be attended; shown as free, they do not count."""
    day = "BEGIN:VEVENT\nUID:{}\nDTSTART;VALUE=DATE:20260520\nSUMMARY:{}\nLOCATION:{}\n{}END:VEVENT\n"
    events = (
        day.format(1, "Fair", "Hamburg\\, Germany", ""),
        day.format(2, "Summit", "München\\, Germany", ""),
        day.format(3, "Hotel", "Zürich\\, Switzerland", "TRANSP:TRANSPARENT\n"),
    )
    async with running(tmp_path, *events) as runtime:
        found = await runtime.call("calendar.conflicts", day="2026-05-20")
    assert [(c.kind, c.severity, c.titles) for c in found.conflicts] == [("two-places", "high", ("Fair", "Summit"))]
    assert found.conflicts[0].reason == "Fair is in Hamburg, Summit 612 km away in Munich"


async def test_no_conflicts_are_said_so(tmp_path):
    """An orderly day says that it is one."""
    async with running(tmp_path) as runtime:
        found = await runtime.call("calendar.conflicts")
    assert found.text.startswith("No conflicts.")


@pytest.mark.parametrize(
    ("capability", "arguments", "where"),
    [
        ("agenda", {"days": 0}, "days"),
        ("agenda", {"days": 10**9}, "days"),
        ("agenda", {"day": "yesterday"}, "day"),
        ("agenda", {"day": "9999-12-31"}, "day"),
        ("agenda", {"dya": "2026-05-12"}, "dya"),
        ("freebusy", {"opens": "18:00", "closes": "09:00"}, "closes"),
        ("freebusy", {"opens": "09:00Z"}, "opens"),
        ("freebusy", {"start": "2026-05-12T09:00:00"}, "end"),
        ("freebusy", {"start": "noon", "end": "2026-05-12"}, "start"),
        ("freebusy", {"start": "2026-05-12T09:00:00", "end": "2026-05-12T08:00:00"}, "end"),
        ("freebusy", {"start": "0001-01-01T00:00:00", "end": "2026-05-12T08:00:00"}, "start"),
        ("freebusy", {"minutes": 0}, "minutes"),
        ("conflicts", {"opens": "25:00"}, "opens"),
    ],
)
async def test_wrong_input_names_the_field(tmp_path, capability, arguments, where):
    """A wrong argument is the caller's mistake and says which it is."""
    async with running(tmp_path) as runtime:
        with pytest.raises(InputError) as caught:
            await runtime.call(f"calendar.{capability}", **arguments)
    assert caught.value.where == where


async def test_without_a_workspace_the_fix_is_named(tmp_path):
    """No workspace is an error that says what to set."""
    async with running(tmp_path, workspace="") as runtime:
        with pytest.raises(WorkspaceError, match="--workspace"):
            await runtime.call("calendar.agenda")


async def test_the_answers_are_plain_data(tmp_path):
    """Each answer can be sent as JSON and read back the same."""
    async with running(tmp_path, event("1", "12 0900", "12 1000", "A")) as runtime:
        for capability, kind in (("agenda", Agenda), ("freebusy", FreeBusy), ("conflicts", Conflicts)):
            answer = await runtime.call(f"calendar.{capability}")
            assert msgspec.json.decode(msgspec.json.encode(answer), type=kind) == answer


async def test_working_hours_are_given_as_times(tmp_path):
    """Working hours of one's own change what is outside them."""
    events = (event("1", "12 0700", "12 0745", "Early", *invited("ACCEPTED")),)
    async with running(tmp_path, *events) as runtime:
        usual = await runtime.call("calendar.conflicts")
        early = await runtime.call("calendar.conflicts", opens="6:00")
    assert [c.kind for c in usual.conflicts] == ["outside-hours"]
    assert early.conflicts == ()
