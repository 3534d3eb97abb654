"""The bounded store of series: what was folded from spans, and callbacks that are read when somebody asks.

A series is one metric with one set of label values. Each metric has at most ``limit`` of them; what would be one more
is counted in a series whose only label is ``otel.metric.overflow`` (specification, metrics/sdk.md, cardinality limits).
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pea.errors import did_you_mean
from pea.telemetry import names

if TYPE_CHECKING:
    from pea.telemetry.histogram import Histogram

LabelValue = str | bool | int | float
Labels = tuple[LabelValue | None, ...]
Measured = tuple[float, int, int, int]  # an `Exemplar`'s fields; a plain tuple because one is made per span
Reading = float | Iterable[tuple[Mapping[str, LabelValue], float]]

OVERFLOW = "otel.metric.overflow"
MAX_LABEL_LENGTH = 200
FOLD_AT = 512  # values waiting in a series before they are folded; numpy's fixed cost is spread over them
FINE_SIZE, FINE_SCALE = 1024, 6  # 16 octaves at 0.54 %
EXPORTED_SIZE = 160  # what OTLP's readers expect

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_MICROSECONDS = (1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0)
_SHORT = {names.METRIC_CACHE_LOOKUP_DURATION, names.METRIC_LOOP_LAG, names.METRIC_TELEMETRY_DRAIN_DURATION}

_log = logging.getLogger(__name__)


class Exemplar(NamedTuple):
    """One measurement and the span it came from; ids as integers, time in nanoseconds since 1970."""

    value: float
    trace_id: int
    span_id: int
    time_ns: int


class HistogramPoint(msgspec.Struct, frozen=True):
    """A histogram series as it stood, by classic upper bounds, with the last exemplar of each bucket."""

    labels: Mapping[str, LabelValue]
    count: int
    total: float
    bounds: tuple[float, ...]
    buckets: tuple[int, ...]  # one more than bounds: the last is above them all
    exemplars: tuple[Exemplar | None, ...]
    series: Series

    @property
    def histogram(self) -> Histogram:
        """The series' exponential histogram as it stands now; folds what waits, so ask only when needed."""
        return self.series.fold().resized(EXPORTED_SIZE)


class Distribution(msgspec.Struct, frozen=True):
    """A series' exponential histogram since ``start_ns``, with exemplars of its values."""

    labels: Mapping[str, LabelValue]
    histogram: Histogram
    exemplars: tuple[Exemplar, ...]
    start_ns: int


class NumberPoint(msgspec.Struct, frozen=True):
    """A number as its callback gave it."""

    labels: Mapping[str, LabelValue]
    value: float


class Family(msgspec.Struct, frozen=True):
    """A metric with its points; histograms or numbers, by ``metric.instrument``."""

    metric: names.Metric
    histograms: tuple[HistogramPoint, ...] = ()
    numbers: tuple[NumberPoint, ...] = ()


def fine_histogram() -> Histogram:
    """An empty histogram of the store's resolution; numpy is imported here, at the first fold, not at start-up."""
    from pea.telemetry.histogram import Histogram

    return Histogram(FINE_SIZE, FINE_SCALE)


class Series:
    """One metric with one set of label values; values wait in ``pending`` and are folded in batches."""

    __slots__ = ("bounds", "buckets", "delta", "exemplars", "histogram", "interval", "labels", "pending", "total")

    def __init__(self, labels: Mapping[str, LabelValue], bounds: tuple[float, ...], *, delta: bool) -> None:
        self.labels = labels
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.exemplars: list[Measured | None] = [None] * (len(bounds) + 1)
        self.total = 0.0
        self.pending: list[float] = []
        self.delta = delta
        self.histogram: Histogram | None = None
        self.interval: Histogram | None = None  # since the last export, when that is asked for

    def observe(self, value: float, exemplar: Measured | None = None) -> None:
        """Take one value, and where it was measured."""
        place = bisect_left(self.bounds, value)
        self.buckets[place] += 1
        if exemplar is not None:
            self.exemplars[place] = exemplar
        self.total += value
        pending = self.pending
        pending.append(value)
        if len(pending) >= FOLD_AT:
            self.fold()

    def fold(self) -> Histogram:
        """Put the waiting values into the histograms; the one of all values."""
        if self.histogram is None:
            self.histogram = fine_histogram()
        if self.pending:
            self.histogram.add(self.pending)
            if self.delta:
                self.interval = self.interval or fine_histogram()
                self.interval.add(self.pending)
            self.pending.clear()
        return self.histogram

    def since_last(self) -> Histogram:
        """The values since the last call, which are then forgotten."""
        self.fold()
        interval, self.interval = self.interval, None
        return interval or fine_histogram()


class _Gauge(msgspec.Struct, frozen=True, eq=False):
    """A callback and the labels it was registered with."""

    read: Callable[[], Reading]
    labels: Mapping[str, LabelValue]


class MetricStore:
    """All series of a process. ``lock`` is held while spans are folded and while a copy is taken."""

    def __init__(self, limit: int, *, delta: bool = False, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.lock = threading.RLock()
        self.limit = limit
        self.overflowed = 0  # lookups that ended in an overflow series
        self.gauge_failures = 0
        self._delta = delta
        self._clock_ns = clock_ns
        self._start_ns = clock_ns()
        self._interval_start_ns = self._start_ns
        self._series: dict[str, dict[Labels, Series]] = {}
        self._gauges: dict[str, list[_Gauge]] = {}

    def series(self, metric: str, values: Labels) -> Series:
        """The series of a metric with label values in the registry's order; None where a label does not apply."""
        family = self._series.get(metric)
        if family is None:
            family = self._series[metric] = {}
        found = family.get(values)
        if found is not None:
            return found
        bounds = _MICROSECONDS if metric in _SHORT else _SECONDS
        if len(family) >= self.limit - 1:  # the overflow series is one of the limit
            self.overflowed += 1
            found = family.get((OVERFLOW,))
            if found is None:
                found = family[(OVERFLOW,)] = Series({OVERFLOW: True}, bounds, delta=self._delta)
            return found
        labels = {k: _label(v) for k, v in zip(names.METRICS[metric].labels, values, strict=True) if v is not None}
        found = family[values] = Series(labels, bounds, delta=self._delta)
        return found

    def observe(self, metric: str, value: float, values: Labels = ()) -> None:
        """Take a value that has no span, such as the event loop's lag."""
        with self.lock:
            self.series(metric, values).observe(value)

    def gauge(
        self, metric: str, read: Callable[[], Reading], labels: Mapping[str, LabelValue] | None = None
    ) -> Callable[[], None]:
        """Have ``read`` called at each collection: for a number, or for pairs of further labels and a number.

        Returns a function that takes the callback away again. Raises ValueError for a name that is not in the registry.
        """
        if metric not in names.METRICS or names.METRICS[metric].instrument == "histogram":
            known = [name for name, m in names.METRICS.items() if m.instrument != "histogram"]
            raise ValueError(f"no number in otel/registry is called {metric!r} ({did_you_mean(metric, known)})")
        gauge = _Gauge(read, dict(labels or {}))
        with self.lock:
            self._gauges.setdefault(metric, []).append(gauge)

        def remove() -> None:
            with self.lock:
                if gauge in self._gauges.get(metric, ()):
                    self._gauges[metric].remove(gauge)

        return remove

    def histograms(self, metric: str) -> list[Distribution]:
        """The series of one metric since the start, at full resolution."""
        with self.lock:
            series = list(self._series.get(metric, {}).values())
            return [self._distribution(one, one.fold(), FINE_SIZE, self._start_ns) for one in series]

    def walk(self, *, interval: bool = False) -> Iterator[tuple[names.Metric, Distribution]]:
        """Every histogram series in turn, in the size that is exported; safe from any thread.

        The lock is held for one series at a time: whoever walks can pause in between. With ``interval`` the values
        since the last such walk (delta), where there were any.
        """
        with self.lock:
            everything = [(metric, list(by_labels.values())) for metric, by_labels in self._series.items()]
            start_ns = self._interval_start_ns if interval else self._start_ns
            if interval:
                self._interval_start_ns = self._clock_ns()
        for metric, by_labels in sorted(everything, key=lambda item: item[0]):
            for series in by_labels:
                with self.lock:
                    source = series.since_last() if interval else series.fold()
                    found = self._distribution(series, source, EXPORTED_SIZE, start_ns) if source.count else None
                if found is not None:
                    yield names.METRICS[metric], found

    def collect(self) -> list[Family]:
        """Everything as it stands, sorted by name: histograms by classic buckets, and the callbacks' numbers."""
        with self.lock:
            families = [
                Family(names.METRICS[metric], histograms=tuple(map(_point, by_labels.values())))
                for metric, by_labels in self._series.items()
            ]
        return sorted(families + self.numbers(), key=lambda family: family.metric.name)

    def numbers(self) -> list[Family]:
        """What the callbacks say, called here and now."""
        with self.lock:
            gauges = {metric: list(registered) for metric, registered in self._gauges.items()}
        return [self._read(metric, registered) for metric, registered in gauges.items()]

    def _distribution(self, series: Series, source: Histogram, size: int, start_ns: int) -> Distribution:
        exemplars = tuple(Exemplar(*e) for e in series.exemplars if e is not None)
        return Distribution(series.labels, source.resized(size), exemplars, start_ns)

    def _read(self, metric: str, gauges: list[_Gauge]) -> Family:
        points: dict[tuple[tuple[str, LabelValue], ...], NumberPoint] = {}
        for gauge in gauges:
            try:
                reading = gauge.read()
                pairs = [({}, reading)] if isinstance(reading, int | float) else list(reading)
                for labels, value in pairs:
                    merged = {k: _label(v) for k, v in {**gauge.labels, **labels}.items()}
                    if len(points) < self.limit:
                        points[tuple(sorted(merged.items()))] = NumberPoint(merged, value)
                    else:
                        self.overflowed += 1
            except Exception:  # noqa: BLE001 - a callback is others' code: its fault must not hide the other figures
                self.gauge_failures += 1
                _log.warning("the callback of %s failed", metric, exc_info=True)
        return Family(names.METRICS[metric], numbers=tuple(points.values()))


def _point(series: Series) -> HistogramPoint:
    return HistogramPoint(
        labels=series.labels,
        count=sum(series.buckets),
        total=series.total,
        bounds=series.bounds,
        buckets=tuple(series.buckets),
        exemplars=tuple(e and Exemplar(*e) for e in series.exemplars),
        series=series,
    )


def _label(value: object) -> LabelValue:
    """A value that may be a label: a short text, a number or a truth value."""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= MAX_LABEL_LENGTH else text[: MAX_LABEL_LENGTH - 1] + "…"
