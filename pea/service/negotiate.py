"""Reads what a client would like: Accept (RFC 9110, section 12.5.1) and Prefer (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?', re.ASCII)
_LIST = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
MAX_DIGITS = 9


def accepts(header: str | None, media: str) -> bool:
    """Whether a request with this Accept header takes ``media`` (``type/subtype``); the most specific range decides."""
    if not header or header in ("*/*", media):
        return True
    family = media.partition("/")[0] + "/*"
    best, quality = -1, 0.0
    for part in header.split(","):
        wanted, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = {"*/*": 0, family: 1, media: 2}.get(wanted, -1)
        if rank > best:
            best, quality = rank, _quality(parameters)
    return quality > 0


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def preferred_wait_s(headers: Iterable[str]) -> int | None:
    """The seconds of ``Prefer: wait=…``; None without one. As RFC 7240 has it, what is not understood is ignored."""
    for name, value in _preferences(headers):
        if name == "wait":  # section 2: of a preference that comes twice, the first counts
            return int(value) if value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS else None
    return None


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    for header in headers:
        for part in _LIST.findall(header):
            match = _PREFERENCE.match(part)
            if match:
                yield match[1].lower(), match[2] if match[2] is not None else match[3] or ""
