"""A service whose one agent writes down each thing it does before it does it, in a process of its own, to be killed.

``python -m pea.bench.crash_serve STATE PORT LEDGER LIFE``
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from pea.config import LogSettings, ServiceSettings, Settings, load
from pea.runtime import Agent, Context, Runtime, capability
from pea.service import Service
from pea.telemetry import configure_logging

OVERRIDES = {
    "journal.entries": 1_000_000,
    "journal.crashes": 1_000,  # every crash here is ours, and no task is to blame
    "service.grace": 0.2,
    "watch.on": False,
    "store.size": "16MiB",
    "runtime.queue": 10_000,
    "runtime.history": 200,
}


class Worker(Agent):
    """Tasks of a few steps; each step appends a line to the ledger, on the disk before the step goes on."""

    name = "worker"

    def __init__(self, ledger: Path, life: int) -> None:
        self._life = life
        self._ledger = os.open(ledger, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    @capability("worker.job", idempotent=True, timeout="30s")
    async def job(self, ctx: Context, number: int) -> int:
        """Two steps side by side, then one that must never be done twice, then a last one."""
        parts = await ctx.gather(
            first=ctx.call("worker.first", number=number), second=ctx.call("worker.second", number=number)
        )
        for part in parts.values():
            if part.error is not None:
                raise part.error
        await ctx.call("worker.pay", number=number)
        return int(await ctx.call("worker.last", number=number))

    @capability("worker.first", idempotent=True)
    async def first(self, ctx: Context, number: int) -> int:
        """An idempotent step."""
        return await self._write(ctx, number)

    @capability("worker.second", idempotent=True)
    async def second(self, ctx: Context, number: int) -> int:
        """Another, beside it."""
        return await self._write(ctx, number)

    @capability("worker.pay")
    async def pay(self, ctx: Context, number: int) -> int:
        """A step that is not idempotent, and a task in its own right."""
        return await self._write(ctx, number)

    @capability("worker.last", idempotent=True)
    async def last(self, ctx: Context, number: int) -> int:
        """The step after it."""
        return await self._write(ctx, number)

    async def _write(self, ctx: Context, number: int) -> int:
        line = f"{ctx.task_id} {ctx.capability} {self._life}\n".encode()
        await asyncio.to_thread(self._append, line)
        return number

    def _append(self, line: bytes) -> None:
        os.write(self._ledger, line)
        os.fsync(self._ledger)


def settings(state: Path, port: int) -> Settings:
    """What the service runs with: all of it as usual, but for bounds that would forget what is to be counted."""
    made = load(environ={}, overrides={"state": str(state), **OVERRIDES})
    return msgspec.structs.replace(
        made,
        service=ServiceSettings(host="127.0.0.1", port=port, grace=made.service.grace, max_wait=made.service.max_wait),
    )


async def _serve(state: Path, port: int, ledger: Path, life: int) -> None:
    await Service(Runtime(settings(state, port), agents=[Worker(ledger, life)])).run()


if __name__ == "__main__":
    configure_logging(LogSettings(format="json", level="error"))
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
