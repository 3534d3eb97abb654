"""Keeps a tier that fails from being asked: closed, open for a while, then half open for one attempt."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3  # in a row
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0


class Breaker:
    """Opens after three failures in a row; each failed attempt after that doubles the pause."""

    __slots__ = ("_clock", "_failures", "_pause_s", "_probing", "_until", "faults", "last")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._until = 0.0
        self._probing = False
        self.faults = 0
        self.last = ""

    @property
    def open(self) -> bool:
        """Whether the tier is being left alone."""
        return self._failures >= FAILURES and self._clock() < self._until

    def admits(self) -> bool:
        """Whether to ask the tier now. After a pause one attempt is admitted, and others as soon as it went well."""
        if self._failures < FAILURES:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause_s
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The tier answered in time."""
        self._failures = 0
        self._probing = False
        self._pause_s = FIRST_PAUSE_S

    def failed(self, reason: str) -> None:
        """The tier failed, or did not answer in time."""
        self.faults += 1
        self.last = reason
        now = self._clock()
        if self._failures >= FAILURES:
            if not self._probing:  # of the burst that has opened it: they say nothing new
                return
            self._probing = False
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        else:
            self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + self._pause_s
