"""Words that a user writes into a file as what finds them in a text; never expressions of their own."""

from __future__ import annotations

import re


def word_pattern(word: str) -> re.Pattern[str]:
    """A whole word or phrase in any case; ``*`` at its end stands for any ending. What users write is no expression."""
    folded = word.casefold().strip()
    stem = re.escape(folded.rstrip("*")).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<!\w){stem}\w*" if folded.endswith("*") else rf"(?<!\w){stem}(?!\w)")
