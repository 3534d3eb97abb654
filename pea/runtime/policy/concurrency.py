"""How many tasks run at once: as many as do not slow each other down.

The limit follows the gradient of latency, as Netflix's concurrency-limits does (Gradient2): what tasks take now beside
what they take when there is no load. Where tasks only wait (for files, for the network) the limit grows to its most;
where they compete for the processor it shrinks, since running them side by side would only make all of them late.
"""

from __future__ import annotations

import math
from collections import OrderedDict

WINDOW = 20  # tasks between two decisions
TOLERANCE = 2.0  # so much slower than without load is nobody's fault
SMOOTHING = 0.4
DRIFT = 1.02  # a window; what lasts is the new normal
MAX_KNOWN = 1_000  # capabilities
TINY_S = 1e-5


class ConcurrencyLimit:
    """The limit, between ``least`` and ``most``. Told how long each task ran, and how many ran when it began."""

    def __init__(self, most: int, least: int, *, adaptive: bool = True) -> None:
        self.most = most
        self.least = min(least, most)
        self._adaptive = adaptive
        self._limit = float(min(most, max(self.least, 16)) if adaptive else most)
        self._quiet: OrderedDict[str, float] = OrderedDict()  # seconds without load, by capability
        self._took: dict[str, tuple[float, int]] = {}  # this window's sum and count
        self._count = 0
        self._full = False

    @property
    def limit(self) -> int:
        """How many tasks may run."""
        return int(self._limit)

    @property
    def pressure(self) -> float:
        """How much longer than without load the tasks of the window under way have taken; 1 is not at all."""
        now = sum(total for total, _ in self._took.values())
        quiet = sum(self._quiet.get(name, total / count) * count for name, (total, count) in self._took.items())
        return now / quiet if quiet else 1.0

    def ended(self, capability: str, seconds: float, running: int) -> None:
        """A task took so long; ``running`` is how many ran beside it when it ended, itself included."""
        if not self._adaptive:
            return
        seconds = max(seconds, TINY_S)
        total, count = self._took.get(capability, (0.0, 0))
        self._took[capability] = (total + seconds, count + 1)
        self._full |= running >= self.limit
        if running == 1:
            self._note(capability, seconds)
        self._count += 1
        if self._count >= WINDOW:
            self._decide()

    def _decide(self) -> None:
        for name, (total, count) in self._took.items():
            mean, quiet = total / count, self._quiet.get(name)
            if quiet is None or mean < quiet:
                self._note(name, mean)
            elif mean > quiet * TOLERANCE:
                self._quiet[name] = quiet * DRIFT
        if self._full:  # below the limit it says nothing about the limit
            gradient = min(1.0, max(0.5, TOLERANCE / self.pressure))
            wanted = self._limit * gradient + math.sqrt(self._limit)
            wanted = self._limit + SMOOTHING * (wanted - self._limit)
            self._limit = min(float(self.most), max(float(self.least), wanted))
        self._took.clear()
        self._count = 0
        self._full = False

    def _note(self, name: str, seconds: float) -> None:
        """A figure taken without load: towards it, by a fifth; down to a window's mean at once."""
        quiet = self._quiet.get(name)
        self._quiet[name] = seconds if quiet is None else quiet + 0.2 * (seconds - quiet)
        self._quiet.move_to_end(name)
        if len(self._quiet) > MAX_KNOWN:
            self._quiet.popitem(last=False)
