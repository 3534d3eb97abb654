"""Answers in problem details even what is not HTTP and so never reaches a route."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket

from aiohttp import web
from aiohttp.web_request import BaseRequest

from pea.errors import PeaError
from pea.service import problems
from pea.service.guard import HEADERS
from pea.service.refusals import MalformedRequest
from pea.service.traffic import Traffic
from pea.telemetry import get_logger

log = get_logger("pea.service")

FIRST_REQUEST_S = 15.0  # a new connection's first request has arrived by then, or it is closed
UNREAD_MS = 60_000  # the kernel ends a connection whose client does not take what was sent (RFC 5482)
MOST_CONNECTIONS = 4_096
SPARE_DESCRIPTORS = 200  # of the process's limit: for files, databases and other servers
IDLE_S = 75.0  # a kept-alive connection without requests is closed after this
LINGER_S = 2.0  # how long the rest of a refused body is read, so that the client sees the refusal
LAST_ANSWERS_S = 2.0  # when the service stops, how long answers that are being sent may take
MAX_HEADER_BYTES = 8_190


class Connection(web.RequestHandler):
    """One client's connection, which may not be held open by sending or reading nothing, or byte by byte."""

    __slots__ = ("_first",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request; refuse the connection when there are too many."""
        super().connection_made(transport)
        self._first = self._loop.call_later(FIRST_REQUEST_S, self._expect_first)
        own = transport.get_extra_info("socket")
        if own is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):  # not TCP
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        if isinstance(self._manager, _Server) and len(self._manager.connections) > self._manager.most:
            log.warning("a connection is refused: too many are open", open=self._manager.most)
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self.force_close()
        if self.transport is not None:
            self.transport.abort()

    def _expect_first(self) -> None:
        """Close a connection whose first request has not arrived whole, headers and all (a "slowloris")."""
        if self._request_count == 0:
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count the connection's bytes while its socket is still there."""
        self._first.cancel()
        if isinstance(self._manager, _Server):
            self._manager.traffic.close(self.transport)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that could not be parsed, or whose handling broke outside every middleware."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; another cannot be sent")
        if status < 500:
            said = " ".join((message or str(exc or "")).split())[:200]
            response = problems.answer(MalformedRequest(said or "it cannot be parsed"))
        else:
            log.error("a request could not be answered", exc_info=exc)
            response = problems.answer(PeaError("internal"))
        response.headers.update(HEADERS)
        response.force_close()
        return response


def most_connections() -> int:
    """How many connections may be open: what the process's limit of descriptors leaves, and no more than is sane."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(MOST_CONNECTIONS, soft - SPARE_DESCRIPTORS))
    )


class _Server(web.Server):
    traffic: Traffic
    most: int = MOST_CONNECTIONS

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner of an application, with `Connection` for its connections."""

    def __init__(self, app: web.Application) -> None:
        self._traffic = Traffic()
        super().__init__(
            app,
            access_log=None,  # the server spans say more
            auto_decompress=False,  # encoded bodies are refused, so nothing can be a decompression bomb
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            shutdown_timeout=LAST_ANSWERS_S,
        )

    def network_bytes(self) -> int | None:
        """Bytes in and out over all connections since the start; None where the system does not tell."""
        open_now = self.server.connections if self.server is not None else ()
        return self._traffic.total(connection.transport for connection in open_now)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        own = _Server(made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs)
        own.traffic = self._traffic
        own.most = most_connections()
        return own
