"""Agents that do small real things, for tests of the runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import msgspec

from pea import Agent, Context, InputError, Runtime, capability

RunningRuntime = Callable[..., AbstractAsyncContextManager[Runtime]]


class Rate(msgspec.Struct, frozen=True):
    """What one unit of a currency is worth in another."""

    base: str
    quote: str
    value: float


class Rates(Agent):
    """Currency rates, with a table that fails as often as a test asks."""

    name = "rates"

    def __init__(self) -> None:
        self.failures = 0
        self.calls = 0
        self.gate = asyncio.Event()
        self.cancelled = 0

    @capability("rates.table", retries=2)
    async def table(self, ctx: Context, base: str) -> dict[str, float]:
        """Rates from one currency."""
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the exchange hung up")
        return {"EUR": 1.0, "CHF": 0.95} if base == "EUR" else {}

    @capability("rates.convert", timeout="2s")
    async def convert(self, ctx: Context, base: str, quote: str = "CHF", amount: float = 1.0) -> Rate:
        """Convert an amount."""
        table = await ctx.call("rates.table", base=base)
        if quote not in table:
            raise InputError(f"there is no rate for {quote}", where="quote")
        return Rate(base, quote, amount * table[quote])

    @capability("rates.wait")
    async def wait(self, ctx: Context, seconds: Annotated[float, msgspec.Meta(ge=0)] = 3600.0) -> str:
        """Wait until the gate opens."""
        try:
            async with asyncio.timeout(seconds):
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "open"

    @capability("rates.both", timeout="5s")
    async def both(self, ctx: Context, *, limit: str = "5s") -> dict[str, str]:
        """One call that succeeds and others that do not, in parallel."""
        parts = await ctx.gather(
            good=ctx.call("rates.convert", base="EUR"),
            bad=ctx.call("rates.convert", base="EUR", quote="XXX"),
            late=ctx.within(limit).call("rates.wait"),
            unknown=ctx.call("rates.convrt"),
        )
        return {name: "ok" if part.ok else type(part.error).__name__ for name, part in parts.items()}

    @capability("rates.lies")
    async def lies(self, ctx: Context) -> int:
        """Return what is not declared."""
        return "many"  # type: ignore[return-value]

    @capability("rates.compute")
    async def compute(self, ctx: Context, numbers: list[int]) -> int:
        """Add numbers off the loop."""
        return await ctx.compute(sum, numbers)


class Broken(Agent):
    """An agent that does not start."""

    name = "broken"

    async def start(self, ctx: Context) -> None:
        raise RuntimeError("its disk is gone")

    @capability("broken.anything")
    async def anything(self, ctx: Context) -> None:
        """Never reached."""
