"""What the process and its agents use, as the metrics' callbacks say, and disk operations from the system's count."""

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
    """CPU as a share of all CPUs, bytes, operations per second; None where nothing says."""

    cpu: float | None = None
    memory_bytes: float | None = None
    disk_operations_per_s: float | None = None
    agent_bytes: dict[str, float] = {}


class UsageReader:
    """Reads usage; keeps the last count of disk operations, so that the next one is a rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process: psutil.Process | None = None
        self._at = clock()
        self._operations: int | None = None
        self._rate: float | None = None

    def read(self, telemetry: Telemetry) -> Usage:
        """Usage as it stands."""
        numbers: dict[str, float] = {}
        agents: dict[str, float] = {}
        for family in telemetry.metrics.numbers():
            for point in family.numbers:
                numbers[family.metric.name] = float(point.value)
                if family.metric.name == names.METRIC_AGENT_MEMORY:
                    agents[str(point.labels.get(names.GEN_AI_AGENT_NAME, ""))] = float(point.value)
        return Usage(
            cpu=numbers.get(names.METRIC_PROCESS_CPU_UTILIZATION),
            memory_bytes=numbers.get(names.METRIC_PROCESS_MEMORY_USAGE),
            disk_operations_per_s=self._disk(),
            agent_bytes=agents,
        )

    def _disk(self) -> float | None:
        now = self._clock()
        if self._operations is not None and now - self._at < MIN_S:
            return self._rate
        count = self._count()
        if count is not None and self._operations is not None and now > self._at:
            self._rate = round((count - self._operations) / (now - self._at), 3)
        self._at, self._operations = now, count
        return self._rate

    def _count(self) -> int | None:
        import psutil

        try:
            self._process = self._process or psutil.Process()
            counters = self._process.io_counters()
        except (psutil.Error, AttributeError, OSError):  # not every system says, nor in every container
            return None
        return int(counters.read_count + counters.write_count)
