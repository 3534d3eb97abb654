"""The traces of a breach begin with the fault, not with the slice in which it began; the cause is looked for twice."""

from __future__ import annotations

import msgspec

from pea.store.series import SeriesStore
from pea.telemetry.record import SpanRecord
from pea.watch.alert import Alert, State
from pea.watch.breach import LEAST, breaching, sound
from pea.watch.reading import Scene
from pea.watch.rule import RuleSet
from pea.watch.rule_file import parse_rules
from pea.watch.watcher import SETTLED_S, Watcher
from pea.watch.windows import Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall
from tests.watch.test_investigate import RULES, an_alert

SLOW, ERRORS = RULES["agent-latency-p95"], RULES["agent-error-rate"]


def test_healthy_traces_before_the_first_slow_one_are_left_out(call: MakeCall) -> None:
    """Of sixty traces in ten seconds the last twelve are slow, and one long before: the breach is the twelve."""
    made = [[call(NOW_S + n / 6, 2.0 if n >= 48 or n == 3 else 0.1)] for n in range(60)]
    found = breaching(made[::-1], an_alert(SLOW, NOW_S, agent="travel"), SLOW)
    assert found == made[48:]


def test_failures_begin_a_breach_of_errors(call: MakeCall) -> None:
    """The same by failed calls; those of another agent do not count, and a few traces are always compared."""
    made = [[call(NOW_S + n, 0.1, failed=n >= 37), call(NOW_S + n, 0.1, "mail", failed=n < 9)] for n in range(40)]
    found = breaching(made, an_alert(ERRORS, NOW_S, agent="travel"), ERRORS)
    assert found == made[-LEAST:]


def test_where_nobody_can_tell_all_traces_are_compared(call: MakeCall) -> None:
    """No bad call among them, or none that the alert is about."""
    made = [[call(NOW_S + n, 0.1)] for n in range(10)]
    for agent in ("travel", "mail"):
        assert breaching(made, an_alert(SLOW, NOW_S, agent=agent), SLOW) == made


async def test_a_cause_is_looked_for_once_more_and_never_lost(clock: Clock, call: MakeCall) -> None:
    """At firing, and once half a minute later; what was found first stays when the second look finds nothing."""
    looks: list[float] = []
    pinned: list[int] = []

    async def investigate(alert: Alert, rule: object) -> Alert:
        del rule
        looks.append(clock())
        cause = ({"who": "travel"},) if len(looks) == 1 else ()
        return msgspec.structs.replace(alert, cause=cause, exemplars=(f"{7:032x}",))

    windows = Windows(clock)
    rule = msgspec.structs.replace(SLOW, for_=type(SLOW.for_)(0))
    watcher = Watcher(
        Scene(windows, None),
        RuleSet((rule,)),
        clock=clock,
        investigate=investigate,
        pin=pinned.append,  # type: ignore[arg-type]
    )
    for step in range(8):
        windows.take([call(clock() + n, 3.0) for n in range(10)])
        clock.move(10)
        await watcher.evaluate_politely()
        assert step or not watcher.book.alerts(State.FIRING)
    assert len(looks) == 2
    assert looks[1] - looks[0] >= SETTLED_S
    (alert,) = watcher.book.alerts(State.FIRING)
    assert alert.cause == ({"who": "travel"},)
    assert 7 in pinned


async def test_the_cause_of_what_is_no_trace_is_looked_for_once(clock: Clock) -> None:
    """Allocations are traced until they have been told: to ask again would put their lines out of the alert."""
    looks: list[float] = []

    async def investigate(alert: Alert, rule: object) -> Alert:
        del rule
        looks.append(clock())
        return alert

    series = SeriesStore(4)
    watcher = Watcher(
        Scene(Windows(clock), series), RuleSet((RULES["breaker-open"],)), clock=clock, investigate=investigate
    )
    for _ in range(8):
        series.sample(clock(), {"pea.breaker.state{pea.breaker.name=caldav}": 2.0})
        clock.move(10)
        await watcher.evaluate_politely()
    assert len(watcher.book.alerts(State.FIRING)) == len(looks) == 1


def test_a_time_as_bad_as_the_breach_is_no_past(call: MakeCall) -> None:
    """Of the times before, those with few bad calls are a past; traces that the alert is not about are none."""

    def time(slow_ones: int, of: int = 20) -> list[list[SpanRecord]]:
        return [[call(NOW_S + n, 2.0 if n < slow_ones else 0.1)] for n in range(of)]

    well, some, bad, others = time(0), time(4), time(12), [[call(NOW_S, 0.1, "mail")]]
    alert = an_alert(SLOW, NOW_S, agent="travel")
    assert sound([well, some, bad, others, []], time(18), alert, SLOW) == [well, some]
    assert sound([[well[0], others[0]], bad], time(20), alert, SLOW) == [[well[0]]]


def test_where_nobody_can_tell_what_is_bad_every_time_is_a_past(call: MakeCall) -> None:
    """A rule about a mean or a rate has no bad calls."""
    rule = parse_rules(
        [("r", "version: 1\nrules: [{name: a, signal: agent.latency.mean, above: 1s, severity: low, message: m}]")]
    ).rules[0]
    made = [[call(NOW_S, 5.0)]]
    assert sound([made, []], made, an_alert(rule, NOW_S), rule) == [made]
