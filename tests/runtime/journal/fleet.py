"""Agents whose steps are counted, and a way to see what a crash leaves."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from pea import Agent, Context, Runtime, Settings, capability
from pea.errors import Interrupted

Fleet = Callable[..., AbstractAsyncContextManager[Runtime]]


class Clerk(Agent):
    """Counts what it does; holds a step back while its gate is shut."""

    name = "clerk"

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.keys: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()

    async def _hold(self, what: str) -> None:
        self.done[what] += 1
        self.reached.set()
        await self.gate.wait()

    @capability("clerk.read", idempotent=True, retries=0)
    async def read(self, ctx: Context, what: str = "") -> str:
        """An idempotent step."""
        self.done["read" + what] += 1
        return f"read {self.done['read' + what]}"

    @capability("clerk.slow", idempotent=True, retries=0, timeout="60s")
    async def slow(self, ctx: Context) -> str:
        """An idempotent step that waits."""
        await self._hold("slow")
        return "slow"

    @capability("clerk.pay", timeout="60s")
    async def pay(self, ctx: Context, amount: int = 1) -> str:
        """A step that is not idempotent."""
        await self._hold("pay")
        return f"paid {amount}"

    @capability("clerk.fail")
    async def fail(self, ctx: Context) -> None:
        """A step that is not idempotent and fails."""
        self.done["fail"] += 1
        raise Interrupted("the far end hung up", where="line 1")

    @capability("clerk.day", idempotent=True, retries=0, timeout="60s")
    async def day(self, ctx: Context) -> list[str]:
        """Reads twice side by side, pays, then does something slow."""
        self.done["day"] += 1
        parts = await ctx.gather(a=ctx.call("clerk.read", what="a"), b=ctx.call("clerk.read", what="b"))
        paid = await ctx.call("clerk.pay")
        return [str(parts["a"].value), str(parts["b"].value), paid, await ctx.call("clerk.slow")]

    @capability("clerk.when", idempotent=True, retries=0)
    async def when(self, ctx: Context) -> dict[str, datetime]:
        """Half past midnight in Berlin, which in UTC is another day."""
        self.done["when"] += 1
        return {"at": datetime(2026, 5, 12, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))}

    @capability("clerk.date", idempotent=True, retries=0, timeout="60s")
    async def date(self, ctx: Context) -> str:
        """Says what time it was told, after something slow."""
        told = await ctx.call("clerk.when")
        await ctx.call("clerk.slow")
        return str(told["at"].isoformat())

    @capability("clerk.careless", idempotent=True, retries=0, timeout="60s")
    async def careless(self, ctx: Context) -> str:
        """Goes on when a step had failed."""
        try:
            await ctx.call("clerk.fail")
        except Interrupted as error:
            return f"{error.what} at {error.where}; {await ctx.call('clerk.slow')}"
        return "well"

    @capability("clerk.move", resumable=True, timeout="60s")
    async def move(self, ctx: Context, to: str) -> str:
        """Asks before it does something."""
        found = await ctx.call("clerk.read", what="event")
        approval = await ctx.approve(f"Move the event to {to}?", {"to": to, "found": found})
        self.keys.append(approval.key)
        return str(await ctx.call("clerk.pay", amount=len(to)))

    @capability("clerk.ask", idempotent=True, retries=0, timeout="60s")
    async def ask(self, ctx: Context) -> str:
        """Has another capability ask, below a step that is not idempotent."""
        return str(await ctx.call("clerk.move", to="noon"))

    @capability("clerk.last", idempotent=True, retries=0, timeout="60s")
    async def last(self, ctx: Context) -> str:
        """Does something slow, then asks."""
        await self._hold("slow")
        return (await ctx.approve("Is that right?")).summary

    @capability("clerk.pair", idempotent=True, retries=0, timeout="60s")
    async def pair(self, ctx: Context) -> str:
        """Pays and asks, side by side."""
        parts = await ctx.gather(paid=ctx.call("clerk.pay"), approval=ctx.approve("Right?"))
        return str(parts["paid"].value or parts["paid"].error)

    @capability("clerk.two", idempotent=True, retries=0, timeout="60s")
    async def two(self, ctx: Context) -> list[str]:
        """Asks two things at once."""
        parts = await ctx.gather(a=ctx.approve("a"), b=ctx.approve("b"))
        return sorted(part.value.summary if part.value else type(part.error).__name__ for part in parts.values())


def crash(state: Path, to: Path) -> Path:
    """What is on the disk at this moment, as a killed process would leave it."""
    shutil.copytree(state, to, ignore=shutil.ignore_patterns("*-shm"))
    return to


def fleet(settings: Settings) -> Fleet:
    """Starts a runtime with a journal in a folder."""

    @asynccontextmanager
    async def start(state: Path, *agents: Agent, **changes: Any) -> AsyncIterator[Runtime]:
        own = msgspec.structs.replace(settings, journal=msgspec.structs.replace(settings.journal, **changes))
        runtime = Runtime(own, agents=agents)
        runtime.keep_journal(state)
        async with runtime:
            yield runtime

    return start
