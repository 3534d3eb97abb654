"""Metrics encoded point by point equal what the official encoder makes of all of them at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as official
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pea.telemetry import names
from pea.telemetry.instruments import METRICS
from pea.telemetry.metrics import MetricStore
from pea.telemetry.otlp_metrics import encode_metrics

RESOURCE = Resource({"service.name": "tested"})
SCOPE = InstrumentationScope("pea", "1")
LABELS = ("a.b", "succeeded", None)


def _encoded(store, **kwargs):
    data = encode_metrics(store.walk(), store.numbers(), RESOURCE, SCOPE, start_ns=1, now_ns=2, **kwargs)
    return ExportMetricsServiceRequest.FromString(data)


def _metrics(request):
    return {m.name: m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics}


def _buckets(point):
    """Counts by bucket index; the SDK leaves empty buckets at the end."""
    return {point.positive.offset + k: n for k, n in enumerate(point.positive.bucket_counts) if n}


@given(st.lists(st.floats(0.0001, 100), min_size=1, max_size=200))
@settings(max_examples=50)
def test_the_sdk_says_the_same_of_the_same_values(values):
    """Count, sum, extremes scale and buckets are those of the SDK's exponential histogram."""
    reader = InMemoryMetricReader()
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation(max_scale=6))
    provider = MeterProvider([reader], RESOURCE, views=[view], shutdown_on_exit=False)
    peer = provider.get_meter("pea", "1").create_histogram(names.METRIC_TASK_DURATION, "s")
    store = MetricStore(10)
    for value in values:
        store.observe(names.METRIC_TASK_DURATION, value, LABELS)
        peer.record(value)
    theirs = _metrics(official(reader.get_metrics_data()))[names.METRIC_TASK_DURATION]
    provider.shutdown()
    ours = _metrics(_encoded(store))[names.METRIC_TASK_DURATION]
    mine, peers = ours.exponential_histogram.data_points[0], theirs.exponential_histogram.data_points[0]
    assert (mine.count, mine.min, mine.max, mine.zero_count) == (peers.count, peers.min, peers.max, peers.zero_count)
    assert mine.sum == pytest.approx(peers.sum)
    assert (mine.scale, _buckets(mine)) == (peers.scale, _buckets(peers))
    assert ours.exponential_histogram.aggregation_temporality == theirs.exponential_histogram.aggregation_temporality


def test_points_of_one_metric_are_gathered():
    """Many series are points of one metric under one resource and scope, and others have their turn at each."""
    pauses = []
    store = MetricStore(100)
    for n in range(20):
        store.observe(names.METRIC_TASK_DURATION, 0.1, (f"c.{n}", "succeeded", None))
        store.observe(names.METRIC_LOOP_LAG, 0.001)
    store.gauge(names.METRIC_TASK_ACTIVE, lambda: 1)
    request = _encoded(store, pause=lambda: pauses.append(1))
    assert len(request.resource_metrics) == 1
    assert request.resource_metrics[0].resource.attributes[0].value.string_value == "tested"
    assert len(request.resource_metrics[0].scope_metrics) == 1
    found = _metrics(request)
    assert len(found[names.METRIC_TASK_DURATION].exponential_histogram.data_points) == 20
    assert found[names.METRIC_LOOP_LAG].exponential_histogram.data_points[0].count == 20
    assert len(pauses) == 22


@pytest.mark.parametrize(
    ("metric", "kind", "monotonic"),
    [
        (names.METRIC_TELEMETRY_SPANS, "sum", True),
        (names.METRIC_TASK_ACTIVE, "sum", False),
        (names.METRIC_PROCESS_CPU_UTILIZATION, "gauge", None),
    ],
)
@pytest.mark.parametrize(("temporality", "number"), [("cumulative", 2), ("lowmemory", 2), ("delta", 1)])
def test_numbers_by_instrument_and_temporality(metric, kind, monotonic, temporality, number):
    """Counters are monotonic sums, delta only when delta is asked for; up-down counters stay cumulative."""
    store = MetricStore(10)
    store.gauge(metric, lambda: True)
    found = _metrics(_encoded(store, temporality=temporality))[metric]
    assert found.WhichOneof("data") == kind
    assert found.unit == METRICS[metric].unit
    assert getattr(found, kind).data_points[0].as_int == 1
    if kind == "sum":
        assert found.sum.is_monotonic == monotonic
        assert found.sum.aggregation_temporality == (number if monotonic else 2)


def test_nothing_to_say_is_empty():
    """Without a point there is no request."""
    store = MetricStore(10)
    store.gauge(names.METRIC_TASK_ACTIVE, list)
    assert encode_metrics(store.walk(), store.numbers(), RESOURCE, SCOPE, start_ns=1, now_ns=2) == b""
