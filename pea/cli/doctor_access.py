"""What ``pea doctor`` says of who may use the service."""

from __future__ import annotations

from datetime import datetime, timedelta

from pea.cli.doctor_finding import Finding
from pea.config import Settings
from pea.errors import ConfigError
from pea.service.access.token_file import read_tokens, stamp, token_path
from pea.service.guard import is_loopback

SOON = timedelta(days=7)
WHAT = "access tokens"
ADD = "pea tokens add --name me --scope admin"


def tokens(settings: Settings, now: datetime) -> Finding:
    """A finding from the tokens file: missing when the service would not start, or would let nobody in."""
    path = token_path(settings)
    try:
        there = path is not None and stamp(path) is not None
        kept = read_tokens(path).values() if path is not None else ()
    except ConfigError as error:
        return Finding(WHAT, "missing", f"{error.where}: {error.what}", error.fix)
    if not there and is_loopback(settings.service.host):
        return Finding(WHAT, "note", "none: whoever is logged in on this machine may use the service", ADD)
    if not there:
        detail = f"none, and {settings.service.host} can be reached from other machines"
        return Finding(WHAT, "missing", detail, f"{ADD}; or listen on 127.0.0.1")
    valid = [token for token in kept if not token.expired(now)]
    if not valid:
        return Finding(WHAT, "missing", f"none of {len(kept)} is valid any more: nobody is let in", ADD)
    detail = f"{len(valid)} valid, {len(kept) - len(valid)} expired"
    ending = [token for token in valid if token.expired(now + SOON)]
    if ending:
        detail += f"; soon to expire: {', '.join(f'{token.name} ({token.id})' for token in ending)}"
        return Finding(WHAT, "note", detail, f"pea tokens rotate {ending[0].id}")
    return Finding(WHAT, "ok", detail)
