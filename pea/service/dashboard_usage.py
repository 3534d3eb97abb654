"""What the process and its agents use: by the metrics' callbacks, the system's counts and the connections' bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pea.telemetry import Telemetry, names

if TYPE_CHECKING:
    import psutil

MIN_S = 1.0  # a rate is taken over at least this long


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """CPU as a share of all CPUs, bytes, bytes and operations per second; None where nothing says."""

    cpu: float | None = None
    memory_bytes: float | None = None
    heap_bytes: float | None = None
    network_bytes_per_s: float | None = None
    disk_operations_per_s: float | None = None
    agent_bytes: dict[str, float] = {}


class Rate:
    """Turns a count that only rises into a rate over at least a second; falls and gaps say nothing."""

    def __init__(self) -> None:
        self._at = 0.0
        self._count: int | None = None
        self._rate: float | None = None

    def of(self, count: int | None, now: float) -> float | None:
        """The rate up to ``now``; the last one where less than a second has passed."""
        if self._count is not None and now - self._at < MIN_S:
            return self._rate
        if count is not None and self._count is not None and count >= self._count:
            self._rate = round((count - self._count) / (now - self._at), 3)
        else:
            self._rate = None
        self._at, self._count = now, count
        return self._rate


class UsageReader:
    """Reads usage; ``network_bytes`` counts the bytes of the service's connections, where somebody can say."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process: psutil.Process | None = None
        self._disk, self._network = Rate(), Rate()
        self.network_bytes: Callable[[], int | None] = lambda: None

    def read(self, telemetry: Telemetry) -> Usage:
        """Usage as it stands."""
        numbers: dict[str, float] = {}
        agents: dict[str, float] = {}
        for family in telemetry.metrics.numbers():
            for point in family.numbers:
                numbers[family.metric.name] = float(point.value)
                if family.metric.name == names.METRIC_AGENT_MEMORY:
                    agents[str(point.labels.get(names.GEN_AI_AGENT_NAME, ""))] = float(point.value)
        now = self._clock()
        return Usage(
            cpu=numbers.get(names.METRIC_PROCESS_CPU_UTILIZATION),
            memory_bytes=numbers.get(names.METRIC_PROCESS_MEMORY_USAGE),
            heap_bytes=self._heap(),
            network_bytes_per_s=self._network.of(self.network_bytes(), now),
            disk_operations_per_s=self._disk.of(self._operations(), now),
            agent_bytes=agents,
        )

    def _heap(self) -> float | None:
        """Resident memory that no file is behind: the allocators' arenas and the stacks."""
        import psutil

        try:
            used = self._own().memory_info()
            return float(max(used.rss - used.shared, 0))
        except (psutil.Error, AttributeError, OSError):  # only Linux tells shared pages
            return None

    def _operations(self) -> int | None:
        import psutil

        try:
            counters = self._own().io_counters()
        except (psutil.Error, AttributeError, OSError):  # not every system says, nor in every container
            return None
        return int(counters.read_count + counters.write_count)

    def _own(self) -> psutil.Process:
        import psutil

        self._process = self._process or psutil.Process()
        return self._process
