"""Alerts on their way: PEA's detector and Prometheus' rules, one Alertmanager, the people who are told."""

from __future__ import annotations

import pytest

from tests.stack.counts import COUNTED
from tests.stack.programs import fetch, until
from tests.stack.running import Stack

SAME = ("alertname", "agent", "severity", "type")

pytestmark = pytest.mark.service


def by_sender(stack: Stack) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """What Alertmanager has of PEA, and of Prometheus, by the labels that say which alert it is."""
    found: tuple[set[tuple[str, ...]], set[tuple[str, ...]]] = (set(), set())
    for alert in stack.alerts():
        labels = alert["labels"]
        found["source" in labels].add(tuple(labels.get(name, "") for name in SAME))
    return found


def test_pea_and_prometheus_agree(stack: Stack) -> None:
    """The same two alerts, with the same labels, come from both."""
    wanted = {
        ("agent-error-rate", "probe", "critical", "error-rate-spike"),
        ("agent-latency-p95", "probe", "high", "performance-degradation"),
    }
    until("both have told Alertmanager", lambda: all(wanted <= told for told in by_sender(stack)))
    ours, theirs = by_sender(stack)
    assert ours == theirs
    COUNTED["alerts that PEA and Prometheus agree on"] = f"{len(ours & theirs)}/{len(ours | theirs)}"


def test_alerts_are_delivered_once_to_whom_they_concern(stack: Stack) -> None:
    """A critical alert wakes somebody, a high one waits for the day; Prometheus' double is inhibited by PEA's own."""

    def delivered() -> set[tuple[str, str]]:
        return {(to, labels["alertname"]) for to, labels in stack.inbox.alerts()}

    wanted = {("wake", "agent-error-rate"), ("today", "agent-latency-p95")}
    until("the alerts are delivered", lambda: wanted <= delivered())
    assert {to for to, name in delivered() if name == "agent-error-rate"} == {"wake"}
    until(
        "Prometheus' doubles are inhibited",
        lambda: all(one["status"]["inhibitedBy"] for one in stack.alerts() if one["labels"].get("source")),
    )
    COUNTED["alerts delivered"] = str(len(stack.inbox.alerts()))


def test_an_alert_says_which_traces_to_open(stack: Stack) -> None:
    """PEA's alert carries links to traces of the agent to blame, and they open."""
    ours = [one for one in stack.alerts() if "source" not in one["labels"] and one["annotations"].get("traces")]
    assert ours
    for link in ours[0]["annotations"]["traces"].split():
        assert link.startswith(stack.pea.url)
        assert fetch(f"{stack.pea.url}/api/traces/{link.rpartition('/')[2]}")["data"][0]["spans"]


def test_every_exported_rule_is_loaded_and_healthy(stack: Stack) -> None:
    """Prometheus evaluates all rules without an error."""
    rules = [rule for group in stack.api("rules")["groups"] for rule in group["rules"]]
    assert {"agent-error-rate", "agent-latency-p95", "pea-down"} <= {rule["name"] for rule in rules}
    assert {rule["health"] for rule in rules} == {"ok"}
