"""What a check of `pea doctor` found, and how a list of it is shown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.markup import escape

from pea.cli.present import console, show_json

_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]·[/]", "missing": "[red]✗[/]"}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked. ``verdict`` is ok, note (works, but you may want to know) or missing."""

    what: str
    verdict: str
    detail: str
    fix: str | None = None


def show(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print what was found; the exit code, which is 1 when something is missing."""
    missing = sum(finding.verdict == "missing" for finding in findings)
    if as_json:
        show_json({"missing": missing, "findings": findings})
        return 1 if missing else 0
    to = console()
    for finding in findings:
        to.print(f"{_MARKS[finding.verdict]} [bold]{escape(finding.what)}[/]  {escape(finding.detail)}", soft_wrap=True)
        if finding.fix:
            to.print(f"    → {escape(finding.fix)}", soft_wrap=True)
    to.print(f"[red]{missing} missing[/]" if missing else "[green]all is there[/]")
    return 1 if missing else 0
