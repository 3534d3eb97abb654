"""Which span counts in which metric, with which labels."""

import time

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from pea.telemetry import Telemetry, names
from pea.telemetry.metrics import OVERFLOW


@pytest.fixture
def telemetry():
    """A Telemetry that is drained by hand and sends nothing."""
    made = Telemetry(environ={})
    yield made
    made.shutdown()


def _points(telemetry, metric):
    telemetry.force_flush()
    return [(dict(p.labels), p.histogram.count) for p in telemetry.metrics.histograms(metric)]


CASES = [
    (
        f"{names.SPAN_TASK} a.b",
        {names.PEA_CAPABILITY: "a.b", names.PEA_TASK_STATUS: "succeeded", names.PEA_TASK_ID: "x"},
        names.METRIC_TASK_DURATION,
        {names.PEA_CAPABILITY: "a.b", names.PEA_TASK_STATUS: "succeeded"},
    ),
    (
        f"{names.SPAN_INVOKE_AGENT} a",
        {names.GEN_AI_AGENT_NAME: "a", names.PEA_CAPABILITY: "a.b", names.PEA_ATTEMPT: 2},
        names.METRIC_AGENT_CALL_DURATION,
        {names.GEN_AI_AGENT_NAME: "a", names.PEA_CAPABILITY: "a.b"},
    ),
    (
        f"{names.SPAN_CACHE_LOOKUP} results",
        {names.PEA_CACHE_NAME: "results", names.PEA_CACHE_TIER: "l2", names.PEA_CACHE_HIT: True},
        names.METRIC_CACHE_LOOKUP_DURATION,
        {names.PEA_CACHE_NAME: "results", names.PEA_CACHE_TIER: "l2", names.PEA_CACHE_HIT: True},
    ),
    (
        f"{names.SPAN_WORKER} f",
        {names.PEA_WORKER_FUNCTION: "f"},
        names.METRIC_WORKER_JOB_DURATION,
        {names.PEA_WORKER_FUNCTION: "f"},
    ),
    (
        f"{names.SPAN_STEP} read",
        {names.PEA_STEP_NAME: "read", names.GEN_AI_AGENT_NAME: "a"},
        names.METRIC_STEP_DURATION,
        {names.PEA_STEP_NAME: "read", names.GEN_AI_AGENT_NAME: "a"},
    ),
    (
        f"{names.SPAN_AGENT_START} a",
        {names.GEN_AI_AGENT_NAME: "a"},
        names.METRIC_AGENT_START_DURATION,
        {names.GEN_AI_AGENT_NAME: "a"},
    ),
]


@pytest.mark.parametrize(("name", "attributes", "metric", "labels"), CASES, ids=[c[0] for c in CASES])
def test_spans_count_in_their_metric(telemetry, name, attributes, metric, labels):
    """A span's first word chooses the metric, the registry its labels, and its duration is the value."""
    with telemetry.tracer.span(name, attributes):
        pass
    with telemetry.tracer.span(name, attributes):
        pass
    assert _points(telemetry, metric) == [(labels, 2)]


def test_durations_are_the_spans_own(telemetry):
    """The value in seconds is end minus start, not when the drain saw it."""
    span = telemetry.tracer.start_span(f"{names.SPAN_STEP} x", start_time=1_000_000_000)
    span.end(3_500_000_000)
    telemetry.force_flush()
    histogram = telemetry.metrics.histograms(names.METRIC_STEP_DURATION)[0].histogram
    assert (histogram.total, histogram.low, histogram.high) == (2.5, 2.5, 2.5)


def test_server_spans_are_known_by_kind(telemetry):
    """An HTTP server span, named after its route, counts by method, route and status code."""
    attributes = {
        names.HTTP_REQUEST_METHOD: "GET",
        names.HTTP_ROUTE: "/v1/tasks/{id}",
        names.HTTP_RESPONSE_STATUS_CODE: 200,
        names.URL_SCHEME: "http",
        names.URL_PATH: "/v1/tasks/7",
    }
    with telemetry.tracer.span("GET /v1/tasks/{id}", attributes, kind=SpanKind.SERVER):
        pass
    del attributes[names.URL_PATH]
    assert _points(telemetry, names.METRIC_HTTP_SERVER_REQUEST_DURATION) == [(attributes, 1)]


def test_errors_have_a_type(telemetry):
    """An error's type is a label; an error without one is `_OTHER`; OK and unset are none."""
    with pytest.raises(KeyError), telemetry.tracer.span(f"{names.SPAN_STEP} a"):
        raise KeyError
    for code in (StatusCode.ERROR, StatusCode.OK):
        with telemetry.tracer.span(f"{names.SPAN_STEP} a") as span:
            span.set_status(code)
    types = [labels.get(names.ERROR_TYPE) for labels, _ in _points(telemetry, names.METRIC_STEP_DURATION)]
    assert types == ["KeyError", "_OTHER", None]


def test_leaves_count_and_inherit_labels(telemetry):
    """A leaf counts as a span of its name; labels it lacks are its parent's, an error of the parent is not its own."""
    now = time.time_ns()
    with telemetry.tracer.span(f"{names.SPAN_TASK} a.b", {names.PEA_CAPABILITY: "a.b"}) as span:
        span.leaf(names.SPAN_QUEUE_WAIT, now, now + 5_000_000, {names.PEA_TASK_PRIORITY: "high"})
        span.leaf(f"{names.SPAN_CACHE_LOOKUP} c", now, now, {names.PEA_CACHE_NAME: "c", names.PEA_CACHE_HIT: False})
        span.leaf("unheard of", now, now)
        span.set_status(StatusCode.ERROR)
    waits = _points(telemetry, names.METRIC_TASK_QUEUE_DURATION)
    assert waits == [({names.PEA_CAPABILITY: "a.b", names.PEA_TASK_PRIORITY: "high"}, 1)]
    lookups = _points(telemetry, names.METRIC_CACHE_LOOKUP_DURATION)
    assert lookups == [({names.PEA_CACHE_NAME: "c", names.PEA_CACHE_HIT: False}, 1)]


def test_other_scopes_are_not_counted(telemetry):
    """A library's span that happens to be called like one of ours is not ours."""
    with telemetry.provider.get_tracer("somebody.else").span(f"{names.SPAN_TASK} a.b"):
        pass
    assert _points(telemetry, names.METRIC_TASK_DURATION) == []


def test_odd_label_values_are_made_text(telemetry):
    """A sequence or a mapping where a label is due counts under its text."""
    for value in (["a", "b"], {"a": "b"}):
        with telemetry.tracer.span(f"{names.SPAN_STEP} a", {names.PEA_STEP_NAME: value}):
            pass
    labels = [labels[names.PEA_STEP_NAME] for labels, _ in _points(telemetry, names.METRIC_STEP_DURATION)]
    assert labels == ["('a', 'b')", "{'a': 'b'}"]


def test_exemplars_point_to_the_span(telemetry):
    """The exemplar of a value is the span it came from."""
    with telemetry.tracer.span(f"{names.SPAN_STEP} a") as span:
        pass
    telemetry.force_flush()
    point = telemetry.metrics.histograms(names.METRIC_STEP_DURATION)[0]
    exemplar = next(e for e in point.exemplars if e)
    assert (exemplar.trace_id, exemplar.span_id) == (span.trace.trace_id, span.span_id)
    assert exemplar.time_ns == span.end_time


def test_a_flood_of_names_stays_bounded(telemetry):
    """Ten thousand capabilities end in the overflow series, not in memory."""
    for n in range(3000):
        with telemetry.tracer.span(f"{names.SPAN_TASK} c.{n}", {names.PEA_CAPABILITY: f"c.{n}"}):
            pass
    points = _points(telemetry, names.METRIC_TASK_DURATION)
    assert len(points) == 1000
    assert [count for labels, count in points if OVERFLOW in labels] == [2001]
