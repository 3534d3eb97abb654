"""Rules against the present: what fires, what is over, and what is left open for want of samples."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from pea.store.series import SeriesStore
from pea.watch.evaluate import evaluate, exemplars, needs
from pea.watch.reading import Reading, Scene
from pea.watch.rule import Rule, decode_unit
from pea.watch.samples import labels_in
from pea.watch.windows import Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall


class Stage:
    """Windows and samples that tests put things on."""

    def __init__(self, clock: Clock, call: MakeCall) -> None:
        self.clock = clock
        self.call = call
        self.windows = Windows(clock)
        self.series = SeriesStore(100)
        self.scene = Scene(self.windows, self.series, memory_limit=4e9)

    def rule(self, **fields: Any) -> Rule:
        """A rule by its YAML fields; windows are told of it."""
        made = msgspec.convert({"name": "mine", **fields}, Rule, dec_hook=decode_unit)
        self.windows.need(needs((made,)))
        return made

    def calls(self, count: int, seconds: float, **about: Any) -> None:
        """Calls that end within the last 100 seconds."""
        now = self.clock()
        self.windows.take([self.call(now - 1 - place % 100, seconds, **about) for place in range(count)])

    def sample(self, name: str, values: list[float]) -> None:
        """Samples, ten seconds apart, the last one now."""
        for place, value in enumerate(values):
            self.series.sample(self.clock() - 10 * (len(values) - 1 - place), {name: value})

    def read(self, rule: Rule, *, active: bool = False) -> Reading:
        """The one reading of a rule."""
        (found,) = evaluate(rule, self.scene, self.clock(), [("travel",), ()] if active else ())
        return found


@pytest.fixture
def stage(clock: Clock, call: MakeCall) -> Stage:
    return Stage(clock, call)


SLOW = {"signal": "agent.latency.p95", "by": ["agent"], "above": "1s", "clear": {"below": "900ms"}, "min_samples": 20}


def test_a_slow_agent_is_wrong_and_named_with_its_p95(stage: Stage) -> None:
    """Enough slow calls: wrong, with the value and the labels."""
    rule = stage.rule(**SLOW)
    stage.calls(60, 0.2)
    stage.calls(40, 1.6)
    found = stage.read(rule)
    assert (found.labels, found.wrong, found.over) == (("travel",), True, False)
    assert found.value == pytest.approx(1.6, rel=0.01)
    assert found.evidence == {"samples": 100, "past_threshold": 40, "seconds": 300}


def test_what_has_just_begun_is_seen_in_the_last_seconds_and_told_with_their_figures(stage: Stage) -> None:
    """Eight failures in a row after minutes of success: wrong now, over the longest end of the window that is sure."""
    rule = stage.rule(signal="agent.errors", by=["agent"], above="5%", min_samples=20)
    stage.windows.take([stage.call(NOW_S - 1 - n, 0.1) for n in range(280)])
    stage.clock.move(10)
    stage.windows.take([stage.call(NOW_S + n, 0.1, failed=True) for n in range(1, 9)])
    found = stage.read(rule)
    assert (found.wrong, found.evidence["seconds"]) == (True, 10)
    assert found.value > 0.2
    plain = stage.rule(signal="agent.errors", by=["agent"], above="5%", min_samples=20, confidence=0.5)
    assert stage.read(plain).wrong is False


def test_few_samples_say_nothing(stage: Stage) -> None:
    """Below `min_samples` neither wrong nor over is known, however slow they were."""
    rule = stage.rule(**SLOW)
    stage.calls(19, 30.0)
    assert (stage.read(rule).wrong, stage.read(rule).over) == (None, None)


def test_one_slow_outlier_among_twenty_cannot_fire(stage: Stage) -> None:
    """The p95 of 21 calls is past the threshold with two slow ones, yet nobody can be sure: it is not wrong."""
    rule = stage.rule(**SLOW)
    stage.calls(19, 0.1)
    stage.calls(2, 9.0)
    assert stage.read(rule).wrong is False
    assert stage.read(rule, active=True).value > 1


def test_over_is_past_the_clearing_bound(stage: Stage) -> None:
    """Between 900 ms and 1 s an alert is neither wrong nor over: that is the hysteresis."""
    rule = stage.rule(**SLOW)
    stage.calls(100, 0.95)
    assert (stage.read(rule).wrong, stage.read(rule).over) == (False, False)
    stage.clock.move(400)
    stage.calls(100, 0.85)
    assert (stage.read(rule).wrong, stage.read(rule).over) == (False, True)


@pytest.mark.parametrize(
    ("fields", "wrong", "over", "value"),
    [
        ({"signal": "agent.errors", "above": "5%"}, True, False, 0.3),
        ({"signal": "agent.errors", "above": "60%"}, False, True, 0.3),
        ({"signal": "agent.latency.mean", "above": "100ms"}, True, False, 0.2),
        ({"signal": "agent.latency.max", "above": "100ms", "clear": {"below": "90ms"}}, True, False, 0.2),
        ({"signal": "agent.rate", "above": "1/s", "window": "100s"}, False, True, 1.0),
        ({"signal": "agent.rate", "below": "2/s", "window": "100s"}, True, False, 1.0),
        ({"signal": "agent.latency.p50", "below": "300ms"}, True, False, 0.2),
    ],
)
def test_each_figure_of_spans(stage: Stage, fields: dict[str, Any], wrong: bool, over: bool, value: float) -> None:
    """Errors, mean, greatest, rate, and bounds from below."""
    rule = stage.rule(by=["agent"], **fields)
    stage.calls(70, 0.2)
    stage.calls(30, 0.2, failed=True)
    found = stage.read(rule, active=True)
    assert (found.wrong, found.over) == (wrong, over)
    assert found.value == pytest.approx(value, rel=0.02)


def test_where_chooses_series_and_by_tells_them_apart(stage: Stage) -> None:
    """One reading for each value of `by` among the series that `where` lets through."""
    rule = stage.rule(signal="agent.errors", by=["capability"], where={"agent": ["travel", "mail"]}, above="5%")
    for agent, capability in (("travel", "travel.plan"), ("mail", "mail.read"), ("legal", "legal.read")):
        stage.calls(30, 0.1, agent=agent, capability=capability)
    assert {one.labels for one in evaluate(rule, stage.scene, NOW_S)} == {("travel.plan",), ("mail.read",)}


def test_exemplars_are_the_slowest_or_the_failed_traces(stage: Stage) -> None:
    """A latency alert shows slow traces, slowest first; an error alert shows failed ones."""
    slow, wrong = stage.rule(**SLOW), stage.rule(signal="agent.errors", by=["agent"], above="5%")
    failed = stage.call(NOW_S - 60, 0.1, failed=True)
    long = stage.call(NOW_S - 30, 5.0)
    stage.windows.take([stage.call(NOW_S - 200, 0.2), failed, long])
    assert exemplars(slow, stage.windows, ("travel",), NOW_S)[0] == long.trace_id
    assert exemplars(wrong, stage.windows, ("travel",), NOW_S) == (failed.trace_id,)


def test_a_gauge_is_its_latest_fresh_sample(stage: Stage) -> None:
    """Bytes of several series add up; a sample of long ago says nothing."""
    rule = stage.rule(signal="agent.memory", above="1GiB")
    stage.series.sample(
        NOW_S, {"pea.agent.memory{gen_ai.agent.name=a}": 6e8, "pea.agent.memory{gen_ai.agent.name=b}": 6e8}
    )
    assert (stage.read(rule).value, stage.read(rule).wrong) == (pytest.approx(1.2e9), True)
    stage.clock.move(300)
    assert stage.read(rule).wrong is None


def test_a_counter_is_its_increase_and_begins_anew_when_it_falls(stage: Stage) -> None:
    """What a counter grew by within the window, restarts included."""
    rule = stage.rule(signal="telemetry.dropped", above=0)
    name = "pea.telemetry.spans{pea.telemetry.outcome=dropped}"
    stage.sample(name, [5.0, 5, 7, 1, 2])
    assert (stage.read(rule).value, stage.read(rule).wrong) == (4.0, True)


def test_any_series_of_the_store_may_be_watched(stage: Stage) -> None:
    """Metrics that other programs sent by OTLP are watched by their own names and labels."""
    rule = stage.rule(signal="metric.acme.queue.depth", by=["queue.name"], above=10)
    stage.series.sample(NOW_S, {"acme.queue.depth{queue.name=in, out=1,x=2}": 12.0, "acme.queue.depth.max": 99.0})
    assert labels_in("m{queue.name=in, out=1,x=2}") == {"queue.name": "in", " out": "1", "x": "2"}
    assert (stage.read(rule).labels, stage.read(rule).wrong) == (("in",), True)


LEAK = {"signal": "process.memory", "above": "1GiB", "trend": "increasing", "window": "30m", "minus": ["agent.memory"]}


def test_memory_that_is_high_and_grows_is_wrong_and_its_end_is_told(stage: Stage) -> None:
    """Growth per hour and hours to the limit are in the evidence."""
    rule = stage.rule(**LEAK)
    stage.sample("process.memory.usage", [1.2e9 + 1e6 * n for n in range(400)])
    found = stage.read(rule)
    assert found.wrong is True
    assert found.evidence["growth_per_hour"] == pytest.approx(3.6e8, rel=0.01)
    assert found.evidence["hours_to_limit"] == pytest.approx((4e9 - found.value) / 3.6e8, rel=0.01)


def test_a_filling_cache_is_no_leak(stage: Stage) -> None:
    """Accounted bytes are taken off before growth is judged."""
    rule = stage.rule(**LEAK)
    for n in range(400):
        values = {"process.memory.usage": 1.2e9 + 1e6 * n, "pea.agent.memory{gen_ai.agent.name=a}": 1e6 * n}
        stage.series.sample(NOW_S - 10 * (399 - n), values)
    assert stage.read(rule).wrong is False


def test_high_but_steady_memory_is_no_leak(stage: Stage) -> None:
    """Without growth the report's rule does not fire."""
    rule = stage.rule(**LEAK)
    stage.sample("process.memory.usage", [2e9] * 400)
    assert stage.read(rule).wrong is False


def test_budgets_burn_over_long_and_short_windows_together(stage: Stage) -> None:
    """Both windows must burn; when the short one has recovered the alert is over though the long one is not."""
    burn = {"objective": "99%", "windows": [{"long": "1h", "short": "5m", "factor": 14.4}]}
    rule = stage.rule(signal="agent.errors", burn=burn, min_samples=20)
    for minute in range(60):
        at = NOW_S + 60 * minute
        stage.windows.take([stage.call(at + n, 0.1, failed=minute >= 50) for n in range(10)])
        stage.clock.now = at + 59
        if minute in (40, 59):
            assert stage.read(rule).wrong is (minute == 59)
    now = stage.clock.move(360)
    stage.windows.take([stage.call(now - n, 0.1) for n in range(300)])
    assert (stage.read(rule).wrong, stage.read(rule).over) == (False, True)


def test_latency_objectives_count_what_is_slower_than_their_limit(stage: Stage) -> None:
    """A good event is one within the limit."""
    burn = {"objective": "95%", "limit": "300ms", "windows": [{"long": "10m", "short": "1m", "factor": 6}]}
    rule = stage.rule(signal="agent.latency", burn=burn)
    stage.calls(100, 0.5)
    assert stage.read(rule).value == pytest.approx(20)
    assert stage.read(rule).wrong is True


def test_a_series_that_falls_silent_is_absent(stage: Stage) -> None:
    """Only one that has been there can be missed."""
    rule = stage.rule(signal="agent.rate", by=["agent"], absent="2m")
    assert evaluate(rule, stage.scene, NOW_S) == []
    stage.calls(1, 0.1)
    assert stage.read(rule).wrong is False
    stage.clock.move(200)
    assert stage.read(rule).wrong is True


def test_a_gauge_that_falls_silent_is_absent(stage: Stage) -> None:
    """The same for samples."""
    rule = stage.rule(signal="process.memory", absent="2m", window="10m")
    stage.sample("process.memory.usage", [1.0] * 5)
    assert stage.read(rule).wrong is False
    stage.clock.move(200)
    assert stage.read(rule).wrong is True
    stage.clock.move(3_600)
    assert stage.read(rule).wrong is None


def test_a_healthy_stream_of_ten_calls_a_minute_does_not_fire_and_a_doubling_is_found_in_five_minutes(
    clock: Clock, call: MakeCall
) -> None:
    """p95 at 0.8 of the threshold for two days: silence; then twice as slow: wrong within 30 evaluations."""
    random = np.random.default_rng(5)
    stage = Stage(clock, call)
    rule = stage.rule(**SLOW)
    spread = 0.5
    usual = math.log(0.8) - 1.645 * spread
    wrong = 0
    for _ in range(2 * 24 * 60 * 2):
        stage.windows.take([call(clock.move(6), float(random.lognormal(usual, spread))) for _ in range(5)])
        wrong += stage.read(rule).wrong is True
    assert wrong == 0
    took = 0
    while stage.read(rule).wrong is not True:
        stage.windows.take([call(clock.move(6), 2 * float(random.lognormal(usual, spread)))])
        took += 6
    assert took <= 300


def test_what_is_wrong_began_with_the_first_slice_that_it_touched(stage: Stage) -> None:
    """A fault forty seconds ago shows in the last slices, so `for` has passed when it becomes sure."""
    rule = stage.rule(**SLOW)
    stage.windows.take([stage.call(NOW_S - 1 - n, 1.6 if n < 40 else 0.2) for n in range(290)])
    found = stage.read(rule)
    assert found.wrong is True
    assert found.since_s == NOW_S - 40
    assert stage.read(stage.rule(**SLOW, confidence=0.5)).since_s is None


def test_traffic_that_stops_is_sure_within_half_a_minute(stage: Stage) -> None:
    """Silence where fifteen calls were due is no chance, long before the average of the window has fallen."""
    rule = stage.rule(signal="agent.rate", by=["agent"], below="0.5/s", window="2m")
    stage.windows.take([stage.call(NOW_S - 31 - n / 3, 0.1) for n in range(270)])
    found = stage.read(rule)
    assert (found.wrong, found.value, found.since_s) == (True, 0.0, NOW_S - 30)
    assert stage.read(stage.rule(signal="agent.rate", by=["agent"], below="0.5/s", window="2m", confidence=0.5)).over
