"""The route and the command of the activity log, on an agent that writes down what it does."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from click.testing import CliRunner

from pea import Agent, Context, Runtime, capability
from pea.cli.activity import command
from pea.config import load
from pea.service import Service


class Post(Agent):
    """Sends letters."""

    name = "post"

    @capability("post.send")
    async def send(self, ctx: Context, to: str) -> int:
        """Send a letter; how many have been sent."""
        await ctx.store.append("letter.sent", to=to)
        await ctx.emit("letter-box-changed", box=to)
        return len(await ctx.store.recent(kind="letter.sent"))


@pytest.fixture
async def service(tmp_path):
    """A service with `Post` that has sent letters to anna and bob."""
    runtime = Runtime(load(environ={}, overrides={"service.port": 0, "state": str(tmp_path)}), agents=[Post()])
    async with Service(runtime) as made:
        await made.ready()
        done = [await runtime.scheduler.run("post.send", {"to": to}) for to in ("anna", "bob")]
        assert [(task.error, sent) for task, sent in done] == [(None, 1), (None, 2)]
        yield made


async def ask(service, *arguments):
    """What ``pea activity`` prints about the service."""
    done = await asyncio.to_thread(CliRunner().invoke, command, ["--url", service.url, *arguments])
    assert done.exit_code == 0, done.output
    return done.output


async def test_what_agents_wrote_down_is_shown(service):
    """The latest first, with the capability and the trace it was done in; events that were told are in it too."""
    shown = json.loads(await ask(service, "--json"))
    found = [(one["agent"], one["kind"], one["fields"]) for one in shown["activities"]]
    assert found == [
        ("post", kind, fields)
        for to in ("bob", "anna")
        for kind, fields in (("letter-box-changed", {"box": to}), ("letter.sent", {"to": to}))
    ]
    assert {one["capability"] for one in shown["activities"]} == {"post.send"}
    assert len({one["trace_id"] for one in shown["activities"]}) == 2
    only = json.loads(await ask(service, "--json", "--kind", "letter.sent", "--limit", "1"))
    assert [one["fields"] for one in only["activities"]] == [{"to": "bob"}]


async def test_as_a_table(service):
    """A line for each, then how they are kept."""
    text = await ask(service, "--agent", "post")
    assert "letter.sent" in text
    assert "to=anna" in text
    assert "4 hot, 4 warm" in text
    assert "nothing has been written down" in await ask(service, "--agent", "nobody")


async def test_events_from_outside_are_in_it(service):
    """What is told over HTTP is written down as the service's."""
    async with aiohttp.ClientSession() as session:
        body = {"event": "meeting-created", "variables": {"room": "1"}}
        async with session.post(service.url + "/v1/events", json=body) as response:
            assert response.status == 200
    (found,) = json.loads(await ask(service, "--json", "--agent", "service"))["activities"]
    assert (found["kind"], found["fields"]) == ("meeting-created", {"room": "1"})


async def test_a_restart_loses_nothing(tmp_path):
    """What was written down before an orderly end is shown after it."""
    settings = load(environ={}, overrides={"service.port": 0, "state": str(tmp_path)})
    async with Runtime(settings, agents=[Post()]) as runtime:
        await runtime.call("post.send", to="anna")
    async with Runtime(settings, agents=[Post()]) as runtime:
        assert await runtime.call("post.send", to="bob") == 2
