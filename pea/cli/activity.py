"""``pea activity``: what the agents of a running service wrote down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from pea.cli.client import address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings


@click.command("activity")
@click.option("--agent", help="Only this agent's.")
@click.option("--kind", help="Only of this kind.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@as_json
@settings_options
def command(
    settings: Settings, agent: str | None, kind: str | None, limit: int, url: str | None, as_json: bool
) -> None:
    """Show what agents wrote down, the latest first."""
    query = {"agent": agent, "kind": kind, "limit": limit}
    found = request(address(settings, url), "GET", "/v1/activity", query=query)
    if as_json:
        show_json(found)
        return
    to = console()
    if not found["activities"]:
        to.print("nothing has been written down")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("when", "agent", "kind"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what", overflow="ellipsis", no_wrap=True, ratio=1)
    for one in found["activities"]:
        when = datetime.fromtimestamp(one["at"], settings.zone).strftime("%d %b %H:%M:%S")
        table.add_row(when, escape(one["agent"]), escape(one["kind"]), escape(_what(one["fields"])))
    to.print(table)
    to.print(f"[dim]{_kept(found['stats'])}[/]")


def _what(fields: dict[str, Any]) -> str:
    shown = (
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in fields.items()
    )
    return " ".join(f"{name}={value}" for name, value in shown)


def _kept(stats: dict[str, Any]) -> str:
    cold = stats["cold"]
    text = f"{stats['hot']['entries']:,} hot, {stats['warm']['entries']:,} warm"
    if cold is None:
        return f"{text}; nothing on disk: no state folder is configured"
    text += f"; {cold['written']:,} written in {cold['transactions']:,} transactions"
    if stats["batched"] is not None:
        text += f" ({stats['batched']:.0%} batched)"
    return text + (f", {cold['dropped']:,} lost: {cold['last_fault']}" if cold["dropped"] else "")
