"""Results for a person: the text a capability wrote, else its fields; and the trace below."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from pea.cli.waterfall import draw, duration
from pea.runtime import Task
from pea.telemetry import SpanView


def console(*, stderr: bool = False) -> Console:
    """A console that keeps within 120 columns, and within 80 where there is no terminal."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 100
    made.width = min(made.width, 120)
    return made


def show_json(value: Any) -> None:
    """Print JSON, indented, in the order of the fields."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def show_result(to: Console, result: Any) -> None:
    """Print what a capability returned."""
    text = result.get("text") if isinstance(result, dict) else getattr(result, "text", None)
    if isinstance(text, str) and text.strip():
        to.print(text.rstrip(), markup=False, soft_wrap=True)
    else:
        to.print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode(), markup=False, soft_wrap=True)


def show_failure(to: Console, task: Task) -> None:
    """Print how a task failed, and what to do."""
    error = task.error
    if error is None:
        to.print(f"[bold red]{task.state}[/]")
        return
    place = error.where or error.code
    to.print(f"[bold red]{task.state}[/] {escape(f'{place}: {error.message}')}")
    if error.fix:
        to.print(f"  [dim]→[/] {escape(error.fix)}")


def show_trace(to: Console, spans: Sequence[SpanView]) -> None:
    """Print a trace as a waterfall under a line that names it."""
    if not spans:
        return
    total = max(span.end_ns for span in spans) - min(span.start_ns for span in spans)
    failed = sum(span.status == "error" for span in spans)
    errors = f" · [red]{failed} failed[/]" if failed else ""
    to.print(f"[bold]trace[/] {spans[0].trace_id} · {duration(total)} · {len(spans)} spans{errors}")
    to.print(Padding(draw(spans, to.width - 2), (0, 0, 0, 2)))
