"""One finding: what it is, where it begins, how sure that is, and so much of it as may be shown."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Severity = Literal["critical", "high", "medium", "low"]
Category = Literal["secret", "financial", "identity", "contact", "special"]
_KEPT = re.compile(r"[^0-9A-Za-z]")


class Kind(msgspec.Struct, frozen=True):
    """A kind of sensitive data; ``special`` is that of GDPR, article 9."""

    name: str
    category: Category
    severity: Severity


class Finding(msgspec.Struct, frozen=True):
    """``masked`` shows at most the last four characters of a number, the public prefix of a key.

    ``start`` and ``length`` are characters of the text; ``why`` says what proved it.
    """

    kind: str
    category: Category
    severity: Severity
    masked: str
    start: int
    length: int
    why: str


def finding(kind: Kind, value: str, start: int, why: str, *, shown: str | None = None) -> Finding:
    """A finding with its value masked."""
    return Finding(
        kind.name, kind.category, kind.severity, mask(value) if shown is None else shown, start, len(value), why
    )


def mask(value: str) -> str:
    """``••••4567``: the last four characters of a long number, the last two of a short one."""
    plain = _KEPT.sub("", value)
    return "••••" + (plain[-4:] if len(plain) >= 12 else plain[-2:])
