"""Bytes over the service's connections, as the kernel counts them."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest
from aiohttp import web

from pea.service.connection import Runner
from pea.service.traffic import Traffic


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a socket's bytes")
async def test_every_byte_of_open_and_closed_connections_counts() -> None:
    """What was sent and what came back is in the total, while the connection stands and after it has gone."""
    app = web.Application()
    app.router.add_post("/", echo)
    runner = Runner(app)
    assert runner.network_bytes() is None
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with session.post(url, data=b"x" * 100_000) as answer:
                assert len(await answer.read()) == 100_000
            while_open = runner.network_bytes()
            assert while_open is not None
            assert 200_000 < while_open < 202_000
        async with asyncio.timeout(10):
            while runner.server is not None and runner.server.connections:
                await asyncio.sleep(0)
        after = runner.network_bytes()
        assert after is not None
        assert while_open <= after < 202_000
    finally:
        await runner.cleanup()


def test_what_is_no_connection_counts_nothing() -> None:
    """A transport that is gone, or has no socket, adds nothing, and nothing known is not zero."""
    traffic = Traffic()
    traffic.close(None)
    assert traffic.total([None, asyncio.Transport()]) is None
