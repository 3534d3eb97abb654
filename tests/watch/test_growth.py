"""Growth: leaks are found, and what only looks like one is not called one."""

from collections.abc import Callable

import numpy as np
import pytest

from pea.watch.growth import Values, growth, mann_kendall, sen_slope
from tests.absent import DATA, needs

RECORDINGS = DATA / "cloud-monitoring" / "rss_recordings.npz"
DAY = np.arange(8_640)  # ten-second samples
SIZE = 180  # half an hour


def noise(random: np.random.Generator, strength: float = 3.0, memory: float = 0.9) -> Values:
    shocks, found = random.normal(0, strength, len(DAY)), np.zeros(len(DAY))
    for place in range(1, len(DAY)):
        found[place] = memory * found[place - 1] + shocks[place]
    return 1_000 + found


def sawtooth(random: np.random.Generator, shortest: int, longest: int) -> Values:
    period = int(random.integers(shortest, longest))
    return (DAY + int(random.integers(period))) % period / period * float(random.uniform(50, 300))


HARMLESS: dict[str, Callable[[np.random.Generator], Values]] = {
    "noise": noise,
    "sawtooth": lambda random: noise(random) + sawtooth(random, 20, 120),
    "slow sawtooth": lambda random: noise(random) + sawtooth(random, 150, 400),
    "warming up": lambda random: noise(random) + 300 * (1 - np.exp(-DAY / random.uniform(20, 4_000))),
    "a step": lambda random: noise(random) + 200 * (random.integers(8_000, 8_640) < DAY),
    "a daily wave": lambda random: noise(random) + 200 * np.sin(2 * np.pi * (DAY / 8_640 + random.uniform())),
}


@pytest.mark.parametrize("shape", HARMLESS)
def test_harmless_shapes_are_no_leak(shape: str) -> None:
    """False alarms on each are at most 1 %."""
    random = np.random.default_rng(7)
    found = [growth(HARMLESS[shape](random), 10, SIZE, 10) for _ in range(60)]
    assert all(one is not None for one in found)
    assert np.mean([one is not None and one.growing for one in found]) <= 0.01


def test_a_leak_under_a_sawtooth_is_found_with_its_rate() -> None:
    """20 % in an hour under teeth of 15 %: found mostly at the first look, and the rate is about right."""
    random = np.random.default_rng(3)
    leak = np.maximum(DAY - len(DAY) + 2 * SIZE, 0) / (2 * SIZE) * 200
    found = [growth(noise(random) + DAY % 25 / 25 * 150 + leak, 10, SIZE, 10) for _ in range(40)]
    assert np.mean([one is not None and one.growing for one in found]) >= 0.6
    assert np.median([one.per_hour for one in found if one is not None]) == pytest.approx(200, rel=0.15)


def test_too_little_is_no_judgement() -> None:
    """Less than two windows, or windows with holes, say nothing."""
    assert growth(np.arange(2 * SIZE - 1.0), 10, SIZE, 10) is None
    assert growth(np.full(2 * SIZE, np.nan), 10, SIZE, 10) is None


def test_statistics_have_their_textbook_values() -> None:
    """Mann-Kendall of ten rising values is S = 45; Sen's slope ignores an outlier."""
    assert mann_kendall(np.arange(10.0)) == pytest.approx(4.15e-5, rel=0.01)
    assert mann_kendall(np.ones(10)) == 1.0
    assert sen_slope(np.array([0.0, 2, 4, 600, 8, 10])) == pytest.approx(2.0)


@needs(RECORDINGS)
def test_recorded_processes_are_told_apart() -> None:
    """Real processes: every leak is found, and no other is called one; a filling cache needs its bytes accounted."""
    data = np.load(RECORDINGS)
    for mode, series in zip(data["modes"], data["rss"], strict=True):
        judged = [growth(series[:end], 10, 120, 1 / float(data["hz"])) for end in range(240, 601, 10)]
        growing = [one is not None and one.growing for one in judged]
        if str(mode).startswith("leak"):
            assert growing[-1], mode
        elif mode == "cachefill":
            filled = np.linspace(0, series[-1] - series[0], len(series))
            accounted = growth(series - filled, 10, 120, 1 / float(data["hz"]))
            assert accounted is not None
            assert not accounted.growing
        else:
            assert not any(growing), mode
