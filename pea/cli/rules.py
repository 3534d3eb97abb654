"""``pea rules``: check, try, replay and export alert rules; list what they can watch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import yaml
from rich.table import Table

from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import ConfigError
from pea.service.alerts_detector import rule_paths

if TYPE_CHECKING:
    from pea.watch.rehearse import TrialFile
    from pea.watch.rule import RuleSet

_files = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


@click.group("rules")
def command() -> None:
    """Check, try, replay and export alert rules. Without FILES, the configured ones, else those that ship with PEA."""


@command.command("check")
@_files
@as_json
@settings_options
def check(settings: Settings, files: tuple[Path, ...], as_json: bool) -> None:
    """Say what is wrong with rule files: file, line, what, and the nearest valid word."""
    from pea.watch.rule_file import BadRules, load_rules

    faults: list[str] = []
    found: list[str] = []
    try:
        found = [rule.name for rule in load_rules(files or rule_paths(settings)).rules]
    except BadRules as error:
        faults = [str(fault) for fault in error.faults]
    if as_json:
        show_json({"rules": found, "faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        if not faults:
            click.echo(f"{len(found)} rules are right")
    sys.exit(2 if faults else 0)


@command.command("signals")
@as_json
def signals(as_json: bool) -> None:
    """List what rules can watch, with labels and units."""
    from pea.watch.signals import listing

    if as_json:
        show_json(
            [{"name": one.name, "about": one.about, "unit": one.unit, "labels": list(one.labels)} for one in listing()]
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("signal", "unit", "labels", "what"):
        table.add_column(title, overflow="fold")
    for one in listing():
        table.add_row(one.name, one.unit or "number", ", ".join(one.labels), one.about)
    to = console()
    to.print(table)
    to.print("[dim]Any other quantile is LATENCY.pNN; any series of the store is metric.NAME, by its own labels.[/]")


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of rule files, for editors."""
    from pea.watch.rule_schema import schema as made

    show_json(made())


@command.command("test")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
def test(files: tuple[Path, ...], as_json: bool) -> None:
    """Run unit tests of rules: spans and samples in, alerts expected."""
    from pea.watch.rehearse import perform

    results: dict[str, list[str]] = {}
    for path in files:
        trials, rules = _trials(path)
        for trial in trials.tests:
            results[f"{path}: {trial.name}"] = perform(trial, rules, float(trials.interval))
    failed = {name: said for name, said in results.items() if said}
    if as_json:
        show_json({"tests": len(results), "failed": failed})
    else:
        for said in failed.values():
            for line in said:
                click.echo(line)
        click.echo(f"{len(results) - len(failed)} of {len(results)} tests passed")
    sys.exit(1 if failed else 0)


@command.command("export")
@_files
@click.option("--to", "target", type=click.Choice(["prometheus"]), default="prometheus", show_default=True)
@settings_options
def export(settings: Settings, files: tuple[Path, ...], target: str) -> None:
    """Print the rules as alerting rules for Prometheus, over the metrics that PEA exports."""
    from pea.watch.prometheus import export as exported
    from pea.watch.rule_file import load_rules

    del target  # the one there is
    found = exported(load_rules(files or rule_paths(settings)), float(settings.watch.interval))
    click.echo("# Made by `pea rules export` for the metrics that PEA exports; edit the rules, not this file.")
    for reason in found.left_out:
        click.echo(f"# left out: {reason}")
    click.echo(yaml.safe_dump(found.groups, sort_keys=False, allow_unicode=True, width=1_000), nl=False)


@command.command("replay")
@_files
@click.option("--hours", type=click.FloatRange(0.1, 24 * 30), default=24.0, show_default=True, help="How far back.")
@as_json
@settings_options
def replay(settings: Settings, files: tuple[Path, ...], hours: float, as_json: bool) -> None:
    """Run rules over the stored past, and show what would have fired."""
    from pea.watch.replay import replayed
    from pea.watch.rule_file import load_rules

    if not settings.state:
        raise ConfigError("no state folder is configured", fix="give --state DIR")
    folder = Path(settings.state) / "chronicle"
    if not folder.is_dir():
        raise ConfigError("nothing has been stored there", where=str(folder), fix="give --state DIR")
    found = list(replayed(folder, load_rules(files or rule_paths(settings)), hours * 3_600, settings.store))
    if as_json:
        show_json([{"at": one.at, "state": one.alert.state, "alert": one.alert} for one in found])
        return
    for one in found:
        click.echo(f"{one.at}  {one.alert.state:<8}  {one.alert.severity:<8}  {one.alert.message}")
    click.echo(f"{sum(one.alert.state == 'firing' for one in found)} alerts would have fired")


def _trials(path: Path) -> tuple[TrialFile, RuleSet]:
    from pea.watch.rehearse import TrialFile
    from pea.watch.rule import decode_unit
    from pea.watch.rule_file import load_rules

    try:
        found = msgspec.convert(yaml.safe_load(_text(path)), TrialFile, dec_hook=decode_unit)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(f"is not YAML: {error}", where=f"{path}:{mark.line + 1}" if mark else str(path)) from error
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigError(str(error), where=str(path)) from error
    return found, load_rules(path.parent / one for one in found.rule_files)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error
