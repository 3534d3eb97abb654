"""Where the handlers find what the service remembers, and how it is opened and closed with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from pea.config import Settings
from pea.service.refusals import NotReady
from pea.store import Chronicle
from pea.telemetry import Telemetry


def chronicle_of(request: web.Request) -> Chronicle:
    """The chronicle; NotReady where the application runs without its service, which opens it."""
    chronicle = request.app[HOLDER].chronicle
    if chronicle is None:
        raise NotReady("what the service remembers is not open", fix="try again", headers={"Retry-After": "1"})
    return chronicle


class Holder:
    """Has the chronicle from `open` to `close`; without a state folder it lasts as long as the service."""

    def __init__(self) -> None:
        self.chronicle: Chronicle | None = None
        self._telemetry: Telemetry | None = None
        self._temporary: TemporaryDirectory[str] | None = None

    def open(self, settings: Settings, telemetry: Telemetry) -> None:
        """Open the chronicle in the state folder and have it take every span that ends in this process."""
        if not settings.state:
            self._temporary = TemporaryDirectory(prefix="pea-chronicle-", ignore_cleanup_errors=True)
        folder = Path(self._temporary.name if self._temporary else settings.state) / "chronicle"
        self.chronicle = Chronicle(folder, settings)
        self.chronicle.attach(telemetry)
        self._telemetry = telemetry

    async def close(self) -> None:
        """Write the last spans and close the files; to be called when nothing makes spans any more."""
        chronicle, self.chronicle = self.chronicle, None
        if chronicle is not None:
            if self._telemetry is not None:
                await self._telemetry.drain()
            await asyncio.to_thread(chronicle.close)
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


HOLDER: web.AppKey[Holder] = web.AppKey("chronicle", Holder)
