"""WebDAV (RFC 4918) over one pooled HTTP session: requests with XML bodies, and the answers taken apart."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urljoin, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
import msgspec

from pea.config.connectors import Account
from pea.connect import accounts
from pea.connect.exchange import exchange, moved, reason
from pea.connect.failures import Refused, Unreachable, insecure, wrong_credentials

MAX_BODY_BYTES = 128 << 20
CONNECTIONS, IDLE_S = 6, 30.0
PATIENCE = frozenset((408, 425, 429, 500, 502, 503, 504))
DAV, CAL, CS = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{http://calendarserver.org/ns/}"


class Answer(msgspec.Struct, frozen=True):
    """What the server said: ``url`` is where, after redirections."""

    status: int
    etag: str
    url: str
    body: bytes
    headers: Mapping[str, str]


class Found(msgspec.Struct, frozen=True):
    """One resource of a multistatus answer: its address, its own status (0: see the properties), its properties."""

    href: str
    status: int
    properties: dict[str, ET.Element]

    def text(self, name: str) -> str:
        """A property's text, empty if there is none."""
        element = self.properties.get(name)
        return "" if element is None or element.text is None else element.text.strip()

    def link(self, name: str) -> str:
        """The address that a property holds, empty if there is none."""
        element = self.properties.get(name)
        return "" if element is None else (element.findtext(f"{DAV}href") or "").strip()


class Http:
    """One account's pooled connections; opened at the first request. `aclose` it at the end."""

    def __init__(self, name: str, account: Account) -> None:
        accounts.check(name, account)
        self.name, self.account = name, account
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        limit: int = MAX_BODY_BYTES,
    ) -> Answer:
        """One request and its whole answer, whatever its status.

        Raises Unreachable when there is none, or the server is unwell after all attempts; Refused when the credentials
        are not accepted or the answer is larger than ``limit``.
        """
        return await exchange(
            self.name, self.account, method, lambda: self._once(method, url, body, headers or {}, limit)
        )

    async def _once(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], limit: int, *, kept: bool = True
    ) -> Answer:
        place = accounts.place(self.name, self.account)
        try:
            async with self._opened().request(
                method, url, data=body or None, headers=dict(headers), max_redirects=5
            ) as response:
                data = await _body(response, limit, place)
                moved(len(body) + len(data))
                if response.status in PATIENCE:
                    raise Unreachable(f"the server answers {response.status} {response.reason}", where=place)
                if response.status in (401, 407):
                    raise wrong_credentials(self.name, place)
                return Answer(
                    response.status, response.headers.get("ETag", ""), str(response.url), data, response.headers
                )
        except aiohttp.TooManyRedirects as error:
            raise Refused("the server redirects without end", where=place) from error
        except (aiohttp.ClientError, OSError) as error:
            refused = insecure(self.name, place, error)
            if refused is not None:
                raise refused from error
            if isinstance(error, aiohttp.ClientConnectorError):
                raise Unreachable(f"no connection: {reason(error.os_error)}", where=place) from error
            if kept and isinstance(error, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError):
                # A kept connection had died: of no account. All that is written is written under a condition.
                return await self._once(method, url, body, headers, limit, kept=False)
            raise Unreachable(str(error) or type(error).__name__, where=place) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            account = self.account
            secret = accounts.password(self.name, account)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=accounts.trust(self.name, account), limit=CONNECTIONS, keepalive_timeout=IDLE_S
                ),
                headers={"User-Agent": "PEA", **_authorization(account.user, secret)},  # not followed to other servers
                timeout=aiohttp.ClientTimeout(total=None, connect=float(account.timeout)),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _authorization(user: str, secret: str) -> dict[str, str]:
    """Basic authentication (RFC 7617), in UTF-8."""
    return {"Authorization": f"Basic {b64encode(f'{user}:{secret}'.encode()).decode()}"} if user else {}


async def _body(response: aiohttp.ClientResponse, limit: int, place: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > limit:
            raise Refused(f"the answer is larger than {limit:,} bytes", where=place)
    return bytes(data)


def multistatus(answer: Answer, place: str) -> tuple[list[Found], str]:
    """The resources of a 207 answer on the same server, and the sync token if it has one. Raises Refused."""
    if answer.status != 207:
        raise Refused(f"the server answers {answer.status} where 207 is due", where=place, fix="check the url")
    root = xml(answer.body, place)
    return list(_found(root, answer.url)), (root.findtext(f"{DAV}sync-token") or "").strip()


def xml(data: bytes, place: str) -> ET.Element:
    """An XML document without a document type, so that no entity can grow. Raises Refused."""
    if b"<!DOCTYPE" in data.replace(b"\0", b""):
        raise Refused("the answer has a document type", where=place)
    try:
        return ET.fromstring(data)  # noqa: S314 - there is no document type, so there are no entities
    except ET.ParseError as error:
        raise Refused(f"the answer is not XML: {error}", where=place) from error


def _found(root: ET.Element, base: str) -> Iterator[Found]:
    for response in root.iterfind(f"{DAV}response"):
        href = same_server(base, response.findtext(f"{DAV}href") or "")
        if not href:
            continue
        properties = {
            element.tag: element
            for one in response.iterfind(f"{DAV}propstat")
            if _status(one.findtext(f"{DAV}status") or "") == 200
            for element in one.iterfind(f"{DAV}prop/*")
        }
        yield Found(href, _status(response.findtext(f"{DAV}status") or ""), properties)


def _status(line: str) -> int:
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 0


def same_server(base: str, href: str) -> str:
    """The full address of ``href``; empty when it leads to another server, which is never followed."""
    try:
        url = urljoin(base, href.strip())
        ours, theirs = urlsplit(base), urlsplit(url)
        if (ours.scheme, ours.hostname, ours.port) != (theirs.scheme, theirs.hostname, theirs.port):
            return ""
    except ValueError:
        return ""
    # One spelling for one resource: servers escape as they like.
    path = "/".join(quote(unquote(part), safe=":@!$&()*+,;=~-._") for part in theirs.path.split("/"))
    return f"{theirs.scheme}://{theirs.netloc}{path}"
