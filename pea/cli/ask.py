"""``pea ask``: a request in plain words; what was understood, then the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from pea.cli.leaving import leave
from pea.cli.options import as_json, needs_workspace, settings_options
from pea.cli.present import console, show_failure, show_json, show_result, show_trace
from pea.config import Settings
from pea.runtime import Runtime, Task, TaskState
from pea.telemetry import SpanView, Telemetry, configure_logging

CAPABILITY = "orchestrator.ask"


@click.command("ask")
@click.argument("words", nargs=-1, required=True)
@click.option("--trace", is_flag=True, help="Draw the trace below the answer.")
@as_json
@settings_options
def command(settings: Settings, words: tuple[str, ...], trace: bool, as_json: bool) -> None:
    """Ask in plain words: what was understood is said first, and asked about when it is not clear.

    \b
    pea ask "what's on tomorrow?"
    pea ask find 45 minutes with Anna and Jonas next week

    Exit codes: 0 answered, 1 failed, 2 not understood, unclear, or something that would write.
    """
    needs_workspace(settings)
    configure_logging(settings.telemetry.log)
    task, reply, spans = asyncio.run(_run(settings, " ".join(words)))
    to = console()
    if task.state is not TaskState.SUCCEEDED:
        show_failure(to, task)
        leave(1)
    if as_json:
        show_json(reply)
    else:
        _show(to, msgspec.to_builtins(reply, builtin_types=()), reply)
        if trace:
            to.print()
            show_trace(to, spans)
    status = reply.status
    leave(0 if status == "answered" else 1 if status == "failed" else 2)


def _show(to: Console, told: dict[str, Any], reply: Any) -> None:
    understood = told["understood"]
    if understood is not None:
        because = ", ".join(understood["because"][:4])
        to.print(f"[dim]understood[/] [bold]{escape(understood['capability'])}[/] [dim]because of[/] {escape(because)}")
        to.print(f"[dim]that is[/]    {escape(understood['command'])}")
        to.print()
    if told["status"] == "answered":
        show_result(to, reply.result)
        return
    to.print(escape(told["question"]), style="yellow")
    for one in told["choices"] if len(told["choices"]) > 1 else ():
        to.print(f"  {escape(one['command'])}")


async def _run(settings: Settings, request: str) -> tuple[Task, Any, list[SpanView]]:
    telemetry = Telemetry(settings)
    telemetry.install_global()
    telemetry.start()
    try:
        async with Runtime(settings, telemetry=telemetry) as runtime:
            task, value = await runtime.scheduler.run(CAPABILITY, {"request": request})
            await telemetry.flush()
            return task, value, telemetry.recent.get(task.trace_id or "")
    finally:
        await telemetry.aclose()
