"""A mail made from its parts, with all that could differ (Message-ID, date) given: the same gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import msgspec

from pea.errors import InputError

MAX_RECIPIENTS = 100
MAX_BODY = 40_000


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent or kept as a draft: all that a person has to see before she approves it."""

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str
    body: str
    in_reply_to: str = ""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every address that it goes to, once."""
        every = (*self.to, *self.cc, *self.bcc)
        return tuple(dict.fromkeys(parseaddr(one)[1] for one in every))


def check(letter: Letter) -> None:
    """Raise InputError for what cannot be sent, with the field."""
    for field in ("to", "cc", "bcc"):
        for one in getattr(letter, field):
            _check_address(one, field)
    _check_address(letter.sender, "sender")
    if not letter.recipients:
        raise InputError("nobody to send it to", where="to")
    if len(letter.recipients) > MAX_RECIPIENTS:
        raise InputError(f"more than {MAX_RECIPIENTS} recipients", where="to")
    for field in ("subject", "in_reply_to"):
        if any(ord(c) < 32 or ord(c) == 127 for c in getattr(letter, field)):
            raise InputError("must be one line", where=field)
    if len(letter.body) > MAX_BODY:
        raise InputError(f"is longer than {MAX_BODY:,} characters", where="body")


def compose(letter: Letter, *, key: str, at: datetime) -> bytes:
    """The mail as it goes out, with CRLF; blind recipients are not in it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = letter.sender
    message["To"] = ", ".join(letter.to)
    if letter.cc:
        message["Cc"] = ", ".join(letter.cc)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(letter, key)
    if letter.in_reply_to:
        message["In-Reply-To"] = letter.in_reply_to
        message["References"] = letter.in_reply_to
    message.set_content(letter.body if letter.body.endswith("\n") else letter.body + "\n")
    return message.as_bytes()


def message_id(letter: Letter, key: str) -> str:
    """The Message-ID, fixed by the approval's key."""
    return f"<{key}.pea@{parseaddr(letter.sender)[1].rpartition('@')[2] or 'localhost'}>"


def _check_address(text: str, field: str) -> None:
    address = parseaddr(text)[1]
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or not text.isprintable() or not address.isascii() or text.count("@") != 1:
        raise InputError(f"{text!r} is no mail address", where=field, fix="write name@example.org")
    try:
        Address(addr_spec=address)
    except (ValueError, IndexError, HeaderParseError):
        raise InputError(f"{text!r} is no mail address", where=field, fix="write name@example.org") from None


def lines(letter: Letter, shown: Sequence[str] = ("to", "cc", "bcc")) -> str:
    """Whom it goes to, on one line."""
    return "; ".join(f"{name} {', '.join(getattr(letter, name))}" for name in shown if getattr(letter, name))
