"""The report's bounds: each structure as it is by default, given three times what it may hold, and what it held.

These are SPEC's figures for bounded memory, tiered retention, pooled connections and the memory tiers of the cache.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from aiohttp import web

from pea.bench.figure import Figure
from pea.cache import Caches
from pea.cache.retention import Retention
from pea.config import CacheSettings, L4Settings, Settings
from pea.runtime.history import History
from pea.runtime.http import HttpPool
from pea.runtime.task import Task, TaskState
from pea.telemetry import Telemetry

TIMES = 3  # what a structure is given beside what it may hold
VALUE_BYTES = 100_000
REQUESTS, CALLERS = 400, 20

TASKS, HOT, WARM = 1_000, 100, 1_000
L1_BYTES, L2_BYTES = 50 << 20, 200 << 20
REUSED, CONNECTIONS = 90.0, 20.0


def bounds() -> list[Figure]:
    """What each holds in the end; a few seconds."""
    return asyncio.run(_bounds(Settings()))


async def _bounds(settings: Settings) -> list[Figure]:
    return [_remembered(settings), *await _retained(settings), *_cached(), *await _pooled(settings)]


def _remembered(settings: Settings) -> Figure:
    """Tasks that end, on a clock of our own: a result that is fresh is kept for who asked for it."""
    own = settings.runtime
    now = 0.0
    history = History(own.history, float(own.history_age), own.history_size, float(own.history_keep), clock=lambda: now)
    given = TIMES * TASKS
    for number in range(given):
        now += float(own.history_keep) / 100
        task = Task(
            id=f"{number:032x}", capability="a.b", agent="a", input=msgspec.Raw(b"{}"), created=now, started=now
        )
        history.add(task)
        history.replace(msgspec.structs.replace(task, state=TaskState.RUNNING))
        history.replace(msgspec.structs.replace(task, state=TaskState.SUCCEEDED, ended=now))
    return Figure("tasks remembered", len(history.registry), "tasks", given, TASKS, "100 a minute")


async def _retained(settings: Settings) -> list[Figure]:
    """Records kept hot, warm and cold, as the activity log and the threats are."""
    given = TIMES * WARM
    with tempfile.TemporaryDirectory(prefix="pea-bounds-") as folder:
        kept: Retention[dict[str, int]] = Retention(Path(folder, "cold.db"), dict[str, int], settings.activity)
        for number in range(given):
            await kept.keep(f"{number}", {"number": number})
        await kept.flush()
        hot, warm, _ = kept.stats()
        oldest = await kept.get("0")
        await kept.aclose()
    return [
        Figure("a history: hot", hot.entries, "entries", given, HOT),
        Figure("a history: warm", warm.entries, "entries", given, WARM),
        Figure("a history: the oldest, from cold", float(oldest == {"number": 0}), "", given, 1, at_least=True),
    ]


def _cached() -> Iterator[Figure]:
    """The memory tiers, each filled by itself with values of a size."""
    telemetry = Telemetry(Settings(), {})
    caches = Caches(Settings(cache=CacheSettings(l4=L4Settings(on=False))), telemetry.tracer)
    space = caches.namespace("bounds", owner="agent", portable=False)
    for number in range(TIMES * L2_BYTES // VALUE_BYTES):
        space.put(f"{number}", number.to_bytes(4) * (VALUE_BYTES // 4))
    held = {tier.tier: tier for tier in caches.stats().tiers}
    for name, most in (("l1", L1_BYTES), ("l2", L2_BYTES)):
        tier = held[name]
        note = f"{tier.entries:,} values of {VALUE_BYTES // 1_000} kB"
        yield Figure(f"{name}, filled", tier.size_bytes / 2**20, "MiB", tier.entries, most / 2**20, note)


async def _pooled(settings: Settings) -> list[Figure]:
    """Requests of many callers at once over the connections that agents share."""
    app = web.Application()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pool = HttpPool(settings.runtime.http, Telemetry(Settings(), {}).tracer)
    try:
        address = f"http://127.0.0.1:{runner.addresses[0][1]}/"

        async def ask() -> None:
            for _ in range(REQUESTS // CALLERS):
                async with pool.session().get(address) as got:
                    await got.read()

        await asyncio.gather(*(ask() for _ in range(CALLERS)))
    finally:
        await pool.aclose()
        await runner.cleanup()
    reused = 100 * (pool.reuse or 0.0)
    return [
        Figure("HTTP connections reused", reused, "%", REQUESTS, REUSED, f"{CALLERS} callers", at_least=True),
        Figure("HTTP connections opened", pool.counts["created"], "connections", REQUESTS, CONNECTIONS),
    ]
