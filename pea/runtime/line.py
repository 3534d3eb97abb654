"""The line of tasks that wait: whose turn is first, and who has left it early."""

from __future__ import annotations

import heapq

from pea.runtime.policy.admission import Place

SPARE = 64  # places of those who left that are not worth clearing


class Line:
    """A heap of places. One that is left stays in it until it is passed, or until such outnumber the living."""

    def __init__(self) -> None:
        self._heap: list[Place] = []
        self._tasks: dict[Place, str] = {}  # of those who wait, by their place

    @property
    def size(self) -> int:
        """How many places are held, those of who left included."""
        return len(self._heap)

    def join(self, place: Place, task: str) -> None:
        """A task waits."""
        heapq.heappush(self._heap, place)
        self._tasks[place] = task

    def leave(self, place: Place) -> None:
        """It waits no more."""
        del self._tasks[place]
        if len(self._heap) > 2 * len(self._tasks) + SPARE:
            self._heap = list(self._tasks)
            heapq.heapify(self._heap)

    def first(self) -> tuple[Place, str] | None:
        """Whose turn is first; None when nobody waits."""
        while self._heap:
            task = self._tasks.get(self._heap[0])
            if task is not None:
                return self._heap[0], task
            heapq.heappop(self._heap)
        return None
