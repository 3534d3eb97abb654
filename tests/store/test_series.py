"""The series store: a day of samples per series, bounded, kept across restarts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.store.series import KEPT_FREE, SLOTS, STEP_S, SeriesStore, _fold

T0 = 1_700_000_000.0


def test_samples_come_back_by_step():
    """Reading gives one value per step, NaN where nothing was sampled; wider steps fold mean, max or last."""
    store = SeriesStore(10)
    for step in (0, 1, 3):
        store.sample(T0 + step * STEP_S, {"a": float(step)})
    times, values = store.read("a", T0, T0 + 3 * STEP_S)
    assert list(times) == [T0 + step * STEP_S for step in range(4)]
    assert [None if math.isnan(v) else v for v in values] == [0, 1, None, 3]
    assert store.read("a", T0, T0 + 40, 20, "max")[1].tolist() == [1, 3]
    assert store.read("a", T0, T0 + 40, 20, "last")[1].tolist() == [1, 3]
    with pytest.raises(ValueError, match="mean, max or last"):
        store.read("a", T0, T0, how="median")


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_the_ring_holds_the_last_day_and_nothing_older(steps: list[int]):
    """However long the gaps, a read gives exactly the samples of the last 24 hours."""
    store, now, model = SeriesStore(2), T0, {}
    for number, step in enumerate(steps):
        now += step * STEP_S
        store.sample(now, {"a": float(number)})
        model[now] = float(number)
    times, values = store.read("a", 0, now)
    found = {t: v for t, v in zip(times, values, strict=True) if not math.isnan(v)}
    assert found == {t: v for t, v in model.items() if t > now - SLOTS * STEP_S}


def test_a_clock_that_was_ahead_stops_nothing():
    """Set back by more than a minute, the clock was wrong: what it sampled ahead is gone, what was before stays."""
    store = SeriesStore(2)
    store.sample(T0, {"a": 1.0})
    store.sample(T0 + 600, {"a": 2.0})
    store.sample(T0 + 590, {"a": 9.0})  # no more than late
    assert [value for value in store.read("a", T0, T0 + 600)[1] if not math.isnan(value)] == [1.0, 2.0]
    store.sample(T0 + 10, {"a": 3.0})
    times, values = store.read("a", T0, T0 + 700)
    assert (times.tolist(), values.tolist()) == ([T0, T0 + 10], [1.0, 3.0])
    store.sample(T0 + 620, {"a": 4.0})
    assert [value for value in store.read("a", T0, T0 + 700)[1] if not math.isnan(value)] == [1.0, 3.0, 4.0]
    store.sample(T0 + 400 * 86_400, {"a": 5.0})
    store.sample(T0 + 20, {"a": 6.0, "b": 1.0})
    assert [value for value in store.read("a", 0, T0 + 700)[1] if not math.isnan(value)] == [6.0]
    store.sample(T0 + 20 + SLOTS * STEP_S, {"b": 1.0, "c": 1.0})
    assert store.names() == ["b", "c"]  # the years ahead do not keep a silent series alive


def test_too_many_series_overflow_and_the_dead_make_room():
    """A new series beyond the bound is counted and left out, unless one has been silent for a day."""
    store = SeriesStore(2)
    assert store.sample(T0, {"a": 1, "b": 1, "c": 1}) == 1
    assert store.names() == ["a", "b"]
    assert store.overflowed == 1
    day = SLOTS * STEP_S
    store.sample(T0 + day, {"a": 1})
    store.sample(T0 + day + 1, {"c": 1})
    assert store.names() == ["a", "c"]


def test_series_survive_a_restart_and_a_broken_file_does_not_hurt(tmp_path: Path):
    """What was saved is read again; a file that is cut short is reported and a new one begun."""
    path = tmp_path / "series.bin"
    store = SeriesStore(10, path)
    store.sample(T0, {"a": 1.5, "b": -2})
    store.save()
    again = SeriesStore(10, path)
    assert again.read("a", T0, T0)[1].tolist() == [1.5]
    again.sample(T0 + STEP_S, {"a": 2.5})
    assert again.read("a", T0, T0 + STEP_S)[1].tolist() == [1.5, 2.5]
    whole = path.read_bytes()
    for length in (0, 3, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert SeriesStore(10, path).names() == []
    assert not list(tmp_path.glob("*.new"))


def test_the_pages_own_series_have_their_place():
    """Whatever other programs send, what the page draws is still sampled; that too is bounded."""
    store = SeriesStore(3)
    store.sample(T0, {f"theirs.{number}": 1.0 for number in range(10)})
    store.sample(T0, {f"pea.page.{number}": float(number) for number in range(KEPT_FREE + 5)})
    assert store.read("pea.page.7", T0, T0)[1].tolist() == [7.0]
    assert len(store) == KEPT_FREE + 3
    assert store.overflowed == 7 + 5


def test_a_series_read_from_the_file_can_die(tmp_path: Path):
    """A row is free again a day after the last sample, also where that was in the life before."""
    path = tmp_path / "series.bin"
    first = SeriesStore(1, path)
    first.sample(T0, {"old": 1.0})
    first.save()
    store = SeriesStore(1, path)
    store.sample(T0 + STEP_S, {"new": 1.0})
    assert store.names() == ["old"]
    store.sample(T0 + SLOTS * STEP_S, {"new": 1.0})
    assert store.names() == ["new"]


@pytest.mark.parametrize(
    ("row", "newest"),
    [
        ([1.0, 2.0, math.nan], 2.0),
        ([1.0, math.nan, math.nan], 1.0),
        ([math.nan, 2.0, 3.0], 3.0),
        ([math.nan] * 3, math.nan),
    ],
)
def test_the_last_of_a_step_is_its_newest_sample(row: list[float], newest: float):
    """However many are missing after it; of a step without samples there is none."""
    (found,) = _fold(np.array([row]), "last").tolist()
    assert found == pytest.approx(newest, nan_ok=True)
