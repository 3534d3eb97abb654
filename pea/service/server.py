"""Runs the application: bound before its agents are started, and stopped so that nothing in hand is lost."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from pea.errors import ConfigError
from pea.runtime import Runtime
from pea.service.access.state import AUDITOR, GATE
from pea.service.access.tls import Certificates, certificates
from pea.service.alerts import on_the_board
from pea.service.alerts_detector import DETECTOR
from pea.service.application import create_app
from pea.service.chronicle import HOLDER
from pea.service.connection import Runner
from pea.service.dashboard import BOARD
from pea.service.guard import is_loopback
from pea.service.routine import Routine
from pea.service.state import STATE
from pea.telemetry import get_logger

if TYPE_CHECKING:
    from pea.watch.watcher import Watcher

SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 1_024

log = get_logger("pea.service")


class Service:
    """A runtime behind HTTP. ``async with Service(Runtime(settings)) as service: await service.until_stopped()``.

    The runtime must not have been started. Its own telemetry is flushed and closed last of all; one that was given to
    it is its giver's to close, after the service.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.app = create_app(runtime)
        self._state = self.app[STATE]
        self._routine = Routine(runtime)
        self._runner = Runner(self.app)
        self._certificates: Certificates | None = None
        self._port = 0
        self._starting: asyncio.Task[None] | None = None
        self._closed = False
        self._stop_wanted = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the service is, such as ``http://127.0.0.1:8080``; the port is known once it is bound."""
        host = self.runtime.settings.service.host
        scheme = "https" if self.runtime.settings.access.tls.cert else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Bind, and begin to start the agents: from here on the service answers, and says 503 until it is ready.

        Raises ConfigError when the address cannot be used, or may not be.
        """
        settings = self.runtime.settings.service
        self._certificates = certificates(self.runtime.settings.access.tls)
        self.app[GATE].open()
        try:
            await self.app[AUDITOR].open()
        except ConfigError:
            await self.app[GATE].close()
            raise
        self.runtime.telemetry.start()
        self.app[HOLDER].open(self.runtime.settings, self.runtime.telemetry)
        self.app[BOARD].attach(self.app[HOLDER])
        self.app[BOARD].count_network(self._runner.network_bytes)
        await self._runner.setup()
        try:
            context = None if self._certificates is None else self._certificates.context
            await web.TCPSite(self._runner, settings.host, settings.port, backlog=BACKLOG, ssl_context=context).start()
        except OSError as error:
            await self._runner.cleanup()
            await self._shut()
            await self.app[HOLDER].close()
            raise ConfigError(
                f"{settings.host}:{settings.port} cannot be bound: {error.strerror or error}",
                where="service.port",
                fix="stop what uses it, or choose another port (0: any free one)",
            ) from error
        self._port = self._runner.addresses[0][1]
        if context is None and not is_loopback(settings.host):
            log.warning("tokens and answers go over the network as they are", fix="set access.tls.cert, or put a proxy")
        state = self.runtime.settings.state
        if state and self.runtime.settings.journal.on:
            self.runtime.keep_journal(Path(state) / "journal")
        self._starting = asyncio.create_task(self.runtime.start(), name="pea-start")
        self._starting.add_done_callback(_told)
        self._watch(self._starting)
        self._routine.start(self._starting)

    def _watch(self, starting: asyncio.Task[None]) -> None:
        """Have the detector watch every span once the agents have started; what fires is on the dashboard."""
        chronicle, board, detector = self.app[HOLDER].chronicle, self.app[BOARD], self.app[DETECTOR]
        if chronicle is None:
            return

        def show(watcher: Watcher) -> None:
            board.alerts = lambda: on_the_board(watcher)

        state = self.runtime.settings.state
        path = Path(state) / "alerts.json" if state else None
        detector.on_open.append(show)
        detector.start(chronicle, self.runtime.telemetry, self.url, path, starting)

    async def ready(self) -> None:
        """Wait until every agent's start has ended; raises what kept the runtime from starting."""
        if self._starting is None:
            raise ConfigError("the service has not been started", fix="use `async with Service(...)`")
        await asyncio.shield(self._starting)

    def stop(self) -> None:
        """Have `until_stopped` return; safe to call more than once."""
        self._stop_wanted.set()

    async def until_stopped(self) -> None:
        """Serve until SIGTERM, SIGINT or `stop`; raises what kept the runtime from starting."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        stopped = asyncio.create_task(self._stop_wanted.wait())
        try:
            if self._starting is not None and not self._starting.done():
                await asyncio.wait([self._starting, stopped], return_when=asyncio.FIRST_COMPLETED)
            if self._starting is not None and self._starting.done():
                self._starting.result()
            await stopped
        finally:
            stopped.cancel()
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def run(self) -> None:
        """Start, serve until a signal, stop in order."""
        async with self:
            await self.until_stopped()

    async def close(self, grace_s: float | None = None) -> None:
        """Stop in order; within ``grace_s`` (the setting ``service.grace``) seconds for what is running.

        First `/readyz` says 503 and new tasks are refused, while tasks can still be read and followed; then running
        tasks end or are handed back as cancelled; then the last answers go out and the socket closes; then the agents
        stop; and at the very end the runtime's own telemetry, which has seen all of it, is flushed.
        """
        if self._closed:
            return
        self._closed = True
        self._state.stopping = True
        grace = float(self.runtime.settings.service.grace) if grace_s is None else grace_s
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._routine.close()
        if self.runtime.ready:
            await self.runtime.scheduler.close(grace)
        await self._runner.cleanup()
        await self._shut()
        await self.app[DETECTOR].close()
        await self.runtime.close(grace)
        await self.app[HOLDER].close()

    async def _shut(self) -> None:
        """Let nobody in any more, and end the audit log."""
        await self.app[GATE].close()
        await self.app[AUDITOR].close()


def _told(starting: asyncio.Task[None]) -> None:
    """Whoever waits hears what kept the runtime from starting; when nobody does, asyncio need not complain as well."""
    if not starting.cancelled():
        starting.exception()
