"""Text out of the formats people keep: bytes become passages with a place, one module per format."""

from __future__ import annotations

from pea.workspace.text.dates import Amount, Moment, find_amounts, find_dates
from pea.workspace.text.decode import decode, decode_as
from pea.workspace.text.passages import Extract, Passage, bounded
from pea.workspace.text.sentences import sentences

__all__ = [
    "Amount",
    "Extract",
    "Moment",
    "Passage",
    "bounded",
    "decode",
    "decode_as",
    "find_amounts",
    "find_dates",
    "sentences",
]
