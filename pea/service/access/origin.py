"""Whether a browser sends a request for one of this service's own pages, or for a page of another site.

Browsers say so themselves: by Sec-Fetch-Site (Fetch Metadata, W3C) and by Origin (RFC 6454), which pages cannot forge.
Programs that are not browsers send neither, and carry no cookies that somebody else could use.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from pea.service.refusals import CrossOrigin

_OWN = frozenset({"same-origin", "none"})  # none: typed into the address bar
_PORTS = {"http": ":80", "https": ":443"}


def check_origin(request: web.Request) -> None:
    """Raise CrossOrigin when a browser says that another site's page sends this request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in _OWN:
        raise _refused(f"a page of another origin ({site!a}) sends this")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and not _same(origin, request.headers.get(hdrs.HOST, "")):
        raise _refused(f"a page of {origin[:200]!a} sends this")


def require_same_origin(request: web.Request) -> None:
    """Raise CrossOrigin unless the browser says that one of this service's own pages sends this request."""
    check_origin(request)
    if hdrs.ORIGIN not in request.headers and "Sec-Fetch-Site" not in request.headers:
        raise _refused("a login's cookie came, and nothing says which page sends this")


def _same(origin: str, host: str) -> bool:
    """Whether an origin is the host that was addressed. The scheme may differ: TLS can end at a proxy before PEA."""
    try:
        parts = urlsplit(origin)
        default = _PORTS[parts.scheme]
    except (KeyError, ValueError):  # "null", or not an origin at all
        return False
    return bool(parts.netloc) and parts.netloc.lower().removesuffix(default) == host.lower().removesuffix(default)


def _refused(what: str) -> CrossOrigin:
    return CrossOrigin(what, where="Origin", fix="send it from PEA's own page, or from a program with a token")
