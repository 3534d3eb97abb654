"""A page is fetched when it may have changed, and the caching rules of HTTP are kept; against a real HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from pea.connect import Connectors, Synced
from tests.connect.conftest import Office


class Page:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.body, self.etag, self.control, self.status = b"<p>Prices</p>", '"1"', "", 200
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("If-None-Match", ""))
        headers = {"ETag": self.etag, "Cache-Control": self.control}
        if self.asked[-1] == self.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(status=self.status, body=self.body, headers=headers)


@asynccontextmanager
async def serving(page: Page) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/prices", page.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/prices"
    finally:
        await runner.cleanup()


async def sync(office: Office, now: float = 1e9, **more: Any) -> Synced:
    office.accounts["prices"] |= {"kind": "web", "save_as": "documents/prices.html", "retries": 0, **more}
    connectors = Connectors(office.settings(), "web", wall=lambda: now)
    try:
        return (await connectors.sync())[0]
    finally:
        await connectors.aclose()


async def test_validators_and_freshness(office: Office) -> None:
    """Asked with the ETag, not asked while fresh; new contents are an event, the same are none; gone is gone."""
    page = Page()
    async with serving(page) as url:
        office.accounts["prices"] = {"url": url}
        first = await sync(office)
        assert (first.added, first.events) == (1, ("document-update",))
        assert office.files("documents") == {"prices.html": b"<p>Prices</p>"}
        assert (await sync(office)).changes == 0
        assert page.asked == ["", '"1"']
        page.body, page.etag, page.control = b"<p>New</p>", '"2"', "max-age=60"
        assert (await sync(office)).events == ("document-update",)
        assert (await sync(office, 1e9 + 59)).changes == 0
        assert len(page.asked) == 3
        page.etag = '"3"'
        again = await sync(office, 1e9 + 61)
        assert (again.changes, again.events, len(page.asked)) == (0, (), 4)
        (office.workspace / "documents" / "prices.html").unlink()
        await sync(office, 1e9 + 62)  # fresh, but the copy is gone
        assert office.files("documents") == {"prices.html": b"<p>New</p>"}
        page.status, page.etag = 410, '"4"'
        gone = await sync(office, 1e9 + 200)
        assert (gone.removed, gone.events, office.files("documents")) == (1, ("document-update",), {})


async def test_unwell_and_too_large(office: Office) -> None:
    """The last good copy stays, and the reason is told."""
    page = Page()
    async with serving(page) as url:
        office.accounts["prices"] = {"url": url}
        await sync(office)
        page.status, page.etag = 503, '"2"'
        assert (await sync(office)).problem == "the server answers 503 Service Unavailable"
        page.status, page.body = 200, b"x" * 2_000
        assert (await sync(office, max_item="1KiB")).problem == "the answer is larger than 1,024 bytes"
    assert (await sync(office)).problem == "no connection: Connection refused"
    assert office.files("documents") == {"prices.html": b"<p>Prices</p>"}
