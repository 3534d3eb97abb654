"""What the caches say of themselves when metrics are collected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pea.cache import Caches
from pea.config import Settings
from pea.runtime.cache_metrics import observe_caches
from pea.telemetry import TracerProvider, names


async def test_bytes_drops_and_computations_are_what_the_caches_count() -> None:
    """One value computed and dropped: bytes go up and down, the cause and the computation are counted."""
    read: dict[str, Callable[[], Any]] = {}
    caches = Caches(Settings(), TracerProvider().get_tracer("pea"), outers=[])
    observe_caches(lambda name, callback: read.update({name: callback}), caches)

    def now(metric: str, **labels: str) -> float:
        points = [(dict(found), value) for found, value in read[metric]()]
        return next(value for found, value in points if found == labels)

    l1 = {names.PEA_CACHE_TIER: "l1"}
    space = caches.namespace("calendar", owner="calendar")

    async def compute() -> str:
        return "x" * 1000

    await space.get_or_compute("a", compute)
    assert now(names.METRIC_CACHE_USAGE, **l1) > 1000
    assert now(names.METRIC_CACHE_LIMIT, **l1) == float(Settings().cache.l1.size)
    assert now(names.METRIC_CACHE_FLIGHTS, **{names.PEA_CACHE_FLIGHT: "started"}) == 1
    await caches.invalidate("calendar:*")
    assert now(names.METRIC_CACHE_USAGE, **l1) == 0
    assert now(names.METRIC_CACHE_EVICTIONS, **l1, **{names.PEA_CACHE_REASON: "dropped"}) == 1
    await caches.aclose()
