"""How late the event loop runs what is due, and the stack of whatever blocked it.

A heartbeat on the loop measures how late it comes. A watchdog thread looks at the heartbeat from outside: when it is
overdue by more than the threshold, the loop's thread is stuck inside one callback, and its stack says which.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType

import msgspec

from pea.telemetry.loop_share import LoopShare

BEAT_S = 0.05
KEPT = 20
_MAX_FRAMES = 40
_NEVER = float("inf")

_log = logging.getLogger(__name__)


class Culprit(msgspec.Struct, frozen=True):
    """What held the loop: when it was caught, for how long it held in all, where, and its stack, outermost first."""

    at_ns: int
    blocked_s: float
    where: str
    stack: tuple[str, ...]

    @property
    def waited(self) -> bool:
        """Whether the loop stood in its selector: no work of its own held it, the machine or another thread did."""
        return "/selectors.py:" in self.where


class Overdue:
    """The watch's own state, free of clocks and threads: beats on one side, looks on the other."""

    def __init__(self, threshold_s: float, beat_s: float = BEAT_S) -> None:
        self.threshold_s = threshold_s
        self.due = _NEVER  # when the next beat is to come; no beat is expected before the first
        self._beat_s = beat_s
        self._caught: tuple[int, tuple[str, ...]] | None = None

    def beat(self, now: float) -> tuple[float, Culprit | None]:
        """The loop is alive at ``now``: how late that is, and the culprit if a look has caught one."""
        lag = max(now - self.due, 0.0) if self.due != _NEVER else 0.0
        caught, self._caught = self._caught, None
        self.due = now + self._beat_s
        if caught is None:
            return lag, None
        at_ns, stack = caught
        return lag, Culprit(at_ns=at_ns, blocked_s=lag, where=stack[-1] if stack else "", stack=stack)

    def look(self, now: float, at_ns: int, stack: Callable[[], tuple[str, ...]]) -> bool:
        """Keep the stack if the beat is overdue by the threshold; once per stall. Whether one was kept."""
        if self._caught is not None or now - self.due < self.threshold_s:
            return False
        self._caught = (at_ns, stack())
        return True


class LoopMonitor:
    """Measures one loop's lag from `start` to `stop`; ``on_lag`` gets each measurement in seconds."""

    def __init__(self, threshold_s: float, on_lag: Callable[[float], None]) -> None:
        self.lag_s = 0.0
        self.worst_s = 0.0
        self.culprits: deque[Culprit] = deque(maxlen=KEPT)
        self.share: LoopShare | None = None  # told at each look what the loop does, to estimate whose code it runs
        self.stalls = 0
        self._state = Overdue(threshold_s)
        self._on_lag = on_lag
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = 0

    def start(self) -> None:
        """Watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._stopped.clear()
        self._beat(asyncio.get_running_loop())
        self._thread = threading.Thread(target=self._watch, name="pea-loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the thread ends by itself."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._state.due = _NEVER

    @contextlib.contextmanager
    def excused(self) -> Iterator[None]:
        """What holds the loop in here does so on purpose, as imports at the start do: it is neither lag nor a stall."""
        watching = self._state.due != _NEVER
        self._state.due = _NEVER
        try:
            yield
        finally:
            if watching:
                self._state.due = time.perf_counter() + BEAT_S

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        lag, culprit = self._state.beat(time.perf_counter())
        self.lag_s = lag
        self.worst_s = max(self.worst_s, lag)
        self._timer = loop.call_later(BEAT_S, self._beat, loop)
        self._on_lag(lag)
        if culprit is not None:
            self.stalls += 1
            self.culprits.append(culprit)
            _log.warning(
                "the event loop was kept waiting for %d ms by the machine or another thread, in %s"
                if culprit.waited
                else "the event loop was blocked for %d ms in %s",
                round(culprit.blocked_s * 1000),
                culprit.where,
                extra={"loop_stack": "\n".join(culprit.stack)},
            )

    def _watch(self) -> None:
        pause = min(max(self._state.threshold_s / 2, 0.01), 0.1)
        dice = random.Random()  # noqa: S311  of this thread alone: who seeds the module's own expects no other to draw
        while not self._stopped.wait(pause * dice.uniform(0.5, 1.0)):  # in step with no work of the loop
            self._state.look(time.perf_counter(), time.time_ns(), self._stack)
            if self.share is not None:
                self.share.look(self._loop_thread, sys._current_frames().get(self._loop_thread))

    def _stack(self) -> tuple[str, ...]:
        frame = sys._current_frames().get(self._loop_thread)
        return frames(frame)


def frames(frame: FrameType | None) -> tuple[str, ...]:
    """The stack that ends in ``frame`` as `file:line function`, outermost first; the innermost frames when deep."""
    if frame is None:
        return ()
    lines = [f"{f.f_code.co_filename}:{number} {f.f_code.co_qualname}" for f, number in traceback.walk_stack(frame)]
    return tuple(reversed(lines[:_MAX_FRAMES]))
