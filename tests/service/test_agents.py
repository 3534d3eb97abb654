"""Agents and capabilities as the API shows them."""

import jsonschema_rs
import pytest

from pea import Agent, Context, capability


async def test_agents_show_state_health_and_figures(serve, agents):
    """A list of all agents: who serves, who does not and why, how each is, and what was measured."""
    gate = agents["gate"]()
    gate.trouble = "the hinge creaks"
    async with serve(agents["echo"](), gate, agents["broken"]()) as site:
        await site.task("echo.say", words="a")
        await site.task("echo.fail", reason="b")
        await site.service.runtime.telemetry.flush()
        response, shown = await site.send("GET", "/v1/agents")
        assert response.status == 200
        echo, creaking, broken = shown["agents"]
        assert (echo["state"], echo["reason"], echo["health"]["problem"]) == ("ready", None, None)
        assert (echo["figures"]["count"], echo["figures"]["errors"], echo["figures"]["error_rate"]) == (2, 1, 0.5)
        assert echo["figures"]["max_ms"] >= echo["figures"]["p50_ms"] > 0
        assert creaking["health"]["problem"] == "the hinge creaks"
        assert creaking["figures"] is None  # never called: no figure that was not measured
        assert broken["state"] == "failed"
        assert "the disk is gone" in broken["reason"]


async def test_one_agent_shows_figures_by_capability(site):
    """An agent's own page splits its figures by what was asked of it."""
    await site.task("echo.say", words="a")
    await site.task("echo.say", words="b")
    await site.task("echo.relay", words="c")
    await site.service.runtime.telemetry.flush()
    _, echo = await site.send("GET", "/v1/agents/echo")
    assert {name: figures["count"] for name, figures in echo["by_capability"].items()} == {
        "echo.say": 2,
        "echo.relay": 1,
    }
    assert echo["figures"]["count"] == 3
    _, gate = await site.send("GET", "/v1/agents/gate")
    assert list(gate["by_capability"]) == ["gate.pass"]


async def test_capabilities_come_with_their_schemas(site):
    """What can be asked is listed with JSON schemas that say what fits."""
    _, shown = await site.send("GET", "/v1/capabilities")
    offered = {capability["name"]: capability for capability in shown["capabilities"]}
    assert list(offered) == sorted(offered)
    page = offered["echo.page"]
    assert (page["agent"], page["available"], page["summary"]) == ("echo", True, "Write a page.")
    fits = jsonschema_rs.validator_for(page["input"])
    assert fits.is_valid({"day": "2026-05-12", "tone": "warm"})
    assert not fits.is_valid({"day": "2026-05-12", "tone": "loud"})
    assert not fits.is_valid({"tone": "warm"})
    assert jsonschema_rs.validator_for(page["output"]).is_valid({"day": "2026-05-12", "lines": []})


class Odd:
    """A type that JSON Schema has no word for."""


class Exotic(Agent):
    """A stranger's agent."""

    name = "exotic"

    @capability("exotic.give")
    async def give(self, ctx: Context, thing: Odd) -> Odd:
        """Give it back."""
        return thing


async def test_an_exotic_type_does_not_hide_the_others(serve, agents):
    """A capability whose types have no schema is listed without one, and so are all others with theirs."""
    async with serve(Exotic(), agents["echo"]()) as site:
        response, shown = await site.send("GET", "/v1/capabilities")
        assert response.status == 200
        offered = {capability["name"]: capability for capability in shown["capabilities"]}
        assert offered["exotic.give"]["input"] == {"type": "object"}
        assert "$defs" in offered["echo.say"]["input"]
        response, document = await site.send("GET", "/openapi.json")
        assert response.status == 200
        assert "submit.exotic.give" in document["components"]["schemas"]


@pytest.mark.parametrize("path", ["/v1/agents", "/v1/capabilities", "/v1/agents/slowly"])
async def test_agents_are_listed_while_they_start(serve, agents, path):
    """Who is starting can be seen before anyone serves."""
    slowly = agents["slowly"]()
    async with serve(slowly, ready=False) as site:
        response, shown = await site.send("GET", path)
        assert response.status == 200
        assert "slowly" in str(shown)
        slowly.may_start.set()
        await site.service.ready()
