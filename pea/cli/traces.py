"""``pea traces``: search a service's traces, or draw one as a waterfall; where none runs, those it has left behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pea.cli.client import Unreachable, address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json, show_trace
from pea.cli.stored import Stored
from pea.cli.waterfall import duration
from pea.config import Settings
from pea.telemetry import SpanView, names

SHARES = 3
BAR = 8
WIDE = 100  # columns; in fewer there is no room for bars beside what must be readable


@click.command("traces")
@click.argument("trace_id", required=False, metavar="[ID]")
@click.option("--service", help="Only traces with a span of this service.")
@click.option("--operation", help="… with a span of this name.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="… with this attribute; may be repeated.")
@click.option("--min", "shortest", metavar="DURATION", help="… that took at least this long, such as 100ms.")
@click.option("--max", "longest", metavar="DURATION", help="… at most.")
@click.option("--since", metavar="DURATION", default="1h", show_default=True, help="How far back to look.")
@click.option("--error", is_flag=True, help="Only traces with a failed span.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@as_json
@settings_options
def command(
    settings: Settings,
    trace_id: str | None,
    service: str | None,
    operation: str | None,
    tags: tuple[str, ...],
    shortest: str | None,
    longest: str | None,
    since: str,
    error: bool,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """List the newest traces that fit; or show the one called ID as a waterfall, bright where its end waited.

    Without --url, and where no service answers, they are read from the state folder.
    """
    base = address(settings, url)
    stored = None if url or not settings.state else Stored(settings)
    if trace_id is not None:
        trace, place = _ask(base, f"/v1/traces/{trace_id}", {}, stored)
        if as_json:
            show_json(trace)
        else:
            _show(console(), trace, place)
        return
    query = {
        "service": service,
        "operation": operation,
        "tags": " ".join(map(_tag, tags)) or None,
        "min": shortest,
        "max": longest,
        "since": since,
        "error": "true" if error else None,
        "limit": limit,
    }
    found, place = _ask(base, "/v1/traces/search", query, stored)
    if as_json:
        show_json(found)
        return
    to = console()
    _list(to, found)
    if place != base:
        to.print(f"[dim]no service answers at {base}: read from {escape(place)}[/]")


def _ask(base: str, path: str, query: Mapping[str, Any], stored: Stored | None) -> tuple[Any, str]:
    """The service's answer, else the stored one; and where it is from."""
    try:
        return request(base, "GET", path, query=query), base
    except Unreachable:
        if stored is None or not stored.there:
            raise
        return stored.answer(path, query), str(stored.path)


def _tag(text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals or not key or '"' in value:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--tag")
    return f'{key}="{value}"'


def _list(to: Console, found: Mapping[str, Any]) -> None:
    traces = found["traces"]
    if not traces:
        to.print("[dim]no trace fits: look further back with --since, or ask for less[/]")
        return
    longest = max(trace["duration_ms"] for trace in traces) or 1.0
    table = Table(box=None, pad_edge=False, header_style="dim")
    bars = BAR if to.width >= WIDE else 0
    for title, width in (("trace", 32), ("when", 8), ("what", None), ("spans", 5), ("took", 7), ("", None)):
        right = title in {"spans", "took"}
        table.add_column(title, width=width, no_wrap=True, justify="right" if right else "left")
    for trace in traces:
        failed = trace["errors"]
        bar = "█" * max(round(bars * trace["duration_ms"] / longest), 1) if bars else "✗" * bool(failed)
        table.add_row(
            trace["trace_id"],
            f"{datetime.fromtimestamp(trace['start_ms'] / 1e3).astimezone():%H:%M:%S}",
            escape(trace["capability"] or trace["name"]),
            str(trace["spans"]),
            duration(round(1e6 * trace["duration_ms"])),
            f"[{'red' if failed else 'green'}]{bar}[/]" + (f" [red]{failed} failed[/]" if failed and bars else ""),
        )
    to.print(table)
    if not found["complete"]:
        to.print("[yellow]the search stopped early: narrow it by --since or --service[/]")


def _show(to: Console, trace: Mapping[str, Any], place: str) -> None:
    show_trace(to, views(trace))
    waits = [(sum(end - start for start, end in row.get("critical", ())), row) for row in trace["rows"]]
    total = sum(us for us, _ in waits)
    if total and len(waits) > 1:
        to.print("[bold]where the time went[/]")
        for us, row in sorted(waits, key=lambda wait: -wait[0])[:SHARES]:
            about = f" [dim]{escape(row.get('agent') or row.get('service', ''))}[/]"
            to.print(f"  {us / total:4.0%} {duration(round(1e3 * us)):>8}  {escape(row['name'])}{about}")
    to.print(f"[dim]{place}/traces/{trace['trace_id']}[/]" if "://" in place else f"[dim]read from {escape(place)}[/]")


def views(trace: Mapping[str, Any]) -> list[SpanView]:
    """The spans of a trace as the service gives it, cache lookups among them; times count from the trace's start."""
    found = []
    for row in trace["rows"]:
        found.append(_view(trace, row, row["id"], row["name"], row.get("parent", "")))
        for number, tick in enumerate(row.get("ticks", ())):
            name = f"{names.SPAN_CACHE_LOOKUP} {tick['cache']} ({tick['tier']})"
            found.append(_view(trace, tick, f"{row['id']}/{number}", name, row["id"]))
    return found


def _view(trace: Mapping[str, Any], row: Mapping[str, Any], span_id: str, name: str, parent: str) -> SpanView:
    start_ns = round(1e3 * row["at_us"])
    return SpanView(
        trace_id=trace["trace_id"],
        span_id=span_id,
        parent_id=parent,
        name=name,
        kind=row.get("kind", "internal"),
        start_ns=start_ns,
        end_ns=start_ns + round(1e3 * row["duration_us"]),
        attributes=row.get("attributes", {}),
        status=row.get("status", "unset"),
        status_description=row.get("message", ""),
    )
