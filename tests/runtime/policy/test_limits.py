"""Rate limits, bulkheads and retry budgets, each against what it promises."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pea.config import Seconds
from pea.config.policies import BulkheadPolicy, RatePolicy, RetryBudgetPolicy
from pea.errors import Overloaded
from pea.runtime.policy.budget import Budget
from pea.runtime.policy.bulkhead import Bulkhead
from pea.runtime.policy.rate import RateLimit


def test_a_burst_then_the_rate() -> None:
    """Three at once, then one each tenth of a second."""
    limit = RateLimit("x.y", RatePolicy(per_second=10, burst=3))
    for _ in range(3):
        limit.take(5.0)
    with pytest.raises(Overloaded, match="rate limit") as refused:
        limit.take(5.0)
    assert refused.value.retry_after_s == pytest.approx(0.1)
    limit.take(5.1)
    with pytest.raises(Overloaded):
        limit.take(5.15)
    assert limit.refused == 2


class BucketAgainstAModel(RuleBasedStateMachine):
    """The one number beside a bucket of tokens that is filled step by step."""

    @initialize(rate=st.sampled_from([0.5, 4.0, 64.0]), burst=st.integers(1, 8))
    def begin(self, rate: float, burst: int) -> None:
        self.now, self.rate, self.burst, self.tokens = 0.0, rate, burst, float(burst)
        self.limit = RateLimit("x.y", RatePolicy(per_second=rate, burst=burst))

    @rule(steps=st.integers(0, 400))
    def wait(self, steps: int) -> None:
        self.now += steps / 128
        self.tokens = min(float(self.burst), self.tokens + steps / 128 * self.rate)

    @rule()
    def take(self) -> None:
        if self.tokens >= 1.0 - 1e-6:
            self.limit.take(self.now)
            self.tokens = max(0.0, self.tokens - 1.0)
            return
        with pytest.raises(Overloaded) as refused:
            self.limit.take(self.now)
        assert refused.value.retry_after_s == pytest.approx((1.0 - self.tokens) / self.rate, abs=1e-6)


TestBucketAgainstAModel = BucketAgainstAModel.TestCase
TestBucketAgainstAModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class BudgetAgainstAModel(RuleBasedStateMachine):
    """Retries never outnumber the burst and the successes' share."""

    @initialize(ratio=st.sampled_from([0.0, 0.25, 1.0]), burst=st.integers(0, 5))
    def begin(self, ratio: float, burst: int) -> None:
        self.ratio, self.burst = ratio, burst
        self.budget = Budget.of(RetryBudgetPolicy(ratio=ratio, burst=burst))
        self.successes = self.retries = 0
        self.tokens = float(burst)

    @rule(count=st.integers(1, 20))
    def succeed(self, count: int) -> None:
        self.successes += count

    @rule()
    def retry(self) -> None:
        self.retries += self.budget.withdraw(self.successes)

    @invariant()
    def bounded(self) -> None:
        assert self.retries <= self.burst + self.ratio * self.successes + 1e-6


TestBudgetAgainstAModel = BudgetAgainstAModel.TestCase
TestBudgetAgainstAModel.settings = settings(max_examples=60, deadline=None)


async def test_the_line_is_first_come_first_served() -> None:
    """Who waits longest goes next, and never more than fit are inside."""
    bulkhead = Bulkhead("x.y", BulkheadPolicy(concurrent=1, wait=Seconds(60)))
    order: list[int] = []
    await bulkhead.enter()

    async def visit(number: int) -> None:
        await bulkhead.enter()
        order.append(number)
        assert bulkhead.inside == 1
        bulkhead.leave()

    visits = [asyncio.create_task(visit(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert bulkhead.waiting == 5
    bulkhead.leave()
    await asyncio.gather(*visits)
    assert (order, bulkhead.inside, bulkhead.waiting) == ([0, 1, 2, 3, 4], 0, 0)


async def test_a_full_line_refuses_at_once() -> None:
    """No place inside and none in the line."""
    bulkhead = Bulkhead("x.y", BulkheadPolicy(concurrent=1, waiting=0, wait=Seconds(60)))
    await bulkhead.enter()
    with pytest.raises(Overloaded, match=r"x\.y: 1 calls are running and 0 wait"):
        await bulkhead.enter()


async def test_waiting_ends_at_its_bound() -> None:
    """Who waited long enough is told so and leaves the line."""
    bulkhead = Bulkhead("x.y", BulkheadPolicy(concurrent=1, wait=Seconds(0.001)))
    await bulkhead.enter()
    with pytest.raises(Overloaded):
        await bulkhead.enter()
    assert (bulkhead.inside, bulkhead.waiting, bulkhead.refused) == (1, 0, 1)


async def test_who_leaves_together_with_who_waits_for_it_is_cancelled_as_it_should() -> None:
    """All calls of one gather are cancelled in one turn of the loop: the one inside passes those in line over."""
    bulkhead = Bulkhead("x.y", BulkheadPolicy(concurrent=1, wait=Seconds(60)))

    async def visit() -> None:
        await bulkhead.enter()
        try:
            await asyncio.Event().wait()
        finally:
            bulkhead.leave()

    visits = [asyncio.create_task(visit()) for _ in range(3)]
    await asyncio.sleep(0)
    for one in visits:
        one.cancel()
    await asyncio.wait(visits)
    assert [one.cancelled() for one in visits] == [True, True, True]
    assert (bulkhead.inside, bulkhead.waiting) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["enter", "leave", "cancel", "step"])), max_size=60))
def test_no_place_is_lost_or_made(moves: list[tuple[int, str]]) -> None:
    """Whatever enters, leaves or is cancelled in whatever order: at most two inside, and at the end none."""

    async def play() -> None:
        bulkhead = Bulkhead("x.y", BulkheadPolicy(concurrent=2, waiting=3, wait=Seconds(60)))
        gates: dict[int, asyncio.Event] = {}
        visits: dict[int, asyncio.Task[None]] = {}

        async def visit(gate: asyncio.Event) -> None:
            with contextlib.suppress(Overloaded):
                await bulkhead.enter()
                try:
                    await gate.wait()
                finally:
                    bulkhead.leave()

        for who, move in moves:
            if move == "enter" and who not in visits:
                gates[who] = asyncio.Event()
                visits[who] = asyncio.create_task(visit(gates[who]))
            elif move == "leave" and who in gates:
                gates[who].set()
            elif move == "cancel" and who in visits:
                visits[who].cancel()
            elif move == "step":
                await asyncio.sleep(0)
            assert 0 <= bulkhead.inside <= 2
            assert bulkhead.waiting <= 3
        for gate in gates.values():
            gate.set()
        await asyncio.gather(*visits.values(), return_exceptions=True)
        assert (bulkhead.inside, bulkhead.waiting) == (0, 0)

    asyncio.run(play())
