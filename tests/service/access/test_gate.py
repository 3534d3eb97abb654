"""Tokens are taken up and revoked without a restart; rates, logins and other sites' pages are kept within bounds."""

import asyncio
import contextlib
from datetime import timedelta

import aiohttp
import pytest

from pea.config import AccessSettings
from pea.errors import ConfigError, Overloaded
from pea.service.access import book
from pea.service.access.book import Book
from pea.service.access.rates import MAX_BUCKETS, Rates
from pea.service.access.scopes import Scope
from pea.service.access.sessions import PER_TOKEN, Sessions
from pea.service.access.state import GATE
from pea.service.access.tokens import issue
from tests.service.access.conftest import NOW, read_again


async def _status(site, keys, name, path="/v1/agents", method="GET", **headers):
    shown = {} if name is None else keys.show(name)
    async with site.client.request(method, path, headers={**shown, **headers}) as response:
        await response.read()
        return response.status


async def test_loopback_without_a_file_is_open_and_locks_with_the_first_token(serve, agents, keys, tmp_path):
    """On this machine nothing is needed until somebody adds a token; from then on everybody needs one."""
    path = tmp_path / "later.json"
    async with serve(agents["echo"](), access__tokens=str(path)) as site:
        site.gate = site.service.app[GATE]
        assert await _status(site, keys, None) == 200
        keys.path.rename(path)
        read_again(site)
        assert await _status(site, keys, None) == 401
        assert await _status(site, keys, "read") == 200


async def test_tokens_come_and_go_without_a_restart(locked, keys):
    """A token works as soon as it is in the file, and no longer than it is."""
    keys.add("new", [Scope.READ])
    assert await _status(locked, keys, "new") == 401
    read_again(locked)
    assert await _status(locked, keys, "new") == 200
    keys.revoke("new")
    read_again(locked)
    assert await _status(locked, keys, "new") == 401
    assert await _status(locked, keys, "read") == 200


async def test_a_file_that_is_gone_opens_nothing(locked, keys):
    """Deleting the file leaves everybody outside: it never means that no token is needed."""
    keys.path.unlink()
    read_again(locked)
    assert await _status(locked, keys, "admin") == 401
    assert await _status(locked, keys, None, "/healthz") == 200


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o666), lambda path: path.write_text("{")])
async def test_a_file_that_cannot_be_trusted_changes_nothing(locked, keys, spoil):
    """A file that is broken, or that others may write, is told of and not read: what was read before counts."""
    spoil(keys.path)
    read_again(locked)
    assert await _status(locked, keys, "read") == 200


async def test_a_file_whose_mode_is_mended_is_read(locked, keys, caplog):
    """What the message asks for is enough; until then it is told once, and a revoked token is still good."""
    keys.revoke("read")
    keys.path.chmod(0o640)
    read_again(locked)
    read_again(locked)
    assert await _status(locked, keys, "read") == 200
    assert caplog.text.count("the tokens file is not used") == 1
    keys.path.chmod(0o600)
    read_again(locked)
    assert await _status(locked, keys, "read") == 401


async def test_a_file_that_cannot_be_read_for_a_moment_is_read_later(locked, keys, monkeypatch):
    """No descriptor was free, say: the file is the same at the next look, and has not been read."""
    keys.revoke("read")
    with monkeypatch.context() as patched:
        patched.setattr(book, "read_tokens", _no_descriptor)
        read_again(locked)
    assert await _status(locked, keys, "read") == 200
    read_again(locked)
    assert await _status(locked, keys, "read") == 401


def _no_descriptor(path):
    raise ConfigError("cannot be read: Too many open files", where=str(path))


async def test_a_service_does_not_start_on_a_file_it_cannot_trust(serve, agents, keys):
    """At the start there is nothing that was read before, so it is an error."""
    keys.path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may"):
        async with serve(agents["echo"](), access__tokens=str(keys.path)):
            pass


async def test_other_addresses_work_with_tokens(serve, agents, keys):
    """With a token the service may listen everywhere; without one in the request nothing is told."""
    async with serve(agents["echo"](), access__tokens=str(keys.path), service__host="0.0.0.0") as site:
        site.client._base_url = site.client._base_url.with_host("127.0.0.1")
        assert await _status(site, keys, None) == 401
        assert await _status(site, keys, "read") == 200


def test_only_expired_tokens_are_none(tmp_path, keys):
    """A reachable service needs a token that still works, not just any."""
    for name in ("read", "submit", "ingest", "admin"):
        keys.revoke(name)
    keys.add("old", [Scope.ADMIN], lifetime=timedelta(days=1))
    Book(keys.path, required=True, now=lambda: NOW).open()
    with pytest.raises(ConfigError, match="no access tokens"):
        Book(keys.path, required=True, now=lambda: NOW + timedelta(days=1)).open()


def test_a_token_expires_while_the_service_runs(keys):
    """Its last second is its last, with nothing read again."""
    now = [NOW]
    token = keys.add("brief", [Scope.READ], lifetime=timedelta(minutes=1))
    book = Book(keys.path, required=False, now=lambda: now[0])
    book.open()
    assert book.recognise(keys.text["brief"]) == token
    now[0] += timedelta(minutes=1)
    assert book.recognise(keys.text["brief"]) is None
    assert book.get(token.id) is None


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer pea_", "Bearer pea_000000000000_" + "A" * 43, "bearer\tx", "é"],
)
async def test_wrong_headers_are_refused(locked, header):
    """Whatever stands in Authorization, short of a token, it is a 401 that says how to do it."""
    response, problem = await locked.send("GET", "/v1/agents", headers={"Authorization": header})
    assert response.status == 401
    assert "Bearer" in problem["fix"]


async def test_two_authorizations_are_one_too_many(locked, keys):
    """Of two headers a proxy might read the other one: both are refused."""
    shown = keys.show("read")["Authorization"]
    answer = await locked.raw(
        f"GET /v1/agents HTTP/1.0\r\nAuthorization: {shown}\r\nAuthorization: {shown}\r\n\r\n".encode()
    )
    assert answer.split()[1] in (b"400", b"401")


async def test_a_token_in_the_address_is_none(locked, keys):
    """Addresses end up in histories and logs, so a token there is not looked at."""
    text = keys.text["admin"]
    for query in (f"?access_token={text}", f"?token={text}"):
        assert await _status(locked, keys, None, f"/metrics{query}") == 401


def test_rates_are_per_token():
    """A token's bucket empties with its requests, fills with time, and is no other token's."""
    now = [0.0]
    rates = Rates(AccessSettings(per_second=10, burst=2), clock=lambda: now[0])
    one, _ = issue("one", [Scope.READ], NOW)
    two, _ = issue("two", [Scope.READ], NOW, per_second=1.0, burst=1)
    rates.take(one)
    rates.take(one)
    with pytest.raises(Overloaded) as raised:
        rates.take(one)
    assert 0 < raised.value.retry_after_s <= 0.1
    rates.take(two)
    now[0] += 0.1
    rates.take(one)
    with pytest.raises(Overloaded):
        rates.take(two)


def test_buckets_are_bounded():
    """Any number of addresses takes no more than so much memory."""
    rates = Rates(AccessSettings(), clock=lambda: 0.0)
    for number in range(MAX_BUCKETS + 100):
        rates.fail(f"10.0.{number // 256}.{number % 256}")
    assert len(rates._buckets) == MAX_BUCKETS


async def test_too_many_requests_are_told_when_to_come_back(serve, agents, keys):
    """Past its rate a token gets 429 with Retry-After."""
    keys.add("slow", [Scope.READ], per_second=0.001, burst=1)
    async with serve(agents["echo"](), access__tokens=str(keys.path)) as site:
        assert await _status(site, keys, "slow") == 200
        response, problem = await site.send("GET", "/v1/agents", headers=keys.show("slow"))
        assert response.status == 429
        assert int(response.headers["Retry-After"]) > 100
        assert problem["type"] == "/problems/overloaded"
        assert await _status(site, keys, "read") == 200


async def test_trying_tokens_is_slowed_down(locked, keys):
    """After a score of wrong tokens an address is told to wait; its right token still works."""
    found = [await _status(locked, keys, None, Authorization=f"Bearer wrong{n}") for n in range(25)]
    assert found[:20] == [401] * 20
    assert found[24] == 429
    assert await _status(locked, keys, "read") == 200


def test_sessions_end():
    """A login lasts so long, ends when asked to, and a token has only so many."""
    now = [0.0]
    sessions = Sessions(100.0, clock=lambda: now[0])
    first = sessions.begin("a")
    assert sessions.token(first) == "a"
    sessions.end(first)
    assert sessions.token(first) is None
    kept = [sessions.begin("a") for _ in range(PER_TOKEN + 1)]
    assert sessions.token(kept[0]) is None
    assert sessions.token(kept[1]) == "a"
    assert len(sessions) == PER_TOKEN
    now[0] = 100.0
    assert sessions.token(kept[1]) is None
    sessions.prune()
    assert len(sessions) == 0
    assert sessions.token("\ud800" * 1_000) is None


async def _login(site, keys, name="admin"):
    response, session = await site.send("POST", "/v1/session", json={"token": keys.text[name]})
    assert response.status == 200, session
    return response.headers["Set-Cookie"], session


def _cookie(set_cookie):
    return {"Cookie": set_cookie.partition(";")[0]}


async def test_the_page_logs_in_and_out(locked, keys):
    """A token becomes a cookie that no script reads and no other site uses; logging out makes it worthless."""
    cookie, session = await _login(locked, keys, "read")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert keys.text["read"] not in cookie
    assert session == {"locked": True, "name": "read", "scopes": ["read"]}
    shown = _cookie(cookie)
    assert await _status(locked, keys, None, **shown) == 200
    assert await _status(locked, keys, None, "/v1/session", "DELETE", Origin=locked.service.url, **shown) == 200
    assert await _status(locked, keys, None, **shown) == 401


async def test_a_login_does_not_outlive_its_token(locked, keys):
    """Revoking the token ends the login."""
    cookie, _ = await _login(locked, keys, "read")
    assert await _status(locked, keys, None, **_cookie(cookie)) == 200
    keys.revoke("read")
    read_again(locked)
    assert await _status(locked, keys, None, **_cookie(cookie)) == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "{own}"}, 200),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "{own}", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
    ],
)
async def test_a_cookie_changes_nothing_for_another_site(locked, keys, headers, status):
    """With a login's cookie a change is made only for PEA's own page, as the browser says itself."""
    cookie, _ = await _login(locked, keys)
    headers = _cookie(cookie) | {name: value.format(own=locked.service.url) for name, value in headers.items()}
    response, _ = await locked.send("POST", "/v1/caches/invalidate", json={"pattern": "x:*"}, headers=headers)
    assert response.status == status


async def test_a_wrong_login_says_so(locked, keys):
    """No cookie for what is no token, and a scope that does not reach is told after the login too."""
    response, _ = await locked.send("POST", "/v1/session", json={"token": "pea_nope"})
    assert response.status == 401
    assert "Set-Cookie" not in response.headers
    cookie, _ = await _login(locked, keys, "read")
    own = {"Origin": locked.service.url, **_cookie(cookie)}
    response, _ = await locked.send("POST", "/v1/tasks", json={"capability": "echo.nothing"}, headers=own)
    assert response.status == 403


async def test_an_open_service_needs_no_login(site):
    """Without tokens the page is told that there is nothing to log in to."""
    response, session = await site.send("POST", "/v1/session", json={"token": "anything"})
    assert response.status == 200
    assert session == {"locked": False, "name": "local", "scopes": ["read", "submit", "ingest", "admin"]}
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/tasks/{id}/events"])
async def test_a_stream_ends_with_its_token(locked, keys, path):
    """Who is revoked is cut off also from what was opened before."""
    response, task = await locked.send(
        "POST", "/v1/tasks", json={"capability": "gate.hold"}, headers=keys.show("submit")
    )
    assert response.status == 202
    async with locked.client.get(path.format(id=task["id"]), headers=keys.show("read")) as stream:
        await stream.content.readline()
        keys.revoke("read")
        read_again(locked)
        locked.gate.end_streams()
        with contextlib.suppress(aiohttp.ClientError):  # cut off in the middle, or at the end of a chunk
            async with asyncio.timeout(10):
                while await stream.content.readline():
                    pass
    locked.service.runtime.directory.agent("gate").open.set()
    assert locked.gate._streams == {}


async def test_probes_keep_reasons_from_strangers(serve, agents, keys):
    """Whether PEA is ready is for everybody; why an agent is not may name files, so it is for who may read."""
    async with serve(agents["echo"](), agents["broken"](), access__tokens=str(keys.path)) as site:
        _, told = await site.send("GET", "/readyz", headers=keys.show("read"))
        _, untold = await site.send("GET", "/readyz")
        assert "disk" in told["unavailable"]["broken"]
        assert untold["unavailable"] == {"broken": "failed"}
