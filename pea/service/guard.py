"""Keeps other web sites' pages out: whom the service answers, and the headers that tell browsers what not to do.

A page of another site cannot read answers (no CORS), cannot submit tasks (a POST must be application/json, for which a
browser asks first and is refused), and cannot reach the service under a name of its own (DNS rebinding): the Host
header must name this machine.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec
from aiohttp import web
from multidict import istr

from pea.service.refusals import Misdirected

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "PEA",  # what it is made of, and in which version, is nobody's business
    "X-Content-Type-Options": "nosniff",
}


_SERVER = istr("Server")
_HEADERS = tuple((istr(name), value) for name, value in HEADERS.items())  # istr: looked up without folding case again


class Hosts(msgspec.Struct, frozen=True):
    """The names under which a service may be addressed, as they stand in a Host header, without port."""

    names: frozenset[str]
    addresses: bool  # whether any IP address will do: a name can be pointed at this machine, an address cannot

    def __contains__(self, name: str) -> bool:
        return name in self.names or (self.addresses and _address(name.strip("[]")) is not None)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine alone. On any other address tokens are needed."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def known_hosts(host: str, others: Iterable[str] = ()) -> Hosts:
    """The names of a service that listens on ``host``: its own, this machine's, and ``others`` from the settings."""
    own = f"[{host}]" if ":" in host else host
    names = {"localhost", "127.0.0.1", "[::1]", own.lower(), *(other.lower() for other in others)} - {""}
    if not is_loopback(host):
        names.add(socket.gethostname().lower())
    return Hosts(frozenset(names), addresses=not is_loopback(host))


def check_host(request: web.Request, known: Hosts) -> None:
    """Raise Misdirected when the Host header names another host."""
    given = request.headers.get("Host")
    if given is None:
        return  # HTTP/1.0, which no browser speaks; in HTTP/1.1 the parser insists on it
    if _name(given) in known:
        return
    fix = f"use {', '.join(sorted(known.names))}, or add the name to access.hosts"
    raise Misdirected(f"this is not {given!a}", where="Host", fix=fix)


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
    headers[_SERVER] = HEADERS["Server"]  # aiohttp has put its own there by now


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
