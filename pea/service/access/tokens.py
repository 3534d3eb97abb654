"""Tokens: how they look, how they are kept (as hashes) and how one is recognised.

A token is ``pea_<id>_<secret>``: the id names it in lists and logs, the secret is 256 bits from the system's random
source. Only the secret's SHA-256 is kept. A slow password hash would add nothing: nobody can try 2²⁵⁶ secrets, and it
would have to be paid with every request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from pea.service.access.scopes import GRANTED, Scope, allows

ID_BYTES, SECRET_BYTES = 6, 32
MAX_TOKENS = 1_000
MAX_NAME = 100

_FORM = re.compile(rf"pea_([0-9a-f]{{{2 * ID_BYTES}}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_NOBODY = "0" * 64


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One token as it is kept. ``per_second`` and ``burst`` replace the settings' for its requests."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created: datetime
    expires: datetime | None = None
    per_second: float | None = None
    burst: int | None = None

    def may(self, wanted: Scope) -> bool:
        """Whether its scopes are enough."""
        return allows(self.scopes, wanted)

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= now


def issue(
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    *,
    lifetime: timedelta | None = None,
    per_second: float | None = None,
    burst: int | None = None,
) -> tuple[Token, str]:
    """A new token and its text, which is known only now. Raises ValueError for a name or scopes that cannot be."""
    wanted = frozenset(scopes)
    held = tuple(scope for scope in GRANTED if scope in wanted)
    if not held:
        raise ValueError("a token needs at least one scope")
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"a token's name has 1 to {MAX_NAME} printable characters")
    number, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    made = Token(
        id=number,
        name=name,
        scopes=held,
        sha256=digest(secret),
        created=now.replace(microsecond=0),
        expires=None if lifetime is None else (now + lifetime).replace(microsecond=0),
        per_second=per_second,
        burst=burst,
    )
    return made, f"pea_{number}_{secret}"


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def recognise(text: str, tokens: Mapping[str, Token]) -> Token | None:
    """The token that this text is, among ``tokens`` by id.

    The time it takes depends on whether the id is known, which is no secret, and on nothing of the secret.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    found = tokens.get(match[1])
    same = hmac.compare_digest(digest(match[2]), _NOBODY if found is None else found.sha256)
    return found if same else None
