"""An agent of a user's own, installed by entry point, that makes everything happen which a dashboard shows."""

from __future__ import annotations

import asyncio

from pea import Agent, Context, PeaError, capability


class Broken(PeaError):
    """It fails because it was asked to."""

    code = "broken"


class Probe(Agent):
    """Works, waits, fails and computes on request."""

    name = "probe"

    @capability("probe.work", cache="5m", timeout="5s")
    async def work(self, ctx: Context, number: int) -> str:
        """Something worth keeping; slow enough for others to ask meanwhile."""
        with ctx.step("think"):
            await asyncio.sleep(0.02)
        return f"{number}" * 500

    @capability("probe.slow", timeout="5s", idempotent=True)
    async def slow(self, ctx: Context) -> float:
        """Takes its time."""
        await asyncio.sleep(0.4)
        return ctx.remaining_s

    @capability("probe.fail", retries=0)
    async def fail(self, ctx: Context) -> None:
        """Never succeeds."""
        raise Broken("asked to fail", where=ctx.agent)

    @capability("probe.compute", timeout="20s")
    async def compute(self, ctx: Context, size: int) -> int:
        """Work for a processor."""
        return await ctx.compute(total, size)


def total(size: int) -> int:
    """The sum of the squares below ``size``."""
    return sum(number * number for number in range(size))
