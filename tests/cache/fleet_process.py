"""A process of a fleet, told by lines of JSON what to do: caches over Redis and a disk of its own.

``python fleet_process.py URL FOLDER`` answers each command with one line. The truth about a key is what stands under
``truth:KEY`` in Redis; computing a value is reading it, and counting that under ``computed:KEY``.
"""

import asyncio
import json
import sys
from pathlib import Path

from redis.asyncio import Redis

from pea.cache import Caches
from pea.config import CacheSettings, L1Settings, L2Settings, L3Settings, L4Settings, Settings
from pea.telemetry import Telemetry
from tests.cache.leases import note_taken

PATIENCE_S = 20.0


class Process:
    """The caches, and the computations that are held back."""

    def __init__(self, url, folder):
        self.url, self.folder = url, Path(folder)
        self.plain = Redis.from_url(url, decode_responses=True)
        self.telemetry = Telemetry(Settings(), {})
        self.caches, self.asking, self.gate = None, None, asyncio.Event()

    async def reset(self, prefix):
        """Begin anew under a prefix that no other run has used."""
        await self.close()
        own = CacheSettings(
            l1=L1Settings(entries=2),
            l2=L2Settings(entries=2),
            l3=L3Settings(url=self.url, prefix=prefix, budget=PATIENCE_S, lease=PATIENCE_S),
            l4=L4Settings(directory=str(self.folder / prefix), budget=PATIENCE_S),
        )
        self.caches = Caches(Settings(cache=own), self.telemetry.tracer)

    async def get(self, key, gate=None, begun=None):
        space, _, own = key.partition(":")

        async def compute():
            value = int(await self.plain.get(f"truth:{key}") or 0)
            await self.plain.incr(f"computed:{key}")
            if begun is not None:
                begun.set()
                await gate.wait()
            return [value]

        namespace = self.caches.namespace(space, ttl_s=600.0, beta=0)
        return (await namespace.get_or_compute(own, compute, tags=[f"tag:{own}"]))[0]

    async def many(self, key, count):
        """So many tasks ask for a key at once, until the computation is held back, here or in another process."""
        self.gate, begun = asyncio.Event(), asyncio.Event()
        note_taken(self.caches.stack.outers[0], begun)
        self.asking = asyncio.gather(*(self.get(key, self.gate, begun) for _ in range(count)))
        await begun.wait()

    async def begin(self, key):
        """Ask, and hold the computation back if it comes to one; whether it has."""
        self.gate, begun = asyncio.Event(), asyncio.Event()
        self.asking = asyncio.create_task(self.get(key, self.gate, begun))
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait([self.asking, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return not self.asking.done()

    async def finish(self):
        """Let the computation that was held back go on; what was asked for."""
        self.gate.set()
        value, self.asking = await self.asking, None
        await self.caches.stack.settle()
        return value

    async def drop(self, pattern):
        """Invalidate; whether it was acknowledged."""
        return (await self.caches.invalidate(pattern)).acknowledged

    async def settle(self):
        await self.caches.stack.settle()

    async def close(self):
        if self.caches is not None:
            await self.caches.aclose()
            self.caches = None


async def main(url, folder):
    process, loop = Process(url, folder), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *arguments = json.loads(line)
        answer = await getattr(process, command)(*arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    await process.close()
    await process.plain.aclose()
    await process.telemetry.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
