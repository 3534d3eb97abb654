"""The HTTP connections that agents share: bounded, used again, and seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import RuntimeSettings, Seconds
from pea.config.http import HttpSettings
from pea.telemetry import names


class Fetcher(Agent):
    """Asks a server."""

    name = "fetcher"

    @capability("fetcher.get")
    async def get(self, ctx: Context, url: str) -> str:
        """The body."""
        async with ctx.http.get(url) as answer:
            return await answer.text()


WAITING = web.AppKey("waiting", asyncio.Event)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    gate = asyncio.Event()

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("traceparent", ""))

    async def wait(request: web.Request) -> web.Response:
        request.app[WAITING].set()
        await gate.wait()
        return web.Response()

    app = web.Application()
    app[WAITING] = asyncio.Event()
    app.router.add_get("/hello", hello)
    app.router.add_get("/wait", wait)
    async with TestServer(app) as running:
        yield running
        gate.set()


def fleet(**changes: object) -> Runtime:
    http = HttpSettings(**changes)  # type: ignore[arg-type]
    return Runtime(Settings(runtime=RuntimeSettings(http=http)), agents=[Fetcher()])


async def test_connections_are_used_again(server: TestServer) -> None:
    """A hundred requests, five at a time: five connections at most, so 95 % and more are reused; and it is counted."""
    async with fleet() as runtime:
        url = str(server.make_url("/hello"))
        for _ in range(20):
            await asyncio.gather(*(runtime.call("fetcher.get", url=url) for _ in range(5)))
        pool = runtime.dispatcher.http
        assert pool.counts["created"] <= 5
        assert pool.counts["created"] + pool.counts["reused"] == 100
        assert pool.reuse is not None
        assert pool.reuse >= 0.95
        text = runtime.telemetry.exposition()[0].decode()
        assert 'pea_http_connections_total{pea_pool_outcome="reused"}' in text


async def test_a_request_is_a_client_span_without_path_or_query(server: TestServer) -> None:
    """Method, server and status; the trace goes along in the request."""
    async with fleet() as runtime:
        sent = await runtime.call("fetcher.get", url=str(server.make_url("/hello?secret=1")))
        await runtime.call("fetcher.get", url=str(server.make_url("/nothing")))
        await runtime.telemetry.drain()
        recent = runtime.telemetry.recent
        spans = [span for one in recent.list() for span in recent.get(one.trace_id) if span.name == "GET"]
        statuses = {span.attributes[names.HTTP_RESPONSE_STATUS_CODE]: span for span in spans}
        assert {status: span.status for status, span in statuses.items()} == {200: "unset", 404: "error"}
        assert sent[:-3] == f"00-{statuses[200].trace_id}-{statuses[200].span_id}"
        assert "secret" not in str(statuses[200])


async def test_a_request_that_gets_no_connection_in_time_fails(server: TestServer) -> None:
    """The pool is bounded: who waits too long for a connection is told, and it is counted."""
    async with fleet(per_host=1, acquire=Seconds(0.02)) as runtime:
        first = asyncio.ensure_future(runtime.call("fetcher.get", url=str(server.make_url("/wait"))))
        await server.app[WAITING].wait()
        with pytest.raises(aiohttp.ServerTimeoutError):
            await runtime.call("fetcher.get", url=str(server.make_url("/hello")))
        assert runtime.dispatcher.http.counts["refused"] == 1
        first.cancel()
        await asyncio.wait([first])


async def test_nothing_is_opened_before_the_first_use() -> None:
    """Starting pays nothing for it."""
    async with fleet() as runtime:
        assert runtime.dispatcher.http._session is None
