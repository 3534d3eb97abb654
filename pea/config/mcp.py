"""Settings of the Model Context Protocol: PEA as a server of tools, and the servers whose tools it mounts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Bytes, Seconds


class McpServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another MCP server: a program that speaks over its standard streams, or an address that speaks over HTTP.

    In ``env`` and ``headers`` a value ``$NAME`` is read from that environment variable, so that no secret stands here.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    headers: dict[str, str] = {}
    tools: tuple[str, ...] = ()  # only these; empty: all it has
    timeout: Seconds = Seconds(30.0)  # of one call
    connect: Seconds = Seconds(4.0)  # how long the first start waits for its list of tools
    result_size: Bytes = Bytes(1 << 20)  # a larger result is refused


class McpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What hosts may ask of this server, and the servers mounted beside the agents."""

    on: bool = True  # /mcp on the service
    result_size: Bytes = Bytes(4 << 20)  # a larger result is refused, with the advice to ask for less
    sessions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64  # of hosts, over HTTP, at once
    idle: Seconds = Seconds(1_800.0)  # a session that is silent so long is forgotten
    servers: dict[str, McpServer] = {}  # by the name that their capabilities begin with
