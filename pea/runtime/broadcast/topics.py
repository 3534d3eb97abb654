"""Topics: messages to whoever subscribed, each with room for so many; who publishes waits for room, but not for ever.

A subscriber that has had no room for ``publish_wait`` misses the message: the publisher is told how many did, and the
next message that the subscriber takes says how many it missed. Nothing is lost in silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Self

import msgspec
from opentelemetry.trace import Link, get_current_span

from pea.config.broadcast import BroadcastSettings
from pea.errors import InputError, Overloaded
from pea.telemetry import Tracer, names

MOST_NAME = 200  # characters


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was published: ``value`` is the publisher's own object, to be read only.

    ``number`` counts the topic's messages from 1, ``missed`` those that this subscriber had no room for just before.
    ``link`` is the publisher's span.
    """

    topic: str
    value: Any
    publisher: str
    number: int
    missed: int = 0
    link: Link


class Published(msgspec.Struct, frozen=True):
    """Who got a message: ``delivered`` subscribers did, ``missed`` had no room in time."""

    delivered: int
    missed: int


class Subscription:
    """``async with ctx.subscribe("calendar.*") as messages: async for message in messages: ...``."""

    def __init__(self, pattern: str, room: int, leave: Callable[[Subscription], None]) -> None:
        self.pattern = pattern
        self.missed = 0  # in all
        self._lately = 0
        self._room = room
        self._waiting: deque[Message] = deque()
        self._came = asyncio.Event()
        self._went = asyncio.Event()
        self._leave = leave
        self.closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next message; StopAsyncIteration once the subscription is closed and empty."""
        while not self._waiting:
            if self.closed:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        message = self._waiting.popleft()
        self._went.set()
        return message

    async def offer(self, message: Message, wait_s: float) -> bool:
        """Have room for the message within ``wait_s`` seconds, or miss it; whether it was delivered."""
        try:
            async with asyncio.timeout(wait_s):
                while len(self._waiting) >= self._room and not self.closed:
                    self._went.clear()
                    await self._went.wait()
        except TimeoutError:
            self._lately += 1
            self.missed += 1
            return False
        if self.closed:
            return False
        if self._lately:
            message = msgspec.structs.replace(message, missed=self._lately)
            self._lately = 0
        self._waiting.append(message)
        self._came.set()
        return True

    def close(self) -> None:
        """Get no further messages; those that wait can still be taken."""
        self.closed = True
        self._came.set()
        self._went.set()
        self._leave(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *about: object) -> None:
        self.close()


class Topics:
    """The topics of one fleet."""

    def __init__(self, tracer: Tracer, settings: BroadcastSettings) -> None:
        self._tracer = tracer
        self._most = settings.subscriptions
        self._wait_s = float(settings.publish_wait)
        self._subscriptions: dict[Subscription, None] = {}
        self._numbers: dict[str, int] = {}

    def subscribe(self, pattern: str, room: int = 100) -> Subscription:
        """Messages of all topics that match, from now on; Overloaded when there are too many subscriptions."""
        _check(pattern)
        if room < 1:
            raise InputError("needs room for one message at least", where="room")
        if len(self._subscriptions) >= self._most:
            what = f"there are {self._most:,} subscriptions"
            raise Overloaded(what, retry_after_s=1.0, where=pattern, fix="raise runtime.broadcast.subscriptions")
        subscription = Subscription(pattern, room, lambda one: self._subscriptions.pop(one, None))
        self._subscriptions[subscription] = None
        return subscription

    async def publish(self, topic: str, value: Any, publisher: str, most_wait_s: float) -> Published:
        """Give ``value`` to all who subscribed, and wait until each has room, or for so long."""
        _check(topic)
        wait_s = max(0.0, min(self._wait_s, most_wait_s))
        with self._tracer.span(names.SPAN_PUBLISH, {names.PEA_TOPIC: topic}) as span:
            meant = [one for one in self._subscriptions if fnmatchcase(topic, one.pattern)]
            number = 0
            if meant:  # the numbers of topics that nobody listens to are nobody's business, and would only grow
                number = self._numbers[topic] = self._numbers.get(topic, 0) + 1
                self._forget()
            link = Link(get_current_span().get_span_context())
            message = Message(topic=topic, value=value, publisher=publisher, number=number, link=link)
            delivered = await asyncio.gather(*(one.offer(message, wait_s) for one in meant))
            told = Published(sum(delivered), len(meant) - sum(delivered))
            span.set_attribute(names.PEA_TOPIC_DELIVERED, told.delivered)
            span.set_attribute(names.PEA_TOPIC_MISSED, told.missed)
            return told

    def close(self) -> None:
        """End all subscriptions."""
        for subscription in list(self._subscriptions):
            subscription.close()

    def _forget(self) -> None:
        while len(self._numbers) > 10 * self._most:
            del self._numbers[next(iter(self._numbers))]


def _check(name: str) -> None:
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise InputError(f"a topic has 1 to {MOST_NAME} printable characters, not {name[:40]!r}", where="topic")
