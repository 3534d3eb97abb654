"""A window slice by slice: since when it is sure that too much of it is bad, and when that most likely began.

What has just begun shows in the last slices long before it shows in the whole window, so both are looked at. Where the
quarter of an hour before was different, less is needed: that something changed is then what has to be sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import msgspec

from pea.watch.bounds import drawn_tail, surely_above
from pea.watch.window import SLICE_S, Slice, Window

PLAIN = 0.5  # the confidence that asks for no bound
LIKELY = 0.99  # of being past the bound, once it is sure that something changed
LASTING = 3  # slices with something bad in them: what only one or two have has passed


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
            counts[place] += one.folded + len(one.pending)
            held[place] += counted(one)
    return Tally(counts, held, now_s)


def sure_since(
    past: Tally, share: float, confidence: float, earlier: Callable[[], tuple[int, int]] = lambda: (0, 0)
) -> float | None:
    """Since when it is sure that too many are bad: over the longest of the window, its half, its quarter …; or None.

    What has just begun shows in the last slices long before it shows in the whole window. Each look may be wrong, so
    the error allowed is shared (Bonferroni): half for the whole window, a quarter for the shorter ones together, and
    what is left for the comparison with what was before (`_changed_since`); ``earlier`` counts what was before the
    window, and is asked only where that may matter. A rule that asks for no more than even chances wants the plain
    figure of the window, and only that is looked at.
    """
    if not any(past.held):
        return None
    for length, error in looks(len(past.counts), confidence):
        if surely_above(sum(past.counts[-length:]), sum(past.held[-length:]), share, 1.0 - error):
            return past.now_s - length * SLICE_S
    return None if confidence <= PLAIN else _changed_since(past, share, confidence, earlier)


def possible(past: Tally, share: float, confidence: float) -> bool:
    """Whether any number of the last slices likely has too many: without that, nothing is sure since any moment."""
    if not any(past.held):
        return False
    count = bad = 0
    for more, worse in zip(reversed(past.counts), reversed(past.held), strict=True):
        count, bad = count + more, bad + worse
        if worse and surely_above(count, bad, share, min(LIKELY, confidence)):
            return True
    return False


def _changed_since(
    past: Tally, share: float, confidence: float, earlier: Callable[[], tuple[int, int]]
) -> float | None:
    """Since when more is bad than before, surely, and likely too much.

    A share that has been far below its bound and now looks past it has changed; that takes fewer samples to be sure of
    than on which side of the bound it is (Fisher's exact test: were the share the same throughout, those that are bad
    would lie anywhere among all). It must have lasted: bad ones in `LASTING` slices.
    """
    steps = _ladder(len(past.counts))
    error = (1.0 - confidence) / 8 / max(len(steps), 1)
    before: tuple[int, int] | None = None
    for length in steps:
        recent = past.held[-length:]
        count, bad = sum(past.counts[-length:]), sum(recent)
        if sum(map(bool, recent)) < LASTING or not surely_above(count, bad, share, LIKELY):
            continue
        before = earlier() if before is None else before
        among = before[0] + past.whole[0]
        if drawn_tail(among, before[1] + past.whole[1], count, bad) <= error:
            return past.now_s - length * SLICE_S
    return None


def _ladder(size: int) -> list[int]:
    """Numbers of slices to compare with what was before them: the window, two thirds of it, half, and so on."""
    halves = [size >> halved for halved in range(size.bit_length())]
    found = {length for half in halves for length in (half, 2 * half // 3)}
    return sorted((length for length in found if length >= LASTING), reverse=True)


def looks(size: int, confidence: float) -> Iterator[tuple[int, float]]:
    """How many of the last slices to look at, and the chance of error allowed for each look."""
    allowed = 1.0 - confidence
    sizes = [size >> halved for halved in range(1, size.bit_length())] if confidence > PLAIN else []
    yield size, allowed / 2 if sizes else allowed
    for length in sizes:
        yield length, allowed / 4 / len(sizes)


def onset(past: Tally, since_s: float | None, share: float, confidence: float) -> float | None:
    """When what is surely wrong since ``since_s`` most likely began: the beginning of the first slice that it touched.

    The change point of greatest likelihood (Page, Continuous Inspection Schemes, 1954): the start from which on the
    share that is bad there, rather than the share allowed, explains the slices best.
    """
    if since_s is None or confidence <= PLAIN:
        return None
    count, bad = past.since(since_s)
    began = likeliest_run(past.counts, past.held, share, bad / max(count, 1))
    return (int(past.now_s // SLICE_S) - began + 1) * float(SLICE_S)


def likeliest_run(counts: Sequence[int], held: Sequence[int], share: float, seen: float) -> int:
    """Over how many of the last entries a share of ``seen``, rather than the ``share`` allowed, explains them best.

    ``seen`` is taken for no less than twice the share allowed. At least 1.
    """
    seen = min(max(seen, 2 * share, 1e-6), 0.999)
    share = min(max(share, 1e-6), seen / 2)
    for_bad, for_good = math.log(seen / share), math.log((1 - seen) / (1 - share))
    best, score, began = 0.0, 0.0, 1
    for back, (count, bad) in enumerate(zip(reversed(counts), reversed(held), strict=True), 1):
        score += bad * for_bad + (count - bad) * for_good
        if score > best:
            best, began = score, back
    return began
