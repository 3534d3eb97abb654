"""An account made ready for use: its settings checked, its password fetched, its certificates trusted."""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pea.config import Settings
from pea.config.connectors import Account
from pea.connect.failures import CredentialError
from pea.errors import ConfigError

MAX_SECRET_BYTES = 16_384
PORTS = {("imap", "tls"): 993, ("imap", "starttls"): 143, ("imap", "none"): 143}
PORTS |= {("smtp", "tls"): 465, ("smtp", "starttls"): 587, ("smtp", "none"): 25}
_SAVED_IN = ("calendars", "documents", "contacts", "ledgers")


def check(name: str, account: Account) -> None:
    """Refuse an account that cannot work, or would speak in the clear over a network; ConfigError names the setting."""
    place = f"connect.accounts.{name}"
    if account.kind in ("caldav", "web"):
        parts = _split(f"{place}.url", account.url)
        if parts.scheme == "http" and not is_local(parts.hostname or ""):
            raise ConfigError("would be asked for without encryption", where=f"{place}.url", fix="use https")
    elif not account.host:
        raise ConfigError("is needed", where=f"{place}.host", fix=f"the {account.kind} server's name")
    elif account.tls == "none" and not is_local(account.host):
        raise ConfigError(
            "only a server on this machine is spoken to in the clear", where=f"{place}.tls", fix="use tls"
        )
    if account.kind == "web":
        target = Path(account.save_as)
        if target.is_absolute() or ".." in target.parts or len(target.parts) < 2 or target.parts[0] not in _SAVED_IN:
            raise ConfigError(
                f"{account.save_as!r} is no file of the workspace",
                where=f"{place}.save_as",
                fix=f"a path below {', '.join(_SAVED_IN)}, such as documents/prices.html",
            )
    if account.user and not account.password:
        raise ConfigError("is needed with a user", where=f"{place}.password", fix="write env:NAME or file:PATH")
    if account.password and not account.password.startswith(("env:", "file:")):
        raise ConfigError(
            "must say where the password is, not what it is",
            where=f"{place}.password",
            fix="write env:NAME or file:PATH, and change the password that stood here",
        )


def password(name: str, account: Account) -> str:
    """The password, from the environment or a file that only its owner may read. Raises CredentialError."""
    place = f"connect.accounts.{name}.password"
    source, _, at = account.password.partition(":")
    if not account.password:
        return ""
    if source == "env":
        value = os.environ.get(at, "")
        if not value:
            raise CredentialError(f"the variable {at} is not set", where=place, fix=f"export {at}=…")
        return value
    path = Path(at).expanduser()
    if not path.is_absolute():
        raise CredentialError(f"{at} is not an absolute path", where=place, fix="begin it with / or ~")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialError(f"{path} cannot be read: {error.strerror}", where=place) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid not in (os.getuid(), 0):
            raise CredentialError(f"others may read {path}, or it is no file", where=place, fix=f"chmod 600 {path}")
        data = os.read(descriptor, MAX_SECRET_BYTES)
    finally:
        os.close(descriptor)
    try:
        value = data.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise CredentialError(f"{path} is not text", where=place) from None
    if not value:
        raise CredentialError(f"{path} is empty", where=place)
    return value


def trust(name: str, account: Account) -> ssl.SSLContext:
    """The certificates that the account's server may show: the machine's, and those of ``ca``."""
    context = ssl.create_default_context()
    if account.ca:
        try:
            context.load_verify_locations(Path(account.ca).expanduser())
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{account.ca} holds no certificates: {error}", where=f"connect.accounts.{name}.ca"
            ) from None
    return context


def port(account: Account) -> int:
    """The port of an IMAP or SMTP account."""
    return account.port or PORTS[account.kind, account.tls]


def server(account: Account) -> str:
    """The server's name, as spans and messages show it: never with a user or password."""
    return account.host or urlsplit(account.url).hostname or ""


def place(name: str, account: Account) -> str:
    """An account and its server, as errors say where."""
    return f"{name} ({server(account)})"


def selected(settings: Settings, *kinds: str) -> dict[str, Account]:
    """The accounts of these kinds."""
    return {name: account for name, account in settings.connect.accounts.items() if account.kind in kinds}


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(place: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises when it is none
    except ValueError as error:
        raise ConfigError(f"is no address: {error}", where=place) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no http address", where=place, fix="write https://…")
    if parts.username or parts.password:
        raise ConfigError("must not hold credentials", where=place, fix="use user and password")
    return parts
