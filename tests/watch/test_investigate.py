"""The cause of an alert: the right traces are compared, and what else the process knows is told."""

import contextlib
from pathlib import Path

import pytest

from pea.bench.detect_fleet import NO_EFFECT, Effect, Traffic, traces
from pea.store import SpanStore
from pea.store.series import SeriesStore
from pea.telemetry.loop_lag import Culprit
from pea.watch.alert import Alert, State, alert_id
from pea.watch.investigate import Investigator, blocked, compare, grown
from pea.watch.rehearse import EPOCH_S
from pea.watch.rule import Rule
from pea.watch.rule_file import load_rules

RULES = {rule.name: rule for rule in load_rules([Path(__file__).parents[2] / "alerts/default.yaml"]).rules}
FAULT_S = 1_700.0


def slow(now_s: float, agent: str, what: str) -> Effect:
    """From a moment on, the outside system under one agent takes two seconds more."""
    guilty = now_s >= FAULT_S and agent == "travel" and what in {"connector", "worker"}
    return Effect(2.0) if guilty else NO_EFFECT


def an_alert(rule: Rule, since_s: float, **labels: str) -> Alert:
    return Alert(
        id=alert_id(rule.name, labels),
        rule=rule.name,
        type=rule.type,
        severity=rule.severity,
        labels=labels,
        state=State.FIRING,
        since_s=since_s,
        fired_s=since_s + 30,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SpanStore:
    """Half an hour of a fleet with a fault near its end, written to a real store."""
    made = SpanStore(tmp_path_factory.mktemp("spans") / "spans.db", clock=lambda: EPOCH_S + 2_000)
    made.add(one for _, spans in traces(Traffic(lambda _: 1.0, 2_000.0, 5, agents=4), slow) for one in spans)
    assert made.flush()
    return made


async def test_a_latency_alert_names_the_agent_and_the_guilty_step(store: SpanStore) -> None:
    """The first cause is the step that became slow, with traces that show it, in words and figures."""
    rule = RULES["agent-latency-p95"]

    async def ask(work):
        return work(store)

    alert = an_alert(rule, EPOCH_S + FAULT_S + 30, agent="travel")
    found = await Investigator(ask, SeriesStore(1), lambda: (), lambda: EPOCH_S + 1_900)(alert, rule)
    assert found.cause[0]["who"] == "travel"
    assert found.cause[0]["place"]["operation"] in {"connector travel-api", "worker travel.heavy"}
    assert found.explanation.startswith("Most likely travel: ")
    shown = [store.get(int(trace, 16)) for trace in found.exemplars]
    assert shown
    assert all(any(one.duration_ns > 2e9 for one in spans) for spans in shown)


def test_without_traces_before_it_no_cause_is_made_up(tmp_path: Path) -> None:
    """An empty store gives an honest sentence and no cause."""
    empty = SpanStore(tmp_path / "spans.db")
    rule = RULES["agent-error-rate"]
    cause, words, shown = compare(empty, an_alert(rule, EPOCH_S, agent="a"), rule, "errors", EPOCH_S + 60)
    empty.close()
    assert (cause, shown) == ((), ())
    assert "do not differ enough" in words


def test_growth_of_memory_is_shared_among_those_who_account_for_it() -> None:
    """Bytes by agent, and those that nobody accounts for."""
    series = SeriesStore(10)
    for n in range(360):
        values = {"process.memory.usage": 1e9 + 3e6 * n, "pea.agent.memory{gen_ai.agent.name=documents}": 2e6 * n}
        series.sample(EPOCH_S + 10 * n, values)
    cause, words = grown(series, 1_800.0, EPOCH_S + 3_590)
    assert [(one["agent"], round(float(str(one["share"])), 2)) for one in cause] == [("documents", 0.67), ("", 0.33)]
    assert words == "Of 1 GiB growth, 685 MiB is what agent documents accounts for."
    assert grown(SeriesStore(1), 1_800.0, EPOCH_S) == ((), "")


def test_a_blocked_loop_is_blamed_on_the_stack_that_held_it() -> None:
    """The longest stall since the alert's window began, with its stack."""
    stalls = [
        Culprit(at_ns=int((EPOCH_S + at) * 1e9), blocked_s=held, where=where, stack=("a", where))
        for at, held, where in ((1.0, 9.0, "old.py:1 f"), (100.0, 0.3, "a.py:1 f"), (101.0, 0.9, "b.py:2 g"))
    ]
    cause, words = blocked(stalls, EPOCH_S + 50)
    assert [one["where"] for one in cause] == ["b.py:2 g", "a.py:1 f"]
    assert words == "The event loop was held for 900 ms in b.py:2 g."
    assert blocked([], EPOCH_S) == ((), "")


@pytest.mark.parametrize(("begins_s", "since_s", "before"), [(0.0, 400.0, False), (140.0, 150.0, True)])
def test_a_young_service_is_held_against_what_it_has_of_a_past(
    tmp_path: Path, begins_s: float, since_s: float, *, before: bool
) -> None:
    """An alert that took its time has the fault in its past too, which is none; two minutes that were well are one."""

    def touch(now_s: float, agent: str, what: str) -> Effect:
        return Effect(2.0) if now_s >= begins_s and agent == "travel" and what == "invoke" else NO_EFFECT

    now_s = since_s + 50
    with contextlib.closing(SpanStore(tmp_path / "spans.db", clock=lambda: EPOCH_S + now_s)) as store:
        store.add(one for _, spans in traces(Traffic(lambda _: 1.0, now_s, 5, agents=4), touch) for one in spans)
        assert store.flush()
        rule = RULES["task-latency-burn"]
        cause, words, shown = compare(store, an_alert(rule, EPOCH_S + since_s), rule, "latency", EPOCH_S + now_s)
    assert (cause[0]["who"], cause[0]["compared"]) == ("travel", before)
    assert ("of the added time" in words, "of all time" in words) == (before, not before)
    assert before or {one["sign"] for one in cause[1:]} == {"takes time too"}
    assert shown
