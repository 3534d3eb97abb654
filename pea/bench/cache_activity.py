"""How many activities of a fleet share a transaction, and what writing one down costs the agent that does it."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

from pea.bench.figure import Figure
from pea.cache import ActivityLog

AGENTS = 15
EACH = 200
MEAN_PAUSE_S = 0.05  # of one agent, between two activities: 300 a second in all
SHARED_LIMIT = 80.0
APPEND_LIMIT_MS = 50.0


async def _agent(log: ActivityLog, name: str, dice: random.Random, took: list[float]) -> None:
    for number in range(EACH):
        await asyncio.sleep(dice.expovariate(1 / MEAN_PAUSE_S))
        began = time.perf_counter()
        await log.append(name, "work.done", {"number": number, "what": "an agent's usual line"})
        took.append(time.perf_counter() - began)


async def _work(path: Path) -> list[Figure]:
    log, took = ActivityLog(path), list[float]()
    await asyncio.gather(*(_agent(log, f"agent{n}", random.Random(n), took) for n in range(AGENTS)))
    await log.aclose()
    cold = log.stats().cold
    assert cold is not None
    shared, p95 = 100 * cold.shared / max(cold.written, 1), 1e3 * statistics.quantiles(took, n=20)[-1]
    note = f"{cold.written:,} rows in {cold.transactions:,} transactions"
    return [
        Figure(
            "activities written with others in one transaction", shared, "%", cold.written, SHARED_LIMIT, note, True
        ),
        Figure("activities lost", float(cold.dropped), "rows", len(took), 0.0),
        Figure("ctx.store.append, p95", p95, "ms", len(took), APPEND_LIMIT_MS),
    ]


def activities() -> list[Figure]:
    """Fifteen agents write down what they do, each in its own rhythm."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_work(Path(folder, "activity.sqlite")))
