"""Measures things against named peers in one run: in turns, with median, spread and count, as ratios."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

ROUNDS = 41
SLICE_S = 0.008
FEWEST_ROUNDS = 5

_pace: ContextVar[float] = ContextVar("pace", default=1.0)


class Contender(msgspec.Struct, frozen=True):
    """``run(n)`` does the thing n times and is timed; ``after()`` tidies up and is not."""

    run: Callable[[int], object]
    after: Callable[[], object] | None = None


class Sample(msgspec.Struct, frozen=True):
    """One contender's nanoseconds per operation, a figure for each round, and how often it ran in all."""

    per_round: tuple[float, ...]
    count: int

    @property
    def median(self) -> float:
        """The middle of the rounds, in nanoseconds."""
        return statistics.median(self.per_round)


class Line(msgspec.Struct, frozen=True, tag_field="kind", tag="line"):
    """One measured figure beside its peer; times in nanoseconds per operation.

    ``ratio`` is the median of the rounds' ratios and ``spread`` the range of their middle half, as a part of the ratio.
    ``budget`` is the highest ratio allowed; without one ``passed`` is None. ``samples`` are the rounds' ratios by
    launch of the suite.
    """

    what: str
    figure_ns: float
    peer: str
    peer_ns: float
    ratio: float
    spread: float
    count: int
    budget: float | None = None
    passed: bool | None = None
    note: str = ""
    samples: tuple[tuple[float, ...], ...] = ()


class Absent(msgspec.Struct, frozen=True, tag_field="kind", tag="absent"):
    """A peer that could not be measured beside, and why."""

    what: str
    peer: str
    why: str
    passed: None = None


@contextmanager
def pace(rounds: float) -> Iterator[None]:
    """Within the block `interleaved` goes through so many times as many rounds as it is told to."""
    token = _pace.set(rounds)
    try:
        yield
    finally:
        _pace.reset(token)


def interleaved(
    contenders: Mapping[str, Contender],
    *,
    rounds: int = ROUNDS,
    slice_s: float = SLICE_S,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Sample]:
    """Run the contenders in turns, so that whatever else the machine does falls on all of them alike.

    Each gets about ``slice_s`` seconds a round. ``clock`` gives nanoseconds: `time.process_time_ns` for CPU time.
    """
    rounds = max(round(rounds * _pace.get()), min(rounds, FEWEST_ROUNDS))
    sizes = {name: _calibrated(contender, slice_s) for name, contender in contenders.items()}
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            figures[name].append(_timed(contender, sizes[name], clock) / sizes[name])
    return {name: Sample(tuple(figures[name]), rounds * sizes[name]) for name in contenders}


def line(
    what: str,
    samples: Mapping[str, Sample],
    figure: str,
    peer: str,
    *,
    budget: float | None = None,
    note: str = "",
) -> Line:
    """``figure`` beside ``peer``, both from one run of `interleaved`."""
    own, other = samples[figure], samples[peer]
    ratios = [a / b for a, b in zip(own.per_round, other.per_round, strict=True)]
    ratio = statistics.median(ratios)
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratio] * 3
    return Line(
        what=what,
        figure_ns=own.median,
        peer=peer,
        peer_ns=other.median,
        ratio=ratio,
        spread=(quarters[2] - quarters[0]) / ratio,
        count=own.count,
        budget=budget,
        passed=None if budget is None else ratio <= budget,
        note=note,
        samples=(tuple(ratios),),
    )


def quantile(values: Iterable[float], q: float) -> float:
    """The least value that the share ``q`` of them does not exceed (nearest rank); ValueError without values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no quantile of nothing")
    return ordered[max(math.ceil(q * len(ordered)) - 1, 0)]


def _timed(contender: Contender, size: int, clock: Callable[[], int]) -> int:
    start = clock()
    contender.run(size)
    took = clock() - start
    if contender.after is not None:
        contender.after()
    return took


def _calibrated(contender: Contender, slice_s: float) -> int:
    """How many operations fill a slice; found by doubling, which warms the contender up as well."""
    size = 1
    while True:
        took = min(_timed(contender, size, time.perf_counter_ns) for _ in range(3))  # the least disturbed
        if took * 2 > slice_s * 1e9:
            return max(1, round(size * slice_s * 1e9 / took))
        size *= 2
