"""Bounds: the binomial tails are exact, and a bound is passed only as often as its confidence says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.watch.bounds import lower_tail, poisson_lower, poisson_upper, surely_above, upper_tail


@given(st.integers(1, 60), st.data(), st.floats(0.001, 0.999))
def test_tails_are_those_of_the_binomial_distribution(n: int, data: st.DataObject, p: float) -> None:
    """Both tails agree with the sum of all masses."""
    k = data.draw(st.integers(0, n))
    masses = [math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    assert upper_tail(n, k, p) == pytest.approx(math.fsum(masses[k:]), rel=1e-7, abs=1e-12)
    assert lower_tail(n, k, p) == pytest.approx(math.fsum(masses[: k + 1]), rel=1e-7, abs=1e-12)


def test_millions_of_samples_are_no_trouble() -> None:
    """Large counts neither overflow nor take long."""
    assert upper_tail(10_000_000, 500_000, 0.05) == pytest.approx(0.5, abs=0.01)
    assert upper_tail(10_000_000, 510_000, 0.05) < 1e-40


@pytest.mark.parametrize("n", [20, 50, 150])
def test_a_quantile_at_its_bound_is_called_above_no_more_often_than_the_confidence_allows(n: int) -> None:
    """At confidence 99 % at most 1 % of samples, whose true p95 is the bound, are called above it."""
    random = np.random.default_rng(n)
    counts = (random.random((4_000, n)) > 0.95).sum(axis=1)
    assert np.mean([surely_above(n, int(k), 0.05, 0.99) for k in counts]) <= 0.013


def test_few_samples_cannot_be_sure() -> None:
    """One slow call of one, or two of three, say nothing at the usual confidence."""
    assert not surely_above(1, 1, 0.05, 0.9999)
    assert not surely_above(3, 2, 0.05, 0.9999)
    assert surely_above(20, 8, 0.05, 0.9999)


@pytest.mark.parametrize("mean", [0.3, 5.0, 60.0])
@pytest.mark.parametrize("count", [0, 1, 5, 40, 90])
def test_poisson_tails_are_those_of_many_rare_events(count: int, mean: float) -> None:
    """They are the binomial's for a million trials, and both tails share the one mass between them."""
    n = 1_000_000
    assert poisson_upper(count, mean) == pytest.approx(upper_tail(n, count, mean / n), rel=1e-2, abs=1e-12)
    assert poisson_lower(count, mean) == pytest.approx(lower_tail(n, count, mean / n), rel=1e-2, abs=1e-12)
