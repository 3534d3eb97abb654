"""A learned baseline in a running service: its alert over HTTP and in the terminal shows what was expected."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from click.testing import CliRunner, Result

from pea.cli.alerts import command
from tests.service.test_alerts import fired, opened

RULES = """
version: 1
rules:
  - {name: echo-odd, signal: agent.errors, by: [agent], baseline: {learn: 2h, every: 10s, direction: up}}
"""


async def test_an_alert_of_a_baseline_is_drawn(serve, agents, tmp_path: Path) -> None:
    """Failures where none were for hours fire without a threshold; API and `pea alerts show` have the band."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    async with serve(agents["echo"](), watch__rules=[str(path)], watch__interval=0.1) as site:
        watcher = await opened(site)
        learner = watcher.scene.learners.of(watcher.rules.rules[0])
        begin = time.time() - 6 * 3_600 + 59
        for minute in range(6 * 60):
            learner.learn(begin + 60 * minute, {("echo",): 0.0})
        for _ in range(10):
            await site.task("echo.fail", reason="by will")
        await fired(site, watcher)
        _, found = await site.send("GET", "/v1/alerts", params={"state": "firing"})
        (alert,) = found["alerts"]
        course = alert["course"]
        assert (alert["rule"], alert["labels"], course["unit"]) == ("echo-odd", {"agent": "echo"}, "%")
        assert course["values"][-1] == 1.0
        assert course["high"][-1] < 0.5
        assert len(course["at"]) == len(course["values"]) == len(course["low"]) == 60

        async def pea(*words: str) -> Result:
            return await asyncio.to_thread(CliRunner().invoke, command, ["show", *words, "--url", site.service.url])

        shown = await pea(alert["id"][:6])
        assert shown.exit_code == 0
        assert "agent.errors is 100%, expected 0" in shown.output
        assert shown.output.count("●") == 1
        assert json.loads((await pea(alert["id"], "--json")).output)["course"] == course
        assert (await pea("f" * 16)).exit_code != 0
