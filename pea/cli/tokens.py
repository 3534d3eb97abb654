"""``pea tokens``: who may use the service, and for what."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Seconds, Settings
from pea.service.access.scopes import GRANTED, MEANING, Scope
from pea.service.access.token_file import editing, read_tokens, token_path
from pea.service.access.tokens import Token, issue


class _Duration(click.ParamType[timedelta]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta(seconds=float(Seconds.parse(value)))
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)


@click.group("tokens")
def command() -> None:
    """Access tokens of the service: add, list, rotate and revoke them. A running service follows within seconds.

    As soon as there is a tokens file, every request needs a token; off loopback there has to be one.
    """


@command.command("add")
@click.option("--name", required=True, help="Who will use it: it is in lists and in the audit log.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([str(scope) for scope in GRANTED]),
    help="What it is good for; may be given more than once. "
    + "; ".join(f"{scope}: {MEANING[scope]}" for scope in GRANTED)
    + ".",
)
@click.option("--expires", type=_Duration(), help="How long it is good for, as 90d (default: until it is revoked).")
@click.option("--rate", type=click.FloatRange(0.001, 1e6), help="Requests a second (default: access.per_second).")
@click.option("--burst", type=click.IntRange(1, 1_000_000), help="Requests at once (default: access.burst).")
@as_json
@settings_options
def add(
    settings: Settings,
    name: str,
    scopes: tuple[str, ...],
    expires: timedelta | None,
    rate: float | None,
    burst: int | None,
    as_json: bool,
) -> None:
    """Make a token and print it. It is shown only now: what is kept of it is a hash."""
    with editing(_path(settings)) as tokens:
        try:
            made, text = issue(
                name, map(Scope, scopes), datetime.now(UTC), lifetime=expires, per_second=rate, burst=burst
            )
        except (ValueError, OverflowError) as error:
            raise click.UsageError(str(error)) from None
        first = not tokens
        tokens[made.id] = made
    _tell(made, text, as_json=as_json)
    if first and not as_json:
        click.echo("It is the first one: from now on every request needs a token, the page a login.", err=True)


@command.command("list")
@as_json
@settings_options
def listing(settings: Settings, as_json: bool) -> None:
    """List the tokens, without what makes them work."""
    path = _path(settings)
    tokens, now = read_tokens(path), datetime.now(UTC)
    if as_json:
        show_json([_shown(token, now) for token in tokens.values()])
        return
    to = console()
    if not tokens:
        to.print(f"No token in {escape(str(path))}. Make one: pea tokens add --name me --scope admin", highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("id", "name", "scopes", "made", "expires", "rate"):
        table.add_column(title, overflow="fold")
    for token in tokens.values():
        until = "" if token.expires is None else f"{token.expires:%Y-%m-%d %H:%M}Z"
        rate = "" if token.per_second is None else f"{token.per_second:g}/s"
        table.add_row(
            token.id,
            escape(token.name),
            " ".join(token.scopes),
            f"{token.created:%Y-%m-%d}",
            f"[red]{until} (over)[/]" if token.expired(now) else until,
            rate,
        )
    to.print(table)


@command.command("rotate")
@click.argument("number", metavar="ID")
@click.option("--keep", type=_Duration(), default="1h", help="How long the old one still works (default: 1h).")
@as_json
@settings_options
def rotate(settings: Settings, number: str, keep: timedelta, as_json: bool) -> None:
    """Make a token like another, which ends a little later: time to put the new one in its place."""
    with editing(_path(settings)) as tokens:
        old = _find(tokens, number)
        now = datetime.now(UTC)
        life = None if old.expires is None else old.expires - old.created
        made, text = issue(old.name, old.scopes, now, lifetime=life, per_second=old.per_second, burst=old.burst)
        end = (now + keep).replace(microsecond=0)
        tokens[old.id] = msgspec.structs.replace(old, expires=end if old.expires is None else min(end, old.expires))
        tokens[made.id] = made
    _tell(made, text, as_json=as_json)


@command.command("revoke")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@settings_options
def revoke(settings: Settings, numbers: tuple[str, ...]) -> None:
    """Take tokens back: a running service refuses them within seconds, and ends their logins and streams."""
    with editing(_path(settings)) as tokens:
        for number in numbers:
            del tokens[_find(tokens, number).id]
        left = len(tokens)
    click.echo(f"revoked; {left} {'token is' if left == 1 else 'tokens are'} left")
    if not left:
        click.echo("Nobody can use the service now. Add a token, or delete the file and restart.", err=True)


def _path(settings: Settings) -> Path:
    path = token_path(settings)
    if path is None:
        raise click.UsageError("no state folder: give --state DIR, or set access.tokens in pea.yaml")
    return path


def _find(tokens: dict[str, Token], number: str) -> Token:
    found = tokens.get(number.removeprefix("pea_").partition("_")[0])
    if found is None:
        raise click.UsageError(f"no token has the id {number[:40]!a}; pea tokens list shows them")
    return found


def _shown(token: Token, now: datetime) -> dict[str, Any]:
    kept = msgspec.structs.asdict(token)
    del kept["sha256"]
    return {**kept, "expired": token.expired(now)}


def _tell(made: Token, text: str, *, as_json: bool) -> None:
    if as_json:
        show_json({**_shown(made, made.created), "token": text})
        return
    click.echo(text)
    until = "until it is revoked" if made.expires is None else f"until {made.expires:%Y-%m-%d %H:%M}Z"
    click.echo(f"Token {made.id} for {made.name} ({', '.join(made.scopes)}), {until}.", err=True)
    if sys.stdout.isatty():
        click.echo(
            "It is shown only now. Programs send it as `Authorization: Bearer …`; pea reads PEA_TOKEN.", err=True
        )
