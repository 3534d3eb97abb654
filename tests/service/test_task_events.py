"""A task's events as a stream: whole, resumed, kept alive, over."""

import json

import pytest

from pea.service.state import MAX_STREAMS, STATE


def frames(text: str) -> list[dict[str, str]]:
    """The events of a stream, field by field; comments and `retry` left out."""
    blocks = (dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block)
    return [block for block in blocks if "data" in block]


async def test_the_stream_tells_the_whole_life(site, gate):
    """A client that follows a running task sees each change and then the end of the stream."""
    task = await site.task("gate.hold", wait=None)
    async with site.client.get(task["links"]["events"]) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        first = await response.content.readuntil(b"\n\n")
        second = await response.content.readuntil(b"\n\n")
        gate.open.set()
        rest = await response.read()
    events = frames((first + second + rest).decode())
    assert [(event["id"], event["event"]) for event in events] == [
        ("1", "queued"),
        ("2", "running"),
        ("3", "succeeded"),
    ]
    data = [json.loads(event["data"]) for event in events]
    assert {event["task"] for event in data} == {task["id"]}
    assert [event["status"] for event in data] == ["queued", "running", "succeeded"]


async def test_a_stream_resumes_after_the_last_event(site):
    """Last-Event-ID skips what was seen; after the last event there is nothing to come back for: 204."""
    task = await site.task("echo.fail", reason="no ink")
    path = task["links"]["events"]
    async with site.client.get(path, headers={"Last-Event-ID": "2"}) as response:
        (event,) = frames(await response.text())
    assert event["event"] == "failed"
    assert json.loads(event["data"])["error"]["message"] == "no ink"
    async with site.client.get(path, headers={"Last-Event-ID": "3"}) as response:
        assert response.status == 204
        assert not await response.read()


async def test_a_silent_stream_is_kept_alive(site, gate):
    """While nothing happens the stream carries comments, so that nothing in between cuts it."""
    site.service.app[STATE].heartbeat_s = 0.01
    task = await site.task("gate.hold", wait=None)
    async with site.client.get(task["links"]["events"], headers={"Last-Event-ID": "2"}) as response:
        await response.content.readuntil(b"\n\n")
        assert (await response.content.readuntil(b"\n\n")).startswith(b":")
        gate.open.set()
        assert "succeeded" in await response.text()


async def test_a_reader_who_leaves_leaves_nothing_behind(site, gate):
    """When the client goes away the stream ends by itself and the task goes on."""
    state = site.service.app[STATE]
    state.heartbeat_s = 0.01
    task = await site.task("gate.hold", wait=None)
    async with site.client.get(task["links"]["events"]) as response:
        await response.content.readuntil(b"\n\n")
        assert state.streams == 1
        response.close()
    while state.streams:
        await site.send("GET", "/healthz")
    gate.open.set()
    _, ended = await site.send("GET", task["links"]["self"])
    assert ended["status"] in ("running", "succeeded")


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "٣", "9" * 10])
async def test_a_last_event_id_that_is_none_of_ours_is_refused(site, bad):
    """Last-Event-ID is a number that the stream gave."""
    task = await site.task("echo.nothing")
    response, problem = await site.send("GET", task["links"]["events"], headers={"Last-Event-ID": bad})
    assert (response.status, problem["where"]) == (400, "Last-Event-ID")


async def test_a_stream_that_breaks_off_ends_as_a_stream(site, gate, monkeypatch):
    """A fault once the stream has begun ends it, without a second answer in the middle of the first."""

    async def broken(identity, after=0):
        raise RuntimeError("the word is swordfish")
        yield

    task = await site.task("gate.hold", wait=None)
    monkeypatch.setattr(site.service.runtime.scheduler, "events", broken)
    async with site.client.get(task["links"]["events"]) as response:
        assert (response.status, await response.text()) == (200, "retry: 1000\n\n")
    gate.open.set()


async def test_streams_are_bounded(site, gate):
    """Past the bound a stream is refused with when to try again, before it costs anything."""
    state = site.service.app[STATE]
    state.streams = MAX_STREAMS
    task = await site.task("gate.hold", wait=None)
    response, _ = await site.send("GET", task["links"]["events"])
    assert response.status == 429
    assert int(response.headers["Retry-After"]) >= 1
    state.streams = 0
    gate.open.set()


async def test_a_stream_is_only_given_as_what_it_is(site):
    """Who accepts JSON alone cannot be given a stream; unknown tasks have none; HEAD has no meaning for it."""
    task = await site.task("echo.nothing")
    path = task["links"]["events"]
    for method, where, headers, status in [
        ("GET", path, {"Accept": "application/json"}, 406),
        ("GET", "/v1/tasks/nope/events", {}, 404),
        ("HEAD", path, {}, 405),
    ]:
        response, _ = await site.send(method, where, headers=headers)
        assert response.status == status
