"""How often keys that are no longer held were asked for: two generations of counts, of which the older is lost."""

from __future__ import annotations

GHOST_BYTES = 100  # a hash and its share of a dict


class Ghosts:
    """Counts by the keys' hashes, so that the keys do not stay in memory themselves.

    ``new`` and ``old`` are read and written directly where each call would tell. A value is a count, and in its last
    byte the ``age`` at which it was written: how often all counts had been halved before.
    """

    __slots__ = ("age", "new", "old")

    def __init__(self) -> None:
        self.new: dict[int, int] = {}
        self.old: dict[int, int] = {}
        self.age = 0

    def __len__(self) -> int:
        return len(self.new) + len(self.old)

    def turn(self) -> None:
        """Begin a generation: the one before the last is forgotten."""
        self.old, self.new = self.new, {}

    def halve(self) -> None:
        """Age all counts, without touching them."""
        self.age = self.age + 1 & 255

    def clear(self) -> None:
        """Forget all."""
        self.new.clear()
        self.old.clear()
