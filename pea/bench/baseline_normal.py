"""Normal series of twelve kinds, generated: what a detector says about them is a false alarm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int, int, int], Floats]


def white(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Independent and normal."""
    return 100 + rng.normal(0, 5, (points, series))


def autoregressive(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Each value remembers 90 % of the last."""
    return _remembering(rng.normal(0, 1, (points, series)), 0.9)


def heavy_tailed(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Student's t of three degrees of freedom."""
    return 50 + rng.standard_t(3, (points, series))


def skewed(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Durations: log-normal."""
    return rng.lognormal(-2, 0.5, (points, series))


def daily(rng: np.random.Generator, series: int, points: int, day: int) -> Floats:
    """A daily wave with noise."""
    wave = np.sin(2 * np.pi * np.arange(points) / day)[:, None]
    return 200 + 80 * wave + rng.normal(0, 10, (points, series))


def weekly(rng: np.random.Generator, series: int, points: int, day: int) -> Floats:
    """A daily wave, a third as high at the weekend."""
    week = np.arange(points) // day % 7
    height = np.where(week < 5, 1.0, 0.33)[:, None]
    return 200 + height * (daily(rng, series, points, day) - 200)


def counting(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Poisson counts of a few events."""
    return rng.poisson(3, (points, series)).astype(np.float64)


def rare(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Mostly nothing, one event in fifty."""
    return rng.poisson(0.02, (points, series)).astype(np.float64)


def bursty(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Gamma-distributed load whose rate itself wanders."""
    rate = np.exp(_remembering(rng.normal(0, 0.1, (points, series)), 0.95))
    return rng.gamma(2.0, rate)


def drifting(rng: np.random.Generator, series: int, points: int, day: int) -> Floats:
    """A slow rise of a tenth of the level a week."""
    return 500 * (1 + 0.1 * np.arange(points)[:, None] / (7 * day)) + rng.normal(0, 10, (points, series))


def sawtooth(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """Memory between collections: up, and down at once, with a period of its own for each series."""
    period = rng.integers(20, 120, series)
    phase = (np.arange(points)[:, None] + rng.integers(0, 120, series)) % period
    return 256 + 64 * phase / period + rng.normal(0, 1, (points, series))


def two_levels(rng: np.random.Generator, series: int, points: int, _day: int) -> Floats:
    """A cache that is warm or cold: two levels, changed at random."""
    cold = np.cumsum(rng.random((points, series)) < 0.02, axis=0) % 2
    return np.where(cold, 40.0, 10.0) + rng.normal(0, 1, (points, series))


KINDS: tuple[Maker, ...] = (
    white,
    autoregressive,
    heavy_tailed,
    skewed,
    daily,
    weekly,
    counting,
    rare,
    bursty,
    drifting,
    sawtooth,
    two_levels,
)


def _remembering(noise: Floats, share: float) -> Floats:
    values = np.empty_like(noise)
    held = noise[0] / np.sqrt(1 - share**2)
    for place, fresh in enumerate(noise):
        held = share * held + fresh
        values[place] = held
    return values
