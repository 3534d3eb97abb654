"""PEA's own figures, as agents may ask for them."""

from __future__ import annotations

from typing import Any

from pea import Agent, Context, Runtime, capability


class Curious(Agent):
    """Asks what is measured."""

    name = "curious"

    @capability("curious.ask")
    async def ask(self, ctx: Context, what: str) -> Any:
        """What the insight says."""
        return await ctx.insight(what)


async def test_health_is_known_wherever_agents_run() -> None:
    """Each agent's state, as plain values; what nobody measures here is None."""
    async with Runtime(agents=[Curious()]) as runtime:
        (one,) = await runtime.call("curious.ask", what="health")
        assert (one["agent"], one["state"], one["problem"]) == ("curious", "ready", None)
        assert await runtime.call("curious.ask", what="dashboard") is None


async def test_whoever_measures_more_adds_it() -> None:
    """A service's figures are asked when they are wanted, not before."""
    async with Runtime(agents=[Curious()]) as runtime:

        async def told() -> dict[str, int]:
            return {"asked": 1}

        runtime.insights["sla"] = told
        assert await runtime.call("curious.ask", what="sla") == {"asked": 1}
