"""A stream from one agent to one taker: as many items ahead as there is room for, and no more.

The producer is a task of its own: an async generator that ran in its taker's context would leave its span and its
deadline behind there at every item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from pea.errors import Conflict, DeadlineExceeded
from pea.runtime.agreement.stakes import STAKES
from pea.runtime.broadcast.streaming import Streaming
from pea.runtime.context import Context
from pea.runtime.cut_off import contained
from pea.runtime.deadline import DeadlineTable, Expired, Scope
from pea.runtime.journal.steps import SCOPE
from pea.runtime.policy.breaker import CLOSED
from pea.runtime.policy.outcome import is_fault
from pea.telemetry import Tracer, names

if TYPE_CHECKING:
    from pea.runtime.directory import Directory
    from pea.runtime.dispatch import Dispatcher

T = TypeVar("T")
_END = object()
Produce = Callable[[asyncio.Queue[Any]], Coroutine[Any, Any, None]]


class Stream(Generic[T]):
    """``async for item in stream``; leaving early with `aclose`, or ``async with stream``, ends the producer."""

    def __init__(self, produce: Produce, ahead: int) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue(ahead)
        self._task = asyncio.get_running_loop().create_task(_run(produce, self._queue), name="pea-stream")
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next item; raises what the producer raised, once all before it have been taken."""
        if self._ended:
            raise StopAsyncIteration
        item = await self._queue.get()
        if item is not _END:
            return item  # type: ignore[no-any-return]
        self._ended = True
        await asyncio.wait([self._task])
        self._task.result()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Take no more; the producer is cancelled and waited for."""
        self._ended = True
        self._task.cancel("nobody takes the stream any more")
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # looked at: who left does not want to know

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *about: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if not self._task.done() and not self._task.get_loop().is_closed():
            self._task.cancel("nobody takes the stream any more")


async def _run(produce: Produce, queue: asyncio.Queue[Any]) -> None:
    """Produce, then say that it is over; a taker that has left is not told."""
    task = asyncio.current_task()
    try:
        await produce(queue)
    finally:
        if task is not None and not task.cancelling():
            await queue.put(_END)


class Streams:
    """Opens streams for one dispatcher."""

    def __init__(self, dispatcher: Dispatcher, directory: Directory, tracer: Tracer, deadlines: DeadlineTable) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._tracer = tracer
        self._deadlines = deadlines

    def open(self, name: str, arguments: Mapping[str, Any], deadline: float, ahead: int = 16) -> Stream[Any]:
        """A stream of the capability's items; its first ready replica gives them.

        Each item has the capability's timeout, all of them the deadline. Raises UnknownCapability, AgentUnavailable,
        InputError, or Conflict for what does not stream; the stream itself CircuitOpen, what the capability raises,
        DeadlineExceeded or OutputError.
        """
        replica, found = self._directory.replicas(name)[0]
        if not isinstance(found, Streaming):
            raise Conflict("does not stream", where=name, fix="call it: ctx.call")
        bound = found.bind(arguments)
        breaker = self._dispatcher.guards.breaker(found, replica)
        timeout_s = self._dispatcher.guards.policy(found).timeout_s
        clock = self._dispatcher.clock
        about: dict[str, Any] = {
            names.GEN_AI_OPERATION_NAME: "invoke_agent",
            names.GEN_AI_AGENT_NAME: found.agent,
            names.PEA_CAPABILITY: name,
            names.PEA_ATTEMPT: 1,
        }

        async def items(queue: asyncio.Queue[Any]) -> int:
            ctx = Context(self._dispatcher, found.agent, name, deadline)
            count = 0
            async with aclosing(found.open(ctx, bound)) as source:
                while True:
                    try:
                        with Scope(self._deadlines, min(deadline, clock() + timeout_s)):
                            item = await anext(source)
                    except StopAsyncIteration:
                        return count
                    except Expired:
                        what = f"gave no item within {timeout_s:.3g} s, or its deadline passed"
                        raise DeadlineExceeded(what, where=name) from None
                    checked = found.check_item(item)
                    count += 1
                    await queue.put(checked)

        async def produce(queue: asyncio.Queue[Any]) -> None:
            SCOPE.set(None)
            STAKES.set(None)
            with self._tracer.span(f"{names.SPAN_INVOKE_AGENT} {found.agent}", about) as span:
                if breaker.state is not CLOSED:
                    breaker.admit(clock())
                generation = breaker.generation
                try:
                    span.set_attribute(names.PEA_STREAM_ITEMS, await items(queue))
                except BaseException as error:  # cancelled or not, the breaker is told: a probe's place is given back
                    told = contained(error, name)
                    if is_fault(told):
                        breaker.failed(generation, clock())
                    else:
                        breaker.ignored(generation)
                    if told is error:
                        raise
                    raise told from None
                breaker.succeeded(generation, clock())

        return Stream(produce, ahead)
