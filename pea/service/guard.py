"""Keeps other web sites' pages out: whom the service answers, and the headers that tell browsers what not to do.

A page of another site cannot read answers (no CORS), cannot submit tasks (a POST must be application/json, for which a
browser asks first and is refused), and cannot reach the service under a name of its own (DNS rebinding): the Host
header must name this machine.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from aiohttp import web
from multidict import istr

from pea.errors import ConfigError
from pea.service.refusals import Misdirected

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


_HEADERS = tuple((istr(name), value) for name, value in HEADERS.items())  # istr: looked up without folding case again


def require_loopback(host: str) -> None:
    """Raise ConfigError unless ``host`` is this machine alone.

    On any other address everyone who can reach it could submit tasks and read answers; that takes tokens.
    """
    if host == "localhost" or (_is_address(host) and ip_address(host).is_loopback):
        return
    raise ConfigError(
        f"{host or 'every address'!r} can be reached from other machines, and this version has no access tokens",
        where="service.host",
        fix="use 127.0.0.1, ::1 or localhost, and reach it from elsewhere through an SSH tunnel",
    )


def known_hosts(host: str) -> frozenset[str]:
    """The names under which a service on ``host`` may be addressed, as they stand in a Host header, without port."""
    own = f"[{host}]" if ":" in host else host
    return frozenset({"localhost", "127.0.0.1", "[::1]", own.lower()})


def check_host(request: web.Request, known: frozenset[str]) -> None:
    """Raise Misdirected when the Host header names another host."""
    given = request.headers.get("Host")
    if given is None:
        return  # HTTP/1.0, which no browser speaks; in HTTP/1.1 the parser insists on it
    if _name(given) not in known:
        raise Misdirected(f"this is not {given!a}", where="Host", fix=f"use {', '.join(sorted(known))}")


@lru_cache(maxsize=64)
def _name(host: str) -> str:
    """A Host header's value without the port, which a tunnel may have changed."""
    return (host if host.endswith("]") else host.rpartition(":")[0] or host).lower()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` signal: every answer carries `HEADERS`, but for those it has set itself."""
    del request
    headers = response.headers
    for name, value in _HEADERS:
        headers.setdefault(name, value)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
