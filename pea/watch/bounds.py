"""How sure a few samples make one: binomial tails for ratios, and through ranks for quantiles, without assumptions.

Of ``n`` independent values, the number above the true q-quantile is binomial with ``1 - q``. So when ``k`` values are
above a threshold, ``P(Bin(n, 1 - q) >= k)`` is how likely that is if the true quantile were at the threshold; it is
small exactly when the order-statistic lower bound of the quantile is above it (David and Nagaraja, Order Statistics,
section 7.1). The same tail bounds a ratio (Clopper and Pearson, 1934).
"""

from __future__ import annotations

import math
from functools import lru_cache


@lru_cache(maxsize=8_192)
def upper_tail(n: int, k: int, p: float) -> float:
    """P(Bin(n, p) >= k)."""
    if k <= 0:
        return 1.0
    if k > n or p <= 0:
        return 0.0
    if p >= 1:
        return 1.0
    if k <= n * p:  # the other tail is the longer way to sum, but this one is not small: precision is no matter
        return 1.0 - _sum_down(n, k - 1, p)
    return _sum_up(n, k, p)


def lower_tail(n: int, k: int, p: float) -> float:
    """P(Bin(n, p) <= k)."""
    return upper_tail(n, n - k, 1.0 - p)


def surely_above(n: int, k: int, p: float, confidence: float) -> bool:
    """Whether ``k`` of ``n`` is too many for a true share of ``p``, with this confidence."""
    return k > n * p and upper_tail(n, k, p) <= 1.0 - confidence + 1e-12


def surely_below(n: int, k: int, p: float, confidence: float) -> bool:
    """Whether ``k`` of ``n`` is too few for a true share of ``p``, with this confidence."""
    return k < n * p and lower_tail(n, k, p) <= 1.0 - confidence + 1e-12


@lru_cache(maxsize=8_192)
def drawn_tail(among: int, marked: int, drawn: int, found: int) -> float:
    """P(at least ``found`` marked) when ``drawn`` are drawn from ``among``, of which ``marked`` are: hypergeometric.

    Fisher's exact test (Statistical Methods for Research Workers, 1934, section 21.02), on one side.
    """
    if found <= max(0, marked + drawn - among):
        return 1.0
    last = min(marked, drawn)
    if found > last:
        return 0.0
    rest = among - marked

    def log_mass(k: int) -> float:
        return _log_choose(marked, k) + _log_choose(rest, drawn - k) - _log_choose(among, drawn)

    if found * among <= marked * drawn:  # this tail is not small: precision is no matter
        return min(1.0, sum(math.exp(log_mass(k)) for k in range(found, last + 1)))
    term = total = math.exp(log_mass(found))
    for k in range(found, last):
        term *= (marked - k) * (drawn - k) / ((k + 1) * (rest - drawn + k + 1))
        total += term
        if term <= total * 1e-15:
            break
    return min(total, 1.0)


def poisson_upper(count: int, mean: float) -> float:
    """P(Poisson(mean) >= count)."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    return 1.0 - _poisson_sum(count - 1, mean) if count <= mean else _poisson_tail(count, mean)


def poisson_lower(count: int, mean: float) -> float:
    """P(Poisson(mean) <= count)."""
    return _poisson_sum(count, mean) if count < mean else 1.0 - poisson_upper(count + 1, mean)


def _poisson_tail(count: int, mean: float) -> float:
    term = total = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    i = count
    while term > total * 1e-15:
        i += 1
        term *= mean / i
        total += term
    return min(total, 1.0)


def _poisson_sum(count: int, mean: float) -> float:
    """The masses from ``count`` down, which fall because it is below the mean."""
    term = total = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) if count >= 0 else 0.0
    for i in range(count, 0, -1):
        term *= i / mean
        total += term
        if term <= total * 1e-15:
            break
    return min(total, 1.0)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_mass(n: int, k: int, p: float) -> float:
    return _log_choose(n, k) + k * math.log(p) + (n - k) * math.log1p(-p)


def _sum_up(n: int, k: int, p: float) -> float:
    """The masses from ``k`` on, which fall because ``k`` is beyond the mean."""
    term = total = math.exp(_log_mass(n, k, p))
    odds = p / (1.0 - p)
    for i in range(k, n):
        term *= (n - i) / (i + 1) * odds
        total += term
        if term <= total * 1e-15:
            break
    return min(total, 1.0)


def _sum_down(n: int, k: int, p: float) -> float:
    """The masses from ``k`` down, which fall because ``k`` is below the mean."""
    term = total = math.exp(_log_mass(n, k, p))
    odds = (1.0 - p) / p
    for i in range(k, 0, -1):
        term *= i / (n - i + 1) * odds
        total += term
        if term <= total * 1e-15:
            break
    return min(total, 1.0)
