"""``pea audit``: who changed what, and whether the log still says what was written."""

from __future__ import annotations

import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.service.access.audit import FOLDER, Record
from pea.service.access.audit_verify import Verdict, records
from pea.service.access.audit_verify import verify as walk


@click.group("audit")
def command() -> None:
    """The log of every request that changed something, in the state folder of a service."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The latest so many.")
@click.option("--token", help="Only those of this token's id or name.")
@click.option("--since", metavar="TIME", help="Only those after this time, as 2026-05-12 or 2026-05-12T07:30Z.")
@as_json
@settings_options
def listing(settings: Settings, limit: int, token: str | None, since: str | None, as_json: bool) -> None:
    """Show what was asked, by whom, and how it ended; the latest comes last."""
    after = "" if since is None else _utc(since)
    found: deque[Record] = deque(maxlen=limit)
    broken = 0
    for _, _, record in records(_folder(settings)):
        if isinstance(record, str):
            broken += 1
        elif (token is None or token in (record.token, record.name)) and record.at >= after:
            found.append(record)
    if as_json:
        show_json([msgspec.to_builtins(record) for record in found])
    else:
        _show(found)
    if broken:
        click.secho(f"{broken} lines are broken: pea audit verify", fg="red", err=True)
        sys.exit(1)


@command.command("verify")
@click.option("--expect", metavar="HASH", help="A hash that was noted elsewhere has to be in the chain.")
@as_json
@settings_options
def verify(settings: Settings, expect: str | None, as_json: bool) -> None:
    """Check the chain from the oldest record to the newest. Exits with 1 when it is broken.

    The service logs the last hash when it stops and when a file is full; one that is kept out of reach of who may write
    the log shows, with --expect, that it was not written anew.
    """
    verdict = walk(_folder(settings), expect)
    if as_json:
        show_json({**msgspec.to_builtins(verdict), "intact": verdict.intact})
    else:
        _judge(verdict)
    sys.exit(0 if verdict.intact else 1)


def _utc(text: str) -> str:
    """A time as the log has it; without a zone it is UTC, as the log is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!a} is not like 2026-05-12 or 2026-05-12T07:30Z", param_hint="--since"
        ) from None
    return (at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)).isoformat(timespec="milliseconds")


def _folder(settings: Settings) -> Path:
    if not settings.state:
        raise click.UsageError("no state folder: give --state DIR")
    return Path(settings.state) / FOLDER


def _show(found: deque[Record]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("", "when", "who", "what", "", "made"):
        table.add_column(title, overflow="fold", no_wrap=title == "when")
    for record in found:
        status = Text(str(record.status or ""), style="red" if record.status >= 400 else "green")
        what = f"{record.method} {record.path}" if record.method else f"{record.event} {record.detail}"
        if record.count > 1:
            what += f"  × {record.count:,}"
        who = record.name if not record.token else f"{record.name} ({record.token})"
        table.add_row(str(record.seq), record.at, escape(who), escape(what), status, escape(record.subject))
    console().print(table)


def _judge(verdict: Verdict) -> None:
    to = console()
    for one in verdict.breaks:
        to.print(f"[bold red]broken[/] {one.file}, line {one.line}: {escape(one.what)}", highlight=False)
    if verdict.expected is False:
        to.print(
            "[bold red]broken[/] the expected hash is not in the chain: it was written anew, or cut", highlight=False
        )
    if verdict.intact:
        before = f" (those before {verdict.first} have been rotated away)" if verdict.first > 1 else ""
        files = f"{verdict.files} {'file' if verdict.files == 1 else 'files'}"
        to.print(f"[green]intact[/] {verdict.records:,} records in {files}{before}", highlight=False)
    to.print(f"last: {verdict.head.seq} {verdict.head.hash}", highlight=False, soft_wrap=True)
