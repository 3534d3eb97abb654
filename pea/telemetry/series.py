"""A series: one metric with one set of label values, counted as it comes and folded when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pea.telemetry import names

if TYPE_CHECKING:
    from pea.telemetry.histogram import Histogram

LabelValue = str | bool | int | float
Labels = tuple[LabelValue | None, ...]
Measured = tuple[float, int, int, int]  # an `Exemplar`'s fields; a plain tuple because one is made per span

MAX_LABEL_LENGTH = 200
FOLD_AT = 512  # values waiting in a series before they are folded; numpy's fixed cost is spread over them
FOLD_COLD_AT = 16_384  # … while numpy is not there yet: importing it would hold up whoever drains for 0.1 to 0.2 s
FINE_SIZE, FINE_SCALE = 1024, 6  # 16 octaves at 0.54 %
EXPORTED_SIZE = 160  # what OTLP's readers expect

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_MICROSECONDS = (1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0)
_TOKENS = tuple(float(4**power) for power in range(14))  # GenAI conventions: 1 to 67 108 864
_SHORT = {names.METRIC_CACHE_LOOKUP_DURATION, names.METRIC_LOOP_LAG, names.METRIC_TELEMETRY_DRAIN_DURATION}


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


_warm = False  # numpy has been imported


def fine_histogram() -> Histogram:
    """An empty histogram of the store's resolution; numpy is imported here, at the first fold, not at start-up."""
    global _warm  # noqa: PLW0603  set when the import has ended: in sys.modules it is found when it begins

    from pea.telemetry.histogram import Histogram

    _warm = True
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
        if len(pending) >= FOLD_AT and (_warm or len(pending) >= FOLD_COLD_AT):
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

    def point(self) -> HistogramPoint:
        """The series as it stands, by classic buckets."""
        return HistogramPoint(
            labels=self.labels,
            count=sum(self.buckets),
            total=self.total,
            bounds=self.bounds,
            buckets=tuple(self.buckets),
            exemplars=tuple(e and Exemplar(*e) for e in self.exemplars),
            series=self,
        )

    def distribution(self, source: Histogram, size: int, start_ns: int) -> Distribution:
        """A copy of one of the series' histograms with at most ``size`` buckets."""
        exemplars = tuple(Exemplar(*e) for e in self.exemplars if e is not None)
        return Distribution(self.labels, source.resized(size), exemplars, start_ns)


def classic_bounds(metric: str) -> tuple[float, ...]:
    """The upper bounds of a metric's classic buckets, mostly in seconds: what takes microseconds has finer ones."""
    if metric == names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE:
        return _TOKENS
    return _MICROSECONDS if metric in _SHORT else _SECONDS


def label(value: object) -> LabelValue:
    """A value that may be a label: a short text, a number or a truth value."""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= MAX_LABEL_LENGTH else text[: MAX_LABEL_LENGTH - 1] + "…"
