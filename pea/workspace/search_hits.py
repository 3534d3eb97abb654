"""What a search shows of a document."""

from __future__ import annotations

import msgspec


class Card(msgspec.Struct, frozen=True):
    """What is known of a document without its text."""

    title: str
    kind: str
    chars: int
    notes: tuple[str, ...] = ()


class Hit(msgspec.Struct, frozen=True):
    """A document that answers a query: ``snippet`` marks words with ``**``, a higher ``score`` (BM25) is better."""

    path: str
    title: str
    kind: str
    snippet: str
    place: str
    score: float
