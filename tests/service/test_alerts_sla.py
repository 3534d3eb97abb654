"""Objectives over HTTP and in the terminal: counted while the service runs, and kept when it stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from click.testing import CliRunner

from pea.cli.sla import command
from pea.runtime.task import Priority
from pea.service.alerts_sla import OBJECTIVES
from pea.watch.sla import Shed
from tests.service.test_alerts import opened


async def test_the_objectives_of_a_running_service_are_shown_and_kept(serve: Any, agents: Any) -> None:
    """Every objective of the report is there, health checks are measured, and the terminal says the same."""
    async with serve(agents["echo"](), watch__interval=0.1) as site:
        await opened(site)
        admission = site.service.runtime.scheduler.admission
        site.service.app[OBJECTIVES].enforce(Shed(2, "tasks wait"))
        assert admission.shed_below is Priority.HIGH
        site.service.app[OBJECTIVES].enforce(Shed())
        assert admission.shed_below is None
        response, found = await site.send("GET", "/v1/sla")
        assert response.status == 200
        standing = {one["name"]: one for one in found["objectives"]}
        assert list(standing) == [
            *("p50", "p95", "p99", "failures", "crisis", "availability", "MTBF", "MTTR", "health checks")
        ]
        assert standing["health checks"]["met"] is True
        assert (standing["p95"]["objective"], standing["p95"]["met"]) == ("95% of tasks under 300 ms", None)
        assert (found["incidents"], found["shed"]) == ([], 0)
        url = str(site.service.url)
        shown = await asyncio.to_thread(CliRunner().invoke, command, ["--url", url])
        assert shown.exit_code == 0, shown.output
        assert "99.9% of the time" in shown.output
        as_json = await asyncio.to_thread(CliRunner().invoke, command, ["--json", "--url", url])
        assert len(json.loads(as_json.output)["objectives"]) == 9
