"""Broadcasts: replies as they come, the slow left behind, equal questions asked once, replies kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from pea import Agent, Batch, Context, Runtime, Settings, capability
from pea.errors import DeadlineExceeded, InputError, UnknownCapability
from pea.runtime.broadcast.fanout import Reply
from pea.runtime.deadline import NEVER
from pea.telemetry import names


class Post(msgspec.Struct, frozen=True):
    """A message for the batching peer."""

    text: str = ""


class Peer(Agent):
    """Answers in different ways."""

    name = "peer"

    def __init__(self) -> None:
        self.asked = 0
        self.told = 0
        self.batches: list[int] = []
        self.gate = asyncio.Event()

    @capability("peer.status", idempotent=True, retries=0)
    async def status(self, ctx: Context, text: str = "") -> str:
        """At once."""
        self.asked += 1
        await asyncio.sleep(0)
        return f"well{text}"

    @capability("slow.status", idempotent=True, retries=0)
    async def slow(self, ctx: Context, text: str = "") -> str:
        """When the gate opens."""
        await self.gate.wait()
        return "late"

    @capability("broken.status", idempotent=True, retries=0)
    async def broken(self, ctx: Context, text: str = "") -> str:
        """Never."""
        raise ConnectionError("gone")

    @capability("stream.status")
    async def stream(self, ctx: Context, text: str = "") -> AsyncIterator[int]:
        """Three times, and then not any more."""
        for number in range(3):
            yield number
        await self.gate.wait()

    @capability("tell.status")
    async def tell(self, ctx: Context, text: str = "") -> str:
        """Not idempotent."""
        self.told += 1
        return "told"

    @capability("batch.status", batch=Batch(10, 0), idempotent=True)
    async def batch(self, ctx: Context, posts: list[Post]) -> list[str]:
        """Many at a time."""
        self.batches.append(len(posts))
        return [post.text for post in posts]

    @capability("asker.ask")
    async def ask(self, ctx: Context) -> list[str]:
        """Through the context."""
        found = [reply.value async for reply in ctx.broadcast("peer.status")]
        await ctx.emit("meeting-created")
        return found + [str(reply.cached) async for reply in ctx.broadcast("peer.status")]


async def ask(runtime: Runtime, wanted: Any = "*.status", *messages: dict[str, Any], **options: Any) -> list[Reply]:
    options.setdefault("reply_timeout_s", 0.02)
    return [reply async for reply in runtime.dispatcher.fanout.ask(wanted, messages or [{}], NEVER, **options)]


async def test_each_replies_in_its_way_and_nobody_waits_for_the_slow() -> None:
    """Requests and streams side by side; what fails or is late is an error of its own, and comes when it is known."""
    async with Runtime(Settings(), agents=[Peer()]) as runtime:
        replies = await ask(runtime)
        values = [(reply.peer, reply.value, reply.number) for reply in replies if reply.ok]
        assert sorted(values) == sorted(
            [
                ("peer.status", "well", 1),
                ("tell.status", "told", 1),
                ("batch.status", "", 1),
                ("stream.status", 0, 1),
                ("stream.status", 1, 2),
                ("stream.status", 2, 3),
            ]
        )
        wrong = {reply.peer: type(reply.error) for reply in replies if not reply.ok}
        assert wrong == {
            "broken.status": ConnectionError,
            "slow.status": DeadlineExceeded,
            "stream.status": DeadlineExceeded,
        }
        assert {reply.peer for reply in replies[-2:]} == {"slow.status", "stream.status"}


async def test_a_reply_can_be_taken_before_the_slow_have_replied() -> None:
    """Partial results: the first is there while another still thinks; leaving ends the rest."""
    peer = Peer()
    async with Runtime(Settings(), agents=[peer]) as runtime:
        stream = runtime.dispatcher.fanout.ask(["slow.status", "peer.status"], [{}], NEVER, reply_timeout_s=3600.0)
        assert (await anext(stream)).value == "well"
        await stream.aclose()


async def test_replies_are_kept_until_an_event() -> None:
    """Those of what is idempotent, up to a thousand, for a few seconds; ``fresh`` asks anew."""
    peer = Peer()
    async with Runtime(Settings(), agents=[peer]) as runtime:
        assert [reply.cached for reply in await ask(runtime, ["peer.status"])] == [False]
        assert [reply.cached for reply in await ask(runtime, ["peer.status"])] == [True]
        assert [reply.cached for reply in await ask(runtime, ["peer.status"], {"text": "!"})] == [False]
        assert peer.asked == 2
        assert [reply.cached for reply in await ask(runtime, ["peer.status"], fresh=True)] == [False]
        await ask(runtime, ["tell.status"])
        await ask(runtime, ["tell.status"])
        assert (peer.asked, peer.told) == (3, 2)
        assert await runtime.call("asker.ask") == ["well", "False"]


async def test_no_more_replies_are_kept_than_were_asked_for() -> None:
    """A thousand by default."""
    async with Runtime(Settings(), agents=[Peer()]) as runtime:
        await ask(runtime, ["peer.status"], *({"text": str(number)} for number in range(1_200)), reply_timeout_s=60.0)
        assert len(runtime.dispatcher.fanout.kept) == 1_000


async def test_equal_questions_are_asked_once() -> None:
    """Messages that are the same, and broadcasts side by side, share one call."""
    peer = Peer()
    async with Runtime(Settings(), agents=[peer]) as runtime:
        await asyncio.gather(*(ask(runtime, ["peer.status"], {}, {}) for _ in range(5)))
        assert peer.asked == 1


async def test_similar_messages_become_a_batch() -> None:
    """Where the peer takes batches."""
    peer = Peer()
    async with Runtime(Settings(), agents=[peer]) as runtime:
        replies = await ask(runtime, ["batch.status"], *({"text": str(number)} for number in range(10)))
        assert sorted((reply.message, reply.value) for reply in replies) == [(n, str(n)) for n in range(10)]
        assert peer.batches == [10]


async def test_who_is_late_keeps_the_reply_for_the_next() -> None:
    """A call that nobody waits for any more goes on within its own timeout, and its reply is not lost."""
    peer = Peer()
    async with Runtime(Settings(), agents=[peer]) as runtime:
        assert isinstance((await ask(runtime, ["slow.status"]))[0].error, DeadlineExceeded)
        peer.gate.set()
        (late,) = await ask(runtime, ["slow.status"], reply_timeout_s=60.0)
        assert late.value == "late"
        assert [reply.cached for reply in await ask(runtime, ["slow.status"])] == [True]


async def test_wrong_questions_are_refused() -> None:
    """A name that there is not, a pattern that nothing matches, more than can be asked at once."""
    async with Runtime(Settings(), agents=[Peer()]) as runtime:
        for wanted in (["peer.statsu"], "x*"):
            with pytest.raises(UnknownCapability):
                await ask(runtime, wanted)
        with pytest.raises(InputError, match="more than 10,000"):
            await ask(runtime, "*.status", *[{}] * 5_000)
        (wrong,) = await ask(runtime, ["peer.status"], {"txt": 1})
        assert isinstance(wrong.error, InputError)


async def test_a_broadcast_is_a_span() -> None:
    """How many were asked, replied, and were known."""
    async with Runtime(Settings(), agents=[Peer()]) as runtime:
        await ask(runtime, ["peer.status", "broken.status"])
        await runtime.telemetry.drain()
        (trace,) = [one for one in runtime.telemetry.recent.list() if one.name == "broadcast"]
        span = runtime.telemetry.recent.get(trace.trace_id)[0]
        found = [
            span.attributes[name]
            for name in (names.PEA_BROADCAST_PEERS, names.PEA_BROADCAST_REPLIES, names.PEA_BROADCAST_CACHED)
        ]
        assert found == [2, 2, 0]
