"""What a cache lookup costs beside cachetools, cachebox and theine, and how often L2 hits beside the best policies.

Public traces are read from ``cache-traces`` in the folder of data sets (``*.trace.xz`` of big-endian 32-bit keys, or
``*.trace.gz`` of numbers as text, as the simulator of Caffeine has them); zipf(0.99) is always there.
"""

from __future__ import annotations

import asyncio
import gzip
import lzma
import random
import time
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cachebox
import cachetools
import numpy as np
import theine

from pea.bench.cache_activity import activities
from pea.bench.cache_policies import lru, percent, s3_fifo, w_tinylfu
from pea.bench.data import data_folder
from pea.bench.figure import Figure
from pea.bench.measure import Contender, Line, interleaved, line
from pea.cache import Caches
from pea.cache.duel import Duel
from pea.cache.ordered import Ordered
from pea.cache.two_queues import ENTRY_BYTES, TwoQueues
from pea.config import CacheSettings, L4Settings, Settings
from pea.telemetry import Telemetry

KEYS = 1_000
SHARES = (0.01, 0.02, 0.05, 0.1, 0.25)  # of a trace's distinct keys
MOST_REQUESTS = 400_000
VALUE_BYTES = 4_000  # a usual result; the ghosts' share of the bytes is enough for as many as the entries ask for

HIT_BUDGET = 1.1
TRACED_HIT_BUDGET = 2.5
POINTS_BUDGET = 1.0
TIME_BUDGET = 0.35


def cache(data: Path | None = None, shares: Sequence[float] = SHARES) -> list[Line | Figure]:
    """Everything about caches; ``data`` is the folder of public data sets."""
    return [*lookups(), *activities(), *ratios(data, shares)]


def lookups() -> list[Line | Figure]:
    """A hit: the tiers themselves, and the whole of a lookup with its span, beside the peers' plain get."""
    telemetry = Telemetry(Settings(), {})
    caches = Caches(Settings(cache=CacheSettings(l4=L4Settings(on=False))), telemetry.tracer)
    space = caches.namespace("bench", ttl_s=3_000.0)
    names = [f"calendar:day:{number}" for number in range(KEYS)]
    l1: Ordered[str, int] = Ordered(1 << 30, 1 << 20, 300.0)
    l2: TwoQueues[str, int] = TwoQueues(1 << 30, 1 << 20, 300.0, judge=Duel())
    tools: cachetools.LRUCache[str, int] = cachetools.LRUCache(2 * KEYS)
    box: Any = cachebox.LRUCache(2 * KEYS)
    tlfu: Any = theine.Cache(2 * KEYS)
    for number, name in enumerate(names):
        for put in (tools.__setitem__, box.insert, tlfu.set):
            put(name, number)
        l1.put(name, number, VALUE_BYTES)
        l2.put(name, number, VALUE_BYTES)
        space.put(name, number)

    def traced(count: int) -> None:
        for start in range(0, count, KEYS):
            with telemetry.tracer.span("task"):
                for name in islice(names, min(KEYS, count - start)):
                    space.get(name)
            telemetry.provider.buffer.take()

    async def never() -> int:
        raise AssertionError("a hit computes nothing")

    async def asked(count: int) -> None:
        for start in range(0, count, KEYS):
            with telemetry.tracer.span("task"):
                for name in islice(names, min(KEYS, count - start)):
                    await space.get_or_compute(name, never)
            telemetry.provider.buffer.take()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        peer = "cachetools LRU get"
        samples = interleaved(
            {
                peer: _gets(names, tools.get),
                "cachebox LRU get": _gets(names, box.get),
                "theine get": _gets(names, tlfu.get),
                "l1": _gets(names, l1.get),
                "l2": _gets(names, l2.get),
                "traced": Contender(traced),
                "asked": Contender(lambda count: loop.run_until_complete(asked(count))),
            },
            clock=time.process_time_ns,  # nothing here waits: another process's turn is no part of a lookup
        )
        runner.run(caches.aclose())
        runner.run(telemetry.aclose())
    tlfu.close()
    return [
        line("L1 hit, byte budget and age, counters only", samples, "l1", peer, budget=HIT_BUDGET),
        line("L1 hit, looked up with its span", samples, "traced", peer, budget=TRACED_HIT_BUDGET),
        line("L1 hit, get_or_compute awaited, with its span", samples, "asked", peer),
        line("L2 hit, byte budget and age, duel aside", samples, "l2", "theine get", budget=TIME_BUDGET),
        line("L2 hit, byte budget and age, duel aside", samples, "l2", peer),
        line("L1 hit, byte budget and age, counters only", samples, "l1", "cachebox LRU get"),
    ]


def _gets(names: Sequence[str], get: Callable[[str], object]) -> Contender:
    def run(count: int) -> None:
        for start in range(0, count, KEYS):
            for name in islice(names, min(KEYS, count - start)):
                get(name)

    return Contender(run)


def ratios(data: Path | None = None, shares: Sequence[float] = SHARES) -> list[Line | Figure]:
    """L2's hit ratio and time on every trace and size, beside the policies at equal entries and theine."""
    found: list[Line | Figure] = []
    for name, trace in traces(data).items():
        distinct = len(set(trace))
        for share in shares:
            limit = max(16, int(distinct * share))
            found += _beside(f"{name}, {limit} entries", trace, limit)
    return found


def traces(data: Path | None = None) -> dict[str, Sequence[int]]:
    """Requests by trace."""
    rng = random.Random(1)
    weights = [1 / rank**0.99 for rank in range(1, 50_001)]
    found: dict[str, Sequence[int]] = {"zipf(0.99)": rng.choices(range(50_000), weights, k=300_000)}
    for file in sorted(((data or data_folder()) / "cache-traces").glob("*.trace.*")):
        name = file.name.partition(".")[0]
        if file.suffix == ".xz":
            keys = np.frombuffer(lzma.decompress(file.read_bytes()), ">i4")[:MOST_REQUESTS].tolist()
        else:
            keys = [int(word) for word in gzip.decompress(file.read_bytes()).split() if word != b"*"][:MOST_REQUESTS]
        found[name] = keys
    return found


def _beside(what: str, trace: Sequence[int], limit: int) -> list[Line | Figure]:
    best = max((percent(make(limit), trace), make.__name__) for make in (lru, s3_fifo, w_tinylfu))
    own = TwoQueues[Hashable, bool](4 * limit * (VALUE_BYTES + ENTRY_BYTES), limit, 1e9, judge=Duel(), policy="tinylfu")
    began = time.process_time()
    for key in trace:
        if own.get(key) is None:
            own.put(key, True, VALUE_BYTES)
    took = time.process_time() - began
    peer: Any = theine.Cache(limit)
    hits, began = 0, time.process_time()
    for key in trace:
        if peer.get(key)[1]:
            hits += 1
        else:
            peer.set(key, True)
    peer_took = time.process_time() - began
    peer.close()
    got, theirs, count = 100 * own.hits / len(trace), 100 * hits / len(trace), len(trace)
    note = f"{got:.2f} % by {own.policy}; {best[1]} {best[0]:.2f} %"
    return [
        Figure(f"L2 below the best policy: {what}", best[0] - got, "points", count, POINTS_BUDGET, note),
        Figure(f"L2 below theine: {what}", theirs - got, "points", count, 0.0, f"theine {theirs:.2f} %"),
        Figure(
            f"L2 time beside theine's: {what}",
            took / peer_took,
            "x",
            count,
            TIME_BUDGET,
            f"{took / count * 1e9:.0f} ns",
        ),
    ]
