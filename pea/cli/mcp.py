"""``pea mcp``: the Model Context Protocol in this process, over standard input and output."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pea.cli.leaving import leave
from pea.cli.options import as_json, needs_workspace, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import MissingExtra

if TYPE_CHECKING:
    from pea.mcp import Tool


@click.group("mcp", invoke_without_command=True)
@settings_options
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Serve every capability as a tool to one MCP host, over standard input and output.

    A host starts it by itself; `pea mcp config` prints what its configuration needs. Over HTTP, `pea serve` has the
    same tools at /mcp.

    \b
    pea mcp config --workspace ~/office
    pea mcp tools
    """
    ctx.obj = settings
    if ctx.invoked_subcommand is None:
        needs_workspace(settings)
        if sys.stdin.isatty():
            click.echo("PEA speaks MCP here until Ctrl-D; a host would start this by itself: pea mcp config", err=True)
        _load_sdk()
        asyncio.run(_serve(settings))
        leave(0)


def _load_sdk() -> None:
    """Import the SDK before the event loop runs, which its half a second would block."""
    try:
        import mcp.server.stdio  # noqa: F401 - for its effect on the list of loaded modules
    except ImportError as error:
        raise MissingExtra("the Model Context Protocol needs its SDK", fix="pip install 'pea[mcp]'") from error


async def _serve(settings: Settings) -> None:
    from pea.mcp.stdio import serve
    from pea.runtime import Runtime
    from pea.telemetry import Telemetry, configure_logging

    configure_logging(settings.telemetry.log)
    telemetry = Telemetry(settings)
    telemetry.install_global()
    telemetry.start()
    try:
        async with Runtime(settings, telemetry=telemetry) as runtime:
            await serve(runtime)
    finally:
        await telemetry.aclose()


@command.command("tools")
@as_json
@settings_options
def tools(settings: Settings, as_json: bool) -> None:
    """List the tools that a host sees, with what they change."""
    found = asyncio.run(_tools(settings))
    if as_json:
        show_json(found)
    else:
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("tool", no_wrap=True)
        table.add_column("changes", no_wrap=True)
        table.add_column("what it does", overflow="ellipsis", no_wrap=True, ratio=1)
        for tool in found:
            changes = "[yellow]writes[/]" if tool.writes else "reads"
            table.add_row(tool.name, changes, escape(tool.description.partition("\n")[0]))
        console().print(table)
    leave(0)


async def _tools(settings: Settings) -> list[Tool]:
    from pea.mcp import Toolbox
    from pea.runtime import Runtime
    from pea.telemetry import configure_logging

    configure_logging(settings.telemetry.log)
    async with Runtime(settings) as runtime:
        return Toolbox(runtime.directory.capabilities).listed()


@command.command("config")
@settings_options
def config(settings: Settings) -> None:
    """Print what an MCP host's configuration needs to start PEA on this workspace."""
    needs_workspace(settings)
    pea = Path(sys.argv[0]).resolve()
    arguments = ["mcp", "--workspace", settings.workspace]
    if settings.state:
        arguments += ["--state", settings.state]
    if settings.today:
        arguments += ["--today", settings.today]
    show_json({"mcpServers": {"pea": {"command": str(pea), "args": arguments}}})
