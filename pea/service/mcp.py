"""The route /mcp: the Model Context Protocol's streamable HTTP transport, behind the same checks as every other route.

The SDK's transport is an ASGI application; `_Exchange` is the little that lies between it and aiohttp.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web
from opentelemetry import context as otel_context

from pea.errors import MissingExtra, ShuttingDown
from pea.mcp.scope import SCOPE_CONTEXT
from pea.service.access.origin import check_origin
from pea.service.access.scopes import Scope
from pea.service.body import read_json
from pea.service.operation import EVENT_STREAM, Answer, Operation
from pea.service.state import STATE, State

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

Message = MutableMapping[str, Any]


class Gate:
    """Owns the sessions of all hosts; the SDK is loaded when the first one comes."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def manager(self, state: State) -> StreamableHTTPSessionManager:
        """The running session manager; MissingExtra without the SDK, ShuttingDown at the end."""
        if self._closing.is_set() or state.stopping:
            raise ShuttingDown("PEA is shutting down", fix="try again when it is back")
        async with self._opening:
            if self._manager is None:
                manager = await asyncio.to_thread(_made, state)
                opened = asyncio.Event()
                # A task of its own, since the SDK's scopes must be left by the task that entered them.
                self._running = asyncio.create_task(self._run(manager, opened), name="pea-mcp")
                await opened.wait()
                self._manager = manager
            return self._manager

    async def _run(self, manager: StreamableHTTPSessionManager, opened: asyncio.Event) -> None:
        async with manager.run():
            opened.set()
            await self._closing.wait()

    async def close(self) -> None:
        """End every session."""
        self._closing.set()
        if self._running is not None:
            await asyncio.wait([self._running])


def _made(state: State) -> StreamableHTTPSessionManager:
    try:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    except ImportError as error:
        raise MissingExtra("the Model Context Protocol needs its SDK", fix="pip install 'pea[mcp]'") from error
    from pea.mcp.server import build

    settings = state.runtime.settings
    return StreamableHTTPSessionManager(
        build(state.runtime, settings.mcp),
        session_idle_timeout=float(settings.mcp.idle) or None,
        max_request_body_size=int(settings.service.max_body) * 2,  # what was read is written anew
        max_sessions=settings.mcp.sessions,
    )


GATE: web.AppKey[Gate] = web.AppKey("mcp", Gate)


class _Exchange:
    """One request as ASGI sees it, and the answer on its way back."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self._request = request
        self._body: bytes | None = body
        self._over = asyncio.Event()
        self.response: web.StreamResponse | None = None

    def scope(self) -> Message:
        """The request's head; SCOPE_CONTEXT is the trace it is part of."""
        request = self._request
        headers = [(key.lower(), value) for key, value in request.raw_headers if key.lower() != b"content-length"]
        if self._body:
            headers.append((b"content-length", str(len(self._body)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": f"{request.version.major}.{request.version.minor}",
            "method": request.method,
            "scheme": request.scheme,
            "path": request.path,
            "raw_path": request.rel_url.raw_path.encode(),
            "query_string": request.query_string.encode(),
            "root_path": "",
            "headers": headers,
            "client": (request.remote or "", 0),
            "server": None,
            SCOPE_CONTEXT: otel_context.get_current(),
        }

    async def receive(self) -> Message:
        """The body, then the end of the client's interest."""
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self.response = web.StreamResponse(status=message["status"])
            for key, value in message.get("headers", ()):
                self.response.headers.add(key.decode("latin-1"), value.decode("latin-1"))
            await self.response.prepare(self._request)
        elif self.response is not None:
            await self._write(self.response, message)

    async def _write(self, response: web.StreamResponse, message: Message) -> None:
        try:
            if message.get("body"):
                await response.write(message["body"])
            if not message.get("more_body", False):
                await response.write_eof()
        except ConnectionError:
            self._over.set()  # to write to a client that is gone is no error in ASGI; `receive` tells that it is

    def end(self) -> None:
        """Nobody waits for more."""
        self._over.set()


async def speak(request: web.Request) -> web.StreamResponse:
    """One message of a host, or the stream of what the server has to say by itself."""
    check_origin(request)  # the transport's specification demands it of GET too
    state = request.app[STATE]
    state.scheduler()  # 503 while the agents start
    body = b""
    if request.method == hdrs.METH_POST:
        body = json.dumps(await read_json(request), ensure_ascii=False).encode()
    manager = await request.app[GATE].manager(state)
    exchange = _Exchange(request, body)
    try:
        await manager.handle_request(exchange.scope(), exchange.receive, exchange.send)
    finally:
        exchange.end()
    if exchange.response is None:
        raise ShuttingDown("the session ended before it answered", fix="initialize again")
    return exchange.response


async def _close(app: web.Application) -> None:
    await app[GATE].close()


def open_gate(app: web.Application) -> None:
    """Have the application keep MCP sessions; they end before the last answers are waited for."""
    app[GATE] = Gate()
    app.on_shutdown.append(_close)


def routes() -> tuple[Operation, ...]:
    """The three methods of the transport; described by the protocol itself, so not in OpenAPI."""
    return tuple(
        Operation(
            method=method,
            path="/mcp",
            handler=speak,
            name=f"{method.lower()}Mcp",
            tag="mcp",
            scope=Scope.SUBMIT,
            summary=summary,
            answers={200: Answer("Messages of the protocol.", media=EVENT_STREAM)},
            media=EVENT_STREAM if method == hdrs.METH_GET else None,
        )
        for method, summary in (
            (hdrs.METH_POST, "Send the MCP server a message"),
            (hdrs.METH_GET, "Follow what the MCP server has to say"),
            (hdrs.METH_DELETE, "End an MCP session"),
        )
    )
