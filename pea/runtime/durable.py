"""What the scheduler does besides for tasks with a journal: promise, end, put back, ask, and go on after a crash.

Each change is written before it is seen: a task is on the disk before it is answered for or begun, and its end is on
the disk before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry.context import Context as OtelContext
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from pea.errors import Conflict, JournalUnavailable
from pea.runtime.active import Active
from pea.runtime.deadline import NEVER
from pea.runtime.journal import Accepted, Changed, Journal, Kept, Log, Noted, Step, recovery
from pea.runtime.task import Approval, Decision, Priority, Task, TaskState
from pea.telemetry import get_logger, names

if TYPE_CHECKING:
    from pea.runtime.scheduler import Scheduler

_NS = 1_000_000_000
_ACCEPTED = {names.PEA_JOURNAL_ENTRY: "accepted"}
_ENDED = {names.PEA_JOURNAL_ENTRY: "ended"}

log = get_logger("pea.runtime")


class Durable:
    """The journaled tasks of a scheduler."""

    def __init__(self, scheduler: Scheduler, journal: Journal) -> None:
        self.journal = journal
        self.entering = 0  # tasks that are being written before they are accepted
        self.outcomes: Counter[str] = Counter()
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self._gates: dict[str, asyncio.Future[None]] = {}
        self._suspects: deque[str] = deque()
        self._writing: set[asyncio.Future[None]] = set()  # changes that somebody will be told of

    async def accept(
        self,
        capability: str,
        arguments: Mapping[str, Any],
        encoded: bytes,
        *,
        priority: Priority,
        deadline_s: float | None,
        idempotency_key: str | None,
    ) -> Task:
        """Accept a task: when this returns, it is on the disk. Raises what `Scheduler.accept` does."""
        key = idempotency_key
        if key is None:
            return await self._enter(capability, arguments, encoded, priority, deadline_s, None)
        while (gate := self._gates.get(key)) is not None:  # the same is being submitted
            await asyncio.wait([gate])
        gate = self._gates[key] = self._loop.create_future()
        try:
            earlier = self._scheduler.earlier(key, capability, encoded, await self._by_key(key))
            if earlier is not None:
                return earlier
            return await self._enter(capability, arguments, encoded, priority, deadline_s, key)
        finally:
            del self._gates[key]
            gate.set_result(None)

    async def _by_key(self, key: str) -> Task | None:
        known = self._scheduler.history.by_key(key)
        return known if known is not None else await self.journal.by_key(key)

    async def _enter(
        self,
        capability: str,
        arguments: Mapping[str, Any],
        encoded: bytes,
        priority: Priority,
        deadline_s: float | None,
        key: str | None,
    ) -> Task:
        scheduler = self._scheduler
        if not self.journal.ready:
            raise self._refused(self._unopened())
        task, active = scheduler.prepare(capability, arguments, encoded, priority, deadline_s, key, journaled=True)
        span = active.span
        assert span is not None
        active.steps = self._log(task)
        self.entering += 1
        began_ns = time.time_ns()
        try:
            await self.journal.append(Accepted(task, active.span_id), must=False)
        except JournalUnavailable as error:
            span.record_exception(error)
            span.set_attribute(names.ERROR_TYPE, error.code)
            span.end()
            raise self._refused(error) from None
        finally:
            self.entering -= 1
        span.leaf(names.SPAN_JOURNAL_WRITE, began_ns, time.time_ns(), _ACCEPTED)
        scheduler.admit(task, active)
        return scheduler.history.require(task.id)

    def _refused(self, error: JournalUnavailable) -> JournalUnavailable:
        self.outcomes["refused"] += 1
        return error

    def _unopened(self) -> JournalUnavailable:
        why = self.journal.status.problem or "it is being opened"
        return JournalUnavailable(f"the journal is not open: {why}", where=str(self.journal.path), fix="try again")

    def begun(self, task: Task, active: Active, launch: Callable[[], None]) -> None:
        """Write that a task runs.

        It is launched when that is on the disk if it must not be begun twice, or may have killed a process before.
        """
        if active.steps is None:
            active.steps = self._log(task)
        first = active.restored or not self._scheduler.resumable(task.capability)
        written = self.journal.append(Changed(task), urgent=first)
        if first:
            self._writing.add(written)
            written.add_done_callback(self._writing.discard)
            written.add_done_callback(lambda _: launch())
        else:
            launch()

    def ended(self, task: Task, active: Active, settle: Callable[[], None]) -> None:
        """Write how a task ended, then ``settle``."""
        active.ending = True
        if active.steps is not None:
            active.steps.closed = True
        began_ns = time.time_ns()

        def written() -> None:
            if active.span is not None:
                active.span.leaf(names.SPAN_JOURNAL_WRITE, began_ns, time.time_ns(), _ENDED)
            settle()
            self._next_suspect(task.id)

        self._tell(written, Changed(task))

    def wants_back(self, active: Active) -> bool:
        """Whether a runner that was cancelled is to be begun again: it asked something, or the service stops."""
        return active.cancelled is None and (active.put_back or bool(active.steps is not None and active.steps.asked))

    def take_back(self, task: Task, active: Active, settle: Callable[[Task], None]) -> None:
        """A task whose runner has let go waits for an answer, or for the next start."""
        steps, now = active.steps, time.time()
        assert steps is not None
        steps.closed = True
        if steps.asked and not active.put_back:
            approvals = {approval.key: approval for approval in task.approvals} | steps.asked
            task = task.to(TaskState.WAITING_FOR_APPROVAL, now, approvals=tuple(approvals.values()))
        else:
            task = task.to(TaskState.QUEUED, now)
        active.ending = True  # until it is written, nobody may decide it

        def written() -> None:
            settle(task)
            if task.state is TaskState.WAITING_FOR_APPROVAL:  # nobody knows for how long: the next suspect need not
                self._next_suspect(task.id)

        self._tell(written, Changed(task, tuple(steps.released)))

    async def decide(self, task: Task, decision: Decision, key: str | None, by: str | None, reason: str | None) -> Task:
        """Write what a person decided, and have the task go on once nothing is undecided.

        Raises Conflict when there is nothing to decide, or another decision was made.
        """
        task = self._scheduler.history.get(task.id) or task
        approval = _asked(task, decision, key)
        if approval.decision is decision:
            return task
        active, place = self._scheduler.active.get(task.id), f"task {task.id}"
        if active is None:
            what = "is not in memory: PEA is starting or shutting down"
            raise JournalUnavailable(what, where=place, fix="try again in a second")
        if active.deciding or active.ending:
            raise Conflict("is being decided" if active.deciding else "is ending", where=place)
        active.deciding = True
        try:
            now = time.time()
            told = msgspec.structs.replace(approval, decision=decision, decided=now, by=by, reason=reason)
            approvals = tuple(told if one.key == told.key else one for one in task.approvals)
            task = msgspec.structs.replace(task, approvals=approvals)
            entry: Changed | Noted = Noted(task)
            if not task.pending:
                task = task.to(TaskState.QUEUED, now)
                entry = Changed(task)
            await self.journal.append(entry)
            steps = await self.journal.steps(task.id) if not task.pending else []
        finally:
            active.deciding = False
        self._scheduler.decided(task, lambda active: self._revive(task, active, steps))
        return task

    async def restore(self) -> None:
        """Take in what the journal has, once it is open; tasks that had not ended go on."""
        kept = await asyncio.shield(self.journal.opened)
        for ended in kept.ended:
            self._scheduler.history.restore(ended)
        await self._go_on(kept)

    async def _go_on(self, kept: Kept) -> None:
        now = time.time()
        known: dict[str, list[Step]] = {}
        changed: list[Changed | Noted] = []
        tasks: list[tuple[Task, int]] = []
        for one in kept.open:
            task = one.task
            if task.runs and task.state is not TaskState.WAITING_FOR_APPROVAL:
                known[task.id] = await self.journal.steps(task.id)
            after = recovery.recovered(
                task,
                known.get(task.id, ()),
                resumable=self._scheduler.resumable(task.capability),
                most_crashes=self.journal.settings.crashes,
                now=now,
            )
            if after is not task:
                changed.append(Changed(after))
            tasks.append((after, one.span_id))
        if changed:
            await asyncio.shield(self.journal.append(*changed))
        for task, span_id in tasks:
            self._go_on_with(task, span_id, known.get(task.id, []))
        if tasks:
            log.info("tasks go on from the journal", tasks=len(tasks), **self.outcomes)

    def _go_on_with(self, task: Task, span_id: int, steps: list[Step]) -> None:
        scheduler = self._scheduler
        if task.final:
            self.outcomes[
                "poisoned" if task.error is not None and task.error.code == "poisoned" else "interrupted"
            ] += 1
            log.error("a task was not begun again", task=task.id, reason=str(task.error and task.error.message))
            scheduler.history.restore(task)
            return
        limit = NEVER if task.deadline is None else self._loop.time() + task.deadline - time.time()
        arguments = msgspec.json.decode(bytes(task.input))
        active = Active(arguments, None, OtelContext(), limit, self._loop.create_future(), time.time_ns())
        active.span_id, active.restored = span_id, True
        self.outcomes["resumed"] += 1
        if task.state is TaskState.WAITING_FOR_APPROVAL:
            scheduler.hold(task, active)
            return
        self._revive(task, active, steps)
        if task.crashes >= recovery.SUSPECT:
            self._suspects.append(task.id)
            scheduler.hold(task, active)
            if len(self._suspects) == 1:
                scheduler.release(task.id)
        else:
            scheduler.admit(task, active)

    def _next_suspect(self, identity: str) -> None:
        """Suspects run one after the other, so that the next crash tells which of them it was."""
        if identity not in self._suspects:
            return
        first = self._suspects[0]
        self._suspects.remove(identity)
        if first == identity and self._suspects:
            self._scheduler.release(self._suspects[0])

    def _revive(self, task: Task, active: Active, steps: list[Step]) -> None:
        """Give a task that will run again a span in its first one's trace, and what is known of its steps."""
        self.ensure_span(task, active)
        active.created_ns = time.time_ns()
        active.runner, active.put_back = None, False
        active.steps = self._log(task, steps)

    def ensure_span(self, task: Task, active: Active) -> None:
        """A new span for a task whose last one has ended, or was lost with its process."""
        if active.span is not None:
            return
        first = SpanContext(
            int(task.trace_id or "0", 16), active.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
        active.base = set_span_in_context(NonRecordingSpan(first), OtelContext())
        links = [Link(first)] if first.is_valid else []
        active.span = self._scheduler.new_span(task, active.base, links, {names.PEA_TASK_RUN: task.runs + 1})

    def _log(self, task: Task, steps: list[Step] | None = None) -> Log:
        scheduler = self._scheduler
        return Log(
            task.id,
            self.journal,
            scheduler.find,
            lambda: self._interrupt(task.id),
            steps or (),
            task.approvals,
        )

    def _interrupt(self, identity: str) -> None:
        """Have a task's runner let go, because it asked for an approval."""
        active = self._scheduler.active.get(identity)
        if active is not None and active.runner is not None:
            active.runner.cancel("waits for approval")

    def _tell(self, what: Callable[[], None], entry: Changed) -> None:
        """Do something when an entry is on the disk."""
        try:
            written = self.journal.append(entry)
        except JournalUnavailable as error:  # it is closed: the next start finds the task as it was
            log.error("a change could not be written", task=entry.task.id, reason=str(error))
            return

        def done(future: asyncio.Future[None]) -> None:
            self._writing.discard(future)
            if future.cancelled() or future.exception() is not None:
                reason = "cancelled" if future.cancelled() else str(future.exception())
                what_then = "a change was not written: the next start finds the task as it was"
                log.error(what_then, task=entry.task.id, reason=reason)
                self._scheduler.leave(entry.task.id)
                return
            what()

        self._writing.add(written)
        written.add_done_callback(done)

    async def written(self, timeout_s: float) -> None:
        """Wait until all that somebody will be told of has been written."""
        while self._writing:
            _, late = await asyncio.wait(list(self._writing), timeout=timeout_s)
            if late:
                return
            await asyncio.sleep(0)


def _asked(task: Task, decision: Decision, key: str | None) -> Approval:
    """The approval that a decision is about; one that was decided so before is given too."""
    place = f"task {task.id}"
    named = [one for one in task.approvals if key is None or one.key == key]
    if not named:
        raise Conflict(f"asks for no approval {key!r}" if key else "asks for no approval", where=place)
    pending = [one for one in named if one.decision is None]
    if not pending or task.state is not TaskState.WAITING_FOR_APPROVAL:
        if named[-1].decision is decision:
            return named[-1]
        raise Conflict(f"waits for no approval: it is {task.state}", where=place)
    if len(pending) > 1:
        keys = ", ".join(one.key for one in pending)
        raise Conflict(f"asks for {len(pending)} approvals", where=place, fix=f"name one: {keys}")
    return pending[0]
