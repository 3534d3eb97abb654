"""Which keys a pattern matches, found through their groups: no scan over all keys."""

from __future__ import annotations

from collections.abc import Callable

from pea.cache.patterns import REST, group_over, is_whole_group, matches

#: What the index costs for a key: its groups' tuple and its places in two or three sets.
INDEX_BYTES = 300


class Index:
    """Keys by group; a key is in it as long as some memory tier holds it."""

    __slots__ = ("_groups", "_members")

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, key: str) -> bool:
        return key in self._groups

    def add(self, key: str, groups: tuple[str, ...]) -> None:
        """Enter a key with its groups, in place of those it had."""
        had = self._groups.get(key)
        if had == groups:
            return
        if had is not None:
            self.discard(key)
        self._groups[key] = groups
        for group in groups:
            members = self._members.get(group)
            if members is None:
                self._members[group] = {key}
            else:
                members.add(key)

    def discard(self, key: str) -> None:
        """Forget a key."""
        for group in self._groups.pop(key, ()):
            members = self._members[group]
            members.discard(key)
            if not members:
                del self._members[group]

    def matching(self, pattern: str) -> list[str]:
        """The keys that match the pattern themselves or by a tag."""
        over = group_over(pattern)
        candidates = list(self._groups if over is None else self._members.get(over, ()))
        if REST not in pattern:  # a name, which may be a key's as well as a tag's
            return [*candidates, pattern] if pattern in self._groups and pattern not in candidates else candidates
        if over is not None and is_whole_group(pattern):
            return candidates
        return [key for key in candidates if self._any(key, lambda name: matches(pattern, name))]

    def _any(self, key: str, says: Callable[[str], bool]) -> bool:
        return says(key) or any(says(group) for group in self._groups[key] if not group.endswith(REST))
