"""A process that works through the hours of a day as fast as it can and notes its own memory.

``python -m pea.bench.memory_run WORKSPACE STATE TASKS MOST`` runs the whole service in itself, hands tasks to its
scheduler until it is warm (`memory_fill.Warmup`), then ``TASKS`` more, ``MOST`` in all at the most, and prints a `Run`
as JSON. A real hour has 60 tasks in each minute; here thousands come in one. So the rule
that a result of the last minute outlasts a crowd (``runtime.history_keep``) is off, as it would never be needed.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from pea.bench.memory_fill import Warmup, fills
from pea.bench.memory_work import asks
from pea.config import LogSettings, load
from pea.runtime import Runtime, TaskState
from pea.runtime.scheduler import Scheduler
from pea.service import Service
from pea.telemetry import Telemetry, configure_logging
from pea.telemetry.arenas import keep_little
from pea.telemetry.pauses import shorten_pauses

AT_ONCE = 4
TASKS_PER_EVENT = 300  # every five minutes of work something in the calendars changes
TASKS_PER_SAMPLE = 30


class Run(msgspec.Struct, frozen=True):
    """``samples`` are tasks done and resident bytes then; ``hits`` of ``lookups`` in the caches.

    It was warm after ``warm_tasks``, None if never; ``filling`` names what was still filling at the end.
    """

    samples: list[tuple[int, int]]
    ready_bytes: int
    peak_bytes: int
    seconds: float
    failed: int
    hits: dict[str, int]  # by tier
    lookups: int
    warm_tasks: int | None = None
    filling: tuple[str, ...] = ()


async def work(workspace: Path, state: Path, tasks: int, most: int) -> Run:
    """Run until warm, then the tasks; ``most`` in all."""
    overrides = {"service.port": 0, "state": str(state), "runtime.history_keep": 0}
    settings = load(workspace / "pea.yaml", environ={}, overrides=overrides)
    telemetry = Telemetry(settings, {})
    process, samples, failed = psutil.Process(), [], 0
    warmup, warm_tasks, done = Warmup(), None, 0
    try:
        async with Service(Runtime(settings, telemetry=telemetry)) as service:
            await service.ready()
            shorten_pauses()
            scheduler, caches = service.runtime.scheduler, service.runtime.dispatcher.caches
            ready_bytes, began = process.memory_info().rss, time.perf_counter()
            while done < most and (warm_tasks is None or done < warm_tasks + tasks):
                numbers = iter(range(done, done + TASKS_PER_SAMPLE))
                failed += sum(await asyncio.gather(*(_in_turn(scheduler, numbers) for _ in range(AT_ONCE))))
                if done % TASKS_PER_EVENT == 0:
                    await caches.emit("calendar-update")
                done += TASKS_PER_SAMPLE
                samples.append((done, process.memory_info().rss))
                if warm_tasks is None and warmup.over(done, fills(service)):
                    warm_tasks = done
            seconds = time.perf_counter() - began
            stats = caches.stats()
    finally:
        await telemetry.aclose()
    by_tier: dict[str, int] = {}
    for space in stats.namespaces:
        for tier, count in space.lookups.items():
            by_tier[tier] = by_tier.get(tier, 0) + count
    lookups = sum(by_tier.values())
    by_tier.pop("none", None)
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes on Linux
    return Run(samples, ready_bytes, peak_bytes, seconds, failed, by_tier, lookups, warm_tasks, warmup.waiting)


async def _in_turn(scheduler: Scheduler, numbers: Iterator[int]) -> int:
    """Run tasks while there are numbers; how many did not succeed."""
    failed = 0
    for number in numbers:
        ask = asks(number)
        task, _ = await scheduler.run(ask.capability, ask.input)
        failed += task.state is not TaskState.SUCCEEDED
    return failed


if __name__ == "__main__":
    keep_little()
    configure_logging(LogSettings(level="error"))
    found = asyncio.run(work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
    sys.stdout.write(msgspec.json.encode(found).decode())
