"""Whose turn it is among equals: start-time fair queueing, so that nobody's thousand tasks hold up another's one.

P. Goyal, H. M. Vin, H. Cheng, "Start-time Fair Queueing", SIGCOMM 1996. A waiting task gets a start tag: the later of
the virtual time and its flow's last finish tag; tasks run in the order of their tags. A flow's share is of the time
that its tasks take, not of their number.
"""

from __future__ import annotations

MAX_FLOWS = 1_000


class FairTags:
    """Start tags for the waiting tasks of one priority."""

    __slots__ = ("_finish", "now")

    def __init__(self) -> None:
        self.now = 0.0  # virtual time: the tag of what ran last
        self._finish: dict[str, float] = {}

    def tag(self, flow: str, cost_s: float) -> float:
        """The start tag of the flow's next task, which will take about ``cost_s`` seconds."""
        start = max(self.now, self._finish.get(flow, 0.0))
        if flow not in self._finish and len(self._finish) >= MAX_FLOWS:
            self._forget()
        self._finish[flow] = start + cost_s
        return start

    def ran(self, tag: float) -> None:
        """The task with this tag has its turn."""
        self.now = max(self.now, tag)

    def _forget(self) -> None:
        """Flows that owe nothing; when all do, those that owe least."""
        owing = sorted((finish, flow) for flow, finish in self._finish.items() if finish > self.now)
        self._finish = {flow: finish for finish, flow in owing[-MAX_FLOWS // 2 :]}
