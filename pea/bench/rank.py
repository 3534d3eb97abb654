"""Whether one sample lies above another: the Mann-Whitney rank test, and Holm's correction for many such questions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np

FEWEST = 4  # values on each side: fewer can hardly say anything

Key = TypeVar("Key")


def p_greater(new: Sequence[float], old: Sequence[float]) -> float:
    """The probability, if both came from one source, of ``new`` lying as far above ``old`` as it does, or farther.

    Mann and Whitney (1947), by the normal approximation with corrections for ties and continuity; 1.0 when a side has
    fewer than four values.
    """
    n, m = len(new), len(old)
    if min(n, m) < FEWEST:
        return 1.0
    _, place, ties = np.unique(np.array([*new, *old], np.float64), return_inverse=True, return_counts=True)
    rank_of = np.cumsum(ties) - (ties - 1) / 2
    u = float(rank_of[place[:n]].sum()) - n * (n + 1) / 2
    total = n + m
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - tied)
    if variance <= 0:
        return 1.0
    return 1.0 - NormalDist().cdf((u - n * m / 2 - 0.5) / math.sqrt(variance))


def holm(p: Mapping[Key, float], alpha: float) -> set[Key]:
    """Which of many hypotheses to give up so that the chance of giving up any true one is at most ``alpha``.

    Holm (1979): the smallest p is held against alpha / k, the next against alpha / (k - 1), until one is too large.
    """
    given_up: set[Key] = set()
    for place, (key, value) in enumerate(sorted(p.items(), key=lambda one: one[1])):
        if value > alpha / (len(p) - place):
            break
        given_up.add(key)
    return given_up
