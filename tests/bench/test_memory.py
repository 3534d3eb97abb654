"""Memory is judged by a slope that noise and steps do not fool, over work that is really done."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.bench.memory import figures
from pea.bench.memory_fill import Fill, Warmup
from pea.bench.memory_run import Run, work
from pea.bench.memory_slope import slope
from pea.bench.memory_work import asks, copy_workspace, sample_workspace
from pea.errors import ConfigError


@given(st.floats(-1e3, 1e3), st.floats(-1e6, 1e6), st.integers(3, 60))
@settings(max_examples=30)
def test_a_straight_line_has_its_own_slope(rate, start, points):
    """Without noise the slope and both ends of its interval are the line's."""
    x = np.arange(points) / 7
    found = slope(x, start + rate * x)
    assert found.low <= found.middle + 1e-6
    assert found.middle == pytest.approx(rate, abs=1e-4)
    assert found.middle <= found.high + 1e-6


def test_the_interval_holds_what_it_says():
    """Of 400 noisy series with a known slope, the 95 % interval holds it in 92 to 98 of 100."""
    dice, x = np.random.default_rng(1), np.arange(40.0)
    runs = [slope(x, 0.3 * x + dice.standard_t(3, 40)) for _ in range(400)]
    held = sum(found.low <= 0.3 <= found.high for found in runs)
    assert 0.92 <= held / 400 <= 0.98


def test_a_few_wild_values_do_not_move_it():
    """A fifth of the values, far off, leave the slope nearly as it was."""
    x = np.arange(50.0)
    y = 2 * x
    y[::5] += 10_000
    assert slope(x, y).middle == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 1, 2], [1, 2, 3]), ([1, 2, 3], [1, 2]), ([], [])])
def test_too_few_or_unordered_points_are_refused(x, y):
    """There is no slope of two points, of a time that stands still, or of sides that do not match."""
    with pytest.raises(ValueError, match="points with increasing x"):
        slope(x, y)


def _run(sizes, failed=0):
    samples = [(30 * (n + 1), int(size)) for n, size in enumerate(sizes)]
    return Run(samples, 100_000_000, max(sizes), 60.0, failed, {"l1": 60, "l2": 30}, 100, warm_tasks=3_600)


def test_flat_memory_meets_every_budget():
    """Ten megabytes to warm up, then none: all budgets are met."""
    found = figures(_run([90_000_000 + 1_000_000 * min(n, 10) for n in range(240)]))
    assert all(one.passed is not False for one in found)
    assert sum(one.passed is True for one in found) == 8


def test_a_leak_of_two_megabytes_an_hour_is_told():
    """The slope is in megabytes per 3,600 tasks; over one it misses its budget, as does the interval's upper end."""
    found = {one.what: one for one in figures(_run([90_000_000 + n * 2_000_000 // 120 for n in range(240)]))}
    grown = found["growth in an hour of work"]
    assert grown.value == pytest.approx(2.0, abs=0.01)
    assert grown.passed is False
    assert found["  its 95 % interval, upper end"].passed is False


def test_the_rotation_asks_all_agents_and_comes_round():
    """Eight capabilities in turns, none with the same input twice in a row, all again after a few hundred tasks."""
    assert len({asks(n).capability for n in range(8)}) == 8
    assert asks(0) != asks(8)
    assert asks(5) == asks(5 + 8 * 7 * 8 * 5)


async def test_the_tasks_are_done_by_the_service(tmp_path, monkeypatch):
    """One round of the rotation: nothing fails, memory is sampled, lookups are counted."""
    monkeypatch.setattr("pea.bench.memory_run.shorten_pauses", lambda: None)  # this process is the tests'
    found = await work(copy_workspace(tmp_path / "workspace"), tmp_path / "state", 8, 8)
    assert found.failed == 0
    assert [tasks for tasks, _ in found.samples] == [30]
    assert found.lookups > 0
    assert found.warm_tasks is None
    assert "tasks" in found.filling
    assert found.peak_bytes >= found.ready_bytes > 1_000_000


def test_warm_when_all_counters_are_full_or_still():
    """Full is nine tenths of a bound, or half an hour's worth of tasks without a hundredth more; a leak never is."""
    warmup = Warmup()

    def over(tasks, first, second):
        return warmup.over(tasks, [Fill("first", first, 1_000), Fill("second", second, 1_000)])

    assert not over(100, 100, 5)
    assert not over(1_000, 900, 50)
    assert warmup.waiting == ("second",)
    assert not over(2_799, 1_000, 50)
    assert over(2_800, 950, 50)
    leaking = Warmup()
    assert not any(leaking.over(n * 30, [Fill("leak", n * 30, 10**9)]) for n in range(1, 2_000))


def test_a_run_that_never_was_warm_says_so():
    """What was still filling is named, and misses its budget."""
    run = _run([90_000_000] * 240)
    cold = msgspec.structs.replace(run, warm_tasks=None, filling=("tasks forgotten",))
    (told,) = [one for one in figures(cold) if "still filling" in one.what]
    assert (told.passed, told.note) == (False, "tasks forgotten")


def test_without_the_examples_it_says_so(tmp_path, monkeypatch):
    """Installed without a checkout there is no sample workspace: the error says where it was looked for."""
    monkeypatch.setattr("pea.bench.memory_work.pea.__file__", str(tmp_path / "pea" / "__init__.py"))
    with pytest.raises(ConfigError, match="sample workspace"):
        copy_workspace(Path(tmp_path, "to"))


def test_the_wheel_has_the_sample_within(tmp_path, monkeypatch):
    """Installed, the examples lie in the package's own data."""
    monkeypatch.setattr("pea.bench.memory_work.pea.__file__", str(tmp_path / "pea" / "__init__.py"))
    within = tmp_path / "pea" / "data" / "examples" / "workspace"
    within.mkdir(parents=True)
    (within / "pea.yaml").touch()
    assert sample_workspace() == within
