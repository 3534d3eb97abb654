"""What a mail says about itself and to its reader, as plain values."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Address(msgspec.Struct, frozen=True):
    """A mailbox: ``email`` in lower case (empty when the header holds only a name), ``name`` decoded."""

    email: str
    name: str = ""

    @property
    def shown(self) -> str:
        """How a person would write it: the name, else the address."""
        return self.name or self.email

    @property
    def domain(self) -> str:
        """What follows the last ``@``."""
        return self.email.rpartition("@")[2] if "@" in self.email else ""


class Attachment(msgspec.Struct, frozen=True):
    """A part that is not the body: its name (may be empty), media type and size when unpacked."""

    name: str
    type: str
    size_bytes: int


class Message(msgspec.Struct, frozen=True):
    """One mail.

    ``id`` is the Message-ID without its brackets, or ``sha256:…`` of the mail when it has none. ``date`` is aware and
    ``date_source`` says where it stands: ``Date``, ``Received``, ``mailbox`` (mbox separator or Maildir name) or
    nothing. ``references`` are message ids, oldest first. ``text`` is what the sender wrote this time: quoted replies
    and signature stand apart in ``quoted`` and ``signature``. ``encrypted`` is ``S/MIME``, ``PGP`` or empty.
    ``invitation`` is the method of an enclosed calendar object (``REQUEST``, ``CANCEL`` …). ``bulk`` is the header
    that says this was sent to many or by a machine. ``notes`` say what was wrong with it.
    """

    id: str
    subject: str = ""
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()
    date: datetime | None = None
    date_source: str = ""
    references: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    list_id: str = ""
    bulk: str = ""
    urgent: bool = False
    text: str = ""
    quoted: str = ""
    signature: str = ""
    attachments: tuple[Attachment, ...] = ()
    encrypted: str = ""
    invitation: str = ""
    size_bytes: int = 0
    notes: tuple[str, ...] = ()


class Mailbox(msgspec.Struct, frozen=True):
    """The mails of one file, in its order; ``notes`` say what was left out or is odd.

    ``resume_at`` is the offset of the last mail in an mbox, ``mark`` a digest of the bytes before it: when both still
    fit, only what was appended needs reading.
    """

    messages: tuple[Message, ...]
    notes: tuple[str, ...] = ()
    resume_at: int = 0
    mark: str = ""
