"""Which of several replicas answers: the better of two picked at random, by what is outstanding and how fast it is.

"The power of two choices" (M. Mitzenmacher, IEEE TPDS 12(10), 2001), by a moving average that rises faster than it
falls. Finagle takes the peak instead: here all replicas share one event loop, and one stall of it would make all of
them look slow for long. What has not been heard of for a while is forgotten, so that the slow are probed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import random
from typing import Any

import msgspec
from opentelemetry.trace import Link

from pea.runtime.policy.breaker import OPEN
from pea.runtime.policy.lane import Lane
from pea.runtime.policy.outcome import is_fault

DECAY_S = 10.0  # what is not heard of is forgotten at this pace
STALE_S = 1.0  # what was heard longer ago than this is replaced by what is heard now
UP, DOWN = 0.3, 0.1  # of each answer's difference, in the mean
UNKNOWN_S = 1e6  # one that has not answered yet and is asked: wait for what it says


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica stands: calls on their way, its latency as the choice sees it, calls it got."""

    replica: int
    outstanding: int
    latency_s: float
    calls: int


class Place:
    """One replica as the balancer sees it."""

    __slots__ = ("calls", "heard", "lane", "latency_s", "outstanding", "replica")

    def __init__(self, replica: int, lane: Lane, now: float) -> None:
        self.replica = replica
        self.lane = lane
        self.outstanding = 0
        self.latency_s = 0.0
        self.heard = now
        self.calls = 0

    def cost(self, now: float) -> float:
        """Outstanding calls times latency; only what has nothing on its way is forgotten, so it gets one probe."""
        if self.outstanding:
            return (self.outstanding + 1) * (self.latency_s or UNKNOWN_S)
        return self.latency_s * math.exp((self.heard - now) / DECAY_S)

    def observe(self, seconds: float, now: float) -> None:
        """An answer took so long."""
        if not self.latency_s or now - self.heard > STALE_S:
            self.latency_s = seconds
        else:
            self.latency_s += (UP if seconds > self.latency_s else DOWN) * (seconds - self.latency_s)
        self.heard = now


class Balancer:
    """The replicas of one capability."""

    def __init__(
        self, lanes: Sequence[tuple[int, Lane]], clock: Callable[[], float], chance: Callable[[], float] = random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self.places = [Place(replica, lane, clock()) for replica, lane in lanes]

    async def attempt(
        self,
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        number: int = 1,
        links: Sequence[Link] = (),
        hedge: bool = False,  # noqa: FBT001, FBT002 - the layers' common signature
    ) -> Any:
        """One attempt on the replica chosen; see `Lane.attempt`."""
        clock = self._clock
        began = clock()
        place = self.choose(began)
        place.outstanding += 1
        place.calls += 1
        try:
            answer = await place.lane.attempt(arguments, deadline, task_id, number, links, hedge)
        except BaseException as error:  # a call that is cancelled has taken its time too
            # What fails fast must not look fast.
            place.observe(max(place.lane.timeout_s, clock() - began) if is_fault(error) else clock() - began, clock())
            raise
        else:
            place.observe(clock() - began, clock())
            return answer
        finally:
            place.outstanding -= 1

    def choose(self, now: float) -> Place:
        """The better of two; those whose breaker is open only when all are."""
        places = [one for one in self.places if one.lane.breaker.state is not OPEN or now >= one.lane.breaker.until]
        places = places or self.places
        if len(places) == 1:
            return places[0]
        first = int(self._chance() * len(places))
        second = (first + 1 + int(self._chance() * (len(places) - 1))) % len(places)
        one, other = places[first], places[second]
        return one if one.cost(now) <= other.cost(now) else other

    def loads(self) -> tuple[Load, ...]:
        """How the replicas stand."""
        return tuple(
            Load(replica=one.replica, outstanding=one.outstanding, latency_s=one.latency_s, calls=one.calls)
            for one in self.places
        )
