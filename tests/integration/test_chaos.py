"""A real fault in a real service: `pea serve --chaos` raises the right alert, with the guilty step, and it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.integration.serving import ROOT, serving

# The shipped rule, with windows short enough for a test: the machinery is the same.
RULES = """
version: 1
rules:
  - {name: agent-latency-change, type: performance-change, severity: medium, signal: agent.latency.p95, by: [agent],
     change: {factor: 2, at_least: 300ms, over: 20s}, window: 20s, for: 0s, clear: {for: 1s}, min_samples: 5,
     confidence: 0.99, message: "Agent {agent} response time p95 rose from {before} to {value}"}
  - {name: agent-error-rate, type: error-rate-spike, severity: medium, signal: agent.errors, by: [agent], above: 5%,
     window: 20s, for: 0s, clear: {for: 1s}, min_samples: 5, confidence: 0.99}
"""
DAYS = [f"2026-05-{day:02d}" for day in range(1, 29)]


async def drive(session: aiohttp.ClientSession, url: str) -> None:
    """Ask for itineraries, several at once, until cancelled."""

    async def one(place: int) -> None:
        while True:
            body = {"capability": "travel.itinerary", "input": {"day": DAYS[place % len(DAYS)]}}
            async with session.post(f"{url}/v1/tasks", json=body, headers={"Prefer": "wait=10"}) as response:
                await response.read()
            await asyncio.sleep(0.1)  # a person's pace: the service is another program
            place += 1

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(one(7 * number))


@asynccontextmanager
async def driven(url: str) -> Any:
    async with aiohttp.ClientSession() as session:
        driver = asyncio.create_task(drive(session, url))
        try:
            yield session
        finally:
            driver.cancel()
            await asyncio.wait([driver])


async def alerts_until(session: aiohttp.ClientSession, url: str, done: Any) -> list[dict[str, Any]]:
    """The alerts, as soon as they are as wanted."""
    async with asyncio.timeout(120):
        while True:
            async with session.get(f"{url}/v1/alerts", params={"history": "20"}) as response:
                found = await response.json() if response.status == 200 else {"alerts": [], "history": []}
            if done(found["alerts"]):
                return list(found["alerts"])
            await asyncio.sleep(0.25)  # the service is another program, with its own clock


async def test_a_slow_agent_is_named_with_its_step_and_traces_and_the_alert_ends(tmp_path: Path) -> None:
    """`--chaos slow:travel=800ms`: one alert, of travel; its cause is travel's own step; its traces show the 800 ms."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    # Some seconds of health to compare with, then the fault.
    environ = {
        "PEA_WATCH__RULES": json.dumps([str(rules)]),
        "PEA_WATCH__INTERVAL": "0.5s",
        "PEA_RUNTIME__CHAOS": json.dumps(["slow:travel=800ms,after=28s,for=12s"]),
    }
    async with serving(tmp_path / "state", **environ) as (_, url), driven(url) as session:
        firing = await alerts_until(
            session, url, lambda alerts: any(one["state"] == "firing" and one["cause"] for one in alerts)
        )
        assert {(one["rule"], *one["labels"].values()) for one in firing} == {("agent-latency-change", "travel")}
        (alert,) = firing
        assert alert["message"].startswith("Agent travel response time p95 rose from ")
        cause = alert["cause"][0]
        assert (cause["who"], cause["place"]["operation"]) == ("travel", "travel.itinerary")
        assert cause["before"]["self_ms"] < 100
        assert cause["after"]["self_ms"] > 700
        assert alert["explanation"].startswith("Most likely travel: “travel.itinerary” takes longer by itself")
        async with session.get(f"{url}/v1/traces/{alert['exemplars'][0]}") as response:
            assert response.status == 200
            assert (await response.json())["duration_us"] > 700_000
        async with session.get(f"{url}/traces/{alert['exemplars'][0]}") as response:
            assert response.status == 200
        await alerts_until(session, url, lambda alerts: all(one["state"] == "resolved" for one in alerts))


async def test_a_fault_that_cannot_be_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Wrong use: exit code 2 and the nearest agent, and nothing else is said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pea", "serve", "--config", "examples/workspace/pea.yaml", "--port", "0"),
        *("--state", str(tmp_path), "--chaos", "slow:travl=800ms"),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().strip() == "error: --chaos: no agent is called 'travl' (did you mean 'travel'?)"
