"""The page: its own files only, under a policy that lets nothing else in."""

import re

import pytest

PAGES = ("/", "/login", "/traces", f"/traces/{1:032x}")


async def test_the_page_and_what_it_loads(site):
    """Every file that a page names is served by the service, with the type a browser insists on."""
    seen, todo, types = set(), list(PAGES), {}
    while todo:
        path = todo.pop()
        response, _ = await site.send("GET", path)
        assert response.status == 200, path
        types[path] = response.content_type
        text = await response.text()
        seen.add(path)
        todo += set(re.findall(r'["\'](/page/[^"\']+)["\']', text)) - seen
    assert {types[path] for path in PAGES} == {"text/html"}
    assert {types[path] for path in seen if path.endswith(".js")} == {"text/javascript"}
    assert types["/page/style.css"] == "text/css"
    served = {route.resource.canonical for route in site.service.app.router.routes()}
    assert {path for path in served if path.startswith("/page/")} == seen - set(PAGES)


async def test_nothing_comes_from_elsewhere(site):
    """No file of the page has an address outside, an inline script or an inline style."""
    served = {route.resource.canonical for route in site.service.app.router.routes()}
    for path in {*PAGES, *(path for path in served if path.startswith("/page/"))}:
        async with site.client.get(path) as response:
            text = await response.text()
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=\"|innerHTML|\beval\(", text)


@pytest.mark.parametrize("path", PAGES)
async def test_the_policy_is_strict(site, path):
    """Scripts and styles come from the service itself, nothing may frame the page, and text never becomes markup."""
    response, _ = await site.send("GET", path)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_has_not_changed_is_not_sent_again(site, method):
    """A file's tag, given back, answers 304."""
    first, _ = await site.send(method, "/page/app.js")
    again, _ = await site.send(method, "/page/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status) == (200, 304)
    other, _ = await site.send(method, "/page/app.js", headers={"If-None-Match": '"other"'})
    assert other.status == 200


@pytest.mark.parametrize(
    "path", ["/page/", "/page/../server.py", "/page/%2e%2e/server.py", "/page/app.js/x", "/page/APP.JS"]
)
async def test_only_the_pages_files_are_served(site, path):
    """There is no folder behind the page to walk out of."""
    assert b"404" in (await site.raw(f"GET {path} HTTP/1.0\r\n\r\n".encode()))[:20]
