"""Says whether a figure rises, falls or stays: a test for a trend, and how large it must be to matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

ResponseTrend = Literal["improving", "stable", "degrading"]
ThroughputTrend = Literal["increasing", "stable", "decreasing"]
ErrorTrend = Literal["improving", "stable", "worsening"]

MIN_POINTS = 10
SURE = 1.96  # standard deviations: a trend is called one when chance would show it in 5 % of cases
MATTERS = 0.1  # of the median, over the whole time


def direction(values: Sequence[float | None], *, matters: float = MATTERS, floor: float = 0.0) -> int | None:
    """1 when the values, evenly spaced and oldest first, rise, -1 when they fall, 0 when neither is sure to matter.

    None when fewer than ten are known. A trend has a Mann-Kendall statistic beyond ``SURE`` (with the correction for
    ties; Kendall, "Rank correlation methods", 1975) and Sen's slope ("Estimates of the regression coefficient based on
    Kendall's tau", 1968) over the whole time of at least ``matters`` of the median and at least ``floor``.
    """
    import numpy as np  # the service must not pay for it at its start

    known = [(at, value) for at, value in enumerate(values) if value is not None and math.isfinite(value)]
    if len(known) < MIN_POINTS:
        return None
    times = np.array([at for at, _ in known], np.float64)
    points = np.array([value for _, value in known], np.float64)
    before, after = np.triu_indices(len(points), 1)
    rises = points[after] - points[before]
    score = float(np.sign(rises).sum())
    n = len(points)
    _, ties = np.unique(points, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    if variance <= 0 or (abs(score) - 1) / math.sqrt(variance) < SURE:
        return 0
    slope = _median((rises / (times[after] - times[before])).tolist())
    change = slope * (len(values) - 1)
    if abs(change) < max(matters * abs(_median(points.tolist())), floor):
        return 0
    return 1 if change > 0 else -1


def growth_per_hour(values: Sequence[float | None], step_s: float) -> float | None:
    """Sen's slope per hour of evenly spaced values; None when fewer than ten are known."""
    import numpy as np  # the service must not pay for it at its start

    known = [(at, value) for at, value in enumerate(values) if value is not None and math.isfinite(value)]
    if len(known) < MIN_POINTS:
        return None
    times = np.array([at for at, _ in known], np.float64) * step_s
    points = np.array([value for _, value in known], np.float64)
    before, after = np.triu_indices(len(points), 1)
    return 3600.0 * _median(((points[after] - points[before]) / (times[after] - times[before])).tolist())


def _median(values: list[float]) -> float:
    """The median; numpy's own would import its masked arrays first, a third of a second on the event loop."""
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def response_trend(seconds: Sequence[float | None]) -> ResponseTrend | None:
    """Of a response time: lower is better; less than a millisecond never matters."""
    found = direction(seconds, floor=0.001)
    return None if found is None else ("improving", "stable", "degrading")[found + 1]


def throughput_trend(calls: Sequence[float | None]) -> ThroughputTrend | None:
    """Of calls per step."""
    found = direction(calls)
    return None if found is None else ("decreasing", "stable", "increasing")[found + 1]


def error_trend(shares: Sequence[float | None]) -> ErrorTrend | None:
    """Of the share of calls that fail: less than a thousandth never matters."""
    found = direction(shares, floor=0.001)
    return None if found is None else ("improving", "stable", "worsening")[found + 1]
