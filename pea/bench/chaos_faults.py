"""The faults of ``pea bench chaos``: how each begins, how it ends, and what it concerns."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from pea.bench.cache_faults import Server
from pea.bench.chaos_fleet import Trouble
from pea.errors import PeaError
from pea.runtime import Priority, Runtime

TIMES = 10  # the load
JUMP_S = 3600.0


class Scene(NamedTuple):
    """Where a fault strikes."""

    runtime: Runtime
    trouble: Trouble
    server: Server
    folder: Path


class Fault(NamedTuple):
    """``concerns`` is told a task's kind, whether it touches one of the two agents, and whether it is journaled.

    With ``crashes`` it concerns some of the jobs in worker processes, which they end.
    """

    what: str
    strike: Callable[[Scene], AbstractAsyncContextManager[None]]
    concerns: Callable[[str, bool, bool], bool]
    votes: bool = False
    crashes: bool = False


def _of_the_fleet(name: str) -> Callable[[Scene], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def strike(scene: Scene) -> AsyncIterator[None]:
        scene.trouble.fault = name
        try:
            yield
        finally:
            scene.trouble.fault = ""

    return strike


@asynccontextmanager
async def _without_redis(scene: Scene) -> AsyncIterator[None]:
    scene.server.kill()
    try:
        yield
    finally:
        await scene.server.start()


@asynccontextmanager
async def _with_frozen_redis(scene: Scene) -> AsyncIterator[None]:
    scene.server.freeze()
    try:
        yield
    finally:
        scene.server.kill()
        await scene.server.start()


@asynccontextmanager
async def _full_disk(scene: Scene) -> AsyncIterator[None]:
    """No file may grow beyond what the journal's is: writes fail as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(file.stat().st_size for file in (scene.folder / "state").glob("journal*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(largest // 2, 4_096), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)


@asynccontextmanager
async def _jumping_clock(_scene: Scene) -> AsyncIterator[None]:
    """The system's time leaps back and forth by an hour, ten times a second."""
    true_time, true_ns = time.time, time.time_ns
    offset_s = 0.0
    time.time = lambda: true_time() + offset_s
    time.time_ns = lambda: true_ns() + int(offset_s * 1e9)
    chance = Random(5)

    async def jump() -> None:
        nonlocal offset_s
        while True:
            await asyncio.sleep(0.1)
            offset_s = chance.choice([-JUMP_S, 0.0, JUMP_S])

    jumping = asyncio.create_task(jump())
    try:
        yield
    finally:
        jumping.cancel()
        await asyncio.wait([jumping])
        time.time, time.time_ns = true_time, true_ns


@asynccontextmanager
async def _ten_times(scene: Scene) -> AsyncIterator[None]:
    """Low tasks at ten times the usual rate, of which as many are taken in as there is room for."""
    from pea.bench.chaos import RATE

    scheduler = scene.runtime.scheduler

    async def flood() -> None:
        began, sent = time.perf_counter(), 0
        while True:
            while sent < (time.perf_counter() - began) * RATE * TIMES:
                sent += 1
                with suppress(PeaError):
                    scheduler.submit("performance.work", {"seed": sent}, priority=Priority.LOW, deadline_s=1.0)
            await asyncio.sleep(0.005)

    flooding = asyncio.create_task(flood())
    try:
        yield
    finally:
        flooding.cancel()
        await asyncio.wait([flooding])


def _touched(kind: str, touches: bool, _journaled: bool) -> bool:  # noqa: FBT001
    return touches and kind in ("work", "brief")


def _nobody(_kind: str, _touches: bool, _journaled: bool) -> bool:  # noqa: FBT001
    return False


FAULTS = (
    Fault("two of fifteen crash", _of_the_fleet("crash"), _touched),
    Fault("two of fifteen hang", _of_the_fleet("hang"), _touched),
    Fault("a replica of each of two lies", _of_the_fleet("lie"), _nobody, votes=True),
    Fault("Redis gone", _without_redis, _nobody),
    Fault("Redis hangs", _with_frozen_redis, _nobody),
    Fault("disk full", _full_disk, lambda _kind, _touches, journaled: journaled),
    Fault("workers crash", _of_the_fleet("workers"), _nobody, crashes=True),
    Fault("clock jumps by hours", _jumping_clock, _nobody),
    Fault("ten times the load", _ten_times, _nobody),
)
