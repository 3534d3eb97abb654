"""Writing to a calendar server so that repeating it does nothing: conditional on the ETag, marked with the approval."""

from __future__ import annotations

import asyncio
from datetime import datetime, tzinfo
from pathlib import Path

import msgspec

from pea.config.connectors import Account
from pea.connect import caldav
from pea.connect.dav import Http
from pea.connect.events import MARK, Times, moved, parse
from pea.connect.failures import Changed, Refused
from pea.connect.mirror import Mirror
from pea.errors import InputError

_SHOWN = 5


class Stored(msgspec.Struct, frozen=True):
    """An event as it stands on the server now."""

    href: str
    etag: str
    data: bytes


def search(mirror: Mirror, wanted: str) -> str:
    """The address of the one fetched event of this UID or with this in its title; InputError if it is not just one."""
    needle = " ".join(wanted.casefold().split())
    by_title: dict[str, str] = {}
    for known in mirror.recall(caldav.Memory).calendars.values():
        for href, item in known.items.items():
            path = Path(item.file)
            data = mirror.read(item.file) if mirror.intact(item.file, item.size) else b""
            if f"\r\nUID:{wanted}\r\n".encode() in data.replace(b"\r\n ", b""):
                return href
            if needle in data.decode("utf-8", "replace").replace("\r\n ", "").replace("\\", "").casefold():
                titles = [str(event.get("SUMMARY", "")) for event in parse(data).walk("VEVENT")]
                if any(needle in " ".join(title.casefold().split()) for title in titles):
                    by_title[href] = f"{titles[0]} ({path.parent})"
    if len(by_title) == 1:
        return next(iter(by_title))
    if not by_title:
        raise InputError(f"no event on the server is called {wanted!r}", where="event", fix="pea sync, or give its UID")
    some = "; ".join(list(by_title.values())[:_SHOWN])
    raise InputError(f"{len(by_title)} events fit {wanted!r}", where="event", fix=f"give the UID of one: {some}")


async def stored(http: Http, href: str) -> Stored:
    """The event at an address, as it is now. Raises Refused when it is gone or cannot be changed safely."""
    answer = await http.request("GET", href, headers={"Accept": "text/calendar"})
    if answer.status != 200:
        raise Refused(f"the event cannot be read: the server answers {answer.status}", where=http.name, fix="pea sync")
    if not answer.etag or answer.etag.startswith("W/"):
        raise Refused("the server gives no strong ETag, so nothing can be changed safely", where=http.name)
    return Stored(href, answer.etag, answer.body)


async def move(
    http: Http,
    href: str,
    etag: str,
    times: Times,
    *,
    key: str,
    at: datetime | None,
    stamp: datetime,
    zone: tzinfo,
) -> bool:
    """Move an event of version ``etag``, or its occurrence that begins ``at``; raises and returns as `put` does."""
    now = await stored(http, href)
    if _marked(now.data, key):
        return True
    if now.etag != etag:
        raise _changed(http)
    data = await asyncio.to_thread(moved, now.data, at, times, key=key, stamp=stamp, zone=zone)
    return await put(http, href, data, key=key, etag=etag)


async def put(http: Http, href: str, data: bytes, *, key: str, etag: str | None) -> bool:
    """Write an event over the version ``etag``, or as a new one; whether it had been written before, by this approval.

    Raises Changed when it is another version by now, Refused, and what `Http.request` does.
    """
    condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
    answer = await http.request("PUT", href, data, {"Content-Type": "text/calendar; charset=utf-8", **condition})
    if answer.status in (200, 201, 204):
        return False
    if answer.status in (409, 412):
        now = await http.request("GET", href, headers={"Accept": "text/calendar"})
        if now.status == 200 and _marked(now.body, key):
            return True
        raise _changed(http)
    raise Refused(f"the server does not take the event: {answer.status}", where=http.name, fix="may you write there?")


async def calendar_for(http: Http, account: Account, name: str) -> caldav.Remote:
    """The calendar to write into: the one of this name, or the only or first one. Raises InputError."""
    every = await caldav.calendars(http, account)
    for one in every:
        if one.name == name or not name:
            return one
    names = ", ".join(repr(one.name) for one in every)
    raise InputError(f"there is no calendar {name!r}", where="calendar", fix=f"there are {names or 'none'}")


def _marked(data: bytes, key: str) -> bool:
    return f"{MARK}:{key}".encode() in data


def _changed(http: Http) -> Changed:
    return Changed(
        "the event was changed after this was asked for", where=http.name, fix="ask for it again, and approve anew"
    )
