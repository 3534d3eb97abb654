"""Personal data and secrets in text: what is found is named, placed and masked; the value itself is never kept.

Numbers count when their check digits are right (python-stdnum) and, where one digit in eleven would be right by chance,
when the words around them say what they are. Secrets count by their structure, or by their name and randomness.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pea.workspace import privacy_numbers, privacy_secrets
from pea.workspace.privacy_finding import Finding, Kind

__all__ = ["KINDS", "Finding", "Found", "Kind", "find_sensitive", "scan"]

MAX_CHARS = 2_000_000
MAX_FINDINGS = 500  # in one text
KINDS: tuple[Kind, ...] = (*privacy_secrets.KINDS, *privacy_numbers.KINDS)


class Found(msgspec.Struct, frozen=True):
    """The findings of one text, at most 500; ``more`` counts what was left out."""

    findings: tuple[Finding, ...]
    more: int = 0


def find_sensitive(text: str) -> Iterator[Finding]:
    """Every secret and piece of personal data in a text, by where it begins; nothing is counted as two things."""
    taken: list[tuple[int, int]] = []
    found: list[Finding] = []
    text = text[:MAX_CHARS]
    for finder in (privacy_secrets.find, privacy_numbers.find):
        for one in finder(text):
            end = one.start + one.length
            if not any(start < end and one.start < stop for start, stop in taken[-200:]):
                taken.append((one.start, end))
                found.append(one)
    yield from sorted(found, key=lambda one: one.start)


def scan(text: str) -> Found:
    """The findings of a text within bounds."""
    every = list(find_sensitive(text))
    return Found(tuple(every[:MAX_FINDINGS]), max(0, len(every) - MAX_FINDINGS))
