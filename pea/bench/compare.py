"""What became slower since an earlier run: a rank test of each line's rounds, beyond what two launches differ anyway.

Rounds of one process resemble each other more than those of two: memory lies elsewhere, hashes are others. A suite is
therefore measured in several processes, and the new rounds are held against the old ones times ``1 + margin``, where
the margin is three standard errors of the difference of two runs, reckoned from how launches of one tree differ in
these two runs (`FLOOR` at least).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec

from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line
from pea.bench.rank import holm, p_greater
from pea.bench.result import Entry, Result, keyed

ALPHA = 0.01
FLOOR = 0.05  # what a machine in use changes from one run to the next
ERRORS = 3.0

Name = tuple[str, str, str]  # suite, what, peer


class Change(msgspec.Struct, frozen=True):
    """How a line differs: ``shift`` is new / old - 1 of the medians, worse when positive; ``p`` of the rank test."""

    suite: str
    what: str
    peer: str
    shift: float
    margin: float
    p: float


class Comparison(msgspec.Struct, frozen=True):
    """Two runs beside each other; ``lost`` and ``gained`` are lines that only one of them has."""

    compared: int
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    lost: tuple[Name, ...]
    gained: tuple[Name, ...]
    elsewhere: bool  # the machine, the system or the Python is another one


def compare(new: Result, old: Result, alpha: float = ALPHA) -> Comparison:
    """Hold each line of ``new`` that has samples against the same line of ``old``, corrected for their number."""
    ours, theirs = _sampled(new), _sampled(old)
    both = [name for name in ours if name in theirs]
    noise = _noise(ours[name] for name in both) + _noise(theirs[name] for name in both)
    usual = statistics.median(noise) if noise else 0.0
    slower: dict[Name, float] = {}
    faster: dict[Name, float] = {}
    seen: dict[Name, Change] = {}
    for name in both:
        own, other = ours[name], theirs[name]
        margin = max(FLOOR, ERRORS * _error(own, other, usual))
        now, before = _flat(own), _flat(other)
        slower[name] = p_greater(now, [value * (1 + margin) for value in before])
        faster[name] = p_greater(before, [value * (1 + margin) for value in now])
        shift = statistics.median(now) / statistics.median(before) - 1
        seen[name] = Change(*name, shift=shift, margin=margin, p=min(slower[name], faster[name]))
    places = [(run.environment.machine, run.environment.cpus, run.environment.python) for run in (new, old)]
    known_new, known_old = _names(new), _names(old)
    return Comparison(
        compared=len(both),
        worse=_worst([seen[name] for name in holm(slower, alpha)]),
        better=_worst([seen[name] for name in holm(faster, alpha)]),
        lost=tuple(name for name in known_old if name not in known_new and name[0] in new.suites),
        gained=tuple(name for name in known_new if name not in known_old and name[0] in old.suites),
        elsewhere=places[0] != places[1],
    )


def _sampled(run: Result) -> dict[Name, tuple[tuple[float, ...], ...]]:
    """The samples of all lines, so that more is worse."""
    found: dict[Name, tuple[tuple[float, ...], ...]] = {}
    for suite, measured in run.suites.items():
        for key, entry in keyed(measured.entries):
            samples = _samples(entry)
            if samples and all(value > 0 for sample in samples for value in sample):
                found[suite, *key] = samples
    return found


def _samples(entry: Entry) -> tuple[tuple[float, ...], ...]:
    if isinstance(entry, Absent):
        return ()
    if isinstance(entry, Figure) and entry.at_least:
        return tuple(tuple(1 / value if value else 0.0 for value in sample) for sample in entry.samples)
    return entry.samples


def _names(run: Result) -> list[Name]:
    return [
        (suite, *key)
        for suite, measured in run.suites.items()
        for key, entry in keyed(measured.entries)
        if isinstance(entry, Line) or (isinstance(entry, Figure) and entry.samples)
    ]


def _noise(of: Iterable[Sequence[Sequence[float]]]) -> list[float]:
    """The standard deviation of each line's launches, as a part of the value; nothing of lines launched once."""
    medians = [[math.log(statistics.median(sample)) for sample in samples if sample] for samples in of]
    return [statistics.stdev(one) for one in medians if len(one) > 1]


def _error(own: Sequence[Sequence[float]], other: Sequence[Sequence[float]], usual: float) -> float:
    """The standard error of the difference of two runs' values, as a part of them."""
    seen = _noise([own, other])
    apart = max(usual, math.sqrt(statistics.fmean(one * one for one in seen))) if seen else usual
    return apart * math.sqrt(1 / len(own) + 1 / len(other))


def _flat(samples: Sequence[Sequence[float]]) -> list[float]:
    return [value for sample in samples for value in sample]


def _worst(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: -abs(change.shift)))
