"""``pea alerts``: what is wrong in a running service, why, and where to look; silences."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from pea.cli.client import address, request
from pea.cli.course import draw
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import InputError

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_url = click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")


@click.group("alerts", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Also those that are pending or over.")
@click.option("--check", is_flag=True, help="Exit with 1 when an alert fires.")
@_url
@as_json
@settings_options
@click.pass_context
def command(
    ctx: click.Context, settings: Settings, everything: bool, check: bool, url: str | None, as_json: bool
) -> None:
    """List the alerts that fire, each with its likely cause and traces that show it."""
    if ctx.invoked_subcommand is not None:
        return
    query = {"history": 50} if everything else {"state": "firing"}
    found = request(address(settings, url), "GET", "/v1/alerts", query=query)
    firing = [alert for alert in found["alerts"] if alert["state"] == "firing"]
    if as_json:
        show_json(found)
    else:
        _show(console(), found, address(settings, url))
    sys.exit(1 if check and firing else 0)


@command.command("silence")
@click.argument("id")
@click.option("--for", "duration", default="1h", show_default=True, help="For how long, such as 30m or 2h.")
@click.option("--comment", default="", help="Why.")
@_url
@as_json
@settings_options
def silence(settings: Settings, id: str, duration: str, comment: str, url: str | None, as_json: bool) -> None:  # noqa: A002
    """Have nobody told of the alert ID for a while."""
    body = {"duration": duration, "comment": comment}
    made = request(address(settings, url), "POST", f"/v1/alerts/{id}/silence", body=body)
    if as_json:
        show_json(made)
    else:
        console().print(f"{made['rule']} is silenced until {made['until']}", markup=False)


@command.command("show")
@click.argument("id")
@_url
@as_json
@settings_options
def show(settings: Settings, id: str, url: str | None, as_json: bool) -> None:  # noqa: A002
    """Show one alert by its ID, or the beginning of it, with its evidence; a learned baseline's is drawn."""
    base = address(settings, url)
    found = request(base, "GET", "/v1/alerts", query={"history": 1_000})
    held = {alert["id"]: alert for alert in [*reversed(found["history"]), *found["alerts"]]}
    matching = [alert for key, alert in held.items() if key.startswith(id)]
    if len(matching) != 1:
        what = "no alert has this id" if not matching else f"{len(matching)} alerts begin so"
        raise InputError(what, where=id, fix="pea alerts --all lists them")
    if as_json:
        show_json(matching[0])
        return
    to = console()
    _show(to, {"alerts": matching, "history": []}, base)
    if matching[0]["threshold"] not in {"", "unknown"}:
        word = "expected" if matching[0]["course"] else "bound"
        to.print(f"  [dim]{'value':<22}[/] {escape(matching[0]['value'])}")
        to.print(f"  [dim]{word:<22}[/] {escape(matching[0]['threshold'])}")
    for key, value in matching[0]["evidence"].items():
        if key.startswith("expected_"):
            continue  # said above, with its unit
        to.print(f"  [dim]{escape(key.replace('_', ' ')):<22}[/] {value:.6g}")
    if matching[0]["course"]:
        to.print()
        draw(to, matching[0]["course"])


def _show(to: Console, found: dict[str, Any], base: str) -> None:
    present = found["alerts"]
    gone = [alert for alert in found["history"] if alert["id"] not in {one["id"] for one in present}]
    if not present and not gone:
        to.print("[green]no alert fires[/]")
    for alert in [*sorted(present, key=lambda one: bool(one["inhibited_by"])), *gone]:
        style = _STYLES[alert["severity"]]
        to.print(f"[{style}]{alert['severity']:<8}[/] {alert['state']:<8} [bold]{escape(alert['message'])}[/]")
        notes = [f"since {alert['since']}", alert["id"]]
        if alert["silenced_until"]:
            notes.append(f"silenced until {alert['silenced_until']}")
        if alert["inhibited_by"]:
            notes.append(f"explained by {alert['inhibited_by']}")
        to.print(f"  [dim]{escape(' · '.join([*notes, *filter(None, [alert['reason']])]))}[/]")
        if alert["inhibited_by"] and len(present) > 1:
            continue  # the other one says why
        if alert["explanation"]:
            to.print(f"  {escape(alert['explanation'])}")
        for trace in alert["exemplars"][:3]:
            to.print(f"  {base}/traces/{trace}", markup=False, soft_wrap=True)
