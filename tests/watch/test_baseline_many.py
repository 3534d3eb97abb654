"""Many baselines together: the same figures as one by one, saved, restored and moved."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.errors import ConfigError
from pea.watch.baseline import Row, Settings, Tuning, View
from pea.watch.baseline_many import Baselines
from pea.watch.baseline_one import Baseline
from pea.watch.baseline_state import Column

SERIES = 5


@st.composite
def histories(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Times and values, ``(points, series)``: irregular steps, gaps, jumps back, missing values, all sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    points = draw(st.integers(1, 300))
    steps = rng.choice([0.0, 60.0, 300.0, 300.0, 300.0, 3600.0, -7200.0, 2e5], points)
    values = rng.normal(0, 1, (points, SERIES)) * 10.0 ** rng.integers(-3, 6, SERIES)
    values += 10.0 ** rng.integers(0, 6, SERIES)
    shape = draw(st.sampled_from(["as it is", "rounded", "wave", "holes"]))
    if shape == "rounded":
        values = np.round(values)
    elif shape == "wave":
        values += 1e3 * np.sin(np.arange(points) / 20)[:, None]
    elif shape == "holes":
        values[rng.random(values.shape) < 0.3] = np.nan
    return np.cumsum(steps), values


@settings(max_examples=15, deadline=None)
@given(histories(), st.sampled_from([0.0, 900.0]))
def test_together_is_as_alone(history: tuple[np.ndarray, np.ndarray], overlap_s: float) -> None:
    """Arrays and plain floats give the same scores, sides and directions, point by point."""
    at, values = history
    asked = Settings(learn_s=600, overlap_s=overlap_s)
    together, alone = Baselines(SERIES, asked), [Baseline(asked) for _ in range(SERIES)]
    for when, row in zip(at, values, strict=True):
        many = together.update(when, row)
        ones = [one.update(float(when), float(value)) for one, value in zip(alone, row, strict=True)]
        np.testing.assert_allclose(many.score, [one.score for one in ones], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(many.evidence, [one.evidence for one in ones], rtol=1e-9, atol=1e-12)
        assert many.view.tolist() == [one.view for one in ones]
        assert many.above.tolist() == [one.above for one in ones]


def test_overlapping_windows_prove_little() -> None:
    """Means over windows that share samples are not independent: told so, a young series gives fewer false alarms."""
    rng = np.random.default_rng(6)
    window = 10
    sums = np.cumsum(rng.standard_t(4, (600 + window, 200)), axis=0)
    means = (sums[window:] - sums[:-window]) / window
    blind, told = (Baselines(200, Settings(1 / 30, learn_s=3600, overlap_s=60.0 * known)) for known in (0, window))
    alarms = [sum(len(one.update(60.0 * at, row).alarms) for at, row in enumerate(means)) for one in (blind, told)]
    assert alarms[1] < alarms[0] / 2


def test_a_row_left_out_is_left_alone() -> None:
    """Only the rows named are learned, in the order named."""
    part, whole = Baselines(3), Baselines(3)
    rng = np.random.default_rng(1)
    for tick in range(200):
        values = rng.normal(10, 1, 3)
        whole.update(60.0 * tick, values)
        part.update(60.0 * tick, values[[2, 0]], [2, 0])
    assert part.take(0) == whole.take(0)
    assert part.take(2) == whole.take(2)
    assert part.take(1) == Baselines(1).take(0)


def test_a_restart_changes_nothing() -> None:
    """What is restored goes on as if it had never stopped."""
    rng = np.random.default_rng(2)
    first = Baselines(4)
    for tick in range(300):
        first.update(300.0 * tick, rng.normal(10, 1, 4))
    second = Baselines(4)
    second.restore(first.save())
    for tick in range(300, 400):
        values = rng.normal(10, 1, 4)
        np.testing.assert_array_equal(
            first.update(300.0 * tick, values).score, second.update(300.0 * tick, values).score
        )
    assert first.save() == second.save()


def test_one_takes_over_from_many_and_back() -> None:
    """State moves between the two by row and by bytes."""
    rng = np.random.default_rng(3)
    many = Baselines(1)
    for tick in range(300):
        many.update(300.0 * tick, rng.normal(10, 1, 1))
    one = Baseline()
    one.restore(many.save())
    assert one.save() == many.save()
    assert one.update(300.0 * 300, 50.0).evidence == pytest.approx(many.update(300.0 * 300, [50.0]).evidence[0])


@pytest.mark.parametrize("state", [b"", b"nonsense", Baselines(2).save(), Baselines(1).save()[:-1]])
def test_a_state_of_another_kind_is_refused(state: bytes) -> None:
    """A file cut short, of other series or of anything else is an error that says what happens, not a crash."""
    with pytest.raises(ConfigError, match="learned anew"):
        Baselines(1).restore(state)


def test_a_series_takes_two_kilobytes_at_most() -> None:
    """The state of a series is bounded, and small."""
    assert Baselines(10).bytes_per_series <= 2048


def test_silence_is_counted_in_usual_intervals() -> None:
    """A series that came every minute and has not for ten is ten intervals late; one that never came is not late."""
    learned = Baselines(2)
    for tick in range(100):
        learned.update(60.0 * tick, [float(tick)], [0])
    late = learned.silent(60.0 * 99 + 600)
    assert late[0] == pytest.approx(10, rel=0.01)
    assert late[1] == 0


def learnt(values: np.ndarray) -> Baselines:
    """One series, learned alone because that is quicker."""
    alone, learned = Baseline(), Baselines(1)
    for tick, value in enumerate(values.tolist()):
        alone.update(300.0 * tick, value)
    learned.put(0, alone.row())
    return learned


def learnt_anew(held: Row) -> Baseline:
    """One series that goes on from there and has given no alarm."""
    one, columns = Baseline(), list(held.columns)
    columns[Column.ALARMS] = columns[Column.ALARM] = columns[Column.ALARM_AGE] = 0.0
    one.put(msgspec.structs.replace(held, columns=columns))
    return one


def test_the_expected_band_holds_what_is_usual() -> None:
    """For the evidence of an alert: about all of the noise lies in the band, and a spike does not."""
    values = np.random.default_rng(4).normal(100, 5, 3000)
    learned = learnt(values)
    band = learned.expected(0, 300.0 * 3000)
    assert band is not None
    low, high = band
    assert np.mean((values > low) & (values < high)) > 0.95
    assert high < 130
    assert Baselines(1).expected(0, 0.0) is None


def test_the_band_follows_the_season() -> None:
    """Where a season is known the band is about its forecast for that time."""
    learned = learnt(100 + 50 * np.sin(2 * np.pi * np.arange(14 * 288) / 288))
    for part, middle in ((0.25, 150), (0.75, 50)):
        band = learned.expected(0, 86_400.0 * (14 + part))
        assert band is not None
        assert band[0] < middle < band[1]
        assert band[1] - band[0] < 60


@pytest.mark.parametrize("alarms", [0.0, 1.0, 10.0, 100.0])
def test_a_series_that_gave_too_many_alarms_is_believed_less(alarms: float) -> None:
    """Evidence is divided by how many times too often there were alarms, to a power; silence adds a little to it."""
    held, tuning, days = learnt(np.random.default_rng(5).normal(100, 5, 3000)).take(0), Tuning(), 3000 / 288
    columns = list(held.columns)
    columns[Column.ALARMS] = alarms
    one = Baseline()
    one.put(msgspec.structs.replace(held, columns=columns))
    usual, evidence = (who.update(300.0 * 3000, 300.0).evidence for who in (learnt_anew(held), one))
    often = (alarms + tuning.caution_prior) / (days + tuning.caution_prior)
    never = tuning.caution_prior / (days + tuning.caution_prior)
    factor = max(tuning.caution * np.log(often), tuning.caution_least)
    silent = max(tuning.caution * np.log(never), tuning.caution_least)
    assert usual / evidence == pytest.approx(np.exp(factor - silent), rel=0.03)


def test_an_alarm_is_counted_once() -> None:
    """The count that caution is made of grows by one with an alarm, and fades."""
    one = learnt_anew(learnt(np.random.default_rng(5).normal(100, 5, 3000)).take(0))
    for place in range(50):
        one.update(300.0 * (3000 + place), 300.0)
    assert 0.99 < one.row().columns[Column.ALARMS] <= 1


def test_no_rate_is_no_setting() -> None:
    """Never a false alarm cannot be asked for."""
    with pytest.raises(ConfigError, match="above 0"):
        Baselines(1, Settings(false_alarms=0))


def test_figures_and_views_are_numbered_from_zero() -> None:
    """Columns index arrays: no hole, none twice."""
    assert [int(column) for column in Column] == list(range(len(Column)))
    assert [int(view) for view in View] == list(range(len(View)))
