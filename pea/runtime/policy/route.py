"""How calls to one capability are made: the shortest way for what its policy asks, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from pea.config import RuntimeSettings
from pea.runtime.contract import Capability
from pea.runtime.deadline import DeadlineTable
from pea.runtime.policy.balance import Balancer, Load
from pea.runtime.policy.breaker import Breaker, BreakerState, BreakerView, Change
from pea.runtime.policy.budget import Budget
from pea.runtime.policy.bulkhead import Bulkhead
from pea.runtime.policy.effective import Effective, effective, stand_in
from pea.runtime.policy.gates import Gates
from pea.runtime.policy.hedge import hedged
from pea.runtime.policy.lane import Lane
from pea.runtime.policy.layers import Attempt, Call, limited, retrying, standing_in
from pea.runtime.policy.rate import RateLimit
from pea.telemetry import Tracer, get_logger, names

if TYPE_CHECKING:
    from pea.runtime.dispatch import Dispatcher

log = get_logger("pea.runtime")


class Guards:
    """What outlives a route: breakers, bulkheads, limits and budgets, by capability; routes are made anew at will."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._policies: dict[str, Effective] = {}
        self._gates: dict[str, Gates | None] = {}
        self._budgets: dict[str, Budget] = {}
        self._agents: dict[str, str] = {}
        self.breakers: dict[tuple[str, int | None], Breaker] = {}
        self.used: dict[str, dict[str, None]] = {}  # of a bounded cache: its keys, the one used last at the end

    def policy(self, capability: Capability) -> Effective:
        """What holds for the capability."""
        found = self._policies.get(capability.name)
        if found is None:
            found = self._policies[capability.name] = effective(capability, self._settings)
            self._agents[capability.name] = capability.agent
        return found

    def breaker(self, capability: Capability, replica: int | None) -> Breaker:
        """The breaker of one replica of a capability, or of its only instance."""
        key = capability.name, replica
        found = self.breakers.get(key)
        if found is None:
            name = capability.name if replica is None else f"{capability.name} (replica {replica})"
            found = self.breakers[key] = Breaker(name, self.policy(capability).breaker, _tell)
        return found

    def gates(self, capability: Capability) -> Gates | None:
        """Rate limit and bulkhead, None where neither is asked for."""
        name, policy = capability.name, self.policy(capability)
        if name not in self._gates:
            rate = None if policy.rate is None else RateLimit(name, policy.rate)
            bulkhead = None if policy.bulkhead is None else Bulkhead(name, policy.bulkhead)
            self._gates[name] = None if rate is None and bulkhead is None else Gates(rate, bulkhead)
        return self._gates[name]

    def budget(self, capability: Capability) -> Budget:
        """What pays for the capability's retries."""
        found = self._budgets.get(capability.name)
        if found is None:
            found = self._budgets[capability.name] = Budget.of(self.policy(capability).retry_budget)
        return found

    def agent_of(self, capability: str) -> str:
        """The agent that offers a capability which has been called."""
        return self._agents.get(capability, capability.partition(".")[0])

    def views(self, now: float, agent: str | None = None) -> list[BreakerView]:
        """The breakers of what has been called, of one agent or of all."""
        shown: list[BreakerView] = []
        for (capability, replica), breaker in self.breakers.items():
            if agent is not None and self.agent_of(capability) != agent:
                continue
            calls, failing, _ = breaker.rates(now)
            shown.append(
                BreakerView(
                    capability=capability,
                    replica=replica,
                    state=breaker.state,
                    calls=calls,
                    failure_rate=failing,
                    refused=breaker.refused,
                    retry_in_s=max(0.0, breaker.until - now) if breaker.state is BreakerState.OPEN else 0.0,
                )
            )
        return shown


class Route:
    """The way to one capability; ``call`` makes a call."""

    __slots__ = ("_balancer", "call", "capability")

    def __init__(
        self,
        replicas: Sequence[tuple[int | None, Capability]],
        dispatcher: Dispatcher,
        guards: Guards,
        tracer: Tracer,
        deadlines: DeadlineTable,
        clock: Callable[[], float],
    ) -> None:
        capability = self.capability = replicas[0][1]
        declared, policy = capability.declared, guards.policy(capability)
        results: Any = None
        if declared.cache_s is not None:
            results = dispatcher.caches.namespace(
                capability.name.replace(".", ":"),
                owner=capability.agent,
                type=capability.output_type,
                ttl_s=declared.cache_s,
            )
        lanes = [
            Lane(
                one,
                dispatcher,
                tracer,
                deadlines,
                clock,
                timeout_s=policy.timeout_s,
                breaker=guards.breaker(one, replica),
                gates=guards.gates(one),
                results=results,
                used=guards.used.setdefault(capability.name, {}) if declared.cache_entries else None,
                hedged=policy.hedge is not None,
                replica=replica,
            )
            for replica, one in replicas
        ]
        attempt: Attempt = lanes[0].attempt
        self._balancer: Balancer | None = None
        if len(lanes) > 1:
            numbered = [(replica or 0, lane) for (replica, _), lane in zip(replicas, lanes, strict=True)]
            self._balancer = Balancer(numbered, clock)
            attempt = self._balancer.attempt
        if policy.hedge is not None:
            attempt = hedged(attempt, policy.hedge, clock)
        call: Call = attempt
        if policy.retries:
            only = lanes[0].breaker
            successes = (lambda: only.ok) if len(lanes) == 1 else (lambda: sum(lane.breaker.ok for lane in lanes))
            call = retrying(attempt, policy, guards.budget(capability), successes, clock)
        if policy.deadline_s is not None:
            call = limited(call, policy.deadline_s, clock)
        if policy.fallback is not None:
            value = stand_in(capability, policy.fallback)
            call = standing_in(call, capability.name, value, policy.fallback.capability, dispatcher.call_at)
        self.call = call

    @property
    def loads(self) -> tuple[Load, ...]:
        """How the replicas stand; empty when there is only one instance."""
        return () if self._balancer is None else self._balancer.loads()


def _tell(breaker: Breaker, before: BreakerState, change: Change) -> None:
    """A transition is an event of the span under which it happened, and a line in the log."""
    about = {
        names.PEA_BREAKER_NAME: breaker.name,
        names.PEA_BREAKER_FROM: before.value,
        names.PEA_BREAKER_TO: breaker.state.value,
        names.PEA_BREAKER_REASON: change.value,
    }
    get_current_span().add_event(names.EVENT_BREAKER_TRANSITION, about)
    say = log.warning if breaker.state is BreakerState.OPEN else log.info
    say("circuit breaker", breaker=breaker.name, was=before.value, now=breaker.state.value, because=change.value)
