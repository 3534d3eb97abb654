"""One of three replicas is twenty times slower than the others: what it gets, and what the callers notice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

from pea.bench.figure import Figure
from pea.bench.measure import quantile
from pea.config import RuntimeSettings, Settings
from pea.runtime import Agent, Context, Runtime, capability

QUICK_S = 0.005
TIMES = 20
CALLERS = 9
SECONDS = 4.0


class Shelf(Agent):
    """Answers after its disk has; one of them has a slow disk."""

    name = "shelf"

    def __init__(self, latency_s: float = QUICK_S) -> None:
        self.latency_s = latency_s
        self.calls = 0

    @capability("shelf.fetch", idempotent=True)
    async def fetch(self, ctx: Context) -> int:  # noqa: ARG002
        """Wait as a disk or a network makes one wait."""
        self.calls += 1
        await asyncio.sleep(self.latency_s)
        return self.calls


def balance() -> list[Figure]:
    """PEA's choice, beside one in turn and beside three equally quick replicas."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    slow, calls = await _round([QUICK_S, QUICK_S, QUICK_S * TIMES])
    even, _ = await _round([QUICK_S] * 3)
    turns, _ = await _in_turn([QUICK_S, QUICK_S, QUICK_S * TIMES])
    total = sum(calls)
    slow_s, even_s = quantile(slow, 0.95), quantile(even, 0.95)
    return [
        Figure("calls that the slow replica gets", 100 * calls[2] / total, "%", total, 2.5),
        Figure("the slow replica is probed", calls[2], "calls", total, 1.0, at_least=True),
        Figure("p95 beside three quick ones", slow_s / even_s, "×", len(slow), 1.25),
        Figure("p95", slow_s * 1e3, "ms", len(slow), note=f"three quick ones {even_s * 1e3:.1f} ms"),
        Figure("p95 in turn", quantile(turns, 0.95) * 1e3, "ms", len(turns), note="round robin over the same three"),
        Figure("calls a second beside in turn", len(slow) / len(turns), "×", len(slow), 3.0, at_least=True),
    ]


async def _round(latencies: list[float]) -> tuple[list[float], list[int]]:
    """How long calls took, and how many each replica got."""
    shelves = [Shelf(latency) for latency in latencies]
    settings = Settings(runtime=RuntimeSettings(replicas={"shelf": len(shelves)}))
    async with Runtime(settings, agents=shelves) as runtime:
        took = await _ask(lambda: runtime.call("shelf.fetch"))
    return took, [shelf.calls for shelf in shelves]


async def _in_turn(latencies: list[float]) -> tuple[list[float], Counter[int]]:
    """The same, each replica by itself and asked in turn."""
    runtimes = [Runtime(Settings(), agents=[Shelf(latency)]) for latency in latencies]
    for runtime in runtimes:
        await runtime.start()
    order, calls = 0, Counter[int]()

    async def next_one() -> object:
        nonlocal order
        order += 1
        calls[order % len(runtimes)] += 1
        return await runtimes[order % len(runtimes)].call("shelf.fetch")

    took = await _ask(next_one)
    for runtime in runtimes:
        await runtime.close()
    return took, calls


async def _ask(call: Callable[[], object]) -> list[float]:
    """Callers that ask, wait and ask again after a moment; seconds of each call."""
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    chance = random.Random(5)

    async def caller() -> None:
        while (began := time.perf_counter()) < until:
            await call()  # type: ignore[misc]
            took.append(time.perf_counter() - began)
            await asyncio.sleep(chance.random() * 0.002)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return took
