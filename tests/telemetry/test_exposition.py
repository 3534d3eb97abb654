"""What /metrics answers, read back by Prometheus' own parsers."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pea.telemetry import Telemetry, names
from pea.telemetry.exposition import prometheus_name
from pea.telemetry.instruments import METRICS
from pea.telemetry.metrics import OVERFLOW

OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def telemetry():
    """Three tasks, one failed, drained."""
    made = Telemetry(environ={})
    for n in range(3):
        attributes = {names.PEA_CAPABILITY: 'odd"name\\\n', names.PEA_TASK_STATUS: "succeeded"}
        span = made.tracer.start_span(f"{names.SPAN_TASK} x", attributes=attributes, start_time=0)
        span.end(n * 1_000_000_000)
    made.force_flush()
    yield made
    made.shutdown()


def _samples(families, name):
    return [s for family in families for s in family.samples if s.name == name]


def test_prometheus_text_by_default(telemetry):
    """Without an Accept header the text format that every Prometheus reads, with cumulative buckets."""
    body, content_type = telemetry.exposition()
    assert content_type.startswith("text/plain")
    families = list(parse_text(body.decode()))
    buckets = _samples(families, "pea_task_duration_seconds_bucket")
    assert [b.value for b in buckets] == sorted(b.value for b in buckets)
    assert (buckets[-1].labels["le"], buckets[-1].value) == ("+Inf", 3)
    assert buckets[0].labels["pea_capability"] == 'odd"name\\\n'
    assert _samples(families, "pea_task_duration_seconds_count")[0].value == 3
    assert _samples(families, "pea_task_duration_seconds_sum")[0].value == 3.0
    assert _samples(families, "process_memory_usage_bytes")[0].value > 1 << 20
    assert _samples(families, "pea_telemetry_spans_total")[0].labels == {"pea_telemetry_outcome": "finished"}


def test_openmetrics_with_exemplars_when_asked(telemetry):
    """A scraper that accepts OpenMetrics gets the trace of each bucket's last value."""
    body, content_type = telemetry.exposition(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    families = list(parse_openmetrics(body.decode()))
    exemplars = [s.exemplar for s in _samples(families, "pea_task_duration_seconds_bucket") if s.exemplar]
    assert [e.value for e in exemplars] == [0.0, 1.0, 2.0]
    kept = {summary.trace_id for summary in telemetry.recent.list()}
    assert {e.labels["trace_id"] for e in exemplars} <= kept


def test_the_resource_is_target_info(telemetry):
    """Resource attributes are one info metric, not labels of every series."""
    body, _ = telemetry.exposition()
    info = _samples(parse_text(body.decode()), "target_info")[0]
    assert info.labels["service_name"] == "pea"
    assert info.labels["telemetry_sdk_language"] == "python"


def test_every_family_says_what_it_is(telemetry):
    """Help and type come from the registry."""
    families = {f.name: f for f in parse_text(telemetry.exposition()[0].decode())}
    assert families["pea_task_duration_seconds"].type == "histogram"
    assert families["pea_task_duration_seconds"].documentation == METRICS[names.METRIC_TASK_DURATION].brief
    assert families["process_cpu_utilization_ratio"].type == "gauge"


def test_the_overflow_series_is_shown(telemetry):
    """What found no series of its own is visible under the specification's label."""
    telemetry.metrics.limit = 1
    telemetry.metrics.observe(names.METRIC_LOOP_LAG, 0.1)
    samples = _samples(parse_text(telemetry.exposition()[0].decode()), "pea_loop_lag_seconds_count")
    assert samples[0].labels == {OVERFLOW.replace(".", "_"): "true"}


@pytest.mark.parametrize("accept", [None, OPENMETRICS])
async def test_scraping_in_a_thread_gives_the_same(telemetry, accept):
    """`scrape` answers what `exposition` does, but for figures that move by themselves."""

    def steady(body):
        return [line for line in body.splitlines() if not line.startswith((b"process_", b"# HELP process_"))]

    ours, theirs = await telemetry.scrape(accept), telemetry.exposition(accept)
    assert ours[1] == theirs[1]
    assert steady(ours[0]) == steady(theirs[0])


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "nonsense;;q=x", "application/json", "é" * 1000])
def test_any_accept_header_gets_an_answer(telemetry, accept):
    """Whatever a client sends, the answer is the text format."""
    body, content_type = telemetry.exposition(accept)
    assert content_type.startswith("text/plain")
    assert body


@pytest.mark.parametrize(
    ("name", "unit", "instrument", "expected"),
    [
        ("pea.task.duration", "s", "histogram", "pea_task_duration_seconds"),
        ("process.memory.usage", "By", "updowncounter", "process_memory_usage_bytes"),
        ("process.cpu.utilization", "1", "gauge", "process_cpu_utilization_ratio"),
        ("pea.breaker.state", "1", "gauge", "pea_breaker_state"),
        ("pea.task.active", "{task}", "updowncounter", "pea_task_active"),
        ("queue.seconds", "s", "histogram", "queue_seconds"),
    ],
)
def test_names_follow_the_compatibility_rules(name, unit, instrument, expected):
    """Dots to underscores, the unit spelt out once, annotations in braces dropped."""
    assert prometheus_name(name, unit, instrument) == expected
