"""Small calls of one capability, collected within a window or a size and done as one.

The method takes a list of structs and returns a list as long, in the same order; callers give and get one each:

    @capability("ledger.post", batch=Batch(50, "5ms"))
    async def post(self, ctx: Context, entries: list[Entry]) -> list[Receipt]: ...

    receipt = await ctx.call("ledger.post", account="travel", amount=12)

An exception in the returned list is its caller's alone. One that the method raises is everybody's; if the capability is
idempotent the batch is halved until those who are to blame stand alone.
"""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any

import msgspec
from opentelemetry.trace import Link, get_current_span

from pea.errors import InputError, OutputError, PeaError, did_you_mean
from pea.runtime.agent import Agent, Declared
from pea.runtime.agreement.stakes import STAKES
from pea.runtime.batch import Batch
from pea.runtime.contract import Capability
from pea.runtime.cut_off import being_cancelled, contained, cut_off
from pea.runtime.journal.steps import SCOPE
from pea.telemetry import names

MOST_LINKS = 128  # of a batch's span to its calls' spans, as OpenTelemetry bounds them


class BatchCounts(msgspec.Struct):
    """Calls and batches since the start; ``shared`` counts the calls that were done together with another."""

    calls: int = 0
    batches: int = 0
    shared: int = 0

    @property
    def share(self) -> float | None:
        """The share of calls that were done together with another; None before the first."""
        return self.shared / self.calls if self.calls else None


class _Waiting(msgspec.Struct, eq=False):
    ctx: Any
    item: msgspec.Struct
    answer: asyncio.Future[Any]
    link: Link


class Batched(Capability):
    """A capability whose calls are collected; each replica collects its own."""

    __slots__ = ("_tasks", "_terms", "_timer", "_waiting", "counts")

    def __init__(self, agent: Agent, method: Callable[..., Awaitable[Any]], declared: Declared) -> None:
        super().__init__(agent, method, declared)
        self.input_type, self.output_type = _one(self.input_type, self.output_type, declared.name)
        self.keyword_only = False
        self.counts = BatchCounts()
        self._terms = declared.batch or Batch()
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def bind(self, arguments: Mapping[str, Any]) -> msgspec.Struct:
        """One caller's arguments; InputError also for one that there is not."""
        known = self.input_type.__struct_encode_fields__
        for field in arguments:
            if field not in known:
                raise InputError(f"{self.name} takes no {field!r}", where=str(field), fix=did_you_mean(field, known))
        return super().bind(arguments)

    async def invoke(self, ctx: Any, bound: msgspec.Struct) -> Any:
        """Wait for the batch that this call is part of, and return its own result."""
        loop = asyncio.get_running_loop()
        span = get_current_span().get_span_context()
        waiting = _Waiting(ctx, bound, loop.create_future(), Link(span))
        self._waiting.append(waiting)
        if len(self._waiting) >= self._terms.size:
            self._flush()
        elif self._timer is None:
            window_s = self._terms.window_s
            self._timer = loop.call_later(window_s, self._flush) if window_s else loop.call_soon(self._flush)
        return await waiting.answer

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = [one for one in self._waiting if not one.answer.done()]  # those that were cancelled meanwhile are gone
        self._waiting.clear()
        if not batch:
            return
        context = copy_context()
        context.run(SCOPE.set, None)
        context.run(STAKES.set, None)
        task = asyncio.get_running_loop().create_task(self._run(batch), name=f"batch {self.name}", context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        left = len(batch)

        def gone(answer: asyncio.Future[Any]) -> None:
            nonlocal left
            left -= answer.cancelled()
            if not left:  # nobody waits for it any more
                task.cancel()

        for one in batch:
            one.answer.add_done_callback(gone)

    async def _run(self, batch: list[_Waiting]) -> None:
        self.counts.calls += len(batch)
        self.counts.batches += 1
        self.counts.shared += len(batch) if len(batch) > 1 else 0
        first = batch[0].ctx
        about = {names.PEA_CAPABILITY: self.name, names.PEA_BATCH_SIZE: len(batch)}
        ctx = first.until(max(one.ctx.deadline for one in batch))
        links = [one.link for one in batch[:MOST_LINKS]]
        try:
            with first.linked(f"{names.SPAN_BATCH} {self.name}", about, links):
                results = await self._settle(ctx, batch)
        except asyncio.CancelledError:
            if being_cancelled():  # nobody waits for it any more
                raise
            results = [cut_off(self.name)] * len(batch)
        for one, result in zip(batch, results, strict=True):
            if one.answer.done():
                continue
            if isinstance(result, BaseException):
                one.answer.set_exception(result)
            else:
                one.answer.set_result(result)

    async def _settle(self, ctx: Any, batch: Sequence[_Waiting]) -> list[Any]:
        """A result or an exception for each."""
        try:
            results = await self._method(ctx, [one.item for one in batch])
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - it is raised where each of the callers waits
            error = contained(raised, self.name)
            if len(batch) == 1 or not self.declared.idempotent:
                return [_own(error) for _ in batch]
            middle = len(batch) // 2
            return [*await self._settle(ctx, batch[:middle]), *await self._settle(ctx, batch[middle:])]
        if not isinstance(results, list) or len(results) != len(batch):
            got = f"a list of {len(results)}" if isinstance(results, list) else type(results).__name__
            wrong = OutputError(f"returned {got} for a batch of {len(batch)}", where=self.name)
            return [wrong for _ in batch]
        return results


def _own(error: BaseException) -> BaseException:
    """Each caller's own copy where that can be made: a traceback grows with each place it is raised at."""
    if isinstance(error, PeaError):
        return error
    try:
        copy = type(error)(*error.args)
    except Exception:  # noqa: BLE001 - an exception with another signature: they share it
        return error
    copy.__cause__ = error
    return copy


def _one(given: type[msgspec.Struct], returned: Any, name: str) -> tuple[type[msgspec.Struct], Any]:
    """The struct that one caller gives, and the type that it gets."""
    types = list(typing.get_type_hints(given, include_extras=True).values())
    inner = typing.get_args(types[0]) if len(types) == 1 and typing.get_origin(types[0]) is list else ()
    item = inner[0] if inner else None
    results = typing.get_args(returned) if typing.get_origin(returned) is list else ()
    if not (isinstance(item, type) and issubclass(item, msgspec.Struct)) or not results:
        raise PeaError("takes one list of structs and returns a list, since its calls are batched", where=name)
    return item, results[0]
