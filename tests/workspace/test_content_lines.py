"""Content lines are read forgivingly: whatever has their form is kept, nothing else can raise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.calendars_ics import take_apart
from pea.workspace.contacts import parse
from pea.workspace.content_lines import logical_lines, parse_line, split_escaped, unescape
from pea.workspace.files import Unreadable


@pytest.mark.parametrize(
    ("line", "name", "params", "value"),
    [
        ("SUMMARY:a:b;c", "SUMMARY", {}, "a:b;c"),
        ('ATTENDEE;CN="Doe: J; Mr,":mailto:x', "ATTENDEE", {"CN": ("Doe: J; Mr,",)}, "mailto:x"),
        ("item1.TEL;TYPE=home,work;type=pref:1", "TEL", {"TYPE": ("home", "work", "pref")}, "1"),
        ("TEL;WORK;VOICE:1", "TEL", {"WORK": ("",), "VOICE": ("",)}, "1"),
        ("N;CN=a^nb^^c^'d:x", "N", {"CN": ('a\nb^c"d',)}, "x"),
        ("  dtstart:1", "DTSTART", {}, "1"),
    ],
)
def test_a_line_is_a_name_parameters_and_a_value(line, name, params, value):
    """Quoted, repeated and bare parameters, groups and RFC 6868 escapes are understood."""
    parsed = parse_line(line)
    assert parsed is not None
    assert (parsed.name, parsed.params, parsed.value) == (name, params, value)


@pytest.mark.parametrize("line", ["", "no colon", ":x", "1:x", "A B:x", "NAME;=:x;", 'NAME;CN="open:x'])
def test_what_is_no_line_is_none(line):
    """Something without the form of a content line is not guessed at."""
    parsed = parse_line(line)
    assert parsed is None or parsed.name == "NAME"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_parts_survive_escaping(parts):
    """Escaped and joined parts are split into the same parts."""
    escaped = [p.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n") for p in parts]
    assert split_escaped(";".join(escaped), ";") == parts


@given(st.text())
def test_unescaping_takes_only_backslashes_away(text):
    """Text without backslashes is itself."""
    assert unescape(text.replace("\\", "")) == text.replace("\\", "")


@pytest.mark.parametrize("fold", ["\r\n ", "\n\t", "\r ", "\r\r\n "])
def test_folds_are_undone(fold):
    """A folded line is one line, whatever its line ends."""
    lines, notes = logical_lines(f"SUMMARY:one{fold}two".encode())
    assert (lines, notes) == (["SUMMARY:onetwo"], [])


def reason_or_none(read: Callable[[bytes], object], data: bytes) -> str | None:
    """Why the bytes cannot be read, or None when they can."""
    try:
        read(data)
    except Unreadable as error:
        return error.what
    return None


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_no_bytes_can_raise_but_unreadable(data):
    """Any bytes give lines, calendars and contacts, or a reason."""
    assert all(reason_or_none(read, data) != "" for read in (logical_lines, take_apart, parse))


PIECES = [
    "BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE",
    "BEGIN:VALARM", "END:VALARM", "UID:1", "UID:2", "DTSTART:20260512T080000Z", "DTSTART;TZID=X:20260512T080000",
    "TZID:X", "junk", "RECURRENCE-ID:20260512T080000Z", "SUMMARY:x", "SEQUENCE:-5", "SEQUENCE:99999999999",
    "METHOD:REPLY", "BEGIN:", "RRULE:FREQ=DAILY", "DURATION:P1W", "BEGIN:VCARD", "END:VCARD", "FN:x", "N:a;b",
    "EMAIL:a@b", "END:", "DTEND:2",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=200, deadline=None)
def test_pieces_in_any_order_cannot_raise(pieces):
    """Components opened, closed and nested in any order give events or a reason."""
    data = "\n".join(pieces).encode()
    assert all(reason_or_none(read, data) != "" for read in (take_apart, parse))
