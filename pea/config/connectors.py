"""The user's accounts on servers: calendars, mail and web pages that are kept as files in the workspace.

A credential never stands in the configuration: ``password: env:NAME`` or ``password: file:PATH`` says where it is.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pea.config.units import Bytes, Seconds

KINDS = ("caldav", "imap", "smtp", "web")
NAME = r"^[a-z0-9][a-z0-9_-]{0,40}$"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account; which of the settings count depends on ``kind``."""

    kind: Literal["caldav", "imap", "smtp", "web"]
    url: str = ""  # caldav: the server or one calendar; web: what is fetched
    host: str = ""  # imap, smtp
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0  # 0: the protocol's own
    tls: Literal["tls", "starttls", "none"] = "tls"  # none only for servers on this machine
    ca: str = ""  # a PEM file with the certificates to trust besides the machine's
    user: str = ""
    password: str = ""  # env:NAME or file:PATH
    calendars: tuple[str, ...] = ()  # caldav: by display name; empty: all
    folders: tuple[str, ...] = ("INBOX", "Sent")  # imap: what is kept in the workspace
    drafts: str = "Drafts"
    sent: str = "Sent"  # imap: where a sent mail is filed; empty: the server does so itself
    sender: str = ""  # smtp: the address that mail comes from; empty: the first of user.emails
    save_as: str = ""  # web: a path in the workspace, as documents/price-list.html
    newest: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 20_000  # imap: so many mails of each folder
    max_item: Bytes = Bytes(32 << 20)  # larger mails, events and pages are named, not kept
    timeout: Seconds = Seconds(20.0)  # of one exchange with the server
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2


class ConnectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All accounts, and how often a service asks them for what is new."""

    every: Seconds = Seconds(300.0)  # 0: only when asked
    accounts: dict[Annotated[str, msgspec.Meta(pattern=NAME)], Account] = {}
