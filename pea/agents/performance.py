"""The performance agent: how PEA itself is, from its own figures: health, objectives, where time goes, what to do."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from pea import Agent, Context, PeaError, capability
from pea.agents import _performance_figures as figures
from pea.agents._performance_views import (
    Advice,
    AgentsReport,
    AgentState,
    Dashboard,
    HealthReport,
    Objectives,
    SlaReport,
)

T = TypeVar("T")


class Performance(Agent):
    """Reads what the service measures (``ctx.insight``) and measures nothing itself, so that figures never disagree."""

    name = "performance"

    @capability("performance.health", timeout="3s", idempotent=True)
    async def how(self, ctx: Context) -> HealthReport:
        """Say how PEA is: its score, what lowers it, agents in trouble, alerts, trends."""
        return figures.health_report(await _dashboard(ctx), await _states(ctx))

    @capability("performance.sla", timeout="3s", idempotent=True)
    async def sla(self, ctx: Context) -> SlaReport:
        """Say which objectives are met, what is left of their budgets and how long that lasts at the present pace."""
        return figures.sla_report(await _read(ctx, "sla", Objectives))

    @capability("performance.agents", timeout="3s", idempotent=True)
    async def agents(self, ctx: Context, limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 15) -> AgentsReport:
        """Say where the time of the last five minutes went: each agent's share, response times, errors, cache."""
        return figures.agents_report(await _dashboard(ctx), limit)

    @capability("performance.recommendations", timeout="3s", idempotent=True)
    async def recommendations(self, ctx: Context) -> Advice:
        """Say what to change, most pressing first, each with its evidence and the effect to expect."""
        dashboard, found = await _dashboard(ctx), await _read(ctx, "sla", Objectives)
        return figures.advice(dashboard, found, await _states(ctx))


async def _dashboard(ctx: Context) -> Dashboard | None:
    return await _read(ctx, "dashboard", Dashboard)


async def _states(ctx: Context) -> tuple[AgentState, ...]:
    return await _read(ctx, "health", tuple[AgentState, ...]) or ()


async def _read(ctx: Context, what: str, kind: type[T]) -> T | None:
    told: Any = await ctx.insight(what)
    try:
        return None if told is None else msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise PeaError(f"PEA's own figures are not as expected: {error}", where=f"insight {what}") from error
