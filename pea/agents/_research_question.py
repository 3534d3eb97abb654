"""What a question asks for: the words that carry it, and the kind of thing that would answer it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import msgspec

Kind = Literal["date", "amount", "number", "length", "person", "place", "any"]
MAX_TERMS = 16
_WORDS: dict[Kind, str] = {
    "length": r"how long|for how (?:many|long)|wie lange|notice period|how many (?:days|weeks|months|years)|duration",
    "amount": (
        r"how much|what (?:is|was|are|does)[^?]{0,30}\b(?:cost|price|budget|fee|salary|limit|cap)|price|cost|"
        r"wie ?viel kostet"
    ),
    "number": r"how many|wie ?viele|what (?:percentage|number|share)",
    "date": (r"when|what (?:date|day|time|deadline)|which (?:day|date)|by when|since when|wann|until when|deadline"),
    "person": r"who|whom|whose|wer|wem|wen",
    "place": r"where|wo|wohin|which (?:city|place|room|town)",
}
_KINDS = {kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _WORDS.items()}
_SAYS_NOTHING = """
    a about after all also am an and any are as at be been before being by can could did do does for from had
    has have he her him his how i if in into is it its just may me much many my no not of on or our out over per
    she should so some such than that the their them then there these they this those to under until up us was
    we were what when where which who whom whose why will with would you your long please tell say says said
    give given find show know get got there der die das und ist wer was wann wo wie viel viele ein eine von zu
    im in am auf mit für den dem des cost costs price date day time deadline much number kind agreed happen
    happens happened take takes
"""
STOP = frozenset(_SAYS_NOTHING.split())
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")


class Question(msgspec.Struct, frozen=True):
    """A question's kind, its telling words as stems, and which of them are names or numbers (they must be there)."""

    text: str
    kind: Kind
    terms: tuple[str, ...]
    words: tuple[str, ...]
    names: frozenset[str]


def ask(text: str) -> Question:
    """Read a question."""
    kind: Kind = next((kind for kind, words in _KINDS.items() if words.search(text)), "any")
    found: dict[str, str] = {}
    names: set[str] = set()
    for position, match in enumerate(_WORD.finditer(text)):
        word = re.sub(r"['\u2019]s$", "", match[0])
        plain = folded(word)
        if plain in STOP or (len(plain) < 2 and not plain.isdigit()):
            continue
        term = stem(plain)
        found.setdefault(term, plain)
        if (position and word[0].isupper()) or any(c.isdigit() for c in word):
            names.add(term)
    terms = tuple(found)[:MAX_TERMS]
    return Question(text, kind, terms, tuple(found[term] for term in terms), frozenset(names & set(terms)))


def stems(text: str) -> set[str]:
    """The stems of a text's words."""
    return {stem(folded(word)) for word in _WORD.findall(text)}


def folded(word: str) -> str:
    """Without case and accents."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def stem(word: str) -> str:
    """An English word without its ending: a few of Porter's rules, enough to compare words of two sentences."""
    word = re.sub(r"['\u2019]s?$", "", word)
    for ending, instead in (
        ("ations", "at"), ("ation", "at"), ("ments", "ment"), ("ies", "y"), ("ing", ""), ("edly", ""), ("ed", ""),
        ("sses", "ss"), ("es", ""), ("s", ""), ("e", ""),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + instead
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2:-1] and word[-1] not in "ls" else word
