"""The suites by name; each is imported when it runs, so that a missing peer only stops its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import msgspec

from pea.bench.figure import Figure
from pea.bench.measure import Line


class Suite(msgspec.Struct, frozen=True):
    """A function that measures, and what it is about; ``seconds`` is roughly how long it takes on two cores.

    One that ``takes_data`` is given the folder of public data sets, or None for where they usually are; one that
    ``takes_minutes`` may be told how long to go on.
    """

    name: str
    about: str
    module: str
    function: str
    seconds: int
    takes_data: bool = False
    takes_minutes: bool = False
    takes_kills: bool = False

    def run(self, data: Path | None, minutes: float | None = None, kills: int | None = None) -> Sequence[Line | Figure]:
        """Measure. Raises ImportError when a peer is not installed, ConfigError when there is no data."""
        measure: Callable[..., Sequence[Line | Figure]] = getattr(import_module(self.module), self.function)
        if self.takes_minutes and minutes is not None:
            return measure(minutes)
        if self.takes_kills:
            return measure(kills)
        return measure(data) if self.takes_data else measure()


SUITES = {
    suite.name: suite
    for suite in (
        Suite("spans", "spans beside the OpenTelemetry SDK's", "pea.bench.spans", "spans", 30),
        Suite("calls", "a call between agents beside one official span", "pea.bench.calls", "calls", 10),
        Suite("overload", "ten times the load: who is served, and when", "pea.bench.overload", "overload", 60),
        Suite("balance", "one of three replicas twenty times slower", "pea.bench.balance", "balance", 10),
        Suite("workers", "worker processes beside concurrent.futures", "pea.bench.workers", "workers", 30),
        Suite("lag", "event-loop lag caused by draining and exporting spans", "pea.bench.lag", "lag", 45),
        Suite("http", "a traced route beside bare aiohttp", "pea.bench.http", "http", 45),
        Suite("start", "process start to /readyz, and memory", "pea.bench.start", "start", 20),
        Suite("cache", "the cache tiers beside other caches", "pea.bench.cache", "cache", 60, takes_data=True),
        Suite("cache-faults", "Redis hung, killed, restarted under load", "pea.bench.cache_faults", "cache_faults", 15),
        Suite("detect", "alerts: faults found, false alarms, causes", "pea.bench.detect", "detect", 720),
        Suite(
            "detect-baselines",
            "the same scenarios without thresholds",
            "pea.bench.baseline_detect",
            "detected",
            180,
        ),
        Suite(
            "watch",
            "what watching costs, and the leak test",
            "pea.bench.detect_cost",
            "watching",
            60,
            takes_data=True,
        ),
        Suite("store", "the span store with a million spans", "pea.bench.store", "store", 90),
        Suite("agents", "a briefing over 50,000 mails", "pea.bench.agents", "agents", 90),
        Suite("memory", "memory over an hour's worth of work", "pea.bench.memory", "memory", 90),
        Suite("soak", "the service under load, killed half way", "pea.bench.soak", "soak", 140, takes_minutes=True),
        Suite("journal", "what a promise costs beside an fsync", "pea.bench.journal", "journal", 20),
        Suite(
            "crash",
            "300 times kill -9: no task lost, none done twice",
            "pea.bench.crash",
            "crash",
            400,
            takes_kills=True,
        ),
        Suite(
            "baseline",
            "learned baselines on labelled and on normal series",
            "pea.bench.baseline",
            "baseline",
            240,
            takes_data=True,
        ),
        Suite("cause", "root causes of public faults", "pea.bench.cause", "cause", 20, takes_data=True),
    )
}
