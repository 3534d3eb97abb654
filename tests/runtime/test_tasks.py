"""Tasks: admission, order, waiting, cancelling, shutdown; each ends exactly once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pea import Agent, Context, Runtime, capability
from pea.errors import (
    Conflict,
    IdempotencyKeyReused,
    InputError,
    Overloaded,
    ShuttingDown,
    UnknownCapability,
    UnknownTask,
)
from pea.runtime import Priority, Task, TaskState
from pea.telemetry import names
from tests.runtime.fleet import Rates, RunningRuntime


async def test_task_succeeds_with_its_result_and_its_trace(running: RunningRuntime) -> None:
    """The record has the result as JSON and the id of a trace that shows task, wait and call as one tree."""
    async with running() as runtime:
        accepted = runtime.scheduler.submit("rates.convert", {"base": "EUR"})
        assert accepted.state in {TaskState.QUEUED, TaskState.RUNNING}
        task = await runtime.scheduler.wait(accepted.id)
        assert task.state is TaskState.SUCCEEDED
        assert msgspec.json.decode(bytes(task.result or b"")) == {"base": "EUR", "quote": "CHF", "value": 0.95}
        await runtime.telemetry.flush()
        spans = {span.span_id: span for span in runtime.telemetry.recent.get(task.trace_id or "")}
        tree = sorted((span.name, spans[span.parent_id].name if span.parent_id else "") for span in spans.values())
        assert tree == [
            ("invoke_agent rates", "invoke_agent rates"),
            ("invoke_agent rates", "task rates.convert"),
            ("queue.wait", "task rates.convert"),
            ("task rates.convert", ""),
        ]
        root = next(span for span in spans.values() if not span.parent_id)
        assert root.attributes[names.PEA_TASK_STATUS] == "succeeded"
        assert root.attributes[names.PEA_TASK_ID] == task.id


async def test_failed_task_says_why(running: RunningRuntime) -> None:
    """Code, message and place of PEA's own errors are kept; the span is an error."""
    async with running() as runtime:
        task, value = await runtime.scheduler.run("rates.convert", {"base": "EUR", "quote": "XXX"})
        assert (task.state, value) == (TaskState.FAILED, None)
        assert task.error is not None
        assert (task.error.code, task.error.where) == ("invalid_input", "quote")
        await runtime.telemetry.flush()
        root = next(s for s in runtime.telemetry.recent.get(task.trace_id or "") if not s.parent_id)
        assert (root.status, root.attributes[names.ERROR_TYPE]) == ("error", "invalid_input")


async def test_result_that_is_no_json_is_the_authors_fault(running: RunningRuntime) -> None:
    """The message names the capability's result, and what in it cannot be written."""

    class Careless(Agent):
        name = "careless"

        @capability("careless.read")
        async def read(self, ctx: Context) -> str:
            """Read a name that is not UTF-8."""
            return "caf\udce9"

    async with running(Careless()) as runtime:
        task, _ = await runtime.scheduler.run("careless.read", {})
        assert task.error is not None
        assert (task.error.code, task.error.where) == ("invalid_output", None)
        assert task.error.message.startswith("its result cannot be written as JSON: ")


@pytest.mark.parametrize(
    ("capability_name", "arguments", "options", "error"),
    [
        ("rates.convrt", {}, {}, UnknownCapability),
        ("rates.convert", {"base": 1}, {}, InputError),
        ("rates.convert", {"base": "EUR"}, {"deadline_s": 0.0}, InputError),
        ("rates.convert", {"base": "EUR"}, {"deadline_s": -5.0}, InputError),
        ("rates.convert", {"base": "EUR"}, {"deadline_s": float("nan")}, InputError),
    ],
)
async def test_what_is_refused_becomes_no_task(
    running: RunningRuntime, capability_name: str, arguments: dict[str, object], options: dict[str, float], error: type
) -> None:
    """A refusal leaves nothing behind."""
    async with running() as runtime:
        with pytest.raises(error):
            runtime.scheduler.submit(capability_name, arguments, **options)
        assert len(runtime.scheduler.history.registry) == 0


async def test_waiting_tasks_go_by_priority_then_by_arrival(running: RunningRuntime, rates: Rates) -> None:
    """Crises first; equals in the order they came."""
    order: list[int] = []

    class Notes(Agent):
        name = "notes"

        @capability("notes.note")
        async def note(self, ctx: Context, number: int) -> None:
            order.append(number)

    async with running(Notes(), concurrency=1, critical_reserve=0) as runtime:
        runtime.scheduler.submit("rates.wait", {})
        wanted = [(0, Priority.LOW), (1, Priority.NORMAL), (2, Priority.CRITICAL), (3, Priority.NORMAL)]
        tasks = [runtime.scheduler.submit("notes.note", {"number": n}, priority=p) for n, p in wanted]
        assert (runtime.scheduler.queued, runtime.scheduler.running) == (4, 1)
        rates.gate.set()
        await asyncio.gather(*(runtime.scheduler.wait(task.id) for task in tasks))
        assert order == [2, 1, 3, 0]


async def test_full_queue_refuses_and_loses_nothing(running: RunningRuntime, rates: Rates) -> None:
    """Beyond the bound a task is refused with a time to come back; those accepted all end."""
    async with running(concurrency=1, queue=3) as runtime:
        accepted = [runtime.scheduler.submit("rates.wait", {}) for _ in range(4)]
        with pytest.raises(Overloaded) as refused:
            runtime.scheduler.submit("rates.wait", {})
        assert refused.value.retry_after_s >= 1
        rates.gate.set()
        ended = await asyncio.gather(*(runtime.scheduler.wait(task.id) for task in accepted))
        assert [task.state for task in ended] == [TaskState.SUCCEEDED] * 4
        assert (runtime.scheduler.queued, runtime.scheduler.running) == (0, 0)


async def test_deadline_passes_in_the_queue(running: RunningRuntime, rates: Rates) -> None:
    """A task that never got its turn times out by itself."""
    async with running(concurrency=1) as runtime:
        blocker = runtime.scheduler.submit("rates.wait", {})
        late = runtime.scheduler.submit("rates.convert", {"base": "EUR"}, deadline_s=0.01)
        ended = await runtime.scheduler.wait(late.id)
        assert ended.state is TaskState.TIMED_OUT
        assert ended.started is None
        rates.gate.set()
        assert (await runtime.scheduler.wait(blocker.id)).state is TaskState.SUCCEEDED


async def test_cancel_while_running_waiting_and_ended(running: RunningRuntime, rates: Rates) -> None:
    """A running task's work is cancelled; a waiting one ends at once; an ended one is a conflict."""
    async with running(concurrency=1) as runtime:
        scheduler = runtime.scheduler
        busy, waiting = scheduler.submit("rates.wait", {}), scheduler.submit("rates.wait", {})
        assert scheduler.cancel(waiting.id).state is TaskState.CANCELLED
        await asyncio.sleep(0)
        scheduler.cancel(busy.id)
        assert (await scheduler.wait(busy.id)).state is TaskState.CANCELLED
        assert rates.cancelled == 1
        with pytest.raises(Conflict, match="has ended already: cancelled"):
            scheduler.cancel(busy.id)
        with pytest.raises(UnknownTask):
            scheduler.cancel("nothing")


async def test_cancel_before_the_first_step(running: RunningRuntime) -> None:
    """A task cancelled in the same turn in which it was started still ends."""
    async with running() as runtime:
        task = runtime.scheduler.submit("rates.wait", {})
        runtime.scheduler.cancel(task.id)
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.CANCELLED
        assert runtime.scheduler.running == 0


async def test_idempotency_key_gives_the_first_task(running: RunningRuntime, rates: Rates) -> None:
    """The same key and input is the same task; the same key with other input is refused."""
    async with running() as runtime:
        first = runtime.scheduler.submit("rates.table", {"base": "EUR"}, idempotency_key="k")
        await runtime.scheduler.wait(first.id)
        again = runtime.scheduler.submit("rates.table", {"base": "EUR"}, idempotency_key="k")
        assert (again.id, again.state, rates.calls) == (first.id, TaskState.SUCCEEDED, 1)
        with pytest.raises(IdempotencyKeyReused):
            runtime.scheduler.submit("rates.table", {"base": "CHF"}, idempotency_key="k")


async def events_of(runtime: Runtime, task: Task, after: int = 0) -> list[tuple[int, str]]:
    return [(event.number, event.state.value) async for event in runtime.scheduler.events(task.id, after)]


async def test_events_live_and_later_are_the_same(running: RunningRuntime, rates: Rates) -> None:
    """Who listens from the start and who asks afterwards see one story; who reconnects sees the rest of it."""
    async with running(concurrency=1) as runtime:
        runtime.scheduler.submit("rates.wait", {})
        task = runtime.scheduler.submit("rates.wait", {})
        listening = asyncio.create_task(events_of(runtime, task))
        await asyncio.sleep(0)
        rates.gate.set()
        story = [(1, "queued"), (2, "running"), (3, "succeeded")]
        assert await listening == story
        assert await events_of(runtime, task) == story
        assert await events_of(runtime, task, after=2) == story[2:]


async def test_wait_gives_up_without_ending_the_task(running: RunningRuntime, rates: Rates) -> None:
    """A waiter's patience is its own affair."""
    async with running() as runtime:
        task = runtime.scheduler.submit("rates.wait", {})
        assert (await runtime.scheduler.wait(task.id, 0.001)).state is TaskState.RUNNING
        rates.gate.set()
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.SUCCEEDED


async def test_shutdown_finishes_hands_back_and_refuses(running: RunningRuntime, rates: Rates) -> None:
    """What runs may finish within its grace, what waits is handed back, what comes is refused."""
    async with running(concurrency=1) as runtime:
        scheduler = runtime.scheduler
        busy, waiting = scheduler.submit("rates.wait", {}), scheduler.submit("rates.wait", {})
        await asyncio.sleep(0)
        closing = asyncio.create_task(scheduler.close(grace_s=60))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            scheduler.submit("rates.wait", {})
        rates.gate.set()
        await closing
        assert scheduler.history.require(busy.id).state is TaskState.SUCCEEDED
        handed_back = scheduler.history.require(waiting.id)
        assert handed_back.state is TaskState.CANCELLED
        assert handed_back.error is not None
        assert handed_back.error.code == "shutting_down"


async def test_shutdown_cancels_what_is_over_its_grace(running: RunningRuntime, rates: Rates) -> None:
    """A task that does not end in time is cancelled and says so."""
    async with running() as runtime:
        task = runtime.scheduler.submit("rates.wait", {})
        await asyncio.sleep(0)
        await runtime.scheduler.close(grace_s=0.001)
        ended = runtime.scheduler.history.require(task.id)
        assert ended.state is TaskState.CANCELLED
        assert "shut down" in ended.error.message  # type: ignore[union-attr]


async def test_ten_thousand_at_once(running: RunningRuntime) -> None:
    """Each is accepted and ends, or is refused; none is lost and the bounds hold."""
    async with running(concurrency=16, queue=500, history=100, history_keep=0) as runtime:
        accepted, refused = [], 0
        for number in range(10_000):
            try:
                accepted.append(runtime.scheduler.submit("rates.table", {"base": "EUR"}))
            except Overloaded:
                refused += 1
            if number % 97 == 0:
                await asyncio.sleep(0)
        waits = [runtime.scheduler.wait(task.id) for task in accepted[-50:]]
        assert {task.state for task in await asyncio.gather(*waits)} == {TaskState.SUCCEEDED}
        assert len(accepted) + refused == 10_000
        assert refused > 0
        assert (runtime.scheduler.queued, runtime.scheduler.running) == (0, 0)
        assert len(runtime.scheduler.history.registry) == 100


async def test_cancelled_tasks_leave_the_queue(running: RunningRuntime, rates: Rates) -> None:
    """Submitting and cancelling for ever does not grow the queue."""
    async with running(concurrency=1) as runtime:
        runtime.scheduler.submit("rates.wait", {})
        for _ in range(1_000):
            runtime.scheduler.cancel(runtime.scheduler.submit("rates.wait", {}).id)
        assert runtime.scheduler.line.size <= 64
        assert runtime.scheduler.queued == 0
        rates.gate.set()
