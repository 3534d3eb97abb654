"""Series as Prometheus sees them: bounded in number, never a negative rate, over restarts too."""

from __future__ import annotations

import pytest

from pea.telemetry.instruments import METRICS
from tests.stack.counts import COUNTED
from tests.stack.load import other_program
from tests.stack.programs import until
from tests.stack.running import Stack

LIMIT = 200  # of the series of one metric, in the settings of the stack
BUCKETS = 17  # of a classic histogram, count and sum included

pytestmark = pytest.mark.service


def test_label_sets_stay_bounded(stack: Stack) -> None:
    """A program that names 400 models does not bring 400 series: what is beyond the limit is in the overflow series."""
    other_program(stack.pea.url, models=2 * LIMIT, rounds=1)
    overflow = 'gen_ai_client_operation_duration_seconds_count{otel_metric_overflow="true"}'
    until("the overflow series is scraped", lambda: stack.ask(overflow))
    sizes = {one["metric"]["__name__"]: int(one["value"][1]) for one in stack.ask('count by (__name__) ({job="pea"})')}
    assert sizes["gen_ai_client_operation_duration_seconds_count"] <= LIMIT
    assert max(sizes.values()) <= LIMIT * BUCKETS
    COUNTED["series of the largest metric / bound"] = f"{max(sizes.values())}/{LIMIT * BUCKETS}"


def test_no_raw_key_or_content_is_a_label(stack: Stack) -> None:
    """Labels are the registry's attributes, what Prometheus adds, and nothing else."""
    known = {label.replace(".", "_") for metric in METRICS.values() for label in metric.labels}
    added = {"__name__", "job", "instance", "le", "otel_metric_overflow"}
    info = {"service_name", "service_version", "service_instance_id"}
    found = set(stack.api("labels", **{"match[]": '{job="pea"}'}))
    assert {one for one in found - known - added - info if not one.startswith("telemetry_sdk_")} == set()


def test_counters_survive_a_restart(stack: Stack) -> None:
    """PEA is killed and started anew: the reset is seen, and no rate of any counter is ever negative."""
    finished = 'pea_telemetry_spans_total{pea_telemetry_outcome="finished"}'
    before = stack.ask(f"sum({finished})")[0]["value"][1]
    stack.die_at_work()
    until("the counter begins anew", lambda: stack.ask(f"resets({finished}[5m]) > 0"))
    until("it is scraped a few times", lambda: stack.ask(f"count_over_time({finished}[5s]) >= 4"))
    assert stack.ask(f"sum({finished}) < {before}")
    counters = [
        name + suffix
        for name, about in stack.api("metadata").items()
        if name.startswith(("pea_", "http_", "gen_ai_"))
        for suffix in {"counter": ("",), "histogram": ("_count", "_sum", "_bucket")}.get(about[0]["type"], ())
    ]
    assert len(counters) > 20
    for name in counters:
        lowest = stack.ask(f'min(min_over_time(rate({name}{{job="pea"}}[5s])[2m:1s]))')
        assert not lowest or float(lowest[0]["value"][1]) >= 0, name
    COUNTED["counters without a negative rate over a restart"] = f"{len(counters)}/{len(counters)}"
