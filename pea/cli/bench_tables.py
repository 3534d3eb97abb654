"""What ``pea bench`` shows a person: a table for each suite, what failed, what changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pea.bench.compare import Change, Comparison
from pea.bench.figure import Figure
from pea.bench.measure import Absent
from pea.bench.result import Entry, Measured, Result

_MARKS = {None: Text(""), True: Text("✓", style="green"), False: Text("✗", style="bold red")}


def show_suite(to: Console, name: str, measured: Measured) -> None:
    """Print a suite's entries as a table, or why there are none."""
    times = f"{measured.seconds:.0f} s" + (f", {measured.launches} processes" if measured.launches > 1 else "")
    to.print(f"[bold]{name}[/] [dim]{escape(measured.about)} ({times})[/]")
    if measured.missing:
        to.print(f"[red]missing[/] {escape(measured.missing)}")
    if measured.entries:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("what", overflow="fold")
        table.add_column("figure", justify="right", no_wrap=True)
        table.add_column("beside", overflow="fold")
        table.add_column("ratio", justify="right", no_wrap=True)
        table.add_column("spread", justify="right", no_wrap=True)
        table.add_column("budget", justify="right", no_wrap=True)
        for one in measured.entries:
            table.add_row(_MARKS[one.passed], *(escape(cell) for cell in cells(one)))
        to.print(table)
    to.print()


def show_end(to: Console, found: Result, left_out: Sequence[str]) -> None:
    """Print where it was measured, and all that is not well."""
    to.print(f"[dim]{escape(found.environment.words())}; {found.seconds:.0f} s[/]")
    if left_out:
        to.print(f"[dim]not part of a {found.extent} run: {', '.join(left_out)}[/]")
    absent = sorted({one.peer for each in found.suites.values() for one in each.entries if isinstance(one, Absent)})
    if absent:
        to.print(f"[yellow]peers that are not here[/] {escape(', '.join(absent))}: pip install 'pea\\[bench]'")
    for name, why in found.missing.items():
        to.print(f"[red]missing[/] {name}: {escape(why)}")
    for name, one in found.failed:
        to.print(f"[red]✗[/] {name}: {escape(one.what.strip())}: {escape(' '.join(filter(None, cells(one)[1:])))}")
    if found.failed:
        to.print(f"[red]{len(found.failed)} budget{'s are' if len(found.failed) > 1 else ' is'} not met[/]")


def show_comparison(to: Console, found: Comparison) -> None:
    """Print what differs from the earlier run."""
    if found.elsewhere:
        to.print("[yellow]the earlier run was on another machine or Python: ratios compare, times do not[/]")
    for changes, word in ((found.worse, "[red]slower[/]"), (found.better, "[green]faster[/]")):
        for change in changes:
            to.print(f"{word} {_change(change)}")
    for names, word in ((found.lost, "only in the earlier run"), (found.gained, "new")):
        for suite, what, peer in names:
            to.print(f"[dim]{word}: {suite}: {escape(what)}{f', beside {escape(peer)}' if peer else ''}[/]")
    if not found.worse:
        to.print(f"[green]no regression[/] in {found.compared} lines")


def cells(one: Entry) -> tuple[str, str, str, str, str, str]:
    """An entry's what, figure, beside, ratio, spread, budget."""
    if isinstance(one, Absent):
        return one.what, "", f"{one.peer}: {one.why}", "", "", ""
    if isinstance(one, Figure):
        sign = "≥" if one.at_least else "≤"
        budget = "" if one.budget is None else f"{sign} {one.budget:,g}"
        return one.what, f"{one.value:,.4g} {one.unit}", one.note, "", "", budget
    budget = "" if one.budget is None else f"≤ {one.budget:g} ×"
    beside = f"{one.peer}, {_time(one.peer_ns)}" + (f" ({one.note})" if one.note else "")
    return one.what, _time(one.figure_ns), beside, f"{one.ratio:.3g} ×", f"±{one.spread * 50:.0f} %", budget


def _change(change: Change) -> str:
    beside = f", beside {escape(change.peer)}" if change.peer else ""
    told = f"{100 * change.shift:+.0f} % (margin {100 * change.margin:.0f} %, p {change.p:.1g})"
    return f"{change.suite}: {escape(change.what)}{beside}: {told}"


def _time(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"
