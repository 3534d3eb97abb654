"""The tasks there are and were: indexed, and bounded by entries, bytes and age.

Only ended tasks are evicted, oldest end first. What is left of an evicted task is its id and how it ended, so that a
late question is answered with "it succeeded, its result is gone" rather than "there was no such task".
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from pea.errors import TaskForgotten, UnknownTask
from pea.runtime.registry import Registry
from pea.runtime.task import Task, TaskState, timestamp

TOMBSTONES_PER_ENTRY = 20
FRESH = 8


class History:
    """All tasks that have not ended, and at most ``entries`` of those that have, ``age_s`` old and ``size_bytes``.

    For its first ``keep_s`` seconds a result gives way to others only beyond `FRESH` times ``entries``: who submitted
    it in a crowd must have time to fetch it.
    """

    def __init__(
        self,
        entries: int,
        age_s: float,
        size_bytes: int,
        keep_s: float = 0.0,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry: Registry[Task] = Registry(
            lambda task: task.id,
            {
                "state": lambda task: (task.state,),
                "priority": lambda task: (task.priority,),
                "agent": lambda task: (task.agent,),
                "capability": lambda task: (task.capability,),
            },
            order=lambda task: task.created,
        )
        self.ended_bytes = 0
        self._entries = self._all_entries = entries
        self._age_s = age_s
        self._size_bytes = self._all_bytes = size_bytes
        self._keep_s = keep_s
        self._clock = clock
        self._ended: OrderedDict[str, Task] = OrderedDict()
        self._keys: dict[str, str] = {}
        self._tombstones: OrderedDict[str, tuple[TaskState, float]] = OrderedDict()

    def squeeze(self, share: float) -> None:
        """Keep at most this share of the configured entries and bytes of ended tasks; 1 gives it back."""
        self._entries = max(1, int(share * self._all_entries))
        self._size_bytes = int(share * self._all_bytes)
        self.evict()

    def add(self, task: Task) -> None:
        """Take in a new task."""
        self.registry.add(task)
        if task.idempotency_key is not None:
            self._keys[task.idempotency_key] = task.id

    def replace(self, task: Task) -> None:
        """Record a transition; an ended task begins to age."""
        self.registry.replace(task)
        if task.final:
            self._ended[task.id] = task
            self.ended_bytes += task.size_bytes
            self.evict()

    def restore(self, task: Task) -> None:
        """Take in a task that ended before this process began, or as it began; later ends must come later."""
        if self.registry.get(task.id) is None:
            self.add(task)
        self.replace(task)

    def get(self, identity: str) -> Task | None:
        """The task, if it is still known."""
        return self.registry.get(identity)

    def require(self, identity: str) -> Task:
        """The task; raises UnknownTask, or TaskForgotten when it ended and was evicted."""
        self.evict()
        task = self.registry.get(identity)
        if task is not None:
            return task
        gone = self._tombstones.get(identity)
        if gone is None:
            raise UnknownTask("there is no such task", where=f"task {identity[:64]}")
        raise TaskForgotten(
            f"{gone[0]} at {timestamp(gone[1])}; its result has left the history",
            where=f"task {identity}",
            fix="raise runtime.history, runtime.history_age or runtime.history_size to keep results longer",
        )

    def by_key(self, idempotency_key: str) -> Task | None:
        """The task that was submitted with this idempotency key, while it is remembered."""
        identity = self._keys.get(idempotency_key)
        return None if identity is None else self.registry.get(identity)

    def evict(self) -> None:
        """Let go of ended tasks beyond the bounds."""
        now = self._clock()
        while self._ended:
            task = next(iter(self._ended.values()))
            age_s = now - (task.ended or 0.0)
            most = self._entries * FRESH if 0 <= age_s < self._keep_s else self._entries
            crowded = len(self._ended) > most or self.ended_bytes > self._size_bytes
            if not crowded and age_s <= self._age_s:
                return
            self._forget(task)

    def _forget(self, task: Task) -> None:
        del self._ended[task.id]
        self.registry.remove(task.id)
        self.ended_bytes -= task.size_bytes
        if task.idempotency_key is not None and self._keys.get(task.idempotency_key) == task.id:
            del self._keys[task.idempotency_key]
        self._tombstones[task.id] = (task.state, task.ended or task.created)
        if len(self._tombstones) > self._entries * TOMBSTONES_PER_ENTRY:
            self._tombstones.popitem(last=False)
