"""The research agent's answers for a person: the sentence first, then where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pea.agents._research_views import Answer, Citation, Digest, RelatedPapers, Timeline


def answer(result: Answer) -> str:
    """The short answer and its citations; or that there is none, and what came nearest."""
    if result.answered:
        lines = [result.short, *(line for one in result.citations for line in _cited(one))]
    else:
        lines = [f"Not found in your papers: {result.why}."]
        if result.nearest:
            lines.append("What came nearest:")
            lines += [line for one in result.nearest for line in _cited(one)]
    return "\n".join((*lines, *_notes(result.notes), result.sources.text()))


def digest(result: Digest) -> str:
    """The sentences with their places."""
    lines = [f"“{result.topic}” in {result.papers} papers:"]
    lines += [line for one in result.citations for line in _cited(one)] or ["  nothing"]
    return "\n".join((*lines, *_notes(result.notes), result.sources.text()))


def timeline(result: Timeline) -> str:
    """A line per day."""
    lines = [f"“{result.topic}”, day by day:" if result.moments else f"No day is named beside “{result.topic}”."]
    lines += [f"  {one.day:%d %b %Y}  {_cut(one.quote)} · {one.path}, {one.place}" for one in result.moments]
    return "\n".join((*lines, *_notes(result.notes), result.sources.text()))


def related(result: RelatedPapers) -> str:
    """A line per paper."""
    lines = [f"Related to {result.path}:" if result.related else f"Nothing is related to {result.path}."]
    lines += [f"  {one.score:.2f}  {one.title} ({one.path}): {', '.join(one.shared)}" for one in result.related]
    return "\n".join((*lines, *_notes(result.notes), result.sources.text()))


def _cited(one: Citation) -> Iterator[str]:
    yield f"  “{_cut(one.quote)}”"
    yield f"      {one.title} · {one.path}, {one.place} ({one.score:.0%})"


def _cut(quote: str) -> str:
    plain = " ".join(quote.split())
    return plain if len(plain) <= 240 else plain[:239] + "…"


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"Note: {note}." for note in notes]
