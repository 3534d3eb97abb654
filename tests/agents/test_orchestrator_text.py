"""A briefing reads as an assistant would write it, in 88 columns, whatever the files hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pea import DeadlineExceeded, Outcome
from pea.agents import _briefing_views as views
from pea.agents import _briefing_words as words
from pea.agents._briefing import Answer, Briefing, Clash, Journey, Meeting, Missing, Paper, Section
from pea.agents._briefing_papers import Papers
from pea.agents._briefing_parts import Parts, compose
from pea.agents._briefing_text import COLUMNS, render
from pea.workspace.files import Refusal, SourceReport

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 5, 12)


def at(hour: int, minute: int = 0, *, day: int = 12) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=BERLIN)


def briefing(*sections: Section, missing: tuple[Missing, ...] = (), sources: SourceReport | None = None) -> str:
    whole = Briefing(TODAY, "One meeting.", sections, missing, sources or SourceReport(read=1), "")
    return render(whole, at(7, 30)).replace(words.DASH, "-")


def test_a_briefing_begins_with_the_day_and_ends_with_the_files() -> None:
    """Day, headline, what there is, and from how many files it was made."""
    assert briefing() == "Tuesday 12 May 2026\nOne meeting.\n\nRead 1 file, refused 0."


def test_each_kind_of_item_has_its_line() -> None:
    """Times stand on the left; what to do and why stands below."""
    text = briefing(
        Section("conflicts", "Conflicts", (Clash(at(9), at(9, 45), "A and B overlap", "Move B.", "high"),)),
        Section(
            "answers", "To answer", (Answer("Tobias", "The freeze", "OK?", at(17), ("asks you",), ("new",), "1@x"),)
        ),
        Section(
            "travel",
            "Travel",
            (Journey("Flight", True, at(17, 5), at(19), at(20), "BER", "ZRH", ("90 min",), ("tight",)),),
        ),
        Section("day", "Today", (Meeting("Board pre-read", at(9), at(9, 45), place="Room 4", others=5),), more=2),
        Section("documents", "Documents", (Paper("Contract", "documents/c.docx", "page 2", "", "Clauses"),)),
    )
    assert text.split("\n\n")[1:-1] == [
        "CONFLICTS\n  09:00-09:45    A and B overlap\n                 → Move B.",
        (
            "TO ANSWER\n  today 17:00    Tobias · The freeze\n                 “OK?”\n                 Asks you\n"
            "                 ! New"
        ),
        "TRAVEL\n  leave 17:05    Flight\n                 90 min\n                 ! Tight",
        "TODAY\n  09:00-09:45    Board pre-read · Room 4 · with 5 others\n                 … and 2 more",
        "DOCUMENTS\n  For Clauses:\n    Contract · documents/c.docx, page 2",
    ]


def test_what_is_missing_is_said_in_the_text() -> None:
    """A part that failed is named with its reason, never left out in silence."""
    text = briefing(missing=(Missing("Mail", "it did not answer within 4 s"),))
    assert "MISSING FROM THIS BRIEFING\n  Mail: it did not answer within 4 s" in text


def test_refused_files_are_named_and_the_rest_counted() -> None:
    """Some names with their reasons, then how many more there are."""
    refused = tuple(Refusal(f"mail/{n}.eml", "it is empty") for n in range(50))
    text = briefing(sources=SourceReport(read=1200, refused=refused, refused_count=61, pending=1))
    assert "Read 1,200 files, refused 61:\n  mail/0.eml: it is empty\n" in text
    assert "  mail/8.eml: it is empty\n  … and 52 more\n1 file is not read yet; ask again for more." in text


def test_each_folder_has_its_refused_files_named() -> None:
    """Many bad files in one folder do not hide the one in another."""
    refused = (*(Refusal(f"mail/{n}.eml", "it is empty") for n in range(50)), Refusal("documents/a.pdf", "encrypted"))
    text = briefing(sources=SourceReport(read=1, refused=refused, refused_count=51))
    assert "  mail/7.eml: it is empty\n  documents/a.pdf: encrypted\n  … and 42 more" in text


@pytest.mark.parametrize(
    ("meeting", "line"),
    [
        (Meeting("Yoga", at(19), at(20, 15)), "19:00-20:15    Yoga"),
        (Meeting("Call", at(9), at(9)), "09:00          Call"),
        (Meeting("Fair", at(9), at(17, day=14)), "from 09:00     Fair"),
        (Meeting("Fair", at(9, day=10), at(17, day=14)), "all day        Fair"),
        (Meeting("Night train", at(22, day=11), at(6)), "until 06:00    Night train"),
        (Meeting("Party", at(20), at(0, day=13)), "20:00-00:00    Party"),
        (Meeting("Reminder", at(0), at(0)), "00:00          Reminder"),
        (Meeting("Birthday", at(0), at(0, day=13), all_day=True), "all day        Birthday"),
        (Meeting("Talk", at(9), at(10), place="https://x", online=True, others=1), "Talk · online · with 1 other"),
        (Meeting("Lunch", at(12), at(13), answer="tentative"), "Lunch · tentative"),
        (Meeting("Lunch", at(12), at(13), answer="needs-action"), "Lunch · you have not answered"),
    ],
)
def test_an_entry_of_the_day(meeting: Meeting, line: str) -> None:
    """When, what, where, with how many, and whether it is settled."""
    assert line in briefing(Section("day", "Today", (meeting,)))


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (at(17), "today 17:00"),
        (at(12, day=13), "tomorrow 12:00"),
        (at(23, 59, day=15), "Fri"),
        (at(0, day=18), "Mon"),
        (at(10, day=11), "yesterday 10:00"),
        (at(12, day=22), "22 May 12:00"),
        (datetime(2027, 1, 4, 8, tzinfo=UTC), "4 Jan 2027 09:00"),
    ],
)
def test_by_when(moment: datetime, said: str) -> None:
    """Near days by name, others by date, in the user's zone; the end of a day is just the day."""
    assert words.due(moment, at(7, 30)) == said


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/London", "08:00 in London"),
        ("America/New_York", "03:00 in New York"),
        ("America/Argentina/Buenos_Aires", "04:00 in Buenos Aires"),
        ("Europe/Zurich", ""),
        ("Mars/Olympus", ""),
        ("Europe/../../etc/passwd", ""),
        ("Etc/UTC", ""),
        ("UTC", ""),
        ("", ""),
    ],
)
def test_other_clocks(zone: str, said: str) -> None:
    """Only clocks that show another time are worth a word, and only those of a place."""
    assert words.elsewhere(at(9), zone) == said


def test_plurals_and_lists() -> None:
    """One meeting, two meetings; a and b; a, b and c."""
    assert [words.count(n, "reply", "replies") for n in (0, 1, 1200)] == ["0 replies", "1 reply", "1,200 replies"]
    assert [words.both(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


anything = st.text(max_size=400)


@given(title=anything, place=anything, reason=anything, minutes=st.integers(-10_000, 10_000))
def test_no_line_is_too_long_and_none_can_steer_a_terminal(title: str, place: str, reason: str, minutes: int) -> None:
    """Titles and subjects come from strangers: cut, wrapped and free of control characters."""
    end = at(9) + timedelta(minutes=minutes)
    text = briefing(
        Section("day", "Today", (Meeting(title, at(9), end, place=place, others=3),)),
        Section("conflicts", "Conflicts", (Clash(at(9), end, title, reason, "high"),)),
        Section("answers", "To answer", (Answer(place, title, reason, end, (reason,), (place,), "1@x"),)),
        Section("documents", "Documents", (Paper(title, place, reason, "", title),)),
        Section("travel", "Travel", (Journey(title, False, end, None, end, place, reason, (place,), (reason,)),)),
        missing=(Missing("Mail", reason),),
        sources=SourceReport(refused=(Refusal(place, reason),), refused_count=1),
    )
    assert all(len(line) <= COLUMNS for line in text.splitlines())
    assert all(character.isprintable() or character == "\n" for character in text)


moments = st.datetimes(
    datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2200-01-01"), timezones=st.just(BERLIN)
)
whole = st.integers(0, 10**9)
files = st.builds(
    SourceReport,
    read=whole,
    refused_count=whole,
    refused=st.lists(st.builds(Refusal, anything, anything), max_size=12).map(tuple),
    notes_count=whole,
    notes=st.just(()),
    pending=whole,
)
entries = st.builds(views.Entry, title=anything, start=moments, end=moments, location=anything, response=anything)
answers = st.builds(
    views.Waiting,
    message_id=anything,
    subject=anything,
    sender=anything,
    asks=st.lists(anything, max_size=2).map(tuple),
    due=st.none() | st.dates(),
    due_at=st.sampled_from(["", "17:00", "25:00", "soon"]),
    reasons=st.lists(st.builds(views.Reason, st.integers(-9, 9), anything), max_size=3).map(tuple),
)


def some(items: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(items, max_size=12).map(tuple)


def outcomes(values: st.SearchStrategy) -> st.SearchStrategy:
    errors = st.builds(ValueError, anything) | st.builds(DeadlineExceeded, anything)
    return values.map(lambda value: Outcome(value, None, 0.0)) | errors.map(lambda error: Outcome(None, error, 0.0))


conflicts = st.builds(views.Conflict, anything, moments, moments, anything, anything)
legs = st.builds(
    views.Leg,
    what=anything,
    booked=st.booleans(),
    start_place=anything,
    end_place=anything,
    leave_by=moments,
    start=st.none() | moments,
    arrive=moments,
    details=some(anything),
    warnings=some(anything),
)
every_part = st.builds(
    Parts,
    conflicts=outcomes(st.builds(views.Conflicts, some(conflicts), whole, files)),
    triage=outcomes(st.builds(views.Triage, some(answers), whole, some(anything), files)),
    travel=outcomes(
        st.builds(views.Itinerary, some(legs), some(st.builds(views.ZoneChange, anything)), some(anything), files)
    ),
    agenda=outcomes(st.builds(views.Agenda, some(entries), st.just(()), files)),
    documents=outcomes(
        st.builds(Papers, some(st.builds(Paper, anything, anything, anything, anything, anything)), files)
    ),
)


@given(parts=every_part, day=st.dates())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_answers_make_a_briefing(parts: Parts, day: date) -> None:
    """Whatever the others say, and whoever of them fails: each part is told or named as missing."""
    made = compose(day, at(7, 30), parts)
    failed = [name for name in ("conflicts", "triage", "travel", "agenda", "documents") if not getattr(parts, name).ok]
    unread = parts.agenda.value is not None and parts.agenda.value.sources.nothing
    assert bool(made.missing) == bool(failed or unread)
    assert all(len(line) <= COLUMNS for line in made.text.splitlines())
    assert all(character.isprintable() or character == "\n" for character in made.text)
