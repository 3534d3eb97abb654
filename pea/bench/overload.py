"""What happens when more is asked than can be done: who is served, how late, who is told to come back."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pea.bench.figure import Figure
from pea.bench.measure import quantile
from pea.config import RuntimeSettings, Seconds, Settings
from pea.errors import Overloaded
from pea.runtime import Agent, Context, Priority, Runtime, TaskState, capability

SECONDS = 4.0  # of each load
DEADLINE_S = 2.0
MIX = {Priority.LOW: 0.3, Priority.NORMAL: 0.5, Priority.HIGH: 0.15, Priority.CRITICAL: 0.05}
EXECUTIVES = 100
WAITING = 5_000


class Papers(Agent):
    """Reads and counts: a file in a thread, then work on the processor."""

    name = "papers"

    def __init__(self, file: Path) -> None:
        self.file = file

    @capability("papers.read", idempotent=True)
    async def read(self, ctx: Context) -> int:
        """How many rows the file has."""
        return len(json.loads(await ctx.compute(self.file.read_bytes)))


class Ledger(Agent):
    """Works on the processor only."""

    name = "ledger"

    @capability("ledger.balance", idempotent=True)
    async def balance(self, ctx: Context, seed: int) -> int:  # noqa: ARG002
        """Sort and add some thousand numbers."""
        numbers = random.Random(seed).choices(range(10_000), k=1_500)
        return sum(value * index for index, value in enumerate(sorted(numbers)))


class Chief(Agent):
    """Asks the two others side by side, twice the second: the task of three agents."""

    name = "chief"

    @capability("chief.brief", timeout="30s")
    async def brief(self, ctx: Context, seed: int) -> int:
        """Put their answers together."""
        parts = await ctx.gather(
            papers=ctx.call("papers.read"),
            now=ctx.call("ledger.balance", seed=seed),
            then=ctx.call("ledger.balance", seed=seed + 1),
        )
        return sum(part.value or 0 for part in parts.values())


class Served(NamedTuple):
    """How the tasks of one load and priority fared; latencies in seconds from arrival to end."""

    offered: int
    refused: int
    in_time: int
    latencies: list[float]


def overload() -> list[Figure]:
    """Loads up to ten times what can be done; a hundred executive tasks at once; five thousand waiting."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps([{"row": row, "text": "some words"} for row in range(300)]), encoding="utf-8")
        return asyncio.run(_measure(file))


async def _measure(file: Path) -> list[Figure]:
    capacity = statistics.median([await _capacity(file) for _ in range(3)])
    found = [Figure("what can be done", capacity, "tasks/s", 3, note="closed loop of 16")]
    for times in (0.5, 2.0, 10.0):
        found += _table(times, await _load(file, capacity * times, RuntimeSettings()), capacity)
    unbounded = RuntimeSettings(
        concurrency=10_000, adaptive_concurrency=False, queue=1_000_000, timeout=Seconds(600.0), retries=0
    )
    open_door = await _load(file, capacity * 10, unbounded, deadline_s=None)
    late = open_door[Priority.CRITICAL].latencies
    p95 = quantile(late, 0.95)
    found.append(Figure("10 × without admission: critical p95", p95 * 1e3, "ms", len(late), note="no bound at all"))
    found += await _executives(file)
    found += await _waiting(file)
    return found


def _table(times: float, load: dict[Priority, Served], capacity: float) -> list[Figure]:
    """The rows of one load."""
    found = []
    for priority, served in sorted(load.items(), reverse=True):
        share = 1 - served.refused / served.offered
        note = f"{share:.0%} of {served.offered} taken in, {served.in_time} in time"
        p95 = quantile(served.latencies, 0.95) if served.latencies else 0.0
        budget = 1_000.0 if priority is Priority.CRITICAL else None
        found.append(
            Figure(f"{times:g} × {priority.name.lower()}: p95", p95 * 1e3, "ms", len(served.latencies), budget, note)
        )
        if priority is Priority.CRITICAL:
            found.append(
                Figure(f"{times:g} × critical: taken in", share * 100, "%", served.offered, 100.0, at_least=True)
            )
    done = sum(served.in_time for served in load.values()) / SECONDS
    wanted = min(times, 0.55) * 0.9  # sending and refusing ten times as much shares the processor with the work
    found.append(
        Figure(f"{times:g} ×: done in time", done, "tasks/s", round(done), wanted * capacity, "of all", at_least=True)
    )
    return found


def _runtime(file: Path, settings: RuntimeSettings) -> Runtime:
    return Runtime(Settings(runtime=settings), agents=[Papers(file), Ledger(), Chief()])


async def _capacity(file: Path) -> float:
    """Tasks a second when sixteen callers each wait for their answer."""
    async with _runtime(file, RuntimeSettings()) as runtime:
        until = time.perf_counter() + 1.0
        done = 0

        async def ask(seed: int) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await runtime.scheduler.run("chief.brief", {"seed": seed})
                done += 1

        await asyncio.gather(*(ask(seed) for seed in range(16)))
        return done / 1.0


async def _load(
    file: Path, rate: float, settings: RuntimeSettings, deadline_s: float | None = DEADLINE_S
) -> dict[Priority, Served]:
    """Tasks arrive at ``rate`` whatever becomes of them, as the world's do; each is waited for.

    Latency counts from when a task was to arrive: a busy loop that takes it in late is not forgiven.
    """
    chance = random.Random(7)
    offered, refused = Counter[Priority](), Counter[Priority]()
    latencies: dict[Priority, list[float]] = {priority: [] for priority in MIX}
    in_time = Counter[Priority]()
    async with _runtime(file, settings) as runtime:
        scheduler = runtime.scheduler
        pending: set[asyncio.Task[None]] = set()

        async def follow(identity: str, priority: Priority, began: float) -> None:
            task = await scheduler.wait(identity)
            took = time.perf_counter() - began
            if task.state is TaskState.SUCCEEDED:
                latencies[priority].append(took)
                in_time[priority] += took <= DEADLINE_S

        for seed in range(50):  # a service that has just started knows no durations yet
            await scheduler.run("chief.brief", {"seed": seed})
        began = time.perf_counter()
        sent = 0
        while (now := time.perf_counter() - began) < SECONDS:
            while sent < now * rate:
                sent += 1
                priority = chance.choices(list(MIX), list(MIX.values()))[0]
                offered[priority] += 1
                try:
                    task = scheduler.submit("chief.brief", {"seed": sent}, priority=priority, deadline_s=deadline_s)
                except Overloaded:
                    refused[priority] += 1
                    continue
                following = asyncio.create_task(follow(task.id, priority, began + sent / rate))
                pending.add(following)
                following.add_done_callback(pending.discard)
                if sent % 16 == 0:
                    break
            await asyncio.sleep(0 if sent < now * rate else 0.001)
        await asyncio.gather(*pending)
    return {
        priority: Served(offered[priority], refused[priority], in_time[priority], latencies[priority])
        for priority in MIX
    }


async def _executives(file: Path) -> list[Figure]:
    """A hundred at once, beside the same hundred under the best fixed limit: the floor that concurrency has."""
    fixed = [RuntimeSettings(concurrency=limit, adaptive_concurrency=False) for limit in (1, 4, 16, 64)]
    rounds: dict[int, list[tuple[float, float, float]]] = {number: [] for number in range(1 + len(fixed))}
    for _ in range(7):
        for number, settings in enumerate([RuntimeSettings(), *fixed]):
            rounds[number].append(await _together(file, settings))
    mean, p95, own = (statistics.median(column) for column in zip(*rounds[0], strict=True))
    best = min(statistics.median(one[2] for one in rounds[number]) for number in range(1, len(rounds)))
    return [
        Figure(f"{EXECUTIVES} at once: average", mean * 1e3, "ms", 7 * EXECUTIVES, 250.0),
        Figure(f"{EXECUTIVES} at once: p95", p95 * 1e3, "ms", 7 * EXECUTIVES),
        Figure(
            f"{EXECUTIVES} at once: p95 beside the best fixed limit's", own / best, "×", 7, 1.25, "in CPU time of PEA"
        ),
    ]


async def _together(file: Path, settings: RuntimeSettings) -> tuple[float, float, float]:
    """Average and p95 latency, and the p95 by the process's own clock, in seconds; after as many to warm up."""
    async with _runtime(file, settings) as runtime:

        async def one(seed: int) -> tuple[float, float]:
            began, spent = time.perf_counter(), time.process_time()
            await runtime.scheduler.run("chief.brief", {"seed": seed})
            return time.perf_counter() - began, time.process_time() - spent

        await _all(one)
        gc.collect()
        walls, cpus = zip(*await _all(one), strict=True)
        return statistics.fmean(walls), quantile(walls, 0.95), quantile(cpus, 0.95)


async def _all(one: Callable[[int], Coroutine[Any, Any, tuple[float, float]]]) -> list[tuple[float, float]]:
    return await asyncio.gather(*(one(seed) for seed in range(EXECUTIVES)))


async def _waiting(file: Path) -> list[Figure]:
    """Five thousand in the queue: what each costs in memory, and in which order they start."""
    settings = RuntimeSettings(queue=2 * WAITING + 100, concurrency=1, critical_reserve=0, history=2 * WAITING)
    chance = random.Random(3)
    async with _runtime(file, settings) as runtime:
        scheduler = runtime.scheduler
        await scheduler.run("chief.brief", {"seed": 1})
        tracemalloc.start()  # resident memory would only tell what earlier loads had left
        ids = [
            scheduler.submit("ledger.balance", {"seed": seed}, priority=chance.choice(list(Priority))).id
            for seed in range(WAITING)
        ]
        each = tracemalloc.get_traced_memory()[0] / WAITING
        tracemalloc.stop()
        tasks: Sequence[Any] = [await scheduler.wait(identity) for identity in ids]
        started = sorted((task for task in tasks[1:]), key=lambda task: task.started)
        wrong = sum(one.priority < other.priority for one, other in pairwise(started))
        failed = sum(task.state is not TaskState.SUCCEEDED for task in tasks)
    return [
        Figure(f"{WAITING:,} waiting: memory of each", each / 1024, "KiB", WAITING, 16.0),
        Figure(f"{WAITING:,} waiting: started before one of higher priority", wrong, "tasks", WAITING, 0.0),
        Figure(f"{WAITING:,} waiting: not done in the end", failed, "tasks", WAITING, 0.0),
    ]
