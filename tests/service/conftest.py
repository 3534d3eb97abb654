"""A real service on a free loopback port, with small real agents, and a client for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Annotated, Any, Literal, Protocol

import aiohttp
import msgspec
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.service import Service


class Page(msgspec.Struct, frozen=True):
    """A typed result."""

    day: date
    lines: list[str]


class Echo(Agent):
    """Answers at once."""

    name = "echo"

    @capability("echo.say", idempotent=True)
    async def say(self, ctx: Context, words: str, times: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1) -> str:
        """Say words again."""
        return words * times

    @capability("echo.page")
    async def page(self, ctx: Context, day: date, tone: Literal["dry", "warm"] = "dry") -> Page:
        """Write a page."""
        return Page(day, [tone])

    @capability("echo.nothing")
    async def nothing(self, ctx: Context) -> None:
        """Do nothing."""

    @capability("echo.fail")
    async def fail(self, ctx: Context, reason: str) -> None:
        """Fail."""
        raise ValueError(reason)

    @capability("echo.relay")
    async def relay(self, ctx: Context, words: str) -> str:
        """Ask another agent."""
        return str(await ctx.call("gate.pass", words=words))


class Gate(Agent):
    """Lets calls through when the test opens it."""

    name = "gate"

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting = asyncio.Event()
        self.trouble: str | None = None

    async def health(self) -> str | None:
        return self.trouble

    @capability("gate.hold", timeout="60s")
    async def hold(self, ctx: Context) -> str:
        """Wait until the gate is open."""
        self.waiting.set()
        await self.open.wait()
        return "through"

    @capability("gate.pass")
    async def go(self, ctx: Context, words: str) -> str:
        """Give the words back."""
        return words


class Broken(Agent):
    """Cannot start."""

    name = "broken"

    async def start(self, ctx: Context) -> None:
        raise OSError("the disk is gone")

    @capability("broken.work")
    async def work(self, ctx: Context) -> None:
        """Never called."""


class Slowly(Agent):
    """Starts when the test lets it."""

    name = "slowly"

    def __init__(self) -> None:
        self.may_start = asyncio.Event()

    async def start(self, ctx: Context) -> None:
        await self.may_start.wait()

    @capability("slowly.work")
    async def work(self, ctx: Context) -> str:
        """Work."""
        return "done"


class Site:
    """A running service and a client of it."""

    def __init__(self, service: Service, client: aiohttp.ClientSession) -> None:
        self.service = service
        self.client = client

    async def send(self, method: str, path: str, **options: Any) -> tuple[aiohttp.ClientResponse, Any]:
        """One request; the response, read, and its JSON if that is what it is."""
        async with self.client.request(method, path, **options) as response:
            await response.read()
            return response, await response.json(content_type=None) if "json" in response.content_type else None

    async def task(self, capability: str, /, wait: int | None = 10, **arguments: Any) -> Any:
        """Submit a task, by default wait for its end, and give its JSON."""
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        body = {"capability": capability, "input": arguments}
        response, task = await self.send("POST", "/v1/tasks", json=body, headers=headers)
        assert response.status in (200, 202), task
        return task

    async def raw(self, data: bytes) -> bytes:
        """What the service answers to these bytes, until it closes the connection."""
        reader, writer = await asyncio.open_connection(*self.service.url.removeprefix("http://").split(":"))
        writer.write(data)
        try:
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


class Serve(Protocol):
    """Starts a service with these agents and settings, given by dotted name with two underscores."""

    def __call__(self, *agents: Agent, ready: bool = True, **settings: Any) -> AbstractAsyncContextManager[Site]: ...


@pytest.fixture
def agents() -> dict[str, type[Agent]]:
    """The agents' classes by name."""
    return {kind.name: kind for kind in (Echo, Gate, Broken, Slowly)}


@pytest.fixture
def serve() -> Serve:
    """A service for one test."""

    @asynccontextmanager
    async def running(*agents: Agent, ready: bool = True, **settings: Any) -> AsyncIterator[Site]:
        tree: dict[str, dict[str, Any]] = {"service": {"port": 0}}
        for name, value in settings.items():
            section, _, field = name.partition("__")
            if field:
                tree.setdefault(section, {})[field] = value
            else:
                tree[section] = value
        runtime = Runtime(
            msgspec.convert(tree, Settings, dec_hook=lambda kind, value: kind.parse(value)), agents=agents
        )
        async with Service(runtime) as service, aiohttp.ClientSession(service.url) as client:
            if ready:
                await service.ready()
            yield Site(service, client)

    return running


@pytest.fixture
async def site(serve: Serve) -> AsyncIterator[Site]:
    """A service with an agent that answers and one that waits."""
    async with serve(Echo(), Gate()) as running:
        yield running


@pytest.fixture
def gate(site: Site) -> Gate:
    """The agent that waits, of `site`."""
    found = site.service.runtime.directory.agent("gate")
    assert isinstance(found, Gate)
    return found
