"""An indexed registry: items by identity, and by every secondary index, kept right through each change.

Lookups by one index cost the size of the answer, by several the size of the smallest bucket; none scans. Items are
immutable: a change is a `replace`, so that the registry sees both the old and the new index values and no caller can
change an item behind its back.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

Values = Callable[[T], Iterable[Hashable]]


class Registry(Generic[T]):
    """Items of one kind by a unique identity, by secondary indexes and in order of a key.

    ``identity`` gives an item's unique key; each of ``indexes`` gives the values an item is found under (none, one or
    many); ``order`` gives the number the items are kept sorted by, for paging. None of them may have side effects.
    """

    def __init__(
        self, identity: Callable[[T], str], indexes: Mapping[str, Values[T]], order: Callable[[T], float]
    ) -> None:
        self._identity = identity
        self._values = dict(indexes)
        self._order = order
        self._items: dict[str, T] = {}
        self._buckets: dict[str, dict[Hashable, dict[str, None]]] = {name: {} for name in indexes}
        self._sorted: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[T]:
        """All items, in order."""
        return (self._items[key] for _, key in list(self._sorted))

    def get(self, key: str) -> T | None:
        """The item of this identity, or None."""
        return self._items.get(key)

    def add(self, item: T) -> None:
        """Take in a new item; ValueError when its identity is taken."""
        key = self._identity(item)
        if key in self._items:
            raise ValueError(f"{key!r} is registered already")
        self._items[key] = item
        insort(self._sorted, (self._order(item), key))
        for name, values in self._values.items():
            self._enter(name, values(item), key)

    def replace(self, item: T) -> T:
        """Put ``item`` in the place of the one with its identity and return the old one; KeyError if there is none."""
        key = self._identity(item)
        old = self._items[key]
        self._items[key] = item
        before, after = self._order(old), self._order(item)
        if before != after:
            self._unsort(before, key)
            insort(self._sorted, (after, key))
        for name, values in self._values.items():
            was, now = tuple(values(old)), tuple(values(item))
            if was != now:
                self._leave(name, was, key)
                self._enter(name, now, key)
        return old

    def remove(self, key: str) -> T:
        """Take an item out and return it; KeyError if there is none."""
        item = self._items.pop(key)
        self._unsort(self._order(item), key)
        for name, values in self._values.items():
            self._leave(name, values(item), key)
        return item

    def count(self, **wanted: Hashable) -> int:
        """How many items have all the ``wanted`` index values; O(1) for none or one of them."""
        if not wanted:
            return len(self._items)
        buckets = self._find(wanted)
        if len(buckets) == 1:
            return len(buckets[0])
        return sum(all(key in other for other in buckets[1:]) for key in buckets[0])

    def where(self, **wanted: Hashable) -> list[T]:
        """The items that have all the ``wanted`` index values, in order; TypeError for an index that is not there."""
        if not wanted:
            return list(self)
        first, *others = self._find(wanted)
        keys = [key for key in first if all(key in other for other in others)]
        return sorted((self._items[key] for key in keys), key=lambda item: (self._order(item), self._identity(item)))

    def before(self, position: tuple[float, str] | None, **wanted: Hashable) -> Iterator[T]:
        """Newest first from just below ``position`` (None: from the top), those that have the ``wanted`` values."""
        buckets = self._find(wanted) if wanted else []
        at = len(self._sorted) if position is None else bisect_left(self._sorted, position)
        if buckets and len(buckets[0]) * 8 < at:  # a small bucket: sort it rather than walk past the rest
            found = [(self._order(self._items[key]), key) for key in buckets[0]]
            found.sort(reverse=True)
            walk: Iterable[tuple[float, str]] = (pair for pair in found if position is None or pair < position)
        else:
            walk = (self._sorted[index] for index in range(at - 1, -1, -1))
        for _, key in walk:
            if all(key in bucket for bucket in buckets):
                yield self._items[key]

    def values(self, index: str) -> dict[Hashable, int]:
        """Each value of an index and how many items have it."""
        return {value: len(bucket) for value, bucket in self._buckets[index].items()}

    def _find(self, wanted: Mapping[str, Hashable]) -> list[dict[str, None]]:
        """The wanted buckets, smallest first."""
        unknown = wanted.keys() - self._buckets.keys()
        if unknown:
            raise TypeError(f"no index is called {min(unknown)!r}; there are {', '.join(sorted(self._buckets))}")
        return sorted((self._buckets[name].get(value, {}) for name, value in wanted.items()), key=len)

    def _enter(self, name: str, values: Iterable[Hashable], key: str) -> None:
        buckets = self._buckets[name]
        for value in values:
            bucket = buckets.get(value)
            if bucket is None:
                buckets[value] = {key: None}
            else:
                bucket[key] = None

    def _leave(self, name: str, values: Iterable[Hashable], key: str) -> None:
        buckets = self._buckets[name]
        for value in values:
            bucket = buckets.get(value)
            if bucket is None:
                continue
            bucket.pop(key, None)
            if not bucket:  # an empty bucket would let the index grow with every value ever seen
                del buckets[value]

    def _unsort(self, order: float, key: str) -> None:
        del self._sorted[bisect_left(self._sorted, (order, key))]
