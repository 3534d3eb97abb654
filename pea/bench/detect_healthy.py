"""How often a latency rule is wrong of a stream that is well but near its bound, and how soon a doubling is found.

Weeks of calls, slice by slice, are drawn at once; the rule's own test judges each moment at which its plainest
necessary condition holds, so nothing is left out and a week takes seconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pea.bench.figure import Figure
from pea.watch.bounds import surely_above
from pea.watch.rule import Rule
from pea.watch.tally import LIKELY, Tally, sure_since
from pea.watch.window import SLICE_S, SLICES

RATES = (10.0, 60.0)  # calls a minute
NEAR = 0.8  # of the threshold: where a healthy stream's quantile is
DOUBLED = 2 * NEAR
SPREADS = (0.5, 1.0)  # of the logarithm of times
WEEKS = 100
DOUBLINGS = 100
FOUND_S = 300.0
ALARMS = 0.15  # a stream and week
_WEEK = 7 * 86_400 // SLICE_S

Counts = npt.NDArray[np.int64]


def healthy(rule: Rule, q: float = 0.95, weeks: int = WEEKS, doublings: int = DOUBLINGS) -> list[Figure]:
    """False alarms a week for each rate and spread of times; then, at the lower rate, how soon a doubling is found."""
    figures = []
    for rate in RATES:
        for spread in SPREADS:
            random = np.random.default_rng(round(10 * spread))
            shares = np.full(_WEEK, beyond(NEAR, spread, q))
            found = sum(episodes(rule, q, *drawn(random, rate, shares)) for _ in range(weeks))
            what = f"p95 at {NEAR:g} x its bound, {rate:g} calls a minute, spread {spread:g}: false alarms a week"
            figures.append(Figure(what, found / weeks, "alerts", weeks, ALARMS))
    random, spread, warm = np.random.default_rng(3), SPREADS[0], SLICES
    shares = np.repeat([beyond(NEAR, spread, q), beyond(DOUBLED, spread, q)], [warm, SLICES])
    times = [_found_after(rule, q, *drawn(random, RATES[0], shares), warm) for _ in range(doublings)]
    what = f"a p95 that doubles to {DOUBLED:g} x its bound, {RATES[0]:g} calls a minute: found at the median"
    return [*figures, Figure(what, statistics.median(times), "s", doublings, FOUND_S)]


def beyond(times: float, spread: float, q: float) -> float:
    """The share of log-normal values above a bound when their q-quantile is so many times the bound."""
    normal = NormalDist()
    return 1.0 - normal.cdf(normal.inv_cdf(q) - math.log(times) / spread)


def drawn(random: np.random.Generator, rate: float, shares: npt.NDArray[np.float64]) -> tuple[Counts, Counts]:
    """Calls of each slice at ``rate`` a minute, and those above the bound."""
    counts = random.poisson(rate / 60 * SLICE_S, len(shares))
    return counts, random.binomial(counts, shares)


def episodes(rule: Rule, q: float, counts: Counts, held: Counts) -> int:
    """How often the rule goes wrong anew: moments less than a window apart are one alert."""
    last, found = -math.inf, 0
    for moment in wrong(rule, q, counts, held):
        found += moment - last > rule.window / SLICE_S
        last = moment
    return found


def _found_after(rule: Rule, q: float, counts: Counts, held: Counts, begin: int) -> float:
    """Seconds from slice ``begin`` until it is found; as long as was looked when it is not."""
    first = next((moment for moment in wrong(rule, q, counts, held) if moment > begin), len(counts))
    return float((first - begin) * SLICE_S)


def wrong(rule: Rule, q: float, counts: Counts, held: Counts) -> Iterator[int]:
    """The numbers of slices after which the rule's test is sure."""
    size = int(rule.window) // SLICE_S
    allowed = _allowed(int(counts.sum()) and _most(counts, size), 1.0 - q)
    ends = np.arange(size, len(counts) + 1)
    all_counts, all_held = (np.concatenate([[0], np.cumsum(one)]) for one in (counts, held))
    maybe = np.zeros(len(ends), bool)
    for length in range(1, size + 1):
        recent = all_counts[ends] - all_counts[ends - length]
        maybe |= all_held[ends] - all_held[ends - length] > allowed[recent]
    for end in ends[maybe].tolist():
        past = Tally(counts[end - size : end].tolist(), held[end - size : end].tolist(), float(end * SLICE_S))
        if past.whole[0] < rule.min_samples:
            continue
        first = max(end - SLICES, 0)
        before = partial(_sums, (counts, held), first, end - size)
        if sure_since(past, 1.0 - q, rule.confidence, before) is not None:
            yield end


def _sums(columns: Sequence[Counts], first: int, last: int) -> tuple[int, int]:
    count, bad = (int(one[first:last].sum()) for one in columns)
    return count, bad


def _most(counts: Counts, size: int) -> int:
    """The most calls of any window."""
    return int(np.convolve(counts, np.ones(size, np.int64)).max())


def _allowed(most: int, share: float) -> Counts:
    """For each number of calls, how many bad ones are no news: without more, no test of the rule is sure."""
    found, bad = np.zeros(most + 1, np.int64), 0
    for count in range(most + 1):
        while not surely_above(count, bad + 1, share, LIKELY) and bad < count:
            bad += 1
        found[count] = bad
    return found
