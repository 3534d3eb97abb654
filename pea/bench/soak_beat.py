"""A process whose loop has nothing to do but a beat every 50 ms: how late the machine itself makes a loop.

``python -m pea.bench.soak_beat`` beats until its standard input is closed, then prints its lags' p99 in milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pea.bench.measure import quantile
from pea.telemetry.loop_lag import BEAT_S


@asynccontextmanager
async def bare_loop() -> AsyncIterator[list[float]]:
    """Have a bare loop beat beside the block; at its end its p99 in milliseconds is in the list."""
    found: list[float] = []
    command = (sys.executable, "-m", "pea.bench.soak_beat")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield found
    finally:
        said, _ = await process.communicate(b"")
        found.append(float(said or b"nan"))


async def _beat() -> float:
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    late: list[float] = []
    while not ended.done():
        due = time.perf_counter() + BEAT_S
        await asyncio.sleep(BEAT_S)
        late.append(time.perf_counter() - due)
    return 1e3 * quantile(late, 0.99)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(_beat())}\n")
