"""Masks what is personal before a text leaves the machine, and puts it back into what comes in return.

Masked are addresses of mail, telephone numbers, and every number or secret that `pea.workspace.privacy` can prove.
Names of people are not: an answer about nobody would be of no use.
"""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(r"(?<![\w+.])(?:\+|00|\(0|0)\d[\d ()/.\u00a0-]{6,20}\d(?!\w)")
_MARK = re.compile(r"\[\[([A-Z][A-Z_]{0,30}_\d{1,4})\]\]")
_KIND = re.compile(r"[^A-Z]+")
LONGEST_MARK = 40  # characters of a mark, with its brackets


class Redaction:
    """The marks of one conversation: the same value has the same mark in all its texts."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}  # by value
        self._values: dict[str, str] = {}  # by mark
        self._counts: dict[str, int] = {}

    @property
    def masked(self) -> int:
        """How many different values were masked."""
        return len(self._marks)

    def mask(self, text: str) -> str:
        """The text with ``[[EMAIL_1]]`` and the like; what looks like a mark already is made harmless first."""
        from pea.workspace.privacy import find_sensitive  # late: it loads the check digits of half the world

        text = _MARK.sub(lambda found: f"[ {found[1]} ]", text)
        spans = [(one.start, one.start + one.length, one.kind) for one in find_sensitive(text)]
        for pattern, kind in ((_EMAIL, "EMAIL"), (_PHONE, "PHONE")):
            spans += [(*match.span(), kind) for match in pattern.finditer(text)]
        pieces, last = [], 0
        for start, end, kind in _apart(spans):
            pieces += [text[last:start], self._mark(text[start:end], kind)]
            last = end
        return "".join([*pieces, text[last:]])

    def unmask(self, text: str) -> str:
        """The text with the values back in their places; marks that were never given stay as they are."""
        return _MARK.sub(lambda found: self._values.get(found[1], found[0]), text)

    def held_back(self, text: str) -> int:
        """How many characters at the end of a piece may be the beginning of a mark, and have to wait for the next."""
        start = text.rfind("[[", max(0, len(text) - LONGEST_MARK))
        if start >= 0 and "]]" not in text[start:]:
            return len(text) - start
        return 1 if text.endswith("[") else 0

    def _mark(self, value: str, kind: str) -> str:
        known = self._marks.get(value)
        if known is None:
            word = _KIND.sub("_", kind.upper()).strip("_")[:24] or "VALUE"
            self._counts[word] = self._counts.get(word, 0) + 1
            known = f"{word}_{self._counts[word]}"
            self._marks[value], self._values[known] = known, value
        return f"[[{known}]]"


def _apart(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Spans in order; those that overlap are one, of the longer one's kind, so that no part of any is left."""
    found: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans):
        if found and start < found[-1][1]:
            first, last, other = found[-1]
            found[-1] = (first, max(last, end), kind if end - start > last - first else other)
        else:
            found.append((start, end, kind))
    return found
