"""Text cut into sentences, with abbreviations, initials and numbers kept whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_SENTENCE_CHARS = 1_000
_END = re.compile(
    r"(?:[.!?…]+[\"'”\u2019»)\]]*(?=\s)|[。\uff01\uff1f]+|\n[ \t]*\n+|\n(?=[ \t]*(?:[-*•\u2013]|\d{1,3}[.)])[ \t]))"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"“])(?:(?-i:[A-Z])|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Inc|Ltd|Co|Corp|vs|etc|e\.g|i\.e|No|Nr|Art|Sec|Fig|approx|"
    r"a\.m|p\.m|U\.S|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|bzw|z\.B|ca|Hr|Fr|M|Mme|cf|al|ed|pp?|dept|est)$",
    re.IGNORECASE,
)
# A day as German and Nordic languages write it: "am 1. Juli".
_DAY = re.compile(r"(?:^|\D)\d{1,2}$")
_MONTH = re.compile(
    r"\s*(?:Jan|J(?:ä|ae)n|Feb|M(?:ä|ae)r|Mar|Apr|Mai|Maj|Jun|Jul|Aug|Sep|Okt|Nov|De[zs])[a-zäöü]{0,6}\b", re.IGNORECASE
)
_LISTED = re.compile(r"^\s*\d{1,3}$")


def sentences(text: str) -> Iterator[str]:
    """Each sentence of ``text``, white space made single; list items and blank lines end one too."""
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if match[0].startswith(".") and _goes_on(text, start, match.start(), end):
            continue
        yield from _whole(text[start:end])
        start = end
    yield from _whole(text[start:])


def _goes_on(text: str, start: int, dot: int, end: int) -> bool:
    """Whether the full stop belongs to an abbreviation, an initial or a list number."""
    before = text[max(start, dot - 12) : dot]
    if _LISTED.match(text[start:dot][:8]) and dot - start < 8:
        return True
    if _DAY.search(before) and _MONTH.match(text, end, end + 20):
        return True
    following = text[end : end + 3].lstrip()
    if following[:1].islower():
        return True
    match = _ABBREVIATION.search(before)
    if match is None:
        return False
    # "etc." and "p.m." may well end a sentence: a capital after them decides.
    return not (
        match[0].strip().lower() in {"etc", "a.m", "p.m", "inc", "ltd", "co", "no", "u.s"} and following[:1].isupper()
    )


def _whole(piece: str) -> Iterator[str]:
    sentence = " ".join(piece.split())
    for start in range(0, len(sentence), MAX_SENTENCE_CHARS):
        yield sentence[start : start + MAX_SENTENCE_CHARS]
