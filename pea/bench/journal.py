"""What a promise costs: a journaled task beside the fsyncs it cannot do without, and beside one without a journal."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pea.bench.figure import Figure
from pea.config import Settings, load
from pea.runtime import Agent, Context, Runtime, Task, capability

ALONE = 200
TOGETHER = 3_000
SIDE_BY_SIDE = 64
ROW_BYTES = 600  # about what one entry of a task adds to the write-ahead log, were it not for whole pages
CROWD_RATIO = 3.0  # a task is seven rows, written by a thread of the same interpreter
FLOOR_RATIO = 2.0  # a task alone waits for two fsyncs; whole pages are written, and two threads hand over


class Small(Agent):
    """A task that does nothing but two calls."""

    name = "small"

    @capability("small.task", idempotent=True)
    async def task(self, ctx: Context, number: int) -> int:
        """Two calls, one after the other."""
        return int(await ctx.call("small.call", number=await ctx.call("small.call", number=number)))

    @capability("small.call", idempotent=True)
    async def call(self, ctx: Context, number: int) -> int:  # noqa: ARG002
        """Give the number back."""
        return number


def journal() -> list[Figure]:
    """Tasks one at a time and many at once, with a journal, without one, and the bare fsync on the same disk."""
    return asyncio.run(_journal())


async def _journal() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pea-journal-") as folder:
        settings = load(
            environ={}, overrides={"state": folder, "runtime.queue": TOGETHER, "runtime.concurrency": SIDE_BY_SIDE}
        )
        plain_ms, plain_s, _, _ = await _measure(settings, None, Path(folder, "floor"))
        alone_ms, together_s, commits, fsync_ms = await _measure(
            settings, Path(folder, "journal"), Path(folder, "floor")
        )
    alone = f"without a journal {plain_ms:.3g} ms"
    together = f"without a journal {TOGETHER / plain_s:,.0f} tasks/s"
    return [
        Figure("fsync of one appended entry, p50", fsync_ms, "ms", ALONE),
        Figure("task alone, accepted to ended, p50", alone_ms, "ms", ALONE, note=alone),
        Figure("  beside its two fsyncs", alone_ms / (2 * fsync_ms), "×", ALONE, FLOOR_RATIO),
        Figure(f"tasks, {SIDE_BY_SIDE} at once", TOGETHER / together_s, "tasks/s", TOGETHER, note=together),
        Figure("  time beside that without a journal", together_s / plain_s, "×", TOGETHER, CROWD_RATIO),
        Figure("  fsyncs for one task", commits / TOGETHER, "fsyncs", TOGETHER, 0.25, "2 if none were shared"),
    ]


async def _measure(settings: Settings, folder: Path | None, floor: Path) -> tuple[float, float, int, float]:
    """Milliseconds of a task alone, seconds of many at once, the commits these took, milliseconds of an fsync.

    Tasks and bare fsyncs take turns, since others use the disk too.
    """
    runtime = Runtime(settings, agents=[Small()])
    if folder is not None:
        runtime.keep_journal(folder)
    async with runtime:
        scheduler = runtime.scheduler

        async def one(number: int) -> Task:
            task = await scheduler.accept("small.task", {"number": number})
            return await scheduler.wait(task.id)

        await one(0)
        took, fsyncs = [], []
        for number in range(ALONE):
            took.append(await _seconds(one, number))
            fsyncs.append(_fsync_s(floor))
        before = runtime.journal.status.commits if runtime.journal is not None else 0
        began, left = time.perf_counter(), iter(range(TOGETHER))

        async def client() -> None:
            for number in left:
                await one(number)

        await asyncio.gather(*(client() for _ in range(SIDE_BY_SIDE)))
        seconds = time.perf_counter() - began
        after = runtime.journal.status.commits if runtime.journal is not None else 0
    return 1e3 * statistics.median(took), seconds, after - before, 1e3 * statistics.median(fsyncs)


async def _seconds(work: Callable[[int], Awaitable[Task]], number: int) -> float:
    began = time.perf_counter()
    await work(number)
    return time.perf_counter() - began


def _fsync_s(path: Path) -> float:
    """Seconds of one append with its fsync."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        began = time.perf_counter()
        os.write(file, b"x" * ROW_BYTES)
        os.fsync(file)
        return time.perf_counter() - began
    finally:
        os.close(file)
