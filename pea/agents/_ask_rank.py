"""Which capability a request means: BM25 over what each says of itself, and a book of how people ask.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with fields weighted by repetition.
A capability that is not in the book, a user's own or another server's, is ranked by its description alone.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from pea.agents._ask_slots import Slots
from pea.agents._research_question import folded, stem

K1, B = 1.2, 0.75
NAME_WEIGHT, BOOK_WEIGHT, SUMMARY_WEIGHT = 3, 3, 2
PATTERN_GAIN = 4.0  # for a pattern that covers the whole request; less for a part of it
_QUESTION = re.compile(
    r"^(?:(?:and|so|please|tell me|do you know|can you tell me) )*(?:what|who|whom|whose|when|where|why|how|which|"
    r"is|are|was|were|does|did|do|has|have|can|may|must)\b"
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SAYS_NOTHING = """
    a an the of to in on at for and or but is are was were be been do does did have has had i me my mine you your
    we us our they them their he she it its this that these those what which who whom whose when where why how can
    could will would should shall may might must please with from by as if so not no any some all there here up
    out about give get got show tell let want need like just also than then too very say says said make go going
    am im whats per one day days each every
"""
_STOP = frozenset(_SAYS_NOTHING.split())
_SAME = {
    "email": "mail", "e-mail": "mail", "emails": "mail", "mails": "mail", "appointments": "appointment",
    "diary": "calendar", "emailed": "mail",
}  # fmt: skip


OPEN_BELOW = 2.4


class Entry(msgspec.Struct, frozen=True):
    """What the book says of one capability."""

    patterns: tuple[str, ...] = ()
    words: str = ""
    cues: dict[str, float] = {}
    takes: str = ""  # the argument that is the rest of the request
    open: float = 0.0  # what a question scores that is in no capability's own words


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One capability's score; ``because`` are the words and turns of phrase that spoke for it."""

    name: str
    score: float
    covered: float  # share of the request's telling words that it knows, by their weight
    phrase: bool  # a turn of phrase from the book was used
    because: tuple[str, ...]


@functools.cache
def book() -> Mapping[str, Entry]:
    """The book of phrases, read once."""
    text = files("pea.agents").joinpath("_ask_phrases.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), dict[str, Entry])


@functools.cache
def _patterns(name: str) -> tuple[re.Pattern[str], ...]:
    entry = book().get(name)
    return () if entry is None else tuple(re.compile(rf"(?<!\w)(?:{pattern})") for pattern in entry.patterns)


class Index:
    """The capabilities as documents. ``offers`` have a name and a description."""

    def __init__(self, offers: Iterable[Any]) -> None:
        self._terms: dict[str, Counter[str]] = {offer.name: _document(offer) for offer in offers}
        lengths = {name: terms.total() for name, terms in self._terms.items()}
        self._mean = sum(lengths.values()) / max(1, len(lengths)) or 1.0
        self._lengths = lengths
        held = Counter(term for terms in self._terms.values() for term in terms)
        count = len(self._terms)
        self._idf = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in held.items()}
        self._unknown = math.log(1 + (count + 0.5) / 0.5)

    def rank(self, slots: Slots) -> list[Scored]:
        """Every capability, the best first."""
        asked = list(dict.fromkeys(terms_of(slots.masked)))
        whole = sum(self._idf.get(term, self._unknown) for term in asked) or 1.0
        found = [self._score(name, terms, asked, whole, slots) for name, terms in self._terms.items()]
        if any(one.phrase and one.score >= OPEN_BELOW for one in found):  # somebody knows this turn of phrase
            found = [one if one.phrase or not _is_open(one.name) else _halved(one) for one in found]
        return sorted(found, key=lambda one: (-one.score, one.name))

    def _score(self, name: str, terms: Counter[str], asked: Sequence[str], whole: float, slots: Slots) -> Scored:
        norm = K1 * (1 - B + B * self._lengths[name] / self._mean)
        known = [term for term in asked if term in terms]
        score = sum(self._idf[term] * terms[term] * (K1 + 1) / (terms[term] + norm) for term in known) / 2
        covered = sum(self._idf[term] for term in known) / whole
        matched = [match for pattern in _patterns(name) if (match := pattern.search(slots.masked))]
        because = list(known)
        if matched:
            length = max(1, len(slots.masked))
            best = max(matched, key=lambda match: match.end() - match.start())
            score += PATTERN_GAIN * (0.5 + 0.5 * (best.end() - best.start()) / length) + 0.3 * (len(matched) - 1)
            because.insert(0, best[0].strip()[:60])
        else:
            score *= 0.5 + 0.5 * covered  # single words mean less the more of the request they leave unexplained
        entry = book().get(name)
        if entry is not None and entry.open and _QUESTION.search(slots.masked):
            strange = sum(self._unknown for term in asked if term not in self._idf) / whole
            score += entry.open * strange
            covered = max(covered, strange)
        if entry is not None and score:
            score += sum(gain for kind, gain in entry.cues.items() if kind in slots.kinds)
        return Scored(name=name, score=score, covered=covered, phrase=bool(matched), because=tuple(because))


def _is_open(name: str) -> bool:
    entry = book().get(name)
    return entry is not None and entry.open > 0


def _halved(one: Scored) -> Scored:
    return msgspec.structs.replace(one, score=one.score / 2)


def terms_of(text: str) -> list[str]:
    """The telling words of a masked request or a description, as stems; what stands for a slot is left out."""
    found = []
    for word in _WORD.findall(text):
        if word.isupper() and len(word) > 2:
            continue
        plain = folded(re.sub(r"['\u2019]s?$", "", word))
        if plain not in _STOP and len(plain) > 1:
            found.append(stem(_SAME.get(plain, plain)))
    return found


def _document(offer: Any) -> Counter[str]:
    summary, _, rest = offer.description.partition("\n")
    entry = book().get(offer.name, Entry())
    terms: Counter[str] = Counter()
    for text, weight in (
        (re.sub(r"[._]", " ", offer.name), NAME_WEIGHT),
        (entry.words, BOOK_WEIGHT),
        (summary.lower(), SUMMARY_WEIGHT),
        (rest.lower(), 1),
    ):
        for term in terms_of(text):
            terms[term] += weight
    return terms
