"""Topics: everybody gets everything, or is told what it missed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import Seconds
from pea.config.broadcast import BroadcastSettings
from pea.errors import InputError, Overloaded
from pea.runtime.broadcast.topics import Message, Published, Topics
from pea.telemetry import Telemetry


def topics(**changes: Any) -> Topics:
    return Topics(Telemetry(Settings()).tracer, BroadcastSettings(**changes))


class Watcher(Agent):
    """Subscribes in its start, and counts."""

    name = "watcher"

    async def start(self, ctx: Context) -> None:
        self.seen: list[str] = []
        self.ended = False
        self.task = asyncio.create_task(self._listen(ctx))

    async def _listen(self, ctx: Context) -> None:
        async with ctx.subscribe("calendar.*") as messages:
            async for message in messages:
                self.seen.append(f"{message.topic} {message.value} by {message.publisher}")
        self.ended = True

    @capability("watcher.tell")
    async def tell(self, ctx: Context, topic: str) -> int:
        """Publish."""
        return (await ctx.publish(topic, 7)).delivered


async def test_agents_publish_and_subscribe() -> None:
    """By pattern; and the end of the fleet is the end of its subscriptions."""
    watcher = Watcher()
    async with Runtime(Settings(), agents=[watcher]) as runtime:
        await asyncio.sleep(0)
        assert await runtime.call("watcher.tell", topic="calendar.changed") == 1
        assert await runtime.call("watcher.tell", topic="mail.received") == 0
        await asyncio.sleep(0)
        assert watcher.seen == ["calendar.changed 7 by watcher"]
    await watcher.task
    assert watcher.ended


async def test_who_publishes_waits_for_room() -> None:
    """Back-pressure: the third message is delivered when the first has been taken, not before."""
    own = topics(publish_wait=Seconds(60.0))
    subscription = own.subscribe("a", room=2)
    for number in range(2):
        await own.publish("a", number, "me", 60.0)
    third = asyncio.ensure_future(own.publish("a", 2, "me", 60.0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not third.done()
    assert (await anext(subscription)).value == 0
    assert await third == Published(1, 0)
    assert [(await anext(subscription)).value for _ in range(2)] == [1, 2]


async def test_what_is_missed_is_told_to_both() -> None:
    """A subscriber that takes nothing holds nobody up for ever; the publisher knows, and so does the subscriber."""
    own = topics(publish_wait=Seconds(0.001))
    slow, quick = own.subscribe("a", room=1), own.subscribe("*", room=10)
    results = [await own.publish("a", number, "me", 60.0) for number in range(3)]
    assert results == [Published(2, 0), Published(1, 1), Published(1, 1)]
    assert slow.missed == 2
    assert (await anext(slow)).missed == 0
    await own.publish("a", 3, "me", 60.0)
    after = await anext(slow)
    assert (after.value, after.missed, after.number) == (3, 2, 4)
    assert [(await anext(quick)).number for _ in range(4)] == [1, 2, 3, 4]


async def test_a_publisher_without_time_does_not_wait() -> None:
    """Its deadline is nearer than the wait."""
    own = topics(publish_wait=Seconds(3600.0))
    own.subscribe("a", room=1)
    await own.publish("a", 0, "me", 60.0)
    assert await own.publish("a", 1, "me", -1.0) == Published(0, 1)


async def test_a_subscription_that_is_closed_gets_nothing_more() -> None:
    """What waits can still be taken; who waits for room with it is let go."""
    own = topics(publish_wait=Seconds(3600.0))
    async with own.subscribe("a", room=1) as subscription:
        await own.publish("a", 0, "me", 60.0)
        waiting = asyncio.ensure_future(own.publish("a", 1, "me", 60.0))
        await asyncio.sleep(0)
    assert await waiting == Published(0, 1)
    assert [message.value async for message in subscription] == [0]
    assert await own.publish("a", 2, "me", 60.0) == Published(0, 0)


async def test_bounds() -> None:
    """Too many subscriptions, no room, a name that is none."""
    own = topics(subscriptions=2)
    first = own.subscribe("a")
    own.subscribe("a")
    with pytest.raises(Overloaded, match="2 subscriptions"):
        own.subscribe("a")
    first.close()
    own.subscribe("a")
    with pytest.raises(InputError):
        own.subscribe("a", room=0)
    for name in ("", "x" * 300, "a\nb"):
        with pytest.raises(InputError, match="printable"):
            await own.publish(name, 0, "me", 60.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_taken_and_missed_add_up(taking: list[int], room: int) -> None:
    """Whatever is taken in between: in order, none twice, and what is not there was counted as missed."""

    async def play() -> None:
        own = topics(publish_wait=Seconds(0.0))
        subscription = own.subscribe("a", room=room)
        taken: list[Message] = []
        for number, takes in enumerate(taking):
            await own.publish("a", number, "me", 60.0)
            for _ in range(min(takes, len(subscription._waiting))):
                taken.append(await anext(subscription))  # noqa: PERF401
        subscription.close()
        taken += [message async for message in subscription]
        assert [message.value for message in taken] == sorted({message.value for message in taken})
        assert len(taken) + subscription.missed == len(taking)

    asyncio.run(play())
