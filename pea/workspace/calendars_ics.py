"""Taking an .ics file apart into series of events, as text, so that one broken event cannot spoil the others.

Nothing is worked out here: a ``Series`` is the text of one event with its changed occurrences, with the span of days
in which it can possibly happen. It is quick to make, can be kept between processes, and lets the costly part (parsing
by icalendar, expansion) be done only for what falls into the days asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from pea.workspace.calendars_span import span
from pea.workspace.content_lines import ContentLine, logical_lines, parse_line, unescape
from pea.workspace.files_report import Unreadable

READER = "calendars/1"  # change the number whenever the same bytes would be read otherwise

MAX_EVENTS = 50_000
MAX_EVENT_CHARS = 256 << 10
MAX_NAME = 200
_NO_CALENDAR = "it holds no calendar"

# What an answer can be made from; the rest (alarms, attachments, vendors' own) would only cost time and memory.
_KEPT = frozenset(
    (
        *("UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "SEQUENCE"),
        *(
            "LAST-MODIFIED",
            "DTSTAMP",
            "SUMMARY",
            "DESCRIPTION",
            "LOCATION",
            "GEO",
            "URL",
            "STATUS",
            "TRANSP",
            "CATEGORIES",
        ),
        *("ORGANIZER", "ATTENDEE", "CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-CDO-BUSYSTATUS"),
        "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    )
)
_TEXTS = frozenset(("SUMMARY", "DESCRIPTION", "LOCATION"))
_REPLIES = frozenset(("REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"))
_TZID = re.compile(r';TZID=("[^"]*"|[^;:"]*)', re.IGNORECASE)


class Component(msgspec.Struct, frozen=True):
    """One VEVENT: which occurrence it describes, which version of it this is, and its text."""

    recurrence_id: str  # empty for the event itself
    sequence: int
    stamp: str  # LAST-MODIFIED, else DTSTAMP, as written: comparable as text
    text: str


class Series(msgspec.Struct, frozen=True):
    """One event with its changed occurrences; ``first`` and ``last`` bound its days, as numbers like 20260512."""

    uid: str
    components: tuple[Component, ...]
    first: int
    last: int


class Part(msgspec.Struct, frozen=True):
    """One VCALENDAR: its name, default zone and method, its own zones' definitions, its series."""

    name: str
    zone: str
    method: str
    zones: dict[str, str]
    series: tuple[Series, ...]


class CalendarFile(msgspec.Struct, frozen=True):
    """What one file holds, and what in it could not be used."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many events it holds, each counted once however often it repeats."""
        return sum(len(part.series) for part in self.parts)


def take_apart(data: bytes) -> CalendarFile:
    """Read the bytes of an .ics file; Unreadable when it is empty, is not text or holds no calendar."""
    lines, notes = logical_lines(data)
    taker = _Taker(notes)
    for line in lines:
        taker.take(line)
    taker.finish()
    if not taker.parts:
        raise Unreadable(
            "it is a web page, not a calendar" if lines and lines[0].lstrip().startswith("<") else _NO_CALENDAR
        )
    return CalendarFile(tuple(taker.parts), tuple(dict.fromkeys(taker.notes)))


class _Taker:
    """The state between lines: the open calendar, and the open event or zone."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.parts: list[Part] = []
        self._stack: list[str] = []
        self._open: list[str] = []  # lines of the open VEVENT or VTIMEZONE
        self._fields: dict[str, str] = {}
        self._calendar: dict[str, str] = {}
        self._zones: dict[str, str] = {}
        self._components: dict[str, list[Component]] = {}
        self._seen = False
        self._count = 0
        self._text_open = False

    def take(self, line: str) -> None:
        """Take the next logical line."""
        parsed = parse_line(line)
        if parsed is None:
            self._continue_text(line)
            return
        word = parsed.value.strip().upper()
        if parsed.name == "BEGIN":
            self._begin(word)
        elif parsed.name == "END":
            self._end(word)
        elif not self._stack or self._stack == ["VCALENDAR"]:
            self._calendar.setdefault(parsed.name, parsed.text().strip()[:MAX_NAME])
        elif "VTIMEZONE" in self._stack:
            self._open.append(line)
        elif self._stack[-1] == "VEVENT":
            self._property(parsed, line)

    def finish(self) -> None:
        """The end of the file closes whatever is open."""
        if "VEVENT" in self._stack:
            self.notes.append("the file ends in the middle of an event")
        self._end("VEVENT")
        self._close_calendar()

    def _begin(self, word: str) -> None:
        if word in ("VCALENDAR", "VEVENT") and "VEVENT" in self._stack:
            self.notes.append("an event is not closed before the next begins")
            self._end("VEVENT")
        if word == "VCALENDAR":
            self._close_calendar()
            self._seen, self._stack = True, []
        elif word == "VEVENT":
            self._open, self._fields, self._text_open = [], {}, False
        elif word == "VTIMEZONE":
            self._open = []
        self._stack.append(word)
        if "VTIMEZONE" in self._stack:
            self._open.append(f"BEGIN:{word}")

    def _end(self, word: str) -> None:
        if word not in self._stack:
            return
        if "VTIMEZONE" in self._stack:
            self._open.append(f"END:{word}")
        while self._stack.pop() != word:
            pass
        if word == "VEVENT":
            self._close_event()
        elif word == "VTIMEZONE":
            self._close_zone()
        elif word == "VCALENDAR":
            self._close_calendar()

    def _property(self, parsed: ContentLine, line: str) -> None:
        name = parsed.name
        self._text_open = name in _TEXTS
        if name not in _KEPT:
            return
        if parsed.param("ENCODING").upper() == "QUOTED-PRINTABLE":
            text = parsed.text().replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")
            line = f"{name}:{text}"
        if name in ("UID", "SEQUENCE", "LAST-MODIFIED", "DTSTAMP", "RECURRENCE-ID"):
            self._fields.setdefault(name, parsed.value.strip())
        # A zone's name means what this file says it means: icalendar must not look it up among all files' names.
        head, _, value = line.lstrip("\ufeff \t").partition(":")
        if ";" in head and "TZID" in line.upper():
            line = _TZID.sub(r";X-PEA-TZID=\1", line, count=1)
        elif name == "RRULE":
            line = f"{name}:{unescape(value.strip())}"
        self._open.append(line)

    def _continue_text(self, line: str) -> None:
        """A line without a name goes on with the text before it, which somebody forgot to fold."""
        if self._stack and self._stack[-1] == "VEVENT" and self._text_open and self._open:
            self._open[-1] += "\\n" + line.strip().replace(",", "\\,").replace(";", "\\;")
            self.notes.append("a text is broken over lines that are not folded")
        elif self._stack:
            self.notes.append("some lines are not calendar data and were passed over")

    def _close_event(self) -> None:
        self._seen = True
        self._count += 1
        if self._count > MAX_EVENTS:
            self.notes.append(f"it holds more than {MAX_EVENTS:,} events; the rest were not read")
            return
        text = "\r\n".join(("BEGIN:VEVENT", *self._open, "END:VEVENT", ""))
        uid = self._fields.get("UID", "")[:1000] or "none-" + hashlib.sha256(text.encode()).hexdigest()[:16]
        if len(text) > MAX_EVENT_CHARS:
            self.notes.append(f"event {uid[:60]!r} is larger than {MAX_EVENT_CHARS:,} characters and was left out")
            return
        sequence = self._fields.get("SEQUENCE", "")
        self._components.setdefault(uid, []).append(
            Component(
                recurrence_id=self._fields.get("RECURRENCE-ID", ""),
                sequence=int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 10 else 0,
                stamp=self._fields.get("LAST-MODIFIED") or self._fields.get("DTSTAMP", ""),
                text=text,
            )
        )

    def _close_zone(self) -> None:
        text = "\r\n".join((*self._open, ""))
        for line in self._open:
            parsed = parse_line(line)
            if parsed is not None and parsed.name == "TZID":
                self._zones.setdefault(parsed.text().strip().strip('"'), text)
                return

    def _close_calendar(self) -> None:
        if self._seen:
            method = self._calendar.get("METHOD", "").upper()
            if method in _REPLIES and self._components:
                self.notes.append("it is an answer to an invitation, not an event")
                self._components = {}
            series = [s for uid, found in self._components.items() for s in self._series_of(uid, found)]
            self.parts.append(
                Part(
                    name=self._calendar.get("X-WR-CALNAME", "") or self._calendar.get("NAME", ""),
                    zone=self._calendar.get("X-WR-TIMEZONE", ""),
                    method=method,
                    zones=self._zones,
                    series=tuple(series),
                )
            )
        self._seen, self._calendar, self._zones, self._components, self._stack = False, {}, {}, {}, []

    def _series_of(self, uid: str, found: list[Component]) -> Iterable[Series]:
        """One series for a UID; more when one file gives several events of the same version the same UID."""
        chosen: dict[str, Component] = {}
        others: list[Component] = []
        for component in found:
            rival = chosen.setdefault(component.recurrence_id, component)
            if rival is component:
                continue
            if component.text == rival.text:
                self.notes.append("an event stands in it twice")
            elif (component.sequence, component.stamp) > (rival.sequence, rival.stamp):
                chosen[component.recurrence_id] = component
                self.notes.append("an event stands in it in two versions; the newer one counts")
            elif (component.sequence, component.stamp) < (rival.sequence, rival.stamp):
                self.notes.append("an event stands in it in two versions; the newer one counts")
            elif component.recurrence_id:
                self.notes.append("an occurrence is changed twice; the first change counts")
            else:
                others.append(component)
                self.notes.append("different events have the same UID; each is kept")
        yield _series(uid, tuple(chosen.values()))
        for number, component in enumerate(others, 2):
            yield _series(f"{uid}#{number}", (component,))


def newer(a: Component, b: Component) -> bool:
    """Is ``a`` a later version than ``b`` of the same event (RFC 5546 section 2.1.4: SEQUENCE, then DTSTAMP)."""
    return (a.sequence, a.stamp) > (b.sequence, b.stamp)


def _series(uid: str, components: tuple[Component, ...]) -> Series:
    first, last = span([component.text for component in components])
    return Series(uid, components, first, last)
