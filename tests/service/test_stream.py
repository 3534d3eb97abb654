"""The dashboard's stream: everything once, then what changed; resumed where it broke off, anew after a restart."""

import asyncio

import msgspec
import pytest

from pea.service.dashboard import BOARD
from pea.service.dashboard_board import Board
from pea.service.state import STATE
from pea.service.stream import HUB, Hub


@pytest.fixture
def hub(site):
    """A hub that nobody runs."""
    return Hub(site.service.app[BOARD])


async def events(site, count, headers=None):
    """The first events of the stream: their names, ids and data."""
    found, event = [], {}
    async with site.client.get("/v1/stream", headers=headers or {}) as response:
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name in {"event", "id", "data"}:
                event[name] = msgspec.json.decode(value) if name == "data" else value
            if name == "data":
                found.append(event)
                event = {}
            if len(found) == count:
                return found
    return found


def told(hub, number, window="15m"):
    return {name: bytes(value) for name, value in hub.since(number, window).items()}


async def test_only_what_changed_is_told(hub):
    """Each part carries the round in which it changed last; what is gone is null, and only once."""
    hub.update({"overview": b"1", "agent/a": b"1"})
    hub.update({"overview": b"1", "agent/a": b"2"})
    assert told(hub, 0) == {"overview": b"1", "agent/a": b"2"}
    assert told(hub, 1) == {"agent/a": b"2"}
    hub.update({"overview": b"1"})
    assert told(hub, 2) == {"agent/a": b"null"}
    hub.update({"overview": b"1"})
    assert told(hub, 3) == {}


async def test_charts_of_the_window_that_was_asked_for(hub):
    """Two readers with different windows share a round, and each gets its own charts."""
    hub.update({"charts/15m": b"15", "charts/24h": b"24"})
    assert told(hub, 0) == {"charts": b"15"}
    assert told(hub, 0, "24h") == {"charts": b"24"}


async def test_a_snapshot_then_deltas(site):
    """The first event has every part, the next only those that changed, with growing ids."""
    site.service.app[HUB].every_s = 0.05
    first, second = await events(site, 2)
    assert (first["event"], second["event"]) == ("snapshot", "delta")
    assert {"overview", "system", "tasks", "alerts", "recommendations", "charts", "agent/echo"} <= set(first["data"])
    assert "agent/echo" not in second["data"]
    assert int(first["id"].split("-")[1]) < int(second["id"].split("-")[1])


async def test_it_resumes(site):
    """With the id of the last event seen, what was not seen comes as a delta; of another life, as a snapshot."""
    site.service.app[HUB].every_s = 0.05
    (first,) = await events(site, 1)
    await site.task("echo.say", words="x")
    (resumed,) = await events(site, 1, {"Last-Event-ID": first["id"]})
    assert resumed["event"] == "delta"
    for stale in ("00000000-5", "nonsense", f"{first['id'].split('-')[0]}-"):
        (anew,) = await events(site, 1, {"Last-Event-ID": stale})
        assert anew["event"] == "snapshot"


async def test_nobody_reads_nothing_is_collected(site):
    """Collecting ends with the last reader."""
    hub = site.service.app[HUB]
    await events(site, 1)
    async with asyncio.timeout(30):
        while site.service.app[STATE].streams:
            await asyncio.sleep(0)  # the server's own turn, in which it sees that the reader has gone
    assert hub._task is None


async def test_a_fault_does_not_end_the_stream(site, monkeypatch):
    """A round that fails is told in the log, and the next is told to the readers."""
    collect, calls = Board.collect, []

    async def sometimes(board, window=None):
        calls.append(window)
        if len(calls) == 1:
            raise RuntimeError("a figure is missing")
        return await collect(board, window)

    monkeypatch.setattr(Board, "collect", sometimes)
    site.service.app[HUB].every_s = 0.02
    (first,) = await events(site, 1)
    assert first["event"] == "snapshot"
    assert len(calls) >= 2


async def test_a_silent_stream_shows_that_it_lives(site):
    """Between rounds a comment is sent, so that no proxy thinks the connection dead."""
    site.service.app[HUB].every_s = 60
    site.service.app[STATE].heartbeat_s = 0.05
    async with site.client.get("/v1/stream") as response:
        async for line in response.content:
            if line == b": still here\n":
                break


async def test_it_ends_when_the_service_stops(site):
    """A stream without an end must not hold up a shutdown."""
    site.service.app[HUB].every_s = 0.05
    async with site.client.get("/v1/stream") as response:
        await response.content.readline()
        site.service.app[STATE].stopping = True
        async with asyncio.timeout(5):
            await response.content.read()
