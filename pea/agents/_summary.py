"""An extractive summary: the sentences that the rest of a document agrees with most, each with its place.

Continuous LexRank (Erkan and Radev, "LexRank: Graph-based Lexical Centrality as Salience in Text Summarization",
JAIR 22, 2004): sentences are nodes, edges are cosines of their tf-idf vectors, and a damped random walk gives each
its weight. Position and agreement with the title are added, as most writing says early what it is about; a sentence
that repeats a chosen one is passed over. Nothing is rephrased, so nothing can be invented.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from pea.agents._document_views import AmountFound, DateFound, SummarySentence
from pea.workspace.documents import Document
from pea.workspace.text import find_amounts, find_dates, sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SENTENCES = 800  # compared with one another; the graph grows with their square
MAX_TERMS = 6_000
MAX_FACTS = 40
DAMPING = 0.85  # of Erkan and Radev
ROUNDS = 60
CENTRALITY_WEIGHT, POSITION_WEIGHT, TITLE_WEIGHT = 0.70, 0.20, 0.10
REPEATED = 0.55  # cosine from which a sentence says the same as a chosen one
MIN_WORDS, MAX_WORDS = 5, 60
_WORD = re.compile(r"[^\W\d_]{3,}")


class _Candidate(msgspec.Struct, frozen=True):
    text: str
    place: str
    terms: Counter[str]


def summarise(document: Document, count: int) -> tuple[list[SummarySentence], list[str]]:
    """The ``count`` best sentences in reading order, and notes on what was left out of the comparison."""
    candidates, notes = _candidates(document)
    if not candidates:
        return [], notes
    scores, cosines = _scores(candidates, Counter(_WORD.findall(document.title.casefold())))
    chosen: list[int] = []
    for index in sorted(range(len(candidates)), key=lambda i: (-scores[i], i)):
        if len(chosen) == count:
            break
        if all(cosines[index, other] < REPEATED for other in chosen):
            chosen.append(index)
    best = [SummarySentence(candidates[i].text, candidates[i].place, round(scores[i], 3)) for i in sorted(chosen)]
    return best, notes


def dates_of(document: Document, base: date | None = None) -> list[DateFound]:
    """The days that a document names, each once, in the order of the calendar."""
    found: dict[date, DateFound] = {}
    for sentence, place in _sentences(document):
        for moment in find_dates(sentence, base):
            found.setdefault(moment.day, DateFound(moment.day, moment.text, sentence[:300], place, moment.assumed))
    return sorted(list(found.values())[:MAX_FACTS], key=lambda one: one.day)


def amounts_of(document: Document) -> list[AmountFound]:
    """The sums that a document names, each once, in reading order."""
    found: dict[tuple[float, str], AmountFound] = {}
    for sentence, place in _sentences(document):
        for amount in find_amounts(sentence):
            key = (amount.value, amount.currency)
            found.setdefault(key, AmountFound(*key, amount.text, sentence[:300], place))
            if len(found) >= MAX_FACTS:
                return list(found.values())
    return list(found.values())


def _sentences(document: Document) -> Iterator[tuple[str, str]]:
    for passage in document.passages:
        for sentence in sentences(passage.text):
            yield sentence, passage.place


def _candidates(document: Document) -> tuple[list[_Candidate], list[str]]:
    """Sentences worth comparing; where a document has none of ordinary length (lists, tables), all of its lines."""
    prose = [p for p in document.passages if not p.heading]
    found: list[_Candidate] = []
    lines: list[_Candidate] = []
    seen: set[str] = set()
    for passage in prose or document.passages:
        for sentence in sentences(passage.text):
            text = sentence.lstrip("-*•\u2013 ")
            if not text or text.casefold() in seen:
                continue
            seen.add(text.casefold())
            one = _Candidate(text, passage.place, Counter(_WORD.findall(text.casefold())))
            lines.append(one)
            if MIN_WORDS <= len(text.split()) <= MAX_WORDS and one.terms:
                found.append(one)
        if len(lines) > 10 * MAX_SENTENCES:
            break
    kept = found or [line for line in lines if line.terms] or lines
    if len(kept) > MAX_SENTENCES:
        # Every part of a long document has its say.
        step = len(kept) / MAX_SENTENCES
        notes = [f"{MAX_SENTENCES} of its {len(kept):,} sentences, evenly spread, were compared"]
        return [kept[int(i * step)] for i in range(MAX_SENTENCES)], notes
    return kept, []


def _scores(candidates: list[_Candidate], title: Counter[str]) -> tuple[list[float], NDArray[np.float64]]:
    vectors = _vectors([candidate.terms for candidate in candidates])
    cosines = vectors @ vectors.T
    central = _walk(cosines)
    scores = []
    for index, candidate in enumerate(candidates):
        position = 1.0 / (1.0 + index / max(3.0, len(candidates) / 10))
        shared = sum(1 for term in title if term in candidate.terms) / len(title) if title else 0.0
        scores.append(CENTRALITY_WEIGHT * central[index] + POSITION_WEIGHT * position + TITLE_WEIGHT * shared)
    return scores, cosines


def _vectors(bags: list[Counter[str]]) -> NDArray[np.float64]:
    """Unit tf-idf vectors, one row per sentence."""
    import numpy as np

    spread: Counter[str] = Counter(term for bag in bags for term in bag)
    columns = {term: column for column, (term, _) in enumerate(spread.most_common(MAX_TERMS))}
    vectors = np.zeros((len(bags), max(1, len(columns))))
    for row, bag in enumerate(bags):
        for term, count in bag.items():
            if term in columns:
                vectors[row, columns[term]] = count * (1.0 + math.log(len(bags) / spread[term]))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def _walk(cosines: NDArray[np.float64]) -> list[float]:
    """The stationary weights of the damped walk, the largest scaled to 1."""
    import numpy as np

    n = len(cosines)
    edges = cosines.copy()
    np.fill_diagonal(edges, 0.0)
    totals = edges.sum(axis=1, keepdims=True)
    steps = np.where(totals > 0, edges / np.where(totals > 0, totals, 1.0), 1.0 / n)
    weights: Any = np.full(n, 1.0 / n)
    for _ in range(ROUNDS):
        moved = (1.0 - DAMPING) / n + DAMPING * (steps.T @ weights)
        if float(np.abs(moved - weights).sum()) < 1e-9:
            break
        weights = moved
    return [float(weight) for weight in weights / weights.max()]
