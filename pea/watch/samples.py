"""Gauges and counters as rules see them: series of the store, found by metric, put together by label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pea.watch.signals import Signal, Unit

STEP_S = 10
FRESH_S = 60  # an older sample says nothing of the present

Values = npt.NDArray[np.float64]
_LABEL = re.compile(r"(?:^|,)([^=,{}]+)=")


class Samples(Protocol):
    """Where samples are read: `pea.store.SeriesStore`."""

    def names(self, prefix: str = "") -> list[str]:
        """Names of series, as ``metric{key=value,…}``."""

    def read(
        self, name: str, start_s: float, end_s: float, step_s: int = STEP_S, how: str = "mean"
    ) -> tuple[Values, Values]:
        """Times and values of a series, NaN where there is no sample."""


def labels_in(name: str) -> dict[str, str]:
    """The labels in a series' name."""
    _, _, inner = name.removesuffix("}").partition("{")
    marks = list(_LABEL.finditer(inner))
    ends = [*(mark.start() for mark in marks[1:]), len(inner)]
    return {mark[1]: inner[mark.end() : end] for mark, end in zip(marks, ends, strict=False)}


def groups(samples: Samples, watched: Signal, by: tuple[str, ...]) -> Mapping[tuple[str, ...], list[str]]:
    """The names of a signal's series by the values of these labels."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in samples.names(watched.metric):
        if name != watched.metric and not name.startswith(f"{watched.metric}{{"):
            continue
        labels = labels_in(name)
        if all(labels.get(key) == value for key, value in watched.fixed.items()):
            found.setdefault(tuple(labels.get(watched.labels.get(word, word), "") for word in by), []).append(name)
    return found


def latest(samples: Samples, names: list[str], now_s: float, watched: Signal) -> float:
    """The newest fresh values put together: bytes add up, of all else the greatest counts; NaN when there is none."""
    found = [one for name in names if not np.isnan(one := _last(samples, name, now_s))]
    if not found:
        return float("nan")
    return sum(found) if watched.unit is Unit.BYTES else max(found)


def increase(samples: Samples, names: list[str], now_s: float, window_s: float) -> float:
    """How much counters have grown within the window; a counter that falls has begun anew."""
    total, seen = 0.0, False
    for name in names:
        _, values = samples.read(name, now_s - window_s, now_s, how="last")
        values = values[~np.isnan(values)]
        if len(values) > 1:
            steps = np.diff(values)
            total += float(np.where(steps < 0, values[1:], steps).sum())
            seen = True
    return total if seen else float("nan")


def history(samples: Samples, names: list[str], start_s: float, end_s: float) -> Values:
    """The sum of series, one value for every ten seconds; NaN where none of them has a sample."""
    rows = [samples.read(name, start_s, end_s)[1] for name in names]
    size = max((len(row) for row in rows), default=0)
    whole = np.full((len(rows), size), np.nan)
    for place, row in enumerate(rows):
        whole[place, size - len(row) :] = row
    if not size:
        return np.zeros(0)
    missing = np.isnan(whole).all(axis=0)
    summed: Values = np.where(missing, np.nan, np.nansum(whole, axis=0))
    return summed


def silent_s(samples: Samples, names: list[str], now_s: float, reach_s: float) -> float:
    """How long no series has had a sample, at most ``reach_s``; NaN when there was none in that time."""
    newest = -np.inf
    for name in names:
        times, values = samples.read(name, now_s - reach_s, now_s, how="last")
        held = times[~np.isnan(values)]
        if len(held):
            newest = max(newest, float(held[-1]))
    return float("nan") if np.isinf(newest) else max(now_s - newest - STEP_S, 0.0)


def _last(samples: Samples, name: str, now_s: float) -> float:
    _, values = samples.read(name, now_s - FRESH_S, now_s, how="last")
    held = values[~np.isnan(values)]
    return float(held[-1]) if len(held) else float("nan")
