"""Shapes: the ways in which mail programs turn one letter into bytes, the broken ones included."""

from __future__ import annotations

import base64
import hashlib
import html
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage, MIMEPart
from typing import Any

from maker import calendars
from maker.story import Cast, Person

POLICY = policy.EmailPolicy(max_line_length=110)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A letter before it has a shape."""

    id: str
    headers: list[tuple[str, Any]]
    body: str
    date: datetime
    sender: Person
    attach: tuple[tuple[str, str], ...]
    invite: str
    link: dict[str, str] | None
    forwarded: Draft | None
    people: Cast

    @property
    def message_id(self) -> str:
        """The Message-ID, with its brackets."""
        return self._header("Message-ID")

    @property
    def references(self) -> list[str]:
        """The ids of the messages before it in its thread, the first one first."""
        return self._header("References").split()

    def _header(self, wanted: str) -> str:
        return next((str(value) for name, value in self.headers if name == wanted), "")


def plain(draft: Draft) -> bytes:
    """Text, with attachments if there are any."""
    message = _with_headers(draft)
    _set_text(message, draft.body)
    _attach(message, draft)
    return _finish(message, draft)


def alternative(draft: Draft) -> bytes:
    """The same words as text and as HTML."""
    message = _with_headers(draft)
    _set_text(message, draft.body)
    message.add_alternative(_html(draft), subtype="html", cte="quoted-printable")
    _attach(message, draft)
    return _finish(message, draft)


def only_html(draft: Draft) -> bytes:
    """HTML and nothing else, in base64 as marketing programs send it."""
    message = _with_headers(draft)
    message.set_content(_html(draft), subtype="html", cte="base64")
    return _finish(message, draft)


def nested(draft: Draft) -> bytes:
    """mixed( related( alternative( text, HTML ), picture ), attachments )."""
    message = _with_headers(draft)
    _set_text(message, draft.body)
    page = _html(draft).replace("<body>", '<body><img src="cid:logo@example" alt="">')
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message.make_mixed()
    related = MIMEPart(policy=POLICY)
    related["Content-Type"] = "multipart/related"
    picture = MIMEPart(policy=POLICY)
    picture.set_content(_logo(), "image", "png", cid="<logo@example>", filename="logo.png", disposition="inline")
    parts = message.get_payload()
    related.set_payload([*parts, picture])
    message.set_payload([related])
    _attach(message, draft)
    return _finish(message, draft)


def invite(draft: Draft) -> bytes:
    """Text beside a text/calendar request, as calendar servers send invitations (RFC 6047)."""
    message = _with_headers(draft)
    _set_text(message, draft.body)
    request = calendars.invitation(draft.invite, draft.people)
    message.add_alternative(request, subtype="calendar", params={"method": "REQUEST"}, cte="base64")
    return _finish(message, draft)


def forward(draft: Draft) -> bytes:
    """A note with the whole other message attached to it (message/rfc822)."""
    message = _with_headers(draft)
    _set_text(message, draft.body)
    if draft.forwarded is not None:
        inner = _with_headers(draft.forwarded)
        _set_text(inner, draft.forwarded.body)
        message.add_attachment(inner)
    return _finish(message, draft)


def pgp(draft: Draft) -> bytes:
    """Encrypted (RFC 3156): nobody without the key can read it, and here nobody has one."""
    version = MIMEPart(policy=POLICY)
    version.set_content(b"Version: 1\n", "application", "pgp-encrypted", cte="7bit")
    secret = b"".join(hashlib.sha512(f"{draft.id}{n}".encode()).digest() for n in range(12))
    armour = base64.encodebytes(secret).decode()
    text = f"-----BEGIN PGP MESSAGE-----\n\n{armour}-----END PGP MESSAGE-----\n"
    sealed = MIMEPart(policy=POLICY)
    sealed.set_content(text.encode(), "application", "octet-stream", filename="encrypted.asc", cte="7bit")
    message = _with_headers(draft)
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    message.set_payload([version, sealed])
    return _finish(message, draft)


def _raw(mime: str, charset: str) -> Callable[[Draft], bytes]:
    """A shape whose body is in ``charset`` whatever its MIME headers claim."""

    def shape(draft: Draft) -> bytes:
        return _with_headers(draft).as_bytes().rstrip(b"\n") + mime.encode() + b"\n\n" + draft.body.encode(charset)

    return shape


_EIGHT_BIT = "\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset="

SHAPES: dict[str, Callable[[Draft], bytes]] = {
    "plain": plain,
    "no-date": plain,  # its Date was never put among the headers
    "alternative": alternative,
    "html": only_html,
    "nested": nested,
    "invite": invite,
    "forward": forward,
    "pgp": pgp,
    "latin-1": _raw(f"{_EIGHT_BIT}us-ascii", "latin-1"),
    "unknown-charset": _raw(f"{_EIGHT_BIT}x-unknown", "utf-8"),
    "bare-8bit": _raw("", "cp1252"),
}


def _with_headers(draft: Draft) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    for name, value in draft.headers:
        message[name] = value
    return message


def _set_text(message: EmailMessage, text: str) -> None:
    message.set_content(text, cte="7bit" if text.isascii() else "quoted-printable")


def _attach(message: EmailMessage, draft: Draft) -> None:
    for name, text in draft.attach:
        message.add_attachment(text, filename=name, cte="7bit" if text.isascii() else "quoted-printable")


def _finish(message: EmailMessage, draft: Draft) -> bytes:
    """The bytes, with boundaries that do not change from one run to the next."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_{draft.id}_{number}")
    return message.as_bytes()


def _html(draft: Draft) -> str:
    paragraphs = [html.escape(block).replace("\n", "<br>\n") for block in draft.body.strip().split("\n\n")]
    page = "".join(f"<p>{block}</p>\n" for block in paragraphs)
    if draft.link is not None:
        page = page.replace("LINK", f'<a href="{draft.link["target"]}">{draft.link["words"]}</a>')
    style = "<style>p { font-family: sans-serif } .hidden { display: none }</style>"
    return f"<html><head><meta charset='utf-8'>{style}</head><body>\n{page}</body></html>\n"


def _logo() -> bytes:
    """A picture of eight by eight dots in one colour, not compressed: compressors differ between versions."""
    rows = b"".join(b"\x00" + b"\xd0\x60\x20" * 8 for _ in range(8))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 0)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
