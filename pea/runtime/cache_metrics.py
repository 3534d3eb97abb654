"""What the caches say of themselves when metrics are collected: bytes, evictions by cause, shared computations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from pea.cache import TierStats
from pea.cache.caches import Caches
from pea.telemetry import names
from pea.telemetry.metrics import Gauge

Point = tuple[Mapping[str, str], float]


def observe_caches(gauge: Gauge, caches: Caches) -> None:
    """Have the caches asked at each collection; the L1s of all agents count together, one tier."""
    gauge(names.METRIC_CACHE_USAGE, lambda: _by_tier(caches, lambda tier: tier.size_bytes))
    gauge(names.METRIC_CACHE_LIMIT, lambda: _by_tier(caches, lambda tier: tier.limit_bytes))
    gauge(names.METRIC_CACHE_FAULTS, lambda: _by_tier(caches, lambda tier: tier.faults))
    gauge(names.METRIC_CACHE_EVICTIONS, lambda: list(_evictions(caches)))
    gauge(names.METRIC_CACHE_FLIGHTS, lambda: list(_flights(caches)))


def _by_tier(caches: Caches, figure: Callable[[TierStats], int]) -> list[Point]:
    sums: Counter[str] = Counter()
    for tier in caches.stats().tiers:
        sums[tier.tier] += figure(tier)
    return [({names.PEA_CACHE_TIER: name}, float(value)) for name, value in sums.items()]


def _evictions(caches: Caches) -> Iterable[Point]:
    sums: Counter[tuple[str, str]] = Counter()
    for tier in caches.stats().tiers:
        left = {"size": tier.evicted_size, "age": tier.evicted_age, "dropped": tier.dropped, "refused": tier.refused}
        for reason, count in left.items():
            sums[tier.tier, reason] += count
    for (name, reason), count in sums.items():
        yield {names.PEA_CACHE_TIER: name, names.PEA_CACHE_REASON: reason}, float(count)


def _flights(caches: Caches) -> Iterable[Point]:
    found = caches.stats()
    joined = sum(space.waits for space in found.namespaces)
    for what, count in (("started", found.computations), ("joined", joined), ("cancelled", found.cancelled)):
        yield {names.PEA_CACHE_FLIGHT: what}, float(count)
