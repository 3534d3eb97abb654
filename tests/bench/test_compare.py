"""Regressions are found by rank: noise is not one, a fifth more is, and the number of lines is accounted for."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.bench.compare import compare
from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line
from pea.bench.rank import holm, p_greater
from pea.bench.result import Measured, environment, keyed, merged, read, result, write
from pea.errors import ConfigError

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _line(what, samples, budget=None):
    rounds = tuple(tuple(float(value) for value in sample) for sample in samples)
    return Line(what, 1.0, "peer", 1.0, float(np.median(rounds[0])), 0.0, 1, budget, samples=rounds)


def _run(seed, slower=(), lines=30, launches=3, rounds=14):
    """A run whose launches differ by 2 % and rounds by 5 %; the lines named take a fifth more."""
    dice = np.random.default_rng(seed)
    entries = []
    for number in range(lines):
        true = 0.1 * (number + 1) * (1.2 if number in slower else 1.0)
        sample = true * dice.lognormal(0, 0.02, (launches, 1)) * dice.lognormal(0, 0.05, (launches, rounds))
        entries.append(_line(f"line {number}", sample))
    suites = {"spans": Measured("about", tuple(entries), 1.0, 1.0, launches)}
    return result("whole", BEGAN, suites, environment())


def test_two_runs_of_one_tree_show_no_regression():
    """Of forty pairs of runs of thirty lines each, at most one shows anything at all (alpha is 1 %)."""
    seen = [compare(_run(2 * seed), _run(2 * seed + 1)) for seed in range(40)]
    assert sum(bool(one.worse or one.better) for one in seen) <= 1
    assert all(one.compared == 30 for one in seen)


def test_a_fifth_more_is_reported_and_nothing_else():
    """Twenty of twenty runs with one slow line name it; the other way round it became faster."""
    for seed in range(20):
        slow, usual = _run(seed, slower=(7,)), _run(seed + 100)
        worse = compare(slow, usual)
        assert [change.what for change in worse.worse] == ["line 7"]
        assert 0.1 < worse.worse[0].shift < 0.3
        assert [change.what for change in compare(usual, slow).better] == ["line 7"]


def test_more_is_better_where_a_figure_says_so():
    """A rate that falls by a third is worse; the same fall of a time is better."""
    high, low = (tuple(float(value + n / 10) for n in range(20)) for value in (30, 20))

    def run(sample):
        rate = Figure("rate", 1.0, "calls/s", at_least=True, samples=(sample,))
        time = Figure("time", 1.0, "ms", samples=(sample,))
        return result("whole", BEGAN, {"calls": Measured("", (rate, time), 1.0, 1.0)}, environment())

    found = compare(run(low), run(high))
    assert [change.what for change in found.worse] == ["rate"]
    assert [change.what for change in found.better] == ["time"]


def test_lines_that_only_one_run_has_are_named():
    """A line that disappeared from a suite that ran is told, as a new one is; suites not run are nobody's loss."""
    few, many = _run(1, lines=2), _run(2, lines=3)
    assert compare(few, many).lost == (("spans", "line 2", "peer"),)
    assert compare(many, few).gained == (("spans", "line 2", "peer"),)
    nothing = msgspec.structs.replace(few, suites={})
    assert compare(nothing, many).lost == ()


@given(st.lists(st.floats(0.1, 10), min_size=4, max_size=30), st.floats(1.0, 3.0))
@settings(max_examples=50)
def test_the_p_value_is_one_and_orders(values, factor):
    """It lies in [0, 1]; moving a sample up never makes it less sure that it lies above."""
    other = values[::-1]
    at, above = p_greater(values, other), p_greater([factor * value for value in values], other)
    assert 0.0 <= above <= at + 1e-12 <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ([11, 12, 13, 14, 15], [1, 2, 3, 4, 5], 0.006093),  # U = 25: z = 12 / sqrt(25 * 11 / 12)
        ([1, 2, 2, 3, 9], [1, 2, 2, 3, 4], 0.5),  # U = 13 with half of each tie: z = 0
        ([5, 5, 5, 5], [5, 5, 5, 5], 1.0),
        ([9, 9, 9], [1, 1, 1], 1.0),  # too few to say
    ],
)
def test_the_p_value_is_that_of_the_field(new, old, expected):
    """By the normal approximation, corrected for ties and continuity."""
    assert p_greater(new, old) == pytest.approx(expected, abs=1e-3)


def test_holm_stops_at_the_first_that_is_too_large():
    """0.012 alone would do against 0.05 / 3; behind 0.03 > 0.05 / 2 nothing more is given up."""
    assert holm({"a": 0.012, "b": 0.03, "c": 0.04}, 0.05) == {"a"}
    assert holm({"a": 0.01, "b": 0.02, "c": 0.04}, 0.05) == {"a", "b", "c"}
    assert holm({}, 0.05) == set()


def test_launches_become_one(tmp_path):
    """Samples stand side by side, ratio and verdict are of all; what a launch lacks is taken from others."""
    first = [_line("x", [(1.0, 1.2, 1.4)], budget=1.5), Absent("y", "peer", "not installed")]
    second = [_line("x", [(1.6, 1.8, 2.0)], budget=1.5)]
    line, absent = merged([first, second])
    assert line.samples == ((1.0, 1.2, 1.4), (1.6, 1.8, 2.0))
    assert (line.ratio, line.passed, absent.peer) == (1.5, True, "peer")
    figures = merged([[Figure("f", 1.0, "s")], [Figure("f", 3.0, "s")], [Figure("f", 2.0, "s")]])
    assert (figures[0].value, figures[0].count) == (2.0, 3)


def test_what_is_said_twice_is_kept_apart():
    """An indented line belongs to the one above; the same words again are numbered; nothing is lost in merging."""
    names = ("a", "  p95", "b", "  p95", "b")
    entries = tuple(Figure(what, float(number), "ms") for number, what in enumerate(names))
    assert [key[0] for key, _ in keyed(entries)] == ["a", "a: p95", "b", "b: p95", "b (2)"]
    assert merged([entries, entries])[3].value == 3.0


def test_a_result_comes_back_from_its_file(tmp_path):
    """Written and read it is the same, entries of all kinds included; anything else is refused with its name."""
    entries = (_line("x", [(1.0, 2.0)]), Figure("f", 1.0, "s", budget=2.0), Absent("y", "peer", "why"))
    found = result("quick", BEGAN, {"spans": Measured("about", entries, 1.0, 1.0)}, environment())
    write(tmp_path / "r.json", found)
    assert read(tmp_path / "r.json") == found
    (tmp_path / "other.json").write_text("[1]")
    for name in ("other.json", "none.json"):
        with pytest.raises(ConfigError, match=name):
            read(tmp_path / name)
    (tmp_path / "old.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(found, format=0)))
    with pytest.raises(ConfigError, match="format 0"):
        read(tmp_path / "old.json")
