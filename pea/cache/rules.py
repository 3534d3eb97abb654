"""Which patterns an event makes stale: the settings' rules, followed from dropped patterns to their dependents."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from pea.cache.patterns import PARTS, REST, fill_in, meet
from pea.config import InvalidationRule
from pea.errors import ConfigError

MAX_PATTERNS = 1_000  # of one event


class Rules:
    """Events, and patterns that were dropped, to patterns to drop."""

    def __init__(self, rules: Iterable[InvalidationRule]) -> None:
        """Raises ConfigError for a rule that could never do anything."""
        self._by_event: dict[str, list[str]] = {}
        self._by_pattern: list[tuple[str, list[str]]] = []
        for number, rule in enumerate(rules, 1):
            if not rule.on or not rule.drop or not all(rule.on) or not all(rule.drop):
                raise ConfigError("needs something in `on` and in `drop`", where=f"cache.invalidation, rule {number}")
            for trigger in rule.on:
                if PARTS in trigger or REST in trigger:
                    self._by_pattern.append((trigger, list(rule.drop)))
                else:
                    self._by_event.setdefault(trigger, []).extend(rule.drop)

    @property
    def events(self) -> list[str]:
        """The events that drop something."""
        return sorted(self._by_event)

    def patterns(self, event: str, variables: Mapping[str, str]) -> list[str]:
        """What an event drops, dependents included, each pattern once: a cycle of rules ends where it began."""
        return self._spread([fill_in(pattern, variables) for pattern in self._by_event.get(event, ())], variables)

    def dependents(self, pattern: str) -> list[str]:
        """A pattern and what is to be dropped with it."""
        return self._spread([pattern], {})

    def _spread(self, first: Iterable[str], variables: Mapping[str, str]) -> list[str]:
        found: dict[str, None] = dict.fromkeys(first)
        waiting = deque(found)
        while waiting and len(found) < MAX_PATTERNS:
            dropped = waiting.popleft()
            for trigger, drops in self._by_pattern:
                bound = meet(trigger, dropped)
                if bound is None:
                    continue
                for drop in drops:
                    pattern = fill_in(drop, {**variables, **bound})
                    if pattern not in found:
                        found[pattern] = None
                        waiting.append(pattern)
        return list(found)
