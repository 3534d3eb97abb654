"""Cautious sizes of a change: the natural logarithm of a ratio, less its standard error, less what is too small."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from pea.watch.cause_profile import POWER, Timing

LEAST = 0.2  # changes below e^0.2, a fifth, are the life of a system
TIME_ERRORS = 1.0  # standard errors that are taken off a change of time
COUNT_ERRORS = 0.5  # and off a change of frequency: its prior below already draws small counts together
RARE = 0.02  # added to frequencies: from 0 to 1 in 100 is not an infinite change
DRIFT = 0.1  # how much times differ between windows, as a logarithm, when there are too few to tell
PRIOR = 0.1  # the variance of a logarithm of times that so few spans are presumed to have
_FEW = 2  # spans on a side, below which nothing is said
_WINDOW = 5  # spans that make a window's average worth comparing
_WINDOWS = 4  # windows from which their spread is known


def slower(after: Timing, before: Sequence[Timing]) -> float:
    """By how much a place became slower: a lower bound of the log ratio of power means, 0 when there is none.

    The power mean of self times has exponent `POWER`; its log's variance is the delta method's, var(x^p)/(p·E x^p)²,
    drawn to `PRIOR` by a few pseudo-observations (an inverse-gamma prior, Gelman et al., Bayesian Data Analysis,
    2.6). With windows enough, their median stands for before and their spread (MAD · 1.4826) for drift.
    """
    total = Timing(*map(sum, zip(*before, strict=True))) if before else None
    if total is None or after.spans < _FEW or total.spans < _FEW:
        return 0.0
    now, variance_now = _log_mean(after)
    then, variance_then = _log_mean(total)
    drift = DRIFT
    windows = [_log_mean(one)[0] for one in before if one.spans >= _WINDOW]
    if len(windows) >= _WINDOWS:
        then = statistics.median(windows)
        drift = max(DRIFT / 2, 1.4826 * statistics.median(abs(one - then) for one in windows))
    pooled_then = (total.spans * variance_then + 2 * PRIOR) / (total.spans + 2)
    pooled_now = (after.spans * variance_now + 2 * variance_then + 2 * PRIOR) / (after.spans + 4)
    error = math.sqrt(drift**2 + pooled_now / after.spans + pooled_then / total.spans)
    return max(now - then - LEAST - TIME_ERRORS * error, 0.0)


def _log_mean(timing: Timing) -> tuple[float, float]:
    """The logarithm of the power mean, and the variance of one observation of it."""
    mean = timing.power / timing.spans
    variance = max(timing.square / timing.spans - mean * mean, 0.0)
    return math.log(mean) / POWER, variance / (POWER * mean) ** 2


def changed(
    hits: float, among: float, hits_before: float, among_before: float, *, errors: float = COUNT_ERRORS
) -> float:
    """By how much a frequency rose (> 0) or fell (< 0): the log ratio drawn to 0 by standard ``errors``.

    Frequencies are damped by `RARE`; the variance of a damped count is Poisson's, by the delta method, with half a
    hit added (Jeffreys' prior). 0 when there are too few to tell.
    """
    if among < _FEW or among_before < _FEW:
        return 0.0
    now, then = hits / among + RARE, hits_before / among_before + RARE
    size = math.log(now / then)
    error = math.sqrt((hits + 0.5) / (among * now) ** 2 + (hits_before + 0.5) / (among_before * then) ** 2)
    return math.copysign(max(abs(size) - errors * error, 0.0), size)


def lower_median(values: Sequence[float]) -> float:
    """The middle value, the smaller of the two where there are two."""
    return sorted(values)[(len(values) - 1) // 2]
