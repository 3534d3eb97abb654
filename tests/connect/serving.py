"""`pea serve` in a process of its own on an office, to be killed and started again; and asking it over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.connect.conftest import Office
from tests.connect.servers import PASSWORD

ROOT = Path(__file__).parents[2]
ENDED = ("succeeded", "failed", "timed_out", "cancelled")


class Life:
    """One life of the service; `kill` ends it as kill -9 does. Its log is kept for looking into."""

    def __init__(self, office: Office, **settings: Any) -> None:
        self._office, self._settings = office, settings
        self.log = office.state.parent / "serve.log"
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        office = self._office
        config = office.state.parent / "pea.yaml"
        own: dict[str, Any] = {
            "workspace": str(office.workspace),
            "state": str(office.state),
            "user": {"timezone": "Europe/Berlin", "emails": ["nora@example.org"]},
            "connect": {"every": "0s", "accounts": office.accounts},
            "runtime": {"agents": ["calendar", "communication"]},
            "watch": {"on": False},
        }
        config.write_text(json.dumps(own | self._settings))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pea", "serve", "--config", str(config), "--port", "0"),
                cwd=ROOT,
                env={**os.environ, "NORA_SECRET": PASSWORD},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            async for line in self._process.stdout:
                word, _, url = line.decode().strip().partition(" ")
                if word == "page":
                    self.url = url.strip().rstrip("/")
                    break
        assert self.url, self.log.read_text()
        self._client = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def stop(self) -> None:
        """End it as a service manager does: all that it has to write is written."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    async def kill(self) -> None:
        """End it without a chance to do anything."""
        if self._client is not None:
            await self._client.close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._process is not None:
            await self._process.wait()

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer."""
        assert self._client is not None
        async with self._client.request(method, path, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def ask(self, capability: str, **given: Any) -> Any:
        """A task that was accepted."""
        return await self.send("POST", "/v1/tasks", {"capability": capability, "input": given})

    async def until(self, task: str, *states: str) -> Any:
        """The task once it is in one of these states; over the stream of its events."""
        assert self._client is not None
        async with asyncio.timeout(20), self._client.get(f"/v1/tasks/{task}/events") as events:
            async for line in events.content:
                if line.decode().strip().removeprefix("event: ") in (*states, *ENDED):
                    break
        return await self.send("GET", f"/v1/tasks/{task}")

    async def approve(self, task: str) -> Any:
        """Approve what a task asks, once it asks; what it asked."""
        asked = await self.until(task, "waiting_for_approval")
        assert asked["status"] == "waiting_for_approval", asked
        await self.send("POST", f"/v1/tasks/{task}/approve", {"by": "nora"})
        return asked["approvals"][0]
