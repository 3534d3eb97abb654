"""``pea run``: one task in this process, its result, then its trace."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from pea.cli.arguments import parse
from pea.cli.leaving import leave
from pea.cli.options import as_json, needs_workspace, settings_options
from pea.cli.present import console, show_failure, show_json, show_result, show_trace
from pea.config import Settings
from pea.runtime import Runtime, Task, TaskState
from pea.telemetry import SpanView, Telemetry, configure_logging


@click.command("run")
@click.argument("capability")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "text", metavar="JSON", help="The whole input as a JSON object.")
@click.option("--deadline", "deadline_s", type=float, metavar="SECONDS", help="How long it may take.")
@click.option("--trace/--no-trace", default=True, help="Draw the trace below the result.")
@as_json
@settings_options
def command(
    settings: Settings,
    capability: str,
    words: tuple[str, ...],
    text: str | None,
    deadline_s: float | None,
    trace: bool,
    as_json: bool,
) -> None:
    """Run CAPABILITY once in this process.

    \b
    pea run briefing.morning --workspace examples/workspace --today 2026-05-12
    pea run documents.search query="notice period" limit=3
    """
    needs_workspace(settings)
    configure_logging(settings.telemetry.log)
    task, value, spans = asyncio.run(_run(settings, capability, words, text, deadline_s))
    if as_json:
        show_json(
            {
                "state": task.state,
                "result": value if task.state is TaskState.SUCCEEDED else None,
                "error": task.error,
                "trace_id": task.trace_id,
                "spans": spans if trace else [],
            }
        )
    else:
        to = console()
        if task.state is TaskState.SUCCEEDED:
            show_result(to, value)
        else:
            show_failure(to, task)
        if trace:
            to.print()
            show_trace(to, spans)
    leave(0 if task.state is TaskState.SUCCEEDED else 1)


async def _run(
    settings: Settings, capability: str, words: tuple[str, ...], text: str | None, deadline_s: float | None
) -> tuple[Task, Any, list[SpanView]]:
    telemetry = Telemetry(settings)
    telemetry.install_global()
    telemetry.start()
    try:
        async with Runtime(settings, telemetry=telemetry) as runtime:
            schema = runtime.directory.capability(capability).schemas()[0]
            arguments = parse(words, text, schema)
            task, value = await runtime.scheduler.run(capability, arguments, deadline_s=deadline_s)
            await telemetry.flush()
            return task, value, telemetry.recent.get(task.trace_id or "")
    finally:
        await telemetry.aclose()
