"""An agent, or a library that it uses, gives up with sys.exit: its call fails, and the process goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.errors import PeaError
from pea.runtime import TaskState
from pea.runtime.batch import Batch
from pea.runtime.deadline import NEVER
from pea.runtime.directory import AgentState


class Item(msgspec.Struct, frozen=True):
    """What one caller of a batch gives."""

    number: int


class Quitter(Agent):
    """Wants out wherever it is asked."""

    name = "quitter"

    @capability("quitter.plain", retries=0)
    async def plain(self, ctx: Context) -> int:
        """At once."""
        sys.exit(3)

    @capability("quitter.cached", cache="1m", retries=0)
    async def cached(self, ctx: Context) -> int:
        """In the task that computes for all who ask."""
        sys.exit("enough")

    @capability("quitter.batched", batch=Batch(4, 0), idempotent=True, retries=0)
    async def batched(self, ctx: Context, items: list[Item]) -> list[int]:
        """In the batch's task, because of one of its callers."""
        if any(item.number == 13 for item in items):
            sys.exit(3)
        return [item.number for item in items]

    @capability("quitter.stream", retries=0)
    async def stream(self, ctx: Context) -> AsyncIterator[int]:
        """After an item."""
        yield 1
        sys.exit(3)

    @capability("quitter.beside", retries=0)
    async def beside(self, ctx: Context) -> list[str]:
        """In one of two calls side by side."""
        parts = await ctx.gather(a=ctx.call("quitter.plain"), b=ctx.call("quitter.cached"))
        return [str(part.error) for part in parts.values()]

    async def health(self) -> str | None:
        """Not even well."""
        sys.exit(3)

    async def stop(self) -> None:
        """Nor does it stop in order."""
        sys.exit(3)


class NonStarter(Agent):
    """Does not come to work."""

    name = "nonstarter"

    async def start(self, ctx: Context) -> None:
        """Leave."""
        sys.exit(3)


@pytest.mark.parametrize("name", ["plain", "cached", "stream"])
async def test_a_call_fails_and_nothing_else_does(name: str) -> None:
    """Called plainly, from the cache's task, or as a stream collected: an error that names the capability."""
    async with Runtime(Settings(), agents=[Quitter()]) as runtime:
        with pytest.raises(PeaError, match="asked for the process to end") as caught:
            await runtime.call(f"quitter.{name}")
        assert caught.value.where == f"quitter.{name}"
        task, _ = await runtime.scheduler.run(f"quitter.{name}", {})
        assert (task.state, runtime.scheduler.running) == (TaskState.FAILED, 0)


async def test_in_a_batch_only_who_caused_it_fails() -> None:
    """The others get their answers."""
    async with Runtime(Settings(), agents=[Quitter()]) as runtime:
        calls = (runtime.call("quitter.batched", number=one) for one in (1, 13, 3))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in answers] == [int, PeaError, int]


async def test_side_by_side_and_item_by_item() -> None:
    """A part that fails so is one that failed; a stream's items before count."""
    async with Runtime(Settings(), agents=[Quitter()]) as runtime:
        told = await runtime.call("quitter.beside")
        assert all("asked for the process to end" in one for one in told)
        stream = runtime.dispatcher.streams.open("quitter.stream", {}, NEVER)
        assert await anext(stream) == 1
        with pytest.raises(PeaError, match="asked for the process to end"):
            await anext(stream)


async def test_health_start_and_stop() -> None:
    """The fleet starts without it, says that it is not well, and stops."""
    async with Runtime(Settings(), agents=[Quitter(), NonStarter()]) as runtime:
        assert "SystemExit" in ((await runtime.health("quitter")).problem or "")
        assert runtime.directory.record("nonstarter").state is not AgentState.READY
