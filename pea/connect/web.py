"""A page or file over HTTP, fetched again only when it may have changed (RFC 9111: freshness, ETag, Last-Modified)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from pea.config.connectors import Account
from pea.connect.dav import Http
from pea.connect.failures import Refused
from pea.connect.mirror import Mirror
from pea.connect.synced import Synced

MAX_FRESH_S = 7 * 86_400.0
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_EVENTS = {"calendars": "calendar-update"}


class Memory(msgspec.Struct):
    """What is known of the page: its validators, its size, and until when (Unix seconds) it is fresh."""

    url: str = ""
    etag: str = ""
    modified: str = ""
    size: int = -1
    fresh_until: float = 0.0


async def fetch(http: Http, account: Account, mirror: Mirror, now: float) -> Synced:
    """Fetch the account's page into its file, if it is not fresh. Raises as `Http.request`, and Refused."""
    known = mirror.recall(Memory)
    name = http.name
    if known.url != account.url or not mirror.intact(account.save_as, known.size):
        known = Memory(url=account.url)
    if now < known.fresh_until:
        return Synced(account=name, kind=account.kind, items=1)
    validators = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    headers = {field: value for field, value in validators.items() if value}
    answer = await http.request("GET", account.url, headers=headers, limit=int(account.max_item))
    if answer.status == 304 and known.size >= 0:
        known.fresh_until = _fresh_until(answer.headers, now)
        mirror.remember(known)
        return Synced(account=name, kind=account.kind, items=1)
    if answer.status in (404, 410):
        gone = known.size >= 0
        mirror.remove(account.save_as)
        mirror.remember(Memory(url=account.url))
        events = (_event(account),) if gone else ()
        note = f"the server answers {answer.status}: there is no such page"
        return Synced(account=name, kind=account.kind, removed=int(gone), notes=(note,), events=events)
    if answer.status != 200:
        raise Refused(f"the server answers {answer.status}", where=f"connect.accounts.{name}.url", fix="check the url")
    new, same = known.size < 0, mirror.intact(account.save_as, len(answer.body)) and _same(mirror, account, answer.body)
    if not same:
        mirror.write(account.save_as, answer.body)
    mirror.remember(
        Memory(
            url=account.url,
            etag=answer.etag,
            modified=answer.headers.get("Last-Modified", ""),
            size=len(answer.body),
            fresh_until=_fresh_until(answer.headers, now),
        )
    )
    events = () if same else (_event(account),)
    return Synced(
        account=name,
        kind=account.kind,
        items=1,
        added=int(new and not same),
        changed=int(not new and not same),
        events=events,
    )


def _same(mirror: Mirror, account: Account, body: bytes) -> bool:
    return mirror.read(account.save_as) == body


def _event(account: Account) -> str:
    return _EVENTS.get(account.save_as.partition("/")[0], "document-update")


def _fresh_until(headers: Mapping[str, str], now: float) -> float:
    """Until when the page need not be asked for again (RFC 9111, section 4.2), at most a week."""
    control = headers.get("Cache-Control", "").lower()
    if "no-cache" in control or "no-store" in control:
        return 0.0
    found = _MAX_AGE.search(control)
    if found is not None:
        age = headers.get("Age", "")
        spent = int(age) if age.isascii() and age.isdigit() and len(age) < 11 else 0
        return now + min(MAX_FRESH_S, max(0, int(found[1]) - spent))
    try:
        expires = parsedate_to_datetime(headers["Expires"]).timestamp()
        date = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return 0.0
    return now + min(MAX_FRESH_S, max(0.0, expires - date))
