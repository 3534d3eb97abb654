"""Who "me" is in the mail, and what the user and a sender are to each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from pea.workspace.mail import Message

MACHINE = re.compile(
    r"(?:^|[._+-])(?:no[._-]?reply|do[._-]?not[._-]?reply|newsletters?|notifications?|notify|mailer-daemon|"
    r"postmaster|bounces?|"
    r"marketing|alerts?|automated|news|promo|offers)(?:$|[._+@-])",
    re.IGNORECASE,
)
# Domains of mail providers: sharing one makes nobody a colleague.
PROVIDERS = frozenset(
    (
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "me.com",
        "aol.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "proton.me", "protonmail.com", "mail.com",
        "fastmail.com", "posteo.de", "mailbox.org", "orange.fr", "free.fr",
    )
)  # fmt: skip


class Me(msgspec.Struct, frozen=True):
    """The user's addresses (lower case) and name; ``guessed`` when no setting gave them."""

    emails: frozenset[str]
    name: str = ""
    guessed: bool = False

    @property
    def first_name(self) -> str:
        """What a mail would greet the user by."""
        return self.name.split()[0] if self.name.strip() else ""

    @property
    def domains(self) -> frozenset[str]:
        """The user's own companies."""
        return frozenset(e.rpartition("@")[2] for e in self.emails) - PROVIDERS


class Circle(msgspec.Struct, frozen=True):
    """Whom the user knows: how often each address was written to, and names from the address book."""

    written_to: Counter[str]
    heard_from: Counter[str]
    contact: Callable[[str], str | None]


def identify(messages: Iterable[Message], emails: Iterable[str], name: str) -> Me:
    """The user by the settings; else the address that most mail was delivered to, or else that most is addressed to."""
    known = frozenset(email.strip().lower() for email in emails if email.strip())
    if known:
        return Me(known, name)
    delivered: Counter[str] = Counter()
    addressed: Counter[str] = Counter()
    for message in messages:
        if not message.list_id:
            delivered.update(set(message.delivered_to))
        addressed.update({address.email for address in message.to if address.email})
    best = (delivered or addressed).most_common(1)
    return Me(frozenset(one for one, _ in best), name, guessed=True)


def circle(messages: Iterable[Message], me: Me, contact: Callable[[str], str | None]) -> Circle:
    """Count whom the user wrote to and heard from."""
    written: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    for message in messages:
        if is_mine(message, me):
            written.update(address.email for address in (*message.to, *message.cc))
        elif message.sender:
            heard[message.sender.email] += 1
    return Circle(written, heard, contact)


def is_mine(message: Message, me: Me) -> bool:
    """Whether the user sent it."""
    return message.sender is not None and message.sender.email in me.emails


def is_machine(message: Message) -> bool:
    """Whether it was sent to many or by a program: by its headers, or by its sender's address."""
    email = message.sender.email if message.sender else ""
    return bool(message.bulk or message.list_id or MACHINE.search(email.partition("@")[0] + "@"))
