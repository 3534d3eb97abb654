"""CPU and memory of this process, read when metrics are collected."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


class ProcessFigures:
    """Readings of the operating system's counters; psutil is imported at the first one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process: psutil.Process | None = None
        self._cpu_at = clock()
        self._cpu_s = time.process_time()
        self._utilization = 0.0

    def memory_bytes(self) -> int:
        """Physical memory in use."""
        return int(self._handle().memory_info().rss)

    def threads(self) -> int:
        """Threads of the process, those of libraries included."""
        return int(self._handle().num_threads())

    def cpu_utilization(self) -> float:
        """CPU time used since the last reading that is at least 0.1 s old, over the time passed and CPUs: 0 to 1."""
        now, used = self._clock(), time.process_time()
        if now - self._cpu_at >= 0.1:
            self._utilization = max(used - self._cpu_s, 0.0) / (now - self._cpu_at) / (os.cpu_count() or 1)
            self._cpu_at, self._cpu_s = now, used
        return min(self._utilization, 1.0)

    def _handle(self) -> psutil.Process:
        if self._process is None or self._process.pid != os.getpid():
            import psutil

            self._process = psutil.Process()
        return self._process
