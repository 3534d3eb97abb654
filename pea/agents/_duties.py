"""What a document says somebody must do: its own sentences, who they are about, and the days they name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pea.agents._document_views import Duty
from pea.workspace.documents import Document
from pea.workspace.text import find_dates, sentences

MOST = 100
MOST_CHARS = 400
_DUTY = re.compile(
    r"\b(?:must|shall|(?:is|are) (?:obliged|required|to be|responsible)|ha(?:s|ve) to|need(?:s)? to|undertakes? to|"
    r"agrees? to|(?:is|are) due|muss|müssen|hat zu|haben zu|verpflichtet|doit|doivent|est tenue? de)\b",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"^(?:\W|\d|\([a-z]\))*(?P<who>(?:the|each|every|all|der|die|das|le|la|les)?\s?[^,;:.]{2,60}?)\s*$", re.IGNORECASE
)


def duties_of(document: Document) -> Iterator[Duty]:
    """The document's sentences that oblige somebody, in reading order; at most 100."""
    found = 0
    seen: set[str] = set()
    for passage in document.passages:
        if passage.heading:
            continue
        for sentence in sentences(passage.text):
            match = _DUTY.search(sentence)
            if match is None or sentence.casefold() in seen or sentence.rstrip().endswith("?"):
                continue
            seen.add(sentence.casefold())
            who = _WHO.match(sentence[: match.start()])
            days = tuple(dict.fromkeys(moment.day for moment in find_dates(sentence, None)))
            yield Duty(" ".join(who["who"].split()) if who else "", sentence[:MOST_CHARS], passage.place, days)
            found += 1
            if found >= MOST:
                return
