"""``pea serve``: the service in this terminal, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import click

from pea.cli.options import needs_state, needs_workspace, settings_options
from pea.config import Settings
from pea.errors import PeaError

if TYPE_CHECKING:
    from pea.service import Service


@click.command("serve")
@click.option("--host", help="Address to listen on (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default: 8080; 0: any free one).")
@click.option("--first", metavar="CAPABILITY", help="Run this once when all agents are ready, and show its trace.")
@click.option(
    "--chaos",
    multiple=True,
    metavar="SPEC",
    help="Put a fault into an agent: slow:AGENT=TIME, error:AGENT=SHARE, leak:AGENT=BYTES (a call), block:AGENT=TIME; "
    "add ,after=TIME and ,for=TIME to have it begin later and end. May be given more than once.",
)
@settings_options
def command(settings: Settings, first: str | None) -> None:
    """Start the service and show where it is."""
    needs_workspace(settings)
    if settings.state:
        needs_state(settings)
    if settings.runtime.chaos:
        _check_chaos(settings)
    gc.disable()  # until all is imported and ready: nothing of it is garbage, and looking for some takes a sixth of it
    try:
        asyncio.run(_serve(settings, first))
    finally:
        gc.enable()
    from pea.cli.leaving import leave

    leave(0)


def _check_chaos(settings: Settings) -> None:
    """Refuse faults that cannot be put in before anything has been started."""
    from pea.runtime.chaos import parse_fault
    from pea.runtime.discovery import installed

    agents = [found.name for found in installed(settings.runtime.agents)]
    for text in settings.runtime.chaos:
        parse_fault(text, agents)


async def _serve(settings: Settings, first: str | None) -> None:
    # Imported here: `pea --help` needs neither aiohttp nor the SDK.
    from pea.runtime import Runtime
    from pea.service import Service
    from pea.telemetry import Telemetry, configure_logging
    from pea.telemetry.arenas import keep_little

    keep_little()
    configure_logging(settings.telemetry.log)
    telemetry = Telemetry(settings)
    telemetry.install_global()
    try:
        async with Service(Runtime(settings, telemetry=telemetry)) as service:
            stopped = asyncio.create_task(service.until_stopped())
            greeting = asyncio.create_task(_greet(service, first))
            await asyncio.wait([stopped, greeting], return_when=asyncio.FIRST_COMPLETED)
            if greeting.done():
                greeting.result()
            else:
                greeting.cancel()
            await stopped
            click.echo("\nstopping: what is running may finish …", err=True)
    finally:
        await telemetry.aclose()


async def _greet(service: Service, first: str | None) -> None:
    """Wait until the agents are there, say where everything is, and show one task if one was asked for."""
    from pea.telemetry.pauses import shorten_pauses

    try:
        await service.ready()
        shorten_pauses()
    finally:
        gc.enable()
    runtime = service.runtime
    records = list(runtime.directory.records)
    ready = [record for record in records if record.state == "ready"]
    click.echo(f"PEA is ready: {len(ready)} of {len(records)} agents in {(runtime.started_s or 0) * 1e3:.0f} ms")
    for record in records:
        if record.state != "ready":
            click.echo(f"  {record.name} is {record.state}: {record.reason}")
    if first is not None:
        await _show(service, first)
    click.echo("")
    for what, path in (
        ("page", "/"),
        ("tasks", "/v1/tasks"),
        ("agents", "/v1/agents"),
        ("metrics", "/metrics"),
        ("MCP", "/mcp"),
        ("API", "/openapi.json"),
    ):
        click.echo(f"  {what:<9}{service.url}{path}")
    click.echo("  Ctrl-C stops it.")


async def _show(service: Service, capability: str) -> None:
    from pea.cli.present import console, show_failure, show_result, show_trace

    runtime = service.runtime
    try:
        task, value = await runtime.scheduler.run(capability, {})
    except PeaError as error:  # a service that cannot do this one thing may be all the more wanted for the others
        click.secho(f"error: {error}", fg="red", err=True)
        return
    await runtime.telemetry.flush()
    to = console()
    to.print()
    if task.state == "succeeded":
        show_result(to, value)
    else:
        show_failure(to, task)
    to.print()
    show_trace(to, runtime.telemetry.recent.get(task.trace_id or ""))
