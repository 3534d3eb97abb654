"""Sentences ranked by how well they answer a question, and the line below which the answer is "not found".

A sentence's score is the idf-weighted share of the question's words that it, its paragraph and its paper's title hold
(a word counts less the farther from the sentence it stands), lowered when nothing of the kind asked for is in it. The
line was set on questions about the sample workspace and measured on others (docs/agents/research.md has both figures).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator

from pea.agents._research_question import Kind, Question, stems
from pea.agents._research_views import Citation
from pea.workspace.contracts_dates import find_length
from pea.workspace.documents import Document
from pea.workspace.text import find_amounts, find_dates, sentences

NEAR, TITLE = 0.6, 0.5  # of a word's weight when it stands in the paragraph, or only in heading or title
LINE = 0.56  # score from which a sentence answers
WRONG_KIND = 0.7
MAX_SENTENCES = 4_000
QUOTED = 500
_WEEKDAY = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow|tonight|noon|midnight|\d{1,2}[:.]\d\d|"
    r"\d{1,2} ?[ap]\.?m\b|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,4}|q[1-4]\b|end of "
    r"(?:the )?\w+)",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"\b(?:\d+|one|two|three|four|five|six|ten) (?:minutes?|hours?|(?:working )?days?|weeks?|months?)\b", re.IGNORECASE
)
_PERCENT = re.compile(r"\b\d+(?:[.,]\d+)?\s?(?:%|per ?cent)")
_NUMBER = re.compile(
    r"\b(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?<![.!?] )(?<!^)\b[A-ZÀ-Ý][\w'\u2019-]+(?: (?:von |van |de )?[A-ZÀ-Ý][\w'\u2019-]+)*|"
    r"\b[A-ZÀ-Ý][\w-]+ [A-ZÀ-Ý][\w-]+"
)
_PLACE = re.compile(
    r"\b(?:in|at|to|from|near|room|via)\s+(?:the )?((?:[A-ZÀ-Ý][\w-]*|\d+)(?:[ "
    r",]+[A-ZÀ-Ý][\w-]*){0,4})|\b(Room \d+)"
)


def rank(question: Question, papers: Iterable[Document], spread: Callable[[str], int], total: int) -> list[Citation]:
    """The sentences of some papers by how well they answer, best first; ``spread`` says in how many a word stands."""
    if not question.terms:
        return []
    weights = {
        term: math.log(1 + total / (0.5 + spread(word))) * (1.3 if term in question.names else 1.0)
        for term, word in zip(question.terms, question.words, strict=True)
    }
    whole = sum(weights.values())
    found: dict[str, Citation] = {}
    for count, (paper, place, sentence, near, title) in enumerate(_sentences(papers)):
        if count >= MAX_SENTENCES:
            break
        own = stems(sentence)
        if own.isdisjoint(weights):
            continue
        score = 0.0
        for term, weight in weights.items():
            share = 1.0 if term in own else NEAR if term in near else TITLE if term in title else 0.0
            score += weight * share
        score /= whole
        piece = answer_of(question.kind, sentence, question)
        if question.kind != "any" and not piece:
            score *= WRONG_KIND
        known = found.get(sentence)
        if known is None or known.score < score:
            found[sentence] = Citation(
                sentence[:QUOTED], paper.path, paper.title, place, paper.kind, round(min(1.0, score), 3), piece
            )
    return sorted(found.values(), key=lambda one: (-one.score, one.path, one.quote))


def answer_of(kind: Kind, sentence: str, question: Question) -> str:
    """The piece of a sentence that is of the kind asked for, and not part of the question; empty when there is none."""
    match kind:
        case "date":
            moment = next(find_dates(sentence), None)
            if moment is not None:
                return moment.text
            loose = _WEEKDAY.search(sentence) or _SPAN.search(sentence)
            return loose[0] if loose else ""
        case "amount":
            percent = _PERCENT.search(sentence)
            return next((amount.text for amount in find_amounts(sentence)), percent[0] if percent else "")
        case "length":
            length = find_length(sentence)
            span = _SPAN.search(sentence)
            return length.written if length is not None else span[0] if span else ""
        case "number":
            return next((m[0] for m in _NUMBER.finditer(sentence) if m[0].lower() not in question.words), "")
        case "person" | "place":
            pattern = _NAME if kind == "person" else _PLACE
            for match in pattern.finditer(sentence):
                piece = next((group for group in match.groups() if group), match[0]).strip(" ,")
                if not stems(piece) <= set(question.terms):
                    return piece
            return ""
        case _:
            return ""


def missing_words(question: Question, best: Citation | None, papers: Iterable[Document]) -> list[str]:
    """The question's names and numbers that the best sentence's own paper does not hold."""
    if best is None:
        return list(question.words)
    paper = next((one for one in papers if one.path == best.path), None)
    held = stems(f"{best.quote} {best.title} {best.place}")
    if paper is not None:
        held |= stems(" ".join(passage.text for passage in paper.passages))
    return [word for term, word in zip(question.terms, question.words, strict=True) if term in question.names - held]


def _sentences(papers: Iterable[Document]) -> Iterator[tuple[Document, str, str, set[str], set[str]]]:
    """Each sentence with its paper and place, the stems of its paragraph, and those of heading and title."""
    for paper in papers:
        heading = ""
        for passage in paper.passages:
            if passage.heading:
                heading = passage.text
                continue
            near = stems(passage.text)
            title = stems(f"{paper.title} {heading} {passage.place} {paper.path.rpartition('/')[2]}")
            for sentence in sentences(passage.text):
                if len(sentence) > 3:
                    yield paper, passage.place, sentence, near, title
