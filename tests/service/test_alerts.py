"""Alerts over HTTP: a real fault in a running service is told with its traces, silenced, and remembered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner, Result

from pea import Runtime, Settings
from pea.cli.alerts import command
from pea.config import Seconds, ServiceSettings, WatchSettings
from pea.service import Service
from pea.service.alerts_detector import DETECTOR, memory_limit, rule_paths, shipped_path
from tests.service.conftest import Site

RULES = """
version: 1
rules:
  - {name: echo-fails, signal: agent.errors, by: [agent], above: 5%, min_samples: 8, confidence: 0.99,
     severity: high, message: "Agent {agent} fails: {value}", notify: [log]}
  - {name: echo-slow, signal: agent.latency.p95, by: [agent], above: 10s}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


async def opened(site: Any) -> Any:
    """The service's watcher, once it is there."""
    detector = site.service.app[DETECTOR]
    there = asyncio.Event()
    detector.on_open.append(lambda watcher: there.set())
    if detector.watcher is None:
        async with asyncio.timeout(20):
            await there.wait()
    return detector.watcher


async def fired(site: Any, watcher: Any) -> None:
    """Have the agent fail until an alert fires."""
    heard = asyncio.Event()
    watcher.on_change.append(lambda change: change.alert.state == "firing" and heard.set())
    for _ in range(10):
        await site.task("echo.fail", reason="by will")
    async with asyncio.timeout(20):
        await heard.wait()
    await site.service.runtime.telemetry.flush()


async def test_a_failing_agent_is_told_with_traces_and_can_be_silenced(serve, agents, rules, tmp_path) -> None:
    """The alert names the agent, shows failed traces, is on the dashboard, and a silence takes it off."""
    settings = {"watch__rules": [str(rules)], "watch__interval": 0.1}
    async with serve(agents["echo"](), **settings) as site:
        watcher = await opened(site)
        await fired(site, watcher)
        _, found = await site.send("GET", "/v1/alerts", params={"state": "firing"})
        (alert,) = found["alerts"]
        assert (alert["rule"], alert["labels"], alert["severity"]) == ("echo-fails", {"agent": "echo"}, "high")
        assert alert["message"] == f"Agent echo fails: {alert['value']}"
        response, trace = await site.send("GET", f"/v1/traces/{alert['exemplars'][0]}")
        assert response.status == 200
        assert trace["errors"] > 0
        _, board = await site.send("GET", "/v1/dashboard")
        assert [one["id"] for one in board["alerts"]] == [alert["id"]]
        assert "pea_alert_state" in (await (await site.client.get("/metrics")).text())
        response, silence = await site.send("POST", f"/v1/alerts/{alert['id']}/silence", json={"duration": "2h"})
        assert (response.status, silence["labels"]) == (201, {"agent": "echo"})
        _, board = await site.send("GET", "/v1/dashboard")
        assert board["alerts"] == []
        _, found = await site.send("GET", "/v1/alerts")
        assert found["alerts"][0]["silenced_until"] == silence["until"]


async def test_alerts_survive_a_restart_of_the_service(serve, agents, rules, tmp_path) -> None:
    """What fired before still fires afterwards, since when it did."""
    settings = Settings(
        state=str(tmp_path / "state"),
        service=ServiceSettings(port=0),
        watch=WatchSettings(rules=(str(rules),), interval=Seconds(0.1)),
    )
    seen = []
    for _ in range(2):
        service = Service(Runtime(settings, agents=[agents["echo"]()]))
        async with service, aiohttp.ClientSession(service.url) as client:
            await service.ready()
            site = Site(service, client)
            watcher = await opened(site)
            if not seen:
                await fired(site, watcher)
            seen.append((await site.send("GET", "/v1/alerts"))[1]["alerts"])
    before, after = ({one["id"]: one["fired"] for one in alerts if one["state"] == "firing"} for alerts in seen)
    assert before
    assert before == after


async def test_a_mistake_in_changed_rules_leaves_the_last_good_ones_in_use(serve, agents, rules) -> None:
    """Hot reload: good rules are taken, bad ones are told of with file and line."""
    async with serve(agents["echo"](), watch__rules=[str(rules)], watch__interval=60) as site:
        await opened(site)
        detector = site.service.app[DETECTOR]
        rules.write_text(RULES.replace("severity: high", "severty: high"))
        await detector.reload()
        _, found = await site.send("GET", "/v1/rules")
        assert len(found["rules"]) == 2
        assert found["problems"] == [
            f"{rules}:5: echo-fails: there is no field 'severty' (did you mean 'severity'?)",
        ]
        rules.write_text("version: 1\nrules: []\n")
        await detector.reload()
        _, found = await site.send("GET", "/v1/rules")
        assert (found["rules"], found["problems"]) == ([], [])


async def test_rules_show_what_their_file_says(serve, agents) -> None:
    """Without rules of one's own, those that ship are in use."""
    async with serve(agents["echo"]()) as site:
        await opened(site)
        _, found = await site.send("GET", "/v1/rules")
        shown = {rule["name"]: rule["rule"] for rule in found["rules"]}
        assert (shown["memory-leak"]["above"], shown["memory-leak"]["trend"]) == ("1GiB", "increasing")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/alerts/0123456789abcdef/silence", {}, 404),
        ("/v1/alerts/0123456789abcdef/silence", {"duration": "soon"}, 400),
        ("/v1/alerts/0123456789abcdef/silence", {"duration": "600d"}, 400),
        ("/v1/alerts/0123456789abcdef/silence", {"duratoin": "1h"}, 400),
    ],
)
async def test_what_cannot_be_silenced_is_refused(serve, agents, path, body, status) -> None:
    """No such alert, no such duration, no such field."""
    async with serve(agents["echo"]()) as site:
        await opened(site)
        response, problem = await site.send("POST", path, json=body)
        assert (response.status, problem["status"]) == (status, status)


async def test_a_detector_that_is_switched_off_says_so(serve, agents) -> None:
    """503 with what to do; the dashboard has no alerts section."""
    async with serve(agents["echo"](), watch__on=False) as site:
        response, problem = await site.send("GET", "/v1/alerts")
        assert (response.status, problem["detail"]) == (503, "the detector is not running")
        _, board = await site.send("GET", "/v1/dashboard")
        assert board["alerts"] is None


def test_the_default_rules_and_the_memory_limit_are_found() -> None:
    """The shipped file exists; the limit is the machine's or the control group's."""
    assert rule_paths(Settings()) == [shipped_path()]
    assert shipped_path().exists()
    assert memory_limit() > 1 << 28


async def test_the_command_line_shows_alerts_and_silences_them(serve, agents, rules) -> None:
    """`pea alerts` tells what fires, exits with 1 on --check, and `pea alerts silence` mutes it."""
    async with serve(agents["echo"](), watch__rules=[str(rules)], watch__interval=0.1) as site:
        await fired(site, await opened(site))

        async def pea(*words: str) -> Result:
            return await asyncio.to_thread(CliRunner().invoke, command, [*words, "--url", site.service.url])

        shown = await pea("--check")
        assert shown.exit_code == 1
        assert "Agent echo fails: " in shown.output
        assert f"{site.service.url}/traces/" in shown.output
        (alert,) = json.loads((await pea("--json")).output)["alerts"]
        silenced = await pea("silence", alert["id"], "--for", "2h")
        assert silenced.output.startswith("echo-fails is silenced until ")
        assert "silenced until" in (await pea("--all")).output
