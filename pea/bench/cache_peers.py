"""A hit awaited and a stampede, beside the asynchronous caches: cashews, aiocache, diskcache.

Each by its documented way: `cashews.Cache.setup("mem://")`, `aiocache.SimpleMemoryCache`, `diskcache.Cache.get`;
`cashews` and `aiocache` decorators for the stampede. Values are small and the same for all.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from pea.bench.figure import Figure
from pea.bench.measure import Absent, Contender, Line, interleaved, line
from pea.cache import Caches
from pea.config import CacheSettings, L4Settings, Settings
from pea.telemetry import Telemetry

KEYS = 500
WAITERS = 100
VALUE = {"day": "2026-05-12", "entries": 3}


def cache_peers() -> list[Line | Figure | Absent]:
    """All of them on one loop, in turns."""
    absent: list[Line | Figure | Absent] = []
    with asyncio.Runner() as runner, ExitStack() as stack:
        loop = runner.get_loop()
        telemetry = Telemetry(Settings(), {})
        caches = Caches(Settings(cache=CacheSettings(l4=L4Settings(on=False))), telemetry.tracer)
        space = caches.namespace("bench", ttl_s=3_000.0)
        keys = [f"calendar:day:{number}" for number in range(KEYS)]
        for key in keys:
            space.put(key, VALUE)

        async def never() -> object:
            raise AssertionError("a hit computes nothing")

        async def own(key: str) -> object:
            return await space.get_or_compute(key, never)

        gets: dict[str, Callable[[str], Awaitable[object]]] = {"pea": own}
        for name, make in (("cashews", _cashews), ("aiocache", _aiocache), ("diskcache", _diskcache)):
            try:
                gets[name] = loop.run_until_complete(make(keys, stack))
            except ImportError as error:
                absent.append(Absent("a hit, awaited", name, f"{error.name} is not installed"))

        def contender(get: Callable[[str], Awaitable[object]]) -> Contender:
            async def whole(count: int) -> None:
                for start in range(0, count, KEYS):
                    with telemetry.tracer.span("task"):
                        for key in keys[: min(KEYS, count - start)]:
                            await get(key)

            return Contender(lambda count: loop.run_until_complete(whole(count)), telemetry.provider.buffer.take)

        measured = interleaved(
            {name: contender(get) for name, get in gets.items()}, rounds=21, clock=time.process_time_ns
        )
        found: list[Line | Figure | Absent] = [
            line("a hit, awaited, with its span", measured, "pea", name, note=_NOTES[name])
            for name in gets
            if name != "pea"
        ]
        found += loop.run_until_complete(_stampedes(space))
        runner.run(caches.aclose())
        runner.run(telemetry.aclose())
    return [*found, *absent]


_NOTES = {
    "cashews": "mem:// without a span",
    "aiocache": "SimpleMemoryCache without a span",
    "diskcache": "on disk, synchronous, without a span",
}


async def _cashews(keys: list[str], stack: ExitStack) -> Callable[[str], Awaitable[object]]:  # noqa: ARG001
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=10 * KEYS)
    for key in keys:
        await cache.set(key, VALUE, expire="50m")
    get: Callable[[str], Awaitable[object]] = cache.get
    return get


async def _aiocache(keys: list[str], stack: ExitStack) -> Callable[[str], Awaitable[object]]:  # noqa: ARG001
    from aiocache import SimpleMemoryCache

    cache = SimpleMemoryCache()
    for key in keys:
        await cache.set(key, VALUE, ttl=3_000)
    get: Callable[[str], Awaitable[object]] = cache.get
    return get


async def _diskcache(keys: list[str], stack: ExitStack) -> Callable[[str], Awaitable[object]]:
    import diskcache

    cache: Any = diskcache.Cache(stack.enter_context(tempfile.TemporaryDirectory()))
    stack.callback(cache.close)
    for key in keys:
        cache.set(key, b"2026-05-12", expire=3_000)  # bytes: nothing to unpickle

    async def get(key: str) -> object:
        return cache.get(key)

    return get


async def _stampedes(space: Any) -> list[Line | Figure | Absent]:
    """A hundred ask for the same missing value at once: how often it is computed."""
    computed = 0

    async def compute() -> int:
        nonlocal computed
        computed += 1
        await asyncio.sleep(0.002)
        return 1

    async def count(ask: Callable[[], Awaitable[object]]) -> float:
        nonlocal computed
        computed = 0
        await asyncio.gather(*(ask() for _ in range(WAITERS)))
        return float(computed)

    what = f"a stampede of {WAITERS}: computed"
    found: list[Line | Figure | Absent] = [
        Figure(what, await count(lambda: space.get_or_compute("stampede", compute)), "times", WAITERS, 1.0)
    ]
    for name in ("cashews", "aiocache"):
        try:
            ask = _cashews_asking(compute) if name == "cashews" else _aiocache_asking(compute)
        except ImportError as error:
            found.append(Absent(what, name, f"{error.name} is not installed"))
            continue
        found.append(Figure(f"{what} by {name}", await count(ask), "times", WAITERS))
    return found


def _cashews_asking(compute: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[object]]:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://")

    async def ask() -> int:
        return await compute()

    made: Callable[[], Awaitable[object]] = cache(ttl="50m", key="stampede", lock=True)(ask)
    return made


def _aiocache_asking(compute: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[object]]:
    from aiocache import cached_stampede

    async def ask() -> int:
        return await compute()

    made: Callable[[], Awaitable[object]] = cached_stampede(ttl=3_000, key_builder=lambda *_: "stampede")(ask)
    return made
