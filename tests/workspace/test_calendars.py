"""Events are expanded rightly from hand-written calendars with known answers, and what is broken is named."""

from __future__ import annotations

import random
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pea.errors import MissingExtra
from pea.workspace.calendars import Calendars, Days
from pea.workspace.files_cache import ReadCache

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(*events: str, head: str = "") -> str:
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{head}{body}END:VCALENDAR\n"


@pytest.fixture
def opened(tmp_path):
    """Write calendars by name (text or bytes) and open them."""

    def make(**files: str | bytes) -> Calendars:
        (tmp_path / "calendars").mkdir(exist_ok=True)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / "calendars" / f"{name}.ics").write_bytes(data)
        calendars = Calendars(tmp_path)
        calendars.refresh()
        return calendars

    return make


def may(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=BERLIN)


def in_may(calendars: Calendars) -> Days:
    return calendars.between(may(1), datetime(2026, 6, 1, tzinfo=BERLIN), BERLIN)


def starts(days: Days) -> list[str]:
    return [f"{event.start:%d %H:%M}" for event in days.events]


RULES = {
    "a weekly rule with an exception and a moved occurrence": (
        [
            (
                "UID:1\nDTSTART;TZID=Europe/Berlin:20260504T100000\nDURATION:PT1H\nSUMMARY:Weekly\n"
                "RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20260511T100000"
            ),
            (
                "UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260518T100000\nDTSTART;TZID=Europe/Berlin:20260519T150000\n"
                "DURATION:PT1H\nSUMMARY:Weekly (moved)"
            ),
        ],
        ["04 10:00", "19 15:00", "25 10:00"],
    ),
    "an occurrence moved into the days from outside": (
        [
            "UID:1\nDTSTART:20260401T080000Z\nRRULE:FREQ=MONTHLY;COUNT=2;BYMONTHDAY=1\nDTEND:20260401T090000Z\nSUMMARY:M",
            "UID:1\nRECURRENCE-ID:20260401T080000Z\nDTSTART:20260506T080000Z\nDTEND:20260506T090000Z\nSUMMARY:M",
        ],
        ["01 10:00", "06 10:00"],
    ),
    "this and all that follow, two hours later": (
        [
            "UID:1\nDTSTART;TZID=Europe/Berlin:20260504T100000\nDURATION:PT1H\nSUMMARY:W\nRRULE:FREQ=WEEKLY;COUNT=4",
            (
                "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260518T100000\n"
                "DTSTART;TZID=Europe/Berlin:20260518T120000\nDURATION:PT1H\nSUMMARY:W"
            ),
        ],
        ["04 10:00", "11 10:00", "18 12:00", "25 12:00"],
    ),
    "a rule made in New York follows New York's clocks": (
        [
            (
                "UID:1\nDTSTART;TZID=America/New_York:20260302T090000\nDURATION:PT1H\nSUMMARY:NY\n"
                "RRULE:FREQ=WEEKLY;UNTIL=20260512T000000Z"
            ),
        ],
        ["04 15:00", "11 15:00"],
    ),
    "extra dates and a period among them": (
        [
            (
                "UID:1\nDTSTART:20260504T080000Z\nDTEND:20260504T090000Z\nSUMMARY:X\nRDATE:20260506T080000Z\n"
                "RDATE;VALUE=PERIOD:20260508T080000Z/PT3H"
            ),
        ],
        ["04 10:00", "06 10:00", "08 10:00"],
    ),
    "UNTIL given as a day lasts through that day": (
        [
            (
                "UID:1\nDTSTART;TZID=Europe/Berlin:20260504T100000\nDURATION:PT1H\nSUMMARY:D\n"
                "RRULE:FREQ=DAILY;UNTIL=20260506"
            ),
        ],
        ["04 10:00", "05 10:00", "06 10:00"],
    ),
    "UNTIL without a zone is in the zone of the start": (
        [
            (
                "UID:1\nDTSTART;TZID=America/New_York:20260504T200000\nDURATION:PT1H\nSUMMARY:D\n"
                "RRULE:FREQ=DAILY;UNTIL=20260505T200000"
            ),
        ],
        ["05 02:00", "06 02:00"],
    ),
    "a floating time is the user's own": (["UID:1\nDTSTART:20260504T100000\nSUMMARY:F"], ["04 10:00"]),
    "no end: the event is an instant": (["UID:1\nDTSTART:20260504T080000Z\nSUMMARY:I"], ["04 10:00"]),
    "an endless daily rule that began long ago": (
        ["UID:1\nDTSTART;TZID=Europe/Berlin:19010101T100000\nDURATION:PT1H\nSUMMARY:E\nRRULE:FREQ=DAILY;INTERVAL=10"],
        ["05 10:00", "15 10:00", "25 10:00"],
    ),
    "a rule with an escaped separator": (
        ["UID:1\nDTSTART:20260504T080000Z\nDURATION:PT1H\nSUMMARY:E\nRRULE:FREQ=DAILY\\;COUNT=2"],
        ["04 10:00", "05 10:00"],
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_when_events_happen(opened, rule):
    """Each kind of repetition gives the times a person would expect."""
    events, expected = RULES[rule]
    days = in_may(opened(work=calendar(*events)))
    assert starts(days) == expected
    assert not days.notes


def test_the_interval_of_an_old_rule_is_kept(opened):
    """Beginning an old series nearer to now keeps its step: every tenth day since 1901, counted by hand."""
    days = in_may(opened(work=calendar(RULES["an endless daily rule that began long ago"][0][0])))
    first = date(1901, 1, 1)
    assert all((event.first_day - first).days % 10 == 0 for event in days.events)


def test_all_day_events_have_days(opened):
    """An all-day event goes from the user's midnight to midnight; its last day is inclusive."""
    days = in_may(
        opened(
            work=calendar(
                "UID:1\nDTSTART;VALUE=DATE:20260512\nDTEND;VALUE=DATE:20260514\nSUMMARY:Trip",
                "UID:2\nDTSTART;VALUE=DATE:20260520\nSUMMARY:Day",
                "UID:3\nDTSTART;VALUE=DATE:20260522\nDTEND;VALUE=DATE:20260522\nSUMMARY:Zero",
                "UID:4\nDTSTART;VALUE=DATE:20260525\nDURATION:P2D\nSUMMARY:Two",
            )
        )
    )
    trip, *others = days.events
    assert (trip.all_day, trip.start, trip.end) == (True, may(12), may(14))
    assert [(e.first_day.day, e.last_day.day) for e in (trip, *others)] == [(12, 13), (20, 20), (22, 22), (25, 26)]


def test_the_days_asked_for_are_half_open(opened):
    """What ends when the days begin, or begins when they end, is not in them; an instant counts where it is."""
    calendars = opened(
        work=calendar(
            "UID:before\nDTSTART;TZID=Europe/Berlin:20260511T230000\nDTEND;TZID=Europe/Berlin:20260512T000000\nSUMMARY:b",
            "UID:across\nDTSTART;TZID=Europe/Berlin:20260511T230000\nDTEND;TZID=Europe/Berlin:20260512T000100\nSUMMARY:x",
            "UID:instant\nDTSTART;TZID=Europe/Berlin:20260512T000000\nSUMMARY:i",
            "UID:after\nDTSTART;TZID=Europe/Berlin:20260513T000000\nSUMMARY:a",
        )
    )
    assert {e.uid for e in calendars.between(may(12), may(13), BERLIN).events} == {"across", "instant"}


CUSTOM = """BEGIN:VTIMEZONE
TZID:Company Time
BEGIN:STANDARD
DTSTART:20001029T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0{summer}00
TZOFFSETTO:+0{winter}00
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20000326T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0{winter}00
TZOFFSETTO:+0{summer}00
END:DAYLIGHT
END:VTIMEZONE
"""


def test_a_files_own_zone_is_its_own(opened):
    """Two files that define the same zone name differently are each right."""
    event = "UID:{}\nDTSTART;TZID=Company Time:20260512T100000\nSUMMARY:C"
    calendars = opened(
        east=calendar(event.format("e"), head=CUSTOM.format(summer=6, winter=5)),
        west=calendar(event.format("w"), head=CUSTOM.format(summer=1, winter=0)),
    )
    found = {event.uid: event.start for event in in_may(calendars).events}
    assert found == {"e": may(12, 6), "w": may(12, 11)}


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("W. Europe Standard Time", 10),
        ("/freeassociation.sourceforge.net/Europe/Berlin", 10),
        ("europe/berlin", 10),
        ("America/New_York", 16),
        ("(UTC-05:00) Eastern Time", 17),
        ("GMT+0300", 9),
        ("UTC", 12),
    ],
)
def test_zones_are_known_by_many_names(opened, zone, hour):
    """IANA, Windows and vendors' names of zones, and plain offsets, all give the right hour."""
    days = in_may(opened(work=calendar(f'UID:1\nDTSTART;TZID="{zone}":20260512T100000\nSUMMARY:Z')))
    assert days.events[0].start == may(12, hour)
    assert not days.notes


def test_an_unknown_zone_is_taken_as_the_users_own_and_said(opened):
    """Nobody knows the zone: the time is shown as written, with a note."""
    days = in_may(opened(work=calendar("UID:1\nDTSTART;TZID=Atlantis:20260512T100000\nSUMMARY:Z")))
    assert days.events[0].start == may(12, 10)
    assert "nobody knows its time zone 'Atlantis'" in days.notes[0].reason


def test_a_calendars_default_zone_applies(opened):
    """X-WR-TIMEZONE places floating times, and rules given in UTC follow its clocks through the change of March."""
    head = "X-WR-TIMEZONE:America/New_York\n"
    days = in_may(
        opened(
            work=calendar(
                "UID:1\nDTSTART:20260512T100000\nSUMMARY:F",
                "UID:2\nDTSTART:20260217T150000Z\nRRULE:FREQ=WEEKLY;COUNT=13\nSUMMARY:U",
                head=head,
            )
        )
    )
    assert [(e.uid, e.start) for e in days.events if e.first_day.day == 12] == [("1", may(12, 16)), ("2", may(12, 16))]


def test_a_time_the_clock_skips_is_moved_on(opened):
    """02:30 on the night the clocks go forward is shown as 03:30."""
    calendars = opened(work=calendar("UID:1\nDTSTART:20260329T023000\nSUMMARY:S"))
    day = datetime(2026, 3, 29, tzinfo=BERLIN)
    assert calendars.between(day, day + timedelta(days=1), BERLIN).events[0].start.hour == 3


def test_people_places_and_standing_are_read(opened):
    """Attendees with their answers, rooms apart, place, link, status and whether the time is taken."""
    days = in_may(
        opened(
            work=calendar(
                "UID:1\nDTSTART:20260512T080000Z\nDTEND:20260512T090000Z\nSUMMARY:Board\\, pre-read\n"
                "LOCATION:Room 4\nGEO:52.52;13.4\nSTATUS:TENTATIVE\nURL:https://example.org/b\n"
                "DESCRIPTION:Join https://acme.zoom.us/j/123?pwd=x now\nCATEGORIES:a,b\n"
                "ORGANIZER;CN=Helga:mailto:Helga@Example.org\n"
                'ATTENDEE;CN="Brandt, Nora";PARTSTAT=ACCEPTED:MAILTO:nora@example.org\n'
                "ATTENDEE;PARTSTAT=DECLINED;ROLE=OPT-PARTICIPANT:mailto:x@example.org\n"
                "ATTENDEE;CUTYPE=ROOM;CN=Room 4:mailto:room4@example.org\n"
                "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Reminder\nTRIGGER:-PT15M\nEND:VALARM",
                "UID:2\nDTSTART:20260512T100000Z\nSUMMARY:Free\nTRANSP:TRANSPARENT",
                "UID:3\nDTSTART:20260512T110000Z\nSUMMARY:Gone\nSTATUS:CANCELLED",
                "UID:4\nDTSTART;VALUE=DATE:20000512\nSUMMARY:Birthday\nRRULE:FREQ=YEARLY",
                "UID:5\nDTSTART:20260512T120000Z\nSUMMARY:Outlook free\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
            )
        )
    )
    birthday, board, free, gone, outlook = days.events
    assert (board.title, board.location, board.geo, board.status) == (
        "Board, pre-read",
        "Room 4",
        (52.52, 13.4),
        "tentative",
    )
    assert board.online == "https://acme.zoom.us/j/123?pwd=x"
    assert [(a.name, a.email, a.response, a.optional, a.room) for a in board.attendees] == [
        ("Brandt, Nora", "nora@example.org", "accepted", False, False),
        ("x@example.org", "x@example.org", "declined", True, False),
        ("Room 4", "room4@example.org", "", False, True),
    ]
    assert board.people == 2
    assert board.organizer is not None
    assert board.organizer.email == "helga@example.org"
    assert "Reminder" not in board.description
    assert board.response_of(frozenset({"nora@example.org"})) == "accepted"
    assert board.response_of(frozenset({"helga@example.org"})) == "accepted"
    assert [e.busy for e in (birthday, board, free, gone, outlook)] == [False, True, False, False, False]
    assert gone.status == "cancelled"
    assert birthday.recurring
    assert board.categories == ("a", "b")
    assert board.calendar == "work"


def test_the_newest_version_of_an_event_counts(opened):
    """The same UID in two files: the higher SEQUENCE is served, and the report says which file's counts."""
    old = "UID:1\nSEQUENCE:1\nDTSTAMP:20260401T000000Z\nDTSTART:20260512T080000Z\nSUMMARY:Old"
    new = "UID:1\nSEQUENCE:2\nDTSTAMP:20260301T000000Z\nDTSTART:20260513T080000Z\nSUMMARY:New"
    calendars = opened(a=calendar(new), b=calendar(old), c=calendar(new))
    assert [event.title for event in in_may(calendars).events] == ["New"]
    assert [(n.path, n.reason) for n in calendars.report().notes] == [
        ("calendars/b.ics", "event '1' is also in calendars/a.ics, which counts"),
    ]


def test_a_change_in_another_file_applies_to_its_series(opened):
    """A moved occurrence that came as a file of its own moves that occurrence of the series."""
    calendars = opened(
        work=calendar("UID:1\nDTSTART:20260504T080000Z\nDURATION:PT1H\nSUMMARY:W\nRRULE:FREQ=WEEKLY;COUNT=2"),
        invitation=calendar("UID:1\nRECURRENCE-ID:20260511T080000Z\nSEQUENCE:1\nDTSTART:20260512T080000Z\nSUMMARY:W"),
    )
    assert starts(in_may(calendars)) == ["04 10:00", "12 10:00"]


def test_a_cancellation_that_came_by_mail_counts(opened):
    """METHOD:CANCEL with a later SEQUENCE cancels the event of another file."""
    event = "UID:1\nSEQUENCE:{}\nDTSTART:20260512T080000Z\nSUMMARY:W"
    calendars = opened(work=calendar(event.format(0)), cancelled=calendar(event.format(1), head="METHOD:CANCEL\n"))
    assert [(e.status, e.busy) for e in in_may(calendars).events] == [("cancelled", False)]


def test_an_answer_to_an_invitation_is_no_event(opened):
    """METHOD:REPLY tells what somebody answered; it does not replace the event."""
    event = "UID:1\nDTSTAMP:2026040{}T000000Z\nDTSTART:20260512T080000Z\nSUMMARY:{}"
    calendars = opened(
        work=calendar(event.format(1, "Real")), reply=calendar(event.format(2, "Reply"), head="METHOD:REPLY\n")
    )
    assert [e.title for e in in_may(calendars).events] == ["Real"]
    assert "answer to an invitation" in calendars.report().notes[0].reason


def test_one_broken_event_does_not_lose_its_file(opened):
    """Event by event: the broken ones are named with a reason, the others are served."""
    days = in_may(
        opened(
            work=calendar(
                "UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Good",
                "UID:2\nDTSTART:someday\nSUMMARY:No start",
                "UID:3\nDTSTART:20260513T080000Z\nSUMMARY:Bad rule\nRRULE:FREQ=SOMETIMES",
                "UID:4\nDTSTART:20260514T080000Z\nDTEND:whenever\nSUMMARY:Bad end",
                "UID:5\nDTSTART:20260516T080000Z\nDTEND:20260515T080000Z\nSUMMARY:Backwards",
                "UID:6\nDTSTART:20260517T080000Z\nEXDATE:never\nSUMMARY:Bad exception\nRRULE:FREQ=WEEKLY;COUNT=1",
            )
        )
    )
    assert [e.title for e in days.events] == ["Good", "Bad rule", "Bad end", "Backwards", "Bad exception"]
    told = " | ".join(note.reason for note in days.notes)
    for words in (
        "'No start': it was left out: it has no start that can be read",
        "'Bad rule': its rule of repetition cannot be read; only its first date is used",
        "'Bad end': its DTEND cannot be read",
        "'Backwards': it ends before it starts; the two are taken as swapped",
        "'Bad exception': one of its EXDATE cannot be read",
    ):
        assert words in told


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=9MO",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;COUNT=999999999",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))),
        "FREQ=WEEKLY;BYSETPOS=366;BYDAY=MO",
        "FREQ=HOURLY;BYHOUR=25",
    ],
)
def test_a_rule_that_never_ends_its_search_is_stopped(opened, rule):
    """A hostile rule costs a bounded search, leaves its first date and is named; others are served."""
    days = in_may(
        opened(
            work=calendar(
                f"UID:1\nDTSTART:20260512T080000Z\nDURATION:PT1M\nSUMMARY:Hostile\nRRULE:{rule}",
                "UID:2\nDTSTART:20260513T080000Z\nSUMMARY:Good",
            )
        )
    )
    assert "Good" in [e.title for e in days.events]
    assert [e.start for e in days.events if e.title == "Hostile"][:1] == [may(12, 10)]
    assert len(days.events) < 5_000


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").encode("utf-8-sig"), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").encode("utf-16"), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").encode("utf-16-le"), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").encode("latin-1"), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").replace("\n", "\r").encode(), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zürich").replace("\n", "\r\n").encode(), "Zürich"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zü").encode().replace(b"\xc3\xbc", b"\xc3\r\n \xbc"), "Zü"),
        (b"<garbage>\n" + calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Zug").encode() + b"\n\x00\xff", "Zug"),
        (calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Open")[:-26].encode(), "Open"),
    ],
    ids=["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cr", "crlf", "fold in a character", "garbage", "cut off"],
)
def test_encodings_and_line_ends(opened, data, title):
    """Any encoding and line end found in the field gives the same event."""
    assert [e.title for e in in_may(opened(work=data)).events] == [title]


def test_text_that_nobody_folded_is_kept(opened):
    """Lines of a description that are not folded go on with it, and the file says so."""
    calendars = opened(
        work=calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:S\nDESCRIPTION:one\ntwo, three\nLOCATION:Room")
    )
    event = in_may(calendars).events[0]
    assert (event.description, event.location) == ("one\ntwo, three", "Room")
    assert "not folded" in calendars.report().notes[0].reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(400), "it is not a text file"),
        (b"hello", "it holds no calendar"),
        (b"<!DOCTYPE html><html></html>", "it is a web page, not a calendar"),
    ],
)
def test_what_is_no_calendar_is_refused_with_a_reason(opened, data, reason):
    """A file that holds nothing to serve is refused by name."""
    refused = opened(work=data).report().refused
    assert [(r.path, r.reason) for r in refused] == [("calendars/work.ics", reason)]


def test_several_calendars_in_one_file(opened):
    """Each VCALENDAR of a file keeps its own name and zone."""
    event = "UID:{0}\nDTSTART:20260512T100000\nSUMMARY:{0}"
    both = calendar(event.format("a"), head="X-WR-CALNAME:One\nX-WR-TIMEZONE:America/New_York\n") + calendar(
        event.format("b"), head="X-WR-CALNAME:Two\n"
    )
    assert [(e.calendar, e.start) for e in in_may(opened(work=both)).events] == [
        ("Two", may(12, 10)),
        ("One", may(12, 16)),
    ]


def test_events_that_share_a_uid_in_one_file_are_each_kept(opened):
    """A program that gives every event the same UID loses none of them."""
    calendars = opened(
        work=calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:A", "UID:1\nDTSTART:20260513T080000Z\nSUMMARY:B")
    )
    assert [e.title for e in in_may(calendars).events] == ["A", "B"]
    assert "same UID" in calendars.report().notes[0].reason


def test_years_at_the_ends_of_time(opened):
    """Dates in the years 1 and 9999 are left out or shown, never a crash."""
    calendars = opened(
        work=calendar(
            "UID:1\nDTSTART:00010101T000000Z\nSUMMARY:First",
            "UID:2\nDTSTART:99991231T235959Z\nDURATION:P9D\nSUMMARY:Last",
            "UID:3\nDTSTART;VALUE=DATE:99991231\nSUMMARY:Last day",
            "UID:4\nDTSTART:20260512T080000Z\nDURATION:P99999999W\nSUMMARY:Long",
        )
    )
    assert [e.title for e in in_may(calendars).events] == ["Long"]
    low = datetime(1, 1, 1, tzinfo=UTC)
    high = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for start, end in ((low, low + timedelta(days=300)), (high - timedelta(days=300), high)):
        calendars.between(start, end, BERLIN)


def test_what_was_worked_out_is_kept_until_a_file_changes(opened, tmp_path):
    """The same days asked for again are the same object; a changed file gives new ones."""
    calendars = opened(work=calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:A"))
    first = in_may(calendars)
    calendars.refresh()
    assert in_may(calendars) is first
    (tmp_path / "calendars" / "work.ics").write_text(calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Changed"))
    calendars.refresh()
    assert [e.title for e in in_may(calendars).events] == ["Changed"]


@pytest.mark.parametrize("rule", RULES)
def test_neighbouring_days_are_worked_out_together_and_no_differently(opened, rule):
    """Whatever was asked before, short questions are answered as by a reader that was asked nothing else."""
    text = calendar(*RULES[rule][0])
    asked = opened(work=text)
    dice = random.Random(rule)
    for _ in range(30):
        start = may(1, 3) + timedelta(hours=dice.randrange(-24 * 20, 24 * 40))
        end = start + timedelta(hours=dice.choice((1, 6, 24, 24 * 7, 24 * 20)))
        zone = dice.choice((BERLIN, BERLIN, ZoneInfo("America/Los_Angeles")))
        assert asked.between(start, end, zone) == opened(work=text).between(start, end, zone)


def test_a_stretch_that_takes_too_long_leaves_the_days_themselves(tmp_path):
    """Half of the time goes to the weeks around; where that is not enough, the days asked for have the rest."""
    (tmp_path / "calendars").mkdir()
    many = calendar(*(f"UID:{n}\nDTSTART:202605{1 + n:02}T080000Z\nSUMMARY:{n}" for n in range(28)))
    (tmp_path / "calendars" / "many.ics").write_text(many)
    ticks = count()
    calendars = Calendars(tmp_path, clock=lambda: next(ticks))
    calendars.refresh()
    calendars.between(may(3), may(4), BERLIN)
    found = calendars.between(may(10), may(11), BERLIN, budget_s=40)
    assert found.whole
    assert [event.title for event in found.events] == ["9"]


def test_a_new_process_recalls_what_was_taken_apart(opened, tmp_path):
    """The persistent cache gives the same events as reading does."""
    plain = in_may(opened(work=calendar(*RULES["this and all that follow, two hours later"][0])))
    for _ in range(2):
        cached = Calendars(tmp_path, cache=ReadCache(tmp_path / "read.sqlite"))
        cached.refresh()
        assert in_may(cached) == plain


def test_when_time_is_up_the_rest_is_said_to_be_left_out(tmp_path):
    """Working out stops at its budget, and what is incomplete is not kept."""
    (tmp_path / "calendars").mkdir()
    events = [f"UID:{n}\nDTSTART:20260512T080000Z\nSUMMARY:{n}" for n in range(5)]
    (tmp_path / "calendars" / "work.ics").write_text(calendar(*events))
    seconds = iter(range(1000))
    calendars = Calendars(tmp_path, clock=lambda: next(seconds))
    calendars.refresh()
    days = calendars.between(may(12), may(13), BERLIN, budget_s=3)
    assert (len(days.events), days.notes[0].reason[:30]) == (2, "3 events were not worked out: ")
    assert len(calendars.between(may(12), may(13), BERLIN).events) == 5


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 5, 1), may(2)),  # noqa: DTZ001 - a naive moment is what is refused
        (may(2), may(1)),
        (may(1), may(1) + timedelta(days=401)),
    ],
)
def test_days_that_make_no_sense_are_refused(opened, start, end):
    """Naive, reversed or endless spans are the caller's mistake."""
    with pytest.raises(ValueError, match="must"):
        opened().between(start, end, BERLIN)


def test_files_in_folders_below_are_read(tmp_path):
    """Calendars may be sorted into folders; other files beside them are counted."""
    below = tmp_path / "calendars" / "team" / "old"
    below.mkdir(parents=True)
    Path(below / "x.ICS").write_text(calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:A"))
    Path(below / "x.txt").write_text("notes")
    calendars = Calendars(tmp_path)
    calendars.refresh()
    assert (calendars.report().read, calendars.report().ignored) == (1, 1)


MENDED = {
    "a day as start and a time as end": (
        "DTSTART;VALUE=DATE:20260512\nDTEND:20260513T100000Z",
        "its start and end are not of one kind (a date and a time)",
        (may(12), may(13)),
    ),
    "a time as start and a day as end": (
        "DTSTART:20260512T080000Z\nDTEND;VALUE=DATE:20260513",
        "its start and end are not of one kind (a date and a time)",
        (may(12, 10), may(13, 2)),
    ),
    "an end without the start's zone": (
        "DTSTART;TZID=Europe/Berlin:20260512T080000\nDTEND:20260512T090000",
        "",
        (may(12, 8), may(12, 9)),
    ),
    "two starts": (
        "DTSTART:20260512T080000Z\nDTSTART:20260513T080000Z",
        "it gives DTSTART more than once; the first counts",
        (may(12, 10),) * 2,
    ),
    "an exception by rule": (
        "DTSTART:20260512T080000Z\nEXRULE:FREQ=YEARLY",
        "its EXRULE (exceptions by rule, long withdrawn) is not followed",
        (may(12, 10),) * 2,
    ),
    "a rule of another calendar": (
        "DTSTART:20260512T080000Z\nRRULE:RSCALE=CHINESE;FREQ=YEARLY",
        "its rule counts in another calendar than ours (RFC 7529); only its first date is used",
        (may(12, 10),) * 2,
    ),
    "a rule that moves dates": (
        "DTSTART:20260512T080000Z\nRRULE:RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
        "its rule moves dates that do not exist (RFC 7529); they are left out instead",
        (may(12, 10),) * 2,
    ),
    "an unreadable duration": (
        "DTSTART:20260512T080000Z\nDURATION:long",
        "its DURATION cannot be read",
        (may(12, 10),) * 2,
    ),
}


@pytest.mark.parametrize("mistake", MENDED)
def test_common_mistakes_are_mended_and_said(opened, mistake):
    """What programs write wrongly is taken as it was meant, with a note."""
    lines, note, (start, end) = MENDED[mistake]
    days = in_may(opened(work=calendar(f"UID:1\nSUMMARY:M\n{lines}")))
    assert [(e.start, e.end) for e in days.events] == [(start, end)]
    assert [n.reason for n in days.notes] == ([f"'M': {note}"] if note else [])


def test_quoted_printable_of_version_1(opened):
    """VCalendar 1.0 wrote texts in quoted-printable."""
    text = "UID:1\nDTSTART:20260512T080000Z\nSUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Z=C3=BCrich; a, b"
    assert in_may(opened(work=calendar(text))).events[0].title == "Zürich; a, b"


def test_versions_within_one_file(opened):
    """Of an event that stands in a file in two versions the newer counts, in whatever order they stand."""
    old = "UID:{0}\nSEQUENCE:1\nDTSTART:20260512T080000Z\nSUMMARY:Old"
    new = "UID:{0}\nSEQUENCE:2\nDTSTART:20260512T080000Z\nSUMMARY:New"
    calendars = opened(work=calendar(old.format(1), new.format(1), new.format(2), old.format(2), new.format(2)))
    assert [e.title for e in in_may(calendars).events] == ["New", "New"]
    assert {n.reason for n in calendars.report().notes} == {
        "an event stands in it in two versions; the newer one counts",
        "an event stands in it twice",
    }


def test_an_event_of_absurd_size_is_left_out(opened):
    """One event cannot take the memory of all."""
    calendars = opened(
        work=calendar(
            f"UID:1\nDTSTART:20260512T080000Z\nSUMMARY:Huge\nDESCRIPTION:{'x' * 300_000}",
            "UID:2\nDTSTART:20260512T080000Z\nSUMMARY:Good",
        )
    )
    assert [e.title for e in in_may(calendars).events] == ["Good"]
    assert "larger than 262,144 characters" in calendars.report().notes[0].reason


def test_an_event_that_leaves_the_years_is_said(opened):
    """A time that no clock of the user can show is left out with a note."""
    calendars = opened(work=calendar("UID:1\nDTSTART:99991231T235959Z\nSUMMARY:Late"))
    end = datetime(9999, 12, 31, 23, tzinfo=UTC)
    days = calendars.between(end - timedelta(days=2), end, BERLIN)
    assert days.events == ()
    assert all("years 1 to 9999" in n.reason or "left out" in n.reason for n in days.notes)


def test_nothing_in_an_event_can_write_to_the_terminal(opened):
    """Control characters and marks that turn text around are gone from everything that is shown."""
    evil = "\x1b[2J\u202eevil"
    days = in_may(
        opened(
            work=calendar(
                f"UID:1{evil}\nDTSTART:20260512T080000Z\nSUMMARY:{evil}\nLOCATION:{evil}\nCATEGORIES:{evil}\n"
                f"CONFERENCE:https://zoom.us/j/{evil}\nATTENDEE;CN={evil}:mailto:{evil}@x.example\nURL:{evil}\n"
                f"DESCRIPTION:{evil}",
                head=f"X-WR-CALNAME:{evil}\n",
            )
        )
    )
    (event,) = days.events
    shown = (event.title, event.location, event.calendar, event.online, event.description, event.url, *event.categories)
    people = [text for attendee in event.attendees for text in (attendee.name, attendee.email)]
    assert all(text.isprintable() for text in (*shown, *people))


@pytest.mark.parametrize(
    "data", [b"\r" * 500_000, b"A" * 3_000_000, b"BEGIN:VCALENDAR\n" + b"A:B\n" * 100_000, b'A;B="' * 99_999]
)
def test_long_files_of_nothing_take_no_time(opened, data):
    """Neither endless line ends nor endless lines make the reader slow; it would take minutes if they did."""
    assert opened(work=data).report().read + opened(work=data).report().refused_count == 1


@pytest.mark.parametrize(
    ("year", "rule", "known"),
    [
        (1601, "FREQ=YEARLY;BYMONTH={};BYDAY=-1SU", True),
        (1601, "FREQ=YEARLY;INTERVAL=1;BYMONTH={};BYDAY=-1SU", True),
        (2007, "FREQ=YEARLY;BYMONTH={};BYDAY=-1SU", True),
        (1601, "FREQ=SECONDLY;BYMONTH={}", False),
        (1601, "FREQ=YEARLY;BYMONTH={};BYHOUR=1,2,3", False),
    ],
)
def test_a_zones_rules_are_yearly_or_not_believed(opened, year, rule, known):
    """Outlook's zones begin in 1601 and are right in summer and winter; one that changes every second is unknown."""
    part = "BEGIN:{0}\nDTSTART:{1}0101T020000\nRRULE:{2}\nTZOFFSETFROM:{3}\nTZOFFSETTO:{4}\nEND:{0}\n"
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Own\n"
        + part.format("STANDARD", year, rule.format(10), "+0500", "+0400")
        + part.format("DAYLIGHT", year, rule.format(3), "+0400", "+0500")
        + "END:VTIMEZONE\n"
    )
    event = "UID:{0}\nDTSTART;TZID=Own:2026{0}12T100000\nSUMMARY:Z"
    calendars = opened(work=calendar(event.format("01"), event.format("05"), head=zone))
    day = datetime(2026, 1, 1, tzinfo=BERLIN)
    days = calendars.between(day, day + timedelta(days=200), BERLIN)
    assert [e.start.hour for e in days.events] == ([7, 7] if known else [10, 10])
    assert bool(days.notes) is not known


def test_without_the_libraries_the_extra_is_named(opened, monkeypatch):
    """On an install without the assistant's libraries the error says what to install."""
    calendars = opened(work=calendar("UID:1\nDTSTART:20260512T080000Z\nSUMMARY:A"))
    monkeypatch.delitem(sys.modules, "pea.workspace.recurrence", raising=False)
    monkeypatch.setitem(sys.modules, "icalendar", None)
    monkeypatch.delitem(sys.modules, "pea.workspace.recurrence_mend", raising=False)
    with pytest.raises(MissingExtra, match="icalendar"):
        in_may(calendars)
