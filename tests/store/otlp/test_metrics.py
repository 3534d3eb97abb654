"""Metrics of other programs as samples: named within bounds, whatever is sent as a name."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pea.store.otlp import metric_samples, metrics
from pea.store.series import MAX_NAME


def _request(name: str, labels: int, service: str = "theirs", label: str = "v") -> ExportMetricsServiceRequest:
    """A metric with as many points as labels; its histogram has a count and a sum for each."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    metric = group.scope_metrics.add().metrics.add(name=name)
    for number in range(labels):
        point = metric.histogram.data_points.add(count=number, sum=0.5)
        point.attributes.add(key="n").value.string_value = f"{number}{label}"
    return request


@pytest.mark.parametrize("place", ["name", "service", "label"])
def test_a_long_name_is_not_repeated_for_every_point(place: str):
    """A megabyte sent once as a name is not held ten thousand times; counts and sums stay apart."""
    long = {place: "x" * (1 << 20)}
    given = {"name": "m", "service": "theirs", "label": "v"} | long
    samples = metric_samples(_request(given["name"], 3, given["service"], given["label"]).SerializeToString())
    assert all(len(name) <= MAX_NAME for name in samples)
    assert {name.rpartition(":")[2] for name in samples} == {"count", "sum"}
    assert len(samples) == (6 if place == "label" else 2)


def test_points_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch):
    """What is left out is told, so that the sender can be."""
    monkeypatch.setattr(metrics, "MAX_POINTS", 4)
    samples = metric_samples(_request("m", 5).SerializeToString())
    assert (len(samples), samples.rejected) == (4, 6)
