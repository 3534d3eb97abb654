"""`pea serve` in a process of its own, as a user starts it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def serving(state: Path, **environ: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process on the sample workspace and its address, once it says where its page is."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pea", "serve", "--config", "examples/workspace/pea.yaml", "--port", "0"),
        *("--state", str(state)),
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                word, _, url = line.decode().strip().partition(" ")
                if word == "page":
                    break
            else:
                raise AssertionError("the service ended before it was ready")
        yield process, url.strip().rstrip("/")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
