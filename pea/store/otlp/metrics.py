"""Metrics of other programs as samples of series: a gauge or sum its value, a histogram its count and sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pea.store.otlp.body import BadBody
from pea.store.otlp.values import Clean, Limits
from pea.telemetry.record import UNKNOWN_SERVICE

MAX_POINTS = 10_000
MAX_LABELS = 12


class Samples(dict[str, float]):
    """Values by series name; ``rejected`` data points were beyond the bound."""

    rejected = 0


def metric_samples(data: bytes, *, json: bool = False, limits: Limits | None = None) -> Samples:
    """The newest value of each series in an ExportMetricsServiceRequest; raises BadBody when it is not one. Blocks."""
    from pea.store.series import MAX_NAME  # late: numpy takes longer to import than a service to start

    request = _request(data, json=json)
    clean = Clean(limits or Limits(), json=False)
    samples = Samples()
    for group in request.resource_metrics:
        service = clean.attributes(group.resource.attributes).get("service.name")
        service = service[:MAX_NAME] if isinstance(service, str) and service else UNKNOWN_SERVICE
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                name = f"{service}:{metric.name[:MAX_NAME]}"  # one name may be as long as the body, and of every point
                for suffix, about, value in _points(metric):
                    if len(samples) >= MAX_POINTS:
                        samples.rejected += 1
                        continue
                    labelled = name + _labels(clean.attributes(about), MAX_NAME)
                    samples[labelled[: MAX_NAME - len(suffix)] + suffix] = value
    return samples


def _request(data: bytes, *, json: bool) -> Any:
    from google.protobuf.json_format import Parse, ParseError
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    try:
        if json:
            return Parse(data, ExportMetricsServiceRequest(), ignore_unknown_fields=True, max_recursion_depth=40)
        return ExportMetricsServiceRequest.FromString(data)
    except (ParseError, DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadBody(f"the body is not an OTLP metrics request: {str(error)[:200]}") from None


def _points(metric: Any) -> Iterator[tuple[str, Any, float]]:
    kind = metric.WhichOneof("data")
    if kind in {"gauge", "sum"}:
        for point in getattr(metric, kind).data_points:
            value = point.WhichOneof("value")
            if value is not None:
                yield "", point.attributes, float(getattr(point, value))
    elif kind in {"histogram", "exponential_histogram", "summary"}:
        for point in getattr(metric, kind).data_points:
            yield ":count", point.attributes, float(point.count)
            yield ":sum", point.attributes, float(point.sum)


def _labels(labels: dict[str, Any], longest: int) -> str:
    inner = ",".join(f"{key}={str(value)[:longest]}" for key, value in sorted(labels.items())[:MAX_LABELS])
    return f"{{{inner}}}" if inner else ""
