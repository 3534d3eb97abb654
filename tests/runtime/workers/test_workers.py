"""Worker processes: jobs cross and come back, hang and are killed, crash and are quarantined, in one trace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from pea import Agent, Context, Runtime, Settings, capability, isolated
from pea.config import Bytes
from pea.config.workers import WorkerSettings
from pea.errors import InputError, Overloaded, ShuttingDown, WorkerFailed
from pea.runtime.workers import Workers
from pea.runtime.workers.isolated import mark_of
from pea.runtime.workers.quarantine import MOST, Quarantine
from pea.telemetry import Telemetry, names
from tests.runtime.workers import jobs


@pytest.fixture
def telemetry(settings: Settings) -> Telemetry:
    return Telemetry(settings, {})


@pytest.fixture
async def workers(telemetry: Telemetry) -> AsyncIterator[Workers]:
    """Two processes, which start with the first job."""
    settings = WorkerSettings(processes=2, queue=4, memory=Bytes(400 << 20))
    pool = Workers(settings, telemetry.tracer, telemetry.provider.get_tracer)
    yield pool
    await pool.close()


async def run(workers: Workers, function: Any, *args: Any) -> Any:
    """Run a marked function as `Context.compute` does."""
    mark = mark_of(function)
    assert mark is not None
    return await workers.run(function, mark, args, {}, f"jobs.{function.__qualname__}")


async def test_a_job_crosses_fails_and_is_renewed(workers: Workers, telemetry: Telemetry, tmp_path: Path) -> None:
    """Values and errors come back as they are; what hangs or crashes costs one job, and the pool goes on.

    One test, since a pool takes a while to start.
    """
    assert not workers.started
    assert await run(workers, jobs.add, 1, 2, 3) == 6
    assert await run(workers, jobs.pid) != os.getpid()
    with pytest.raises(InputError, match="kind: is not known"):
        await run(workers, jobs.fail, "input")
    with pytest.raises(ValueError, match="no such kind"):
        await run(workers, jobs.fail, "other")
    with pytest.raises(WorkerFailed, match=r"jobs\.fail: raised Odd: 1 is not 2"):
        await run(workers, jobs.fail, "odd")
    with pytest.raises(WorkerFailed, match="raised SystemExit: 3"):
        await run(workers, jobs.fail, "exit")
    with pytest.raises(WorkerFailed, match="raised KeyboardInterrupt"):
        await run(workers, jobs.fail, "interrupt")
    with pytest.raises(WorkerFailed, match="its result cannot be pickled"):
        await run(workers, jobs.unpicklable)
    with pytest.raises(InputError, match="an argument cannot go to another process"):
        await run(workers, jobs.add, lambda: None)

    hung = tmp_path / "hung"
    with pytest.raises(WorkerFailed, match=r"did not end within 0\.3 s and was killed"):
        await run(workers, jobs.hang, str(hung))
    assert not psutil.pid_exists(int(hung.read_text()))

    dead = tmp_path / "dead"
    for _ in range(2):
        with pytest.raises(WorkerFailed, match="killed by signal 11"):
            await run(workers, jobs.die, str(dead))
    with pytest.raises(WorkerFailed, match="it has killed 2 processes"):
        await run(workers, jobs.die, str(dead))
    assert dead.read_text() == "xx"  # the third time it did not run

    once = str(tmp_path / "once")
    with pytest.raises(WorkerFailed, match="killed by signal 9"):
        await run(workers, jobs.kill, once)
    assert await run(workers, jobs.kill, once) != os.getpid()  # one crash is no quarantine

    with pytest.raises(WorkerFailed, match="used more than 419,430,400 bytes and was killed"):
        await run(workers, jobs.eat, 600 << 20)
    assert await run(workers, jobs.add, 1) == 1

    await telemetry.flush()
    spans = [span for one in telemetry.recent.list(100) for span in telemetry.recent.get(one.trace_id)]
    codes = {span.attributes.get(names.ERROR_TYPE) for span in spans if span.name == "worker jobs.hang"}
    assert codes == {"worker_failed"}


async def test_a_job_cancelled_while_the_pool_starts_leaves_it_to_the_next(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pool is started, and none is left behind without an owner."""
    begun, starts, start = asyncio.Event(), [], workers._start
    loop = asyncio.get_running_loop()

    def counted() -> Any:
        starts.append(1)
        loop.call_soon_threadsafe(begun.set)
        return start()

    monkeypatch.setattr(workers, "_start", counted)
    first = asyncio.create_task(run(workers, jobs.add, 1))
    await begun.wait()
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert await run(workers, jobs.add, 1, 2) == 3
    assert len(starts) == 1


async def test_spans_of_a_job_join_the_trace(workers: Workers, telemetry: Telemetry) -> None:
    """With their own ids, scope, attributes and events, below the span of the job."""
    with telemetry.tracer.span("step here") as here:
        assert await run(workers, jobs.traced, 2) == 2
    await telemetry.flush()
    spans = {span.name: span for span in telemetry.recent.get(here.get_span_context().trace_id)}
    chain = ["step here", "worker jobs.traced", "step 2", "step 1", "step 0"]
    assert sorted(spans) == sorted(chain)
    assert [spans[name].parent_id for name in chain[1:]] == [spans[name].span_id for name in chain[:-1]]
    assert spans["step 1"].attributes == {"depth": 1}
    assert [event.name for event in spans["step 1"].events] == ["looked"]
    assert spans["step 0"].scope == "jobs"
    assert spans["worker jobs.traced"].attributes[names.PROCESS_PID] != os.getpid()


async def test_too_many_jobs_are_refused_and_cancelled_ones_are_killed(workers: Workers, tmp_path: Path) -> None:
    """Two run and four wait; the seventh is told so. Cancelling a running job ends its process."""
    await run(workers, jobs.add, 1)
    ledgers = [tmp_path / str(number) for number in range(6)]
    mark = mark_of(jobs.add)
    assert mark is not None
    running = [asyncio.create_task(workers.run(jobs.hang, mark, (str(ledger),), {}, "jobs.hang")) for ledger in ledgers]
    async with asyncio.timeout(20):  # other processes: what they have written, and that they are gone, is looked up
        while sum(ledger.exists() and bool(ledger.read_text()) for ledger in ledgers) < 2:
            await asyncio.sleep(0.01)
    with pytest.raises(Overloaded, match="6 jobs are running or waiting"):
        await run(workers, jobs.add, 1)
    pids = [int(ledger.read_text()) for ledger in ledgers if ledger.exists()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await run(workers, jobs.add, 1) == 1
    async with asyncio.timeout(20):
        while any(psutil.pid_exists(pid) for pid in pids):
            await asyncio.sleep(0.01)
    assert workers.jobs == 0


async def test_a_pool_whose_idle_process_was_killed_is_replaced(workers: Workers) -> None:
    """As the kernel does when memory runs out."""
    victim = psutil.Process(await run(workers, jobs.pid))
    for process in victim.parent().children():
        process.kill()
    for _ in range(5):
        assert await run(workers, jobs.add, 2, 3) == 5
    await workers.close()
    with pytest.raises(ShuttingDown):
        await run(workers, jobs.add, 1)


class Sums(Agent):
    """Adds, here and elsewhere."""

    name = "sums"

    @capability("sums.add")
    async def add(self, ctx: Context, numbers: list[int]) -> int:
        """Add in a worker process."""
        return await ctx.compute(jobs.add, *numbers)

    @capability("sums.where")
    async def where(self, ctx: Context) -> tuple[int, int]:
        """The process of a marked function and that of a method."""
        return await ctx.compute(jobs.pid), await ctx.compute(os.getpid)


async def test_compute_chooses_by_the_mark(settings: Settings) -> None:
    """A marked function goes to a worker process, any other to a thread."""
    small = msgspec.structs.replace(settings.runtime, workers=WorkerSettings(processes=1))
    async with Runtime(msgspec.structs.replace(settings, runtime=small), agents=[Sums()]) as runtime:
        assert await runtime.call("sums.add", numbers=[1, 2, 3]) == 6
        there, here = await runtime.call("sums.where")
        assert (there != os.getpid(), here == os.getpid()) == (True, True)


def test_only_what_a_worker_can_find_is_marked() -> None:
    """A function within a function is refused where it is written, with the reason."""

    def inner() -> None: ...

    with pytest.raises(TypeError, match="not at the top of a module"):
        isolated(inner)
    with pytest.raises(TypeError, match="not at the top of a module"):
        isolated(lambda: None)
    assert isolated(jobs.traced) is jobs.traced


def test_quarantine_is_for_a_while_and_bounded() -> None:
    """Two crashes within the period; afterwards the job gets another chance."""
    now = [0.0]
    quarantine = Quarantine(60.0, lambda: now[0])
    assert quarantine.crashed(b"a") == 1
    assert quarantine.holds(b"a") == 0
    assert quarantine.crashed(b"a") == 2
    assert quarantine.holds(b"a") == 60.0
    now[0] = 60.0
    assert quarantine.holds(b"a") == 0
    for number in range(3 * MOST):
        quarantine.crashed(str(number).encode())
    assert len(quarantine) == MOST
