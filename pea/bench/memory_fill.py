"""When a process is warm: once every bounded structure is full by its own counter, or has stopped filling.

The rule is fixed before anything is measured and looks at counters only, never at the memory: a structure is full at
nine tenths of its bound, or when its counter has not passed its highest by a hundredth for half an hour's worth of
tasks (what a working day needs of it may be less than it may hold). One that keeps growing never lets the warm-up end.
"""

from __future__ import annotations

import msgspec

from pea.runtime.history import TOMBSTONES_PER_ENTRY
from pea.service import Service
from pea.service.chronicle import HOLDER

STILL_TASKS = 1_800
FULL = 0.9
GROWN = 1.01


class Fill(msgspec.Struct, frozen=True):
    """A structure's own counter, and its bound."""

    name: str
    count: int
    bound: int


def fills(service: Service) -> list[Fill]:
    """What fills as tasks are done: histories, memories of ids, traces, caches."""
    runtime = service.runtime
    own, history = runtime.settings, runtime.scheduler.history
    caches = runtime.dispatcher.caches
    activity = caches.activity.stats()
    found = [
        Fill("tasks", len(history.registry), own.runtime.history),
        Fill("task results, bytes", history.ended_bytes, int(own.runtime.history_size)),
        Fill("tasks forgotten", len(history._tombstones), own.runtime.history * TOMBSTONES_PER_ENTRY),
        Fill("recent traces", len(runtime.telemetry.recent), own.telemetry.recent_traces),
        Fill("caches, bytes", caches.stats().memory_bytes, int(own.cache.memory)),
        Fill("activities, hot", activity.hot.entries, own.activity.hot_entries),
        Fill("activities, warm", activity.warm.entries, own.activity.warm_entries),
    ]
    chronicle = service.app[HOLDER].chronicle
    if chronicle is not None:
        keeper = chronicle.keeper.status()
        found.append(Fill("open traces", keeper.open_traces, own.keeper.traces))
    return found


class Warmup:
    """Looks at the counters after each round of tasks; ``waiting`` are those that are still filling."""

    def __init__(self) -> None:
        self.waiting: tuple[str, ...] = ("everything",)
        self._highest: dict[str, tuple[int, int]] = {}  # count, and the tasks done when it was reached

    def over(self, tasks: int, seen: list[Fill]) -> bool:
        """Whether all are full, after so many tasks."""
        waiting = []
        for fill in seen:
            highest, since = self._highest.get(fill.name, (0, 0))
            if fill.count > highest * GROWN or fill.name not in self._highest:
                self._highest[fill.name] = highest, since = fill.count, tasks
            if fill.count < FULL * fill.bound and tasks - since < STILL_TASKS:
                waiting.append(fill.name)
        self.waiting = tuple(waiting)
        return not waiting
