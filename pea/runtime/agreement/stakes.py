"""What is at stake in a task: whether its calls are put to the vote without being asked to."""

from __future__ import annotations

from contextvars import ContextVar


class Stakes:
    """One task's: whether it is critical, and which agents it has touched.

    ``most`` remembers by capability how many agents earlier tasks have touched, so that the first calls of a task that
    will touch many are voted on as well.
    """

    __slots__ = ("_agents", "_capability", "_most", "critical")

    def __init__(self, capability: str, most: dict[str, int], *, critical: bool) -> None:
        self.critical = critical
        self._capability = capability
        self._most = most
        self._agents: set[str] = set()

    def touch(self, agent: str) -> None:
        """An agent is called."""
        self._agents.add(agent)
        if len(self._agents) > self._most.get(self._capability, 0):
            self._most[self._capability] = len(self._agents)

    def high(self, agents: int) -> bool:
        """Whether the task is critical, or one that touches more than so many agents."""
        return self.critical or self._most.get(self._capability, 0) > agents


#: What is at stake in the task that runs; None outside of one, in a vote, and where nobody has enough replicas.
STAKES: ContextVar[Stakes | None] = ContextVar("pea_stakes", default=None)
