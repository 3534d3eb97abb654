"""Lets a request in, or says what it lacks: who asks, by token or by login, and whether that is enough."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import msgspec
from aiohttp import hdrs, web

from pea.config import Settings
from pea.service.access.book import Book
from pea.service.access.origin import require_same_origin
from pea.service.access.rates import Rates
from pea.service.access.scopes import Scope
from pea.service.access.sessions import Sessions
from pea.service.access.token_file import token_path
from pea.service.access.tokens import Token
from pea.service.refusals import Forbidden, Unauthorised
from pea.telemetry import get_logger

COOKIE = "pea_session"
SECURE_COOKIE = "__Host-pea_session"  # browsers take it over HTTPS only, and from no other host's page
SWEEP_S = 2.0
SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})

_LOGIN = "send Authorization: Bearer <token>, as pea tokens add printed it; in a browser open /login"

log = get_logger("pea.service.access")


class Caller(msgspec.Struct, frozen=True):
    """Who asks. ``token`` is None where no token is needed or none was shown."""

    name: str
    token: Token | None = None
    local: bool = False

    def may(self, wanted: Scope) -> bool:
        """Whether the caller may do what takes ``wanted``."""
        return self.local or wanted is Scope.PUBLIC or (self.token is not None and self.token.may(wanted))


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
LOCAL = Caller("local", local=True)  # on loopback without tokens everyone on this machine may do everything
NOBODY = Caller("nobody")


def caller_of(request: web.Request) -> Caller:
    """Who asks, as far as it is known."""
    found: Caller = request.get(CALLER, NOBODY)
    return found


class Gate:
    """The door of one service."""

    def __init__(self, settings: Settings, *, required: bool) -> None:
        path: Path | None = token_path(settings)
        self.book = Book(path, required=required)
        self.sessions = Sessions(float(settings.access.session))
        self.rates = Rates(settings.access)
        self.secure = bool(settings.access.tls.cert)
        self._streams: dict[asyncio.Transport, str] = {}
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def locked(self) -> bool:
        """Whether tokens are asked for."""
        return self.book.locked

    @property
    def cookie(self) -> str:
        """The name of the login's cookie."""
        return SECURE_COOKIE if self.secure else COOKIE

    def open(self) -> None:
        """Read the tokens, and begin to look after them. Raises ConfigError when they cannot be used."""
        self.book.open()
        self._sweeping = asyncio.create_task(self._sweep(), name="pea-access")

    async def close(self) -> None:
        """Stop looking after tokens and streams."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])

    def admit(self, request: web.Request, wanted: Scope) -> Caller:
        """Who asks, if that is enough for ``wanted``; `caller_of` the request from then on.

        Raises Unauthorised without a valid token or login, Forbidden when its scopes do not reach, and Overloaded when
        it asks too often.
        """
        self.book.look()
        if not self.book.locked:
            request[CALLER] = LOCAL
            return LOCAL
        token = self._token(request)
        if token is None:
            if wanted is not Scope.PUBLIC:
                self.fail(request)
            request[CALLER] = NOBODY
            return NOBODY
        caller = request[CALLER] = Caller(token.name, token)  # a refusal's audit record names it too
        self.rates.take(token)
        if not token.may(wanted):
            challenge = f'Bearer realm="pea", error="insufficient_scope", scope="{wanted}"'
            raise Forbidden(
                f"token {token.id} has no scope {str(wanted)!r}",
                where="Authorization",
                fix=f"use a token with it: pea tokens add --scope {wanted}",
                headers={hdrs.WWW_AUTHENTICATE: challenge},
            )
        return caller

    def fail(self, request: web.Request, *, shown: bool = False) -> NoReturn:
        """Refuse a request that has ``shown`` a wrong token, or none. Raises Unauthorised, or Overloaded when often."""
        shown = shown or hdrs.AUTHORIZATION in request.headers or self.cookie in request.cookies
        if shown:
            self.rates.fail(request.remote or "")
        raise Unauthorised(
            "the token or login is not valid, or no longer" if shown else "this takes a token",
            where="Authorization",
            fix=_LOGIN,
            headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="pea"' + (', error="invalid_token"' if shown else "")},
        )

    def follow(self, request: web.Request, caller: Caller) -> asyncio.Transport | None:
        """Have a stream end when the token that opened it does; what `unfollow` takes."""
        transport = request.transport
        if caller.token is None or not isinstance(transport, asyncio.Transport):
            return None
        self._streams[transport] = caller.token.id
        return transport

    def unfollow(self, transport: asyncio.Transport | None) -> None:
        """The stream has ended by itself."""
        if transport is not None:
            self._streams.pop(transport, None)

    def end_streams(self) -> None:
        """Close the streams whose tokens have been revoked or have expired."""
        for transport, number in list(self._streams.items()):
            if self.book.get(number) is None:
                log.info("a stream is closed, its token is no longer valid", token=number)
                transport.abort()
                self.unfollow(transport)

    def _token(self, request: web.Request) -> Token | None:
        shown = request.headers.getall(hdrs.AUTHORIZATION, ())
        if shown:
            scheme, _, text = shown[0].partition(" ")
            fits = len(shown) == 1 and scheme.lower() == "bearer"
            return self.book.recognise(text.strip()) if fits else None
        number = request.cookies.get(self.cookie)
        token = None if number is None else self.sessions.token(number)
        if token is None:
            return None
        if request.method not in SAFE:
            require_same_origin(request)  # browsers add cookies by themselves: the page must be ours
        return self.book.get(token)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.book.look()
            self.sessions.prune()
            self.end_streams()
