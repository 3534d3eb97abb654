"""What a person types becomes an FTS5 expression that can never be a syntax error."""

from __future__ import annotations

import re

import msgspec

MAX_TERMS = 32
MAX_QUERY_CHARS = 1_000
MIN_BEGINNING = 3  # letters; fewer begin half of all words
_PIECE = re.compile(r'(-?)"([^"]*)"|(-?)([^\s"]+)|"')
_TOKEN = re.compile(r"[^\W_]+")
# Scripts written without spaces: each character is a word of its own, so that a part of a sentence can be found.
_UNSPACED = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f])")


class Query(msgspec.Struct, frozen=True):
    """Terms to find (several words make a phrase), terms to leave out; the last may stand for a word's beginning."""

    terms: tuple[str, ...]
    without: tuple[str, ...] = ()
    open_end: bool = False

    def all(self) -> str:
        """The expression for texts that hold every term."""
        return self._expression(" AND ")

    def any(self) -> str:
        """The expression for texts that hold at least one term."""
        return self._expression(" OR ")

    def _expression(self, joiner: str) -> str:
        quoted = [f'"{term}"' for term in self.terms]
        if self.open_end:
            # The word itself counts as well: stemming can make it shorter than its beginning.
            quoted[-1] = f"({quoted[-1]} OR {quoted[-1]}*)"
        positive = joiner.join(quoted)
        excluded = "".join(f' NOT "{term}"' for term in self.without)
        return f"({positive}){excluded}" if positive else ""


def parse(text: str) -> Query:
    """Read a query: words, ``"phrases"``, ``-without``; all other punctuation only separates words.

    The terms are empty when there is nothing to look for.
    """
    terms: dict[str, None] = {}
    without: dict[str, None] = {}
    last_is_word = False
    for minus, phrase, dash, word in _PIECE.findall(text[:MAX_QUERY_CHARS]):
        tokens = _TOKEN.findall(spaced(phrase or word))
        if not tokens:
            continue
        joined = " ".join(tokens)
        negative = bool(minus or (dash and not word.startswith("-")))
        (without if negative else terms)[joined] = None
        last_is_word = not phrase and not negative
    positive = tuple(terms)[:MAX_TERMS]
    begun = last_is_word and len(terms) <= MAX_TERMS and not text[-1:].isspace() and len(positive[-1]) >= MIN_BEGINNING
    return Query(positive, tuple(without)[:MAX_TERMS] if positive else (), begun)


def spaced(text: str) -> str:
    """Text with a space around each character of a script that writes none, as both index and query need it."""
    return _UNSPACED.sub(r" \1 ", text) if not text.isascii() else text


def unspaced(text: str) -> str:
    """Undo ``spaced`` for showing."""
    return re.sub(rf" (?={_UNSPACED.pattern})|(?<={_UNSPACED.pattern}) ", "", text) if not text.isascii() else text
