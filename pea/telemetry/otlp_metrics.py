"""The store's families as the SDK's data points, which the official exporters encode and send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pea.telemetry.metrics import Family, HistogramPoint

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import Exemplar
    from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, Metric, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope


def metrics_data(
    families: Sequence[Family],
    resource: Resource,
    scope: InstrumentationScope,
    *,
    start_ns: int,
    now_ns: int,
    temporality: str = "cumulative",
) -> MetricsData:
    """An export request's worth of metrics; families without points are left out.

    Histograms become ExponentialHistogram points in seconds, with the exemplars of their classic buckets. Numbers
    become monotonic sums, plain sums or gauges, as the registry's instrument says. ``temporality`` as in the
    specification (metrics/sdk_exporters/otlp.md): delta histograms and counters, or with lowmemory delta histograms.
    """
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

    metrics = [_metric(f, start_ns, now_ns, temporality) for f in families if f.histograms or f.numbers]
    scoped = ScopeMetrics(scope=scope, metrics=metrics, schema_url=scope.schema_url or "")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url=resource.schema_url)])


def _metric(family: Family, start_ns: int, now_ns: int, temporality: str) -> Metric:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        ExponentialHistogram,
        Gauge,
        Metric,
        NumberDataPoint,
        Sum,
    )

    info = family.metric
    cumulative, delta = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA
    data: ExponentialHistogram | Gauge | Sum
    if info.instrument == "histogram":
        kind = cumulative if temporality == "cumulative" else delta
        data = ExponentialHistogram([_point(p, now_ns) for p in family.histograms], kind)
    else:
        points = [NumberDataPoint(dict(p.labels), start_ns, now_ns, _number(p.value)) for p in family.numbers]
        if info.instrument == "gauge":
            data = Gauge(points)
        elif info.instrument == "counter":
            data = Sum(points, delta if temporality == "delta" else cumulative, is_monotonic=True)
        else:
            data = Sum(points, cumulative, is_monotonic=False)
    return Metric(name=info.name, description=info.brief, unit=info.unit, data=data)


def _point(point: HistogramPoint, now_ns: int) -> ExponentialHistogramDataPoint:
    from opentelemetry.sdk.metrics._internal.point import Buckets
    from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint

    h = point.histogram
    return ExponentialHistogramDataPoint(
        attributes=dict(point.labels),
        start_time_unix_nano=point.start_ns,
        time_unix_nano=now_ns,
        count=h.count,
        sum=h.total,
        scale=h.scale,
        zero_count=h.zero_count,
        positive=Buckets(offset=h.offset, bucket_counts=h.counts.tolist()),
        negative=Buckets(offset=0, bucket_counts=[]),
        flags=0,
        min=h.low,
        max=h.high,
        exemplars=_exemplars(point),
    )


def _exemplars(point: HistogramPoint) -> list[Exemplar]:
    from opentelemetry.sdk.metrics import Exemplar

    return [Exemplar({}, e.value, e.time_ns, e.span_id, e.trace_id) for e in point.exemplars if e is not None]


def _number(value: float) -> int | float:
    """Truth values as 0 and 1: the encoder takes numbers only."""
    return int(value) if isinstance(value, bool) else value
