"""Bytes become a Message; what is broken degrades to what can still be read, and the message says so."""

from __future__ import annotations

import email.parser
import hashlib
import re
from datetime import datetime
from email.message import Message as Parts

from pea.workspace.files_report import plain_reason
from pea.workspace.mail import body, headers
from pea.workspace.mail.message import Message
from pea.workspace.mail.replies import split_body

MAX_MESSAGE_BYTES = 8 << 20  # of a larger mail only the beginning is parsed: texts come before attachments
MAX_REPLY_CHARS = 32_768
MAX_QUOTED_CHARS = 4_096
MAX_SIGNATURE_CHARS = 2_048
_STATUS = {"R": "seen", "A": "replied", "F": "flagged", "T": "draft", "D": "trashed"}
_MOZILLA = {0x1: "seen", 0x2: "replied", 0x4: "flagged", 0x8: "trashed", 0x1000: "forwarded"}
_HEX = re.compile(r"[0-9a-fA-F]{1,8}")
_BULK_WORDS = {"bulk", "list", "junk"}


def parse_message(
    data: bytes, *, flags: tuple[str, ...] = (), arrived: datetime | None = None, size: int | None = None
) -> Message:
    """Read one mail. Never raises on its content: a mail that the parser cannot take apart keeps its headers.

    ``arrived`` is when the mailbox says it came, for mails without a usable date of their own; ``size`` is the whole
    size where ``data`` is only its beginning.
    """
    notes: list[str] = []
    if (size or len(data)) > MAX_MESSAGE_BYTES:
        notes.append(f"only its first {MAX_MESSAGE_BYTES:,} of {size or len(data):,} bytes were read")
        data = data[:MAX_MESSAGE_BYTES]
    mail = _parsed(data, notes)
    fields = _Fields(mail)
    try:
        content = body.read(mail)
    except Exception as error:  # noqa: BLE001 - the standard parser raises KeyError, IndexError … on odd mails
        notes.append(f"its body cannot be read: {plain_reason(error)}")
        content = body.Body()
    parts = split_body(content.text)
    date, source = _date(fields, arrived, notes)
    if content.encrypted:
        notes.append(f"its text is encrypted ({content.encrypted})")
    senders = headers.addresses(fields.all("from")) or headers.addresses(fields.all("sender"))
    if not senders:
        notes.append("it has no sender")
    ids = headers.message_ids(fields.first("message-id"))
    return Message(
        id=ids[0] if ids else "sha256:" + hashlib.sha256(data).hexdigest()[:32],
        subject=headers.unfold(fields.first("subject"))[:500],
        sender=senders[0] if senders else None,
        to=headers.addresses(fields.all("to")),
        cc=headers.addresses(fields.all("cc")),
        reply_to=headers.addresses(fields.all("reply-to")),
        delivered_to=tuple(a.email for a in headers.addresses(fields.all("delivered-to", "x-original-to")) if a.email),
        date=date,
        date_source=source,
        references=_references(fields, ids[0] if ids else ""),
        flags=tuple(dict.fromkeys((*flags, *_flags(fields)))),
        list_id=headers.unfold(fields.first("list-id") or fields.first("mailing-list") or fields.first("list-post"))[
            :200
        ],
        bulk=_bulk(fields),
        urgent=_urgent(fields),
        text=parts.reply[:MAX_REPLY_CHARS],
        quoted=parts.quoted[:MAX_QUOTED_CHARS],
        signature=parts.signature[:MAX_SIGNATURE_CHARS],
        attachments=content.attachments,
        encrypted=content.encrypted,
        invitation=content.invitation,
        size_bytes=size or len(data),
        notes=(*notes, *content.notes),
    )


def _parsed(data: bytes, notes: list[str]) -> Parts:
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    try:
        return email.parser.BytesParser().parsebytes(data)
    except Exception as error:  # noqa: BLE001 - the standard parser raises RecursionError, KeyError … on odd mails
        notes.append(f"only its headers can be read: {plain_reason(error)}")
        head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0][: 1 << 20]
        mail = email.parser.BytesParser().parsebytes(head, headersonly=True)
        mail.set_payload("")
        return mail


class _Fields:
    """Raw header values by lower-case name; the email package's own access can raise on eight-bit text."""

    def __init__(self, mail: Parts) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in list(mail.raw_items())[:2_000]:
            self._values.setdefault(name.lower(), []).append(str(value))

    def all(self, *names: str) -> list[str]:
        return [value for name in names for value in self._values.get(name, ())]

    def first(self, name: str) -> str:
        return self._values.get(name, [""])[0]


def _date(fields: _Fields, arrived: datetime | None, notes: list[str]) -> tuple[datetime | None, str]:
    """The mail's date; one that is missing, unreadable or absurd falls back to when it was received."""
    written = fields.first("date") or fields.first("sent")  # Outlook's copies say Sent
    date, received = headers.date_of(written), headers.received_date(fields.all("received"))
    if date is not None and received is not None and (date - received).days >= 2:
        notes.append(f"its date, {date:%Y-%m-%d}, lies after its arrival on {received:%Y-%m-%d}")
        date = None
    elif date is None:
        notes.append(
            f"its date cannot be read: {headers.unfold(written)[:60]}" if written.strip() else "it has no date"
        )
    for found, source in ((date, "Date"), (received, "Received"), (arrived, "mailbox")):
        if found is not None:
            return found, source
    return None, ""


def _references(fields: _Fields, own: str) -> tuple[str, ...]:
    """RFC 5322, 3.6.4: the References, then the In-Reply-To when it is not among them."""
    found = headers.message_ids(*fields.all("references"))
    parent = headers.message_ids(fields.first("in-reply-to"))[:1]
    return tuple(one for one in (*found, *(one for one in parent if one not in found)) if one != own)


def _bulk(fields: _Fields) -> str:
    """The header that marks mail sent to many or by a machine (RFC 3834, RFC 2369, RFC 8058), or nothing."""
    automatic = headers.unfold(fields.first("auto-submitted")).lower()
    if automatic and not automatic.startswith("no"):
        return f"Auto-Submitted: {automatic[:40]}"
    precedence = headers.unfold(fields.first("precedence")).lower()
    if precedence in _BULK_WORDS or precedence.startswith("auto"):
        return f"Precedence: {precedence[:40]}"
    for name in ("List-Unsubscribe", "Feedback-ID", "X-Auto-Response-Suppress", "X-Campaign-Id"):
        if fields.first(name.lower()):
            return name
    return ""


def _flags(fields: _Fields) -> list[str]:
    """What mail programs note in an mbox's own headers: Status and X-Status (mutt, Dovecot), X-Mozilla-Status."""
    letters = fields.first("status").strip() + fields.first("x-status").strip()
    found = [flag for letter, flag in _STATUS.items() if letter in letters[:20]]
    mozilla = fields.first("x-mozilla-status").strip()
    if _HEX.fullmatch(mozilla):
        found += [flag for bit, flag in _MOZILLA.items() if int(mozilla, 16) & bit]
    return found


def _urgent(fields: _Fields) -> bool:
    """Whether the sender marked it: Importance or Priority high, X-Priority 1 or 2."""
    marked = (fields.first("importance") + fields.first("priority")).strip().lower()
    return marked.startswith(("high", "urgent")) or fields.first("x-priority").strip()[:1] in ("1", "2")
