"""The stack as a whole: PEA under load, scraped by a real Prometheus, both sending alerts to a real Alertmanager."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import yaml

from tests.stack import programs
from tests.stack.load import Load
from tests.stack.programs import ROOT, Inbox, Pages, Program, fetch, until

NEEDED = ("prometheus", "promtool", "prometheus-alertmanager", "amtool", "redis-server")
SCRAPES = 20

RULES: dict[str, Any] = {
    "version": 1,
    "rules": [
        {"name": "agent-error-rate", "type": "error-rate-spike", "severity": "critical", "signal": "agent.errors",
         "by": ["agent"], "above": "5%", "window": "20s", "for": "1s", "min_samples": 5, "confidence": 0.5,
         "message": "Agent {agent} error rate exceeded 5%: {value}", "notify": ["alertmanager"]},
        {"name": "agent-latency-p95", "type": "performance-degradation", "severity": "high",
         "signal": "agent.latency.p95", "by": ["agent"], "where": {"agent": "probe"}, "above": "200ms",
         "window": "20s", "for": "1s", "min_samples": 5, "confidence": 0.5,
         "message": "Agent {agent} response time p95 exceeded 200 ms: {value}", "notify": ["alertmanager"]},
    ],
}  # fmt: skip


class Stack:
    """The running programs, and what can be asked of them."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox()
        sample, elsewhere = ROOT / "examples/workspace", "judo-club.ics"  # a calendar that comes from a server
        self.pages = Pages(sample / "calendars")
        workspace = shutil.copytree(sample, folder / "workspace", ignore=shutil.ignore_patterns(elsewhere))
        self.redis, redis_url = programs.redis(folder)
        self.alertmanager = programs.alertmanager(folder, self.inbox.url).start()
        rules = {**RULES, "receivers": [{"name": "alertmanager", "kind": "alertmanager", "url": self.alertmanager.url}]}
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        exported = subprocess.run(
            [sys.executable, "-m", "pea", "rules", "export", str(folder / "rules.yaml")],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        (folder / "exported.yaml").write_text(exported.stdout.replace("interval: 10s", "interval: 1s"))
        club = {"kind": "web", "url": f"{self.pages.url}/{elsewhere}", "save_as": f"calendars/{elsewhere}"}
        settings = {
            "workspace": str(workspace),
            "connect": {"every": "1s", "accounts": {"club": club}},
            "cache": {"l3": {"url": redis_url}},
            "runtime": {"concurrency": 12, "queue": 20, "replicas": {"ledger": 4}},  # a burst is refused; four may vote
            "telemetry": {"series_per_metric": 200},
            "watch": {"rules": [str(folder / "rules.yaml")], "interval": "1s"},
        }
        self.pea: Program = programs.pea(folder, settings).start()
        self.die_at_work()
        self.prometheus = programs.prometheus(
            folder, self.pea.url, self.alertmanager.url, folder / "exported.yaml"
        ).start()
        self.load = Load(self.pea.url).start()

    def die_at_work(self) -> None:
        """Kill PEA while it works, so that the journal has something to resume."""
        for _ in range(5):
            until(
                "a task is taken", lambda: fetch(f"{self.pea.url}/v1/tasks", {"capability": "probe.slow", "input": {}})
            )
        assert self.pea.process is not None
        self.pea.process.kill()
        self.pea.process.wait()
        self.pea.start()

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """An instant query's result."""
        query = urllib.parse.urlencode({"query": expr})
        return list(fetch(f"{self.prometheus.url}/api/v1/query?{query}")["data"]["result"])

    def api(self, path: str, **parameters: str) -> Any:
        """What Prometheus' API says."""
        return fetch(f"{self.prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]

    def scrapes(self) -> int:
        """How often PEA has been scraped."""
        found = self.ask('sum(sum_over_time(up{job="pea"}[10m]))')
        return int(float(found[0]["value"][1])) if found else 0

    def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager has."""
        return list(fetch(f"{self.alertmanager.url}/api/v2/alerts"))

    def close(self) -> None:
        """Stop everything that was started."""
        self.load.stop()
        for program in (self.pea, self.prometheus, self.alertmanager):
            program.stop()
        self.redis.kill()
        self.redis.wait()
        self.inbox.close()
        self.pages.close()
