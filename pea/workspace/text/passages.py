"""A passage is a piece of text that knows its place in the file; an extract is a file's passages within bounds."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MAX_CHARS = 1_000_000  # text kept of one document
MAX_PASSAGES = 20_000
MAX_PASSAGE_CHARS = 8_000


class Passage(msgspec.Struct, frozen=True):
    """One paragraph, table row or list item; ``place`` is where a person finds it (``page 3``, ``line 12``)."""

    text: str
    place: str
    heading: bool = False


class Extract(msgspec.Struct, frozen=True):
    """What a format's reader found; ``notes`` say what was left out and why."""

    passages: tuple[Passage, ...]
    title: str = ""
    notes: tuple[str, ...] = ()


def bounded(found: Iterable[Passage], title: str = "", notes: Iterable[str] = ()) -> Extract:
    """Collect passages until a bound is met, cutting overlong ones in pieces; a cut document says so in its notes."""
    kept: list[Passage] = []
    said = list(notes)
    chars = 0
    for passage in found:
        text = passage.text.strip()
        for start in range(0, len(text), MAX_PASSAGE_CHARS):
            piece = text[start : start + MAX_PASSAGE_CHARS]
            if len(kept) >= MAX_PASSAGES or chars + len(piece) > MAX_CHARS:
                said.append(f"only the first {chars:,} characters were kept")
                return Extract(tuple(kept), title, tuple(said))
            kept.append(Passage(piece, passage.place, passage.heading))
            chars += len(piece)
    return Extract(tuple(kept), title, tuple(said))
