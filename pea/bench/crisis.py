"""How long a crisis waits for its response while other agents are kept busy, beside the second it may take."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count

from pea.bench.figure import Figure
from pea.bench.measure import quantile
from pea.bench.memory_work import sample_workspace
from pea.config import load
from pea.errors import PeaError
from pea.runtime import Priority, Runtime, TaskState

RESPONSES = 30
CALLERS = 24
TARGET_MS = 1_000.0
WHAT = "A hacker has leaked personal data of all our customers; a journalist is asking"
# Work that no cache answers: each call has other words or another day.
LOAD: tuple[tuple[str, Callable[[int], dict[str, object]]], ...] = (
    ("documents.search", lambda n: {"query": f"greyfriars {n}"}),
    ("research.answer", lambda n: {"question": f"What is the limit of liability in year {n}?"}),
    ("calendar.agenda", lambda n: {"day": f"20{20 + n % 10}-0{1 + n % 9}-11", "days": 30 + n % 300}),
    ("stakeholders.rank", lambda n: {"limit": 1 + n % 500}),
    ("communication.triage", lambda n: {"limit": 1 + n % 200}),
)


def crisis() -> list[Figure]:
    """Responses of the sample workspace, alone and with the other agents loaded."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as state:
        settings = load(sample_workspace() / "pea.yaml", environ={}, overrides={"state": state})
        async with Runtime(settings) as runtime:
            await runtime.call("crisis.playbooks")
            await runtime.call("crisis.respond", what=WHAT)
            alone = [await _respond(runtime) for _ in range(RESPONSES)]
            stop, done = asyncio.Event(), count()
            callers = [asyncio.create_task(_keep_busy(runtime, n, stop, done.__next__)) for n in range(CALLERS)]
            await asyncio.sleep(1.0)
            loaded = [await _respond(runtime) for _ in range(RESPONSES)]
            stop.set()
            await asyncio.gather(*callers)
            others = next(done)
    missing = sum(one for _, one in loaded)
    alone_ms, loaded_ms = ([took for took, _ in found] for found in (alone, loaded))
    note = f"{CALLERS} callers of {len(LOAD)} other capabilities, {others} answers meanwhile"
    return [
        Figure("response alone, p50", quantile(alone_ms, 0.5), "ms", len(alone), TARGET_MS),
        Figure("response alone, p95", quantile(alone_ms, 0.95), "ms", len(alone), TARGET_MS),
        Figure("response under load, p50", quantile(loaded_ms, 0.5), "ms", len(loaded), TARGET_MS, note=note),
        Figure("response under load, p95", quantile(loaded_ms, 0.95), "ms", len(loaded), TARGET_MS),
        Figure("parts missing under load", missing, "parts", 5 * len(loaded), 0.0),
    ]


async def _respond(runtime: Runtime) -> tuple[float, int]:
    """How long one response takes from submission to its end, in milliseconds, and how many parts it lacks."""
    began = time.perf_counter()
    task = runtime.scheduler.submit("crisis.respond", {"what": WHAT}, priority=Priority.CRITICAL)
    task = await runtime.scheduler.wait(task.id, 30)
    if task.state is not TaskState.SUCCEEDED:
        raise PeaError(f"a response {task.state}: {task.error}", where="crisis.respond")
    took = 1e3 * (time.perf_counter() - began)
    return took, bytes(task.result or b"").count(b"missing: ")


async def _keep_busy(runtime: Runtime, number: int, stop: asyncio.Event, done: Callable[[], int]) -> None:
    for turn in count(number, CALLERS):
        if stop.is_set():
            return
        name, arguments = LOAD[turn % len(LOAD)]
        try:
            await _within(runtime.call(name, **arguments(turn)))
        except (PeaError, TimeoutError):  # what load does to the others is not measured here
            continue
        done()


async def _within(call: Awaitable[object]) -> None:
    async with asyncio.timeout(30):
        await call
