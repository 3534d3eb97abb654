"""``pea agents``: the agents and what they can do, from a running service or from this installation."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from rich.table import Table

from pea.cli.client import Unreachable, address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import UnknownAgent, did_you_mean
from pea.runtime import Runtime
from pea.telemetry import configure_logging

_STATE_STYLES = {"ready": "green", "failed": "red", "abandoned": "bold red", "starting": "yellow", "stopped": "dim"}
_BREAKER_STYLES = {"open": "red", "half_open": "yellow"}


@click.command("agents")
@click.argument("name", required=False)
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@click.option("--local", is_flag=True, help="Start the installed agents here instead of asking a service.")
@as_json
@settings_options
def command(settings: Settings, name: str | None, url: str | None, local: bool, as_json: bool) -> None:
    """List the agents, their state and their capabilities; or show the one called NAME.

    Asks the running service; where none runs, and no --url was given, the installed agents are started here for a
    moment.
    """
    configure_logging(settings.telemetry.log)
    source = "this installation"
    if local:
        found = asyncio.run(_installed(settings))
    else:
        try:
            found, source = _served(address(settings, url)), address(settings, url)
        except Unreachable:
            if url:
                raise
            found = asyncio.run(_installed(settings))
    if name is not None:
        found = [agent for agent in found if agent["name"] == name] or _unknown(name, found)
    if as_json:
        show_json({"source": source, "agents": found})
        return
    to = console()
    to.print(f"[dim]{len(found)} agents of {source}[/]")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for agent in found:
        style = _STATE_STYLES.get(agent["state"], "")
        table.add_row(f"[bold]{agent['name']}[/]", f"[{style}]{agent['state']}[/]", agent.get("reason") or "")
        for line in _troubles(agent):
            table.add_row("", "", line)
        for capability in agent["capabilities"]:
            table.add_row("", "", f"[cyan]{capability['name']}[/]  [dim]{capability['summary']}[/]")
    to.print(table)


def _troubles(agent: dict[str, Any]) -> list[str]:
    """What is not as it should be, or worth knowing: replicas, restarts, breakers that are not closed."""
    lines = []
    replicas = agent.get("replicas") or []
    if replicas:
        states = ", ".join(f"{one['replica']} {one['state']} ({one['calls']} calls)" for one in replicas)
        lines.append(f"replicas: {states}")
    if agent.get("restarts"):
        lines.append(f"[yellow]restarted {agent['restarts']} ×[/]")
    for breaker in agent.get("breakers") or []:
        style = _BREAKER_STYLES.get(breaker["state"])
        if style:
            state = breaker["state"].replace("_", " ")
            wait = f", tried again in {breaker['retry_in_ms'] / 1000:.1f} s" if breaker["retry_in_ms"] else ""
            refused = f"{breaker['refused']} calls refused"
            lines.append(f"[{style}]breaker of {breaker['capability']} is {state}[/]: {refused}{wait}")
    return lines


def _unknown(name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    raise UnknownAgent(f"no agent is called {name!r}", fix=did_you_mean(name, [agent["name"] for agent in found]))


def _served(base: str) -> list[dict[str, Any]]:
    agents = request(base, "GET", "/v1/agents", timeout_s=5.0)["agents"]
    offered = request(base, "GET", "/v1/capabilities", timeout_s=5.0)["capabilities"]
    return [
        {
            "name": agent["name"],
            "state": agent["state"],
            "reason": agent.get("reason"),
            "restarts": agent.get("restarts", 0),
            "replicas": agent.get("replicas", []),
            "breakers": agent.get("breakers", []),
            "capabilities": [
                {"name": one["name"], "summary": one["summary"]} for one in offered if one["agent"] == agent["name"]
            ],
        }
        for agent in agents
    ]


async def _installed(settings: Settings) -> list[dict[str, Any]]:
    async with Runtime(settings) as runtime:
        offered = runtime.directory.capabilities
        return [
            {
                "name": record.name,
                "state": record.state.value,
                "reason": record.reason,
                "capabilities": [{"name": name, "summary": offered[name].summary} for name in record.capabilities],
            }
            for record in runtime.directory.records
        ]
