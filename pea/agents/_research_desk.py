"""The research agent's work on the papers: questions answered or not, topics told, timelines, neighbours.

Everything here is plain and synchronous; the agent runs it off the event loop. Nothing is rephrased: whatever is said
of a paper is a sentence of it, so what a paper orders a reader to do stays a quotation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import date, tzinfo
from pathlib import Path

import msgspec

from pea import InputError
from pea.agents import _research_text as text
from pea.agents._library import resolve
from pea.agents._research_answers import LINE, missing_words, rank
from pea.agents._research_question import STOP, Question, ask, folded, stem, stems
from pea.agents._research_sources import MAIL_PREFIX, Sources
from pea.agents._research_views import Answer, Citation, Digest, Moment, Related, RelatedPapers, Timeline
from pea.agents._summary import summarise
from pea.workspace.documents import Document
from pea.workspace.text import find_dates, sentences
from pea.workspace.text.passages import Passage

PAPERS = 12  # of each kind (documents, mails) that are read for one question
TOPIC_PAPERS = 20
SAME = 0.85  # of the best score, from which another sentence is cited as well
CITED, NEAREST = 4, 3
MAX_MOMENTS = 100
TELLING_WORDS = 24
MIN_RELATED = 0.08


class Desk:
    """Answers from one workspace's papers."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._sources = Sources(workspace, state)

    def close(self) -> None:
        """Let go of the papers."""
        self._sources.close()

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._sources.refresh(budget_s)

    @property
    def version(self) -> str:
        """Changes whenever a paper does."""
        return self._sources.version

    def answer(self, asked: str) -> Answer:
        """Answer a question by citations, or say that the papers do not. Raises InputError when it asks nothing."""
        question = self._question(asked, "question")
        papers = self._sources.some(question.words, PAPERS)
        ranked = rank(question, papers, self._sources.spread, self._sources.count)
        best = ranked[0] if ranked else None
        absent = missing_words(question, best, papers)
        why = _why_not(best, absent)
        cited = (
            [one for one in ranked if best is not None and one.score >= SAME * best.score][:CITED] if not why else []
        )
        chosen = next((one.found for one in cited if one.found), "") or (cited[0].quote if cited else "")
        result = Answer(
            asked,
            question.kind,
            not why,
            chosen,
            best.score if best is not None else 0.0,
            tuple(map(self._shown, cited)),
            tuple(map(self._shown, ranked[:NEAREST])) if why else (),
            why,
            self._sources.report(),
            self._sources.notes(),
            "",
        )
        return msgspec.structs.replace(result, text=text.answer(result))

    def digest(self, topic: str, count: int) -> Digest:
        """What the papers say about a topic: the sentences that the others agree with most, of those that name it."""
        question = self._question(topic, "topic")
        papers = self._about(question)
        wanted = set(question.terms)
        places: dict[str, tuple[Document, str]] = {}
        for paper in papers:
            for passage in paper.passages:
                for sentence in sentences(passage.text) if not passage.heading else ():
                    if wanted & stems(sentence) or wanted <= stems(paper.title):
                        places.setdefault(sentence, (paper, passage.place))
        passages = [Passage(sentence, place) for sentence, (_, place) in places.items()]
        chosen, _ = summarise(Document("", topic, "topic", tuple(passages)), count)
        cited = [self._cited(one.text, *places[one.text], one.score) for one in chosen if one.text in places]
        result = Digest(topic, tuple(cited), len(papers), self._sources.report(), self._sources.notes(), "")
        return msgspec.structs.replace(result, text=text.digest(result))

    def timeline(self, topic: str, zone: tzinfo | None) -> Timeline:
        """The days that the papers name beside a topic, and those on which mails about it were sent."""
        question = self._question(topic, "topic")
        wanted, found = set(question.terms), dict[tuple[date, str], Moment]()
        for paper in self._about(question):
            message = self._sources.message(paper.path)
            sent = message.date.astimezone(zone).date() if message is not None and message.date is not None else None
            where = self._sources.shown(paper.path)
            if sent is not None:
                told = f"{paper.passages[0].place if paper.passages else 'mail'}: {paper.title}"
                found.setdefault((sent, paper.title), Moment(sent, told, where, paper.title, "sent"))
            for passage in paper.passages:
                near = stems(f"{passage.text} {paper.title} {where}")
                if not wanted & near:
                    continue
                for sentence in sentences(passage.text):
                    for moment in find_dates(sentence, sent):
                        key = (moment.day, sentence)
                        found.setdefault(key, Moment(moment.day, sentence[:300], where, paper.title, passage.place))
        moments = sorted(found.values(), key=lambda one: (one.day, one.path, one.quote))
        notes = list(self._sources.notes())
        if len(moments) > MAX_MOMENTS:
            notes.append(f"only the last {MAX_MOMENTS} of {len(moments):,} days are listed")
        result = Timeline(topic, tuple(moments[-MAX_MOMENTS:]), self._sources.report(), tuple(notes), "")
        return msgspec.structs.replace(result, text=text.timeline(result))

    def related(self, name: str, limit: int) -> RelatedPapers:
        """Papers that share the most telling words of a document (cosine of tf-idf); InputError when it is none."""
        path = resolve(name, self._sources.documents)
        paper = self._sources.paper(path)
        if paper is None:  # removed between two steps
            raise InputError(f"{path} is no longer there", where="document")
        mine = self._weights(paper)
        telling = [word for word, _ in mine.most_common(TELLING_WORDS)]
        found = []
        for other in self._sources.some(telling, PAPERS):
            if other.path == path:
                continue
            theirs = self._weights(other)
            shared = sorted(mine.keys() & theirs.keys(), key=lambda word: -mine[word] * theirs[word])
            score = sum(mine[word] * theirs[word] for word in shared) / ((_length(mine) * _length(theirs)) or 1.0)
            if score >= MIN_RELATED:
                where = self._sources.shown(other.path)
                found.append(Related(where, other.title, other.kind, round(score, 3), tuple(shared[:6])))
        found.sort(key=lambda one: (-one.score, one.path))
        result = RelatedPapers(path, tuple(found[:limit]), self._sources.report(), self._sources.notes(), "")
        return msgspec.structs.replace(result, text=text.related(result))

    def _question(self, asked: str, field: str) -> Question:
        question = ask(asked)
        if not question.terms:
            raise InputError("there is no word to look for", where=field, fix="name what it is about")
        return question

    def _about(self, question: Question) -> list[Document]:
        """The papers that hold every word of a topic; those with most of them when none holds all."""
        papers = self._sources.some(question.words, TOPIC_PAPERS)
        held = [(paper, _held(paper, question.terms)) for paper in papers]
        most = max((count for _, count in held), default=0)
        return [paper for paper, count in held if count == most and count]

    def _weights(self, paper: Document) -> Counter[str]:
        words: Counter[str] = Counter()
        for part in (paper.title, *(passage.text for passage in paper.passages[:2_000])):
            words.update(
                word
                for word in (folded(w) for w in part.split())
                if word.isalpha() and len(word) > 3 and word not in STOP
            )
        total = self._sources.count
        found: Counter[str] = Counter()
        for word, count in words.most_common(200):
            weight = (1 + math.log(count)) * math.log((1 + total) / (1 + self._sources.spread(word)))
            if weight > 0:
                found[word] = round(weight * 1000)
        return found

    def _shown(self, one: Citation) -> Citation:
        return msgspec.structs.replace(one, path=self._sources.shown(one.path))

    def _cited(self, quote: str, paper: Document, place: str, score: float) -> Citation:
        return Citation(quote, self._sources.shown(paper.path), paper.title, place, paper.kind, score)


def _why_not(best: Citation | None, absent: list[str]) -> str:
    """Why the best sentence is no answer; empty when it is one."""
    if best is None:
        return "no paper holds its words"
    if absent:
        return f"no sentence about it stands in a paper that names {', '.join(absent[:3])}"
    if best.score < LINE:
        return f"the nearest sentence holds too little of the question ({best.score:.0%}, {LINE:.0%} are needed)"
    return ""


def _held(paper: Document, terms: Iterable[str]) -> int:
    words = stems(" ".join((paper.title, paper.path.removeprefix(MAIL_PREFIX), *(p.text for p in paper.passages))))
    return sum(stem(term) in words or term in words for term in terms)


def _length(weights: Counter[str]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values()))
