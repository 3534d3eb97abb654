"""What is seen of a soaked service from outside, second by second: its memory, its files, and its own /metrics."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping

import aiohttp
import msgspec

from pea.bench.soak_serve import Served
from pea.telemetry import names
from pea.telemetry.exposition import prometheus_name

EVERY_S = 1.0
_SAMPLE = re.compile(r'^([a-z_]+)(?:\{(?:[a-z_]+="([^"]*)")\})? (\S+)$', re.MULTILINE)  # one label at most


class Seen(msgspec.Struct, frozen=True):
    """One look: monotonic seconds, resident bytes, bytes of the span store's file and write-ahead log."""

    at: float
    rss_bytes: int
    store_bytes: int
    log_bytes: int


class Scrape(msgspec.Struct, frozen=True):
    """The samples of one /metrics by name and the value of their only label."""

    samples: Mapping[tuple[str, str], float]

    def stored(self, outcome: str) -> float:
        """How many spans of the store had this outcome."""
        return self.samples.get((f"{prometheus_name(names.METRIC_STORE_SPANS, '', 'counter')}_total", outcome), 0.0)

    def histogram(self, metric: str, since: Scrape) -> dict[float, float]:
        """Counts up to and with each bound, of a histogram in seconds, without what was there ``since``."""
        bucket = f"{prometheus_name(metric, 's', 'histogram')}_bucket"
        found = {
            float(bound): count - since.samples.get((name, bound), 0.0)
            for (name, bound), count in self.samples.items()
            if name == bucket
        }
        return dict(sorted(found.items()))


def read_scrape(text: str) -> Scrape:
    """Read Prometheus' text format; samples with more than one label are left out."""
    return Scrape({(name, label): float(value) for name, label, value in _SAMPLE.findall(text)})


def quantile(histogram: Mapping[float, float], q: float) -> float:
    """The quantile, taken to be spread evenly within its bucket as Prometheus' `histogram_quantile` has it."""
    bounds = list(histogram)
    if not bounds or not (total := histogram[bounds[-1]]):
        return 0.0
    rank, low, below = q * total, 0.0, 0.0
    for bound in bounds:
        count = histogram[bound]
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / max(count - below, 1e-9)
        low, below = bound, count
    return low


class Watch:
    """Looks every second from `run` on; ``seen`` are the looks of this life of the service."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.seen: list[Seen] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            rss = self._served.rss_bytes
            if rss:
                self.seen.append(Seen(time.monotonic(), rss, *self._served.store_bytes()))
            await asyncio.sleep(EVERY_S)

    async def scrape(self) -> Scrape:
        """The service's figures as they stand now."""
        async with aiohttp.ClientSession(self._served.url) as session, session.get("/metrics") as answer:
            return read_scrape(await answer.text())
