"""The three rules of the performance report (SPEC.md row 15), exactly as it states them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pea.watch.present import fill
from pea.watch.rule import Rule
from pea.watch.rule_file import load_rules

RULES = {rule.name: rule for rule in load_rules([Path(__file__).parents[2] / "alerts/default.yaml"]).rules}
SLOW, LEAK, ERRORS = (RULES[name] for name in ("agent-latency-p95", "memory-leak", "agent-error-rate"))


@pytest.mark.parametrize(
    ("rule", "about", "severity", "signal", "above"),
    [
        (SLOW, "performance-degradation", "high", "agent.latency.p95", 1.0),
        (LEAK, "memory-leak", "critical", "process.memory", float(1 << 30)),
        (ERRORS, "error-rate-spike", "medium", "agent.errors", 0.05),
    ],
)
def test_type_severity_and_threshold_are_the_reports(
    rule: Rule, about: str, severity: str, signal: str, above: float
) -> None:
    """P95 above 1 s is high, growing memory above 1 GB critical, an error rate above 5 % medium."""
    assert (rule.type, rule.severity, rule.signal, float(rule.above or 0)) == (about, severity, signal, above)


def test_a_leak_is_an_increase_over_ten_samples() -> None:
    """Above the bound alone is no leak."""
    assert (LEAK.trend, LEAK.samples) == ("increasing", 10)


def test_latency_and_errors_are_judged_for_each_agent() -> None:
    """One alert for each agent, of at least twenty calls within five minutes."""
    for rule in (SLOW, ERRORS):
        assert (rule.by, rule.window, rule.min_samples) == (("agent",), 300, 20)


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        (SLOW, 1.5, "Agent travel response time p95 exceeded 1s: 1.5 s"),
        (LEAK, 1.25 * 2**30, "Memory exceeded 1 GiB and is increasing: 1.25 GiB, 200 MiB per hour"),
        (ERRORS, 0.175, "Agent travel error rate exceeded 5%: 17.5%"),
    ],
)
def test_messages_name_the_agent_the_bound_and_the_value(rule: Rule, value: float, message: str) -> None:
    """The form that DESIGN.md section 7 shows."""
    labels = dict.fromkeys(rule.by, "travel")
    assert fill(rule, labels, value, {"growth_per_hour": 200 * 2.0**20}) == message
