"""Actions that wait for a person: nothing runs meanwhile, and what is approved happens once, over restarts too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from pea.errors import Conflict
from pea.runtime import Runtime, Task, TaskState
from pea.runtime.task import Decision
from tests.runtime.journal.fleet import Clerk, Fleet, crash

WAITING = TaskState.WAITING_FOR_APPROVAL


async def asked(runtime: Runtime, capability: str, **arguments: object) -> Task:
    """A task that waits for approval."""
    task = await runtime.scheduler.accept(capability, arguments)
    async for event in runtime.scheduler.events(task.id):
        if event.state in {WAITING, TaskState.FAILED}:
            break
    return runtime.scheduler.history.require(task.id)


def result(task: Task) -> object:
    return msgspec.json.decode(bytes(task.result or b"null"))


async def test_nothing_happens_before_it_is_approved(start: Fleet, tmp_path: Path) -> None:
    """The task shows what it asks and takes no place among those that run; approved, it does it once."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        (approval,) = task.approvals
        assert (task.state, approval.summary, approval.decision) == (WAITING, "Move the event to noon?", None)
        assert msgspec.json.decode(bytes(approval.details)) == {"to": "noon", "found": "read 1"}
        assert (runtime.scheduler.running, clerk.done["pay"]) == (0, 0)
        await runtime.scheduler.decide(task.id, Decision.APPROVED, by="nora")
        ended = await runtime.scheduler.wait(task.id)
        assert (result(ended), clerk.keys, dict(clerk.done)) == ("paid 4", [approval.key], {"readevent": 1, "pay": 1})
        assert (ended.approvals[0].decision, ended.approvals[0].by) == (Decision.APPROVED, "nora")
        states = [state for state, _ in ended.life]
        assert states == ["running", "waiting_for_approval", "queued", "running", "succeeded"]


async def test_a_decision_counts_though_who_made_it_went_away(start: Fleet, tmp_path: Path) -> None:
    """It may be on the disk already: the task goes on here too, and not only after the next start."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        deciding = asyncio.create_task(runtime.scheduler.decide(task.id, Decision.APPROVED))
        await asyncio.sleep(0)
        deciding.cancel()
        await asyncio.wait([deciding])
        assert deciding.cancelled()
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.SUCCEEDED
        assert clerk.done["pay"] == 1


async def test_rejected_is_an_end_with_the_reason(start: Fleet, tmp_path: Path) -> None:
    """The capability learns that it was rejected; what it asked for is not done."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        await runtime.scheduler.decide(task.id, Decision.REJECTED, reason="I am at lunch")
        ended = await runtime.scheduler.wait(task.id)
        assert ended.error is not None
        assert (ended.state, ended.error.code, ended.error.message) == (TaskState.FAILED, "rejected", "I am at lunch")
        assert clerk.done["pay"] == 0


async def test_question_outlives_the_process(start: Fleet, tmp_path: Path) -> None:
    """Asked in one life, approved in the next, cut off right after the decision, done in the third, with one key."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
    async with start(tmp_path / "a", second := Clerk()) as runtime:
        assert runtime.scheduler.history.require(task.id).state is WAITING
        assert not second.done
        second.gate.clear()
        await runtime.scheduler.decide(task.id, Decision.APPROVED)
        left = crash(tmp_path / "a", tmp_path / "b")
        runtime.scheduler.cancel(task.id)
    async with start(left, third := Clerk()) as runtime:
        ended = await runtime.scheduler.wait(task.id)
        assert (result(ended), third.keys) == ("paid 4", [task.approvals[0].key])
        assert third.done == {"pay": 1}


async def test_step_above_a_question_is_begun_again(start: Fleet, tmp_path: Path) -> None:
    """Steps that are not idempotent and led to the question are not taken for cut off."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.ask")
        await runtime.scheduler.decide(task.id, Decision.APPROVED)
        ended = await runtime.scheduler.wait(task.id)
        assert (ended.state, result(ended)) == (TaskState.SUCCEEDED, "paid 4")
        assert clerk.done == {"readevent": 1, "pay": 1}


async def test_several_questions_are_named(start: Fleet, tmp_path: Path) -> None:
    """A decision says which question it is about; the task goes on when all are decided."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        task = await asked(runtime, "clerk.two")
        keys = {approval.summary: approval.key for approval in task.approvals}
        with pytest.raises(Conflict, match="asks for 2 approvals"):
            await runtime.scheduler.decide(task.id, Decision.APPROVED)
        still = await runtime.scheduler.decide(task.id, Decision.APPROVED, keys["a"])
        assert (still.state, len(still.pending)) == (WAITING, 1)
        await runtime.scheduler.decide(task.id, Decision.REJECTED, keys["b"])
        assert result(await runtime.scheduler.wait(task.id)) == ["Rejected", "a"]


async def test_deciding_twice(start: Fleet, tmp_path: Path) -> None:
    """The same decision again changes nothing; the other one is a conflict, as is one that nobody asked for."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        await runtime.scheduler.decide(task.id, Decision.APPROVED)
        await runtime.scheduler.wait(task.id)
        again = await runtime.scheduler.decide(task.id, Decision.APPROVED)
        assert again.state is TaskState.SUCCEEDED
        with pytest.raises(Conflict, match="waits for no approval: it is succeeded"):
            await runtime.scheduler.decide(task.id, Decision.REJECTED)
        with pytest.raises(Conflict, match="asks for no approval '00'"):
            await runtime.scheduler.decide(task.id, Decision.APPROVED, "00")
        assert clerk.done["pay"] == 1


async def test_waiting_task_can_be_cancelled_or_expire(start: Fleet, tmp_path: Path) -> None:
    """A task that waits for an answer is no prisoner of it."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        runtime.scheduler.cancel(task.id)
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.CANCELLED
        late = await runtime.scheduler.accept("clerk.move", {"to": "noon"}, deadline_s=0.2)
        ended = await runtime.scheduler.wait(late.id)
        assert (ended.state, ended.error and ended.error.code) == (TaskState.TIMED_OUT, "deadline_exceeded")
        with pytest.raises(Conflict):
            await runtime.scheduler.decide(late.id, Decision.APPROVED)


async def test_nobody_to_ask_outside_of_a_journal(start: Fleet, tmp_path: Path) -> None:
    """In a task that would be forgotten, asking is refused with what to do instead."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        task, _ = await runtime.scheduler.run("clerk.move", {"to": "noon"})
        assert task.error is not None
        assert (task.error.code, task.error.fix) == ("conflict", "submit it to a service: pea tasks submit")


async def test_two_who_decide_at_once(start: Fleet, tmp_path: Path) -> None:
    """One of them decides; the action happens once."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        decide = runtime.scheduler.decide
        answers = await asyncio.gather(
            decide(task.id, Decision.APPROVED), decide(task.id, Decision.REJECTED), return_exceptions=True
        )
        assert [type(one).__name__ for one in answers] == ["Task", "Conflict"]
        await runtime.scheduler.wait(task.id)
        assert clerk.done["pay"] == 1


async def test_a_cancel_while_a_decision_is_written_counts(start: Fleet, tmp_path: Path) -> None:
    """Who cancels a task that is just being approved sees it end, here and after the next start."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        deciding = asyncio.create_task(runtime.scheduler.decide(task.id, Decision.APPROVED))
        while not deciding.done() and not runtime.journal.pending_bytes:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        runtime.scheduler.cancel(task.id)
        ended = await runtime.scheduler.wait(task.id, 5.0)
        assert (ended.state, clerk.done["pay"]) == (TaskState.CANCELLED, 0)
        await deciding
    async with start(tmp_path / "a", Clerk()) as runtime:
        assert runtime.scheduler.history.require(task.id).state is TaskState.CANCELLED


async def test_a_decision_while_a_cancel_is_written_is_a_conflict(start: Fleet, tmp_path: Path) -> None:
    """The end came first: it is told as what it is, not as a failure of the journal."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.move", to="noon")
        runtime.scheduler.cancel(task.id)
        with pytest.raises(Conflict, match="is ending"):
            await runtime.scheduler.decide(task.id, Decision.APPROVED)
        assert (await runtime.scheduler.wait(task.id)).state is TaskState.CANCELLED
        assert clerk.done["pay"] == 0


async def test_a_deadline_that_passes_while_a_decision_is_written_counts(start: Fleet, tmp_path: Path) -> None:
    """The decision is on the disk, then the task is late: it ends once, as timed out."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        scheduler = runtime.scheduler
        task = await asked(runtime, "clerk.two")
        deciding = asyncio.create_task(scheduler.decide(task.id, Decision.APPROVED, task.approvals[0].key))
        while not deciding.done() and not runtime.journal.pending_bytes:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        scheduler.active[task.id].deadline = 0.0
        scheduler._expire(task.id)
        ended = await scheduler.wait(task.id, 5.0)
        assert (ended.state, [one.decision for one in ended.approvals]) == (
            TaskState.TIMED_OUT,
            [Decision.APPROVED, None],
        )
        await deciding
    async with start(tmp_path / "a", Clerk()) as runtime:
        assert runtime.scheduler.history.require(task.id).state is TaskState.TIMED_OUT


async def test_a_cancel_while_a_question_is_written_counts(start: Fleet, tmp_path: Path) -> None:
    """The task is just being taken back to wait for an answer: it ends instead."""
    async with start(tmp_path / "a", Clerk()) as runtime:
        task = await runtime.scheduler.accept("clerk.move", {"to": "noon"})
        active = runtime.scheduler.active[task.id]
        while not active.ending:
            await asyncio.sleep(0)
        assert runtime.scheduler.history.require(task.id).state is TaskState.RUNNING
        runtime.scheduler.cancel(task.id)
        assert (await runtime.scheduler.wait(task.id, 5.0)).state is TaskState.CANCELLED


async def test_a_step_whose_beginning_is_being_written_is_not_cut_off_by_a_question(
    start: Fleet, tmp_path: Path
) -> None:
    """It is under way already: the task is taken back when it has ended, and its result is kept."""
    async with start(tmp_path / "a", clerk := Clerk()) as runtime:
        task = await asked(runtime, "clerk.pair")
        await runtime.scheduler.decide(task.id, Decision.APPROVED)
        ended = await runtime.scheduler.wait(task.id)
        assert (result(ended), clerk.done["pay"]) == ("paid 1", 1)
