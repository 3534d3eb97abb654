"""What the guilty spans have in common: the types of their errors, and the attributes that mark them out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from pea.telemetry import names
from pea.watch.cause_columns import MAX_WORD
from pea.watch.cause_profile import Measured

MAX_EXAMINED = 2_000  # spans of a side
MAX_VALUES = 50  # of one attribute; what has more is an id
MAX_TOLD = 3
_LEAST_PART = 0.1  # of the guilty spans that an attribute must mark
_LEAST_LIFT = 1.5  # times as frequent among them as among the others
_DEVIATIONS = 3.5  # many values are compared at once

Rows = npt.NDArray[np.int64]


class ErrorType(msgspec.Struct, frozen=True):
    """A type of error that became more frequent: its share of the place's calls before and after."""

    name: str
    before: float
    after: float


class Attribute(msgspec.Struct, frozen=True):
    """An attribute's value that guilty spans carry more often than the others: shares among the two."""

    key: str
    value: str
    guilty: float
    others: float


def added_error_types(
    windows: Sequence[Measured], rows: Sequence[Rows], breach: Measured, here: Rows
) -> tuple[ErrorType, ...]:
    """Types of error that the place has more of than before, the one that grew most first."""
    now, then = _errors([breach], [here]), _errors(windows, rows)
    calls, calls_before = max(len(here), 1), max(sum(map(len, rows)), 1)
    grown = [
        ErrorType(name, round(then[name] / calls_before, 4), round(count / calls, 4))
        for name, count in now.items()
        if count / calls > then[name] / calls_before
    ]
    return tuple(sorted(grown, key=lambda one: (one.before - one.after, one.name))[:MAX_TOLD])


def telling_attributes(
    windows: Sequence[Measured], rows: Sequence[Rows], breach: Measured, here: Rows, *, by_error: bool
) -> tuple[Attribute, ...]:
    """Attribute values that are more frequent among guilty spans than among all others, before or after.

    Guilty are the spans of the breach that failed or, for latency, took longer by themselves than nine in ten did
    before (than half of them now, when there is no before).
    """
    if not breach.columns.attributes or not len(here):
        return ()
    guilty = (
        breach.columns.error[here] > 0 if by_error else breach.self_ns[here] > _usual_ns(windows, rows, breach, here)
    )
    if not guilty.any():
        return ()
    bad = [breach.columns.attributes[at] for at in here[guilty][:MAX_EXAMINED].tolist()]
    good = [breach.columns.attributes[at] for at in here[~guilty][:MAX_EXAMINED].tolist()]
    for window, there in zip(windows, rows, strict=True):
        if window.columns.attributes and len(good) < 2 * MAX_EXAMINED:
            good += [window.columns.attributes[at] for at in there[:MAX_EXAMINED].tolist()]
    return _lifted(bad, good)


def _usual_ns(windows: Sequence[Measured], rows: Sequence[Rows], breach: Measured, here: Rows) -> float:
    if not windows:
        return float(np.median(breach.self_ns[here]))
    past = np.concatenate([window.self_ns[at] for window, at in zip(windows, rows, strict=True)])
    return float(np.quantile(past, 0.9)) if len(past) else float(np.median(breach.self_ns[here]))


def _lifted(bad: Sequence[Mapping[str, Any]], good: Sequence[Mapping[str, Any]]) -> tuple[Attribute, ...]:
    marked, unmarked = _values(bad), _values(good)
    values = Counter(key for key, _ in {**marked, **unmarked})
    found: list[tuple[float, Attribute]] = []
    for (key, value), count in marked.items():
        among, others = count / len(bad), unmarked[key, value] / max(len(good), 1)
        if key == names.ERROR_TYPE or values[key] > MAX_VALUES or among < max(_LEAST_PART, _LEAST_LIFT * others):
            continue
        size = _deviations(count, len(bad), unmarked[key, value], len(good))
        if size > _DEVIATIONS:
            found.append((size, Attribute(key, value, round(among, 4), round(others, 4))))
    found.sort(key=lambda one: (-one[0], one[1].key, one[1].value))
    return tuple(attribute for _, attribute in found[:MAX_TOLD])


def _deviations(hits: int, among: int, other_hits: int, others: int) -> float:
    """Standard errors between two proportions, by the pooled two-proportion z statistic."""
    if not others:
        return 0.0
    pooled = (hits + other_hits) / (among + others)
    error = math.sqrt(pooled * (1 - pooled) * (1 / among + 1 / others))
    return (hits / among - other_hits / others) / error if error else 0.0


def _values(spans: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each attribute has each value; only words, booleans and whole numbers are compared."""
    return Counter(
        (key, str(value)[:MAX_WORD])
        for attributes in spans
        for key, value in attributes.items()
        if isinstance(value, str | bool | int)
    )


def _errors(windows: Sequence[Measured], rows: Sequence[Rows]) -> Counter[str]:
    total: Counter[str] = Counter()
    for window, at in zip(windows, rows, strict=True):
        for code, count in zip(*np.unique(window.columns.error[at], return_counts=True), strict=True):
            if code:
                total[window.columns.error_types[int(code)]] += int(count)
    return total
