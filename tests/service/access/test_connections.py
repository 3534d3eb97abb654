"""Connections that do not get on with it are closed, so that they cannot be used up."""

import asyncio

import pytest

from pea.service import connection
from pea.service.connection import SPARE_DESCRIPTORS, most_connections


async def _closed(site, *parts: bytes) -> bytes:
    """What the service sends until it closes a connection over which these parts were sent."""
    reader, writer = await asyncio.open_connection(*site.service.url.removeprefix("http://").split(":"))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(10):
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [(), (b"GET / HT",), (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",)])
async def test_a_first_request_that_does_not_come_ends_the_connection(site, monkeypatch, sent):
    """Who sends nothing, or half of the headers (a slowloris), is cut off."""
    monkeypatch.setattr(connection, "FIRST_REQUEST_S", 0.05)
    assert await _closed(site, *sent) == b""


async def test_a_connection_that_has_asked_is_kept(site, monkeypatch):
    """The first request's time is not the connection's: afterwards it may be idle as before."""
    monkeypatch.setattr(connection, "FIRST_REQUEST_S", 0.05)
    reader, writer = await asyncio.open_connection(*site.service.url.removeprefix("http://").split(":"))
    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await reader.readline()
        while await reader.readline() != b"\r\n":
            pass
        assert await reader.readexactly(15) == b'{"status":"ok"}'
        for held in site.service._runner.server.connections:
            held._expect_first()  # what the timer does
    writer.close()


async def test_connections_are_bounded(site):
    """Past the limit a new connection is closed at once, and those that are open go on."""
    server = site.service._runner.server
    await site.send("GET", "/healthz")
    server.most = len(server.connections)
    assert await _closed(site, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    response, _ = await site.send("GET", "/healthz")
    assert response.status == 200


@pytest.mark.parametrize(
    ("soft", "most"), [(1_024, 1_024 - SPARE_DESCRIPTORS), (100, 16), (1 << 20, 4_096), (-1, 4_096)]
)
def test_descriptors_are_left_for_the_rest(monkeypatch, soft, most):
    """Connections never take all descriptors that the process may have."""
    monkeypatch.setattr(connection.resource, "getrlimit", lambda _: (soft, soft))
    assert most_connections() == most
