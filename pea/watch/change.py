"""What a figure was before, as a bound: how high it may be now before it is sure that it has changed by a factor.

Nothing is learned or stored: the window of a rule is held against the quarter of an hour that windows remember. Before
is given the benefit of the doubt (the upper confidence bound of its quantile or share), so that a bound made of few
samples is a high one. What stands out in it, such as a cold start or an earlier fault, must not hide a new one: the
first calls of all are left out, and the bound is no higher than that of the middle one of several stretches. An alert
keeps the bound that it began with; what lasts an hour becomes what was before, and the
alert is over: a change is told once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from pea.watch.bounds import lower_tail
from pea.watch.buckets import Counts, merge, quantile
from pea.watch.rule import Change, Rule
from pea.watch.signals import Quantity, Signal
from pea.watch.window import SHORT_S, SLICE_S, Slice, Window

HELD_S = 3_600.0  # an alert keeps the bound that it began with for so long: then what has lasted is the usual
SURE = 0.99  # of what is said of before; of now the rule's own confidence
COLD_CALLS = 30  # of what has just begun: caches are empty, connections are not yet made
COLD_S = 60.0  # how long a series may be silent at first and not count as begun since
# The middle of three or five bounds, each wrong with this chance, is wrong with that of 1 - SURE: a binomial tail.
STRETCHES = ((5, 0.1056), (3, 0.0589))
STRETCH_CALLS = 20
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


def spans_before(rule: Rule, change: Change, watched: Signal, windows: list[Window], now_s: float) -> Before | None:
    """What was before the rule's window; where that says nothing because all is young, before its half or quarter."""
    for part in (1, 2, 4):
        last_s = now_s - max(rule.window / part, SLICE_S)
        held = settled(windows, last_s - change.over, last_s)
        count = sum(map(_calls, held))
        if count < rule.min_samples:
            continue
        if watched.quantity is Quantity.MARKED:
            found = share_before(held, change.factor, float(change.at_least))
        elif spare(count, 1.0 - watched.q) < 0:  # too few for an upper bound: nothing need be counted by size
            continue
        else:
            found = quantile_before(held, watched.q, change.factor, float(change.at_least))
        if found is not None:
            return found
    return None


def settled(windows: Sequence[Window], first_s: float, last_s: float) -> list[list[Slice]]:
    """The slices of some series between two moments, those of one time together, oldest first.

    The first `COLD_CALLS` calls are left out, by whole slices, when nothing is held from before that time.
    """
    at: dict[int, list[Slice]] = {}
    for window in windows:
        for one in window.slices(last_s - SHORT_S, last_s):
            at.setdefault(one.slot, []).append(one)
    slots = sorted(at)
    begun = bool(slots) and slots[0] * SLICE_S > first_s + COLD_S
    held = [at[slot] for slot in slots if slot > first_s // SLICE_S]
    cold = 0
    while begun and held and cold < COLD_CALLS:
        cold += _calls(held.pop(0))
    return held


def quantile_before(slices: Sequence[Sequence[Slice]], q: float, factor: float, at_least: float) -> Before | None:
    """From the `settled` time before; None when its quantile has no upper bound: too few samples."""
    whole = merge(one.fold() for held in slices for one in held)
    found = quantile_bound(whole, q, 1 - SURE)
    if found is None:
        return None
    values, highest = [quantile(whole, q)], [found]
    for count, error in STRETCHES:
        parts = [merge(one.fold() for one in part) for part in _stretches(slices, count)]
        bounds = [quantile_bound(part, q, error) for part in parts]
        known = sorted(bound for bound in bounds if bound is not None)
        if parts and len(known) == count:
            highest.append(known[count // 2])
            values.append(sorted(quantile(part, q) for part in parts)[count // 2])
            break
    bound = min(highest)
    return Before(min(values), int(whole.sum()), max(factor * bound, bound + at_least))


def quantile_bound(counts: Counts, q: float, error: float) -> float | None:
    """An upper bound of the q-quantile that is wrong with the chance ``error``; None when there are too few values.

    It is the order statistic of rank ``n - m`` when ``P(Bin(n, 1 - q) <= m) <= error`` (David and Nagaraja, Order
    Statistics, section 7.1).
    """
    count = int(counts.sum())
    above = spare(count, 1.0 - q, error)
    return None if above < 0 else quantile(counts, (count - above) / count)


def share_before(slices: Sequence[Sequence[Slice]], factor: float, at_least: float) -> Before | None:
    """From the `settled` time before, marked events of all; None without events."""
    count, bad = _shares(one for held in slices for one in held)
    if not count:
        return None
    values, highest = [bad / count], [share_bound(count, bad, 1 - SURE)]
    for stretches, error in STRETCHES:
        parts = [_shares(part) for part in _stretches(slices, stretches)]
        if parts:
            highest.append(sorted(share_bound(*part, error) for part in parts)[stretches // 2])
            values.append(sorted(marked / calls for calls, marked in parts)[stretches // 2])
            break
    bound = min(highest)
    return Before(min(values), count, min(max(factor * bound, bound + at_least), 1.0))


def share_bound(count: int, bad: int, error: float) -> float:
    """The upper bound of Clopper and Pearson (1934)."""
    low, high = bad / count, 1.0
    for _ in range(30):  # to a billionth
        middle = (low + high) / 2
        low, high = (low, middle) if lower_tail(count, bad, middle) < error else (middle, high)
    return high


def _stretches(slices: Sequence[Sequence[Slice]], count: int) -> list[list[Slice]]:
    """The time in stretches of about as many calls each; none when one would have fewer than `STRETCH_CALLS`."""
    whole = sum(map(_calls, slices))
    if whole < count * STRETCH_CALLS:
        return []
    found: list[list[Slice]] = [[] for _ in range(count)]
    passed = 0
    for held in slices:
        calls = _calls(held)
        found[min(count * (2 * passed + calls) // (2 * whole), count - 1)] += held
        passed += calls
    return found if all(_calls(part) >= STRETCH_CALLS for part in found) else []


def _calls(slices: Iterable[Slice]) -> int:
    return sum([one.folded + len(one.pending) for one in slices])  # a list is faster, and this is asked most


def _shares(slices: Iterable[Slice]) -> tuple[int, int]:
    held = list(slices)
    return _calls(held), sum(one.marked for one in held)


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


def spare(count: int, share: float, error: float = 1 - SURE) -> int:
    """The most of ``count`` that may lie above an upper bound of what a ``share`` lies above; -1: not even none."""
    if count <= 0 or lower_tail(count, 0, share) > error:
        return -1
    low, high = 0, max(math.ceil(count * share), 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if lower_tail(count, middle, share) <= error else (low, middle - 1)
    return low
