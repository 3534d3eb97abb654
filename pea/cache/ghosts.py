"""How often keys that are no longer held were asked for: two generations of counts, of which the older is lost."""

from __future__ import annotations

from collections.abc import Hashable

GHOST_BYTES = 100  # a hash and its share of a dict


class Ghosts:
    """Keys are remembered by their hash, so that they do not stay in memory themselves."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def remember(self, key: Hashable, count: int, most: float) -> None:
        """An entry has left after ``count`` requests; a generation is at most ``most`` keys."""
        if len(self._new) > most:
            self._old, self._new = self._new, {}
        self._new[hash(key)] = count

    def recall(self, key: Hashable) -> int | None:
        """The count of a key that comes back, which is no ghost any longer; None when it is not remembered."""
        mark = hash(key)
        count = self._new.pop(mark, None)
        return self._old.pop(mark, None) if count is None else count

    def halve(self) -> None:
        """Age all counts."""
        self._new = {mark: count >> 1 for mark, count in self._new.items()}
        self._old = {mark: count >> 1 for mark, count in self._old.items()}

    def clear(self) -> None:
        """Forget all."""
        self._new.clear()
        self._old.clear()
