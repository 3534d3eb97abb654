"""Which conversations wait for the user's answer, in what order, and why: a sum of documented points, no magic.

A conversation waits when its newest mails are from others, ask for something in their senders' own words, and reach
the user in person. Its rank is the sum of the points below; each point given is told in words.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

import msgspec

from pea.agents._asks import REMEMBERED, Asks, is_request, said_to_reader
from pea.agents._asks import read as read_asks
from pea.agents._deadlines import Deadline, find_deadline
from pea.agents._feedback import FLIPS, NOTHING, Learned, features_of
from pea.agents._mail_views import Reason, Unanswered, Waiting
from pea.agents._people import Circle, Me, is_machine, is_mine
from pea.workspace.mail import Message, Thread, when

# Points. What is asked, how directly, and by when weigh most; standing and age only order equals.
ALONE, DIRECT, AMONG_MANY, COPY, NAMED = 24, 18, 10, 4, 10
QUESTION, REQUEST, INVITATION = 20, 18, 14
OVERDUE, DUE_TODAY, DUE_SOON, DUE_THIS_WEEK, DUE_LATER, LAPSED = 30, 28, 22, 12, 6, 4
FOLLOW_UP, REMINDER, REPLY_TO_ME = 10, 8, 6
CONTACT, COLLEAGUE, CORRESPONDENT = 8, 5, 8
FLAGGED, URGENT, UNREAD = 15, 5, 2
MACHINE, CLOSING, SUSPICIOUS, PASSED = -40, -25, -40, -10
AGE_PER_DAY, AGE_FREE_DAYS, AGE_MOST = -1, 3, -20

MANY_PEOPLE = 6
SILENCE = timedelta(days=3)  # after which a question of the user's own is worth a reminder
LAPSED_DAYS = 7
EARLY = timedelta(hours=1)  # clocks differ: a mail dated less than this ahead is not from the future


_LURE = re.compile(
    r"\b(?:confirm|verify|validate|unlock|update|restore|bestätigen|verifizieren)\b[^.!?]{0,60}\b(?:account|"
    r"identity|password|"
    r"mailbox|log-?in|credentials|payment|konto|passwort|postfach)|\b(?:account|mailbox|postfach|konto)\b[^.!?]{0,60}"
    r"\b(?:suspended|closed|locked|limited|expires?|deactivated|gesperrt|geschlossen)",
    re.IGNORECASE,
)
_LINK = re.compile(r"https?://", re.IGNORECASE)


class Ranking(msgspec.Struct, frozen=True):
    """All conversations sorted out: those to answer, to read and to distrust by rank, and counts of the rest."""

    answer: tuple[Waiting, ...]
    reading: tuple[Waiting, ...]
    suspicious: tuple[Waiting, ...]
    unanswered: tuple[Unanswered, ...]
    bulk: int = 0
    answered: int = 0
    older: int = 0
    future: int = 0
    unweighed: int = 0


def rank(
    threads: Iterable[Thread],
    me: Me,
    people: Circle,
    now: datetime,
    since: datetime,
    *,
    learned: Learned = NOTHING,
    budget_s: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Ranking:
    """Sort conversations out; those without a mail since ``since`` are only counted, mails from the future left out.

    Weighing ends after ``budget_s`` seconds: what came later in ``threads`` is counted as unweighed. A mail is weighed
    once, so the next call comes further.
    """
    answer: list[Waiting] = []
    reading: list[Waiting] = []
    suspicious: list[Waiting] = []
    unanswered: list[Unanswered] = []
    counts = {"bulk": 0, "answered": 0, "older": 0, "future": 0, "unweighed": 0}
    until = clock() + budget_s
    for thread in threads:
        mails = [m for m in thread.messages if not {"trashed", "draft"} & set(m.flags)]
        present = [m for m in mails if m.date is None or m.date <= now + EARLY]
        counts["future"] += len(mails) - len(present)
        if not present:
            continue
        last = present[-1]
        if last.date is not None and last.date < since:
            counts["older"] += 1
        elif is_mine(last, me):
            counts["answered"] += 1
            unanswered += _unanswered(thread, last, me, now)
        elif "replied" in last.flags:
            counts["answered"] += 1
        elif is_machine(last) and "flagged" not in last.flags and not _heard(last, learned):
            counts["bulk"] += 1
        elif clock() > until:
            counts["unweighed"] += 1
        else:
            kind, item = _weigh(thread, present, me, people, now, learned)
            {"answer": answer, "read": reading, "doubt": suspicious}[kind].append(item)
    for items in (answer, reading, suspicious):
        items.sort(key=lambda item: (-item.score, item.due or date.max, item.message_id))
    unanswered.sort(key=lambda one: -one.days)
    return Ranking(tuple(answer), tuple(reading), tuple(suspicious), tuple(unanswered), **counts)


def _heard(message: Message, learned: Learned) -> bool:
    return message.sender is not None and learned.hears(message.sender.email)


def _weigh(
    thread: Thread, present: list[Message], me: Me, people: Circle, now: datetime, learned: Learned
) -> tuple[str, Waiting]:
    """What a conversation wants whose newest mail is not the user's (answer, read or doubt), and its points."""
    mine = max((i for i, m in enumerate(present) if is_mine(m, me)), default=-1)
    theirs = present[mine + 1 :]
    asked = [(m, read_asks(m.text)) for m in theirs]
    message, asks = next((pair for pair in reversed(asked) if pair[1].any), asked[-1])
    closing = asked[-1][1].closes and message is theirs[-1]
    to_me, named = _reach(message, me)
    due = _deadline(theirs, now)
    reasons = [
        *_directness(message, me, named=named),
        *_content(message, asks, closing=closing),
        *_urgency(due, now),
        *_position(theirs, asked, replied=mine >= 0),
        *_standing(message, me, people),
        *_age(message, now, due),
    ]
    wants = asks.any or message.invitation == "REQUEST" or (asks.reminds and len(theirs) > 1)
    doubt = _doubt(message, asks, people)
    if doubt:
        reasons.append(Reason(SUSPICIOUS, doubt))
    waits = (wants and not closing and (to_me or named)) or "flagged" in message.flags
    sender = message.sender
    shown = None if due is None or (due.soft and due.day < now.date()) else due
    item = Waiting(
        message.id,
        thread.subject,
        sender.shown if sender else "(no sender)",
        sender.email if sender else "",
        message.date,
        tuple(dict.fromkeys((*asks.questions, *asks.requests)))[:3],
        shown.day if shown else None,
        f"{shown.hour:%H:%M}" if shown and shown.hour else "",
        shown.words if shown else "",
        sum(reason.points for reason in reasons),
        tuple(sorted(reasons, key=lambda reason: -abs(reason.points))),
        "",
        len(present),
    )
    taught = learned.of(features_of(thread.id, item))
    if taught:
        item = msgspec.structs.replace(
            item,
            score=item.score + sum(reason.points for reason in taught),
            reasons=tuple(sorted((*item.reasons, *taught), key=lambda reason: -abs(reason.points))),
        )
        shift = sum(reason.points for reason in taught)
        waits = (waits and shift > -FLIPS) or (shift >= FLIPS and not is_machine(message))
    # What looks like a trap stays one, whatever was learned of its sender.
    return "doubt" if doubt else "answer" if waits else "read", item


def _reach(message: Message, me: Me) -> tuple[bool, bool]:
    """Whether the user is among those written to, and whether the text calls them by name."""
    to_me = any(address.email in me.emails for address in message.to)
    first = me.first_name.casefold()
    named = len(first) > 2 and first in message.text[:200].casefold().replace(",", " ").replace("@", " ").split()
    return to_me, named


def _directness(message: Message, me: Me, *, named: bool) -> list[Reason]:
    others = {a.email for a in (*message.to, *message.cc)} - me.emails
    reasons = []
    if any(a.email in me.emails for a in message.to):
        if not others:
            reasons.append(Reason(ALONE, "addressed to you alone"))
        elif len(others) < MANY_PEOPLE:
            reasons.append(Reason(DIRECT, "addressed to you"))
        else:
            reasons.append(Reason(AMONG_MANY, f"addressed to you among {len(others) + 1} people"))
    elif any(a.email in me.emails for a in message.cc):
        reasons.append(Reason(COPY, "you are only in copy"))
    elif me.emails & set(message.delivered_to):
        reasons.append(Reason(COPY, "you got a blind copy"))
    elif me.emails:
        reasons.append(Reason(0, "your address is not among those it was sent to"))
    if named and not (reasons and reasons[0].points == ALONE):
        reasons.append(Reason(NAMED, "calls you by name"))
    return reasons


def _content(message: Message, asks: Asks, *, closing: bool) -> list[Reason]:
    reasons = []
    if asks.questions:
        many = f"{len(asks.questions)} questions" if len(asks.questions) > 1 else "a question"
        reasons.append(Reason(QUESTION, f"asks {many}"))
    if asks.requests:
        reasons.append(Reason(REQUEST // 2 if asks.questions else REQUEST, "asks you to do something"))
    if message.invitation == "REQUEST":
        reasons.append(Reason(INVITATION, "a meeting invitation"))
    if closing:
        reasons.append(Reason(CLOSING, "thanks or agrees: it seems to close the matter"))
    if is_machine(message):
        reasons.append(
            Reason(MACHINE, f"sent to many or by a machine ({message.bulk or message.list_id or 'its sender'})")
        )
    if "flagged" in message.flags:
        reasons.append(Reason(FLAGGED, "you flagged it"))
    if message.urgent:
        reasons.append(Reason(URGENT, "marked as important by its sender"))
    if message.flags and "seen" not in message.flags:
        reasons.append(Reason(UNREAD, "unread"))
    if message.encrypted:
        reasons.append(Reason(0, f"its text is encrypted ({message.encrypted}) and was not read"))
    if asks.for_machine:
        reasons.append(Reason(0, "it holds instructions meant for an assistant; they are data and were not followed"))
    return reasons


def _doubt(message: Message, asks: Asks, people: Circle) -> str:
    """Why a stranger's mail looks like a trap, or nothing; known correspondents are not judged by their words."""
    email = message.sender.email if message.sender else ""
    if people.written_to[email] or people.contact(email):
        return ""
    if asks.for_machine:
        return "a stranger's mail that gives orders to an assistant; they are data and were not followed"
    if _lures(message.text):
        return "looks like phishing: a stranger asks you to confirm or unlock an account through a link"
    return ""


@lru_cache(maxsize=REMEMBERED)
def _lures(text: str) -> bool:
    """Whether a mail asks to confirm or unlock something through a link."""
    return _LINK.search(text, 0, 4_000) is not None and _LURE.search(text, 0, 4_000) is not None


def _deadline(theirs: list[Message], now: datetime) -> Deadline | None:
    """The newest deadline that is named; days count from the date of the mail that names them."""
    for message in reversed(theirs):
        # Written in UTC, the sender's own day is unknown: take the user's.
        sent = message.date or now
        local = sent if sent.utcoffset() else sent.astimezone(now.tzinfo)
        # A reply's subject was written earlier, on another day.
        found = _named(message.text, "" if message.references else message.subject, local.replace(tzinfo=None))
        if found is not None:
            return found
    return None


@lru_cache(maxsize=REMEMBERED)
def _named(text: str, subject: str, sent: datetime) -> Deadline | None:
    """The deadline of one mail; ``sent`` without a zone, as aware times of one instant would be one key."""
    found = find_deadline(said_to_reader(text), sent, is_request=_asks_something)
    return found or (find_deadline([subject], sent, is_request=lambda _subject: False) if subject else None)


def _asks_something(sentence: str) -> bool:
    return sentence.rstrip("\"'”) ").endswith("?") or is_request(sentence)


def _urgency(due: Deadline | None, now: datetime) -> list[Reason]:
    if due is None:
        return []
    days = (due.day - now.date()).days
    day = f"{due.day:%a %d %b}" + (f" at {due.hour:%H:%M}" if due.hour else "") + f" (“{due.words}”)"
    what = f"about {day}" if due.soft else f"due {day}"
    if days < 0 and due.soft:  # a day that a request merely names was its occasion
        return [Reason(PASSED, f"was {what}, which has passed")]
    if days < -LAPSED_DAYS:
        return [Reason(LAPSED, f"was {what}, long past")]
    if days < 0:
        return [Reason(OVERDUE, f"was {what}: overdue")]
    if days == 0:
        return [Reason(DUE_TODAY, f"{what}: today")]
    points = DUE_SOON if days <= 2 else DUE_THIS_WEEK if days <= 7 else DUE_LATER
    return [Reason(points, f"{what}, in {days} {'day' if days == 1 else 'days'}")]


def _position(theirs: list[Message], asked: list[tuple[Message, Asks]], *, replied: bool) -> list[Reason]:
    reasons = []
    last = theirs[-1].sender
    again = sum(1 for m in theirs if m.sender and last and m.sender.email == last.email) - 1
    if again > 0:
        reasons.append(Reason(min(again, 2) * FOLLOW_UP, f"they wrote {again + 1} times without an answer from you"))
    if any(asks.reminds for _, asks in asked):
        reasons.append(Reason(REMINDER, "it is a reminder"))
    if replied:
        reasons.append(Reason(REPLY_TO_ME, "it answers a mail of yours"))
    return reasons


def _standing(message: Message, me: Me, people: Circle) -> list[Reason]:
    sender = message.sender
    if sender is None or not sender.email:
        return [Reason(0, "its sender gives no address")]
    reasons = []
    if people.contact(sender.email):
        reasons.append(Reason(CONTACT, "in your contacts"))
    if sender.domain in me.domains:
        reasons.append(Reason(COLLEAGUE, f"from your own domain, {sender.domain}"))
    if people.written_to[sender.email]:
        reasons.append(Reason(CORRESPONDENT, "you have written to them before"))
    elif not reasons and people.heard_from[sender.email] <= 1:
        reasons.append(Reason(0, "the first mail from this address"))
    return reasons


def _age(message: Message, now: datetime, due: Deadline | None) -> list[Reason]:
    if message.date is None:
        return [Reason(AGE_MOST, "it has no date")]
    days = (now - message.date).days
    if days <= AGE_FREE_DAYS or (due is not None and due.day >= now.date()):
        return []
    return [Reason(max(AGE_MOST, AGE_PER_DAY * (days - AGE_FREE_DAYS)), f"{days} days old")]


def _unanswered(thread: Thread, last: Message, me: Me, now: datetime) -> list[Unanswered]:
    """The user's own question that has met silence for some days."""
    if last.date is None or now - last.date < SILENCE:
        return []
    asks = read_asks(last.text)
    to = tuple(a.shown for a in last.to if a.email not in me.emails)
    if not asks.any or not to:
        return []
    first = (*asks.questions, *asks.requests)[0]
    return [Unanswered(last.id, thread.subject, to, first, last.date, (now - when(last)).days)]
