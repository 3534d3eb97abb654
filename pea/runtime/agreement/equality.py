"""When two answers are the same: equal to the last byte, or numbers close to each other.

Values are compared by a key that is taken when a vote comes in: what a voter does to its answer later changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec


class Incomparable(ValueError):
    """An answer that cannot be compared with others."""


class Equality(Protocol):
    """Tells which of the votes say the same."""

    def key(self, value: Any) -> Any:
        """What the value is compared by; raises Incomparable."""

    def largest(self, keys: Mapping[str, Any]) -> Sequence[str]:
        """The voters of the largest set that says the same; the one whose answer stands for it comes first."""


class Exact:
    """Equal to the last byte, as msgpack with sorted keys: ``1`` and ``True``, ``1`` and ``1.0`` are different."""

    def key(self, value: Any) -> bytes:
        """128 bits of the digest of the canonical form."""
        try:
            data = msgspec.msgpack.encode(value, order="deterministic")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Incomparable(f"its answer cannot be written down: {error}") from None
        return hashlib.blake2b(data, digest_size=16).digest()

    def largest(self, keys: Mapping[str, Any]) -> Sequence[str]:
        """Of sets of one size, the one whose first vote came first."""
        sides: dict[bytes, list[str]] = {}
        for voter, key in keys.items():
            sides.setdefault(key, []).append(voter)
        return max(sides.values(), key=len, default=())


class Tolerance(msgspec.Struct, frozen=True):
    """Numbers whose spread is at most ``absolute``, or ``relative`` times the smallest; the median stands for them.

    The median of 2f + 1 numbers, f of which may be lies, lies between two honest ones: f lies cannot have all honest
    ones on one side of it.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def key(self, value: Any) -> float:
        """The number; finite, and not a truth value."""
        if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
            raise Incomparable(f"its answer is no number but {type(value).__name__}")
        try:
            number = float(value)
        except (OverflowError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise Incomparable("its answer is not a finite number")
        return number

    def largest(self, keys: Mapping[str, Any]) -> Sequence[str]:
        """Of sets of one size, the one with the least spread."""
        ordered = sorted(keys, key=lambda voter: keys[voter])
        best: tuple[int, float, int] | None = None
        for start in range(len(ordered)):
            for end in range(len(ordered), start, -1):
                size, spread = end - start, keys[ordered[end - 1]] - keys[ordered[start]]
                if best is not None and (size, -spread) <= best[:2]:
                    break
                smallest = min(abs(keys[ordered[start]]), abs(keys[ordered[end - 1]]))
                if spread <= max(self.absolute, self.relative * smallest):
                    best = (size, -spread, start)
                    break
        if best is None:
            return ()
        size, _, start = best
        side = ordered[start : start + size]
        middle = (size - 1) // 2
        return [side[middle], *side[:middle], *side[middle + 1 :]]
