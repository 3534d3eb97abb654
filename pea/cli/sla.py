"""``pea sla``: how the objectives of a running service stand, and what is left of their budgets."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pea.cli.client import address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings

_MARKS = {True: Text("✓", style="green"), False: Text("✗", style="bold red"), None: Text("·", style="dim")}


@click.command("sla")
@click.option("--check", is_flag=True, help="Exit with 1 when an objective is missed.")
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@as_json
@settings_options
def command(settings: Settings, check: bool, url: str | None, as_json: bool) -> None:
    """Show every objective: how it stands, what is left of its error budget, and how fast that burns."""
    found = request(address(settings, url), "GET", "/v1/sla")
    if as_json:
        show_json(found)
    else:
        _show(console(), found)
    sys.exit(1 if check and any(one["met"] is False for one in found["objectives"]) else 0)


def _show(to: Console, found: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("objective", "", "now"):
        table.add_column(title, overflow="fold")
    table.add_column("budget left", justify="right")
    table.add_column("burn", justify="right")
    for one in found["objectives"]:
        left, burn = one["budget_left"], one["burn"]
        style = "" if left is None or left > 0.25 else "yellow" if left > 0 else "red"
        table.add_row(
            _MARKS[one["met"]],
            one["name"],
            escape(one["objective"]),
            escape(one["now"]),
            Text("" if left is None else f"{left:.0%}", style=style),
            "" if burn is None else f"{burn:.3g}x",
        )
    to.print(table)
    days = found["period_s"] / 86_400
    to.print(f"[dim]Over {days:.3g} days; burn is the pace of the last hour, 1x spending the budget exactly.[/]")
    for one in found["incidents"][:5]:
        to.print(f"  {one['since']} – {one['until'] or 'now'}  {escape(one['what'])}", highlight=False)
    if found["shed"]:
        to.print(f"[yellow]load is to be shed (level {found['shed']}): {escape(found['shed_reason'])}[/]")
