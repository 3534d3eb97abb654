"""The agents of a fleet: which there are, in which state, and who offers what."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from pea.errors import AgentUnavailable, PeaError, UnknownAgent, UnknownCapability, did_you_mean, nearest
from pea.runtime.agent import Agent
from pea.runtime.contract import Capability, capabilities
from pea.runtime.registry import Registry


class AgentState(enum.StrEnum):
    """Whether an agent can be called."""

    STARTING = "starting"  # its `start` has not returned yet
    READY = "ready"  # it takes calls
    FAILED = "failed"  # it could not be loaded or started; ``reason`` says why
    ABANDONED = "abandoned"  # it failed again and again, and is not started any more
    STOPPED = "stopped"  # it was shut down


class AgentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one agent. ``type`` is the class it is an instance of, ``start_s`` what starting it took."""

    name: str
    type: str
    state: AgentState
    capabilities: tuple[str, ...] = ()
    reason: str | None = None
    start_s: float | None = None
    order: int = 0
    replicas: int = 1  # instances behind the name
    ready: int = 0  # of them in service


class Directory:
    """Agents by name, status, type and capability; and the capability map that calls are routed by."""

    def __init__(self) -> None:
        self.records: Registry[AgentRecord] = Registry(
            lambda record: record.name,
            {
                "state": lambda record: (record.state,),
                "type": lambda record: (record.type,),
                "capability": lambda record: record.capabilities,
            },
            order=lambda record: record.order,
        )
        self._agents: dict[str, list[Agent]] = {}
        self._out: dict[tuple[str, int], tuple[AgentState, str]] = {}  # replicas out of service, and why
        self._replicas: dict[str, list[Capability]] = {}
        self.capabilities: dict[str, Capability] = {}
        self._lent: dict[str, tuple[str, ...]] = {}  # capabilities that an agent was given while it ran

    def add(self, agent: Agent) -> AgentRecord:
        """Take in an agent that is about to start; PeaError when it is not usable or a name is taken."""
        kind = f"{type(agent).__module__}:{type(agent).__qualname__}"
        if not agent.name or not agent.name.replace("-", "_").isidentifier():
            raise PeaError(f"needs a name of letters, digits and _, not {agent.name!r}", where=kind)
        if agent.name in self.records:
            raise PeaError(f"agent {agent.name!r} is installed already", where=kind, fix="give it another name")
        offered = capabilities(agent)
        for capability in offered:
            holder = self.capabilities.get(capability.name)
            if holder is not None:
                raise PeaError(f"{capability.name} is offered by agent {holder.agent!r} already", where=kind)
        self.capabilities.update((capability.name, capability) for capability in offered)
        self._replicas.update((capability.name, [capability]) for capability in offered)
        record = AgentRecord(
            name=agent.name,
            type=kind,
            state=AgentState.STARTING,
            capabilities=tuple(sorted(capability.name for capability in offered)),
            order=len(self.records),
        )
        self.records.add(record)
        self._agents[agent.name] = [agent]
        return record

    def offer(self, name: str, offered: Sequence[Capability]) -> AgentRecord:
        """An agent offers these too, in place of those it was given here before.

        PeaError when one has the name of another agent's.
        """
        old = self.record(name)
        for capability in offered:
            holder = self.capabilities.get(capability.name)
            if holder is not None and (holder.agent != name or capability.name not in self._lent.get(name, ())):
                raise PeaError(f"{capability.name} is offered by agent {holder.agent!r} already", where=f"agent {name}")
        for gone in self._lent.pop(name, ()):
            del self.capabilities[gone], self._replicas[gone]
        self._lent[name] = tuple(capability.name for capability in offered)
        self.capabilities.update((capability.name, capability) for capability in offered)
        self._replicas.update((capability.name, [capability]) for capability in offered)
        own = [one for one, capability in self.capabilities.items() if capability.agent == name]
        new = msgspec.structs.replace(old, capabilities=tuple(sorted(own)))
        self.records.replace(new)
        return new

    def add_replica(self, agent: Agent) -> AgentRecord:
        """Take in one more instance of an agent; PeaError when it is of another type."""
        first = self.agent(agent.name)
        if type(agent) is not type(first):
            kind = f"{type(agent).__module__}:{type(agent).__qualname__}"
            raise PeaError(f"a replica of {agent.name!r} must be of its type, {type(first).__qualname__}", where=kind)
        for capability in capabilities(agent):
            self._replicas[capability.name].append(capability)
        self._agents[agent.name].append(agent)
        old = self.record(agent.name)
        new = msgspec.structs.replace(old, replicas=old.replicas + 1)
        self.records.replace(new)
        return new

    def add_failed(self, name: str, kind: str, reason: str) -> None:
        """Record an agent that could not even be loaded, so that it is missed by name."""
        record = AgentRecord(name=name, type=kind, state=AgentState.FAILED, reason=reason, order=len(self.records))
        if name not in self.records:
            self.records.add(record)

    def change(
        self, name: str, state: AgentState, *, reason: str | None = None, start_s: float | None = None
    ) -> AgentRecord:
        """Put an agent into another state and return its new record."""
        old = self.record(name)
        new = msgspec.structs.replace(
            old, state=state, reason=reason, start_s=old.start_s if start_s is None else start_s
        )
        self.records.replace(new)
        return new

    def up(self, name: str, number: int, *, start_s: float) -> AgentRecord:
        """Replica ``number`` is in service; so is its agent, then."""
        self._out.pop((name, number), None)
        return self._count(name, start_s)

    def down(
        self,
        name: str,
        number: int,
        reason: str,
        *,
        state: AgentState = AgentState.FAILED,
        start_s: float | None = None,
    ) -> AgentRecord:
        """Replica ``number`` is out of service; its agent is when all of them are."""
        self._out[name, number] = (state, reason)
        return self._count(name, start_s)

    def reason(self, name: str, number: int) -> str | None:
        """Why this replica is out of service; None when it is not."""
        out = self._out.get((name, number))
        return None if out is None else out[1]

    def states(self, name: str) -> list[tuple[AgentState, str | None]]:
        """The state of each replica of an agent, and why it is out of service."""
        record = self.record(name)
        other = AgentState.READY if record.state is not AgentState.STOPPED else AgentState.STOPPED
        return [self._out.get((name, number), (other, None)) for number in range(1, record.replicas + 1)]

    def _count(self, name: str, start_s: float | None) -> AgentRecord:
        old = self.record(name)
        out = [self._out[name, number] for number in range(1, old.replicas + 1) if (name, number) in self._out]
        ready = old.replicas - len(out)
        given_up = all(state is AgentState.ABANDONED for state, _ in out)
        worst = AgentState.ABANDONED if given_up else AgentState.FAILED
        new = msgspec.structs.replace(
            old,
            state=AgentState.READY if ready else worst,
            reason=None if ready or not out else out[-1][1],
            start_s=old.start_s if start_s is None else start_s,
            ready=ready,
        )
        self.records.replace(new)
        return new

    def agent(self, name: str) -> Agent:
        """The agent of this name, the first of its replicas; UnknownAgent when there is none that was loaded."""
        return self.agents(name)[0]

    def agents(self, name: str) -> list[Agent]:
        """All replicas of the agent of this name; UnknownAgent when there is none that was loaded."""
        found = self._agents.get(name)
        if found is None:
            raise UnknownAgent(f"no agent is called {name!r}", fix=did_you_mean(name, self._agents))
        return found

    def record(self, name: str) -> AgentRecord:
        """The record of this agent; UnknownAgent, with the nearest name, when there is none."""
        found = self.records.get(name)
        if found is None:
            names = [record.name for record in self.records]
            raise UnknownAgent(f"no agent is called {name!r}", fix=did_you_mean(name, names))
        return found

    def capability(self, name: str) -> Capability:
        """The capability of this name, whose agent is ready.

        Raises UnknownCapability with the nearest name, or AgentUnavailable with why its agent does not serve.
        """
        found = self.capabilities.get(name)
        if found is None:
            raise self._unknown(name)
        record = self.records.get(found.agent)
        if record is None or record.state is not AgentState.READY:
            state = "missing" if record is None else record.state.value
            why = f": {record.reason}" if record is not None and record.reason else ""
            raise AgentUnavailable(f"agent {found.agent!r} is {state}{why}", where=name)
        return found

    def replicas(self, name: str) -> list[tuple[int | None, Capability]]:
        """The capability of each replica that is ready, by its number; of an only instance, which has none.

        Raises as `capability` does.
        """
        found = self.capability(name)
        every = self._replicas[name]
        if len(every) == 1:
            return [(None, found)]
        return [(number, one) for number, one in enumerate(every, 1) if (found.agent, number) not in self._out]

    def instances(self, name: str) -> list[Capability]:
        """The capability of every replica, in service or not; empty when nobody offers it."""
        return list(self._replicas.get(name, ()))

    def _unknown(self, name: str) -> PeaError:
        # The agent that would offer it may have failed to load, and then its capabilities are not known.
        owner = self.records.get(name.partition(".")[0])
        if owner is not None and owner.state is AgentState.FAILED and not owner.capabilities:
            return AgentUnavailable(f"agent {owner.name!r} failed to load: {owner.reason}", where=name)
        near = nearest(name, self.capabilities)
        fix = f"did you mean {near!r}?" if near else "GET /v1/capabilities or `pea agents` lists what there is"
        return UnknownCapability(f"no agent offers {name!r}", fix=fix)
