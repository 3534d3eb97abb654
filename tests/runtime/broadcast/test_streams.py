"""Capabilities that stream: item by item, no further ahead than there is room, ended by whoever leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.errors import Conflict, DeadlineExceeded, OutputError, PeaError
from pea.runtime.batch import Batch
from pea.runtime.broadcast.stream import Stream
from pea.runtime.deadline import NEVER
from pea.runtime.directory import Directory
from pea.runtime.policy import BreakerState
from pea.telemetry import names


class Ticker(Agent):
    """Counts."""

    name = "ticker"

    def __init__(self) -> None:
        self.made = 0
        self.ended = 0

    @capability("ticker.count", timeout="100ms")
    async def count(self, ctx: Context, to: int = 3, fault: str = "") -> AsyncIterator[int]:
        """Numbers from 1; at the last one it does what its fault is."""
        try:
            for number in range(1, to + 1):
                self.made += 1
                if number == to and fault == "raises":
                    raise ConnectionError("gone")
                if number == to and fault == "hangs":
                    await asyncio.Event().wait()
                yield "many" if number == to and fault == "lies" else number  # type: ignore[misc]
        finally:
            self.ended += 1

    @capability("ticker.once")
    async def once(self, ctx: Context) -> int:
        """Does not stream."""
        return 1


def open_(runtime: Runtime, **arguments: Any) -> Stream[int]:
    return runtime.dispatcher.streams.open("ticker.count", arguments, NEVER)


async def test_items_come_one_by_one() -> None:
    """All of them, in order; and the stream ends."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        assert [item async for item in open_(runtime, to=5)] == [1, 2, 3, 4, 5]


async def test_a_plain_call_collects_them() -> None:
    """So tasks, and callers that do not stream, can ask as well."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        assert await runtime.call("ticker.count", to=4) == [1, 2, 3, 4]
        with pytest.raises(OutputError, match=r"more than 10,000 items.*ctx\.stream"):
            await runtime.call("ticker.count", to=20_000)


async def test_nothing_is_produced_beyond_the_room_there_is() -> None:
    """Who takes nothing holds the producer up: sixteen wait, and one is in its hands."""
    ticker = Ticker()
    async with Runtime(Settings(), agents=[ticker]) as runtime:
        async with open_(runtime, to=1_000) as stream:
            for _ in range(200):
                await asyncio.sleep(0)
            assert ticker.made == 17
            assert await anext(stream) == 1
        assert ticker.ended == 1


async def test_a_stream_that_nobody_holds_ends() -> None:
    """Without `aclose`, when its taker forgets it."""
    ticker = Ticker()
    async with Runtime(Settings(), agents=[ticker]) as runtime:
        async for item in open_(runtime, to=1_000):
            if item == 2:
                break
        for _ in range(20):
            await asyncio.sleep(0)
        assert ticker.ended == 1


@pytest.mark.parametrize(
    ("fault", "error"), [("raises", ConnectionError), ("hangs", DeadlineExceeded), ("lies", OutputError)]
)
async def test_what_came_before_a_failure_is_taken_first(fault: str, error: type[Exception]) -> None:
    """Then the taker gets what the producer raised; a wait for one item is bounded by the capability's timeout."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        taken: list[int] = []

        async def take() -> None:
            async for item in open_(runtime, to=3, fault=fault):
                taken.append(item)  # noqa: PERF401 - what was taken before it raised is the point

        with pytest.raises(error):
            await take()
        assert taken == [1, 2]
        calls, failing, _ = runtime.dispatcher.guards.breakers["ticker.count", None].rates(runtime.dispatcher.clock())
        assert (calls, failing) == (1, 1.0)


async def test_a_stream_left_before_it_began_takes_no_probe_from_its_breaker() -> None:
    """A half-open breaker lets a few probes through; those that were never made must not count for ever."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        assert [item async for item in open_(runtime)] == [1, 2, 3]
        breaker = runtime.dispatcher.guards.breakers["ticker.count", None]
        breaker.state, breaker.until = BreakerState.OPEN, 0.0
        for _ in range(breaker.policy.probes + 1):
            await open_(runtime).aclose()
        for _ in range(breaker.policy.probes):
            assert [item async for item in open_(runtime)] == [1, 2, 3]
        assert breaker.state is BreakerState.CLOSED


async def test_a_stream_is_a_span_with_the_number_of_its_items() -> None:
    """Under the agent's name, as every call."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        _ = [item async for item in open_(runtime)]
        await runtime.telemetry.drain()
        (trace,) = [one for one in runtime.telemetry.recent.list() if one.name == "invoke_agent ticker"]
        (span,) = runtime.telemetry.recent.get(trace.trace_id)
        assert span.attributes[names.PEA_STREAM_ITEMS] == 3


async def test_what_does_not_stream_is_refused() -> None:
    """With what to do instead; and a declaration that is no stream."""
    async with Runtime(Settings(), agents=[Ticker()]) as runtime:
        with pytest.raises(Conflict, match="does not stream"):
            runtime.dispatcher.streams.open("ticker.once", {}, NEVER)

    class Wrong(Agent):
        name = "wrong"

        @capability("wrong.stream")
        async def stream(self, ctx: Context) -> int:  # type: ignore[misc]
            """Yields, and does not say so."""
            yield 1

    with pytest.raises(PeaError, match="AsyncIterator"):
        Directory().add(Wrong())
    with pytest.raises(TypeError, match="streams"):

        @capability("wrong.both", batch=Batch())
        async def both(self: Any, ctx: Context) -> AsyncIterator[int]:
            yield 1
