"""Users' opinions of tasks: the latest of each task, bounded, kept in the activity log over restarts."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from pea.runtime import Runtime

KIND = "task.feedback"
MOST = 1_000
AGE_S = 30 * 86_400.0
BEST = 5


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """One task's score, 1 to 5; ``at`` is Unix time."""

    task: str
    agent: str
    score: int
    at: float


class Opinions:
    """Owns the opinions of the last 30 days, 1,000 at most; the oldest leave first."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.time) -> None:
        self._runtime = runtime
        self._clock = clock
        self._by_task: OrderedDict[str, Opinion] = OrderedDict()
        self._loaded = False

    async def load(self) -> None:
        """Read once what earlier processes have noted."""
        if self._loaded or not self._runtime.ready:
            return
        self._loaded = True
        for activity in reversed(await self._runtime.dispatcher.caches.activity.recent(MOST, kind=KIND)):
            fields = activity.fields
            task, score = fields.get("task"), fields.get("score")
            if isinstance(task, str) and isinstance(score, int) and 1 <= score <= BEST:
                self._hold(Opinion(task=task, agent=activity.agent, score=score, at=activity.at))

    async def note(self, opinion: Opinion, capability: str, comment: str) -> None:
        """Take an opinion in, in place of an earlier one of the same task, and write it down."""
        self._hold(opinion)
        fields = {"task": opinion.task, "score": opinion.score, "comment": comment}
        await self._runtime.dispatcher.caches.activity.append(opinion.agent, KIND, fields, capability)

    def of(self, agent: str = "") -> tuple[float | None, int]:
        """The mean of (score - 1) / 4 over an agent's tasks, or all, and of how many; None of none."""
        oldest = self._clock() - AGE_S
        scores = [one.score for one in self._by_task.values() if one.at >= oldest and agent in ("", one.agent)]
        if not scores:
            return None, 0
        return round(sum(score - 1 for score in scores) / (BEST - 1) / len(scores), 4), len(scores)

    def _hold(self, opinion: Opinion) -> None:
        self._by_task.pop(opinion.task, None)
        self._by_task[opinion.task] = opinion
        while len(self._by_task) > MOST:
            self._by_task.popitem(last=False)
