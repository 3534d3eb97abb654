"""The validation suite: ten initialisations, a thousand tasks, up to a thousand at once, health, memory operations.

The work is what the sample workspace's user asks for, in rotation, on a copy of her files, with the caches as they are
in use. Tasks go through the scheduler as the service's do; HTTP is measured by itself (`pea bench http`).
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path

from pea.bench.figure import Figure
from pea.bench.measure import Absent, quantile
from pea.bench.memory_work import Ask, asks, copy_workspace
from pea.config import Settings, load
from pea.errors import PeaError
from pea.runtime import Runtime, TaskState
from pea.runtime.scheduler import Scheduler

INITIALISATIONS = 10
TASKS = 1_000
AT_ONCE = (1, 10, 100, 1_000)
EXECUTIVE = Ask("briefing.morning", {})  # asks five other agents
CRISIS = "crisis.respond"
CRISES = (
    "A supplier's warehouse burned down; deliveries to three customers stop for a week.",
    "Customer data of 2,000 people was published on the internet this morning.",
    "An employee was hurt in an accident at the Hamburg site; the press is calling.",
)
ROUNDS = 30
EXECUTIVES = 100  # tasks of several agents, handed in at the same moment
ALONE = 20  # one after another, for what one of them costs

INIT_MS, AGENT_MS, HEALTH_MS, MEMORY_MS = 800.0, 100.0, 10.0, 50.0
P50_MS, P95_MS, P99_MS, TASK_MS, AVERAGE_AT_100_MS = 100.0, 300.0, 1_000.0, 200.0, 250.0
CRISIS_S = 1.0
FAILED_SHARE = 0.1  # percent
FLOOR_RATIO = 1.25


def tasks(
    initialisations: int = INITIALISATIONS, many: int = TASKS, at_once: Sequence[int] = AT_ONCE
) -> list[Figure | Absent]:
    """Everything that the report's validation and benchmark suites ask for, in one process."""
    with tempfile.TemporaryDirectory(prefix="pea-tasks-") as folder:
        workspace = copy_workspace(Path(folder, "workspace"))
        overrides = {"state": str(Path(folder, "state")), "runtime.queue": 2 * max(*at_once, EXECUTIVES)}
        settings = load(workspace / "pea.yaml", environ={}, overrides=overrides)
        found: list[Figure | Absent] = [*asyncio.run(_initialise(settings, initialisations))]
        return found + asyncio.run(_work(settings, many, at_once))


async def _initialise(settings: Settings, times: int) -> list[Figure]:
    """All agents of the installation, started side by side and stopped again; the first has cold imports."""
    whole_ms: list[float] = []
    agents_ms: dict[str, float] = {}
    for _ in range(times):
        began = time.perf_counter()
        async with Runtime(settings) as runtime:
            whole_ms.append(1e3 * (time.perf_counter() - began))
            for record in runtime.directory.records:
                if record.start_s is not None:
                    agents_ms[record.name] = max(agents_ms.get(record.name, 0.0), 1e3 * record.start_s)
    slowest = max(agents_ms, key=lambda name: agents_ms[name])
    warm = whole_ms[1:] or whole_ms
    return [
        *_summary("initialisation of all agents", whole_ms, INIT_MS),
        Figure("  the first, imports included", whole_ms[0], "ms", 1, INIT_MS, f"{len(agents_ms)} agents"),
        Figure("  an agent, with its share of the first", whole_ms[0] / len(agents_ms), "ms", len(agents_ms)),
        Figure("  an agent, once imported", statistics.median(warm) / len(agents_ms), "ms", len(warm) * len(agents_ms)),
        Figure("  an agent's own start, the slowest", agents_ms[slowest], "ms", len(whole_ms), AGENT_MS, slowest),
    ]


async def _work(settings: Settings, many: int, at_once: Sequence[int]) -> list[Figure | Absent]:
    async with Runtime(settings) as runtime:
        found: list[Figure | Absent] = []
        scheduler = runtime.scheduler
        await _run(scheduler, iter(range(56)), 1)  # agents read the files, libraries are imported
        gc.collect()
        cpu = time.process_time()
        took_ms, failed = await _run(scheduler, iter(range(many)), 1)
        cpu = time.process_time() - cpu
        found += _summary(f"{many:,} tasks, one after another", took_ms, None)
        found += _objectives(took_ms, failed)
        found.append(Figure("  CPU of a task", 1e3 * cpu / many, "ms", many))
        found += await _executive(scheduler)
        found += await _executives(scheduler)
        for callers in at_once:
            found += await _together(scheduler, callers)
        found += await _health(runtime)
        found += await _memory(runtime)
        found.append(await _crisis(runtime))
        return found


def _objectives(took_ms: Sequence[float], failed: int) -> list[Figure]:
    seen = len(took_ms)
    return [
        Figure("  p50", quantile(took_ms, 0.5), "ms", seen, P50_MS),
        Figure("  p95", quantile(took_ms, 0.95), "ms", seen, P95_MS),
        Figure("  p99", quantile(took_ms, 0.99), "ms", seen, P99_MS),
        Figure("  failed", 100 * failed / max(seen, 1), "%", seen, FAILED_SHARE),
    ]


async def _executive(scheduler: Scheduler) -> list[Figure]:
    """A morning briefing, which asks several agents; nothing of it from the cache's answers, days being others."""
    took_ms: list[float] = []
    for number in range(ROUNDS):
        day = f"2026-05-{1 + number % 28:02}"
        began = time.perf_counter()
        await scheduler.run(EXECUTIVE.capability, {"day": day})
        took_ms.append(1e3 * (time.perf_counter() - began))
    return [
        Figure("executive task of several agents, p50", quantile(took_ms, 0.5), "ms", ROUNDS, P50_MS, "a briefing"),
        Figure("  p95", quantile(took_ms, 0.95), "ms", ROUNDS, TASK_MS),
    ]


async def _executives(scheduler: Scheduler, rounds: int = 5) -> list[Figure]:
    """A hundred briefings at once: all of one day that nobody has asked for yet, and each of another day.

    Those of other days share no answer. Their floor is that of one core: of tasks that cost c each and are served in
    turn, 95 of 100 are done after 95 c.
    """
    days = (str(date(2027, 1, 1) + timedelta(number)) for number in count())
    shared, averages, p95s, ratios = [], [], [], []
    failures = 0

    async def brief(day: str) -> float:
        nonlocal failures
        began = time.perf_counter()
        task, _ = await scheduler.run(EXECUTIVE.capability, {"day": day})
        failures += task.state is not TaskState.SUCCEEDED
        return 1e3 * (time.perf_counter() - began)

    for _ in range(rounds):
        gc.collect()
        shared.append(statistics.fmean(await asyncio.gather(*map(brief, [next(days)] * EXECUTIVES))))
        cpu = time.process_time()
        for day in islice(days, ALONE):
            await brief(day)
        alone_ms = 1e3 * (time.process_time() - cpu) / ALONE
        took_ms = await asyncio.gather(*map(brief, islice(days, EXECUTIVES)))
        averages.append(statistics.fmean(took_ms))
        p95s.append(quantile(took_ms, 0.95))
        ratios.append(p95s[-1] / (0.95 * EXECUTIVES * alone_ms))
    seen, note = rounds * EXECUTIVES, f"{failures} failed"
    floor = "95 times the CPU of one alone"
    return [
        Figure(
            f"{EXECUTIVES} briefings of a day: average", statistics.median(shared), "ms", seen, AVERAGE_AT_100_MS, note
        ),
        Figure(f"{EXECUTIVES} briefings, each of another day: average", statistics.median(averages), "ms", seen),
        Figure("  p95", statistics.median(p95s), "ms", seen),
        Figure("  p95 beside their floor", statistics.median(ratios), "×", rounds, FLOOR_RATIO, floor),
    ]


async def _together(scheduler: Scheduler, callers: int) -> list[Figure]:
    """So many tasks handed in at the same moment: each waits for those before it."""
    rounds = max(1, min(7, 1_000 // callers))
    averages, p95s, rates = [], [], []
    failures = 0
    for turn in range(rounds):
        gc.collect()
        began = time.perf_counter()
        took_ms, failed = await _run(scheduler, iter(range(turn * callers, (turn + 1) * callers)), callers)
        rates.append(callers / (time.perf_counter() - began))
        averages.append(statistics.fmean(took_ms))
        p95s.append(quantile(took_ms, 0.95))
        failures += failed
    budget = AVERAGE_AT_100_MS if callers == 100 else None
    note = f"{statistics.median(rates):,.0f} tasks/s, {failures} failed"
    name = f"{callers:,} at once" if callers > 1 else "1 at a time"
    return [
        Figure(f"{name}: average", statistics.median(averages), "ms", rounds * callers, budget, note),
        Figure("  p95", statistics.median(p95s), "ms", rounds * callers),
    ]


async def _run(scheduler: Scheduler, numbers: Iterator[int], callers: int) -> tuple[list[float], int]:
    """Milliseconds of each task from its hand-in, and how many did not succeed."""
    took_ms: list[float] = []
    failed = 0

    async def caller() -> None:
        nonlocal failed
        for number in numbers:
            ask = asks(number)
            began = time.perf_counter()
            task, _ = await scheduler.run(ask.capability, ask.input)
            took_ms.append(1e3 * (time.perf_counter() - began))
            failed += task.state is not TaskState.SUCCEEDED

    await asyncio.gather(*(caller() for _ in range(callers)))
    return took_ms, failed


async def _health(runtime: Runtime) -> list[Figure]:
    """Each agent's own check, again and again."""
    names = [record.name for record in runtime.directory.records]
    took_ms = [1e3 * (await runtime.health(name)).check_s for _ in range(ROUNDS) for name in names]
    return [Figure("health check of an agent, p99", quantile(took_ms, 0.99), "ms", len(took_ms), HEALTH_MS)]


async def _memory(runtime: Runtime) -> list[Figure]:
    """Store, retrieve, search in the agents' memory on disk, with a thousand entries there."""
    memories = runtime.dispatcher.memories
    took_ms: dict[str, list[float]] = {"store": [], "retrieve": [], "search": []}
    for number in range(1_000):
        began = time.perf_counter()
        await memories.store("bench", f"note-{number}", {"text": f"meeting {number} about budget and travel"})
        took_ms["store"].append(1e3 * (time.perf_counter() - began))
    for number in range(200):
        began = time.perf_counter()
        await memories.retrieve("bench", f"note-{number * 5}")
        took_ms["retrieve"].append(1e3 * (time.perf_counter() - began))
        began = time.perf_counter()
        await memories.search("bench", query=f"meeting {number}", limit=10)
        took_ms["search"].append(1e3 * (time.perf_counter() - began))
    return [
        Figure(f"agents' memory: {what}, p99", quantile(times, 0.99), "ms", len(times), MEMORY_MS)
        for what, times in took_ms.items()
    ]


async def _crisis(runtime: Runtime) -> Figure | Absent:
    """The crisis agent's whole response, where there is one: strategy, messages, cultures, resources, impact."""
    if CRISIS not in runtime.directory.capabilities:
        return Absent("crisis response", "crisis agent", "not installed")
    took_s: list[float] = []
    for what in CRISES:
        began = time.perf_counter()
        try:
            await runtime.call(CRISIS, what=what)
        except PeaError as error:
            return Absent("crisis response", "crisis agent", str(error))
        took_s.append(time.perf_counter() - began)
    return Figure("crisis response, the slowest", max(took_s), "s", len(took_s), CRISIS_S, "strategy to impact")


def _summary(what: str, took_ms: Sequence[float], budget_ms: float | None) -> list[Figure]:
    """Average, least, most, p95, as the report has them."""
    note = f"least {min(took_ms):.3g}, most {max(took_ms):.3g}, p95 {quantile(took_ms, 0.95):.3g}"
    sample = tuple(took_ms[:: max(1, len(took_ms) // 200)])
    return [
        Figure(f"{what}: average", statistics.fmean(took_ms), "ms", len(took_ms), budget_ms, note, samples=(sample,))
    ]
