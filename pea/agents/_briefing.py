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
    """A message that waits for the user: what its sender asks, by when, and why it ranks where it does.

    ``asks`` is the sender's own sentence; ``due`` at 23:59 means a day without an hour; ``remarks`` are what to be
    careful about.
    """

    sender: str
    subject: str
    asks: str
    due: datetime | None
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    message_id: str


class Journey(msgspec.Struct, frozen=True, tag="journey"):
    """One leg of the day's travel, ``booked`` or the way to an entry; ``leave_by`` is when to set off."""

    what: str
    booked: bool
    leave_by: datetime
    start: datetime | None
    arrive: datetime
    start_place: str
    end_place: str
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Meeting(msgspec.Struct, frozen=True, tag="meeting"):
    """One entry of the day's calendar; ``others`` counts the people invited beside the user.

    ``elsewhere`` is its beginning by the clocks of the place it was made for, when those differ: ``09:30 in London``.
    """

    title: str
    start: datetime
    end: datetime
    all_day: bool = False
    place: str = ""
    online: bool = False
    others: int = 0
    answer: str = ""
    elsewhere: str = ""


class Paper(msgspec.Struct, frozen=True, tag="document"):
    """A document that one of the day's meetings is about, and the place in it that says so."""

    title: str
    path: str
    place: str
    snippet: str
    meeting: str


Item = Clash | Answer | Journey | Meeting | Paper


class Section(msgspec.Struct, frozen=True):
    """One part of the briefing; ``kind`` is a stable word, ``more`` counts items that were left out.

    ``notes`` are what there is to say about all of it.
    """

    kind: str
    title: str
    items: tuple[Item, ...]
    more: int = 0
    notes: tuple[str, ...] = ()


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
