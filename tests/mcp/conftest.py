"""A real service with real agents, and the SDK's own client for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any

import msgspec
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.agents.orchestrator import Orchestrator
from pea.service import Service

pytest.importorskip("mcp", reason="pea[mcp] is not installed")

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


class Page(msgspec.Struct, frozen=True):
    """A typed result."""

    day: date
    lines: list[str]


class Node(msgspec.Struct):
    """A type that contains itself."""

    name: str
    children: list["Node"] = []


class Desk(Agent):
    """Answers in every shape a tool can have."""

    name = "desk"

    @capability("desk.page", idempotent=True)
    async def page(self, ctx: Context, day: date, copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1) -> Page:
        """Write a page.

        With as many copies as wanted.
        """
        return Page(day, ["line"] * copies)

    @capability("desk.say", idempotent=True)
    async def say(self, ctx: Context, words: str) -> str:
        """Say words."""
        return words

    @capability("desk.tree", idempotent=True)
    async def tree(self, ctx: Context, root: Node) -> Node:
        """Give a tree back."""
        return root

    @capability("desk.shred")
    async def shred(self, ctx: Context) -> None:
        """Change something."""

    @capability("desk.fail")
    async def fail(self, ctx: Context, reason: str) -> None:
        """Fail."""
        raise ValueError(reason)

    @capability("desk.large", idempotent=True)
    async def large(self, ctx: Context) -> str:
        """Say too much."""
        return "x" * 200_000

    @capability("desk.send", resumable=True)
    async def send(self, ctx: Context, to: str) -> str:
        """Do what needs an approval."""
        await ctx.approve(f"send to {to}")
        return "sent"


class Host:
    """An MCP host: a client session with a service."""

    def __init__(self, session: ClientSession, service: Service) -> None:
        self.session = session
        self.service = service

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """A tool's structured result; an assertion when it failed."""
        found = await self.session.call_tool(tool, arguments)
        assert not found.isError, found.content
        return found.structuredContent


@asynccontextmanager
async def hosting(*agents: Agent, **settings: Any) -> AsyncIterator[Host]:
    """A service with these agents, and a host that has introduced itself over HTTP."""
    tree = {"service": {"port": 0}, **settings}
    converted = msgspec.convert(tree, Settings, dec_hook=lambda kind, value: kind.parse(value))
    async with Service(Runtime(converted, agents=agents)) as service:
        await service.ready()
        async with (
            streamable_http_client(f"{service.url}/mcp") as (incoming, outgoing, _),
            ClientSession(incoming, outgoing) as session,
        ):
            await session.initialize()
            yield Host(session, service)


@pytest.fixture
def host():
    """Starts a service and a host; with no agents given, the desk and the orchestrator."""

    def start(*agents: Agent, **settings: Any):
        return hosting(*(agents or (Desk(), Orchestrator())), **settings)

    return start
