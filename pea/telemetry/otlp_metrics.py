"""The store's series as one OTLP request, encoded point by point with the official encoder.

Encoding a thousand histograms takes a tenth of a second. It happens on the export thread, which gives up the
interpreter lock after each few points: the event loop waits for one of them at most, not for a whole switch interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pea.telemetry.instruments import Instrument
from pea.telemetry.metrics import Family, NumberPoint
from pea.telemetry.series import Distribution

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope


def breathe() -> None:
    """Give up the interpreter lock, so that a waiting thread has it now."""
    time.sleep(0)


def encode_metrics(
    distributions: Iterable[tuple[Instrument, Distribution]],
    numbers: Sequence[Family],
    resource: Resource,
    scope: InstrumentationScope,
    *,
    start_ns: int,
    now_ns: int,
    temporality: str = "cumulative",
    pause: Callable[[], None] = breathe,
) -> bytes:
    """An ExportMetricsServiceRequest; empty bytes when there is nothing to say.

    Histograms become ExponentialHistogram points with exemplars. Numbers become monotonic sums, plain sums or gauges,
    as the registry's instrument says. ``temporality`` as in the specification (metrics/sdk_exporters/otlp.md): with
    delta histograms and counters are since the last export, with lowmemory only histograms.
    """
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as encode
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

    request: Any = None
    by_name: dict[str, Any] = {}
    for metric in _metrics(distributions, numbers, start_ns, now_ns, temporality):
        scoped = ScopeMetrics(scope=scope, metrics=[metric], schema_url=scope.schema_url or "")
        piece = encode(MetricsData([ResourceMetrics(resource, [scoped], resource.schema_url)]))
        (encoded,) = piece.resource_metrics[0].scope_metrics[0].metrics
        if request is None:
            request = piece
            by_name[metric.name] = request.resource_metrics[0].scope_metrics[0].metrics[0]
        elif metric.name in by_name:
            kind = encoded.WhichOneof("data")
            getattr(by_name[metric.name], kind).data_points.extend(getattr(encoded, kind).data_points)
        else:
            by_name[metric.name] = request.resource_metrics[0].scope_metrics[0].metrics.add()
            by_name[metric.name].CopyFrom(encoded)
        pause()
    return b"" if request is None else bytes(request.SerializeToString())


def _metrics(
    distributions: Iterable[tuple[Instrument, Distribution]],
    numbers: Sequence[Family],
    start_ns: int,
    now_ns: int,
    temporality: str,
) -> Iterator[Metric]:
    from opentelemetry.sdk.metrics.export import AggregationTemporality, ExponentialHistogram, Metric

    cumulative, delta = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA
    for info, distribution in distributions:
        histogram = ExponentialHistogram(
            [_histogram_point(distribution, now_ns)], cumulative if temporality == "cumulative" else delta
        )
        yield Metric(name=info.name, description=info.brief, unit=info.unit, data=histogram)
    for family in numbers:
        if family.numbers:
            info = family.metric
            counted = delta if temporality == "delta" and info.instrument == "counter" else cumulative
            data = _number_data(info.instrument, family.numbers, start_ns, now_ns, counted)
            yield Metric(name=info.name, description=info.brief, unit=info.unit, data=data)


def _histogram_point(distribution: Distribution, now_ns: int) -> Any:
    from opentelemetry.sdk.metrics import Exemplar
    from opentelemetry.sdk.metrics._internal.point import Buckets
    from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint

    h = distribution.histogram
    return ExponentialHistogramDataPoint(
        attributes=dict(distribution.labels),
        start_time_unix_nano=distribution.start_ns,
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
        exemplars=[Exemplar({}, e.value, e.time_ns, e.span_id, e.trace_id) for e in distribution.exemplars],
    )


def _number_data(instrument: str, numbers: Sequence[NumberPoint], start_ns: int, now_ns: int, temporality: Any) -> Any:
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, NumberDataPoint, Sum

    points = [NumberDataPoint(dict(p.labels), start_ns, now_ns, _number(p.value)) for p in numbers]
    if instrument == "gauge":
        return Gauge(points)
    if instrument == "counter":
        return Sum(points, temporality, is_monotonic=True)
    return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=False)


def _number(value: float) -> int | float:
    """Truth values as 0 and 1: the encoder takes numbers only."""
    return int(value) if isinstance(value, bool) else value
