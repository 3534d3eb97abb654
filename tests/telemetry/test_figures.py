"""Calls, errors and latencies by agent, from the folded histograms."""

import math
import os

import pytest

from pea.telemetry import names
from pea.telemetry.figures import call_figures
from pea.telemetry.metrics import MetricStore
from pea.telemetry.process import ProcessFigures

CALL = names.METRIC_AGENT_CALL_DURATION


def test_an_agent_as_a_whole_and_by_capability():
    """Errors count in both; quantiles are within 1 % of the exact ones."""
    store = MetricStore(100)
    for n in range(1, 101):
        store.observe(CALL, n / 1000, ("calendar", "calendar.agenda", None))
    for _ in range(10):
        store.observe(CALL, 2.0, ("calendar", "calendar.freebusy", "deadline_exceeded"))
    store.observe(CALL, 0.5, ("travel", "travel.itinerary", None))
    whole, agenda, freebusy = call_figures(store, "calendar")
    assert (whole.capability, whole.count, whole.errors) == ("", 110, 10)
    assert (agenda.capability, agenda.count, agenda.errors) == ("calendar.agenda", 100, 0)
    assert (freebusy.count, freebusy.errors) == (10, 10)
    assert agenda.p50_s == pytest.approx(0.050, rel=0.01)
    assert agenda.p95_s == pytest.approx(0.095, rel=0.01)
    assert agenda.p99_s == pytest.approx(0.099, rel=0.01)
    assert (agenda.max_s, whole.max_s) == (0.1, 2.0)
    assert agenda.mean_s == pytest.approx(0.0505)
    assert [f.agent for f in call_figures(store)] == ["calendar", "calendar", "calendar", "travel", "travel"]


def test_no_calls_no_figures():
    """What was never measured has no figure, not a zero."""
    assert call_figures(MetricStore(100)) == []
    assert call_figures(MetricStore(100), "calendar") == []


def test_the_overflow_series_belongs_to_nobody():
    """Calls that overflowed are in no agent's figures."""
    store = MetricStore(1)
    store.observe(CALL, 0.1, ("calendar", "calendar.agenda", None))
    assert call_figures(store) == []


def test_process_figures_are_the_operating_systems():
    """Memory is positive, threads at least one, CPU between 0 and 1 and steady between close readings."""
    now = iter([0.0, 0.05, 10.0, 10.01])
    figures = ProcessFigures(clock=lambda: next(now))
    assert figures.memory_bytes() > 1 << 20
    assert figures.threads() >= 1
    assert figures.cpu_utilization() == 0.0
    later = figures.cpu_utilization()
    assert 0.0 <= later <= 1.0
    assert figures.cpu_utilization() == later
    assert not math.isnan(later)
    assert figures._handle().pid == os.getpid()


async def test_figures_gathered_aside_are_the_same(make_telemetry):
    """Off the loop or on it: one answer, for one agent and for all."""
    telemetry = make_telemetry()
    for n in range(1, 50):
        telemetry.metrics.observe(CALL, n / 1000, ("calendar", f"calendar.{n % 3}", None if n % 5 else "timeout"))
        telemetry.metrics.observe(CALL, n, ("travel", None, None))
    assert await telemetry.gather_figures() == telemetry.figures()
    found = await telemetry.gather_figures("calendar")
    assert found == telemetry.figures("calendar")
    assert [one.count for one in found] == [49, 16, 17, 16]
    assert [one.errors for one in found] == [9, 3, 3, 3]
