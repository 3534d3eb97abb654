"""The honest score of learned baselines: parameters are chosen on some files, and scored on others.

Every set of parameters is run over every file once; what is then drawn, and chosen, are rows and columns of that table.
The sets are drawn blindly from half to twice of round figures, and every constant that was fitted is drawn: only the
method itself, and the middles, were settled with all files in sight.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pea.bench.baseline_score import STANDARD, Floats, Series, Steps, scaled, steps, totals
from pea.bench.baseline_sets import read_nab
from pea.bench.figure import Figure
from pea.watch.baseline import DAY_S, Settings, Tuning
from pea.watch.baseline_one import Baseline

CANDIDATES = 32
SPLITS = 10

_BUDGET = 70.0
_MIDDLES = {
    "short_s": 3_600.0,
    "long_s": 10_000.0,
    "spread_s": 20_000.0,
    "novelty": 0.015,
    "season": 0.03,
    "spread": 0.3,
    "refractory_s": 28_800.0,
    "escalation": 5.0,
    "range_s": 8 * DAY_S,
    "stretch": 0.35,
    "ramp": 50.0,
    "lasting": 1.0,
    "lasting_s": 7_200.0,
    "lasting_most": 3.0,
    "habit": 1.5,
    "habit_s": 2 * DAY_S,
    "counts_s": 90 * DAY_S,
    "lag": 0.1,
    "enough": 0.3,
    "enough_share": 0.00015,
    "smoothing": 2.0,
    "season_gain": 0.2,
    "caution": 0.5,
    "caution_prior": 10.0,
    "caution_least": -0.15,
}


def scored(series: Sequence[Series], settings: Settings) -> list[Steps]:
    """The detector over each series, in one pass, and what its scores earn."""
    found = []
    for one in series:
        learn = Baseline(settings).update
        scores = [learn(at, value).score for at, value in zip(one.at.tolist(), one.values.tolist(), strict=True)]
        found.append(steps(one, np.array(scores)))
    return found


def cross_validated(folder: Path) -> list[Figure]:
    """The score of parameters that are chosen on one half of each group of ``folder``'s series, on the other half.

    All at the threshold in use, 1: how long an incident is one, and how cautious a series has become, are those of that
    threshold, and a choice that is not made cannot be fitted.
    """
    rng = np.random.default_rng(1)
    drawn = candidates(rng)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        table = np.array(list(pool.map(partial(_earned, folder), drawn)))
    series = read_nab(folder)
    windows = sum(len(one.counted) for one in series)
    chosen = chosen_elsewhere(table, np.array([one.group for one in series]), windows, rng)
    joint = float(scaled(table.sum(axis=1), windows, STANDARD).max())
    grid = f"{CANDIDATES} sets of parameters drawn from half to twice of round figures"
    return [
        Figure(
            "NAB, standard, parameters chosen on the other half",
            statistics.mean(chosen),
            "%",
            SPLITS,
            _BUDGET,
            f"±{statistics.stdev(chosen):.2g} over {SPLITS} splits by group, both ways, of {grid}",
            at_least=True,
        ),
        Figure("  chosen of the same sets on all files", joint, "%", CANDIDATES),
    ]


def candidates(rng: np.random.Generator, count: int = CANDIDATES) -> list[Tuning]:
    """Parameters drawn from half to twice of round figures."""
    found = []
    for _ in range(count):
        drawn = {name: middle * float(np.exp2(rng.uniform(-1, 1))) for name, middle in _MIDDLES.items()}
        weights = (1.0, float(np.exp2(rng.uniform(0, 1.5))), float(np.exp2(rng.uniform(0, 1.5))))
        found.append(msgspec.structs.replace(Tuning(), weights=weights, **drawn))
    return found


def chosen_elsewhere(table: Floats, groups: NDArray[np.str_], windows: int, rng: np.random.Generator) -> list[float]:
    """For each split the score of all series, each by what was best on the half that it is not in.

    ``table`` has what each set of parameters (row) earns by each series.
    """
    found = []
    for _ in range(SPLITS):
        first = _half(rng, groups)
        raw = sum(_best_of(table, half) for half in (first, ~first))
        found.append(float(scaled(np.array([raw]), windows, STANDARD)[0]))
    return found


def _earned(folder: Path, tuning: Tuning) -> list[float]:
    """What a set of parameters earns by each series; run in a process of its own."""
    parts = scored(_read(folder), Settings(tuning=tuning))
    return [float(totals([part], STANDARD, np.ones(1))[0]) for part in parts]


@cache
def _read(folder: Path) -> list[Series]:
    return read_nab(folder)


def _half(rng: np.random.Generator, groups: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Half of each group's series, at random; of an odd number the odd one falls to either side."""
    found = np.zeros(len(groups), np.bool_)
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        found[members[: (len(members) + rng.integers(2)) // 2]] = True
    return found


def _best_of(table: Floats, half: NDArray[np.bool_]) -> float:
    """What the candidate that is best on one half scores on the other."""
    return float(table[np.argmax(table[:, half].sum(axis=1)), ~half].sum())
