"""What a service does by itself: fires schedules, and asks the user's servers for what is new."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pea.errors import PeaError
from pea.runtime import Runtime
from pea.runtime.schedule import Clockwork, Shelf
from pea.runtime.schedule.firing import arguments
from pea.runtime.task import Priority
from pea.telemetry import get_logger

# Which capability asks accounts of which kinds.
SYNCS = {"calendar.sync": ("caldav", "web"), "communication.sync": ("imap",)}

log = get_logger("pea.service")


class Routine:
    """Begins once the runtime is ready; `close` it before the scheduler is closed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks: list[asyncio.Task[None]] = []
        self._clockwork: Clockwork | None = None

    def start(self, ready: asyncio.Task[None]) -> None:
        """Begin as soon as ``ready`` is done."""
        self._tasks.append(asyncio.create_task(self._begin(ready), name="pea-routine"))

    async def close(self) -> None:
        """Begin nothing more."""
        if self._clockwork is not None:
            await self._clockwork.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _begin(self, ready: asyncio.Task[None]) -> None:
        await asyncio.wait([ready])
        if ready.cancelled() or ready.exception() is not None:
            return
        runtime, settings = self._runtime, self._runtime.settings
        if settings.state and settings.journal.on:
            self._clockwork = Clockwork(Shelf(Path(settings.state)), self._submit, runtime.telemetry.tracer)
            self._clockwork.start()
        every = float(settings.connect.every)
        kinds = {account.kind for account in settings.connect.accounts.values()}
        wanted = [one for one, own in SYNCS.items() if kinds.intersection(own) and runtime.scheduler.find(one)]
        if every > 0 and wanted:
            self._tasks.append(asyncio.create_task(self._sync(wanted, every), name="pea-sync"))

    async def _submit(self, capability: str, given: bytes, key: str) -> str:
        task = await self._runtime.scheduler.accept(capability, arguments(given), idempotency_key=key)
        return task.id

    async def _sync(self, capabilities: list[str], every: float) -> None:
        scheduler = self._runtime.scheduler
        while True:
            for capability in capabilities:
                try:
                    task = scheduler.submit(capability, {}, priority=Priority.LOW)
                    await scheduler.wait(task.id)
                except PeaError as error:  # no room now: it is asked again the next time
                    log.warning("the servers were not asked for what is new", capability=capability, reason=str(error))
            await asyncio.sleep(every)
