"""The choice among replicas, on a simulated clock: the slow get little and are probed, the failing look slow."""

from __future__ import annotations

import heapq
import random
from types import SimpleNamespace
from typing import Any

import pytest

from pea.config.policies import BreakerPolicy
from pea.runtime.policy import Breaker, BreakerState
from pea.runtime.policy.balance import Balancer, Place


def balancer(count: int, seed: int = 1) -> tuple[Balancer, list[float]]:
    """A balancer of so many replicas, and its clock's hand."""
    now = [0.0]
    lanes: list[Any] = [
        SimpleNamespace(breaker=Breaker(f"x.y {n}", BreakerPolicy()), timeout_s=5.0) for n in range(count)
    ]
    chance = random.Random(seed).random
    return Balancer(list(enumerate(lanes, 1)), lambda: now[0], chance), now


def simulate(latencies: list[float], rate: float, seconds: float) -> dict[int, int]:
    """Calls arrive at ``rate``; how many each replica got."""
    chosen, now = balancer(len(latencies))
    ends: list[tuple[float, int, Place]] = []
    for number in range(int(rate * seconds)):
        at = number / rate
        while ends and ends[0][0] <= at:
            ended, _, place = heapq.heappop(ends)
            place.outstanding -= 1
            place.observe(latencies[place.replica - 1], ended)
        now[0] = at
        place = chosen.choose(at)
        place.outstanding += 1
        place.calls += 1
        heapq.heappush(ends, (at + latencies[place.replica - 1], number, place))
    return {place.replica: place.calls for place in chosen.places}


def test_equals_share_alike() -> None:
    """Three equally fast replicas get a third each, give or take."""
    calls = simulate([0.02, 0.02, 0.02], rate=100, seconds=60)
    assert max(calls.values()) < 1.25 * min(calls.values())


@pytest.mark.parametrize("rate", [2, 20, 200])
def test_the_slow_get_little_and_are_probed(rate: float) -> None:
    """A replica that is twenty times slower gets under two per cent, and more than nothing."""
    calls = simulate([0.01, 0.01, 0.2], rate=rate, seconds=300)
    assert 1 <= calls[3] <= max(0.02 * sum(calls.values()), 12)


def test_one_that_recovers_is_found() -> None:
    """What is not heard of is forgotten: a probe finds that it is fast again, and it gets its share."""
    chosen, now = balancer(2)
    slow, fast = chosen.places
    slow.observe(2.0, 0.0)
    fast.observe(0.01, 0.0)
    found = []
    for step in range(1, 4_000):
        now[0] = step * 0.05
        place = chosen.choose(now[0])
        found.append(place is slow)
        place.observe(0.01, now[0])
    assert not any(found[:100])
    assert sum(found[-500:]) > 100


def test_an_open_replica_is_left_out_until_it_may_be_probed() -> None:
    """Its breaker says when."""
    chosen, _ = balancer(2)
    broken = chosen.places[0].lane.breaker
    for _ in range(20):
        broken.failed(broken.generation, 0.0)
    assert broken.state is BreakerState.OPEN
    assert {chosen.choose(1.0).replica for _ in range(50)} == {2}
    assert 1 in {chosen.choose(broken.until).replica for _ in range(50)}
