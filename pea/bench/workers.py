"""PEA's worker processes beside the standard library's pool, with the same functions in one run."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor

from pea.bench.figure import Figure
from pea.bench.measure import Line, Sample, line
from pea.config import Settings
from pea.config.workers import WorkerSettings
from pea.errors import WorkerFailed
from pea.runtime.workers import Workers, isolated
from pea.runtime.workers.isolated import mark_of
from pea.telemetry import Telemetry

JOBS = 16  # of heavy work, at once
HEAVY = 300_000
SINGLE = 100
ROUNDS = 7
PEA, PEER, HERE = "worker process", "concurrent.futures", "here"

Run = Callable[[Callable[[int], int], int], Awaitable[int]]


@isolated
def nothing(number: int) -> int:
    """Return the number."""
    return number


@isolated
def count(limit: int) -> int:
    """Keep a processor busy."""
    return sum(value * value % 7 for value in range(limit))


@isolated(timeout="500ms")
def hang() -> None:
    """Never end."""
    while True:
        pass


def workers() -> list[Line | Figure]:
    """Hand-over, throughput and what a hanging job costs."""
    with asyncio.Runner() as runner:
        return runner.run(_measure(runner.get_loop()))


async def _measure(loop: asyncio.AbstractEventLoop) -> list[Line | Figure]:
    telemetry = Telemetry(Settings(), {})
    pool = Workers(WorkerSettings(queue=10_000), telemetry.tracer, telemetry.provider.get_tracer)
    peer = ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("forkserver"))

    async def ours(function: Callable[[int], int], number: int) -> int:
        mark = mark_of(function)
        if mark is None:
            raise TypeError("a marked function is expected")
        return int(await pool.run(function, mark, (number,), {}, function.__name__))

    async def theirs(function: Callable[[int], int], number: int) -> int:
        return await loop.run_in_executor(peer, function, number)

    began = time.perf_counter()
    await ours(nothing, 1)
    first_s = time.perf_counter() - began
    began = time.perf_counter()
    await theirs(nothing, 1)
    their_first_s = time.perf_counter() - began
    single: dict[str, list[float]] = {PEA: [], PEER: []}
    heavy: dict[str, list[float]] = {PEA: [], PEER: [], HERE: []}
    for _ in range(ROUNDS):
        for name, run in ((PEA, ours), (PEER, theirs)):
            single[name].append(await _one_by_one(run))
            heavy[name].append(await _together(run))
        began = time.perf_counter()
        for _ in range(JOBS):
            count(HEAVY)
        heavy[HERE].append((time.perf_counter() - began) / JOBS)
    hung_s = await _hang(pool)
    await asyncio.gather(*(ours(nothing, number) for number in range(50)))  # the process that took its place is there
    await pool.close()
    peer.shutdown()
    await telemetry.aclose()
    speed = [here / there for here, there in zip(heavy[HERE], heavy[PEA], strict=True)]
    places = min(os.cpu_count() or 1, 4)
    return [
        line("a job there and back", _samples(single, SINGLE), PEA, PEER),
        line(f"{JOBS} heavy jobs at once, each", _samples(heavy, JOBS), PEA, PEER, budget=1.25),
        Figure("heavy jobs beside here", statistics.median(speed), "×", ROUNDS, 0.7 * places, f"{places} cores", True),
        Figure("the first job, processes started", first_s * 1e3, "ms", note=f"{PEER} {their_first_s * 1e3:.0f} ms"),
        Figure("a hanging job is ended late by", hung_s * 1e3, "ms", 1, 4_000.0, f"{PEER}: never"),
    ]


async def _one_by_one(run: Run) -> float:
    """Seconds of a job that does nothing."""
    began = time.perf_counter()
    for number in range(SINGLE):
        await run(nothing, number)
    return (time.perf_counter() - began) / SINGLE


async def _together(run: Run) -> float:
    """Seconds for each of some heavy jobs, sent at once."""
    began = time.perf_counter()
    await asyncio.gather(*(run(count, HEAVY) for _ in range(JOBS)))
    return (time.perf_counter() - began) / JOBS


async def _hang(pool: Workers) -> float:
    """Seconds from a hanging job's timeout to its end."""
    mark = mark_of(hang)
    if mark is None or mark.timeout_s is None:
        raise TypeError("a marked function with a timeout is expected")
    began = time.perf_counter()
    with contextlib.suppress(WorkerFailed):
        await pool.run(hang, mark, (), {}, "hang")
    return time.perf_counter() - began - mark.timeout_s


def _samples(rounds: dict[str, list[float]], each: int) -> dict[str, Sample]:
    return {name: Sample(tuple(one * 1e9 for one in seconds), each * ROUNDS) for name, seconds in rounds.items()}
