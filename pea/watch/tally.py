"""A window slice by slice: since when it is sure that too much of it is bad, and when that most likely began.

What has just begun shows in the last slices long before it shows in the whole window, so both are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec

from pea.watch.bounds import surely_above
from pea.watch.window import SLICE_S, Slice, Window

PLAIN = 0.5  # the confidence that asks for no bound


class Tally(msgspec.Struct, frozen=True):
    """Values and those that count against, by slice, and the moments that bound the window."""

    counts: list[int]
    held: list[int]
    now_s: float

    @property
    def whole(self) -> tuple[int, int]:
        """Both, of the whole window."""
        return sum(self.counts), sum(self.held)

    def since(self, start_s: float) -> tuple[int, int]:
        """Both, of the slices since then."""
        size = min(round((self.now_s - start_s) / SLICE_S), len(self.counts))
        return sum(self.counts[-size:]), sum(self.held[-size:])


def tally(windows: list[Window], start_s: float, now_s: float, counted: Callable[[Slice], int]) -> Tally:
    """What windows hold between two moments; ``counted`` says how much of a slice counts against."""
    last = int(now_s // SLICE_S)
    size = last - int(start_s // SLICE_S)
    counts, held = [0] * size, [0] * size
    for window in windows:
        for one in window.slices(start_s, now_s):
            place = one.slot - last - 1
            counts[place] += one.count
            held[place] += counted(one)
    return Tally(counts, held, now_s)


def sure_since(past: Tally, share: float, confidence: float) -> float | None:
    """Since when it is sure that too many are bad: over the longest of the window, its half, its quarter …; or None.

    What has just begun shows in the last slices long before it shows in the whole window. Each look may be wrong, so
    the error allowed is shared (Bonferroni): half for the whole window, half for the shorter ones together. A rule that
    asks for no more than even chances wants the plain figure of the window, and only that is looked at.
    """
    if not any(past.held):
        return None
    for length, error in looks(len(past.counts), confidence):
        if surely_above(sum(past.counts[-length:]), sum(past.held[-length:]), share, 1.0 - error):
            return past.now_s - length * SLICE_S
    return None


def looks(size: int, confidence: float) -> Iterator[tuple[int, float]]:
    """How many of the last slices to look at, and the chance of error allowed for each look."""
    allowed = 1.0 - confidence
    sizes = [size >> halved for halved in range(1, size.bit_length())] if confidence > PLAIN else []
    yield size, allowed / 2 if sizes else allowed
    for length in sizes:
        yield length, allowed / 2 / len(sizes)


def onset(past: Tally, since_s: float | None, share: float, confidence: float) -> float | None:
    """When what is surely wrong since ``since_s`` most likely began: the beginning of the first slice that it touched.

    The change point of greatest likelihood (Page, Continuous Inspection Schemes, 1954): the start from which on the
    share that is bad there, rather than the share allowed, explains the slices best.
    """
    if since_s is None or confidence <= PLAIN:
        return None
    count, bad = past.since(since_s)
    seen = min(max(bad / max(count, 1), 2 * share), 0.999)
    if not 0 < share < seen:
        return since_s
    for_bad, for_good = math.log(seen / share), math.log((1 - seen) / (1 - share))
    best, score, began = 0.0, 0.0, 1
    for back, (held, found) in enumerate(zip(reversed(past.counts), reversed(past.held), strict=True), 1):
        score += found * for_bad + (held - found) * for_good
        if score > best:
            best, began = score, back
    return (int(past.now_s // SLICE_S) - began + 1) * float(SLICE_S)
