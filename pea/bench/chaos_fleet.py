"""Fifteen agents that wait for something, keep some of it in the caches, and do what is wrong with them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from pea.bench.agree import lie
from pea.runtime import Agent, Context, capability, isolated

NAMES = (
    "orchestrator", "calendar", "communication", "documents", "travel", "finance", "crisis", "security", "culture",
    "research", "legal", "wellness", "stakeholders", "strategy", "performance",
)  # fmt: skip
FAULTY = ("travel", "research")  # the two of fifteen
VOTERS = 4  # replicas of those where some lie
WAIT_S = 0.01
LATER_S = 0.001  # each replica than the one before
CHAIRS = NAMES[0]  # asks three of the others


class Trouble:
    """What is wrong at present; shared by a fleet. Times and faults are those of the bench."""

    def __init__(self) -> None:
        self.fault = ""

    async def strike(self, agent: str) -> None:
        """Crash or hang, if that is this agent's fault now."""
        if agent not in FAULTY:
            return
        if self.fault == "crash":
            raise ConnectionError("gone")
        if self.fault == "hang":
            await asyncio.Event().wait()

    def told(self, agent: str, replica: int, value: int) -> int:
        """The answer, or the lie of one in four."""
        return lie(value) if self.fault == "lie" and agent in FAULTY and replica == 1 else value


@isolated(timeout="5s")
def crunch(seed: int, crash: bool) -> int:  # noqa: FBT001 - a job's arguments
    """Work for a processor, or the end of it."""
    if crash:
        os.abort()
    return sum(number * number % 7 for number in range(2_000 + seed % 10))


def right(seed: int) -> int:
    """What an agent has to answer."""
    return 3 * seed + 1


def staff(trouble: Trouble, voters: int = 1) -> list[Agent]:
    """The fifteen; the two that may be faulty have so many replicas."""
    found: list[Agent] = []
    for name in NAMES:
        kind = _kind(name, trouble)
        found += [kind(replica) for replica in range(1, (voters if name in FAULTY else 1) + 1)]
    return found


def _kind(agent: str, trouble: Trouble) -> Callable[[int], Agent]:
    class Clerk(Agent):
        """One of the fifteen."""

        name = agent

        def __init__(self, replica: int) -> None:
            self._replica = replica

        @capability(f"{agent}.work", idempotent=True, timeout="500ms", retries=1)
        async def work(self, ctx: Context, seed: int) -> int:  # noqa: ARG002
            """Wait as for a disk or a network, and answer; of replicas the first, who may lie, is soonest."""
            await trouble.strike(agent)
            await asyncio.sleep(WAIT_S + LATER_S * (self._replica - 1))
            return trouble.told(agent, self._replica, right(seed))

        @capability(f"{agent}.look", cache="1m", timeout="500ms", retries=1)
        async def look(self, ctx: Context, seed: int) -> int:  # noqa: ARG002
            """The same, kept in all tiers."""
            await asyncio.sleep(WAIT_S)
            return right(seed)

        @capability(f"{agent}.crunch", timeout="5s", idempotent=True, retries=0)
        async def crunch(self, ctx: Context, seed: int, crash: bool = False) -> int:  # noqa: FBT001, FBT002
            """In a worker process."""
            await ctx.compute(crunch, seed, crash)
            return right(seed)

        @capability(f"{agent}.brief", timeout="3s", idempotent=True, retries=0)
        async def brief(self, ctx: Context, seed: int, others: list[str]) -> int:
            """Ask several agents side by side; what one of them cannot say is left out, and the rest is told."""
            calls: dict[str, Any] = {other: ctx.call(f"{other}.work", seed=seed) for other in others}
            parts = await ctx.gather(**calls)
            return max(int(part.value) for part in parts.values() if part.value is not None)

    return Clerk
