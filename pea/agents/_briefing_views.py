"""The little that a briefing reads of the other agents' answers, whatever more they say and wherever they run."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from pea import PeaError
from pea.workspace.files import Refusal, SourceReport

T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the calendar; ``response`` is the user's own answer, ``zone`` is where it was made.

    ``others`` counts the other people invited.
    """

    title: str
    start: datetime
    end: datetime
    all_day: bool = False
    status: str = "confirmed"
    response: str = ""
    location: str = ""
    is_online: bool = False
    others: int = 0
    zone: str = ""


class Agenda(msgspec.Struct, frozen=True):
    """What `calendar.agenda` says: the entries that stand, and what in the files could not be worked out."""

    entries: tuple[Entry, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport


class Conflict(msgspec.Struct, frozen=True):
    """Something that cannot be done as planned, and what would mend it."""

    severity: str
    start: datetime
    end: datetime
    reason: str
    advice: str


class Conflicts(msgspec.Struct, frozen=True):
    """What `calendar.conflicts` says, the worst first; ``more`` counts those it left out."""

    conflicts: tuple[Conflict, ...]
    more: int
    sources: SourceReport


class Reason(msgspec.Struct, frozen=True):
    """Why a message has its rank; a reason without points is a remark."""

    points: int
    why: str


class Waiting(msgspec.Struct, frozen=True):
    """A conversation that waits for the user; ``due_at`` is ``HH:MM``, or empty when only the day is known."""

    message_id: str
    subject: str
    sender: str
    asks: tuple[str, ...]
    due: date | None
    due_at: str
    reasons: tuple[Reason, ...]


class Triage(msgspec.Struct, frozen=True):
    """What `communication.triage` says; ``notes`` are about all of it, such as whose mail this is taken for."""

    answer: tuple[Waiting, ...]
    waiting: int
    notes: tuple[str, ...]
    sources: SourceReport


class Hit(msgspec.Struct, frozen=True):
    """A document that answers a query; ``snippet`` marks words with ``**``."""

    path: str
    title: str
    place: str
    snippet: str
    score: float


class Search(msgspec.Struct, frozen=True):
    """What `documents.search` says; ``all_words`` is false when no document holds every word."""

    hits: tuple[Hit, ...]
    all_words: bool
    sources: SourceReport


class Leg(msgspec.Struct, frozen=True):
    """One movement: a booked journey, or the way to the next entry."""

    what: str
    booked: bool
    start_place: str
    end_place: str
    leave_by: datetime
    start: datetime | None
    arrive: datetime
    details: tuple[str, ...]
    warnings: tuple[str, ...]


class ZoneChange(msgspec.Struct, frozen=True):
    """Where the clocks differ from those at home, in words."""

    text: str


class Itinerary(msgspec.Struct, frozen=True):
    """What `travel.itinerary` says; ``warnings`` are about all of it."""

    legs: tuple[Leg, ...]
    zones: tuple[ZoneChange, ...]
    warnings: tuple[str, ...]
    sources: SourceReport


class Unclear(PeaError):
    """Another agent's answer lacks what a briefing needs; its version and this one's do not fit."""

    code = "unclear_answer"


def read(answer: Any, view: type[T]) -> T:
    """An answer, as a struct or as decoded JSON, as the view; Unclear when it does not fit."""
    try:
        return msgspec.convert(answer, view, from_attributes=True)
    except msgspec.ValidationError as error:
        raise Unclear(f"its answer cannot be read: {error}") from error
