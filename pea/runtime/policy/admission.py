"""Which tasks are taken in, and when each may start: priorities, fairness, honest refusals, a limit that adapts.

What is taken in is never thrown out again: lower priorities are refused earlier, as the queue fills, so that there is
always room for the higher ones.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from pea.config import RuntimeSettings
from pea.errors import Overloaded
from pea.runtime.policy.concurrency import ConcurrencyLimit
from pea.runtime.policy.fairness import FairTags
from pea.runtime.task import Priority

# How full of waiting tasks the queue may be for one of this priority to be taken in.
ROOM = {Priority.LOW: 0.5, Priority.NORMAL: 0.7, Priority.HIGH: 0.8, Priority.CRITICAL: 1.0}
ENOUGH = 10  # tasks of a kind before their usual duration is believed
SHARE = 0.1  # of a new duration in the usual one
FIRST_GUESS_S = 0.05
LONGEST_WAIT_S = 60.0
SHORT_S = 5.0  # before a task that memory was too short for is tried again
MAX_KNOWN = 1_000
TELLING_S = 0.005  # of expected wait; shorter ones say nothing about the reckoning
MOST_STRETCH = 20.0
UP, DOWN = 0.3, 0.03  # quickly to what is worse: nine in ten of those let in are to be in time


class Place(NamedTuple):
    """Where a task waits; places sort by whose turn is first."""

    behind: int  # the negative priority
    tag: float
    arrival: int
    cost_s: float
    expected_s: float  # of waiting, as it was reckoned
    since: float


class Admission:
    """The door of one scheduler, which says what happens: a task waits, leaves the line, starts, ends."""

    def __init__(self, settings: RuntimeSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.concurrency = ConcurrencyLimit(
            settings.concurrency, settings.concurrency_least, adaptive=settings.adaptive_concurrency
        )
        self.shed_below: Priority | None = None  # set by the watcher of the SLA: refuse these while tasks wait
        self.short_below: Priority | None = None  # set while memory is short: refuse these
        self.refused: dict[tuple[Priority, str], int] = {}
        self._room = {priority: math.ceil(share * settings.queue) for priority, share in ROOM.items()}
        self._reserve = settings.critical_reserve
        self._tags = {priority: FairTags() for priority in Priority}
        self._waiting = dict.fromkeys(Priority, 0)
        self._ahead_s = dict.fromkeys(Priority, 0.0)
        # How much longer than reckoned tasks have waited: higher priorities that came after them, above all.
        self._stretch = dict.fromkeys(Priority, 1.0)
        self._usual: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._mean_s = FIRST_GUESS_S
        self._arrivals = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return sum(self._waiting.values())

    def check(self, capability: str, priority: Priority, deadline_s: float | None) -> None:
        """Raise Overloaded, with when to try again, for a task that there is no room or no time for."""
        if self.short_below is not None and priority < self.short_below:
            what = f"memory is short: tasks of priority {priority.name.lower()} are refused until there is more"
            self._refuse(priority, "memory", what, SHORT_S)
        waiting = self.waiting
        if waiting >= self._room[priority]:
            excess = waiting - self._room[priority] + 1
            wait_s = self._wait_s(excess * self._mean_s)
            self._refuse(priority, "full", f"{waiting} tasks are waiting", wait_s)
        if waiting and self.shed_below is not None and priority < self.shed_below:
            what = f"tasks of priority {priority.name.lower()} are refused until the objectives are met again"
            self._refuse(priority, "shed", what, self._wait_s(waiting * self._mean_s))
        if waiting and deadline_s is not None and priority is not Priority.CRITICAL:  # a crisis is tried in any case
            usual_s, count = self._usual.get(capability, (0.0, 0))
            wait_s = self._before_s(priority) * self._stretch[priority]
            if count >= ENOUGH and wait_s and wait_s + usual_s > deadline_s:
                what = f"it would end in about {wait_s + usual_s:.1f} s, after its deadline of {deadline_s:.1f} s"
                self._refuse(priority, "late", what, wait_s + usual_s - deadline_s)

    def squeeze(self, share: float) -> None:
        """Take in tasks of this share of the four priorities, the highest; 1 takes in all again."""
        refused = round((1 - share) * len(Priority))
        self.short_below = Priority(refused) if refused else None

    def may_start(self, priority: Priority) -> bool:
        """Whether there is a free place for a task of this priority; some are kept for the critical ones."""
        reserve = self._reserve if priority is Priority.CRITICAL else 0
        return self.running < self.concurrency.limit + reserve

    def goes_at_once(self, priority: Priority) -> bool:
        """Whether a task of this priority need not wait: a place is free and nobody before it waits."""
        return self.may_start(priority) and not any(self._waiting[other] for other in Priority if other >= priority)

    def enqueue(self, capability: str, flow: str, priority: Priority) -> Place:
        """A task waits; ``flow`` is whose it is, for fairness among equals."""
        cost_s, _ = self._usual.get(capability, (self._mean_s, 0))
        expected_s = self._before_s(priority)
        self._arrivals += 1
        self._waiting[priority] += 1
        self._ahead_s[priority] += cost_s
        return Place(
            -priority, self._tags[priority].tag(flow, cost_s), self._arrivals, cost_s, expected_s, self._clock()
        )

    def dequeue(self, place: Place, *, starts: bool) -> None:
        """A task waits no more, since it ``starts`` or for another reason."""
        priority = Priority(-place.behind)
        self._waiting[priority] -= 1
        self._ahead_s[priority] = max(0.0, self._ahead_s[priority] - place.cost_s) if self._waiting[priority] else 0.0
        if starts:
            self._tags[priority].ran(place.tag)
        waited_s = self._clock() - place.since
        if place.expected_s > TELLING_S and (starts or waited_s > place.expected_s):
            wrong = max(1.0, min(MOST_STRETCH, waited_s / place.expected_s)) - self._stretch[priority]
            self._stretch[priority] += (UP if wrong > 0 else DOWN) * wrong

    def started(self) -> None:
        """A task runs."""
        self.running += 1

    def ended(self, capability: str, seconds: float, *, succeeded: bool) -> None:
        """A task that ran has ended; how long others will take is learnt from those that succeed."""
        running, self.running = self.running, self.running - 1
        if not succeeded:
            return
        self.concurrency.ended(capability, seconds, running)
        self._mean_s += SHARE * (seconds - self._mean_s)
        usual_s, count = self._usual.get(capability, (seconds, 0))
        self._usual[capability] = (usual_s + max(SHARE, 1 / (count + 1)) * (seconds - usual_s), count + 1)
        self._usual.move_to_end(capability)
        if len(self._usual) > MAX_KNOWN:
            self._usual.popitem(last=False)

    def _before_s(self, priority: Priority) -> float:
        """How long those that wait and go before a task of this priority will take."""
        return self._wait_s(sum(work_s for other, work_s in self._ahead_s.items() if other >= priority))

    def _wait_s(self, work_s: float) -> float:
        """How long so much work takes the places there are."""
        return work_s / self.concurrency.limit

    def _refuse(self, priority: Priority, reason: str, what: str, wait_s: float) -> None:
        wait_s = min(LONGEST_WAIT_S, max(1.0, wait_s))
        self.refused[priority, reason] = self.refused.get((priority, reason), 0) + 1
        raise Overloaded(what, retry_after_s=wait_s, fix=f"try again in {wait_s:.0f} s")
