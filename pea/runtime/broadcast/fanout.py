"""One question to many at once: replies in the order of their arrival, and nobody waits for the slow.

Who streams is answered by stream, the others by request, side by side. Equal questions to one peer that are on their
way are asked once; similar ones to a peer that takes batches become batches; replies of what is idempotent are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pea.cache.ordered import Ordered
from pea.cache.weigh import weigh
from pea.config.broadcast import BroadcastSettings
from pea.errors import DeadlineExceeded, InputError, UnknownCapability
from pea.runtime.agreement.stakes import STAKES
from pea.runtime.broadcast.stream import Stream, Streams
from pea.runtime.broadcast.streaming import Streaming
from pea.runtime.contract import Capability
from pea.runtime.deadline import NEVER
from pea.runtime.journal.steps import SCOPE
from pea.telemetry import Tracer, names

if TYPE_CHECKING:
    from pea.runtime.directory import Directory
    from pea.runtime.dispatch import Dispatcher

MOST_QUESTIONS = 10_000  # peers times messages
ROOM = 64  # replies that have come and are not taken yet


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One reply of ``peer`` to message ``message`` (its place, from 0): ``value``, or ``error``.

    ``number`` counts a streaming peer's items from 1. ``cached`` replies were known already. ``elapsed_s`` is counted
    from the question.
    """

    peer: str
    message: int = 0
    value: Any = None
    error: Exception | None = None
    number: int = 1
    cached: bool = False
    elapsed_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it is an answer."""
        return self.error is None


class Fanout:
    """The broadcasts of one dispatcher, with the replies that are kept for all of them."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        directory: Directory,
        streams: Streams,
        tracer: Tracer,
        settings: BroadcastSettings,
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._streams = streams
        self._tracer = tracer
        self._timeout_s = float(settings.reply_timeout)
        self.kept: Ordered[str, Any] = Ordered(settings.cached_size, settings.cached, float(settings.cached_age))
        self._asked: dict[str, asyncio.Task[Any]] = {}
        self._events = 0

    def forget(self) -> None:
        """Something happened: replies that are kept may be stale."""
        self._events += 1
        self.kept.clear()

    def peers(self, wanted: str | Sequence[str]) -> list[str]:
        """The capabilities of these names, or that match a pattern (``"*.status"``); UnknownCapability for none."""
        if not isinstance(wanted, str):
            for name in wanted:
                if name not in self._directory.capabilities:
                    self._directory.capability(name)
            return list(dict.fromkeys(wanted))
        found = [name for name in self._directory.capabilities if fnmatchcase(name, wanted)]
        if not found:
            raise UnknownCapability(f"no capability matches {wanted!r}", fix="pea agents lists what there is")
        return found

    def ask(
        self,
        wanted: str | Sequence[str],
        messages: Sequence[Mapping[str, Any]],
        deadline: float,
        *,
        reply_timeout_s: float | None = None,
        fresh: bool = False,
    ) -> Stream[Reply]:
        """The replies as they come; see `Context.broadcast`."""
        peers = self.peers(wanted)
        if len(peers) * len(messages) > MOST_QUESTIONS:
            what = f"{len(peers)} peers and {len(messages)} messages are more than {MOST_QUESTIONS:,} questions"
            raise InputError(what, where="broadcast", fix="ask in several broadcasts")
        limit_s = self._timeout_s if reply_timeout_s is None else reply_timeout_s

        async def produce(queue: asyncio.Queue[Any]) -> None:
            SCOPE.set(None)
            STAKES.set(None)
            inbox = _Inbox(queue, self._dispatcher.clock)
            with self._tracer.span(names.SPAN_BROADCAST, {names.PEA_BROADCAST_PEERS: len(peers)}) as span:
                async with asyncio.TaskGroup() as group:
                    for peer in peers:
                        found = self._directory.capabilities[peer]
                        for number, message in enumerate(messages):
                            question = _Question(found, number, message, deadline, limit_s, fresh)
                            group.create_task(self._put(question, inbox), name=f"broadcast {peer}")
                span.set_attribute(names.PEA_BROADCAST_REPLIES, inbox.replies)
                span.set_attribute(names.PEA_BROADCAST_CACHED, inbox.cached)

        return Stream(produce, ROOM)

    async def _put(self, question: _Question, inbox: _Inbox) -> None:
        """Put one question and bring what is replied to it, be it an error, into the inbox."""
        peer = question.peer
        try:
            if isinstance(peer, Streaming):
                await self._take_stream(question, inbox)
            elif peer.declared.idempotent:
                await self._request(question, inbox)
            else:
                call = self._dispatcher.call_at(peer.name, question.message, question.deadline, None)
                await inbox.take(question, await _within(question, call))
        except Exception as error:  # noqa: BLE001 - how a peer failed is its reply
            await inbox.take(question, error=error)

    async def _take_stream(self, question: _Question, inbox: _Inbox) -> None:
        name = question.peer.name
        async with self._streams.open(name, question.message, question.deadline, ahead=1) as stream:
            number = 0
            while True:
                try:
                    item = await _within(question, anext(stream))
                except StopAsyncIteration:
                    return
                number += 1
                await inbox.take(question, item, number=number)

    async def _request(self, question: _Question, inbox: _Inbox) -> None:
        """A reply that is kept, or the one that all who ask the same now wait for; who comes late keeps it for others.

        The call has its capability's own timeout: it is not one asker's, so neither is its deadline.
        """
        peer = question.peer
        key = f"{peer.name}|{peer.cache_key(peer.bind(question.message), '')}"
        if not question.fresh and (kept := self.kept.get(key)) is not None:
            await inbox.take(question, kept[0], cached=True)
            return
        asked = self._asked.get(key)
        if asked is None:
            call = self._dispatcher.call_at(peer.name, question.message, NEVER, None)
            asked = self._asked[key] = asyncio.get_running_loop().create_task(call, name=f"ask {peer.name}")
            asked.add_done_callback(partial(self._answered, key, self._events))
        await inbox.take(question, await _within(question, asyncio.shield(asked)))

    def _answered(self, key: str, events: int, asked: asyncio.Task[Any]) -> None:
        del self._asked[key]
        if asked.cancelled() or asked.exception() is not None:
            return
        if events == self._events:  # else something happened while it was being worked out
            value = asked.result()
            self.kept.put(key, (value,), weigh(value))


class _Question(NamedTuple):
    peer: Capability
    number: int
    message: Mapping[str, Any]
    deadline: float
    limit_s: float
    fresh: bool


class _Inbox:
    """Where replies come in; full, whoever replies waits."""

    def __init__(self, queue: asyncio.Queue[Reply], clock: Callable[[], float]) -> None:
        self.replies = 0
        self.cached = 0
        self._queue = queue
        self._clock = clock
        self._began = clock()

    async def take(
        self,
        question: _Question,
        value: Any = None,
        error: Exception | None = None,
        *,
        number: int = 1,
        cached: bool = False,
    ) -> None:
        """A reply has come."""
        self.replies += 1
        self.cached += cached
        reply = Reply(
            peer=question.peer.name,
            message=question.number,
            value=value,
            error=error,
            number=number,
            cached=cached,
            elapsed_s=self._clock() - self._began,
        )
        await self._queue.put(reply)


async def _within(question: _Question, answer: Awaitable[Any]) -> Any:
    """The answer, if it comes in time for a reply."""
    limit = asyncio.timeout(question.limit_s)
    try:
        async with limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        what = f"gave no reply within {question.limit_s:.3g} s"
        raise DeadlineExceeded(what, where=question.peer.name) from None
