"""``pea bench soak``: the service under load from outside, killed in the middle, started again on what it had kept."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec

from pea.bench.figure import Figure
from pea.bench.memory_slope import MOST, slope
from pea.bench.memory_work import copy_workspace
from pea.bench.soak_beat import bare_loop
from pea.bench.soak_load import PATIENCE_S, Confirmed, Load
from pea.bench.soak_serve import Served
from pea.bench.soak_watch import Scrape, Seen, Watch, quantile
from pea.config import TelemetrySettings
from pea.telemetry import names

MINUTES = 2.0
TASKS_PER_S = 20.0
SPANS_PER_S = 1_000.0
STORE_BYTES = 16 << 20  # small, so that the oldest traces have to go while it runs
TASKS_KEPT = 200  # small too: a history that still fills would look like a leak
FIRST_SHARE = 0.75  # of the time is before the kill: what the windows hold in memory fills first, then it is looked at
WARM_SHARE = 0.15  # of each life: agents' libraries are imported, files are read for the first time
LOOKED_FOR_S = 10.0  # traces confirmed so long before the kill are looked for after it
SEARCHES = 30

LAG_LIMIT_MS = 20.0
SEARCH_LIMIT_MS = 100.0
STEADY_LIMIT_MB = 512.0
PEAK_LIMIT_MB = 1_024.0
FLAT_LIMIT_MB_PER_H = 1.0
LATE = f"not done within {PATIENCE_S - 2:g} s"
FILLING_S = 1_200.0  # the longest window that is kept value by value is a quarter of an hour
JUDGED_S = 1_200.0  # growth over less than this is the allocator's noise


class Life(msgspec.Struct, frozen=True):
    """One process from its start to its end: what was seen of it, its /metrics when warm and at the end."""

    ready_s: float
    seconds: float
    ended: float  # monotonic
    cpu_s: float
    bare_ms: float  # p99 of the lag of a loop that does nothing, beside it
    seen: Sequence[Seen]
    warm: Scrape
    last: Scrape


class Recovery(msgspec.Struct, frozen=True):
    """After the kill: traces looked for and found by when they were confirmed, and how searching went (ms)."""

    before: tuple[int, int]  # the last drain interval: looked for, found
    within: tuple[int, int]
    own: tuple[int, int]  # the service's own tasks, before the last drain interval
    lost_from_s: float  # the earliest loss was confirmed so long before the kill; 0 when none was lost
    search_ms: Sequence[float]
    hits: int


def soak(minutes: float = MINUTES) -> list[Figure]:
    """Load the service for so many minutes, ``kill -9`` it while at it, and go on with its state.

    The growth of memory is judged in the life before the kill, once all its windows are full: 55 minutes or more are
    needed for that.
    """
    return asyncio.run(_soak(60 * minutes))


async def _soak(seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = copy_workspace(Path(folder, "workspace"))
        bounds = {"PEA_STORE__SIZE": str(STORE_BYTES), "PEA_RUNTIME__HISTORY": str(TASKS_KEPT)}
        served = Served(workspace, Path(folder, "state"), bounds)
        load = Load(served.url, TASKS_PER_S, SPANS_PER_S)
        try:
            first = await _live(served, load, FIRST_SHARE * seconds, killed=True)
            foreign, own = load.confirmed[:], load.own[:]
            load.cut = 0  # the kill cut what was being asked
            ready_s = await served.start()
            recovery = await _look_for(served.url, foreign, own, first.ended)
            second = await _live(served, load, (1 - FIRST_SHARE) * seconds, killed=False, ready_s=ready_s)
        finally:
            await served.stop()
    return [*_load_figures(load, first, second), *_life_figures(first, second), *_recovery_figures(recovery, ready_s)]


async def _live(served: Served, load: Load, seconds: float, *, killed: bool, ready_s: float | None = None) -> Life:
    """Load the service for a while; start it unless it has been, kill it under load if it is to be ``killed``."""
    if ready_s is None:
        ready_s = await served.start()
    watch, stop = Watch(served), asyncio.Event()
    watching = asyncio.create_task(watch.run())
    loading = asyncio.create_task(load.run(stop))
    try:
        await asyncio.sleep(WARM_SHARE * seconds)
        warm = await watch.scrape()
        async with bare_loop() as bare:
            await asyncio.sleep((1 - WARM_SHARE) * seconds)
        last, cpu_s = await watch.scrape(), served.cpu_s
        ended = await served.kill() if killed else time.monotonic()
        stop.set()
        await loading
    finally:
        watching.cancel()
        loading.cancel()
    return Life(ready_s, seconds, ended, cpu_s, bare[0], watch.seen, warm, last)


async def _look_for(url: str, foreign: Sequence[Confirmed], own: Sequence[Confirmed], killed: float) -> Recovery:
    """Look for what had been confirmed in the last seconds, and search."""
    interval_s = float(TelemetrySettings().drain_interval)
    async with aiohttp.ClientSession(url) as session:
        recent = [one for one in foreign if killed - LOOKED_FOR_S <= one.at]
        held = [await _held(session, one) for one in recent]
        before = [found for one, found in zip(recent, held, strict=True) if one.at <= killed - interval_s]
        within = [found for one, found in zip(recent, held, strict=True) if one.at > killed - interval_s]
        tasks = [one for one in own if killed - LOOKED_FOR_S <= one.at <= killed - interval_s]
        tasks_held = [await _held(session, one) for one in tasks]
        everything = [*zip(recent, held, strict=True), *zip(tasks, tasks_held, strict=True)]
        lost_s = [killed - one.at for one, found in everything if not found]
        search_ms, hits = [], 0
        for number in range(SEARCHES):
            query = ({"service": f"soak-{number % 3}"}, {"service": "pea"}, {"error": "true"})[number % 3]
            async with session.get("/v1/traces/search", params={"limit": "20", **query}) as answer:
                answer.raise_for_status()
                found = msgspec.json.decode(await answer.read())
            search_ms.append(found["took_ms"])
            hits += len(found["traces"])
    return Recovery(
        before=(len(before), sum(before)),
        within=(len(within), sum(within)),
        own=(len(tasks), sum(tasks_held)),
        lost_from_s=max(lost_s, default=0.0),
        search_ms=search_ms,
        hits=hits,
    )


async def _held(session: aiohttp.ClientSession, one: Confirmed) -> bool:
    """Whether the trace is there with all its spans."""
    async with session.get(f"/v1/traces/{one.trace_id}") as answer:
        body = msgspec.json.decode(await answer.read())
        return answer.status == 200 and body["spans"] >= one.spans


def _load_figures(load: Load, *lives: Life) -> list[Figure]:
    seconds = sum(life.seconds for life in lives)
    cpu = sum(life.cpu_s for life in lives) / seconds
    took = statistics.quantiles(load.task_s, n=20) if len(load.task_s) > 1 else [0.0] * 19
    how = ", ".join(f"{count} {end}" for end, count in load.ends.most_common(5))
    return [
        Figure("tasks done", load.tasks / seconds, "tasks/s", load.tasks, note=f"{seconds / 60:.3g} min of load"),
        Figure(
            "  failed, or cut while the service was up", float(load.failed + load.cut), "tasks", load.tasks, 0.0, how
        ),
        Figure(
            f"  not done within {PATIENCE_S - 2:g} s, asked after until they were",
            float(load.late),
            "tasks",
            load.tasks,
        ),
        Figure("  p50, as the asker saw it", 1e3 * took[9], "ms", len(load.task_s)),
        Figure("  p95", 1e3 * took[18], "ms", len(load.task_s), note="the first tasks of each start included"),
        Figure("spans taken by OTLP", load.spans / seconds, "spans/s", load.spans),
        Figure("  requests asked to come again (429)", float(load.pushed_back), "requests"),
        Figure("  asked later than the rate wanted, left out", float(load.left_out), "requests"),
        Figure("CPU of the service", 100 * cpu, "% of a core"),
    ]


def _life_figures(*lives: Life) -> list[Figure]:
    figures: list[Figure] = []
    for which, life in zip(("before", "after"), lives, strict=True):
        lag = life.last.histogram(names.METRIC_LOOP_LAG, life.warm)
        drain = life.last.histogram(names.METRIC_TELEMETRY_DRAIN_DURATION, life.warm)
        below = {bound: count / max(*lag.values(), 1) for bound, count in lag.items() if count} if lag else {}
        shares = ", ".join(f"{100 * below[at]:.2f} % ≤ {1e3 * at:g} ms" for at in (0.005, 0.01, 0.05) if at in below)
        warm = [one for one in life.seen if one.at >= life.seen[0].at + WARM_SHARE * life.seconds] or life.seen
        steady = [one.rss_bytes / 1e6 for one in warm]
        largest = max(one.store_bytes for one in life.seen)
        log = max(one.log_bytes for one in life.seen)
        late_ms, beats = 1e3 * quantile(lag, 0.99), int(max(lag.values(), default=0))
        figures += [
            Figure(
                f"event loop's lag that the service causes, p99, {which} the kill",
                max(late_ms - life.bare_ms, 0.0),
                "ms",
                beats,
                LAG_LIMIT_MS,
                f"{late_ms:.2f} with, {life.bare_ms:.2f} of a bare loop beside it; agents' own work included",
            ),
            Figure("  the whole lag, p99", late_ms, "ms", beats, note=shares),
            Figure(
                "  slices of the drain, p99", 1e3 * quantile(drain, 0.99), "ms", int(max(drain.values(), default=0))
            ),
            Figure("  memory (RSS), steady", statistics.median(steady), "MB", len(steady), STEADY_LIMIT_MB),
            Figure("  memory, largest", max(o.rss_bytes for o in life.seen) / 1e6, "MB", len(life.seen), PEAK_LIMIT_MB),
            *_growth(life),
            Figure(
                "  span store's file, largest",
                largest / 1e6,
                "MB",
                len(life.seen),
                (STORE_BYTES + max(STORE_BYTES // 8, 4 << 20)) / 1e6,
                f"store.size {STORE_BYTES / 1e6:.1f} MB and room to delete in; write-ahead log {log / 1e6:.1f} MB",
            ),
            Figure("  spans deleted to stay there", life.last.stored("deleted"), "spans"),
            Figure("  spans dropped", life.last.stored("dropped") + life.last.stored("left_out"), "spans", 1, 0.0),
        ]
    return figures


def _growth(life: Life) -> list[Figure]:
    """Growth of memory as a rate with its interval: once all is filled, or in the second half of a short life."""
    began, ended = life.seen[0].at, life.seen[-1].at
    judged = ended - began >= FILLING_S + JUDGED_S
    since = began + FILLING_S if judged else (began + ended) / 2
    late = [one for one in life.seen if one.at >= since]
    late = late[:: -(-len(late) // MOST)]
    if len(late) < 3:
        return []
    found = slope([one.at / 3_600 for one in late], [one.rss_bytes / 1e6 for one in late])
    first, last = (since - began) / 60, (ended - began) / 60
    over = f"95 % interval {found.low:.3g} to {found.high:.3g}, minutes {first:.3g} to {last:.3g}"
    return [
        Figure(
            "  growth",
            found.middle,
            "MB/h",
            len(late),
            FLAT_LIMIT_MB_PER_H if judged else None,
            over if judged else f"{over}; too short to judge",
        )
    ]


def _recovery_figures(found: Recovery, ready_s: float) -> list[Figure]:
    note = f"confirmed in the {LOOKED_FOR_S:g} s before kill -9"
    lost_ms = 1e3 * found.lost_from_s
    lost = f"the earliest loss was confirmed {lost_ms:.0f} ms before the kill" if lost_ms else "none lost"
    return [
        Figure("kill -9 to ready again, after the start", 1e3 * ready_s, "ms"),
        _found("traces found that were sent before the last drain interval", found.before, 100.0, note),
        _found("  of the service's own tasks", found.own, 100.0, note),
        _found("  sent within the last drain interval", found.within, None, lost),
        Figure(
            "search after the restart", statistics.quantiles(found.search_ms, n=20)[-1], "ms p95", SEARCHES,
            SEARCH_LIMIT_MS, f"{found.hits} traces found",
        ),
    ]  # fmt: skip


def _found(what: str, counts: tuple[int, int], budget: float | None, note: str) -> Figure:
    looked_for, found = counts
    share = 100 * found / looked_for if looked_for else 100.0
    return Figure(what, share, "%", looked_for, budget, note, at_least=True)
