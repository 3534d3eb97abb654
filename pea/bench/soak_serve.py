"""``pea serve`` in a process of its own, to be started, killed and started again on the same state."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from pea.bench.process import environ, free_port, is_ready

START_LIMIT_S = 30.0
POLL_S = 0.005


class Served:
    """A service on one workspace, state folder and port; ``environ`` are its PEA_* settings."""

    def __init__(self, workspace: Path, state: Path, environ: Mapping[str, str]) -> None:
        self.state = state
        self._workspace = workspace
        self._environ = dict(environ)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None
        self._seen: psutil.Process | None = None

    async def start(self) -> float:
        """Start, and wait until it is ready: seconds that took. Raises RuntimeError when it does not become so."""
        began = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pea", "serve", "--port", str(self.port)),
            *("--config", str(self._workspace / "pea.yaml"), "--state", str(self.state)),
            env=environ() | self._environ,
            cwd=self._workspace,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._seen = psutil.Process(self._process.pid)
        while not await is_ready(self.port):
            if self._process.returncode is not None or time.perf_counter() - began > START_LIMIT_S:
                raise RuntimeError(f"the service did not become ready: exit code {self._process.returncode}")
            await asyncio.sleep(POLL_S)
        return time.perf_counter() - began

    async def kill(self) -> float:
        """``kill -9``; gives the monotonic second of it."""
        at = time.monotonic()
        await self._end(signal.SIGKILL)
        return at

    async def stop(self) -> None:
        """Ask it to stop in order, and wait for that."""
        await self._end(signal.SIGTERM)

    @property
    def rss_bytes(self) -> int:
        """Resident memory; 0 while it does not run."""
        try:
            return int(self._seen.memory_info().rss) if self._seen is not None else 0
        except psutil.NoSuchProcess:
            return 0

    @property
    def cpu_s(self) -> float:
        """CPU seconds this process has used; 0 while it does not run."""
        try:
            times = self._seen.cpu_times() if self._seen is not None else None
        except psutil.NoSuchProcess:
            return 0.0
        return times.user + times.system if times is not None else 0.0

    def store_bytes(self) -> tuple[int, int]:
        """Sizes of the span store's file and of its write-ahead log."""
        path = self.state / "chronicle" / "spans.db"
        return _size(path), _size(path.with_name("spans.db-wal"))

    async def _end(self, number: signal.Signals) -> None:
        process, self._process, self._seen = self._process, None, None
        if process is not None:
            if process.returncode is None:
                process.send_signal(number)
            await process.wait()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
