"""Where memory that stays was allocated: tracing switched on only while an alert of memory is pending.

Tracing makes every allocation slower, so it runs from when such an alert is pending until it fires or is over. What was
allocated in that time and is still held when it fires is told by place, the largest first.
"""

from __future__ import annotations

import asyncio
import tracemalloc

import msgspec

from pea.telemetry import names
from pea.watch.alert import State
from pea.watch.book import Change
from pea.watch.rule import RuleSet
from pea.watch.signals import signal

TOP = 5
LEAST = 64 << 10  # bytes at one place; less is no leak
MEMORY = frozenset((names.METRIC_PROCESS_MEMORY_USAGE, names.METRIC_AGENT_MEMORY))


class Site(msgspec.Struct, frozen=True):
    """A line of code, and what it allocated that is still held."""

    where: str
    held_bytes: int
    count: int


class Allocations:
    """Follows the alerts of memory; `sites` says what was found of the one that fires."""

    def __init__(self) -> None:
        self._pending: set[str] = set()
        self._ours = False

    def hear(self, change: Change, rules: RuleSet) -> None:
        """Begin to trace with the first pending alert of memory, and end with the last one that is over."""
        alert = change.alert
        if alert.id in self._pending and alert.state in {State.INACTIVE, State.RESOLVED}:
            self._over(alert.id)  # whose rule may be no more
        if alert.state is not State.PENDING:
            return
        rule = next((one for one in rules.rules if one.name == alert.rule), None)
        if rule is None or signal(rule.signal).metric not in MEMORY:
            return
        self._pending.add(alert.id)
        if not tracemalloc.is_tracing():
            tracemalloc.start(1)
            self._ours = True

    async def sites(self, alert_id: str) -> list[Site]:
        """What has been allocated since the alert was pending and is still held; tracing then ends."""
        if alert_id not in self._pending or not tracemalloc.is_tracing():
            return []
        snapshot = await asyncio.to_thread(tracemalloc.take_snapshot)
        self._over(alert_id)
        return await asyncio.to_thread(largest, snapshot)

    def stop(self) -> None:
        """Trace no longer, whoever is pending."""
        self._pending.clear()
        if self._ours and tracemalloc.is_tracing():  # somebody else's tracing is not ours to end
            tracemalloc.stop()
        self._ours = False

    def _over(self, alert_id: str) -> None:
        self._pending.discard(alert_id)
        if not self._pending:
            self.stop()


def largest(snapshot: tracemalloc.Snapshot) -> list[Site]:
    """The places that hold most, without those of tracing itself."""
    held = snapshot.filter_traces([tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)])
    return [
        Site(f"{one.traceback[0].filename}:{one.traceback[0].lineno}", one.size, one.count)
        for one in held.statistics("lineno")[:TOP]
        if one.size >= LEAST
    ]
