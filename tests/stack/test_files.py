"""The shipped files, each by its own checker: dashboards, rules, configuration."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import build
from pea.telemetry import names
from pea.telemetry.instruments import METRICS
from tests.stack.counts import COUNTED
from tests.stack.programs import ROOT

BOARDS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))}
RULES = ROOT / "alerts" / "prometheus"
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
UNITS = {"short", "s", "bytes", "percentunit", "reqps", "cps"}


def tool(*command: str) -> str:
    """What a checker prints; the test fails when it finds fault, and is skipped where the checker is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_dashboards_are_what_their_source_says(capsys: pytest.CaptureFixture[str]) -> None:
    """No JSON was edited by hand, none is stale, none is left over."""
    assert build.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check says which file differs, and what to do; writing mends it."""
    monkeypatch.setattr(build, "HERE", tmp_path)
    assert build.main(["--check"]) == 1
    assert "pea-fleet.json" in capsys.readouterr().err
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize("name", BOARDS)
class TestLinter:
    """The rules of Grafana's dashboard-linter, which is not packaged; its own run finds nothing either."""

    def test_template_rules(self, name: str) -> None:
        """Data source, job and instance are variables; queries are asked anew when the time changes."""
        known = {one["name"]: one for one in BOARDS[name]["templating"]["list"]}
        assert (known["datasource"]["type"], known["datasource"]["query"]) == ("datasource", "prometheus")
        assert known["datasource"]["label"] == "Data source"
        for word in ("job", "instance"):
            assert known[word]["label"] == word.title()
            assert known[word]["multi"]
            assert known[word]["allValue"] == ".+"
            assert known[word]["datasource"]["uid"] == "${datasource}"
        for one in known.values():
            if one["type"] == "query":
                assert one["refresh"] == 2
                assert re.fullmatch(r"label_values\(.+, \w+\)", one["query"])

    def test_panel_rules(self, name: str) -> None:
        """Every panel has a title, a description, a unit, a query, and asks the chosen data source."""
        for panel in panels(BOARDS[name]):
            assert panel["title"]
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
            assert panel["targets"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["type"] == "heatmap" or panel["fieldConfig"]["defaults"]["thresholds"]["steps"]

    def test_target_rules(self, name: str) -> None:
        """Every selector has job and instance; a rate is over $__rate_interval; a counter is never shown bare."""
        for panel in panels(BOARDS[name]):
            for target in panel["targets"]:
                expr = target["expr"]
                assert len(SELECTOR.findall(expr)) == expr.count("{"), expr
                for metric, matchers in SELECTOR.findall(expr):
                    assert 'job=~"$job", instance=~"$instance"' in matchers, expr
                    if metric.endswith("_total"):
                        assert re.search(rf"(rate|increase)\({metric}\{{", expr), expr
                assert set(re.findall(r"rate\([^[]*\[([^]]*)\]", expr)) <= {"$__rate_interval"}, expr

    def test_dashboard_rules(self, name: str) -> None:
        """It cannot be edited by accident, has an address of its own, and leads to the others."""
        board = BOARDS[name]
        assert board["editable"] is False
        assert f"{board['uid']}.json" == name
        assert board["links"][0]["tags"] == ["pea"]
        assert "pea" in board["tags"]
        assert [one["name"] for one in board["annotations"]["list"]] == ["PEA's alerts", "Prometheus' alerts"]

    def test_layout(self, name: str) -> None:
        """No two panels overlap, and none sticks out."""
        taken: set[tuple[int, int]] = set()
        for panel in BOARDS[name]["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, panel["title"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells

    def test_grafanas_own_types_read_it(self, name: str) -> None:
        """What is written is a dashboard by Grafana's generated schema: read back, it is the same, panel by panel."""
        register_default_plugins()
        again = json.loads(json.dumps(Dashboard.from_json(BOARDS[name]), cls=JSONEncoder))
        for before, after in zip(BOARDS[name]["panels"], again["panels"], strict=True):
            if "fieldConfig" in before:
                after["fieldConfig"]["defaults"].setdefault("custom", None)
                before["fieldConfig"]["defaults"].setdefault("custom", after["fieldConfig"]["defaults"]["custom"])
            assert after == before
        assert again["templating"] == BOARDS[name]["templating"]

    def test_queries_are_promql(self, name: str, tmp_path: Path) -> None:
        """Prometheus' own parser takes every query of panels and annotations."""
        exprs = [one["expr"] for panel in panels(BOARDS[name]) for one in panel["targets"]]
        exprs += [one["expr"] for one in BOARDS[name]["annotations"]["list"]]
        plain = [re.sub(r"\$__\w+", "5m", expr) for expr in exprs]
        rules = [{"record": f"q{number}", "expr": expr} for number, expr in enumerate(plain)]
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        assert f"{len(exprs)} rules found" in tool("promtool", "check", "rules", str(tmp_path / "rules.yaml"))


def test_every_exported_metric_is_on_a_dashboard() -> None:
    """What PEA measures, somebody can see: no metric of the registry is without a panel."""
    from dashboards.queries import metric

    text = "".join(
        target["expr"] for board in BOARDS.values() for panel in panels(board) for target in panel["targets"]
    )
    unseen = [name for name in METRICS if metric(name) not in text]
    assert unseen == [], "give each a panel in dashboards/boards, then `make dashboards`"


def test_exported_rules_are_what_pea_exports() -> None:
    """alerts/prometheus/pea.yaml is what `pea rules export` prints for the default rules (else: make rules)."""
    command = [sys.executable, "-m", "pea", "rules", "export", "--to", "prometheus", "alerts/default.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (RULES / "pea.yaml").read_text() == done.stdout


@pytest.mark.service
def test_rules_pass_promtool() -> None:
    """Promtool finds no fault in the rules, and their unit tests pass; every rule is seen to fire in one."""
    checked = 0
    for name in ("pea", "meta"):
        said = tool("promtool", "check", "rules", str(RULES / f"{name}.yaml"))
        checked += int(re.search(r"(\d+) rules found", said)[1])  # type: ignore[index]
        tool("promtool", "test", "rules", str(RULES / f"{name}_test.yaml"))
        tests = (RULES / f"{name}_test.yaml").read_text()
        rules = yaml.safe_load((RULES / f"{name}.yaml").read_text())["groups"]
        for alert in (rule["alert"] for group in rules for rule in group["rules"]):
            assert re.search(rf'alertname(="|: ){alert}\b', tests), f"{alert} has no unit test"
    COUNTED["rules checked and unit tested"] = str(checked)


@pytest.mark.service
def test_prometheus_configuration() -> None:
    """Promtool takes it with the rule files it names, found beside it in the checkout and in the wheel alike."""
    assert "2 rule files found" in tool("promtool", "check", "config", "dashboards/prometheus.yml")


@pytest.mark.service
@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "wake"), ("high", "today"), ("medium", "today"), ("low", "week"), ("info", "week"), ("", "today")],
)
def test_alerts_are_routed_by_severity(severity: str, receiver: str) -> None:
    """Amtool takes the configuration, and each severity reaches the one who should know."""
    path = "--config.file=alerts/prometheus/alertmanager.yml"
    assert "SUCCESS" in tool("amtool", "check-config", "alerts/prometheus/alertmanager.yml")
    assert tool("amtool", "config", "routes", "test", path, f"severity={severity}").strip() == receiver


def test_inhibition_names_rules_that_exist() -> None:
    """No inhibition speaks of a rule that was renamed."""
    files = [yaml.safe_load((RULES / f"{name}.yaml").read_text()) for name in ("pea", "meta")]
    known = {rule["alert"] for made in files for group in made["groups"] for rule in group["rules"]}
    for rule in yaml.safe_load((RULES / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            named = re.fullmatch(r'alertname!?=~?"(.*)"', matcher)
            assert named is None or set(named[1].split("|")) <= known


def test_grafana_is_provisioned_with_what_the_dashboards_need() -> None:
    """Data sources refer to each other by addresses that exist, and say where they are by the environment."""
    text = (ROOT / "dashboards/provisioning/datasources/pea.yaml").read_text()
    sources = {one["uid"]: one for one in yaml.safe_load(text)["datasources"]}
    assert {one["type"] for one in sources.values()} == {"prometheus", "jaeger", "alertmanager"}
    assert [uid for uid, one in sources.items() if one.get("isDefault")] == ["prometheus"]
    assert all(re.fullmatch(r"\$\{PEA_\w+\}", one["url"]) for one in sources.values())
    points = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]
    assert points["name"] == "trace_id"
    assert points["datasourceUid"] in sources
    for uid in ("pea", "jaeger"):
        linked = sources[uid]["jsonData"]["tracesToMetrics"]
        assert linked["datasourceUid"] in sources
        assert all("$$__tags" in query["query"] for query in linked["queries"])  # one $ is left for Grafana
        assert all(tag["key"] in (names.GEN_AI_AGENT_NAME, names.PEA_CAPABILITY) for tag in linked["tags"])
    (provider,) = yaml.safe_load((ROOT / "dashboards/provisioning/dashboards/pea.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "${PEA_DASHBOARDS}"
