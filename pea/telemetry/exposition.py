"""What `/metrics` answers: the store's families in Prometheus' text format, or OpenMetrics with exemplars.

Names follow OpenTelemetry's compatibility rules (specification, compatibility/prometheus_and_openmetrics.md): dots
become underscores, the unit is spelt out and appended, the resource is ``target_info``. Histograms are shown by classic
buckets, each with the last trace that fell into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import format_span_id, format_trace_id

from pea.telemetry.metrics import Family
from pea.telemetry.series import Exemplar, HistogramPoint

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_UNITS = {"s": "seconds", "By": "bytes", "ms": "milliseconds"}
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]+")


PAUSE_EVERY = 32  # samples


def expose(
    families: list[Family],
    resource: Mapping[str, Any],
    accept: str | None,
    pause: Callable[[], None] = lambda: None,
) -> tuple[bytes, str]:
    """The body and its content type, as the Accept header asks; ``pause`` is called after each few samples."""
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(families, resource, pause))
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type


def prometheus_name(name: str, unit: str, instrument: str) -> str:
    """A metric's name in Prometheus, without the suffixes that samples get."""
    base = _NOT_A_NAME.sub("_", name).strip("_")
    word = _UNITS.get(unit, "")
    if unit == "1" and instrument == "gauge" and name.endswith("utilization"):
        word = "ratio"
    return base if not word or base.endswith(f"_{word}") else f"{base}_{word}"


class _Collector:
    """prometheus-client's way in: gives the families once."""

    def __init__(self, families: list[Family], resource: Mapping[str, Any], pause: Callable[[], None]) -> None:
        self._pause = pause
        self._families = families
        self._resource = resource

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import InfoMetricFamily

        target = InfoMetricFamily("target", "What these figures are of")
        target.add_metric([], {_label(k): _text(v) for k, v in self._resource.items()})
        yield target
        for family in self._families:
            if family.histograms or family.numbers:
                metric = _family(family)
                metric.samples = _Pausing(metric.samples, self._pause)
                yield metric


class _Pausing(list[Any]):
    """Samples that let others have the interpreter while they are written out."""

    def __init__(self, samples: list[Any], pause: Callable[[], None]) -> None:
        super().__init__(samples)
        self._pause = pause

    def __iter__(self) -> Iterator[Any]:
        for place, sample in enumerate(super().__iter__()):
            if place % PAUSE_EVERY == 0:
                self._pause()
            yield sample


def _family(family: Family) -> Metric:
    from prometheus_client.metrics_core import Metric

    info = family.metric
    kind = {"histogram": "histogram", "counter": "counter"}.get(info.instrument, "gauge")
    metric = Metric(prometheus_name(info.name, info.unit, info.instrument), info.brief, kind)
    for point in family.histograms:
        _histogram(metric, point)
    for number in family.numbers:
        suffix = "_total" if kind == "counter" else ""
        metric.add_sample(metric.name + suffix, _labels(number.labels), float(number.value))
    return metric


def _histogram(metric: Metric, point: HistogramPoint) -> None:
    labels = _labels(point.labels)
    reached = 0
    edges = [*map(str, point.bounds), "+Inf"]
    for edge, count, exemplar in zip(edges, point.buckets, point.exemplars, strict=True):
        reached += count
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": edge}, reached, exemplar=_exemplar(exemplar))
    metric.add_sample(f"{metric.name}_count", labels, reached)
    metric.add_sample(f"{metric.name}_sum", labels, point.total)


def _exemplar(exemplar: Exemplar | None) -> Any:
    from prometheus_client.samples import Exemplar as PrometheusExemplar

    if exemplar is None:
        return None
    ids = {"trace_id": format_trace_id(exemplar.trace_id), "span_id": format_span_id(exemplar.span_id)}
    return PrometheusExemplar(ids, exemplar.value, exemplar.time_ns / 1e9)


def _labels(labels: Mapping[str, Any]) -> dict[str, str]:
    return {_label(k): _text(v) for k, v in labels.items()}


def _label(name: str) -> str:
    label = _NOT_A_NAME.sub("_", name)
    return f"_{label}" if label[:1].isdigit() else label


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
