"""The power of a growing cost is found from its rounds, and what grows faster than n log n misses its budget."""

import pytest

from pea.bench.growth import allowed, brief, figures, power, rounds, together

SIZES = (10, 100, 1_000, 10_000)


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.3, 1.0])
def test_the_exponent_is_that_of_the_costs(exponent):
    """Without scatter the fit and both ends of its interval are the exponent."""
    found = power({size: [20.0 * size**exponent] * 7 for size in SIZES})
    assert (found.low, found.exponent, found.high) == pytest.approx((exponent,) * 3, abs=1e-6)


def test_scatter_widens_the_interval_and_stays_within():
    """Rounds that differ by a tenth: the interval holds the exponent, and is no single value."""
    found = power({size: [size**0.5 * (1 + 0.01 * n) for n in range(-5, 6)] for size in SIZES})
    assert found.low < found.exponent < found.high
    assert found.low <= 0.5 <= found.high


@pytest.mark.parametrize(("exponent", "passed"), [(0.0, True), (0.1, True), (0.5, False), (1.0, False)])
def test_faster_than_n_log_n_misses_the_budget(exponent, passed):
    """A unit's cost may grow as log n does over these sizes, and no faster."""
    assert allowed(SIZES) == pytest.approx(0.2007, abs=1e-3)  # log(log 10,000 / log 10) / log 1,000
    cost, grows = figures("work", "a unit", {size: [1e3 * size**exponent] * 7 for size in SIZES})
    assert grows.passed is passed
    assert cost.what == "work: a unit at 10,000"
    assert cost.value == pytest.approx(10_000**exponent)
    assert cost.note.startswith("1 µs") == (exponent == 0.0)


def test_what_the_least_does_is_allowed_on_top():
    """Where a plain dict grows by the same power, the cost is not to blame."""
    costs = {size: [100.0 * size**0.4] * 7 for size in SIZES}
    assert figures("keys", "a hit", costs)[1].passed is False
    assert figures("keys", "a hit", costs, floor=costs)[1].passed is True


def test_sizes_take_turns_and_each_round_is_filled(monkeypatch):
    """By a clock that the work moves: cost is time by units, and what warms up is in no round."""
    now_s, order = [0.0], []
    monkeypatch.setattr("pea.bench.growth.time.process_time", lambda: now_s[0])

    def work(size):
        def run():
            order.append(size)
            now_s[0] += 0.006
            return size

        return run

    costs = rounds({1: work(1), 2: work(2)}, count=2, slice_s=0.01)
    assert order == [1, 1, 2, 2] * 3
    assert costs == {1: pytest.approx([6e6, 6e6]), 2: pytest.approx([3e6, 3e6])}


@pytest.mark.parametrize(
    ("nanoseconds", "told"), [(0.4, "0.4 ns"), (999, "999 ns"), (1e3, "1 µs"), (2.5e6, "2.5 ms"), (3e9, "3 s")]
)
def test_a_time_is_told_in_the_unit_that_makes_it_short(nanoseconds, told):
    """Three digits and the largest unit that fits."""
    assert brief(nanoseconds) == told


def test_kinds_of_work_take_turns():
    """Every kind has as many rounds of each size, and none waits for another's last."""
    order = []

    def work(name):
        def run():
            order.append(name)
            return 1_000_000_000  # units: one call is enough for a slice

        return run

    found = together({name: {10: work(name)} for name in ("tier", "dict")}, count=3)
    assert {name: len(costs[10]) for name, costs in found.items()} == {"tier": 3, "dict": 3}
    assert [name for n, name in enumerate(order) if n == 0 or order[n - 1] != name] == ["tier", "dict"] * 3
