"""Rules with a baseline: what fires without a number in the rule, what its alert shows, and what survives a restart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pea.store.series import SeriesStore
from pea.watch.alert import Alert, State
from pea.watch.baseline_rule import COURSE, GONE_S, MAX_SERIES, Learner, Learners, Verdict, signature
from pea.watch.prometheus import export
from pea.watch.reading import Scene
from pea.watch.rule import Rule, RuleSet, decode_unit
from pea.watch.rule_check import faults_of
from pea.watch.rule_file import BadRules, parse_rules
from pea.watch.watcher import Watcher
from pea.watch.windows import Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall

HOUR = 60  # values a minute


def rule(**fields: Any) -> Rule:
    """A rule with a baseline that learns for two hours; ``baseline`` adds to that."""
    learned = {"learn": "2h", "false_alarms": "1/month"} | fields.pop("baseline", {})
    given = {"name": "odd", "signal": "metric.load", "baseline": learned, **fields}
    return msgspec.convert(given, Rule, dec_hook=decode_unit)


def played(
    given: Rule, values: np.ndarray, start_s: float = NOW_S, learner: Learner | None = None, step_s: float = 60
) -> list[Verdict]:
    """What is said of one series, a value each ``step_s`` seconds."""
    learner = learner or Learner(given)
    found = []
    for place, value in enumerate(values):
        learner.learn(start_s + step_s * place, {("a",): float(value)})
        found.append(dict(learner.verdicts())[("a",)])
    return found


def noise(hours: float, seed: int = 1) -> np.ndarray:
    return 100 + np.random.default_rng(seed).normal(0, 3, round(hours * HOUR))


def test_what_is_not_normal_is_wrong_and_is_over_when_it_is_normal_again() -> None:
    """A value far out is wrong with the band that was expected; back in the band it is over."""
    values = np.concatenate([noise(8), [200.0, 205.0], noise(1, 2)])
    found = played(rule(), values)
    spike, after = found[8 * HOUR], found[-1]
    assert not any(one.wrong for one in found[: 8 * HOUR])
    assert spike.wrong
    assert spike.evidence["expected_low"] < 100 < spike.evidence["expected_high"] < 200
    assert (after.wrong, after.over) == (False, True)


def test_the_course_is_drawn_from_the_last_hour() -> None:
    """At most an hour of values, each with the band of its time, and the side in words."""
    found = played(rule(), np.concatenate([noise(8), [200.0]]))[-1].course
    assert found is not None
    assert len(found.at) == len(found.values) == len(found.low) == len(found.high) == COURSE
    assert found.values[-1] == 200
    assert (found.view, found.about) == ("value", "a value where it has not been")
    assert found.band == (found.low[-1], found.high[-1])


@pytest.mark.parametrize(("direction", "value", "wrong"), [("up", 10, False), ("up", 200, True), ("down", 10, True)])
def test_the_other_direction_neither_fires_nor_hides_what_follows(direction: str, value: float, wrong: bool) -> None:
    """With a direction only that side counts, also as the incident that makes the next one none."""
    given = rule(baseline={"direction": direction})
    other = 10.0 if direction == "up" else 200.0
    found = played(given, np.concatenate([noise(8), [other], noise(0.5, 2), [value]]))
    assert not found[8 * HOUR].wrong
    assert found[-1].wrong is wrong


def test_a_level_that_stays_is_one_incident() -> None:
    """After a step the alert is over once the new level is normal, and does not come again."""
    five_minutely = rule(baseline={"every": "5m"})
    found = played(five_minutely, np.concatenate([noise(3), noise(5, 2) + 60]), step_s=300)
    wrong = [place for place, one in enumerate(found) if one.wrong]
    opened = [place for place in wrong if not found[place - 1].wrong]
    assert opened[0] == 3 * HOUR
    assert not any(one.wrong for one in found[-HOUR:])


def test_no_value_says_nothing() -> None:
    """A series that is missing now keeps what it was."""
    learner = Learner(rule())
    learner.learn(NOW_S, {("a",): 1.0, ("b",): math.nan})
    said = dict(learner.verdicts())
    assert said[("a",)].wrong is False
    assert (said[("b",)].wrong, said[("b",)].over) == (None, None)


def test_a_value_is_taken_each_minute_whatever_the_clock_does() -> None:
    """Not sooner, and again after the clock was set back."""
    learner = Learner(rule())
    learner.learn(NOW_S, {})
    assert not learner.due(NOW_S + 10)
    assert learner.due(NOW_S + 60)
    assert learner.due(NOW_S - 3_600)


def test_series_are_bounded_and_forgotten() -> None:
    """Past the limit new series are counted and left out; what has been silent for three weeks makes room."""
    learner = Learner(rule())
    learner.learn(NOW_S, {(str(number),): 1.0 for number in range(MAX_SERIES + 5)})
    assert (learner.series, learner.overflowed) == (MAX_SERIES, 5)
    learner.learn(NOW_S + GONE_S + 60, {("new",): 1.0})
    assert learner.series == 0
    learner.learn(NOW_S + GONE_S + 120, {("new",): 1.0})
    assert (learner.series, learner.overflowed) == (1, 6)


def test_what_is_learned_survives_a_restart() -> None:
    """The same verdicts as if nothing had happened, open incidents included."""
    given, values = rule(), np.concatenate([noise(8), np.full(30, 200.0)])
    whole = played(given, values)
    first, second = Learners(), Learners()
    played(given, values[: 8 * HOUR + 5], learner=first.of(given))
    second.restore(first.save())
    rest = played(given, values[8 * HOUR + 5 :], NOW_S + 60 * (8 * HOUR + 5), second.of(given))
    assert [(one.wrong, one.evidence) for one in rest] == [(one.wrong, one.evidence) for one in whole[8 * HOUR + 5 :]]
    assert rest[0].wrong


def test_a_rule_that_changes_learns_anew_and_one_that_comes_back_does_not() -> None:
    """Another signal or another rate is another baseline; a rule left out for a while finds its own again."""
    given, other = rule(), rule(signal="metric.other")
    assert signature(given) != signature(other)
    assert signature(given) == signature(msgspec.structs.replace(given, severity="high", message="x"))
    learners = Learners()
    played(given, noise(1), learner=learners.of(given))
    learners.keep_only((other,), NOW_S)
    learners.keep_only((given,), NOW_S + 60)
    assert learners.of(given).series == 1
    learners.keep_only((other,), NOW_S)
    learners.keep_only((other,), NOW_S + GONE_S + 1)
    assert learners.of(given).series == 0


@pytest.mark.parametrize("data", [b"", b"nonsense", msgspec.msgpack.encode({"version": 9, "learners": {}})])
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    """What cannot be read is a ValueError, which the caller logs."""
    with pytest.raises(ValueError, match=r"."):
        Learners().restore(data)


def test_saved_rows_that_do_not_fit_are_learned_anew(caplog: pytest.LogCaptureFixture) -> None:
    """A file that was changed by hand does not stop the service."""
    given, learners = rule(), Learners()
    played(given, noise(1), learner=learners.of(given))
    saved = msgspec.msgpack.decode(learners.save())
    saved["learners"][signature(given)]["series"]['["b"]'] = {"row": 0, "seen_s": 0.0}
    second = Learners()
    second.restore(msgspec.msgpack.encode(saved))
    assert second.of(given).series == 0
    assert "begin anew" in caplog.text


class Service:
    """A watcher over samples and calls, ten seconds a step, with a file to remember by."""

    def __init__(self, clock: Clock, given: Rule, path: Path | None = None) -> None:
        self.clock = clock
        self.windows = Windows(clock)
        self.series = SeriesStore(100)
        scene = Scene(self.windows, self.series, clock() - 3_600)
        self.watcher = Watcher(scene, RuleSet(rules=(given,)), clock=clock, path=path)

    def step(self, samples: Mapping[str, float]) -> list[Alert]:
        """Ten seconds with these samples, and the alerts that fire."""
        self.clock.move(10)
        self.series.sample(self.clock(), samples)
        self.watcher.evaluate()
        return self.watcher.book.alerts(State.FIRING)


async def test_an_alert_shows_the_band_and_outlives_a_restart(clock: Clock, tmp_path: Path) -> None:
    """From samples to the alert's words, and on from the file beside the alerts."""
    given = rule(baseline={"learn": "30m"}, by=["host"], message="{host}: {value}, usually {expected}")
    values = noise(2)
    service = Service(clock, given, tmp_path / "alerts.json")
    for place in range(len(values) * 6):
        assert service.step({"load{host=a}": float(values[place // 6])}) == []
    await service.watcher.aclose()
    service = Service(clock, given, tmp_path / "alerts.json")
    firing = [alert for _ in range(12) for alert in service.step({"load{host=a}": 400.0})]
    assert firing
    alert = firing[0]
    assert alert.labels == {"host": "a"}
    assert alert.message.startswith("a: 400, usually ")
    assert " to " in alert.threshold
    assert alert.course is not None
    assert alert.course.values[-1] == 400


@pytest.mark.parametrize(
    ("signal", "usual", "odd"),
    [
        ("agent.latency.p95", {"seconds": 0.1}, {"seconds": 3.0}),
        ("agent.latency.mean", {"seconds": 0.1}, {"seconds": 3.0}),
        ("agent.errors", {}, {"failed": True}),
        ("agent.rate", {}, {"count": 12}),
    ],
)
def test_every_kind_of_figure_can_be_learned(
    clock: Clock, call: MakeCall, signal: str, usual: dict[str, Any], odd: dict[str, Any]
) -> None:
    """Quantiles, means, shares and rates of spans: what was the same for two hours and is not now fires, by agent."""
    service = Service(clock, rule(signal=signal, by=["agent"], window="2m", baseline={"learn": "30m"}))

    def calls(about: dict[str, Any]) -> list[Alert]:
        more = dict(about)
        for place in range(more.pop("count", 3)):
            service.windows.take([call(clock() + 1 + place / 2, **more)])
        return service.step({})

    for _ in range(12 * HOUR):
        assert calls(usual) == []
    firing = [alert for _ in range(24) for alert in calls(odd)]
    assert firing
    assert firing[0].labels == {"agent": "travel"}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"above": 1}, "conditions of their own"),
        ({"baseline": {"learn": "1m"}}, "at least ten values"),
        ({"baseline": {"every": "1s"}}, "is 10 s to 1 h"),
        ({"clear": {"below": 1}}, "is learned, not said"),
        ({"signal": "agent.latency"}, "for `burn` only"),
    ],
)
def test_a_baseline_that_makes_no_sense_is_refused(fields: dict[str, Any], what: str) -> None:
    """`pea rules check` says what is wrong with it."""
    assert any(what in fault.what for fault in faults_of(rule(**fields), {}))


@pytest.mark.parametrize("often", ["1", "0/day", "-1/day", "1/hour", "1e9/day", "month", "9" * 100, 1, None])
def test_a_rate_of_false_alarms_is_a_number_by_day_week_month_or_year(often: object) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(msgspec.ValidationError, match="1/month"):
        rule(baseline={"false_alarms": often})


def test_a_word_that_is_nearly_right_is_told() -> None:
    """The nearest field of a baseline is named with the line."""
    text = "version: 1\nrules:\n- name: a\n  signal: agent.rate\n  baseline: {false_alarm: 1/month}\n"
    with pytest.raises(BadRules, match=r"false_alarm") as caught:
        parse_rules([("rules.yaml", text)])
    assert "false_alarms" in str(caught.value.fix)
    assert caught.value.where == "rules.yaml:5"


def test_prometheus_has_no_equivalent() -> None:
    """An export leaves the rule out and says why."""
    found = export(RuleSet(rules=(rule(),)))
    assert found.groups["groups"][0]["rules"] == []
    assert "learned" in found.left_out[0]
