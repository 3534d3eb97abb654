"""Whose code the event loop runs: estimated by looking at its stack now and then, so that nothing is paid per call.

A look stands for the time between looks, or for its part of the loop's CPU time where that is less: the machine may
have kept the loop waiting. What takes less than the interpreter's switch interval (half a millisecond) is seen less
often than it should be, as the loop hands its turn on when it is done, and only then does another thread look; what is
not seen is nobody's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType

ENOUGH = 20  # looks that found the loop at work, before its CPU time is shared out
MAX_CODES = 20_000
_IDLE = frozenset({"selectors", "asyncio.runners"})  # where an idle loop stands; the latter is uvloop's

Owner = Callable[[CodeType], str]


def thread_cpu_s(thread: int) -> float | None:
    """CPU seconds of a thread of this process; None where the system does not tell of another thread."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread))
    except (AttributeError, OSError):
        return None


class LoopShare:
    """CPU seconds by owner. ``owner`` names whose a code object is, or nobody by ``""``; it is asked once for each."""

    def __init__(
        self,
        owner: Owner,
        cpu_s: Callable[[int], float | None] = thread_cpu_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner, self._cpu_s, self._clock = owner, cpu_s, clock
        self._known: dict[CodeType, str] = {}
        self._seen: Counter[str] = Counter()
        self._looks = 0
        self._began: tuple[float, float] | None = None  # CPU and other time of the last sharing
        self._shared: dict[str, float] = {}
        self._lock = threading.Lock()
        self.told = cpu_s(threading.get_ident()) is not None  # whether the system tells of threads' CPU time

    def look(self, thread: int, frame: FrameType | None) -> None:
        """Look at what the loop's thread does now."""
        self._looks += 1
        if frame is None or frame.f_globals.get("__name__") in _IDLE:
            return
        self._seen[self._of(frame)] += 1
        if self._seen.total() >= ENOUGH:
            self._share(thread)

    def seconds(self) -> dict[str, float]:
        """What has been shared out since the start."""
        with self._lock:
            return dict(self._shared)

    def _share(self, thread: int) -> None:
        cpu_s, began = self._cpu_s(thread), self._began
        now = None if cpu_s is None else (cpu_s, self._clock())
        seen, looks, self._seen, self._looks, self._began = self._seen, self._looks, Counter(), 0, now
        if now is None or began is None:
            return
        each_s = min((now[0] - began[0]) / seen.total(), (now[1] - began[1]) / looks)
        with self._lock:
            for owner, times in seen.items():
                if owner:
                    self._shared[owner] = self._shared.get(owner, 0.0) + times * each_s

    def _of(self, frame: FrameType | None) -> str:
        """The owner of the innermost frame that has one: what an agent calls is the agent's."""
        known = self._known
        while frame is not None:
            code = frame.f_code
            owner = known.get(code)
            if owner is None:
                if len(known) >= MAX_CODES:
                    known.clear()
                owner = known[code] = self._owner(code)
            if owner:
                return owner
            frame = frame.f_back
        return ""
