"""What the documents agent answers: as data, and in plain words."""

from __future__ import annotations

from datetime import date

import msgspec

from pea.workspace.files_report import SourceReport
from pea.workspace.search_hits import Hit


class SummarySentence(msgspec.Struct, frozen=True):
    """A sentence of the document, word for word, and where it stands; ``score`` is between 0 and 1."""

    text: str
    place: str
    score: float


class DateFound(msgspec.Struct, frozen=True):
    """A day that the document names; ``assumed`` says what it left open."""

    day: date
    written: str
    sentence: str
    place: str
    assumed: str = ""


class AmountFound(msgspec.Struct, frozen=True):
    """A sum of money that the document names, in an ISO 4217 currency."""

    value: float
    currency: str
    written: str
    sentence: str
    place: str


class Duty(msgspec.Struct, frozen=True):
    """A sentence that obliges somebody, word for word; ``who`` is empty when its beginning does not say."""

    who: str
    sentence: str
    place: str
    days: tuple[date, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """The days, sums and duties that a document names, each with its place."""

    path: str
    title: str
    dates: tuple[DateFound, ...]
    amounts: tuple[AmountFound, ...]
    duties: tuple[Duty, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Piece(msgspec.Struct, frozen=True):
    """A passage and where it stands."""

    text: str
    place: str
    heading: bool = False


class Pages(msgspec.Struct, frozen=True):
    """A document's passages from ``first`` on; ``next`` is where to go on, None at its end."""

    path: str
    title: str
    kind: str
    passages: tuple[Piece, ...]
    first: int
    of: int
    next: int | None
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class SearchResult(msgspec.Struct, frozen=True):
    """Documents that answer a query, best first; ``all_words`` is false when none of them holds every word."""

    query: str
    hits: tuple[Hit, ...]
    all_words: bool
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Summary(msgspec.Struct, frozen=True):
    """A document in a few of its own sentences, with the dates and sums it names."""

    path: str
    title: str
    kind: str
    sentences: tuple[SummarySentence, ...]
    dates: tuple[DateFound, ...]
    amounts: tuple[AmountFound, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


def hits_text(query: str, hits: list[Hit], report: SourceReport, notes: tuple[str, ...], *, all_words: bool) -> str:
    """What a search found, for a person."""
    if not hits:
        lines = [f"Nothing found for “{query}” in {report.read} documents."]
    else:
        lines = [f"{len(hits)} {'document' if len(hits) == 1 else 'documents'} for “{query}”:"]
        if not all_words:
            lines = [f"No document holds all of “{query}”; these hold some of it:"]
    for number, hit in enumerate(hits, 1):
        lines.append(f"{number}. {hit.title} ({hit.path}, {hit.place})\n   {hit.snippet}")
    return "\n".join((*lines, *(f"Note: {note}." for note in notes), report.text()))


def facts_text(facts: Facts) -> str:
    """A document's facts for a person."""
    lines = [f"{facts.title} ({facts.path})"]
    lines += (
        ["Dates:", *(f"- {d.day:%a %d %b %Y}: {d.sentence} [{d.place}]" for d in facts.dates)] if facts.dates else []
    )
    lines += ["Amounts:", *(f"- {a.written}: {a.sentence} [{a.place}]" for a in facts.amounts)] if facts.amounts else []
    lines += ["Duties:", *(f"- {d.sentence} [{d.place}]" for d in facts.duties)] if facts.duties else []
    if len(lines) == 1:
        lines.append("It names no day, no sum and no duty.")
    return "\n".join((*lines, *(f"Note: {note}." for note in facts.notes)))


def summary_text(summary: Summary) -> str:
    """A summary for a person."""
    lines = [f"{summary.title} ({summary.path}, {summary.kind})"]
    lines += [f"- {one.text} [{one.place}]" for one in summary.sentences] or ["It has no sentence to quote."]
    if summary.dates:
        lines.append("Dates: " + "; ".join(f"{one.day:%a %d %b %Y} [{one.place}]" for one in summary.dates[:8]))
    if summary.amounts:
        lines.append("Amounts: " + "; ".join(f"{one.written} [{one.place}]" for one in summary.amounts[:8]))
    return "\n".join((*lines, *(f"Note: {note}." for note in summary.notes)))
