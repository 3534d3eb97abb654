"""Windows: what is counted where, for how long, and how much memory it may take."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.telemetry import Telemetry, names
from pea.telemetry.record import Inlet, Origin, SpanRecord
from pea.watch.buckets import count, merge, quantile
from pea.watch.window import SHORT_S, Window
from pea.watch.windows import OTHER, Need, Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall

DURATIONS = st.lists(st.floats(1e-6, 4_000.0), min_size=1, max_size=300)


@given(DURATIONS, DURATIONS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@settings(max_examples=60, deadline=None)
def test_quantiles_are_right_within_one_percent_however_batches_are_merged(
    first: list[float], second: list[float], q: float
) -> None:
    """A quantile of merged batches is within 1 % of the exact value of its rank."""
    values = sorted(first + second)
    exact = values[max(math.ceil(q * len(values) - 1e-9), 1) - 1]
    assert quantile(merge([count(first), count(second)]), q) == pytest.approx(exact, rel=0.01)
    assert (merge([count(first), count(second)]) == merge([count(second, count(first))])).all()


@given(DURATIONS, st.floats(1e-6, 4_000.0))
@settings(max_examples=60, deadline=None)
def test_values_above_a_threshold_are_never_overcounted(values: list[float], threshold: float) -> None:
    """What is said to be above is above; what is above by more than a bucket's width is counted."""
    found = count(values).above(threshold)
    assert sum(value > threshold * 1.011 for value in values) <= found <= sum(value > threshold for value in values)


def test_a_threshold_that_is_a_power_of_two_is_exact() -> None:
    """One second is a bucket's edge: 1 s is not above it, and 1.001 s is."""
    assert count([0.999, 1.0, 1.001]).above(1.0) == 1


def test_slices_leave_the_window_with_event_time() -> None:
    """A value counts for as long as the window is, by its own time."""
    window = Window()
    window.add(int(NOW_S * 1e9), 0.2, 7, marked=True)
    assert window.figures(NOW_S - 300, NOW_S).count == 1
    assert window.figures(NOW_S - 300, NOW_S).marked == 1
    assert window.figures(NOW_S - 10, NOW_S + 290).count == 1
    assert window.figures(NOW_S + 10, NOW_S + 310).count == 0
    assert [one.worst for one in window.slices(NOW_S - 300, NOW_S)] == [(0.2, 7, int(NOW_S * 1e9))]


def test_late_values_count_where_they_belong_and_too_late_ones_are_counted_as_late() -> None:
    """Order of arrival does not matter until a slice has gone."""
    window = Window()
    for offset in (0, -60, -30, -SHORT_S - 20):
        window.add(int((NOW_S + offset) * 1e9), 0.1, 1)
    assert window.figures(NOW_S - 300, NOW_S).count == 3
    assert window.figures(NOW_S - 40, NOW_S).count == 2
    assert window.late == 1


def test_long_counts_reach_back_for_days_and_forget_what_is_older() -> None:
    """Five-minute counts hold values, marked ones and those above a limit, as far back as asked."""
    window = Window(86_400, (0.3,))
    for minutes in range(0, 24 * 60, 5):
        window.add(int((NOW_S + minutes * 60) * 1e9), 0.5 if minutes % 2 else 0.1, 1, marked=not minutes % 10)
    end = NOW_S + 24 * 3600 - 1
    assert window.long(end - 3600, end) == (12, 6)
    assert window.long(end - 3600, end, 0.3) == (12, 6)
    window.add(int((NOW_S + 7 * 86_400) * 1e9), 0.1, 1)
    assert window.long(NOW_S, NOW_S + 7 * 86_400) == (1, 0)


def test_a_busy_window_of_five_minutes_takes_less_than_64_kb() -> None:
    """Memory is bounded by buckets, not by values."""
    window, random = Window(), np.random.default_rng(1)
    for second in range(300):
        for value in random.lognormal(-2, 1.0, 50):
            window.add(int((NOW_S + second) * 1e9), float(value), 1)
    assert window.figures(NOW_S - 10, NOW_S + 300).count == 15_000
    assert window.size_bytes <= 64_000


def test_series_are_kept_by_agent_and_capability_and_grouped_by_either(clock: Clock, call: MakeCall) -> None:
    """One span counts once, in the series of its labels."""
    windows = Windows(clock)
    windows.take([call(NOW_S, agent="travel"), call(NOW_S, agent="mail", capability="mail.read"), call(NOW_S)])
    shelf = windows.shelf("agent")
    assert set(shelf.series) == {("travel", "travel.plan"), ("mail", "mail.read")}
    assert {
        key: sum(w.figures(NOW_S - 60, NOW_S).count for w in held) for key, held in shelf.grouped(("agent",)).items()
    } == {
        ("travel",): 2,
        ("mail",): 1,
    }


def test_more_series_than_the_limit_share_one(clock: Clock, call: MakeCall) -> None:
    """Cardinality is bounded: what would be one more is counted with all others."""
    windows = Windows(clock, limit=3)
    windows.take([call(NOW_S, agent=f"agent{number}") for number in range(10)])
    shelf = windows.shelf("agent")
    assert len(shelf.series) == 3
    assert shelf.series[OTHER, OTHER].figures(NOW_S - 60, NOW_S).count == 8


def test_a_strangers_clock_that_runs_ahead_counts_as_now(clock: Clock, call: MakeCall) -> None:
    """A span from the future must not empty the windows of what happened before it."""
    windows = Windows(clock)
    windows.take([call(NOW_S), call(NOW_S + 10_000_000, seconds=0.25)])
    (window,) = windows.shelf("agent").series.values()
    assert window.figures(NOW_S - 60, NOW_S).count == 2
    assert window.figures(NOW_S - 60, NOW_S).high == pytest.approx(0.25, abs=1e-6)
    assert windows.ahead == 1


def test_rules_may_group_by_any_attribute(clock: Clock, call: MakeCall) -> None:
    """An attribute that a rule asks for becomes a label of the family's series."""
    windows = Windows(clock)
    windows.need([Need("agent", ("session.id",))])
    windows.take([call(NOW_S, attributes={"session.id": "a"}), call(NOW_S, attributes={"session.id": ["a", "list"]})])
    assert set(windows.shelf("agent").grouped(("session.id",))) == {("a",), ("['a', 'list']",)}


def test_agents_of_other_programs_are_measured_too(clock: Clock, call: MakeCall) -> None:
    """A span that says in the GenAI words that it invokes an agent belongs to the same family."""
    windows = Windows(clock)
    windows.take(
        [
            call(NOW_S, origin=Origin("crew"), attributes={names.GEN_AI_OPERATION_NAME: "invoke_agent"}),
            call(NOW_S, origin=Origin("crew")),
        ]
    )
    assert sum(w.figures(NOW_S - 60, NOW_S).count for w in windows.shelf("agent").series.values()) == 1


def test_a_lookup_that_misses_is_marked(clock: Clock) -> None:
    """Leaves are counted as the spans they stand for; a cache's mark is the miss."""
    at = int(NOW_S * 1e9)
    leaves = [
        (
            "cache.lookup places",
            at - 1000,
            at,
            {names.PEA_CACHE_NAME: "places", names.PEA_CACHE_TIER: "l1", names.PEA_CACHE_HIT: True},
        ),
        (
            "cache.lookup places",
            at - 1000,
            at,
            {names.PEA_CACHE_NAME: "places", names.PEA_CACHE_TIER: "none", names.PEA_CACHE_HIT: False},
        ),
    ]
    windows = Windows(clock)
    record = SpanRecord(
        trace_id=1,
        span_id=1,
        name="invoke_agent x",
        start_ns=at,
        end_ns=at,
        leaves=leaves,
        origin=Origin("pea", scope="pea"),
    )
    windows.take([record])
    (held,) = windows.shelf("cache").grouped(("cache",)).values()
    assert [
        sum(w.figures(NOW_S - 60, NOW_S).count for w in held),
        sum(w.figures(NOW_S - 60, NOW_S).marked for w in held),
    ] == [2, 1]


def test_series_of_which_nothing_is_left_are_forgotten(clock: Clock, call: MakeCall) -> None:
    """Agents that come and go do not fill the shelf."""
    windows = Windows(clock)
    windows.take([call(NOW_S)])
    windows.forget(NOW_S + SHORT_S + 20)
    assert not windows.shelf("agent").series


async def test_windows_take_the_spans_of_a_telemetry() -> None:
    """Behind an inlet, windows are a consumer of the drain like any other."""
    telemetry = Telemetry()
    windows = Windows()
    telemetry.add_consumer(Inlet([windows]))
    with telemetry.tracer.span(
        "invoke_agent mail", {names.GEN_AI_AGENT_NAME: "mail", names.PEA_CAPABILITY: "mail.read"}
    ):
        pass
    await telemetry.flush()
    assert set(windows.shelf("agent").series) == {("mail", "mail.read")}
    await telemetry.aclose()
