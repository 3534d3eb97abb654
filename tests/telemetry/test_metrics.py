"""The store of series: bounds, overflow, callbacks, intervals."""

import logging
import math

import pytest

from pea.telemetry import names
from pea.telemetry.metrics import OVERFLOW, MetricStore
from pea.telemetry.series import FOLD_AT, MAX_LABEL_LENGTH, Exemplar

TASK = names.METRIC_TASK_DURATION


def _family(store, name):
    return next(f for f in store.collect() if f.metric.name == name)


def _walk(store, **kwargs):
    return [(metric.name, found) for metric, found in store.walk(**kwargs)]


def test_a_series_per_set_of_labels():
    """Equal labels share a series, an absent label is left out of it."""
    store = MetricStore(100)
    for values in (("a", "succeeded", None), ("a", "succeeded", None), ("a", "failed", "timeout")):
        store.observe(TASK, 0.1, values)
    points = {tuple(p.labels.values()): p.histogram.count for p in _family(store, TASK).histograms}
    assert points == {("a", "succeeded"): 2, ("a", "failed", "timeout"): 1}


def test_series_are_bounded_with_an_overflow_series():
    """One series of the limit is the overflow's; it takes every value that has no series of its own."""
    store = MetricStore(5)
    for n in range(100):
        store.observe(TASK, 0.1, (f"capability.{n}", "succeeded", None))
    points = _family(store, TASK).histograms
    assert len(points) == 5
    overflow = [p for p in points if dict(p.labels) == {OVERFLOW: True}]
    assert overflow[0].histogram.count == 96
    assert store.overflowed == 96
    store.observe(TASK, 0.1, ("capability.0", "succeeded", None))
    assert max(p.histogram.count for p in _family(store, TASK).histograms if OVERFLOW not in p.labels) == 2


@pytest.mark.parametrize("count", [1, FOLD_AT - 1, FOLD_AT, FOLD_AT * 2 + 1])
def test_every_value_is_counted_once(count):
    """Values waiting and values folded add up, in histogram and in classic buckets."""
    store = MetricStore(10)
    for n in range(count):
        store.observe(TASK, n / 100, ("a", "succeeded", None))
    for _ in range(2):
        point = _family(store, TASK).histograms[0]
        assert point.count == point.histogram.count == sum(point.buckets) == count
        assert point.total == pytest.approx(sum(n / 100 for n in range(count)))
        assert point.histogram.total == pytest.approx(point.total)


def test_classic_buckets_include_their_upper_bound():
    """A value equal to a bound is in the bucket below it, one above them all in the last."""
    store = MetricStore(10)
    for value in (0.005, 0.0051, 10.0, 10.1):
        store.observe(TASK, value, ("a", "succeeded", None))
    point = _family(store, TASK).histograms[0]
    filled = {(*point.bounds, math.inf)[k]: n for k, n in enumerate(point.buckets) if n}
    assert filled == {0.005: 1, 0.01: 1, 10.0: 1, math.inf: 1}


def test_a_bucket_keeps_its_last_exemplar():
    """The latest span of a bucket is its exemplar; a value without a span leaves it."""
    store = MetricStore(10)
    series = store.series(TASK, ("a", "succeeded", None))
    series.observe(0.001, (0.001, 1, 2, 3))
    series.observe(0.002, (0.002, 4, 5, 6))
    series.observe(0.003)
    assert _family(store, TASK).histograms[0].exemplars[0] == Exemplar(0.002, 4, 5, 6)


def test_intervals_hold_what_happened_since_the_last():
    """In delta an interval's histogram starts anew, and a series without values is left out."""
    now = iter([10, 20, 30, 40])
    store = MetricStore(10, delta=True, clock_ns=lambda: next(now))
    labels = ("a", "succeeded", None)
    store.observe(TASK, 0.1, labels)
    ((name, first),) = _walk(store, interval=True)
    assert (name, first.histogram.count, first.start_ns) == (TASK, 1, 10)
    assert _walk(store, interval=True) == []
    store.observe(TASK, 0.1, labels)
    store.observe(TASK, 0.1, labels)
    ((_, third),) = _walk(store, interval=True)
    assert (third.histogram.count, third.start_ns) == (2, 30)
    assert _family(store, TASK).histograms[0].histogram.count == 3


def test_callbacks_give_numbers_or_labelled_numbers():
    """A callback's own labels are added to those it was registered with; registrations of one name add up."""
    store = MetricStore(10)
    store.gauge(names.METRIC_TASK_ACTIVE, lambda: 3)
    for agent in ("calendar", "travel"):
        store.gauge(
            names.METRIC_AGENT_STATE,
            lambda: [({names.PEA_AGENT_STATE: s}, s == "ready") for s in ("ready", "failed")],
            {names.GEN_AI_AGENT_NAME: agent},
        )
    assert [p.value for p in _family(store, names.METRIC_TASK_ACTIVE).numbers] == [3]
    states = {tuple(p.labels.values()): p.value for p in _family(store, names.METRIC_AGENT_STATE).numbers}
    assert states == {
        ("calendar", "ready"): 1,
        ("calendar", "failed"): 0,
        ("travel", "ready"): 1,
        ("travel", "failed"): 0,
    }


def test_a_callback_can_be_taken_away():
    """After removal a callback is not called; removing twice is harmless."""
    store = MetricStore(10)
    remove = store.gauge(names.METRIC_TASK_ACTIVE, lambda: 1)
    remove()
    remove()
    assert _family(store, names.METRIC_TASK_ACTIVE).numbers == ()


def test_a_callback_that_fails_hides_nothing(caplog):
    """Its fault is counted and logged, the other figures are there."""
    store = MetricStore(10)
    store.gauge(names.METRIC_TASK_ACTIVE, lambda: 1 // 0)
    store.gauge(names.METRIC_TASK_ACTIVE, lambda: 2)
    with caplog.at_level(logging.WARNING):
        assert [p.value for p in _family(store, names.METRIC_TASK_ACTIVE).numbers] == [2]
    assert store.gauge_failures == 1
    assert names.METRIC_TASK_ACTIVE in caplog.text


def test_callbacks_are_bounded_too():
    """A callback that gives too many points is cut at the limit, and that is counted."""
    store = MetricStore(3)
    store.gauge(names.METRIC_AGENT_MEMORY, lambda: [({names.GEN_AI_AGENT_NAME: str(n)}, n) for n in range(10)])
    assert len(_family(store, names.METRIC_AGENT_MEMORY).numbers) == 3
    assert store.overflowed == 7


def test_long_label_values_are_cut():
    """A label that a caller can choose stays short."""
    store = MetricStore(10)
    store.observe(TASK, 0.1, ("x" * 10_000, "failed", None))
    labels = _family(store, TASK).histograms[0].labels
    assert len(labels[names.PEA_CAPABILITY]) == MAX_LABEL_LENGTH


@pytest.mark.parametrize("name", ["pea.task.activ", TASK, "nothing.like.it"])
def test_only_registered_numbers_can_have_callbacks(name):
    """An unknown name, or a histogram's, is a ValueError that says so."""
    with pytest.raises(ValueError, match="no number in otel/registry"):
        MetricStore(10).gauge(name, lambda: 1)
