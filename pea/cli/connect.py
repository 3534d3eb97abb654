"""``pea connect``: the user's accounts on servers: which there are, whether they work, and adding one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from pea.cli.connect_yaml import added, write
from pea.cli.doctor_finding import Finding, show
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.config.connectors import KINDS, NAME, Account
from pea.errors import ConfigError, InputError, PeaError, did_you_mean
from pea.telemetry import configure_logging


@click.group("connect")
def command() -> None:
    """Your calendars and mail on servers: what is configured, whether it works, and adding one.

    \b
    pea connect add work caldav --url https://dav.example.org/ --user nora
    pea connect test
    """


@command.command("list")
@as_json
@settings_options
def list_accounts(settings: Settings, as_json: bool) -> None:
    """The accounts, whether their passwords are at hand, and when each was last brought up to date."""
    from pea.connect import accounts, standing

    shown = []
    for name, account in settings.connect.accounts.items():
        last = standing(settings, name)
        good = datetime.fromtimestamp(last.last_good, settings.zone) if last.last_good else None
        shown.append(
            {
                "account": name,
                "kind": account.kind,
                "server": accounts.server(account),
                "user": account.user,
                "password": _credential(name, account),
                "last_good": good,
                "problem": last.problem,
            }
        )
    if as_json:
        show_json(shown)
        return
    to = console()
    if not shown:
        to.print("no accounts: pea connect add work caldav --url https://dav.example.org/ --user nora")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("account", "kind", "server", "user", "password", "last synced"):
        table.add_column(heading)
    for one in shown:
        synced = "" if one["kind"] == "smtp" else f"{one['last_good']:%Y-%m-%d %H:%M}" if one["last_good"] else "never"
        table.add_row(*(str(one[key]) for key in ("account", "kind", "server", "user", "password")), synced)
    to.print(table)
    for one in shown:
        if one["problem"]:
            to.print(f"{one['account']}: {one['problem']}", markup=False, soft_wrap=True)


@command.command("test")
@click.argument("names", nargs=-1, metavar="[ACCOUNT]...")
@as_json
@settings_options
def test(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Ask each server, without changing anything, whether the account works; say what is wrong and what to do."""
    configure_logging(settings.telemetry.log)
    for name in names:
        if name not in settings.connect.accounts:
            raise InputError("there is no such account", where=name, fix=did_you_mean(name, settings.connect.accounts))
    sys.exit(show(asyncio.run(examined(settings, names)), as_json=as_json))


@command.command("add")
@click.argument("name")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--url", help="caldav: the server or one calendar; web: what is fetched.")
@click.option("--host", "machine", help="imap, smtp: the server's name.")
@click.option("--port", "at", type=click.IntRange(1, 65535), help="Where it is not the protocol's own.")
@click.option("--tls", type=click.Choice(["tls", "starttls", "none"]), help="imap, smtp (default: tls).")
@click.option("--ca", help="A PEM file with certificates to trust besides the machine's.")
@click.option("--user")
@click.option("--password-env", metavar="VARIABLE", help="Where the password is; else it is asked for.")
@click.option("--save-as", help="web: a path in the workspace, as documents/prices.html.")
@click.option("--test/--no-test", "tested", default=True, help="Ask the server whether it works (default: yes).")
@settings_options
def add(settings: Settings, name: str, kind: str, password_env: str | None, tested: bool, **given: Any) -> None:
    """Add an account to the configuration, whose comments stay.

    A password is asked for (or read from standard input) and kept in a file that only you can read; with
    --password-env it stays in the environment.
    """
    from pea.connect import accounts

    if not re.fullmatch(NAME, name):
        raise InputError(f"{name!r} is no name", where="name", fix="small letters, digits, - and _")
    # `host` and `port` would be the service's own for `settings_options`.
    called = {"machine": "host", "at": "port"}
    fields = {called.get(key, key): value for key, value in given.items() if value}
    secret = _secret_file(name)
    if fields.get("user"):
        fields["password"] = f"env:{password_env}" if password_env else f"file:{secret}"
    section = {"kind": kind, **fields}
    account = msgspec.convert(section, Account)
    accounts.check(name, account)
    path = _config_file()
    try:
        text = path.read_bytes().decode() if path.is_file() else ""
        made = added(text, name, section)
        with _kept(secret, _asked()) if account.password.startswith("file:") else nullcontext():
            write(path, made)
    except ConfigError as error:
        raise ConfigError(error.what, where=error.where or str(path), fix=error.fix) from error
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=error.filename or str(path)) from error
    to = console()
    to.print(f"{name} is in {path}", markup=False, soft_wrap=True)
    if account.password.startswith("file:"):
        to.print(f"its password is in {secret}, which only you can read", markup=False, soft_wrap=True)
    if tested:
        every = {**settings.connect.accounts, name: account}
        connect = msgspec.structs.replace(settings.connect, accounts=every)
        sys.exit(
            show(asyncio.run(examined(msgspec.structs.replace(settings, connect=connect), (name,))), as_json=False)
        )


async def examined(settings: Settings, names: tuple[str, ...] = ()) -> list[Finding]:
    """Whether each account, or some, works, and from when its last good copy is; asked side by side."""
    if not settings.connect.accounts:
        return []
    from pea.connect import standing
    from pea.connect.probe import probe

    async def one(name: str) -> Finding:
        last = standing(settings, name).last_good
        copy = f"; last synced {datetime.fromtimestamp(last, settings.zone):%Y-%m-%d %H:%M}" if last else ""
        try:
            return Finding(f"account {name}", "ok", await probe(settings, name) + copy)
        except PeaError as error:
            return Finding(f"account {name}", "missing", error.what + copy, error.fix)

    return list(await asyncio.gather(*(one(name) for name in names or settings.connect.accounts)))


def _credential(name: str, account: Account) -> str:
    """Where the password is, and whether it can be had; never the password."""
    from pea.connect import CredentialError, accounts

    if not account.password:
        return "none"
    try:
        accounts.password(name, account)
    except CredentialError as error:
        return error.what
    return account.password


def _config_file() -> Path:
    """The configuration that `settings_options` reads, or the one to begin: pea.yaml here."""
    given = click.get_current_context().params
    if given["config"] is not None:
        return Path(given["config"])
    if os.environ.get("PEA_CONFIG"):
        return Path(os.environ["PEA_CONFIG"])
    here = Path("pea.yaml")
    own = None if given["workspace"] is None else Path(given["workspace"]) / "pea.yaml"
    return own if own is not None and own.is_file() and not here.is_file() else here


def _secret_file(name: str) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser().absolute() / "pea" / name


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("password", hide_input=True, err=True))
    told = sys.stdin.readline().rstrip("\r\n")
    if not told:
        raise InputError(
            "none was given", where="password", fix="give it on standard input, or --password-env VARIABLE"
        )
    return told


@contextmanager
def _kept(path: Path, secret: str) -> Iterator[None]:
    """Keep a password in a file of the user's alone, unless what is done with that fails."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError("is there already", where=str(path), fix="remove it, or give --password-env") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
        yield
    except BaseException:  # whatever stopped it, a full disk or the user: no password stays behind that nothing uses
        path.unlink(missing_ok=True)
        raise
