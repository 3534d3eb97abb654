"""One connection to another MCP server: opened in a task of its own, and opened again when it breaks."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from pea.config import McpServer
from pea.errors import AgentUnavailable, ConfigError, MissingExtra, PeaError
from pea.telemetry import get_logger
from pea.version import __version__

if TYPE_CHECKING:
    import mcp.types as protocol
    from mcp import ClientSession

MAX_TOOLS = 500
MAX_DESCRIPTION = 4_000  # characters
MAX_SCHEMA = 100_000  # bytes; a larger one is taken as "any object"
GONE = (-32000, 32600)  # the SDK's codes for a closed connection, and for a session that the server does not know (404)
PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0  # before the second attempt to connect, doubling

log = get_logger("pea.mcp")


class ToolFailed(PeaError):
    """Another server's tool answered that it failed."""

    code = "tool_failed"


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as another server describes it; this is what is kept on disk between two starts."""

    name: str
    description: str
    input: dict[str, Any]
    output: dict[str, Any] | None = None
    read_only: bool = False
    idempotent: bool = False


class Link:
    """Owns the connection. ``changed`` is told the tools whenever they were listed anew."""

    def __init__(self, name: str, server: McpServer, changed: Callable[[list[ToolSpec]], Awaitable[None]]) -> None:
        self._name = name
        self._server = server
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._session: ClientSession | None = None
        self._connected = asyncio.Event()
        self._broken = asyncio.Event()
        self._relist = asyncio.Event()
        self.problem: str | None = "not connected yet"
        self.attempts = 0

    def open(self) -> None:
        """Begin to connect; raises ConfigError for a server that cannot be meant."""
        if bool(self._server.command) == bool(self._server.url):
            where = f"mcp.servers.{self._name}"
            raise ConfigError("give either a command or a url", where=where, fix="command: [npx, -y, some-server]")
        self._task = asyncio.create_task(self._keep(), name=f"pea-mcp-{self._name}")

    async def connected(self, within_s: float) -> bool:
        """Wait until it is connected, so long at most; whether it is."""
        try:
            async with asyncio.timeout(within_s):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Close it; a program that was started for it is ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def call(self, tool: str, arguments: dict[str, Any], meta: dict[str, Any]) -> protocol.CallToolResult:
        """Call a tool. Raises AgentUnavailable when the server cannot be reached, ToolFailed for its own refusal."""
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import McpError

        session = self._session
        if session is None and await self.connected(float(self._server.connect)):
            session = self._session
        if session is None:
            raise AgentUnavailable(f"the MCP server does not answer: {self.problem}", where=self._name)
        try:
            return await session.call_tool(
                tool, arguments, read_timeout_seconds=timedelta(seconds=float(self._server.timeout)), meta=meta
            )
        except (BrokenResourceError, ClosedResourceError, ConnectionError) as error:
            self._break(session)
            raise AgentUnavailable("the MCP server went away", where=self._name) from error
        except McpError as error:
            if error.error.code in GONE:
                self._break(session)
                raise AgentUnavailable("the MCP server went away", where=self._name) from error
            raise ToolFailed(str(error)[:2_000], where=f"{self._name}.{tool}") from error

    def _break(self, session: ClientSession) -> None:
        """Have it opened anew, unless that has happened already."""
        if self._session is session:
            self._session = None
            self._connected.clear()
            self._broken.set()

    async def _keep(self) -> None:
        pause, clock = PAUSE_S, asyncio.get_running_loop().time
        while True:
            self.attempts += 1
            since = clock()
            try:
                async with self._opened() as session:
                    self._broken.clear()
                    await self._changed(await self._listed(session))
                    self._session, self.problem = session, None
                    self._connected.set()
                    await self._serve(session)
                self.problem = "the connection broke"
            except asyncio.CancelledError:
                raise
            except MissingExtra as error:
                self.problem = str(error)
                return
            except Exception as error:  # noqa: BLE001 - whatever a stranger's server does, it is tried again
                self.problem = f"{type(error).__name__}: {_innermost(error)}"[:500]
                log.warning("an MCP server cannot be reached", server=self._name, reason=self.problem)
            finally:
                self._session = None
                self._connected.clear()
            if clock() - since > LONGEST_PAUSE_S:  # one that breaks soon after each start is not started ever faster
                pause = PAUSE_S
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that many do not come at once
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _serve(self, session: ClientSession) -> None:
        """Until it breaks: list the tools anew when the server says that they changed."""
        while True:
            waits = [asyncio.ensure_future(event.wait()) for event in (self._broken, self._relist)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            if self._broken.is_set():
                return
            self._relist.clear()
            await self._changed(await self._listed(session))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[ClientSession]:
        try:
            await asyncio.to_thread(import_module, "mcp")  # half a second that would stop everybody else
            from mcp import ClientSession, StdioServerParameters
            from mcp.client.stdio import stdio_client
            from mcp.client.streamable_http import streamable_http_client
            from mcp.types import Implementation
        except ImportError as error:
            raise MissingExtra("an MCP server needs the SDK", fix="pip install 'pea[mcp]'") from error
        server = self._server
        async with AsyncExitStack() as stack:
            if server.url:
                import httpx

                headers = {name: _secret(value) for name, value in server.headers.items()}
                client = await stack.enter_async_context(
                    httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(30.0, read=300.0))
                )
                incoming, outgoing, _ = await stack.enter_async_context(
                    streamable_http_client(server.url, http_client=client)
                )
            else:
                environment = {name: _secret(value) for name, value in server.env.items()}
                parameters = StdioServerParameters(
                    command=server.command[0], args=list(server.command[1:]), env=environment or None
                )
                silence = stack.enter_context(_nowhere())
                incoming, outgoing = await stack.enter_async_context(stdio_client(parameters, errlog=silence))
            session = await stack.enter_async_context(
                ClientSession(
                    incoming,
                    outgoing,
                    message_handler=self._heard,
                    client_info=Implementation(name="pea", version=__version__),
                )
            )
            async with asyncio.timeout(float(server.timeout)):
                await session.initialize()
            yield session

    async def _heard(self, message: Any) -> None:
        from mcp import types as protocol

        if isinstance(message, protocol.ServerNotification) and isinstance(
            message.root, protocol.ToolListChangedNotification
        ):
            self._relist.set()

    async def _listed(self, session: ClientSession) -> list[ToolSpec]:
        found: list[ToolSpec] = []
        cursor: str | None = None
        async with asyncio.timeout(float(self._server.timeout)):
            while len(found) < MAX_TOOLS:
                page = await session.list_tools(cursor)
                found += [_spec(tool) for tool in page.tools]
                cursor = page.nextCursor
                if not cursor or not page.tools:
                    break
        wanted = set(self._server.tools)
        for name in sorted(wanted - {tool.name for tool in found}):
            log.warning("an MCP server has no such tool", server=self._name, tool=name)
        return [tool for tool in found[:MAX_TOOLS] if not wanted or tool.name in wanted]


def _spec(tool: protocol.Tool) -> ToolSpec:
    hints = tool.annotations
    read_only = bool(hints and hints.readOnlyHint)
    return ToolSpec(
        name=tool.name,
        description=(tool.description or tool.title or tool.name)[:MAX_DESCRIPTION],
        input=_small(tool.inputSchema) or {"type": "object"},
        output=_small(tool.outputSchema) if tool.outputSchema else None,
        read_only=read_only,
        idempotent=read_only or bool(hints and hints.idempotentHint),
    )


def _small(schema: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return schema if len(msgspec.json.encode(schema)) <= MAX_SCHEMA else None
    except (TypeError, ValueError, RecursionError):
        return None


@contextmanager
def _nowhere() -> Iterator[TextIO]:
    """Where a program's standard error goes: it may be endless, and is nobody's."""
    with Path(os.devnull).open("w", encoding="utf-8") as file:
        yield file


def _secret(value: str) -> str:
    """A value, or what the environment variable holds that it names with a dollar sign."""
    if not value.startswith("$"):
        return value
    name = value[1:]
    if name not in os.environ:
        raise ConfigError(f"the environment variable {name} is not set", where="mcp.servers")
    return os.environ[name]


def _innermost(error: BaseException) -> BaseException:
    """What really went wrong inside the groups that the SDK's task groups raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
