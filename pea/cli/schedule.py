"""``pea schedule``: what is to be done when; works with and without a running service."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.table import Table

from pea.cli.arguments import parse as parse_input
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import InputError, UnknownCapability, did_you_mean
from pea.runtime.contract import Capability
from pea.runtime.schedule import Entry, Shelf, made, parse
from pea.runtime.schedule.firing import next_due

_STYLES = {"fired": "green", "late": "yellow", "missed": "red", "refused": "red"}


@click.group("schedule")
def command() -> None:
    """What is to be done when, in your own time zone; a running `pea serve` does it.

    \b
    pea schedule add morning "30 7 * * mon-fri" briefing.morning
    pea schedule list
    """


@command.command("add")
@click.argument("name")
@click.argument("cron")
@click.argument("capability")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "text", metavar="JSON", help="The whole input as a JSON object.")
@click.option("--zone", help="IANA time zone (default: user.timezone, else the machine's).")
@click.option("--grace", default="1h", show_default=True, help="How late it may still be done, after a time down.")
@click.option("--replace", is_flag=True, help="Put it in the place of one of the same name.")
@as_json
@settings_options
def add(
    settings: Settings,
    name: str,
    cron: str,
    capability: str,
    words: tuple[str, ...],
    text: str | None,
    zone: str | None,
    grace: str,
    replace: bool,
    as_json: bool,
) -> None:
    """Have CAPABILITY done whenever CRON (minute hour day month weekday) says so."""
    found = _capability(settings, capability)
    given = parse_input(words, text, found.schemas()[0])
    found.bind(given)
    now = time.time()
    entry = made(
        name, cron, zone or _zone(settings), capability, msgspec.json.encode(given),
        identity=os.urandom(8).hex(), now=now, grace=grace,
    )  # fmt: skip
    _shelf(settings).add(entry, replace=replace)
    if as_json:
        show_json(_shown(entry))
        return
    to = console()
    to.print(f"{name}: {capability} at {entry.cron.expression} ({entry.cron.zone})")
    to.print(f"next: {_moment(next_due(entry), entry.cron.zone)}")


@command.command("list")
@as_json
@settings_options
def list_schedules(settings: Settings, as_json: bool) -> None:
    """The schedules, when each is due next, and what became of the last times."""
    shelf = _shelf(settings)
    entries, firings = shelf.entries(), shelf.firings(10)
    if as_json:
        show_json({"schedules": [_shown(entry) for entry in entries], "firings": firings})
        return
    to = console()
    if not entries:
        to.print("no schedules: pea schedule add morning '30 7 * * mon-fri' briefing.morning")
    else:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("name", "cron", "zone", "capability", "next"):
            table.add_column(heading)
        for entry in entries:
            coming = _moment(next_due(entry), entry.cron.zone)
            table.add_row(entry.name, entry.cron.expression, entry.cron.zone, entry.capability, coming)
        to.print(table)
    for firing in firings:
        style = _STYLES[firing.outcome]
        due = datetime.fromtimestamp(firing.due, UTC).astimezone(settings.zone)
        more = f" · {firing.note}" if firing.note else f" · task {firing.task}"
        to.print(f"[dim]{due:%Y-%m-%d %H:%M}[/] {firing.schedule} [{style}]{firing.outcome}[/]{more}", soft_wrap=True)


@command.command("remove")
@click.argument("name")
@settings_options
def remove(settings: Settings, name: str) -> None:
    """Take a schedule away."""
    shelf = _shelf(settings)
    if not shelf.remove(name):
        known = [entry.name for entry in shelf.entries()]
        raise InputError("there is no such schedule", where=name, fix=did_you_mean(name, known))
    console().print(f"{name} is removed")


@command.command("next")
@click.argument("cron")
@click.option("--zone", help="IANA time zone (default: user.timezone, else the machine's).")
@click.option("--count", type=click.IntRange(1, 1_000), default=5, show_default=True)
@as_json
@settings_options
def show_next(settings: Settings, cron: str, zone: str | None, count: int, as_json: bool) -> None:
    """When CRON, or the schedule of this name, is due next."""
    known = {entry.name: entry for entry in _shelf(settings).entries()}
    own = known[cron].cron if cron in known else parse(cron, zone or _zone(settings))
    times = []
    for due in own.times(settings.now()):
        times.append(due)
        if len(times) == count:
            break
    if as_json:
        show_json(times)
        return
    for due in times:
        console().print(f"{due:%a %Y-%m-%d %H:%M} {due.tzname()}")


def _shelf(settings: Settings) -> Shelf:
    return Shelf(Path(settings.state))


def _zone(settings: Settings) -> str:
    """The user's zone by its name: a fixed offset would be wrong after the next change of the clock."""
    key = getattr(settings.zone, "key", None)
    if not isinstance(key, str):
        raise InputError("the machine's time zone has no name", where="zone", fix="set user.timezone, or give --zone")
    return key


def _capability(settings: Settings, name: str) -> Capability:
    from pea.runtime import discovery
    from pea.runtime.contract import capabilities

    agents, _ = discovery.load(discovery.installed(settings.runtime.agents))
    offered = {one.name: one for agent in agents for one in capabilities(agent)}
    if name not in offered:
        raise UnknownCapability(f"no agent offers {name!r}", fix=did_you_mean(name, offered))
    return offered[name]


def _shown(entry: Entry) -> dict[str, object]:
    coming = next_due(entry)
    return {
        "name": entry.name,
        "cron": entry.cron.expression,
        "zone": entry.cron.zone,
        "capability": entry.capability,
        "input": entry.input,
        "grace_s": entry.grace_s,
        "next": None if coming == float("inf") else datetime.fromtimestamp(coming, ZoneInfo(entry.cron.zone)),
    }


def _moment(seconds: float, zone: str) -> str:
    return (
        "never" if seconds == float("inf") else f"{datetime.fromtimestamp(seconds, ZoneInfo(zone)):%a %Y-%m-%d %H:%M}"
    )
