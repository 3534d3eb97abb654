"""How good the learned baselines are: on labelled sets, on normal series, per point and in bytes.

The labelled sets are looked for in the folder of data sets: ``nab`` (a copy of the Numenta benchmark's
data folder with combined_windows.json in it) and ``cloud-monitoring``. Beside the score with the parameters that ship
stands the honest one, of parameters chosen on other files than those they are scored on.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pea.bench.baseline_chosen import cross_validated, scored
from pea.bench.baseline_normal import KINDS
from pea.bench.baseline_score import (
    PROFILES,
    STANDARD,
    Series,
    Steps,
    best,
    count_windows,
    scaled,
    totals,
)
from pea.bench.baseline_sets import CLOUD, read_cloud, read_nab
from pea.bench.data import data_folder
from pea.bench.figure import Figure
from pea.errors import ConfigError
from pea.watch.baseline import DAY_S, Settings
from pea.watch.baseline_many import Baselines
from pea.watch.baseline_one import Baseline

MANY = 10_000
WARM = 100  # series that are learned in full for the cost; the others are copies
WARM_TICKS = 1_500
ASKED = 1 / 30  # false alarms a day and series
NORMAL_DAYS = 60
NORMAL_STEP_S = 3_600.0
NORMAL_SERIES = 840  # of each kind: 10,080 in all

_BUDGETS = {"standard": 75.0, "low FP": 67.0, "low FN": 80.0}
_CLOUD_BUDGET = 55.0


def baseline(data: Path | None = None, *, normal: int = NORMAL_SERIES) -> list[Figure]:
    """Every figure about learned baselines; without labelled sets, those that need none.

    ``normal`` is how many normal series there are of each kind.
    """
    folder = data or data_folder()
    labelled_figures = labelled(folder) if folder.is_dir() else []
    return [*labelled_figures, *calibration(normal), *cost()]


def labelled(folder: Path) -> list[Figure]:
    """Scores by the Numenta benchmark's rule, in percent of a perfect detector's."""
    nab, cloud = read_nab(folder / "nab"), read_cloud(folder / "cloud-monitoring" / CLOUD)
    if not nab:
        raise ConfigError("no series are labelled", where=str(folder / "nab"))
    parts = scored(nab, Settings())
    found = []
    for profile in PROFILES:
        at, score = best(parts, profile)
        note = f"one set of parameters, threshold {at:.3g}; {len(nab)} series, {count_windows(parts)} windows"
        found.append(Figure(f"NAB, {profile.name}", score, "%", len(nab), _BUDGETS[profile.name], note, at_least=True))
    at, _ = best(parts, STANDARD)
    for group in sorted({one.group for one in nab}):
        of = [part for part, one in zip(parts, nab, strict=True) if one.group == group]
        if count_windows(of):
            found.append(Figure(f"  {group}", _at(of, at), "%", len(of)))
    found += cross_validated(folder / "nab")
    others = scored(cloud, Settings())
    note = f"the same parameters and threshold; {len(cloud)} series, {count_windows(others)} windows"
    found.append(
        Figure("cloud monitoring, standard", _at(others, at), "%", len(cloud), _CLOUD_BUDGET, note, at_least=True)
    )
    own, score = best(others, STANDARD)
    found.append(Figure("  with a threshold of its own", score, "%", len(cloud), note=f"threshold {own:.3g}"))
    taken, floor = _alone(nab)
    points = sum(len(one.values) for one in nab)
    found += [
        Figure("a point of NAB, alone", taken, "µs", points, 10.0, f"{taken / floor:.0f} × the floor"),
        Figure("  the floor: a moving mean and deviation alone", floor, "µs", points),
    ]
    return found


def _alone(series: Sequence[Series]) -> tuple[float, float]:
    """Microseconds for a value: of a baseline, and of the least that any detector does."""
    rows = [list(zip(one.at.tolist(), one.values.tolist(), strict=True)) for one in series]
    began = time.process_time()
    for row in rows:
        learn = Baseline().update
        for at, value in row:
            learn(at, value)
    taken = time.process_time() - began
    began = time.process_time()
    for row in rows:
        mean, deviation, worst = row[0][1], 1.0, 0.0
        for _, value in row:
            off = abs(value - mean)
            worst = max(worst, off / deviation) if deviation else worst
            mean += 0.01 * (value - mean)
            deviation += 0.01 * (off - deviation)
    count = sum(map(len, rows)) / 1e6
    return taken / count, (time.process_time() - began) / count


def calibration(series: int = NORMAL_SERIES, days: int = NORMAL_DAYS, asked: float = ASKED) -> list[Figure]:
    """False alarms on normal series of twelve kinds over the time after learning, as a multiple of those asked for."""
    rng = np.random.default_rng(1)
    day = int(DAY_S / NORMAL_STEP_S)
    alarms = np.zeros(len(KINDS))
    for kind, make in enumerate(KINDS):
        learned = Baselines(series, Settings(false_alarms=asked))
        for place, values in enumerate(make(rng, series, days * day, day)):
            alarms[kind] += len(learned.update(place * NORMAL_STEP_S, values).alarms)
    rates = alarms / series / (days - 1) / asked
    total = float(rates.mean())
    count = series * len(KINDS)
    by_kind = [
        Figure(f"  {make.__name__}", rate, "×", series) for make, rate in zip(KINDS, rates.tolist(), strict=True)
    ]
    return [
        Figure("false alarms on normal series, of those asked for", total, "×", count, 2.0),
        Figure("  and at least", total, "×", count, 0.5, at_least=True),
        *by_kind,
    ]


def cost() -> list[Figure]:
    """Time and memory of many series together."""
    rng = np.random.default_rng(1)
    warm = Baselines(WARM)
    for tick in range(WARM_TICKS):
        warm.update(300.0 * tick, rng.normal(100, 5, WARM))
    learned = Baselines(MANY)
    for row in range(MANY):
        learned.put(row, warm.take(row % WARM))
    ticks = 20
    spent = []
    for tick in range(WARM_TICKS, WARM_TICKS + ticks):
        values = rng.normal(100, 5, MANY)
        began = time.process_time()
        learned.update(300.0 * tick, values)
        spent.append(time.process_time() - began)
    per_point = statistics.median(spent) / MANY * 1e6
    floor = _floor_together(rng, ticks)
    began = time.process_time()
    state = learned.save()
    Baselines(MANY).restore(state)
    restart = time.process_time() - began
    return [
        Figure(
            "a point of one among 10,000 series",
            per_point,
            "µs",
            ticks * MANY,
            1.0,
            f"{per_point / floor:.0f} × the floor",
        ),
        Figure("  the floor: a moving mean and deviation alone", floor, "µs", ticks * MANY),
        Figure("a tick of 10,000 series", per_point * MANY / 1e3, "ms", ticks),
        Figure("state of a series", learned.bytes_per_series, "bytes", MANY, 2_048.0),
        Figure("state of 10,000 series saved and restored", restart * 1e3, "ms"),
    ]


def _floor_together(rng: np.random.Generator, ticks: int) -> float:
    """The least that any detector does: the distance to a moving mean in moving deviations, for many together."""
    mean, deviation, spent = np.full(MANY, 100.0), np.full(MANY, 5.0), []
    for _ in range(ticks):
        values = rng.normal(100, 5, MANY)
        began = time.process_time()
        off = values - mean
        np.abs(off / deviation).max()
        mean += 0.01 * off
        deviation += 0.01 * (np.abs(off) - deviation)
        spent.append(time.process_time() - began)
    return statistics.median(spent) / MANY * 1e6


def _at(parts: Sequence[Steps], threshold: float) -> float:
    raw = totals(parts, STANDARD, np.array([threshold]))
    return float(scaled(raw, count_windows(parts), STANDARD)[0])
