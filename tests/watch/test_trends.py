"""Trends: called one only when it is sure and matters."""

import random

import pytest

from pea.watch.trends import direction, error_trend, growth_per_hour, response_trend, throughput_trend


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0] * 30, 0),
        ([1.0 + n / 10 for n in range(30)], 1),
        ([4.0 - n / 10 for n in range(30)], -1),
        ([1.0 + n / 10_000 for n in range(30)], 0),  # sure, but too little to matter
        ([1.0, 2.0] * 15, 0),
        ([1.0] * 9, None),
        ([None] * 20 + [1.0 + n for n in range(10)], 1),
        ([None, float("nan"), float("inf")] * 10, None),
    ],
)
def test_direction(values, expected):
    """Rising, falling, neither, or too little to tell."""
    assert direction(values) == expected


def test_noise_is_no_trend():
    """Of steady noise at most about one series in twenty is called a trend."""
    chance = random.Random(7)
    called = sum(direction([chance.gauss(10, 2) for _ in range(30)]) != 0 for _ in range(300))
    assert called <= 24


def test_words():
    """Each figure has its own words, and slower is worse while more is not."""
    rising, falling = [float(n) for n in range(1, 31)], [float(n) for n in range(30, 0, -1)]
    assert (response_trend(rising), response_trend(falling)) == ("degrading", "improving")
    assert (throughput_trend(rising), throughput_trend(falling)) == ("increasing", "decreasing")
    assert (error_trend(rising), error_trend(falling)) == ("worsening", "improving")
    assert response_trend([]) is throughput_trend([]) is error_trend([]) is None


def test_microseconds_do_not_matter():
    """A response time that rises by less than a millisecond is stable."""
    assert response_trend([1e-5 * n for n in range(1, 31)]) == "stable"


def test_growth_per_hour():
    """Sen's slope ignores a spike, and needs ten points."""
    line = [100.0 + n for n in range(60)]
    line[30] = 1e9
    assert growth_per_hour(line, 60.0) == pytest.approx(60.0)
    assert growth_per_hour(line[:9], 60.0) is None
