"""Durations and sizes as people write them."""

from __future__ import annotations

import re

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?i?)B?\s*", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
}


class Seconds(float):
    """A duration in seconds, written ``1.5``, ``250ms``, ``5s``, ``2m``, ``24h`` or ``7d``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Seconds:
        """Read a duration; ValueError when it is not one, is negative or not finite."""
        if isinstance(text, int | float) and not isinstance(text, bool):
            if not 0 <= text < 1e10:
                raise ValueError(f"a duration between 0 and 300 years is expected, not {text!r}")
            return cls(text)
        match = _DURATION.fullmatch(text) if isinstance(text, str) and len(text) < 64 else None
        if match is None:
            raise ValueError(f"a duration such as 250ms, 5s, 2m, 24h or 7d is expected, not {text!r}")
        return cls.parse(float(match[1]) * _DURATION_UNITS[match[2]])


class Bytes(int):
    """A size in bytes, written ``1024``, ``64KiB``, ``1MiB`` or ``2GB``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Bytes:
        """Read a size; ValueError when it is not one or is negative."""
        if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 1 << 60:
            return cls(text)
        match = _SIZE.fullmatch(text) if isinstance(text, str) and len(text) < 64 else None
        if match is None:
            raise ValueError(f"a size such as 1024, 64KiB, 1MiB or 2GB is expected, not {text!r}")
        return cls(int(float(match[1]) * _SIZE_UNITS[match[2].lower()]))
