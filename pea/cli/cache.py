"""``pea cache``: what the caches of a running service hold, and dropping what is stale."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from pea.cli.client import address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import InputError

_url = click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")


@click.group("cache")
def command() -> None:
    """What the caches of a running service hold, and dropping what is stale."""


@command.command("stats")
@_url
@as_json
@settings_options
def stats(settings: Settings, url: str | None, as_json: bool) -> None:
    """Show tiers and kinds of values with hits, bytes and evictions."""
    found = request(address(settings, url), "GET", "/v1/caches")
    if as_json:
        show_json(found)
        return
    to = console()
    tiers = _table("tier", "owner", "hits", "misses", "ratio", "entries", "bytes", "evicted", "dropped", "faults")
    for tier in found["tiers"]:
        counts = tier["counts"]
        evicted = counts["evicted_size"] + counts["evicted_age"]
        numbers = (counts["entries"], counts["size_bytes"], evicted, counts["dropped"], counts["faults"])
        name = counts["tier"] + (" [red]open[/]" if counts["open"] else "")
        asked = (f"{counts['hits']:,}", f"{counts['misses']:,}", _percent(tier["hit_ratio"]))
        tiers.add_row(name, counts["owner"], *asked, *(f"{number:,}" for number in numbers))
    to.print(tiers)
    to.print()
    kinds = _table("values", "l1", "l2", "l3", "l4", "computed", "ratio", "waited")
    for space in found["namespaces"]:
        counts = space["counts"]
        lookups = counts["lookups"]
        answered = [f"{lookups[tier]:,}" for tier in ("l1", "l2", "l3", "l4")]
        computed = f"{counts['computed']:,}"
        kinds.add_row(counts["name"], *answered, computed, _percent(space["hit_ratio"]), f"{counts['waits']:,}")
    to.print(kinds)


@command.command("invalidate")
@click.argument("pattern")
@_url
@as_json
@settings_options
def invalidate(settings: Settings, pattern: str, url: str | None, as_json: bool) -> None:
    """Drop what PATTERN names (``calendar:*``, a key or a tag), with all that depends on it."""
    _told(request(address(settings, url), "POST", "/v1/caches/invalidate", body={"pattern": pattern}), as_json=as_json)


@command.command("event")
@click.argument("event")
@click.argument("variables", nargs=-1, metavar="[KEY=VALUE]...")
@_url
@as_json
@settings_options
def event(settings: Settings, event: str, variables: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Tell that EVENT happened (``meeting-created``); the configured rules say what it makes stale."""
    filled = {}
    for word in variables:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{word!r} is not of the form key=value", where="event", fix="for example: agent=travel")
        filled[key] = value
    body = {"event": event, "variables": filled}
    _told(request(address(settings, url), "POST", "/v1/events", body=body), as_json=as_json)


def _told(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    what = ", ".join(found["patterns"]) or "nothing (no rule names it)"
    sure = "" if found["acknowledged"] else "; not every process has confirmed yet"
    console().print(f"dropped {what}: {found['removed']:,} entries left memory{sure}", markup=False)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for at, heading in enumerate(headings):
        table.add_column(heading, justify="left" if at == 0 or heading == "owner" else "right", no_wrap=True)
    return table


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.0%}"
