"""What the command line shows a service: a token, and certificates where HTTPS asks for them."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pea.errors import ConfigError

MAX_TOKEN_FILE = 4_096


class Credentials(msgspec.Struct, frozen=True):
    """What goes with every request. ``verify`` is what HTTPS is checked with; True: the machine's authorities."""

    headers: dict[str, str]
    verify: ssl.SSLContext | bool = True


def credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """From PEA_TOKEN, else the file PEA_TOKEN_FILE; PEA_CA and PEA_CLIENT_CERT are PEM files.

    Raises ConfigError for a file that cannot be used, and for a token that cannot stand in a header.
    """
    given = os.environ if environ is None else environ
    token, where = given.get("PEA_TOKEN", "").strip(), "PEA_TOKEN"
    if not token and given.get("PEA_TOKEN_FILE"):
        token, where = _read(Path(given["PEA_TOKEN_FILE"]).expanduser()), "PEA_TOKEN_FILE"
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError("is not a token", where=where, fix="a token begins with pea_; pea tokens add prints one")
    verify = _verify(given.get("PEA_CA", ""), given.get("PEA_CLIENT_CERT", ""))
    return Credentials({"Authorization": f"Bearer {token}"} if token else {}, verify)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            others = os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            data = file.read(MAX_TOKEN_FILE)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", where="PEA_TOKEN_FILE") from None
    if others:
        raise ConfigError(f"others may read {path}", where="PEA_TOKEN_FILE", fix=f"chmod 600 {path}")
    return data.decode("ascii", "replace").strip()


def _verify(authorities: str, own: str) -> ssl.SSLContext | bool:
    if not authorities and not own:
        return True
    try:
        context = ssl.create_default_context(cafile=authorities or None)
        if own:
            context.load_cert_chain(own)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"a certificate cannot be used: {reason}", where="PEA_CA or PEA_CLIENT_CERT") from None
    return context
