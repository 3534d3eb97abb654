"""What the communication agent answers beside the triage: promises, drafts and corrections, as data."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from pea.workspace.files_report import SourceReport

Intent = Literal["acknowledge", "accept", "decline", "postpone", "answer"]
Formality = Literal["formal", "informal"]
Language = Literal["en", "de", "fr"]
Wanted = Literal["higher", "lower", "answer", "no-answer"]


class Correction(msgspec.Struct, frozen=True):
    """One correction: what the user wanted of a conversation, and the features that learned from it."""

    id: int
    at: datetime
    message_id: str
    subject: str
    wanted: Wanted
    features: tuple[str, ...]
    undone: bool = False


class Promise(msgspec.Struct, frozen=True):
    """Something promised; ``due`` is the day named (``due_words`` as it was put), ``late`` whether it has passed."""

    who: str
    to: tuple[str, ...]
    said: str
    subject: str
    sent: datetime
    due: date | None
    due_words: str
    late: bool
    kept_by: str
    message_id: str


class Question(msgspec.Struct, frozen=True):
    """Something asked that nobody has answered in the conversation since."""

    who: str
    to: tuple[str, ...]
    asked: str
    subject: str
    sent: datetime
    days: int
    message_id: str


class Promises(msgspec.Struct, frozen=True):
    """Open promises of the user's (``mine``) and of others, open questions to the user and of theirs, oldest due first.

    ``kept`` counts promises that seem to have been kept.
    """

    mine: tuple[Promise, ...]
    theirs: tuple[Promise, ...]
    questions: tuple[Question, ...]
    asked: tuple[Question, ...]
    kept: int
    since: date
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Contacted(msgspec.Struct, frozen=True):
    """How things stand with one person: the last mails each way, lately discussed, and what they still wait for.

    ``questions`` are theirs to the user; ``promises`` say who made them.
    """

    email: str
    name: str
    last_from: datetime | None
    last_to: datetime | None
    mails: int
    subjects: tuple[str, ...]
    questions: tuple[str, ...]
    promises: tuple[str, ...]


class History(msgspec.Struct, frozen=True):
    """How things stand with some people, in the order asked for."""

    people: tuple[Contacted, ...]
    sources: SourceReport
    text: str


class Draft(msgspec.Struct, frozen=True):
    """A reply that is not sent: its headers, its body with the mail quoted below, and why it is put that way.

    ``blanks`` are the places in the body, in brackets, that only the user can fill.
    """

    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    in_reply_to: str
    references: tuple[str, ...]
    body: str
    language: Language
    formality: Formality
    because: str
    blanks: tuple[str, ...]
    text: str
