"""The dashboard: figures folded from spans, null where nothing was measured, and what collecting them took."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea import Runtime, Settings
from pea.service import Service
from pea.service.chronicle import HOLDER
from pea.service.dashboard import BOARD
from pea.service.dashboard_board import Board
from pea.service.dashboard_charts import charts, mean_lag_s
from pea.service.dashboard_pulse import MAX_AGENTS, SERIES, SLOTS, STEP_S, Pulse
from pea.store import chronicle
from pea.store.series import STEP_S as SERIES_STEP_S
from pea.store.series import SeriesStore
from pea.telemetry.record import ERROR, Origin, SpanRecord

NOW = 1_800_000_000.0
ORIGIN = Origin("test")


class Clock:
    """A time that stands until it is moved."""

    now = NOW

    def __call__(self) -> float:
        return self.now


def span(took_ms, *, agent="", task=False, ended=NOW, trace=1, error="", leaves=(), entry=False):
    """A span that ended at a time."""
    about = {"gen_ai.agent.name": agent, "gen_ai.operation.name": "invoke_agent"} if agent else {}
    about |= {"pea.task.id": "t"} if task else {}
    about |= {"error.type": error} if error else {}
    end_ns = int(ended * 1e9)
    return SpanRecord(
        trace_id=trace,
        span_id=trace,
        name="x",
        start_ns=end_ns - int(took_ms * 1e6),
        end_ns=end_ns,
        attributes=about,
        origin=ORIGIN,
        status=ERROR if error else 0,
        leaves=leaves,
        entry=entry,
    )


def test_a_slot_is_a_step_of_the_series():
    """What is counted in a slot is sampled as one step."""
    assert STEP_S == SERIES_STEP_S


def test_requests_and_agents_are_counted_apart():
    """A task is a request, an agent's call is the agent's, and an agent that another program enters by is both."""
    pulse = Pulse(Clock())
    pulse.take([span(10, task=True), span(5, agent="mail"), span(7, agent="graph", entry=True), span(1)])
    assert pulse.requests.calls == 2
    assert {name: meter.calls for name, meter in pulse.agents.items()} == {"mail": 1, "graph": 1}
    assert pulse.operations == 4


@given(st.lists(st.floats(0.01, 60_000), min_size=1, max_size=200))
def test_quantiles_are_those_of_the_durations(durations):
    """The quantile of rank ceil(q * n), within 1.1 %, and never above the longest."""
    pulse = Pulse(Clock())
    pulse.take([span(took, task=True) for took in durations])
    window = pulse.window(1)
    ranked = sorted(durations)
    for q, found in ((0.5, window.p50_s), (0.95, window.p95_s), (0.99, window.p99_s)):
        exact = ranked[max(-(-int(q * 1000) * len(ranked) // 1000), 1) - 1] / 1e3
        assert found == pytest.approx(exact, rel=0.011, abs=1e-6)
        assert found <= window.max_s
    assert window.mean_s == pytest.approx(sum(durations) / len(durations) / 1e3, rel=1e-6)


def test_the_window_moves_on():
    """After five minutes a call has left the window, but is still counted in all."""
    clock = Clock()
    pulse = Pulse(clock)
    pulse.take([span(10, task=True, error="timeout", trace=7)])
    clock.now += 300
    window = pulse.window(30)
    assert (window.calls, window.p95_s, window.slowest, window.variability) == (0, None, None, None)
    assert (pulse.requests.calls, pulse.requests.error_types["timeout"], pulse.requests.failed) == (1, 1, 7)


def test_memory_is_bounded():
    """Neither time, nor agents, nor kinds of error make it grow without end."""
    clock = Clock()
    pulse = Pulse(clock)
    for number in range(SLOTS * 2):
        clock.now += STEP_S
        pulse.take([span(1, task=True, ended=clock.now, error=f"e{number}")])
    pulse.take([span(1, agent=f"a{number}", ended=clock.now) for number in range(MAX_AGENTS + 50)])
    assert len(pulse.requests.slots) == SLOTS
    assert len(pulse.requests.error_types) <= 21
    assert len(pulse.agents) == MAX_AGENTS


def test_absurd_times():
    """A span of another program may have ended in 1970 or in a hundred years: it counts in a slot that exists."""
    pulse = Pulse(Clock())
    pulse.take([span(1, task=True, ended=0.0), span(1, task=True, ended=NOW * 3), span(1, task=True, ended=5.0)])
    assert pulse.requests.calls == 3
    assert pulse.window(1).calls <= 3


def test_cache_lookups_by_tier():
    """Lookups are leaves: they count for the agent whose span they hang on, by the tier that answered."""
    leaves = [("cache.lookup mail", 0, 1, {"pea.cache.tier": tier}) for tier in ("l1", "l1", "none", "absurd")]
    pulse = Pulse(Clock())
    pulse.take([span(1, agent="mail", leaves=leaves)])
    assert pulse.agents["mail"].tiers == pulse.requests.tiers == {"l1": 2, "none": 1}


def test_a_chart_point_and_its_exemplars(tmp_path):
    """The figures of a full slot become a point, beside the traces nearest to its quantiles."""
    clock = Clock()
    pulse, series = Pulse(clock), SeriesStore(100, tmp_path / "series")
    pulse.take([span(took, task=True, trace=took) for took in (10, 11, 12, 900)])
    clock.now += STEP_S
    series.sample(clock.now, pulse.source())
    found = charts(series, pulse, "15m", clock.now)
    assert len(found.series["p95"]) == 90
    assert found.series["p95"][-1] == pytest.approx(0.9, rel=0.011)
    assert found.series["rate"][-2:] == [None, 0.4]
    assert [int(trace, 16) for trace in found.exemplars["89"]] == [11, 900, 900]
    assert found.start_ms + 89 * 10_000 == 1e3 * clock.now
    clock.now += STEP_S
    assert f"{SERIES}.p95" not in pulse.source()  # nothing ended: no figure, rather than nought


@pytest.mark.parametrize("window", ["15m", "1h", "6h", "24h"])
def test_charts_of_nothing(tmp_path, window):
    """Before the first sample every line is there, and empty."""
    found = charts(SeriesStore(10, tmp_path / "series"), Pulse(Clock()), window, NOW)
    assert {value for line in found.series.values() for value in line} == {None}
    assert len({len(line) for line in found.series.values()}) == 1


def test_lag_is_a_mean_over_beats(tmp_path):
    """The event loop's lag is what its histogram grew by: a restart, which counts anew, says nothing."""
    series = SeriesStore(10, tmp_path / "series")
    for step, (total, count) in enumerate([(1.0, 100), (1.4, 200), (0.1, 50), (0.3, 100)]):
        series.sample(NOW + 10 * step, {"pea.loop.lag:sum": total, "pea.loop.lag:count": count})
    found = charts(series, Pulse(Clock()), "15m", NOW + 30)
    assert found.series["lag"][-4:] == [None, 0.004, None, 0.004]
    assert mean_lag_s(series, NOW + 10) == pytest.approx(0.004)
    assert mean_lag_s(series, NOW + 30) == pytest.approx(0.004)
    assert mean_lag_s(series, NOW - 1_000) is None


async def test_the_whole(site):
    """One answer has all parts; what is not measured is null."""
    await site.task("echo.relay", words="hello")
    await site.task("echo.fail", reason="no")
    await site.service.runtime.telemetry.flush()
    _, body = await site.send("GET", "/v1/dashboard?window=1h")
    overview, rows = body["overview"], {row["name"]: row for row in body["agents"]}
    assert (overview["requests"], overview["errors"], overview["agents_active"]) == (2, 1, 2)
    assert rows["echo"]["calls"] == rows["gate"]["calls"] + 1
    assert rows["echo"]["metrics"]["reliability"]["errors_by_type"]
    assert rows["gate"]["metrics"]["resources"]["heap_bytes"] is None
    assert body["system"]["resources"]["memory_bytes"] > 1e6
    assert not body["alerts"]
    assert body["charts"]["window"] == "1h"
    assert len(body["tasks"]) == 2
    assert body["collected_ms"] >= 0


async def test_trouble_lowers_health(serve, agents):
    """An agent that did not start, and one that is not well, are named among what lowers health."""
    gate = agents["gate"]()
    gate.trouble = "the hinge is loose"
    async with serve(gate, agents["broken"]()) as site:
        _, body = await site.send("GET", "/v1/dashboard")
        health = body["overview"]["health"]
        assert health["score"] < 100
        told = " ".join(one["reason"] for one in health["lowered_by"])
        assert "broken is not in service" in told
        assert "gate is not well" in told
        assert {row["name"]: row["problem"] for row in body["agents"]}["gate"] == "the hinge is loose"


async def test_alerts_have_their_place(site):
    """Without a detector there are no alerts to speak of; with one they are shown, and count for health."""
    board = Board(site.service.runtime)
    assert (await board.collect()).alerts is None
    board.alerts = lambda: [{"name": "p95", "severity": "high"}]
    found = await board.collect()
    assert found.alerts == [{"name": "p95", "severity": "high"}]
    assert "1 high alert firing" in found.overview.health.lowered_by[0].reason


async def test_series_outlive_the_service(agents, tmp_path, monkeypatch):
    """The charts of yesterday are there after a restart."""
    monkeypatch.setattr(chronicle, "SAMPLE_S", 1e9)  # none but the sample that is asked for
    settings = msgspec.convert({"service": {"port": 0}, "state": str(tmp_path)}, Settings)
    known = []
    for _ in range(2):
        async with Service(Runtime(settings, agents=[agents["echo"]()])) as service:
            await service.ready()
            found = service.app[BOARD].charts("15m")
            known.append(any(value is not None for value in found.series["memory"]))
            await asyncio.to_thread(service.app[HOLDER].chronicle.sample)
    assert known == [False, True]
