"""The bounded store of series: what was folded from spans, and callbacks that are read when somebody asks.

A series is one metric with one set of label values. Each metric has at most ``limit`` of them; what would be one more
is counted in a series whose only label is ``otel.metric.overflow`` (specification, metrics/sdk.md, cardinality limits).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from pea.errors import did_you_mean
from pea.telemetry.instruments import METRICS, Instrument
from pea.telemetry.series import (
    EXPORTED_SIZE,
    FINE_SIZE,
    Distribution,
    HistogramPoint,
    Labels,
    LabelValue,
    Series,
    classic_bounds,
    label,
)

Reading = float | Iterable[tuple[Mapping[str, LabelValue], float]]
# Has a metric read at each collection, as `Telemetry.gauge` does.
Gauge = Callable[[str, Callable[[], Reading]], object]

OVERFLOW = "otel.metric.overflow"

_log = logging.getLogger(__name__)


class NumberPoint(msgspec.Struct, frozen=True):
    """A number as its callback gave it."""

    labels: Mapping[str, LabelValue]
    value: float


class Family(msgspec.Struct, frozen=True):
    """A metric with its points; histograms or numbers, by ``metric.instrument``."""

    metric: Instrument
    histograms: tuple[HistogramPoint, ...] = ()
    numbers: tuple[NumberPoint, ...] = ()


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
        bounds = classic_bounds(metric)
        if len(family) >= self.limit - 1:  # the overflow series is one of the limit
            self.overflowed += 1
            found = family.get((OVERFLOW,))
            if found is None:
                found = family[(OVERFLOW,)] = Series({OVERFLOW: True}, bounds, delta=self._delta)
            return found
        labels = {k: label(v) for k, v in zip(METRICS[metric].labels, values, strict=True) if v is not None}
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
        if metric not in METRICS or METRICS[metric].instrument == "histogram":
            known = [name for name, m in METRICS.items() if m.instrument != "histogram"]
            raise ValueError(f"no number in otel/registry is called {metric!r} ({did_you_mean(metric, known)})")
        gauge = _Gauge(read, dict(labels or {}))
        with self.lock:
            self._gauges.setdefault(metric, []).append(gauge)

        def remove() -> None:
            with self.lock:
                if gauge in self._gauges.get(metric, ()):
                    self._gauges[metric].remove(gauge)

        return remove

    def of(self, metric: str) -> list[Series]:
        """The series of one metric, live: hold ``lock`` while one of them is read or folded."""
        with self.lock:
            return list(self._series.get(metric, {}).values())

    def histograms(self, metric: str) -> list[Distribution]:
        """The series of one metric since the start, at full resolution."""
        with self.lock:
            series = list(self._series.get(metric, {}).values())
            return [one.distribution(one.fold(), FINE_SIZE, self._start_ns) for one in series]

    def walk(self, *, interval: bool = False) -> Iterator[tuple[Instrument, Distribution]]:
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
                    found = series.distribution(source, EXPORTED_SIZE, start_ns) if source.count else None
                if found is not None:
                    yield METRICS[metric], found

    def collect(self) -> list[Family]:
        """Everything as it stands, sorted by name: histograms by classic buckets, and the callbacks' numbers."""
        with self.lock:
            families = [
                Family(METRICS[metric], histograms=tuple(series.point() for series in by_labels.values()))
                for metric, by_labels in self._series.items()
            ]
        return sorted(families + self.numbers(), key=lambda family: family.metric.name)

    def numbers(self) -> list[Family]:
        """What the callbacks say, called here and now."""
        with self.lock:
            gauges = {metric: list(registered) for metric, registered in self._gauges.items()}
        return [self._read(metric, registered) for metric, registered in gauges.items()]

    def _read(self, metric: str, gauges: list[_Gauge]) -> Family:
        points: dict[tuple[tuple[str, LabelValue], ...], NumberPoint] = {}
        for gauge in gauges:
            try:
                reading = gauge.read()
                pairs = [({}, reading)] if isinstance(reading, int | float) else list(reading)
                for labels, value in pairs:
                    merged = {k: label(v) for k, v in {**gauge.labels, **labels}.items()}
                    if len(points) < self.limit:
                        points[tuple(sorted(merged.items()))] = NumberPoint(merged, value)
                    else:
                        self.overflowed += 1
            except Exception:  # noqa: BLE001 - a callback is others' code: its fault must not hide the other figures
                self.gauge_failures += 1
                _log.warning("the callback of %s failed", metric, exc_info=True)
        return Family(METRICS[metric], numbers=tuple(points.values()))
