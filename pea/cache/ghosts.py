"""How often keys that are no longer held were asked for: two generations of counts, of which the older is lost."""

from __future__ import annotations

GHOST_BYTES = 100  # a hash and its share of a dict


class Ghosts:
    """Keys are remembered by their hash, so that they do not stay in memory themselves."""

    __slots__ = ("_age", "new", "old")

    def __init__(self) -> None:
        self.new: dict[int, int] = {}  # count, and in the last byte how often all had been halved before
        self.old: dict[int, int] = {}
        self._age = 0

    def __len__(self) -> int:
        return len(self.new) + len(self.old)

    def remember(self, mark: int, count: int, most: float) -> None:
        """The key with this hash has left after ``count`` requests; a generation is at most ``most`` keys."""
        if len(self.new) > most:
            self.old, self.new = self.new, {}
        self.new[mark] = count << 8 | self._age

    def recall(self, mark: int) -> int | None:
        """The count of a key that comes back, which is no ghost any longer; None when it is not remembered."""
        kept = self.new.pop(mark, None)
        if kept is None:
            kept = self.old.pop(mark, None)
            if kept is None:
                return None
        return kept >> 8 + (self._age - kept & 255)

    def halve(self) -> None:
        """Age all counts, without touching them."""
        self._age = self._age + 1 & 255

    def clear(self) -> None:
        """Forget all."""
        self.new.clear()
        self.old.clear()
