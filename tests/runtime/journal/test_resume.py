"""What a killed process's tasks come to when the next one starts on what it left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from pea import Agent, Context, capability
from pea.config import load
from pea.errors import ConfigError, Conflict, IdempotencyKeyReused, Interrupted
from pea.runtime import Runtime, Task, TaskState
from pea.runtime.journal import Changed
from pea.runtime.task import Decision, TaskError
from pea.telemetry import names
from tests.runtime.journal.fleet import Clerk, Fleet, crash


class Mute(Exception):
    """Fails when it is asked what it is."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class Unlucky(Agent):
    """Fails with errors that are hard to tell of."""

    name = "unlucky"

    @capability("unlucky.fail", idempotent=True, retries=0)
    async def fail(self, ctx: Context, kind: str) -> None:
        """Raise."""
        match kind:
            case "name":
                raise FileNotFoundError("caf\udce9.txt")
            case "own":
                raise Interrupted("cannot read caf\udce9.txt", where="caf\udce9.txt", fix="rename caf\udce9.txt")
            case "mute":
                raise Mute
            case "long":
                raise ValueError("x" * 1_000_000)
        await ctx.call("unlucky.step")

    @capability("unlucky.step")
    async def step(self, ctx: Context) -> None:
        """A step that is not idempotent, whose failure is written down."""
        raise Interrupted("cannot read caf\udce9.txt")


async def at_the_gate(runtime: Runtime, clerk: Clerk, capability: str, **options: object) -> Task:
    """A task that has come to a step that is held back, with all before it on the disk."""
    clerk.gate.clear()
    task = await runtime.scheduler.accept(capability, {}, **options)  # type: ignore[arg-type]
    await clerk.reached.wait()
    clerk.reached.clear()
    return task


async def on_disk(runtime: Runtime) -> None:
    """All that was given to the journal before is written."""
    assert runtime.journal is not None
    await runtime.journal.append()


def result(task: Task) -> object:
    return msgspec.json.decode(bytes(task.result or b"null"))


async def test_accepted_task_is_on_the_disk(start: Fleet, tmp_path: Path) -> None:
    """What `accept` has returned is found in a copy of the files made at once, and ends in the next process."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        clerk.gate.clear()
        task = await runtime.scheduler.accept("clerk.slow", {})
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
        await runtime.scheduler.wait(task.id)
    async with start(left, Clerk()) as runtime:
        ended = await runtime.scheduler.wait(task.id)
        assert (ended.state, ended.id, ended.trace_id) == (TaskState.SUCCEEDED, task.id, task.trace_id)


async def test_finished_steps_are_not_run_again(start: Fleet, tmp_path: Path) -> None:
    """The next process runs only what had not ended; the results are those of the first."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.day")  # pays
        clerk.gate.set()
        clerk.gate.clear()
        await clerk.reached.wait()  # slow
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        ended = await runtime.scheduler.wait(task.id)
        assert result(ended) == ["read 1", "read 1", "paid 1", "slow"]
        assert later.done == {"day": 1, "slow": 1}
        assert [state for state, _ in ended.life] == ["running", "queued", "running", "succeeded"]
        await runtime.telemetry.flush()
        spans = runtime.telemetry.recent.get(task.trace_id or "")
        assert sum(span.name == names.SPAN_JOURNAL_REPLAY for span in spans) == 3
        assert (ended.runs, ended.crashes) == (2, 1)


async def test_a_kept_time_is_still_in_its_zone(start: Fleet, tmp_path: Path) -> None:
    """A step that is answered from the journal says the same hour and day as the one that was run."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.date")
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        assert result(await runtime.scheduler.wait(task.id)) == "2026-05-12T00:30:00+02:00"
        assert later.done == {"slow": 1}


async def test_step_that_is_not_idempotent_is_reported_not_repeated(start: Fleet, tmp_path: Path) -> None:
    """It had begun: the task fails with what is known, and nothing is paid twice."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.day")
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        ended = await runtime.scheduler.wait(task.id)
        assert ended.error is not None
        assert (ended.state, ended.error.code, ended.error.where) == (TaskState.FAILED, Interrupted.code, "clerk.pay")
        assert later.done == {"day": 1}


async def test_task_that_is_not_idempotent_says_what_is_known(start: Fleet, tmp_path: Path) -> None:
    """A task whose own capability must not be begun twice ends as interrupted at the start."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.pay")
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        ended = runtime.scheduler.history.require(task.id)
        assert ended.error is not None
        assert (ended.state, ended.error.code) == (TaskState.FAILED, "interrupted")
        assert "none of its calls is known to have ended" in ended.error.message
        assert not later.done


async def test_task_that_is_not_idempotent_begins_when_that_is_on_the_disk(start: Fleet, tmp_path: Path) -> None:
    """Whatever moment it is cut off at, the journal knows that it had begun: it is never begun twice."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.pay")
        left = crash(tmp_path / "a", tmp_path / "b")  # nothing was waited for since it began
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        ended = await runtime.scheduler.wait(task.id)
        assert (ended.state, ended.error and ended.error.code) == (TaskState.FAILED, "interrupted")
        assert not later.done


async def test_failed_step_fails_again_without_being_run(start: Fleet, tmp_path: Path) -> None:
    """How a step that is not idempotent failed is kept, with its place."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.careless")
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
    async with start(left, later := Clerk()) as runtime:
        assert result(await runtime.scheduler.wait(task.id)) == "the far end hung up at line 1; slow"
        assert later.done == {"slow": 1}


async def test_spans_of_both_lives_are_one_trace(start: Fleet, tmp_path: Path) -> None:
    """The second run's span is in the first one's trace, linked to it, and says that it is the second."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.slow")
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        clerk.gate.set()
        await runtime.scheduler.wait(task.id)
        await runtime.telemetry.flush()
        first = next(s for s in runtime.telemetry.recent.get(task.trace_id or "") if s.name.startswith("task "))
    async with start(left, Clerk()) as runtime:
        await runtime.scheduler.wait(task.id)
        await runtime.telemetry.flush()
        again = next(s for s in runtime.telemetry.recent.get(task.trace_id or "") if s.name.startswith("task "))
        assert again.parent_id == first.span_id
        assert again.attributes[names.PEA_TASK_RUN] == 2


async def test_idempotency_keys_outlive_the_process(start: Fleet, tmp_path: Path) -> None:
    """The same key gives the first task and its result after a restart; with other input it is refused."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        first = await runtime.scheduler.accept("clerk.read", {"what": "x"}, idempotency_key="k")
        await runtime.scheduler.wait(first.id)
    async with start(tmp_path / "a", later := Clerk()) as runtime:
        again = await runtime.scheduler.accept("clerk.read", {"what": "x"}, idempotency_key="k")
        assert (again.id, result(again)) == (first.id, "read 1")
        with pytest.raises(IdempotencyKeyReused):
            await runtime.scheduler.accept("clerk.read", {"what": "y"}, idempotency_key="k")
        assert not later.done


async def test_one_key_at_once_is_one_task(start: Fleet, tmp_path: Path) -> None:
    """Those who submit the same while it is being written get the same task."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        accept = runtime.scheduler.accept
        tasks = await asyncio.gather(*(accept("clerk.read", {}, idempotency_key="k") for _ in range(20)))
        assert len({task.id for task in tasks}) == 1
        await runtime.scheduler.wait(tasks[0].id)
        assert clerk.done == {"read": 1}


async def test_task_that_keeps_killing_is_given_up(start: Fleet, tmp_path: Path) -> None:
    """After so many crashes with it running it is failed with the reason, and runs no more."""
    state = tmp_path / "0"
    async with start(state, clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.slow")
        await on_disk(runtime)
        state = crash(state, tmp_path / "1")
        clerk.gate.set()
    for life in range(2, 4):
        clerk = Clerk()
        clerk.gate.clear()
        async with start(state, clerk) as runtime:
            await clerk.reached.wait()
            state = crash(state, tmp_path / str(life))
            clerk.gate.set()
    async with start(state, last := Clerk()) as runtime:
        ended = runtime.scheduler.history.require(task.id)
        assert ended.error is not None
        assert (ended.state, ended.error.code, ended.crashes) == (TaskState.FAILED, "poisoned", 3)
        assert not last.done


async def suspects(start: Fleet, tmp_path: Path, capability: str) -> tuple[Path, list[Task]]:
    """The state that two crashes left, in both of which three tasks ran."""
    state = tmp_path / "0"
    async with start(state, clerk := Clerk()) as runtime:
        clerk.gate.clear()
        tasks = [await runtime.scheduler.accept(capability, {}) for _ in range(3)]
        await on_disk(runtime)
        state = crash(state, tmp_path / "1")
        clerk.gate.set()
    async with start(state, clerk := Clerk()) as runtime:
        clerk.gate.clear()
        while clerk.done["slow"] < 3:
            await asyncio.sleep(0)
        state = crash(state, tmp_path / "2")
        clerk.gate.set()
    return state, tasks


async def test_suspects_run_one_after_the_other(start: Fleet, tmp_path: Path) -> None:
    """Tasks that ran in two crashes are begun alone, so that the innocent are told from the guilty."""
    state, tasks = await suspects(start, tmp_path, "clerk.slow")
    clerk = Clerk()
    clerk.gate.clear()
    async with start(state, clerk) as runtime:
        await clerk.reached.wait()
        await on_disk(runtime)
        assert (clerk.done["slow"], runtime.scheduler.running) == (1, 1)
        clerk.gate.set()
        ended = [await runtime.scheduler.wait(task.id) for task in tasks]
        assert [one.state for one in ended] == [TaskState.SUCCEEDED] * 3
        assert clerk.done["slow"] == 3


async def test_a_suspect_that_is_cancelled_before_its_turn_holds_nobody_up(start: Fleet, tmp_path: Path) -> None:
    """The second of three ends while it waits: the third has its turn after the first."""
    state, (first, second, third) = await suspects(start, tmp_path, "clerk.slow")
    clerk = Clerk()
    clerk.gate.clear()
    async with start(state, clerk) as runtime:
        await clerk.reached.wait()
        runtime.scheduler.cancel(second.id)
        assert (await runtime.scheduler.wait(second.id)).state is TaskState.CANCELLED
        clerk.gate.set()
        ended = [await runtime.scheduler.wait(task.id, 5.0) for task in (first, third)]
        assert [one.state for one in ended] == [TaskState.SUCCEEDED] * 2


async def test_a_suspect_that_waits_for_a_person_holds_nobody_up(start: Fleet, tmp_path: Path) -> None:
    """Days may pass before somebody answers it; it kills no process meanwhile."""
    state, tasks = await suspects(start, tmp_path, "clerk.last")
    async with start(state, clerk := Clerk()) as runtime:
        for task in tasks:
            async for event in runtime.scheduler.events(task.id):
                if event.state is TaskState.WAITING_FOR_APPROVAL:
                    break
        assert clerk.done["slow"] == 3
        for task in tasks:
            await runtime.scheduler.decide(task.id, Decision.APPROVED)
            assert (await runtime.scheduler.wait(task.id)).state is TaskState.SUCCEEDED


async def test_a_start_that_is_refused_lets_go_of_the_journal(start: Fleet, tmp_path: Path) -> None:
    """Who mends the settings can start at once, in the same process too."""
    settings = load(environ={}, overrides={"state": str(tmp_path), "runtime.replicas": {"nobody": 2}})
    refused = Runtime(settings, agents=[Clerk()])
    refused.keep_journal(tmp_path / "a")
    with pytest.raises(ConfigError, match="no agent is called 'nobody'"):
        async with refused:
            pass
    async with start(tmp_path / "a", Clerk()) as runtime:
        task = await runtime.scheduler.accept("clerk.read", {})
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.SUCCEEDED


async def test_shutdown_keeps_what_has_not_ended(start: Fleet, tmp_path: Path) -> None:
    """Running tasks that may be begun again, and waiting ones, go on at the next start; nobody calls it a crash."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        running = await at_the_gate(runtime, clerk, "clerk.slow")
        once = await runtime.scheduler.accept("clerk.pay", {})
        await clerk.reached.wait()
        waiting = asyncio.create_task(runtime.scheduler.wait(running.id))
    assert (await waiting).state is TaskState.QUEUED
    async with start(tmp_path / "a", later := Clerk()) as runtime:
        ended = await runtime.scheduler.wait(running.id)
        assert (ended.state, ended.crashes, ended.runs) == (TaskState.SUCCEEDED, 0, 2)
        cut = runtime.scheduler.history.require(once.id)
        assert (cut.state, cut.error and cut.error.code) == (TaskState.CANCELLED, "cancelled")
        assert later.done == {"slow": 1}


async def test_who_waits_for_a_task_accepted_while_pea_stops_is_told(start: Fleet, tmp_path: Path) -> None:
    """It was being written when all others were left: it is left too, and has its turn after the next start."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        accepting = asyncio.create_task(runtime.scheduler.accept("clerk.read", {}))
        while not runtime.journal.pending_bytes:  # type: ignore[union-attr]
            await asyncio.sleep(0)
    task = await accepting
    assert (await runtime.scheduler.wait(task.id, 5.0)).state is TaskState.QUEUED
    assert task.id not in runtime.scheduler.active
    async with start(tmp_path / "a", Clerk()) as runtime:
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.SUCCEEDED


async def test_deadline_passes_while_nothing_runs(start: Fleet, tmp_path: Path) -> None:
    """A deadline is a point in time: a task whose deadline passed while PEA was away has timed out."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.slow", deadline_s=0.05)
        await on_disk(runtime)
        left = crash(tmp_path / "a", tmp_path / "b")
        await runtime.scheduler.wait(task.id)
    async with start(left, Clerk()) as runtime:
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.TIMED_OUT


@pytest.mark.parametrize("kind", ["name", "own", "mute", "long", "step"])
async def test_an_error_can_say_anything(start: Fleet, tmp_path: Path, kind: str) -> None:
    """A file's name that is not UTF-8 in the message, or no message at all: the task ends, here and on the disk."""
    async with start(tmp_path / "a", Unlucky()) as runtime:
        task = await runtime.scheduler.accept("unlucky.fail", {"kind": kind})
        ended = await runtime.scheduler.wait(task.id, 5.0)
        assert ended.state is TaskState.FAILED
        assert ended.error is not None
        assert ended.error == msgspec.json.decode(msgspec.json.encode(ended.error), type=TaskError)
        assert 0 < len(ended.error.message) <= 10_100
        assert "\\udce9" in ended.error.message or kind in {"mute", "long"}
        assert runtime.scheduler.running == 0
        assert (await runtime.journal.find(task.id)).error == ended.error  # type: ignore[union-attr]


async def test_an_end_that_cannot_be_written_holds_nobody_up(start: Fleet, tmp_path: Path) -> None:
    """The journal has another end already: who waits is told that this one stays as it was, and the place is free."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.slow")
        running = runtime.scheduler.history.require(task.id)
        assert runtime.journal is not None
        await runtime.journal.append(Changed(running.to(TaskState.CANCELLED, running.created + 1)))
        clerk.gate.set()
        assert (await runtime.scheduler.wait(task.id, 5.0)).state is TaskState.RUNNING
        assert (task.id in runtime.scheduler.active, runtime.scheduler.running) == (False, 0)
    async with start(tmp_path / "a", Clerk()) as runtime:
        assert runtime.scheduler.history.require(task.id).state is TaskState.CANCELLED


async def test_cancelled_is_cancelled_for_good(start: Fleet, tmp_path: Path) -> None:
    """The end of a cancelled task is seen when it is on the disk, and no restart begins it again."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await at_the_gate(runtime, clerk, "clerk.slow")
        runtime.scheduler.cancel(task.id)
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.CANCELLED
        left = crash(tmp_path / "a", tmp_path / "b")
        with pytest.raises(Conflict):
            runtime.scheduler.cancel(task.id)
    async with start(left, later := Clerk()) as runtime:
        assert runtime.scheduler.history.require(task.id).state is TaskState.CANCELLED
        assert not later.done


async def test_task_beyond_the_memory_is_recalled(start: Fleet, tmp_path: Path) -> None:
    """What has left the memory is found in the journal, by id and in pages."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        ids = [(await runtime.scheduler.accept("clerk.read", {"what": str(n)})).id for n in range(5)]
        for identity in ids:
            await runtime.scheduler.wait(identity)
        for identity in ids[:3]:
            runtime.scheduler.history._forget(runtime.scheduler.history.require(identity))
        assert result(await runtime.scheduler.recall(ids[0])) == "read 1"
        page = await runtime.scheduler.recall_page(None, 10, {"state": TaskState.SUCCEEDED})
        assert [task.id for task in page] == ids[::-1]
        rest = await runtime.scheduler.recall_page((page[2].created, page[2].id), 10, {})
        assert [task.id for task in rest] == ids[1::-1]
