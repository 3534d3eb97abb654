"""Circuit breakers: they open on rates over a window, cool, probe, close or open again; compared with a plain model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pea.config import Seconds
from pea.config.policies import BreakerPolicy
from pea.errors import CircuitOpen
from pea.runtime.policy import Breaker, BreakerState
from pea.runtime.policy.breaker import SLICES

POLICY = BreakerPolicy(
    min_calls=4, window=Seconds(10), open_for=Seconds(2), open_at_most=Seconds(8), probes=2, slow_after=Seconds(1)
)


def call(breaker: Breaker, now: float, ends: str = "ok") -> bool:
    """One call as a lane makes it, ended at once; whether it was let through."""
    if breaker.state is not BreakerState.CLOSED:
        try:
            breaker.admit(now)
        except CircuitOpen:
            return False
    generation = breaker.generation
    if ends == "failed":
        breaker.failed(generation, now)
    elif ends == "ignored":
        breaker.ignored(generation)
    elif ends == "slow":
        breaker.slow(generation, now)
    else:
        breaker.succeeded(generation, now)
    return True


def opened(now: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker("rates.table", POLICY)
    for _ in range(POLICY.min_calls):
        call(breaker, now, "failed")
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_few_calls_open_nothing() -> None:
    """Below ``min_calls`` a rate of one hundred per cent says nothing."""
    breaker = Breaker("rates.table", POLICY)
    for _ in range(POLICY.min_calls - 1):
        call(breaker, 0.0, "failed")
    assert breaker.state is BreakerState.CLOSED


def test_half_the_calls_failing_opens_it() -> None:
    """At the rate it opens; just below it stays closed."""
    breaker = Breaker("rates.table", POLICY)
    for ends in ("ok", "ok", "ok", "failed", "failed"):
        call(breaker, 1.0, ends)
    assert breaker.state is BreakerState.CLOSED
    call(breaker, 1.0, "failed")
    assert breaker.state is BreakerState.OPEN


def test_slow_calls_open_it() -> None:
    """Calls that succeed too late count, at a rate of their own."""
    breaker = Breaker("rates.table", POLICY)
    for ends in ("ok", "slow", "slow", "slow", "slow"):
        call(breaker, 1.0, ends)
    assert breaker.state is BreakerState.OPEN


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """Failures of a window ago and one of now do not add up."""
    breaker = Breaker("rates.table", POLICY)
    for _ in range(3):
        call(breaker, 0.5, "failed")
    call(breaker, 0.5 + float(POLICY.window) + float(POLICY.window) / SLICES, "failed")
    assert breaker.state is BreakerState.CLOSED


def test_open_refuses_and_says_when_to_come_back() -> None:
    """The refusal carries what is left of the pause."""
    breaker = opened()
    with pytest.raises(CircuitOpen, match=r"rates\.table: its circuit breaker is open") as refused:
        breaker.admit(0.5)
    assert refused.value.retry_after_s == pytest.approx(1.5)
    assert breaker.refused == 1


def test_probes_close_it() -> None:
    """After the pause as many calls as there are probes get through; when all go well it is closed."""
    breaker = opened()
    assert call(breaker, 2.0)
    assert breaker.state is BreakerState.HALF_OPEN
    assert call(breaker, 2.0)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.rates(2.0) == (0, 0.0, 0.0)  # what failed before is forgiven


def test_no_more_probes_than_asked_for() -> None:
    """While two probes are on their way a third call is refused."""
    breaker = opened()
    breaker.admit(2.0)
    breaker.admit(2.0)
    with pytest.raises(CircuitOpen, match="half open"):
        breaker.admit(2.0)


def test_a_failed_probe_doubles_the_pause_up_to_its_bound() -> None:
    """2, 4, 8, 8 seconds; a success resets it."""
    breaker, now = opened(), 2.0
    for pause in (4.0, 8.0, 8.0):
        assert call(breaker, now, "failed")
        assert breaker.until == now + pause
        now = breaker.until
    call(breaker, now)
    call(breaker, now)
    for _ in range(POLICY.min_calls):
        call(breaker, now, "failed")
    assert breaker.until == now + 2.0


def test_a_probe_that_says_nothing_gives_its_place_back() -> None:
    """A cancelled probe leaves room for another."""
    breaker = opened()
    for _ in range(10):
        assert call(breaker, 2.0, "ignored")
    assert breaker.state is BreakerState.HALF_OPEN


def test_late_outcomes_of_an_earlier_state_say_nothing() -> None:
    """A call from before it opened neither closes it, nor opens it again, nor takes a probe's place."""
    breaker = Breaker("rates.table", POLICY)
    before = breaker.generation
    for _ in range(POLICY.min_calls):
        call(breaker, 0.0, "failed")
    breaker.admit(2.0)
    breaker.succeeded(before, 2.0)
    breaker.failed(before, 2.0)
    breaker.ignored(before)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.admit(2.0)
    with pytest.raises(CircuitOpen):
        breaker.admit(2.0)


def test_off_never_opens() -> None:
    """A breaker that is off only counts."""
    breaker = Breaker("rates.table", BreakerPolicy(on=False, min_calls=1))
    for _ in range(1_000):
        call(breaker, 0.0, "failed")
    assert breaker.state is BreakerState.CLOSED
    assert breaker.rates(0.0)[:2] == (1_000, 1.0)


def test_transitions_are_told_in_order() -> None:
    """Whoever listens hears each change with what caused it."""
    heard: list[tuple[str, str, str]] = []
    breaker = Breaker("x.y", POLICY, lambda one, was, why: heard.append((was, one.state, why)))
    for _ in range(POLICY.min_calls):
        call(breaker, 0.0, "failed")
    call(breaker, 2.0, "failed")
    call(breaker, 6.0)
    call(breaker, 6.0)
    assert heard == [
        ("closed", "open", "tripped"),
        ("open", "half_open", "cooled"),
        ("half_open", "open", "relapsed"),
        ("open", "half_open", "cooled"),
        ("half_open", "closed", "passed"),
    ]


class AgainstAModel(RuleBasedStateMachine):
    """The breaker beside one that keeps every outcome with its time and counts them anew at each step."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.breaker = Breaker("x.y", POLICY)
        self.log: list[tuple[int, str]] = []  # slice, how the call ended
        self.state, self.until, self.pause = "closed", 0.0, 2.0
        self.passed, self.flying = 0, []  # generations of calls under way
        self.generation = 0
        self.inside = 0

    def move(self, state: str) -> None:
        self.state = state
        self.generation += 1
        self.passed = self.inside = 0
        if state == "open":
            self.until = self.now + self.pause
        if state == "closed":
            self.log.clear()
            self.pause = 2.0

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.9, 1.0, 2.0, 3.5, 20.0, 1e6]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin_a_call(self) -> None:
        expected = True
        if self.state == "open":
            if self.now < self.until:
                expected = False
            else:
                self.move("half_open")
        if self.state == "half_open":
            if self.inside + self.passed >= POLICY.probes:
                expected = False
            else:
                self.inside += 1
        try:
            if self.breaker.state is not BreakerState.CLOSED:
                self.breaker.admit(self.now)
            admitted = True
        except CircuitOpen:
            admitted = False
        assert admitted == expected
        if admitted:
            self.flying.append((self.generation, self.breaker.generation))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), ends=st.sampled_from(["ok", "ok", "failed", "slow", "ignored"]))
    def end_a_call(self, data: st.DataObject, ends: str) -> None:
        own, theirs = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        number = int(self.now / (float(POLICY.window) / SLICES))
        if ends == "ignored":
            self.breaker.ignored(theirs)
            if self.state == "half_open" and own == self.generation:
                self.inside -= 1
            return
        {"failed": self.breaker.failed, "slow": self.breaker.slow, "ok": self.breaker.succeeded}[ends](theirs, self.now)
        if not (ends == "slow" and self.state == "half_open" and own == self.generation):
            self.log.append((number, ends))
        if own != self.generation:
            return
        if self.state == "half_open":
            if ends != "ok":
                self.pause = min(self.pause * 2, 8.0)
                self.move("open")
            else:
                self.inside -= 1
                self.passed += 1
                if self.passed == POLICY.probes:
                    self.move("closed")
        elif self.state == "closed" and ends != "ok":
            window = [bad for at, bad in self.log if at > number - SLICES]
            failing, slow = (window.count(bad) / len(window) for bad in ("failed", "slow"))
            if len(window) >= POLICY.min_calls and (failing >= POLICY.failure_rate or slow >= POLICY.slow_rate):
                self.pause = 2.0
                self.move("open")

    @invariant()
    def agree(self) -> None:
        assert self.breaker.state.value == self.state
        if self.state == "open":
            assert self.breaker.until == self.until


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
