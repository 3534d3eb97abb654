"""The service's life: bound, ready, stopped in order."""

import asyncio
import gc
import os
import signal

import aiohttp
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import RuntimeSettings, ServiceSettings
from pea.errors import ConfigError
from pea.service import Service
from pea.service.state import STATE
from pea.telemetry import Telemetry


async def test_what_runs_is_finished(serve, agents):
    """While it stops, a service refuses new tasks and lets the running one end; who waits gets the answer."""
    gate = agents["gate"]()
    async with serve(gate) as site:
        body = {"capability": "gate.hold", "input": {}}
        waiting = asyncio.create_task(site.send("POST", "/v1/tasks", json=body, headers={"Prefer": "wait=30"}))
        await gate.waiting.wait()
        closing = asyncio.create_task(site.service.close())
        response, problem = await site.send("GET", "/readyz")
        assert (response.status, problem["type"]) == (503, "/problems/shutting_down")
        response, problem = await site.send("POST", "/v1/tasks", json=body)
        assert (response.status, problem["type"]) == (503, "/problems/shutting_down")
        assert int(response.headers["Retry-After"]) > 0
        assert response.headers["Connection"] == "close"
        _, page = await site.send("GET", "/v1/tasks")
        assert [task["status"] for task in page["tasks"]] == ["running"]
        gate.open.set()
        response, task = await waiting
        assert (response.status, task["status"], task["result"]) == (200, "succeeded", "through")
        await closing
        with pytest.raises(aiohttp.ClientConnectorError):
            await site.send("GET", "/healthz")


async def test_what_cannot_finish_is_handed_back(serve, agents):
    """Past the grace period running tasks, and at once waiting ones, end as cancelled, and their readers are told."""
    gate = agents["gate"]()
    async with serve(gate, runtime__concurrency=1, service__grace="10ms") as site:
        running = await site.task("gate.hold", wait=None)
        queued = await site.task("gate.hold", wait=None)
        streams = [
            asyncio.create_task(site.send("GET", task["links"]["events"], headers={"Last-Event-ID": "1"}))
            for task in (running, queued)
        ]
        while site.service.app[STATE].streams < 2:
            await asyncio.sleep(0)
        await site.service.close()
        for stream in streams:
            response, _ = await stream
            assert "event: cancelled" in await response.text()
        history = site.service.runtime.scheduler.history
        assert history.require(queued["id"]).error.code == "shutting_down"
        assert history.require(running["id"]).state == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_stop_it(number):
    """SIGTERM and SIGINT end `run` in order, and the signals are given back."""
    service = Service(Runtime(Settings(service=ServiceSettings(port=0)), agents=[]))
    running = asyncio.create_task(service.run())
    while not service.runtime.ready:
        await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    await running
    assert not asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_stop_during_the_start_is_a_stop(serve, agents):
    """A service that is stopped while its agents start does not wait for them."""
    slowly = agents["slowly"]()
    async with serve(slowly, ready=False) as site:
        assert (await site.send("GET", "/healthz"))[0].status == 200
        await site.service.close()
    assert not slowly.may_start.is_set()


async def test_what_keeps_it_from_starting_is_raised():
    """A runtime that cannot start ends the service with its reason."""
    settings = Settings(service=ServiceSettings(port=0), runtime=RuntimeSettings(agents=("calender",)))
    with pytest.raises(ConfigError, match="calender"):
        await Service(Runtime(settings)).run()


async def test_a_port_in_use_is_said(serve, agents):
    """The second service on a port is refused with the port's number and what to do."""
    async with serve(agents["echo"]()) as site:
        port = int(site.service.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=str(port)) as raised:
            async with serve(agents["echo"](), service__port=port):
                pass
        assert raised.value.where == "service.port"


async def test_the_last_spans_are_flushed():
    """The spans of the last answers end before the service has closed, so that closing the telemetry loses none."""

    class Last(Agent):
        name = "last"

        @capability("last.word")
        async def word(self, ctx: Context) -> str:
            """Say it."""
            return "amen"

    telemetry = Telemetry(Settings())
    runtime = Runtime(Settings(service=ServiceSettings(port=0)), agents=[Last()], telemetry=telemetry)
    async with Service(runtime) as service:
        await service.ready()
        async with aiohttp.ClientSession(service.url) as client:
            body = {"capability": "last.word"}
            async with client.post("/v1/tasks", json=body, headers={"Prefer": "wait=10"}) as response:
                task = await response.json()
    await telemetry.aclose()
    names = {span.name for span in telemetry.recent.get(task["trace_id"])}
    assert names >= {"POST /v1/tasks", "task last.word", "invoke_agent last"}


async def test_ready_needs_a_start():
    """Waiting for a service that nobody started is said to be a mistake, not waited for."""
    with pytest.raises(ConfigError, match="not been started"):
        await Service(Runtime(Settings(), agents=[])).ready()


async def test_closing_twice_is_closing_once(serve, agents):
    """A service can be closed by hand and by its block."""
    async with serve(agents["echo"]()) as site:
        await site.service.close()
        await site.service.close()


async def test_a_start_that_fails_is_told_to_who_waits_and_to_nobody_else(monkeypatch, caplog):
    """`until_stopped` raises what kept the runtime from starting; a service that is only closed is quiet about it."""

    async def broken() -> None:
        raise ConfigError("the runtime cannot start")

    for waits in (True, False):
        service = Service(Runtime(Settings(service=ServiceSettings(port=0)), agents=[]))
        monkeypatch.setattr(service.runtime, "start", broken)
        if waits:
            with pytest.raises(ConfigError, match="cannot start"):
                await service.run()
        else:
            async with service:
                await asyncio.sleep(0)
        del service
        gc.collect()
        assert "never retrieved" not in caplog.text
