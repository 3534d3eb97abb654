"""``pea index``: the whole workspace read once, with a bar that says how far it is."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pea.cli.options import as_json, needs_state, needs_workspace, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.workspace.indexing import Indexed, index, sizes


@click.command("index")
@as_json
@settings_options
def command(settings: Settings, as_json: bool) -> None:
    """Read the workspace once, so that no first question waits for it; later only what has changed is read.

    \b
    pea index --workspace ~/office
    """
    needs_workspace(settings)
    found = _read(Path(settings.workspace), needs_state(settings))
    if as_json:
        show_json({"kinds": found})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("kind", "files", "items", "refused", "seconds"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for one in found:
        report = one.sources
        table.add_row(
            one.kind, f"{report.read:,}", f"{report.items:,}", f"{report.refused_count:,}", f"{one.seconds:.1f}"
        )
    to = console()
    to.print(table)
    for one in found:
        for refusal in one.sources.refused[:5]:
            to.print(f"  {refusal.path}: {refusal.reason}", style="dim", markup=False)


def _read(workspace: Path, state: Path) -> list[Indexed]:
    total = sum(sizes(workspace).values())
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # To stderr, and gone when done: what is printed last is the table, or JSON alone.
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=total)
        found: list[Indexed] = []
        for one in index(workspace, state, lambda size: progress.advance(task, size)):
            found.append(one)
            progress.update(task, description=f"read {one.kind}")
        return found
