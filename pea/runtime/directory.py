"""The agents of a fleet: which there are, in which state, and who offers what."""

from __future__ import annotations

import enum

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
        self._agents: dict[str, Agent] = {}
        self.capabilities: dict[str, Capability] = {}

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
        record = AgentRecord(
            name=agent.name,
            type=kind,
            state=AgentState.STARTING,
            capabilities=tuple(sorted(capability.name for capability in offered)),
            order=len(self.records),
        )
        self.records.add(record)
        self._agents[agent.name] = agent
        return record

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

    def agent(self, name: str) -> Agent:
        """The agent of this name; UnknownAgent when there is none that was loaded."""
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
        return [(None, self.capability(name))]

    def _unknown(self, name: str) -> PeaError:
        # The agent that would offer it may have failed to load, and then its capabilities are not known.
        owner = self.records.get(name.partition(".")[0])
        if owner is not None and owner.state is AgentState.FAILED and not owner.capabilities:
            return AgentUnavailable(f"agent {owner.name!r} failed to load: {owner.reason}", where=name)
        near = nearest(name, self.capabilities)
        fix = f"did you mean {near!r}?" if near else "GET /v1/capabilities or `pea agents` lists what there is"
        return UnknownCapability(f"no agent offers {name!r}", fix=fix)
