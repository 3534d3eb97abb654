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
Which = Rows | slice

_DAY_STARTS = np.arange(DAYS) * DAY_BINS


def place(at: Floats) -> tuple[Rows, Floats]:
    """The bin of each time, and how far it is from the middle of the bin, from -½ to ½."""
    position = np.mod(at, WEEK_S) / BIN_S
    bins = np.minimum(position.astype(np.intp), BINS - 1)
    return bins, position - bins - 0.5


def forecast(profile: Profile, rows: Rows, which: Which, bins: Rows, aside: Floats) -> tuple[Floats, Floats]:
    """By the day and by the week, from a profile ``(BINS, series)``; NaN where nothing is known.

    Values between two bins are interpolated. ``bins`` and ``aside`` are one for all, without a dimension, or one each;
    ``which`` is ``rows`` again, or the slice that is the same rows without a copy.
    """
    far = np.abs(aside)
    beside = np.where(aside > 0, 1, -1)
    if bins.ndim:
        at, to = bins % DAY_BINS + _DAY_STARTS[:, None], (bins + beside) % DAY_BINS + _DAY_STARTS[:, None]
        here, there = profile[at, rows], profile[to, rows]
        now, then = profile[bins, rows], profile[(bins + beside) % BINS, rows]
    else:
        here, there = (
            profile[int(bins) % DAY_BINS :: DAY_BINS, which],
            profile[int(bins + beside) % DAY_BINS :: DAY_BINS, which],
        )
        now, then = profile[int(bins), which], profile[int(bins + beside) % BINS, which]
    total = here.sum(axis=0, dtype=np.float64) * (1 - far) + there.sum(axis=0, dtype=np.float64) * far
    daily: Floats = total / DAYS
    gaps = np.flatnonzero(np.isnan(daily))
    held = now.astype(np.float64)
    weekly = np.where(np.isnan(then), held, held * (1 - far) + then * far)
    if len(gaps):
        each = np.broadcast_to(bins, daily.shape)[gaps], np.broadcast_to(aside, daily.shape)[gaps]
        daily[gaps] = _with_gaps(profile, rows[gaps], *each)
    return daily, weekly


def _with_gaps(profile: Profile, rows: Rows, bins: Rows, aside: Floats) -> Floats:
    """The forecast of the day where some days are not known."""
    same = bins % DAY_BINS + _DAY_STARTS[:, None]
    here = profile[same, rows].astype(np.float64)
    there = profile[(same + np.where(aside > 0, 1, -1)) % BINS, rows].astype(np.float64)
    far = np.abs(aside)
    by_day = np.where(np.isnan(there), here, here * (1 - far) + there * far)
    known = ~np.isnan(by_day)
    count = known.sum(axis=0)
    total = np.where(known, by_day, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
