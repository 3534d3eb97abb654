"""``pea bench``: measure PEA beside its peers and print figures, ratios and budgets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pea.bench.figure import Figure
from pea.bench.measure import Line
from pea.bench.suites import SUITES, Suite
from pea.cli.options import as_json
from pea.cli.present import console, show_json
from pea.config import LogSettings
from pea.errors import ConfigError, did_you_mean
from pea.telemetry import configure_logging

_PACKAGES = ("opentelemetry-sdk", "aiohttp", "msgspec", "numpy")


@click.command("bench", epilog="Suites: " + "; ".join(f"{suite.name}: {suite.about}" for suite in SUITES.values()))
@click.argument("names", nargs=-1, metavar="[SUITE]...")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of public data sets, for suites that use them.")
@click.option("--minutes", type=click.FloatRange(0.1, 10_080), help="How long soak goes on (default: 2).")
@click.option("--kills", type=click.IntRange(1, 100_000), help="How often crash kills the service (default: 300).")
@as_json
def command(names: tuple[str, ...], data: Path | None, minutes: float | None, kills: int | None, as_json: bool) -> None:
    """Run the suites named, or all of them, each beside its peers in one run.

    Exits with 1 when a budget is not met.
    """
    for name in names:
        if name not in SUITES:
            raise ConfigError(f"no suite is called {name!r}", where="pea bench", fix=did_you_mean(name, SUITES))
    configure_logging(LogSettings(level="error"))
    to = console()
    results: dict[str, Sequence[Line | Figure]] = {}
    missing: dict[str, str] = {}
    for suite in [SUITES[name] for name in names] or SUITES.values():
        found = _run(suite, to, data, minutes, kills, quiet=as_json)
        if isinstance(found, str):
            missing[suite.name] = found
        else:
            results[suite.name] = found
        if not as_json:
            _show(to, suite, found)
    if as_json:
        show_json({"environment": _environment(), "results": results, "missing": missing})
    failed = sum(one.passed is False for lines in results.values() for one in lines)
    if not as_json:
        to.print(f"[dim]{_environment_line()}[/]")
        if failed:
            to.print(f"[red]{failed} budgets are not met[/]")
    sys.exit(1 if failed or missing else 0)


def _run(
    suite: Suite, to: Console, data: Path | None, minutes: float | None, kills: int | None, *, quiet: bool
) -> Sequence[Line | Figure] | str:
    seconds = 60 * minutes if suite.takes_minutes and minutes is not None else suite.seconds
    try:
        if quiet or not to.is_terminal:
            return suite.run(data, minutes, kills)
        with to.status(f"{suite.name}: {suite.about} (about {seconds:.0f} s)"):
            return suite.run(data, minutes, kills)
    except ImportError as error:
        return f"a peer is not installed: {error.name} (pip install 'pea[bench]')"
    except ConfigError as error:
        return str(error)


def _show(to: Console, suite: Suite, found: Sequence[Line | Figure] | str) -> None:
    to.print(f"[bold]{suite.name}[/] [dim]{suite.about}[/]")
    if isinstance(found, str):
        to.print(f"[red]missing[/] {escape(found)}")
        to.print()
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("what", overflow="fold")
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("beside", overflow="fold")
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    table.add_column("budget", justify="right", no_wrap=True)
    for one in found:
        mark = {None: Text(""), True: Text("✓", style="green"), False: Text("✗", style="bold red")}[one.passed]
        table.add_row(mark, *_cells(one))
    to.print(table)
    to.print()


def _cells(one: Line | Figure) -> tuple[str, ...]:
    if isinstance(one, Figure):
        sign = "≥" if one.at_least else "≤"
        budget = "" if one.budget is None else f"{sign} {one.budget:,g}"
        return one.what, f"{one.value:,.4g} {one.unit}", one.note, "", "", budget
    budget = "" if one.budget is None else f"≤ {one.budget:g} ×"
    beside = f"{one.peer}, {_time(one.peer_ns)}" + (f" ({one.note})" if one.note else "")
    return one.what, _time(one.figure_ns), beside, f"{one.ratio:.3g} ×", f"±{one.spread * 50:.0f} %", budget


def _time(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "packages": {package: _version(package) for package in _PACKAGES},
    }


def _environment_line() -> str:
    found = _environment()
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    return f"Python {found['python']}, {found['system']}, {found['cpus']} CPUs; {packages}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
