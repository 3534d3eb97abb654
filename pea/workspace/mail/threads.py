"""Messages become threads by Jamie Zawinski's algorithm (https://www.jwz.org/doc/threading.html).

Steps 1 to 4 are his: containers linked by References and In-Reply-To, loops refused, empty containers pruned. Step 5,
which joins threads by subject alone, is narrowed: only a mail without references, whose subject begins with a reply
prefix, joins, and only a thread of that subject which one of its people took part in within the last 60 days. Two
customers who both write "Invoice" thus stay apart.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from pea.workspace.mail.message import Message

SUBJECT_WINDOW = timedelta(days=60)
_MAX_CHAIN = 1_000
_MAX_NAMESAKES = 20
_PREFIX = re.compile(
    r"\s*(?:(?:re|fwd?|aw|wg|sv|vs|antw|odp|tr|rv|res|enc|doorst|ynt|r|i)\s*(?:\[\d+\]|\(\d+\))?\s*:|\[[^\[\]]{1,40}\])\s*",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"\s*(?:\[[^\[\]]{1,40}\]\s*)?(?:re|aw|sv|vs|antw|odp|res|ynt|r)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Thread(msgspec.Struct, frozen=True):
    """A conversation: ``messages`` in order of date, ``subject`` without prefixes. ``id`` is that of its first mail."""

    id: str
    subject: str
    messages: tuple[Message, ...]

    @property
    def last(self) -> Message:
        """The newest mail."""
        return self.messages[-1]


def base_subject(subject: str) -> str:
    """A subject without its reply and forward prefixes and list tags, white space made single."""
    text = subject[:500]
    while (match := _PREFIX.match(text)) and match.end() < len(text):
        text = text[match.end() :]
    return " ".join(text.split())


def when(message: Message) -> datetime:
    """A mail's date for sorting: one without a date is older than all others."""
    return message.date or _LONG_AGO


def unique(messages: Iterable[Message]) -> list[Message]:
    """Each mail once: of copies (as in Inbox and Sent) the first is kept, with all their flags.

    Different mails under one Message-ID, which broken programs send, are all kept; the later ones say so.
    """
    kept: dict[str, Message] = {}
    for message in messages:
        one = message
        first = kept.setdefault(one.id, one)
        number = 2
        while first is not one and not _copies(first, message) and number <= _MAX_NAMESAKES:
            note = f"another mail has the same Message-ID {message.id}"
            one = msgspec.structs.replace(message, id=f"{message.id}#{number}", notes=(*message.notes, note))
            first = kept.setdefault(one.id, one)
            number += 1
        if first is not one and set(one.flags) - set(first.flags):
            flags = tuple(dict.fromkeys((*first.flags, *one.flags)))
            kept[first.id] = msgspec.structs.replace(first, flags=flags)
    return list(kept.values())


def _copies(one: Message, other: Message) -> bool:
    return (one.sender, one.subject, one.text) == (other.sender, other.subject, other.text)


def threads(messages: Iterable[Message]) -> list[Thread]:
    """Group mails into threads, the one with the newest mail first; linear in mails and references."""
    parents: dict[str, str] = {}
    mails = {message.id: message for message in unique(messages)}
    for message in sorted(mails.values(), key=when):
        chain = (*message.references, message.id)
        for parent, child in itertools.pairwise(chain):
            # A mail's own headers outrank what others say of its parent (his step 1C).
            if (child not in parents or child == message.id) and not _leads_to(parents, parent, child):
                parents[child] = parent
    groups: dict[str, list[Message]] = {}
    for message in mails.values():
        groups.setdefault(_root(parents, message.id), []).append(message)
    made = _joined_by_subject([sorted(group, key=when) for group in groups.values()])
    found = [Thread(g[0].id, base_subject(g[0].subject) or "(no subject)", tuple(g)) for g in made]
    return sorted(found, key=lambda thread: when(thread.last), reverse=True)


def _root(parents: dict[str, str], one: str) -> str:
    path = [one]
    while path[-1] in parents and len(path) <= _MAX_CHAIN:
        path.append(parents[path[-1]])
    return path[-1]


def _leads_to(parents: dict[str, str], start: str, goal: str) -> bool:
    """Whether ``goal`` is ``start`` or above it: making it the child as well would close a loop."""
    for _ in range(_MAX_CHAIN):
        if start == goal:
            return True
        if start not in parents:
            return False
        start = parents[start]
    return True  # too deep to tell: better a second thread than a loop


def _joined_by_subject(groups: list[list[Message]]) -> list[list[Message]]:
    groups.sort(key=lambda group: when(group[0]))
    latest: dict[str, list[Message]] = {}
    made: list[list[Message]] = []
    for group in groups:
        first = group[0]
        subject = base_subject(first.subject).casefold()
        host = latest.get(subject) if subject else None
        if host is not None and not first.references and _REPLY.match(first.subject) and _same_talk(host, first):
            host.extend(group)
            host.sort(key=when)
        else:
            made.append(group)
            latest[subject] = group
    return made


def _same_talk(group: Sequence[Message], message: Message) -> bool:
    newest = when(group[-1])
    if when(message) - newest > SUBJECT_WINDOW or not newest > _LONG_AGO:
        return False
    return bool(people(message) & frozenset().union(*(people(other) for other in group)))


def people(message: Message) -> frozenset[str]:
    """The addresses of all who sent or got a mail."""
    sender = (message.sender,) if message.sender else ()
    return frozenset(address.email for address in (*sender, *message.to, *message.cc) if address.email)
