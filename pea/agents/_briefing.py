"""A briefing as data: what the day holds, what is missing from the picture, and which files it was made from."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from pea.workspace.files import SourceReport


class Clash(msgspec.Struct, frozen=True, tag="conflict"):
    """Two things that cannot both be done, or one that cannot be done as planned; ``advice`` says what to do."""

    start: datetime
    end: datetime
    what: str
    advice: str
    severity: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """A message that waits for the user: from whom, by when, and why it is thought so."""

    sender: str
    subject: str
    due: datetime | None
    reasons: tuple[str, ...]
    message: str


class Journey(msgspec.Struct, frozen=True, tag="journey"):
    """One leg of the day's travel; ``leave_by`` is when to set off, ``warnings`` say what may go wrong."""

    what: str
    leave_by: datetime | None
    start: datetime | None
    arrive: datetime | None
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Meeting(msgspec.Struct, frozen=True, tag="meeting"):
    """One entry of the day's calendar; ``others`` counts the people invited beside the user."""

    title: str
    start: datetime
    end: datetime
    all_day: bool = False
    place: str = ""
    online: bool = False
    others: int = 0
    answer: str = ""


class Paper(msgspec.Struct, frozen=True, tag="document"):
    """A document that one of the day's meetings is about, and the place in it that says so."""

    title: str
    path: str
    place: str
    snippet: str
    meeting: str


Item = Clash | Answer | Journey | Meeting | Paper


class Section(msgspec.Struct, frozen=True):
    """One part of the briefing; ``kind`` is a stable word, ``more`` counts items that were left out."""

    kind: str
    title: str
    items: tuple[Item, ...]
    more: int = 0


class Missing(msgspec.Struct, frozen=True):
    """A part that the briefing had to do without, and why."""

    part: str
    reason: str


class Briefing(msgspec.Struct, frozen=True):
    """The morning's picture of one day, most important first; ``text`` says the same for a person to read."""

    date: date
    headline: str
    sections: tuple[Section, ...]
    missing: tuple[Missing, ...]
    sources: SourceReport
    text: str
