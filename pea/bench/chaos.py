"""Whatever fails, the rest goes on: two of fifteen agents, Redis, the disk, the workers, the clock, ten times the load.

Each fault has a fleet of its own, under a steady load of tasks for all fifteen: without it and with it in turns, with
the time until all tasks succeed again in between. What the fault does not concern must not notice: the share that
succeeds, and p95 beside that of the same tasks in the quiet spells before and after, the median of the rounds. (A
single spell's p95 hangs on six tasks, and so on whatever else the machine does at that moment.)
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pea.bench.cache_faults import Server
from pea.bench.chaos_faults import FAULTS, Fault, Scene
from pea.bench.chaos_fleet import CHAIRS, FAULTY, NAMES, VOTERS, Trouble, right, staff
from pea.bench.figure import Figure
from pea.bench.measure import quantile
from pea.config import L1Settings, L2Settings, L3Settings, RuntimeSettings, Seconds, Settings
from pea.config.sections import CacheSettings
from pea.errors import PeaError
from pea.runtime import Priority, Runtime, TaskState

RATE = 60.0  # tasks a second
ROUNDS = 5
SPELL_S = 3.0  # of quiet, and of each fault
SUCCESS = 99.9  # percent
SLOWER = 1.25  # times the p95 of the quiet
RECOVER_S = 30.0
HEALTHY = [name for name in NAMES if name not in FAULTY and name != CHAIRS]


class Done(NamedTuple):
    """One task: whether the fault concerns it, whether it gave the right answer, and seconds from when it was due.

    ``lost`` says that it was accepted and had not ended long after.
    """

    concerned: bool
    right: bool
    took_s: float
    lost: bool = False


def chaos() -> list[Figure]:
    """One fault after the other."""
    found: list[Figure] = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            found += asyncio.run(_measure(fault, Path(folder)))
    return found


async def _measure(fault: Fault, folder: Path) -> list[Figure]:
    server = Server(folder)
    await server.start()
    small = CacheSettings(
        l1=L1Settings(entries=5), l2=L2Settings(entries=5), l3=L3Settings(url=server.url)
    )  # so that Redis is asked
    runtime_settings = RuntimeSettings(
        replicas=dict.fromkeys(FAULTY, VOTERS) if fault.votes else {}, retry_base=Seconds(0.01)
    )
    settings = Settings(state=str(folder / "state"), runtime=runtime_settings, cache=small)
    trouble = Trouble()
    runtime = Runtime(settings, agents=staff(trouble, VOTERS if fault.votes else 1))
    (folder / "state").mkdir()
    runtime.keep_journal(folder / "state")
    try:
        async with runtime:
            scene = Scene(runtime, trouble, server, folder)
            await _quiet(scene, fault, 1.0)  # nothing is warm at first
            quiet, struck, recovered_s = [await _quiet(scene, fault, SPELL_S)], list[list[Done]](), 0.0
            for _ in range(ROUNDS):
                async with fault.strike(scene):
                    tasks = await _load(scene, fault, SPELL_S)
                    await asyncio.wait(tasks, timeout=SPELL_S)
                # What has waited for its passing, as a task that cannot be written on a full disk, ends now.
                struck.append(await asyncio.gather(*tasks))
                recovered_s = max(recovered_s, await _recovery(scene, fault))
                quiet.append(await _quiet(scene, fault, SPELL_S))
    finally:
        server.kill()
    return _figures(fault, quiet, struck, recovered_s)


def _figures(fault: Fault, quiet: list[list[Done]], struck: list[list[Done]], recovered_s: float) -> list[Figure]:
    every = [one for spell in struck for one in spell]
    spared = [one for one in every if not one.concerned]
    concerned = [one for one in every if one.concerned]
    share = 100 * statistics.fmean(one.right for one in spared)
    usual = [_p95(before + after) for before, after in pairwise(quiet)]
    slower = [_p95(spell) / beside for spell, beside in zip(struck, usual, strict=True)]
    note = f"{statistics.median(map(_p95, struck)) * 1e3:.1f} ms beside {statistics.median(usual) * 1e3:.1f} ms"
    note += f"; rounds {min(slower):.2f} to {max(slower):.2f}"
    told = ""
    if concerned:
        told = f"of the {len(concerned)} it concerns {100 * statistics.fmean(one.right for one in concerned):.0f} %"
    return [
        Figure(f"{fault.what}: others that succeed", share, "%", len(spared), SUCCESS, told, at_least=True),
        Figure(f"{fault.what}: their p95 beside quiet", statistics.median(slower), "×", len(spared), SLOWER, note),
        Figure(f"{fault.what}: until all is well again", recovered_s, "s", ROUNDS, RECOVER_S),
        Figure(f"{fault.what}: accepted and never ended", sum(one.lost for one in every), "tasks", len(every), 0),
    ]


def _p95(spell: list[Done]) -> float:
    took = [one.took_s for one in spell if not one.concerned and one.right]
    return quantile(took, 0.95) if took else float("inf")


async def _quiet(scene: Scene, fault: Fault, seconds: float) -> list[Done]:
    return await asyncio.gather(*await _load(scene, fault, seconds))


async def _load(scene: Scene, fault: Fault, seconds: float) -> list[asyncio.Task[Done]]:
    """Tasks that come at a steady rate, whatever becomes of them."""
    chance = Random(11)
    clock = time.perf_counter
    began, tasks = clock(), list[asyncio.Task[Done]]()
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - clock()))
        tasks.append(asyncio.create_task(_one(scene, fault, chance.randrange(10**6), number, due)))
    return tasks


async def _one(scene: Scene, fault: Fault, seed: int, number: int, due: float) -> Done:
    """One task of the mix: on one agent, looked up in the caches, in a worker, of three agents; half are journaled."""
    chance = Random(seed)
    agent = chance.choice([*HEALTHY, *FAULTY])
    arguments: dict[str, Any] = {"seed": seed}
    kind = ("work", "look", "work", "brief", "work", "crunch", "look", "work")[number % 8]
    if kind == "brief":
        arguments["others"] = [*chance.sample([one for one in HEALTHY if one != agent], 2), agent]
        capability, agents = f"{CHAIRS}.brief", {agent}
    else:
        if kind == "look":
            arguments["seed"] = seed = seed % 40
        capability, agents = f"{agent}.{kind}", {agent}
    journaled = number % 2 == 0
    concerned = fault.concerns(kind, bool(agents & set(FAULTY)), journaled)
    if kind == "crunch":
        concerned = fault.crashes and concerned_job(seed)
        arguments["crash"] = concerned and bool(scene.trouble.fault)
    priority = Priority.CRITICAL if fault.votes and agent in FAULTY else Priority.NORMAL
    scheduler = scene.runtime.scheduler
    try:
        submit = scheduler.accept if journaled else _at_once(scheduler.submit)
        task = await submit(capability, arguments, priority=priority)
        task = await scheduler.wait(task.id, RECOVER_S)
    except PeaError:
        return Done(concerned, right=False, took_s=time.perf_counter() - due)
    value = None if task.result is None else bytes(task.result)
    good = task.state is TaskState.SUCCEEDED and value == str(right(seed)).encode()
    return Done(concerned, right=good, took_s=time.perf_counter() - due, lost=not task.final)


def concerned_job(seed: int) -> bool:
    """Which of the jobs crash their worker."""
    return seed % 3 == 0


def _at_once(submit: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def submitted(*given: Any, **options: Any) -> Any:
        return submit(*given, **options)

    return submitted


async def _recovery(scene: Scene, fault: Fault) -> float:
    """Seconds until, without anybody's help, one task of each agent and kind succeeds."""
    began = time.perf_counter()
    while time.perf_counter() - began < RECOVER_S:
        done = await asyncio.gather(
            *(_one(scene, fault, seed, number, time.perf_counter()) for number, seed in enumerate(range(64)))
        )
        if all(one.right for one in done):
            break
        await asyncio.sleep(0.2)
    return time.perf_counter() - began
