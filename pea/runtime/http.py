"""The HTTP connections that all agents share: one bounded pool, and every request a client span.

It is aiohttp's own session, so all that aiohttp can do, agents can. Spans follow OpenTelemetry's conventions for HTTP
clients and last until the answer's headers are there; paths and queries are content, and are not in them. The trace
goes along in ``traceparent``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from pea.config.http import HttpSettings
from pea.telemetry import Tracer, names
from pea.telemetry.span import type_name

if TYPE_CHECKING:
    import aiohttp

Outcome = Literal["created", "reused", "refused"]
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"})


class HttpPool:
    """Opens its session at the first use, since aiohttp takes a while to import."""

    def __init__(self, settings: HttpSettings, tracer: Tracer) -> None:
        self._settings = settings
        self._tracer = tracer
        self._session: aiohttp.ClientSession | None = None
        self.counts: Counter[Outcome] = Counter()

    @property
    def reuse(self) -> float | None:
        """The share of requests whose connection was open already; None before the first."""
        made = self.counts["created"] + self.counts["reused"]
        return self.counts["reused"] / made if made else None

    def session(self) -> aiohttp.ClientSession:
        """The session; to be used on the event loop of the runtime, and closed by it."""
        if self._session is None or self._session.closed:
            self._session = self._open()
        return self._session

    async def aclose(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        own = self._settings
        watch = aiohttp.TraceConfig()
        watch.on_connection_create_end.append(self._created)
        watch.on_connection_reuseconn.append(self._reused)
        watch.on_request_start.append(self._begin)
        watch.on_request_end.append(self._end)
        watch.on_request_exception.append(self._fail)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=own.connections, limit_per_host=own.per_host, keepalive_timeout=float(own.idle)
            ),
            timeout=aiohttp.ClientTimeout(total=float(own.timeout), connect=float(own.acquire)),
            headers={"User-Agent": "PEA"},
            cookie_jar=aiohttp.DummyCookieJar(),  # one agent's cookies are not another's
            trace_configs=[watch],
        )

    async def _created(self, _session: Any, about: Any, _given: Any) -> None:
        self.counts["created"] += 1
        about.connected = True

    async def _reused(self, _session: Any, about: Any, _given: Any) -> None:
        self.counts["reused"] += 1
        about.connected = True

    async def _begin(self, _session: Any, about: Any, given: aiohttp.TraceRequestStartParams) -> None:
        known = given.method in _METHODS
        attributes: dict[str, Any] = {
            names.HTTP_REQUEST_METHOD: given.method if known else "_OTHER",
            names.SERVER_ADDRESS: given.url.host or "",
            names.URL_SCHEME: given.url.scheme,
        }
        name = given.method if known else "HTTP"
        about.span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        about.connected = False
        inject(given.headers, set_span_in_context(about.span))

    async def _end(self, _session: Any, about: Any, given: aiohttp.TraceRequestEndParams) -> None:
        status = given.response.status
        about.span.set_attribute(names.HTTP_RESPONSE_STATUS_CODE, status)
        sent, answered = given.response.request_info.headers, given.response.headers
        for name, headers in ((names.HTTP_REQUEST_BODY_SIZE, sent), (names.HTTP_RESPONSE_BODY_SIZE, answered)):
            size = headers.get("Content-Length", "")
            if size.isascii() and size.isdigit() and len(size) < 16:
                about.span.set_attribute(name, int(size))
        if status >= 400:
            about.span.set_attribute(names.ERROR_TYPE, str(status))
            about.span.set_status(Status(StatusCode.ERROR))
        about.span.end()

    async def _fail(self, _session: Any, about: Any, given: aiohttp.TraceRequestExceptionParams) -> None:
        if not about.connected:
            self.counts["refused"] += 1
        about.span.set_attribute(names.ERROR_TYPE, type_name(given.exception))
        about.span.set_status(Status(StatusCode.ERROR, type(given.exception).__name__))
        about.span.end()
