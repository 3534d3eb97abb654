"""Agents are found through the entry-point group ``pea.agents``: PEA's own and a user's alike."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import msgspec

from pea.config import Settings
from pea.errors import ConfigError, did_you_mean, said
from pea.runtime.agent import Agent

GROUP = "pea.agents"
MOUNTS = "pea.mounts"  # functions that make agents from the settings


class Unloadable(msgspec.Struct, frozen=True):
    """An agent that is installed and could not be loaded."""

    name: str
    type: str
    reason: str


def installed(names: Iterable[str] = ()) -> list[EntryPoint]:
    """The installed agents' entry points, sorted by name; only those in ``names`` if any are given.

    Raises ConfigError for a name that is not installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    wanted = list(names)
    for name in wanted:
        if name not in found:
            fix = did_you_mean(name, found)
            raise ConfigError(f"no agent called {name!r} is installed", where="runtime.agents", fix=fix)
    return [found[name] for name in sorted(wanted or found)]


def mounts(settings: Settings) -> list[Agent]:
    """The agents that a configuration names rather than a package: MCP servers whose tools are mounted."""
    if not settings.mcp.servers:
        return []
    return [agent for entry in entry_points(group=MOUNTS) for agent in entry.load()(settings)]


def load(entries: Iterable[EntryPoint]) -> tuple[list[Agent], list[Unloadable]]:
    """Import and make the agents; one that cannot be, or is no agent, is reported beside the others."""
    agents: list[Agent] = []
    failed: list[Unloadable] = []
    for entry in entries:
        try:
            found = entry.load()
            if not (isinstance(found, type) and issubclass(found, Agent)):
                failed.append(Unloadable(entry.name, entry.value, "is not a subclass of pea.Agent"))
                continue
            agents.append(found())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module may raise anything when imported
            failed.append(Unloadable(entry.name, entry.value, f"{type(error).__name__}: {said(error)}"))
    return agents, failed
