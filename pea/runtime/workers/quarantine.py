"""Jobs that kill processes: after two crashes the same function with the same input is refused for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

CRASHES = 2
MOST = 1_000  # jobs remembered


class Quarantine:
    """Crashes by a job's digest, for ``period_s`` after the last of them."""

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._crashes: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many jobs have crashed and are remembered."""
        return len(self._crashes)

    def holds(self, digest: bytes) -> float:
        """Seconds for which the job is still refused; 0 when it is not."""
        count, last = self._crashes.get(digest, (0, 0.0))
        left_s = last + self._period_s - self._clock()
        if left_s <= 0:
            self._crashes.pop(digest, None)
            return 0.0
        return left_s if count >= CRASHES else 0.0

    def crashed(self, digest: bytes) -> int:
        """The job killed its process; how often it has."""
        count = self._crashes.pop(digest, (0, 0.0))[0] + 1
        self._crashes[digest] = (count, self._clock())
        if len(self._crashes) > MOST:
            self._crashes.popitem(last=False)
        return count
