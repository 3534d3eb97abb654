"""The time of day and of week in a series: a profile of two-hour bins over a week, and what it forecasts.

The forecast of the week is the profile at this time; that of the day is the mean of the profile at this time over the
days of the week, so that a daily season is known after a day and a weekly one after a week, from the same figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAYS = 7
DAY_BINS = 12
BINS = DAYS * DAY_BINS
BIN_S = 86_400.0 / DAY_BINS
WEEK_S = BINS * BIN_S

Floats = NDArray[np.float64]
Profile = NDArray[np.float32]
Rows = NDArray[np.intp]

_DAY_STARTS = np.arange(DAYS) * DAY_BINS


def place(at: Floats) -> tuple[Rows, Floats]:
    """The bin of each time, and how far it is from the middle of the bin, from -½ to ½."""
    position = np.mod(at, WEEK_S) / BIN_S
    bins = np.minimum(position.astype(np.intp), BINS - 1)
    return bins, position - bins - 0.5


def forecast(profile: Profile, rows: Rows, bins: Rows, aside: Floats) -> tuple[Floats, Floats]:
    """By the day and by the week; NaN where nothing is known. Values between two bins are interpolated."""
    same = (bins % DAY_BINS)[:, None] + _DAY_STARTS
    beside = (same + np.where(aside > 0, 1, -1)[:, None]) % BINS
    here = profile[rows[:, None], same].astype(np.float64)
    there = profile[rows[:, None], beside].astype(np.float64)
    far = np.abs(aside)[:, None]
    by_day = np.where(np.isnan(there), here, here * (1 - far) + there * far)
    known = ~np.isnan(by_day)
    total = np.where(known, by_day, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    daily = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return daily, by_day[np.arange(len(rows)), bins // DAY_BINS]
