"""How often keys that are no longer held were asked for: a byte for each, in a table found by hash.

Keys may share a byte, and what the last of them wrote then counts for all: with so many bytes a count is seldom wrong.
"""

from __future__ import annotations

PER_ENTRY = 64  # bytes
_HALVES = bytes(count >> 1 for count in range(256))


class Ghosts:
    """``counts[mark & mask]`` is read and written directly where each call would tell; a mark is a key's mixed hash."""

    __slots__ = ("counts", "mask")

    def __init__(self) -> None:
        self.counts = bytearray(1)
        self.mask = 0

    def __len__(self) -> int:
        """Bytes, beside the one that is always there."""
        return self.mask

    def fit(self, entries: int, most_bytes: int) -> None:
        """Be as large as a cache of so many entries asks for, within ``most_bytes`` but for the first byte.

        The size is a power of two, so that a table doubles by being repeated: what a key had it finds in both halves.
        """
        wanted = max(min(PER_ENTRY * entries, most_bytes), 1)
        size = 1 << wanted.bit_length() - 1
        del self.counts[size:]
        while len(self.counts) < size:
            self.counts *= 2
        self.mask = size - 1

    def halve(self) -> None:
        """Age all counts, in place."""
        self.counts[:] = self.counts.translate(_HALVES)

    def clear(self) -> None:
        """Forget all."""
        self.counts[:] = bytes(len(self.counts))
