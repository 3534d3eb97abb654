"""The Numenta Anomaly Benchmark's rule: what detections earn and cost, by threshold.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015), arXiv 1510.03336, section III, as their
reference scorer computes it: an early detection inside a window earns most, a missed window and every detection
outside of windows cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PROBATION_SHARE = 0.15
PROBATION_MOST = 750
FALSE_POSITIVE_REACH = 3.0  # in windows; beyond it a false positive costs in full
_PERFECT = 2 / (1 + np.exp(-5.0)) - 1  # the sigmoid at a window's left edge


class Profile(msgspec.Struct, frozen=True):
    """What one false positive costs at most, and what a missed window costs; a hit earns at most 1."""

    name: str
    false_positive: float
    missed: float


STANDARD = Profile("standard", 0.11, 1.0)
LOW_FP = Profile("low FP", 0.22, 1.0)
LOW_FN = Profile("low FN", 0.11, 2.0)
PROFILES = (STANDARD, LOW_FP, LOW_FN)


class Series(msgspec.Struct, frozen=True):
    """A labelled series: seconds since the epoch, values, and anomaly windows as first and last index."""

    name: str
    at: Floats
    values: Floats
    windows: tuple[tuple[int, int], ...]

    @property
    def group(self) -> str:
        """The folder it lies in."""
        return self.name.rpartition("/")[0]

    @property
    def probation(self) -> int:
        """How many points at the start are not scored."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_MOST)

    @property
    def counted(self) -> tuple[tuple[int, int], ...]:
        """The windows that end after probation: the others can be neither hit nor missed."""
        return tuple(window for window in self.windows if window[1] >= self.probation)


class Steps(msgspec.Struct, frozen=True):
    """How a series' score changes as the threshold falls past ``scores``: by ``hits`` and by ``alarms``.

    ``hits`` are earned by detections in windows, 1 + what a miss no longer costs being added by the profile through
    ``found``; ``alarms`` are (negative) parts of a false positive, to be multiplied by its cost.
    """

    scores: Floats
    hits: Floats
    found: Floats
    alarms: Floats
    windows: int


def _sigmoid(position: Floats) -> Floats:
    return np.where(position > FALSE_POSITIVE_REACH, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 4.0))) - 1)


def steps(series: Series, scores: Floats) -> Steps:
    """The threshold steps of one series; points with a score of 0 or less are never detections."""
    count = len(series.values)
    live = np.arange(count) >= series.probation
    live &= scores > 0
    position = np.full(count, np.inf)
    inside = np.zeros(count, dtype=np.bool_)
    at, hits, found = [], [], []
    for first, last in series.windows:
        width = last - first + 1
        after = np.arange(last + 1, count)
        position[last + 1 :] = (after - last) / max(width - 1, 1)
        inside[first : last + 1] = True
        index = np.arange(first, last + 1)
        index = index[live[index]]
        if not len(index):
            continue
        gain = _sigmoid(-(last - index + 1.0) / width) / _PERFECT
        order = np.argsort(-scores[index], kind="stable")
        best = np.maximum.accumulate(gain[order])
        at.append(scores[index][order])
        hits.append(np.diff(best, prepend=0.0))
        found.append(np.eye(1, len(index))[0])
    outside = np.flatnonzero(live & ~inside)
    zeros = np.zeros(len(outside))
    return Steps(
        scores=np.concatenate([*at, scores[outside]]),
        hits=np.concatenate([*hits, zeros]),
        found=np.concatenate([*found, zeros]),
        alarms=np.concatenate([*(np.zeros(len(one)) for one in at), _sigmoid(position[outside])]),
        windows=len(series.counted),
    )


def totals(parts: Sequence[Steps], profile: Profile, thresholds: Floats) -> Floats:
    """Raw score at each of ``thresholds`` (a detection is a score at or above it), before scaling."""
    scores = np.concatenate([one.scores for one in parts])
    gains = np.concatenate([_gains(one, profile) for one in parts])
    order = np.argsort(scores, kind="stable")
    tail = np.append(np.cumsum(gains[order][::-1])[::-1], 0.0)
    missed = profile.missed * sum(one.windows for one in parts)
    found: Floats = tail[np.searchsorted(scores[order], thresholds)] - missed
    return found


def scaled(raw: Floats, windows: int, profile: Profile) -> Floats:
    """Raw scores on the published scale: no detection is 0, a perfect detector 100."""
    return 100 * (raw + profile.missed * windows) / max((1 + profile.missed) * windows, 1e-9)


def best(parts: Sequence[Steps], profile: Profile) -> tuple[float, float]:
    """The threshold that maximises the total over all series, and the scaled score it gives."""
    thresholds = np.unique(np.concatenate([np.ones(1), *(one.scores for one in parts)]))
    raw = totals(parts, profile, thresholds)
    at = int(np.argmax(raw))
    return float(thresholds[at]), float(scaled(raw[at : at + 1], count_windows(parts), profile)[0])


def count_windows(parts: Iterable[Steps]) -> int:
    """How many windows there are to be found."""
    return sum(one.windows for one in parts)


def _gains(part: Steps, profile: Profile) -> Floats:
    gains: Floats = part.hits + profile.missed * part.found + profile.false_positive * part.alarms
    return gains
