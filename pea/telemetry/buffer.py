"""Finished spans wait here, in one bounded list, for the drain."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pea.telemetry.span import Span

_log = logging.getLogger(__name__)


class Buffer:
    """A bounded list that any thread appends to without a lock and one drain empties.

    ``items`` is one list object for the buffer's whole life. While it is less than half full ``Span.end`` appends to it
    directly (``list.append`` is atomic); past that it goes through `crowded`, which wakes the drain and bounds the
    length. `take` copies and deletes a prefix of known length, so a span appended meanwhile stays behind for the next
    batch: swapping the list for a new one would lose the span of a thread that holds the old one.
    """

    __slots__ = ("_lock", "_wake", "_woken", "dropped", "half", "items", "limit", "taken")

    def __init__(self, limit: int, wake: Callable[[], object] | None = None) -> None:
        if limit < 1:
            raise ValueError(f"a buffer of at least one span is expected, not {limit}")
        self.items: list[Span] = []
        self.limit = limit
        self.half = limit // 2
        self.dropped = 0  # spans that found the buffer full, or closed
        self.taken = 0  # spans handed to the drain
        self._wake = wake
        self._woken = False
        self._lock = threading.RLock()  # re-entrant: a finaliser run by the collector may end a span in here

    def __len__(self) -> int:
        return len(self.items)

    def on_half_full(self, wake: Callable[[], object] | None) -> None:
        """Call ``wake`` once each time the buffer becomes half full; on the thread whose span filled it."""
        self._wake = wake

    def crowded(self, span: Span) -> None:
        """Append past the half: wake the drain once, drop and count at the limit."""
        with self._lock:
            if len(self.items) < self.limit:
                self.items.append(span)
            else:
                self.dropped += 1
            wake = None if self._woken else self._wake
            self._woken = True
        if wake is not None:
            try:
                wake()
            except Exception:  # noqa: BLE001  a broken hook must not break the traced program
                _log.exception("The hook that hurries the drain failed")

    def take(self, at_most: int | None = None) -> list[Span]:
        """Remove and return the oldest spans, all of them or ``at_most`` so many, in the order in which they ended."""
        items = self.items
        with self._lock:
            count = len(items) if at_most is None else min(len(items), at_most)
            batch = items[:count]
            del items[:count]
            self.taken += count
            if len(items) < self.half:
                self._woken = False
        return batch

    def close(self) -> None:
        """From now on every span is dropped and counted; what is here already can still be taken."""
        self.half = self.limit = 0

    def after_fork(self) -> None:
        """In a child process: the parent's spans are the parent's to export."""
        self._lock = threading.RLock()  # re-entrant: a finaliser run by the collector may end a span in here
        self.items.clear()
        self.dropped = self.taken = 0
        self._woken = False
