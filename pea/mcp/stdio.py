"""Serves one host over this process's standard input and output."""

from __future__ import annotations

from pea.mcp.server import build
from pea.runtime import Runtime


async def serve(runtime: Runtime) -> None:
    """Speak MCP until the host closes the input. Standard output is the protocol's: nothing else may write there."""
    server = build(runtime, runtime.settings.mcp)
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
