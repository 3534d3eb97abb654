"""Hedged calls by themselves: the first good answer counts, and few calls are sent twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from pea.config import Seconds
from pea.config.policies import HedgePolicy
from pea.runtime.policy.hedge import BURST, EVERY, RECENT, Lateness, _first_good, hedged


async def ends(value: int | Exception, turns: int) -> int:
    """Return or raise after so many turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


@pytest.mark.parametrize("turns", [(1, 1), (1, 5), (5, 1)])
async def test_a_failure_does_not_beat_an_answer(turns: tuple[int, int]) -> None:
    """Whichever of the two ends first, also in the same moment."""
    pair = [asyncio.ensure_future(ends(ValueError("no"), turns[0])), asyncio.ensure_future(ends(7, turns[1]))]
    assert await _first_good(pair) == 7


async def test_two_failures_are_a_failure() -> None:
    """The caller gets what one of them raised."""
    pair = [asyncio.ensure_future(ends(ValueError(text), turns)) for text, turns in (("one", 1), ("two", 3))]
    with pytest.raises(ValueError, match="two"):
        await _first_good(pair)


def test_late_is_the_quantile_of_the_recent_calls() -> None:
    """Nothing is late until enough is known; then what is slower than nineteen in twenty of the last."""
    late = Lateness(HedgePolicy(at_least=Seconds(0.001)))
    for _ in range(EVERY - 1):
        late.add(1.0)
    assert late.after_s is None
    durations = [number / 1_000 for number in range(1, RECENT + 1)]
    random.Random(1).shuffle(durations)
    for duration in durations:
        late.add(duration)
    while late.count % EVERY:
        late.add(0.064)
    assert late.after_s == pytest.approx(0.122, abs=0.006)


async def test_not_more_than_the_share_is_sent_twice() -> None:
    """When everything hangs, only the burst is doubled: a hedge never doubles the load of an outage."""
    sent = looks = 0
    outage, over = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def inner(*_: Any) -> int:
        nonlocal sent
        sent += 1
        if outage.is_set():
            await over.wait()
        return sent

    def clock() -> float:
        nonlocal looks
        looks += outage.is_set()
        if looks == 200:  # each of the hundred has begun, and has found that it is late
            loop.call_soon(over.set)
        return 0.0

    call = hedged(inner, HedgePolicy(at_least=Seconds(0.001), share=0.1), clock)
    for _ in range(EVERY):
        await call({}, 1e9, None)
    outage.set()
    sent = 0
    await asyncio.gather(*(call({}, 1e9, None) for _ in range(100)))
    assert 100 < sent <= 100 + BURST + 0.1 * (EVERY + 100)
