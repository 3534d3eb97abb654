"""Logins of the page: a random number in a cookie that stands for a token for some hours."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

PER_TOKEN = 32
MAX_COOKIE = 100


class Sessions:
    """Who is logged in. In memory only: a restart asks everybody to log in again.

    Sessions are kept by the hash of their number, so that reading this memory gives no cookie, and a lookup's time says
    nothing of a number that was guessed. A token has at most `PER_TOKEN`; its oldest ends first.
    """

    def __init__(self, lifetime_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lifetime_s = lifetime_s
        self._clock = clock
        self._of: dict[str, OrderedDict[bytes, float]] = {}
        self._token: dict[bytes, str] = {}

    def __len__(self) -> int:
        return len(self._token)

    def begin(self, token: str) -> str:
        """A new session for a token's id; what the cookie holds."""
        number = secrets.token_urlsafe(32)
        own = self._of.setdefault(token, OrderedDict())
        while len(own) >= PER_TOKEN:
            del self._token[own.popitem(last=False)[0]]
        key = _key(number)
        own[key] = self._clock() + self.lifetime_s
        self._token[key] = token
        return number

    def token(self, number: str) -> str | None:
        """The id of the token that a cookie stands for; None when the session has ended."""
        key = _key(number)
        token = self._token.get(key)
        if token is None:
            return None
        if self._of[token][key] <= self._clock():
            self._drop(key)
            return None
        return token

    def end(self, number: str) -> None:
        """Log out."""
        self._drop(_key(number))

    def prune(self) -> None:
        """Forget sessions whose time is over."""
        now = self._clock()
        for key in [key for own in self._of.values() for key, until in own.items() if until <= now]:
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        token = self._token.pop(key, None)
        if token is not None:
            del self._of[token][key]
            if not self._of[token]:
                del self._of[token]


def _key(number: str) -> bytes:
    return hashlib.sha256(number[:MAX_COOKIE].encode("utf-8", "surrogatepass")).digest()
