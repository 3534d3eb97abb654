"""The routes of agents and capabilities: who there is, how each is, what it offers, what was measured of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.runtime import AgentRecord, AgentState, Capability, Health, Runtime
from pea.runtime.agreement import Record, Standing
from pea.runtime.policy import BreakerState, BreakerView
from pea.service.access.scopes import Scope
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Header, Operation
from pea.service.schemas import input_and_output
from pea.service.state import STATE, State
from pea.telemetry.figures import CallFigures

Milliseconds = Annotated[float, Meta(ge=0)]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of calls since the service started, folded from their spans; quantiles are right within 1 %."""

    count: int
    errors: int
    error_rate: Annotated[float, Meta(ge=0, le=1)]
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds
    max_ms: Milliseconds
    mean_ms: Milliseconds


class HealthJson(msgspec.Struct, frozen=True):
    """What an agent says of itself: ``problem`` is null when all is well; ``check_ms`` is what asking took."""

    problem: str | None
    check_ms: Milliseconds


class BreakerJson(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit breaker of one capability; ``calls`` and ``failure_rate`` are of its window."""

    capability: str
    replica: int | None
    state: BreakerState
    calls: int
    failure_rate: Annotated[float, Meta(ge=0, le=1)]
    refused: int
    retry_in_ms: Milliseconds


class VotesJson(msgspec.Struct, frozen=True, kw_only=True):
    """A voter's record in rounds of agreement since the start; ``undecided`` are its votes in rounds without decision.

    ``agreement_rate`` is agreed beside agreed and dissented, null before the first.
    """

    agreed: int
    dissented: int
    failed: int
    unheard: int
    undecided: int
    agreement_rate: Annotated[float, Meta(ge=0, le=1)] | None


class ReplicaJson(msgspec.Struct, frozen=True, kw_only=True):
    """One of an agent's instances. ``calls``, ``outstanding`` and ``latency_ms`` are what the choice goes by.

    ``votes`` is null until it was asked for a vote.
    """

    replica: int
    state: AgentState
    reason: str | None
    calls: int
    outstanding: int
    latency_ms: Milliseconds
    votes: VotesJson | None


class AgentJson(msgspec.Struct, frozen=True, kw_only=True):
    """An agent. ``reason`` says why it is not in service; ``figures`` is null until it was called.

    ``breakers`` has those of its capabilities that were called, ``replicas`` is empty for an agent of one instance.
    ``votes`` is its own record as an independent voter, ``agreement`` how rounds among its replicas went.
    """

    name: str
    type: str
    state: AgentState
    reason: str | None
    start_ms: Milliseconds | None
    capabilities: tuple[str, ...]
    health: HealthJson
    figures: Figures | None
    restarts: int
    replicas: list[ReplicaJson]
    breakers: list[BreakerJson]
    votes: VotesJson | None
    agreement: list[Standing]


class AgentDetail(AgentJson, frozen=True, kw_only=True):
    """An agent with the figures of each of its capabilities that was called."""

    by_capability: dict[str, Figures]


class AgentList(msgspec.Struct, frozen=True):
    """All agents, in the order of their start."""

    agents: list[AgentJson]


class CapabilityJson(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked of an agent; ``input`` and ``output`` are JSON schemas."""

    name: str
    agent: str
    available: bool
    summary: str
    description: str
    idempotent: bool
    timeout_s: float
    input: dict[str, Any]
    output: dict[str, Any]


class CapabilityList(msgspec.Struct, frozen=True):
    """All capabilities, by name."""

    capabilities: list[CapabilityJson]


async def listing(request: web.Request) -> web.Response:
    """All agents with their health and figures."""
    runtime = request.app[STATE].runtime
    records = list(runtime.directory.records)
    measured = await runtime.telemetry.gather_figures()
    whole = {found.agent: _figures(found) for found in measured if not found.capability}
    healths = await asyncio.gather(*(runtime.health(record.name) for record in records))
    shown = [
        AgentJson(**_common(runtime, record, health), figures=whole.get(record.name))
        for record, health in zip(records, healths, strict=True)
    ]
    return json_answer(AgentList(shown))


async def show(request: web.Request) -> web.Response:
    """One agent, with figures by capability."""
    runtime = request.app[STATE].runtime
    record = runtime.directory.record(request.match_info["name"])
    measured = await runtime.telemetry.gather_figures(record.name)
    figures = {found.capability: _figures(found) for found in measured}
    whole = figures.pop("", None)
    health = await runtime.health(record.name)
    return json_answer(AgentDetail(**_common(runtime, record, health), figures=whole, by_capability=figures))


async def capabilities(request: web.Request) -> web.Response:
    """All capabilities with the schemas of their input and output."""
    state = request.app[STATE]
    offered = sorted(state.runtime.directory.capabilities.values(), key=lambda capability: capability.name)
    found = []
    for capability in offered:
        found.append(_capability(capability, state))
        await asyncio.sleep(0)  # others have their turn: the first time, each schema has yet to be worked out
    return json_answer(CapabilityList(found))


def _capability(capability: Capability, state: State) -> CapabilityJson:
    taken, given = input_and_output(capability)
    record = state.runtime.directory.records.get(capability.agent)
    timeout_s = capability.declared.timeout_s
    return CapabilityJson(
        name=capability.name,
        agent=capability.agent,
        available=record is not None and record.state is AgentState.READY,
        summary=capability.summary,
        description=capability.description,
        idempotent=capability.declared.idempotent,
        timeout_s=float(state.runtime.settings.runtime.timeout) if timeout_s is None else timeout_s,
        input=taken,
        output=given,
    )


def _common(runtime: Runtime, record: AgentRecord, health: Health) -> dict[str, Any]:
    records = runtime.dispatcher.panels.records
    standings = [records.standing(name) for name in record.capabilities]
    return {
        "votes": _votes(records.of(record.name).get(None)),
        "agreement": [one for one in standings if one is not None],
        "restarts": 0 if runtime.supervisor is None else runtime.supervisor.restarts(record.name),
        "replicas": _replicas(runtime, record) if record.replicas > 1 else [],
        "breakers": [_breaker(view) for view in runtime.dispatcher.breakers(record.name)],
        "name": record.name,
        "type": record.type,
        "state": record.state,
        "reason": record.reason,
        "start_ms": None if record.start_s is None else _ms(record.start_s),
        "capabilities": record.capabilities,
        "health": HealthJson(health.problem, _ms(health.check_s)),
    }


def _breaker(view: BreakerView) -> BreakerJson:
    return BreakerJson(
        capability=view.capability,
        replica=view.replica,
        state=view.state,
        calls=view.calls,
        failure_rate=round(view.failure_rate, 6),
        refused=view.refused,
        retry_in_ms=_ms(view.retry_in_s),
    )


def _replicas(runtime: Runtime, record: AgentRecord) -> list[ReplicaJson]:
    """Each replica with its load over all capabilities; its latency is that of the slowest of them."""
    votes = runtime.dispatcher.panels.records.of(record.name)
    loads = [load for name in record.capabilities for load in runtime.dispatcher.loads().get(name, ())]
    shown: list[ReplicaJson] = []
    for number, (state, reason) in enumerate(runtime.directory.states(record.name), 1):
        own = [load for load in loads if load.replica == number]
        shown.append(
            ReplicaJson(
                replica=number,
                state=state,
                reason=reason,
                calls=sum(load.calls for load in own),
                outstanding=sum(load.outstanding for load in own),
                latency_ms=_ms(max((load.latency_s for load in own), default=0.0)),
                votes=_votes(votes.get(number)),
            )
        )
    return shown


def _votes(record: Record | None) -> VotesJson | None:
    if record is None:
        return None
    return VotesJson(agreement_rate=record.agreement_rate, **msgspec.structs.asdict(record))


def _figures(found: CallFigures) -> Figures:
    return Figures(
        count=found.count,
        errors=found.errors,
        error_rate=round(found.errors / found.count, 6) if found.count else 0.0,
        p50_ms=_ms(found.p50_s),
        p95_ms=_ms(found.p95_s),
        p99_ms=_ms(found.p99_s),
        max_ms=_ms(found.max_s),
        mean_ms=_ms(found.mean_s),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


ROUTES = (
    Operation(
        method="GET",
        path="/v1/agents",
        handler=listing,
        name="listAgents",
        tag="agents",
        scope=Scope.READ,
        summary="List agents with state, health and figures",
        answers={200: Answer("All agents.", AgentList)},
    ),
    Operation(
        method="GET",
        path="/v1/agents/{name}",
        handler=show,
        name="getAgent",
        tag="agents",
        scope=Scope.READ,
        summary="Show an agent with figures by capability",
        parameters={"name": Header("name", "The agent's name.", {"type": "string", "minLength": 1})},
        answers={200: Answer("The agent.", AgentDetail)},
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/v1/capabilities",
        handler=capabilities,
        name="listCapabilities",
        tag="agents",
        scope=Scope.READ,
        summary="List what can be asked, with JSON schemas",
        answers={200: Answer("All capabilities.", CapabilityList)},
    ),
)
