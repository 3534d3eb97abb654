"""The memory-growth test on behaviours that are no leak, on a leak under a sawtooth, and on recorded processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pea.bench.data import data_folder
from pea.bench.figure import Figure
from pea.watch.growth import growth

RUNS = 200  # of each behaviour
DAY = np.arange(8_640)  # ten-second samples
SIZE = 180  # half an hour, the window of the rule that ships
SAMPLES = 10
RECORDED = "cloud-monitoring/rss_recordings.npz"
RECORDED_SIZE = 120

Values = npt.NDArray[np.float64]
Random = np.random.Generator


def _noise(random: Random) -> Values:
    """Autoregressive noise around 1,000."""
    shocks, found = random.normal(0, 3.0, len(DAY)), np.zeros(len(DAY))
    for place in range(1, len(DAY)):
        found[place] = 0.9 * found[place - 1] + shocks[place]
    return 1_000 + found


def _sawtooth(random: Random, shortest: int, longest: int) -> Values:
    period = int(random.integers(shortest, longest))
    made: Values = (DAY + int(random.integers(period))) % period / period * float(random.uniform(50, 300))
    return made


def _leak(random: Random) -> Values:
    """20 % within the last hour, under teeth of 15 %."""
    grown: Values = np.maximum(DAY - len(DAY) + 2 * SIZE, 0) / (2 * SIZE) * 200
    return _noise(random) + DAY % 25 / 25 * 150 + grown


HARMLESS: Mapping[str, Callable[[Random], Values]] = {
    "noise": _noise,
    "sawtooth": lambda random: _noise(random) + _sawtooth(random, 20, 120),
    "slow sawtooth": lambda random: _noise(random) + _sawtooth(random, 150, 400),
    "warming up": lambda random: _noise(random) + 300 * (1 - np.exp(-DAY / random.uniform(20, 4_000))),
    "a step": lambda random: _noise(random) + 200 * (random.integers(8_000, 8_640) < DAY),
    "a daily wave": lambda random: _noise(random) + 200 * np.sin(2 * np.pi * (DAY / 8_640 + random.uniform())),
}


def leaks(data: Path | None, runs: int = RUNS) -> list[Figure]:
    """False alarms on each harmless behaviour, leaks found, and the recorded processes where they are at hand."""
    figures = []
    for name, shape in HARMLESS.items():
        random = np.random.default_rng(7)
        rate = 100 * sum(_growing(shape(random)) for _ in range(runs)) / runs
        figures.append(Figure(f"leak test: false alarms, {name}", rate, "%", runs, 1.0))
    random = np.random.default_rng(3)
    found = 100 * sum(_growing(_leak(random)) for _ in range(runs)) / runs
    figures.append(Figure("leak test: leaks under a sawtooth found at one look", found, "%", runs, 60, at_least=True))
    path = (data or data_folder()) / RECORDED
    return [*figures, *_recorded(path)] if path.exists() else figures


def _recorded(path: Path) -> Iterator[Figure]:
    """Real processes, looked at again and again: those that leak at their end, the others at any time."""
    held = np.load(path)
    step_s = 1 / float(held["hz"])
    for mode, series in zip(held["modes"].tolist(), held["rss"], strict=True):
        taken = series
        if mode == "cachefill":  # the filling cache accounts for its bytes, as PEA's caches do
            taken = series - np.linspace(0, series[-1] - series[0], len(series))
        ends = range(2 * RECORDED_SIZE, len(series) + 1, 10)
        looks = [growth(taken[:end], SAMPLES, RECORDED_SIZE, step_s) for end in ends]
        growing = [one is not None and one.growing for one in looks]
        if mode.startswith("leak"):
            found = 100.0 * growing[-1]
            yield Figure(f"recorded process, {mode}: found", found, "%", 1, 100, at_least=True)
        else:
            alarms = 100 * sum(growing) / len(growing)
            yield Figure(f"recorded process, {mode}: false alarms", alarms, "%", len(growing), 1.0)


def _growing(values: Values) -> bool:
    found = growth(values, SAMPLES, SIZE, 10)
    return found is not None and found.growing
