"""``pea bench``: measure PEA beside its peers and print figures, ratios and budgets."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pea.bench.compare import compare
from pea.bench.result import Measured, Result, environment, read, result, write
from pea.bench.run import run
from pea.bench.suites import SUITES, Ask, Extent, Suite
from pea.cli.bench_tables import show_comparison, show_end, show_suite
from pea.cli.present import console, show_json
from pea.errors import ConfigError, did_you_mean

STDOUT = "-"


@click.command("bench", epilog="Suites: " + "; ".join(f"{suite.name}: {suite.about}" for suite in SUITES.values()))
@click.argument("names", nargs=-1, metavar="[SUITE]...")
@click.option("--quick", is_flag=True, help="A rough look within two minutes: fewer rounds, no long suites.")
@click.option("--full", is_flag=True, help="The long forms: hours of soaking, hundreds of kills and scenarios.")
@click.option("--json", "to_json", is_flag=False, flag_value=STDOUT, metavar="[FILE]", help="Write the result as JSON.")
@click.option("--compare", "earlier", type=click.Path(path_type=Path), help="Tell what is slower than in this result.")
@click.option("--from", "given", type=click.Path(path_type=Path), help="Measure nothing: take the result of this file.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the result as a page in Markdown.")
@click.option(
    "--profile", type=click.Path(path_type=Path), help="Folder for a flame graph and the memory of each suite."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of public data sets, for suites that use them.")
@click.option("--minutes", type=click.FloatRange(0.1, 10_080), help="How long soak goes on, and detect at most.")
@click.option("--kills", type=click.IntRange(1, 100_000), help="How often crash kills the service.")
def command(
    names: tuple[str, ...],
    quick: bool,
    full: bool,
    to_json: str | None,
    earlier: Path | None,
    given: Path | None,
    report: Path | None,
    profile: Path | None,
    data: Path | None,
    minutes: float | None,
    kills: int | None,
) -> None:
    """Run the suites named, or all of them, each beside its peers in one run.

    Exits with 1 when a budget is not met, a suite could not run, or something became slower than it was.
    """
    if quick and full:
        raise click.UsageError("--quick or --full, not both")
    extent: Extent = "quick" if quick else "full" if full else "whole"
    suites = _chosen(names, extent, to_json)
    before = None if earlier is None else read(earlier)  # before minutes of measuring, not after
    if profile is not None:
        profile.mkdir(parents=True, exist_ok=True)
    absolute = None if profile is None else profile.resolve()
    ask = Ask(extent, data, minutes, kills, absolute)
    quiet = to_json == STDOUT
    found = _measure(suites, ask, quiet=quiet) if given is None else _shown(read(given), quiet=quiet)
    _hand_over(found, to_json, report)
    comparison = None if before is None else compare(found, before)
    if not quiet:
        left_out = [name for name, suite in SUITES.items() if extent not in suite.seconds] if not names else []
        show_end(console(), found, left_out)
        if comparison is not None:
            show_comparison(console(), comparison)
    slower = comparison is not None and comparison.worse
    sys.exit(1 if found.failed or found.missing or slower else 0)


def _chosen(names: tuple[str, ...], extent: Extent, to_json: str | None) -> list[Suite]:
    if to_json in SUITES:
        raise ConfigError(f"{to_json!r} is a suite, not a file", where="--json", fix=f"write --json=- {to_json}")
    for name in names:
        if name not in SUITES:
            raise ConfigError(f"no suite is called {name!r}", where="pea bench", fix=did_you_mean(name, SUITES))
    return [SUITES[name] for name in names] or [suite for suite in SUITES.values() if extent in suite.seconds]


def _measure(suites: list[Suite], ask: Ask, *, quiet: bool) -> Result:
    """Run the suites, with a bar for all of them; each is shown as soon as it is done."""
    to = console()
    whole_s = sum(suite.expected_s(ask) for suite in suites)
    began, measured_on = datetime.now(UTC), environment()
    measured: dict[str, Measured] = {}
    done_s = 0.0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=to, transient=True, disable=quiet or not to.is_terminal) as progress:
        bar = progress.add_task("", total=whole_s)

        def tick(suite: Suite, seconds: float) -> None:
            within = min(seconds, suite.expected_s(ask))
            progress.update(bar, completed=done_s + within, description=f"{suite.name}: {suite.about}")

        for suite, found in run(suites, ask, tick):
            measured[suite.name] = found
            done_s += suite.expected_s(ask)
            if not quiet:
                show_suite(to, suite.name, found)
    return result(ask.extent, began, measured, measured_on)


def _shown(found: Result, *, quiet: bool) -> Result:
    if not quiet:
        for name, measured in found.suites.items():
            show_suite(console(), name, measured)
    return found


def _hand_over(found: Result, to_json: str | None, report: Path | None) -> None:
    if to_json == STDOUT:
        show_json(found)
    elif to_json is not None:
        write(Path(to_json), found)
    if report is not None:
        from pea.bench.report import report as page

        report.write_text(page(found), encoding="utf-8")
