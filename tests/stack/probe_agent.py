"""Agents of a user's own, installed by entry point, that make everything happen which a dashboard shows."""

from __future__ import annotations

import asyncio
import itertools

import msgspec

from pea import Agent, Batch, Context, PeaError, capability


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


class Entry(msgspec.Struct, frozen=True):
    """What one caller books."""

    amount: int


class Desk(Agent):
    """Speaks with others in each of the ways there are."""

    name = "desk"

    @capability("desk.post", batch=Batch(50, "5ms"))
    async def post(self, ctx: Context, entries: list[Entry]) -> list[int]:
        """Books what came together at once."""
        return [2 * entry.amount for entry in entries]

    @capability("desk.book", timeout="5s")
    async def book(self, ctx: Context, amounts: list[int]) -> int:
        """Calls what is batched several times at once."""
        return sum(await asyncio.gather(*(ctx.call("desk.post", amount=one) for one in amounts)))

    @capability("desk.ask", timeout="5s")
    async def ask(self, ctx: Context) -> int:
        """Puts the same two questions to all who know balances, and takes the replies as they come."""
        questions = [{"account": 2}, {"account": 3}]
        return len([reply async for reply in ctx.broadcast("*.balance", questions, fresh=True)])

    @capability("desk.tell", timeout="5s")
    async def tell(self, ctx: Context, news: str) -> str:
        """Listens to a topic, and tells it something."""
        async with ctx.subscribe("desk.*") as messages:
            await ctx.publish("desk.news", news)
            return str((await anext(messages)).value)

    @capability("desk.agreed", timeout="5s")
    async def agreed(self, ctx: Context, account: int) -> bool:
        """Whether the ledgers agree on an account's balance."""
        return (await ctx.agree("ledger.balance", {"account": account})).decided

    @capability("desk.look", timeout="5s")
    async def look(self, ctx: Context, url: str) -> int:
        """Asks a server, over the fleet's connections."""
        async with ctx.http.get(url) as answer:
            await answer.read()
            return answer.status


class Ledger(Agent):
    """One of some replicas: the second's file is damaged, and on one account in twenty no two have the same."""

    name = "ledger"
    _made = itertools.count(1)

    def __init__(self) -> None:
        self.number = next(self._made)

    @capability("ledger.balance", idempotent=True)
    async def balance(self, ctx: Context, account: int) -> int:
        """What is left on the account."""
        if account % 20 == 7:
            return self.number
        return -1 if self.number == 2 and account % 5 == 1 else 100 * account


def total(size: int) -> int:
    """The sum of the squares below ``size``."""
    return sum(number * number for number in range(size))
