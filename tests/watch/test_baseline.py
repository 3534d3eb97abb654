"""Learned baselines: what they notice, what they leave alone, and what they survive."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pea.watch.baseline import DAY_S, Settings, View
from pea.watch.baseline_one import Baseline

STEP_S = 300.0
DAY = int(DAY_S / STEP_S)


def alarms(values: np.ndarray, settings: Settings | None = None, step_s: float = STEP_S) -> list[tuple[int, View]]:
    """Where the detector gives an alarm, and from which side."""
    learned = Baseline(settings or Settings(false_alarms=1 / 30))
    readings = [learned.update(place * step_s, float(value)) for place, value in enumerate(values)]
    return [(place, one.view) for place, one in enumerate(readings) if one.score >= 1]


def noise(points: int, seed: int = 1) -> np.ndarray:
    return 100 + np.random.default_rng(seed).normal(0, 5, points)


def test_a_spike_is_an_alarm_at_its_first_point() -> None:
    """A value far outside of what has been seen is noticed at once."""
    values = noise(8 * DAY)
    values[7 * DAY] = 300
    assert (7 * DAY, View.VALUE) in alarms(values)


def test_a_level_shift_is_said_once() -> None:
    """A new level is one incident: one alarm, then it is normal."""
    values = noise(14 * DAY)
    values[7 * DAY :] += 100
    after = [place for place, _ in alarms(values) if place >= 7 * DAY]
    assert after[0] == 7 * DAY
    assert len(after) == 1


def test_what_the_season_brings_is_normal_and_its_absence_is_not() -> None:
    """A daily wave gives no alarm once it is known; the missing peak of a day is one, of the season."""
    place = np.arange(15 * DAY)
    values = 200 + 80 * np.sin(2 * np.pi * place / DAY) + np.random.default_rng(2).normal(0, 2, len(place))
    missing = slice(14 * DAY + DAY // 8, 14 * DAY + 3 * DAY // 8)
    values[missing] = 200
    found = [one for one in alarms(values) if one[0] >= 7 * DAY]
    assert found
    assert all(missing.start <= where < missing.stop for where, _ in found)
    assert found[0][1] is View.SEASON


def test_a_stuck_value_is_flat() -> None:
    """A series that always moved and then does not is stuck, though its value has been seen before."""
    values = noise(8 * DAY)
    values[7 * DAY :] = values[7 * DAY]
    assert View.FLAT in {view for where, view in alarms(values) if where > 7 * DAY}


def test_a_constant_series_is_normal() -> None:
    """One that never moved says nothing by not moving."""
    assert alarms(np.full(5 * DAY, 7.0)) == []


def test_no_alarm_while_learning() -> None:
    """In the time to learn nothing is an alarm."""
    values = noise(2 * DAY)
    values[DAY // 2] = 1e6
    assert alarms(values, Settings(learn_s=2 * DAY_S)) == []


@pytest.mark.parametrize(
    "values", [[0.0, 1e308, -1e308, 1e308], [1e-300, -1e-300, 0.0], [math.inf, math.nan, -math.inf]]
)
def test_extreme_values_are_survived(values: list[float]) -> None:
    """Values at the ends of what a float can hold, and those it cannot, give finite figures."""
    learned = Baseline(Settings(learn_s=0))
    for place in range(200):
        reading = learned.update(place * STEP_S, values[place % len(values)])
        assert math.isfinite(reading.score)
        assert math.isfinite(reading.evidence)


def test_a_missing_value_is_not_learned() -> None:
    """NaN leaves the state as it is."""
    learned = Baseline()
    for place, value in enumerate(noise(100)):
        learned.update(place * STEP_S, float(value))
    before = learned.save()
    learned.update(100 * STEP_S, math.nan)
    assert learned.save() == before


@pytest.mark.parametrize("jump_s", [-3 * DAY_S, -3600.0, 0.0, 30 * DAY_S])
def test_clock_jumps_and_gaps_are_survived(jump_s: float) -> None:
    """After a step of the clock, back or forward, steady noise is still normal and a spike still is not."""
    learned = Baseline()
    values = noise(10 * DAY)
    for place, value in enumerate(values):
        learned.update(place * STEP_S, float(value))
    start = 10 * DAY * STEP_S + jump_s
    quiet = [learned.update(start + place * STEP_S, float(value)).score for place, value in enumerate(values[:50])]
    assert max(quiet) < 1
    assert learned.update(start + 50 * STEP_S, 400.0).score >= 1


def test_a_counter_that_resets_is_normal_once_it_has() -> None:
    """A sawtooth is a range to move in: its falls are not alarms."""
    values = np.arange(14 * DAY) % 100 + np.random.default_rng(3).normal(0, 0.3, 14 * DAY)
    assert [where for where, _ in alarms(values) if where > 4 * DAY] == []


def test_more_caution_when_fewer_false_alarms_are_asked_for() -> None:
    """The rate asked for is the only setting that a user needs, and it counts."""
    values = np.random.default_rng(4).standard_t(3, 30 * DAY)
    often, seldom = (len(alarms(values, Settings(false_alarms=rate))) for rate in (1.0, 1 / 100))
    assert seldom < often


def test_nothing_is_seen_in_advance() -> None:
    """The scores of a beginning do not depend on what follows."""
    values = noise(4 * DAY)
    other = values.copy()
    other[3 * DAY :] += 1000
    first, second = Baseline(), Baseline()
    for place in range(3 * DAY):
        at = place * STEP_S
        assert first.update(at, float(values[place])) == second.update(at, float(other[place]))
