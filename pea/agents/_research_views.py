"""What the research agent answers: sentences of the user's own papers, word for word, with where they stand."""

from __future__ import annotations

from datetime import date

import msgspec

from pea.workspace.files_report import SourceReport


class Citation(msgspec.Struct, frozen=True):
    """A sentence and its place; ``score`` is between 0 and 1, ``found`` the piece of it that answers, if one does."""

    quote: str
    path: str
    title: str
    place: str
    kind: str
    score: float
    found: str = ""


class Answer(msgspec.Struct, frozen=True):
    """An answer by citations; when nothing answers, ``answered`` is false and ``nearest`` is what came closest."""

    question: str
    asks_for: str
    answered: bool
    short: str
    confidence: float
    citations: tuple[Citation, ...]
    nearest: tuple[Citation, ...]
    why: str
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Digest(msgspec.Struct, frozen=True):
    """What the papers say about a topic, in their own sentences."""

    topic: str
    citations: tuple[Citation, ...]
    papers: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Moment(msgspec.Struct, frozen=True):
    """A day that a paper names, or on which a mail was sent, with the sentence."""

    day: date
    quote: str
    path: str
    title: str
    place: str


class Timeline(msgspec.Struct, frozen=True):
    """The days of a topic in order."""

    topic: str
    moments: tuple[Moment, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Related(msgspec.Struct, frozen=True):
    """A paper that is about the same, and the words that say so."""

    path: str
    title: str
    kind: str
    score: float
    shared: tuple[str, ...]


class RelatedPapers(msgspec.Struct, frozen=True):
    """Papers related to one, the nearest first."""

    path: str
    related: tuple[Related, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str
