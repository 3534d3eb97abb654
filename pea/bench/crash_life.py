"""One service of the crash bench, from its start to its violent end, over and over on one state folder and port."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from pea.bench.process import environ, free_port, is_ready
from pea.runtime.journal import Tables

START_LIMIT_S = 60.0
POLL_S = 0.01


class Life:
    """The service's process. `start`, `ready`, `kill`; and again."""

    def __init__(self, state: Path, ledger: Path) -> None:
        self._state, self._ledger = state, ledger
        self._log = ledger.with_name("log")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None
        self._began = 0.0

    async def start(self, number: int) -> None:
        """Begin life ``number``; it is not ready yet."""
        self._began = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pea.bench.crash_serve"),
                *(str(self._state), str(self._port), str(self._ledger), str(number)),
                env=environ(),
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> float:
        """Wait until it is ready: seconds since the start. Raises RuntimeError when it does not become so."""
        assert self._process is not None
        while not await is_ready(self._port):
            if self._process.returncode is not None or time.perf_counter() - self._began > START_LIMIT_S:
                last = self._log.read_text(errors="replace")[-500:]
                raise RuntimeError(f"the service did not become ready: exit code {self._process.returncode}: {last}")
            await asyncio.sleep(POLL_S)
        return time.perf_counter() - self._began

    def terminate(self) -> None:
        """Ask it to stop."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended."""
        process, self._process = self._process, None
        if process is not None:
            await process.wait()

    def open_tasks(self, folder: Path) -> int:
        """How many tasks have not ended."""
        tables = Tables.open_to_read(folder / "journal.db")
        try:
            return int(tables.db.execute("SELECT count(*) FROM task WHERE ended IS NULL").fetchone()[0])
        finally:
            tables.close()
