"""A real HTTP server that speaks OpenAI's chat completions, with the faults that such servers have."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from aiohttp import web

from pea.config import LlmSettings, Seconds, Settings, TelemetrySettings
from pea.llm import LanguageModel
from pea.telemetry import Telemetry
from tests.llm.completions import stream


class Model:
    """What the server does next: each of ``script`` serves one request, then the last one again and again."""

    def __init__(self) -> None:
        self.script: list[Any] = ["Hello from the model."]
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self.silent = False
        self.over = asyncio.Event()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as the script says."""
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        if self.silent:
            await self.over.wait()
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(step):
            step = step(body)
        if isinstance(step, web.StreamResponse):
            return step
        if isinstance(step, bytes):
            return await self._raw(request, step)
        return await self._raw(request, stream(step))

    async def _raw(self, request: web.Request, data: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        size = max(7, len(data) // 500)
        for start in range(0, len(data), size):  # pieces that end in the middle of lines and of characters
            await response.write(data[start : start + size])
        await response.write_eof()
        return response


@pytest.fixture
async def server() -> AsyncIterator[Model]:
    """The server, running."""
    model = Model()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield model
    model.over.set()
    await runner.cleanup()


@pytest.fixture
async def telemetry() -> AsyncIterator[Telemetry]:
    """Spans, kept."""
    found = Telemetry(Settings(telemetry=TelemetrySettings()))
    found.start()
    yield found
    await found.aclose()


@pytest.fixture
async def make(server, telemetry, tmp_path):
    """Makes models that ask the server; pauses are noted instead of waited for."""
    made = []

    def model(**settings: Any) -> LanguageModel:
        own = {"url": server.url, "model": "tiny", "timeout": Seconds(5), "first_token": Seconds(2), **settings}
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)

        found = LanguageModel(
            LlmSettings(**own), str(tmp_path), telemetry.tracer, lambda: date(2026, 5, 12), pause=pause
        )
        found.pauses = pauses
        made.append(found)
        return found

    yield model
    for one in made:
        await one.aclose()
