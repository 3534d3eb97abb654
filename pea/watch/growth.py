"""Whether a gauge's floor keeps growing: told from noise, sawteeth, warming up, steps and daily waves.

What a garbage collector leaves standing is the minimum between its runs: so the values are cut into blocks and each
block's minimum is one sample. Those must rise (Mann, 1945; Kendall, 1975), by more than a little (Sen, 1968), not be
levelling off, over both the window and twice the window, and reach higher than they ever did before. Each condition
alone is fooled by one of the harmless shapes; tests/watch/test_growth.py counts what all of them together do.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

MAX_P = 0.005
MIN_SHARE = 0.02  # of the median, over the window
MIN_LAST_HALF = 0.4  # of the first half's growth
MIN_FILLED = 0.5  # of a block's samples

Values = npt.NDArray[np.float64]


class Growth(msgspec.Struct, frozen=True):
    """What the floors say; ``per_hour`` in the values' unit, ``p`` the chance of such a rise without a trend."""

    growing: bool
    per_hour: float
    p: float


def growth(values: Values, samples: int, size: int, step_s: float) -> Growth | None:
    """Judge the last ``2 * size`` of values that are ``step_s`` apart, in the light of those before them.

    None when there are too few, or too many of them are missing (NaN).
    """
    recent, both = values[-size:], values[-2 * size :]
    found, whole = floors(recent, samples), floors(both, samples)
    if found is None or whole is None or len(both) < 2 * size:
        return None
    per_hour = sen_slope(found) * 3_600 / (size / samples * step_s)
    growing = _rises(found) and _rises(whole) and found[-1] > _highest_floor(values[: -2 * size], size // samples)
    return Growth(bool(growing), per_hour, mann_kendall(found))


def _highest_floor(values: Values, block: int) -> float:
    """The highest floor of earlier blocks: a wave, or a slow sawtooth, only comes back to where it has been."""
    usable = values[len(values) % block :].reshape(-1, block) if block else values.reshape(0, 1)
    held = usable[~np.isnan(usable).any(axis=1)]
    return float(held.min(axis=1).max()) if len(held) else -math.inf


def floors(values: Values, samples: int) -> Values | None:
    """The minimum of each of ``samples`` blocks; None when a block has too few values."""
    size = len(values) // samples
    if size < 1:
        return None
    blocks = values[len(values) - size * samples :].reshape(samples, size)
    if (np.isnan(blocks).mean(axis=1) > 1 - MIN_FILLED).any():
        return None
    found: Values = np.nanmin(blocks, axis=1)
    return found


def mann_kendall(values: Values) -> float:
    """The one-sided chance that values without a trend rise as often as these: the normal approximation with ties."""
    n = len(values)
    upper = np.triu_indices(n, 1)
    score = int(np.sign(values[upper[1]] - values[upper[0]]).sum())
    _, ties = np.unique(values, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
    if variance <= 0 or score <= 0:
        return 1.0
    return 0.5 * math.erfc((score - 1) / math.sqrt(2 * variance))


def sen_slope(values: Values) -> float:
    """The median slope between all pairs, per sample."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (second - first)))


def _rises(found: Values) -> bool:
    slope, middle = sen_slope(found), len(found) // 2
    if slope * (len(found) - 1) <= MIN_SHARE * abs(float(np.median(found))):
        return False
    before, after = found[middle] - found[0], found[-1] - found[middle]
    return bool(after >= MIN_LAST_HALF * before) and mann_kendall(found) < MAX_P
