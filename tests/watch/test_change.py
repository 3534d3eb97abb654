"""A figure that is not what it was: told when it is sure, with what it was, and not told of what does not matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.watch.bounds import lower_tail
from pea.watch.buckets import count, merge
from pea.watch.change import (
    SURE,
    gauge_before,
    quantile_before,
    quantile_bound,
    rate_share,
    settled,
    share_before,
    share_bound,
    spare,
)
from pea.watch.evaluate import evaluate, needs
from pea.watch.reading import Scene
from pea.watch.rule import Rule, decode_unit
from pea.watch.window import Slice, Window
from pea.watch.windows import Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall


@settings(max_examples=50)
@given(n=st.integers(0, 3_000), share=st.sampled_from([0.5, 0.05, 0.01]))
def test_so_many_may_be_above_and_not_one_more(n: int, share: float) -> None:
    """`spare` is the largest count whose tail is still within the error allowed."""
    found = spare(n, share)
    if found >= 0:
        assert lower_tail(n, found, share) <= 1 - SURE
    assert n == 0 or lower_tail(n, found + 1, share) > 1 - SURE


def test_the_bound_of_a_quantile_holds_as_often_as_it_says() -> None:
    """Of 400 samples from one distribution at most about one in a hundred has its true p95 above the upper bound."""
    random = np.random.default_rng(1)
    true = math.exp(0.5 * 1.6449) * 0.1
    missed = 0
    for _ in range(400):
        counts = merge([count(list(0.1 * random.lognormal(0, 0.5, 150)))])
        found = quantile_bound(counts, 0.95, 1 - SURE)
        assert found is not None
        missed += found < true * 0.99
    assert missed <= 10


def calls(values: list[float], *, failed: int = 0) -> list[list[Slice]]:
    """Values, the first ones failed, evenly over ten minutes that a series of long standing had."""
    window, step_s = Window(), 600 / len(values)
    window.add(int((NOW_S - 800) * 1e9), values[0])
    for place, value in enumerate(values):
        window.add(int((NOW_S - 600 + place * step_s) * 1e9), value, marked=place < failed)
    return settled([window], NOW_S - 600 - 1e-3, NOW_S - 1e-3)


def test_a_slow_stretch_does_not_hide_that_the_rest_was_quick() -> None:
    """Two minutes of an earlier fault, in ten: the middle stretch says what is usual; half of the time is usual too."""
    for slow, usual in ((120, 0.1), (400, 3.0)):
        found = quantile_before(calls([3.0] * slow + [0.1] * (600 - slow)), 0.95, 2, 0)
        assert found is not None
        assert (found.value, found.bound) == pytest.approx((usual, 2 * usual), rel=0.01)
    failing = share_before(calls([0.1] * 600, failed=120), 2, 0)
    assert failing is not None
    assert (failing.value, failing.bound < 0.1) == (0, True)


def test_the_bound_of_the_middle_stretch_holds_as_often_as_it_says() -> None:
    """Five stretches alike: the lower of the two bounds is below the true p95 in at most two of a hundred samples."""
    random = np.random.default_rng(2)
    true, missed = math.exp(0.5 * 1.6449) * 0.1, 0
    for _ in range(300):
        found = quantile_before(calls(list(0.1 * random.lognormal(0, 0.5, 300))), 0.95, 1.0 + 1e-9, 0.0)
        assert found is not None
        missed += found.bound < true * 0.99
    assert missed <= 9


def test_a_cold_start_is_not_what_was_usual() -> None:
    """The first thirty calls of a series that has just begun are left out, and those of an old one are not."""
    begun, old = Window(), Window()
    old.add(int((NOW_S - 880) * 1e9), 0.1)
    for place in range(140):
        for window in (begun, old):
            window.add(int((NOW_S - 400 + 2 * place) * 1e9), 5.0 if place < 25 else 0.1)
    young = quantile_before(settled([begun], NOW_S - 720, NOW_S - 120), 0.95, 2, 0)
    assert young is not None
    assert young.value == pytest.approx(0.1, rel=0.01)
    assert sum(one.count for held in settled([begun], NOW_S - 720, NOW_S - 120) for one in held) == 110
    assert sum(one.count for held in settled([old], NOW_S - 720, NOW_S - 120) for one in held) == 140


def test_few_samples_have_no_bound() -> None:
    """With fifty values nobody knows how high a p95 may be."""
    assert quantile_before(calls([0.1] * 50), 0.95, 2, 0) is None
    assert share_before([], 2, 0) is None
    assert gauge_before(np.array([1.0, np.nan]), 2, 0) is None


def test_a_share_and_a_gauge_are_bounded_by_what_they_were() -> None:
    """Benefit of the doubt for a share, noise for a gauge, and never past all of it."""
    assert 0.01 < share_bound(1_000, 10, 1 - SURE) < 0.025
    all_of_it = share_before(calls([0.1] * 10, failed=9), 5, 0)
    assert all_of_it is not None
    assert all_of_it.bound == 1
    noisy = np.array([90.0, 110.0] * 30)
    up, down = gauge_before(noisy, 1.1, 0), gauge_before(noisy, 0.9, 0)
    assert up is not None
    assert down is not None
    assert up.bound - up.value == pytest.approx(5 * 1.4826 * 10)
    assert down.value - down.bound == pytest.approx(5 * 1.4826 * 10)


def test_half_of_the_time_has_half_of_the_events() -> None:
    """At an unchanged rate the share is that of the time."""
    assert rate_share(1.0, 300, 300) == 0.5
    assert rate_share(2.0, 300, 600) == 0.5


def read(clock: Clock, calls: list[Any], **fields: Any) -> tuple[Rule, Any]:
    rule = msgspec_rule(**fields)
    windows = Windows(clock)
    windows.need(needs((rule,)))
    windows.take(calls)
    (found,) = evaluate(rule, Scene(windows, None, NOW_S - 2_000), clock())  # type: ignore[arg-type]
    return rule, found


def msgspec_rule(**fields: Any) -> Rule:
    import msgspec

    given = {"name": "mine", "signal": "agent.latency.p95", "by": ["agent"], "min_samples": 20, **fields}
    return msgspec.convert(given, Rule, dec_hook=decode_unit)


@pytest.mark.parametrize(
    ("change", "now_s", "wrong"),
    [({"factor": 2}, 0.5, True), ({"factor": 2, "at_least": "1s"}, 0.5, False), ({"factor": 10}, 0.5, False)],
)
def test_a_slower_agent_is_told_in_the_last_seconds(
    clock: Clock, call: MakeCall, change: dict[str, Any], now_s: float, wrong: bool
) -> None:
    """Ten slow calls after a quarter of an hour of quick ones are enough, where the difference matters."""
    calls = [call(NOW_S - 1 - n, now_s if n < 10 else 0.1) for n in range(880)]
    _, found = read(clock, calls, change=change)
    assert (found.wrong, found.over) == (wrong, not wrong)
    if wrong:
        assert found.evidence["before"] == pytest.approx(0.1, rel=0.01)
        assert found.evidence["bound"] == pytest.approx(0.2, rel=0.01)


def test_without_a_before_nothing_is_said(clock: Clock, call: MakeCall) -> None:
    """A service that has just begun has no past to differ from."""
    _, found = read(clock, [call(NOW_S - 1 - n, 5.0) for n in range(100)], change={"factor": 2})
    assert (found.wrong, found.over) == (None, None)


def test_a_young_service_is_compared_with_what_there_is_of_its_past(clock: Clock, call: MakeCall) -> None:
    """Three minutes old and slow for the last twenty seconds: what was before half of the window says so."""
    calls = [call(NOW_S - 1 - n, 1.0 if n < 20 else 0.1) for n in range(200)]
    _, found = read(clock, calls, change={"factor": 2})
    assert found.wrong is True
    assert found.evidence["before"] == pytest.approx(0.1, rel=0.01)


def test_more_failures_than_before_and_fewer_calls(clock: Clock, call: MakeCall) -> None:
    """Shares and rates change too: failures from 1 % to 20 %, calls from one a second to one in ten."""
    calls = [call(NOW_S - 1 - n, 0.1, failed=n % (5 if n < 300 else 100) == 0) for n in range(890)]
    _, found = read(clock, calls, signal="agent.errors", change={"factor": 2})
    assert found.wrong is True
    assert found.evidence["before"] == pytest.approx(0.01, rel=0.5)
    calls = [call(NOW_S - 1 - n, 0.1) for n in range(890) if n > 300 or n % 10 == 0]
    _, found = read(clock, calls, signal="agent.rate", change={"factor": 0.5})
    assert (found.wrong, round(found.value, 1), round(found.evidence["before"], 1)) == (True, 0.1, 1.0)
    _, found = read(clock, calls, signal="agent.rate", change={"factor": 2})
    assert found.wrong is False
