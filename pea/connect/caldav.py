"""CalDAV (RFC 4791): an account's calendars found, and fetched as far as they changed (RFC 6578, else by ETags)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urljoin
from xml.sax.saxutils import escape

import msgspec

from pea.config.connectors import Account
from pea.connect.dav import CAL, CS, DAV, Found, Http, multistatus, same_server
from pea.connect.failures import Refused
from pea.connect.mirror import Mirror, digest, folder_name
from pea.connect.synced import Tally
from pea.errors import did_you_mean

MULTIGET = 100  # events in one request
ROUNDS = 1_000  # of a sync that the server cuts in pieces
FILE = re.compile(r"[0-9a-f]{32}\.ics")
_XML = {"Content-Type": "application/xml; charset=utf-8"}
_SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
_ABOUT = (
    "<current-user-principal/><resourcetype/><displayname/><sync-token/><S:getctag/>"
    "<C:supported-calendar-component-set/><current-user-privilege-set/>"
)


class Item(msgspec.Struct, frozen=True):
    """An event as it was fetched: its ETag, its file and that file's size."""

    etag: str
    file: str
    size: int


class Known(msgspec.Struct):
    """What is known of one calendar."""

    name: str = ""
    token: str = ""
    ctag: str = ""
    items: dict[str, Item] = {}


class Memory(msgspec.Struct):
    """What is known of an account, by the calendars' addresses."""

    calendars: dict[str, Known] = {}


class Remote(msgspec.Struct, frozen=True):
    """A calendar on the server. ``token`` and ``ctag`` change with its contents; either may be missing."""

    href: str
    name: str
    token: str
    ctag: str


async def calendars(http: Http, account: Account) -> list[Remote]:
    """The account's calendars for events, those that the settings name. Raises as `Http.request`, and Refused."""
    found = await _propfind(http, account.url, 0, _ABOUT)
    if not found and not account.url.endswith("/.well-known/caldav"):
        found = await _propfind(http, urljoin(account.url, "/.well-known/caldav"), 0, _ABOUT)
    here = next((one for one in found if _is_calendar(one)), None)
    if here is not None:
        return [_remote(here)]
    home = await _home(http, account, found)
    every = [_remote(one) for one in await _propfind(http, home, 1, _ABOUT) if _is_calendar(one)]
    if not account.calendars:
        return every
    names = {one.name for one in every}
    for wanted in account.calendars:
        if wanted not in names:
            place = f"connect.accounts.{http.name}.calendars"
            raise Refused(f"the server has no calendar {wanted!r}", where=place, fix=did_you_mean(wanted, names))
    return [one for one in every if one.name in account.calendars]


async def sync(http: Http, account: Account, mirror: Mirror, memory: Memory) -> Tally:
    """Make the folder like the server; ``memory`` is changed to match, and remembered after each calendar."""
    tally = Tally()
    remotes = await calendars(http, account)
    for href in [href for href in memory.calendars if href not in {one.href for one in remotes}]:
        gone = memory.calendars.pop(href)
        for item in gone.items.values():
            mirror.remove(item.file)
        tally.removed += len(gone.items)
    for remote in remotes:
        known = memory.calendars.setdefault(remote.href, Known())
        await _calendar(http, account, mirror, remote, known, tally)
        mirror.remember(memory)
    files = {item.file for known in memory.calendars.values() for item in known.items.values()}
    for stray in list(mirror.strays(files, FILE)):
        mirror.remove(stray)
    mirror.remember(memory)
    return tally


async def _calendar(http: Http, account: Account, mirror: Mirror, remote: Remote, known: Known, tally: Tally) -> None:
    if known.name != remote.name:  # the name is part of the files
        known.token = known.ctag = ""
        for item in known.items.values():
            mirror.remove(item.file)
        known.items = {href: Item("", item.file, -1) for href, item in known.items.items()}
        known.name = remote.name
    hurt = {href for href, item in known.items.items() if not mirror.intact(item.file, item.size)}
    if not hurt and _unchanged(remote, known):
        return
    wanted, gone, token = await _changes(http, remote, known)
    wanted |= hurt - gone
    for href in gone & known.items.keys():
        mirror.remove(known.items.pop(href).file)
        tally.removed += 1
    missing = await _fetch(http, account, mirror, remote, sorted(wanted), known, tally)
    # Should something be missing now, it is asked for again: the calendar does not count as up to date.
    known.token, known.ctag = ("", "") if missing else (token, remote.ctag)


def _unchanged(remote: Remote, known: Known) -> bool:
    if remote.token and known.token:
        return remote.token == known.token
    return bool(remote.ctag) and remote.ctag == known.ctag


async def _changes(http: Http, remote: Remote, known: Known) -> tuple[set[str], set[str], str]:
    """Which events have to be fetched, which are gone, and the token for the next time."""
    if remote.token:
        told = await _since(http, remote, known.token)
        if told is None and known.token:  # the server has forgotten that token (RFC 6578, section 3.2)
            known.token = ""
            told = await _since(http, remote, "")
        if told is not None:
            etags, gone, token = told
            if not known.token:
                gone = set(known.items) - etags.keys()
            return {href for href, etag in etags.items() if _differs(known, href, etag)}, gone, token
    found = await _propfind(http, remote.href, 1, "<getetag/><resourcetype/>")
    etags = {one.href: one.text(f"{DAV}getetag") for one in found if one.href != remote.href and not _collection(one)}
    return {href for href, etag in etags.items() if _differs(known, href, etag)}, set(known.items) - etags.keys(), ""


def _differs(known: Known, href: str, etag: str) -> bool:
    item = known.items.get(href)
    return item is None or not etag or item.etag != etag


async def _since(http: Http, remote: Remote, token: str) -> tuple[dict[str, str], set[str], str] | None:
    """ETags of what changed since ``token``, what is gone, the next token; None when the token is not accepted."""
    etags: dict[str, str] = {}
    gone: set[str] = set()
    for _ in range(ROUNDS):
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><sync-collection {_SPACES}><sync-token>{escape(token)}</sync-token>'
            "<sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"
        )
        answer = await http.request("REPORT", remote.href, body.encode(), _XML)
        if answer.status in (400, 403, 404, 405, 409, 412, 415, 501):
            return None
        found, following = multistatus(answer, http.name)
        cut = False
        for one in found:
            if one.href.rstrip("/") == remote.href.rstrip("/"):
                cut = cut or one.status == 507
            elif one.status == 404:
                gone.add(one.href)
                etags.pop(one.href, None)
            else:
                etags[one.href] = one.text(f"{DAV}getetag")
                gone.discard(one.href)
        if not cut:
            return etags, gone, following
        if following == token:  # to take the piece for the whole would delete the rest here
            break
        token = following
    raise Refused("the server never comes to an end with its changes", where=http.name)


async def _fetch(
    http: Http,
    account: Account,
    mirror: Mirror,
    remote: Remote,
    hrefs: Sequence[str],
    known: Known,
    tally: Tally,
) -> int:
    """Fetch events into files; how many the server did not give."""
    missing = 0
    for first in range(0, len(hrefs), MULTIGET):
        batch = hrefs[first : first + MULTIGET]
        paths = "".join(f"<href>{escape(_path(href))}</href>" for href in batch)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><C:calendar-multiget {_SPACES}>'
            f"<prop><getetag/><C:calendar-data/></prop>{paths}</C:calendar-multiget>"
        )
        found, _ = multistatus(
            await http.request("REPORT", remote.href, body.encode(), {**_XML, "Depth": "1"}), http.name
        )
        answered = {one.href: one for one in found}
        for href in batch:
            one = answered.get(href)
            text = "" if one is None else one.text(f"{CAL}calendar-data")
            if one is None or not text:
                missing += 1
                continue
            _keep(account, mirror, remote, href, one.text(f"{DAV}getetag"), text, known, tally)
    return missing


def _keep(
    account: Account, mirror: Mirror, remote: Remote, href: str, etag: str, text: str, known: Known, tally: Tally
) -> None:
    data = named(text, remote.name).encode("utf-8", "surrogatepass")
    if len(data) > account.max_item:
        tally.notes.append(f"an event of {remote.name!r} is larger than {int(account.max_item):,} bytes")
        data = named("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//PEA//\nEND:VCALENDAR", remote.name).encode()
    old = known.items.get(href)
    file = old.file if old is not None else f"{folder_name(remote.name)}/{digest(href)}.ics"
    mirror.write(file, data)
    known.items[href] = Item(etag, file, len(data))
    if old is None:
        tally.added += 1
    elif old.etag != etag:
        tally.changed += 1


def named(text: str, name: str) -> str:
    """An event's text with its calendar's name in it, which servers give apart."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    if name and not any(line.upper().startswith("X-WR-CALNAME") for line in lines[:20]):
        plain = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
        lines.insert(1, "X-WR-CALNAME:" + "".join(c for c in plain if c.isprintable())[:200])
    return "\r\n".join(lines) + "\r\n"


async def _home(http: Http, account: Account, found: Sequence[Found]) -> str:
    """Where the user's calendars are (RFC 6764, section 6; RFC 4791, section 6.2.1)."""
    link = next((link for one in found if (link := one.link(f"{DAV}current-user-principal"))), "")
    principal = same_server(account.url, link) if link else account.url
    homes = await _propfind(http, principal, 0, "<C:calendar-home-set/>")
    home = next((link for one in homes if (link := one.link(f"{CAL}calendar-home-set"))), "")
    home = same_server(principal, home) if home else ""
    if not home:
        raise Refused(
            "there are no calendars at this address",
            where=f"connect.accounts.{http.name}.url",
            fix="give the server's CalDAV address, or that of one calendar",
        )
    return home


async def _propfind(http: Http, url: str, depth: int, properties: str) -> list[Found]:
    body = f'<?xml version="1.0" encoding="utf-8"?><propfind {_SPACES}><prop>{properties}</prop></propfind>'
    answer = await http.request("PROPFIND", url, body.encode(), {**_XML, "Depth": str(depth)})
    if answer.status in (403, 404, 405):
        return []
    return multistatus(answer, f"connect.accounts.{http.name}.url")[0]


def _is_calendar(found: Found) -> bool:
    kind = found.properties.get(f"{DAV}resourcetype")
    if kind is None or kind.find(f"{CAL}calendar") is None:
        return False
    kinds = found.properties.get(f"{CAL}supported-calendar-component-set")
    return kinds is None or not len(kinds) or any(one.get("name", "").upper() == "VEVENT" for one in kinds)


def _collection(found: Found) -> bool:
    kind = found.properties.get(f"{DAV}resourcetype")
    return kind is not None and kind.find(f"{DAV}collection") is not None


def _remote(found: Found) -> Remote:
    name = found.text(f"{DAV}displayname") or found.href.rstrip("/").rsplit("/", 1)[-1]
    return Remote(found.href, name[:200], found.text(f"{DAV}sync-token"), found.text(f"{CS}getctag"))


def _path(href: str) -> str:
    return "/" + href.split("//", 1)[1].partition("/")[2]
