"""``pea bench crash``: the service killed again and again under load, and its journal held against its promises."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pea.bench.crash_count import Finding, count, done_steps
from pea.bench.crash_life import Life
from pea.bench.crash_load import Promises, load
from pea.bench.figure import Figure

KILLS = 300
CLIENTS = 8
LAST_PATIENCE_S = 60.0
SEED = 7
STARTING, STOPPING = 0.2, 0.15  # shares of the kills that hit a start or a stop; the others hit a service at work
AT_WORK_S = 0.5


class Killed(msgspec.Struct):
    """What was seen over all lives."""

    kills: Counter[str]
    ready_s: list[float]
    done: dict[tuple[str, str], int]  # the first life after which a step of a task was in the journal as done
    seconds: float


def crash(kills: int | None = None) -> list[Figure]:
    """Kill the service so many times (300), start it again each time, and hold its journal against its clients."""
    return asyncio.run(_crash(kills or KILLS))


async def _crash(kills: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pea-crash-") as folder:
        state, ledger = Path(folder, "state"), Path(folder, "ledger")
        promises = Promises()
        killed = await _lives(state, ledger, promises, kills)
        finding = await asyncio.to_thread(count, state / "journal", ledger, promises, killed.done)
    return _figures(killed, promises, finding)


async def _lives(state: Path, ledger: Path, promises: Promises, kills: int) -> Killed:
    """Start, load, kill; and a last life in which all that is open ends."""
    chance = random.Random(SEED)
    killed = Killed(Counter(), [], {}, 0.0)
    began = time.perf_counter()
    life = Life(state, ledger)
    stop = asyncio.Event()
    loading = asyncio.create_task(load(life.url, promises, CLIENTS, stop))
    usual_s = 0.5
    try:
        for number in range(kills):
            when = chance.random()
            await life.start(number)
            if when < STARTING:
                await asyncio.sleep(chance.uniform(0.0, 1.1 * usual_s))
                killed.kills["starting"] += 1
            else:
                killed.ready_s.append(await life.ready())
                usual_s = statistics.fmean(killed.ready_s[-10:])
                await asyncio.sleep(chance.uniform(0.0, AT_WORK_S))
                if when < STARTING + STOPPING:
                    life.terminate()
                    await asyncio.sleep(chance.uniform(0.0, 0.3))
                    killed.kills["stopping"] += 1
                else:
                    killed.kills["at work"] += 1
            await life.kill()
            for step in done_steps(state / "journal"):
                killed.done.setdefault(step, number)
        stop.set()
        await loading
        await life.start(kills)
        await life.ready()
        await _all_ended(life, state)
        life.terminate()
        await life.ended()
    finally:
        stop.set()
        loading.cancel()
        await life.kill()
    killed.seconds = time.perf_counter() - began
    return killed


async def _all_ended(life: Life, state: Path) -> None:
    """Wait until no task is open any more; RuntimeError when some are for too long."""
    until = time.monotonic() + LAST_PATIENCE_S
    while left := await asyncio.to_thread(life.open_tasks, state / "journal"):
        if time.monotonic() > until:
            raise RuntimeError(f"{left} tasks have not ended {LAST_PATIENCE_S:g} s after the last start")
        await asyncio.sleep(0.05)


def _figures(killed: Killed, promises: Promises, found: Finding) -> list[Figure]:
    moments = ", ".join(f"{count} {moment}" for moment, count in killed.kills.most_common())
    ends = ", ".join(f"{count} {end}" for end, count in found.ends.most_common())
    kills, accepted = sum(killed.kills.values()), len(promises.accepted)
    ready_ms: Sequence[float] = [1e3 * seconds for seconds in killed.ready_s] or [0.0]
    keys = len(promises.contradictions) + found.doubled
    return [
        Figure("kill -9", float(kills), "times", kills, note=f"{moments}; {killed.seconds:.0f} s in all"),
        Figure("tasks accepted", float(accepted), "tasks", accepted, note=ends),
        _none("  lost", "tasks", accepted, found.lost),
        _none("  not ended", "tasks", accepted, found.open),
        _none("  ended more than once", "tasks", accepted, found.twice),
        _none("  with a life that is none", "tasks", accepted, found.crooked),
        Figure(
            "  two tasks for one idempotency key",
            float(keys),
            "keys",
            accepted,
            0.0,
            f"{promises.asked_again} times submitted again, because the answer was cut off",
        ),
        Figure("steps in the ledger", float(found.lines), "lines", found.lines),
        _none("  completed and run again", "steps", len(killed.done), found.repeated),
        _none("  not idempotent and run twice", "steps", found.lines, found.paid_twice),
        _none("  of tasks that succeeded, never run", "steps", found.lines, found.unpaid),
        Figure("  idempotent, in flight at a kill, run again", float(found.retried), "steps", found.lines),
        Figure("start to ready, with what the journal had", statistics.median(ready_ms), "ms", len(ready_ms)),
        Figure("accepting a task, p50", 1e3 * statistics.median(promises.took_s or [0.0]), "ms", len(promises.took_s)),
    ]


def _none(what: str, unit: str, count: int, found: Sequence[object]) -> Figure:
    """A figure that has to be 0, with the first of those that make it more."""
    return Figure(what, float(len(found)), unit, count, 0.0, ", ".join(str(one) for one in found[:3]))
