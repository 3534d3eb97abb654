"""The people behind the addresses: each person once, with every mail to and from them and every meeting."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from pea.agents._people import MACHINE, Me, is_machine, is_mine
from pea.workspace.contacts import Contact
from pea.workspace.mail import Message, Thread

MAX_TOUCHES = 5_000  # of one person; older ones say nothing more
MAX_RECIPIENTS = 12  # a mail to more is a circular: it says nothing of the two


class Touch(msgspec.Struct, frozen=True):
    """One contact: a mail received or sent, or a meeting; ``weight`` is 1 shared among a mail's recipients."""

    at: datetime
    how: str  # received, sent, met
    subject: str
    weight: float
    message_id: str = ""


class Someone(msgspec.Struct, frozen=True):
    """A person: addresses that are one's, by what they were put together, and all contacts in order of time."""

    name: str
    emails: tuple[str, ...]
    contact: Contact | None
    merged: str
    touches: tuple[Touch, ...]
    ahead: tuple[datetime, ...] = ()


class Met(msgspec.Struct, frozen=True):
    """A meeting with others, as the calendar tells it."""

    title: str
    start: datetime
    people: tuple[tuple[str, str], ...]  # name and address


class Circle(msgspec.Struct, frozen=True):
    """Everybody there is, and how many senders were machines."""

    people: tuple[Someone, ...]
    machines: int
    by_email: dict[str, int]  # the place of the person whose address it is


def gather(
    messages: Iterable[Message],
    meetings: Iterable[Met],
    me: Me,
    by_email: Callable[[str], Contact | None],
    now: datetime,
) -> Circle:
    """Count each contact once, by person.

    Two addresses are one person's when one card holds both, or when the same whole name (of two words or more) writes
    from both and no card says otherwise.
    """
    touches: dict[str, list[Touch]] = defaultdict(list)
    ahead: dict[str, list[datetime]] = defaultdict(list)
    names: dict[str, str] = {}
    machines = set[str]()
    for message in messages:
        if message.date is None or message.date > now:
            continue
        if is_mine(message, me):
            others = [a for a in (*message.to, *message.cc) if a.email and a.email not in me.emails]
            if not others or len(others) > MAX_RECIPIENTS:
                continue
            for address in others:
                names.setdefault(address.email, address.name)
                touches[address.email].append(Touch(message.date, "sent", message.subject, 1 / len(others), message.id))
        elif message.sender is not None and message.sender.email:
            email = message.sender.email
            if is_machine(message):
                machines.add(email)
                continue
            count = max(1, len({*message.to, *message.cc}))
            names[email] = message.sender.name or names.get(email, "")
            weight = 1 / count if count <= MAX_RECIPIENTS else 0.0
            touches[email].append(Touch(message.date, "received", message.subject, weight, message.id))
    for meeting in meetings:
        count = max(1, len(meeting.people))
        for name, email in meeting.people:
            if not email or MACHINE.search(email.partition("@")[0] + "@"):
                continue
            names.setdefault(email, name)
            if meeting.start > now:
                ahead[email].append(meeting.start)
            else:
                touches[email].append(Touch(meeting.start, "met", meeting.title, 1 / count))
    return _merged(touches, ahead, names, machines, by_email)


def _merged(
    touches: dict[str, list[Touch]],
    ahead: dict[str, list[datetime]],
    names: dict[str, str],
    machines: set[str],
    by_email: Callable[[str], Contact | None],
) -> Circle:
    groups: dict[str, list[str]] = defaultdict(list)
    for email in sorted({*touches, *ahead} - machines):
        contact = by_email(email)
        name = " ".join((names.get(email) or "").casefold().replace(",", " ").split())
        if contact is not None:
            key = f"card {contact.path} {contact.uid} {contact.name}"
        else:
            key = f"name {name}" if len(name.split()) >= 2 and "@" not in name else f"mail {email}"
        groups[key].append(email)
    # A name without a card joins the one card of that name.
    cards: dict[str, list[str]] = defaultdict(list)
    for key, emails in groups.items():
        if key.startswith("card "):
            contact = by_email(emails[0])
            if contact is not None:
                cards[" ".join(contact.name.casefold().split())].append(key)
    for key in [key for key in groups if key.startswith("name ")]:
        same = cards.get(key.removeprefix("name "), [])
        if len(same) == 1:
            groups[same[0]] += groups.pop(key)
    people = []
    for key, emails in groups.items():
        contact = next(filter(None, map(by_email, emails)), None)
        every = sorted((one for email in emails for one in touches.get(email, ())), key=lambda one: one.at)
        name = contact.name if contact is not None else next(filter(None, (names.get(e) for e in emails)), emails[0])
        how = "" if len(emails) == 1 else ("one card holds them" if key.startswith("card ") else "the same name writes")
        coming = sorted(moment for email in emails for moment in ahead.get(email, ()))
        people.append(Someone(name, tuple(emails), contact, how, tuple(every[-MAX_TOUCHES:]), tuple(coming[:50])))
    places = {email: place for place, one in enumerate(people) for email in one.emails}
    return Circle(tuple(people), len(machines), places)


def answers(threads: Iterable[Thread], me: Me, emails: frozenset[str]) -> tuple[list[float], list[float]]:
    """Hours until the user answered somebody, and until they answered: the first reply to each turn."""
    mine, theirs = list[float](), list[float]()
    for thread in threads:
        waiting: datetime | None = None  # since when the other side's turn is
        whose = ""
        for message in thread.messages:
            if message.date is None or message.sender is None:
                continue
            if is_mine(message, me):
                if not emails & {a.email for a in (*message.to, *message.cc)}:
                    continue
                side = "me"
            elif message.sender.email in emails and not is_machine(message):
                side = "they"
            else:
                continue
            if waiting is not None and whose != side and message.date >= waiting:
                hours = (message.date - waiting).total_seconds() / 3600
                (mine if side == "me" else theirs).append(hours)
            if whose != side:
                waiting, whose = message.date, side
    return mine, theirs


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float, bool]:
    """The median, and its interval by order statistics (David and Nagaraja, Order Statistics, section 7.1).

    The interval is that of the j-th smallest and j-th largest with the largest j for which a binomial of half reaches
    the confidence; without one (fewer than six values) the extremes, and False.
    """
    ordered = sorted(values)
    count = len(ordered)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    tail, below, best = (1 - confidence) / 2, 0.0, 0
    for place in range(count // 2):
        below += math.comb(count, place) * 0.5**count if count <= 1_000 else _normal_step(count, place)
        if below > tail:
            break
        best = place + 1
    if not best:
        return middle, ordered[0], ordered[-1], False
    return middle, ordered[best - 1], ordered[-best], True


def _normal_step(count: int, place: int) -> float:
    """The binomial's mass by logarithms, which do not overflow."""
    log = math.lgamma(count + 1) - math.lgamma(place + 1) - math.lgamma(count - place + 1) - count * math.log(2)
    return math.exp(log)


def gaps(someone: Someone) -> list[float]:
    """Days between contacts on different days."""
    days = sorted({touch.at.date() for touch in someone.touches})
    return [float((after - before).days) for before, after in itertools.pairwise(days)]
