"""What has just begun is sure sooner where the time before was different, and what has passed is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.bench.detect_healthy import healthy
from pea.config import Seconds
from pea.watch.bounds import drawn_tail
from pea.watch.rule import Rule
from pea.watch.tally import Tally, sure_since

CALM = [5] * 30


def bad(*last: int) -> Tally:
    """Five calls in each slice of five minutes; as many bad ones in the last slices."""
    return Tally(CALM, [0] * (30 - len(last)) + list(last), 300.0)


@settings(max_examples=60)
@given(among=st.integers(1, 40), data=st.data())
def test_drawn_tail_is_the_sum_of_its_masses(among: int, data: st.DataObject) -> None:
    """The hypergeometric tail is what counting all draws gives."""
    marked, drawn = data.draw(st.integers(0, among)), data.draw(st.integers(0, among))
    found = data.draw(st.integers(0, drawn + 1))
    ways = sum(math.comb(marked, k) * math.comb(among - marked, drawn - k) for k in range(found, drawn + 1))
    assert drawn_tail(among, marked, drawn, found) == pytest.approx(ways / math.comb(among, drawn), abs=1e-12)


def test_one_call_in_five_is_sure_sooner_where_there_was_none_before() -> None:
    """Six of thirty are not surely more than 5 %; after 300 good ones it is sure that this has changed, and likely."""
    past = bad(1, 1, 1, 1, 1, 1)
    assert sure_since(past, 0.05, 0.9999) is None
    assert sure_since(past, 0.05, 0.9999, lambda: (300, 15)) is None
    found = sure_since(past, 0.05, 0.9999, lambda: (300, 0))
    assert found is not None
    assert found >= 200


def test_what_has_passed_is_not_called_lasting() -> None:
    """The same six in two slices: a moment's trouble is no change."""
    assert sure_since(bad(3, 3, 0, 0, 0, 0), 0.05, 0.9999, lambda: (300, 0)) is None


def test_the_plain_figure_is_compared_with_nothing() -> None:
    """`confidence: 0.5` asks whether the window is past its bound, as Prometheus does, and never what was before."""

    def never() -> tuple[int, int]:
        raise AssertionError("it was asked for")

    assert sure_since(bad(1, 1, 1), 0.05, 0.5, never) is None
    assert sure_since(bad(3, 3, 3), 0.05, 0.5, never) == 0


def test_healthy_weeks_and_doublings_are_within_their_limits() -> None:
    """The bench's lines, with fewer weeks: few false alarms near the bound, a doubling found within five minutes."""
    rule = Rule(name="slow", signal="agent.latency.p95", window=Seconds(300), min_samples=20)
    figures = healthy(rule, weeks=5, doublings=20)
    assert all(figure.value <= 0.4 for figure in figures[:-1])  # two alarms in five weeks
    assert figures[-1].passed
