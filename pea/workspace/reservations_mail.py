"""Bookings in mails: schema.org reservations in HTML parts, and calendar objects that are journeys.

Importing it loads the mail reader: import it when mails are read.
"""

from __future__ import annotations

import email.policy
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import msgspec

from pea.workspace.files import Folder, SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail.boxes import MAX_MBOX_BYTES, accepts, raw_mails
from pea.workspace.mail.store import MAX_TOTAL_BYTES, mail_folders
from pea.workspace.reservations import Reservation, of_item, short
from pea.workspace.reservations_markup import items

READER = "reservations 1"  # raise it when the same bytes begin to give other bookings
MAX_PARTS = 30
MAX_PART_BYTES = 4 << 20
MAX_OF_A_FILE = 1_000
_HINTS = (b"schema.org", b"ld+json", b"text/calendar")
_EVENT = re.compile(r"BEGIN:VEVENT\r?\n(.*?)END:VEVENT", re.DOTALL)
_ROUTE = re.compile(r"(?:^|\s)(?P<start>[^\s→>][^→>]{1,40}?)\s*(?:→|->|=>)\s*(?P<end>[^→>,(]{2,40})")
_TRAIN = re.compile(r"\b(?:train|zug|ice|tgv|eurostar|railjet|ic|ec)\b", re.IGNORECASE)


class Found(msgspec.Struct, frozen=True):
    """The bookings of one mail file."""

    reservations: tuple[Reservation, ...] = ()


class Reservations:
    """The bookings of a workspace's mail, each file read once; safe to use from several threads."""

    def __init__(
        self, workspace: Path, *, cache: ReadCache | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workspace = workspace
        self._cache = cache
        self._clock = clock
        self._folders: dict[str, Folder[Found]] = {}

    def refresh(self, *, budget_s: float | None = None) -> None:
        """Read mails that are new or changed, also in subfolders as Maildir++ has them."""
        until = None if budget_s is None else self._clock() + budget_s
        names = mail_folders(self._workspace)
        folders = {name: self._folders.get(name) or self._folder(name) for name in names}
        for folder in folders.values():
            folder.refresh(budget_s=None if until is None else max(0.0, until - self._clock()))
        self._folders = folders

    def report(self) -> SourceReport:
        """Files read and refused; ``items`` counts the bookings in them."""
        return SourceReport().merged(*(folder.report() for folder in self._folders.values()))

    @property
    def all(self) -> list[tuple[str, Reservation]]:
        """Every booking with its file."""
        files = (pair for folder in self._folders.values() for pair in folder.items.items())
        return [(path, one) for path, found in files for one in found.reservations]

    def _folder(self, name: str) -> Folder[Found]:
        return Folder(
            self._workspace,
            name,
            read=read,
            accepts=accepts,
            count=lambda found: len(found.reservations),
            max_file_bytes=MAX_MBOX_BYTES,
            max_total_bytes=MAX_TOTAL_BYTES,
            memory=None if self._cache is None else self._cache.memory(Found, reader=READER, workspace=self._workspace),
            clock=self._clock,
        )


def read(path: Path) -> Found:
    """The bookings of one mail file. Raises as `raw_mails` does."""
    found: list[Reservation] = []
    for data in raw_mails(path):
        if any(hint in data for hint in _HINTS) or _may_hide(data):
            found += of_mail(data)
        if len(found) >= MAX_OF_A_FILE:
            break
    return Found(tuple(found[:MAX_OF_A_FILE]))


def _may_hide(data: bytes) -> bool:
    """Whether the markup may stand in an encoded part."""
    head = data[:200_000].lower()
    return b"text/html" in head and (b"base64" in head or b"quoted-printable" in head)


def of_mail(data: bytes) -> list[Reservation]:
    """The bookings that a mail holds; none when it cannot be parsed."""
    try:
        message = BytesParser(policy=email.policy.default).parsebytes(data)
        parts = [part for _, part in zip(range(MAX_PARTS), message.walk(), strict=False)]
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError, IndexError):
        return []  # the mail reader says what is wrong with it; here nothing is booked
    found: list[Reservation] = []
    for part in parts:
        kind = part.get_content_type()
        if kind == "text/html":
            found += [one for item in items(_text(part)) if (one := of_item(item)) is not None]
        elif kind == "text/calendar":
            found += _of_calendar(_text(part))
    return found


def _text(part: Any) -> str:
    if not isinstance(part, EmailMessage):
        return ""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload[:MAX_PART_BYTES].decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:  # an encoding that nobody knows
        return payload[:MAX_PART_BYTES].decode("utf-8", "replace")


def _of_calendar(text: str) -> Iterator[Reservation]:
    """Journeys among the events of a calendar object: those whose title says from where to where."""
    import icalendar

    for match in list(_EVENT.finditer(text))[:MAX_PARTS]:
        try:
            event = icalendar.Event.from_ical(f"BEGIN:VEVENT\r\n{match[1]}END:VEVENT\r\n")
            start, end = event.get("DTSTART"), event.get("DTEND")
            begins, ends = getattr(start, "dt", None), getattr(end, "dt", None)
        except (ValueError, KeyError, IndexError, TypeError):  # a broken event books nothing
            continue
        title = short(str(event.get("SUMMARY", "")))
        route = _ROUTE.search(title)
        if route is None or not isinstance(begins, datetime):
            continue
        yield Reservation(
            kind="train" if _TRAIN.search(title) else "flight",
            title=title,
            start=begins,
            end=ends if isinstance(ends, datetime) else None,
            start_place=route["start"].strip(),
            end_place=route["end"].strip(),
            cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED" or "METHOD:CANCEL" in text,
            ics=True,
        )
