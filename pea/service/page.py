"""The pages: a few static files, read once, that may load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePath

from aiohttp import web

from pea.service.access.scopes import Scope
from pea.service.operation import Answer, Operation

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

_PAGES = {"/": "index.html", "/login": "login.html", "/traces": "traces.html", "/traces/{trace_id}": "trace.html"}
_MEDIA = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _serve(path: str, name: str, media: str) -> Operation:
    body = files("pea.service").joinpath("page", name).read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {
        "Content-Type": f"{media}; charset=utf-8",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",  # ask each time; the answer is mostly 304
        "ETag": tag,
    }

    async def send(request: web.Request) -> web.Response:
        known = request.headers.get("If-None-Match", "")
        if tag in known or known == "*":
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    return Operation(
        method="GET",
        path=path,
        handler=send,
        name=f"page.{name}",
        tag="page",
        scope=Scope.PUBLIC,
        summary="The live pages",
        answers={200: Answer("The file.", media=media)},
        traced=False,
        media=None,
    )


def page_routes() -> tuple[Operation, ...]:
    """The routes of the pages and of the files that they load."""
    folder = sorted(entry.name for entry in files("pea.service").joinpath("page").iterdir())
    loaded = [name for name in folder if not name.endswith(".html") and PurePath(name).suffix in _MEDIA]
    routes = _PAGES | {f"/page/{name}": name for name in loaded}
    return tuple(_serve(path, name, _MEDIA[PurePath(name).suffix]) for path, name in routes.items())
