"""How fast something grows, and how sure that is: Theil-Sen's slope with its distribution-free interval."""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
MOST = 1_000  # points; all pairs of them are looked at


class Slope(msgspec.Struct, frozen=True):
    """The median of all pairs' slopes, between the bounds of its interval; in units of y per unit of x."""

    middle: float
    low: float
    high: float


def slope(x: npt.ArrayLike, y: npt.ArrayLike, confidence: float = CONFIDENCE) -> Slope:
    """Theil-Sen's slope of y over x; its interval is from the null distribution of Kendall's score (Sen, 1968).

    The interval holds for values that are independent of each other beside the trend. Takes 3 to 1,000 points with
    increasing x, else raises ValueError.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n = len(xs)
    if not 3 <= n <= MOST or len(ys) != n or not (np.diff(xs) > 0).all():
        raise ValueError(f"3 to {MOST} points with increasing x are expected")
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((ys[second] - ys[first]) / (xs[second] - xs[first]))
    _, ties = np.unique(ys, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(max(variance, 0.0))
    low = max(math.floor((len(slopes) - reach) / 2), 0)
    high = min(math.ceil((len(slopes) + reach) / 2), len(slopes) - 1)
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
