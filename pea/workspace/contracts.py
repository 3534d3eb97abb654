"""What a contract says, as facts with places: parties, term, renewal, notice, law; nothing that is not written.

The reader goes passage by passage; each fact carries the sentence it was read from. Dates that follow from others (the
last day to give notice) are worked out in ``contracts_dates`` and say from what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from pea.workspace import contracts_words as words
from pea.workspace.contracts_dates import find_length
from pea.workspace.contracts_facts import Contract, DayFact, Fact, LengthFact, Party
from pea.workspace.documents import Document
from pea.workspace.text import find_dates, sentences
from pea.workspace.text.passages import Passage

MAX_PASSAGES = 5_000
MAX_FACTS = 60
QUOTED = 400


def is_contract(document: Document) -> int:
    """How many kinds of a contract's words a document holds, 0 to 8; from 4 on it is taken for one."""
    text = "\n".join(p.text for p in document.passages[:MAX_PASSAGES])[:400_000]
    found = sum(sign.search(text) is not None for sign in words.SIGNS)
    head = " ".join((document.title, document.path, *(p.text for p in document.passages[:4])))[:2_000]
    return found + (words.TITLE.search(head) is not None)


def read_contract(document: Document, signs: int) -> Contract:
    """The facts of a contract."""
    every = list(_sentences(document))
    begins = _day(every, words.BEGINS)
    renews = next((_renewal(s, p) for s, p in every if words.RENEWS.search(s)), None)
    return Contract(
        path=document.path,
        title=document.title,
        signs=signs,
        parties=_parties(document),
        begins=begins,
        ends=_day(every, words.ENDS, after=begins.day if begins else None),
        term=_length(every, words.TERM),
        renewal=_length(every, words.RENEWS) if renews is not None and renews.value == "yes" else None,
        renews=renews,
        notice=_notice(every),
        law=_law(every),
        courts=next(
            (Fact(" ".join(m["place"].split()), s[:QUOTED], p) for s, p in every if (m := words.COURTS.search(s))), None
        ),
    )


def _sentences(document: Document) -> Iterator[tuple[str, str]]:
    for passage in document.passages[:MAX_PASSAGES]:
        if not passage.heading:
            for sentence in sentences(passage.text):
                yield sentence, passage.place


def _renewal(sentence: str, place: str) -> Fact:
    return Fact("no" if words.NOT_RENEWED.search(sentence) else "yes", sentence[:QUOTED], place)


def _parties(document: Document) -> tuple[Party, ...]:
    """The sides: what stands after "between", with what each is called; else companies of the first passages."""
    for passage in document.passages[:40]:
        match = words.PARTIES.search(passage.text)
        if match is None:
            continue
        found = [_party(one["name"], one["role"], passage) for one in words.ROLE.finditer(match["list"])]
        if len(found) < 2:
            named = [name.strip(" ,") for name in words.FORM.findall(match["list"])]
            found = [_party(name, "", passage) for name in dict.fromkeys(named)]
        if len(found) >= 2:
            return tuple(found[:8])
    return ()


def _party(name: str, role: str, passage: Passage) -> Party:
    bare = re.sub(r"^[\s,:;\d.)]*(?:and|und|et|between|by)?\b[\s,:]*", "", " ".join(name.split()), flags=re.IGNORECASE)
    company = words.FORM.search(bare)
    short = company[1] if company else bare.partition(",")[0]
    return Party(short.strip(" ,.")[:120], " ".join(role.split()), passage.place)


def _day(every: list[tuple[str, str]], told: re.Pattern[str], after: date | None = None) -> DayFact | None:
    """The first written day that follows such a word within its sentence; later than ``after``, if that is given."""
    for sentence, place in every:
        for match in told.finditer(sentence):
            moment = next(find_dates(sentence[match.end() : match.end() + 60]), None)
            if moment is not None and (after is None or moment.day > after):
                return DayFact(moment.day, sentence[:QUOTED], place)
    return None


def _length(every: list[tuple[str, str]], told: re.Pattern[str]) -> LengthFact | None:
    for sentence, place in every:
        match = told.search(sentence)
        length = find_length(sentence[match.start() : match.end() + 80]) if match else None
        if length is not None:
            return LengthFact(length, sentence[:QUOTED], place)
    return None


def _notice(every: list[tuple[str, str]]) -> LengthFact | None:
    """The notice to end the contract in the ordinary way; that for good cause or of a price is another."""
    for sentence, place in every:
        if not (words.NOTICE.search(sentence) and words.ENDING.search(sentence)) or words.FOR_CAUSE.search(sentence):
            continue
        length = find_length(sentence, near=words.NOTICE)
        if length is not None:
            return LengthFact(length, sentence[:QUOTED], place)
    return None


def _law(every: list[tuple[str, str]]) -> Fact | None:
    for sentence, place in every:
        match = words.LAW.search(sentence)
        if match is not None:
            named = match["of"] or match["adj"] or match["by"] or match["de"]
            return Fact(" ".join(named.split()), sentence[:QUOTED], place)
    return None
