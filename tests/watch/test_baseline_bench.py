"""The scorer of labelled sets and the generator of normal ones: the rule as published, and nothing by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pea.bench.baseline_chosen import SPLITS, candidates, chosen_elsewhere
from pea.bench.baseline_normal import KINDS
from pea.bench.baseline_score import LOW_FN, LOW_FP, PROFILES, STANDARD, Profile, Series, best, scaled, steps, totals
from pea.bench.baseline_sets import CLOUD, read_cloud, read_nab
from pea.errors import ConfigError
from tests.absent import DATA, needs

needs_data = needs(DATA)


def series(windows: tuple[tuple[int, int], ...] = ((500, 599),), points: int = 1000) -> Series:
    return Series("group/one.csv", np.arange(points) * 300.0, np.zeros(points), windows)


def score(detections: dict[int, float], profile: Profile = STANDARD, threshold: float = 0.5) -> float:
    """The scaled score of detections in one series with one window."""
    one = series()
    scores = np.zeros(len(one.values))
    for place, value in detections.items():
        scores[place] = value
    raw = totals([steps(one, scores)], profile, np.array([threshold]))
    return float(scaled(raw, 1, profile)[0])


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_no_detection_is_0_and_a_perfect_one_100(profile: Profile) -> None:
    """The ends of the published scale."""
    assert score({}, profile) == pytest.approx(0)
    assert score({500: 1.0}, profile) == pytest.approx(100)


def test_earlier_is_better_and_only_the_first_counts() -> None:
    """A hit earns less the later it comes; further detections inside of the window earn and cost nothing."""
    assert score({500: 1.0}) > score({550: 1.0}) > score({599: 1.0}) > 0
    assert score({520: 1.0, 560: 1.0, 580: 1.0}) == score({520: 1.0})


def test_a_false_positive_costs_by_profile() -> None:
    """Before any window it costs in full: 0.11 of a hit, 0.22 where false positives count double."""
    assert score({200: 1.0}) == pytest.approx(-100 * 0.11 / 2)
    assert score({200: 1.0}, LOW_FP) == pytest.approx(-100 * 0.22 / 2)
    assert score({200: 1.0}, LOW_FN) == pytest.approx(-100 * 0.11 / 3)


def test_a_detection_just_after_a_window_costs_little() -> None:
    """The cost grows with the distance, as 1 - 2 / (1 + e^(5 · distance / width))."""
    assert score({604: 1.0}) == pytest.approx(100 * 0.11 * (2 / (1 + np.exp(5 * 5 / 99)) - 1) / 2)
    assert score({604: 1.0}) > score({650: 1.0}) > score({999: 1.0})


def test_probation_is_not_scored() -> None:
    """The first 15 % neither earn nor cost, and a window that ends there is none."""
    assert score({149: 1.0}) == pytest.approx(0)
    assert series(windows=((10, 100),)).counted == ()


def test_the_best_threshold_separates() -> None:
    """False positives with lower scores are cut off by the threshold that is found."""
    one = series()
    scores = np.zeros(1000)
    scores[500], scores[[200, 300, 400]] = 0.9, 0.4
    assert best([steps(one, scores)], STANDARD) == pytest.approx((0.9, 100))


def test_a_set_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    """A wrong folder is named."""
    with pytest.raises(ConfigError, match=r"combined_windows\.json"):
        read_nab(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A file of the set that cannot be read stops the benchmark with its name: a score without it would be another."""
    (tmp_path / "combined_windows.json").write_text('{"a.csv": []}')
    (tmp_path / "a.csv").write_text("timestamp,value\n2014-04-01 00:00:00,many\n")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        read_nab(tmp_path)


def test_what_is_best_on_a_series_is_not_chosen_by_it() -> None:
    """Each set of parameters suits one series alone: chosen on the other half it earns nothing, in every split."""
    series = 6
    table = np.where(np.eye(series, dtype=bool), 1.0, -0.5)
    table = np.vstack([table, np.full(series, -1.0)])
    found = chosen_elsewhere(table, np.array(["a"] * series), series, np.random.default_rng(1))
    assert found == pytest.approx([100 * (-0.5 * series + series) / (2 * series)] * SPLITS)


def test_what_is_best_everywhere_is_chosen() -> None:
    """A set of parameters that is best on every series is chosen by both halves of every split."""
    table = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [-1.0, -1.0, -1.0, -1.0]])
    found = chosen_elsewhere(table, np.array(["a", "a", "b", "b"]), 4, np.random.default_rng(2))
    assert found == pytest.approx([100 * (table[1].sum() + 4) / 8] * SPLITS)


def test_parameters_are_drawn_the_same_each_time() -> None:
    """A figure that is compared with an earlier one must not depend on the draw."""
    first, second = (candidates(np.random.default_rng(1), 3) for _ in range(2))
    assert first == second
    assert len(set(first)) == 3


@needs_data
def test_the_published_sets_are_read_whole() -> None:
    """58 series with 116 windows, and 59 with those labelled by run."""
    nab = read_nab(DATA / "nab")
    assert (len(nab), sum(len(one.counted) for one in nab)) == (58, 116)
    assert len(read_cloud(DATA / "cloud-monitoring" / CLOUD)) == 59


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_normal_series_are_finite_and_repeatable(make: object) -> None:
    """Each kind gives points by series, the same for the same seed."""
    first, second = (make(np.random.default_rng(1), 3, 400, 288) for _ in range(2))  # type: ignore[operator]
    assert first.shape == (400, 3)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)
