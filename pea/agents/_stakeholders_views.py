"""What the stakeholders agent says."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from pea.agents._letter_views import Promise, Question
from pea.workspace.files import SourceReport


class Span(msgspec.Struct, frozen=True):
    """Response times in hours: the median and its 95 % interval by order statistics; ``count`` answers were seen.

    With fewer than six answers no such interval exists: ``low`` and ``high`` are then the extremes, ``sure`` is false.
    """

    median_h: float
    low_h: float
    high_h: float
    count: int
    sure: bool


class Part(msgspec.Struct, frozen=True):
    """One part of the standing: its value (0 to 1), weight, and what it was reckoned from."""

    name: str
    value: float
    weight: float
    why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's standing: the sum of the parts' values times weights. ``emails`` are taken to be one person's."""

    name: str
    emails: tuple[str, ...]
    organization: str
    title: str
    score: float
    parts: tuple[Part, ...]
    last_contact: datetime | None
    last_how: str
    next_meeting: datetime | None
    received: int
    sent: int
    meetings: int
    merged: str


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """Who matters, most first. ``formula`` says how standing is reckoned."""

    since: date
    people: tuple[Standing, ...]
    considered: int
    machines: int
    formula: str
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One person: standing, how soon each answers the other, what is open between them."""

    standing: Standing
    rank: int
    you_answer: Span | None
    they_answer: Span | None
    usual_gap_days: float | None
    silent_days: float | None
    promises_of_yours: tuple[Promise, ...]
    promises_of_theirs: tuple[Promise, ...]
    questions_to_you: tuple[Question, ...]
    questions_of_yours: tuple[Question, ...]
    last_subjects: tuple[str, ...]
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class FollowUp(msgspec.Struct, frozen=True):
    """A promise of the user's that seems open, with the standing of whom it was made to."""

    promise: Promise
    to: str
    score: float
    days_left: int | None


class FollowUps(msgspec.Struct, frozen=True, kw_only=True):
    """Open promises by how late and to whom; ``theirs`` counts what others owe the user."""

    mine: tuple[FollowUp, ...]
    theirs: tuple[Promise, ...]
    kept: int
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Neglected(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is silent for longer than is usual between the two: ``times`` their usual gap."""

    name: str
    emails: tuple[str, ...]
    score: float
    silent_days: float
    usual_gap_days: float
    times: float
    contacts: int
    last_subject: str
    who_wrote_last: str
    why: str
    advice: str


class Neglect(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts that lapse, the weightiest first; ``rule`` says what counts as one."""

    people: tuple[Neglected, ...]
    considered: int
    rule: str
    notes: tuple[str, ...]
    sources: SourceReport
    text: str
