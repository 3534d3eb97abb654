"""What policies, admission and supervision show as metrics, read when somebody collects them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pea.runtime.directory import AgentRecord
from pea.runtime.policy.admission import Admission
from pea.runtime.policy.breaker import BreakerState
from pea.telemetry import names
from pea.telemetry.metrics import Gauge

if TYPE_CHECKING:
    from pea.runtime.dispatch import Dispatcher
    from pea.runtime.supervisor import Supervisor

LEVEL = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


def observe_policies(
    gauge: Gauge,
    dispatcher: Dispatcher,
    admission: Admission,
    supervisor: Supervisor | None,
    records: Iterable[AgentRecord],
) -> None:
    """Register the callbacks."""
    guards = dispatcher.guards

    def states() -> list[tuple[Mapping[str, Any], float]]:
        found: list[tuple[Mapping[str, Any], float]] = []
        for (capability, replica), breaker in guards.breakers.items():
            about = {
                names.PEA_BREAKER_NAME: breaker.name,
                names.GEN_AI_AGENT_NAME: guards.agent_of(capability),
                names.PEA_CAPABILITY: capability,
            }
            if replica is not None:
                about[names.PEA_REPLICA] = replica  # type: ignore[assignment]
            found.append((about, LEVEL[breaker.state]))
        return found

    def refused() -> list[tuple[Mapping[str, Any], float]]:
        return [
            ({names.PEA_BREAKER_NAME: one.name, names.GEN_AI_AGENT_NAME: guards.agent_of(capability)}, one.refused)
            for (capability, _), one in guards.breakers.items()
        ]

    gauge(names.METRIC_BREAKER_STATE, states)
    gauge(names.METRIC_BREAKER_REFUSED, refused)
    gauge(names.METRIC_TASK_LIMIT, lambda: [({}, admission.concurrency.limit)])
    gauge(
        names.METRIC_TASK_REFUSED,
        lambda: [
            ({names.PEA_TASK_PRIORITY: priority.name.lower(), names.PEA_TASK_REFUSAL: reason}, count)
            for (priority, reason), count in admission.refused.items()
        ],
    )
    if supervisor is None:
        return
    gauge(
        names.METRIC_AGENT_RESTARTS,
        lambda: [({names.GEN_AI_AGENT_NAME: one.name}, supervisor.restarts(one.name)) for one in records],
    )
