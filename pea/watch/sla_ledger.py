"""What the objectives are judged by, counted over their whole period: tasks, failures, slow ones, time up and down.

Fed from the same windows as alerts, ten seconds at a time and each of them once; five-minute rows for the last hours,
hours before that, all of it in one small file that outlives the process. The file also tells whether the process that
wrote it was stopped or lost: only the latter is downtime.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pea.watch.memory import remember
from pea.watch.window import SLICE_S, SLICES
from pea.watch.windows import Windows

FINE_S = 300
COARSE_S = 3_600
FINE_KEPT_S = 6 * 3_600
MAX_GAPS = 200
BEHIND = 2  # slices: the newest may still be growing
CRISIS = "crisis."
VERSION = 1

_log = logging.getLogger(__name__)


class Counts(msgspec.Struct, array_like=True):
    """Of a stretch of time. ``slow`` are tasks over each latency limit; the last limit is for crises alone."""

    tasks: int = 0
    failed: int = 0
    crises: int = 0
    slow: list[int] = []
    up_s: float = 0.0
    bad_s: float = 0.0  # … of which a critical alert fired

    def add(self, other: Counts) -> None:
        """Count another stretch in."""
        self.tasks += other.tasks
        self.failed += other.failed
        self.crises += other.crises
        self.slow = [
            a + b for a, b in zip(self.slow or [0] * len(other.slow), other.slow or [0] * len(self.slow), strict=False)
        ]
        self.up_s += other.up_s
        self.bad_s += other.bad_s


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Time in which the service was not there, though nobody had stopped it."""

    from_s: float
    until_s: float


class LedgerState(msgspec.Struct):
    """What is remembered: rows by the second that they begin at, and until when it was known to be running."""

    version: int = VERSION
    limits: list[float] = []
    fine: dict[int, Counts] = {}
    coarse: dict[int, Counts] = {}
    gaps: list[Gap] = []
    seen_s: float = 0.0
    stopped: bool = True


class Ledger:
    """Counts by time. ``limits`` are the latency limits in seconds, the last one that of crises."""

    def __init__(self, limits: Sequence[float], period_s: float, now_s: float, path: Path | None = None) -> None:
        self._limits = list(limits)
        self._period_s = period_s
        self._path = path
        self._state = _recalled(path, self._limits)
        if self._state.seen_s and not self._state.stopped and now_s > self._state.seen_s:
            self._state.gaps.append(Gap(self._state.seen_s, now_s))
        self._state.stopped = False
        self._slot = int(now_s // SLICE_S) - BEHIND
        self._last_s = now_s
        self._state.seen_s = now_s

    @property
    def gaps(self) -> Sequence[Gap]:
        """When the service was lost."""
        return self._state.gaps

    def take(self, windows: Windows, now_s: float, *, bad: bool) -> None:
        """Count what has ended since the last time; ``bad`` says that a critical alert fires."""
        last = int(now_s // SLICE_S) - BEHIND
        first = max(self._slot, last - SLICES + 1)
        found = Counts(slow=[0] * len(self._limits))
        shelf = windows.shelf("task")
        place = shelf.labels.index("capability")
        with windows.lock:
            for labels, window in shelf.series.items():
                crisis = labels[place].startswith(CRISIS)
                for one in window.slices(first * SLICE_S, last * SLICE_S) if last > first else ():
                    found.tasks += one.count
                    found.failed += one.marked
                    found.crises += one.count if crisis else 0
                    for at, limit in enumerate(self._limits):
                        if crisis or at < len(self._limits) - 1:
                            found.slow[at] += one.above(limit)
        self._slot = max(last, self._slot)
        passed = max(now_s - self._last_s, 0.0)  # a clock that was put back passes no time
        found.up_s, found.bad_s = passed, passed if bad else 0.0
        self._last_s = self._state.seen_s = now_s
        self._state.fine.setdefault(int(now_s // FINE_S) * FINE_S, Counts()).add(found)
        self._settle(now_s)

    def since(self, start_s: float, now_s: float) -> Counts:
        """All that was counted since then, to the row."""
        found = Counts(slow=[0] * len(self._limits))
        for size, rows in ((COARSE_S, self._state.coarse), (FINE_S, self._state.fine)):
            for at, counts in rows.items():
                if start_s < at + size and at <= now_s:
                    found.add(counts)
        return found

    def save(self, *, stopped: bool = False) -> None:
        """Write it; ``stopped`` says that the process ends because it was asked to. Blocks."""
        self._state.stopped = stopped
        if self._path is not None:
            remember(self._path, self.encoded())

    def encoded(self) -> bytes:
        """What `save` writes."""
        return msgspec.json.encode(self._state)

    def _settle(self, now_s: float) -> None:
        """Put old rows into hours, and forget what the period no longer reaches."""
        state = self._state
        for at in [at for at in state.fine if at < now_s - FINE_KEPT_S]:
            state.coarse.setdefault(at // COARSE_S * COARSE_S, Counts()).add(state.fine.pop(at))
        oldest = now_s - self._period_s
        for at in [at for at in state.coarse if at + COARSE_S < oldest]:
            del state.coarse[at]
        state.gaps = [gap for gap in state.gaps if gap.until_s > oldest][-MAX_GAPS:]


def _recalled(path: Path | None, limits: list[float]) -> LedgerState:
    """What was remembered, if it was counted by the same limits; slow tasks of other limits cannot be compared."""
    if path is None or not path.exists():
        return LedgerState(limits=limits)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=LedgerState)
        if found.version != VERSION:
            raise ValueError(f"it has version {found.version}")
    except (OSError, ValueError) as error:
        _log.warning("the objectives' past in %s cannot be read (%s): it begins anew", path, error)
        return LedgerState(limits=limits)
    if found.limits != limits:
        _log.warning("the latency objectives have changed: what was counted by the old ones is dropped")
        return LedgerState(limits=limits, gaps=found.gaps, seen_s=found.seen_s, stopped=found.stopped)
    return found
