"""The life of alerts: states, hysteresis, missing data, silences, inhibition, and memory over a restart."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pea.store.series import SeriesStore
from pea.watch.alert import FORGOTTEN_AFTER_S, MOVES, Alert, Sees, State, advance, alert_id, begin
from pea.watch.book import ECHO_S, SHOWN_AFTER_S, Book
from pea.watch.memory import recall
from pea.watch.reading import Reading, Scene
from pea.watch.rule import Rule, decode_unit
from pea.watch.rule_file import parse_rules
from pea.watch.watcher import Watcher
from pea.watch.windows import Windows
from tests.watch.conftest import NOW_S, Clock, MakeCall

WRONG, FINE, OVER, NOTHING = (
    Reading(("travel",), 1.5, True, False),
    Reading(("travel",), 0.95, False, False),
    Reading(("travel",), 0.5, False, True),
    Reading(("travel",), float("nan"), None, None),
)


def slow(**fields: Any) -> Rule:
    """The report's latency rule."""
    base = {"name": "slow", "signal": "agent.latency.p95", "by": ["agent"], "above": "1s", "for": "30s"}
    clear = {"below": "900ms", "for": "60s"}
    return msgspec.convert({**base, "clear": clear, **fields}, Rule, dec_hook=decode_unit)


def live(readings: list[tuple[float, Reading]], **fields: Any) -> list[State]:
    """The states of an alert after each reading, given with its second."""
    watched = slow(**fields)
    alert, states = begin(watched, WRONG), []
    for second, reading in readings:
        alert = advance(alert, watched, reading, NOW_S + second)
        states.append(alert.state)
    return states


P, F, R, OK = State.PENDING, State.FIRING, State.RESOLVED, State.INACTIVE


@pytest.mark.parametrize(
    ("readings", "states"),
    [
        ([(0, WRONG), (10, WRONG), (30, WRONG)], [P, P, F]),
        ([(0, WRONG), (10, FINE), (30, WRONG)], [P, OK, P]),
        ([(0, WRONG), (10, NOTHING), (40, NOTHING), (50, WRONG)], [P, P, P, F]),
        ([(0, WRONG), (30, WRONG), (40, FINE), (500, FINE)], [P, F, F, F]),
        ([(0, WRONG), (30, WRONG), (40, OVER), (99, OVER), (100, OVER)], [P, F, F, F, R]),
        ([(0, WRONG), (30, WRONG), (40, OVER), (90, FINE), (100, OVER), (150, OVER)], [P, F, F, F, F, F]),
        ([(0, WRONG), (30, WRONG), (40, OVER), (100, NOTHING), (5_000, NOTHING)], [P, F, F, F, F]),
        ([(0, WRONG), (30, WRONG), (40, OVER), (100, OVER), (110, WRONG), (140, WRONG)], [P, F, F, R, P, F]),
        ([(0, WRONG), (30, WRONG), (30 + FORGOTTEN_AFTER_S, NOTHING)], [P, F, R]),
        ([(0, FINE), (10, OVER), (20, NOTHING)], [OK, OK, OK]),
    ],
)
def test_states_follow_the_table(readings: list[tuple[float, Reading]], states: list[State]) -> None:
    """Pending lasts for `for`, over for `clear.for`, and what is missing changes nothing for a day."""
    assert live(readings) == states


def test_a_rule_without_for_fires_at_once() -> None:
    """`for: 0` needs no second look."""
    assert live([(0, WRONG)], **{"for": 0}) == [F]


def test_an_alert_that_fires_anew_has_not_the_cause_of_the_last_time() -> None:
    """What was found of one occurrence says nothing of the next."""
    watched = slow(**{"for": "0s"})
    held = advance(begin(watched, WRONG), watched, WRONG, NOW_S)
    told = {"cause": ({"who": "travel"},), "explanation": "It was travel.", "exemplars": ("ab",)}
    held = msgspec.structs.replace(held, **told)
    for second in (10, 100):
        held = advance(held, watched, OVER, NOW_S + second)
        assert held.explanation == "It was travel."
    assert held.state is State.RESOLVED
    anew = advance(held, watched, WRONG, NOW_S + 200)
    assert (anew.state, anew.cause, anew.explanation, anew.exemplars) == (State.FIRING, (), "", ())


def test_every_move_of_the_table_is_one_of_the_four_states() -> None:
    """Nothing leads out of the table."""
    assert set(MOVES.values()) <= set(State)
    assert {before for before, _ in MOVES} <= set(State)
    assert all(sees is not Sees.NOTHING for _, sees in MOVES)


def test_an_alert_says_what_is_wrong_with_figures_and_units() -> None:
    """The message is filled in, and what it said when it fired stays when the value recovers."""
    watched = slow(message="Agent {agent} response time p95 exceeded {threshold}: {value}")
    alert = advance(begin(watched, WRONG), watched, WRONG, NOW_S)
    alert = advance(alert, watched, WRONG, NOW_S + 30)
    assert alert.message == "Agent travel response time p95 exceeded 1s: 1.5 s"
    over = advance(alert, watched, OVER, NOW_S + 40)
    assert (over.message, over.shown, over.threshold) == (alert.message, "500 ms", "1 s")


def test_ids_are_the_same_over_restarts_and_differ_by_label() -> None:
    """An alert's id is its rule and labels."""
    assert alert_id("slow", {"a": "1", "b": "2"}) == alert_id("slow", {"b": "2", "a": "1"})
    assert alert_id("slow", {"a": "1"}) != alert_id("slow", {"a": "2"})


class Life(RuleBasedStateMachine):
    """Any sequence of readings and pauses."""

    @initialize()
    def start(self) -> None:
        self.rule = slow()
        self.book = Book()
        self.now = NOW_S
        self.wrong_since: float | None = None

    @rule(
        reading=st.sampled_from([WRONG, FINE, OVER, NOTHING]), pause=st.sampled_from([1.0, 10.0, 31.0, 70.0, 90_000.0])
    )
    def read(self, reading: Reading, pause: float) -> None:
        self.now += pause
        before = self.book.get(alert_id("slow", {"agent": "travel"}))
        self.changes = self.book.update(self.rule, [reading], self.now)
        after = self.book.get(alert_id("slow", {"agent": "travel"}))
        if reading is WRONG:
            assert after is not None
            assert after.state in {State.PENDING, State.FIRING}
        if after is not None and after.state is State.FIRING and (before is None or before.state is not State.FIRING):
            assert reading is WRONG
            assert before is not None
            assert self.now - before.since_s >= 30
        if before is not None and before.state is State.FIRING and after is not None and after.state is State.RESOLVED:
            assert reading is OVER or pause > FORGOTTEN_AFTER_S

    @invariant()
    def times_are_in_order(self) -> None:
        for alert in [*self.book.alerts(), *self.book.history] if hasattr(self, "book") else ():
            assert alert.since_s <= (alert.fired_s or alert.since_s) <= (alert.resolved_s or self.now) <= self.now
            assert (alert.resolved_s is not None) == (alert.state is State.RESOLVED)

    @invariant()
    def memory_brings_it_all_back(self) -> None:
        if hasattr(self, "book"):
            state = self.book.state()
            again = Book(msgspec.json.decode(msgspec.json.encode(state), type=type(state)))
            assert again.alerts() == self.book.alerts()


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase


RULES = """
version: 1
rules:
  - {name: slow, signal: agent.latency.p95, by: [agent], above: 1s, for: 30s, min_samples: 20, severity: high,
     clear: {below: 900ms, for: 1m}, message: "{agent} is slow: {value}"}
  - {name: failing, signal: agent.errors, by: [agent], above: 5%, min_samples: 20, severity: critical}
inhibit:
  - {when: failing, mutes: [slow], equal: [agent]}
"""


class Stage:
    """A watcher with windows, a clock, and calls to put into them."""

    def __init__(self, clock: Clock, call: MakeCall, path: Path | None = None) -> None:
        self.clock, self.call = clock, call
        self.pinned: list[int] = []
        self.windows = Windows(clock)
        self.rules = parse_rules([("mine.yaml", RULES)])
        scene = Scene(self.windows, SeriesStore(10))
        self.watcher = Watcher(scene, self.rules, path=path, clock=clock, pin=self.pinned.append)

    def pass_time(self, seconds: int, duration: float = 0.1, **about: Any) -> list[Alert]:
        """Calls for so long, evaluated every ten seconds; the alerts that changed."""
        changed = []
        for _ in range(seconds // 10):
            now = self.clock.move(10)
            self.windows.take([self.call(now - n / 3, duration, **about) for n in range(10)])
            changed += [change.alert for change in self.watcher.evaluate()]
        return changed


def test_a_slow_agent_fires_once_pins_its_traces_and_resolves(clock: Clock, call: MakeCall) -> None:
    """Pending, firing with exemplars that are pinned, resolved: each told once."""
    stage = Stage(clock, call)
    assert stage.pass_time(300) == []
    changed = stage.pass_time(300, 2.0)
    assert [alert.state for alert in changed] == [State.PENDING, State.FIRING]
    assert [int(trace, 16) for trace in changed[1].exemplars] == stage.pinned[:5]
    assert stage.pinned
    assert [alert.state for alert in stage.pass_time(900)] == [State.RESOLVED]
    assert [alert.rule for alert in stage.watcher.book.history] == ["slow"]
    stage.pass_time(int(SHOWN_AFTER_S) + 20)
    assert stage.watcher.book.alerts() == []


def test_no_traffic_leaves_a_firing_alert_as_it_is(clock: Clock, call: MakeCall) -> None:
    """A false resolve because nothing comes in any more would hide the fault."""
    stage = Stage(clock, call)
    stage.pass_time(400, 2.0)
    for _ in range(400):
        clock.move(10)
        stage.watcher.evaluate()
    assert [alert.state for alert in stage.watcher.book.alerts()] == [State.FIRING]


def test_an_alert_that_another_explains_is_muted(clock: Clock, call: MakeCall) -> None:
    """While the agent fails, its slowness tells nobody; another agent's still does."""
    stage = Stage(clock, call)
    stage.pass_time(300, 2.0, failed=True)
    stage.pass_time(300, 2.0, agent="mail")
    muted = {(alert.rule, alert.labels["agent"]): stage.watcher.muted(alert) for alert in stage.watcher.book.alerts(F)}
    assert muted == {("failing", "travel"): False, ("slow", "travel"): True, ("slow", "mail"): False}


@pytest.mark.parametrize(
    ("blames", "share", "itself", "muted"),
    [
        ("travel", 0.9, "travel", True),
        ("travel", 0.3, "travel", False),
        ("travel", 0.9, "mail", False),
        ("", 0.9, "", False),
    ],
)
def test_who_is_slow_because_of_another_is_explained_by_its_alert(
    clock: Clock, call: MakeCall, blames: str, share: float, itself: str, *, muted: bool
) -> None:
    """One alert for one fault, where both name the same agent for most of it; and for a while after that has ended."""
    stage = Stage(clock, call)
    for agent in ("travel", "mail"):
        stage.pass_time(300, 2.0, agent=agent)
    book = stage.watcher.book
    held = {alert.labels["agent"]: alert for alert in book.alerts(F)}
    for agent, blamed in (("mail", blames), ("travel", itself)):
        cause = {"place": {"service": "pea", "agent": blamed, "operation": "o"}, "share": share}
        book.replace(msgspec.structs.replace(held[agent], cause=(cause,)))
    mail, travel = (book.get(held[agent].id) for agent in ("mail", "travel"))
    assert mail is not None
    assert travel is not None
    assert (stage.watcher.muted(mail), stage.watcher.muted(travel)) == (muted, False)
    for _ in range(2):
        book.update(stage.rules.rules[0], [OVER], clock.move(60))
    assert stage.watcher.muted(mail) is muted
    clock.move(ECHO_S)
    assert not stage.watcher.muted(mail)


def test_a_silenced_alert_is_muted_until_the_silence_ends(clock: Clock, call: MakeCall) -> None:
    """A silence covers one alert, for a time."""
    stage = Stage(clock, call)
    stage.pass_time(300, 2.0)
    (alert,) = stage.watcher.book.alerts(F)
    stage.watcher.silence(alert, 3_600, "known")
    assert stage.watcher.muted(alert)
    clock.move(3_600)
    assert not stage.watcher.muted(alert)


async def test_the_life_of_alerts_survives_a_restart(clock: Clock, call: MakeCall, tmp_path: Path) -> None:
    """Pending and firing states, silences and what was told come back; nothing is told twice."""
    path = tmp_path / "alerts.json"
    stage = Stage(clock, call, path)
    stage.pass_time(300, 2.0)
    (alert,) = stage.watcher.book.alerts(F)
    silence = stage.watcher.silence(alert, 60)
    assert await stage.watcher.deliver()
    await stage.watcher.save()
    again = Stage(clock, call, path)
    assert again.watcher.book.alerts(F) == [alert]
    assert again.watcher.book.silences == {silence.id: silence}
    assert again.pass_time(60, 2.0) == []
    assert again.watcher.outbox.state().waiting == []


def test_a_broken_memory_is_set_aside_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is not what was written is no reason not to start."""
    (tmp_path / "alerts.json").write_text('{"version": 9}')
    assert recall(tmp_path / "alerts.json").book.alerts == []
    assert "they begin anew" in caplog.text


def test_new_rules_end_the_alerts_of_rules_that_are_gone(clock: Clock, call: MakeCall) -> None:
    """What no rule stands behind any more is resolved, with the reason."""
    stage = Stage(clock, call)
    stage.pass_time(300, 2.0)
    stage.watcher.use(parse_rules([("other.yaml", "version: 1\nrules: []\n")]))
    assert stage.watcher.book.alerts() == []
    assert [alert.reason for alert in stage.watcher.book.history] == ["its rule has changed"]


def test_a_rule_that_cannot_be_evaluated_does_not_blind_the_others(clock: Clock, call: MakeCall) -> None:
    """One rule's fault is counted and logged; the others go on."""
    stage = Stage(clock, call)
    broken = msgspec.structs.replace(stage.rules.rules[0], name="broken", window=None)
    rules = msgspec.structs.replace(stage.rules, rules=(broken, *stage.rules.rules))
    stage.watcher.use(rules)
    assert {alert.rule for alert in stage.pass_time(300, 2.0)} == {"slow"}
    assert stage.watcher.status().failures == 30
