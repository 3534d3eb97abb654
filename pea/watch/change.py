"""What a figure was before, as a bound: how high it may be now before it is sure that it has changed by a factor.

Nothing is learned or stored: the window of a rule is held against the quarter of an hour that windows remember. Before
is given the benefit of the doubt (the upper confidence bound of its quantile or share), so that a bound made of few
samples is a high one. An alert keeps the bound that it began with; what lasts an hour becomes what was before, and the
alert is over: a change is told once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from pea.watch.bounds import lower_tail, upper_tail
from pea.watch.buckets import Counts, quantile

HELD_S = 3_600.0  # an alert keeps the bound that it began with for so long: then what has lasted is the usual
SURE = 0.99  # of what is said of before; of now the rule's own confidence
MAD_SCALE = 1.4826  # of normal noise, the standard deviation over the median absolute deviation
NOISE = 5.0  # standard deviations that a gauge's median must move at least


class Before(msgspec.Struct, frozen=True):
    """The figure as it was, from so many samples, and the bound that it must now pass."""

    value: float
    samples: int
    bound: float
    until_s: float = 0.0  # the bound was another alert reading's, and holds until then

    def evidence(self, now_s: float) -> dict[str, float]:
        """What an alert remembers of it."""
        until_s = self.until_s or now_s + HELD_S
        return {
            "before": self.value,
            "samples_before": float(self.samples),
            "bound": self.bound,
            "bound_until": until_s,
        }


def held_before(evidence: Mapping[str, float], now_s: float) -> Before | None:
    """The bound that an active alert began with, while it holds."""
    if evidence.get("bound_until", 0.0) <= now_s:
        return None
    return Before(evidence["before"], int(evidence["samples_before"]), evidence["bound"], evidence["bound_until"])


def quantile_before(counts: Counts, q: float, factor: float, at_least: float) -> Before | None:
    """From the buckets of the time before; None when its quantile has no upper bound: too few samples.

    The order statistic of rank ``n - m`` is an upper bound of the q-quantile with confidence ``SURE`` when
    ``P(Bin(n, 1 - q) <= m) <= 1 - SURE`` (David and Nagaraja, Order Statistics, section 7.1).
    """
    count = int(counts.sum())
    above = spare(count, 1.0 - q)
    if above < 0:
        return None
    highest = quantile(counts, (count - above) / count)
    return Before(quantile(counts, q), count, max(factor * highest, highest + at_least))


def share_before(count: int, bad: int, factor: float, at_least: float) -> Before | None:
    """From the events of the time before, by the upper bound of Clopper and Pearson (1934); None without events."""
    if not count:
        return None
    low, high = bad / count, 1.0
    for _ in range(30):  # to a billionth
        middle = (low + high) / 2
        low, high = (low, middle) if lower_tail(count, bad, middle) < 1 - SURE else (middle, high)
    return Before(bad / count, count, min(max(factor * high, high + at_least), 1.0))


def rate_share(factor: float, now_s: float, before_s: float) -> float:
    """The share of all events that falls on ``now_s`` seconds when their rate is ``factor`` times that before.

    Given the sum of two Poisson counts, the one is binomial with this share (Przyborowski and Wilenski, 1940).
    """
    return factor * now_s / (factor * now_s + before_s)


def gauge_before(values: npt.NDArray[np.float64], factor: float, at_least: float) -> Before | None:
    """From samples: past ``factor`` times their median, and outside of their noise; None when there are few."""
    held = np.sort(values[~np.isnan(values)])
    if len(held) < 10:
        return None
    middle = float(np.median(held))
    noise = NOISE * MAD_SCALE * float(np.median(np.abs(held - middle)))
    step = max(abs(middle * (factor - 1)), at_least, noise)
    return Before(middle, len(held), middle + step if factor > 1 else middle - step)


def spare(count: int, share: float) -> int:
    """The most of ``count`` that may lie above an upper bound of what a ``share`` lies above; -1: not even none."""
    if count <= 0 or upper_tail(count, 1, share) < SURE:
        return -1
    low, high = 0, max(math.ceil(count * share), 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if lower_tail(count, middle, share) <= 1 - SURE else (low, middle - 1)
    return low
