"""A batch of measurements as counts in exponential buckets of one fixed scale, so that batches merge by adding up.

The buckets are those of OpenTelemetry's exponential histogram at scale 6 (base ``2 ** (1 / 64)``): a quantile is right
within 0.54 % whatever was merged. Only buckets that hold something are stored: three to six bytes each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from pea.telemetry.histogram import Histogram, bucket_indexes

SCALE = 6
_LOWEST = -20 << SCALE  # about a microsecond: what is less counts as that
_SIZE = 32 << SCALE  # up to 4,096 s: what is more counts as that
_EDGES: npt.NDArray[np.float64] = np.exp2((np.arange(_SIZE + 1) + _LOWEST) / (1 << SCALE))
_MIDDLES: npt.NDArray[np.float64] = 2.0 / (1.0 / _EDGES[:-1] + 1.0 / _EDGES[1:])

Counts = npt.NDArray[np.int64]


class Buckets(msgspec.Struct, frozen=True, eq=False):
    """Numbers of buckets that hold something, ascending, and how many values each holds."""

    indexes: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.unsignedinteger]

    @property
    def size_bytes(self) -> int:
        """Memory of the two arrays."""
        return self.indexes.nbytes + self.counts.nbytes

    def above(self, threshold: float) -> int:
        """How many values are certainly above ``threshold``: those in its own bucket are given the benefit."""
        if threshold < _EDGES[0]:
            return int(self.counts.sum())
        place = _place(threshold)
        return int(self.counts[np.searchsorted(self.indexes, place, side="right") :].sum())


def _narrow(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.unsignedinteger]:
    """Counts in as few bytes as the greatest needs."""
    most = int(counts.max(initial=0))
    return counts.astype(np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.uint32)


EMPTY = Buckets(np.zeros(0, np.uint16), np.zeros(0, np.uint8))


def count(values: Sequence[float], onto: Buckets = EMPTY) -> Buckets:
    """Values in seconds, finite and not negative, counted on top of what was counted before."""
    # Ufuncs and a dense count: for a few hundred values `np.clip` and `np.unique` cost more than what they do.
    batch = np.maximum(np.asarray(values, np.float64), _MIDDLES[0])
    found = np.minimum(bucket_indexes(batch, SCALE) - _LOWEST, _SIZE - 1)
    dense = np.bincount(found, minlength=_SIZE)
    if onto.indexes.size:
        dense[onto.indexes] += onto.counts
    (indexes,) = dense.nonzero()
    return Buckets(indexes.astype(np.uint16), _narrow(dense[indexes]))


def merge(parts: Iterable[Buckets]) -> Counts:
    """All batches together, as counts by bucket."""
    held = [part for part in parts if part.indexes.size]
    if not held:
        return np.zeros(_SIZE, np.int64)
    indexes = np.concatenate([part.indexes for part in held])
    counts = np.concatenate([part.counts for part in held])
    return np.bincount(indexes, weights=counts, minlength=_SIZE).astype(np.int64)


def quantile(merged: Counts, q: float) -> float:
    """The value of rank ``ceil(q * n)``, right within 0.54 %; NaN when nothing was counted."""
    reached = np.cumsum(merged)
    total = int(reached[-1])
    if not total:
        return math.nan
    rank = min(max(math.ceil(q * total - 1e-9), 1), total)
    return float(_MIDDLES[int(np.searchsorted(reached, rank))])


def _place(value: float) -> int:
    """The bucket that a positive value falls into."""
    exponent = math.ceil(math.log2(value) * (1 << SCALE) - 1e-9) - 1
    return min(max(exponent - _LOWEST, 0), _SIZE - 1)


def quantile_between(before: Histogram | None, now: Histogram, q: float) -> float | None:
    """The q-quantile of what a growing histogram has counted since an earlier copy; None when nothing, or not known."""
    if before is None or before.scale != now.scale or now.count <= before.count:
        return None
    since = now.counts.copy()
    if before.counts.size:
        first = before.offset - now.offset
        since[first : first + before.counts.size] -= before.counts
    zeros = now.zero_count - before.zero_count
    rank = math.ceil(q * (zeros + int(since.sum())))
    if rank <= zeros:
        return 0.0
    index = now.offset + int(np.searchsorted(np.cumsum(since), rank - zeros))
    return float(2.0 ** ((index + 0.5) / 2.0**now.scale))
