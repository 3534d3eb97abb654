"""Where the handlers find what the service remembers, and how it is opened and closed with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from pea.config import Settings
from pea.store import Chronicle
from pea.telemetry import Telemetry

CHRONICLE: web.AppKey[Chronicle] = web.AppKey("chronicle", Chronicle)


def open_chronicle(settings: Settings, telemetry: Telemetry) -> Chronicle:
    """Open the chronicle in the state folder and have it take every span that ends in this process."""
    chronicle = Chronicle(Path(settings.state or ".pea") / "chronicle", settings)
    chronicle.attach(telemetry)
    return chronicle


async def close_chronicle(chronicle: Chronicle, telemetry: Telemetry) -> None:
    """Hand over the last spans and close the files; to be called when nothing makes spans any more."""
    await telemetry.flush()
    await asyncio.to_thread(chronicle.close)
