"""What makes a Python process pause: full garbage collections, and threads that wait for the interpreter lock.

A full collection looks at every object there is, and after start-up nearly all of them are modules, classes and
functions that stay: 35 to 60 ms, at each one, for nothing. A thread that wants the lock waits a whole switch interval
for it, 5 ms unless told otherwise, each time an event loop comes back from its selector while another thread computes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

SWITCH_S = 0.000_5
LONG_S = 0.004  # a full collection that takes longer has too much to look at
MOST_FREEZES = 8  # what is frozen is freed when nothing refers to it, but never as part of a cycle: so not for ever


class Freezer:
    """Takes what has survived a long full collection out of the collector's sight, ``most`` times at most.

    What is imported after the start (an agent's libraries, at its first call) is so looked at once, not for ever.
    """

    def __init__(
        self,
        most: int = MOST_FREEZES,
        *,
        clock: Callable[[], float] = time.perf_counter,
        freeze: Callable[[], None] = gc.freeze,
    ) -> None:
        self.left = most
        self._clock, self._freeze = clock, freeze
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """What `gc.callbacks` calls before and after each collection."""
        if info["generation"] < 2 or not self.left:
            return
        if phase == "start":
            self._began = self._clock()
        elif self._clock() - self._began > LONG_S:
            self.left -= 1
            self._freeze()


def imported_more() -> None:
    """Something large has been imported late, to stay: in a process that shortened its pauses, it is frozen as well."""
    if any(isinstance(callback, Freezer) for callback in gc.callbacks):
        gc.freeze()


def shorten_pauses() -> None:
    """Make this process answer evenly; for whoever owns the process, once all that stays has been imported."""
    sys.setswitchinterval(min(SWITCH_S, sys.getswitchinterval()))
    gc.freeze()
    if not any(isinstance(callback, Freezer) for callback in gc.callbacks):
        gc.callbacks.append(Freezer())
