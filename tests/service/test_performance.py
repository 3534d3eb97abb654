"""The performance agent inside a service says what the dashboard and the objectives say."""

from __future__ import annotations

import asyncio

from pea.agents.performance import Performance
from tests.service.conftest import Echo
from tests.service.test_alerts import opened


async def test_time_goes_where_the_dashboard_says(serve) -> None:
    """Calls, errors and share of the time of each agent; who was not called is named."""
    async with serve(Echo(), Performance()) as site:
        await asyncio.gather(*(site.task("echo.say", words="hi") for _ in range(27)))
        await asyncio.gather(*(site.task("echo.fail", reason="on purpose") for _ in range(3)))
        await site.service.runtime.telemetry.flush()
        told = (await site.task("performance.agents"))["result"]
        echo = next(one for one in told["agents"] if one["name"] == "echo")
        assert echo["calls"] == 30
        assert echo["error_rate"] == 0.1
        assert "fails: 10.0% of calls" in echo["verdict"]
        assert abs(sum(one["share"] for one in told["agents"]) - 1) < 1e-9
        health = (await site.task("performance.health"))["result"]
        assert health["verdict"] != "not measured"
        assert health["score"] == 100 - sum(one["points"] for one in health["lowered_by"])
        assert (health["agents_ready"], health["agents"]) == (2, 2)
        advice = (await site.task("performance.recommendations"))["result"]
        assert any(one["kind"] == "errors" and one["subject"] == "echo" for one in advice["recommendations"])


async def test_objectives_are_those_of_the_route(serve) -> None:
    """Names and verdicts as at /v1/sla, those missed first."""
    async with serve(Echo(), Performance()) as site:
        await opened(site)
        _, route = await site.send("GET", "/v1/sla")
        told = (await site.task("performance.sla"))["result"]
        assert {one["name"] for one in told["objectives"]} == {one["name"] for one in route["objectives"]}
        order = [one["met"] for one in told["objectives"]]
        assert order == sorted(order, key=lambda met: {False: 0, True: 1, None: 2}[met])
