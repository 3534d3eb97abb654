"""The steps of one task: each call its capabilities make is known by a key, so that a later run can go on from there.

A key is made of the steps above, the capability, its input and how many the same were begun before it. Calls side by
side come in any order and get the same keys in the next run: two of them are only numbered when their inputs are equal,
and then it does not matter which is which.

What is written is what a restart needs. An idempotent call is written when it has ended, some milliseconds later, and
nobody waits for that: should the line be lost, it is run again. Any other is written before it begins, and waited for,
because afterwards nobody could tell whether it had an effect. Since the journal keeps the order, whatever went before
is on the disk then.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

import msgspec
from opentelemetry.trace import get_current_span

from pea.errors import InputError, Interrupted, PeaError, Rejected
from pea.runtime.contract import Capability
from pea.runtime.journal.entries import Step, StepState
from pea.runtime.journal.journal import Journal
from pea.runtime.task import Approval, Decision, TaskError, timestamp
from pea.telemetry import ActiveSpan, names

MOST_STEPS = 10_000  # of one task; idempotent ones beyond are run again after a crash
MOST_DETAILS_BYTES = 64 << 10
_AS_THEY_ARE = (bytes, bytearray, memoryview)  # times are not: MessagePack's own would come back in UTC
HELD_BYTES = 1 << 20  # results of one task in memory, for another attempt within this process

Call = Callable[[], Awaitable[Any]]


class Log:
    """The steps of one run of a task, and what is known of those of earlier runs."""

    def __init__(
        self,
        task: str,
        journal: Journal,
        find: Callable[[str], Capability | None],
        on_ask: Callable[[], None],
        known: Iterable[Step] = (),
        approvals: Iterable[Approval] = (),
    ) -> None:
        self.task = task
        self.closed = False
        self.asked: dict[str, Approval] = {}
        self.released: set[str] = set()  # steps above what was asked: begun, and to be begun again after the answer
        self.known = {step.key: step for step in known}
        self.find = find
        self._journal = journal
        self._on_ask = on_ask
        self._approvals = {approval.key: approval for approval in approvals}
        self._held = sum(len(step.data) for step in self.known.values())
        self._under_way: set[str] = set()  # begun, not idempotent, not ended

    def root(self) -> Scope:
        """The scope of the task's own capability."""
        return Scope(self, (), recording=True)

    async def begin(self, key: str, capability: str) -> None:
        """Write that a step begins that must not begin twice; returns when that is on the disk."""
        step = Step(task=self.task, key=key, capability=capability, state=StepState.BEGUN, at=time.time())
        self._under_way.add(key)
        try:
            await asyncio.shield(self._journal.append(step))
        except BaseException:  # cancelled, or not written: it does not begin
            self.leave(key)
            raise
        self.known[key] = step

    def end(self, key: str, capability: Capability, result: Any) -> None:
        """Write how a step ended, unless it is idempotent and too large to be worth it."""
        state, limit = StepState.DONE, self._journal.settings.step_result
        try:
            data = msgspec.msgpack.encode(msgspec.to_builtins(result, builtin_types=_AS_THEY_ARE))
        except (TypeError, ValueError, OverflowError, RecursionError):
            state, data = StepState.TOO_LARGE, b""
        idempotent = capability.declared.idempotent
        if len(data) > limit:
            state, data = StepState.TOO_LARGE, b""
        if idempotent and (state is StepState.TOO_LARGE or len(self.known) >= MOST_STEPS):
            return
        step = Step(task=self.task, key=key, capability=capability.name, state=state, at=time.time(), data=data)
        self._journal.append(step, urgent=not idempotent)
        if not idempotent or self._held + len(data) <= HELD_BYTES:
            self._held += len(data)
            self.known[key] = step

    def fail(self, key: str, capability: str, error: Exception) -> None:
        """Write that a step that is not idempotent raised."""
        data = msgspec.msgpack.encode(TaskError.of(error))
        step = Step(task=self.task, key=key, capability=capability, state=StepState.FAILED, at=time.time(), data=data)
        self._journal.append(step)
        self.known[key] = step

    def leave(self, key: str) -> None:
        """A step that is not idempotent is no longer under way."""
        self._under_way.discard(key)
        self._ask_if_quiet()

    async def approve(self, key: str, above: tuple[str, ...], summary: str, details: Any) -> Approval:
        """The approval, if it was given; Rejected if it was refused; else the task is taken back until it is decided.

        It is taken back when no step is under way that could not be begun again.
        """
        known = self._approvals.get(key)
        if known is not None and known.decision is Decision.APPROVED:
            return known
        if known is not None and known.decision is Decision.REJECTED:
            raise Rejected(known.reason or "it was rejected", where=known.summary)
        if known is None:
            known = Approval(key=key, summary=summary, details=_details(details), asked=time.time())
        self.asked[key] = known
        self.released.update(above)
        self._ask_if_quiet()
        await asyncio.get_running_loop().create_future()  # until the whole task is cancelled
        raise AssertionError("unreachable")

    def _ask_if_quiet(self) -> None:
        if self.asked and self._under_way <= self.released:
            self._on_ask()


class Scope:
    """One call's place among the steps of its task; calls made in it are its steps.

    ``above`` are the keys of the steps it is in, outermost first. One that is not ``recording`` is in an idempotent
    step: that is run again as a whole.
    """

    __slots__ = ("_above", "_log", "_recording", "_seen")

    def __init__(self, log: Log, above: tuple[str, ...], *, recording: bool) -> None:
        self._log = log
        self._above = above
        self._recording = recording
        self._seen: Counter[tuple[int, str, str]] = Counter()

    async def call(self, name: str, arguments: Mapping[str, Any], attempt: int, call: Call) -> Any:
        """The result of a call: the one that is kept, or that of ``call``. Raises what it raises, or Interrupted."""
        log = self._log
        capability = log.find(name)
        digest = None if capability is None or log.closed else _digest(capability, arguments)
        if capability is None or digest is None:
            return await call()
        key = self._key(attempt, name, digest)
        if self._recording and (step := log.known.get(key)) is not None:
            kept = _replay(step, capability)
            if kept is not _RUN_AGAIN:
                _show_replay(name)
                return kept
        if capability.declared.idempotent or not self._recording:
            result = await self._within(key, call, recording=False)
            if self._recording and not log.closed:
                log.end(key, capability, result)
            return result
        await log.begin(key, name)
        try:
            result = await self._within(key, call, recording=True)
        except Exception as error:
            if not log.closed:
                log.fail(key, name, error)
            raise
        else:
            if not log.closed:
                log.end(key, capability, result)
            return result
        finally:
            log.leave(key)

    async def approve(self, summary: str, details: Any, attempt: int) -> Approval:
        """See `Log.approve`; the same question asked again is another one."""
        digest = hashlib.blake2b(summary.encode() + b"\0" + bytes(_details(details)), digest_size=16).hexdigest()
        return await self._log.approve(self._key(attempt, "approve", digest), self._above, summary, details)

    def _key(self, attempt: int, name: str, digest: str) -> str:
        same = (attempt, name, digest)
        number = self._seen[same]
        self._seen[same] += 1
        above = self._above[-1] if self._above else ""
        return hashlib.blake2b(f"{above}/{name}/{digest}/{number}".encode(), digest_size=16).hexdigest()

    async def _within(self, key: str, call: Call, *, recording: bool) -> Any:
        token = SCOPE.set(Scope(self._log, (*self._above, key), recording=recording))
        try:
            return await call()
        finally:
            SCOPE.reset(token)


SCOPE: ContextVar[Scope | None] = ContextVar("pea_steps", default=None)

_RUN_AGAIN = object()


def _show_replay(capability: str) -> None:
    """Have the trace tell that a call was answered from the journal."""
    span, now = get_current_span(), time.time_ns()
    if isinstance(span, ActiveSpan):
        span.leaf(names.SPAN_JOURNAL_REPLAY, now, now, {names.PEA_CAPABILITY: capability})


def _replay(step: Step, capability: Capability) -> Any:
    """What a known step came to; _RUN_AGAIN when it may be, and has to be, run again."""
    again = capability.declared.idempotent or capability.declared.resumable
    match step.state:
        case StepState.DONE:
            try:
                return msgspec.msgpack.decode(step.data, type=capability.output_type)
            except msgspec.MsgspecError as error:  # another version of the agent wrote it
                if again:
                    return _RUN_AGAIN
                raise Interrupted(f"its kept result no longer fits its type: {error}", where=step.capability) from None
        case StepState.FAILED:
            raise _error(msgspec.msgpack.decode(step.data, type=TaskError))
        case StepState.TOO_LARGE:
            raise Interrupted("it ended, and its result was too large to be kept", where=step.capability)
        case StepState.BEGUN:
            if again:
                return _RUN_AGAIN
            raise Interrupted(
                f"it had begun at {timestamp(step.at)} and was cut off; it is not idempotent, so it was not run again",
                where=step.capability,
                fix="find out what it did, then ask for what is missing",
            )


def _error(told: TaskError) -> PeaError:
    for kind in _kinds(PeaError):
        if kind.code == told.code and kind.__init__ is PeaError.__init__:
            return kind(told.message, where=told.where, fix=told.fix)
    return PeaError(f"{told.code}: {told.message}", where=told.where, fix=told.fix)


def _kinds(kind: type[PeaError]) -> Iterable[type[PeaError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _kinds(child)


def _digest(capability: Capability, arguments: Mapping[str, Any]) -> str | None:
    """What tells this input from others; None for one that the call itself will refuse."""
    try:
        bound = capability.bind(arguments)
    except InputError:
        return None
    try:
        return capability.cache_key(bound, "")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"cannot be written as JSON: {error}", where=capability.name) from error


def _details(details: Any) -> msgspec.Raw:
    try:
        encoded = msgspec.json.encode(details)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"the details of an approval cannot be written as JSON: {error}", where="details") from error
    if len(encoded) > MOST_DETAILS_BYTES:
        raise InputError(f"the details of an approval are larger than {MOST_DETAILS_BYTES:,} bytes", where="details")
    return msgspec.Raw(encoded)
