"""Base-2 exponential histograms: durations of any range in few buckets, mergeable, with a known quantile error.

The OpenTelemetry data model's ExponentialHistogram (specification, metrics/data-model.md): at scale ``s`` the base is
``2 ** 2 ** -s`` and bucket ``i`` holds values in ``(base ** i, base ** (i + 1)]``. When values spread over more buckets
than allowed the scale goes down and neighbours are joined, which loses resolution but no count. Values are whole numpy
batches; a quantile's relative error is at most ``(base - 1) / (base + 1)``: 0.54 % at scale 6, 2.2 % at scale 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MAX_SCALE = 20
MIN_SCALE = -10
OTEL_MAX_SIZE = 160
_SMALLEST = 2.0**-1022  # the smallest normal number; anything below falls into its bucket

Counts = npt.NDArray[np.int64]


class Histogram:
    """Counts of non-negative values by exponential bucket, with their sum, least and greatest.

    ``counts[k]`` belongs to bucket ``offset + k``. ``max_size`` bounds the buckets, ``scale`` starts at ``max_scale``.
    """

    __slots__ = ("count", "counts", "high", "low", "max_size", "offset", "scale", "total", "zero_count")

    def __init__(self, max_size: int = OTEL_MAX_SIZE, max_scale: int = MAX_SCALE) -> None:
        if not 2 <= max_size <= 16_384:
            raise ValueError(f"a histogram has 2 to 16,384 buckets, not {max_size}")
        if not MIN_SCALE <= max_scale <= MAX_SCALE:
            raise ValueError(f"a scale lies in {MIN_SCALE} to {MAX_SCALE}, not {max_scale}")
        self.max_size = max_size
        self.scale = max_scale
        self.offset = 0
        self.counts: Counts = np.zeros(0, np.int64)
        self.count = 0
        self.zero_count = 0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf

    def add(self, values: Iterable[float] | npt.NDArray[np.float64]) -> None:
        """Count a batch; values that are negative, infinite or not a number are left out."""
        batch = np.asarray(values if isinstance(values, np.ndarray) else list(values), np.float64)
        batch = batch[np.isfinite(batch) & (batch >= 0)]
        if not batch.size:
            return
        self.count += int(batch.size)
        with np.errstate(over="ignore"):  # the sum of absurdly large values is infinite, as IEEE 754 says
            self.total += float(batch.sum())
        self.low = min(self.low, float(batch.min()))
        self.high = max(self.high, float(batch.max()))
        positive = batch[batch > 0]
        self.zero_count += int(batch.size - positive.size)
        if positive.size:
            indexes = bucket_indexes(positive, self.scale)
            first = int(indexes.min())
            shift = self._make_room(first, int(indexes.max()))
            self.counts += np.bincount((indexes >> shift) - self.offset, minlength=self.counts.size)

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts, at the coarser of the two scales."""
        self.count += other.count
        self.zero_count += other.zero_count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if not other.counts.size:
            return
        if other.scale < self.scale:
            self._downscale(self.scale - other.scale)
        if other.scale == self.scale:
            first, last = other.offset, other.offset + other.counts.size - 1
            if not self._make_room(first, last):  # bucket by bucket, which is nearly always so
                self.counts[first - self.offset : last - self.offset + 1] += other.counts
                return
        indexes = np.arange(other.offset, other.offset + other.counts.size) >> (other.scale - self.scale)
        indexes >>= self._make_room(int(indexes[0]), int(indexes[-1]))
        np.add.at(self.counts, indexes - self.offset, other.counts)

    def resized(self, max_size: int) -> Histogram:
        """A copy with at most ``max_size`` buckets, at the scale that this needs."""
        copy = Histogram(max_size, self.scale)
        copy.merge(self)
        return copy

    def quantile(self, q: float) -> float:
        """The value of rank ``ceil(q * count)``, exact but for half a bucket; NaN when nothing was counted."""
        return self.quantiles(q)[0]

    def quantiles(self, *qs: float) -> list[float]:
        """Several quantiles, each as `quantile` gives it."""
        if not self.count:
            return [math.nan] * len(qs)
        ranks = [min(max(math.ceil(q * self.count), 1), self.count) - self.zero_count for q in qs]
        places = np.searchsorted(np.cumsum(self.counts), ranks).tolist()
        return [
            min(max(_middle(self.offset + place, self.scale), self.low), self.high) if rank > 0 else 0.0
            for rank, place in zip(ranks, places, strict=True)
        ]

    @property
    def mean(self) -> float:
        """The arithmetic mean; NaN when nothing was counted."""
        return self.total / self.count if self.count else math.nan

    def _make_room(self, first: int, last: int) -> int:
        """Widen the buckets to cover ``first`` to ``last``; how far the scale had to go down for it."""
        if self.counts.size:
            first, last = min(first, self.offset), max(last, self.offset + self.counts.size - 1)
        shift = 0
        while (last >> shift) - (first >> shift) >= self.max_size:
            shift += 1
        first, last = first >> shift, last >> shift
        if shift:
            self._downscale(shift)
        if not self.counts.size:
            self.offset, self.counts = first, np.zeros(last - first + 1, np.int64)
        elif first < self.offset or last >= self.offset + self.counts.size:
            wider = np.zeros(last - first + 1, np.int64)
            at = self.offset - first
            wider[at : at + self.counts.size] = self.counts
            self.offset, self.counts = first, wider
        return shift

    def _downscale(self, shift: int) -> None:
        self.scale -= shift
        if self.counts.size:
            indexes = np.arange(self.offset, self.offset + self.counts.size) >> shift
            self.offset = int(indexes[0])
            joined = np.zeros(int(indexes[-1]) - self.offset + 1, np.int64)
            np.add.at(joined, indexes - self.offset, self.counts)
            self.counts = joined


def bucket_indexes(values: npt.NDArray[np.float64], scale: int) -> npt.NDArray[np.int64]:
    """The bucket of each positive value at ``scale``.

    ``v = m * 2 ** e`` with ``1 <= m < 2``: the exponent is exact, so only the mantissa goes through a logarithm and a
    power of two lands exactly on the upper edge of its bucket. A bucket of scale ``s - 1`` is two of scale ``s``.
    """
    mantissas, exponents = np.frexp(np.maximum(values, _SMALLEST))
    fine = max(scale, 0)
    # frexp gives 0.5 <= mantissa < 1: log2 lies in [-1, 0), a power of two at -1 exactly.
    within = np.ceil((np.log2(mantissas) + 1.0) * (1 << fine)).astype(np.int64)
    indexes = ((exponents.astype(np.int64) - 1) << fine) + within - 1
    return indexes >> (fine - scale)


def _middle(index: int, scale: int) -> float:
    """The value in bucket ``index`` whose greatest relative distance to the bucket's edges is least."""
    lower, upper = _edge(index, scale), _edge(index + 1, scale)
    if math.isinf(upper):
        return lower
    return 2.0 / (1.0 / lower + 1.0 / upper)


def _edge(index: int, scale: int) -> float:
    power = math.ldexp(index, -scale)
    try:
        return float(2.0 ** max(power, -1022.0))
    except OverflowError:
        return math.inf
