"""Exponential histograms against exact quantiles, against merging, and against the official SDK."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics._internal.aggregation import _ExponentialBucketHistogramAggregation
from opentelemetry.sdk.metrics._internal.exemplar.exemplar_reservoir import SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics.export import AggregationTemporality

from pea.telemetry.histogram import Histogram, bucket_indexes

durations = st.floats(min_value=0, max_value=1e6, allow_nan=False)
batches = st.lists(st.lists(durations, max_size=50), max_size=8)
anything = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


def _filled(*batches, **kwargs):
    histogram = Histogram(**kwargs)
    for batch in batches:
        histogram.add(batch)
    return histogram


def _exact(values, q):
    return sorted(values)[min(max(math.ceil(q * len(values)), 1), len(values)) - 1]


@given(st.lists(st.floats(min_value=1e-5, max_value=1.0), min_size=1, max_size=300), st.floats(0, 1))
@settings(max_examples=200)
def test_quantiles_are_within_one_percent(values, q):
    """Five decades of durations at scale 6 in 1,100 buckets give each quantile within 1 % of the exact one."""
    histogram = _filled(values, max_size=1100, max_scale=6)
    assert histogram.scale == 6
    assert histogram.quantile(q) == pytest.approx(_exact(values, q), rel=0.01)


@given(st.lists(anything, min_size=1, max_size=100), st.floats(0, 1))
@settings(max_examples=200)
def test_quantile_error_is_bounded_by_the_scale(values, q):
    """Whatever the range, the error stays within half a bucket of the scale in use."""
    histogram = _filled(values)
    base = 2.0 ** (2.0**-histogram.scale) if histogram.scale > -10 else math.inf
    truth = _exact(values, q)
    if truth >= 2.0**-1022:
        assert abs(histogram.quantile(q) - truth) <= truth * (base - 1) * (1 + 1e-9) + 1e-300 or base > 1e100


@given(batches, batches)
@settings(max_examples=200)
def test_merging_equals_adding_everything_to_one(left, right):
    """Merged histograms count what one histogram of all values counts."""
    merged = _filled(*left)
    merged.merge(_filled(*right))
    whole = _filled(*left, *right)
    assert (merged.count, merged.zero_count, merged.low, merged.high) == (
        whole.count,
        whole.zero_count,
        whole.low,
        whole.high,
    )
    assert merged.total == pytest.approx(whole.total)
    scale = min(merged.scale, whole.scale)
    assert _buckets(merged, scale) == _buckets(whole, scale)


def _buckets(histogram, scale):
    found = {}
    for k, n in enumerate(histogram.counts.tolist()):
        if n:
            index = (histogram.offset + k) >> (histogram.scale - scale)
            found[index] = found.get(index, 0) + n
    return found


def _official(values, max_scale, max_size):
    peer = _ExponentialBucketHistogramAggregation(
        {},
        SimpleFixedSizeExemplarReservoir,
        AggregationTemporality.DELTA,
        0,
        max_size=max_size,
        max_scale=max_scale,
    )
    for value in values:
        peer.aggregate(Measurement(value, 0, None, None), should_sample_exemplar=False)
    return peer.collect(AggregationTemporality.DELTA, 1)


@given(
    st.lists(st.one_of(durations, st.integers(-30, 30).map(lambda e: 2.0**e)), min_size=1, max_size=120),
    st.sampled_from([20, 6, 3, 0, -2]),
    st.sampled_from([4, 160]),
)
@settings(max_examples=300)
def test_same_buckets_as_the_sdk(values, max_scale, max_size):
    """Sum, count, least, greatest, scale and every bucket equal those of the official SDK's aggregation."""
    ours, theirs = _filled(values, max_size=max_size, max_scale=max_scale), _official(values, max_scale, max_size)
    assert (ours.count, ours.zero_count) == (theirs.count, theirs.zero_count)
    assert (ours.low, ours.high) == (theirs.min, theirs.max)
    assert ours.total == pytest.approx(theirs.sum)
    if ours.count == ours.zero_count:
        return
    scale = min(ours.scale, theirs.scale)
    peer = {theirs.positive.offset + k: n for k, n in enumerate(theirs.positive.bucket_counts) if n}
    coarse = {}
    for index, n in peer.items():
        coarse[index >> (theirs.scale - scale)] = coarse.get(index >> (theirs.scale - scale), 0) + n
    assert _buckets(ours, scale) == coarse
    assert ours.counts.size <= max_size


@pytest.mark.parametrize("scale", [-10, -1, 0, 1, 6, 20])
def test_powers_of_two_are_upper_edges(scale):
    """A power of two is the last value of its bucket, the next number the first of the following one."""
    exponents = np.arange(-1000, 1000)
    powers = 2.0**exponents
    at, above = bucket_indexes(powers, scale), bucket_indexes(np.nextafter(powers, np.inf), max(scale, 0))
    assert (at == ((exponents << max(scale, 0)) - 1) >> max(-scale, 0)).all()
    assert (above >= exponents << max(scale, 0)).all()


def test_values_that_are_no_durations_are_left_out():
    """Negative, infinite and undefined values change nothing."""
    histogram = _filled([-1.0, math.inf, -math.inf, math.nan])
    assert histogram.count == 0
    assert math.isnan(histogram.quantile(0.5))
    assert math.isnan(histogram.mean)


def test_the_whole_range_of_floats_fits():
    """The least and the greatest float together stay within the bucket bound."""
    histogram = _filled([5e-324, 2.0**-1022, 1.0, 1.7976931348623157e308, 0.0])
    assert histogram.counts.size <= 160
    assert histogram.counts.sum() + histogram.zero_count == 5
    assert histogram.quantile(1.0) <= histogram.high
    assert histogram.quantile(0.0) == 0.0


def test_resizing_keeps_every_count():
    """A coarser copy for export has the same counts in fewer buckets and leaves the original alone."""
    fine = _filled(np.geomspace(1e-6, 100, 5000), max_size=2048, max_scale=6)
    coarse = fine.resized(160)
    assert coarse.counts.size <= 160 < fine.counts.size
    assert (coarse.count, coarse.counts.sum()) == (5000, 5000)


@pytest.mark.parametrize("arguments", [{"max_size": 1}, {"max_size": 1 << 20}, {"max_scale": 21}, {"max_scale": -11}])
def test_impossible_shapes_are_refused(arguments):
    """Sizes and scales outside the data model are a ValueError."""
    with pytest.raises(ValueError):
        Histogram(**arguments)
